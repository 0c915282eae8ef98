"""Maps from gradients to gradients, on NumPy arrays and torch tensors alike.

Gradients are a dict name → array of shape (K, *shape): one row a run. What happens in a row stays in that
row. For a single module give every gradient a row axis of 1: ``{n: p.grad[None] for n, p in ...}``.
Nothing is changed in place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from optviz._knobs import require
from optviz._rows import namespace

__all__ = ["clip_norm", "clip_value", "norm"]


def norm(grads: Mapping[str, Any]) -> Any:
    """Length of each run's gradient over all its parameters: ‖g‖ = √(Σ g²).

    Args:
        grads: name → array or tensor of shape (K, *shape).

    Returns:
        Array or tensor of shape (K,); not finite where a run's gradient is not finite.

    Raises:
        ValueError: if there is no gradient, or the numbers of rows differ.

    Example:
        >>> norm({"weight": np.array([[3.0, 0.0]]), "bias": np.array([[4.0]])}).tolist()
        [5.0]

    Reference:
        Pascanu, Mikolov and Bengio, On the difficulty of training recurrent neural networks, 2013,
        arXiv:1211.5063.
    """
    rows = _rows(grads, "norm")
    # the norm of the norms, as torch.nn.utils.get_total_norm has it, lets no single square overflow alone
    xp = namespace(next(iter(grads.values())))
    lengths = [xp.linalg.norm(g.reshape(rows, -1), axis=-1) for g in grads.values()]
    return xp.linalg.norm(xp.stack(lengths), axis=0)


def clip_value(grads: Mapping[str, Any], limit: Any) -> dict[str, Any]:
    """Move every component into [−limit, limit]: g ← min(max(g, −limit), limit).

    This turns the gradient: large components lose, small ones don't. NaN stays NaN.

    Args:
        grads: name → array or tensor of shape (K, *shape).
        limit: largest absolute value of a component, above 0: a number, or one a run, shape (K,).

    Returns:
        name → array or tensor of the same shape; ``grads`` stays as it was.

    Raises:
        ValueError: if there is no gradient, the numbers of rows differ, or ``limit`` is not above 0 or has
            another shape.

    Example:
        >>> clip_value({"weight": np.array([[3.0, -0.2]])}, 1.0)["weight"].tolist()
        [[1.0, -0.2]]

    Reference:
        ``torch.nn.utils.clip_grad_value_``, pytorch.org/docs.
    """
    rows = _rows(grads, "clip_value")
    _check_limit(limit, rows, "clip_value.limit")
    clipped = {}
    for name, g in grads.items():
        bound = _against(limit, g)
        clipped[name] = g.clip(-bound, bound)
    return clipped


def clip_norm(grads: Mapping[str, Any], limit: Any) -> dict[str, Any]:
    """Shorten the gradient of a run that is longer than ``limit``: g ← g · min(1, limit / (‖g‖ + 10⁻⁶)).

    The length is taken over all parameters of the run, so that the direction stays. A run whose gradient is
    not finite gets NaN (from an infinite one also zeros), and no other run does.

    Args:
        grads: name → array or tensor of shape (K, *shape).
        limit: largest length, above 0: a number, or one a run, shape (K,); ``inf`` clips nothing.

    Returns:
        name → array or tensor of the same shape; ``grads`` stays as it was.

    Raises:
        ValueError: if there is no gradient, the numbers of rows differ, or ``limit`` is not above 0 or has
            another shape.

    Example:
        >>> g = clip_norm({"weight": np.array([[3.0, 4.0]])}, 1.0)["weight"]
        >>> g.round(3).tolist()
        [[0.6, 0.8]]

    Reference:
        Pascanu, Mikolov and Bengio, On the difficulty of training recurrent neural networks, 2013,
        arXiv:1211.5063; with the 10⁻⁶ of ``torch.nn.utils.clip_grad_norm_``.
    """
    rows = _rows(grads, "clip_norm")
    _check_limit(limit, rows, "clip_norm.limit")
    length = norm(grads)
    with np.errstate(invalid="ignore"):  # inf / inf and inf * 0 in a run that has diverged already
        factor = (_against(limit, length) / (length + 1e-6)).clip(None, 1.0)
        return {name: g * factor.reshape((rows,) + (1,) * (g.ndim - 1)) for name, g in grads.items()}


def _rows(grads: Mapping[str, Any], caller: str) -> int:
    """The number of runs, the same in every gradient."""
    counts = {name: g.shape[0] if g.ndim else None for name, g in grads.items()}
    ok = len(set(counts.values())) == 1 and None not in counts.values()
    require(ok, f"{caller}.grads", "arrays of shape (K, …) with the same K", counts)
    return next(iter(grads.values())).shape[0]


def _check_limit(limit: Any, rows: int, name: str) -> None:
    shape = tuple(getattr(limit, "shape", ()))
    require(shape in ((), (rows,)), name, f"a number or of shape ({rows},)", shape)
    ok = bool((limit > 0).all()) if shape else bool(limit > 0)
    require(ok, name, "above 0", limit.tolist() if hasattr(limit, "tolist") else limit)


def _against(limit: Any, g: Any) -> Any:
    """A limit in the kind and type of ``g``, of shape () or (K, 1, …)."""
    xp = namespace(g)
    if xp is np:
        values = np.asarray(limit, dtype=g.dtype)
    else:
        values = xp.as_tensor(limit, dtype=g.dtype, device=g.device)
    return values.reshape((-1,) + (1,) * (g.ndim - 1)) if values.ndim else values
