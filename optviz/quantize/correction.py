"""Bias correction: rounding shifts the mean of each output, and its bias takes the shift back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from optviz._knobs import require
from optviz.quantize.observers import inputs, resting, run, weighted

if TYPE_CHECKING:
    from torch import nn

__all__ = ["correct_bias"]


def correct_bias(quantized: nn.Module, model: nn.Module, batches: Iterable[Any]) -> nn.Module:
    """A copy of a quantized network whose layers have the means that they had before: b ← b + E[y] − E[ŷ].

    Layer by layer in the order in which they are used, so that each sees inputs that are corrected already.

    Args:
        quantized: of :func:`quantize_model`; it stays as it was.
        model: what it was made from, in evaluation mode.
        batches: of inputs (N, …), as for :func:`calibrate`; they are gone through once a layer.

    Returns:
        A copy in which every quantized layer has a bias.

    Raises:
        TypeError: if a model is no module, or a batch is not inputs alone.
        ValueError: if a model is in training mode, nothing is quantized or the networks don't fit together,
            or there is no batch.

    Example:
        >>> import torch
        >>> from optviz.quantize import WeightOnly, quantize_model
        >>> net, x = torch.nn.Linear(64, 2).eval(), torch.rand(100, 64)
        >>> better = correct_bias(quantize_model(net, WeightOnly(3)), net, [x])
        >>> bool(torch.allclose(better(x).mean(0), net(x).mean(0), atol=1e-5))
        True

    Reference: Nagel and others, 2019, arXiv:1906.04721, section 4.2 and appendix D (empirical correction).
    """
    import copy

    resting(model, "correct_bias.model")
    resting(quantized, "correct_bias.quantized")
    kept = list(inputs(model, batches, "correct_bias.batches"))
    layers = integer_layers(quantized := copy.deepcopy(quantized))
    own = weighted(model)
    fits = bool(layers) and set(layers) <= set(own)
    require(fits, "correct_bias.quantized", f"quantized layers among {list(own)}", list(layers))
    wanted = means(model, {name: own[name] for name in layers}, kept)
    for name in wanted:
        layer = layers[name]
        error = wanted[name] - means(quantized, {name: layer}, kept)[name]
        layer.bias = error if layer.bias is None else layer.bias + error
    return quantized


def integer_layers(model: Any) -> dict[str, Any]:
    """Name → layer that holds integers."""
    from optviz.quantize.modules import QuantizedLayer

    return {name: part for name, part in model.named_modules() if isinstance(part, QuantizedLayer)}


def means(model: Any, layers: dict[str, Any], batches: list[Any]) -> dict[str, Any]:
    """Name → mean of each output of a layer (out,), over examples and places, in the order of their use."""
    totals: dict[str, Any] = {}

    def note(name: str, axis: int) -> Any:
        def hook(layer: Any, args: Any, y: Any) -> None:
            rows = y.double().movedim(axis, -1).flatten(0, -2)
            total, count = totals.get(name, (0, 0))
            totals[name] = total + rows.sum(0), count + len(rows)

        return hook

    axes = {name: 1 if layer.weight.ndim > 2 else -1 for name, layer in layers.items()}
    run(model, batches, [p.register_forward_hook(note(n, axes[n])) for n, p in layers.items()])
    return {name: (total / count).to(batches[0].dtype) for name, (total, count) in totals.items()}
