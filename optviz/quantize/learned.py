"""Learned step size quantization (LSQ): the distance of two levels is trained like a weight."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from optviz._knobs import require
from optviz._rows import namespace
from optviz.quantize.granularity import WHOLE, Granularity
from optviz.quantize.qparams import numbers, whole_bits

__all__ = ["lsq", "lsq_ends", "lsq_grad", "lsq_start"]


def lsq_ends(bits: Any) -> tuple[Any, Any]:
    """The ends of a signed code of b bits: low = −2^(b−1), high = 2^(b−1) − 1 (the paper's −Q_N and Q_P).

    Args:
        bits: b in [2, 16], a number or whole numbers of any shape.

    Returns:
        low and high, of the shape of ``bits``.

    Raises:
        TypeError: if ``bits`` are not numbers.
        ValueError: if they are outside [2, 16] or not whole.

    Example:
        >>> lsq_ends(2), lsq_ends(8)
        ((-2, 1), (-128, 127))

    Reference: Esser and others, Learned step size quantization, 2019, arXiv:1902.08153, section 2.
    """
    found = whole_bits(bits, symmetric=True)
    high = 2 ** (found - 1) - 1
    return (-high - 1, high) if found.ndim else (-int(high) - 1, int(high))


def lsq_start(x: Any, high: Any, per: Granularity = WHOLE, rows: bool = False) -> Any:
    """Where a step size starts: s = 2 · mean |x| / √high.

    Args:
        x: weights of any shape, array or tensor.
        high: upper end of the code, above 0: a number, or numbers that broadcast against the result.
        per: which weights share a step; no groups.
        rows: the first axis of ``x`` is that of K runs.

    Returns:
        Steps in the unit of ``x``, of a shape that broadcasts against it; 1 where all weights are 0.

    Raises:
        TypeError: if ``x`` is not of real numbers.
        ValueError: if it is empty.

    Example:
        >>> float(lsq_start(np.array([3.0, -5.0]), 4))
        4.0

    Reference: Esser and others, 2019, arXiv:1902.08153, section 2.1 (initialization).
    """
    x = numbers(x, "lsq_start.x")
    shape = per.shape(tuple(x.shape), rows)
    require(len(shape) <= x.ndim, "lsq_start.per", "PerTensor or PerChannel", per)
    mean = abs(per.blocks(x, rows)).mean(1).reshape(shape)
    step = 2 * mean / _like(high, x) ** 0.5
    return step + (step == 0)


def lsq(x: Any, step: Any, low: Any, high: Any) -> Any:
    """Round to levels whose distance is learned: x̂ = s · round(clip(x / s, low, high)), half to even.

    Args:
        x: array or tensor of any shape.
        step: s > 0, of a shape that broadcasts against ``x`` to its shape.
        low, high: ends of the code, whole numbers that broadcast against ``x``.

    Returns:
        Numbers of the shape, kind and precision of ``x``. Tensors carry the gradients of :func:`lsq_grad`,
        also under ``torch.func.vmap``.

    Raises:
        ValueError: if the steps don't fit the shape of ``x``.

    Example:
        >>> lsq(np.array([-3.0, 0.3, 0.2, 9.0]), np.array([0.5]), -2, 1).tolist()
        [-1.0, 0.5, 0.0, 0.5]

    Reference: Esser and others, 2019, arXiv:1902.08153, equations 1 and 2.
    """
    _check(x, step)
    if namespace(x) is np:
        return _rounded(x, step, _like(low, x), _like(high, x))
    return _operation().apply(x, step, _like(low, x), _like(high, x))


def lsq_grad(dy: Any, x: Any, step: Any, low: Any, high: Any) -> tuple[Any, Any]:
    """Gradients of :func:`lsq`: of x straight through, of the step scaled by 1 / √(N · high).

    ∂x̂/∂x = 1 inside the code, 0 where x was clipped. ∂x̂/∂s = round(x/s) − x/s inside, ``low`` or ``high``
    where x was clipped; N is how many numbers share a step. Unscaled, the gradient of a step is a sum over
    all of them, far larger beside s than that of a weight is beside the weight.

    Args:
        dy: gradient of x̂, of the shape of ``x``.
        x, step, low, high: as they were given to :func:`lsq`.

    Returns:
        Gradients of ``x`` and of ``step``, of their shapes.

    Raises:
        ValueError: if the steps don't fit the shape of ``x``.

    Example:
        >>> dx, ds = lsq_grad(np.ones(3), np.array([0.3, 0.2, 9.0]), np.array([0.5]), -2, 1)
        >>> dx.tolist(), float(ds[0] * 3**0.5)  # (1 − 0.6) + (0 − 0.4) + 1
        ([1.0, 1.0, 0.0], 1.0)

    Reference: Esser and others, 2019, arXiv:1902.08153, equations 3 and 5, and section 2.2.
    """
    _check(x, step)
    xp, low, high = namespace(x), _like(low, x), _like(high, x)
    v = x / step
    inside = (v > low) & (v < high)
    slope = xp.where(inside, xp.round(v) - v, xp.clip(v, low, high))
    share = math.prod(x.shape) / math.prod(step.shape)
    return dy * inside, _summed(dy * slope / (share * high) ** 0.5, step)


def _rounded(x: Any, step: Any, low: Any, high: Any) -> Any:
    xp = namespace(x)
    return step * xp.round(xp.clip(x / step, low, high))


def _summed(values: Any, like: Any) -> Any:
    """Sums over all that shares a number of ``like``."""
    more = values.ndim - like.ndim
    axes = tuple(i for i in range(values.ndim) if i < more or like.shape[i - more] == 1)
    return (values.sum(axes, keepdims=True) if axes else values).reshape(like.shape)


def _check(x: Any, step: Any) -> None:
    """Refuse steps that don't fit."""
    shape, steps = tuple(x.shape), tuple(step.shape)
    ends = zip(steps[::-1], shape[::-1], strict=False)
    fits = len(steps) <= len(shape) and all(n in (1, size) for n, size in ends)
    require(fits, "lsq.step", f"of a shape that fits x {shape}", steps)


def _like(value: Any, x: Any) -> Any:
    """A number or array in the kind, precision and place of ``x``."""
    xp = namespace(x)
    if xp is np:
        return np.asarray(value, x.dtype)
    return xp.as_tensor(value, dtype=x.dtype, device=x.device)


@cache
def _operation() -> Any:
    """The operation for autograd, made when torch is first needed."""
    import torch

    class LearnedStep(torch.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(x: Any, step: Any, low: Any, high: Any) -> Any:
            return _rounded(x, step, low, high)

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx: Any, dy: Any) -> Any:
            return *lsq_grad(dy, *ctx.saved_tensors), None, None

    return LearnedStep
