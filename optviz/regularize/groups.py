"""Penalties that remove units instead of single weights, as steps after every update."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from optviz._knobs import require
from optviz._rows import namespace
from optviz.regularize._weights import Map, Of, changed, check_names, column, strengths
from optviz.regularize.projections import proximal_l1

__all__ = ["group_threshold", "proximal_groups", "slimming"]


def group_threshold(w: Any, threshold: Any, axes: tuple[int, ...]) -> Any:
    """Shorten each group of numbers by ``threshold`` and stop at 0: w_g · max(0, 1 − threshold / ‖w_g‖).

    It is the w' that makes ½ ‖w' − w‖² + threshold · Σ_g ‖w'_g‖ smallest. A group keeps its direction, or is
    0 as a whole.

    Args:
        w: array or tensor of any shape.
        threshold: at least 0, a number or an array that broadcasts against the norms, in the unit of ``w``.
        axes: along which the numbers of one group lie.

    Returns:
        Array or tensor of the shape of ``w``; exactly 0 in each group whose norm is at most the threshold.

    Example:
        >>> group_threshold(np.array([[3.0, 4.0], [0.3, 0.4]]), 1.0, (1,)).round(9).tolist()
        [[2.4, 3.2], [0.0, 0.0]]

    Reference:
        Parikh and Boyd, Proximal algorithms, Foundations and Trends in Optimization 1, 127–239, 2014,
        doi:10.1561/2400000003, section 6.5.4.
    """
    xp = namespace(w)
    norm = xp.sqrt((w * w).sum(axes, keepdims=True))
    longer = norm > threshold
    factor = 1 - threshold / xp.where(longer, norm, xp.ones_like(norm))
    return xp.where(longer, w * factor, xp.zeros_like(w))


def proximal_groups(strength: Any, of: Of = None, *, axis: int = 0) -> Map:
    """The group lasso as a step of its own: w_u ← w_u · max(0, 1 − lr · strength · √n / ‖w_u‖), unit by unit.

    A group is all n weights of one unit, so that units go as a whole. The penalty whose proximal step this
    is: strength · Σ_u √n ‖w_u‖. A hidden unit with no weights out of it (``axis=1`` of the next layer) does
    nothing and can be taken out; one with no weights into it (``axis=0``) still gives what its bias gives.

    Args:
        strength: λ, at least 0: a number, or (K,), one a run.
        of: names of the parameters whose units may go; None for all with two or more axes.
        axis: of one run's weights: 0 for the units that the weights lead to (rows of a matrix, filters of a
            convolution), 1 for those that they come from (columns, input channels).

    Returns:
        A map (params, lr) → params.

    Raises:
        TypeError: if ``strength`` is no number, or ``of`` is not a tuple of names.
        ValueError: if a strength is negative or not finite, or ``axis`` is neither 0 nor 1.

    Example:
        >>> weights = {"w": np.array([[[3.0, 4.0], [0.3, 0.4]]])}
        >>> proximal_groups(5.0)(weights, np.array([0.1]))["w"].round(3).tolist()
        [[[2.576, 3.434], [0.0, 0.0]]]

    Reference:
        Yuan and Lin, Model selection and estimation in regression with grouped variables, Journal of the
        Royal Statistical Society B 68, 49–67, 2006, doi:10.1111/j.1467-9868.2005.00532.x.
    """
    given = strengths(strength, "proximal_groups.strength")
    check_names(of)
    require(axis in (0, 1), "proximal_groups.axis", "0 or 1", axis)

    def project(params: Mapping[str, Any], lr: Any) -> dict[str, Any]:
        def shrunk(name: str, w: Any) -> Any:
            others = tuple(i for i in range(1, w.ndim) if i != axis + 1)
            size = float(np.prod([w.shape[i] for i in others]))
            threshold = column(given, w, "proximal_groups.strength", lr) * size**0.5
            return group_threshold(w, threshold, others)

        return changed(params, of, shrunk)

    return project


def slimming(strength: Any, of: Of = None) -> Map:
    """Network slimming: the L1 penalty on the gains of a normalization, as a step after every update.

    A normalized unit is multiplied by its gain, so a gain of 0 switches it off (it then gives its shift to
    every input). That gain ← sign(gain) · max(|gain| − lr · strength, 0) makes exact zeros; the paper takes a
    subgradient and cuts the smallest gains off at the end.

    Args:
        strength: λ of λ Σ |gain|, at least 0: a number, or (K,), one a run.
        of: names of the gains; None for all parameters with ``gain`` in their name. (Those of torch's own
            layers are called ``weight``: name them.)

    Returns:
        A map (params, lr) → params.

    Raises:
        TypeError: if ``strength`` is no number, or ``of`` is not a tuple of names.
        ValueError: if a strength is negative or not finite; on a call, if there is no gain.

    Example:
        >>> gains = {"gain1": np.array([[1.0, 0.02]]), "shift1": np.zeros((1, 2))}
        >>> slimming(0.5)(gains, np.array([0.1]))["gain1"].tolist()
        [[0.95, 0.0]]

    Reference: Liu, Li, Shen, Huang, Yan and Zhang, Learning efficient convolutional networks through network
    slimming, 2017, arXiv:1708.06519.
    """
    proximal_l1(strength, of)  # checks both

    def project(params: Mapping[str, Any], lr: Any) -> dict[str, Any]:
        gains = tuple(name for name in params if "gain" in name) if of is None else of
        require(bool(gains), "slimming.of", "names of gains, since nothing here is called so", list(params))
        return proximal_l1(strength, gains)(params, lr)

    return project
