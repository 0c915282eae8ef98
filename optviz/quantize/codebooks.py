"""Codebooks: the weights of a layer share a few values, found by k-means and trained as what they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from optviz._knobs import config, knob, require
from optviz._rows import Of, chosen, namespace
from optviz.quantize.qparams import numbers

__all__ = ["Codebooks", "DensityStart", "LinearStart", "RandomStart", "kmeans", "lloyd", "share"]

Params = Mapping[str, Any]
MOST_BITS = 16
STEPS = 3000  # a step costs k searches, whatever the count of numbers


@config
class LinearStart:
    """First centroids at equal distances from the smallest to the largest number.

    Large weights are few and matter most, and this start has centroids near them: it won in the paper.

    Example:
        >>> LinearStart()(np.array([0.0, 0.1, 0.2, 3.0]), 4).tolist()
        [0.0, 1.0, 2.0, 3.0]

    Reference: Han, Mao and Dally, Deep compression, 2015, arXiv:1510.00149, section 3.2.
    """

    def __call__(self, w: np.ndarray, k: int) -> np.ndarray:
        return np.linspace(w[0], w[-1], k)


@config
class DensityStart:
    """First centroids where the numbers are dense: the distribution function has height (i + ½)/k there.

    Example:
        >>> DensityStart()(np.array([0.0, 0.1, 0.2, 3.0]), 2).tolist()
        [0.1, 3.0]

    Reference: Han, Mao and Dally, Deep compression, 2015, arXiv:1510.00149, section 3.2.
    """

    def __call__(self, w: np.ndarray, k: int) -> np.ndarray:
        return w[(2 * np.arange(k) + 1) * len(w) // (2 * k)]


@config
class RandomStart:
    """First centroids at numbers drawn at random (Forgy's start).

    Args:
        seed: of the draw.

    Example:
        >>> RandomStart()(np.array([0.0, 0.1, 0.2, 3.0]), 4).tolist()
        [0.0, 0.1, 0.2, 3.0]

    Reference: Han, Mao and Dally, Deep compression, 2015, arXiv:1510.00149, section 3.2.
    """

    seed: int = knob(0, 0, 99, hard=(0, 2**32 - 1))

    def __call__(self, w: np.ndarray, k: int) -> np.ndarray:
        chance = np.random.default_rng(self.seed)
        return np.sort(chance.choice(w, k, replace=k > len(w)))


LINEAR = LinearStart()


def lloyd(w: Any, start: Any, steps: int = STEPS) -> Iterator[np.ndarray]:
    """k-means step by step: each number belongs to the nearest centroid, each centroid is their mean.

    On a line the numbers of a centroid are those between two midpoints. So after one sort a step needs k
    searches and k differences of running sums, whatever the count of numbers. A number in the middle
    belongs to the lower centroid; a centroid without numbers stays where it is.

    Args:
        w: (…) numbers.
        start: (k,) first centroids.
        steps: at most so many moves.

    Returns:
        An iterator of centroids (k,) in rising order: the start, then one array a step until none moves.

    Raises:
        TypeError: if ``w`` is not of real numbers.
        ValueError: if it is empty or not finite, or there is no centroid.

    Example:
        >>> [c.tolist() for c in lloyd([0.0, 1.0, 5.0, 6.0, 7.0], [0.0, 1.0])]
        [[0.0, 1.0], [0.0, 4.75], [0.5, 6.0]]

    Reference: Lloyd, Least squares quantization in PCM, 1982, doi:10.1109/TIT.1982.1056489.
    """
    w, centroids = np.sort(_flat(w, "lloyd.w")), np.sort(_flat(start, "lloyd.start"))
    sums = np.concatenate([[0.0], np.cumsum(w)])
    last = None
    for _ in range(steps + 1):
        yield centroids
        ends = np.concatenate([[0], np.searchsorted(w, _middles(centroids), "right"), [len(w)]])
        if last is not None and (ends == last).all():
            return
        counts, last = np.diff(ends), ends
        centroids = np.where(counts > 0, np.diff(sums[ends]) / np.maximum(counts, 1), centroids)


def kmeans(w: Any, k: int, init: Any = LINEAR, steps: int = STEPS) -> tuple[Any, Any]:
    """k values for many numbers, so that Σ (w − nearest value)² is small.

    Args:
        w: array or tensor of any shape.
        k: number of centroids, at least 1.
        init: ``LinearStart()``, ``DensityStart()``, ``RandomStart(seed)``, or a function (numbers in rising
            order, k) → (k,) first centroids.
        steps: at most so many moves of the centroids.

    Returns:
        Centroids (k,) in rising order, of the kind and type of ``w``, and labels, int32 of the shape of
        ``w``: the number of the nearest centroid. Where ``init`` puts two at one place, or one far from all
        numbers, a centroid may have none.

    Raises:
        TypeError: if ``w`` is not of real numbers.
        ValueError: if it is empty or not finite, or ``k`` is below 1.

    Example:
        >>> centroids, labels = kmeans(np.array([0.0, 1.0, 5.0, 6.0, 7.0]), 2)
        >>> centroids.tolist(), labels.tolist()
        ([0.5, 6.0], [0, 0, 1, 1, 1])

    Reference: Han, Mao and Dally, Deep compression, 2015, arXiv:1510.00149, section 3.1.
    """
    whole = isinstance(k, int | np.integer) and not isinstance(k, bool) and k >= 1
    require(whole, "kmeans.k", "a whole number of at least 1", k)
    x = numbers(w, "kmeans.w")
    flat = _flat(x, "kmeans.w")
    *_, centroids = lloyd(flat, init(np.sort(flat), int(k)), steps)
    labels = np.searchsorted(_middles(centroids), flat, "left").astype(np.int32)
    return _like(x, centroids, x.dtype), _like(x, labels.reshape(tuple(x.shape)))


@dataclass(frozen=True, eq=False)
class Codebooks:
    """The values that the weights of a network share, and which weight has which.

    Args:
        centroids: name → (k,) values.
        labels: name → int32 (*shape), the number of each weight's value; −1 where the weight is 0.

    Example:
        >>> books = Codebooks({"w": np.array([0.5, 2.0])}, {"w": np.array([[1, -1, 0]])})
        >>> books({"w": np.zeros((1, 3)), "b": np.ones(1)})["w"].tolist()
        [[2.0, 0.0, 0.5]]

    Reference: Han, Mao and Dally, Deep compression, 2015, arXiv:1510.00149, section 3.
    """

    centroids: Params = field(repr=False)
    labels: Params = field(repr=False)

    def __call__(self, params: Params) -> dict[str, Any]:
        """The parameters of the network with each weight at its shared value; others as they are."""
        return {n: self._spread(n) if n in self.labels else p for n, p in params.items()}

    def retrained(self, params: Params) -> Codebooks:
        """The same labels with the values that trained weights have: those of each value's first weight."""
        found = dict(self.centroids)
        for name, labels in self.labels.items():
            values = _plain(found[name])
            values = np.append(values, values.dtype.type(0))  # the last is that of label −1
            values[_plain(labels).reshape(-1)[::-1]] = _plain(params[name]).reshape(-1)[::-1]
            found[name] = _like(params[name], values[:-1])
        return Codebooks(found, self.labels)

    def _spread(self, name: str) -> Any:
        values, labels = self.centroids[name], self.labels[name]
        zero = values.new_zeros(1) if _torch(values) else np.zeros(1, values.dtype)
        return namespace(values).concatenate([values, zero])[labels]  # label −1 is the last value, 0


def share(params: Params, bits: Any, init: Any = LINEAR, of: Of = None, steps: int = STEPS) -> Codebooks:
    """Codebooks of 2^bits values for each layer of a network, by k-means over its weights that aren't 0.

    Pruned weights stay exactly 0 and use no value. A layer of n weights with k values of b bits each then
    needs n · log₂ k + k · b bits instead of n · b.

    Args:
        params: name → array or tensor (*shape), one network.
        bits: 1 to 16, for all layers or name → bits; a layer has no more values than weights that aren't 0.
        init, steps: as for :func:`kmeans`; 0 steps leave the values where they start.
        of: names of the parameters that are shared; None for all with two or more axes.

    Returns:
        :class:`Codebooks`; called with parameters they give the shared ones.

    Raises:
        TypeError: if weights are not real numbers.
        ValueError: if bits are outside 1 … 16 or missing for a layer, or weights are not finite.

    Example:
        >>> w = np.array([[0.0, 0.9, 1.1], [-0.5, 0.0, -0.7]])
        >>> books = share({"weight": w, "bias": np.ones(2)}, 1)
        >>> books({"weight": w, "bias": np.ones(2)})["weight"].round(2).tolist()
        [[0.0, 1.0, 1.0], [-0.6, 0.0, -0.6]]

    Reference: Han, Mao and Dally, Deep compression, 2015, arXiv:1510.00149, section 3 and equation 1.
    """
    names = chosen(params, of, rows=False)
    if isinstance(bits, Mapping):
        require(set(bits) <= set(names), "share.bits", f"for names among {names}", dict(bits))
    found = {n: _shared(n, params[n], _bits(bits, n), init, steps) for n in names}
    return Codebooks({n: c for n, (c, _) in found.items()}, {n: labels for n, (_, labels) in found.items()})


def _shared(name: str, p: Any, bits: int, init: Any, steps: int) -> tuple[Any, Any]:
    p = numbers(p, f"share.params[{name!r}]")
    flat, wide = _flat(p, f"share.params[{name!r}]"), _plain(p).reshape(-1)
    labels = np.full(len(flat), -1, np.int32)
    kept = np.flatnonzero(wide)
    centroids = np.zeros(0)
    if len(kept):
        centroids, labels[kept] = kmeans(flat[kept], min(2**bits, len(kept)), init, steps)
    return _like(p, centroids, p.dtype), _like(p, labels.reshape(tuple(p.shape)))


def _bits(bits: Any, name: str) -> int:
    if isinstance(bits, Mapping):
        require(name in bits, "share.bits", f"given for {name!r} too", dict(bits))
        bits = bits[name]
    whole = isinstance(bits, int | np.integer) and not isinstance(bits, bool)
    require(whole and 1 <= bits <= MOST_BITS, "share.bits", f"a whole number in [1, {MOST_BITS}]", bits)
    return int(bits)


def _middles(centroids: np.ndarray) -> np.ndarray:
    return (centroids[1:] + centroids[:-1]) / 2


def _flat(w: Any, name: str) -> np.ndarray:
    """Finite numbers (n,) in float64."""
    found = _plain(numbers(w, name)).reshape(-1).astype(np.float64)
    require(bool(np.isfinite(found).all()), name, "of finite numbers", w)
    return found


def _torch(x: Any) -> bool:
    return namespace(x) is not np


def _plain(x: Any) -> np.ndarray:
    return np.asarray(x.detach().cpu() if _torch(x) else x)


def _like(x: Any, values: np.ndarray, dtype: Any = None) -> Any:
    """NumPy's values as array or tensor, where ``x`` is."""
    if not _torch(x):
        return values.astype(dtype) if dtype is not None else values
    return namespace(x).as_tensor(values, dtype=dtype, device=x.device)
