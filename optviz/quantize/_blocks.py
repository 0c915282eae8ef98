"""Arrays (blocks, numbers in each), a piece that fits the cache at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from optviz._rows import namespace

__all__ = ["PIECE", "as_blocks", "as_numpy", "extremes", "finite", "pieces"]

PIECE = 1 << 18  # numbers at a time, so that what is made from them stays in the cache


def as_numpy(x: Any) -> Any:
    """A tensor as an array, without the record that autograd keeps; an array or a number as an array.

    Example:
        >>> as_numpy(2).shape
        ()
    """
    return x.detach().cpu().numpy() if hasattr(x, "detach") else np.asarray(x)


def pieces(shape: tuple[int, int], size: int = PIECE) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of the pieces of an array (blocks, n), of about ``size`` numbers each.

    Example:
        >>> len(list(pieces((4, PIECE // 2)))), len(list(pieces((1, 3 * PIECE))))
        (2, 3)
    """
    blocks, n = shape
    many = max(size // n, 1)
    for top in range(0, blocks, many):
        for left in range(0, n, size):
            yield slice(top, top + many), slice(left, left + size)


def extremes(blocks: Any) -> tuple[Any, Any]:
    """The smallest and the largest number of each block, float64 (blocks,); NaN where one is NaN.

    Example:
        >>> [end.tolist() for end in extremes(np.array([[1.0, -2.0], [3.0, 4.0]]))]
        [[-2.0, 3.0], [1.0, 4.0]]
    """
    if namespace(blocks) is not np and blocks.device.type != "cpu":
        low, high = (as_numpy(end) for end in (blocks.amin(1), blocks.amax(1)))
        return low.astype(np.float64), high.astype(np.float64)
    x = as_numpy(blocks)
    low, high = np.full(len(x), np.inf, x.dtype), np.full(len(x), -np.inf, x.dtype)
    for rows, columns in pieces(x.shape):
        part, lowest, highest = x[rows, columns], low[rows], high[rows]
        np.minimum(lowest, np.minimum.reduce(part, 1), out=lowest)
        np.maximum(highest, np.maximum.reduce(part, 1), out=highest)
    return low.astype(np.float64), high.astype(np.float64)


def finite(*values: Any) -> bool:
    """Whether no number is NaN or infinite.

    Example:
        >>> finite(np.ones(2), 3.0), finite(np.array([np.nan]))
        (True, False)
    """
    return all(bool(np.isfinite(v).all()) for v in values)


def as_blocks(x: Any, *given: Any) -> tuple[Any, ...]:
    """``x`` as (blocks, n) such that everything ``given`` is one number a block, (blocks, 1) or (1, 1).

    Example:
        >>> [a.shape for a in as_blocks(np.zeros((4, 3, 2)), np.ones((1, 3, 1)), np.array(2))]
        [(12, 2), (12, 1), (1, 1)]
    """
    filled = [(1,) * (x.ndim - v.ndim) + v.shape for v in given]
    lead = max((i + 1 for shape in filled for i, n in enumerate(shape) if n > 1), default=0)
    front = x.shape[:lead]
    flat = [
        v.reshape(-1, 1)
        if v.size == 1 or shape[:lead] == front
        else np.broadcast_to(v.reshape(shape[:lead]), front).reshape(-1, 1)
        for v, shape in zip(given, filled, strict=True)
    ]
    return x.reshape(math.prod(front), -1), *flat
