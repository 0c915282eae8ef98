"""Rounds: prune, train what is left, measure; and the same for K networks of S seeds at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from optviz import prune
from optviz._knobs import require
from optviz._rows import namespace
from optviz.training import Run, iterate
from optviz.training.history import require_problem, whole

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Later", "Masks", "Params", "Reported", "Round", "Rows", "tiled", "trained"]

Params = Mapping[str, Any]
Masks = Mapping[str, Any]


class Reported:
    """What all reports of a training in rows have in common."""

    labels: tuple[str, ...]
    step: int
    steps: int

    @property
    def progress(self) -> float:
        """Share of the updates (of this stage or round, where there are several) that are done, 0 to 1."""
        return self.step / self.steps if self.steps else 1.0

    @property
    def done(self) -> bool:
        """True for the last report of the training, the stage or the round."""
        return self.step >= self.steps

    def rows(self, label: str) -> list[int]:
        """Row numbers of one label, in the order of the seeds.

        Raises:
            ValueError: if no row has it.
        """
        found = [i for i, name in enumerate(self.labels) if name == label]
        require(len(found) > 0, "label", f"one of {list(dict.fromkeys(self.labels))}", label)
        return found


@dataclass(frozen=True, eq=False)
class Round(Reported):
    """Where networks stand in or after a round of pruning. K = finals × seeds rows, run-major.

    Args:
        index: number of the round; 0 is the dense networks.
        labels: K names, the same for all seeds of a final.
        seeds: K seeds.
        sparsity: (K,) share of the prunable weights that are 0.
        masks: name -> (K, *shape) bool, True where a weight is kept; prunable names only.
        before: name -> (K,) metrics right after pruning, before the training of this round.
        metrics: name -> (K,) metrics now.
        loss: (K, n) training losses of the updates since the last ``Round``.
        step: updates of this round done.
        steps: updates that this round will have.
        params: name -> (K, *shape) weights, pruned ones exactly 0. Valid until the next iteration where
            ``done`` is False.

    Example:
        >>> now = {"validation_accuracy": np.array([0.9])}
        >>> one = Round(1, ("90 %",), (0,), np.array([0.9]), {}, now, now, np.zeros((1, 5)), 5, 10, {})
        >>> one.progress, one.done
        (0.5, False)
    """

    index: int
    labels: tuple[str, ...]
    seeds: tuple[int, ...]
    sparsity: np.ndarray
    masks: Masks = field(repr=False)
    before: Mapping[str, np.ndarray]
    metrics: Mapping[str, np.ndarray]
    loss: np.ndarray = field(repr=False)
    step: int
    steps: int
    params: Params = field(repr=False)

    @property
    def times(self) -> np.ndarray:
        """(K,) how many times fewer prunable weights there are: 1/(1 − sparsity)."""
        return 1 / (1 - self.sparsity)

    def to_frame(self) -> pd.DataFrame:
        """A pandas table with one line a row: round, label, seed, sparsity, metrics before and after."""
        import pandas as pd

        columns: dict[str, Any] = {"round": self.index, "label": self.labels, "seed": self.seeds}
        columns |= {"sparsity": self.sparsity, "times fewer weights": self.times}
        columns |= {f"{n} before": np.asarray(v) for n, v in self.before.items()}
        return pd.DataFrame(columns | {n: np.asarray(v) for n, v in self.metrics.items()})


@dataclass(frozen=True)
class Later:
    """A schedule from update ``at`` on: rate(t) = schedule(t + at).

    Training the last T − at updates of a schedule again with the weights that there are is learning-rate
    rewinding; with the weights of update ``at`` it is weight rewinding.

    Args:
        schedule: a schedule, or any callable step -> rate.
        at: update that becomes update 0, at least 0.

    Raises:
        TypeError: if ``schedule`` cannot be called.
        ValueError: if ``at`` is no whole number of at least 0.

    Example:
        >>> from optviz.schedules import Linear
        >>> Later(Linear(1.0, 10), 4)(np.array([0, 3])).round(2).tolist()
        [0.6, 0.3]

    Reference: Renda, Frankle and Carbin, Comparing rewinding and fine-tuning in neural network pruning, 2020,
    arXiv:2003.02389.
    """

    schedule: Any
    at: int

    def __post_init__(self) -> None:
        if not callable(self.schedule):
            raise TypeError(f"Later.schedule must be callable, got {self.schedule!r}")
        number = isinstance(self.at, int | np.integer) and not isinstance(self.at, bool) and self.at >= 0
        require(number, "Later.at", "a whole number of at least 0", self.at)

    def __call__(self, t: Any) -> Any:
        return self.schedule(t + self.at)


@dataclass(frozen=True, eq=False)
class Rows:
    """What stays the same over the rounds of one recipe.

    Args:
        problem: what is trained.
        run: optimizer and schedule.
        seeds: S seeds.
        labels: names of the K finals; rows are K × S, run-major.
        every: updates between two reports of a training; None for one at its end.
        floor: fewest weights that each layer keeps; None for an error where it would lose all.

    Example:
        >>> from optviz import optimizers, problems
        >>> rows = Rows(problems.digits(), Run(optimizers.SGD(), 0.1), (0, 1), ("a", "b"), None)
        >>> rows.names, rows.seed_of_row
        (('a', 'a', 'b', 'b'), (0, 1, 0, 1))
    """

    problem: Any
    run: Run
    seeds: tuple[int, ...]
    labels: tuple[str, ...]
    every: int | None = None
    floor: int | None = None

    def __post_init__(self) -> None:
        require_problem(self.problem)
        if not isinstance(self.run, Run):
            raise TypeError(f"run must be a Run, got {self.run!r}")
        whole_numbers = all(isinstance(s, int | np.integer) and s >= 0 for s in self.seeds)
        require(whole_numbers and len(self.seeds) > 0, "seed", "whole numbers of at least 0", self.seeds)
        require(len(set(self.seeds)) == len(self.seeds), "seed", "different seeds", self.seeds)
        if self.every is not None:
            whole("every", self.every)

    @property
    def names(self) -> tuple[str, ...]:
        """Labels of all rows."""
        return tuple(label for label in self.labels for _ in self.seeds)

    @property
    def seed_of_row(self) -> tuple[int, ...]:
        """Seeds of all rows."""
        return self.seeds * len(self.labels)

    def for_all(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values of the S seeds, name -> (S, …), for all rows: name -> (K·S, …)."""
        return tiled(values, len(self.labels))

    def start(self, params: Params | None) -> dict[str, Any]:
        """Weights name -> (S, *shape): given ones, (*shape) or (S, *shape), or those that the seeds draw."""
        drawn = [self.problem.init(chance) for chance in map(_chance_of_weights, self.seeds)]
        if params is None:
            return {n: namespace(p).stack([d[n] for d in drawn]) for n, p in drawn[0].items()}
        names = isinstance(params, Mapping) and set(params) == set(drawn[0])
        require(names, "params", f"a mapping with the names {list(drawn[0])}", _told(params))
        return {n: _fitted(n, params[n], p, len(self.seeds)) for n, p in drawn[0].items()}

    def chance(self, index: int, row: int) -> np.random.Generator:
        """The draws of one row in one round: the same whatever rows stand beside it."""
        return np.random.default_rng((self.seed_of_row[row], index, 9))

    def orders(self, index: int) -> tuple[int, ...]:
        """Seeds for the order of the images in one round: round 0 has the seeds themselves."""
        if index == 0:
            return self.seeds
        drawn = [np.random.SeedSequence((seed, index)).generate_state(2, np.uint32) for seed in self.seeds]
        return tuple(int(high) << 32 | int(low) for high, low in drawn)


def trained(
    rows: Rows, index: int, steps: int, masks: Masks, params: Params, *, runs: Sequence[Run]
) -> Iterator[Round]:
    """Train all rows with their masks; reports every ``rows.every`` updates, the last with copies.

    Args:
        rows: what stays the same.
        index: number of the round.
        steps: updates.
        masks: name -> (K·S, *shape) bool.
        params: name -> (K·S, *shape) weights to start from, masked here.
        runs: K runs.

    Returns:
        An iterator of :class:`Round`.

    Example:
        >>> from optviz import optimizers, problems
        >>> rows = Rows(problems.digits(), Run(optimizers.SGD(), 0.1), (0,), ("half",), None)
        >>> params = rows.start(None)
        >>> masks = {"weight1": np.random.default_rng(0).random((1, 32, 64)) < 0.5}
        >>> [done] = trained(rows, 1, 10, masks, params, runs=[rows.run])
        >>> bool((done.params["weight1"][~masks["weight1"]] == 0).all()), done.loss.shape
        (True, (1, 10))
    """
    held = prune.masked(masks)
    params = held(dict(params))
    before = rows.problem.metrics(params)
    found = iterate(
        rows.problem, runs, steps, seed=rows.orders(index), params=params, every=rows.every or steps,
        view=held, grads=held,
    )  # fmt: skip
    for step in found:
        at = step.step + 1
        now = dict(step.params) if at == steps else step.params
        yield report(rows, index, masks, (before, step.metrics), step.loss, (at, steps), now)


def report(
    rows: Rows,
    index: int,
    masks: Masks,
    metrics: tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray]],
    loss: np.ndarray,
    step: tuple[int, int],
    params: Params,
) -> Round:
    """A :class:`Round` of all rows, with metrics (before, now) and (updates done, of all)."""
    zeros = prune.sparsity(masks, rows=True)
    return Round(index, rows.names, rows.seed_of_row, zeros, masks, *metrics, loss, *step, params)


def prunable(params: Params) -> dict[str, Any]:
    """Masks that keep all weights: name -> (K, *shape) for what has two or more axes in one network."""
    found = {}
    for name, p in params.items():
        if p.ndim > 2:
            xp = namespace(p)
            found[name] = np.ones(p.shape, bool) if xp is np else xp.ones_like(p, dtype=xp.bool)
    require(len(found) > 0, "params", "with a weight of two or more axes", list(params))
    return found


def one(values: Mapping[str, Any], row: int) -> dict[str, Any]:
    """The values of one row: name -> (*shape)."""
    return {n: v[row] for n, v in values.items()}


def tiled(values: Mapping[str, Any], times: int) -> dict[str, Any]:
    """Values name -> (S, …) again and again: name -> (times·S, …)."""
    return {n: namespace(v).concatenate([v] * times) for n, v in values.items()}


def _chance_of_weights(seed: int) -> np.random.Generator:
    # As training itself draws them: the first part of the seed orders the images, the second draws weights.
    return np.random.default_rng(np.random.SeedSequence(seed).spawn(2)[1])


def _fitted(name: str, given: Any, drawn: Any, seeds: int) -> Any:
    xp = namespace(drawn)
    if xp is np:
        p = np.asarray(given.detach().cpu() if hasattr(given, "detach") else given, dtype=drawn.dtype)
    else:
        p = xp.as_tensor(given, dtype=drawn.dtype, device=drawn.device)
    shapes = (tuple(drawn.shape), (seeds, *drawn.shape))
    rule = f"of shape {shapes[0]} or {shapes[1]}"
    require(tuple(p.shape) in shapes, f"params[{name!r}]", rule, tuple(p.shape))
    return xp.stack([p] * seeds) if p.ndim == drawn.ndim else p


def _told(params: Any) -> Any:
    return list(params) if isinstance(params, Mapping) else params
