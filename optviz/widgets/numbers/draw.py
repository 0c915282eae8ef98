"""The pictures of the number explorer, and the same in sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from optviz.quantize import dequantize, quantize
from optviz.viz import Frame, Line, Rule, bars
from optviz.widgets.numbers.compute import Outcome
from optviz.widgets.numbers.state import NumberState
from optviz.widgets.numbers.words import WORDS
from optviz.widgets.panel import Picture
from optviz.widgets.series import minus

__all__ = ["as_code", "as_table", "draw", "in_words"]

WIDTH = 734  # pixels of the number line
APART = 20  # pixels between integers that are written beside their levels
LEVELS, BACK, X = 0.0, 1.0, 2.0  # rows of the number line
BLUE, ORANGE, GRAY = 0, 1, 6


def draw(result: Outcome, pinned: tuple[Outcome, ...]) -> dict[str, Picture]:
    """The four pictures of a result, with pinned ones as ghosts behind."""
    return {
        "line": _line(result, pinned),
        "stairs": _stairs(result, pinned),
        "error": _error(result, pinned),
        "bits": _bits(result),
    }


def _line(result: Outcome, pinned: Sequence[Outcome]) -> Picture:
    """The levels as sticks, x above them, and between the two where it lands."""
    x, value, bottom, top = result.state.x, result.value, LEVELS - 0.5, X + 0.6
    zero = result.levels[result.zero - result.q.low]
    lines = [
        *_shaded(result, bottom, top),
        _sticks(result.levels[result.levels != zero], BLUE, 0.3),
        _sticks(np.array([zero]), GRAY, 0.42),
        Line(np.array([value, x]), np.array([BACK, X]), "", ORANGE, dot=True),
        Line(np.array([value]), np.array([BACK]), "", BLUE, dot=True),
    ]
    for old in pinned:
        lines.append(Line(np.array([old.value, old.state.x]), np.array([BACK, X]), "", ghost=True, dot=True))
    rows = ((LEVELS, WORDS["row_levels"]), (BACK, WORDS["row_back"]), (X, WORDS["row_x"]))
    axes = (WORDS["line_x"], "", _reach(result), (bottom, top))
    frame = Frame(WORDS["line_title"], *axes, rules=_integers(result), yticks=rows)
    return Picture(lines, frame, _line_said(result))


def _sticks(at: np.ndarray, index: int, height: float) -> Line:
    """Short upright lines at the foot of the number line."""
    x = np.repeat(at, 3)
    y = np.tile([LEVELS - height, LEVELS + height, np.nan], len(at))
    return Line(x, y, "", index)


def _shaded(result: Outcome, bottom: float, top: float) -> list[Line]:
    """What is outside the code, as a band on either side."""
    low, high = _reach(result)
    pairs = (low, result.ends[0]), (result.ends[1], high)
    nothing = np.full(2, np.nan)
    return [
        Line(np.array(pair), nothing, "", GRAY, np.full(2, bottom), np.full(2, top))
        for pair in pairs
        if pair[0] < pair[1]
    ]


def _integers(result: Outcome) -> tuple[Rule, ...]:
    """As many levels with their integers as there is room for: the zero point, the ends, round ones."""
    q, zero = result.q, result.zero
    step = WIDTH * result.scale / (result.along[-1] - result.along[0])  # pixels between two levels
    every = 2 ** max(0, math.ceil(math.log2(APART / step)))
    shown: dict[int, str] = {}
    for code in (zero, q.high, q.low, *(c for c in range(q.low, q.high + 1) if c % every == 0)):
        text = WORDS["zero"].format(zero=zero) if code == zero else minus(f"{code}")
        if all(_fit(step, *sorted([(code, text), other])) for other in shown.items()):
            shown[code] = text
    return tuple(Rule(float(result.levels[c - q.low]), shown[c], "x") for c in sorted(shown))


def _fit(step: float, left: tuple[int, str], right: tuple[int, str]) -> bool:
    """Whether a text that starts at its level ends before the next one."""
    return (right[0] - left[0]) * step > 5 + 5 * len(left[1])


def _stairs(result: Outcome, pinned: Sequence[Outcome]) -> Picture:
    """x̂ over x: a staircase that is flat where x is clipped."""
    x, lim = np.array([result.state.x]), _reach(result)
    lines = [
        Line(np.array(lim), np.array(lim), "", ghost=True),
        Line(result.along, result.back, "", BLUE),
        Line(x, np.array([result.value]), "", ORANGE, dot=True),
        *(Line(old.along, old.back, "", ghost=True) for old in pinned),
    ]
    axes = (WORDS["stairs_x"], WORDS["stairs_y"], lim, lim)
    frame = Frame(WORDS["stairs_title"], *axes, rules=_given(result))
    numbers = {"scale": result.scale, "code": result.code, "zero": result.zero, "value": result.value}
    return Picture(lines, frame, minus(WORDS["stairs_said"].format(**numbers)))


def _given(result: Outcome) -> tuple[Rule, ...]:
    """The ends of the range that was asked for."""
    state = result.state
    return Rule(state.low, WORDS["from"], "x"), Rule(state.high, WORDS["to"], "x")


def _error(result: Outcome, pinned: Sequence[Outcome]) -> Picture:
    """x̂ − x over x, between −s/2 and s/2 inside the code."""
    half, state = result.scale / 2, result.state
    top = 2.0 ** math.ceil(math.log2(1.05 * max(2.5 * half, abs(result.error))))  # so that it rarely jumps
    lines = [
        *_shaded(result, -top, top),
        Line(result.along, result.back - result.along, "", BLUE),
        Line(np.array([state.x]), np.array([result.error]), "", ORANGE, dot=True),
        *(Line(old.along, old.back - old.along, "", ghost=True) for old in pinned),
    ]
    named = half > 0.1 * top  # else the two would stand upon one another
    rules = Rule(half, WORDS["half"] * named), Rule(-half, WORDS["minus_half"] * named)
    axes = (WORDS["stairs_x"], WORDS["error_y"], _reach(result), (-top, top))
    frame = Frame(WORDS["error_title"], *axes, rules=rules)
    numbers = {"error": result.error, "half": half, "low": result.ends[0], "high": result.ends[1]}
    return Picture(
        lines, frame, minus(WORDS[f"{_why(result)}_said"].format(beyond=abs(result.error), **numbers))
    )


def _bits(result: Outcome) -> Picture:
    """The integer as bits, the first on the left."""
    state, pattern = result.state, result.pattern
    ones = np.array([float(bit) for bit in pattern])
    signed = result.q.low < 0
    worth = [2**k for k in range(state.bits - 1, -1, -1)]
    worth[0] *= -1 if signed else 1
    ticks = tuple((float(i), minus(f"{w}")) for i, w in enumerate(worth))
    title = WORDS["bits_title"].format(code=minus(f"{result.code}"), pattern=pattern)
    axes = (WORDS["bits_x"], WORDS["bits_y"], (-0.6, state.bits - 0.4), (0.0, 1.1))
    frame = Frame(title, *axes, xticks=ticks, yticks=((0.0, "0"), (1.0, "1")))
    added = [minus(f"{w}") for w, one in zip(worth, ones, strict=True) if one]
    how = WORDS["twos"] if signed else ""
    words = {"code": minus(f"{result.code}"), "pattern": pattern, "bits": state.bits, "how": how}
    said = WORDS["bits_said"].format(sum=" + ".join(added) or WORDS["no_ones"], **words)
    return Picture([bars(ones, "", BLUE)], frame, said)


def _reach(result: Outcome) -> tuple[float, float]:
    return float(result.along[0]), float(result.along[-1])


def _line_said(result: Outcome) -> str:
    state, levels = result.state, result.levels
    numbers: dict[str, Any] = {"scale": result.scale, "zero": result.zero, "code": minus(f"{result.code}")}
    ends = {"count": len(levels), "first": levels[0], "last": levels[-1]}
    said = WORDS["line_said"].format(x=state.x, value=result.value, **numbers, **ends)
    if not (state.holds_zero or state.symmetric or state.way == "open"):
        said += WORDS["widened"].format(
            low=state.low, high=state.high, new_low=min(state.low, 0), new_high=max(state.high, 0)
        )
    return minus(said)


def in_words(result: Outcome) -> str:
    """How the code was made, what becomes of x, and what it costs, with all numbers."""
    state = result.state
    numbers = {"x": state.x, "scale": result.scale, "zero": result.zero, "code": result.code}
    numbers |= {"raw": result.raw, "value": result.value, "error": result.error, "bits": state.bits}
    formula = WORDS["formula"].format(q_low=result.q.low, q_high=result.q.high, **numbers)
    if result.wrapped:
        formula = WORDS["formula_cast"].format(right=result.right, **numbers)
    elif state.way == "cast" and not result.clipped:
        formula = WORDS["same_cast"].format(**numbers)
    told = WORDS["outcome"].format(why=WORDS[_why(result)], **numbers) + f"{_scale_said(result)} {formula}"
    if state.way == "open" and (state.holds_zero or state.symmetric):
        told += WORDS["same_open"]
    return minus(told)


def _why(result: Outcome) -> str:
    """Where the error comes from."""
    return "wrapping" if result.wrapped else "clipping" if result.clipped else "rounding"


def _scale_said(result: Outcome) -> str:
    """Scale and zero point, as they follow from the range."""
    state, q = result.state, result.q
    numbers = {"scale": result.scale, "zero": result.zero, "top": q.high}
    if state.symmetric:
        return WORDS["scale_symmetric"].format(most=max(abs(state.low), abs(state.high)), **numbers)
    if state.way == "open" and not state.holds_zero:
        return _open_said(result, numbers)
    low, high = min(state.low, 0.0), max(state.high, 0.0)
    shown = f"({low:.4g})" if low < 0 else "0"
    return WORDS["scale_affine"].format(low=shown, high=high, minus=-low + 0.0, **numbers)


def _open_said(result: Outcome, numbers: dict[str, Any]) -> str:
    """Where the levels end up when the range isn't widened."""
    state, levels = result.state, result.levels
    wanted = int(np.rint(-state.low / result.scale))
    none = WORDS["none"].format(zero=result.zero) if wanted != result.zero else ""
    landing = np.unique(dequantize(quantize(np.array([state.low, state.high]), result.q), result.q))
    all_ = WORDS["all"].format(landing=landing[0]) if len(landing) == 1 else ""
    low = f"({state.low:.4g})" if state.low < 0 else f"{state.low:.4g}"
    ends = {"low": low, "high": state.high, "minus": -state.low, "first": levels[0], "last": levels[-1]}
    return WORDS["scale_open"].format(wanted=wanted, none=none, all=all_, **ends, **numbers)


def as_code(state: NumberState) -> str:
    """One line of Python that makes the same pictures again."""
    usual = NumberState()
    own = [f.name for f in fields(state)[1:-1] if getattr(state, f.name) != getattr(usual, f.name)]
    given = [repr(state.x), *(f"{name}={getattr(state, name)!r}" for name in own)]
    return f"number_lab({', '.join(given)})"


def as_table(result: Outcome) -> Any:
    """The data of the curves: one line for each value."""
    import pandas as pd

    error = result.back - result.along
    return pd.DataFrame({"x": result.along, "code": result.codes, "value": result.back, "error": error})
