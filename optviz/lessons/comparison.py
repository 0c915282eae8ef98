"""A fair comparison of schedules: each at its own best peak rate, reported on images kept apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from optviz._knobs import require
from optviz.problems import Classification
from optviz.training import Run, train

__all__ = ["OwnBest", "own_best"]

Family = Callable[[float, int], Mapping[str, Any]]
CHOOSE_BY = ("validation_loss", "validation_accuracy")


@dataclass(frozen=True, eq=False)
class OwnBest:
    """What schedules reach at every peak rate tried, and at the one that suits each best.

    ``best["test_accuracy"]`` gives name -> (S,), one value a seed, at the schedule's own best rate.

    Args:
        names: N schedules.
        tried: R peak rates.
        values: series -> (R, N, S): ``validation_loss``, ``validation_accuracy``, ``test_loss`` and
            ``test_accuracy`` after the last update.
        images: number of test images.
        by: the validation series that chooses the rate.

    Raises:
        ValueError: if ``by`` is no validation series, or a schedule diverged at each rate.

    Example:
        >>> loss = np.array([[[0.4]], [[0.2]]])  # two rates, one schedule, one seed
        >>> series = {"validation_loss": loss, "validation_accuracy": 1 - loss, "test_loss": loss}
        >>> OwnBest(("constant",), (0.01, 0.1), series, 9).rate
        {'constant': 0.1}
    """

    names: tuple[str, ...]
    tried: tuple[float, ...]
    values: Mapping[str, np.ndarray]
    images: int
    by: str = "validation_loss"

    def __post_init__(self) -> None:
        require(self.by in CHOOSE_BY, "OwnBest.by", f"one of {CHOOSE_BY}", self.by)
        finite = np.isfinite(self.values["validation_loss"]).all(-1).any(0)
        lost = [name for name, ok in zip(self.names, finite, strict=True) if not ok]
        require(not lost, "rates", "with one at which no seed diverges", lost)

    @cached_property
    def _chosen(self) -> np.ndarray:
        """(N,) index of each schedule's best rate; a rate at which a seed diverged is never chosen."""
        loss = self.values["validation_loss"]
        score = loss if self.by == "validation_loss" else -self.values[self.by]
        return np.where(np.isfinite(loss), score, np.inf).mean(-1).argmin(0)

    @property
    def rate(self) -> dict[str, float]:
        """Name -> own best peak rate."""
        return {name: self.tried[self._chosen[i]] for i, name in enumerate(self.names)}

    def __getitem__(self, series: str) -> dict[str, np.ndarray]:
        """Name -> (S,) values of a series at the own best rate."""
        return {name: self.values[series][self._chosen[i], i] for i, name in enumerate(self.names)}

    def chosen_by(self, series: str) -> OwnBest:
        """The same trainings with the rates chosen by another validation series."""
        return replace(self, by=series)

    def table(self) -> Any:
        """A pandas table: own best rate, then means over the seeds, rounded to 3 digits."""
        import pandas as pd

        columns: dict[str, Any] = {"own best peak rate": self.rate}
        for title, series, unit in (
            ("validation loss", "validation_loss", 1),
            ("test loss", "test_loss", 1),
            ("test accuracy %", "test_accuracy", 100),
        ):
            columns[title] = {name: float(f"{unit * v.mean():.3g}") for name, v in self[series].items()}
        return pd.DataFrame(columns)


def own_best(
    problem: Classification,
    family: Family,
    rates: Sequence[float],
    epochs: int,
    *,
    optimizer: Any,
    seed: Sequence[int] = (0, 1, 2),
) -> OwnBest:
    """Train every schedule at every peak rate with every seed, as one training of all these rows.

    The rate of each schedule is chosen on validation images, by the mean loss over the seeds, and the report
    is on test images, which had no say in the choice.

    Args:
        problem: images and network.
        family: (peak rate, updates in the run) -> name -> schedule.
        rates: R peak rates to try.
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
    runs = [Run(optimizer, s, f"{n} {lr:g}") for lr in rates for n, s in family(lr, steps).items()]
    h = train(problem, runs, steps, seed=tuple(seed), every=steps)
    unseen = replace(problem, data=replace(problem.data, validation=problem.data.test)).metrics(h.params)
    names = tuple(family(rates[0], steps))
    values = {name: h[name][:, -1].reshape(len(rates), len(names), len(seed)) for name in CHOOSE_BY}
    for name in CHOOSE_BY:
        values[name.replace("validation", "test")] = unseen[name].reshape(values[name].shape)
    return OwnBest(names, tuple(rates), values, len(problem.data.test.y))
