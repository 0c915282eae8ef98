"""What a quantized tensor needs to be read: scale, zero point, and the ends of its code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from optviz._knobs import require
from optviz._rows import namespace
from optviz.quantize._blocks import as_numpy, finite

__all__ = ["QParams", "from_range"]


@dataclass(frozen=True, eq=False)
class QParams:
    """Scale s, zero point Z and the lowest and highest integer of a code: x ≈ s · (q − Z).

    Args:
        scale: s > 0, the distance of two levels in the unit of x: a number or an array that broadcasts
            against x, or (…, N / size, 1) for groups of x (…, N).
        zero_point: Z, the integer that stands for 0, in [low, high]; of the shape of ``scale``.
        low, high: the ends of the code, integers; arrays (K, 1, …) where K runs differ in bits.

    Raises:
        TypeError: if the zero point is not an integer.
        ValueError: if a scale is not positive, or the zero point is outside the code.

    Example:
        >>> QParams(0.5, 3, 0, 15).levels
        16

    Reference: Jacob and others, 2018, arXiv:1712.05877, section 2.1.
    """

    scale: Any
    zero_point: Any
    low: Any
    high: Any

    def __post_init__(self) -> None:
        for name in ("zero_point", "low", "high"):
            value = getattr(self, name)
            if as_numpy(value).dtype.kind not in "iu":
                raise TypeError(f"QParams.{name} must be of integers, got {value!r}")
        scale, zero, low, high = (as_numpy(v) for v in (self.scale, self.zero_point, self.low, self.high))
        require(not bool((scale <= 0).any()), "QParams.scale", "positive", self.scale)
        require(bool((low < high).all()), "QParams.low", "below high", self.low)
        inside = (zero >= low) & (zero <= high)
        require(bool(inside.all()), "QParams.zero_point", "in [low, high]", self.zero_point)

    @property
    def levels(self) -> Any:
        """How many integers the code has, high − low + 1."""
        return self.high - self.low + 1


def from_range(low: Any, high: Any, bits: Any = 8, symmetric: bool = False, like: Any = None) -> QParams:
    """Scale and zero point for numbers between ``low`` and ``high``.

    Args:
        low, high: the ends, arrays or numbers of one shape; widened to hold 0.
        bits: b in [1, 16] (from 2 where symmetric), a number, or integers that broadcast against ``low``.
        symmetric: as in :func:`choose_qparams`.
        like: array or tensor whose kind and precision the scale takes; None for NumPy's float64.

    Returns:
        :class:`QParams` whose scale has the shape of ``low``.

    Raises:
        TypeError: if ``bits`` is not a number.
        ValueError: if bits are outside [1, 16], or an end is not finite (NaN is allowed for one of K runs).

    Example:
        >>> q = from_range(-1.0, 1.0, bits=4, symmetric=True)
        >>> q.low, q.high, float(q.scale) == 1 / 7
        (-7, 7, True)

    Reference: Jacob and others, 2018, arXiv:1712.05877, equation 13 and section 3.
    """
    bits = whole_bits(bits, symmetric).reshape(np.shape(bits))
    require(np.ndim(bits) > 0 or finite(low, high), "from_range.low and high", "finite", (low, high))
    top = 2 ** (bits - symmetric) - 1
    bottom = -top if symmetric else 0 * top
    low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)  # 0 must have a level of its own
    wide = np.maximum(-low, high) / top if symmetric else high / top - low / top
    scale = _positive(wide, like)
    zero = 0 * scale if symmetric else np.clip(np.rint(-low / scale), bottom, top)
    zero = np.where(np.isnan(zero), 0, zero).astype(np.int32)
    ends = (bottom, top) if bits.ndim else (int(bottom), int(top))
    return QParams(_as(scale, like), _as(zero, like), _as(ends[0], like), _as(ends[1], like))


def whole_bits(bits: Any, symmetric: bool) -> Any:
    """Bits as an array of whole numbers, checked."""
    found = np.asarray(bits)
    if found.dtype.kind not in "fiu":
        raise TypeError(f"choose_qparams.bits must be a number, got {bits!r}")
    lowest = 2 if symmetric else 1
    fine = (found >= lowest) & (found <= 16) & (found == np.rint(found))
    rule = f"in [{lowest}, 16]" + (" when symmetric" if symmetric else "")
    whole = bool((found == np.rint(found)).all())
    require(bool(fine.all()), "choose_qparams.bits", rule if whole else f"whole numbers {rule}", bits)
    return found.astype(np.int64)


def _positive(scale: Any, like: Any) -> Any:
    """In the precision of ``like``, and never 0: a tensor of zeros has a scale too, 1."""
    kind = np.float64 if str(getattr(like, "dtype", "float64")).endswith("float64") else np.float32
    scale = np.where(scale == 0, 1.0, scale)
    return np.maximum(scale.astype(kind), np.finfo(kind).tiny)


def _as(value: Any, like: Any) -> Any:
    """An array in the kind of ``like``; a whole number stays one."""
    torch = namespace(like)
    return value if torch is np or isinstance(value, int) else torch.as_tensor(value, device=like.device)


def numbers(x: Any, name: str) -> Any:
    """``x`` as an array or tensor of floats, without the record that autograd keeps.

    Raises:
        TypeError: if it is not of real numbers.
        ValueError: if it is empty.
    """
    torch = namespace(x)
    if torch is not np:
        x = x.detach()
        if x.is_complex() or x.dtype is torch.bool:
            raise TypeError(f"{name} must be of real numbers, got {x.dtype}")
        x = x if x.dtype in (torch.float32, torch.float64) else x.float()
    else:
        x = np.asarray(x)
        if x.dtype.kind not in "fiu":
            raise TypeError(f"{name} must be of real numbers, got {x.dtype}")
        x = x if x.dtype in (np.float32, np.float64) else x.astype(_wide(x.dtype))
    require(0 not in x.shape, name, "not empty", tuple(x.shape))
    return x


def _wide(kind: Any) -> Any:
    return np.float32 if kind == np.float16 else np.float64
