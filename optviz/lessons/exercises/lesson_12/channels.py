"""The exercise of lesson 12 on a scale for each output channel.

**One scale for each output channel.** ``my_channels(q, s, transposed)``: a file holds the weights of a
convolution as int8 integers `q` with one scale `s`: w = s · q. They shall be stored in four bits: symmetric,
integers from −7 to 7, one scale for each *output* channel, and the largest |w| of a channel becomes 7 or −7.
The shape of `q` is (out, in, height, width), but (in, out, height, width) where `transposed` is True. Return
the new scales (one a channel) and the new integers (the shape of `q`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from optviz.lessons.exercises.lesson_12.rounding import plain
from optviz.lessons.exercises.lesson_12.wording import explained
from optviz.lessons.material import Exercise, Mistake

__all__ = ["CHANNELS"]

_chance = np.random.default_rng(42)


def _weights(out: int, inputs: int, transposed: bool, s: float) -> tuple[np.ndarray, float, bool]:
    """int8 weights whose channels differ in size, one of them with −128 as its largest; no code is a tie."""
    tops = 2 * np.linspace(12, 50, out).round()[:, None] + 1
    q = np.rint(_chance.uniform(-1, 1, (out, inputs * 4)) * tops)
    q[:, 0] = tops[:, 0] * np.resize([1, -1], out)
    q[0, 1], q[0, 2] = -128, 93
    q = q.reshape(out, inputs, 2, 2).astype(np.int8)
    return (np.ascontiguousarray(q.swapaxes(0, 1)) if transposed else q), s, transposed


def _stored(fn: Callable[..., Any], case: tuple[Any, ...]) -> Any:
    """The scales, then the integers, which in a right answer are within −7 … 7 without a clamp."""
    found = fn(*case)
    if found is None or found is ...:
        return found
    scales, codes = (plain(part).astype(float).ravel() for part in found)
    return np.concatenate([scales, np.clip(codes, -7, 7)])


def _outputs(transposed: bool) -> tuple[int, ...]:
    """The axes that are not the outputs'."""
    return (0, 2, 3) if transposed else (1, 2, 3)


def _wide(q: Any) -> Any:
    return abs(q.astype(int))


def _channels(
    axes: Callable[[bool], tuple[int, ...]] = _outputs,
    size: Callable[[Any], Any] = _wide,
    scale: Callable[[Any, float], Any] = lambda most, s: most * s / 7,
    round: Callable[[Any], Any] = np.rint,
) -> Callable[..., Any]:
    """Scales and codes from the axes that share a scale, the size of a weight, and what the largest gives."""

    def stored(q: Any, s: float, transposed: bool) -> Any:
        most = size(q).max(axes(transposed), keepdims=True).astype(float)
        scales = scale(most, s)
        return scales.ravel(), round(q * s / scales)

    return stored


def _without_the_scale(q: Any, s: float, transposed: bool) -> Any:
    scales, codes = _channels()(q, s, transposed)
    return scales / s, codes


def _times_seven(q: Any, s: float, transposed: bool) -> Any:
    """Codes from 7 · q, which is computed in int8."""
    scales, _ = _channels()(q, s, transposed)
    sizes = _wide(q).max(_outputs(transposed), keepdims=True)
    return scales, np.rint(q * np.int8(7) / sizes)


def _of_a_weight(at: int, q: Any, s: float, transposed: bool) -> str:
    count = q.shape[int(transposed)]
    if at < 0:
        return f"Right are {count} scales, one for each output channel, and then {q.size} integers."
    if at < count:
        return f"That is the scale of output channel {at} of {count}."
    return (
        f"All {count} scales are right. That is the new integer of a weight with q = {q.ravel()[at - count]}."
    )


CHANNELS = Exercise(
    id="12.per_channel",
    arguments=("q", "s", "transposed"),
    answer=_channels(),
    cases=(
        _weights(3, 2, False, 0.01),
        _weights(3, 2, True, 0.02),
        _weights(2, 4, True, 0.5),
        _weights(3, 3, False, 0.05),
        _weights(3, 3, True, 0.03),
    ),
    measure=_stored,
    explain=explained(_stored, _channels(), _of_a_weight),
    praise="Each output channel has a scale of its own, whichever axis it lies on.",
    hints=(
        "One number decides the scale of a channel: its largest |w|. Over which axes is it taken?",
        "Over all axes but that of the outputs: 0, or 1 where transposed. Take |q| in a wide type.",
        "most = np.abs(q.astype(int)).max((0, 2, 3) if transposed else (1, 2, 3), keepdims=True); "
        "scales = s * most / 7; np.round(s * q / scales).",
    ),
    mistakes=(
        Mistake(
            "the wrong axis for a transposed convolution",
            _channels(axes=lambda transposed: (1, 2, 3)),
            (
                "Which axis of q are the outputs, when transposed is True?",
                "PyTorch stores the weights of ConvTranspose2d as (in, out, height, width).",
                "The largest over the axes (0, 2, 3) where transposed, else over (1, 2, 3).",
            ),
        ),
        Mistake(
            "one scale for each input channel",
            _channels(axes=lambda transposed: _outputs(not transposed)),
            (
                "How many scales do you return, and how many outputs are there?",
                "A sum over inputs can't take a factor of each input out; one of the output it can.",
                "The axes (1, 2, 3) share a scale, or (0, 2, 3) where transposed.",
            ),
        ),
        Mistake(
            "one scale for all",
            _channels(axes=lambda transposed: (0, 1, 2, 3)),
            (
                "How many different integers does the channel with the smallest weights use?",
                "The largest channel decides for all of them. Each gets its own scale here.",
                "Take the largest over all axes but that of the outputs, with keepdims=True.",
            ),
        ),
        Mistake(
            "one scale for each pair of channels",
            _channels(axes=lambda transposed: (2, 3)),
            (
                "How many scales do you return, and how many outputs are there?",
                "All inputs of an output share a scale.",
                "Take the largest over the axis of the inputs too.",
            ),
        ),
        Mistake(
            "|−128| in int8",
            _channels(size=abs),
            (
                "Find the −128 in q. What does np.abs make of it?",
                "int8 ends at 127: abs(−128) wraps around to −128, and another weight becomes the largest.",
                "np.abs(q.astype(np.int32)), or floats.",
            ),
        ),
        Mistake(
            "7 · q in int8",
            _times_seven,
            (
                "The scales are right. What is 7 · 25 in int8?",
                "int8 ends at 127: 175 wraps around to −81.",
                "np.round(s * q / scales), or q.astype(np.int32) first.",
            ),
        ),
        Mistake(
            "the largest instead of the largest size",
            _channels(size=lambda q: q.astype(int)),
            (
                "What happens to a channel whose largest weight is negative?",
                "The code goes from −7 to 7: both ends count.",
                "Take the absolute value before .max.",
            ),
        ),
        Mistake(
            "eight steps instead of seven",
            _channels(scale=lambda most, s: most * s / 8),
            (
                "Which integer does the largest weight of a channel become?",
                "8 isn't in −7 … 7.",
                "scales = s * most / 7.",
            ),
        ),
        Mistake(
            "fifteen steps for one side",
            _channels(scale=lambda most, s: most * s / 15),
            (
                "Which integer does the largest weight of a channel become?",
                "15 is the number of integers. From 0 to the largest there are 7 steps.",
                "scales = s * most / 7.",
            ),
        ),
        Mistake(
            "seven and a half steps",
            _channels(scale=lambda most, s: most * s / 7.5),
            (
                "Which number does the largest integer stand for?",
                "max / 7.5 is for a code from −8 to 7. In −7 … 7 the largest weight becomes 7.",
                "scales = s * most / 7.",
            ),
        ),
        Mistake(
            "the scale of eight bits",
            _channels(scale=lambda most, s: most * s / 127),
            (
                "How many integers do four bits have between −7 and 7?",
                "127 is the end of an 8-bit code.",
                "scales = s * most / 7.",
            ),
        ),
        Mistake(
            "the scale of the file is lost",
            _without_the_scale,
            (
                "Multiply one of your integers by its scale. Is that near the weight, or near q?",
                "A weight is s · q, so the new scale contains the old one.",
                "scales = s * most / 7.",
            ),
        ),
        *(
            Mistake(
                "cuts off instead of rounding",
                _channels(round=cut),
                (
                    "6.9 steps: which integer is nearest?",
                    "A cast cuts the digits off.",
                    "np.round(s * q / scales) before the cast.",
                ),
            )
            for cut in (np.trunc, lambda v: np.trunc(v.round(9)))  # 7 steps may come out as 6.999…
        ),
        Mistake(
            "integers that are none",
            _channels(round=lambda v: v),
            (
                "The scales are right. Which of your integers are integers?",
                "A weight divided by its scale is a number of steps. The nearest integer is stored.",
                "np.round(s * q / scales).",
            ),
        ),
        Mistake(
            "the largest weight as the scale",
            _channels(scale=lambda most, s: most * s),
            (
                "Which integer does the largest weight of a channel become?",
                "1. It should be 7, so that 15 different integers are in use.",
                "scales = s * most / 7.",
            ),
        ),
        Mistake(
            "the scales turned round",
            lambda q, s, transposed: (1 / _channels()(q, s, transposed)[0], _channels()(q, s, transposed)[1]),
            (
                "Does your scale grow when the weights grow?",
                "The scale is the distance of two levels: an integer times it is a weight.",
                "scales = s * most / 7.",
            ),
        ),
    ),
)
