"""What a score of ``optviz.prune`` needs, gathered from a problem: gradients, inputs, a little training.

A criterion is a frozen dataclass. Called with a problem, the weights of one network and a generator it gives
scores: name -> array of the weight's shape; the smallest go first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Protocol

import numpy as np

from optviz import prune
from optviz._knobs import INF, choice, config, knob, require
from optviz._rows import namespace

__all__ = ["OBD", "Criterion", "Magnitude", "Movement", "Random", "Snip", "Taylor", "Wanda", "slopes"]

Params = Mapping[str, Any]
Batch = tuple[Any, ...]


class Criterion(Protocol):
    """Anything that scores the weights of one network.

    Example:
        >>> callable(Magnitude())
        True
    """

    def __call__(self, problem: Any, params: Params, generator: np.random.Generator) -> dict[str, Any]:
        """Scores, name -> (*shape), for the prunable weights; small ones go first."""


def batches_knob(default: int) -> Any:
    """The knob of how many batches a criterion looks at."""
    return knob(default=default, low=1, high=16, hard=(1, INF), unit="batches", label="batches")


@config
class Magnitude:
    """Small weights go first: |w|^power.

    Args:
        power: 1 or 2; a sum over several weights differs, the order of single ones does not.

    Example:
        >>> Magnitude()(None, {"w": np.array([[-2.0, 1.0]])}, np.random.default_rng(0))["w"].tolist()
        [[2.0, 1.0]]

    Reference: Han, Pool, Tran and Dally, Learning both weights and connections for efficient neural networks,
    2015, arXiv:1506.02626.
    """

    power: int = choice(default=1, options={"|w|": 1, "w²": 2})

    def __call__(self, problem: Any, params: Params, generator: np.random.Generator) -> dict[str, Any]:
        return prune.magnitude(params, power=self.power)


@config
class Random:
    """Any weight may go first: the baseline that every other criterion has to beat.

    Example:
        >>> Random()(None, {"w": np.ones((2, 3))}, np.random.default_rng(0))["w"].shape
        (2, 3)

    Reference: Liu et al., The unreasonable effectiveness of random pruning, 2022, arXiv:2202.02643.
    """

    def __call__(self, problem: Any, params: Params, generator: np.random.Generator) -> dict[str, Any]:
        return prune.random(params, generator)


@config
class Snip:
    """Weights whose removal changes the loss least, to first order: |g·w|, g the mean gradient.

    Args:
        batches: how many batches g is the mean over.

    Example:
        >>> from optviz.problems import digits
        >>> random = np.random.default_rng(0)
        >>> scores = Snip()(digits(), digits().init(random), random)
        >>> sorted(scores)
        ['weight1', 'weight2']

    Reference: Lee, Ajanthan and Torr, SNIP: single-shot network pruning based on connection sensitivity,
    2018, arXiv:1810.02340.
    """

    batches: int = batches_knob(default=1)

    def __call__(self, problem: Any, params: Params, generator: np.random.Generator) -> dict[str, Any]:
        return prune.snip(params, _mean(_gradients(problem, params, generator, self.batches)))


@config
class Taylor:
    """The loss's change when a weight goes, by its Taylor series, from gradients averaged over batches.

    Of order 1: (g·w)². Of order 2: |g·w − h·w²/2|, with h the mean square of single examples' gradients.

    Args:
        batches: how many batches g is the mean over.
        order: 1 or 2.
        examples: how many single examples h is the mean over (order 2 only).

    Example:
        >>> from optviz.problems import digits
        >>> random = np.random.default_rng(0)
        >>> Taylor(order=2)(digits(), digits().init(random), random)["weight2"].shape
        (10, 32)

    Reference: Molchanov, Mallya, Tyree, Frosio and Kautz, Importance estimation for neural network pruning,
    2019, arXiv:1906.10771.
    """

    batches: int = batches_knob(default=1)
    order: int = choice(default=1, options={"first": 1, "second": 2})
    examples: int = knob(default=64, low=8, high=512, hard=(1, INF), unit="examples", label="examples")

    def __call__(self, problem: Any, params: Params, generator: np.random.Generator) -> dict[str, Any]:
        first = _mean(_gradients(problem, params, generator, self.batches))
        if self.order == 1:
            return prune.taylor(params, first)
        singles = list(_single_gradients(problem, params, generator, self.examples))
        return prune.taylor(params, first, prune.fisher(singles))


@config
class OBD:
    """Optimal brain damage: ½·h·w², with h the mean square of single examples' gradients.

    h is the diagonal of the empirical Fisher matrix, which stands in for that of the Hessian: equal in the
    mean where the network's probabilities are right, and never negative.

    Args:
        examples: how many single examples h is the mean over.

    Example:
        >>> from optviz.problems import digits
        >>> random = np.random.default_rng(0)
        >>> bool((OBD(16)(digits(), digits().init(random), random)["weight1"] >= 0).all())
        True

    Reference: LeCun, Denker and Solla, Optimal brain damage, 1990, Advances in Neural Information Processing
    Systems 2, pages 598–605.
    """

    examples: int = knob(default=128, low=8, high=512, hard=(1, INF), unit="examples", label="examples")

    def __call__(self, problem: Any, params: Params, generator: np.random.Generator) -> dict[str, Any]:
        singles = list(_single_gradients(problem, params, generator, self.examples))
        return prune.obd(params, prune.fisher(singles))


@config
class Movement:
    """Weights that training moves toward zero go first: −Σ g·w over some plain gradient steps of a copy.

    Args:
        updates: gradient steps.
        lr: their rate.

    Example:
        >>> from optviz.problems import digits
        >>> random = np.random.default_rng(0)
        >>> Movement(4)(digits(), digits().init(random), random)["weight2"].shape
        (10, 32)

    Reference: Sanh, Wolf and Rush, Movement pruning: adaptive sparsity by fine-tuning, 2020,
    arXiv:2005.07683.
    """

    updates: int = knob(default=20, low=1, high=100, hard=(1, INF), unit="updates", label="updates")
    lr: float = knob(default=0.05, low=0.001, high=1.0, hard=(0.0, INF), label="rate", log=True)

    def __call__(self, problem: Any, params: Params, generator: np.random.Generator) -> dict[str, Any]:
        weights: list[Params] = [dict(params)]
        grads: list[Params] = []
        for batch in islice(problem.batches(generator), self.updates):
            grads.append(slopes(problem, weights[-1], batch))
            weights.append({n: p - self.lr * grads[-1][n] for n, p in weights[-1].items()})
        return prune.movement(weights[:-1], grads)


@config
class Wanda:
    """Weights that are small or see small inputs: |w_ij|·‖x_j‖, x_j the input j over all examples.

    Args:
        batches: how many batches the inputs come from.

    Raises:
        TypeError: when called with a problem whose layers' inputs it cannot see.

    Example:
        >>> from optviz.problems import digits
        >>> random = np.random.default_rng(0)
        >>> sorted(Wanda()(digits(), digits().init(random), random))
        ['weight1', 'weight2']

    Reference: Sun, Liu, Bair and Kolter, A simple and effective pruning approach for large language models,
    2023, arXiv:2306.11695.
    """

    batches: int = batches_knob(default=1)

    def __call__(self, problem: Any, params: Params, generator: np.random.Generator) -> dict[str, Any]:
        found = [_inputs(problem, params, b[0]) for b in islice(problem.batches(generator), self.batches)]
        xp = namespace(next(iter(found[0].values())))
        return prune.wanda(params, {n: xp.concatenate([f[n] for f in found]) for n in found[0]})


def slopes(problem: Any, params: Params, batch: Batch) -> dict[str, Any]:
    """Gradients of the loss of one network on one batch, without dropout.

    Args:
        problem: closed-form or of a module.
        params: name -> (*shape) weights of one network.
        batch: inputs and labels, as from ``problem.batches``.

    Returns:
        name -> (*shape).

    Example:
        >>> from optviz.problems import digits
        >>> problem, random = digits(), np.random.default_rng(0)
        >>> slopes(problem, problem.init(random), next(problem.batches(random)))["bias2"].shape
        (10,)
    """
    if hasattr(problem, "loss_and_grad"):
        rows = {n: np.asarray(p)[None] for n, p in params.items()}
        return {n: g[0] for n, g in problem.loss_and_grad(rows, batch[:2])[1].items()}
    import torch

    leaves = {n: p.detach().requires_grad_() for n, p in params.items()}
    found = torch.autograd.grad(problem.loss(leaves, batch[:2]), list(leaves.values()))
    return dict(zip(leaves, found, strict=True))


def _gradients(
    problem: Any, params: Params, generator: np.random.Generator, batches: int
) -> Iterator[dict[str, Any]]:
    for batch in islice(problem.batches(generator), batches):
        yield slopes(problem, params, batch)


def _single_gradients(
    problem: Any, params: Params, generator: np.random.Generator, examples: int
) -> Iterator[dict[str, Any]]:
    """Gradients of single examples."""
    norm = getattr(problem, "norm", None)
    alone = norm is None or norm.stats(np.zeros((1, 2, 1), np.float32)) is None
    require(alone, "problem.norm", "one that treats each example alone (here examples come singly)", norm)
    left = examples
    for X, y, *_ in problem.batches(generator):
        for i in range(min(left, len(y))):
            yield slopes(problem, params, (X[i : i + 1], y[i : i + 1]))
        left -= len(y)
        if left <= 0:
            return


def _mean(grads: Iterator[dict[str, Any]]) -> dict[str, Any]:
    found = list(grads)
    return {n: sum(g[n] for g in found) / len(found) for n in found[0]}


def _inputs(problem: Any, params: Params, X: Any) -> dict[str, Any]:
    """What each weight is multiplied with: name -> (N, inputs)."""
    if hasattr(problem, "layers"):
        rows = {n: np.asarray(p)[None] for n, p in params.items()}
        layers = problem.layers(rows, X)
        return {f"weight{i}": _flat(layer.input) for i, layer in enumerate(layers, start=1)}
    if not hasattr(problem, "module"):
        raise TypeError(f"problem must be one with layers or a module, got {problem!r}")
    return _inputs_of_module(problem.module, params, X)


def _flat(X: Any) -> Any:
    return X[0] if X.ndim > 2 else X


def _inputs_of_module(module: Any, params: Params, X: Any) -> dict[str, Any]:
    import torch
    from torch import nn

    found: dict[str, Any] = {}

    def note(name: str) -> Any:
        def hook(layer: nn.Module, args: tuple[Any, ...]) -> None:
            found[f"{name}.weight" if name else "weight"] = args[0].detach()

        return hook

    kinds = (nn.Linear, nn.Conv2d)
    hooks = [m.register_forward_pre_hook(note(n)) for n, m in module.named_modules() if isinstance(m, kinds)]
    try:
        with torch.no_grad():
            torch.func.functional_call(module, dict(params), (X,))
    finally:
        for hook in hooks:
            hook.remove()
    return found
