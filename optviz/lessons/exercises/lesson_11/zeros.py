"""Exercises in which learning itself makes zeros: of single weights, and of whole units.

**Exact zeros.** ``my_lasso(w, b, X, y, lr, strength, steps)``: a linear model X·w + b learns with the
penalty strength·Σ|w|, from the weights `w` and the bias `b` that are handed in. With r = X @ w + b − y the
gradients of the data loss are `X.T @ r / len(y)` for the weights and `r.mean()` for the bias. Do `steps`
updates of proximal gradient descent: a plain gradient step at rate `lr` on both, then the soft threshold, on
the weights only. Return the weights and the bias.

**Whole units.** ``my_groups(W, lr, strength)``: row u of `W` holds the weights of unit u. Do the proximal
step of the group lasso, whose penalty is strength·√n·‖W[u]‖, summed over the rows: each row becomes
W[u]·max(0, 1 − lr·strength·√n/‖W[u]‖), where n is the number of weights in a row and ‖·‖ the root of the sum
of their squares. A row of zeros stays zero. Return the new matrix.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from optviz.lessons.exercises.lesson_06.shrinking import flat
from optviz.lessons.material import Exercise, Mistake

__all__ = ["GROUPS", "PROX"]

_chance = np.random.default_rng(11)


def _problems() -> tuple[Any, ...]:
    """Small regressions, in which the lasso sets some weights to zero and the bias is far from it."""
    found = []
    for lr, strength, steps in ((0.1, 0.5, 1), (0.2, 0.8, 3), (0.3, 0.4, 25), (0.1, 0.0, 4)):
        X = _chance.normal(size=(12, 5)).round(1)
        y = (X @ np.array([2.0, -1.0, 0.2, 0.0, 0.05]) + 3).round(1)
        found.append((_chance.normal(size=5).round(2), 0.7, X, y, lr, strength, steps))
    return tuple(found)


def soft(v: Any, t: Any) -> Any:
    return np.sign(v) * np.maximum(np.abs(v) - t, 0)


Update = Callable[[Any, Any, Any, float, float], Any]  # (w, gradient, threshold, rate, strength) -> w


def _weights(w: Any, g: Any, t: Any, lr: float, strength: float) -> Any:
    return soft(w - lr * g, t)


def lasso(
    update: Update = _weights,
    *,
    bias: Callable[[Any, float, float], Any] = lambda b, lr, strength: b,
    still: bool = False,
    late: bool = False,
    total: bool = False,
) -> Any:
    """The whole training, from one update of the weights and what else is done to the bias."""

    def trained(w: Any, b: Any, X: Any, y: Any, lr: float, strength: float, steps: int) -> Any:
        for _ in range(steps):
            r, count = X @ w + b - y, 1 if total else len(y)
            w = update(w, X.T @ r / count, lr * strength, lr, strength)
            if late:
                r = X @ w + b - y
            b = b if still else bias(b - lr * r.sum() / count, lr, strength)
        return w, b

    return trained


def _once(w: Any, b: Any, X: Any, y: Any, lr: float, strength: float, steps: int) -> Any:
    w, b = lasso(lambda w, g, t, lr, s: w - lr * g)(w, b, X, y, lr, strength, steps)
    return soft(w, lr * strength), b


PROX = Exercise(
    id="11.prox",
    arguments=("w", "b", "X", "y", "lr", "strength", "steps"),
    answer=lasso(),
    cases=_problems(),
    measure=flat,
    praise="A step downhill, then towards zero and not beyond: the weights that the data don't need are 0.",
    hints=(
        "One update has two halves: along the gradient of the data, then towards zero.",
        "With v = w − lr·gradient and t = lr·strength: |v| falls by t, and stops at 0. The bias has no t.",
        "w = np.sign(v) * np.maximum(np.abs(v) - t, 0), and b = b - lr * r.mean() with the r of the old w.",
    ),
    mistakes=(
        Mistake(
            "a threshold without the rate",
            lasso(lambda w, g, t, lr, s: soft(w - lr * g, s)),
            (
                "How far may the penalty pull in one update when the rate is tiny?",
                "The threshold is a step too: it is multiplied by the rate.",
                "The threshold is lr·strength.",
            ),
        ),
        Mistake(
            "thresholds before the step",
            lasso(lambda w, g, t, lr, s: soft(w, t) - lr * g),
            (
                "Count the exact zeros in your answer.",
                "A gradient step after the threshold moves the zeros away again.",
                "First v = w − lr·gradient, then the threshold on v.",
            ),
        ),
        Mistake(
            "a subgradient instead of a threshold",
            lasso(lambda w, g, t, lr, s: w - lr * (g + s * np.sign(w))),
            (
                "Count the exact zeros in your answer.",
                "The derivative of |w| pushes a small weight past zero, and back in the next update.",
                "Take the penalty out of the gradient: threshold after the step, and stop at 0.",
            ),
        ),
        Mistake(
            "jumps over zero",
            lasso(lambda w, g, t, lr, s: (w - lr * g) - t * np.sign(w - lr * g)),
            (
                "What becomes of a weight that is nearer to 0 than the threshold?",
                "It must stop at 0 instead of changing its sign.",
                "np.sign(v) * np.maximum(np.abs(v) - t, 0).",
            ),
        ),
        Mistake(
            "a hard threshold",
            lasso(lambda w, g, t, lr, s: np.where(np.abs(w - lr * g) > t, w - lr * g, 0.0)),
            (
                "Your small weights are 0. What happened to the large ones?",
                "Soft means that every weight moves towards 0, the large ones too.",
                "A weight above the threshold t becomes v − t.",
            ),
        ),
        Mistake(
            "shrinks the bias too",
            lasso(bias=lambda b, lr, s: soft(b, lr * s)),
            (
                "Which of the two does the penalty strength·Σ|w| contain?",
                "Only the weights: a bias that is pulled to 0 shifts all predictions and saves nothing.",
                "b = b − lr·r.mean(), with no threshold.",
            ),
        ),
        Mistake(
            "thresholds once, at the end",
            _once,
            (
                "How often is the threshold applied in your loop?",
                "It belongs to each update, since the next gradient depends on it.",
                "Put it inside the loop, right after the gradient step.",
            ),
        ),
        Mistake(
            "leaves the bias where it was",
            lasso(still=True),
            (
                "Look at the second thing that you return.",
                "The bias takes plain gradient steps.",
                "b = b − lr·r.mean().",
            ),
        ),
        Mistake(
            "moves the bias after the weights",
            lasso(late=True),
            (
                "At which weights is the gradient of the bias taken?",
                "Both gradients belong to the same point, the one before the update.",
                "Compute r once, then both gradients, then change w and b.",
            ),
        ),
        Mistake(
            "the gradient of the sum",
            lasso(total=True),
            (
                "How does your gradient change when every example comes twice?",
                "The loss is a mean over the examples.",
                "X.T @ r / len(y) and r.mean().",
            ),
        ),
        Mistake(
            "no penalty at all",
            lasso(lambda w, g, t, lr, s: w - lr * g),
            (
                "Does your answer depend on strength?",
                "After each gradient step comes the soft threshold.",
                "np.sign(v) * np.maximum(np.abs(v) - lr * strength, 0).",
            ),
        ),
    ),
)

_MATRICES = tuple(
    (np.concatenate([scale * _chance.normal(size=(4, n)), np.zeros((zeros, n))]).round(2), lr, strength)
    for n, zeros, scale, lr, strength in (
        (3, 0, np.array([[0.1], [0.4], [1.0], [2.0]]), 0.1, 2.0),
        (6, 1, np.array([[0.05], [0.3], [0.5], [3.0]]), 0.5, 0.4),
        (4, 2, np.array([[1.0], [1.0], [1.0], [1.0]]), 0.2, 0.0),
        (4, 0, np.array([[0.02], [0.2], [0.6], [1.0]]), 0.05, 6.0),
    )
)


def _length(W: Any) -> Any:
    return np.sqrt((W**2).sum(1, keepdims=True))


def _groups(
    threshold: Callable[[float, float, int], float] = lambda lr, s, n: lr * s * np.sqrt(n),
    norm: Callable[[Any], Any] = _length,
    factor: Callable[[Any], Any] = lambda share: np.maximum(0, 1 - share),
) -> Callable[..., Any]:
    """W times a factor for each row, from the threshold over the norm; a row of zeros stays zero."""

    def step(W: Any, lr: float, strength: float) -> Any:
        long = norm(W)
        share = threshold(lr, strength, W.shape[1]) / np.where(long > 0, long, 1)
        return W * factor(share)

    return step


def _empty(W: Any, lr: float, strength: float) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        return W * np.maximum(0, 1 - lr * strength * np.sqrt(W.shape[1]) / _length(W))


GROUPS = Exercise(
    id="11.groups",
    arguments=("W", "lr", "strength"),
    answer=_groups(),
    cases=_MATRICES,
    measure=flat,
    praise="A row goes as a whole or stays with its direction, so that a whole unit can be taken out.",
    hints=(
        "One number decides for a whole row: how long it is.",
        "All weights of a row are multiplied by the same factor, between 0 and 1.",
        "norm = np.sqrt((W**2).sum(1, keepdims=True)), then W * np.maximum(0, 1 − lr·strength·√n/norm), "
        "and 0 where norm is 0.",
    ),
    mistakes=(
        Mistake(
            "each weight on its own",
            lambda W, lr, s: soft(W, lr * s),
            (
                "Are whole rows zero in your answer, or single weights?",
                "This is the step of the L1 penalty. Here the length of a row decides for all its weights.",
                "Multiply each row by max(0, 1 − lr·strength·√n/‖row‖).",
            ),
        ),
        Mistake(
            "forgets the size of the group",
            _groups(lambda lr, s, n: lr * s),
            (
                "Does a row of 100 weights face the same threshold as one of 4?",
                "A long row has a large norm just because it is long: √n makes up for it.",
                "The threshold is lr·strength·√n.",
            ),
        ),
        Mistake(
            "the size instead of its root",
            _groups(lambda lr, s, n: lr * s * n),
            (
                "How does the norm of n equal numbers grow with n?",
                "As √n, and so does the threshold.",
                "lr·strength·√n, with n the length of a row.",
            ),
        ),
        Mistake(
            "counts the rows",
            lambda W, lr, s: _groups(lambda lr, s, n: lr * s * np.sqrt(len(W)))(W, lr, s),
            (
                "Which n stands in your root?",
                "The size of a group is the number of weights in one row.",
                "n = W.shape[1].",
            ),
        ),
        Mistake(
            "columns instead of rows",
            lambda W, lr, s: _groups()(W.T, lr, s).T,
            (
                "Which numbers become zero together in your answer?",
                "A unit is a row here: sum over the axis of the columns.",
                "np.sqrt((W**2).sum(1, keepdims=True)).",
            ),
        ),
        Mistake(
            "a threshold without the rate",
            _groups(lambda lr, s, n: s * np.sqrt(n)),
            (
                "How far may the penalty pull in one update when the rate is tiny?",
                "The proximal step belongs to a gradient step of length lr.",
                "The threshold is lr·strength·√n.",
            ),
        ),
        Mistake(
            "the squared length",
            _groups(norm=lambda W: (W**2).sum(1, keepdims=True)),
            (
                "By how much does a row of length 2 get shorter?",
                "All rows get shorter by the same length: the factor needs the length, not its square.",
                "Take the root of the sum of squares.",
            ),
        ),
        Mistake(
            "the sum of sizes as length",
            _groups(norm=lambda W: np.abs(W).sum(1, keepdims=True)),
            (
                "Which norm does the penalty contain?",
                "The Euclidean one: the root of the sum of squares.",
                "np.sqrt((W**2).sum(1, keepdims=True)).",
            ),
        ),
        Mistake(
            "turns short rows round",
            _groups(factor=lambda share: 1 - share),
            (
                "Is a factor of yours below 0?",
                "A row that is shorter than the threshold stops at 0.",
                "max(0, 1 − …).",
            ),
        ),
        Mistake(
            "all or nothing",
            _groups(factor=lambda share: share < 1.0),
            (
                "Short rows are gone. What happened to the long ones?",
                "They get shorter too, all by the same length.",
                "Multiply by max(0, 1 − threshold/norm), not by 0 or 1.",
            ),
        ),
        Mistake(
            "no number for a row of zeros",
            _empty,
            (
                "Look at a row of zeros, with strength 0.",
                "0/0 is not a number.",
                "Divide by the norm only where it is above 0.",
            ),
        ),
    ),
)
