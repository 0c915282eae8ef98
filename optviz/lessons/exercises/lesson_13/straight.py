"""The exercise of lesson 13 on a gradient that goes straight through a rounding.

**Fake quantization, both ways.** ``my_fake_quantize(x, dy, scale, zero, low, high)``: forward,
y = scale · (clamp(round(x / scale) + zero, low, high) − zero). Backward, straight through: `dy` is the
gradient of y; the rounding is passed over as if it weren't there, the clamp is not. Return y and the gradient
of x.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from optviz.lessons.exercises.lesson_06.shrinking import flat
from optviz.lessons.exercises.lesson_12.wording import explained
from optviz.lessons.material import Exercise, Mistake

__all__ = ["FAKE_QUANTIZE", "steps"]

_chance = np.random.default_rng(13)


def steps(low: int, high: int, shape: tuple[int, ...], chance: Any = _chance) -> np.ndarray:
    """Codes before they are rounded: two thirds inside, others beyond both ends; none near a half or an end.

    Whoever compares rounded codes with the ends and whoever compares the numbers themselves must agree.
    """
    count = int(np.prod(shape))
    far = count // 6 + 1
    inside = chance.integers(low, high + 1, count - 2 * far)
    away = [high + 1 + chance.integers(0, 3, far), low - 1 - chance.integers(0, 3, far)]
    room = np.where(inside == high, -1, np.where(inside == low, 1, chance.choice([-1, 1], inside.size)))
    parts = [inside + room * chance.uniform(0.05, 0.4, inside.size)]
    parts += [found + chance.uniform(-0.3, 0.4, far) for found in away]
    return chance.permutation(np.concatenate(parts)).reshape(shape)


def _coded(scale: float, zero: int, low: int, high: int, shape: tuple[int, ...]) -> tuple[Any, ...]:
    x = scale * (steps(low, high, shape) - zero)
    return x.round(4), _chance.normal(size=shape).round(2), scale, zero, low, high


def _there(x: Any, scale: float, zero: int, low: int, high: int) -> Any:
    return scale * (np.clip(np.rint(x / scale) + zero, low, high) - zero)


def _inside(x: Any, scale: float, zero: int, low: int, high: int) -> Any:
    codes = np.rint(x / scale) + zero
    return (codes >= low) & (codes <= high)


def both(
    there: Callable[..., Any] = _there,
    back: Callable[..., Any] = lambda dy, x, *code: dy * _inside(x, *code),
) -> Callable[..., Any]:
    """The two passes; ``back`` gets dy, x and the code."""

    def passes(x: Any, dy: Any, *code: Any) -> Any:
        return there(x, *code), back(dy, x, *code)

    return passes


def _codes(x: Any, scale: float, zero: int, low: int, high: int) -> Any:
    return np.clip(np.rint(x / scale) + zero, low, high)


def _of_a_number(at: int, x: Any, dy: Any, scale: float, zero: int, low: int, high: int) -> str:
    if at < 0:
        return f"Right are {x.size} values of y, then {x.size} of the gradient of x."
    v, name = x.ravel()[at % x.size], "y" if at < x.size else "the gradient of x"
    place = f"{v / scale + zero:.4g} before it is rounded, in a code from {low} to {high}"
    return f"That is {name} where x is {v:g}. There x / scale + zero is {place}."


def _between(x: Any, *code: Any) -> Any:
    codes = _codes(x, *code)
    return (codes > code[2]) & (codes < code[3])


FAKE_QUANTIZE = Exercise(
    id="13.fake_quantize",
    arguments=("x", "dy", "scale", "zero", "low", "high"),
    answer=both(),
    cases=(
        _coded(0.5, 3, 0, 7, (9,)),
        _coded(0.1, 0, -8, 7, (3, 4)),
        _coded(0.25, -2, -4, 3, (2, 5)),
        _coded(2.0, 1, 0, 3, (8,)),
    ),
    measure=flat,
    explain=explained(flat, both(), _of_a_number),
    praise="Forward the staircase, backward a ramp of slope 1 that ends where the code ends.",
    hints=(
        "Forward is lesson 12: to the code and back. Backward: where does a small change of x change y?",
        "Pass over the rounding: its slope counts as 1. The clamp's slope is 1 inside the code, 0 outside.",
        "codes = np.round(x / scale) + zero; y = scale * (np.clip(codes, low, high) - zero); "
        "dx = dy * ((codes >= low) & (codes <= high)).",
    ),
    mistakes=(
        Mistake(
            "a gradient outside the range too",
            both(back=lambda dy, x, *code: dy),
            (
                "x lies far beyond the last level. Does y change when x does?",
                "The clamp holds y there: its slope is 0. Only the rounding is passed over.",
                "dx = dy * ((codes >= low) & (codes <= high)), before the codes are clamped.",
            ),
        ),
        Mistake(
            "no gradient at the end levels",
            both(back=lambda dy, x, *code: dy * _between(x, *code)),
            (
                "Which numbers become the last level without being clamped?",
                "Those within half a step of it: the integers low and high are inside the code.",
                "(codes >= low) & (codes <= high), before the codes are clamped.",
            ),
        ),
        *(
            Mistake(
                "a gradient beyond one end",
                both(back=back),
                (
                    "How many ends has the code?",
                    "Two, and y stands still beyond both.",
                    "dx = dy * ((codes >= low) & (codes <= high)).",
                ),
            )
            for back in (
                lambda dy, x, s, z, low, high: dy * (np.rint(x / s) + z <= high),
                lambda dy, x, s, z, low, high: dy * (np.rint(x / s) + z >= low),
            )
        ),
        Mistake(
            "rounds the gradient too",
            both(back=lambda dy, x, *code: _there(dy, *code)),
            (
                "What does the slope of y have to do with the size of dy?",
                "The gradient isn't quantized: it goes through as it is, where x is inside the code.",
                "dx = dy * ((codes >= low) & (codes <= high)).",
            ),
        ),
        Mistake(
            "no clamp, neither way",
            both(lambda x, s, z, low, high: s * np.rint(x / s), lambda dy, x, *code: dy),
            (
                "How many different levels has your y?",
                "low and high have no part in your code: the last levels hold y, and stop the gradient.",
                "np.clip(codes, low, high) forward; dy * ((codes >= low) & (codes <= high)) backward.",
            ),
        ),
        Mistake(
            "the true gradient of a staircase",
            both(back=lambda dy, x, *code: 0 * dy),
            (
                "What would a weight learn from your gradient?",
                "A staircase is flat nearly everywhere: its slope is 0. Straight through takes 1.",
                "dx = dy * ((codes >= low) & (codes <= high)).",
            ),
        ),
        Mistake(
            "the gradient of what lies outside",
            both(back=lambda dy, x, *code: dy * ~_inside(x, *code)),
            (
                "Which numbers get your gradient: those inside or those outside?",
                "Inside the code y follows x, outside it can't.",
                "Turn the mask round: (codes >= low) & (codes <= high).",
            ),
        ),
        Mistake(
            "the gradient times the scale",
            both(back=lambda dy, x, *code: dy * _inside(x, *code) * code[0]),
            (
                "x grows by one step. By how much does y grow?",
                "By one step as well: x / scale and scale · (…) cancel.",
                "dx = dy * inside, with no scale.",
            ),
        ),
        Mistake(
            "the gradient over the scale",
            both(back=lambda dy, x, *code: dy * _inside(x, *code) / code[0]),
            (
                "x grows by one step. By how much does y grow?",
                "By one step as well: x / scale and scale · (…) cancel.",
                "dx = dy * inside, with no scale.",
            ),
        ),
        Mistake(
            "forgets the gradient that came in",
            both(back=lambda dy, x, *code: _inside(x, *code)),
            (
                "Does your second array depend on dy?",
                "The mask is the slope of y. The chain rule multiplies it by dy.",
                "dx = dy * inside.",
            ),
        ),
        *(
            Mistake(
                "the zero point is missing in the mask",
                both(back=back),
                (
                    "Which numbers does the code reach, when Z is 3 and the integers begin at 0?",
                    "The ends belong to round(x / scale) + zero, not to round(x / scale).",
                    "codes = np.round(x / scale) + zero; dx = dy * ((codes >= low) & (codes <= high)).",
                ),
            )
            for back in (
                lambda dy, x, s, z, low, high: dy * _inside(x, s, 0, low, high),
                lambda dy, x, s, z, low, high: dy * ((x / s >= low) & (x / s <= high)),
            )
        ),
        Mistake(
            "compares x with the ends of the integers",
            both(back=lambda dy, x, s, z, low, high: dy * ((x >= low) & (x <= high))),
            (
                "In which unit are low and high?",
                "They are integers of the code; x is not.",
                "Compare np.round(x / scale) + zero with them.",
            ),
        ),
        Mistake(
            "gives the integers back",
            both(_codes),
            (
                "Is your y near x?",
                "Fake quantization goes to the code and back again.",
                "y = scale * (codes - zero).",
            ),
        ),
        Mistake(
            "keeps the zero point on the way back",
            both(lambda x, *code: code[0] * _codes(x, *code)),
            (
                "What becomes of 0.0?",
                "It becomes `zero`, and must come back as 0.0.",
                "y = scale * (codes - zero).",
            ),
        ),
        Mistake(
            "never clamps",
            both(lambda x, s, z, low, high: s * np.rint(x / s)),
            (
                "How many different levels has your y?",
                "What lies beyond the last level becomes the last level.",
                "np.clip(np.round(x / scale) + zero, low, high).",
            ),
        ),
        Mistake(
            "clamps before the shift",
            both(lambda x, s, z, low, high: s * np.clip(np.rint(x / s), low, high)),
            (
                "Which numbers does the code reach, when Z is 3 and the integers begin at 0?",
                "low and high are ends of what has the zero point in it.",
                "np.clip(np.round(x / scale) + zero, low, high) - zero.",
            ),
        ),
        Mistake(
            "never rounds",
            both(lambda x, s, z, low, high: s * (np.clip(x / s + z, low, high) - z)),
            (
                "How many different values has your y between two levels?",
                "That is a clamp alone.",
                "np.round(x / scale) first.",
            ),
        ),
    ),
)
