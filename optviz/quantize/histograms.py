"""A stream of numbers in bounded memory: the numbers themselves while few, then counts in bins that widen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from optviz._knobs import require
from optviz.quantize._blocks import as_numpy, extremes, finite, pieces

__all__ = ["Histogram"]

MOST = 1 << 18  # numbers of one batch that are counted a block; of a larger one, a sample
RUN = 64  # neighbors that a sample takes at a place


@dataclass(frozen=True, eq=False)
class Histogram:
    """What is remembered of a stream of numbers, for several blocks side by side.

    A block's numbers are kept as they are while there are no more than ``bins``. From then on they are
    counted in ``bins`` bins of one width, aligned with 0. When a number comes that is outside, the width
    doubles until it fits and neighboring bins are joined, so that no count is ever split: the counts are
    those that all numbers would give at the final width. The extremes are always exact; of a batch with more
    than 262,144 numbers a block, a sample of that many is counted, in runs evenly spread.

    Args:
        bins: how many numbers a block may take in memory.
        magnitude: count |x|, from 0.
        low, high: (blocks,) the extremes.
        kept: (blocks, n) numbers, while they are few.
        counts: (blocks, bins), later.
        first: (blocks,) the number of the first bin; bin k holds k · width ≤ x < (k + 1) · width.
        width: (blocks,) of the bins.

    Example:
        >>> seen = Histogram(16).update(np.arange(20.0)[None]).update(np.array([[-40.0]]))
        >>> float(seen.counts.sum()), seen.counts.shape
        (21.0, (1, 16))

    Reference: Migacz, 8-bit inference with TensorRT, GPU Technology Conference, 2017, session S7310.
    """

    bins: int
    magnitude: bool = False
    low: Any = None
    high: Any = None
    kept: Any = None
    counts: Any = None
    first: Any = None
    width: Any = None

    def update(self, blocks: Any) -> Histogram:
        """What is remembered after a batch (blocks, numbers in each).

        Raises:
            ValueError: if a number is not finite, or the count of blocks has changed.
        """
        low, high = extremes(blocks)
        require(finite(low, high), "Histogram.update.blocks", "of finite numbers", blocks)
        if self.low is not None:
            require(len(low) == len(self.low), "Histogram.update.blocks", f"{len(self.low)} blocks", len(low))
            low, high = np.minimum(self.low, low), np.maximum(self.high, high)
        wider = replace(self, low=low, high=high)
        few = as_numpy(blocks) if self.kept is None else np.append(self.kept, as_numpy(blocks), 1)
        if self.counts is None and few.shape[1] <= self.bins:
            return replace(wider, kept=few.copy())
        wider = wider.spread() if self.counts is None else wider._widened()
        return replace(wider, counts=wider.counts + wider._counted(sampled(as_numpy(blocks))))

    def spread(self) -> Histogram:
        """The numbers that were kept, if any, counted in bins that reach from the lowest to the highest."""
        self._seen()
        if self.counts is not None:
            return self
        low, high = self._ends()
        span = np.maximum(high - low, np.maximum(-low, high) * 2.0**-40)  # narrower bins mean nothing
        width = np.maximum(span, 2.0**-900) / (self.bins if self.magnitude else self.bins - 2)
        empty = replace(self, kept=None, width=width, first=np.floor(low / width))
        counts = np.zeros((len(low), self.bins)) if self.kept is None else empty._counted(self.kept)
        return replace(empty, counts=counts)

    def quantile(self, share: float) -> Any:
        """The value below which a share of each block's numbers lies, (blocks,)."""
        self._seen()
        if self.kept is not None:
            return np.quantile(self.kept.astype(np.float64), share, axis=1)
        below = np.cumsum(self.counts, 1)
        wanted = share * below[:, -1]
        at = np.minimum((below < wanted[:, None]).sum(1), self.bins - 1)
        inside = self.counts[np.arange(len(at)), at]
        before = below[np.arange(len(at)), at] - inside
        found = (self.first + at + (wanted - before) / np.maximum(inside, 1)) * self.width
        return np.clip(found, *self._ends())

    def points(self) -> tuple[Any, Any]:
        """Numbers and how often each was seen, both (blocks, n): those kept, or the middles of the bins."""
        self._seen()
        if self.kept is not None:
            return self.kept.astype(np.float64), np.ones(self.kept.shape)
        return (self._numbers() + 0.5) * self.width[:, None], self.counts

    def magnitudes(self) -> Histogram:
        """The same numbers without their sign."""
        self._seen()
        top = np.maximum(-self.low, self.high)
        bottom = np.maximum(np.maximum(self.low, -self.high), 0)
        if self.kept is not None:
            return replace(self, low=bottom, high=top, kept=abs(self.kept))
        number = self._numbers()
        number = np.where(number >= 0, number, -number - 1)
        return replace(self, low=bottom, high=top)._moved(number, number.min(1), self.width)

    def _seen(self) -> None:
        """Refuse to answer before the first number."""
        require(self.low is not None, "range", "finished after it has seen numbers", "none")

    def _ends(self) -> tuple[Any, Any]:
        """What the bins must reach."""
        top = np.maximum(-self.low, self.high)
        return (0 * top, top) if self.magnitude else (self.low, self.high)

    def _numbers(self) -> Any:
        return self.first[:, None] + np.arange(self.bins)

    def _widened(self) -> Histogram:
        """The same counts in bins that reach the ends."""
        (low, high), doublings = self._ends(), np.zeros(len(self.width), np.int64)
        while True:
            width = np.ldexp(self.width, doublings)
            first = np.minimum(np.floor(np.ldexp(self.first, -doublings)), np.floor(low / width))
            last = np.floor(np.ldexp(self.first + self.bins - 1, -doublings))
            last = np.maximum(last, np.ceil(high / width - 1e-9) - 1)  # the end itself is in the last bin
            excess = (last - first + 1) / self.bins
            if (excess <= 1).all():
                break
            doublings += np.where(excess > 1, np.maximum(np.log2(excess), 1), 0).astype(np.int64)
        if not doublings.any():
            return self
        return self._moved(np.floor(np.ldexp(self._numbers(), -doublings[:, None])), first, width)

    def _moved(self, number: Any, first: Any, width: Any) -> Histogram:
        """The counts given to the bins of these numbers."""
        at = (number - first[:, None]).astype(np.int64) + self.bins * np.arange(len(first))[:, None]
        counts = np.bincount(at.ravel(), self.counts.ravel(), self.counts.size)
        return replace(self, first=first, width=width, counts=counts.reshape(-1, self.bins))

    def _counted(self, x: Any) -> Any:
        """How many numbers of (blocks, n) fall into each bin, (blocks, bins)."""
        counts = np.zeros((len(x), self.bins))
        for rows, columns in pieces(x.shape, 1 << 14):
            part = abs(x[rows, columns]) if self.magnitude else x[rows, columns]
            at = np.floor(part / self.width[rows, None]) - self.first[rows, None]
            at = np.clip(at, 0, self.bins - 1).astype(np.int64) + self.bins * np.arange(len(part))[:, None]
            found = np.bincount(at.ravel(), minlength=len(part) * self.bins)
            counts[rows] += found.reshape(-1, self.bins)
        return counts


def sampled(x: Any) -> Any:
    """Of (blocks, n), all numbers or, of many, runs of neighbors evenly spread over them."""
    if x.shape[1] <= MOST:
        return x
    runs = MOST // RUN
    spaced = x[:, : x.shape[1] // runs * runs].reshape(len(x), runs, -1)
    return spaced[:, :, :RUN].reshape(len(x), -1)
