"""Exercises in which arrays really get smaller: a hidden layer with its norm, columns behind a flatten."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from optviz.lessons.material import Exercise, Mistake

__all__ = ["FLATTEN", "SHRINK"]


def _shaped(fn: Callable[..., Any], case: tuple[Any, ...]) -> Any:
    """Each array that comes back as its shape and then its numbers."""
    found = fn(*case)
    if found is None or found is ...:
        return found
    parts = found if isinstance(found, tuple | list) else (found,)
    arrays = [np.asarray(p.detach().cpu() if hasattr(p, "detach") else p, float) for p in parts]
    return np.concatenate([[*a.shape, *a.ravel()] for a in arrays])


def _shapes(answer: Callable[..., Any], names: tuple[str, ...]) -> Callable[..., str]:
    """Say which array has another shape than in the right answer."""

    def explain(fn: Callable[..., Any], case: tuple[Any, ...]) -> str:
        pairs = []
        for function in (fn, answer):
            try:
                found = function(*case)
            except Exception:  # its own words are shown already
                return ""
            parts = found if isinstance(found, tuple | list) else (found,)
            pairs.append([tuple(getattr(part, "shape", ())) for part in parts])
        given, right = pairs
        if len(given) != len(right):
            return f"{len(right)} arrays are asked for: {', '.join(names)}."
        wrong = [
            f"{n} has shape {a}, and {b} is right." for n, a, b in zip(names, *pairs, strict=True) if a != b
        ]
        return " ".join(wrong)

    return explain


def _network(seed: int, inputs: int, hidden: int, outputs: int, gone: tuple[int, ...]) -> tuple[Any, ...]:
    chance = np.random.default_rng(seed)

    def numbers(*shape: int) -> np.ndarray:
        return chance.normal(size=shape).round(2) + 0.0  # + 0.0 makes −0 a plain 0

    w1, b1 = numbers(hidden, inputs), numbers(hidden)
    norm = chance.uniform(0.5, 2, (4, hidden)).round(2)
    w2, b2 = numbers(outputs, hidden), numbers(outputs)
    keep = np.ones(hidden, bool)
    keep[list(gone)] = False
    return w1, b1, norm, w2, b2, keep


Cut = Callable[[Any, Any], Any]


def _rows(p: Any, keep: Any) -> Any:
    return p[keep]


def _columns(p: Any, keep: Any) -> Any:
    return p[:, keep]


def _all(p: Any, keep: Any) -> Any:
    return p


def _with(
    w1: Cut = _rows, b1: Cut = _rows, norm: Cut = _columns, w2: Cut = _columns, b2: Cut = _all
) -> Callable[..., Any]:
    """The smaller network, each of its arrays cut in its own way."""
    cuts = (w1, b1, norm, w2, b2)
    return lambda *given: tuple(cut(p, given[5]) for cut, p in zip(cuts, given[:5], strict=True))


def _moved(p: Any, keep: Any) -> Any:
    return np.concatenate([p[keep], p[~keep]])


def _zeroed(p: Any, keep: Any) -> Any:
    return p * (keep[:, None] if p.shape[0] == len(keep) and p.ndim == 2 else keep)


SHRINK = Exercise(
    id="10.shrink",
    arguments=("w1", "b1", "norm", "w2", "b2", "keep"),
    answer=_with(),
    cases=(
        _network(0, 2, 3, 2, (1,)),
        _network(1, 6, 5, 2, (0, 3)),
        _network(2, 4, 4, 4, (2,)),  # square: a wrong axis raises nothing
        _network(3, 6, 6, 6, (0, 1, 4)),
    ),
    measure=_shaped,
    explain=_shapes(_with(), ("w1", "b1", "norm", "w2", "b2")),
    praise="Every array that has an entry for a unit lost it: that is the whole of dependency tracing.",
    hints=(
        "Go through the five arrays: which axis of each has one entry for every hidden unit?",
        "Rows of w1, entries of b1, columns of norm, columns of w2; b2 has one entry for each class.",
        "w1[keep], b1[keep], norm[:, keep], w2[:, keep], b2.",
    ),
    mistakes=(
        Mistake(
            "forgets the next layer's inputs",
            _with(w2=_all),
            (
                "Try to multiply: how many numbers does the second layer expect now?",
                "w2 still has a column for every unit that is gone.",
                "w2[:, keep].",
            ),
        ),
        Mistake(
            "forgets the norm",
            _with(norm=_all),
            (
                "What stands between the two layers?",
                "Gain, shift, mean and variance have one entry for each unit too.",
                "norm[:, keep].",
            ),
        ),
        Mistake(
            "forgets the norm's running statistics",
            lambda w1, b1, norm, w2, b2, keep: (
                w1[keep],
                b1[keep],
                np.concatenate([norm[:2, keep], norm[2:, : keep.sum()]]),
                w2[:, keep],
                b2,
            ),
            (
                "Two of the norm's four rows are no parameters. Do they belong to units?",
                "Mean and variance must lose the same entries as gain and shift, not the last ones.",
                "norm[:, keep] cuts all four rows alike.",
            ),
        ),
        Mistake(
            "forgets the bias",
            _with(b1=_all),
            (
                "How many biases does the smaller first layer need?",
                "b1 has one entry for each unit.",
                "b1[keep].",
            ),
        ),
        Mistake(
            "prunes the classes",
            _with(w2=lambda p, keep: p[keep][:, keep], b2=_rows),
            (
                "How many answers can your network still give?",
                "The rows of w2 and the entries of b2 are the classes: all of them stay.",
                "w2[:, keep], and b2 as it is.",
            ),
        ),
        Mistake(
            "cuts rows of the second layer",
            _with(w2=_rows),
            (
                "What is a row of w2, and what is a column?",
                "Rows are outputs. The hidden units are its inputs.",
                "w2[:, keep].",
            ),
        ),
        Mistake(
            "cuts the inputs of the first layer",
            _with(w1=_columns),
            (
                "What is a row of w1, and what is a column?",
                "You took pixels away; the hidden units are the rows.",
                "w1[keep].",
            ),
        ),
        Mistake(
            "keeps what should go",
            lambda *given: _with()(*given[:5], ~given[5]),
            (
                "Count the units that are left, and the True in keep.",
                "keep is True for what stays.",
                "Index with keep, not with ~keep.",
            ),
        ),
        Mistake(
            "zeros instead of removing",
            _with(_zeroed, _zeroed, lambda p, keep: p * keep, lambda p, keep: p * keep),
            (
                "How large are your arrays?",
                "A multiplication by 0 takes as long as any other: that is silencing.",
                "Index with keep instead of multiplying by it.",
            ),
        ),
        Mistake(
            "moves rows instead of removing them",
            _with(_moved, _all, _all, _all),
            (
                "How many rows does your w1 have?",
                "Kept rows first, the others behind them: nothing is gone, and biases stand by wrong rows.",
                "w1[keep], and the same units out of the other arrays.",
            ),
        ),
    ),
)


def _flat(seed: int, outputs: int, channels: int, pixels: int, gone: tuple[int, ...]) -> tuple[Any, ...]:
    keep = np.ones(channels, bool)
    keep[list(gone)] = False
    w = np.random.default_rng(seed).normal(size=(outputs, channels * pixels)).round(2)
    return w, keep


def _pixels(w: Any, keep: Any) -> int:
    return w.shape[1] // len(keep)


def _blocks(w: Any, keep: Any) -> Any:
    return w[:, np.repeat(keep, _pixels(w, keep))]


FLATTEN = Exercise(
    id="10.flatten",
    arguments=("w", "keep"),
    answer=_blocks,
    cases=(
        _flat(0, 2, 3, 2, (1,)),
        _flat(1, 3, 4, 2, (0, 3)),
        _flat(2, 4, 4, 9, (2,)),
        _flat(3, 6, 6, 4, (0, 1, 4)),
    ),
    measure=_shaped,
    explain=_shapes(_blocks, ("the answer",)),
    praise="Channel c is the block of columns c·P to c·P + P − 1, and the block goes as one.",
    hints=(
        "How many columns of w belong to one channel?",
        "Flatten writes all pixels of channel 0, then all pixels of channel 1, and so on.",
        "w[:, np.repeat(keep, w.shape[1] // len(keep))].",
    ),
    mistakes=(
        Mistake(
            "channel c is column c",
            lambda w, keep: np.delete(w, np.flatnonzero(~keep), 1),
            (
                "How many columns did you take out, and how many pixels have the channels that go?",
                "A channel is a block of columns, one for each of its pixels.",
                "Repeat each entry of keep once for every pixel.",
            ),
        ),
        Mistake(
            "pixels before channels",
            lambda w, keep: w[:, np.tile(keep, _pixels(w, keep))],
            (
                "The right number of columns goes. Are they neighbors?",
                "You repeat the whole pattern; flatten keeps the pixels of one channel together.",
                "np.repeat(keep, P), not np.tile(keep, P).",
            ),
        ),
        Mistake(
            "keeps the first columns",
            lambda w, keep: w[:, : keep.sum() * _pixels(w, keep)],
            (
                "Does it matter in your answer which channels go?",
                "The number of columns is right, but they must be those of the channels that stay.",
                "np.repeat(keep, P) says which columns stay.",
            ),
        ),
        Mistake(
            "one column a channel",
            lambda w, keep: w[:, :: _pixels(w, keep)][:, keep],
            (
                "How many numbers does a channel that stays send to the linear layer?",
                "You kept the first pixel of each channel only.",
                "All P columns of a block stay.",
            ),
        ),
        Mistake(
            "cuts rows",
            lambda w, keep: w[keep],
            (
                "What is a row of w?",
                "Rows are the outputs of the linear layer; the channels are its inputs.",
                "Index the second axis.",
            ),
        ),
        Mistake(
            "keeps what should go",
            lambda w, keep: w[:, np.repeat(~keep, _pixels(w, keep))],
            (
                "Count the columns that are left.",
                "keep is True for channels that stay.",
                "Repeat keep, not ~keep.",
            ),
        ),
        Mistake(
            "zeros instead of removing",
            lambda w, keep: w * np.repeat(keep, _pixels(w, keep)),
            (
                "How many columns has your answer?",
                "The right columns are zero, but they are all still there.",
                "Index with the repeated keep instead of multiplying by it.",
            ),
        ),
    ),
)
