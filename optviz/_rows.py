"""The run axis: K configurations stacked into one that broadcasts over K rows.

The K runs of a comparison are trained as one. Their hyper-parameters become arrays of shape (K, 1, …),
so that an update rule written for one run updates all of them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from types import ModuleType
from typing import Any, TypeVar

import numpy as np

from optviz._knobs import require

__all__ = ["Of", "axes", "check_names", "chosen", "column", "groups", "namespace", "stack"]

T = TypeVar("T")
Of = tuple[str, ...] | list[str] | None  # names of parameters; None for all that have two or more axes


def namespace(x: Any) -> ModuleType:
    """The module whose functions fit ``x``: ``torch`` for a tensor, else ``numpy``.

    Example:
        >>> namespace(np.zeros(2)).__name__
        'numpy'
    """
    torch = sys.modules.get("torch")
    return torch if torch is not None and isinstance(x, torch.Tensor) else np


def column(values: Sequence[float] | np.ndarray, like: Any) -> Any:
    """Values of K rows as an array of shape (K, 1, …) that broadcasts against ``like``.

    Args:
        values: one number a row; with axes in front, such as (T, K), the result has them too.
        like: array or tensor of shape (K, …), whose kind, dtype and device the result takes.

    Returns:
        Array or tensor of shape (K, 1, …) with as many axes as ``like``.

    Example:
        >>> column([1, 2], np.zeros((2, 3, 4))).shape
        (2, 1, 1)
    """
    shape = np.shape(values) + (1,) * (like.ndim - 1)
    xp = namespace(like)
    if xp is np:
        return np.asarray(values, dtype=like.dtype).reshape(shape)
    return xp.as_tensor(np.asarray(values), dtype=like.dtype, device=like.device).reshape(shape)


def groups(configs: Sequence[Any]) -> list[list[int]]:
    """Rows that one stacked configuration can stand for: same class, same fields that are not floats.

    Returns:
        Lists of row numbers, in order of first appearance; together every row once.

    Example:
        >>> from optviz.optimizers import SGD, Adam
        >>> groups([SGD(), Adam(), SGD(momentum=0.9), SGD(momentum=0.9, nesterov=True)])
        [[0, 2], [1], [3]]
    """
    found: dict[Any, list[int]] = {}
    for k, item in enumerate(configs):
        found.setdefault(_kind(item), []).append(k)
    return list(found.values())


def _kind(config: Any) -> Any:
    """What two configurations of a group share: class and fields that are no floats, also of those inside."""
    values = ((f.name, getattr(config, f.name)) for f in fields(config))
    rest = ((n, _kind(v) if is_dataclass(v) else v) for n, v in values if not isinstance(v, float))
    return type(config), tuple(rest)


def stack(configs: Sequence[T], like: Any) -> T:
    """One configuration whose float fields hold the values of all rows.

    The instance is not validated: its fields are arrays of shape (K, 1, …) in the dtype of ``like``. They are
    arrays also where all rows agree, so that a row's arithmetic is the same to the last bit whatever stands
    beside it; only a field that is 0 in all rows stays a number, so that a rule may skip it. A field that is
    a configuration itself is stacked too.

    Args:
        configs: configurations of one group (see :func:`groups`).
        like: array or tensor of shape (K, …) to broadcast against.

    Example:
        >>> from optviz.optimizers import SGD
        >>> stack([SGD(0.0), SGD(0.9)], np.zeros((2, 5))).momentum.tolist()
        [[0.0], [0.9]]
    """
    first = configs[0]
    stacked = object.__new__(type(first))
    for f in fields(first):  # type: ignore[arg-type]
        values = [getattr(c, f.name) for c in configs]
        number = isinstance(values[0], float) and any(v != 0 for v in values)
        inside = stack(values, like) if is_dataclass(values[0]) else values[0]
        object.__setattr__(stacked, f.name, column(values, like) if number else inside)
    object.__setattr__(stacked, "_stacked", True)
    return stacked


def axes(config: Any, p: Any) -> tuple[int, ...]:
    """The axes of ``p`` that belong to one run: all of them, but for the first where ``config`` is stacked.

    Args:
        config: a configuration, stacked or not.
        p: array or tensor, (K, *shape) with a stacked configuration, else (*shape).

    Example:
        >>> from optviz.optimizers import SGD
        >>> p = np.zeros((2, 5))
        >>> axes(SGD(), p), axes(stack([SGD(), SGD(0.9)], p), p)
        ((0, 1), (1,))
    """
    return tuple(range(1 if getattr(config, "_stacked", False) else 0, p.ndim))


def chosen(params: Mapping[str, Any], of: Of, *, rows: bool) -> list[str]:
    """Names of the parameters that are meant: those in ``of``, or all with two or more axes.

    Biases, gains and shifts have one axis, so the default leaves them alone.

    Args:
        params: name → array, of one run or of K rows.
        of: names, or None.
        rows: whether the arrays have the leading axis of the rows.

    Raises:
        TypeError: if ``of`` is not a tuple or list of names.
        ValueError: if a name is unknown, or no parameter has two axes.

    Example:
        >>> chosen({"weight1": np.zeros((3, 2)), "bias1": np.zeros(3)}, None, rows=False)
        ['weight1']
    """
    if of is None:
        found = [name for name, p in params.items() if p.ndim >= 2 + rows]
        require(bool(found), "of", "names of parameters, since none here has two axes", list(params))
        return found
    check_names(of)
    require(set(of) <= set(params), "of", f"among {list(params)}", tuple(of))
    return list(of)


def check_names(of: Of) -> None:
    """Refuse what is no collection of names.

    Raises:
        TypeError: naming it.
    """
    if of is not None and not (isinstance(of, tuple | list) and all(isinstance(n, str) for n in of)):
        raise TypeError(f"of must be a tuple of parameter names, got {of!r}")
