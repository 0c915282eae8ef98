"""Exercises on few values: three levels, and a codebook that is trained.

**Three levels.** ``my_ternary(w, threshold)``: ternary weights are −α, 0 or α. With Δ = threshold · mean |w|:
t is the sign of w where |w| is above Δ, and 0 elsewhere; α is the number for which Σ (w − α·t)² is smallest.
Return t and α.

**Train a codebook.** ``my_centroids(centroids, labels, gradient, lr)``: weight i has the value
`centroids[labels[i]]`, or is pruned and exactly 0 where `labels[i]` is −1. `gradient[i]` is the derivative of
the loss by weight i. Do one step of gradient descent with rate `lr` on the *centroids*. Return the new
centroids and the new weights.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from optviz.lessons.exercises.lesson_06.shrinking import flat
from optviz.lessons.material import Exercise, Mistake

__all__ = ["CENTROIDS", "TERNARY"]

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


TERNARY = Exercise(
    id="13.ternary",
    arguments=("w", "threshold"),
    answer=ternary(),
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
        Mistake(
            "the spread instead of the mean size",
            ternary(lambda w, share: share * w.std()),
            (
                "Which number do you multiply the threshold by?",
                "The standard deviation is another measure of size: here it is the mean of |w|.",
                "delta = threshold * abs(w).mean().",
            ),
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


def _book(count: int, k: int, shape: tuple[int, ...], lr: float) -> tuple[Any, ...]:
    """A codebook, labels with each value at least twice and some pruned, and gradients."""
    labels = np.concatenate([np.arange(-1, k), np.arange(-1, k), _chance.integers(-1, k, count)])
    labels = _chance.permutation(labels).reshape(shape)
    centroids = np.sort(_chance.normal(size=k)).round(2)
    return centroids, labels, _chance.normal(0.3, 1, shape).round(2), lr


Pull = Callable[[Any, Any, int], Any]  # (labels, gradients, k) -> gradients of the centroids


def _summed(labels: Any, gradient: Any, k: int) -> Any:
    return np.array([gradient[labels == j].sum() for j in range(k)])


def _averaged(labels: Any, gradient: Any, k: int) -> Any:
    return np.array([gradient[labels == j].mean() for j in range(k)])


def _last(labels: Any, gradient: Any, k: int) -> Any:
    return np.array([gradient[labels == j][-1] for j in range(k)])


def _last_of_all(labels: Any, gradient: Any, k: int) -> Any:
    return _last(labels % k, gradient, k)


def _with_pruned(labels: Any, gradient: Any, k: int) -> Any:
    return _summed(labels % k, gradient, k)


def _spread(new: Any, old: Any, labels: Any, gradient: Any, lr: float) -> Any:
    return np.where(labels >= 0, new[labels], 0.0)


def _filled(new: Any, old: Any, labels: Any, gradient: Any, lr: float) -> Any:
    return new[labels]


def step(pull: Pull = _summed, weights: Callable[..., Any] = _spread, sign: float = -1) -> Callable[..., Any]:
    """One step on the codebook, from the gradient of a centroid and how weights are read from it."""

    def trained(centroids: Any, labels: Any, gradient: Any, lr: float) -> Any:
        new = centroids + sign * lr * pull(labels, gradient, len(centroids))
        return new, weights(new, centroids, labels, gradient, lr)

    return trained


def _own(new: Any, old: Any, labels: Any, gradient: Any, lr: float) -> Any:
    return np.where(labels >= 0, old[labels] - lr * gradient, 0.0)


CENTROIDS = Exercise(
    id="13.centroids",
    arguments=("centroids", "labels", "gradient", "lr"),
    answer=step(),
    cases=(_book(4, 2, (10,), 0.1), _book(6, 3, (2, 7), 0.05), _book(8, 4, (6, 3), 0.2)),
    measure=flat,
    praise="One value serves many weights, so all their gradients add up in it. The labels stay.",
    hints=(
        "A centroid moves a little. Which weights move with it?",
        "All weights with its label, so the chain rule adds their gradients. Label −1 is no centroid.",
        "new = centroids.copy(); kept = labels >= 0; np.add.at(new, labels[kept], -lr * gradient[kept]); "
        "weights = np.where(kept, new[labels], 0).",
    ),
    mistakes=(
        Mistake(
            "the mean of the gradients",
            step(_averaged),
            (
                "Ten weights have this value. A small change of it changes the loss by what?",
                "By the sum of ten changes: the gradient of a shared value is a sum, not a mean.",
                "gradient[labels == j].sum().",
            ),
        ),
        *(
            Mistake(
                "only the last weight of each label counts",
                step(pull, weights),
                (
                    "new[labels] -= …: how often is a centroid with five weights changed?",
                    "NumPy reads it once and keeps the last of five writings.",
                    "np.add.at(new, labels[kept], -lr * gradient[kept]), or one sum for each label.",
                ),
            )
            for pull, weights in (
                (_last, _spread),
                (_last, _filled),
                (_last_of_all, _spread),
                (_last_of_all, _filled),
            )
        ),
        Mistake(
            "pruned weights pull at the last centroid",
            step(_with_pruned),
            (
                "What is centroids[-1]?",
                "For NumPy −1 is the last place. Pruned weights have no value, and no say in one.",
                "kept = labels >= 0, and only labels[kept], gradient[kept].",
            ),
        ),
        Mistake(
            "pruned weights come back",
            step(weights=_filled),
            (
                "What is new[-1], and which weights get it?",
                "For NumPy −1 is the last place: the pruned weights took its value.",
                "np.where(labels >= 0, new[labels], 0).",
            ),
        ),
        Mistake(
            "takes −1 for the last centroid",
            step(_with_pruned, _filled),
            (
                "What is centroids[-1]?",
                "For NumPy −1 is the last place. Pruned weights pull at it, and get its value.",
                "kept = labels >= 0: only those are summed, and all others are 0.",
            ),
        ),
        *(
            Mistake(
                "each weight on its own",
                step(pull, _own),
                (
                    "How many different values have your weights?",
                    "They are no codebook any more. Only the centroids move, the weights follow.",
                    "np.where(labels >= 0, new[labels], 0).",
                ),
            )
            for pull in (_summed, _averaged)
        ),
        Mistake(
            "uphill",
            step(sign=1),
            (
                "In which direction does the loss fall?",
                "Against the gradient.",
                "centroids - lr * sums.",
            ),
        ),
        Mistake(
            "divides by the number of weights",
            step(lambda labels, gradient, k: _summed(labels, gradient, k) / labels.size),
            (
                "By what did you divide the sum?",
                "By nothing: the gradient of a shared value is the sum itself.",
                "gradient[labels == j].sum().",
            ),
        ),
        Mistake(
            "one gradient for all centroids",
            step(lambda labels, gradient, k: np.full(k, gradient.sum())),
            (
                "Do your centroids all move by the same distance?",
                "Each follows its own weights.",
                "gradient[labels == j].sum() for centroid j.",
            ),
        ),
        Mistake(
            "the weights of before",
            step(
                weights=lambda new, old, labels, gradient, lr: _spread(old, old, labels, gradient, lr),
            ),
            (
                "Your centroids are right. Do your weights have these values?",
                "You read them from the codebook as it was before the step.",
                "np.where(labels >= 0, new[labels], 0).",
            ),
        ),
    ),
)
