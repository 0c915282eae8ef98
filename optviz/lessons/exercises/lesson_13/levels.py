"""The exercise of lesson 13 on weights with three levels.

**Three levels.** ``my_ternary(w, threshold)``: ternary weights are −α, 0 or α. With Δ = threshold · mean |w|:
t is the sign of w where |w| is above Δ, and 0 elsewhere; α is the number for which Σ (w − α·t)² is smallest.
Return t and α.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from optviz.lessons.exercises.lesson_06.shrinking import flat
from optviz.lessons.exercises.lesson_12.wording import explained
from optviz.lessons.material import Exercise, Mistake

__all__ = ["TERNARY"]

_chance = np.random.default_rng(7)


def ternary(
    delta: Callable[[Any, float], float] = lambda w, share: share * np.abs(w).mean(),
    alpha: Callable[[Any, Any, float], float] = lambda w, large, delta: np.abs(w[large]).mean(),
    signs: Callable[[Any, Any], Any] = lambda w, large: np.sign(w) * large,
    above: Callable[[Any, float], Any] = lambda w, delta: np.abs(w) > delta,
) -> Callable[..., Any]:
    """Signs and their size from the threshold, what is above it, and how both are found."""

    def levels(w: Any, threshold: float) -> Any:
        end = delta(w, threshold)
        large = above(w, end)
        return signs(w, large), alpha(w, large, end)

    return levels


def _scaled(w: Any, threshold: float) -> Any:
    t, alpha = ternary()(w, threshold)
    return alpha * t, alpha


def _of_a_level(at: int, w: Any, threshold: float) -> str:
    if at < 0:
        return f"Right are {w.size} values of t and one of α."
    mean = f"The mean |w| is {np.abs(w).mean():.4g}."
    return f"That is α. {mean}" if at == w.size else f"That is t where w is {w.ravel()[at]:g}. {mean}"


TERNARY = Exercise(
    id="13.ternary",
    arguments=("w", "threshold"),
    answer=ternary(),
    explain=explained(flat, ternary(), _of_a_level),
    cases=(
        (np.array([0.1, -0.3, 0.75, -0.8, 1.0, -1.4, 0.65, 2.5, -0.2, 0.9]), 0.7),
        *(
            ((_chance.standard_t(3, shape) + shift).round(2), threshold)
            for shape, shift, threshold in (((3, 5), 0.3, 0.7), ((2, 3, 3), -0.6, 0.9))
        ),
    ),
    measure=flat,
    praise="α is the mean |w| of the weights that are kept: the best size for these signs.",
    hints=(
        "First decide which weights are large. Then one number has to stand for all of them.",
        "Large means |w| > threshold · mean |w|, the mean over all weights. α is a mean over the large ones.",
        "large = abs(w) > threshold * abs(w).mean(); t = np.sign(w) * large; α = abs(w[large]).mean().",
    ),
    mistakes=(
        Mistake(
            "the threshold as it is",
            ternary(lambda w, share: share),
            (
                "All weights are ten times as small. How many does your threshold leave?",
                "The threshold is counted in means of |w|.",
                "delta = threshold * abs(w).mean().",
            ),
        ),
        Mistake(
            "a share of the largest",
            ternary(lambda w, share: share * np.abs(w).max()),
            (
                "What does one single huge weight do to your threshold?",
                "Δ is a multiple of the mean of |w|, not of the largest.",
                "delta = threshold * abs(w).mean().",
            ),
        ),
        Mistake(
            "the mean of the weights with their signs",
            ternary(lambda w, share: share * abs(w.mean())),
            (
                "What is the mean of 1 and −1?",
                "Positive and negative weights cancel in your mean.",
                "abs(w).mean(), not abs(w.mean()).",
            ),
        ),
        *(
            Mistake(
                "the spread instead of the mean size",
                ternary(delta),
                (
                    "Which number do you multiply the threshold by?",
                    "Deviation and root mean square are other measures of size: here it is the mean of |w|.",
                    "delta = threshold * abs(w).mean().",
                ),
            )
            for delta in (
                lambda w, share: share * w.std(),
                lambda w, share: share * np.sqrt((w**2).mean()),
            )
        ),
        Mistake(
            "the mean size of all weights",
            ternary(alpha=lambda w, large, delta: np.abs(w).mean()),
            (
                "Over which weights do you take α?",
                "Those that became 0 need no size, and make yours too small.",
                "abs(w[large]).mean().",
            ),
        ),
        Mistake(
            "divides by all weights",
            ternary(alpha=lambda w, large, delta: np.abs(w[large]).sum() / w.size),
            (
                "By how many weights do you divide?",
                "By as many as were added: the zeros have no part in α.",
                "abs(w[large]).sum() / large.sum().",
            ),
        ),
        Mistake(
            "α with signs",
            ternary(alpha=lambda w, large, delta: w[large].mean()),
            (
                "Two kept weights, 2 and −2: what is your α?",
                "The sign is in t already.",
                "abs(w[large]).mean().",
            ),
        ),
        Mistake(
            "the threshold as the size",
            ternary(alpha=lambda w, large, delta: delta),
            (
                "All kept weights are above Δ. Can Δ be the best number for them?",
                "The best α is their mean size.",
                "abs(w[large]).mean().",
            ),
        ),
        Mistake(
            "the root of the mean square",
            ternary(alpha=lambda w, large, delta: np.sqrt((w[large] ** 2).mean())),
            (
                "Set the derivative of Σ (|w| − α)² over the kept weights to 0. What is α?",
                "The mean makes squared distances smallest, not the root mean square.",
                "abs(w[large]).mean().",
            ),
        ),
        Mistake(
            "no zeros",
            ternary(signs=lambda w, large: np.sign(w)),
            (
                "How many different values has your t?",
                "Two levels are the binary code. Small weights become 0 here.",
                "np.sign(w) * large.",
            ),
        ),
        Mistake(
            "binary weights",
            ternary(
                alpha=lambda w, large, delta: np.abs(w).mean(),
                signs=lambda w, large: np.sign(w),
            ),
            (
                "How many different values has your t?",
                "sign(w) · mean |w| is the binary code. Small weights become 0 here.",
                "large = abs(w) > threshold * abs(w).mean(); t = np.sign(w) * large.",
            ),
        ),
        Mistake(
            "forgets negative weights",
            ternary(above=lambda w, delta: w > delta),
            (
                "Where is −1 in your t?",
                "A large negative weight is large too.",
                "large = abs(w) > delta.",
            ),
        ),
        Mistake(
            "t without signs",
            ternary(signs=lambda w, large: large),
            (
                "Where is −1 in your t?",
                "t has the sign of each weight that is kept.",
                "np.sign(w) * large.",
            ),
        ),
        Mistake(
            "keeps the small ones",
            ternary(above=lambda w, delta: np.abs(w) <= delta),
            (
                "Which weights are 0 in your t?",
                "The small ones should be.",
                "large = abs(w) > delta.",
            ),
        ),
        Mistake(
            "keeps the weights themselves",
            ternary(signs=lambda w, large: w * large),
            (
                "Which values may t have?",
                "−1, 0 and 1. What you have is a pruned layer: as many values as before.",
                "t = np.sign(w) * large.",
            ),
        ),
        Mistake(
            "t is multiplied by α already",
            _scaled,
            (
                "Which values may t have?",
                "−1, 0 and 1, two bits each; α is stored once.",
                "t = np.sign(w) * large.",
            ),
        ),
    ),
)
