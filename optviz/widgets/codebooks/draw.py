"""The six pictures of the codebook explorer, each with its sentence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from optviz import quantize
from optviz._clock import human_bytes
from optviz.viz import Frame, Line, Rule, bars
from optviz.widgets.codebooks.compute import OWN, Outcome, told
from optviz.widgets.codebooks.state import LAYERS, LabState
from optviz.widgets.codebooks.tell import PARTS, by_bits, sizes
from optviz.widgets.codebooks.words import CODEBOOK_LAB as WORDS
from optviz.widgets.panel import Picture
from optviz.widgets.series import interval, over_seeds

__all__ = ["draw"]

BINS = 50
GRAY = 6  # the color of what isn't shared, and of the whole
MOST_GHOSTS = 6
FEW = 16  # values; of more, lines are thin and only what is shown is drawn


def draw(result: Outcome, pinned: tuple[Outcome, ...]) -> dict[str, Picture]:
    """The pictures of an outcome, with pinned ones as ghosts behind."""
    pinned = pinned[-MOST_GHOSTS:]
    at_rest = replace(result.state, shown=0), result.progress, tuple(map(id, pinned))
    return {
        "weights": _weights(result, pinned),
        "paths": _paths(result, pinned),
        "course": _course(result, pinned),
        "curve": _curve(result, pinned, at_rest),
        "codes": _codes(result, pinned, at_rest),
        "file": _file(result, pinned, at_rest),
    }


def _timeline(result: Outcome, layer: str) -> np.ndarray:
    """(F, k) values of a layer at every step that is known: moves of k-means, then reports of training."""
    if result.moved is None:
        return np.empty((0, 0))
    tuned = result.tuned.get(result.state.bits)
    later = [] if tuned is None else [tuned.paths[layer]]
    return np.concatenate([result.moved.paths[layer], *later])


def _where(state: LabState) -> str:
    """What the step that is shown is, in words."""
    if state.shown <= state.moves:
        return WORDS["at_move" if state.shown else "at_start"].format(at=state.shown)
    return WORDS["at_update"].format(at=min((state.shown - state.moves) * state.every, state.updates))


def _layer(state: LabState) -> str:
    return next(name for name, key in LAYERS.items() if key == state.layer)


def _weights(result: Outcome, pinned: tuple[Outcome, ...]) -> Picture:
    """A histogram of the first network's weights, and the values at the step that is shown."""
    state, values = result.state, _timeline(result, result.state.layer)
    title = WORDS["weights_title"].format(layer=_layer(state))
    if result.pruned is None or not len(values):
        return Picture([], Frame(title), WORDS["waiting"].format(steps=state.steps))
    whole = result.pruned.params[state.layer][0]
    kept = whole[whole != 0]
    counts, edges = np.histogram(kept, BINS)
    high, now = float(counts.max(initial=1)), values[min(state.shown, len(values) - 1)]
    middles = (edges[1:] + edges[:-1]) / 2
    histogram = bars(counts, WORDS["kept"], GRAY, at=middles, width=float(edges[1] - edges[0]))
    lines = [replace(histogram, thin=True)]
    for old in pinned:
        there = _timeline(old, state.layer)
        if 0 < there.shape[1] <= FEW:
            lines.append(replace(_stems(there[min(old.state.shown, len(there) - 1)], high), ghost=True))
    lines.append(
        replace(_stems(now, high), label=WORDS["values"].format(count=len(now)), thin=len(now) > FEW)
    )
    left, right = float(edges[0]), float(edges[-1])
    room = 0.02 * (right - left)
    frame = Frame(
        title, WORDS["weights_x"], WORDS["weights_y"], (left - room, right + room), (0, 1.12 * high)
    )  # fmt: skip
    return Picture(lines, frame, _weights_said(result, now, kept, whole.size - len(kept)))


def _stems(values: np.ndarray, top: float) -> Line:
    """A vertical line at each value."""
    x = np.repeat(values, 3)
    return Line(x, np.where(np.isfinite(x), np.tile([0, top, np.nan], len(values)), np.nan))


def _weights_said(result: Outcome, now: np.ndarray, kept: np.ndarray, gone: int) -> str:
    state = result.state
    if not np.isfinite(now).all():
        return WORDS["divergent"].format(layer=_layer(state).capitalize())
    labels = result.book.labels[state.layer] if result.book is not None else None
    if state.shown <= state.moves and result.moved is not None:
        error = result.moved.errors[state.layer][state.shown]
    elif labels is not None and result.pruned is not None:
        own = result.pruned.params[state.layer][0]
        error = float(np.sqrt(((own - now[labels])[own != 0] ** 2).mean()))
    else:
        return WORDS["waiting"].format(steps=state.updates)
    numbers = {"count": len(now), "low": now.min(), "high": now.max(), "error": error, "gone": gone}
    words = {"layer": _layer(state).capitalize(), "where": _where(state), "kept": len(kept)}
    return WORDS["weights_said"].format(**words, **numbers)


def _steps(state: LabState, title: str, ylabel: str, ylim: tuple[float, float], **more: Any) -> Frame:
    """A frame whose x axis has the steps: moves of k-means, then updates."""
    end = state.frames
    marks = [(0.0, "0"), (float(state.moves), str(state.moves) if state.moves else "")]
    for share in (0.5, 1.0):
        at = state.moves + share * (end - state.moves)
        marks.append((at, f"+{min(round(share * (end - state.moves)) * state.every, state.updates)}"))
    ticks = tuple((at, text) for i, (at, text) in enumerate(marks) if text and (i != 1 or at > 0.06 * end))
    rules = (*more.pop("rules", ()), Rule(state.moves, "", "x"))
    return Frame(title, WORDS["paths_x"], ylabel, (0, end), ylim, xticks=ticks, rules=rules, **more)


def _paths(result: Outcome, pinned: tuple[Outcome, ...]) -> Picture:
    """Where every value is at each step; thick up to the step that is shown."""
    state, values = result.state, _timeline(result, result.state.layer)
    if not len(values):
        frame = _steps(state, WORDS["paths_title"], WORDS["paths_y"], (-1, 1))
        return Picture([], frame, WORDS["waiting"].format(steps=state.steps))
    ghosts = [_timeline(old, state.layer) for old in pinned]
    lines = [replace(_strands(each), ghost=True) for each in ghosts if each.shape[1] <= FEW]
    now, count = min(state.shown, len(values) - 1), values.shape[1]
    if count <= FEW:
        lines.append(replace(_strands(values), thin=True))
    label = WORDS["values"].format(count=count)
    lines.append(replace(_strands(values[: now + 1]), label=label, thin=count > FEW))
    lines.append(Line(np.full(2, float(state.shown)), np.array([-1e3, 1e3]), "", ghost=True))
    assert result.moved is not None
    usual = result.moved.paths[state.layer]
    room = 0.12 * (float(np.ptp(usual)) or 1.0)
    frame = _steps(
        state, WORDS["paths_title"], WORDS["paths_y"], (float(usual.min()) - room, float(usual.max()) + room)
    )
    return Picture(lines, frame, _paths_said(result, values), hold=True)


def _strands(values: np.ndarray) -> Line:
    """All columns (F, k) as one line with gaps."""
    f, k = values.shape if values.size else (0, 0)
    x = np.tile(np.append(np.arange(f, dtype=float), np.nan), k)
    y = np.concatenate([values, np.full((1, k), np.nan)]).T.ravel() if k else np.zeros(0)
    return Line(x, y)


def _paths_said(result: Outcome, values: np.ndarray) -> str:
    state, moved = result.state, result.moved
    assert moved is not None
    settled = moved.settled[state.layer]
    rest = WORDS["settled" if settled < state.moves else "unsettled"].format(moves=settled)
    first, last, end = values[0], values[state.moves], values[-1]
    words = {"layer": _layer(state).capitalize(), "settled": rest, "kmeans": float(abs(last - first).mean())}
    if len(values) <= state.moves + 1:
        return WORDS["paths_early"].format(**words)
    if not np.isfinite(end).all():
        return WORDS["divergent"].format(**words)
    return WORDS["paths_said"].format(training=float(abs(end - last).mean()), **words)


def _accuracies(result: Outcome) -> np.ndarray:
    """(S, F) validation accuracies at every step that is known."""
    if result.moved is None:
        return np.empty((1, 0))
    tuned = result.tuned.get(result.state.bits)
    return np.concatenate([result.moved.course, *([] if tuned is None else [tuned.course])], axis=1)


def _course(result: Outcome, pinned: tuple[Outcome, ...]) -> Picture:
    """Accuracy at every step."""
    state, course = result.state, _accuracies(result)
    if result.pruned is None or not course.shape[1]:
        frame = _steps(state, WORDS["course_title"], WORDS["course_y"], (0, 1), percent=True)
        return Picture([], frame, WORDS["waiting"].format(steps=state.steps))
    mean, half = interval(course)
    lines = [Line(np.arange(len(mean)), mean, told(state.bits), 0, *_band(mean, half))]
    for old in pinned:
        there = interval(_accuracies(old))[0]
        lines.append(Line(np.arange(len(there)), there, "", ghost=True))
    now, pruned = min(state.shown, len(mean) - 1), float(result.pruned.accuracy.mean())
    lines.append(Line(np.full(2, float(now)), np.full(2, mean[now]), dot=True))
    lines.append(Line(np.full(2, float(state.shown)), np.array([0.0, 1.0]), "", ghost=True))
    low = float(np.clip(np.floor((mean.min() - 0.02) * 10) / 10, 0, 0.9))
    ylim, rules = (low, 1 + 0.04 * (1 - low)), (Rule(pruned, WORDS["own"]),)
    frame = _steps(state, WORDS["course_title"], WORDS["course_y"], ylim, percent=True, rules=rules)
    numbers = {"now": 100 * mean[now], "shared": 100 * mean[state.moves], "pruned": 100 * pruned}
    sentence = WORDS["course_said"].format(where=_where(state), seeds=over_seeds(state.seeds), **numbers)
    return Picture(lines, frame, sentence, hold=True)


def _band(mean: np.ndarray, half: np.ndarray | None) -> tuple[Any, Any]:
    return (None, None) if half is None else (mean - half, mean + half)


def _bits_frame(result: Outcome, title: str, ylabel: str, ylim: tuple[float, float], **more: Any) -> Frame:
    levels = result.state.levels
    ticks = tuple((float(b), str(b)) for b in levels)
    return Frame(
        title, WORDS["curve_x"], ylabel, (levels[0] - 0.2, levels[-1] + 0.2), ylim, xticks=ticks, **more
    )


def _mark(result: Outcome, top: float) -> Line:
    """A gray line at the chosen bits."""
    return Line(np.full(2, float(result.state.bits)), np.array([0.0, top]), "", ghost=True)


def _curve(result: Outcome, pinned: tuple[Outcome, ...], key: Any) -> Picture:
    """Accuracy over bits, before and after the values' training."""
    lines, low = [], 0.9
    for tuned, name in enumerate(("before", "after")):
        bits, rows = by_bits(result, bool(tuned))
        if len(bits):
            mean, half = interval(rows)
            lines.append(Line(bits, mean, WORDS[name], 1 - tuned, *_band(mean, half)))
            low = min(low, float(mean.min()))
    lines += [
        Line(*(by_bits(old, True)[0], interval(by_bits(old, True)[1])[0]), "", ghost=True) for old in pinned
    ]
    rules: tuple[Rule, ...] = ()
    own, said = result.tuned.get(OWN), ""
    if own is not None:
        rules = (Rule(float(own.accuracy.mean()), WORDS["trained_on"]),)
        said = _curve_said(result, 100 * float(own.accuracy.mean()))
    bottom = float(np.clip(np.floor((low - 0.02) * 10) / 10, 0, 0.9))
    ylim = (bottom, 1 + 0.04 * (1 - bottom))
    lines.append(_mark(result, ylim[1]))
    title, ylabel = WORDS["curve_title"], WORDS["curve_y"]
    frame = _bits_frame(result, title, ylabel, ylim, percent=True, rules=rules)
    return Picture(lines, frame, said or WORDS["waiting"].format(steps=result.state.updates), key, hold=True)


def _curve_said(result: Outcome, own: float) -> str:
    said = []
    for bits in result.state.levels:
        if bits in result.tuned:
            mean, half = interval(result.tuned[bits].accuracy)
            around = "" if half is None else f" ± {100 * float(half):.1f}"
            numbers = {"before": 100 * result.shared[bits].accuracy.mean(), "after": 100 * float(mean)}
            said.append(WORDS["curve_each"].format(bits=told(bits), around=around, **numbers))
    return WORDS["curve_said"].format(said="; ".join(said), own=own, seeds=over_seeds(result.state.seeds))


def _counts(result: Outcome) -> np.ndarray:
    """(k,) how many weights of the layer have each value, in the first network."""
    if result.book is None:
        return np.zeros(0, int)
    labels = np.asarray(result.book.labels[result.state.layer]).reshape(-1)
    return np.bincount(labels[labels >= 0], minlength=len(result.book.centroids[result.state.layer]))


def _codes(result: Outcome, pinned: tuple[Outcome, ...], key: Any) -> Picture:
    """The length of each value's word beside the ideal, −log₂ of its share, and words of one length."""
    state, counts = result.state, _counts(result)
    title = WORDS["codes_title"].format(layer=_layer(state))
    if not counts.any():
        return Picture(
            [], Frame(title, WORDS["codes_x"], WORDS["codes_y"]), WORDS["waiting"].format(steps=state.steps)
        )
    at, total = np.arange(1, len(counts) + 1, dtype=float), int(counts.sum())
    lengths, fixed = quantize.code_lengths(counts), max(len(counts) - 1, 0).bit_length()
    ideal = np.where(counts > 0, -np.log2(np.maximum(counts, 1) / total), np.nan)
    words = np.where(lengths >= 0, lengths, np.nan).astype(float)
    tall = replace(bars(words, WORDS["huffman"], 0, at=at), thin=len(counts) > FEW)
    lines = [tall, Line(at, ideal, WORDS["ideal"], 1)]
    lines.append(Line(np.array([0.3, len(counts) + 0.7]), np.full(2, float(fixed)), WORDS["fixed"], GRAY))
    for old in pinned:
        there = _counts(old)
        if there.any():
            own = np.where(there > 0, -np.log2(np.maximum(there, 1) / there.sum()), np.nan)
            lines.append(Line(np.linspace(1, len(counts), len(there)), own, "", ghost=True))
    top = 1.1 * float(max(lengths.max(), fixed, np.nanmax(ideal), 1))
    step = max(1, len(counts) // 8)
    ticks = tuple((float(i), str(i)) for i in {1, *range(step, len(counts) + 1, step)})
    frame = Frame(
        title, WORDS["codes_x"], WORDS["codes_y"], (0.3, len(counts) + 0.7), (0, top),
        xticks=tuple(sorted(ticks)),
    )  # fmt: skip
    used = lengths[lengths >= 0]
    sentence = WORDS["codes_said"].format(
        layer=_layer(state), fixed=fixed, huffman=float(counts @ lengths.clip(0)) / total,
        entropy=quantize.entropy(counts), most=100 * counts.max() / total, shortest=told(int(used.min())),
        longest=int(used.max()), unused=_unused(int((counts == 0).sum())),
    )  # fmt: skip
    return Picture(lines, frame, sentence, key)


def _unused(count: int) -> str:
    return WORDS["unused"].format(count=count) if count else ""


def _file(result: Outcome, pinned: tuple[Outcome, ...], key: Any) -> Picture:
    """Bytes by part over bits, of the first network."""
    state, (bits, each) = result.state, sizes(result)
    top = 1.08 * float(each.max()) if each.size else 1.0
    lines = [Line(bits, row, WORDS[name], i) for i, (name, row) in enumerate(zip(PARTS, each, strict=True))]
    lines[-1] = replace(lines[-1], index=GRAY)
    lines += [Line(sizes(old)[0], sizes(old)[1][-1], "", ghost=True) for old in pinned]
    lines.append(_mark(result, top))
    frame = _bits_frame(result, WORDS["file_title"], WORDS["file_y"], (0, top))
    if state.bits not in result.spent:
        return Picture(lines, frame, WORDS["waiting"].format(steps=state.updates), key, hold=True)
    coded, fixed = result.spent[state.bits]
    amounts = {
        "total": coded.total, "dense": coded.dense, "labels": coded.values, "gaps": coded.gaps,
        "codebooks": coded.codebooks + coded.tables, "plain": coded.plain + coded.header,
        "fixed": fixed.total,
    }  # fmt: skip
    told_ = {name: human_bytes(size) for name, size in amounts.items()}
    sentence = WORDS["file_said"].format(bits=told(state.bits), times=coded.times, **told_)
    return Picture(lines, frame, sentence[0].upper() + sentence[1:], key, hold=True)
