"""From numbers to the parameters of their code: find the range, then spread the levels over it."""

from __future__ import annotations

from typing import Any

import numpy as np

from optviz._knobs import require
from optviz.quantize._blocks import finite
from optviz.quantize.granularity import WHOLE, Granularity
from optviz.quantize.qparams import QParams, from_range, numbers, whole_bits
from optviz.quantize.ranges import EXTREMES, Range

__all__ = ["choose_qparams"]


def choose_qparams(
    x: Any,
    bits: Any = 8,
    per: Granularity = WHOLE,
    symmetric: bool = False,
    range: Range = EXTREMES,
) -> QParams:
    """Scale and zero point for the numbers in ``x``: find their range, then spread the levels over it.

    Affine: levels 0 … 2^b − 1, s = (max − min) / (2^b − 1), Z = round(−min / s), with min ≤ 0 ≤ max.
    Symmetric: levels −(2^(b−1) − 1) … 2^(b−1) − 1, s = max |x| / (2^(b−1) − 1), Z = 0.

    Args:
        x: array or tensor of any shape, in any unit. With (K,) bits its first axis is that of K runs.
        bits: b, a number in [1, 16] (from 2 where symmetric), or (K,), one a run.
        per: which numbers share a scale.
        symmetric: levels on both sides of 0 alike, and 0 stands for 0.
        range: how the ends of the range are found.

    Returns:
        :class:`QParams` of the kind of ``x``. A row of NaN among K runs keeps NaN as its scale.

    Raises:
        TypeError: if ``x`` is not of real numbers, or ``bits`` is not a number.
        ValueError: if bits are outside [1, 16], ``x`` is empty or not finite, a group's size doesn't divide.

    Example:
        >>> q = choose_qparams(np.array([2.0, 4.0]))
        >>> float(q.scale) == 4 / 255, int(q.zero_point)  # 0 is always inside the range
        (True, 0)

    Reference:
        Jacob and others, 2018, arXiv:1712.05877, section 2.1; Nagel and others, 2021, arXiv:2106.08295.
    """
    x = numbers(x, "choose_qparams.x")
    rows = np.ndim(bits) > 0
    shape = per.shape(tuple(x.shape), rows)
    blocks = per.blocks(x, rows)
    width = whole_bits(bits, symmetric)
    require(not rows or width.shape == x.shape[:1], "choose_qparams.bits", f"one for each of {len(x)}", bits)
    each = np.repeat(width, blocks.shape[0] // width.size)
    low, high = range.finish(range.update(range.start(), blocks), each, symmetric)
    require(rows or finite(low, high), "choose_qparams.x", "of finite numbers", x)
    low, high = low.reshape(shape), high.reshape(shape)
    one = width.reshape(-1, *(1 for _ in shape[1:])) if rows else int(width)
    return from_range(low, high, one, symmetric, like=x)
