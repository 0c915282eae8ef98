"""The exercise of lesson 12 on a layer that computes with integers.

**A layer in integers.** ``my_layer(xq, zero, s_in, wq, s_w, bias)``: inputs `xq` (N, in), uint8 with scale
`s_in` and zero point `zero`; weights `wq` (out, in), int8 with zero point 0 and a scale for each output,
`s_w` (out,); `bias` (out,) in floats. Output o is s_in · s_w[o] times an integer. Return these integers
(N, out), the bias rounded to an integer of the same unit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from optviz.lessons.exercises.lesson_06.shrinking import flat
from optviz.lessons.exercises.lesson_12.wording import explained
from optviz.lessons.material import Exercise, Mistake

__all__ = ["LAYER"]

_chance = np.random.default_rng(42)


def _layer(
    n: int, inputs: int, out: int, zero: int, s_in: float, top: int
) -> tuple[np.ndarray, int, float, np.ndarray, np.ndarray, np.ndarray]:
    """A batch and a layer; where ``top`` is 127 its sums don't fit into 16 bits."""
    xq = _chance.integers(0, 256, (n, inputs)).astype(np.uint8)
    wq = _chance.integers(-top, top + 1, (out, inputs)).astype(np.int8)
    if top == 127:
        xq[0], wq[0] = 250, 120
    s_w = np.linspace(0.002, 0.011, out).round(4)
    bias = (s_in * s_w * (_chance.integers(-900, 900, out) + 0.7)).round(7)
    return xq, zero, s_in, wq, s_w, bias


Bias = Callable[[Any, float, Any], Any]  # (bias, scale of the inputs, scales of the weights) -> integers


def _unit(bias: Any, s_in: float, s_w: Any) -> Any:
    return np.rint(bias / (s_in * s_w))


def _product(xq: Any, zero: int, wq: Any) -> Any:
    return (xq.astype(int) - zero) @ wq.astype(int).T


def _sums(
    product: Callable[[Any, int, Any], Any] = _product, bias: Bias = _unit, *, real: bool = False
) -> Callable[..., Any]:
    """The layer from its sum of products and its bias; ``real``: times the scales."""

    def layer(xq: Any, zero: int, s_in: float, wq: Any, s_w: Any, b: Any) -> Any:
        sums = product(xq, zero, wq) + bias(b, s_in, s_w)
        return sums * (s_in * s_w) if real else sums

    return layer


def _of_an_output(at: int, xq: Any, zero: int, s_in: float, wq: Any, s_w: Any, bias: Any) -> str:
    if at < 0:
        return f"Right are {len(xq)} × {len(wq)} values: one for each example and output."
    example, output = divmod(at, len(wq))
    plain = int(_product(xq, 0, wq)[example, output])
    return f"That is output {output} of example {example}. There Σ wq·xq is {plain:,}."


LAYER = Exercise(
    id="12.integer_layer",
    arguments=("xq", "zero", "s_in", "wq", "s_w", "bias"),
    answer=_sums(),
    cases=(
        _layer(2, 4, 3, 10, 0.02, 60),
        _layer(3, 3, 3, 128, 0.05, 90),
        _layer(2, 12, 2, 77, 0.01, 127),
        _layer(1, 5, 4, 0, 0.1, 30),
    ),
    measure=flat,
    explain=explained(flat, _sums(), _of_an_output),
    praise="Σ q_w·(q_x − Z) + b in 32 bits: that is all a layer has to compute, and s_in·s_w waits outside.",
    hints=(
        "Write the inputs as s_in · (xq − zero), the weights as s_w · wq. Take the scales out of the sum.",
        "Σ wq·(xq − zero) in a wide type, int32 or wider; the bias in units of s_in · s_w.",
        "(xq.astype(np.int32) - zero) @ wq.astype(np.int32).T + np.round(bias / (s_in * s_w)).",
    ),
    mistakes=(
        Mistake(
            "forgets the zero point of the inputs",
            _sums(lambda xq, zero, wq: _product(xq, 0, wq)),
            (
                "All inputs are 0.0, so all xq are `zero`. What do your sums give?",
                "Σ wq·(xq − zero) = Σ wq·xq − zero·Σ wq: the second part is missing.",
                "Subtract zero * wq.sum(1), or zero from xq before the product.",
            ),
        ),
        Mistake(
            "adds the zero point",
            _sums(lambda xq, zero, wq: _product(xq, -zero, wq)),
            (
                "All inputs are 0.0, so all xq are `zero`. What do your sums give?",
                "A number is s · (q − Z): the correction is subtracted.",
                "− zero * wq.sum(1).",
            ),
        ),
        Mistake(
            "subtracts the zero point once",
            _sums(lambda xq, zero, wq: _product(xq, 0, wq) - zero),
            (
                "All inputs are 0.0, so all xq are `zero`. What do your sums give?",
                "Each product has its own zero · wq.",
                "− zero * wq.sum(1), one number for each output.",
            ),
        ),
        Mistake(
            "one correction for all outputs",
            _sums(lambda xq, zero, wq: _product(xq, 0, wq) - zero * int(wq.sum())),
            (
                "How many numbers is your Σ wq?",
                "The sum is over the inputs of one output, not over the whole matrix.",
                "− zero * wq.sum(1).",
            ),
        ),
        Mistake(
            "subtracts in uint8",
            _sums(lambda xq, zero, wq: ((xq.astype(int) - zero) % 256) @ wq.astype(int).T),
            (
                "xq = 3, zero = 10: what is xq − zero in uint8?",
                "−7 wraps around to 249.",
                "xq.astype(np.int32) - zero.",
            ),
        ),
        Mistake(
            "computes in the types that came in",
            _sums(lambda xq, zero, wq: (xq - np.uint8(zero)) @ wq.T),
            (
                "Of which type is xq − zero, and of which the product with wq?",
                "uint8 wraps below 0, and uint8 times int8 is summed in int16, which ends at 32,767.",
                "Both .astype(np.int32) first.",
            ),
        ),
        *(
            Mistake(
                "sums in 16 bits",
                _sums(product),
                (
                    "How large can 12 products of 250 and 120 become?",
                    "360,000. int16 ends at 32,767 and wraps around; NumPy sums uint8 times int8 in it.",
                    "xq.astype(np.int32) @ wq.astype(np.int32).T.",
                ),
            )
            for product in (
                lambda xq, zero, wq: xq @ wq.T - zero * wq.sum(1, dtype=int),
                lambda xq, zero, wq: (xq.astype(np.int16) - zero) @ wq.T,
            )
        ),
        Mistake(
            "no zero point, and sums in 16 bits",
            _sums(lambda xq, zero, wq: xq @ wq.T),
            (
                "All inputs are 0.0, so all xq are `zero`: what do your sums give? How large can they be?",
                "Σ wq·(xq − zero) needs the zero point, and more than the int16 that NumPy sums in here.",
                "(xq.astype(np.int32) - zero) @ wq.astype(np.int32).T.",
            ),
        ),
        *(
            Mistake(
                "reads the inputs as int8",
                _sums(product),
                (
                    "What is 200 in int8?",
                    "The inputs are uint8: above 127 int8 wraps around to negative numbers.",
                    "xq.astype(np.int32).",
                ),
            )
            for product in (
                lambda xq, zero, wq: _product(xq.astype(np.int8), zero, wq),
                lambda xq, zero, wq: (xq.astype(np.int8) - zero) @ wq.astype(int).T,
            )
        ),
        Mistake(
            "the bias as it is",
            _sums(bias=lambda b, s_in, s_w: b),
            (
                "In which unit are your sums, and in which is the bias?",
                "One step of the sum is s_in · s_w, so the bias is that many steps long.",
                "np.round(bias / (s_in * s_w)).",
            ),
        ),
        Mistake(
            "the bias in units of the weights",
            _sums(bias=lambda b, s_in, s_w: np.rint(b / s_w)),
            (
                "What is the unit of a product of a weight and an input?",
                "The scale of the bias is not that of the weights: the inputs' belongs to it too.",
                "np.round(bias / (s_in * s_w)).",
            ),
        ),
        Mistake(
            "the bias in units of the inputs",
            _sums(bias=lambda b, s_in, s_w: np.rint(b / s_in)),
            (
                "What is the unit of a product of a weight and an input?",
                "The scale of the bias is not that of the inputs: the weights' belongs to it too.",
                "np.round(bias / (s_in * s_w)).",
            ),
        ),
        *(
            Mistake(
                "one scale of the bias for all outputs",
                _sums(bias=bias),
                (
                    "How many scales do the weights have?",
                    "Each output has its own, and so has its bias.",
                    "np.round(bias / (s_in * s_w)), with all of s_w.",
                ),
            )
            for bias in (
                lambda b, s_in, s_w: np.rint(b / (s_in * s_w.max())),
                lambda b, s_in, s_w: np.rint(b / (s_in * s_w.mean())),
                lambda b, s_in, s_w: np.rint(b / (s_in * s_w[0])),
            )
        ),
        Mistake(
            "the bias is not rounded",
            _sums(bias=lambda b, s_in, s_w: b / (s_in * s_w)),
            (
                "Are your sums integers?",
                "The bias is stored as an int32.",
                "np.round(bias / (s_in * s_w)).",
            ),
        ),
        *(
            Mistake(
                "the bias is cut off",
                _sums(bias=bias),
                (
                    "A bias of 12.7 steps: is 12 the nearest integer?",
                    "A cast and floor cut the digits off.",
                    "np.round(bias / (s_in * s_w)), then the cast.",
                ),
            )
            for bias in (
                lambda b, s_in, s_w: np.trunc(b / (s_in * s_w)),
                lambda b, s_in, s_w: np.floor(b / (s_in * s_w)),
            )
        ),
        Mistake(
            "the bias is lost",
            _sums(bias=lambda b, s_in, s_w: 0),
            (
                "What is left of the bias in your sums?",
                "Left out, or multiplied by tiny scales, it is 0. A number becomes an integer by division.",
                "+ np.round(bias / (s_in * s_w)).",
            ),
        ),
        *(
            Mistake(
                "gives floats back",
                _sums(bias=bias, real=True),
                (
                    "Are your outputs integers?",
                    "Times s_in · s_w they are the layer's outputs. The integers before that are asked for.",
                    "Leave the last multiplication out.",
                ),
            )
            for bias in (_unit, lambda b, s_in, s_w: b / (s_in * s_w))
        ),
    ),
)
