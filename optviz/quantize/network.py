"""A trained network to one that holds integers."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from optviz._knobs import require
from optviz.quantize.methods import Recipe
from optviz.quantize.observers import Observer, calibrate, weighted

if TYPE_CHECKING:
    from torch import nn

__all__ = ["bytes_of", "quantize_model"]


def quantize_model(model: nn.Module, recipe: Recipe, batches: Iterable[Any] | None = None) -> nn.Module:
    """A copy whose Linear and Conv layers hold integers; everything else stays in floating point.

    Transposed convolutions stay as they are. Batch norm must be folded first, since the weights that are
    rounded should be those that are used: ``normalize.fold_module(model)``.

    Args:
        model: any module; it stays as it was.
        recipe: :class:`WeightOnly`, :class:`Dynamic` or :class:`Static`.
        batches: of inputs for the calibration of :class:`Static`, see :func:`calibrate`; else None.

    Returns:
        A copy in evaluation mode with a ``QuantizedLayer`` for each layer that was not skipped.

    Raises:
        TypeError: if ``model`` is no module, or ``recipe`` is no recipe.
        ValueError: if a batch norm follows a layer, a name in ``layers`` or ``skip`` is unknown, or batches
            are missing, not wanted, or don't reach a layer; and as :func:`calibrate`.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from optviz.quantize import Static
        >>> net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)).eval()
        >>> small = quantize_model(net, Static(), [torch.randn(100, 64)])
        >>> small[0].codes.dtype, bytes_of(net), bytes_of(small)  # 2,368 weights, 42 biases and scales
        (torch.int8, 9640, 2714)

    Reference: Nagel and others, 2021, arXiv:2106.08295, section 3 (quantization after training).
    """
    checked(model, recipe)
    seen = _observed(model, recipe, batches)
    made = {}
    for name, layer in weighted(model).items():
        bits = recipe.bits_of(name)
        if bits is not None:
            made[layer] = _quantized(layer, bits, recipe, seen.get(name), name)
    return replaced(model, made)


def bytes_of(model: nn.Module) -> int:
    """Bytes of a network: integers packed at their bits, their scales and zero points, and the rest as it is.

    Args:
        model: quantized or not. A tensor that is used twice counts once.

    Returns:
        Bytes, without the few of a file's header.

    Example:
        >>> import torch
        >>> bytes_of(torch.nn.Linear(10, 10))
        440

    Reference: the sum over tensors of numbers times bits / 8; nothing (scale, zero point, bias) is free.
    """
    from optviz.quantize.modules import QuantizedLayer

    layers = {m for m in model.modules() if isinstance(m, QuantizedLayer)}
    inside = {id(b) for layer in layers for b in layer.buffers()}
    rest = {id(t): t.nbytes for t in (*model.parameters(), *model.buffers()) if id(t) not in inside}
    return sum(layer.bytes for layer in layers) + sum(rest.values())


def checked(model: Any, recipe: Any) -> None:
    """Refuse what cannot be quantized."""
    from torch import nn

    if not isinstance(model, nn.Module):
        raise TypeError(f"quantize_model.model must be a torch.nn.Module, got {model!r}")
    if not hasattr(recipe, "bits_of"):
        raise TypeError(f"quantize_model.recipe must be WeightOnly, Dynamic or Static, got {recipe!r}")
    layers = weighted(model)
    for field in ("layers", "skip"):
        wrong = sorted(set(dict(recipe.layers) if field == "layers" else recipe.skip) - set(layers))
        require(not wrong, f"{type(recipe).__name__}.{field}", f"of layers among {list(layers)}", wrong)
    require(bool(layers), "quantize_model.model", "a network with Linear or Conv layers", model)
    for name, norm in _unfolded(model):
        rule = f"without batch norm (fold {name!r} first: normalize.fold_module(model))"
        require(False, "quantize_model.model", rule, norm)


def _observed(model: Any, recipe: Any, batches: Any) -> dict[str, Observer]:
    """What goes into each layer, where the recipe wants to know."""
    if not recipe.observes:
        require(batches is None, "quantize_model.batches", f"None with {type(recipe).__name__}", batches)
        return {}
    require(batches is not None, "quantize_model.batches", "inputs for calibration with Static", batches)
    return calibrate(model, batches, range=recipe.activation_range)


def _unfolded(model: Any) -> Any:
    """Names and batch norms that ``normalize.fold_module`` would fold: those right after a layer."""
    from torch import nn

    norms, layers = nn.modules.batchnorm._BatchNorm, (nn.Linear, nn.modules.conv._ConvNd)
    for name, part in model.named_modules():
        if isinstance(part, nn.Sequential):
            inside = list(part.named_children())
            for (_, first), (at, second) in pairwise(inside):
                if isinstance(first, layers) and isinstance(second, norms):
                    yield f"{name}.{at}".lstrip("."), second


def _quantized(layer: Any, bits: int, recipe: Any, observer: Observer | None, name: str) -> Any:
    from optviz.quantize.modules import QuantizedLayer

    reached = observer is not None or not recipe.observes
    require(reached, "quantize_model.batches", f"such that they reach layer {name!r}", "none there")
    q = recipe.weights(layer.weight.detach().flatten(1), bits)
    return QuantizedLayer(layer, q, bits, recipe.before(observer))


def replaced(model: nn.Module, made: dict[Any, Any]) -> Any:
    """A copy with other layers in the place of some, wherever they stand."""
    import copy

    memo = {id(old): new for old, new in made.items()}  # deepcopy takes these for copies it has made
    return copy.deepcopy(model, memo).eval()
