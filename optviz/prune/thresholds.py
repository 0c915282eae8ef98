"""A threshold instead of a share, the one that stands for a share, and the share that masks have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from optviz._knobs import require
from optviz._rows import Of
from optviz.prune._check import Masks, Params, Scores, as_numpy, fractions, numbers, prunable
from optviz.prune.masks import check_masks

__all__ = ["cutoff", "sparsity", "threshold"]


def threshold(params: Params, eps: Any, of: Of = None) -> dict[str, Any]:
    """Keep the weights that are large enough, |w| ≥ ε, however many they are.

    Args:
        params: name → array or tensor (*shape) of one network.
        eps: ε, at least 0, in the unit of the weights: a number for all layers, or name → number.
        of: names of the parameters that are pruned; None for all with two or more axes.

    Returns:
        name → bool (*shape), True where a weight is kept.

    Raises:
        TypeError: if ``params`` are no mapping name → array, or ε is no number.
        ValueError: if ε is negative or not finite, missing for a layer, or a weight is NaN.

    Example:
        >>> threshold({"w": np.array([[0.1, -0.5]])}, 0.2)["w"].tolist()
        [[False, True]]

    Reference: Han, Pool, Tran and Dally, 2015, arXiv:1506.02626, section 3.
    """
    found = prunable(params, of, "threshold.params")
    numbers(found, "threshold.params")
    given = eps if isinstance(eps, Mapping) else dict.fromkeys(found, eps)
    missing = sorted(set(found) - set(given))
    require(not missing, "threshold.eps", f"given for {sorted(found)}", f"none for {missing}")
    for name in found:
        value = np.asarray(given[name])
        if value.dtype.kind not in "fiu":
            raise TypeError(f"threshold.eps must be a number, or one a layer, got {given[name]!r}")
        require(bool(0 <= value < np.inf), "threshold.eps", "finite and at least 0", given[name])
    return {name: abs(p) >= float(given[name]) for name, p in found.items()}


def cutoff(scores: Scores, sparsity: float) -> float:
    """The ε that stands for a sparsity: the smallest score that stays when all compete, a quantile.

    Args:
        scores: name → array or tensor (*shape) of one network.
        sparsity: the share that goes, in [0, 1).

    Returns:
        The score of rank round(sparsity · N), counted from 0. Without equal scores, those of at least this
        are the ones that :func:`mask` keeps.

    Raises:
        TypeError: if scores or sparsity are no numbers.
        ValueError: if the sparsity is outside [0, 1) or rounds to all weights, or a score is NaN.

    Example:
        >>> w = {"w": np.array([[0.1, -0.5, 0.3, -0.2]])}
        >>> cutoff({"w": abs(w["w"])}, 0.5)
        0.3
        >>> threshold(w, 0.3)["w"].tolist()
        [[False, True, True, False]]

    Reference: Blalock, Ortiz, Frankle and Guttag, 2020, arXiv:2003.03033, section 2.
    """
    flat = np.concatenate([s.reshape(-1) for s in numbers(scores, "cutoff.scores").values()])
    share = float(fractions(sparsity, "cutoff.sparsity"))
    count = round(share * flat.size)
    require(count < flat.size, "cutoff.sparsity", f"small enough to keep one of {flat.size}", sparsity)
    flat.partition(count)
    return float(flat[count])


def sparsity(masks: Masks, params: Params | None = None, *, rows: bool = False) -> Any:
    """The share of weights that are masked: zeros / all, over what can be pruned or over all parameters.

    Biases, gains and shifts are never in a mask, so that the share of a whole network is the smaller one.

    Args:
        masks: name → bool (*shape), True where a weight is kept.
        params: name → array or tensor, all parameters of the network, to count over; None for the masks'.
        rows: masks are (K, *shape), and the answer is for each row. Parameters may have the axis or not.

    Returns:
        A number in [0, 1], or an array (K,).

    Raises:
        TypeError: if ``masks`` are no mapping name → array of bools.
        ValueError: if a mask is another model's.

    Example:
        >>> masks = {"w": np.array([[True, False], [False, True]])}
        >>> sparsity(masks), sparsity(masks, {"w": np.ones((2, 2)), "b": np.ones(4)})
        (0.5, 0.25)

    Reference: Blalock, Ortiz, Frankle and Guttag, 2020, arXiv:2003.03033, section 2.4.
    """
    shapes = check_masks(masks, "sparsity.masks")
    unknown = [] if params is None else sorted(set(masks) - set(params))
    require(not unknown, "sparsity.masks", "of these parameters", unknown)
    runs = next(iter(shapes.values()))[0] if rows else 1
    zeros = sum((~as_numpy(m)).reshape(runs, -1).sum(1) for m in masks.values())
    sizes = {n: int(np.prod(shape)) for n, shape in shapes.items()}
    if params is not None:
        with_rows = all(params[n].ndim == len(shape) for n, shape in shapes.items())
        sizes = {n: int(np.prod(p.shape)) * (1 if with_rows else runs) for n, p in params.items()}
    found = zeros * runs / sum(sizes.values())
    return found if rows else float(found[0])
