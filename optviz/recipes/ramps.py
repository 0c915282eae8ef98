"""Gradual pruning: one training in which more and more weights go, along a cubic curve."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from optviz import prune
from optviz._knobs import INF, config, knob, require
from optviz.recipes.criteria import Magnitude
from optviz.recipes.pruning import GLOBAL, next_masks, plan, seeds_of
from optviz.recipes.rounds import Masks, Params, Round, Rows, prunable, report
from optviz.schedules import Polynomial
from optviz.training import Run, iterate
from optviz.training.history import whole

__all__ = ["Ramp", "gradual"]

MAGNITUDE = Magnitude()


@config
class Ramp:
    """Sparsity over the updates of one training: steep at first, flat where few weights are left.

    s_t = s_f + (s_i − s_f)·(1 − (t − t_0)/(n·Δt))³ for t = t_0, t_0 + Δt, …, t_0 + n·Δt, and held in between.
    The share of weights that are left is ``Polynomial(1 − s_i, n·Δt, 3, 1 − s_f)`` of t − t_0.

    Args:
        final: s_f, sparsity at the end.
        begin: t_0, update before which the ramp starts to rise.
        end: t_0 + n·Δt, update before which the last weights go.
        every: Δt, updates between two removals; the last time may be shorter.
        start: s_i, sparsity before ``begin``.

    Raises:
        ValueError: if ``begin`` is not below ``end``, or ``start`` is above ``final``.

    Example:
        >>> Ramp(0.8, 10, 50, every=10)(np.array([0, 10, 20, 29, 30, 50, 99])).round(4).tolist()
        [0.0, 0.0, 0.4625, 0.4625, 0.7, 0.8, 0.8]

    Reference: Zhu and Gupta, To prune, or not to prune: exploring the efficacy of pruning for model
    compression, 2017, arXiv:1710.01878, section 3.
    """

    final: float = knob(default=0.9, low=0.1, high=0.99, hard=(0.0, 1 - 1e-9), label="final sparsity")
    begin: int = knob(default=100, low=0, high=400, hard=(0, INF), unit="updates", label="begin")
    end: int = knob(default=400, low=100, high=1000, hard=(1, INF), unit="updates", label="end")
    every: int = knob(default=10, low=1, high=100, hard=(1, INF), unit="updates", label="every")
    start: float = knob(default=0.0, low=0.0, high=0.5, hard=(0.0, 1 - 1e-9), label="first sparsity")

    def _check(self) -> None:
        require(self.begin < self.end, "Ramp.begin", f"below end ({self.end})", self.begin)
        require(self.start <= self.final, "Ramp.start", f"at most final ({self.final})", self.start)

    def __call__(self, t: Any) -> Any:
        since, span = np.maximum(np.asarray(t) - self.begin, 0), self.end - self.begin
        left = Polynomial(1 - self.start, span, 3.0, 1 - self.final)
        return np.where(since >= span, self.final, 1 - left(since // self.every * self.every))


def gradual(
    problem: Any,
    run: Run,
    finals: Any,
    steps: int,
    *,
    begin: int = 0,
    end: int | None = None,
    every: int = 10,
    seed: int | Sequence[int] = 0,
    criterion: Any = MAGNITUDE,
    scope: Any = GLOBAL,
    params: Params | None = None,
    floor: int | None = None,
) -> Iterator[Round]:
    """Prune while training: before updates t_0 + Δt, t_0 + 2Δt, … the lowest weights go for good.

    How many follows a :class:`Ramp`. It is one training: optimizer state, schedule and order of images go on
    through all removals. All finals and seeds are trained in one call.

    Args:
        problem: what is trained, closed-form or of a module.
        run: optimizer and schedule.
        finals: one final sparsity, or K of them.
        steps: updates of the training, more than ``end``.
        begin: t_0, update before which the ramp starts to rise.
        end: update before which the last weights go; three quarters of the training when None.
        every: Δt, updates between two removals, and between two reports.
        seed: one seed or S of them; rows are finals × seeds, run-major.
        criterion: of ``recipes.criteria``, or K of them, one a final.
        scope: of ``optviz.prune``, or K of them, one a final.
        params: weights to start from, (*shape) or (S, *shape); those that the seeds draw when None.
        floor: fewest weights that each layer keeps; None stops with an error where a layer would lose all.

    Returns:
        An iterator of :class:`~optviz.recipes.Round`, all of round 1, whose masks get smaller.

    Raises:
        TypeError: if ``problem`` is no problem, or ``run`` no run.
        ValueError: if a sparsity is outside [0, 1), the ramp ends after the training, numbers of finals
            differ, or weights have wrong shapes.

    Example:
        >>> from optviz import optimizers, problems
        >>> run = Run(optimizers.SGD(0.9), 0.1)
        >>> for now in gradual(problems.digits(), run, 0.9, 80, begin=20, end=60, every=20):
        ...     print(now.step, now.sparsity.round(3))
        20 [0.]
        40 [0.]
        60 [0.788]
        80 [0.9]

    Reference: Zhu and Gupta, 2017, arXiv:1710.01878.
    """
    steps, table = whole("steps", steps), np.atleast_1d(np.asarray(finals, dtype=object))
    require(table.ndim == 1, "finals", "a number or K of them", finals)
    table, criteria, scopes, labels = plan(table[None], criterion, scope)
    end = round(0.75 * steps) if end is None else end
    ramps = [Ramp(final, begin, end, every) for final in table[0]]
    require(ramps[0].end < steps, "end", f"below the {steps} updates of the training", end)
    rows = Rows(problem, run, seeds_of(seed), labels, ramps[0].every, floor)
    return _removals(rows, ramps, steps, rows.for_all(rows.start(params)), (criteria, scopes))


def _removals(
    rows: Rows, ramps: Sequence[Ramp], steps: int, params: Params, how: tuple[Any, Any]
) -> Iterator[Round]:
    every, ramp = ramps[0].every, ramps[0]
    before = rows.problem.metrics(params)
    live, none = Live(prunable(params)), np.zeros((len(rows.names), 0))
    found = iterate(
        rows.problem, [rows.run] * len(ramps), steps, seed=rows.seeds, params=params,
        every=math.gcd(every, ramp.begin, ramp.end), measure=every, view=live, grads=live,
    )  # fmt: skip
    losses: list[np.ndarray] = []
    for step in found:
        at = step.step + 1
        losses.append(step.loss)
        weights = dict(step.params) if at == steps else step.params
        if step.metrics:
            loss, losses = np.concatenate(losses, 1), []
            yield report(rows, 1, live.masks, (before, step.metrics), loss, (at, steps), weights)
        if at < steps and any(ramp(at) > ramp(at - 1) for ramp in ramps):
            now = report(rows, at, live.masks, (before, before), none, (at, steps), dict(weights))
            live.masks = next_masks(rows, now, [float(ramp(at)) for ramp in ramps], *how)


class Live:
    """A map that holds masked weights at 0, with masks that may be exchanged while a training uses it.

    Args:
        masks: name -> (K, *shape) bool.

    Example:
        >>> live = Live({"w": np.array([[[True, False]]])})
        >>> part = live.of_rows([0])
        >>> live.masks = {"w": np.array([[[False, False]]])}
        >>> part({"w": np.ones((1, 1, 2))})["w"].tolist()
        [[[0.0, 0.0]]]
    """

    def __init__(self, masks: Masks) -> None:
        self.masks = masks

    @property
    def masks(self) -> Masks:
        """The masks that hold now."""
        return self._masks

    @masks.setter
    def masks(self, masks: Masks) -> None:
        self._masks, self.held = masks, prune.masked(masks)

    def __call__(self, params: Mapping[str, Any], lr: Any = None) -> dict[str, Any]:
        return self.held(params)

    def of_rows(self, rows: Sequence[int]) -> Part:
        """The same map for some rows, which follows when masks are exchanged."""
        return Part(self, tuple(rows))


class Part:
    """Some rows of a :class:`Live` map.

    Args:
        whole: the map for all rows.
        rows: numbers of the rows.

    Example:
        >>> Part(Live({"w": np.array([[[True, False]]])}), (0,))({"w": np.ones((1, 1, 2))})["w"].tolist()
        [[[1.0, 0.0]]]
    """

    def __init__(self, whole: Live, rows: tuple[int, ...]) -> None:
        self.whole, self.rows = whole, rows
        self.seen: Any = None

    def __call__(self, params: Mapping[str, Any], lr: Any = None) -> dict[str, Any]:
        if self.seen is not self.whole.held:
            self.seen = self.whole.held
            self.held = self.seen.of_rows(self.rows)
        return self.held(params)
