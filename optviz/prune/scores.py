"""What each weight is worth: scores of one network's weights, the lowest of which are pruned first.

All take name → array or tensor (*shape) and give scores of the same shapes for what may be pruned: the
parameters with two or more axes, or those named in ``of``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from optviz._knobs import require
from optviz._rows import Of, namespace
from optviz.prune._check import Params, agreeing, prunable, unbroken

__all__ = ["fisher", "magnitude", "movement", "obd", "random", "snip", "taylor", "wanda"]

Values = dict[str, Any]


def magnitude(params: Params, of: Of = None, *, power: float = 1) -> Values:
    """The size of each weight: |w|^power.

    Every power gives the same order of single weights; a power matters where scores are added up.

    Args:
        params: name → array or tensor (*shape) of one network.
        of: names of the parameters that are scored; None for all with two or more axes.
        power: 1 for L1, 2 for L2; above 0.

    Returns:
        name → scores (*shape).

    Raises:
        TypeError: if ``params`` are no mapping name → array, or ``of`` is no tuple of names.
        ValueError: if a name is unknown, two names share one memory, or the power is not above 0.

    Example:
        >>> magnitude({"w": np.array([[1.0, -3.0]]), "b": np.ones(1)})
        {'w': array([[1., 3.]])}

    Reference: Han, Pool, Tran and Dally, 2015, arXiv:1506.02626, section 3.
    """
    found = prunable(params, of, "magnitude.params")
    require(0 < power < np.inf, "magnitude.power", "above 0 and finite", power)
    return {name: abs(p) if power == 1 else abs(p) ** power for name, p in found.items()}


def random(params: Params, generator: np.random.Generator, of: Of = None) -> Values:
    """A random number in [0, 1) for each weight: what any other score must beat.

    Args:
        params: name → array or tensor (*shape) of one network.
        generator: the draws, which are the same for arrays and tensors.
        of: names of the parameters that are scored; None for all with two or more axes.

    Returns:
        name → scores (*shape).

    Raises:
        TypeError: if ``params`` are no mapping name → array, or ``generator`` is no NumPy generator.
        ValueError: if a name is unknown, or two names share one memory.

    Example:
        >>> random({"w": np.ones((1, 2))}, np.random.default_rng(0))["w"].round(2).tolist()
        [[0.64, 0.27]]

    Reference:
        Liu, Chen, Chen, Shen, Mocanu, Wang and Pechenizkiy, The unreasonable effectiveness of random
        pruning, 2022, arXiv:2202.02643.
    """
    if not isinstance(generator, np.random.Generator):
        raise TypeError(f"random.generator must be a numpy Generator, got {generator!r}")
    found = {}
    for name, p in prunable(params, of, "random.params").items():
        draws, xp = generator.random(tuple(p.shape)), namespace(p)
        found[name] = draws if xp is np else xp.from_numpy(draws).to(p.device)
    return found


def snip(params: Params, grads: Params, of: Of = None) -> Values:
    """How much the loss feels each connection, before any training: |g · w|.

    It is |∂L/∂c| at c = 1, if a switch c multiplied the weight. The article divides by the sum of all scores,
    which changes no order.

    Args:
        params: name → array or tensor (*shape) of one network.
        grads: name → gradient of the loss at these weights, of the same shapes.
        of: names of the parameters that are scored; None for all with two or more axes.

    Returns:
        name → scores (*shape).

    Raises:
        TypeError: if ``params`` or ``grads`` are no mapping name → array.
        ValueError: if a gradient is missing or has another shape.

    Example:
        >>> snip({"w": np.array([[2.0, -3.0]])}, {"w": np.array([[0.5, 0.0]])})["w"].tolist()
        [[1.0, 0.0]]

    Reference: Lee, Ajanthan and Torr, SNIP, 2018, arXiv:1810.02340.
    """
    found = prunable(params, of, "snip.params")
    slopes = agreeing(found, grads, "snip.grads")
    return {name: abs(slopes[name] * p) for name, p in found.items()}


def taylor(params: Params, grads: Params, curvature: Params | None = None, of: Of = None) -> Values:
    """How much the loss changes when a weight becomes 0, by a Taylor expansion at the weights.

    First order: (g · w)². Second order, with the diagonal h of the Hessian: |g · w − ½ h · w²|.

    Args:
        params: name → array or tensor (*shape) of one network.
        grads: name → gradient of the loss at these weights, of the same shapes.
        curvature: name → second derivatives h, of the same shapes; None for first order.
        of: names of the parameters that are scored; None for all with two or more axes.

    Returns:
        name → scores (*shape), first order in the unit of the loss squared, second order in that of the loss.

    Raises:
        TypeError: if ``params``, ``grads`` or ``curvature`` are no mapping name → array.
        ValueError: if a gradient or a curvature is missing or has another shape.

    Example:
        >>> w, g, h = ({"w": np.array([[x]])} for x in (2.0, 0.5, 3.0))
        >>> taylor(w, g)["w"].item(), taylor(w, g, h)["w"].item()
        (1.0, 5.0)

    Reference: Molchanov, Mallya, Tyree, Frosio and Kautz, 2019, arXiv:1906.10771.
    """
    found = prunable(params, of, "taylor.params")
    g = agreeing(found, grads, "taylor.grads")
    if curvature is None:
        return {name: (g[name] * p) ** 2 for name, p in found.items()}
    h = agreeing(found, curvature, "taylor.curvature")
    return {name: abs(g[name] * p - h[name] * p * p / 2) for name, p in found.items()}


def movement(weights: Sequence[Params], grads: Sequence[Params], of: Of = None) -> Values:
    """Whether training moves a weight away from 0 or towards it: −Σₜ gₜ · wₜ.

    Descent moves a weight by −lr · g, which is away from 0 where g and w have opposite signs. So a small
    weight that grows scores higher than a large one that shrinks.

    Args:
        weights: name → array or tensor (*shape), the weights at T steps.
        grads: name → gradient, at the same steps, of the same shapes.
        of: names of the parameters that are scored; None for all with two or more axes.

    Returns:
        name → scores (*shape), which may be negative.

    Raises:
        TypeError: if they are no sequences of mappings name → array.
        ValueError: if there are no steps, not as many weights as gradients, or shapes differ.

    Example:
        >>> w = {"w": np.array([[0.1, 2.0]])}
        >>> movement([w], [{"w": np.array([[-1.0, 1.0]])}])["w"].tolist()
        [[0.1, -2.0]]

    Reference: Sanh, Wolf and Rush, Movement pruning, 2020, arXiv:2005.07683.
    """
    unbroken(weights, "movement.weights")
    unbroken(grads, "movement.grads")
    require(len(weights) == len(grads), "movement.grads", f"of {len(weights)} steps", len(grads))
    found = {name: 0 * p for name, p in prunable(weights[0], of, "movement.weights").items()}
    for now, slopes in zip(weights, grads, strict=True):
        w = agreeing(found, now, "movement.weights")
        g = agreeing(found, slopes, "movement.grads")
        found = {name: total - g[name] * w[name] for name, total in found.items()}
    return found


def fisher(grads: Sequence[Params]) -> Values:
    """The diagonal of the empirical Fisher matrix, mean(g²): a curvature that needs first derivatives only.

    At weights that fit the data, with the gradients of single examples of a log-likelihood, it is close to
    the diagonal of the Hessian; gradients of batches give a smaller one.

    Args:
        grads: name → gradient (*shape), one mapping for each example or batch.

    Returns:
        name → mean squared gradient (*shape), for all names.

    Raises:
        TypeError: if ``grads`` are no sequence of mappings name → array.
        ValueError: if there are none, or shapes differ.

    Example:
        >>> fisher([{"w": np.array([1.0])}, {"w": np.array([3.0])}])["w"].item()
        5.0

    Reference: Theis, Korshunova, Tejani and Huszár, 2018, arXiv:1801.05787.
    """
    unbroken(grads, "fisher.grads")
    each = [agreeing(grads[0], g, "fisher.grads") for g in grads]
    return {name: sum(g[name] ** 2 for g in each) / len(each) for name in grads[0]}


def obd(params: Params, curvature: Params, of: Of = None) -> Values:
    """Optimal brain damage: how much the loss grows at a minimum when a weight becomes 0, ½ h · w².

    Args:
        params: name → array or tensor (*shape) of one network, trained.
        curvature: name → second derivatives h of the loss, of the same shapes, such as :func:`fisher` gives.
        of: names of the parameters that are scored; None for all with two or more axes.

    Returns:
        name → scores (*shape), in the unit of the loss.

    Raises:
        TypeError: if ``params`` or ``curvature`` are no mapping name → array.
        ValueError: if a curvature is missing or has another shape.

    Example:
        >>> obd({"w": np.array([[2.0, 3.0]])}, {"w": np.array([[1.0, 0.1]])})["w"].round(2).tolist()
        [[2.0, 0.45]]

    Reference: LeCun, Denker and Solla, Optimal brain damage, NIPS 2, 598–605, 1989.
    """
    found = prunable(params, of, "obd.params")
    h = agreeing(found, curvature, "obd.curvature")
    return {name: h[name] * p * p / 2 for name, p in found.items()}


def wanda(params: Params, inputs: Params, of: Of = None) -> Values:
    """Weight times the size of what it is multiplied with: |Wᵢⱼ| · ‖Xⱼ‖₂, without any gradient.

    The article compares the weights into one unit with each other only, which is the scope ``Unit()``.

    Args:
        params: name → array or tensor (out, in, …) of one network.
        inputs: name → what enters the layer, (N, in), or (N, in, …) for a convolution. Names that it lacks
            are not scored.
        of: names of the parameters that are scored; None for all with two or more axes and inputs.

    Returns:
        name → scores (*shape).

    Raises:
        TypeError: if ``params`` or ``inputs`` are no mapping name → array.
        ValueError: if inputs are missing for a name in ``of``, or have another size.

    Example:
        >>> wanda({"w": np.array([[1.0, -1.0]])}, {"w": np.array([[3.0, 0.1], [4.0, 0.0]])})["w"].tolist()
        [[5.0, 0.1]]

    Reference: Sun, Liu, Bair and Kolter, A simple and effective pruning approach, 2023, arXiv:2306.11695.
    """
    given = tuple(name for name in params if name in inputs) if of is None else of
    found, scores = prunable(params, given, "wanda.params"), {}
    for name, p in found.items():
        require(name in inputs, "wanda.inputs", f"given for {list(found)}", list(inputs))
        x = inputs[name]
        fits = p.ndim >= 2 and x.ndim >= 2 and x.shape[1] == p.shape[1]
        require(fits, f"wanda.inputs[{name!r}]", f"(N, {p.shape[-1]}) for {tuple(p.shape)}", tuple(x.shape))
        length = (x * x).sum((0, *range(2, x.ndim))) ** 0.5
        scores[name] = abs(p) * length.reshape(-1, *(1,) * (p.ndim - 2))
    return scores
