"""A real factor as an integer and a shift, so that integers are rescaled by integers."""

from __future__ import annotations

from typing import Any

import numpy as np

from optviz._knobs import require

__all__ = ["fixed_point", "rescale"]


def fixed_point(factor: Any) -> tuple[Any, Any]:
    """An integer m of 31 bits and a shift n with factor ≈ m · 2⁻ⁿ.

    m is in [2³⁰, 2³¹), so that the relative error is at most 2⁻³¹.

    Args:
        factor: positive numbers of any shape; mostly s_in · s_w / s_out, which is below 1.

    Returns:
        m and n, both int64 of that shape.

    Raises:
        ValueError: if a factor is not in [2⁻³¹, 2³⁰).

    Example:
        >>> m, n = fixed_point(0.75)
        >>> int(m) == 3 * 2**29, int(n)
        (True, 31)

    Reference: Jacob and others, 2018, arXiv:1712.05877, section 2.2, equations 5 and 6.
    """
    factor = np.asarray(factor, np.float64)
    fits = bool(((factor >= 2.0**-31) & (factor < 2.0**30)).all())
    require(fits, "fixed_point.factor", "in [2**-31, 2**30)", factor)
    share, exponent = np.frexp(factor)  # factor = share · 2^exponent, share in [½, 1)
    m = np.rint(share * 2.0**31).astype(np.int64)
    over = m == 2**31  # rounded up to the next power of 2
    return np.where(over, m // 2, m), (31 - exponent - over).astype(np.int64)


def rescale(x: Any, m: Any, n: Any) -> Any:
    """round(x · m · 2⁻ⁿ) with integers only: a product of 64 bits, a shift, and half to even.

    Args:
        x: int32 sums of any shape.
        m, n: of :func:`fixed_point`; they broadcast against ``x``.

    Returns:
        int64 of the shape of ``x``.

    Raises:
        TypeError: if ``x`` is not of integers.

    Example:
        >>> rescale(np.array([100, -100, 2]), *fixed_point(0.75)).tolist()  # 2 · 0.75 = 1.5
        [75, -75, 2]

    Reference: Jacob and others, 2018, arXiv:1712.05877, section 2.2 (rounding there: half away from 0).
    """
    x = np.asarray(x)
    if x.dtype.kind not in "iu":
        raise TypeError(f"rescale.x must be of integers, got {x.dtype}")
    product = x.astype(np.int64) * m
    whole = product >> n  # rounds down, also below 0
    rest, half = product - (whole << n), np.int64(1) << (n - 1)
    return whole + ((rest > half) | ((rest == half) & (whole % 2 == 1)))
