"""Where a range ends: at the extremes, at their average, at a percentile, or where the error is smallest.

Every range works on a stream in bounded memory: ``state = range.start()``, then
``state = range.update(state, blocks)`` for each batch (blocks, numbers), then
``low, high = range.finish(state, bits, symmetric)``, one pair a block. ``range(x)`` does the three for all
numbers of one array.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from optviz._knobs import config, knob, require
from optviz.quantize._blocks import extremes
from optviz.quantize.histograms import Histogram
from optviz.quantize.integers import fake_quantize
from optviz.quantize.qparams import from_range, numbers

__all__ = ["EXTREMES", "MSE", "Entropy", "MinMax", "MovingAverage", "Percentile", "Range"]

Ends = tuple[Any, Any]


class Range(Protocol):
    """How the ends of a range are found from numbers that come in batches.

    Example:
        >>> low, high = MinMax()(np.array([1.0, -2.0, 3.0]))
        >>> low, high
        (-2.0, 3.0)

    Reference: Nagel and others, 2021, arXiv:2106.08295, section 3.1 (range setting).
    """

    def start(self) -> Any:
        """The state before any number has been seen."""
        ...

    def update(self, state: Any, blocks: Any) -> Any:
        """The state after a batch (blocks, numbers in each)."""
        ...

    def finish(self, state: Any, bits: Any = 8, symmetric: bool = False) -> Ends:
        """The ends, two float64 arrays (blocks,)."""
        ...

    def __call__(self, x: Any, bits: Any = 8, symmetric: bool = False) -> tuple[float, float]:
        """The ends for all numbers of one array."""
        ...


@config
class MinMax:
    """From the smallest number to the largest: nothing is clipped, and one outlier stretches every step.

    Example:
        >>> MinMax()(np.array([0.5, -1.0, 2.0]))
        (-1.0, 2.0)

    Reference: Jacob and others, 2018, arXiv:1712.05877, section 3.
    """

    def start(self) -> None:
        """Nothing."""
        return

    def update(self, state: Ends | None, blocks: Any) -> Ends:
        """The extremes so far."""
        low, high = extremes(blocks)
        return (low, high) if state is None else (np.minimum(state[0], low), np.maximum(state[1], high))

    def finish(self, state: Ends | None, bits: Any = 8, symmetric: bool = False) -> Ends:
        """The extremes."""
        return _seen(state)

    def __call__(self, x: Any, bits: Any = 8, symmetric: bool = False) -> tuple[float, float]:
        """(min, max)."""
        return _whole(self, x, bits, symmetric)


EXTREMES = MinMax()


@config
class MovingAverage:
    """The average of the batches' extremes, the newer the heavier: min ← d · min + (1 − d) · min of batch.

    Args:
        decay: d; the first batch counts as if it had always been there.

    Example:
        >>> average, state = MovingAverage(0.5), None
        >>> for batch in ([0.0, 1.0], [0.0, 3.0]):
        ...     state = average.update(state, np.array([batch]))
        >>> average.finish(state)[1].tolist()
        [2.0]

    Reference: Jacob and others, 2018, arXiv:1712.05877, section 3.1.
    """

    decay: float = knob(0.9, 0.0, 0.99, hard=(0.0, 0.999999))

    def start(self) -> None:
        """Nothing."""
        return

    def update(self, state: Ends | None, blocks: Any) -> Ends:
        """The averages so far."""
        low, high = extremes(blocks)
        if state is None:
            return low, high
        d = self.decay
        return d * state[0] + (1 - d) * low, d * state[1] + (1 - d) * high

    def finish(self, state: Ends | None, bits: Any = 8, symmetric: bool = False) -> Ends:
        """The averages."""
        return _seen(state)

    def __call__(self, x: Any, bits: Any = 8, symmetric: bool = False) -> tuple[float, float]:
        """(min, max), since one array is one batch."""
        return _whole(self, x, bits, symmetric)


@config
class Percentile:
    """Keep a share of the numbers inside and let the rest be clipped, the same count at either end.

    Exact while a block has seen no more numbers than ``bins``; from then on a histogram stands for them, and
    an end is right to one bin. Symmetric: the quantile of |x|.

    Args:
        share: of the numbers that stay inside.
        bins: how much is remembered, numbers a block.

    Example:
        >>> Percentile(0.5)(np.array([4.0, 0.0, 3.0, 1.0, 2.0]))
        (1.0, 3.0)

    Reference: Wu and others, 2020, arXiv:2004.09602, section 3.3 (calibration).
    """

    share: float = knob(0.999, 0.9, 1.0, hard=(0.01, 1.0))
    bins: int = knob(8192, 1024, 16384, hard=(16, 2**20))

    def start(self) -> Histogram:
        """An empty histogram."""
        return Histogram(self.bins)

    def update(self, state: Histogram, blocks: Any) -> Histogram:
        """The histogram so far."""
        return state.update(blocks)

    def finish(self, state: Histogram, bits: Any = 8, symmetric: bool = False) -> Ends:
        """The quantiles (1 − share) / 2 and 1 − (1 − share) / 2."""
        if symmetric:
            top = state.magnitudes().quantile(self.share)
            return -top, top
        rest = (1 - self.share) / 2
        return state.quantile(rest), state.quantile(1 - rest)

    def __call__(self, x: Any, bits: Any = 8, symmetric: bool = False) -> tuple[float, float]:
        """The two quantiles of all numbers."""
        return _whole(self, x, bits, symmetric)


@config
class MSE:
    """The range whose quantization error is smallest: Σ (x − x̂)², clipping and rounding together.

    Tries ``tries`` shares of the full range, then each end alone, with the true quantizer on the numbers seen
    (on the middles of the histogram's bins when they are many).

    Args:
        tries: how many ranges are tried for each of the three searches.
        bins: how much is remembered, numbers a block.

    Example:
        >>> x = np.append(np.linspace(-1, 1, 200), 8.0)  # one outlier
        >>> low, high = MSE()(x, bits=2)
        >>> high < 3
        True

    Reference: Nagel and others, 2021, arXiv:2106.08295, section 3.1 (mean squared error).
    """

    tries: int = knob(80, 20, 200, hard=(2, 10_000))
    bins: int = knob(2048, 512, 8192, hard=(16, 2**20))

    def start(self) -> Histogram:
        """An empty histogram."""
        return Histogram(self.bins)

    def update(self, state: Histogram, blocks: Any) -> Histogram:
        """The histogram so far."""
        return state.update(blocks)

    def finish(self, state: Histogram, bits: Any = 8, symmetric: bool = False) -> Ends:
        """The best ends."""
        x, weight = state.points()
        bits = np.broadcast_to(bits, state.low.shape)
        low, high = np.minimum(state.low, 0), np.maximum(state.high, 0)
        shares = np.arange(self.tries, 0, -1)[:, None] / self.tries
        best = _least(x, weight, bits, symmetric, low * shares, high * shares)
        if symmetric:
            return best
        best = _least(x, weight, bits, symmetric, best[0], np.append(high * shares, best[1][None], 0))
        return _least(x, weight, bits, symmetric, np.append(low * shares, best[0][None], 0), best[1])

    def __call__(self, x: Any, bits: Any = 8, symmetric: bool = False) -> tuple[float, float]:
        """The best ends for all numbers."""
        return _whole(self, x, bits, symmetric)


@config
class Entropy:
    """The range whose code says most about the numbers: smallest Kullback–Leibler divergence.

    |x| is counted in bins. For each i, P is the counts of the first i bins with all the rest added to the
    last; Q is the counts of the first i bins, joined into as many levels as the code has for them and spread
    evenly again over those bins that are not empty in P (a level that no number fell into counts as half a
    number, so that Q is never 0 where P is not). T = i · width for the i with the smallest Σ P log(P / Q),
    and the range is [−T, T] cut to where numbers are. Two things are left out: zeros, since every code holds
    0 exactly, and behind a ReLU they would outweigh all else (the first bin gets the count of the second);
    and cuts that would clip more than half of the numbers.

    Args:
        bins: of the histogram; the search is over their edges.

    Example:
        >>> x = np.append(np.linspace(-1, 1, 5000), 50.0)  # one outlier
        >>> low, high = Entropy()(x)
        >>> 0.9 < high < 4
        True

    Reference:
        Migacz, 8-bit inference with TensorRT, GPU Technology Conference, 2017, session S7310; described in
        Wu and others, 2020, arXiv:2004.09602, section 3.3. Their code, NVIDIA's pytorch-quantization
        (calib/histogram.py), replaces the first count too.
    """

    bins: int = knob(2048, 512, 8192, hard=(64, 2**20))

    def start(self) -> Histogram:
        """An empty histogram of |x|."""
        return Histogram(self.bins, magnitude=True)

    def update(self, state: Histogram, blocks: Any) -> Histogram:
        """The histogram so far."""
        return state.update(blocks)

    def finish(self, state: Histogram, bits: Any = 8, symmetric: bool = False) -> Ends:
        """[−T, T] cut to where numbers are."""
        state = state.spread()
        one_sided = (state.low >= 0) | (state.high <= 0)
        levels = 2 ** (np.broadcast_to(bits, one_sided.shape) - (1 if symmetric else ~one_sided))
        counts = np.append(state.counts[:, 1:2], state.counts[:, 1:], axis=1)
        kept = [_entropy_cut(c, int(n)) for c, n in zip(counts, levels, strict=True)]
        top = np.asarray(kept) * state.width
        return np.maximum(state.low, -top), np.minimum(state.high, top)

    def __call__(self, x: Any, bits: Any = 8, symmetric: bool = False) -> tuple[float, float]:
        """The ends for all numbers."""
        return _whole(self, x, bits, symmetric)


def _seen(state: Ends | None) -> Ends:
    """The state, if there is one.

    Raises:
        ValueError: if no number was seen.
    """
    require(state is not None, "range", "finished after it has seen numbers", "none")
    return state  # type: ignore[return-value]


def _whole(range_: Range, x: Any, bits: Any, symmetric: bool) -> tuple[float, float]:
    """The ends for all numbers of one array."""
    x = numbers(x, f"{type(range_).__name__}.x")
    low, high = range_.finish(range_.update(range_.start(), x.reshape(1, -1)), bits, symmetric)
    return float(low[0]), float(high[0])


def _least(x: Any, weight: Any, bits: Any, symmetric: bool, low: Any, high: Any) -> Ends:
    """Of some ranges (tries, blocks), the one with the smallest Σ weight · (x − x̂)², for each block."""
    low, high = np.broadcast_arrays(low, high)
    errors, many = [], max((1 << 16) // x.size, 1)
    for k in range(0, len(low), many):
        q = from_range(low[k : k + many, :, None], high[k : k + many, :, None], bits[:, None], symmetric)
        back = fake_quantize(np.broadcast_to(x, (len(q.scale), *x.shape)), q)
        errors.append((weight * (back - x) ** 2).sum(2))
    best = np.concatenate(errors).argmin(0), np.arange(len(x))
    return low[best], high[best]


def _entropy_cut(counts: Any, levels: int) -> int:
    """How many bins of |x| to keep: the last i with the smallest divergence of P and Q.

    It is at least ``levels``, and holds at least half of the numbers.
    """
    bins, total = len(counts), counts.sum()
    if levels >= bins or total == 0:
        return bins
    below, filled = np.append(0.0, np.cumsum(counts)), np.append(0.0, np.cumsum(counts > 0))
    first = max(levels, int(np.searchsorted(below, total / 2)))
    information = np.append(0.0, np.cumsum(_xlogx(counts)))
    found = []
    for k in range(first, bins + 1, 64):  # some at a time, to stay in the cache
        edges = _level_edges(levels, bins)[k - levels : k - levels + 64]
        kept = edges[:, -1]
        mass, cells = np.diff(below[edges], axis=1), np.diff(filled[edges], axis=1)
        rest, last = total - below[kept], counts[kept - 1]
        cells[:, -1] += (last == 0) & (rest > 0)
        log_q = np.log(np.maximum(mass, 0.5) / np.maximum(cells, 1))
        gap = information[kept - 1] + _xlogx(last + rest) - (mass * log_q).sum(1) - rest * log_q[:, -1]
        found.append(gap / total + np.log(np.maximum(below[kept], 1) / total))
    return bins - int(np.concatenate(found)[::-1].argmin())


@lru_cache(maxsize=8)
def _level_edges(levels: int, bins: int) -> Any:
    """For i = ``levels`` … ``bins`` bins: where each level begins and the last ends, (i's, levels + 1)."""
    return -(-np.arange(levels + 1) * np.arange(levels, bins + 1)[:, None] // levels)


def _xlogx(x: Any) -> Any:
    """x · log x, and 0 at 0."""
    return x * np.log(np.maximum(x, 1))
