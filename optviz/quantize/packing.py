"""Two 4-bit integers in one byte."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from optviz._knobs import require
from optviz._rows import namespace

__all__ = ["pack4", "unpack4"]


def pack4(xq: Any) -> Any:
    """Two integers a byte: the first in the low four bits, the second in the high four.

    Args:
        xq: integers in [−8, 7] or in [0, 15], array or tensor of any shape.

    Returns:
        uint8 (⌈N / 2⌉,); the high bits of the last byte are 0 where N is odd.

    Raises:
        TypeError: if ``xq`` is not of integers.
        ValueError: if one doesn't fit into four bits, or it is empty.

    Example:
        >>> pack4(np.array([1, 2, -1])).tolist()  # −1 is 1111 in two's complement
        [33, 15]

    Reference: ONNX, 4-bit integer types, https://onnx.ai/onnx/technical/int4.html.
    """
    flat = _whole(xq, "pack4.xq").reshape(-1)
    xp, low, high = namespace(flat), int(flat.min()), int(flat.max())
    fits = (low >= -8 and high <= 7) or (low >= 0 and high <= 15)
    require(fits, "pack4.xq", "integers in [-8, 7] or in [0, 15]", (low, high))
    flat = flat & 15
    flat = flat.astype(np.uint8) if xp is np else flat.to(xp.uint8)
    if len(flat) % 2:
        flat = xp.concatenate([flat, xp.zeros_like(flat[:1])])
    return flat[0::2] | (flat[1::2] << 4)


def unpack4(packed: Any, shape: tuple[int, ...], signed: bool = True) -> Any:
    """The integers that :func:`pack4` packed.

    Args:
        packed: uint8 (⌈N / 2⌉,).
        shape: of the integers, N in all.
        signed: they were in [−8, 7]; else in [0, 15].

    Returns:
        Integers of ``shape``, int8 or uint8.

    Raises:
        TypeError: if ``packed`` is not uint8.
        ValueError: if its length isn't that of ``shape``.

    Example:
        >>> unpack4(np.array([33, 15], np.uint8), (3,)).tolist()
        [1, 2, -1]

    Reference: ONNX, 4-bit integer types, https://onnx.ai/onnx/technical/int4.html.
    """
    xp, n = namespace(packed), math.prod(shape)
    if packed.dtype != xp.uint8:
        raise TypeError(f"unpack4.packed must be of uint8, got {packed.dtype}")
    require(tuple(packed.shape) == (-(-n // 2),), "unpack4.packed", f"of {-(-n // 2)} bytes", packed.shape)
    pairs = xp.stack([packed & 15, packed >> 4], 1).reshape(-1)[:n].reshape(shape)
    if not signed:
        return pairs
    return ((pairs ^ 8).astype(np.int8) if xp is np else (pairs ^ 8).to(xp.int8)) - 8


def _whole(xq: Any, name: str) -> Any:
    """``xq`` as an array or tensor, checked."""
    xp = namespace(xq)
    xq = np.asarray(xq) if xp is np else xq
    whole = (
        xq.dtype.kind in "iu" if xp is np else xq.dtype in (xp.int8, xp.uint8, xp.int16, xp.int32, xp.int64)
    )
    if not whole:
        raise TypeError(f"{name} must be of integers, got {xq.dtype}")
    require(0 not in tuple(xq.shape), name, "not empty", tuple(xq.shape))
    return xq
