"""Numbers to integers and back: round, shift, clamp, and only then cast."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from optviz._knobs import require
from optviz._rows import namespace
from optviz.quantize._blocks import PIECE, as_blocks, as_numpy, finite, pieces
from optviz.quantize.qparams import QParams, numbers

__all__ = ["code_dtype", "dequantize", "fake_quantize", "fake_quantize_grad", "quantize"]


def quantize(x: Any, q: QParams) -> Any:
    """The integers of a code: clamp(round(x / s) + Z, low, high), half to even.

    Rounding, shift and clamp happen in floating point; the cast to few bits comes last, since a number
    outside the code would wrap around.

    Args:
        x: array or tensor of any shape, in the unit of the scale.
        q: scale, zero point and ends, as from :func:`choose_qparams`.

    Returns:
        Integers of the shape of ``x`` in the smallest type that holds low … high, see :func:`code_dtype`.

    Raises:
        TypeError: if ``x`` is not of real numbers.
        ValueError: if it is empty or not finite, or the scales don't fit its shape.

    Example:
        >>> quantize(np.array([-0.25, 0.0, 0.75, 9.0]), QParams(0.5, 2, 0, 7)).tolist()  # −0.5 → 0, 1.5 → 2
        [2, 2, 4, 7]

    Reference: Jacob and others, 2018, arXiv:1712.05877, equation 12.
    """
    x, kind = numbers(x, "quantize.x"), code_dtype(q)
    if _on_host(x):
        codes = np.empty(tuple(x.shape), kind)
        _coded(as_numpy(x), q, codes, back=False)
        return codes if namespace(x) is np else namespace(x).from_numpy(codes)
    xp = namespace(x)
    require(bool(xp.isfinite(x).all()), "quantize.x", "of finite numbers", x)
    s, zero, low, high = _parts(q, x)
    codes = xp.clip(xp.round(_grouped(x, q) / s) + zero, low, high)
    return codes.to(getattr(xp, kind)).reshape(x.shape)


def dequantize(xq: Any, q: QParams) -> Any:
    """The numbers that integers stand for: s · (q − Z).

    Args:
        xq: integers, array or tensor of any shape.
        q: what they were quantized with.

    Returns:
        Numbers of the shape of ``xq``, of the kind of ``xq`` in the precision of the scale.

    Raises:
        TypeError: if ``xq`` is not of integers.
        ValueError: if the scales don't fit its shape.

    Example:
        >>> dequantize(np.array([0, 2, 7]), QParams(0.5, 2, 0, 7)).tolist()
        [-1.0, 0.0, 2.5]

    Reference: Jacob and others, 2018, arXiv:1712.05877, equation 1.
    """
    xp = namespace(xq)
    whole = np.asarray(xq).dtype.kind in "iu" if xp is np else not (xq.is_floating_point() or xq.is_complex())
    if not whole:
        raise TypeError(f"dequantize.xq must be of integers, got {xq.dtype}")
    kind = str(getattr(q.scale, "dtype", "float64")).removeprefix("torch.")
    wide = np.asarray(xq).astype(kind) if xp is np else xq.to(getattr(xp, kind))
    s, zero, _, _ = _parts(q, wide)
    return (s * (_grouped(wide, q) - zero)).reshape(wide.shape)


def fake_quantize(x: Any, q: QParams) -> Any:
    """What is left of x after quantizing: s · (clamp(round(x / s) + Z, low, high) − Z), still floating point.

    The gradient goes straight through: 1 where round(x / s) + Z is in [low, high], 0 where it was clamped.
    NaN stays NaN.

    Args:
        x: array or tensor of any shape.
        q: scale, zero point and ends; they get no gradient.

    Returns:
        Numbers of the shape, kind and precision of ``x``. Tensors carry the gradient; for arrays see
        :func:`fake_quantize_grad`.

    Raises:
        ValueError: if the scales don't fit the shape of ``x``.

    Example:
        >>> fake_quantize(np.array([0.1, 0.3, 9.0]), QParams(0.5, 2, 0, 7)).tolist()
        [0.0, 0.5, 2.5]

    Reference:
        Bengio, Léonard and Courville, 2013, arXiv:1308.3432 (straight-through); Jacob and others, 2018,
        arXiv:1712.05877, section 3.
    """
    if namespace(x) is not np:
        wide = x if x.element_size() >= 4 else x.float()
        return _straight_through().apply(wide, q).to(x.dtype)
    wide = numbers(x, "fake_quantize.x")
    back = np.empty(wide.shape, wide.dtype)
    _coded(wide, q, back, back=True)
    return back.astype(np.result_type(x, np.float16), copy=False)


def fake_quantize_grad(dy: Any, x: Any, q: QParams) -> Any:
    """The straight-through gradient: dy where round(x / s) + Z is in [low, high], 0 where it was clamped.

    Args:
        dy: gradient of what :func:`fake_quantize` gave, shape of ``x``.
        x, q: as they were given to it.

    Returns:
        Gradient of ``x``.

    Example:
        >>> fake_quantize_grad(np.ones(3), np.array([-1.2, 0.3, 2.8]), QParams(0.5, 2, 0, 7)).tolist()
        [1.0, 1.0, 0.0]

    Reference: Bengio, Léonard and Courville, 2013, arXiv:1308.3432.
    """
    xp = namespace(x)
    s, zero, low, high = _parts(q, x)
    codes = xp.round(_grouped(x, q) / s) + zero
    return dy * ((codes >= low) & (codes <= high)).reshape(x.shape)


def code_dtype(q: QParams) -> str:
    """Name of the smallest integer type that holds low … high: int8, uint8, int16 or uint16 (else int32).

    Args:
        q: whose ends count.

    Example:
        >>> code_dtype(QParams(1.0, 0, -7, 7)), code_dtype(QParams(1.0, 0, 0, 255))
        ('int8', 'uint8')

    Reference: Jacob and others, 2018, arXiv:1712.05877, section 2.1.
    """
    low, high = int(np.min(as_numpy(q.low))), int(np.max(as_numpy(q.high)))
    for name in ("uint8", "int8", "uint16", "int16"):
        if np.iinfo(name).min <= low and high <= np.iinfo(name).max:
            return name
    return "int32"


def _on_host(x: Any) -> bool:
    """Whether NumPy can read it where it is."""
    return namespace(x) is np or x.device.type == "cpu"


def _coded(x: Any, q: QParams, out: Any, *, back: bool) -> None:
    """Write the integers of ``x``, or the numbers that they stand for, into ``out``, a piece at a time.

    Raises:
        ValueError: if integers are asked for what is not finite.
    """
    blocks, s, zero, *ends = as_blocks(_grouped(x, q), *_parts(q, x))
    target, room = out.reshape(blocks.shape), np.empty(min(PIECE, x.size), x.dtype)
    shifted, tight = bool(zero.any()), (ends[0].max(), ends[1].min())
    with np.errstate(over="ignore"):  # what is far outside the code is clamped
        for rows, columns in pieces(blocks.shape):
            part = blocks[rows, columns]
            scale = s[rows] if len(s) > 1 else s
            codes = np.divide(part, scale, out=room[: part.size].reshape(part.shape))
            np.rint(codes, out=codes)
            if shifted:
                codes += zero[rows] if len(zero) > 1 else zero
            if not (codes.min() >= tight[0] and codes.max() <= tight[1]):  # also if one is NaN
                require(back or finite(part), "quantize.x", "of finite numbers", x)
                codes.clip(*(v[rows] if len(v) > 1 else v for v in ends), out=codes)
            if back:
                codes -= zero[rows] if len(zero) > 1 else zero
                codes *= scale
            target[rows, columns] = codes


def _rounded(x: Any, q: QParams) -> Any:
    """s · (clamp(round(x / s) + Z, low, high) − Z) in the precision of ``x``."""
    xp = namespace(x)
    s, zero, low, high = _parts(q, x)
    codes = xp.clip(xp.round(_grouped(x, q) / s) + zero, low, high)
    return (s * (codes - zero)).reshape(x.shape)


def _grouped(x: Any, q: QParams) -> Any:
    """``x`` as its scales see it: (…, N / size, size) where they belong to groups.

    Raises:
        ValueError: if the scales don't fit the shape of ``x``.
    """
    shape, scales = tuple(x.shape), tuple(getattr(q.scale, "shape", ()))
    if len(scales) == len(shape) + 1 and scales[:-2] == shape[:-1] and shape[-1] % scales[-2] == 0:
        return x.reshape(*scales[:-1], -1)
    fits = len(scales) <= len(shape) and all(
        n in (1, size) for n, size in zip(scales[::-1], shape[::-1], strict=False)
    )
    require(fits, "q.scale", f"of a shape that fits x {shape}", scales)
    return x


def _parts(q: QParams, like: Any) -> tuple[Any, Any, Any, Any]:
    """Scale, zero point and ends in the kind, precision and place of ``like``."""
    xp, values = namespace(like), (q.scale, q.zero_point, q.low, q.high)
    if xp is np:
        return tuple(np.asarray(as_numpy(v), dtype=like.dtype) for v in values)  # type: ignore[return-value]
    return tuple(xp.as_tensor(v, dtype=like.dtype, device=like.device) for v in values)


@cache
def _straight_through() -> Any:
    """The operation for autograd, made when torch is first needed."""
    import torch

    class StraightThrough(torch.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(x: Any, q: QParams) -> Any:
            return _rounded(x, q)

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            ctx.save_for_backward(inputs[0])
            ctx.q = inputs[1]

        @staticmethod
        def backward(ctx: Any, dy: Any) -> Any:
            return fake_quantize_grad(dy, ctx.saved_tensors[0], ctx.q), None

    return StraightThrough
