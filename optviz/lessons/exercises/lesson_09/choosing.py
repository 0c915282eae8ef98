"""Exercises on what is chosen: exactly so many weights in spite of ties, and units that really go.

**Exactly so many.** ``my_mask(w, sparsity)``: a mask of the shape of the array `w`, True where a weight is
kept. Exactly `round(sparsity * w.size)` weights go, those with the smallest absolute values. Where several
are equally small, any of them may go, but no more and no fewer than asked. `sparsity` may be 0.

**Units that go.** ``my_pruned(weight, bias, draws, rate)``: row u of `weight` holds the weights into unit u,
`bias[u]` is its bias. Unit u goes if `draws[u] < rate`: it must give 0 for every input. The code is meant to
do that, but a network that it has "pruned" is as large as before and gets nearly everything wrong. Repair it.
Shapes stay, and the arrays that are handed in are not changed. Return the new weight and bias.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from optviz.lessons.exercises.lesson_06.shrinking import flat
from optviz.lessons.material import Exercise, Mistake

__all__ = ["EXACT", "ROWS"]

_chance = np.random.default_rng(4)
_DIFFERENT = _chance.permuted(np.arange(1, 13) / 10 * _chance.choice([-1, 1], 12)).reshape(3, 4).round(1)
_TIES = _chance.permuted([0.1, -0.1, 0.2, 0.2, -0.2, 0.2, -0.2, 0.2, -0.3, 0.3, 0.3, -0.4]).reshape(4, 3)
_ZEROS = _chance.permuted([0.0] * 6 + [0.5, -0.7, 0.9, -1.1]).reshape(2, 5)
_MASKS = (
    (_DIFFERENT, 0.4),
    (_TIES, 0.5),
    (_ZEROS, 0.3),
    (_DIFFERENT, 0.0),
    (_DIFFERENT.ravel(), 0.9),
    (_TIES, 0.15),
)


def removed(fn: Callable[..., Any], case: tuple[Any, ...]) -> Any:
    """How many weights a mask removes, and the sum of their absolute values: the same for any choice of ties.

    Raises:
        TypeError: if it is no mask.
        ValueError: if it has another shape than the weights.
    """
    found = fn(*case)
    if found is None or found is ...:
        return found
    kept = np.asarray(found.detach().cpu().numpy() if hasattr(found, "detach") else found)
    if not np.isin(kept, (0, 1)).all():
        raise TypeError("a mask holds True and False, this holds other values")
    if kept.shape != case[0].shape:
        raise ValueError(f"the mask must have the shape of w, {case[0].shape}, got {kept.shape}")
    gone = ~kept.astype(bool)
    return [float(gone.sum()), float(abs(case[0])[gone].sum())]


def _count(w: Any, sparsity: float) -> int:
    return round(sparsity * w.size)


def _fewest(scores: Any, count: int) -> Any:
    """A mask without the ``count`` lowest scores."""
    kept = np.ones(scores.size, bool)
    kept[np.argsort(scores, axis=None, kind="stable")[:count]] = False
    return kept.reshape(scores.shape)


def _kth(w: Any, sparsity: float, shift: int = -1) -> Any:
    """The k-th smallest absolute value, or one near it; below all where nothing goes."""
    count = _count(w, sparsity)
    return np.sort(abs(w), axis=None)[count + shift] if count else -1.0


EXACT = Exercise(
    id="09.exact",
    arguments=("w", "sparsity"),
    answer=lambda w, sparsity: _fewest(abs(w), _count(w, sparsity)),
    cases=_MASKS,
    measure=removed,
    praise="Exactly as many as asked, ties or none: ranks decide, not a threshold.",
    hints=(
        "How many go? And which are they, in the order of their absolute values?",
        "Sort the places, not the values: np.argsort gives each weight its place in the order.",
        "kept = np.ones(w.size, bool); kept[np.argsort(abs(w).ravel())[:k]] = False; kept.reshape(w.shape).",
    ),
    mistakes=(
        Mistake(
            "drops all ties",
            lambda w, s: abs(w) > _kth(w, s),
            (
                "Count the weights that go where several have the same absolute value.",
                "Everything equal to the k-th smallest goes too, however many there are.",
                "Take the first k places of np.argsort(abs(w).ravel()) instead of comparing with a value.",
            ),
        ),
        Mistake(
            "drops all ties, and everything at sparsity 0",
            lambda w, s: abs(w) > np.sort(abs(w), axis=None)[_count(w, s) - 1],
            (
                "Which place is k − 1 when k is 0?",
                "Index −1 is the largest weight, and all that equals the k-th smallest goes as well.",
                "Take the first k places of np.argsort(abs(w).ravel()): none of them when k is 0.",
            ),
        ),
        Mistake(
            "keeps all ties",
            lambda w, s: abs(w) >= _kth(w, s, 0),
            (
                "Count the weights that go where several have the same absolute value.",
                "All that equal the smallest kept one stay, so fewer than k go.",
                "Take the first k places of np.argsort(abs(w).ravel()) instead of comparing with a value.",
            ),
        ),
        Mistake(
            "keeps the k-th too",
            lambda w, s: abs(w) >= _kth(w, s),
            (
                "With twelve different weights and sparsity 0.4, how many go?",
                "The k-th smallest is itself one of those that go.",
                "Ranks 0 … k − 1 go: np.argsort(abs(w).ravel())[:k].",
            ),
        ),
        Mistake(
            "a quantile as threshold",
            lambda w, s: abs(w) > np.quantile(abs(w), s),
            (
                "Count what goes at sparsity 0, and where weights are equal.",
                "A quantile is a value: it knows nothing of ties, and the smallest weight is the 0-quantile.",
                "Take the first k places of np.argsort(abs(w).ravel()).",
            ),
        ),
        Mistake(
            "rounds down",
            lambda w, s: _fewest(abs(w), int(s * w.size)),
            (
                "0.4 of 12 is 4.8. How many is that?",
                "int cuts off; the task says round.",
                "k = round(sparsity * w.size).",
            ),
        ),
        Mistake(
            "forgets the absolute value",
            lambda w, s: _fewest(w, _count(w, s)),
            (
                "Does a large negative weight matter?",
                "Your order begins with the most negative weights.",
                "Rank abs(w).",
            ),
        ),
        Mistake(
            "removes the largest",
            lambda w, s: _fewest(-abs(w), _count(w, s)),
            (
                "Which weights are left in your mask?",
                "You remove from the wrong end of the order.",
                "The first k places of np.argsort(abs(w).ravel()) go.",
            ),
        ),
        Mistake(
            "True where a weight goes",
            lambda w, s: ~_fewest(abs(w), _count(w, s)),
            (
                "At sparsity 0, what should the mask look like?",
                "True means kept: w * mask is the pruned layer.",
                "Start from np.ones(w.size, bool) and set what goes to False.",
            ),
        ),
        Mistake(
            "sparsity as the share that stays",
            lambda w, s: _fewest(abs(w), _count(w, 1 - s)),
            (
                "Sparsity 0.9: are there many weights left or few?",
                "Sparsity is the share of zeros.",
                "k = round(sparsity * w.size) weights go.",
            ),
        ),
        Mistake(
            "row by row",
            lambda w, s: np.array([_fewest(abs(row), _count(row, s)) for row in np.atleast_2d(w)]).reshape(
                w.shape
            ),
            (
                "Which weights compete with which in your function?",
                "Every row loses the same share; the task ranks the whole array.",
                "Flatten first: abs(w).ravel().",
            ),
        ),
    ),
)


def _given(weight: Any, bias: Any, draws: Any, rate: float) -> Any:
    mask = draws > rate
    weight = np.concatenate([weight[mask], weight[~mask]])
    bias = np.concatenate([bias[mask], bias[~mask]])
    return weight, bias


def _silent(kept: Any, *, weights: bool = True, biases: bool = True) -> Any:
    """Zero rows and biases of units that are not kept."""

    def both(weight: Any, bias: Any, draws: Any, rate: float) -> Any:
        stays = kept(draws, rate).astype(float)
        return weight * stays[:, None] if weights else weight, bias * stays if biases else bias

    return both


def _stays(draws: Any, rate: float) -> Any:
    return draws >= rate


def _columns(weight: Any, bias: Any, draws: Any, rate: float) -> Any:
    width = weight.shape[1]
    stays = np.resize(_stays(draws, rate), width).astype(float)
    return weight * stays, bias


_LAYERS = tuple(
    (_chance.normal(size=(5, 3)).round(2), _chance.normal(size=5).round(2), draws, rate)
    for draws, rate in (
        (np.array([0.9, 0.2, 0.7, 0.1, 0.6]), 0.5),
        (np.array([0.3, 0.8, 0.55, 0.95, 0.4]), 0.35),
        (np.array([0.5, 0.05, 0.25, 0.75, 0.15]), 0.8),
        (np.array([0.5, 0.05, 0.25, 0.75, 0.15]), 0.0),
    )
)

ROWS = Exercise(
    id="09.rows",
    arguments=("weight", "bias", "draws", "rate"),
    answer=_silent(_stays),
    cases=_LAYERS,
    measure=flat,
    given=_given,
    praise="A unit whose weights and bias are 0 gives 0 for every input, and no other unit has moved.",
    hints=(
        "What must a row be, and what must its bias be, for the unit to give 0 whatever comes in?",
        "Units keep their places: the next layer reads them by position.",
        "kept = draws >= rate; return weight * kept[:, None], bias * kept.",
    ),
    mistakes=(
        Mistake(
            "permutes the rows, not the biases",
            lambda weight, bias, draws, rate: (_given(weight, bias, draws, rate)[0], bias),
            (
                "How many weights of your answer are 0?",
                "The rows that should go are put behind the others, and the biases stay where they were.",
                "weight * kept[:, None], without any concatenate.",
            ),
        ),
        Mistake(
            "its bias still speaks",
            _silent(_stays, biases=False),
            (
                "All weights into a unit are 0. What does it give for a black image?",
                "It gives its bias.",
                "Set bias to 0 as well: bias * kept.",
            ),
        ),
        Mistake(
            "only the bias goes",
            _silent(_stays, weights=False),
            (
                "Does the unit still listen to its inputs?",
                "The biases are right; the rows of weight are as before.",
                "weight * kept[:, None].",
            ),
        ),
        Mistake(
            "makes the layer smaller",
            lambda weight, bias, draws, rate: (weight[_stays(draws, rate)], bias[_stays(draws, rate)]),
            (
                "How many inputs does the next layer expect?",
                "Cutting rows out is the next lesson's subject: there the next layer is cut with them.",
                "Here shapes stay: weight * kept[:, None], bias * kept.",
            ),
        ),
        Mistake(
            "keeps what should go",
            _silent(lambda draws, rate: draws < rate),
            (
                "With rate 0 nothing goes. And in your answer?",
                "A unit goes where its draw is below the rate.",
                "kept = draws >= rate.",
            ),
        ),
        Mistake(
            "silences inputs instead of units",
            _columns,
            (
                "Which axis of weight belongs to the units?",
                "A row holds the weights into one unit; a column those from one input.",
                "weight * kept[:, None] takes whole rows.",
            ),
        ),
        Mistake(
            "scales what stays, as dropout does",
            lambda weight, bias, draws, rate: tuple(
                part / (1 - rate) for part in _silent(_stays)(weight, bias, draws, rate)
            ),
            (
                "Are the units that stay the same as before?",
                "Dropout is for training, and undone later. Pruning leaves the other weights alone.",
                "weight * kept[:, None], bias * kept, with no division.",
            ),
        ),
    ),
)
