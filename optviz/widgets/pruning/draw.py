"""The six pictures of the pruning explorer, and what they say in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from optviz._clock import human_bytes, human_seconds
from optviz.viz import Frame, Line, Mosaic, Rule
from optviz.widgets.panel import Picture
from optviz.widgets.pruning.compute import Cut, Outcome, cut_of
from optviz.widgets.pruning.files import FORMS
from optviz.widgets.pruning.masking import LEVELS
from optviz.widgets.pruning.state import LabState, percent
from optviz.widgets.pruning.words import PRUNING_LAB as WORDS
from optviz.widgets.series import gap, interval, over_seeds
from optviz.widgets.spelling import spelled

__all__ = ["as_code", "as_table", "draw", "in_words", "status"]

UNITS = 10  # in a row, as many as there are classes
GONE, DARK = 0.86, 0.62  # gray of a weight that went, and of the smallest one that stays
NEAR = 0.005  # half a point of accuracy


def draw(result: Outcome, pinned: tuple[Outcome, ...]) -> dict[str, Picture]:
    """The pictures of an outcome, with pinned ones as ghosts behind."""
    return {
        "units": _units(result),
        "curve": _curve(result, pinned),
        "course": _course(result, pinned),
        "shares": _shares(result, pinned),
        "scan": _scan(result, pinned),
        "ledger": _ledger(result, pinned),
    }


def place(sparsity: Any) -> Any:
    """Where a sparsity stands on an axis on which a tenth of the weights is always as far: −log₁₀(1 − s)."""
    return -np.log10(1 - np.asarray(sparsity, float))


def _frame(title: str, ylabel: str, ylim: tuple[float, float], result: Outcome, **more: Any) -> Frame:
    """A frame whose x axis has the sparsities; it stays the same while the chosen one moves."""
    levels = result.state.levels
    ticks = tuple((float(place(s)), f"{100 * s:g}") for s in (levels if result.state.semi else LEVELS))
    xlim = (-0.04, float(place(levels[-1])) + 0.06)
    return Frame(title, more.pop("xlabel", WORDS["removed"]), ylabel, xlim, ylim, xticks=ticks, **more)


def _mark(result: Outcome, top: float = 1.0) -> Line:
    """A gray line at the chosen sparsity."""
    return Line(np.full(2, float(place(result.state.level))), np.array([0.0, top]), "", ghost=True)


def _units(result: Outcome) -> Picture:
    """What some units of each layer still see: dark is a large weight, light gray one that went."""
    state, cut = result.state, result.chosen
    frame = Frame(WORDS["units_title"], "", "")
    if cut is None or result.dense is None:
        return Picture(None, frame, WORDS["nothing"].format(steps=state.steps))
    done = result.retrained[-1]
    weights = done.params if done is not None else {n: p[0] for n, p in result.dense.params.items()}
    rows, captions, said = [], [], []
    for layer, (name, mask) in enumerate(cut.masks.items(), start=1):
        gone = 100 * float(1 - mask.mean())
        most = -(-len(mask) // UNITS)
        for row in range(min(_rows(layer, len(cut.masks)), most)):
            few = slice(row * UNITS, (row + 1) * UNITS)
            rows.append(_images(weights[name][few], mask[few]))
            captions.append(WORDS["units_row"].format(layer=layer, gone=gone))
        shape = f"{mask.shape[0]} × {mask.shape[1]}"
        said.append(WORDS["units_each"].format(layer=layer, shape=shape, gone=gone))
    sentence = WORDS["units_said"].format(sparsity=percent(state.level), said=", ".join(said))
    mosaic = Mosaic(_padded(rows), tuple(captions), colored=False)
    return Picture(mosaic, frame, sentence, key=(mosaic.images.tobytes(), tuple(captions)))


def _rows(layer: int, layers: int) -> int:
    """Rows of units: one for the classes, two for a hidden layer, what is left of six for the first."""
    return 1 if layer == layers else 2 if layer > 1 else max(1, 5 - 2 * (layers - 2))


def _images(weights: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Incoming weights (U, inputs) of some units as gray images, as square as the inputs allow."""
    size = abs(np.where(mask, weights, 0))
    shade = np.where(mask, DARK * (1 - size / max(float(size.max()), 1e-12)), GONE)
    side = math.isqrt(weights.shape[1] - 1) + 1
    whole = np.full((len(weights), side * -(-weights.shape[1] // side)), np.nan)
    whole[:, : weights.shape[1]] = shade
    return whole.reshape(len(weights), -1, side)


def _padded(rows: list[np.ndarray]) -> np.ndarray:
    """Rows of images as one array, smaller ones at the top left of their place."""
    height, width = (max(row.shape[axis] for row in rows) for axis in (1, 2))
    found = np.full((len(rows), UNITS, height, width), np.nan)
    for r, row in enumerate(rows):
        found[r, : len(row), : row.shape[1], : row.shape[2]] = row
    return found


def _curve(result: Outcome, pinned: tuple[Outcome, ...]) -> Picture:
    """Accuracy over sparsity, retrained with its interval, and not retrained."""
    state, x = result.state, place(result.state.levels)
    mean, half = interval(result.after.T)
    band = (None, None) if half is None else (mean - half, mean + half)
    lines = [
        Line(x, interval(result.before.T)[0], WORDS["before"], 0, thin=True),
        Line(x, mean, WORDS["after"], 0, *band),
    ]
    for i, cuts in enumerate((result.cuts, [cut_of(done) for done in result.retrained])):
        cut = cuts[-1] if cuts else None
        if cut is not None:
            here, y = np.full(2, float(place(state.level))), np.full(2, cut.accuracy.mean())
            lines.append(Line(here, y, WORDS["here"] if i else "", 1, dot=True, thin=not i))
    lines += [_mark(result, 1.02)]
    lines += [Line(place(old.state.levels), interval(old.after.T)[0], "", ghost=True) for old in pinned]
    said = []
    for g, level in enumerate(state.levels):
        if np.isfinite(result.before[g]).all() and np.isfinite(mean[g]):
            around = "" if half is None else f" ± {100 * half[g]:.1f}"
            numbers = {"before": 100 * result.before[g].mean(), "after": 100 * mean[g], "around": around}
            said.append(WORDS["curve_each"].format(sparsity=percent(level), **numbers))
    frame = _frame(WORDS["curve_title"], WORDS["curve_y"], (0, 1.02), result, percent=True)
    return Picture(lines, frame, _sentence(result, "curve_said", said))


def _course(result: Outcome, pinned: tuple[Outcome, ...]) -> Picture:
    """Accuracy while the chosen networks retrain: each cut is a fall."""
    state, (at, course) = result.state, _courses(result)
    words = {"sparsity": percent(state.level), "seeds": over_seeds(state.seeds), "steps": state.retrain}
    rules: tuple[Rule, ...] = ()
    low, sentence, lines = 0.5, WORDS["nothing"].format(**words), list[Line]()
    if course is not None and result.dense is not None:
        mean, half = interval(course)
        band = (None, None) if half is None else (mean - half, mean + half)
        lines.append(Line(at, mean, WORDS["after"], 1, *band))
        dense = float(result.dense.accuracy.mean())
        rules, low = (Rule(dense, WORDS["dense"]),), float(mean.min())
        numbers = {"dense": 100 * dense, "low": 100 * low, "end": 100 * mean[-1]}
        done = result.retrained[-1] is not None
        sentence = WORDS["course_said" if done else "course_begun"].format(**words, **numbers)
    for old in pinned:
        there, ghost = _courses(old)
        if ghost is not None:
            lines.append(Line(there, interval(ghost)[0], "", ghost=True))
    bottom = float(np.clip(math.floor((low - 0.02) * 10) / 10, 0, 0.9))
    title = WORDS["course_title"]
    axes = (WORDS["update"], WORDS["course_y"], (-0.02 * state.retrain, state.retrain), (bottom, 1.0))
    return Picture(lines, Frame(title, *axes, percent=True, rules=rules), sentence, hold=True)


def _courses(result: Outcome) -> tuple[np.ndarray, np.ndarray | None]:
    done = result.retrained[-1] if result.retrained else None
    if done is not None:
        return done.at, done.course
    return result.live if result.live is not None else (np.zeros(1), None)


def _shares(result: Outcome, pinned: tuple[Outcome, ...]) -> Picture:
    """How much of each layer goes at each sparsity, as scored before retraining."""
    state, cuts = result.state, [cut for cut in result.cuts[:-1] if cut is not None]
    lines = [
        Line(place(state.levels), row, WORDS["layer"].format(layer=i + 1), i)
        for i, row in enumerate(_gone(cuts))
    ]
    lines += [_mark(result, 1.02)]
    lines += [
        Line(place(old.state.levels), row, "", ghost=True)
        for old in pinned
        for row in _gone([cut for cut in old.cuts[:-1] if cut is not None])
    ]
    said = []
    if result.chosen is not None:
        each = 100 * result.chosen.gone.mean(axis=1)
        said = [f"{WORDS['layer'].format(layer=i + 1)} {gone:.1f} %" for i, gone in enumerate(each)]
    frame = _frame(WORDS["shares_title"], WORDS["shares_y"], (0, 1.02), result, percent=True)
    return Picture(lines, frame, _sentence(result, "shares_said", said))


def _gone(cuts: Sequence[Cut]) -> np.ndarray:
    """(L, G) share of each layer that went, a mean over the seeds."""
    return np.array([cut.gone.mean(axis=1) for cut in cuts]).T if cuts else np.empty((0, 0))


def _scan(result: Outcome, pinned: tuple[Outcome, ...]) -> Picture:
    """Accuracy with one layer pruned and the others whole."""
    lines, said = [_mark(result, 1.02)], []
    if result.scan is not None:
        means = result.scan.accuracy.mean(axis=2)
        at = min(float(place(result.state.level)), float(place(LEVELS[-1])))
        for i, row in enumerate(means):
            lines.append(Line(place(LEVELS), row, WORDS["layer"].format(layer=i + 1), i))
            here = float(np.interp(at, place(LEVELS), row))
            said.append(WORDS["scan_each"].format(layer=i + 1, accuracy=100 * here))
    lines += [
        Line(place(LEVELS), row, "", ghost=True)
        for old in pinned
        if old.scan is not None
        for row in old.scan.accuracy.mean(axis=2)
    ]
    more = {"xlabel": WORDS["scan_x"], "percent": True}
    frame = _frame(WORDS["scan_title"], WORDS["curve_y"], (0, 1.02), result, **more)
    return Picture(lines, frame, _sentence(result, "scan_said", said))


def _ledger(result: Outcome, pinned: tuple[Outcome, ...]) -> Picture:
    """Bytes of the files over sparsity, and the measured time, against the dense network."""
    state, lines = result.state, [_mark(result, 2.05)]
    frame = _frame(WORDS["ledger_title"], WORDS["ledger_y"], (0, 2.05), result, percent=True)
    for old in pinned:
        lines += [Line(place(old.state.levels), row, "", ghost=True) for row in _files(old)]
    if not result.books or not result.times:
        return Picture(lines, frame, _sentence(result, "ledger_said", []))
    lines += [
        Line(place(state.levels), row, form, i)
        for i, (form, row) in enumerate(zip(FORMS, _files(result), strict=True))
    ]
    book, first = result.books[-1], result.books[0].bytes[0]
    dense, sparse = result.times
    ratio = sparse.median / dense.median
    here = np.full(2, float(place(state.level)))
    lines.append(Line(here, np.full(2, ratio), WORDS["time"], len(FORMS), dot=True))
    said = [
        WORDS["ledger_each"].format(form=form, bytes=human_bytes(size), share=100 * size / first)
        for form, size in zip(FORMS, book.bytes, strict=True)
    ]
    sentence = WORDS["ledger_said"].format(
        kept=book.counts.kept,
        total=book.counts.prunable,
        said=", ".join(said),
        batch=dense.batch,
        time=_micro(dense),
        sparse=_micro(sparse),
    )
    return Picture(lines, frame, sentence)


def _files(result: Outcome) -> np.ndarray:
    """(F, G) bytes as a share of the dense file."""
    sizes = np.array([book.bytes for book in result.books[:-1]], float).reshape(-1, len(FORMS))
    return (sizes / sizes[0, 0]).T if len(sizes) else np.empty((0, 0))


def _micro(took: Any) -> str:
    return f"{1e6 * took.median:.0f} µs ({1e6 * took.low:.0f}–{1e6 * took.high:.0f})"


def _sentence(result: Outcome, template: str, said: Sequence[str]) -> str:
    if not said:
        return WORDS["nothing"].format(steps=result.state.steps)
    words = {"sparsity": percent(result.state.level), "seeds": over_seeds(result.state.seeds)}
    return WORDS[template].format(said="; ".join(said), **words)


def in_words(result: Outcome) -> str:
    """How the pruned networks stand against dense ones trained on as long, or what is going on."""
    if result.progress < 1:
        return result.note
    state, after, done = result.state, result.after, result.retrained[-1]
    assert done is not None
    pair = [100 * values for values in (done.cut.accuracy, after[0])]
    ahead = WORDS["same"] if state.level == 0 else gap(pair[0], pair[1], result.images)
    after_, dense = (f"{values.mean():.1f} %" for values in pair)
    told = WORDS["verdict"].format(
        sparsity=percent(state.level), steps=state.retrain, after=after_, dense=dense, gap=ahead
    )
    good = [
        level for level, row in zip(state.levels, after, strict=True) if row.mean() >= after[0].mean() - NEAR
    ]
    told += WORDS["furthest"].format(count=len(state.levels), sparsity=percent(good[-1]))
    smallest = int(np.argmin(result.books[-1].bytes))
    share = 100 * result.books[-1].bytes[smallest] / result.books[0].bytes[0]
    return told + WORDS["files"].format(form=FORMS[smallest], share=share, time=_time(*result.times))


def _time(dense: Any, pruned: Any) -> str:
    if dense.low <= pruned.high and pruned.low <= dense.high:
        return WORDS["time_same"]
    return WORDS["time_other"].format(share=100 * pruned.median / dense.median)


def status(result: Outcome) -> str:
    """Time and amount of work in a few words."""
    done = WORDS["done"].format(seconds=human_seconds(result.seconds), fresh=result.fresh)
    whole = result.state.seeds * (len(result.state.levels) + 2)
    return done + (WORDS["remembered"] if result.fresh < whole and result.progress == 1 else "")


def as_code(state: LabState) -> str:
    """One line of Python that makes the same pictures again."""
    parts = []
    for f in fields(state):
        value = getattr(state, f.name)
        if value != f.default:
            room = {
                "score": "recipes.",
                "scope": "prune." * (type(value).__module__.startswith("optviz.prune")),
            }
            parts.append(f"{f.name}={room.get(f.name, '')}{spelled(value)}")
    return f"pruning_lab({', '.join(parts)})"


def as_table(result: Outcome) -> Any:
    """The data of the curve: one line for each sparsity and seed."""
    import pandas as pd

    g, s = result.after.shape
    return pd.DataFrame(
        {
            "sparsity": np.repeat(result.state.levels, s),
            "seed": np.tile(np.arange(s), g),
            "accuracy_not_retrained": result.before.ravel(),
            "accuracy_retrained": result.after.ravel(),
            **{
                f"{form}_bytes": np.repeat([b.bytes[i] for b in result.books[:-1]], s)
                for i, form in enumerate(FORMS)
            },
        }
    )
