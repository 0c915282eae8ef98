"""Prune, retrain, and again: one-shot and iterative pruning, of several finals and seeds at once."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from optviz import prune
from optviz._knobs import require
from optviz._rows import namespace
from optviz.recipes.criteria import Magnitude
from optviz.recipes.rounds import Later, Masks, Params, Round, Rows, one, prunable, report, trained
from optviz.training import Run, iterate
from optviz.training.history import whole

__all__ = [
    "Start",
    "by_rounds",
    "dense",
    "next_masks",
    "one_shot",
    "plan",
    "prune_iteratively",
    "rounds_to",
    "seeds_of",
]

MAGNITUDE = Magnitude()
GLOBAL = prune.Global()


def prune_iteratively(
    problem: Any,
    run: Run,
    rounds: Any,
    steps: int,
    *,
    seed: int | Sequence[int] = 0,
    criterion: Any = MAGNITUDE,
    scope: Any = GLOBAL,
    params: Params | None = None,
    dense: int | None = None,
    rewind: int | None = None,
    retrain: Run | None = None,
    floor: int | None = None,
    every: int | None = None,
) -> Iterator[Round]:
    """Train, then again and again: score the weights, remove the lowest, train the rest.

    w ← m⊙w, m = 1 for the (1 − sparsity)·n weights of highest score. Removed weights stay removed. All finals
    and all seeds of a round are trained in one call; the order of images is a new one in each round. The
    generator yields round 0, the dense networks, then one :class:`Round` a row of ``rounds``; dropping it
    stops the training.

    Args:
        problem: what is trained, closed-form or of a module.
        run: optimizer and schedule of the dense training.
        rounds: (R,) sparsities, one a round, none below the one before; or (R, K) for K finals.
        steps: updates of retraining in each round.
        seed: one seed or S of them; rows are finals × seeds, run-major.
        criterion: of ``recipes.criteria``, or K of them, one a final.
        scope: of ``optviz.prune``, or K of them, one a final.
        params: trained dense weights, (*shape) or (S, *shape); trained here when None.
        dense: updates of the dense training; ``steps`` when None.
        rewind: update of the dense training to whose weights the kept ones go back before they are retrained,
            with the schedule from there; None to go on from the weights that there are.
        retrain: optimizer and schedule of a round when it differs from ``run``, such as one with
            ``Later(schedule, at)`` for learning-rate rewinding.
        floor: fewest weights that each layer keeps; None stops with an error where a layer would lose all.
        every: updates between two reports within a round; None for one report at its end.

    Returns:
        An iterator of :class:`Round`.

    Raises:
        TypeError: if ``problem`` is no problem, or ``run`` no run.
        ValueError: if a sparsity is outside [0, 1) or below the one before, numbers of finals differ, weights
            have wrong shapes, or ``rewind`` comes with ``params`` or is beyond the dense training.

    Example:
        >>> from optviz import optimizers, problems
        >>> run = Run(optimizers.SGD(0.9), 0.1)
        >>> for done in prune_iteratively(problems.digits(), run, [0.5, 0.8, 0.9], 60):
        ...     print(done.index, done.sparsity.round(3), bool(done.metrics["validation_accuracy"] > 0.8))
        0 [0.] True
        1 [0.5] True
        2 [0.8] True
        3 [0.9] True

    Reference: Han, Pool, Tran and Dally, Learning both weights and connections for efficient neural networks,
    2015, arXiv:1506.02626; rewinding: Frankle, Dziugaite, Roy and Carbin, 2020, arXiv:1912.05671, and Renda,
    Frankle and Carbin, 2020, arXiv:2003.02389.
    """
    table, criteria, scopes, labels = plan(rounds, criterion, scope)
    rows, steps = Rows(problem, run, seeds_of(seed), labels, every, floor), whole("steps", steps)
    require(rewind is None or params is None, "params", "None where weights are rewound", "weights")
    start = Start(rows, params, whole("dense", steps if dense is None else dense), rewind)
    again = retrain or (run if rewind is None else Run(run.optimizer, Later(run.schedule, rewind)))
    return by_rounds(start, table, criteria, scopes, again, steps)


def rounds_to(final: Any, count: int) -> np.ndarray:
    """Sparsities of rounds that each remove the same share of the weights that are left.

    s_r = 1 − (1 − s)^(r/R) for r = 1 … R.

    Args:
        final: s, sparsity after the last round, in [0, 1): a number or K of them.
        count: R, number of rounds.

    Returns:
        (R,) or (R, K) sparsities, as :func:`prune_iteratively` takes them.

    Raises:
        ValueError: if a sparsity is outside [0, 1), or there is no round.

    Example:
        >>> rounds_to(0.875, 3).tolist()
        [0.5, 0.75, 0.875]

    Reference: Frankle and Carbin, The lottery ticket hypothesis, 2018, arXiv:1803.03635, section 1 (p^(1/n)
    of the weights that survive are removed in each of n rounds).
    """
    s = np.asarray(final, float)
    require(bool(((s >= 0) & (s < 1)).all()), "final", "in [0, 1)", final)
    share = np.arange(1, whole("count", count) + 1) / count
    return 1 - (1 - s) ** (share if s.ndim == 0 else share[:, None])


def one_shot(
    problem: Any,
    run: Run,
    sparsity: Any,
    steps: int,
    *,
    seed: int | Sequence[int] = 0,
    criterion: Any = MAGNITUDE,
    scope: Any = GLOBAL,
    params: Params | None = None,
    dense: int | None = None,
    rewind: int | None = None,
    retrain: Run | None = None,
    floor: int | None = None,
    every: int | None = None,
) -> Iterator[Round]:
    """Train, remove weights once, train the rest: :func:`prune_iteratively` with a single round.

    Args:
        problem, run, steps, seed, criterion, scope, params, dense, rewind, retrain, floor, every: as there.
        sparsity: one final sparsity, or K of them.

    Returns:
        An iterator of :class:`Round`: the dense networks, then the pruned and retrained ones.

    Raises:
        TypeError, ValueError: as :func:`prune_iteratively`.

    Example:
        >>> from optviz import optimizers, problems
        >>> dense, pruned = one_shot(problems.digits(), Run(optimizers.SGD(0.9), 0.1), (0.5, 0.9), 60)
        >>> pruned.labels, pruned.sparsity.round(2).tolist()
        (('50 %', '90 %'), [0.5, 0.9])

    Reference: Han, Pool, Tran and Dally, Learning both weights and connections for efficient neural networks,
    2015, arXiv:1506.02626, section 3 (one round of the three steps).
    """
    finals = np.atleast_1d(np.asarray(sparsity, dtype=object))
    require(finals.ndim == 1, "sparsity", "a number or K of them", sparsity)
    return prune_iteratively(
        problem, run, finals[None], steps, seed=seed, criterion=criterion, scope=scope, params=params,
        dense=dense, rewind=rewind, retrain=retrain, floor=floor, every=every,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Start:
    """Where the rounds of pruning begin.

    Args:
        rows: what stays the same over the rounds.
        params: dense weights, or None to train them.
        steps: updates of the dense training.
        rewind: update whose weights are kept beside, 0 to ``steps``; or None.

    Example:
        >>> from optviz import optimizers, problems
        >>> rows = Rows(problems.digits(), Run(optimizers.SGD(), 0.1), (0,), ("a",), None)
        >>> Start(rows, None, 10, 4).rewind
        4
    """

    rows: Rows
    params: Params | None
    steps: int
    rewind: int | None

    def __post_init__(self) -> None:
        number = isinstance(self.rewind, int | np.integer) and not isinstance(self.rewind, bool)
        ok = self.rewind is None or (number and 0 <= self.rewind <= self.steps)
        require(ok, "rewind", f"a whole number in [0, {self.steps}] (updates)", self.rewind)


def dense(start: Start) -> Generator[Round, None, tuple[Round, Params | None]]:
    """Round 0: the dense networks, trained where they are not given; with the weights to rewind to.

    Returns:
        A generator of rounds that returns the last one, and the weights (S, *shape) of each name at update
        ``start.rewind``, None without one.

    Example:
        >>> from optviz import optimizers, problems
        >>> rows = Rows(problems.digits(), Run(optimizers.SGD(), 0.1), (0,), ("a",), None)
        >>> [first] = dense(Start(rows, None, 10, 0))
        >>> first.step
        10
    """
    rows, drawn = start.rows, start.rows.start(start.params)
    if start.params is None:
        return (yield from _dense(start, drawn))
    metrics, params = rows.for_all(rows.problem.metrics(drawn)), rows.for_all(drawn)
    none = np.zeros((len(rows.names), 0))
    given = report(rows, 0, prunable(params), (metrics, metrics), none, (0, 0), params)
    yield given
    return given, None


def _dense(start: Start, drawn: Params) -> Generator[Round, None, tuple[Round, Params | None]]:
    """The training of round 0, one row a seed."""
    rows, steps, every = start.rows, start.steps, start.rows.every or start.steps
    early = drawn if start.rewind == 0 else None
    before, losses = rows.for_all(rows.problem.metrics(drawn)), []
    pace = math.gcd(every, start.rewind or every)
    for step in iterate(rows.problem, [rows.run], steps, seed=rows.seeds, params=drawn, every=pace):
        at = step.step + 1
        losses.append(step.loss)
        if at == start.rewind:
            early = dict(step.params)
        if at == steps or at % every == 0:
            params, loss = rows.for_all(step.params), np.concatenate(losses, 1)
            loss, losses = rows.for_all({"": loss})[""], []
            metrics = before, rows.for_all(step.metrics)
            found = report(rows, 0, prunable(params), metrics, loss, (at, steps), params)
            yield found
    return found, early


def by_rounds(
    start: Start, table: np.ndarray, criteria: Sequence[Any], scopes: Sequence[Any], again: Run, steps: int
) -> Iterator[Round]:
    """The rounds of :func:`prune_iteratively`, with everything checked.

    Args:
        start: where to begin.
        table: (R, K) sparsities.
        criteria, scopes: K of each.
        again: optimizer and schedule of a round.
        steps: updates of a round.

    Example:
        >>> from optviz import optimizers, problems
        >>> rows = Rows(problems.digits(), Run(optimizers.SGD(), 0.1), (0,), ("a",), None)
        >>> start, table = Start(rows, None, 10, None), np.array([[0.5]])
        >>> found = by_rounds(start, table, [MAGNITUDE], [GLOBAL], rows.run, 5)
        >>> [(round.index, round.step) for round in found]
        [(0, 10), (1, 5)]
    """
    rows = start.rows
    found, early = yield from dense(start)
    for index, sparsities in enumerate(table, start=1):
        masks = next_masks(rows, found, sparsities, criteria, scopes)
        weights = found.params if early is None else rows.for_all(early)
        for found in trained(rows, index, steps, masks, weights, runs=[again] * len(rows.labels)):
            yield found


def next_masks(
    rows: Rows, now: Round, sparsities: Sequence[Any], criteria: Sequence[Any], scopes: Sequence[Any]
) -> Masks:
    """Masks for the next round, row by row: those of now with more weights gone.

    Args:
        rows: what stays the same.
        now: the last round.
        sparsities, criteria, scopes: K of each.

    Returns:
        name -> (K·S, *shape) bool.

    Example:
        >>> from optviz import optimizers, problems
        >>> rows = Rows(problems.digits(), Run(optimizers.SGD(), 0.1), (0,), ("a",), None)
        >>> [first] = dense(Start(rows, None, 10, None))
        >>> masks = next_masks(rows, first, [0.75], [MAGNITUDE], [GLOBAL])
        >>> float(prune.sparsity(masks))
        0.75
    """
    found = []
    for row in range(len(rows.names)):
        k = row // len(rows.seeds)
        weights, kept = one(now.params, row), one(now.masks, row)
        _check_finite(weights, f"{now.labels[row]!r} with seed {now.seeds[row]}")
        scores = criteria[k](rows.problem, weights, rows.chance(now.index, row))
        found.append(prune.mask(scores, sparsities[k], scopes[k], floor=rows.floor, within=kept))
    return prune.stacked(found)


def _check_finite(weights: Params, who: str) -> None:
    bad = [n for n, p in weights.items() if not bool(namespace(p).isfinite(p).all())]
    require(not bad, "run", f"such that training does not diverge (it did for {who})", bad)


def plan(
    rounds: Any, criterion: Any, scope: Any
) -> tuple[np.ndarray, tuple[Any, ...], tuple[Any, ...], tuple[str, ...]]:
    """Sparsities (R, K), criteria (K,), scopes (K,) and labels (K,) of what was asked for, checked.

    Example:
        >>> plan([0.5, 0.75], (MAGNITUDE, MAGNITUDE), GLOBAL)[0].tolist()
        [[0.5, 0.5], [0.75, 0.75]]
    """
    table = np.asarray(rounds, dtype=object)
    table = table[:, None] if table.ndim == 1 else table
    require(table.ndim == 2 and table.size > 0, "rounds", "(R,) or (R, K) sparsities", rounds)
    lists = [v if isinstance(v, tuple | list) else [v] for v in (criterion, scope)]
    finals = max(table.shape[1], *(len(v) for v in lists))
    for name, count in zip(("rounds", "criterion", "scope"), (table.shape[1], *map(len, lists)), strict=True):
        require(count in (1, finals), name, f"one, or one for each of {finals} finals", count)
    require(all(callable(c) for c in lists[0]), "criterion", "of recipes.criteria", criterion)
    table = np.broadcast_to(table, (len(table), finals))
    for column in table.T:
        _check_rounds(column)
    criteria, scopes = (tuple(v) * (finals // len(v)) for v in lists)
    return table, criteria, scopes, _labels(table[-1], criteria, scopes)


def _check_rounds(sparsities: np.ndarray) -> None:
    """Sparsities of one final: numbers in [0, 1) that do not fall; None where the scope has its own."""
    last = 0.0
    for s in sparsities:
        if s is None:
            continue
        number = isinstance(s, int | float | np.number) and not isinstance(s, bool)
        require(number and 0 <= s < 1, "rounds", "sparsities in [0, 1)", s)
        require(s >= last, "rounds", f"no smaller than the round before ({last})", s)
        last = float(s)


def _labels(finals: np.ndarray, criteria: tuple[Any, ...], scopes: tuple[Any, ...]) -> tuple[str, ...]:
    """One name a final, made of what differs."""
    columns = [[str(c) for c in criteria], [str(s) for s in scopes]]
    columns = [names for names in columns if len(set(names)) > 1]
    numbers = ["" if s is None else f"{100 * float(s):g} %" for s in finals]
    if len(set(numbers)) > 1 or not columns:
        columns.append([n or str(scope) for n, scope in zip(numbers, scopes, strict=True)])
    names = [", ".join(parts) for parts in zip(*columns, strict=True)]
    return tuple(
        f"{name} ({names[:i].count(name) + 1})" if name in names[:i] else name for i, name in enumerate(names)
    )


def seeds_of(seed: int | Sequence[int]) -> tuple[int, ...]:
    """One seed or several as a tuple.

    Example:
        >>> seeds_of(3), seeds_of(range(2))
        ((3,), (0, 1))
    """
    return (seed,) if isinstance(seed, int | np.integer) else tuple(seed)
