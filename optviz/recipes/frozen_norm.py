"""Batch norm beside rounded weights: folded into them where they are rounded, its statistics frozen late."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from optviz.normalize import BatchNorm
from optviz.problems import Classification
from optviz.recipes.few_bits import FewBits

__all__ = ["FoldedBits", "FrozenNorm"]

Params = Mapping[str, Any]
KEPT, FROZEN = "norm", "norm.frozen"  # "norm1", "norm2", … beside the weights, and whether they are in force


@dataclass(frozen=True)
class FrozenNorm(Classification):
    """Fully connected layers whose batch norm keeps its statistics beside the weights, and may freeze them.

    The parameter ``"normI"``, (2, H), has μ and σ² of hidden layer I: those of the whole training set where
    :meth:`observe` was asked last. Metrics use them always, as a network in use does. The loss uses those of
    its batch while ``"norm.frozen"`` is 0, and the kept ones when it is 1. Neither has a gradient; who
    trains puts them in. A problem of a module can't have this: its running statistics are no parameters.

    Args:
        data, hidden, batch, label_noise, activation, norm, start, drops: as for ``problems.Classification``;
            ``norm`` is ``normalize.BatchNorm(…)``.

    Raises:
        TypeError: if ``norm`` is another one.

    Example:
        >>> from optviz import normalize, problems
        >>> kept = FrozenNorm.of(problems.digits((8,), norm=normalize.BatchNorm()))
        >>> {n: p.shape for n, p in kept.init(np.random.default_rng(0)).items() if n.startswith("norm")}
        {'norm1': (2, 8), 'norm.frozen': (1,)}

    Reference: Krishnamoorthi, 2018, arXiv:1806.08342 (batch statistics first, frozen later).
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.norm, BatchNorm):
            raise TypeError(f"FrozenNorm.norm must be BatchNorm(…), got {self.norm!r}")

    @classmethod
    def of(cls, problem: Classification) -> FrozenNorm:
        """The same network, data and batch with statistics that are kept."""
        return cls(**{f.name: getattr(problem, f.name) for f in fields(Classification)})

    def init(self, generator: np.random.Generator) -> dict[str, Any]:
        """Weights as usual, means 0 and variances 1, not frozen."""
        fresh = {f"{KEPT}{i}": np.stack([np.zeros(n), np.ones(n)]) for i, n in enumerate(self.hidden, 1)}
        kept = {**fresh, FROZEN: np.zeros(1)}
        return {**super().init(generator), **{n: p.astype(np.float32) for n, p in kept.items()}}

    def observe(self, params: Params) -> dict[str, Any]:
        """Statistics of the whole training set for weights of K rows, and that they aren't frozen."""
        own = {n: p for n, p in params.items() if not n.startswith(KEPT)}
        rows = len(own["weight1"])
        found = {f"{KEPT}{i}": np.stack(s, -2) for i, s in enumerate(super()._population(own), 1)}
        return {**found, FROZEN: np.zeros((rows, 1), np.float32)}

    def loss(self, params: Params, batch: Any, smoothing: Any = 0.0, dropout: Any = 0.0) -> Any:
        kept = {n: p for n, p in params.items() if n.startswith(KEPT)}
        fixed = {**params, **{n: p.detach() for n, p in kept.items()}}
        # what is kept has the gradient 0, which autograd gives to what takes part only
        return super().loss(fixed, batch, smoothing, dropout) + 0 * sum(p.sum() for p in kept.values())

    def loss_and_grad(
        self, params: Params, batch: Any, out: Any = None, smoothing: Any = 0.0, dropout: Any = 0.0
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Losses and gradients as without kept statistics, whose own are 0."""
        loss, grads = super().loss_and_grad(params, batch, out, smoothing, dropout)
        for name in params:
            if name.startswith(KEPT):
                grads[name][...] = 0
        return loss, grads

    def folded(self, params: Params) -> dict[str, Any]:
        """Weights and biases of the same layers without norm, which give what these give in use.

        W' = W·f and b' = (b − μ)·f + β for each hidden unit, with f = γ/√(σ² + ε).

        Args:
            params: of K rows, as the metrics use them.
        """
        found = {n: p for n, p in params.items() if not n.startswith((KEPT, "gain", "shift"))}
        for weight, f in _factors(params, self.norm.eps).items():
            i = weight.removeprefix("weight")
            found[weight] = params[weight] * f[..., None]
            found[f"bias{i}"] = (params[f"bias{i}"] - params[KEPT + i][..., 0, :]) * f + params[f"shift{i}"]
        return found

    def _forward(
        self, params: Params, X: Any, noise: Any = (), dropout: Any = 0.0, stats: Any = ()
    ) -> list[Any]:
        if not stats and FROZEN in params and bool((params[FROZEN] > 0).all()):
            stats = self._population(params)
        return super()._forward(params, X, noise, dropout, stats)

    def _population(self, params: Params) -> list[Any]:
        kept = [params[f"{KEPT}{i}"] for i in range(1, len(self.hidden) + 1)]
        return [(p[..., 0, :], p[..., 1, :]) for p in kept]


@dataclass(frozen=True)
class FoldedBits:
    """:class:`FewBits` of the weights that a network in use has, in which batch norm is folded.

    Ŵ = round(W·f)/f with f = γ/√(σ² + ε) of each output and the kept statistics of :class:`FrozenNorm`, so
    that what is rounded does not tremble with each batch. Dividing by f again leaves the normalization of
    the outputs to the batch norm behind. Where an output has scales of its own, f passes through the
    rounding; one scale for all outputs has to serve them all after folding. The gradient passes straight
    through all of it.

    Args:
        bits: the view that rounds.
        eps: ε of the norm.

    Example:
        >>> from optviz.quantize import PerTensor
        >>> params = {"weight1": np.array([[[1.0, 0.4], [1.0, 0.4]]]), "gain1": np.array([[1.0, 4.0]])}
        >>> view = FoldedBits(FewBits((2,), PerTensor()), 0.0)  # the second row is 4 times as large in use
        >>> view({**params, "norm1": np.array([[[0.0, 0.0], [1.0, 1.0]]])})["weight1"].tolist()
        [[[0.0, 0.0], [1.0, 0.0]]]

    Reference: Jacob and others, 2018, arXiv:1712.05877, section 3.2 (folding); Krishnamoorthi, 2018,
    arXiv:1806.08342 (with long-term statistics).
    """

    bits: FewBits
    eps: float

    @property
    def check(self) -> Callable[..., None]:
        """Look whether it fits, as the inner view does."""
        return self.bits.check

    def of_rows(self, rows: Sequence[int]) -> FoldedBits:
        """The same map for some rows of a training."""
        return FoldedBits(self.bits.of_rows(rows), self.eps)

    def __call__(self, params: Params, lr: Any = None) -> dict[str, Any]:
        factors = {n: _safe(f)[..., None] for n, f in _factors(params, self.eps).items()}
        seen = self.bits({n: p * factors[n] if n in factors else p for n, p in params.items()})
        return {n: p / factors[n] if n in factors else p for n, p in seen.items()}


def _factors(params: Params, eps: float) -> dict[str, Any]:
    """Weight → (K, H) f = γ/√(σ² + ε) of the norm behind it."""
    kept = [n.removeprefix(KEPT) for n in params if n.startswith(KEPT) and n != FROZEN]
    return {f"weight{i}": params[f"gain{i}"] / (params[KEPT + i][..., 1, :] + eps) ** 0.5 for i in kept}


def _safe(f: Any) -> Any:
    """Factors to divide by: 1 where γ is 0, since such weights don't matter."""
    return f + (f == 0)
