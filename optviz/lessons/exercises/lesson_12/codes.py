"""The exercise of lesson 12 on where a code lies.

**Scale and zero point.** ``my_qparams(low, high, bits)``: a layer gives numbers between `low` and `high`.
They become integers from 0 to 2^bits − 1, and 0.0 must have an integer of its own: the zero point, which is
one of these integers. Return the scale and the zero point.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from optviz.lessons.exercises.lesson_06.shrinking import flat
from optviz.lessons.material import Exercise, Mistake

__all__ = ["QPARAMS"]


def _inside(low: float, s: float, top: int) -> float:
    return min(max(round(-low / s), 0), top)


Zero = Callable[[float, float, int], float]  # (low, scale, highest integer) -> zero point


def affine(
    zero: Zero = _inside,
    ends: Callable[[float, float], tuple[float, float]] = lambda low, high: (min(low, 0.0), max(high, 0.0)),
    steps: Callable[[int], float] = lambda bits: 2**bits - 1,
) -> Callable[..., Any]:
    """Scale and zero point from what the range becomes, how many steps it has and where 0 lies."""

    def choose(low: float, high: float, bits: int) -> tuple[float, float]:
        low, high = ends(low, high)
        s = (high - low) / steps(bits)
        return s, zero(low, s, 2**bits - 1)

    return choose


def _as_they_are(low: float, high: float) -> tuple[float, float]:
    return low, high


def _turned(low: float, high: float, bits: int) -> Any:
    s, zero = affine()(low, high, bits)
    return 1 / s, zero


def _symmetric(low: float, high: float, bits: int) -> Any:
    return max(-low, high) / (2 ** (bits - 1) - 1), 0


def _zero_comes_back(fn: Callable[..., Any], case: tuple[Any, ...]) -> str:
    """What a learner's code makes of 0.0, in words; nothing where it is no code."""
    found = np.asarray(flat(fn, case), float)
    if found.shape != (2,) or not np.isfinite(found).all() or found[0] <= 0:
        return ""
    s, zero = found
    code = min(max(round(zero), 0), 2 ** case[2] - 1)
    return f"With your answer 0.0 becomes the integer {code}, which is read as {s * (code - zero):.4g}."


QPARAMS = Exercise(
    id="12.qparams",
    arguments=("low", "high", "bits"),
    answer=affine(),
    cases=((-1.0, 3.0, 8), (2.0, 4.0, 8), (-5.0, -1.0, 4), (-0.9, 2.3, 4), (3.0, 3.0, 8), (-0.5, 1.5, 2)),
    measure=flat,
    explain=_zero_comes_back,
    praise="0 is exact in every code: padding, pruned weights and what ReLU cuts off stay 0.",
    hints=(
        "Is 0 between your ends? How many steps lie between the lowest and the highest integer?",
        "First low = min(low, 0) and high = max(high, 0). 2^bits integers have 2^bits − 1 steps in between.",
        "scale = (high - low) / (2**bits - 1), zero = round(-low / scale).",
    ),
    mistakes=(
        Mistake(
            "0 has no integer",
            affine(ends=_as_they_are),
            (
                "Which integer stands for 0.0 when all numbers are between 2 and 4?",
                "The range must hold 0. Clamping the zero point alone shifts every number that is read back.",
                "low, high = min(low, 0), max(high, 0), before the scale.",
            ),
        ),
        *(
            Mistake(
                "the zero point is outside the code",
                affine(zero, _as_they_are, steps),
                (
                    "Is your zero point one of the integers 0 … 2^bits − 1?",
                    "A range from 2 to 4 doesn't hold 0, so 0 gets an integer that the code doesn't have.",
                    "low, high = min(low, 0), max(high, 0), before the scale.",
                ),
            )
            for zero in (lambda low, s, top: round(-low / s), lambda low, s, top: int(-low / s))
            for steps in (lambda bits: 2**bits - 1, lambda bits: 2**bits)
        ),
        Mistake(
            "a line through low and high, and no more",
            affine(lambda low, s, top: -low / s, _as_they_are),
            (
                "Is your zero point an integer? Is it inside the code?",
                "Two things are missing: the range must hold 0, and the zero point is rounded.",
                "low, high = min(low, 0), max(high, 0); then zero = round(-low / scale).",
            ),
        ),
        Mistake(
            "the zero point is not rounded",
            affine(lambda low, s, top: -low / s),
            (
                "Which integer stands for 0.0 in your code?",
                "Z is added to integers and stored as one: between two of them 0 would not be exact.",
                "zero = round(-low / scale).",
            ),
        ),
        Mistake(
            "the zero point is cut off",
            affine(lambda low, s, top: int(-low / s)),
            (
                "−low / scale = 63.75: is 63 the nearest integer?",
                "int and // cut off; the ends of the range then lie up to a whole step outside the code.",
                "zero = round(-low / scale).",
            ),
        ),
        *(
            Mistake(
                "counts integers instead of steps",
                affine(zero, steps=lambda bits: 2**bits),
                (
                    "A ruler with the marks 0, 1, 2, 3: how many steps are there between 0 and 3?",
                    "2^bits integers have one step fewer between them.",
                    "scale = (high - low) / (2**bits - 1).",
                ),
            )
            for zero in (_inside, lambda low, s, top: round(-low / s))
        ),
        Mistake(
            "the zero point with the wrong sign",
            affine(lambda low, s, top: round(low / s)),
            (
                "Is your zero point in 0 … 2^bits − 1?",
                "`low` must become 0: low / scale + Z = 0.",
                "zero = round(-low / scale).",
            ),
        ),
        Mistake(
            "the zero point is always 0",
            affine(lambda low, s, top: 0),
            (
                "Which integer do negative numbers get in your code?",
                "With Z = 0 they would all be clamped. `low` must become the integer 0.",
                "zero = round(-low / scale).",
            ),
        ),
        Mistake(
            "the zero point of a signed code",
            affine(lambda low, s, top: _inside(low, s, top) - (top + 1) // 2),
            (
                "Which integers does this code have?",
                "They begin at 0 here, not at −2^(bits−1).",
                "zero = round(-low / scale), with nothing subtracted.",
            ),
        ),
        *(
            Mistake(
                "always the middle of the code",
                affine(middle),
                (
                    "Does your zero point depend on low and high?",
                    "The middle is right for a range as wide below 0 as above. `low` must become 0.",
                    "zero = round(-low / scale).",
                ),
            )
            for middle in (lambda low, s, top: top // 2, lambda low, s, top: (top + 1) // 2)
        ),
        Mistake(
            "a symmetric code",
            _symmetric,
            (
                "How many of the integers would numbers between 0 and 3 use?",
                "That is the code −m … m of weights. Here the integers begin at 0, and Z says where 0 lies.",
                "scale = (high - low) / (2**bits - 1), zero = round(-low / scale).",
            ),
        ),
        Mistake(
            "the scale turned round",
            _turned,
            (
                "Does your scale grow when the range grows?",
                "The scale is the distance of two levels in the unit of the numbers.",
                "(high - low) / (2**bits - 1), not the other way up.",
            ),
        ),
        Mistake(
            "the zero point first",
            lambda low, high, bits: affine()(low, high, bits)[::-1],
            (
                "Which of the two is the distance of two levels?",
                "Both numbers are right. The scale comes first.",
                "return scale, zero.",
            ),
        ),
        Mistake(
            "the zero point in the unit of the numbers",
            affine(lambda low, s, top: round(-low)),
            (
                "How many steps is 0 above `low`?",
                "−low is a distance; divided by the scale it is a number of steps.",
                "zero = round(-low / scale).",
            ),
        ),
        *(
            Mistake(
                f"only the {end} end is widened",
                affine(lambda low, s, top: round(-low / s), ends),
                (
                    f"What if all numbers are {sign}?",
                    "Then 0 is outside the range, and its integer outside the code.",
                    f"{other} as well.",
                ),
            )
            for end, sign, other, ends in (
                ("lower", "negative", "high = max(high, 0)", lambda low, high: (min(low, 0.0), high)),
                ("upper", "positive", "low = min(low, 0)", lambda low, high: (low, max(high, 0.0))),
            )
        ),
    ),
)
