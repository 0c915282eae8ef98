"""A whole network in integers: what an int8 engine does, written out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from optviz._knobs import require
from optviz.quantize._blocks import as_numpy
from optviz.quantize.choosing import choose_qparams
from optviz.quantize.fixed_point import fixed_point
from optviz.quantize.granularity import Granularity, PerChannel, PerTensor
from optviz.quantize.integer_layers import (
    IntegerConv2d,
    IntegerLinear,
    IntegerMaxPool2d,
    IntegerReLU,
    Requantize,
    Reshape,
)
from optviz.quantize.integers import dequantize, quantize
from optviz.quantize.observers import Observer, inputs, resting
from optviz.quantize.qparams import QParams
from optviz.quantize.ranges import EXTREMES, Range

if TYPE_CHECKING:
    from torch import nn

__all__ = ["IntegerNetwork", "integer_only"]

CHANNELS = PerChannel(0)


@dataclass(frozen=True, eq=False)
class IntegerNetwork:
    """Integers in, integers through all layers, integers out; floating point only at the two ends.

    Args:
        layers: from 8-bit integers to 8-bit integers, in order.
        input: code of the inputs.
        output: code of the outputs.

    Example:
        >>> code = QParams(0.5, 0, 0, 255)
        >>> IntegerNetwork((), code, code)(np.array([[0.6, 1.0]])).tolist()
        [[0.5, 1.0]]

    Reference: Jacob and others, 2018, arXiv:1712.05877, section 2.
    """

    layers: tuple[Any, ...] = field(repr=False)
    input: QParams
    output: QParams

    def __call__(self, x: Any) -> Any:
        """Outputs (N, …) as numbers, for inputs (N, …) of one batch."""
        return dequantize(self.integers(x), self.output)

    def integers(self, x: Any) -> Any:
        """The integers of the outputs."""
        return self.steps(x)[-1]

    def steps(self, x: Any) -> list[Any]:
        """The integers of the inputs and of what each layer gives, in order."""
        found = [quantize(np.asarray(as_numpy(x), np.float32), self.input)]
        for layer in self.layers:
            found.append(layer(found[-1]))
        return found

    @property
    def bytes(self) -> int:
        """Weights 1 byte, biases 4, factors 4 and shifts 1 for each output; codes of activations 5 each."""
        sums = [getattr(layer, "linear", layer) for layer in self.layers]
        sums = [layer for layer in sums if isinstance(layer, IntegerLinear)]
        return 5 + sum(s.weight.size + 4 * s.bias.size + 5 * s.requantize.m.size + 5 for s in sums)


def integer_only(
    model: nn.Module, batches: Iterable[Any], *, range: Range = EXTREMES, per: Granularity = CHANNELS
) -> IntegerNetwork:
    """A chain of layers as integers: int8 weights, int32 sums and biases, fixed-point factors between.

    Weights are symmetric in [−127, 127]; activations affine from 0 to 255. A bias is round(b / (s_in · s_w))
    with Z = 0. A ReLU behind a layer is the clamp of its outputs' code.

    Args:
        model: ``nn.Sequential`` of Linear, Conv2d, ReLU, MaxPool2d, Flatten and Unflatten, in evaluation
            mode; it stays as it was.
        batches: of inputs for calibration, see :func:`calibrate`.
        range: how the ends of activations are found.
        per: ``PerChannel(0)``, a scale for each output, or ``PerTensor()``.

    Returns:
        An :class:`IntegerNetwork` in NumPy.

    Raises:
        TypeError: if ``model`` is no such chain (fold batch norm first: ``normalize.fold_module(model)``).
        ValueError: if a layer has an option that is not written out here, sums may not fit 32 bits, a
            factor is out of reach of fixed point, ``per`` is something else; and as :func:`calibrate`.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)).eval()
        >>> x = torch.linspace(-1, 1, 40).reshape(10, 4)
        >>> found = integer_only(net, [x])
        >>> found.integers(x).dtype, bool(abs(found(x) - net(x).detach().numpy()).max() < 0.05)
        (dtype('uint8'), True)

    Reference: Jacob and others, 2018, arXiv:1712.05877, sections 2.1 to 2.4.
    """
    require(per in (PerChannel(0), PerTensor()), "integer_only.per", "PerChannel(0) or PerTensor()", per)
    resting(model, "integer_only.model")
    chain = links(model)
    codes = [code_of(seen) for seen in watched(model, chain, batches, Observer(range))]
    layers, at = [], 0
    for link in chain:
        if summing(link.layer):
            layers.append(with_sums(link, codes[at], codes[at + 1], per))
            at += 1
        else:
            layers.append(without_sums(link, codes[at]))
    return IntegerNetwork(tuple(layers), codes[0], codes[-1])


@dataclass(frozen=True, eq=False)
class Link:
    """A layer of a chain, with the ReLU right behind it, if there is one and the layer sums."""

    name: str
    layer: Any
    relu: Any = None

    def __call__(self, x: Any) -> Any:
        x = self.layer(x)
        return x if self.relu is None else self.relu(x)


def summing(layer: Any) -> bool:
    """Whether a layer has weights."""
    from torch import nn

    return isinstance(layer, nn.Linear | nn.Conv2d)


def links(model: Any) -> list[Link]:
    """The layers of a chain in order, those of chains within it too; what does nothing is left out."""
    from torch import nn

    found: list[Link] = []
    for name, layer in named_chain(model):
        behind = found and summing(found[-1].layer) and found[-1].relu is None
        if isinstance(layer, nn.ReLU) and behind:
            found[-1] = Link(found[-1].name, found[-1].layer, layer)
        elif not isinstance(layer, nn.Identity | nn.Dropout):
            found.append(Link(name, layer))
    require(
        any(summing(link.layer) for link in found), "integer_only.model", "with a Linear or Conv2d", model
    )
    return found


def named_chain(model: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Names and layers of nested chains in order."""
    from torch import nn

    if not isinstance(model, nn.Sequential):
        yield name, model
        return
    for child, layer in model._modules.items():
        yield from named_chain(layer, f"{name}.{child}".lstrip("."))


def watched(model: Any, chain: list[Link], batches: Any, observer: Observer) -> list[Observer]:
    """What the inputs and the outputs of each layer with weights are like; behind its ReLU if it has one."""
    import torch

    found = [observer] * (1 + sum(summing(link.layer) for link in chain))
    for x in inputs(model, batches, "integer_only.batches"):
        found[0], at = found[0].update(x), 0
        with torch.no_grad():
            for link in chain:
                x = link(x)
                if summing(link.layer):
                    at += 1
                    found[at] = found[at].update(x)
    return found


def code_of(seen: Observer) -> QParams:
    """The 8-bit code, in NumPy."""
    q = seen.qparams(8)
    return QParams(as_numpy(q.scale), as_numpy(q.zero_point), q.low, q.high)


def with_sums(link: Link, x: QParams, y: QParams, per: Granularity) -> Any:
    """A layer with weights, from the code of its inputs to that of its outputs."""
    from torch import nn

    layer, name = link.layer, f"integer_only.model[{link.name!r}]"
    made = linear(as_numpy(layer.weight), layer.bias, x, y, per, name)
    if isinstance(layer, nn.Linear):
        return made
    plain = layer.groups == 1 and layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
    require(plain, name, "a convolution with groups=1 and zeros of a given width around it", layer)
    return IntegerConv2d(made, layer.kernel_size, layer.stride, layer.padding, layer.dilation)


def linear(weight: Any, bias: Any, x: QParams, y: QParams, per: Granularity, name: str) -> IntegerLinear:
    """Weights (out, …) and biases (out,) or None as integers, with the factor s_in · s_w / s_out."""
    weight, wide = weight.reshape(len(weight), -1), np.float64
    code = choose_qparams(weight, 8, per, symmetric=True)
    unit = np.broadcast_to(wide(x.scale) * code.scale.astype(wide).reshape(-1), len(weight))  # s_in · s_w
    bias = np.zeros(len(weight)) if bias is None else np.rint(as_numpy(bias) / unit)
    most = 127 * 255 * weight.shape[1] + abs(bias).max()
    require(most < 2**31, name, "of sums that fit 32 bits", most)
    ends = Requantize(*fixed_point(unit / wide(y.scale)), int(y.zero_point), y.low, y.high)
    return IntegerLinear(quantize(weight, code), bias.astype(np.int32), int(x.zero_point), ends)


def without_sums(link: Link, x: QParams) -> Any:
    """A layer without weights; the code of its inputs is that of its outputs."""
    from torch import nn

    layer, name = link.layer, f"integer_only.model[{link.name!r}]"
    if isinstance(layer, nn.ReLU):
        return IntegerReLU(int(x.zero_point))
    if isinstance(layer, nn.MaxPool2d):
        plain = not layer.ceil_mode and pair(layer.dilation) == (1, 1)
        require(plain, name, "a pooling with dilation=1 and ceil_mode=False", layer)
        return IntegerMaxPool2d(pair(layer.kernel_size), pair(layer.stride), pair(layer.padding))
    if isinstance(layer, nn.Flatten) and (layer.start_dim, layer.end_dim) == (1, -1):
        return Reshape((-1,))
    if isinstance(layer, nn.Unflatten) and layer.dim == 1:
        return Reshape(tuple(layer.unflattened_size))
    known = "Linear, Conv2d, ReLU, MaxPool2d, Flatten() or Unflatten(1, …), with batch norm folded"
    raise TypeError(f"{name} must be {known} (normalize.fold_module), got {layer!r}")


def pair(value: Any) -> tuple[int, int]:
    """Down and across.

    Example:
        >>> pair(2), pair((1, 2))
        ((2, 2), (1, 2))
    """
    return (value, value) if isinstance(value, int) else tuple(value)
