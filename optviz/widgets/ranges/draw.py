"""The pictures of the range explorer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from optviz.viz import Frame, Line, Rule
from optviz.widgets.panel import Picture
from optviz.widgets.ranges import telling
from optviz.widgets.ranges.compute import SHARES, Method, Outcome
from optviz.widgets.ranges.state import BITS
from optviz.widgets.ranges.words import WORDS
from optviz.widgets.series import interval

__all__ = ["draw"]

GRAY = 6  # the color of what belongs to no range; 8 and 16 more: other dashes
BINS = 90
ROW = 0.42  # height of a range below the histogram, in powers of ten of numbers
COUNTS = ("1", "10", "100", "1000", "10k", "100k")
DARKEST = 1e-9  # error that no picture shows
LOWEST, TOP = -5.3, 0.2  # powers of ten of errors over the bits


def draw(result: Outcome, pinned: tuple[Outcome, ...]) -> dict[str, Picture]:
    """The five pictures of an outcome, with pinned ones as ghosts behind."""
    return {
        "numbers": _numbers(result, pinned),
        "curve": _curve(result, pinned),
        "bits": _bits(result, pinned),
        "split": _split(result),
        "accuracy": _accuracy(result, pinned),
    }


def relative(result: Outcome) -> np.ndarray:
    """The numbers as shares of the largest with the same scale, (B, n)."""
    assert result.x is not None
    assert result.unit is not None
    return result.state.grain.blocks(result.x) / np.maximum(result.unit, 1e-12)[:, None]


def ends(result: Outcome, method: Method) -> tuple[float, float]:
    """The ends of a range as shares of the largest number, a mean over its blocks."""
    assert result.unit is not None
    unit = np.maximum(result.unit, 1e-12)
    return float((method.code.low / unit).mean()), float((method.code.high / unit).mean())


def _numbers(result: Outcome, pinned: tuple[Outcome, ...]) -> Picture:
    """A histogram with the ranges as bars below, and what the chosen one clips shaded."""
    state, here = result.state, result.here
    low, high = (-0.03 if state.of_units else -1.08), 1.08
    rows = -ROW * (np.arange(len(state.ranges)) + 1.0)
    bottom, lines, top = float(rows[-1]) - ROW / 2, list[Line](), 4.0
    if result.x is not None:
        lines.append(_histogram(result, low, high))
        top = float(max(np.nanmax(lines[0].y), 1)) * 1.05
        lines += [_shape(old, low, high) for old in pinned if old.x is not None]
    for i, (method, y) in enumerate(zip(here, rows, strict=True)):
        if method is not None:
            x = np.array([*ends(result, method), np.nan, high])
            lines.append(Line(x, np.array([y, y, np.nan, y]), telling.name(state, i), i))
    chosen = here[result.chosen]
    if chosen is not None:
        lines += _clipped(result, chosen, (low, high), (bottom, top))
    places = ((0.0, "0"), *((math.log10(1 + 10**k), COUNTS[k]) for k in range(len(COUNTS)) if k < top))
    what = telling.what(state)
    title = WORDS["numbers_title" if state.whole else "numbers_means"]
    title = title.format(what=what[0].upper() + what[1:], bits=state.bits)
    label = WORDS["numbers_x" if state.whole else "numbers_share"]
    axes = (label, WORDS["numbers_y"], (low, high), (bottom, top))
    frame = Frame(title, *axes, xticks=_ticks(result, low, high), yticks=places)
    return Picture(lines, frame, telling.numbers_said(result, ends))


def _counts(result: Outcome, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    counts, edges = np.histogram(relative(result), BINS, (low, high))
    return np.log10(1 + counts), (edges[:-1] + edges[1:]) / 2


def _histogram(result: Outcome, low: float, high: float) -> Line:
    """The counts as one outline over its filled area."""
    heights, at = _counts(result, low, high)
    y, half = np.repeat(heights, 2), (high - low) / BINS / 2
    return Line(np.stack([at - half, at + half], 1).ravel(), y, "", GRAY, 0 * y, y)


def _shape(old: Outcome, low: float, high: float) -> Line:
    heights, at = _counts(old, low, high)
    return Line(at, heights, "", ghost=True)


def _clipped(
    result: Outcome, method: Method, reach: tuple[float, float], span: tuple[float, float]
) -> list[Line]:
    """Upright lines at the ends of a range, and bands over what is outside; not where ends are means."""
    first, last = ends(result, method)
    x = np.array([first, first, np.nan, last, last])
    y = np.array([*span, np.nan, *span])
    sides = [(a, b) for a, b in ((reach[0], first), (last, reach[1])) if b - a > 1e-9 and result.state.whole]
    shaded = [
        Line(np.array(side), np.full(2, np.nan), "", GRAY, np.full(2, span[0]), np.full(2, span[1]))
        for side in sides
    ]
    return [*shaded, Line(x, y, "", result.chosen, ghost=True)]


def _ticks(result: Outcome, low: float, high: float) -> tuple[tuple[float, str], ...]:
    """Where the values of round numbers stand; percent where the unit differs from block to block."""
    if result.unit is None or not result.state.whole:
        return tuple((v, f"{100 * v:.0f} %") for v in (-1.0, -0.5, 0.0, 0.5, 1.0) if low <= v <= high)
    unit = max(float(result.unit[0]), 1e-12)
    values = MaxNLocator(7, steps=(1, 2, 2.5, 5, 10)).tick_values(low * unit, high * unit)
    return tuple((float(v / unit), f"{v:g}") for v in values if low * unit <= v <= high * unit)


def _curve(result: Outcome, pinned: tuple[Outcome, ...]) -> Picture:
    """Rounding and clipping errors over the clip, with a dot for each range."""
    state, lines = result.state, list[Line]()
    for old in pinned:
        if old.curve is not None:
            lines.append(Line(SHARES, powers(old.curve.sum(0)), "", ghost=True))
    low = -3.0
    if result.curve is not None:
        total = powers(result.curve.sum(0))
        low = math.floor(total.min() - 0.5)
        shown = np.where(powers(result.curve) > low - 1, powers(result.curve), np.nan)
        for row, name, dashed in zip(shown, ("rounding", "clipping"), (GRAY + 8, GRAY + 16), strict=True):
            lines.append(Line(SHARES, row, WORDS[name], dashed))
        lines.append(Line(SHARES, total, WORDS["sum"], GRAY))
    for i, method in enumerate(result.here):
        if method is not None:
            first, last = ends(result, method)
            lines.append(Line(np.array([max(-first, last)]), powers([method.error]), "", i, dot=True))
    lines.append(Line(np.full(2, state.clip), np.array([low, TOP]), "", ghost=True))
    label = WORDS["curve_x" if state.whole else "curve_share"]
    axes = (label, WORDS["error_y"], (0.0, 1.03), (low, TOP))
    title = WORDS["curve_title"].format(bits=state.bits)
    frame = Frame(title, *axes, xticks=_ticks(result, 0.0, 1.03), yticks=_percents(low))
    return Picture(lines, frame, telling.curve_said(result))


def powers(errors: Any) -> np.ndarray:
    """Errors as powers of ten, which is how high they are drawn: labels in percent stand at whole ones."""
    return np.log10(np.maximum(errors, DARKEST))


def _percents(low: float) -> tuple[tuple[float, str], ...]:
    """Labels in percent for powers of ten from ``low`` up to 1."""
    return tuple((float(k), f"{100 * 10.0**k:g}") for k in range(math.ceil(low), 1))


def _bits(result: Outcome, pinned: tuple[Outcome, ...]) -> Picture:
    """The errors of all ranges over the bits."""
    lines = [_over_bits(old, old.chosen, "", ghost=True) for old in pinned]
    lines += [_over_bits(result, i, telling.name(result.state, i)) for i in range(len(result.state.ranges))]
    lines.append(Line(np.full(2, float(result.state.bits)), np.array([LOWEST, TOP]), "", ghost=True))
    axes = (WORDS["bits_x"], WORDS["error_y"], (BITS[0] - 0.1, BITS[-1] + 0.1), (LOWEST, TOP))
    frame = Frame(WORDS["bits_title"], *axes, xticks=_whole_bits(), yticks=_percents(LOWEST))
    return Picture(lines, frame, telling.bits_said(result))


def _over_bits(result: Outcome, i: int, label: str, **how: Any) -> Line:
    found = [result.methods.get((i, b)) for b in BITS]
    errors = powers([m.error if m else np.nan for m in found])
    return Line(np.array(BITS, float), errors, label, i, **how)


def _whole_bits() -> tuple[tuple[float, str], ...]:
    return tuple((float(b), str(b)) for b in BITS)


def _split(result: Outcome) -> Picture:
    """Lying bars: rounding, and clipping behind it."""
    state, here = result.state, result.here
    at = np.arange(len(here), dtype=float)
    known = [100 * m.error for m in here if m is not None]
    most = 1.05 * max([*known, 1e-4])
    lines = []
    if known:
        errors = 100 * np.array([(m.rounding, m.clipping) if m else (np.nan, np.nan) for m in here[::-1]])
        rounding, total = errors[:, 0], errors.sum(1)
        before = np.where(errors[:, 1] > 2e-3 * most, rounding, np.nan)  # no bar of no length
        lines = [
            _lying(at, 0 * rounding, rounding, WORDS["rounding"], 0),
            _lying(at, before, before - rounding + total, WORDS["clipping"], GRAY),
        ]
    ticks = tuple((float(y), telling.name(state, len(here) - 1 - i, short=True)) for i, y in enumerate(at))
    axes = (WORDS["split_x"], "", (0.0, 2.0 ** math.ceil(math.log2(most))), (-0.6, len(here) - 0.4))
    title = WORDS["split_title"].format(bits=state.bits)
    return Picture(lines, Frame(title, *axes, yticks=ticks), telling.split_said(result))


def _lying(at: np.ndarray, start: np.ndarray, end: np.ndarray, label: str, index: int) -> Line:
    """Bars from left to right as one line, filled when at rest."""
    half, gap = 0.33, np.full(len(at), np.nan)
    low, high = at - half, at + half
    x = np.stack([start, start, end, end, gap, start, end, gap], 1)
    y = np.stack([low, high, high, low, gap, low, low, gap], 1)
    y = np.where(np.isfinite(x), y, np.nan)
    floor, ceiling = (np.stack([edge] * 4 + [gap] * 4, 1).ravel() for edge in (low, high))
    return Line(x.ravel(), y.ravel(), label, index, floor, ceiling)


def _accuracy(result: Outcome, pinned: tuple[Outcome, ...]) -> Picture:
    """Validation accuracy over the bits, the chosen range with its interval."""
    state, x = result.state, np.array(BITS, float)
    lines = [Line(x, _right(old, old.chosen)[0], "", ghost=True) for old in pinned]
    for i in range(len(state.ranges)):
        mean, half = _right(result, i)
        band = (mean - half, mean + half) if half is not None and i == result.chosen else (None, None)
        lines.append(Line(x, mean, telling.name(state, i), i, *band))
    rules = () if result.dense is None else (Rule(float(result.dense.mean()), WORDS["float"]),)
    seen = np.concatenate([line.y[np.isfinite(line.y)] for line in lines] or [np.ones(1)])
    low = math.floor(10 * min([0.9, *(seen - 0.02)])) / 10
    lines.append(Line(np.full(2, float(state.bits)), np.array([0.0, 1.0]), "", ghost=True))
    axes = (WORDS["bits_x"], WORDS["accuracy_y"], (BITS[0] - 0.1, BITS[-1] + 0.1), (max(low, 0.0), 1.0))
    title = WORDS["units_title" if state.of_units else "weights_title"]
    frame = Frame(title, *axes, percent=True, rules=rules, xticks=_whole_bits())
    return Picture(lines, frame, telling.accuracy_said(result), hold=True)


def _right(result: Outcome, i: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Mean accuracy of a range over the bits, and half of its interval; NaN where it is not yet measured."""
    none = np.full(result.state.seeds, np.nan)
    return interval(np.array([result.accuracy.get((i, b), none) for b in BITS]).T)
