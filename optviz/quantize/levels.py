"""Two or three levels: the sign of a weight, or its sign where it is large, times one number."""

from __future__ import annotations

from typing import Any

from optviz._knobs import require
from optviz._rows import namespace
from optviz.quantize.granularity import WHOLE, Granularity
from optviz.quantize.qparams import numbers

__all__ = ["binarize", "ternarize"]


def binarize(x: Any, per: Granularity = WHOLE, rows: bool = False) -> tuple[Any, Any]:
    """Signs and one scale: x ≈ α b with b = sign(x) in {−1, 1} and α = mean |x|, the best α for these signs.

    Args:
        x: array or tensor of any shape.
        per: which numbers share an α.
        rows: the first axis is that of K runs.

    Returns:
        b, int8 of the shape of ``x`` (+1 at 0), and α of a shape that broadcasts against ``x``.

    Raises:
        TypeError: if ``x`` is not of real numbers.
        ValueError: if it is empty or not finite.

    Example:
        >>> import numpy as np
        >>> b, alpha = binarize(np.array([0.5, -1.0, 0.0, 2.5]))
        >>> b.tolist(), float(alpha)
        ([1, -1, 1, 1], 1.0)

    Reference: Rastegari, Ordonez, Redmon and Farhadi, XNOR-Net, 2016, arXiv:1603.05279, section 3.1.
    """
    x = _finite(x, "binarize.x")
    alpha = abs(per.blocks(x, rows)).mean(1).reshape(per.shape(tuple(x.shape), rows))
    return _int8((x >= 0) * 2 - 1), alpha


def ternarize(
    x: Any, threshold: float = 0.7, per: Granularity = WHOLE, rows: bool = False
) -> tuple[Any, Any]:
    """Signs of the large and 0 for the rest: x ≈ α t with t in {−1, 0, 1}, t = sign(x) where |x| > Δ.

    Δ = threshold · mean |x|, and α = the mean of those |x| that are above Δ, the best α for this t.

    Args:
        x: array or tensor of any shape.
        threshold: Δ in means of |x|, at least 0.
        per: which numbers share Δ and α.
        rows: the first axis is that of K runs.

    Returns:
        t, int8 of the shape of ``x``, and α of a shape that broadcasts against ``x`` (0 where no number is
        above Δ). With groups both are as :class:`PerGroup` has them: α (…, N / size, 1).

    Raises:
        TypeError: if ``x`` is not of real numbers.
        ValueError: if it is empty or not finite, or the threshold is negative.

    Example:
        >>> import numpy as np
        >>> t, alpha = ternarize(np.array([0.5, -1.0, 0.0, 2.5]))  # mean |x| = 1, Δ = 0.7
        >>> t.tolist(), float(alpha)
        ([0, -1, 0, 1], 1.75)

    Reference: Li, Zhang and Liu, Ternary weight networks, 2016, arXiv:1605.04711.
    """
    x = _finite(x, "ternarize.x")
    require(bool(threshold >= 0), "ternarize.threshold", "at least 0", threshold)
    blocks = abs(per.blocks(x, rows))
    delta = threshold * blocks.mean(1)
    large = blocks > delta[:, None]
    alpha = (blocks * large).sum(1) / large.sum(1).clip(1)
    shape = per.shape(tuple(x.shape), rows)
    wide = (
        delta.reshape(shape)
        if len(shape) <= x.ndim
        else namespace(x)
        .broadcast_to(delta.reshape(shape), (*shape[:-1], x.shape[-1] // shape[-2]))
        .reshape(x.shape)
    )
    return _int8((x > wide) * 1 - (x < -wide) * 1), alpha.reshape(shape)


def _finite(x: Any, name: str) -> Any:
    x = numbers(x, name)
    require(bool(namespace(x).isfinite(x).all()), name, "of finite numbers", x)
    return x


def _int8(values: Any) -> Any:
    return values.astype("int8") if hasattr(values, "astype") else values.char()
