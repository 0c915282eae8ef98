"""Masks as maps of weights: what is held at zero through training, and what is zero for good."""

from __future__ import annotations

import copy
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from optviz._knobs import require
from optviz._rows import namespace
from optviz.prune._check import Masks, Params, as_numpy

__all__ = ["Masked", "bake", "masked", "stacked"]


@dataclass(frozen=True, eq=False, repr=False)
class Masked:
    """A map params → params that multiplies weights by their masks: w ← m · w.

    A mask of the shape of the weight is for all rows of a training, one with an axis (K, …) in front has a
    mask for each. Other parameters pass untouched. Nothing is attached to a model, so the map survives
    ``copy.deepcopy`` and needs no undoing.

    Args:
        masks: name → bool (*shape) or (K, *shape), True where a weight is kept.
        rows: the rows of the training whose weights will come, None for all in their order.

    Raises:
        TypeError: if ``masks`` are no mapping name → array of bools.
        ValueError: if there are none; on a call, if a mask is another model's or has another shape.

    Example:
        >>> hold = Masked({"w": np.array([[True, False]])})
        >>> hold({"w": np.array([[2.0, 3.0]]), "b": np.ones(1)})["w"].tolist()
        [[2.0, 0.0]]

    Reference: Han, Pool, Tran and Dally, 2015, arXiv:1506.02626, section 3.
    """

    masks: Masks
    rows: tuple[int, ...] | None = None
    _ready: dict[Any, Any] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        check_masks(self.masks, "masked.masks")
        object.__setattr__(self, "masks", dict(self.masks))

    def __call__(self, params: Params, lr: Any = None) -> dict[str, Any]:
        unknown = sorted(set(self.masks) - set(params))
        require(not unknown, "masked.masks", f"of parameters among {sorted(params)}", unknown)
        # the sum turns −0 into 0: a removed weight has no sign
        return {n: p * self._fitting(n, p) + 0 if n in self.masks else p for n, p in params.items()}

    def __repr__(self) -> str:
        """Names and shapes, and a checksum, so that a checkpoint tells these masks from others."""
        found = [as_numpy(m) for m in self.masks.values()]
        kept, size = sum(int(m.sum()) for m in found), sum(m.size for m in found)
        mark = zlib.crc32(b"".join(np.packbits(m).tobytes() for m in found) + repr(self.rows).encode())
        shapes = ", ".join(f"{n}: {m.shape}" for n, m in zip(self.masks, found, strict=True))
        return f"Masked({shapes}; {kept:,} of {size:,} kept; {mark:08x})"

    def of_rows(self, rows: Sequence[int]) -> Masked:
        """The same map for some rows of a training, in the order given.

        Args:
            rows: numbers of the rows, counted among those that this map is for.

        Example:
            >>> masks = {"w": np.array([[[True, False]], [[False, True]]])}  # 2 rows
            >>> Masked(masks).of_rows([1])({"w": np.ones((1, 1, 2))})["w"].tolist()
            [[[0.0, 1.0]]]
        """
        known = self.rows
        return Masked(self.masks, tuple(int(r) if known is None else known[r] for r in rows))

    def check(self, params: Params, rows: int) -> None:
        """Look whether the masks fit the weights of one network (*shape) in a training of ``rows`` rows.

        Args:
            params: name → array or tensor (*shape).
            rows: K, the rows of the training.

        Raises:
            ValueError: if a mask is another model's, or neither (*shape) nor (K, *shape).

        Example:
            >>> Masked({"w": np.array([[[True, False]]] * 8)}).check({"w": np.ones((1, 2))}, 3)
            Traceback (most recent call last):
            ...
            ValueError: masked.masks['w'] must be of shape (1, 2) or (3, 1, 2), got (8, 1, 2)
        """
        for name, kept in self.masks.items():
            require(name in params, "masked.masks", f"of parameters among {sorted(params)}", name)
            one = tuple(params[name].shape)
            fits = tuple(kept.shape) in (one, (rows, *one))
            rule = f"of shape {one} or {(rows, *one)}"
            require(fits, f"masked.masks[{name!r}]", rule, tuple(kept.shape))

    def _fitting(self, name: str, p: Any) -> Any:
        """The mask in the kind, type and place of these weights, with as many rows; made once."""
        key = name, tuple(p.shape), p.dtype, getattr(p, "device", None)
        if key not in self._ready:
            mask = as_numpy(self.masks[name])
            if self.rows is not None and mask.ndim == p.ndim:
                most = max(self.rows, default=-1)
                require(len(mask) > most, f"masked.masks[{name!r}]", f"of {most + 1} rows or more", len(mask))
                mask = mask[list(self.rows)]
            allowed = (tuple(p.shape), tuple(p.shape[1:]))
            require(mask.shape in allowed, f"masked.masks[{name!r}]", f"of shape {allowed[0]}", mask.shape)
            xp = namespace(p)
            self._ready[key] = (
                mask.astype(p.dtype) if xp is np else xp.tensor(mask, dtype=p.dtype, device=p.device)
            )
        return self._ready[key]


def masked(masks: Masks) -> Masked:
    """A map that holds masked weights at exactly 0: w ← m · w.

    Give it to ``train`` as ``view`` and ``grads`` both: the loss sees exact zeros, and what is masked gets no
    gradient. Or as ``project``, there and in ``Trainer``, which sets the zeros anew after every update. A
    mask on the gradients alone, or zeros set once, don't last: momentum moves a weight that has none.

    Args:
        masks: name → bool (*shape), or (K, *shape) with one mask for each row, True where a weight is kept.

    Returns:
        A :class:`Masked`: (params, lr=None) → params.

    Raises:
        TypeError: if ``masks`` are no mapping name → array of bools.
        ValueError: if there are none.

    Example:
        >>> from optviz import optimizers, problems, prune
        >>> from optviz.training import Run, train
        >>> problem = problems.digits(hidden=(8,))
        >>> dense = problem.init(np.random.default_rng(0))
        >>> hold = masked(prune.mask(prune.magnitude(dense), 0.9, prune.Layer()))
        >>> run = Run(optimizers.SGD(0.9), 0.1)
        >>> sparse = train(problem, [run], 20, params=dense, view=hold, grads=hold)
        >>> round(float((sparse.params["weight1"] == 0).mean()), 2)
        0.9

    Reference: Han, Pool, Tran and Dally, 2015, arXiv:1506.02626, section 3.
    """
    return Masked(masks)


def stacked(masks: Sequence[Masks]) -> dict[str, Any]:
    """Masks of K networks as one set of masks (K, *shape), for a training of K rows.

    Args:
        masks: K mappings name → bool (*shape), all of the same names and shapes.

    Returns:
        name → bool (K, *shape).

    Raises:
        TypeError: if one is no mapping name → array of bools.
        ValueError: if there are none, or names or shapes differ.

    Example:
        >>> stacked([{"w": np.ones((3, 2), bool)}, {"w": np.zeros((3, 2), bool)}])["w"].shape
        (2, 3, 2)

    Reference: Han, Pool, Tran and Dally, 2015, arXiv:1506.02626.
    """
    require(len(masks) > 0, "stacked.masks", "of one network or more", masks)
    shapes = [check_masks(each, "stacked.masks") for each in masks]
    require(all(s == shapes[0] for s in shapes), "stacked.masks", "alike in names and shapes", shapes)
    return {name: namespace(m).stack([each[name] for each in masks]) for name, m in masks[0].items()}


def bake(model: Any, masks: Masks) -> Any:
    """A copy of a torch module whose masked weights are exactly 0, and ordinary parameters again.

    Nothing holds the zeros there. If training goes on, the first update with a gradient moves them, unless
    ``Trainer(…, project=masked(masks))`` sets them to 0 after each: train first, bake last.

    Args:
        model: a ``torch.nn.Module``, which is not changed.
        masks: name in ``model.named_parameters()`` → bool (*shape), True where a weight is kept.

    Returns:
        A deep copy of the model.

    Raises:
        TypeError: if ``model`` is no module, or ``masks`` are no mapping name → array of bools.
        ValueError: if a mask is another model's or has another shape, its parameter is shared, or the model
            is held by ``torch.nn.utils.prune``.

    Example:
        >>> import torch
        >>> layer = torch.nn.Linear(2, 1)
        >>> bake(layer, {"weight": torch.tensor([[True, False]])}).weight[0, 1].item()
        0.0

    Reference: Han, Pool, Tran and Dally, 2015, arXiv:1506.02626.
    """
    _check_model(model, masks)
    found = copy.deepcopy(model)
    weights = dict(found.named_parameters())
    for name, kept in masks.items():
        p = weights[name]
        p.data[~namespace(p).as_tensor(as_numpy(kept), device=p.device)] = 0
    return found


def check_masks(masks: Masks, name: str) -> dict[str, tuple[int, ...]]:
    """The shapes of masks by name.

    Raises:
        TypeError: if they are no mapping name → array of bools.
        ValueError: if there are none.

    Example:
        >>> check_masks({"w": np.ones((3, 2), bool)}, "masks")
        {'w': (3, 2)}
    """
    if not hasattr(masks, "items"):
        raise TypeError(f"{name} must be a mapping name -> array of bools, got {type(masks).__name__}")
    require(len(masks) > 0, name, "of one parameter or more", dict(masks))
    for each, kept in masks.items():
        if not str(getattr(kept, "dtype", "")).endswith("bool"):
            kind = getattr(kept, "dtype", type(kept).__name__)
            raise TypeError(f"{name}[{each!r}] must be an array of bools, got {kind}")
    return {each: tuple(kept.shape) for each, kept in masks.items()}


def _check_model(model: Any, masks: Masks) -> None:
    import torch
    from torch.nn.utils.prune import is_pruned

    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"bake.model must be a torch.nn.Module, got {type(model).__name__}")
    require(not is_pruned(model), "bake.model", "free of torch.nn.utils.prune (call its remove first)", model)
    weights = dict(model.named_parameters(remove_duplicate=False))
    for name, shape in check_masks(masks, "bake.masks").items():
        require(name in weights, "bake.masks", f"of parameters among {list(weights)}", name)
        p = weights[name]
        require(shape == tuple(p.shape), f"bake.masks[{name!r}]", f"of shape {tuple(p.shape)}", shape)
        names = [other for other, q in weights.items() if q is p]
        require(len(names) == 1, f"bake.masks[{name!r}]", "of a parameter that no other shares", names)
