"""Which weights go at a sparsity: scores of one network become masks, layer by layer or all together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from optviz import prune
from optviz.prune import NM, Global

__all__ = [
    "LEVELS",
    "BySensitivity",
    "Scan",
    "Scoring",
    "finals",
    "fingerprint",
    "levels_of",
    "masks_at",
]

LEVELS = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)  # trained as one run
Params = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class BySensitivity:
    """Every layer gives up as much as costs the same drop in accuracy when it is pruned alone.

    Each layer is pruned alone first. A weight's score is then the drop at which its layer would lose it, and
    the scores of all layers are compared.

    Example:
        >>> BySensitivity()
        BySensitivity()

    Reference: Han, Pool, Tran and Dally, 2015, arXiv:1506.02626, section 4 (sensitivity of each layer).
    """


@dataclass(frozen=True, eq=False)
class Scan:
    """How accurate networks are with one layer pruned and the others whole.

    Args:
        names: (L,) layers.
        accuracy: (L, G, S) validation accuracies at the G ``LEVELS`` of S networks.
    """

    names: tuple[str, ...]
    accuracy: np.ndarray

    def drops(self, name: str, gone: np.ndarray) -> np.ndarray:
        """The drop in accuracy at these shares of one layer, rising; ties are broken by the share."""
        mean = self.accuracy[self.names.index(name)].mean(axis=1)
        rising = np.maximum.accumulate(mean[0] - mean)  # a chance gain is no reason to prune more
        return np.interp(gone, LEVELS, rising) + 1e-3 * gone


@dataclass(frozen=True, eq=False)
class Scoring:
    """A criterion that keeps the best weight of each layer, and compares layers by what they tolerate.

    Args:
        criterion: of ``optviz.recipes``.
        scan: what the layers tolerate; None where scores are compared as they are.
        known: :func:`fingerprint` of some networks → their adapted scores, which need not be found again.
    """

    criterion: Any
    scan: Scan | None = None
    known: Mapping[int, dict[str, np.ndarray]] = field(default_factory=dict, repr=False)

    def __call__(self, problem: Any, params: Params, generator: np.random.Generator) -> dict[str, np.ndarray]:
        if self.known and (mark := fingerprint(params)) in self.known:
            return self.known[mark]
        return self.adapted(self.criterion(problem, params, generator))

    def adapted(self, scores: Params) -> dict[str, np.ndarray]:
        """Scores as they are compared; no layer can lose its last weight."""
        found = {}
        for name, s in scores.items():
            order = s.ravel().argsort(kind="stable")
            values = s.astype(float).ravel()
            if self.scan is not None:
                values[order] = self.scan.drops(name, np.arange(s.size) / s.size)
            values[order[-1]] = np.inf
            found[name] = values.reshape(s.shape)
        return found


def fingerprint(params: Params) -> int:
    """A number that tells networks apart by their weights."""
    return hash(tuple(np.ascontiguousarray(p).tobytes() for p in params.values()))


def levels_of(scope: Any) -> tuple[float, ...]:
    """The sparsities that are compared; so many of each m inputs leave only some."""
    return tuple(1 - n / scope.m for n in range(scope.m, 0, -1)) if isinstance(scope, NM) else LEVELS


def finals(scope: Any, levels: Sequence[float]) -> tuple[list[Any], list[Any]]:
    """Sparsities and scopes of ``optviz.prune`` for each level.

    Example:
        >>> finals(NM(2, 4), (0.0, 0.25))
        ([0.0, None], [Global(), NM(n=3, m=4)])
    """
    if not isinstance(scope, NM):
        return list(levels), [Global() if isinstance(scope, BySensitivity) else scope] * len(levels)
    kept = [round(scope.m * (1 - level)) for level in levels]
    return (
        [0.0 if n == scope.m else None for n in kept],
        [Global() if n == scope.m else NM(n, scope.m) for n in kept],
    )


def masks_at(scope: Any, scores: Params, levels: Sequence[float]) -> dict[str, np.ndarray]:
    """Masks (G, *shape) of one network at G sparsities, True where a weight stays."""
    if isinstance(scope, NM):
        found = [prune.mask(scores, s, at) for s, at in zip(*finals(scope, levels), strict=True)]
        return prune.stacked(found)
    return prune.mask(scores, list(levels), finals(scope, levels)[1][0])
