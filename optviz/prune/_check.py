"""What comes into the room is checked here: parameters, scores, shares and masks, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from optviz._knobs import require
from optviz._rows import Of, chosen, namespace

__all__ = [
    "Masks",
    "Params",
    "Scores",
    "agreeing",
    "as_numpy",
    "fractions",
    "like",
    "numbers",
    "prunable",
    "unbroken",
]

Params = Mapping[str, Any]
Scores = Mapping[str, Any]
Masks = Mapping[str, Any]


def prunable(params: Params, of: Of = None, name: str = "params") -> dict[str, Any]:
    """The parameters of one network that may be pruned: those in ``of``, or all with two or more axes.

    Raises:
        TypeError: if ``params`` are no mapping name → array, or ``of`` is no tuple of names.
        ValueError: if a name is unknown, none has two axes, or two names share one memory.

    Example:
        >>> list(prunable({"weight1": np.zeros((3, 2)), "bias1": np.zeros(3)}))
        ['weight1']
    """
    if not isinstance(params, Mapping) or not all(hasattr(p, "ndim") for p in params.values()):
        raise TypeError(f"{name} must be a mapping name -> array or tensor, got {type(params).__name__}")
    found = {each: _plain(params[each]) for each in chosen(params, of, rows=False)}
    require(all(p.ndim >= 1 for p in found.values()), name, "arrays with an axis", list(found))
    _separate(found, name)
    return found


def _plain(p: Any) -> Any:
    """The numbers of a parameter, without the record that autograd keeps."""
    return p.detach() if hasattr(p, "detach") else p


def _separate(params: Params, name: str) -> None:
    """Refuse weights that two names share: they can't be kept under one and removed under the other."""
    owner: dict[Any, str] = {}
    for each, p in params.items():
        other = owner.setdefault(_place(p), each)
        require(other == each, name, "weights of their own under each name", f"{other} and {each} shared")


def _place(p: Any) -> Any:
    """Where in memory an array begins: two that begin at one place share their numbers."""
    return (p.__array_interface__["data"][0] if namespace(p) is np else p.data_ptr()) or id(p)


def agreeing(params: Params, others: Params, name: str) -> dict[str, Any]:
    """The values that go with some parameters; refuses those that lack a name or have another shape.

    Raises:
        TypeError: if they are no mapping.
        ValueError: naming the parameter.

    Example:
        >>> agreeing({"w": np.zeros((3, 2))}, {"w": np.zeros((2, 3))}, "snip.grads")
        Traceback (most recent call last):
        ...
        ValueError: snip.grads['w'] must be of shape (3, 2), got (2, 3)
    """
    if not isinstance(others, Mapping):
        raise TypeError(f"{name} must be a mapping name -> array or tensor, got {type(others).__name__}")
    missing = sorted(set(params) - set(others))
    require(not missing, name, f"given for {sorted(params)}", f"none for {missing}")
    for each, p in params.items():
        shape = tuple(getattr(others[each], "shape", ()))
        require(shape == tuple(p.shape), f"{name}[{each!r}]", f"of shape {tuple(p.shape)}", shape)
    return {each: _plain(others[each]) for each in params}


def as_numpy(x: Any) -> np.ndarray:
    """A tensor's numbers on the CPU, without a copy where that is possible; an array as it is."""
    if namespace(x) is np:
        return np.asarray(x)
    x = x.detach().cpu()
    if not (x.dtype.is_floating_point and x.dtype.itemsize < 4):
        return x.numpy()
    return x.float().numpy()  # NumPy has no bfloat16; the order of numbers stays


def numbers(scores: Scores, name: str = "mask.scores") -> dict[str, np.ndarray]:
    """Scores as NumPy arrays.

    Raises:
        TypeError: if they are no mapping, or no numbers.
        ValueError: if there are none, one is empty, or one is NaN.

    Example:
        >>> numbers({"w": np.array([1.0, np.nan])})
        Traceback (most recent call last):
        ...
        ValueError: mask.scores['w'] must be without NaN, got 1 of 2
    """
    if not isinstance(scores, Mapping):
        raise TypeError(f"{name} must be a mapping name -> array or tensor, got {type(scores).__name__}")
    require(len(scores) > 0, name, "of one parameter or more", dict(scores))
    found = {each: as_numpy(s) for each, s in scores.items()}
    for each, s in found.items():
        if s.dtype.kind not in "fiu":
            raise TypeError(f"{name}[{each!r}] must be numbers, got {s.dtype}")
        require(s.size > 0, f"{name}[{each!r}]", "of one weight or more", s.shape)
        if np.isnan(s.min()):  # no array of the size of s is needed to find out
            raise ValueError(f"{name}[{each!r}] must be without NaN, got {np.isnan(s).sum()} of {s.size}")
    return found


def fractions(value: Any, name: str) -> np.ndarray:
    """Shares of zeros as an array of shape () or (K,), each in [0, 1).

    Raises:
        TypeError: if they are no numbers.
        ValueError: if one is outside [0, 1).

    Example:
        >>> fractions(1.5, "mask.sparsity")
        Traceback (most recent call last):
        ...
        ValueError: mask.sparsity must be in [0, 1), got 1.5
    """
    found = np.asarray(value)
    if found.dtype.kind not in "fiu":
        raise TypeError(f"{name} must be a number in [0, 1), or several, got {value!r}")
    require(found.ndim <= 1 and found.size > 0, name, "a number or of shape (K,)", found.shape)
    require(bool(((found >= 0) & (found < 1)).all()), name, "in [0, 1)", found.tolist())
    return found.astype(float)


def like(kept: np.ndarray, original: Any) -> Any:
    """A mask in the kind, and on the device, of what was scored."""
    xp = namespace(original)
    return kept if xp is np else xp.from_numpy(kept).to(original.device)


def unbroken(parts: Sequence[Any], name: str) -> None:
    """Refuse what is no sequence of one thing or more.

    Raises:
        TypeError: if it is a single mapping, or has no length.
        ValueError: if it is empty.
    """
    if isinstance(parts, Mapping) or not hasattr(parts, "__len__"):
        raise TypeError(f"{name} must be a list, one entry a batch or step, got {type(parts).__name__}")
    require(len(parts) > 0, name, "of one entry or more", parts)
