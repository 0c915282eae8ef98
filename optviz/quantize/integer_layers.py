"""Layers that compute with integers alone, written out in NumPy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from optviz.quantize.fixed_point import rescale

__all__ = ["IntegerConv2d", "IntegerLinear", "IntegerMaxPool2d", "IntegerReLU", "Requantize", "Reshape"]

Pair = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Requantize:
    """Sums of 32 bits to the code of the next layer: round(sum · m · 2⁻ⁿ) + Z, clamped.

    The clamp is the ReLU too, where the code begins at 0: Z is then its lowest integer.

    Args:
        m, n: (out,) fixed-point factor s_in · s_w / s_out of each output.
        zero: Z of the result.
        low, high: ends of its code, 8 bits.

    Example:
        >>> Requantize(np.array([2**30]), np.array([31]), 3, 0, 255)(np.array([[9, -9]]).T).ravel()  # 4.5
        array([7, 0], dtype=uint8)

    Reference: Jacob and others, 2018, arXiv:1712.05877, sections 2.2 and 2.4.
    """

    m: Any
    n: Any
    zero: int
    low: int
    high: int

    def __call__(self, sums: Any) -> Any:
        codes = np.clip(rescale(sums, self.m, self.n) + self.zero, self.low, self.high)
        return codes.astype(np.int8 if self.low < 0 else np.uint8)


@dataclass(frozen=True, eq=False)
class IntegerLinear:
    """Σ q_w · (q_x − Z_x) + b in 32 bits, then the code of the next layer.

    The sum is taken as Σ q_w · q_x − Z_x · Σ q_w: the second part is known before any input comes.

    Args:
        weight: (out, in) int8, Z = 0.
        bias: (out,) int32, in units of s_in · s_w.
        zero: Z_x of the inputs.
        requantize: what makes the code of the outputs.

    Example:
        >>> same = Requantize(np.array([2**30]), np.array([30]), 0, 0, 255)
        >>> layer = IntegerLinear(np.array([[2, -1]], np.int8), np.array([5], np.int32), 3, same)
        >>> layer(np.array([[10, 4]], np.uint8))  # 2 · 7 − 1 · 1 + 5
        array([[18]], dtype=uint8)

    Reference: Jacob and others, 2018, arXiv:1712.05877, equations 7 to 9.
    """

    weight: Any = field(repr=False)
    bias: Any = field(repr=False)
    zero: int
    requantize: Requantize = field(repr=False)

    def __call__(self, x: Any) -> Any:
        return self.requantize(self.sums(x))

    def sums(self, x: Any) -> Any:
        """(N, out) int32, in units of s_in · s_w."""
        correction = self.bias - self.zero * self.weight.sum(1, dtype=np.int32)
        return x.astype(np.int32) @ self.weight.T.astype(np.int32) + correction.astype(np.int32)


@dataclass(frozen=True, eq=False)
class IntegerConv2d:
    """A convolution as a linear layer on patches; outside the image stands Z_x, which is what 0 is here.

    Args:
        linear: on patches, its weight (out, in · height · width).
        kernel: height and width of the filters.
        stride, padding, dilation: down and across, in pixels.

    Example:
        >>> same = Requantize(np.array([2**30]), np.array([30]), 0, 0, 255)
        >>> sums = IntegerLinear(np.ones((1, 4), np.int8), np.zeros(1, np.int32), 0, same)
        >>> IntegerConv2d(sums, (2, 2))(np.ones((1, 1, 2, 3), np.uint8))
        array([[[[4, 4]]]], dtype=uint8)

    Reference: Jacob and others, 2018, arXiv:1712.05877, section 2.1 (why 0 must have an integer: padding).
    """

    linear: IntegerLinear
    kernel: Pair
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)

    def __call__(self, x: Any) -> Any:
        windows = seen(padded(x, self.padding, self.linear.zero), self.kernel, self.stride, self.dilation)
        n, _, down, across = windows.shape[:4]
        patches = windows.transpose(0, 2, 3, 1, 4, 5).reshape(n * down * across, -1)
        return self.linear(patches).reshape(n, down, across, -1).transpose(0, 3, 1, 2)


@dataclass(frozen=True, eq=False)
class IntegerMaxPool2d:
    """The largest integer of each window: the code rises with the number, so nothing is converted.

    Args:
        kernel: height and width of the window.
        stride, padding: down and across, in pixels; the padding never wins.

    Example:
        >>> IntegerMaxPool2d((2, 2), (2, 2))(np.arange(8, dtype=np.uint8).reshape(1, 1, 2, 4)).tolist()
        [[[[5, 7]]]]

    Reference: ONNX, MaxPool on int8 and uint8, https://onnx.ai/onnx/operators/onnx__MaxPool.html.
    """

    kernel: Pair
    stride: Pair
    padding: Pair = (0, 0)

    def __call__(self, x: Any) -> Any:
        lowest = np.iinfo(x.dtype).min
        return seen(padded(x, self.padding, lowest), self.kernel, self.stride).max((-1, -2))


@dataclass(frozen=True, eq=False)
class IntegerReLU:
    """max(q, Z): Z is what 0 is here.

    Args:
        zero: Z.

    Example:
        >>> IntegerReLU(100)(np.array([90, 120], np.uint8)).tolist()
        [100, 120]

    Reference: Jacob and others, 2018, arXiv:1712.05877, section 2.4.
    """

    zero: int

    def __call__(self, x: Any) -> Any:
        return np.maximum(x, x.dtype.type(self.zero))


@dataclass(frozen=True, eq=False)
class Reshape:
    """The same integers in another shape.

    Args:
        shape: of one example; (-1,) for a row.

    Example:
        >>> Reshape((-1,))(np.zeros((2, 3, 4), np.uint8)).shape
        (2, 12)
    """

    shape: tuple[int, ...]

    def __call__(self, x: Any) -> Any:
        return x.reshape(len(x), *self.shape)


def padded(x: Any, padding: Pair, value: int) -> Any:
    """Images with pixels of one value around them.

    Example:
        >>> padded(np.zeros((1, 1, 1, 1), np.uint8), (0, 1), 7).tolist()
        [[[[7, 0, 7]]]]
    """
    down, across = padding
    around = ((0, 0), (0, 0), (down, down), (across, across))
    return np.pad(x, around, constant_values=value) if down or across else x


def seen(x: Any, kernel: Pair, stride: Pair, dilation: Pair = (1, 1)) -> Any:
    """What each window sees: (N, C, down, across, height, width).

    Example:
        >>> seen(np.zeros((1, 1, 5, 5)), (3, 3), (2, 2)).shape
        (1, 1, 2, 2, 3, 3)
    """
    span = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
    windows = np.lib.stride_tricks.sliding_window_view(x, span, axis=(2, 3))
    return windows[:, :, :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]
