"""Which layer can spare how much: each pruned alone, and the budget that follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from optviz import prune
from optviz._knobs import require
from optviz._rows import namespace
from optviz.recipes.criteria import Magnitude
from optviz.recipes.rounds import Params
from optviz.training.history import require_problem

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Sensitivity", "budget", "sensitivity"]

MAGNITUDE = Magnitude()


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """What the network loses when one layer alone is pruned, without retraining. L layers, S sparsities.

    Args:
        layers: L names of weights.
        sizes: L numbers of weights.
        sparsities: (S,) shares that go, rising.
        accuracy: (L, S) validation accuracy.
        loss: (L, S) validation loss.
        dense: validation accuracy of the network as it came.

    Example:
        >>> found = Sensitivity(("w",), (8,), np.array([0.5]), np.array([[0.9]]), np.array([[0.3]]), 0.95)
        >>> found.drop.round(2).tolist()
        [[0.05]]
    """

    layers: tuple[str, ...]
    sizes: tuple[int, ...]
    sparsities: np.ndarray
    accuracy: np.ndarray = field(repr=False)
    loss: np.ndarray = field(repr=False)
    dense: float

    @property
    def drop(self) -> np.ndarray:
        """(L, S) accuracy lost, dense minus pruned; below 0 where pruning helped."""
        return self.dense - self.accuracy

    def to_frame(self) -> pd.DataFrame:
        """A pandas table with one line a layer and sparsity."""
        import pandas as pd

        count = len(self.sparsities)
        columns: dict[str, Any] = {"layer": np.repeat(np.array(self.layers, object), count)}
        columns |= {"weights": np.repeat(self.sizes, count)}
        columns |= {"sparsity": np.tile(self.sparsities, len(self.layers))}
        return pd.DataFrame(columns | {"accuracy": self.accuracy.ravel(), "drop": self.drop.ravel()})


def sensitivity(
    problem: Any,
    params: Params,
    sparsities: Sequence[float],
    *,
    criterion: Any = MAGNITUDE,
    seed: int = 0,
) -> Sensitivity:
    """Prune each layer alone at several sparsities and measure, all networks as rows of one call.

    Args:
        problem: whose validation images decide.
        params: name -> (*shape) trained weights of one network.
        sparsities: S shares in [0, 1), rising.
        criterion: of ``recipes.criteria``.
        seed: for criteria that draw batches or scores.

    Returns:
        A :class:`Sensitivity`.

    Raises:
        TypeError: if ``problem`` is no problem.
        ValueError: if sparsities don't rise or are outside [0, 1), or a layer would lose all of its weights.

    Example:
        >>> from optviz import optimizers, problems
        >>> from optviz.training import Run, train
        >>> h = train(problems.digits(), [Run(optimizers.SGD(0.9), 0.1)], 100)
        >>> trained = {name: p[0] for name, p in h.params.items()}
        >>> found = sensitivity(problems.digits(), trained, [0.0, 0.5, 0.95])
        >>> found.layers, found.accuracy.shape, bool((found.drop[:, 0] == 0).all())
        (('weight1', 'weight2'), (2, 3), True)

    Reference: Li, Kadav, Durdanovic, Samet and Graf, Pruning filters for efficient convnets, 2016,
    arXiv:1608.08710, section 3.2; Han et al., 2015, arXiv:1506.02626, section 4.
    """
    require_problem(problem)
    shares = np.asarray(sparsities, float)
    rises = shares.ndim == 1 and len(shares) > 0 and bool((np.diff(shares) > 0).all())
    require(rises, "sparsities", "one or more, each above the one before", sparsities)
    scores = criterion(problem, params, np.random.default_rng(seed))
    rows = 1 + len(scores) * len(shares)  # the first is the network as it came
    kept = {name: _repeated(s > s, rows) for name, s in scores.items()}
    for i, (name, s) in enumerate(scores.items()):
        kept[name][:] = True
        kept[name][1 + i * len(shares) :][: len(shares)] = prune.mask({name: s}, shares, prune.Layer())[name]
    pruned = prune.masked(kept)({name: _repeated(p, rows) for name, p in params.items()})
    found = problem.metrics(pruned)
    accuracy, loss = (np.asarray(found[f"validation_{n}"], float) for n in ("accuracy", "loss"))
    shape = len(scores), len(shares)
    sizes = tuple(int(np.prod(s.shape)) for s in scores.values())
    tables = accuracy[1:].reshape(shape), loss[1:].reshape(shape)
    return Sensitivity(tuple(scores), sizes, shares, *tables, float(accuracy[0]))


def budget(sensitivity: Sensitivity, drop: float) -> prune.Budget:
    """For each layer the largest tested sparsity up to which alone it costs at most ``drop``.

    The layers' drops add up when all are pruned together, so that retraining or a smaller ``drop`` is needed.

    Args:
        sensitivity: what a scan found.
        drop: accuracy that a layer may cost, at least 0, as a fraction: 0.01 is one point.

    Returns:
        A ``prune.Budget`` with 0 for a layer that bears none of the tested sparsities.

    Raises:
        ValueError: if ``drop`` is negative or not finite.

    Example:
        >>> shares, accuracy = np.array([0.5, 0.8, 0.9]), np.array([[0.95, 0.94, 0.7], [0.9, 0.95, 0.5]])
        >>> found = Sensitivity(("a", "b"), (8, 8), shares, accuracy, 1 - accuracy, 0.95)
        >>> budget(found, 0.02).sparsities
        (('a', 0.8), ('b', 0.0))

    Reference: Han, Pool, Tran and Dally, 2015, arXiv:1506.02626, section 4 (a threshold for each layer from
    its sensitivity).
    """
    number = isinstance(drop, int | float | np.number) and np.isfinite(drop) and drop >= 0
    require(number, "drop", "at least 0", drop)
    fine = np.cumprod(sensitivity.drop <= drop + 1e-9, axis=1).sum(1)  # how many from the smallest on
    shares = [0.0, *sensitivity.sparsities.tolist()]
    return prune.Budget({n: shares[k] for n, k in zip(sensitivity.layers, fine, strict=True)})


def _repeated(value: Any, rows: int) -> Any:
    """A copy (rows, *shape) of a value in every row."""
    return namespace(value).stack([value] * rows)
