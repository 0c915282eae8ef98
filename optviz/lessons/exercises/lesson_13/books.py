"""The exercise of lesson 13 on a codebook that is trained.

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
from optviz.lessons.exercises.lesson_12.wording import explained
from optviz.lessons.material import Exercise, Mistake

__all__ = ["CENTROIDS"]

_chance = np.random.default_rng(7)


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


def _of_a_value(at: int, centroids: Any, labels: Any, gradient: Any, lr: float) -> str:
    k = len(centroids)
    if at < 0:
        return f"Right are {k} centroids and {labels.size} weights."
    if at < k:
        return f"That is centroid {at}, the value of {int((labels == at).sum())} weights."
    return f"The centroids are right. That is a weight with the label {labels.ravel()[at - k]}."


def _both(new: Any, old: Any, labels: Any, gradient: Any, lr: float) -> Any:
    return np.where(labels >= 0, new[labels] - lr * gradient, 0.0)


CENTROIDS = Exercise(
    id="13.centroids",
    arguments=("centroids", "labels", "gradient", "lr"),
    answer=step(),
    explain=explained(flat, step(), _of_a_value),
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
                step(pull, weights),
                (
                    "How many different values have your weights?",
                    "They are no codebook any more. Only the centroids move, the weights follow.",
                    "np.where(labels >= 0, new[labels], 0).",
                ),
            )
            for pull, weights in ((_summed, _own), (_averaged, _own), (_summed, _both))
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
