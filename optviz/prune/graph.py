"""Which units of a network belong together: labels that travel through its graph beside the tensors.

A *unit* is a neuron, a channel or an attention head: what structured pruning removes as a whole. Every layer
that makes units gives each a label, a whole number. The labels follow the tensor along one of its axes; where
two tensors are added their labels are tied to one another, where a layer reads a tensor it is written down
which of its inputs carry which label, and where an operation has no rule its units are held: they stay.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from optviz._knobs import require

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Call", "Place", "Shape", "Size", "Trace", "Units", "copied", "evaluating", "inputs_of", "trace"]

Watch = Callable[["Units", Any], None]  # (labels and axis, the tensor that a layer reads)


@dataclass(frozen=True, eq=False)
class Units:
    """The labels of a tensor's units.

    Args:
        axis: the axis that they lie along, counted from the front.
        labels: (tensor.shape[axis],) one label an index; a label may stand several times, as after flatten.
    """

    axis: int
    labels: np.ndarray


@dataclass(frozen=True, eq=False)
class Shape:
    """What a tensor's ``shape`` is known by: the units that lie along one axis.

    Args:
        units: those of the tensor.
    """

    units: Units


@dataclass(frozen=True, eq=False)
class Size:
    """A number computed from how many units there are, so that it shrinks with them.

    Args:
        units: whose number it is.
    """

    units: Units


@dataclass(frozen=True, eq=False)
class Place:
    """One side of one layer, and which units lie along it.

    Args:
        layer: name of the module in the network.
        side: "out" (it makes them), "in" (it reads them), "norm" (one gain each), "groups" (one group of a
            convolution each), "units" (a module that cuts itself, by its ``kept``).
        labels: one label an index.
    """

    layer: str
    side: str
    labels: np.ndarray


@dataclass(frozen=True, eq=False)
class Call:
    """One step of the network: what is called, with which values, and what is known of their units.

    Args:
        name: path of the module, or name of the node.
        what: class of the module, or name of the function.
        module: the module; None for a function or a method.
        args: positional arguments, real values.
        kwargs: keyword arguments, real values.
        tags: for each positional argument :class:`Units`, :class:`Shape`, :class:`Size` or what is neither.
        named: the same for the keyword arguments.
        value: what the call gave.
    """

    name: str
    what: str
    module: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    tags: tuple[Any, ...]
    named: dict[str, Any]
    value: Any

    def given(self, at: int, *names: str, default: Any = None) -> Any:
        """An argument by its position or by one of its names."""
        if at < len(self.args):
            return self.args[at]
        return next((self.kwargs[name] for name in names if name in self.kwargs), default)

    @property
    def units(self) -> Any:
        """What is known of the first argument."""
        return self.tags[0] if self.tags else next(iter(self.named.values()), None)

    @property
    def x(self) -> Any:
        """The first argument."""
        return self.args[0] if self.args else next(iter(self.kwargs.values()), None)

    def __str__(self) -> str:
        return f"{self.name!r} ({self.what})"


class Trace:
    """What a walk through a network found out about its units.

    Args:
        watch: called with each tensor that a layer reads, and its units.
    """

    def __init__(self, watch: Watch | None = None) -> None:
        self.places: list[Place] = []
        self.refused: dict[str, str] = {}  # layers that no unit can be told of, and why
        self.roots = np.zeros(0, int)
        self._parent: list[int] = []
        self._held: dict[int, str] = {}
        self._watch = watch

    def new(self, count: int) -> np.ndarray:
        """So many labels that were not there before."""
        start = len(self._parent)
        self._parent += range(start, start + count)
        return np.arange(start, start + count)

    def tie(self, a: np.ndarray, b: np.ndarray) -> None:
        """Each unit of ``a`` goes only together with the unit of ``b`` at the same index."""
        for one, other in zip(a.tolist(), b.tolist(), strict=True):
            one, other = self._root(one), self._root(other)
            self._parent[max(one, other)] = min(one, other)

    def hold(self, known: Any, reason: str) -> None:
        """Units that cannot go, wherever they hide in ``known``; the first reason counts."""
        for units in _found(known):
            for label in units.labels.tolist():
                self._held.setdefault(label, reason)

    def place(self, layer: str, side: str, labels: np.ndarray) -> None:
        """Write down that units lie along one side of a layer."""
        self.places.append(Place(layer, side, labels))

    def read(self, call: Call, units: Units, side: str = "in") -> None:
        """Write down that a layer reads units, and let the one who watches see its input."""
        self.place(call.name, side, units.labels)
        if self._watch is not None:
            self._watch(units, call.x)

    def settle(self) -> Trace:
        """Replace every label by the one that stands for all it is tied to."""
        self.roots = roots = np.array([self._root(label) for label in range(len(self._parent))], int)
        self.places = [Place(p.layer, p.side, roots[p.labels]) for p in self.places]
        held = sorted(self._held.items(), reverse=True)
        self._held = {int(roots[label]): reason for label, reason in held}
        return self

    def reason(self, label: int) -> str | None:
        """Why a unit cannot go, None where it can. To be asked after :meth:`settle`."""
        return self._held.get(label)

    @property
    def size(self) -> int:
        """How many labels were given."""
        return len(self._parent)

    @property
    def made(self) -> dict[str, np.ndarray]:
        """Layer -> the labels of the units that it makes."""
        return {p.layer: p.labels for p in self.places if p.side in ("out", "units")}

    def _root(self, label: int) -> int:
        while self._parent[label] != label:
            self._parent[label] = self._parent[self._parent[label]]
            label = self._parent[label]
        return label


def _found(known: Any) -> Iterator[Units]:
    if isinstance(known, Units):
        yield known
    elif isinstance(known, Shape | Size):
        yield known.units
    elif isinstance(known, dict):
        for value in known.values():
            yield from _found(value)
    elif isinstance(known, list | tuple):
        for value in known:
            yield from _found(value)
    elif isinstance(known, slice):
        yield from _found((known.start, known.stop, known.step))


def trace(model: nn.Module, example: Any, watch: Watch | None = None) -> Trace:
    """Walk once through a network in evaluation mode, with the labels of its units beside the tensors.

    Args:
        model: any module that ``torch.fx`` can trace; it runs in evaluation mode, and is left as it was.
        example: its input, or a tuple of its inputs.
        watch: called with each tensor that a layer reads, and its units.

    Raises:
        TypeError: if ``model`` is not a module.
        ValueError: if torch.fx cannot trace it, or it does not run on the example.

    Example:
        >>> from torch import nn, zeros
        >>> found = trace(nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1)), zeros(1, 3))
        >>> [(p.layer, p.side, p.labels.tolist()) for p in found.places]
        [('0', 'out', [0, 1]), ('2', 'in', [0, 1]), ('2', 'out', [2])]

    Reference:
        Reed, DeVito, He, Ussery and Ansel, torch.fx, 2022, arXiv:2112.08429; the idea of tracing what must go
        together: Fang et al., DepGraph, 2023, arXiv:2301.12900.
    """
    found = Trace(watch)
    with evaluating(model):
        _walk(model, _graph(model), inputs_of(example), found)
    return found.settle()


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """A block in which a network is in evaluation mode and records no gradients; then it is as before.

    Args:
        model: any module.

    Raises:
        TypeError: if it is not a module.
    """
    import torch

    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {model!r}")
    modes = [(module, module.training) for module in model.modules()]
    try:
        with torch.no_grad():
            model.eval()
            yield
    finally:
        for module, mode in modes:
            module.training = mode


def inputs_of(example: Any) -> tuple[Any, ...]:
    """The inputs as a tuple, copied, since a network may write into them."""
    given = example if isinstance(example, tuple) else (example,)
    return tuple(x.clone() if hasattr(x, "clone") else x for x in given)


def copied(model: nn.Module) -> nn.Module:
    """A deep copy of a network.

    Raises:
        TypeError: if it is not a module.
        ValueError: if it cannot be copied, as with the hooks of ``torch.nn.utils.prune``.
    """
    import copy

    from torch import nn

    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {model!r}")
    try:
        return copy.deepcopy(model)
    except RuntimeError as error:
        kind = type(model).__name__
        rule = "one that can be copied: first make its masks or norms of weights permanent by `remove`"
        raise ValueError(f"model must be {rule}, got {kind}: {error}") from error


def _graph(model: nn.Module) -> Any:
    from torch import fx

    class Tracer(fx.Tracer):
        def is_leaf_module(self, m: Any, module_qualified_name: str) -> bool:
            cuts_itself = hasattr(m, "units") and hasattr(m, "kept")
            return cuts_itself or super().is_leaf_module(m, module_qualified_name)

    try:
        return Tracer().trace(model)
    except Exception as error:  # whatever a forward pass does with a stand-in for its input
        kind = type(model).__name__
        raise ValueError(f"model must be traceable by torch.fx, got {kind}: {error}") from error


def _walk(model: nn.Module, graph: Any, inputs: tuple[Any, ...], found: Trace) -> None:
    """Run the graph node by node, each with its rule."""
    from torch.fx.node import map_arg

    from optviz.prune.rules import rule

    values: dict[Any, Any] = {}
    tags: dict[Any, Any] = {}
    waiting = list(inputs)
    shared = _shared(model, graph)
    for node in graph.nodes:
        if node.op == "placeholder":
            ok = bool(waiting) or bool(node.args)
            require(ok, "example", f"given for every input of the network, {node.target!r} too", len(inputs))
            values[node], tags[node] = waiting.pop(0) if waiting else node.args[0], None
            continue
        args, kwargs = (map_arg(a, values.__getitem__) for a in (node.args, node.kwargs))
        known, named = (map_arg(a, tags.__getitem__) for a in (node.args, node.kwargs))
        if node.op == "output":
            found.hold(known, "they are what the network gives out")
            continue
        module = model.get_submodule(node.target) if node.op == "call_module" else None
        values[node] = _run(model, node, module, args, kwargs)
        name = node.target if module is not None else node.name
        call = Call(name, _what(node, module), module, args, kwargs, known, named, values[node])
        tags[node] = rule(found, call, shared.get(id(module)))


def _what(node: Any, module: Any) -> str:
    if module is not None:
        return type(module).__name__
    if isinstance(node.target, str):
        return node.target
    name, home = getattr(node.target, "__name__", repr(node.target)), getattr(node.target, "__module__", None)
    known = home is None or home.split(".")[0] in ("torch", "_operator", "builtins", "math")
    return name if known else f"{home}.{name}"


def _run(model: nn.Module, node: Any, module: Any, args: Any, kwargs: Any) -> Any:
    try:
        if module is not None:
            return module(*args, **kwargs)
        if node.op == "get_attr":
            from operator import attrgetter

            return attrgetter(node.target)(model)
        if node.op == "call_method":
            return getattr(args[0], node.target)(*args[1:], **kwargs)
        return node.target(*args, **kwargs)
    except Exception as error:  # a wrong shape, most often
        where = f"{node.name!r} ({_what(node, module)})"
        raise ValueError(f"example must be what the network takes, got at {where}: {error}") from error


def _shared(model: nn.Module, graph: Any) -> dict[int, str]:
    """id of a module -> why its weights belong to more than one place."""
    called = [model.get_submodule(n.target) for n in graph.nodes if n.op == "call_module"]
    times = Counter(id(module) for module in called)
    owners = Counter(id(p) for m in model.modules() for p in m.parameters(recurse=False))
    direct = {id(p) for n in graph.nodes if n.op == "get_attr" for p in [_attribute(model, n.target)]}
    why = {}
    for module in called:
        own = [id(p) for p in module.parameters()]
        if own and times[id(module)] > 1:
            why[id(module)] = f"it is used {times[id(module)]} times, with the same weights"
        elif any(owners[p] > 1 or p in direct for p in own):
            why[id(module)] = "its weights are used in another place too"
    return why


def _attribute(model: nn.Module, path: str) -> Any:
    from operator import attrgetter

    return attrgetter(path)(model)
