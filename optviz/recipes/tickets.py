"""Lottery tickets: sparse networks that train well from their first weights, against controls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from optviz import prune
from optviz._knobs import require
from optviz._rows import namespace
from optviz.recipes.criteria import Magnitude
from optviz.recipes.pruning import GLOBAL, Start, dense, next_masks, plan, seeds_of
from optviz.recipes.rounds import Later, Masks, Params, Round, Rows, one, trained
from optviz.training import Run, iterate
from optviz.training.history import whole

__all__ = ["WINNING", "Control", "NewStart", "RandomMask", "tickets"]

WINNING = "winning ticket"
MAGNITUDE = Magnitude()


class Control(Protocol):
    """What a winning ticket is compared with: another mask, or other weights to start from.

    Example:
        >>> RandomMask().label
        'random mask'
    """

    @property
    def label(self) -> str:
        """Its name in pictures."""

    def masks(self, masks: Masks, generator: np.random.Generator) -> dict[str, Any]:
        """Masks name -> (*shape) of the control, given those of the ticket of the same seed."""

    def start(self, weights: Params, others: Params) -> Params:
        """Weights to start from, given those of the ticket and those of an independent draw."""


@dataclass(frozen=True)
class NewStart:
    """The ticket's mask with other first weights: is it the mask alone that wins?

    Args:
        label: its name in pictures.

    Example:
        >>> NewStart().start({"w": 1}, {"w": 2})
        {'w': 2}

    Reference: Frankle and Carbin, The lottery ticket hypothesis, 2018, arXiv:1803.03635, section 2.
    """

    label: str = "new first weights"

    def masks(self, masks: Masks, generator: np.random.Generator) -> dict[str, Any]:
        return dict(masks)

    def start(self, weights: Params, others: Params) -> Params:
        return others


@dataclass(frozen=True)
class RandomMask:
    """The ticket's first weights with a random mask that keeps as many weights of every layer.

    Args:
        label: its name in pictures.

    Example:
        >>> masks = {"w": np.array([[True, False, False, False]])}
        >>> int(RandomMask().masks(masks, np.random.default_rng(0))["w"].sum())
        1

    Reference: Frankle, Dziugaite, Roy and Carbin, Linear mode connectivity and the lottery ticket hypothesis,
    2020, arXiv:1912.05671.
    """

    label: str = "random mask"

    def masks(self, masks: Masks, generator: np.random.Generator) -> dict[str, Any]:
        scores = prune.random(masks, generator)
        gone = prune.Budget({n: prune.sparsity({n: m}) for n, m in masks.items()})
        return prune.mask(scores, None, gone)

    def start(self, weights: Params, others: Params) -> Params:
        return weights


CONTROLS = (NewStart(), RandomMask())


def tickets(
    problem: Any,
    run: Run,
    sparsities: Sequence[float],
    steps: int,
    *,
    seed: int | Sequence[int] = 0,
    rewind: int = 0,
    controls: Sequence[Control] = CONTROLS,
    scope: Any = GLOBAL,
    floor: int | None = None,
    every: int | None = None,
) -> Iterator[Round]:
    """Find winning tickets by iterative magnitude pruning with rewinding, and train controls beside them.

    Train w_0 to w_T. In each round remove the smallest weights of the trained ticket, put the kept ones back
    to what they were at update ``rewind``, and train them again for the rest of the T updates. The controls
    have as many weights in every layer and as many updates, and are trained in the same call; they never
    decide what is pruned. After ``rewind`` dense updates of their own, other first weights are compared at
    the same place of the schedule.

    Args:
        problem: what is trained, closed-form or of a module.
        run: optimizer and schedule of all T updates.
        sparsities: (R,) sparsities, one a round, none below the one before.
        steps: T, updates of the dense training.
        seed: one seed or S of them; rows are (ticket and controls) × seeds, in that order.
        rewind: update to whose weights the kept ones go back; 0 is the first weights.
        controls: what tickets are compared with, such as ``NewStart()`` and ``RandomMask()``.
        scope: of ``optviz.prune``.
        floor: fewest weights that each layer keeps; None stops with an error where a layer would lose all.
        every: updates between two reports within a round; None for one report at its end.

    Returns:
        An iterator of :class:`~optviz.recipes.Round`; ``labels`` tell the ticket from the controls. In round
        0 all rows of a seed are the same dense network.

    Raises:
        TypeError: if ``problem`` is no problem, or ``run`` no run.
        ValueError: if a sparsity is outside [0, 1) or below the one before, or ``rewind`` is not in
            [0, steps).

    Example:
        >>> from optviz import optimizers, problems
        >>> *_, last = tickets(problems.digits(), Run(optimizers.SGD(0.9), 0.1), [0.5, 0.75], 40)
        >>> last.labels, last.sparsity.tolist()
        (('winning ticket', 'new first weights', 'random mask'), [0.75, 0.75, 0.75])

    Reference: Frankle and Carbin, The lottery ticket hypothesis, 2018, arXiv:1803.03635; rewinding to an
    early update: Frankle, Dziugaite, Roy and Carbin, 2019, arXiv:1903.01611.
    """
    table, _, scopes, _ = plan(sparsities, MAGNITUDE, scope)
    require(table.shape[1] == 1, "sparsities", "(R,) numbers, one a round", table.shape)
    labels = (WINNING, *(control.label for control in controls))
    rows = Rows(problem, run, seeds_of(seed), labels, every, floor)
    start = Start(rows, None, whole("steps", steps), rewind)
    require(rewind < steps, "rewind", f"below the {steps} updates", rewind)
    return _rounds(start, table[:, 0], scopes[0], tuple(controls))


def _rounds(
    start: Start, sparsities: np.ndarray, scope: Any, controls: tuple[Control, ...]
) -> Iterator[Round]:
    rows, rewind = start.rows, int(start.rewind or 0)
    found, weights = yield from dense(start)
    first = _first_weights(rows, weights or {}, rewind, controls)
    again = [Run(rows.run.optimizer, Later(rows.run.schedule, rewind))] * len(rows.labels)
    alone = replace(rows, labels=(WINNING,))
    for index, sparsity in enumerate(sparsities, start=1):
        won = next_masks(alone, found, [sparsity], [MAGNITUDE], [scope])  # of the first S rows, the tickets
        masks = _for_controls(rows, won, controls)
        for found in trained(rows, index, start.steps - rewind, masks, first, runs=again):
            yield found


def _first_weights(rows: Rows, weights: Params, rewind: int, controls: tuple[Control, ...]) -> dict[str, Any]:
    """What tickets and controls start from in every round: name -> (K·S, *shape)."""
    seeds = tuple(_other(seed) for seed in rows.seeds)
    others: Params = replace(rows, seeds=seeds).start(None)
    if rewind:
        *_, step = iterate(rows.problem, [rows.run], rewind, seed=seeds, params=others, every=rewind)
        others = dict(step.params)
    parts = [weights, *(control.start(weights, others) for control in controls)]
    return {n: namespace(p).concatenate([part[n] for part in parts]) for n, p in weights.items()}


def _for_controls(rows: Rows, won: Masks, controls: tuple[Control, ...]) -> Masks:
    """The tickets' masks (S, *shape) followed by those of each control: name -> (K·S, *shape)."""
    seeds = rows.seeds
    found = [one(won, i) for i in range(len(seeds))]
    for control in controls:
        # the same draws in every round keep random masks nested, as those of the tickets are
        draws = [np.random.default_rng((seed, 4)) for seed in seeds]
        found += [dict(control.masks(one(won, i), draw)) for i, draw in enumerate(draws)]
    return prune.stacked(found)


def _other(seed: int) -> int:
    """A seed that has nothing to do with this one."""
    return int(np.random.SeedSequence((seed, 3)).generate_state(1, np.uint64)[0])
