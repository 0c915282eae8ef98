"""How many scales a tensor gets: one, one a channel, or one a group of neighbors."""

from __future__ import annotations

import math
from typing import Any, Protocol

from optviz._knobs import config, knob, require

__all__ = ["WHOLE", "Granularity", "PerChannel", "PerGroup", "PerTensor"]

Shape = tuple[int, ...]


class Granularity(Protocol):
    """Which numbers share a scale. A block is a set of numbers that do.

    Example:
        >>> [per.shape((4, 6)) for per in (PerTensor(), PerChannel(0), PerGroup(3))]
        [(), (4, 1), (4, 2, 1)]

    Reference: Nagel and others, 2021, arXiv:2106.08295, section 2.2 (quantization granularity).
    """

    def shape(self, shape: Shape, rows: bool = False) -> Shape:
        """Shape of the scales of a tensor of ``shape``."""
        ...

    def blocks(self, x: Any, rows: bool = False) -> Any:
        """The numbers of ``x`` as (blocks, numbers in each), in the order of the scales."""
        ...


@config
class PerTensor:
    """One scale for all numbers of a tensor.

    Example:
        >>> PerTensor().shape((300, 784)), PerTensor().shape((5, 300, 784), rows=True)
        ((), (5, 1, 1))

    Reference:
        Nagel and others, A white paper on neural network quantization, 2021, arXiv:2106.08295, section 2.2.
    """

    def shape(self, shape: Shape, rows: bool = False) -> Shape:
        """(), or (K, 1, …) where the first axis is that of K runs."""
        return (shape[0], *(1 for _ in shape[1:])) if rows else ()

    def blocks(self, x: Any, rows: bool = False) -> Any:
        """All numbers as (1, N), or (K, N) where the first axis is that of K runs."""
        return x.reshape(x.shape[0] if rows else 1, -1)


WHOLE = PerTensor()


@config
class PerChannel:
    """One scale for each index of an axis: a row of a weight matrix, a filter, a channel.

    Args:
        axis: 0 for the outputs of ``Linear`` and ``Conv2d`` (weights (out, in, …)); 1 for those of
            ``ConvTranspose2d`` (weights (in, out, …)) and for the channels of activations (N, C, …).

    Example:
        >>> PerChannel(1).shape((16, 6, 5, 5))
        (1, 6, 1, 1)

    Reference: Krishnamoorthi, 2018, arXiv:1806.08342 (per-channel quantization of weights).
    """

    axis: int = knob(0, 0, 3, hard=(-8, 8))

    def shape(self, shape: Shape, rows: bool = False) -> Shape:
        """(1, …, C, …, 1), or (K, 1, …, C, …, 1) where the first axis is that of K runs."""
        kept = {self._at(shape, rows)} | ({0} if rows else set())
        return tuple(n if i in kept else 1 for i, n in enumerate(shape))

    def blocks(self, x: Any, rows: bool = False) -> Any:
        """Channels as (C, N), or (K · C, N) where the first axis is that of K runs."""
        first = [0] if rows else []
        kept = [*first, self._at(x.shape, rows)]
        order = kept + [i for i in range(x.ndim) if i not in kept]
        moved = x if order == sorted(order) else getattr(x, "permute", x.transpose)(order)
        return moved.reshape(math.prod(x.shape[i] for i in kept), -1)

    def _at(self, shape: Shape, rows: bool) -> int:
        ndim = len(shape) - rows
        require(-ndim <= self.axis < ndim, "PerChannel.axis", f"an axis of shape {tuple(shape)}", self.axis)
        return self.axis % ndim + rows


@config
class PerGroup:
    """One scale for each ``size`` neighbors along the last axis, as in 4-bit weights.

    The scales of a tensor (…, N) have the shape (…, N / size, 1): they broadcast against its groups,
    (…, N / size, size).

    Args:
        size: how many neighbors share a scale; it must divide the last axis.

    Example:
        >>> PerGroup(64).shape((300, 768))
        (300, 12, 1)

    Reference: Shen and others, Q-BERT, AAAI 2020, arXiv:1909.05840 (group-wise quantization).
    """

    size: int = knob(32, 2, 256, hard=(1, 2**31), required=True)

    def shape(self, shape: Shape, rows: bool = False) -> Shape:
        """(…, N / size, 1)."""
        last = shape[-1] if len(shape) > rows else 1
        rule = f"a divisor of the last axis of shape {tuple(shape)}"
        require(last % self.size == 0, "PerGroup.size", rule, self.size)
        return (*shape[:-1], last // self.size, 1)

    def blocks(self, x: Any, rows: bool = False) -> Any:
        """Groups as (all groups, size)."""
        self.shape(tuple(x.shape), rows)
        return x.reshape(-1, self.size)
