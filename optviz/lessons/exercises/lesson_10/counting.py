"""Exercises in which units are ranked, and in which the work that is left is counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from optviz.lessons.material import Exercise, Mistake

__all__ = ["MACS", "SCORES"]


def _arrays(found: Any) -> Any:
    """Lists, arrays or tensors as a list of arrays."""
    if found is None or found is ...:
        return found
    return [np.asarray(part.detach().cpu() if hasattr(part, "detach") else part) for part in found]


def _sets(fn: Callable[..., Any], case: tuple[Any, ...]) -> Any:
    """The two groups of units, each in order of their numbers: which one goes first is not asked."""
    found = _arrays(fn(*case))
    if found is None or found is ...:
        return found
    return np.concatenate([[len(part), *np.sort(part.ravel())] for part in found])


def _ranked(seed: int, units: int, inputs: int, count: int) -> tuple[Any, ...]:
    """Weights and activations whose rankings differ, and whose signed sums mislead."""
    chance = np.random.default_rng(seed)
    w = chance.standard_t(2, size=(units, inputs)).round(2)  # a few large weights, so that L2 ranks otherwise
    a = np.maximum(chance.normal(size=(12, units)) + chance.uniform(-1, 1, units), 0).round(2)
    return w, a, count


def _least(by_weight: Callable[[Any], Any], by_activation: Callable[[Any], Any], sign: int = 1) -> Any:
    """The units with the least (or with sign −1 the largest) of two scores."""

    def both(w: Any, a: Any, count: int) -> Any:
        return np.argsort(sign * by_weight(w))[:count], np.argsort(sign * by_activation(a))[:count]

    return both


def _size(w: Any) -> Any:
    return abs(w).sum(1)


def _mean(a: Any) -> Any:
    return a.mean(0)


SCORES = Exercise(
    id="10.scores",
    arguments=("w", "a", "count"),
    answer=_least(_size, _mean),
    cases=(_ranked(44, 6, 8, 2), _ranked(1, 8, 8, 3), _ranked(17, 8, 12, 4), _ranked(57, 6, 8, 2)),
    measure=_sets,
    praise="Two rankings of the same units. That they differ is the point: neither knows of the next layer.",
    hints=(
        "One number for each unit, twice: from its row of w, and from its column of a.",
        "Σ|w| adds along axis 1 of w; the mean over examples is taken along axis 0 of a.",
        "np.argsort(abs(w).sum(1))[:count], and np.argsort(a.mean(0))[:count].",
    ),
    mistakes=(
        Mistake(
            "ranks the inputs",
            _least(lambda w: abs(w).sum(0), _mean),
            (
                "How many scores do you get from w? There is one unit a row.",
                "You added down the columns: that ranks the inputs of the layer.",
                "abs(w).sum(1), not abs(w).sum(0).",
            ),
        ),
        Mistake(
            "takes the largest",
            _least(_size, _mean, -1),
            (
                "Which units would you miss least?",
                "Your list starts with the units that count most.",
                "np.argsort gives the smallest first: take [:count] of it.",
            ),
        ),
        Mistake(
            "adds weights with their signs",
            _least(lambda w: w.sum(1), _mean),
            (
                "A unit with the weights 5 and −5: does it do nothing?",
                "Positive and negative weights cancel in your sum.",
                "Take abs(w) before you add.",
            ),
        ),
        Mistake(
            "adds squares",
            _least(lambda w: (w**2).sum(1), _mean),
            (
                "A fair score, but another one: which norm does the task ask for?",
                "Squares let one large weight outvote many middle ones.",
                "abs(w).sum(1), the L1 norm.",
            ),
        ),
        Mistake(
            "one ranking for both",
            lambda w, a, count: (_least(_size, _mean)(w, a, count)[0],) * 2,
            (
                "Does your second list depend on a?",
                "The two articles' rules are two rules: the second looks at what units give out.",
                "The second list is np.argsort(a.mean(0))[:count].",
            ),
        ),
        Mistake(
            "ranks the examples",
            _least(_size, lambda a: a.mean(1)),
            (
                "How many scores do you get from a? There is one unit a column.",
                "You took the mean over the units of each example.",
                "a.mean(0), not a.mean(1).",
            ),
        ),
        Mistake(
            "counts how often a unit is on",
            _least(_size, lambda a: (a > 0).mean(0)),
            (
                "Two units are on equally often, one gives out 0.1 and one 10. Which would you miss?",
                "The share of examples with a unit on is APoZ, a third ranking.",
                "Take the mean of a itself over the examples.",
            ),
        ),
        Mistake(
            "returns what stays",
            lambda w, a, count: (np.argsort(_size(w))[count:], np.argsort(_mean(a))[count:]),
            (
                "How many units are in your lists, and how many were asked for?",
                "The task asks for those that go.",
                "Take [:count], not [count:].",
            ),
        ),
    ),
)


def _listed(fn: Callable[..., Any], case: tuple[Any, ...]) -> Any:
    """One number a layer."""
    found = fn(*case)
    if found is None or found is ...:
        return found
    return np.asarray(found.detach().cpu() if hasattr(found, "detach") else found, float).ravel()


def _work(cut: Callable[[np.ndarray, float], Any], more: Callable[..., Any] = lambda w, a, b: a * b) -> Any:
    """Products of neighboring widths, each layer's inputs and outputs after ``cut``."""

    def layers(widths: Any, share: float) -> Any:
        inputs, outputs = cut(np.asarray(widths, float), share)
        return more(widths, inputs, outputs)

    return layers


def _hidden(widths: np.ndarray, left: float) -> np.ndarray:
    inner = widths.copy()
    inner[1:-1] *= left
    return inner


def _right(widths: np.ndarray, share: float) -> Any:
    left = _hidden(widths, 1 - share)
    return left[:-1], left[1:]


def _scaled(by: Callable[[float], float]) -> Any:
    """Every layer's work times the same factor."""
    return _work(lambda w, share: (w[:-1] * by(share), w[1:]))


MACS = Exercise(
    id="10.macs",
    arguments=("widths", "share"),
    answer=_work(_right),
    cases=(
        (np.array([64, 32, 32, 10]), 0.5),
        (np.array([784, 300, 100, 10]), 0.2),
        (np.array([20, 40, 80, 40, 5]), 0.75),
        (np.array([8, 16, 4]), 0.25),
    ),
    measure=_listed,
    praise="(1 − r)² where both sides shrink, 1 − r at the two ends: the inputs and the classes stay.",
    hints=(
        "First write down the widths that are left. Which of them never change?",
        "A layer from n to m units costs n·m multiply-accumulates for one example; no more than that.",
        "left = widths × (1 − share) except the first and the last; then left[:-1] * left[1:].",
    ),
    mistakes=(
        Mistake(
            "the square everywhere",
            _scaled(lambda share: (1 - share) ** 2),
            (
                "Did you take pixels out of the image, or classes out of the answer?",
                "The first layer keeps all of its inputs, the last one all of its outputs.",
                "Leave widths[0] and widths[-1] as they are.",
            ),
        ),
        Mistake(
            "one factor for all layers",
            _scaled(lambda share: 1 - share),
            (
                "A layer between two hidden layers: which of its sides get shorter?",
                "Both do, so its work shrinks twice.",
                "Multiply the widths that are left: left[:-1] * left[1:].",
            ),
        ),
        Mistake(
            "forgets the next layer's inputs",
            _work(lambda w, share: (w[:-1], _hidden(w, 1 - share)[1:])),
            (
                "Where do the inputs of the second layer come from?",
                "A unit that is gone gives nothing to the next layer: one column less there.",
                "The inputs of each layer are the outputs that are left of the one before.",
            ),
        ),
        Mistake(
            "forgets the layer's own outputs",
            _work(lambda w, share: (_hidden(w, 1 - share)[:-1], w[1:])),
            (
                "Look at the first layer: did it become cheaper?",
                "You cut the inputs of the next layer, not the rows that made them.",
                "The outputs of each hidden layer shrink too.",
            ),
        ),
        Mistake(
            "counts what goes",
            _work(lambda w, share: (_hidden(w, share)[:-1], _hidden(w, share)[1:])),
            (
                "With a share of 0.2, is most of the work left or gone?",
                "share is what goes; 1 − share is what stays.",
                "Multiply the hidden widths by 1 − share.",
            ),
        ),
        Mistake(
            "counts parameters",
            _work(_right, lambda widths, inputs, outputs: inputs * outputs + outputs),
            (
                "Is adding a bias a multiplication?",
                "n·m + m is the number of parameters.",
                "Multiply-accumulates of one example: n·m.",
            ),
        ),
        Mistake(
            "nothing gets smaller",
            _work(lambda w, share: (w[:-1], w[1:])),
            (
                "Does your answer depend on share?",
                "That is the work before anything was removed.",
                "First shrink the hidden widths, then multiply neighbors.",
            ),
        ),
        Mistake(
            "the total",
            lambda widths, share: [float(np.sum(_work(_right)(widths, share)))],
            (
                "How many layers of weights are there, and how many numbers do you return?",
                "The layers shrink differently; keep them apart.",
                "Return the products without adding them.",
            ),
        ),
    ),
)
