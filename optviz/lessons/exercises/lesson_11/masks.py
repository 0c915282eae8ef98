"""Exercises on which weights stay: a winning ticket, and the pattern that a GPU can skip.

**One round of a ticket.** ``my_ticket(start, trained, mask, share)``: a network started from the weights
`start` and was trained to `trained`, with those weights held at 0 that `mask` marks with False. Do one round
of magnitude pruning with rewinding: of the weights that are still there, `round(share · their number)` go,
those with the smallest absolute values after training; the others go back to where they started. Return the
weights that the next training begins with, and the new mask. (No two weights are equal.)

**Two of four.** ``my_two_four(W)``: `W` has one row for each output and one column for each input, a multiple
of 4. In each row, of every 4 columns that follow each other (0–3, 4–7, …) the 2 weights with the largest
absolute values stay. Where weights are equal, any of them may go, but exactly 2 of each 4 stay. Return the
mask, True where a weight is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from optviz.lessons.material import Exercise, Mistake

__all__ = ["REWIND", "TWO_FOUR"]

_chance = np.random.default_rng(12)


def _plain(found: Any) -> np.ndarray:
    return np.asarray(found.detach().cpu().numpy() if hasattr(found, "detach") else found)


def _mask(found: Any, shape: tuple[int, ...]) -> np.ndarray:
    """A learner's mask as numbers 0 and 1.

    Raises:
        TypeError: if it is no mask.
        ValueError: if it has another shape than the weights.
    """
    kept = _plain(found)
    if not np.isin(kept, (0, 1)).all():
        raise TypeError("a mask holds True and False only")
    if kept.shape != shape:
        raise ValueError(f"the mask has the shape {kept.shape}, the weights {shape}")
    return kept.astype(float)


def _round(shape: tuple[int, ...], before: float, share: float) -> tuple[Any, ...]:
    """Weights before and after training, a mask of an earlier round, and a share."""
    count = int(np.prod(shape))
    start, trained = (
        _chance.permutation(np.arange(1, count + 1)) / count * _chance.choice([-1, 1], count)
        for _ in range(2)
    )
    mask = _chance.permutation(count) >= round(before * count)
    parts = (start.round(3), np.where(mask, 2 * trained, 0.0).round(3), mask)
    return (*(part.reshape(shape) for part in parts), share)


def ticket_measure(fn: Callable[..., Any], case: tuple[Any, ...]) -> Any:
    """The mask, then for each weight where it comes from: 0 zero, 1 the start, 2 training, 3 elsewhere.

    Raises:
        TypeError, ValueError: if no mask, or weights of another shape, came back.
    """
    start, trained = case[:2]
    found = fn(*case)
    if found is None or found is ...:
        return found
    weights, mask = found
    weights = _plain(weights)
    if weights.shape != start.shape:
        raise ValueError(f"the weights have the shape {weights.shape}, not {start.shape}")
    origin = np.select([np.isclose(weights, v) for v in (0, start, trained)], [0.0, 1.0, 2.0], 3.0)
    return np.concatenate([_mask(mask, start.shape).ravel(), origin.ravel()])


def _ticket(
    size: Callable[[Any, Any], Any] = lambda start, trained: np.abs(trained),
    count: Callable[[int, float], int] = lambda left, share: round(share * left),
    weights: Callable[..., Any] = lambda start, trained, new: start * new,
    reported: Callable[..., Any] = lambda new, mask, going: new,
) -> Callable[..., Any]:
    """A round from what is ranked, how many go, what the weights become and which mask is returned."""

    def play(start: Any, trained: Any, mask: Any, share: float) -> Any:
        left = np.flatnonzero(mask)
        order = np.argsort(size(start, trained).ravel()[left], kind="stable")
        going = left[order[: count(len(left), share)]]
        new = mask.copy()
        new.flat[going] = False
        return weights(start, trained, new), reported(new, mask, going)

    return play


def _of_all(start: Any, trained: Any, mask: Any, share: float) -> Any:
    new = np.ones(mask.size, bool)
    new[np.argsort(np.abs(trained), axis=None, kind="stable")[: round(share * mask.size)]] = False
    return start * new.reshape(mask.shape), new.reshape(mask.shape)


def _revived(start: Any, trained: Any, mask: Any, share: float) -> Any:
    new = _ticket()(start, trained, mask, share)[1] | ~mask
    return start * new, new


REWIND = Exercise(
    id="11.rewind",
    arguments=("start", "trained", "mask", "share"),
    answer=_ticket(),
    cases=(
        _round((12,), 0.0, 0.25),
        _round((3, 4), 0.5, 0.5),
        _round((5, 4), 0.4, 0.5),
        _round((4, 4), 0.25, 0.75),
        _round((6,), 0.5, 0.0),
    ),
    measure=ticket_measure,
    praise="Training chose the mask, and the start gave the weights: that is the ticket.",
    hints=(
        "Two questions, two arrays: which weights stay is seen in `trained`, what they are is in `start`.",
        "Rank |trained| among the weights whose mask is True, and count the share of those only.",
        "left = np.flatnonzero(mask), order = np.argsort(abs(trained).ravel()[left]): the first "
        "round(share · len(left)) of left[order] go. Return start * new, new.",
    ),
    mistakes=(
        Mistake(
            "keeps the trained weights",
            _ticket(weights=lambda start, trained, new: trained * new),
            (
                "From which weights does your next training begin?",
                "This is ordinary iterative pruning. A ticket begins where the network began.",
                "Return start * mask.",
            ),
        ),
        Mistake(
            "loses the mask",
            _ticket(weights=lambda start, trained, new: start),
            (
                "How many of your weights are 0?",
                "The weights that went are no part of the ticket, so they begin at 0.",
                "Return start * mask, not start.",
            ),
        ),
        Mistake(
            "draws a new start",
            _ticket(weights=lambda start, trained, new: (np.abs(start) + 7) * new),
            (
                "Where do your weights come from?",
                "A new draw is the control that a ticket is compared with. The ticket keeps its own start.",
                "Return start * mask, with the start that was handed in.",
            ),
        ),
        Mistake(
            "ranks the weights of the start",
            _ticket(size=lambda start, trained: np.abs(start)),
            (
                "What does training contribute to your mask?",
                "The weights that matter are known after training only.",
                "Rank abs(trained), return start * mask.",
            ),
        ),
        Mistake(
            "counts the share of all weights",
            _of_all,
            (
                "Half are gone, and half go in this round. How many are left?",
                "A quarter: the share is of the weights that are still there.",
                "round(share · mask.sum()) of them go.",
            ),
        ),
        Mistake(
            "revives what went before",
            _revived,
            (
                "Count the True in the mask that came in, and in yours.",
                "A weight that went in an earlier round stays out.",
                "Begin with a copy of mask, and set those that go now to False.",
            ),
        ),
        Mistake(
            "removes the largest",
            _ticket(size=lambda start, trained: -np.abs(trained)),
            (
                "Which weights are left, the large ones or the small ones?",
                "Small weights change the output least: they go.",
                "argsort is ascending: its first entries go.",
            ),
        ),
        Mistake(
            "keeps the share that should go",
            _ticket(count=lambda left, share: left - round(share * left)),
            (
                "With share 0.25, how many of twelve are left?",
                "`share` goes, 1 − share stays.",
                "round(share · left) of them go.",
            ),
        ),
        Mistake(
            "ranks by value",
            _ticket(size=lambda start, trained: trained),
            (
                "What happens to a weight of −2?",
                "A large negative weight matters as much as a large positive one.",
                "Rank abs(trained).",
            ),
        ),
        Mistake(
            "returns the old mask",
            _ticket(reported=lambda new, mask, going: mask),
            (
                "Is the mask that you return another one than the mask that came in?",
                "The next training must hold the weights at 0 that go now.",
                "Return the new mask beside the weights.",
            ),
        ),
        Mistake(
            "returns a mask of what goes",
            _ticket(reported=lambda new, mask, going: ~new),
            (
                "What does True mean in your mask?",
                "True marks a weight that is kept.",
                "Turn it round: ~mask.",
            ),
        ),
    ),
)


def blocks_measure(fn: Callable[..., Any], case: tuple[Any, ...]) -> Any:
    """For each 4 weights that follow each other: how many stay, and the sum of their sizes.

    Raises:
        TypeError, ValueError: if no mask of the right shape came back.
    """
    (W,) = case
    found = fn(*case)
    if found is None or found is ...:
        return found
    kept = _mask(found, W.shape).reshape(-1, 4)
    return np.concatenate([kept.sum(1), (kept * np.abs(W).reshape(-1, 4)).sum(1)])


def best(size: np.ndarray, keep: int) -> np.ndarray:
    """True for the ``keep`` largest along the last axis, exactly as many."""
    rank = np.argsort(np.argsort(-size, axis=-1, kind="stable"), axis=-1)
    return rank < keep


def _of_four(W: Any) -> Any:
    return best(np.abs(W).reshape(-1, 4), 2).reshape(W.shape)


def _second(W: Any) -> Any:
    """The second largest size of each four."""
    return np.sort(np.abs(W).reshape(-1, 4), axis=1)[:, 2:3]


_VALUES = _chance.permuted(np.arange(1, 33) / 10 * _chance.choice([-1, 1], 32)).reshape(4, 8).round(1)
_TALL = _chance.permuted(np.arange(1, 33) / 20 * _chance.choice([-1, 1], 32)).reshape(8, 4).round(2)
_EQUAL = np.array(
    [[0.5, -0.5, 0.5, 0.1, 1.0, 2.0, 2.0, -2.0], [0.0, 0.0, 0.0, 0.0, 0.3, 0.3, -0.3, 0.3]]
    + [[3.0, 0.2, 0.1, -0.2, 0.7, 0.6, 0.9, 0.8]] * 2
)

TWO_FOUR = Exercise(
    id="11.two_four",
    arguments=("W",),
    answer=_of_four,
    cases=((_VALUES,), (_TALL,), (_EQUAL,)),
    measure=blocks_measure,
    praise="Exactly 2 of each 4 inputs of every output: the pattern that the hardware can skip.",
    hints=(
        "Bring each four into a row of its own, choose there, and go back to the old shape.",
        "W.reshape(-1, 4) has a row for each four. With equal weights ranks are safe, thresholds are not.",
        "rank = np.argsort(np.argsort(-np.abs(W).reshape(-1, 4), 1), 1); (rank < 2).reshape(W.shape).",
    ),
    mistakes=(
        Mistake(
            "along the wrong axis",
            lambda W: _of_four(np.ascontiguousarray(W.T)).T,
            (
                "Which four weights compete with each other?",
                "Those of one output: four columns of one row. The kernel skips inputs.",
                "Group along the last axis: W.reshape(-1, 4).",
            ),
        ),
        Mistake(
            "equal weights: keeps more than two",
            lambda W: (np.abs(W).reshape(-1, 4) >= _second(W)).reshape(W.shape),
            (
                "Count the kept weights of each four. Is one count 3 or 4?",
                "`>=` a threshold keeps all that are equal to it.",
                "Rank them, and keep the ranks 0 and 1.",
            ),
        ),
        Mistake(
            "equal weights: keeps fewer than two",
            lambda W: (np.abs(W).reshape(-1, 4) > np.sort(np.abs(W).reshape(-1, 4), axis=1)[:, 1:2]).reshape(
                W.shape
            ),
            (
                "Count the kept weights of each four. Is one count 0 or 1?",
                "`>` a threshold drops all that are equal to it.",
                "Rank them, and keep the ranks 0 and 1.",
            ),
        ),
        Mistake(
            "one of two",
            lambda W: best(np.abs(W).reshape(-1, 2), 1).reshape(W.shape),
            (
                "Where do the two largest of 3.0, 2.0, 0.2, 0.1 stand?",
                "One of each two is a 2:4 pattern as well, but not the best: both may stand side by side.",
                "Groups of four, two of each: reshape(-1, 4), ranks below 2.",
            ),
        ),
        Mistake(
            "half of each row",
            lambda W: best(np.abs(W), W.shape[1] // 2),
            (
                "Half of each row stays. And of each four?",
                "The kernel needs two of every four columns that follow each other.",
                "reshape(-1, 4) before you rank.",
            ),
        ),
        Mistake(
            "half of all",
            lambda W: best(np.abs(W).ravel(), W.size // 2).reshape(W.shape),
            (
                "Is there a four in your mask of which more than two stay?",
                "One threshold for the whole matrix gives half of it, in no pattern.",
                "reshape(-1, 4), and choose in each row of that.",
            ),
        ),
        Mistake(
            "keeps the smallest",
            lambda W: best(-np.abs(W).reshape(-1, 4), 2).reshape(W.shape),
            (
                "Which weights are True in your mask, the large ones or the small ones?",
                "argsort is ascending: the first two are the smallest. And True marks what is kept.",
                "Rank −|W|, or take the last two.",
            ),
        ),
        Mistake(
            "by value",
            lambda W: best(W.reshape(-1, 4), 2).reshape(W.shape),
            (
                "What happens to a weight of −2?",
                "A large negative weight matters as much as a large positive one.",
                "Rank np.abs(W).",
            ),
        ),
        Mistake(
            "every second one, whatever its size",
            lambda W: np.broadcast_to(np.arange(W.shape[1]) % 2 == 0, W.shape),
            (
                "Does your mask depend on W?",
                "The pattern is right. The two that stay must be the largest.",
                "Rank |W| in each four.",
            ),
        ),
    ),
)
