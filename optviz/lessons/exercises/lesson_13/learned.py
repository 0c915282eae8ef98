"""The exercise of lesson 13 on the gradient of the distance of two levels.

**The gradient of a step size.** ``my_lsq(x, dy, s, bits)``: LSQ rounds to x̂ = s · round(clip(x / s, low,
high)) with low = −2^(bits−1) and high = 2^(bits−1) − 1. `dy` is the gradient of x̂. Where x was not clipped,
x̂ changes with s by round(x/s) − x/s; where it was, by low or high. Return the gradient of x (straight
through) and that of s: the sum over all N numbers, divided by √(N · high).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from optviz.lessons.exercises.lesson_06.shrinking import flat
from optviz.lessons.exercises.lesson_12.wording import explained
from optviz.lessons.exercises.lesson_13.straight import steps
from optviz.lessons.material import Exercise, Mistake

__all__ = ["LSQ"]

_chance = np.random.default_rng(31)


def _for_step(s: float, bits: int, shape: tuple[int, ...]) -> tuple[Any, ...]:
    high = 2 ** (bits - 1) - 1
    x = s * steps(-high - 1, high, shape, _chance)
    return x.round(4), _chance.normal(0.2, 1, shape).round(2), s, bits


Slope = Callable[[Any, int, int], Any]  # (x / s, low, high) -> how x̂ changes with s


def _slope(v: Any, low: int, high: int) -> Any:
    return np.where((v > low) & (v < high), np.rint(v) - v, np.clip(v, low, high))


def lsq(
    slope: Slope = _slope,
    share: Callable[[int, int, int], float] = lambda n, low, high: (n * high) ** -0.5,
    along: Callable[..., Any] = lambda dy, inside, s: dy * inside,
    total: Callable[[Any], Any] = np.sum,
) -> Callable[..., Any]:
    """Both gradients, from the slope in s, the factor of its sum, and the gradient of x."""

    def gradients(x: Any, dy: Any, s: float, bits: int) -> Any:
        low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
        v = x / s
        ds = total(dy * slope(v, low, high)) * share(x.size, low, high)
        return along(dy, (v > low) & (v < high), s), ds

    return gradients


def _without_dy(x: Any, dy: Any, s: float, bits: int) -> Any:
    return lsq()(x, dy, s, bits)[0], lsq()(x, np.ones_like(dy), s, bits)[1]


def _of_a_gradient(at: int, x: Any, dy: Any, s: float, bits: int) -> str:
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    if at < 0:
        return f"Right are {x.size} gradients of x and one of s."
    if at < x.size:
        v = x.ravel()[at]
        return f"That is the gradient of x where x / s is {v / s:.4g}, in a code from {low} to {high}."
    clipped = int(((x / s < low) | (x / s > high)).sum())
    return f"That is the gradient of s. Of the {x.size} numbers {clipped} are clipped."


LSQ = Exercise(
    id="13.lsq",
    arguments=("x", "dy", "s", "bits"),
    answer=lsq(),
    cases=(
        _for_step(0.5, 3, (10,)),
        _for_step(0.1, 2, (3, 4)),
        _for_step(0.02, 4, (2, 9)),
        _for_step(3.0, 8, (7,)),
    ),
    measure=flat,
    explain=explained(flat, lsq(), _of_a_gradient),
    praise="Inside, rounding errors pull at the step; outside, what was clipped does. Scaled, it can train.",
    hints=(
        "Three kinds of numbers: below the code, inside it, above it. Each has its own slope in s.",
        "low, round(v) − v, high, with v = x / s. Times dy, summed, divided by √(N · high).",
        "slope = np.where((v > low) & (v < high), np.round(v) - v, np.clip(v, low, high)); "
        "ds = (dy * slope).sum() / np.sqrt(x.size * high); dx = dy where v is inside, else 0.",
    ),
    mistakes=(
        Mistake(
            "not scaled",
            lsq(share=lambda n, low, high: 1.0),
            (
                "How does your gradient of s grow with the number of weights?",
                "A sum over all of them is far too large beside s: the step would jump about.",
                "Divide by np.sqrt(x.size * high).",
            ),
        ),
        Mistake(
            "scaled by the count alone",
            lsq(share=lambda n, low, high: n**-0.5),
            (
                "Look at the scale: does it know of the bits?",
                "The more levels, the farther a change of s moves the last of them.",
                "Divide by np.sqrt(x.size * high), not by np.sqrt(x.size).",
            ),
        ),
        Mistake(
            "scaled without the root",
            lsq(share=lambda n, low, high: 1 / (n * high)),
            (
                "Is your gradient of s smaller than the right one by the same factor each time?",
                "The scale is 1 / √(N · high).",
                "Divide by np.sqrt(x.size * high).",
            ),
        ),
        Mistake(
            "the mean",
            lsq(share=lambda n, low, high: 1 / n),
            (
                "By what do you divide the sum?",
                "Not by N: by √(N · high).",
                "(dy * slope).sum() / np.sqrt(x.size * high).",
            ),
        ),
        Mistake(
            "the mean, and then scaled",
            lsq(share=lambda n, low, high: (n * high) ** -0.5 / n),
            (
                "By what do you divide, all in all?",
                "The sum is scaled, not the mean: N is in the root already.",
                "(dy * slope).sum() / np.sqrt(x.size * high).",
            ),
        ),
        Mistake(
            "scaled by the end of the code alone",
            lsq(share=lambda n, low, high: high**-0.5),
            (
                "How does your gradient of s grow with the number of weights?",
                "N belongs into the root too.",
                "np.sqrt(x.size * high).",
            ),
        ),
        Mistake(
            "multiplies by the root",
            lsq(share=lambda n, low, high: (n * high) ** 0.5),
            (
                "Should the scale make the gradient of s smaller, or larger?",
                "Smaller: it is a sum over all numbers.",
                "Divide by np.sqrt(x.size * high).",
            ),
        ),
        Mistake(
            "scaled by the lower end",
            lsq(share=lambda n, low, high: (-n * low) ** -0.5),
            (
                "Which end of the code stands in your root?",
                "The upper one, 2^(bits−1) − 1, which is one smaller.",
                "np.sqrt(x.size * high).",
            ),
        ),
        Mistake(
            "scaled by the number of levels",
            lsq(share=lambda n, low, high: (n * (high - low + 1)) ** -0.5),
            (
                "What stands in your root beside N?",
                "The upper end of the code, not how many integers it has.",
                "np.sqrt(x.size * high) with high = 2**(bits - 1) - 1.",
            ),
        ),
        Mistake(
            "what was clipped has no part in s",
            lsq(lambda v, low, high: (np.rint(v) - v) * ((v > low) & (v < high))),
            (
                "A number beyond the last level becomes s · high. Does that change with s?",
                "By high: that is how large numbers make the step grow.",
                "np.where(inside, np.round(v) - v, np.clip(v, low, high)).",
            ),
        ),
        Mistake(
            "the rounding error of what was clipped",
            lsq(lambda v, low, high: np.rint(v) - v),
            (
                "A number beyond the last level becomes s · high. By how much does that change with s?",
                "By high (or low), not by a rounding error.",
                "np.where(inside, np.round(v) - v, np.clip(v, low, high)).",
            ),
        ),
        Mistake(
            "the distance of what was clipped",
            lsq(lambda v, low, high: np.rint(np.clip(v, low, high)) - v),
            (
                "A number beyond the last level becomes s · high. By how much does that change with s?",
                "By high. −x/s comes from the rounding, which is passed over only inside the code.",
                "np.where(inside, np.round(v) - v, np.clip(v, low, high)).",
            ),
        ),
        Mistake(
            "forgets that x / s depends on s",
            lsq(lambda v, low, high: np.rint(np.clip(v, low, high))),
            (
                "s stands twice in s · round(x / s). Which of them did you differentiate?",
                "Straight through, the second gives −x/s: inside, round(x/s) − x/s is left.",
                "np.where(inside, np.round(v) - v, np.clip(v, low, high)).",
            ),
        ),
        Mistake(
            "the rounding error with the wrong sign",
            lsq(lambda v, low, high: np.where((v > low) & (v < high), v - np.rint(v), np.clip(v, low, high))),
            (
                "x/s = 2.3, rounded to 2: does a larger s make s · 2 − x larger or smaller?",
                "The slope inside is round(v) − v, not v − round(v).",
                "np.round(v) - v.",
            ),
        ),
        Mistake(
            "a symmetric code",
            lsq(lambda v, low, high: np.where((v > low) & (v < high), np.rint(v) - v, np.sign(v) * high)),
            (
                "Which integer is the lowest of this code?",
                "low = −2^(bits−1): one farther from 0 than high.",
                "np.clip(v, low, high) outside.",
            ),
        ),
        Mistake(
            "forgets the gradient that came in",
            _without_dy,
            (
                "Does your gradient of s depend on dy?",
                "Each number's slope counts as much as the loss depends on that number.",
                "(dy * slope).sum().",
            ),
        ),
        Mistake(
            "a gradient of x outside the range too",
            lsq(along=lambda dy, inside, s: dy),
            (
                "The gradient of s is right. What does a clipped x get?",
                "x̂ stays at the last level there, whatever x does.",
                "dx = dy * ((v > low) & (v < high)).",
            ),
        ),
        *(
            Mistake(
                "the gradient of x is not dy",
                lsq(along=along),
                (
                    "x grows by one step, inside the code. By how much does x̂ grow?",
                    "By one step too: the slope is 1, and the chain rule multiplies it by dy.",
                    "dx = dy * ((v > low) & (v < high)).",
                ),
            )
            for along in (
                lambda dy, inside, s: inside,
                lambda dy, inside, s: dy * inside * s,
                lambda dy, inside, s: dy * inside / s,
            )
        ),
        Mistake(
            "no gradient of x",
            lsq(along=lambda dy, inside, s: 0 * dy),
            (
                "The gradient of s is right. How would the weights learn?",
                "Straight through: the rounding counts as a slope of 1.",
                "dx = dy * ((v > low) & (v < high)).",
            ),
        ),
        Mistake(
            "one gradient for each number",
            lsq(total=lambda parts: parts),
            (
                "How many steps are there, and how many gradients of s do you return?",
                "One s serves all numbers: their parts are added.",
                "(dy * slope).sum() / np.sqrt(x.size * high).",
            ),
        ),
    ),
)
