"""Groups of layers whose units go together, and which units of a network a request really takes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from optviz._knobs import require
from optviz.prune.graph import Trace, trace

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Group", "Part", "groups", "held", "kept"]


@dataclass(frozen=True)
class Part:
    """One side of one layer of a group.

    Args:
        layer: name of the module in the network.
        side: "out" (it makes the units), "in" (it reads them), "norm" (a gain each), "groups" (the groups of
            a convolution), "units" (the heads of a module that cuts itself).
        index: for each unit of the group, the indices along that side which belong to it.

    Example:
        >>> Part("2", "in", ((0, 1), (2, 3))).index[1]  # after flatten: unit 1 is columns 2 and 3
        (2, 3)

    Reference: Fang et al., DepGraph: Towards any structural pruning, 2023, arXiv:2301.12900.
    """

    layer: str
    side: str
    index: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Group:
    """Units that some layers share: if one goes, it goes in all parts.

    Take ``Conv2d(1, 3, 3) → BatchNorm2d(3) → ReLU → Flatten → Linear(12, 10)`` on images of 4×4 pixels, so
    that each channel is a map of 2×2. The group has 3 units and three parts:

    ====== ====== =========================================
    layer  side   index
    ====== ====== =========================================
    conv   out    ((0,), (1,), (2,))
    norm   norm   ((0,), (1,), (2,))
    linear in     ((0, 1, 2, 3), (4, 5, 6, 7), (8, 9, 10, 11))
    ====== ====== =========================================

    Removing channel 1 takes filter 1 and its bias out of the convolution, gain, shift, running mean and
    variance 1 out of the norm, and columns 4 to 7 out of the linear layer.

    Args:
        name: the layer that makes the units, the first one if several do (partners of a residual sum).
        size: number of units that can go one by one.
        parts: the sides of layers that they lie along, in the order of the network.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 10))
        >>> (group,) = groups(net, torch.zeros(1, 1, 4, 4))
        >>> {part.layer: part.index[1] for part in group.parts}
        {'0': (1,), '1': (1,), '3': (4, 5, 6, 7)}

    Reference: Fang et al., DepGraph: Towards any structural pruning, 2023, arXiv:2301.12900.
    """

    name: str
    size: int
    parts: tuple[Part, ...]


def groups(model: nn.Module, example: Any) -> list[Group]:
    """The groups of units that can be removed from a network.

    Units that cannot go are in no group; :func:`held` says why.

    Args:
        model: a torch module that ``torch.fx`` can trace; it is not changed.
        example: an input of it (one example is enough), or a tuple of its inputs.

    Returns:
        The groups in the order of the network.

    Raises:
        TypeError: if ``model`` is not a module.
        ValueError: if the network cannot be traced, or does not run on the example.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 10))
        >>> for group in groups(net, torch.zeros(1, 1, 4, 4)):
        ...     print(group.name, group.size, [(part.layer, part.side) for part in group.parts])
        0 3 [('0', 'out'), ('3', 'in')]

    Reference: Fang, Ma, Song, Mi and Wang, DepGraph: Towards any structural pruning, 2023, arXiv:2301.12900.
    """
    return grouped(trace(model, example))


def grouped(found: Trace) -> list[Group]:
    """The groups of a network that was traced."""
    return [
        Group(name, len(units), tuple(_parts(found, units))) for name, units in named_units(found).items()
    ]


def named_units(found: Trace) -> dict[str, np.ndarray]:
    """Name of a group -> the labels of its units, in the order of the layer that gives it its name."""
    makers: dict[int, list[str]] = {}
    for layer, labels in found.made.items():
        for label in dict.fromkeys(labels.tolist()):
            makers.setdefault(label, []).append(layer)
    together: dict[tuple[str, ...], list[int]] = {}
    for label, layers in makers.items():
        if found.reason(label) is None:
            together.setdefault(tuple(layers), []).append(label)
    return {_name(found, layers, labels): np.array(labels) for layers, labels in together.items()}


def _name(found: Trace, layers: tuple[str, ...], labels: list[int]) -> str:
    """The first maker that makes nothing else; where there is none, the first with its first unit."""
    whole = [layer for layer in layers if set(found.made[layer].tolist()) == set(labels)]
    first = found.made[layers[0]].tolist()
    return whole[0] if whole else f"{layers[0]}[{min(first.index(label) for label in labels)}]"


def _parts(found: Trace, units: np.ndarray) -> list[Part]:
    parts = []
    for place in found.places:
        index: dict[int, list[int]] = {unit: [] for unit in units.tolist()}
        for i, label in enumerate(place.labels.tolist()):
            if label in index:
                index[label].append(i)
        if any(index.values()):
            parts.append(Part(place.layer, place.side, tuple(map(tuple, index.values()))))
    return parts


def held(model: nn.Module, example: Any) -> dict[str, str]:
    """The layers that keep all or some of their units, and why.

    Args:
        model: a torch module; it is not changed.
        example: an input of it, or a tuple of its inputs.

    Returns:
        Layer -> reason. The last layer is always there: its units are what the network gives out.

    Raises:
        TypeError: if ``model`` is not a module.
        ValueError: if the network cannot be traced, or does not run on the example.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Linear(3, 8), nn.LayerNorm(8), nn.Linear(8, 2))
        >>> for layer, reason in held(net, torch.zeros(1, 3)).items():
        ...     print(f"{layer}: {reason}")
        0: '1' (LayerNorm) takes its statistics over them, and they would change
        2: they are what the network gives out

    Reference: Fang et al., DepGraph: Towards any structural pruning, 2023, arXiv:2301.12900.
    """
    return reasons(trace(model, example))


def reasons(found: Trace) -> dict[str, str]:
    """Layer -> why some of its units cannot go, for a network that was traced."""
    why = dict(found.refused)
    for layer, labels in found.made.items():
        told = [reason for label in labels.tolist() if (reason := found.reason(label)) is not None]
        why |= {layer: told[0]} if told else {}
    return why


def kept(found: Trace, keep: Mapping[str, Any], name: str) -> np.ndarray:
    """For every label of a traced network, whether its unit stays.

    Args:
        found: what :func:`optviz.prune.graph.trace` found.
        keep: layer or group -> one bool a unit, True for what stays. One partner speaks for all of a group.
        name: of the function that asks, for its errors.

    Returns:
        (labels,) of bool.

    Raises:
        TypeError: if ``keep`` is no mapping, or holds what is not bool.
        ValueError: if a layer is unknown or held, a shape is wrong, partners disagree, or nothing is left.
    """
    if not isinstance(keep, Mapping):
        raise TypeError(f"{name}.keep must map names of layers to one bool a unit, got {keep!r}")
    alive, said = np.ones(found.size, bool), dict[int, str]()
    known = named_units(found) | found.made
    for layer, given in keep.items():
        for unit, stays in zip(*_asked(found, known, layer, given, name), strict=True):
            _agreed(alive, said, unit, stays, layer, name)
            said[unit], alive[unit] = layer, stays
    for place in found.places:
        count = int(alive[place.labels].sum())
        require(count > 0, f"{name}.keep", f"such that {place.layer!r} keeps at least one unit", count)
    return alive


def _asked(
    found: Trace, known: dict[str, np.ndarray], layer: str, given: Any, name: str
) -> tuple[list[int], list[bool]]:
    """The units that one entry of ``keep`` speaks of, and what it says of each."""
    label = f"{name}.keep[{layer!r}]"
    if layer not in known:
        why = reasons(found).get(layer)
        require(why is None, f"{name}.keep", f"without {layer!r}, since {why}", layer)
        require(False, f"{name}.keep", f"for layers that make units ({', '.join(known)})", layer)
    values = np.asarray(given.detach().cpu() if hasattr(given, "detach") else given)
    if values.dtype != bool:
        raise TypeError(f"{label} must be bool, True for units that stay, got {values.dtype}")
    labels = known[layer]
    units = np.array(list(dict.fromkeys(labels.tolist())))
    sizes = sorted({len(labels), len(units)})
    ok = values.ndim == 1 and len(values) in sizes
    require(ok, label, f"of shape ({' or '.join(map(str, sizes))},)", values.shape)
    asked = labels if len(values) == len(labels) else units
    for unit, stays in zip(asked.tolist(), values.tolist(), strict=True):
        why = found.reason(unit)
        require(stays or why is None, label, f"all True, since {why}", stays)
    return asked.tolist(), values.tolist()


def _agreed(alive: np.ndarray, said: dict[int, str], unit: int, stays: bool, layer: str, name: str) -> None:
    if unit in said and bool(alive[unit]) != stays:
        both = f"{said[unit]!r} and {layer!r}" if said[unit] != layer else f"the channels of {layer!r}"
        require(False, f"{name}.keep", f"the same for units that go together: {both}", (not stays, stays))
