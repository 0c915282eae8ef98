"""Exercises on how sparse a network is: over rounds, and over which parameters.

**Rounds.** ``my_rounds(final, rounds)``: a network is pruned in equal rounds. Each round removes the same
share p of the weights that are still there, and after the last one the sparsity is `final`. Return p and the
list of the sparsities after each round. (Two rounds with p = 0.5 reach 0.75.)

**How sparse?** ``my_report(weight1, bias1, mask1, weight2, bias2, mask2)``: a network with two layers is
pruned by masks, True where a weight is kept; the weights that are handed in are not multiplied by them yet.
Return three numbers: the share that is pruned of the weights, which are what can be pruned; the share that is
pruned of all parameters, biases included (they are never pruned); and how many times fewer parameters are
left.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from optviz.lessons.exercises.lesson_06.shrinking import flat
from optviz.lessons.material import Exercise, Mistake

__all__ = ["SPARSITY", "TWICE"]

_ROUNDS = ((0.75, 2), (0.9, 3), (0.5, 1), (0.99, 5), (0.8, 4))


def rounds(share: Callable[[float, int], float], after: Callable[[float, int], float] | None = None) -> Any:
    """(share of what is left, sparsities) from a rule for the share, and one for i rounds of it."""

    def plan(final: float, rounds: int) -> tuple[float, list[float]]:
        p = share(final, rounds)
        reached = after or (lambda p, i: 1 - (1 - p) ** i)
        return p, [reached(p, i) for i in range(1, rounds + 1)]

    return plan


def _root(final: float, rounds: int) -> float:
    return 1 - (1 - final) ** (1 / rounds)


def _even(final: float, rounds: int) -> float:
    return final / rounds


TWICE = Exercise(
    id="09.twice",
    arguments=("final", "rounds"),
    answer=rounds(_root),
    cases=_ROUNDS,
    measure=flat,
    praise="Shares of what is left multiply: (1 − p)ⁿ of the weights stay after n rounds.",
    hints=(
        "Follow what stays, not what goes: each round multiplies it by the same factor.",
        "After n rounds (1 − p)ⁿ is left, and that has to be 1 − final.",
        "p = 1 - (1 - final) ** (1 / rounds); after i rounds the sparsity is 1 - (1 - p) ** i.",
    ),
    mistakes=(
        Mistake(
            "adds the shares",
            rounds(_even, lambda p, i: p * i),
            (
                "Two rounds of 0.5 each: is everything gone?",
                "A round takes its share of what is left, so the second removes less than the first.",
                "After i rounds the sparsity is 1 - (1 - p) ** i.",
            ),
        ),
        Mistake(
            "splits the final sparsity evenly",
            rounds(_even),
            (
                "What is the last of your sparsities? It should be final.",
                "Rounds of final/rounds of what is left don't add up to final.",
                "Solve (1 − p)ⁿ = 1 − final for p.",
            ),
        ),
        Mistake(
            "the right share, added up",
            rounds(_root, lambda p, i: p * i),
            (
                "Your p is right. Can a sparsity be above 1?",
                "The second round removes p of what is left, not of all.",
                "After i rounds the sparsity is 1 - (1 - p) ** i.",
            ),
        ),
        Mistake(
            "the root of what goes",
            rounds(lambda final, n: final ** (1 / n)),
            (
                "With final 0.75 and two rounds, p must be 0.5. And yours?",
                "It is what stays that is multiplied, not what goes.",
                "p = 1 - (1 - final) ** (1 / rounds).",
            ),
        ),
        Mistake(
            "powers of the share that goes",
            rounds(lambda final, n: final ** (1 / n), lambda p, i: p**i),
            (
                "Do your sparsities rise from round to round?",
                "You multiply what goes. Multiply what stays.",
                "p = 1 - (1 - final) ** (1 / rounds), then 1 - (1 - p) ** i.",
            ),
        ),
        Mistake(
            "gives what stays",
            rounds(_root, lambda p, i: (1 - p) ** i),
            (
                "Should the list rise or fall?",
                "Sparsity is the share of zeros; you list the share that is left.",
                "1 - (1 - p) ** i.",
            ),
        ),
        Mistake(
            "p is the share that stays",
            rounds(lambda final, n: (1 - final) ** (1 / n), lambda p, i: 1 - p**i),
            (
                "Your sparsities are right. What is p the share of?",
                "p is what a round removes; yours is what it leaves.",
                "p = 1 - (1 - final) ** (1 / rounds).",
            ),
        ),
        Mistake(
            "starts before the first round",
            rounds(_root, lambda p, i: 1 - (1 - p) ** (i - 1)),
            (
                "How sparse is the network after the first round?",
                "Your list begins with 0, the network before any round, and never gets to final.",
                "i goes from 1 to rounds.",
            ),
        ),
    ),
)

_chance = np.random.default_rng(11)


def _layer(units: int, inputs: int, kept: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights (one of them 0 by chance), biases as they start, and a mask."""
    weight, bias = _chance.normal(size=(units, inputs)).round(2), np.zeros(units)
    weight.flat[0] = 0.0
    bias[1:] = _chance.normal(size=units - 1).round(2) + 3
    order = _chance.permutation(units * inputs).reshape(units, inputs)
    return weight, bias, order < round(kept * order.size)


_NETWORKS = (
    (*_layer(6, 4, 0.25), *_layer(3, 6, 0.5)),
    (*_layer(5, 8, 0.1), *_layer(2, 5, 0.6)),
    (*_layer(3, 5, 0.2), *_layer(4, 3, 0.75)),
)


def _report(how: Callable[[float, float, float], Any]) -> Any:
    """A report from (weights that can be pruned, those kept, all parameters)."""

    def report(w1: Any, b1: Any, m1: Any, w2: Any, b2: Any, m2: Any) -> Any:
        weights, kept = w1.size + w2.size, int(m1.sum() + m2.sum())
        return how(weights, kept, weights + b1.size + b2.size)

    return report


def _right(weights: float, kept: float, total: float) -> tuple[float, float, float]:
    gone = weights - kept
    return gone / weights, gone / total, total / (total - gone)


def _averaged(w1: Any, b1: Any, m1: Any, w2: Any, b2: Any, m2: Any) -> Any:
    right = _report(_right)(w1, b1, m1, w2, b2, m2)
    return 1 - (m1.mean() + m2.mean()) / 2, *right[1:]


def _by_values(masked: bool) -> Any:
    """Zeros are looked for in the numbers, biases too."""

    def report(w1: Any, b1: Any, m1: Any, w2: Any, b2: Any, m2: Any) -> Any:
        weights = [w1 * m1, w2 * m2] if masked else [w1, w2]
        size, total = w1.size + w2.size, w1.size + w2.size + b1.size + b2.size
        gone = sum(int((w == 0).sum()) for w in weights)
        everywhere = gone + (int((b1 == 0).sum() + (b2 == 0).sum()) if masked else 0)
        return gone / size, everywhere / total, total / (total - everywhere)

    return report


SPARSITY = Exercise(
    id="09.sparsity",
    arguments=("weight1", "bias1", "mask1", "weight2", "bias2", "mask2"),
    answer=_report(_right),
    cases=_NETWORKS,
    measure=flat,
    praise="One network, two honest sparsities: say which one you mean, and count what is left.",
    hints=(
        "Three counts are enough: weights in both layers, those that are kept, and all parameters.",
        "Count False in the masks of both layers together, then divide by two different totals.",
        "gone = (~mask1).sum() + (~mask2).sum(); gone/weights, gone/all, all/(all - gone).",
    ),
    mistakes=(
        Mistake(
            "averages the layers",
            _averaged,
            (
                "Does a layer with 24 weights count as much as one with 18?",
                "The mean of two shares is not the share of both together.",
                "Add the counts of both layers first, then divide.",
            ),
        ),
        Mistake(
            "leaves out the biases",
            _report(lambda w, k, t: ((w - k) / w, (w - k) / w, w / k)),
            (
                "Are your first two numbers the same?",
                "All parameters includes the biases, which are never pruned.",
                "all = weight1.size + weight2.size + bias1.size + bias2.size.",
            ),
        ),
        Mistake(
            "counts the biases in both",
            _report(lambda w, k, t: ((w - k) / t, (w - k) / t, t / (t - w + k))),
            (
                "Are your first two numbers the same?",
                "The first one is over the weights only, which are what can be pruned.",
                "gone / (weight1.size + weight2.size) first.",
            ),
        ),
        Mistake(
            "forgets the biases in what is left",
            _report(lambda w, k, t: ((w - k) / w, (w - k) / t, w / k)),
            (
                "How many parameters does the pruned network have, all in all?",
                "The biases are left as well.",
                "all / (all - gone).",
            ),
        ),
        Mistake(
            "looks for zeros before the masks are applied",
            _by_values(masked=False),
            (
                "How many of the numbers in weight1 are 0?",
                "The weights that are handed in are not masked yet; the masks say what goes.",
                "Count False in mask1 and mask2.",
            ),
        ),
        Mistake(
            "takes every 0 for a pruned one",
            _by_values(masked=True),
            (
                "A bias starts at 0. Has it been pruned?",
                "The masks say what is pruned; a kept number may be 0 by chance.",
                "Count False in mask1 and mask2, and nothing in the biases.",
            ),
        ),
        Mistake(
            "gives what stays",
            _report(lambda w, k, t: (k / w, (t - w + k) / t, t / (t - w + k))),
            (
                "Does your first number rise when more is pruned?",
                "Sparsity is the share of zeros.",
                "Count False, not True.",
            ),
        ),
        Mistake(
            "the share that is left, turned round",
            _report(lambda w, k, t: ((w - k) / w, (w - k) / t, (t - w + k) / t)),
            (
                "How many times fewer: is that above 1 or below?",
                "You divide what is left by all.",
                "all / (all - gone).",
            ),
        ),
    ),
)
