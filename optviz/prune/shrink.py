"""Take units out of a network: really, by a smaller copy, or for a comparison, by zeros in a copy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from optviz._knobs import require
from optviz.prune.graph import Place, Trace, copied, evaluating, inputs_of, trace
from optviz.prune.groups import kept

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Cut", "follow", "shrink", "silence"]


@dataclass(frozen=True)
class Cut:
    """What one side of one layer loses.

    Args:
        layer: name of the module.
        side: "out", "in", "norm", "groups" or "units", as in :class:`Part`.
        before: length of that side in the network as it is.
        after: length that is left.
        gone: the indices that go.

    Example:
        >>> Cut("2", "in", before=4, after=3, gone=(1,))
        Cut(layer='2', side='in', before=4, after=3, gone=(1,))

    Reference: Fang et al., DepGraph: Towards any structural pruning, 2023, arXiv:2301.12900.
    """

    layer: str
    side: str
    before: int
    after: int
    gone: tuple[int, ...]


def shrink(model: nn.Module, keep: Mapping[str, Any], example: Any) -> nn.Module:
    """A really smaller copy of a network, without the units that are not kept.

    With them go the biases, the gains, shifts and running statistics of norms, the columns of every layer
    that reads them, and the same units of the partners in a residual sum. In evaluation its output is that of
    :func:`silence`, which is tested on the example before the copy is handed out.

    Args:
        model: a torch module that ``torch.fx`` can trace; it is not changed.
        keep: layer -> (units,) of bool, True for units that stay; layers not named keep all. In a residual
            sum one partner speaks for all.
        example: an input (one example is enough), or a tuple of inputs.

    Returns:
        A module of the same class, in the same mode, on the same device.

    Raises:
        TypeError: if ``model`` is not a module, or ``keep`` holds what is not bool.
        ValueError: if a layer is unknown or its units are held, a shape is wrong, partners disagree, a layer
            would lose all its units, or the network cannot be traced.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
        >>> shrink(net, {"0": [True, False, True, True]}, torch.zeros(1, 3))
        Sequential(
          (0): Linear(in_features=3, out_features=3, bias=True)
          (1): ReLU()
          (2): Linear(in_features=3, out_features=2, bias=True)
        )

    Reference:
        Li, Kadav, Durdanovic, Samet and Graf, Pruning filters for efficient convnets, 2017, arXiv:1608.08710.
    """
    found = trace(model, example)
    alive, small = kept(found, keep, "shrink"), copied(model)
    for place in found.places:
        _cut(small, place, alive[place.labels])
    _compare(small, model, _zeros(model, found, alive), example)
    return small


def silence(model: nn.Module, keep: Mapping[str, Any], example: Any) -> nn.Module:
    """A copy of a network of the same shape, in which all that :func:`shrink` would cut out is zero.

    Args:
        model: a torch module that ``torch.fx`` can trace; it is not changed.
        keep: layer -> (units,) of bool, True for units that stay.
        example: an input (one example is enough), or a tuple of inputs.

    Returns:
        A module of the same class and size.

    Raises:
        TypeError: as :func:`shrink`.
        ValueError: as :func:`shrink`.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1))
        >>> quiet = silence(net, {"0": [True, False]}, torch.zeros(1, 3))
        >>> quiet[0].weight[1].tolist(), quiet[0].bias[1].item(), quiet[2].weight[:, 1].tolist()
        ([0.0, 0.0, 0.0], 0.0, [0.0])

    Reference:
        Molchanov et al., Importance estimation for neural network pruning, 2019, arXiv:1906.10771, which
        writes a removed unit as a gate that is zero.
    """
    import torch

    found = trace(model, example)
    zeros, quiet = _zeros(model, found, kept(found, keep, "silence")), copied(model)
    with torch.no_grad():
        for name, value in zeros.items():
            quiet.get_parameter(name).copy_(value)
    return quiet


def follow(model: nn.Module, keep: Mapping[str, Any], example: Any) -> list[Cut]:
    """What goes with the units that are not kept: every side of every layer that becomes shorter.

    Args:
        model: a torch module that ``torch.fx`` can trace; it is not changed.
        keep: layer -> (units,) of bool, True for units that stay.
        example: an input (one example is enough), or a tuple of inputs.

    Returns:
        One :class:`Cut` a side, in the order of the network.

    Raises:
        TypeError: as :func:`shrink`.
        ValueError: as :func:`shrink`.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1))
        >>> for cut in follow(net, {"0": [True, False]}, torch.zeros(1, 3)):
        ...     print(cut.layer, cut.side, cut.before, "->", cut.after)
        0 out 2 -> 1
        2 in 2 -> 1

    Reference: Fang et al., DepGraph: Towards any structural pruning, 2023, arXiv:2301.12900.
    """
    found = trace(model, example)
    alive = kept(found, keep, "follow")
    left = [(p, alive[p.labels]) for p in found.places]
    return [
        Cut(p.layer, p.side, len(a), int(a.sum()), tuple(np.flatnonzero(~a).tolist()))
        for p, a in left
        if not a.all()
    ]


def _zeros(model: nn.Module, found: Trace, alive: np.ndarray) -> dict[str, Any]:
    """The parameters that lose numbers, with zeros there; running statistics stay as they are."""
    zeros: dict[str, Any] = {}
    for place in found.places:
        left = alive[place.labels]
        for own, gone in () if left.all() else vanishing(model.get_submodule(place.layer), place.side, left):
            name = f"{place.layer}.{own}"
            if name not in zeros:
                zeros[name] = model.get_parameter(name).detach().clone()
            zeros[name][gone] = 0
    return zeros


def vanishing(layer: nn.Module, side: str, left: np.ndarray) -> list[tuple[str, Any]]:
    """Parameter of a layer -> which of its numbers go with the units of one side that are not left.

    Args:
        layer: the module.
        side: as in :class:`Part`.
        left: (units,) of bool.

    Returns:
        Pairs (name of the parameter, index of its numbers).
    """
    if side == "units":
        return _lost(layer, left)
    gone = np.flatnonzero(~left)
    sliced = [(name, axis) for name, axis in _axes(layer, side) if not name.startswith("running")]
    return [(name, (slice(None),) * axis + (gone,)) for name, axis in sliced]


def _lost(layer: Any, left: np.ndarray) -> list[tuple[str, Any]]:
    """The same for a module that cuts itself: which numbers are missing when each stands for its place."""
    import copy

    import torch

    numbered = copy.deepcopy(layer).double()
    with torch.no_grad():
        for p in numbered.parameters():
            p.copy_(torch.arange(p.numel(), dtype=p.dtype).reshape(p.shape))
        small = dict(numbered.kept(torch.as_tensor(left)).named_parameters()) if left.any() else {}
    lost = []
    for name, p in numbered.named_parameters():
        gone = torch.ones(p.numel(), dtype=torch.bool)
        if name in small:
            gone[small[name].detach().long().ravel().cpu()] = False
        lost.append((name, gone.reshape(p.shape)))
    return lost


def _axes(layer: Any, side: str) -> list[tuple[str, int]]:
    """The tensors of a layer that have an entry a unit, and the axis that the units lie along."""
    turned = type(layer).__name__.startswith("ConvTranspose")
    if side == "norm":
        named = [(name, 0) for name in ("weight", "bias", "running_mean", "running_var")]
    elif side == "out":
        named = [("weight", 1 if turned else 0), ("bias", 0)]
    else:
        named = [("weight", 0 if turned else 1)] if side == "in" else []
    return [(name, axis) for name, axis in named if getattr(layer, name, None) is not None]


_COUNTS = {
    "out": ("out_features", "out_channels"),
    "in": ("in_features", "in_channels"),
    "norm": ("num_features", "num_channels", "num_parameters"),
}


def _cut(model: nn.Module, place: Place, left: np.ndarray) -> None:
    """Make one side of one layer of ``model`` shorter, in place."""
    import torch

    if left.all():
        return
    layer: Any = model.get_submodule(place.layer)
    count = int(left.sum())
    if place.side == "units":
        _replace(model, layer, layer.kept(torch.as_tensor(left)))
    if place.side == "groups":
        layer.in_channels = layer.in_channels // layer.groups * count
        layer.groups = count
    for name, axis in _axes(layer, place.side):
        _shorten(layer, name, axis, left)
    for name in _COUNTS.get(place.side, ()):
        if hasattr(layer, name):
            if hasattr(layer, "num_groups"):
                layer.num_groups = layer.num_groups * count // layer.num_channels
            setattr(layer, name, count)


def _shorten(layer: Any, name: str, axis: int, left: np.ndarray) -> None:
    import torch
    from torch import nn

    old = getattr(layer, name)
    index = torch.as_tensor(np.flatnonzero(left), device=old.device)
    new = old.detach().index_select(axis, index)
    setattr(layer, name, nn.Parameter(new, old.requires_grad) if isinstance(old, nn.Parameter) else new)


def _replace(model: nn.Module, old: nn.Module, new: nn.Module) -> None:
    new.train(old.training)
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if child is old:
                setattr(parent, name, new)


def _compare(small: nn.Module, model: nn.Module, zeros: dict[str, Any], example: Any) -> None:
    """Refuse to hand out a network that does not do what the silenced one does."""
    import torch
    from torch.utils._pytree import tree_leaves

    with evaluating(model), evaluating(small):
        silenced = torch.func.functional_call(model, zeros, inputs_of(example))
        try:
            shrunk = small(*inputs_of(example))
        except Exception as error:  # most often a size that stands in the forward pass as a number
            raise ValueError(f"shrink.model must run when smaller, got: {error}") from error
    for a, b in zip(tree_leaves(shrunk), tree_leaves(silenced), strict=True):
        if isinstance(a, torch.Tensor) and a.is_floating_point():
            gap = min(1e3 * torch.finfo(a.dtype).eps, 0.05) * (1 + float(b.abs().nan_to_num(0, 0).max()))
            close: Any = {"rtol": 0, "atol": gap, "equal_nan": True}
            same = a.shape == b.shape and torch.allclose(a, b, **close)
            require(same, "shrink.model", "such that its graph tells all that depends on a unit", type(small))
