"""The six pictures of the quantization explorer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from optviz._clock import human_bytes
from optviz.viz import Frame, Line, Rule
from optviz.widgets.panel import Picture
from optviz.widgets.quantization.compute import BUDGETS, COUNTS, Outcome, Table
from optviz.widgets.quantization.runtimes import TIMED
from optviz.widgets.quantization.state import ALIKE, BITS, FLOATS, FULL, GREEDY
from optviz.widgets.quantization.telling import about, each_layer, named, percents, timings, what_engines_need
from optviz.widgets.quantization.words import QUANTIZATION_LAB as WORDS
from optviz.widgets.series import interval

__all__ = ["draw"]

PLAIN = 9.4  # where fp32 stands on the axis of bits: 2 to 8 are a unit apart, 8 to 32 bits less
BARS = (8, 6, 4, 3, 2)  # numbers of bits whose bytes are drawn


def draw(result: Outcome, pinned: tuple[Outcome, ...]) -> dict[str, Picture]:
    """The pictures of an outcome, with pinned ones as ghosts behind."""
    return {
        "curve": _curve(result, pinned),
        "pareto": _pareto(result, pinned),
        "layers": _layers(result, pinned),
        "counts": _counts(result, pinned),
        "bytes": _bytes(result),
        "times": _times(result, pinned),
    }


def place(bits: Any) -> Any:
    """Where numbers of bits stand on the axis.

    Example:
        >>> place(4.0).item(), place(32).item()
        (4.0, 9.4)
    """
    bits = np.asarray(bits, float)
    return np.where(bits <= 8, bits, 8 + (PLAIN - 8) * (bits - 8) / (FULL - 8))


def _curve(result: Outcome, pinned: tuple[Outcome, ...]) -> Picture:
    """Accuracy over bits, with its interval, and the chosen network."""
    state = result.state
    lines = [Line(place(BITS), interval(result.alone.accuracy.T)[0], WORDS["alone"], 2, thin=True)]
    lines = [] if state.activations == FLOATS else lines
    lines.append(_line(place(BITS), result.uniform, WORDS["uniform"], 0))
    here = mean_bits(result)
    lines += _dot(float(place(here)), result.chosen)
    lines += [Line(place(BITS), interval(old.uniform.accuracy.T)[0], "", ghost=True) for old in pinned]
    ticks = (*((float(b), str(b)) for b in BITS), (PLAIN, WORDS["fp32"]))
    shown = result.uniform, result.alone, result.chosen
    frame = _frame(result, "curve_title", WORDS["bits_x"], (1.8, PLAIN + 0.2), *shown, xticks=ticks)
    said = [
        WORDS["curve_each"].format(bits=b, accuracy=percents(row))
        for b, row in zip(BITS, result.uniform.accuracy, strict=True)
        if np.isfinite(row).all()
    ]
    if state.plan != ALIKE and math.isfinite(here):
        accuracy = percents(result.chosen.accuracy[0])
        said.append(WORDS["curve_own"].format(bits=here, accuracy=accuracy))
    sentence = about(result, "curve_said", said, images=result.images, full=percents(result.full.accuracy[0]))
    return Picture(lines, frame, sentence, hold=True)


def _pareto(result: Outcome, pinned: tuple[Outcome, ...]) -> Picture:
    """Accuracy over bytes: all layers alike, and bits shared out by what each layer loses."""
    whole = _whole(result)
    alike, greedy = (t.total.mean(axis=1) / whole for t in (result.uniform, result.greedy))
    own = float(result.chosen.total.mean() / whole)
    lines = [
        _line(alike, result.uniform, WORDS["uniform"], 0),
        _line(greedy, result.greedy, WORDS["greedy"], 3, band=False),
        *_dot(own, result.chosen),
    ]
    for old in pinned:
        for table in (old.uniform, old.greedy):
            x = table.total.mean(axis=1) / _whole(old)
            lines.append(Line(x, interval(table.accuracy.T)[0], "", ghost=True))
    right = max([0.3, *(float(v) for v in (*alike, own) if math.isfinite(v))])
    right = math.ceil(right * 20 + 0.2) / 20
    ticks = tuple((float(v), f"{100 * v:.0f}") for v in np.arange(0, 1.05, 0.05 if right < 0.5 else 0.1))
    ticks = tuple(tick for tick in ticks if tick[0] <= right + 1e-9)
    shown = result.uniform, result.greedy, result.chosen
    frame = _frame(result, "pareto_title", WORDS["bytes_x"], (0.0, right), *shown, xticks=ticks)
    said = [
        WORDS["pareto_each"].format(
            share=100 * alike[BITS.index(int(b))],
            alike=100 * result.uniform.accuracy[BITS.index(int(b))].mean(),
            greedy=100 * row.mean(),
        )
        for b, row in zip(BUDGETS, result.greedy.accuracy, strict=True)
        if b in (2, 3, 4, 6) and np.isfinite(row).all()
    ]
    sizes = {"whole": human_bytes(whole)} if said else {}
    if said:
        sizes["own"] = human_bytes(float(result.chosen.total.mean()))
    return Picture(lines, frame, about(result, "pareto_said", said, **sizes), hold=True)


def _layers(result: Outcome, pinned: tuple[Outcome, ...]) -> Picture:
    """Accuracy with one layer rounded and all else in floating point."""
    lines, said = [], []
    tables = _alone(result)
    for i, rows in enumerate(tables):
        lines.append(Line(place(BITS), rows.mean(axis=1), WORDS["layer"].format(layer=i + 1), i))
        numbers = {"two": 100 * rows[0].mean(), "three": 100 * rows[1].mean()}
        weights = result.scans[0].sizes[i]
        said.append(WORDS["layers_each"].format(layer=i + 1, weights=weights, **numbers))
    lines += [Line(place(BITS), rows.mean(axis=1), "", ghost=True) for old in pinned for rows in _alone(old)]
    full = float(np.mean([scan.full[0] for scan in result.scans])) if result.scans else None
    low = _floor(float(np.min(tables.mean(axis=2)))) if len(tables) else 0.5
    words = WORDS["layers_title"], WORDS["layers_x"], WORDS["layers_y"]
    rules = () if full is None else (Rule(full, WORDS["fp32"]),)
    ticks = tuple((float(b), str(b)) for b in BITS)
    frame = Frame(*words, (1.8, 8.2), (low, 1.0), percent=True, rules=rules, xticks=ticks)
    return Picture(lines, frame, about(result, "layers_said", said))


def _alone(result: Outcome) -> np.ndarray:
    """(L, B, S) accuracies with one layer rounded."""
    return np.stack([scan.accuracy for scan in result.scans], axis=2) if result.scans else np.empty((0, 0, 0))


def _counts(result: Outcome, pinned: tuple[Outcome, ...]) -> Picture:
    """Accuracy over the number of calibration images."""
    state, chosen = result.state, result.chosen
    lines, said = [], list[str]()
    if state.calibrated:
        lines += [_line(np.array(COUNTS, float), result.counts, "", 0)]
        lines += _dot(float(state.calibration), chosen)
        said = [
            WORDS["counts_each"].format(count=n, accuracy=percents(row))
            for n, row in zip(COUNTS, result.counts.accuracy, strict=True)
            if n in (1, 8, 64, 512) and np.isfinite(row).all()
        ]
        menu = {"bits": state.activation_bits, "range": named(state.activation_range)}
        sentence = about(result, "counts_said", said, **menu)
    else:
        flat = np.full(2, interval(chosen.accuracy.T)[0].item())
        lines.append(Line(np.array([1.0, 512.0]), flat, WORDS["here"], 1))
        said = [percents(chosen.accuracy[0])] if np.isfinite(flat).all() else []
        kind = state.activations.capitalize()
        sentence = about(result, "counts_none", said, kind=kind, accuracy="".join(said))
    for old in pinned:
        if old.state.calibrated:
            lines.append(Line(np.array(COUNTS, float), interval(old.counts.accuracy.T)[0], "", ghost=True))
    frame = _frame(result, "counts_title", WORDS["counts_x"], (0.9, 570.0), result.counts, chosen, logx=True)
    return Picture(lines, frame, sentence, hold=True)


def _bytes(result: Outcome) -> Picture:
    """Stacked bars: weights, scales, biases; of some numbers of bits, and of what was chosen."""
    rows = [BITS.index(b) for b in BARS]
    columns = np.concatenate([result.uniform.bytes[rows], result.chosen.bytes]).mean(axis=1)
    tops, at = np.cumsum(columns, axis=1) / _whole(result), np.array([*range(len(BARS)), len(BARS) + 0.3])
    lines = [
        _boxes(at, tops[:, i - 1] if i else 0 * tops[:, 0], tops[:, i], WORDS[name], index)
        for i, (name, index) in enumerate((("weights", 0), ("scales", 1), ("biases", 6)))
    ]
    names = [*map(str, BARS), WORDS["here"]]
    ticks = tuple((float(x), name) for x, name in zip(at, names, strict=True))
    words = WORDS["bytes_title"], WORDS["bytes_place"], WORDS["bytes_y"]
    top = 1.08 * max(0.3, float(np.nanmax(tops, initial=0)))
    frame = Frame(*words, (-0.6, at[-1] + 0.6), (0, top), percent=True, xticks=ticks)
    if not np.isfinite(columns[-1]).all():
        return Picture(lines, frame, about(result, "bytes_said", ()))
    own, whole = columns[-1], _whole(result)
    parts = [human_bytes(b) for b in (own.sum(), *own, whole)]
    told = dict(zip(("total", "weights", "scales", "biases", "whole"), parts, strict=True))
    told |= {"bits": ", ".join(each_layer(result)), "ratio": f"{whole / own.sum():.1f}"}
    return Picture(lines, frame, about(result, "bytes_said", [""], **told))


def _boxes(at: np.ndarray, low: np.ndarray, high: np.ndarray, label: str, index: int) -> Line:
    """One part of each stacked bar, filled at rest; its label stands at the last one's middle."""
    x = at[:, None] + 0.35 * np.array([-1, -1, 1, 1, 1, np.nan])
    y = np.column_stack([low, high, high, low, (low + high) / 2, np.full(len(low), np.nan)])
    bottom, top = (np.repeat(end, x.shape[1]) for end in (low, high))
    return Line(x.ravel(), y.ravel(), label, index, bottom, top, thin=True)


def _times(result: Outcome, pinned: tuple[Outcome, ...]) -> Picture:
    """Medians as short bars with their quartiles as bands."""
    lines, said, ticks = [], [], []
    for i, (name, took, right) in enumerate(timings(result)):
        x = i + np.array([-0.35, 0.35])
        low, median, high = (1e6 * v for v in (took.low, took.median, took.high))
        lines.append(Line(x, np.full(2, median), "", i, np.full(2, low), np.full(2, high)))
        numbers = {"median": median, "low": low, "high": high, "right": 100 * right}
        said.append(WORDS["times_each"].format(name=WORDS[name], **numbers))
        ticks.append((float(i), WORDS["times_tick"].format(name=WORDS[f"{name}_tick"], median=median)))
    for old in pinned:
        for i, (_, took, _) in enumerate(timings(old)):
            lines.append(Line(i + np.array([-0.35, 0.35]), np.full(2, 1e6 * took.median), "", ghost=True))
    ends = [v for line in lines for v in (line.y, line.low, line.high) if v is not None]
    limits = (min(v[0] for v in ends) / 1.5, max(v[0] for v in ends) * 1.5) if ends else (10.0, 1000.0)
    batch = TIMED if result.times is None else result.times.forms[0].batch
    axes = WORDS["times_title"].format(batch=batch), "", WORDS["times_y"]
    right = max(len(ticks), 2) - 0.5
    frame = Frame(*axes, (-0.5, right), limits, log=True, xticks=tuple(ticks) or ((-1.0, ""),))
    if not said:
        return Picture(lines, frame, WORDS["times_none"].format(batch=batch))
    sentence = WORDS["times_said"].format(batch=batch, said="; ".join(said)) + what_engines_need(result)
    return Picture(lines, frame, sentence)


def mean_bits(result: Outcome) -> float:
    """Bits of a weight in the chosen networks, a mean over all weights."""
    state, bits = result.state, result.chosen.bits[0]
    if state.plan == ALIKE or not result.scans:
        return float(state.bits) if state.plan in (ALIKE, GREEDY) else float(np.mean(state.own))
    sizes = np.array(result.scans[0].sizes)
    return float((bits * sizes).sum(axis=1).mean() / sizes.sum()) if np.isfinite(bits).all() else math.nan


def _line(x: np.ndarray, table: Table, label: str, index: int, *, band: bool = True) -> Line:
    mean, half = interval(table.accuracy.T)
    ends = (None, None) if half is None or not band else (mean - half, mean + half)
    return Line(x, mean, label, index, *ends)


def _dot(x: float, table: Table) -> list[Line]:
    """The chosen network with its interval upright."""
    mean, half = interval(table.accuracy.T)
    at, y = np.full(2, x), np.full(2, mean.item())
    lines = [Line(at, y, WORDS["here"], 1, dot=True)]
    if half is not None:
        lines.append(Line(at, np.array([y[0] - half.item(), y[0] + half.item()]), "", 1, thin=True))
    return lines


def _frame(
    result: Outcome, title: str, xlabel: str, xlim: tuple[float, float], *tables: Table, **more: Any
) -> Frame:
    """A frame for test accuracies, with a line at that of the networks in floating point."""
    full = float(result.full.accuracy.mean())
    rules = (Rule(full, WORDS["fp32"]),) if math.isfinite(full) else ()
    low = _floor(float(np.nanmin(np.concatenate([t.accuracy.mean(axis=1) for t in tables]), initial=0.93)))
    words = WORDS[title], xlabel, WORDS["accuracy_y"]
    return Frame(*words, xlim, (low, 1.0), percent=True, rules=rules, **more)


def _floor(lowest: float) -> float:
    """The lower end of an axis of accuracies."""
    return float(np.clip(math.floor((lowest - 0.03) * 10) / 10, 0, 0.9))


def _whole(result: Outcome) -> float:
    """Bytes in floating point."""
    return float(result.full.total.mean())
