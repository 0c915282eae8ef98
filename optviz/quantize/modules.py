"""Layers of torch that hold integers."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from optviz.quantize.integers import dequantize, fake_quantize, quantize
from optviz.quantize.methods import Before
from optviz.quantize.qparams import QParams

__all__ = ["QuantizedLayer"]


class QuantizedLayer(nn.Module):
    """A Linear or Conv layer whose weights are integers, computing what integer arithmetic would give.

    Its inputs are divided by a factor each and go through their code, if they have such; weights are read as
    s · (q − Z); the sum is taken in floating point. Integers and scales are buffers, so that they are saved
    with the model.

    Args:
        layer: what to take the weights from; it stays as it was.
        q: the code of its weights, seen as (out, inputs).
        bits: b of that code.
        before: the code of its inputs, a function that they go through, or None.
        factors: (in,) what its inputs are divided by, since its weights were multiplied by it; or None.

    Example:
        >>> from optviz.quantize import choose_qparams
        >>> layer = nn.Linear(4, 3)
        >>> made = QuantizedLayer(layer, choose_qparams(layer.weight, 8), 8)
        >>> made.codes.dtype, made.bytes  # 12 weights, a scale, a zero point, 3 biases
        (torch.uint8, 29)

    Reference: Jacob and others, 2018, arXiv:1712.05877, section 2.
    """

    codes: torch.Tensor
    scale: torch.Tensor
    zero_point: torch.Tensor
    bias: torch.Tensor | None
    factors: torch.Tensor | None

    def __init__(
        self, layer: nn.Module, q: QParams, bits: int, before: Before = None, factors: Any = None
    ) -> None:
        super().__init__()
        weight, bias = layer.get_parameter("weight").detach(), layer._parameters["bias"]
        bare = copy.copy(layer)
        bare._parameters = {"weight": None, "bias": None}
        self._bare = (bare,)  # in a tuple, so that it is no part of this module
        self.bits, self.low, self.high, self.shape = bits, q.low, q.high, weight.shape
        self.register_buffer("codes", quantize(weight.flatten(1), q))
        self.register_buffer("scale", q.scale)
        self.register_buffer("zero_point", q.zero_point)
        self.register_buffer("factors", factors)
        self.register_buffer("bias", None if bias is None else bias.detach().clone())
        own = isinstance(before, QParams)
        self._before = None if own else before
        self._ends = (before.low, before.high) if isinstance(before, QParams) else None
        self.register_buffer("input_scale", before.scale if isinstance(before, QParams) else None)
        self.register_buffer("input_zero_point", before.zero_point if isinstance(before, QParams) else None)
        self.eval()

    @property
    def q(self) -> QParams:
        """The code of the weights, seen as (out, inputs)."""
        return QParams(self.scale, self.zero_point, self.low, self.high)

    @property
    def input(self) -> QParams | None:
        """The code of the inputs, where it is fixed."""
        if self._ends is None:
            return None
        return QParams(self.input_scale, self.input_zero_point, *self._ends)

    @property
    def weight(self) -> torch.Tensor:
        """The weights that the integers stand for."""
        return dequantize(self.codes, self.q).reshape(self.shape)

    @property
    def bytes(self) -> int:
        """Integers packed at b bits each, scales, zero points (where not all 0), factors and biases."""
        codes = math.ceil(self.codes.numel() * self.bits / 8)
        zeros = math.ceil(self.scale.numel() * self.bits / 8) if bool(self.zero_point.any()) else 0
        floats = sum(t.nbytes for t in (self.scale, self.bias, self.factors) if t is not None)
        return codes + zeros + floats + (0 if self._ends is None else 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x if self.factors is None else x / self.factors
        if self.input is not None:
            x = fake_quantize(x, self.input)
        elif self._before is not None:
            x = self._before(x)  # type: ignore[operator]
        (bare,) = self._bare
        if isinstance(bare, nn.Linear):
            return functional.linear(x, self.weight, self.bias)
        return bare._conv_forward(x, self.weight, self.bias)  # type: ignore[operator]

    def extra_repr(self) -> str:
        inputs: Any = None if self.input is None else f"{self.input.levels} levels"
        inputs = inputs or ("a code for each batch" if self._before else "floating point")
        (bare,) = self._bare
        return f"{type(bare).__name__}({bare.extra_repr()}), bits={self.bits}, inputs={inputs}"
