"""How an outcome is drawn and told: accuracy, weights on their levels, the staircase and its gradient."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import numpy as np

from optviz import evaluation
from optviz._clock import human_seconds
from optviz.quantize import QParams, fake_quantize_grad, lsq_grad
from optviz.viz import Frame, Line, bars
from optviz.widgets.panel import Picture
from optviz.widgets.qat.compute import Outcome, places
from optviz.widgets.qat.state import BITS, LabState
from optviz.widgets.qat.words import QAT_LAB as WORDS
from optviz.widgets.series import interval, over_seeds
from optviz.widgets.spelling import spelled

__all__ = ["against", "as_code", "as_table", "draw", "in_words", "status"]

QAT, PTQ, FULL = 0, 1, 6  # colors; fp32, which both are held against, is dark gray
MOST_GHOSTS = 4
TOP = 1.03  # of axes of accuracies, so that labels there stay below the title
WHOLE = 3  # bits up to which the staircase is shown from end to end


def draw(result: Outcome, pinned: tuple[Outcome, ...]) -> dict[str, Picture]:
    """The five pictures of an outcome, with pinned ones as ghosts behind."""
    return {
        "bits": _bits(result, pinned),
        "course": _course(result, pinned),
        "weights": _weights(result),
        "stairs": _stairs(result.state),
        "slopes": _slopes(result.state),
    }


def _line(x: np.ndarray, rows: np.ndarray, label: str, index: int) -> Line:
    """Mean of rows (S, N) with the band of its interval."""
    mean, half = interval(rows)
    band = (None, None) if half is None else (mean - half, mean + half)
    return Line(x, mean, label, index, *band)


def _bits(result: Outcome, pinned: tuple[Outcome, ...]) -> Picture:
    """Accuracy over bits at the update that is shown, from many bits to few."""
    n, m = max(result.done, 1), result.place
    x = np.arange(len(BITS), dtype=float)
    full = np.repeat(result.full[:n, m, None], len(BITS), axis=1)
    lines = [
        _line(x, full, WORDS["full"], FULL),
        _line(x, result.after[:n, :, m], WORDS["ptq"], PTQ),
        _line(x, result.trained[:n, :, m], WORDS["qat"], QAT),
    ]
    for old in pinned[-MOST_GHOSTS:]:
        few = max(old.done, 1)
        lines += [Line(x, v[:few, :, old.place].mean(0), "", ghost=True) for v in (old.trained, old.after)]
    low = _floor(result, result.trained, result.after)
    here = float(BITS.index(result.state.bits))
    lines.append(Line(np.full(2, here), np.array([low, TOP]), "", ghost=True))
    ticks = tuple((float(i), str(b)) for i, b in enumerate(BITS))
    shown = int(result.at[m])
    title = WORDS["bits_title"].format(shown=shown)
    frame = Frame(
        title, WORDS["bits_x"], WORDS["right"], (-0.15, len(BITS) - 0.85), (low, TOP), percent=True,
        xticks=ticks,
    )  # fmt: skip
    qat, ptq = lines[2].y, lines[1].y
    said = [
        WORDS["bits_each"].format(bits=b, qat=100 * qat[i], ptq=100 * ptq[i])
        for i, b in enumerate(BITS)
        if np.isfinite([qat[i], ptq[i]]).all()
    ]
    words = {"shown": shown, "seeds": _seeds(result), "full": 100 * lines[0].y[0], "said": "; ".join(said)}
    return Picture(lines, frame, WORDS["bits_said"].format(**words) if said else WORDS["waiting"])


def _course(result: Outcome, pinned: tuple[Outcome, ...]) -> Picture:
    """Accuracy over updates for the bits that are shown."""
    state, n, b = result.state, max(result.done, 1), BITS.index(result.state.bits)
    lines = [
        _line(result.at, result.full[:n], WORDS["full"], FULL),
        _line(result.at, result.after[:n, b], WORDS["ptq"], PTQ),
        _line(result.at, result.trained[:n, b], WORDS["qat"], QAT),
    ]
    for old in pinned[-MOST_GHOSTS:]:
        few, place = max(old.done, 1), BITS.index(old.state.bits)
        for values in (old.trained, old.after):
            lines.append(Line(old.at, values[:few, place].mean(0), "", ghost=True))
    frame = Frame(
        WORDS["course_title"].format(bits=state.bits), WORDS["course_x"], WORDS["right"],
        (0, state.steps), (_floor(result, result.trained[:, b], result.after[:, b]), TOP), percent=True,
    )  # fmt: skip
    said = []
    for line in reversed(lines[:3]):
        if np.isfinite(line.y[result.place]):
            value, high = line.y[result.place], line.high
            around = "" if high is None else f" ± {100 * (high[result.place] - value):.1f}"
            said.append(WORDS["each"].format(label=line.label, value=100 * value, around=around))
    words = {"bits": state.bits, "shown": int(result.at[result.place]), "seeds": _seeds(result)}
    sentence = WORDS["course_said"].format(said="; ".join(said), **words) if said else WORDS["waiting"]
    return Picture(lines, frame, sentence, hold=True)


def _weights(result: Outcome) -> Picture:
    """Where the weights of a layer are, in steps: those being trained, and on which levels they are used."""
    state, b, found = result.state, BITS.index(result.state.bits), result.weights[result.state.layer]
    edges, (low, high) = places(state.bits), state.ends
    words = {"bits": state.bits, "layer": state.layer}
    highest = [max(np.nanmax(one.density[b]), np.nanmax(one.levels[b], initial=0)) for one in found]
    top = float(_above(max(highest, default=1.0)))
    frame = Frame(
        WORDS["weights_title"].format(**words | {"layer": state.layer.capitalize()}), WORDS["weights_x"],
        WORDS["weights_y"], (float(edges[0]), float(edges[-1])), (0.0, top), percent=True,
    )  # fmt: skip
    if result.place >= len(found):
        return Picture([], frame, WORDS["waiting"])
    now = found[result.place]
    middle = (edges[:-1] + edges[1:]) / 2
    lines = [Line(middle, now.density[b].astype(float), WORDS["between"], FULL)]
    levels, zero = now.levels[b], ""
    if np.isfinite(levels[0]):
        first = -(2 ** (state.bits - 1))
        at, shares = np.arange(low, high + 1), levels[low - first : high - first + 1]
        lines.insert(0, bars(shares.astype(float), WORDS["on"], QAT, at=at, width=0.3))
        zero = WORDS["zero"].format(zero=100 * float(levels[-first]))
    words |= {"shown": int(result.at[result.place]), "low": low, "high": high}
    sentence = WORDS["weights_said"].format(zero=zero, outside=100 * float(now.outside[b]), **words)
    return Picture(lines, frame, sentence, key=(now.density[b].tobytes(), state.bits, state.layer, top))


def _window(state: LabState) -> tuple[float, float]:
    """Which weights the staircase shows, in steps: all of few bits, else those at the upper end."""
    low, high = state.ends
    return (low - 1.5 if state.bits <= WHOLE else high - 5.5), high + 1.5


def _stairs(state: LabState) -> Picture:
    """The weight that is used, over the weight being trained."""
    (low, high), (left, right) = state.ends, _window(state)
    x = np.linspace(left, right, 801)
    y = np.clip(np.round(x), low, high)
    bottom = max(low, math.floor(left)) - 0.6
    title = WORDS["stairs_title"].format(bits=state.bits)
    frame = Frame(title, WORDS["stairs_x"], WORDS["stairs_y"], (left, right), (bottom, high + 0.9))
    zoom = WORDS["zoom"] if state.bits > WHOLE else ""
    lines = [Line(x, x, "", ghost=True), Line(x, y, WORDS["stairs"], QAT)]
    sentence = WORDS["stairs_said"].format(low=low, high=high, zoom=zoom)
    return Picture(lines, frame, sentence, key=(state.bits, state.learned))


def _slopes(state: LabState) -> Picture:
    """What the gradient of the weight used is multiplied with, for the weight and for the step."""
    (low, high), (left, right) = state.ends, _window(state)
    x, bottom, top = np.linspace(left, right, 801), -0.2, 1.4
    words = WORDS["slopes_title"], WORDS["stairs_x"], WORDS["slopes_y"]
    if not state.learned:
        inside = fake_quantize_grad(np.ones_like(x), x, QParams(1.0, 0, low, high))
        frame, said = Frame(*words, (left, right), (bottom, top)), WORDS["slopes_largest"]
        return Picture([Line(x, inside, WORDS["to_weight"], QAT)], frame, said, key=(state.bits, False))
    ones = np.ones_like(x)  # a step for each weight, so that none is summed with another
    inside, slope = lsq_grad(ones, x, ones, low, high)
    slope = slope * high**0.5  # without its scale 1/√(N · high), N = 1
    whole = state.bits <= WHOLE
    bottom, top = (low - 0.3, max(top, high + 0.4)) if whole else (-0.75, top)
    jumps = np.abs(np.diff(slope, append=slope[-1])) > 0.5
    hidden = (slope > top) | jumps  # no line from one tooth to the next
    lines = [
        Line(x, np.where(hidden, np.nan, slope), WORDS["to_step"], FULL),
        Line(x, inside, WORDS["to_weight"], QAT),
    ]
    said = WORDS["slopes_lsq"].format(low=low, high=high, above="" if whole else WORDS["above"])
    return Picture(lines, Frame(*words, (left, right), (bottom, top)), said, key=(state.bits, True))


def _seeds(result: Outcome) -> str:
    return over_seeds(result.done) + (WORDS["band"] if result.done > 1 else "")


def _above(value: float) -> float:
    """An upper end for an axis of shares, with two digits so that it rarely jumps.

    Example:
        >>> _above(0.21), _above(0.83)
        (0.25, 1.0)
    """
    steps = (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.2, 1.5, 2.0)
    return next((s for s in steps if s > 1.05 * value), 1.05 * value)


def _floor(result: Outcome, *rows: np.ndarray) -> float:
    """A lower end for an axis of accuracies, on tenths so that it rarely jumps."""
    n = max(result.done, 1)
    late = slice(len(result.at) // 5, None) if not result.state.trained else slice(None)
    there = np.concatenate([v[:n, ..., late].ravel() for v in (*rows, result.full)])
    there = there[np.isfinite(there)]
    return float(np.clip(math.floor((there.min() - 0.04) * 10) / 10, 0, 0.9)) if there.size else 0.0


def in_words(result: Outcome) -> str:
    """The verdict for the bits that are shown, at the end: QAT against PTQ and fp32, paired over seeds."""
    if result.progress < 1:
        return result.note
    state = result.state
    if state.seeds < 2:
        return WORDS["one"]
    b = BITS.index(state.bits)
    if not np.isfinite([result.trained[:, b, -1], result.after[:, b, -1], result.full[:, -1]]).all():
        return WORDS["diverged"]
    said = []
    for name, (pair, kind) in against(result).items():
        points = f"{abs(pair.mean):.1f} ± {pair.half_width:.1f} points"
        said.append(WORDS[kind].format(label=WORDS[name], points=points))
    told = [WORDS["verdict"].format(bits=state.bits, said=", ".join(said), count=state.seeds)]
    low, high = evaluation.wilson(result.trained[:, b, -1].mean() * result.images, result.images)
    return " ".join([*told, WORDS["sampling"].format(count=result.images, error=50 * (high - low))])


def against(result: Outcome) -> dict[str, tuple[evaluation.Paired, str]]:
    """QAT minus PTQ, and minus fp32, at the end with the bits that are shown, in points.

    Args:
        result: a finished outcome with two or more seeds.

    Returns:
        name → (difference with the interval at which Holm's procedure tested it, ``"ahead"``, ``"behind"``
        or ``"level"``).
    """
    b = BITS.index(result.state.bits)
    qat = 100 * result.trained[:, b, -1]
    others = {"ptq": 100 * result.after[:, b, -1], "full": 100 * result.full[:, -1]}
    one = 50 / result.images  # half an image, in points: no spread is smaller than that
    tested = evaluation.holm_paired([(qat, values) for values in others.values()], resolution=one)
    return {
        name: (pair, "level" if pair.p > 0.05 else "ahead" if pair.mean > 0 else "behind")
        for name, pair in zip(others, tested, strict=True)
    }


def status(result: Outcome) -> str:
    """Time and amount of work in a few words."""
    known = result.state.seeds * (len(BITS) + 1) - result.fresh
    took = human_seconds(result.seconds)
    done = WORDS["done"].format(seconds=took, fresh=result.fresh, steps=result.state.steps)
    return done + (WORDS["remembered"].format(known=known) if known and result.progress == 1 else "")


def as_code(state: LabState) -> str:
    """One line of Python that makes the same pictures again."""
    usual = LabState()
    own = [f.name for f in fields(state) if getattr(state, f.name) != getattr(usual, f.name)]
    return f"qat_lab({', '.join(f'{name}={spelled(getattr(state, name))}' for name in own)})"


def as_table(result: Outcome) -> Any:
    """The data of the pictures: one line a number of bits, seed and measurement."""
    import pandas as pd

    s, b, m = result.trained.shape
    return pd.DataFrame(
        {
            "bits": np.tile(np.repeat(BITS, m), s),
            "seed": np.repeat(np.arange(s), b * m),
            "update": np.tile(result.at, s * b),
            "QAT": result.trained.ravel(),
            "PTQ": result.after.ravel(),
            "fp32": np.repeat(result.full, b, axis=0).ravel(),
        }
    )
