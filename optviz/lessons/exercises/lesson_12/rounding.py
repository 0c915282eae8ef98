"""The exercise of lesson 12 on how a number gets into a code.

**Round, shift, clamp, cast.** ``my_quantize(x, scale, zero, low, high)``: turn the numbers `x` into the
integers clamp(round(x / scale) + zero, low, high) as int8, one byte each. Round halves to even, as PyTorch,
NumPy and ONNX Runtime do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from optviz.lessons.exercises.lesson_12.wording import explained
from optviz.lessons.material import Exercise, Mistake

__all__ = ["QUANTIZE", "plain"]


def plain(found: Any) -> np.ndarray:
    """An array, list or tensor as an array."""
    return np.asarray(found.detach().cpu().numpy() if hasattr(found, "detach") else found)


_chance = np.random.default_rng(12)
_HALVES = np.array([0.25, 0.75, -0.25, -1.25, 6.1, 63.0, 100.0, -70.0, 0.0])  # ±0.5, 1.5, −2.5 steps of 0.5
_NUMBERS = (
    (_HALVES, 0.5, 4, -128, 127),
    (_HALVES[::-1].reshape(3, 3) / 2, 0.25, -2, -8, 7),
    (_chance.normal(0, 90, (2, 4)).round(1) + 0.03, 1.0, 0, -127, 127),
    (_chance.normal(0, 9, 8).round(2) + 0.003, 0.05, 11, -128, 127),
)


def bytes_too(fn: Callable[..., Any], case: tuple[Any, ...]) -> Any:
    """The integers; where they are right also how many bytes each takes, else a 1."""
    found = fn(*case)
    if found is None or found is ...:
        return found
    codes = plain(found)
    values, right = codes.astype(float).ravel(), _quantized()(*case).ravel()
    wide = codes.dtype.itemsize if np.array_equal(values, right) else 1
    return [*values.tolist(), float(wide)]


def _wrapped(v: Any) -> Any:
    """What int8 makes of whole numbers: the rest after a division by 256, from −128 to 127."""
    return (v + 128) % 256 - 128


def _quantized(
    nearest: Callable[[Any], Any] = np.rint,
    then: Callable[..., Any] = lambda r, zero, low, high: np.clip(r + zero, low, high),
    kind: Any = np.int8,
) -> Callable[..., Any]:
    """Codes from how numbers are rounded, what happens to the rounded ones, and their type at the end."""

    def code(x: Any, scale: float, zero: int, low: int, high: int) -> Any:
        return then(nearest(x / scale), zero, low, high).astype(kind)

    return code


def _of_a_number(at: int, x: Any, scale: float, zero: int, low: int, high: int) -> str:
    if at < 0:
        return f"There are {x.size} numbers in x."
    if at == x.size:
        return "All integers are right. The last value is how many bytes each of them takes."
    v = x.ravel()[at]
    return f"There x is {v:g}: {v / scale:.6g} steps, before the zero point {zero} is added."


QUANTIZE = Exercise(
    id="12.quantize",
    arguments=("x", "scale", "zero", "low", "high"),
    answer=_quantized(),
    cases=_NUMBERS,
    measure=bytes_too,
    explain=explained(bytes_too, _quantized(), _of_a_number),
    praise="Round, shift, clamp where there is room, and only then cast: nothing wraps around.",
    hints=(
        "Four steps: round, shift, clamp, cast. Their order matters.",
        "np.round rounds halves to even. Clamp while the numbers are still floats; int8 ends at ±127.",
        "np.clip(np.round(x / scale) + zero, low, high).astype(np.int8).",
    ),
    mistakes=(
        Mistake(
            "casts before it clamps",
            _quantized(then=lambda r, z, low, high: np.clip(_wrapped(_wrapped(r) + z), low, high)),
            (
                "What does a large positive number become in your code?",
                "200 does not fit into int8: it wraps around to −56, and the clamp finds nothing to do.",
                "np.clip(…, low, high) first, .astype(np.int8) last.",
            ),
        ),
        Mistake(
            "casts before the shift",
            _quantized(then=lambda r, z, low, high: np.clip(_wrapped(r) + z, low, high)),
            (
                "What does a large positive number become in your code?",
                "round(x / scale) may be far outside int8, where it wraps around: 200 becomes −56.",
                "Add zero and clamp in floats; .astype(np.int8) comes last.",
            ),
        ),
        Mistake(
            "casts without a clamp",
            _quantized(then=lambda r, z, low, high: _wrapped(r + z)),
            (
                "Are all your integers between low and high?",
                "The cast is no clamp: it keeps the last 8 bits, so 200 becomes −56.",
                "np.clip(…, low, high) before .astype(np.int8).",
            ),
        ),
        Mistake(
            "neither clamps nor casts",
            _quantized(then=lambda r, z, low, high: r + z, kind=float),
            (
                "Are all your integers between low and high?",
                "What lies outside becomes the nearest end of the code.",
                "np.clip(…, low, high), then .astype(np.int8).",
            ),
        ),
        Mistake(
            "clamps before the shift",
            _quantized(then=lambda r, z, low, high: _wrapped(np.clip(r, low, high) + z)),
            (
                "Is your largest integer at most high?",
                "The zero point is added after your clamp and moves the ends out of the code.",
                "np.clip(np.round(x / scale) + zero, low, high).",
            ),
        ),
        Mistake(
            "clamps before the shift, and never casts",
            _quantized(then=lambda r, z, low, high: np.clip(r, low, high) + z, kind=float),
            (
                "Is your largest integer at most high?",
                "The zero point is added after your clamp and moves the ends out of the code.",
                "np.clip(np.round(x / scale) + zero, low, high).astype(np.int8).",
            ),
        ),
        *(
            Mistake(
                "clamps x itself",
                lambda x, s, z, low, high, cast=cast: cast(np.rint(np.clip(x, low, high) / s) + z),
                (
                    "In which unit are low and high, and in which is x?",
                    "low and high are integers of the code: they belong after round and shift.",
                    "np.clip(np.round(x / scale) + zero, low, high).astype(np.int8).",
                ),
            )
            for cast in (lambda v: _wrapped(v).astype(np.int8), lambda v: v)
        ),
        *(
            Mistake(
                f"{wide} bytes for each integer",
                _quantized(kind=f"i{wide}"),
                (
                    f"The integers are right. Why is the array {wide} times as large as it could be?",
                    "Whole numbers as float64 or int64 take 8 bytes each, as float32 or int32 4.",
                    "End with .astype(np.int8).",
                ),
            )
            for wide in (8, 4, 2)
        ),
        Mistake(
            "rounds halves up",
            _quantized(lambda v: np.floor(v + 0.5)),
            (
                "x / scale = 0.5 and 2.5: which integers are right?",
                "Halves go to the even neighbor, 0 and 2. floor(v + 0.5) takes them all up.",
                "np.round, np.rint and torch.round do it as asked.",
            ),
        ),
        Mistake(
            "rounds halves away from 0",
            _quantized(lambda v: np.sign(v) * np.floor(abs(v) + 0.5)),
            (
                "x / scale = 0.5 and −2.5: which integers are right?",
                "C's round() takes halves away from 0; here they go to the even neighbor, 0 and −2.",
                "np.round, np.rint and torch.round do it as asked.",
            ),
        ),
        *(
            Mistake(
                "cuts off instead of rounding",
                does,
                (
                    "x / scale = 0.9: which integer is nearest?",
                    "A cast cuts the digits off. The error is then up to a whole step, not half of one.",
                    "np.round(x / scale) before anything else.",
                ),
            )
            for does in (
                _quantized(np.trunc),
                lambda x, s, z, low, high: np.clip(x / s + z, low, high).astype(np.int8),
            )
        ),
        Mistake(
            "never rounds",
            lambda x, s, z, low, high: np.clip(x / s + z, low, high),
            (
                "Are your values integers?",
                "There is a clamp in your code, but no rounding and no cast.",
                "np.clip(np.round(x / scale) + zero, low, high).astype(np.int8).",
            ),
        ),
        Mistake(
            "casts to uint8",
            _quantized(kind=np.uint8),
            (
                "What does −5 become in uint8?",
                "251: uint8 has no negative integers. This code has some.",
                ".astype(np.int8).",
            ),
        ),
        Mistake(
            "rounds down",
            _quantized(np.floor),
            (
                "x / scale = 0.9: which integer is nearest?",
                "floor makes every number smaller, by half a step on average.",
                "np.round(x / scale).",
            ),
        ),
        Mistake(
            "forgets the zero point",
            _quantized(then=lambda r, z, low, high: np.clip(r, low, high)),
            (
                "Which integer does 0.0 get?",
                "0.0 becomes the zero point.",
                "np.round(x / scale) + zero.",
            ),
        ),
        Mistake(
            "subtracts the zero point",
            _quantized(then=lambda r, z, low, high: np.clip(r - z, low, high)),
            (
                "Which integer does 0.0 get?",
                "It is subtracted on the way back: x = scale · (q − zero). On the way in it is added.",
                "np.round(x / scale) + zero.",
            ),
        ),
        Mistake(
            "multiplies by the scale",
            lambda x, s, z, low, high: np.clip(np.rint(x * s) + z, low, high).astype(np.int8),
            (
                "How many steps of 0.5 are in 6?",
                "x / scale counts steps; x · scale is what happens on the way back.",
                "np.round(x / scale).",
            ),
        ),
        Mistake(
            "gives the numbers back",
            lambda x, s, z, low, high: s * (np.clip(np.rint(x / s) + z, low, high) - z),
            (
                "Are your values integers?",
                "You went the whole way, to the code and back. Only the first half is asked for.",
                "Stop at np.clip(np.round(x / scale) + zero, low, high).astype(np.int8).",
            ),
        ),
    ),
)
