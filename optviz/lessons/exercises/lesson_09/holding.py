"""An exercise on masks that last: momentum revives what was set to 0 once.

**A mask that holds.** ``my_training(w, v, mask, X, y, lr, beta, steps)``: a linear model X·w was trained with
momentum; `w` are its weights, `v` its velocity. Prune it: what `mask` marks with False is 0 before the first
gradient is taken. Then train on for `steps` updates with v ← beta·v + g, w ← w − lr·v, where
`g = X.T @ (X @ w - y) / len(y)` is the gradient of the loss. Whenever a gradient is taken, and at the end,
the pruned weights are exactly 0. Return the weights after the last update.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from optviz.lessons.exercises.lesson_06.shrinking import flat
from optviz.lessons.material import Exercise, Mistake

__all__ = ["HOLD"]

_chance = np.random.default_rng(9)
_CASES = tuple(
    (
        _chance.normal(size=5).round(2),
        _chance.normal(size=5).round(2),
        np.array(mask, bool),
        _chance.normal(size=(8, 5)).round(1),
        _chance.normal(size=8).round(1),
        *rest,
    )
    for mask, *rest in (
        ([1, 0, 1, 0, 1], 0.1, 0.9, 3),
        ([0, 1, 1, 1, 0], 0.05, 0.5, 1),
        ([1, 1, 0, 0, 0], 0.2, 0.9, 8),
        ([0, 0, 1, 0, 1], 0.1, 0.0, 4),
    )
)


def _train(*where: str) -> Any:
    """Training with the mask at some of these places: start, gradient, velocity, before, after, end."""

    def run(w: Any, v: Any, mask: Any, X: Any, y: Any, lr: float, beta: float, steps: int) -> Any:
        def held(x: Any, place: str) -> Any:
            return x * mask if place in where else x

        w = held(w, "start")
        for _ in range(steps):
            w = held(w, "before")
            g = held(X.T @ (X @ w - y) / len(y), "gradient")
            v = beta * v + g if "reset" not in where else g
            w = held(w - lr * held(v, "velocity"), "after")
        return held(w, "end")

    return run


HOLD = Exercise(
    id="09.hold",
    arguments=("w", "v", "mask", "X", "y", "lr", "beta", "steps"),
    answer=_train("start", "after"),
    cases=_CASES,
    measure=flat,
    praise="The zeros hold, because the weights are masked after every update, whatever the velocity holds.",
    hints=(
        "Two places: once before training, and once somewhere in the loop.",
        "What comes last in an update? The mask has to come after it.",
        "w = w * mask; then each time v = beta*v + X.T @ (X @ w - y) / len(y) and w = (w - lr*v) * mask.",
    ),
    mistakes=(
        Mistake(
            "masks once, then trains",
            _train("start"),
            (
                "Look at the pruned weights of your answer. Are they 0?",
                "Their gradient and their velocity move them again, from the first update on.",
                "Multiply by the mask after every update: w = (w - lr*v) * mask.",
            ),
        ),
        Mistake(
            "masks only the gradient",
            _train("start", "gradient"),
            (
                "Their gradient is 0. Does that stop a weight that has a velocity?",
                "v = beta·v + 0 is not 0: momentum goes on moving what was pruned.",
                "Mask the weights themselves after every update.",
            ),
        ),
        Mistake(
            "masks the gradient, never the weights",
            _train("gradient"),
            (
                "Which of your weights are 0 at the end?",
                "A mask on the gradient stops weights where they are; it doesn't prune them.",
                "w = w * mask first, and again after every update.",
            ),
        ),
        Mistake(
            "masks the step, never the weights",
            _train("velocity"),
            (
                "The pruned weights don't move. Where do they stand?",
                "They still have their old values, since nothing has set them to 0.",
                "w = w * mask first, and again after every update.",
            ),
        ),
        Mistake(
            "masks before the update",
            _train("before"),
            (
                "What is the last thing that happens to w?",
                "The last update comes after your last mask, and moves what was pruned.",
                "w = (w - lr*v) * mask, after the update.",
            ),
        ),
        Mistake(
            "trains first, prunes at the end",
            _train("end"),
            (
                "At which weights did you take the gradients?",
                "The weights that stay never learned to do without the others.",
                "w = w * mask before the loop, and after every update.",
            ),
        ),
        Mistake(
            "the first gradient sees the dense weights",
            _train("after"),
            (
                "At which weights is your first gradient taken?",
                "The mask comes at the end of the loop, so the first pass still has all weights.",
                "w = w * mask once before the loop too.",
            ),
        ),
        Mistake(
            "loses the velocity",
            _train("start", "after", "reset"),
            (
                "Compare a weight that stays with the same one in ordinary training.",
                "Its velocity is forgotten at every update.",
                "v = beta*v + g, as without pruning.",
            ),
        ),
    ),
)
