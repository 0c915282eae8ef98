"""Shared weights in training: one value for all weights of a cluster, moved by the sum of their gradients."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from optviz._knobs import require
from optviz._rows import namespace

__all__ = ["Shared", "Summed"]

Params = Mapping[str, Any]
Labels = Params | Sequence[Params]


@dataclass(frozen=True, eq=False, repr=False)
class Shared:
    """A map params → params: each weight has the value of the first weight of its cluster.

    Give it to ``train`` as ``view``, with :class:`Summed` as ``grads``: then the codebook is what is trained.
    All weights of a cluster get the same update of rules that work weight by weight, such as SGD and Adam.

    Args:
        labels: name → whole numbers (*shape), as ``share(…).labels``, for one network or all rows of a
            training; or K of these, one a row. Weights of one label are a cluster, those with −1 are 0.
        rows: the rows of the training whose weights will come, None for all in their order.

    Raises:
        TypeError: if labels are no mapping name → array of whole numbers, nor several.
        ValueError: if there are none, or rows differ in names or shapes; on a call, if they are another
            model's or have another shape.

    Example:
        >>> view = Shared({"w": np.array([[0, 1, 0, -1]])})
        >>> view({"w": np.array([[3.0, 5.0, 4.0, 6.0]]), "b": np.ones(1)})["w"].tolist()
        [[3.0, 5.0, 3.0, 0.0]]

    Reference: Han, Mao and Dally, Deep compression, 2015, arXiv:1510.00149, section 3.1.
    """

    labels: Labels
    rows: tuple[int, ...] | None = None
    _ready: dict[Any, Any] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", _checked(self.labels, "Shared.labels"))

    def __call__(self, params: Params, lr: Any = None) -> dict[str, Any]:
        _known(self, params)
        return {n: self._shared(n, p) if n in _first(self) else p for n, p in params.items()}

    def __repr__(self) -> str:
        return _told(self)

    def of_rows(self, rows: Sequence[int]) -> Shared:
        """The same map for some rows of a training, in the order given."""
        return Shared(self.labels, _narrowed(self.rows, rows))

    def check(self, params: Params, rows: int) -> None:
        """Look whether labels fit weights (*shape) of one network in a training of ``rows`` rows."""
        _fits(self, params, rows)

    def _shared(self, name: str, p: Any) -> Any:
        clusters, out = _clusters(self, name, p), _zeros(p)
        out.reshape(-1)[clusters.at] = p.reshape(-1)[clusters.source]
        return out


@dataclass(frozen=True, eq=False, repr=False)
class Summed:
    """A map grads → grads: each weight gets the sum of the gradients of its cluster, ∂L/∂c = Σ ∂L/∂w.

    It is the gradient of the shared value by the chain rule, since each weight of the cluster is that value.
    It is about as many times larger than that of one weight as the cluster has weights: rates that were good
    for single weights are too large for rules that don't divide by the size of gradients, such as SGD.

    With ``mean`` it is divided by the number n of the cluster's weights. Then a step of SGD is the step of
    all weights, projected to where they are still shared: rates and weight decays that were good for single
    weights stay good (n weights of value c decay together by n·c, not by c).

    Args:
        labels, rows: as for :class:`Shared`; weights with label −1 get 0.
        mean: the mean of each cluster's gradients instead of the sum.

    Raises:
        TypeError, ValueError: as :class:`Shared`.

    Example:
        >>> grads = Summed({"w": np.array([[0, 1, 0, -1]])})
        >>> grads({"w": np.array([[3.0, 5.0, 4.0, 6.0]]), "b": np.ones(1)})["w"].tolist()
        [[7.0, 5.0, 7.0, 0.0]]
        >>> mean = Summed({"w": np.array([[0, 1, 0, -1]])}, mean=True)
        >>> mean({"w": np.array([[3.0, 5.0, 4.0, 6.0]])})["w"].tolist()
        [[3.5, 5.0, 3.5, 0.0]]

    Reference: Han, Mao and Dally, Deep compression, 2015, arXiv:1510.00149, section 3.3 and equation 3.
    """

    labels: Labels
    rows: tuple[int, ...] | None = None
    mean: bool = False
    _ready: dict[Any, Any] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", _checked(self.labels, "Summed.labels"))

    def __call__(self, grads: Params) -> dict[str, Any]:
        _known(self, grads)
        return {n: self._summed(n, g) if n in _first(self) else g for n, g in grads.items()}

    def __repr__(self) -> str:
        return _told(self)

    def of_rows(self, rows: Sequence[int]) -> Summed:
        """The same map for some rows of a training, in the order given."""
        return Summed(self.labels, _narrowed(self.rows, rows), self.mean)

    def check(self, params: Params, rows: int) -> None:
        """Look whether labels fit weights (*shape) of one network in a training of ``rows`` rows."""
        _fits(self, params, rows)

    def _summed(self, name: str, g: Any) -> Any:
        clusters, out = _clusters(self, name, g), _zeros(g)
        values = g.reshape(-1)[clusters.at]
        if namespace(g) is np:
            sums = np.bincount(clusters.cell, values, clusters.cells).astype(g.dtype)
        else:
            sums = g.new_zeros(clusters.cells).index_add_(0, clusters.cell, values)
        if self.mean:
            sums = (sums / clusters.counts).astype(g.dtype) if namespace(g) is np else sums / clusters.counts
        out.reshape(-1)[clusters.at] = sums[clusters.cell]
        return out


class _Clusters(NamedTuple):
    """Places in a flat array: of the weights that have a value, of the first of their cluster, its number.

    And how many weights each cluster has.
    """

    at: Any
    source: Any
    cell: Any
    counts: Any

    @property
    def cells(self) -> int:
        return len(self.counts)


def _clusters(map: Shared | Summed, name: str, p: Any) -> _Clusters:
    """The clusters of these weights, in the kind and place of theirs; found once."""
    key = name, tuple(p.shape), str(getattr(p, "device", None))
    if key not in map._ready:
        found = _found(_by_row(map, name, tuple(p.shape)))
        xp = namespace(p)
        counts = np.bincount(found[2])
        at, source, cell, many = (
            v if xp is np else xp.as_tensor(v, device=p.device) for v in (*found, counts)
        )
        map._ready[key] = _Clusters(at, source, cell, many)
    return map._ready[key]


def _by_row(map: Shared | Summed, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Labels (rows, weights of one row) for weights of ``shape``, which is of one network or of rows."""
    rule, known = f"{type(map).__name__}.labels[{name!r}]", map.labels
    if isinstance(known, Mapping):
        own = _plain(known[name])
        require(own.shape in (shape, shape[1:]), rule, f"of shape {shape} or {shape[1:]}", own.shape)
        rows = 1 if own.shape == shape else shape[0]
        return np.stack([own.reshape(-1)] * rows) if rows else np.zeros((0, 0), int)
    rows_here = range(len(known)) if map.rows is None else map.rows
    most = max(rows_here, default=-1) + 1
    require(len(known) >= most, rule, f"of {most} rows or more", len(known))
    own = np.stack([_plain(known[row][name]) for row in rows_here])
    require(own.shape == shape, rule, f"of shape {shape}", own.shape)
    return own.reshape(len(own), -1)


def _found(own: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """at, source and cell; clusters of two rows are never one."""
    own, most = own.astype(np.int64), int(own.max(initial=0)) + 1
    at = np.flatnonzero(own >= 0)
    cells = (own + most * np.arange(len(own))[:, None]).reshape(-1)[at]
    _, first, cell = np.unique(cells, return_index=True, return_inverse=True)
    return at, at[first[cell]], cell


def _zeros(p: Any) -> Any:
    """Zeros in the order of C, whatever the order of ``p``, so that a flat view of them can be written to."""
    return np.zeros(p.shape, p.dtype) if namespace(p) is np else p.new_zeros(p.shape)


def _checked(labels: Any, name: str) -> Any:
    """Labels of one network as a dict, those of rows as a tuple of dicts."""
    if isinstance(labels, list | tuple):
        found = tuple(_checked_one(each, name) for each in labels)
        require(len(found) > 0, name, "of one row or more", labels)
        shapes = [{n: tuple(v.shape) for n, v in each.items()} for each in found]
        require(all(s == shapes[0] for s in shapes), name, "alike in names and shapes in all rows", shapes)
        return found
    return _checked_one(labels, name)


def _checked_one(labels: Any, name: str) -> dict[str, Any]:
    if not isinstance(labels, Mapping):
        raise TypeError(f"{name} must be a mapping name -> array of whole numbers, got {labels!r:.80}")
    require(len(labels) > 0, name, "of one parameter or more", dict(labels))
    for each, found in labels.items():
        kind = getattr(_plain(found), "dtype", np.dtype(object))
        if kind.kind not in "iu":
            raise TypeError(f"{name}[{each!r}] must be an array of whole numbers, got {kind}")
    return dict(labels)


def _first(map: Shared | Summed) -> Params:
    """Labels of one network, for what is the same in all rows."""
    return map.labels if isinstance(map.labels, Mapping) else map.labels[0]


def _known(map: Shared | Summed, params: Params) -> None:
    unknown = sorted(set(_first(map)) - set(params))
    require(not unknown, f"{type(map).__name__}.labels", f"of parameters among {sorted(params)}", unknown)


def _fits(map: Shared | Summed, params: Params, rows: int) -> None:
    _known(map, params)
    name = f"{type(map).__name__}.labels"
    if not isinstance(map.labels, Mapping):
        require(len(map.labels) == rows, name, f"of {rows} rows", len(map.labels))
    for each, labels in _first(map).items():
        one = tuple(params[each].shape)
        require(tuple(labels.shape) == one, f"{name}[{each!r}]", f"of shape {one}", tuple(labels.shape))


def _narrowed(known: tuple[int, ...] | None, rows: Sequence[int]) -> tuple[int, ...]:
    return tuple(int(r) if known is None else known[r] for r in rows)


def _told(map: Shared | Summed) -> str:
    """Names and shapes, and a checksum, so that a checkpoint tells these labels from others."""
    each = [map.labels] if isinstance(map.labels, Mapping) else map.labels
    arrays = [_plain(v).astype(np.int64) for labels in each for v in labels.values()]
    mark = zlib.crc32(b"".join(v.tobytes() for v in arrays) + repr((len(each), map.rows)).encode())
    shapes = ", ".join(f"{n}: {tuple(v.shape)}" for n, v in _first(map).items())
    mean = ", mean" if getattr(map, "mean", False) else ""
    return f"{type(map).__name__}({shapes}; {mark:08x}{mean})"


def _plain(x: Any) -> np.ndarray:
    return np.asarray(x.detach().cpu() if hasattr(x, "detach") else x)
