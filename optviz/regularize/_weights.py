"""Which of a network's numbers a technique touches, and with what strength."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from optviz import _rows
from optviz._knobs import require
from optviz._rows import Of, check_names, chosen

__all__ = ["Map", "Of", "changed", "check_names", "chosen", "strengths"]

Map = Callable[[Mapping[str, Any], Any], dict[str, Any]]


def strengths(value: Any, name: str, high: float = np.inf) -> np.ndarray:
    """A strength as an array of shape () or (K,), checked.

    Args:
        value: a number of at least 0, or one a run.
        name: what it is called in errors.
        high: the largest value allowed.

    Raises:
        TypeError: if it is not made of numbers.
        ValueError: if a value is below 0, above ``high`` or not finite, or it has more than one axis.

    Example:
        >>> strengths(0.1, "decay.strength").tolist()
        0.1
    """
    found = np.asarray(value)
    if found.dtype.kind not in "fiu":
        raise TypeError(f"{name} must be a number, or one a run, got {value!r}")
    require(found.ndim <= 1 and found.size > 0, name, "a number or of shape (K,)", found.shape)
    good = bool((np.isfinite(found) & (found >= 0) & (found <= high)).all())
    require(good, name, "finite and at least 0" if np.isinf(high) else f"in [0, {high:g}]", found.tolist())
    return found


def changed(params: Mapping[str, Any], of: Of, change: Callable[[str, Any], Any]) -> dict[str, Any]:
    """All parameters of K rows, those that are meant put through ``change(name, weights)``."""
    meant = set(chosen(params, of, rows=True))
    return {name: change(name, p) if name in meant else p for name, p in params.items()}


def column(values: Any, like: Any, name: str, lr: Any = 1.0) -> Any:
    """A strength, times the rates if given, in the kind and type of ``like``: shape (K, 1, …).

    Raises:
        ValueError: if there are neither one nor K strengths.
    """
    values, rows = np.asarray(values), like.shape[0]
    require(values.ndim == 0 or len(values) == rows, name, f"a number or of shape ({rows},)", values.shape)
    return _rows.column(np.ones(rows) * values * lr, like)
