"""A fair comparison of schedules: each at its own best peak rate, reported on images kept apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from optviz._knobs import require
from optviz.problems import Classification
from optviz.training import Run, train

__all__ = ["OwnBest", "own_best"]

Family = Callable[[float, int], Mapping[str, Any]]


@dataclass(frozen=True)
class OwnBest:
    """What each schedule reaches at the peak rate that suits it best.

    Args:
        rate: name -> the peak rate with the lowest mean validation loss.
        validation_loss: name -> (S,) at that rate, one a seed.
        test_accuracy: name -> (S,) at that rate, fractions.
        test_loss: name -> (S,) at that rate.
        images: number of test images.
        tried: the peak rates that every schedule was tried at.

    Example:
        >>> two = np.array([0.2, 0.3])
        >>> best = OwnBest({"cos": 0.1}, {"cos": two}, {"cos": 1 - two}, {"cos": two}, 270, (0.1,))
        >>> best.rate
        {'cos': 0.1}
    """

    rate: Mapping[str, float]
    validation_loss: Mapping[str, np.ndarray]
    test_accuracy: Mapping[str, np.ndarray]
    test_loss: Mapping[str, np.ndarray]
    images: int
    tried: tuple[float, ...]

    def table(self) -> Any:
        """A pandas table: best peak rate, then means over the seeds, rounded to 3 digits."""
        import pandas as pd

        means = {
            "validation loss": self.validation_loss,
            "test loss": self.test_loss,
            "test accuracy %": {name: 100 * v for name, v in self.test_accuracy.items()},
        }
        columns = {title: {n: float(f"{v.mean():.3g}") for n, v in of.items()} for title, of in means.items()}
        return pd.DataFrame({"own best peak rate": dict(self.rate)} | columns)


def own_best(
    problem: Classification,
    family: Family,
    rates: Sequence[float],
    epochs: int,
    *,
    optimizer: Any,
    seed: Sequence[int] = (0, 1, 2),
) -> OwnBest:
    """Train every schedule at every peak rate with every seed, and keep for each schedule its best rate.

    All of it is one training of len(rates) × schedules × seeds rows. The rate is chosen by the mean
    validation loss after the last update; a rate at which a seed diverged is never chosen.

    Args:
        problem: images and network.
        family: (peak rate, updates in the run) -> name -> schedule.
        rates: the peak rates to try.
        epochs: length of each run.
        optimizer: the update rule, the same for all.
        seed: S seeds.

    Returns:
        An :class:`OwnBest`.

    Raises:
        ValueError: if there is no rate, or a schedule diverges at each of them.

    Example:
        >>> from optviz import optimizers, problems
        >>> from optviz.schedules import Constant, Linear
        >>> both = lambda lr, steps: {"constant": Constant(lr), "linear": Linear(lr, steps)}
        >>> best = own_best(problems.digits(), both, (1e-4, 0.1), 1, optimizer=optimizers.SGD(0.9), seed=(0,))
        >>> best.rate
        {'constant': 0.1, 'linear': 0.1}
    """
    require(len(rates) > 0, "own_best.rates", "at least one", tuple(rates))
    steps = epochs * problem.updates_per_epoch
    names = list(family(rates[0], steps))
    runs = [Run(optimizer, s, f"{n} {lr:g}") for lr in rates for n, s in family(lr, steps).items()]
    h = train(problem, runs, steps, seed=tuple(seed), every=steps)
    shape = (len(rates), len(names), len(seed))
    loss = h["validation_loss"][:, -1].reshape(shape)
    mean = np.where(np.isfinite(loss), loss, np.inf).mean(-1)
    chosen = mean.argmin(0)
    lost = [name for i, name in enumerate(names) if np.isinf(mean[chosen[i], i])]
    require(not lost, "own_best.rates", "with one at which no seed diverges", lost)
    unseen = replace(problem, data=replace(problem.data, validation=problem.data.test)).metrics(h.params)

    def picked(values: np.ndarray) -> dict[str, np.ndarray]:
        return {name: values.reshape(shape)[chosen[i], i] for i, name in enumerate(names)}

    return OwnBest(
        {name: rates[chosen[i]] for i, name in enumerate(names)},
        picked(loss),
        picked(unseen["validation_accuracy"]),
        picked(unseen["validation_loss"]),
        len(problem.data.test.y),
        tuple(rates),
    )
