"""K runs trained as one: every parameter has a leading axis K, and so has every number that may differ.

Rows of one seed share starting weights, batches and every random draw, so their curves differ only by the
knob that was moved. A row that diverges stays alone with its NaN.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from optviz._knobs import require
from optviz.training.block import Block, Map, Maps, Params, Projection, Weights, blocks, gathered
from optviz.training.history import History, Run, Step, rate_table, require_problem, several, whole
from optviz.training.monitors import Monitor, require_metrics

__all__ = ["iterate", "train"]

METRICS = ("validation_loss", "validation_accuracy")


def iterate(
    problem: Any,
    runs: Sequence[Run],
    steps: int,
    *,
    seed: int | Sequence[int] = 0,
    params: Params | None = None,
    every: int | None = None,
    measure: int | None = None,
    view: Map | None = None,
    grads: Map | None = None,
    project: Projection | None = None,
    monitors: Sequence[Monitor] = (),
) -> Iterator[Step]:
    """Train K runs side by side and yield what happened every few updates.

    Args:
        problem: a ``Problem``, e.g. ``problems.digits()``.
        runs: what differs; mixed optimizers and schedules are welcome.
        steps: T updates.
        seed: one seed or several. With S seeds there are K = runs × S rows, run-major.
        params: weights to start from, name -> (*shape) for all rows or (K, *shape); drawn by seed when None.
        every: updates between two ``Step``s; T/40 when None.
        measure: updates between two measurements of the metrics, a multiple of ``every``, and ``every`` when
            None. The last ``Step`` always measures.
        view: params -> params map through which the loss sees the weights, such as a mask. The gradient with
            respect to its result is applied to the weights themselves (straight-through).
        grads: grads -> grads map before the update, such as ``gradients.clip_norm``.
        project: (params, lr) -> params map right after each update, such as a proximal step; weights are
            (k, *shape) and ``lr`` (k,) is the rate of the update. A problem may have such a function of its
            own, which also gets the runs' extras: ``problem.project(params, lr, **extra)``. A map that holds
            numbers for each of the K rows, such as ``prune.masked``, has a function ``of_rows(rows)`` that
            gives the map of some of them, since rows of different seeds are updated apart.
        monitors: watch the steps; they may cut the rate of a row, stop it, or average its weights. The last
            ``Step`` has the weights that they end with. A row that was stopped costs nothing more: its
            weights stay, its rates, losses and metrics are NaN. (With ``view``, ``grads`` or ``project``,
            which may hold numbers for each row, it trains on until all have stopped.)

    Returns:
        An iterator of :class:`Step`. Leaving it early (``break``) is how training is stopped.

    Raises:
        TypeError: if ``problem`` is no problem, or ``runs`` are no runs.
        ValueError: if there are no runs or steps, ``every`` is below 1, weights have the wrong shape, a
            warm-up is longer than the run, or a rate is negative or not finite.

    Example:
        >>> from optviz import optimizers, problems
        >>> for step in iterate(problems.digits(), [Run(optimizers.SGD(), 0.1)], 20, every=10):
        ...     print(step.step, step.loss.shape)
        9 (1, 10)
        19 (1, 10)
    """
    require_problem(problem)
    runs, steps, seeds = several(runs), whole("steps", steps), _seeds(seed)
    every = max(1, round(steps / 40)) if every is None else whole("every", every)
    measure = every if measure is None else whole("measure", measure)
    require(measure % every == 0, "measure", f"a multiple of every ({every})", measure)
    table = np.repeat(rate_table(runs, steps), len(seeds), axis=0)
    require_metrics(monitors, METRICS)
    parts = blocks(problem, runs, seeds, params, Maps(view, grads, project))
    return _updates(parts, table, (every, measure), _Watch(monitors, len(table)))


def train(
    problem: Any,
    runs: Sequence[Run],
    steps: int,
    *,
    seed: int | Sequence[int] = 0,
    params: Params | None = None,
    every: int | None = None,
    view: Map | None = None,
    grads: Map | None = None,
    project: Projection | None = None,
    monitors: Sequence[Monitor] = (),
) -> History:
    """Train K runs side by side; :func:`iterate` to the end, put together.

    Args:
        problem, runs, steps, seed, params, every, view, grads, project, monitors: as in :func:`iterate`.

    Returns:
        The history of all K rows: ``lr`` and ``loss`` at every update, metrics every ``every`` updates.

    Raises:
        TypeError, ValueError: as :func:`iterate`.

    Example:
        >>> from optviz import optimizers, problems
        >>> runs = [Run(optimizers.SGD(0.9), 0.1, "fast"), Run(optimizers.SGD(0.9), 0.001, "slow")]
        >>> h = train(problems.digits(), runs, 60)
        >>> bool(h["loss"][0, -1] < h["loss"][1, -1])
        True
    """
    runs = several(runs)
    options = {
        "seed": seed,
        "params": params,
        "every": every,
        "view": view,
        "grads": grads,
        "project": project,
        "monitors": monitors,
    }
    found = iterate(problem, runs, steps, **options)  # type: ignore[arg-type]
    seeds = _seeds(seed)
    labels = [label for label in row_labels(runs) for _ in seeds]
    return History.collect(labels, list(seeds) * len(runs), found)


def row_labels(runs: Sequence[Run]) -> list[str]:
    """One name a run, made different by the optimizer's name or a number where two are the same."""
    names = [run.label for run in runs]
    if len(set(names)) < len(names):
        names = [f"{run.label}, {type(run.optimizer).__name__}" for run in runs]
    return [
        f"{name} ({names[:i].count(name) + 1})" if name in names[:i] else name for i, name in enumerate(names)
    ]


def _seeds(seed: int | Sequence[int]) -> tuple[int, ...]:
    seeds: tuple[Any, ...] = tuple(seed) if isinstance(seed, Iterable) else (seed,)
    if not all(isinstance(s, int | np.integer) for s in seeds):
        raise TypeError(f"seed must be a whole number or several, got {seed!r}")
    require(len(seeds) > 0, "seed", "one seed or several", seed)
    require(len(set(seeds)) == len(seeds), "seed", "different seeds", seed)
    require(min(seeds) >= 0, "seed", "whole numbers of at least 0", seed)
    return tuple(int(s) for s in seeds)


def _updates(parts: list[Block], table: np.ndarray, pace: tuple[int, int], watch: _Watch) -> Iterator[Step]:
    (rows, steps), (every, measure) = table.shape, pace
    weights = Weights(parts, rows)
    for start in range(0, steps, every):
        lr = table[:, start : start + every].copy()
        loss = np.full(lr.shape, np.nan)
        pieces = [slice(i, i + 1) for i in range(lr.shape[1])] if watch.per_update else [slice(None)]
        with _one_blas_thread(), np.errstate(all="ignore"):  # a row may diverge
            for piece in pieces:
                first = start + (piece.start or 0)
                lr[:, piece] *= watch.factor
                for block in parts:
                    block.advance(first, lr[:, piece], loss[:, piece])
                watch.updated(Step(first, lr[:, piece], loss[:, piece], {}, weights))
            end = start + lr.shape[1]
            measured = end % measure == 0 or end == steps
            metrics = gathered(rows, [(b.rows, b.metrics()) for b in parts if b.rows]) if measured else {}
        step = Step(start + lr.shape[1] - 1, lr, loss, metrics, weights)
        watch.measured(step)
        last = step.step == steps - 1 or watch.stopped.all()
        yield replace(step, params=watch.finish(weights)) if last and watch.monitors else step
        if last:
            return
        for block in parts:
            table[block.release(watch.stopped)] = np.nan


class _Watch:
    """The monitors of a training with their states, and what they have decided so far."""

    def __init__(self, monitors: Sequence[Monitor], rows: int) -> None:
        self.monitors = tuple(monitors)
        self.states = [monitor.init(rows) for monitor in self.monitors]
        self.per_update = any(getattr(m, "per_update", False) for m in self.monitors)
        self.factors = [np.ones((rows, 1)) for _ in self.monitors]
        self.stopped = np.zeros(rows, dtype=bool)

    @property
    def factor(self) -> np.ndarray:
        """What the planned rates are multiplied by, (K, 1)."""
        return np.prod([np.ones_like(self.stopped[:, None], float), *self.factors], axis=0)

    def updated(self, step: Step) -> None:
        self._ask(step, per_update=True)

    def measured(self, step: Step) -> None:
        self._ask(step, per_update=False)

    def _ask(self, step: Step, *, per_update: bool) -> None:
        for i, monitor in enumerate(self.monitors):
            if getattr(monitor, "per_update", False) == per_update:
                decision, self.states[i] = monitor.update(step, self.states[i])
                self.factors[i] = np.broadcast_to(np.reshape(decision.factor, (-1, 1)), self.factors[i].shape)
                self.stopped = self.stopped | decision.stop

    def finish(self, params: Params) -> Params:
        for monitor, state in zip(self.monitors, self.states, strict=True):
            params = monitor.finish(state, dict(params))
        return params


@cache
def _controller() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _one_blas_thread() -> AbstractContextManager[Any]:
    # Beside any other busy process, two BLAS threads are 2 to 4 times slower on such small arrays.
    return _controller().limit(limits=1, user_api="blas")
