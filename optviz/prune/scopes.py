"""From scores to masks: which weights compete with which, and how many of them go, to one weight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from optviz._knobs import config, knob, require
from optviz.prune._check import Masks, Scores, agreeing, as_numpy, fractions, like, numbers
from optviz.prune.masks import check_masks

__all__ = ["NM", "Budget", "Global", "Layer", "Unit", "mask"]

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Global:
    """All weights of the network compete: round(sparsity · N) of all N go, wherever they are.

    Example:
        >>> scores = {"a": np.array([[1.0, 2.0, 3.0, 8.0]]), "b": np.array([[4.0, 9.0]])}
        >>> [int(m.sum()) for m in mask(scores, 0.5, Global()).values()]
        [1, 2]

    Reference: Blalock, Ortiz, Frankle and Guttag, 2020, arXiv:2003.03033, section 2.3.
    """

    def kept(self, scores: Arrays, shares: np.ndarray | None) -> Arrays:
        """name → bool (K, *shape) for K shares."""
        return dict(zip(scores, best(list(scores.values()), _given(shares)), strict=True))


@dataclass(frozen=True)
class Layer:
    """The weights of each layer compete among themselves: round(sparsity · n) of its n go in every layer.

    Example:
        >>> scores = {"a": np.array([[1.0, 2.0, 3.0, 8.0]]), "b": np.array([[4.0, 9.0]])}
        >>> [int(m.sum()) for m in mask(scores, 0.5, Layer()).values()]
        [2, 1]

    Reference: Blalock, Ortiz, Frankle and Guttag, 2020, arXiv:2003.03033, section 2.3.
    """

    def kept(self, scores: Arrays, shares: np.ndarray | None) -> Arrays:
        """name → bool (K, *shape) for K shares."""
        return {name: best([s], _given(shares))[0] for name, s in scores.items()}


@dataclass(frozen=True)
class Unit:
    """The weights into each unit compete among themselves: every unit loses the same share of its inputs.

    Example:
        >>> mask({"w": np.array([[1.0, 2.0], [4.0, 3.0]])}, 0.5, Unit())["w"].tolist()
        [[False, True], [True, False]]

    Reference: Sun, Liu, Bair and Kolter, 2023, arXiv:2306.11695, section 3.
    """

    def kept(self, scores: Arrays, shares: np.ndarray | None) -> Arrays:
        """name → bool (K, *shape) for K shares."""
        given, found = _given(shares), {}
        for name, s in scores.items():
            inputs = s.reshape(len(s), -1)
            ranks = inputs.argsort(1, kind="stable").argsort(1)
            counts = np.array([round(share * ranks.shape[1]) for share in given])
            kept = (ranks >= counts[:, None, None]) | (inputs == np.inf)
            found[name] = kept.reshape(-1, *s.shape)
        return found


@dataclass(frozen=True)
class Budget:
    """Each layer has a sparsity of its own, such as a sensitivity scan finds; other layers stay whole.

    Args:
        sparsities: name → sparsity in [0, 1). Kept as a tuple of pairs, so that the scope can be hashed.

    Raises:
        TypeError: if a sparsity is no number.
        ValueError: if one is outside [0, 1).

    Example:
        >>> mask({"a": np.array([[1.0, 2.0]]), "b": np.array([[3.0, 4.0]])}, scope=Budget({"a": 0.5}))
        {'a': array([[False,  True]]), 'b': array([[ True,  True]])}

    Reference: Han, Pool, Tran and Dally, 2015, arXiv:1506.02626 (its sensitivity scan).
    """

    sparsities: Any

    def __post_init__(self) -> None:
        pairs = self.sparsities.items() if isinstance(self.sparsities, Mapping) else self.sparsities
        named = tuple((str(n), float(fractions(s, f"Budget.sparsities[{n!r}]"))) for n, s in pairs)
        object.__setattr__(self, "sparsities", named)

    def kept(self, scores: Arrays, shares: np.ndarray | None) -> Arrays:
        """name → bool (1, *shape)."""
        require(shares is None, "mask.sparsity", "None with a Budget, which has its own", shares)
        own = dict(self.sparsities)
        unknown = sorted(set(own) - set(scores))
        require(not unknown, "Budget.sparsities", f"for layers among {sorted(scores)}", unknown)
        return {name: best([s], [own.get(name, 0.0)])[0] for name, s in scores.items()}


@config
class NM:
    """Of every m neighbors along the input axis the n with the highest scores stay, such as 2 of 4.

    The inputs of a linear layer, or the input channels of a convolution, are cut into groups of m; sparse
    hardware stores the n kept values of a group with their places.

    Args:
        n: weights kept in a group.
        m: weights in a group; it must divide the inputs of every layer.

    Raises:
        TypeError: if they are no numbers.
        ValueError: if n is not below m; in ``mask``, if m does not divide the inputs of a layer.

    Example:
        >>> mask({"w": np.array([[0.1, 0.4, 0.3, 0.2]])}, scope=NM(2, 4))["w"].tolist()
        [[False, True, True, False]]

    Reference: Mishra et al., Accelerating sparse deep neural networks, 2021, arXiv:2104.08378.
    """

    n: int = knob(2, 1, 8, hard=(1, 1024), label="kept of each group")
    m: int = knob(4, 2, 16, hard=(2, 1024), label="weights in a group")

    def _check(self) -> None:
        require(self.n < self.m, "NM.n", f"below NM.m ({self.m})", self.n)

    def kept(self, scores: Arrays, shares: np.ndarray | None) -> Arrays:
        """name → bool (1, *shape)."""
        own = 1 - self.n / self.m
        fits = shares is None or bool((abs(shares - own) < 1e-9).all())
        require(fits, "mask.sparsity", f"None or {own:g} with {self}", shares)
        return {name: self._of_layer(name, s)[None] for name, s in scores.items()}

    def _of_layer(self, name: str, scores: np.ndarray) -> np.ndarray:
        require(scores.ndim >= 2, f"mask.scores[{name!r}]", "of two axes or more with NM", scores.shape)
        inputs = np.moveaxis(scores, 1, -1)
        size = inputs.shape[-1]
        require(size % self.m == 0, f"mask.scores[{name!r}]", f"of inputs in whole groups of {self.m}", size)
        ranks = inputs.reshape(-1, self.m).argsort(1, kind="stable").argsort(1)
        return np.moveaxis((ranks >= self.m - self.n).reshape(inputs.shape), -1, 1)


Scope = Global | Layer | Unit | Budget | NM
GLOBAL = Global()


def mask(
    scores: Scores,
    sparsity: Any = None,
    scope: Scope = GLOBAL,
    *,
    floor: int | None = None,
    within: Masks | None = None,
) -> dict[str, Any]:
    """Keep the weights with the highest scores: exactly round(sparsity · N) of N go, no more, no fewer.

    Of equal scores the ones that come first go first. Several sparsities give nested masks from one sort.
    Fewer go only where ``floor`` or infinite scores leave too few that may.

    Args:
        scores: name → array or tensor (*shape) of one network; ∞ keeps a weight, −∞ lets it go.
        sparsity: the share that goes, in [0, 1): a number, or K of them. None where the scope has its own.
        scope: :class:`Global`, :class:`Layer`, :class:`Unit`, :class:`Budget` or :class:`NM`.
        floor: fewest weights that each layer keeps; others go in their place. None stops with an error where
            a layer would lose all of its weights.
        within: masks (*shape) of an earlier round: what is gone stays gone, and counts.

    Returns:
        name → bool, True where a weight is kept: (*shape), or (K, *shape) for K sparsities.

    Raises:
        TypeError: if scores or sparsities are no numbers, or ``scope`` is no scope.
        ValueError: if a sparsity is outside [0, 1), a score is NaN, a layer would lose all of its weights,
            or fewer would go than are gone within.

    Example:
        >>> scores = {"w": np.array([[3.0, 1.0, 2.0, 1.0]])}
        >>> mask(scores, 0.25)["w"].tolist()
        [[True, False, True, True]]
        >>> mask(scores, [0.25, 0.5, 0.75])["w"].sum(-1).tolist()
        [[3], [2], [1]]

    Reference: Blalock, Ortiz, Frankle and Guttag, 2020, arXiv:2003.03033, section 2.
    """
    if not isinstance(scope, Scope):
        raise TypeError(f"mask.scope must be one of optviz.prune's, such as Global(), got {scope!r}")
    found = _without(numbers(scores), within)
    shares = None if sparsity is None else fractions(sparsity, "mask.sparsity")
    kept = scope.kept(_held(found, floor), None if shares is None else shares.reshape(-1))
    kept = _inside(kept, within, scope)
    for name, m in kept.items():
        if floor is None and not m.any(axis=tuple(range(1, m.ndim))).all():
            raise ValueError(f"mask.sparsity must leave {name!r} a weight (or give floor=1), got {sparsity}")
    several = shares is not None and shares.ndim == 1
    return {name: like(m if several else m[0], scores[name]) for name, m in kept.items()}


def best(scores: Sequence[np.ndarray], shares: Sequence[float] | np.ndarray) -> list[np.ndarray]:
    """Masks (K, *shape) that drop exactly round(share · N) of all N scores, for K shares.

    Args:
        scores: arrays that compete as one.
        shares: K shares in [0, 1).

    Example:
        >>> best([np.array([1.0, 1.0, 1.0, 1.0])], [0.5])[0].tolist()
        [[False, False, True, True]]
    """
    total = sum(s.size for s in scores)
    counts = [round(share * total) for share in np.asarray(shares).tolist()]
    cuts = _cuts(scores, counts)
    kept = [np.ones((len(counts), *s.shape), bool) for s in scores]
    for k, (count, cut) in enumerate(zip(counts, cuts, strict=True)):
        if count:
            _drop(scores, [m[k] for m in kept], count, cut)
    return kept


def _cuts(scores: Sequence[np.ndarray], counts: Sequence[int]) -> list[Any]:
    """The highest score that goes, for each count of those that go."""
    low = min(s.min() for s in scores)
    lows = sum(int(np.count_nonzero(s == low)) for s in scores)
    # the lowest are put aside: zeros of an earlier round are many, and equal ones make the selection slow
    ranked, end = np.empty(sum(s.size for s in scores) - lows, np.result_type(*scores)), 0
    for s in scores:
        part = s[s > low]
        ranked[end : (end := end + part.size)] = part
    places = {count - lows - 1 for count in counts if count > lows}
    if places:
        ranked.partition(sorted(places))  # puts the k-th smallest at k − 1
    return [ranked[count - lows - 1] if count > lows else low for count in counts]


def _drop(scores: Sequence[np.ndarray], kept: Sequence[np.ndarray], count: int, cut: Any) -> None:
    """Write into ``kept`` which scores stay when ``count`` go, the largest of them being ``cut``."""
    if cut == np.inf:  # infinite scores stay, even where a layer has too few others
        count = sum(int(np.count_nonzero(s < cut)) for s in scores)
    for s, m in zip(scores, kept, strict=True):
        np.greater(s, cut, out=m)
    # scores equal to cut are gone too; those too many come back, the last ones first
    back = sum(m.size - int(np.count_nonzero(m)) for m in kept) - count
    for s, m in zip(reversed(scores), reversed(kept), strict=True):
        if back:
            ties = np.flatnonzero(s == cut)[-back:]
            m.flat[ties] = True
            back -= len(ties)


def _given(shares: np.ndarray | None) -> np.ndarray:
    if shares is None:
        raise ValueError("mask.sparsity must be in [0, 1), got None")
    return shares


def _held(scores: Arrays, floor: int | None) -> Arrays:
    """Scores in which the ``floor`` best of each layer are infinite, so that they stay."""
    if floor is None:
        return scores
    if isinstance(floor, bool) or not isinstance(floor, int | np.integer):
        raise TypeError(f"mask.floor must be a whole number or None, got {floor!r}")
    require(floor >= 1, "mask.floor", "at least 1", floor)
    found = {}
    for name, s in scores.items():
        top = s.reshape(-1).argsort(kind="stable")[-int(floor) :]
        held = s.astype(np.result_type(s, np.float32))
        held.reshape(-1)[top] = np.inf
        found[name] = held
    return found


def _without(scores: Arrays, within: Masks | None) -> Arrays:
    """Scores in which what is gone already is −∞, so that it goes first."""
    if within is None:
        return scores
    check_masks(within, "mask.within")
    agreeing(scores, within, "mask.within")
    return {name: np.where(as_numpy(within[name]), s, -np.inf) for name, s in scores.items()}


def _inside(kept: Arrays, within: Masks | None, scope: Scope) -> Arrays:
    """The masks, from which nothing that was gone has come back."""
    if within is None:
        return kept
    inside = {name: m & as_numpy(within[name]) for name, m in kept.items()}
    if not isinstance(scope, NM):  # there a group may have fewer than n left
        for name, m in inside.items():
            grown = int(kept[name].sum() - m.sum())
            require(grown == 0, "mask.sparsity", f"at least that of within ({name!r})", f"{grown} revived")
    return inside
