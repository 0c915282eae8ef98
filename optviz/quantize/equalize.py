"""Cross-layer equalization: the same function with weights that fit one scale a tensor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from optviz._knobs import require
from optviz._rows import namespace

if TYPE_CHECKING:
    from torch import nn

__all__ = ["equalize", "equalize_pair"]


def equalize_pair(first: Any, bias: Any, second: Any) -> tuple[Any, Any, Any]:
    """Move a factor of each unit from one layer to the next, until both have the same largest weight for it.

    ReLU(s · a) = s · ReLU(a) for s > 0, so W₁ᵢ / sᵢ and W₂ᵢ · sᵢ do the same as W₁ᵢ and W₂ᵢ. With the largest
    |weights| rᵢ = max |W₁ᵢ| and tᵢ = max |W₂ᵢ|, sᵢ = √(rᵢ / tᵢ) makes both √(rᵢ · tᵢ).

    Args:
        first: (units, …) weights of a layer, array or tensor; row i makes unit i.
        bias: (units,) of that layer, or None.
        second: (outputs, units, …) weights of the next layer; column i reads unit i.

    Returns:
        The three anew, of the same function. A unit whose weights are all 0 on a side keeps its factor.

    Raises:
        ValueError: if the layers don't fit together.

    Example:
        >>> first, _, second = equalize_pair(np.array([[8.0], [0.5]]), None, np.array([[2.0, 0.5]]))
        >>> first.tolist(), second.tolist()
        ([[4.0], [0.5]], [[4.0, 0.5]])

    Reference: Nagel and others, 2019, arXiv:1906.04721, section 4.1 and appendix A.
    """
    xp, units = namespace(first), first.shape[0]
    fits = second.ndim >= 2 and second.shape[1] == units
    require(fits, "equalize_pair.second", f"of shape (outputs, {units}, …)", tuple(second.shape))
    r = abs(first.reshape(units, -1)).max(1)
    t = abs(second.swapaxes(0, 1).reshape(units, -1)).max(1)
    r, t = (r, t) if xp is np else (r.values, t.values)
    both = (r > 0) & (t > 0)
    s = xp.where(both, xp.sqrt(r / xp.where(both, t, 1)), xp.ones_like(r))
    down = first / s.reshape(-1, *(1 for _ in first.shape[1:]))
    up = second * s.reshape(1, -1, *(1 for _ in second.shape[2:]))
    return down, None if bias is None else bias / s, up


def equalize(model: nn.Module, *, sweeps: int = 20) -> nn.Module:
    """A copy of the same function whose neighboring layers share their weights' sizes fairly.

    In every ``nn.Sequential`` each Linear or Conv is equalized with the next one, where only ReLU, LeakyReLU,
    pooling, flattening, dropout or nothing is between; over and over, since each layer but the ends is in two
    pairs. It helps most where a tensor has one scale; a scale for each output takes care of the rows of a
    layer by itself, but not of its columns.

    Args:
        model: any module, batch norm folded; it stays as it was.
        sweeps: how often all pairs are gone through.

    Returns:
        A copy that gives the same outputs, to rounding.

    Raises:
        TypeError: if ``model`` is no ``torch.nn.Module``.
        ValueError: if ``sweeps`` is below 1.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
        >>> same = equalize(net)
        >>> bool(torch.allclose(same[0].weight.abs().amax(1), same[2].weight.abs().amax(0)))
        True

    Reference: Nagel and others, 2019, arXiv:1906.04721, section 4.1; and 2021, arXiv:2106.08295, section 3.
    """
    import copy

    import torch
    from torch import nn

    if not isinstance(model, nn.Module):
        raise TypeError(f"equalize.model must be a torch.nn.Module, got {model!r}")
    require(sweeps >= 1, "equalize.sweeps", "at least 1", sweeps)
    model = copy.deepcopy(model)
    found = pairs(model)
    with torch.no_grad():
        for _ in range(sweeps if len(found) > 1 else 1):
            for first, second in found:
                equalize_layers(first, second)
    return model


def pairs(model: Any) -> list[tuple[Any, Any]]:
    """Layers that follow one another with nothing between that a positive factor doesn't go through."""
    from torch import nn

    found, counts = [], places(model)
    for part in model.modules():
        last, flat = None, False
        for layer in part if isinstance(part, nn.Sequential) else ():
            if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d) and counts[id(layer.weight)] == 1:
                if last is not None and joined(last, layer, flat):
                    found.append((last, layer))
                last, flat = layer, False
            elif not isinstance(layer, positive()):
                last = None
            flat = flat or (isinstance(layer, nn.Flatten) and layer.start_dim == 1)
    return found


def positive() -> tuple[type, ...]:
    """Layers f with f(s · a) = s · f(a) for s > 0, unit by unit."""
    from torch import nn

    pools = (nn.MaxPool1d, nn.MaxPool2d, nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool2d)
    return (nn.ReLU, nn.LeakyReLU, nn.Identity, nn.Dropout, nn.Dropout2d, nn.Flatten, *pools)


def places(model: Any) -> dict[int, int]:
    """In how many places each weight stands: one that stands in two can't be changed for one neighbor."""
    found: dict[int, int] = {}
    for _, part in model.named_modules(remove_duplicate=False):
        weight = part._parameters.get("weight")
        found[id(weight)] = found.get(id(weight), 0) + 1
    return found


def joined(first: Any, second: Any, flat: bool) -> bool:
    """Whether the second layer's columns are the first one's units: each once, or flattened as its pixels."""
    units, columns = first.weight.shape[0], second.weight.shape[1]
    if getattr(second, "groups", 1) > 1:
        return False
    images = [layer.weight.ndim > 2 for layer in (first, second)]
    if images == [True, False]:
        return flat and columns % units == 0
    return images[0] == images[1] and columns == units


def equalize_layers(first: Any, second: Any) -> None:
    """The two layers in place; pixels of a flattened channel share its factor."""
    wide = second.weight.reshape(second.weight.shape[0], first.weight.shape[0], -1)
    down, bias, up = equalize_pair(first.weight, first.bias, wide)
    first.weight.copy_(down)
    second.weight.copy_(up.reshape(second.weight.shape))
    if bias is not None:
        first.bias.copy_(bias)
