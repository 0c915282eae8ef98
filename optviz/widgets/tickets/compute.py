"""What the ticket explorer computes: tickets and their controls, round after round, seed after seed."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from cachetools import LRUCache

from optviz import recipes
from optviz.recipes import NewStart, RandomMask
from optviz.training import Run
from optviz.widgets.tickets.state import MOST_ROUNDS, LabState, problem_of
from optviz.widgets.tickets.words import TICKET_LAB as WORDS

__all__ = ["CONTROLS", "NAMES", "Outcome", "compute"]

NAMES = ("ticket", "random", "reinit")  # what is trained in each round, in the order of its colors
CONTROLS = RandomMask(WORDS["random"]), NewStart(WORDS["reinit"])
MEASUREMENTS = 20
LEAST = 1e-9  # share of weights left; each layer keeps one in any case
REMEMBERED = 300  # seeds on their way through the rounds; each keeps its newest weights, some 100 kB


@dataclass(frozen=True, eq=False)
class Outcome:
    """What has been computed so far. C = 3 networks a round (``NAMES``), S seeds, R rounds; NaN: not yet.

    Args:
        state: what was asked for.
        at, dense_at: (M,), (D,) updates of the dense run at which the rounds' networks, and the dense one,
            were measured.
        accuracy: (C, S, R, M) validation accuracies while training.
        dense: (S, D) those of the dense network.
        pixels: (2, S, R, H, W) weights of the first layer at each pixel: of the ticket, of the random mask.
        layers: (S, R, L) share of each layer's weights that is left.
        images: validation images behind each accuracy.
        progress: share of the work that is done, 0 to 1.
        seconds: time it took so far.
        fresh: networks that were trained for it, the others being remembered.
        note: a sentence on what is going on.
    """

    state: LabState
    at: np.ndarray
    dense_at: np.ndarray
    accuracy: np.ndarray
    dense: np.ndarray
    pixels: np.ndarray
    layers: np.ndarray
    images: int
    progress: float
    seconds: float
    fresh: int = 0
    note: str = ""

    @property
    def trained(self) -> int:
        """Seeds of which all rounds are complete."""
        return int(np.isfinite(self.accuracy[:, :, -1, -1]).all(0).sum())

    def final(self, name: str) -> np.ndarray:
        """(S, R) accuracies after each round of one of ``NAMES``; (S,) of ``"dense"``."""
        return self.dense[:, -1] if name == "dense" else self.accuracy[NAMES.index(name), ..., -1]


@dataclass(eq=False)
class _Round:
    """A round of one seed: curves (C, M), or (1, D) of the dense network, which has no masks.

    Pixels are (2, features), layers (L,).
    """

    curves: np.ndarray
    pixels: np.ndarray | None = None
    layers: np.ndarray | None = None
    done: bool = False


@dataclass(eq=False)
class _Course:
    """One seed on its way: its rounds so far, and the recipe that stands still until more are asked for."""

    going: Iterator[recipes.Round]
    rounds: list[_Round] = field(default_factory=list)

    @property
    def known(self) -> int:
        """Rounds that are complete, the dense network being the first."""
        return sum(found.done for found in self.rounds)


_memory: LRUCache[Any, _Course] = LRUCache(REMEMBERED)


def compute(state: LabState) -> Iterator[Outcome]:
    """The dense network of a seed, then round after round its ticket and the controls; then the next seed.

    What was done before, with the same network, data, rule, share and seed, is remembered: asking for more
    rounds or seeds trains only those, and showing another round trains nothing.

    Args:
        state: what to compare.

    Yields:
        Ever more complete outcomes; the last has ``progress`` 1.

    Raises:
        ValueError: if the batch does not fit the data.
    """
    work = _Work(state)
    if any((state.trained, seed) not in _memory for seed in range(state.seeds)):
        yield work.outcome(0.0)  # before data are loaded
    problem = problem_of(state)
    courses = [_course(state, problem, seed) for seed in range(state.seeds)]
    work.prepare(problem, courses)
    for seed, course in enumerate(courses):
        while course.known <= state.rounds:
            try:
                work.fresh += _advance(course, work.every, len(work.at), len(work.dense_at))
            except BaseException:  # it cannot go on from here: next time it starts anew
                _memory.pop((state.trained, seed), None)
                raise
            work.take(seed, course)
            work.note = WORDS["training"].format(
                round=len(course.rounds) - 1, rounds=state.rounds, seed=seed + 1, seeds=state.seeds
            )
            yield work.outcome()
    yield work.outcome(1.0)


def _course(state: LabState, problem: Any, seed: int) -> _Course:
    """What is known of a seed, or its start."""
    key = state.trained, seed
    if key not in _memory:
        going = recipes.tickets(
            problem,
            Run(state.optimizer, state.lr),
            [1 - max(state.left(r), LEAST) for r in range(1, MOST_ROUNDS + 1)],
            state.steps,
            seed=seed,
            rewind=state.rewind,
            controls=CONTROLS,
            scope=state.scope,
            floor=1,
            every=_pace(state),
        )
        _memory[key] = _Course(going)
    return _memory[key]


def _pace(state: LabState) -> int:
    """Updates between two measurements."""
    return math.ceil(state.steps / MEASUREMENTS)


def _moments(start: int, stop: int, every: int) -> np.ndarray:
    """(M,) updates after which a training from ``start`` to ``stop`` is measured."""
    return np.minimum(np.arange(start + every, stop + every, every), stop)


def _advance(course: _Course, every: int, moments: int, dense_moments: int) -> int:
    """Go on to the next report of the recipe; returns how many networks were finished by it."""
    found = next(course.going)
    if len(course.rounds) == found.index:
        rows, length = (1, dense_moments) if found.index == 0 else (len(NAMES), moments)
        course.rounds.append(_Round(np.full((rows, length), np.nan)))
    now = course.rounds[found.index]
    rows = len(now.curves)
    now.curves[:, math.ceil(found.step / every) - 1] = found.metrics["validation_accuracy"][:rows]
    if found.index and now.pixels is None:
        masks = list(found.masks.values())
        now.pixels = masks[0][:2].sum(1)  # over the hidden units: (2, features)
        now.layers = np.array([m[0].mean() for m in masks])
    now.done = found.done
    return rows * found.done


class _Work:
    """The arrays that outcomes are cut from while they fill."""

    def __init__(self, state: LabState) -> None:
        self.state, self.began, self.every = state, time.perf_counter(), _pace(state)
        self.at, self.dense_at = (_moments(k, state.steps, self.every) for k in (state.rewind, 0))
        shape = state.seeds, state.rounds
        self.accuracy = np.full((len(NAMES), *shape, len(self.at)), np.nan)
        self.dense = np.full((state.seeds, len(self.dense_at)), np.nan)
        self.pixels, self.layers = np.full((2, *shape, 1, 1), np.nan), np.full((*shape, 1), np.nan)
        self.images, self.fresh, self.known = 0, 0, np.zeros(state.seeds)
        self.note = WORDS["loading"]

    def prepare(self, problem: Any, courses: list[_Course]) -> None:
        """Make room for what depends on the network, and put in what is remembered."""
        shape = self.state.seeds, self.state.rounds
        self.images = len(problem.data.validation.y)
        self.pixels = np.full((2, *shape, *problem.data.shape[-2:]), np.nan)
        self.layers = np.full((*shape, len(problem.sizes) - 1), np.nan)
        for seed, course in enumerate(courses):
            self.take(seed, course)

    def take(self, seed: int, course: _Course) -> None:
        """Copy what a seed has so far."""
        for r, found in enumerate(course.rounds[: self.state.rounds + 1]):
            if r == 0:
                self.dense[seed] = found.curves[0]
                continue
            self.accuracy[:, seed, r - 1] = found.curves
            if found.pixels is not None:
                self.pixels[:, seed, r - 1] = found.pixels.reshape(
                    self.pixels.shape[0], *self.pixels.shape[-2:]
                )
                self.layers[seed, r - 1] = found.layers
        measured = np.isfinite(self.dense[seed]).sum() + np.isfinite(self.accuracy[:, seed]).sum()
        self.known[seed] = measured / (self.dense[seed].size + self.accuracy[:, seed].size)

    def outcome(self, progress: float | None = None) -> Outcome:
        """A picture of what there is now."""
        share = min(float(self.known.mean()), 0.999) if progress is None else progress
        arrays = self.accuracy.copy(), self.dense.copy(), self.pixels.copy(), self.layers.copy()
        took, note = time.perf_counter() - self.began, "" if share == 1 else self.note
        return Outcome(
            self.state, self.at, self.dense_at, *arrays, self.images, share, took, self.fresh, note
        )
