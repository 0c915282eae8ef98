"""A stream of numbers in bounded memory: the numbers themselves while few, then counts in bins that widen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from optviz._knobs import require

__all__ = ["Histogram"]

CHUNK = 1 << 15  # numbers at a time, so that what is made from them stays in the cache


@dataclass(frozen=True, eq=False)
class Histogram:
    """What is remembered of a stream of numbers, for several blocks side by side.

    A block's numbers are kept as they are while there are no more than ``bins``. From then on they are
    counted in ``bins`` bins of one width, aligned with 0. When a number comes that is outside, the width
    doubles until it fits and neighboring bins are joined, so that no count is ever split: the counts are those
    that all numbers would give at the final width.

    Args:
        bins: how many numbers a block may take in memory.
        magnitude: count |x|, from 0.
        kept: (blocks, n) numbers, while they are few.
        counts: (blocks, bins), later.
        first: (blocks,) the number of the first bin; bin k holds k · width ≤ x < (k + 1) · width.
        width: (blocks,) of the bins.

    Example:
        >>> seen = Histogram(16).update(np.arange(20.0)[None]).update(np.array([[-40.0]]))
        >>> float(seen.counts.sum()), seen.counts.shape
        (21.0, (1, 16))
    """

    bins: int
    magnitude: bool = False
    kept: Any = None
    counts: Any = None
    first: Any = None
    width: Any = None

    def update(self, blocks: Any) -> Histogram:
        """What is remembered after a batch (blocks, numbers in each).

        Raises:
            ValueError: if a number is not finite, or the count of blocks has changed.
        """
        x = as_numpy(blocks)
        low, high = ends(x)
        require(bool(np.isfinite(low + high).all()), "Histogram.update.blocks", "of finite numbers", blocks)
        if self.counts is None:
            both = x if self.kept is None else np.concatenate([_same(self.kept, x), x], 1)
            if both.shape[1] <= self.bins:
                return replace(self, kept=both.copy() if both is x else both)
            return self.spread(both)
        _same(self.counts, x)
        wider = self._holding(low, high)
        counts = wider.counts + counted(x, wider.first, wider.width, self.bins, self.magnitude)
        return replace(wider, counts=counts)

    def spread(self, x: Any = None) -> Histogram:
        """The numbers (those kept, if none are given) counted in bins, as wide as they are spread."""
        if x is None:
            self.seen()
        if x is None and self.kept is None:
            return self
        x = self.kept if x is None else x
        low, high = ends(x)
        low, high = (0 * low, np.maximum(-low, high)) if self.magnitude else (low, high)
        span = np.maximum(
            high - low, np.maximum(-low, high) * 2.0**-40
        )  # bins narrower than that mean nothing
        width = np.maximum(span, 2.0**-900) / (self.bins if self.magnitude else self.bins - 2)
        first = np.floor(low / width)
        counts = counted(x, first, width, self.bins, self.magnitude)
        return replace(self, kept=None, counts=counts, first=first, width=width)

    def quantile(self, share: float) -> Any:
        """The value below which a share of each block's numbers lies, (blocks,)."""
        self.seen()
        if self.kept is not None:
            x = abs(self.kept) if self.magnitude else self.kept
            return np.quantile(x.astype(np.float64), share, axis=1)
        below = np.cumsum(self.counts, 1)
        wanted = share * below[:, -1]
        at = np.minimum((below < wanted[:, None]).sum(1), self.bins - 1)
        inside = self.counts[np.arange(len(at)), at]
        before = below[np.arange(len(at)), at] - inside
        return (self.first + at + (wanted - before) / np.maximum(inside, 1)) * self.width

    def points(self) -> tuple[Any, Any]:
        """Numbers and how often each was seen, both (blocks, n): those kept, or the middles of the bins."""
        self.seen()
        if self.kept is not None:
            return self.kept.astype(np.float64), np.ones(self.kept.shape)
        middles = (self.first[:, None] + np.arange(self.bins) + 0.5) * self.width[:, None]
        return middles, self.counts

    def magnitudes(self) -> Histogram:
        """The same numbers without their sign."""
        self.seen()
        if self.kept is not None:
            return replace(self, kept=abs(self.kept))
        number = self.first[:, None] + np.arange(self.bins)
        number = np.where(number >= 0, number, -number - 1)
        first = number.min(1)
        at = (number - first[:, None]).astype(np.int64)
        return replace(self, first=first, counts=_summed(at, self.counts, self.bins))

    def seen(self) -> None:
        """Refuse to answer before the first number.

        Raises:
            ValueError: if no number was seen.
        """
        empty = self.kept is None and self.counts is None
        require(not empty, "range", "asked after it has seen numbers", "none")

    def _holding(self, low: Any, high: Any) -> Histogram:
        """The same counts in bins wide enough for ``low`` and ``high``."""
        low, high = (0 * low, np.maximum(-low, high)) if self.magnitude else (low, high)
        last, doublings = self.first + self.bins - 1, np.zeros(len(low))
        while True:
            width = np.ldexp(self.width, doublings.astype(int))
            first = np.minimum(np.floor(self.first * 0.5**doublings), np.floor(low / width))
            end = np.maximum(np.floor(last * 0.5**doublings), np.ceil(high / width - 1e-9) - 1)
            excess = (end - first + 1) / self.bins
            if (excess <= 1).all():
                break
            doublings += np.maximum(np.floor(np.log2(np.maximum(excess, 1))), excess > 1)
        number = np.floor((self.first[:, None] + np.arange(self.bins)) * 0.5 ** doublings[:, None])
        at = (number - first[:, None]).astype(np.int64)
        return replace(self, first=first, width=width, counts=_summed(at, self.counts, self.bins))


def ends(x: Any) -> tuple[Any, Any]:
    """The smallest and the largest number of each block, float64 (blocks,); NaN where one is NaN."""
    low, high = np.empty(len(x)), np.empty(len(x))
    for rows, columns in chunks(x.shape):
        part = x[rows, columns]
        fresh = columns.start == 0
        low[rows] = part.min(1) if fresh else np.minimum(low[rows], part.min(1))
        high[rows] = part.max(1) if fresh else np.maximum(high[rows], part.max(1))
    return low, high


def chunks(shape: tuple[int, int]) -> Iterator[tuple[slice, slice]]:
    """Pieces of a (blocks, n) array of about ``CHUNK`` numbers, those of a block one after the other."""
    blocks, n = shape
    many = max(CHUNK // n, 1)
    for top in range(0, blocks, many):
        for left in range(0, n, CHUNK):
            yield slice(top, top + many), slice(left, left + CHUNK)


def counted(x: Any, first: Any, width: Any, bins: int, magnitude: bool) -> Any:
    """How many numbers of (blocks, n) fall into each bin, (blocks, bins)."""
    counts = np.zeros((len(x), bins))
    for rows, columns in chunks(x.shape):
        part = x[rows, columns]
        part = abs(part) if magnitude else part
        at = np.floor(part / width[rows, None]) - first[rows, None]
        at = np.clip(at, 0, bins - 1) + bins * np.arange(len(part))[:, None]
        found = np.bincount(at.astype(np.int64).ravel(), minlength=len(part) * bins)
        counts[rows] += found.reshape(-1, bins)
    return counts


def as_numpy(x: Any) -> Any:
    """A tensor as an array; an array as it is."""
    return x.detach().cpu().numpy() if hasattr(x, "detach") else np.asarray(x)


def _summed(at: Any, counts: Any, bins: int) -> Any:
    flat = at + bins * np.arange(len(at))[:, None]
    return np.bincount(flat.ravel(), counts.ravel(), len(at) * bins).reshape(-1, bins)


def _same(known: Any, x: Any) -> Any:
    require(len(known) == len(x), "Histogram.update.blocks", f"of {len(known)} blocks", len(x))
    return known
