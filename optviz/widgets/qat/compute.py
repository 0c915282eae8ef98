"""What the training-aware explorer computes: five networks of few bits, beside them one of full precision."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from cachetools import LRUCache

from optviz import recipes
from optviz.optimizers import SGD
from optviz.quantize import MinMax, choose_qparams
from optviz.training import Run, train
from optviz.widgets.qat.state import BITS, LAYERS, LabState, problem_of
from optviz.widgets.qat.words import QAT_LAB as WORDS

__all__ = ["FIRST", "Outcome", "Weights", "compute", "places"]

MEASUREMENTS = 25
PACE = 5  # updates between two moments at which the page may draw, at most
BINS = 64  # that weights are counted in
FIRST = 200, 0.1  # updates and rate of the networks that training starts from
REMEMBERED = 200  # trainings of one seed; each takes some 300 kB
STARTS, ROUNDED = 500, 2_000


@dataclass(frozen=True, eq=False)
class Weights:
    """Where the weights of one layer are, for each of B bits: in steps of their codes.

    Args:
        density: (B, BINS) share of the weights for each step of width, at ``places(bits)``.
        levels: (B, 16) share of the weights on each level, from LSQ's lowest; NaN where there are more.
        outside: (B,) share of the weights more than half a step beyond the ends of their code.
    """

    density: np.ndarray
    levels: np.ndarray
    outside: np.ndarray


@dataclass(frozen=True, eq=False)
class Outcome:
    """What has been computed so far. S seeds, B bits, M measurements; NaN: not yet.

    Args:
        state: what was asked for.
        at: (M,) updates after which networks were measured, 0 first.
        trained: (S, B, M) validation accuracies of networks trained while rounded.
        after: (S, B, M) those of networks rounded after as many updates.
        full: (S, M) those of networks that are not rounded.
        weights: name of a layer → one :class:`Weights` a measurement so far, of seed 0.
        images: validation images behind each accuracy.
        progress: share of the work that is done, 0 to 1.
        seconds: time it took so far.
        fresh: networks that were trained for it, the others being remembered.
        note: a sentence on what is going on.
    """

    state: LabState
    at: np.ndarray
    trained: np.ndarray
    after: np.ndarray
    full: np.ndarray
    weights: dict[str, list[Weights]]
    images: int
    progress: float
    seconds: float
    fresh: int = 0
    note: str = ""

    @property
    def done(self) -> int:
        """Seeds that are complete."""
        return int(np.isfinite(self.full[:, -1]).sum())

    @property
    def place(self) -> int:
        """The measurement that is shown: the last one up to the update that is asked for."""
        return int(np.searchsorted(self.at, self.state.shown, side="right")) - 1


@dataclass(eq=False)
class _Course:
    """One seed on its way: what was measured, and the recipe that stands still until more is asked for."""

    going: Iterator[recipes.Rounding]
    trained: list[np.ndarray] = field(default_factory=list)
    full: list[float] = field(default_factory=list)
    plain: list[Any] = field(default_factory=list)
    weights: list[dict[str, Weights]] = field(default_factory=list)


_memory: LRUCache[Any, _Course] = LRUCache(REMEMBERED)
_starts: LRUCache[Any, Any] = LRUCache(STARTS)
_after: LRUCache[Any, list[np.ndarray]] = LRUCache(ROUNDED)


def compute(state: LabState) -> Iterator[Outcome]:
    """Train seed after seed, all bits side by side; what PTQ gives is rounded from what trains beside them.

    What was done before is remembered: another range of PTQ, other bits to show or another update train
    nothing.

    Args:
        state: what to compare.

    Yields:
        Ever more complete outcomes; the last has ``progress`` 1.

    Raises:
        ValueError: if the batch does not fit the data.
    """
    work = _Work(state)
    if any((state.course, seed) not in _memory for seed in range(state.seeds)):
        yield work.outcome()  # before data are loaded
    work.images = len(problem_of(state).data.validation.y)
    for seed in range(state.seeds):
        new = (state.course, seed) not in _memory
        for _ in _advanced(state, seed, len(work.at), work.every):
            work.take(seed)
            yield work.outcome()
        work.take(seed)
        work.fresh += new * (len(BITS) + 1)
    yield work.outcome(1.0)


def _advanced(state: LabState, seed: int, moments: int, every: int) -> Iterator[None]:
    """Go on with a seed until it is complete; a moment for drawing after each few milliseconds."""
    if state.trained and (state.task, seed) not in _starts:
        _starts[state.task, seed] = _first(state, seed)
        yield
    key = state.course, seed
    if key not in _memory:
        _memory[key] = _Course(_recipe(state, seed, _pace(every)))
    course, rounded = _memory[key], _after.setdefault((*key, state.range), [])
    try:
        while len(course.full) < moments:
            now = next(course.going)
            if now.step % every == 0 or now.done:
                _note(course, now, state, seed)
                yield from _round(state, course, rounded)
            yield
    except BaseException as error:  # it cannot go on from here: next time it starts anew
        if not isinstance(error, GeneratorExit):
            _memory.pop(key, None)
        raise
    while len(rounded) < moments:
        yield from _round(state, course, rounded)


def _first(state: LabState, seed: int) -> Any:
    """Weights of one network trained without rounding."""
    steps, lr = FIRST
    run = Run(SGD(momentum=0.9), lr)
    found = train(problem_of(state), [run], steps, seed=seed, every=steps).params
    return {name: p[0] for name, p in found.items()}


def _recipe(state: LabState, seed: int, every: int) -> Iterator[recipes.Rounding]:
    return recipes.qat(
        problem_of(state),
        Run(SGD(momentum=0.9), state.lr),
        BITS,
        state.steps,
        seed=seed,
        params=_starts[state.task, seed] if state.trained else None,
        per=state.per,
        learned=state.learned,
        units=state.units,
        every=every,
    )


def _every(state: LabState) -> int:
    """Updates between two measurements."""
    return math.ceil(state.steps / MEASUREMENTS)


def _pace(every: int) -> int:
    """Updates between two moments at which the page may draw: a divisor of ``every``."""
    return max(n for n in range(1, PACE + 1) if every % n == 0)


def _note(course: _Course, now: recipes.Rounding, state: LabState, seed: int) -> None:
    """Remember what a report says."""
    course.trained.append(np.asarray(now.trained["validation_accuracy"], float))
    course.full.append(float(now.full["validation_accuracy"][0]))
    course.plain.append({n: np.array(p) for n, p in now.plain.items()})
    if seed == 0:
        names = [n for n in now.plain if n.startswith("weight")]
        course.weights.append({name: _counted(now, names[i], state) for name, i in LAYERS.items()})


def _round(state: LabState, course: _Course, rounded: list[np.ndarray]) -> Iterator[None]:
    """Round the network without rounding as it was at the next measurement that lacks it."""
    plain, found = course.plain[len(rounded)], []
    options = {"per": state.per, "range": state.range, "units": state.units}
    quick = isinstance(state.range, MinMax)  # other ranges take ten times as long to find
    for some in [BITS] if quick else [(b,) for b in BITS]:
        seen, params = recipes.ptq(problem_of(state), plain, some, **options)
        found.append(np.asarray(seen.metrics(params)["validation_accuracy"], float))
        yield
    rounded.append(np.concatenate(found))


def places(bits: int) -> np.ndarray:
    """(BINS + 1,) ends of the bins that weights are counted in: in steps, somewhat beyond the code."""
    end = 1.25 * 2 ** (bits - 1) + 1
    return np.linspace(-end, end, BINS + 1)


def _counted(now: recipes.Rounding, name: str, state: LabState) -> Weights:
    """Where one layer's weights are."""
    w, seen = np.asarray(now.latent[name], float), np.asarray(now.params[name], float)
    if state.learned:
        step = now.latent[f"{name}.step"]
    else:
        step = choose_qparams(w, BITS, state.per, symmetric=True).scale
    at, codes = w / step, np.round(seen / step)
    density, levels, outside = [], np.full((len(BITS), 16), np.nan), []
    for b, bits in enumerate(BITS):
        edges, high = places(bits), 2 ** (bits - 1) - 1
        low = -high - 1 if state.learned else -high
        counts = np.histogram(at[b], edges)[0]
        density.append(counts / at[b].size / (edges[1] - edges[0]))
        outside.append(((at[b] > high + 0.5) | (at[b] < low - 0.5)).mean())
        if bits <= 4:
            on = np.arange(-high - 1, high + 1)
            levels[b, : len(on)] = (codes[b].reshape(-1, 1) == on).mean(0)
    return Weights(np.array(density, np.float32), levels.astype(np.float32), np.array(outside))


class _Work:
    """The arrays that outcomes are cut from while they fill."""

    def __init__(self, state: LabState) -> None:
        self.state, self.began, self.every = state, time.perf_counter(), _every(state)
        after = np.arange(self.every, state.steps + self.every, self.every)
        self.at = np.concatenate([[0], np.minimum(after, state.steps)])
        shape = state.seeds, len(BITS), len(self.at)
        self.trained, self.after = np.full(shape, np.nan), np.full(shape, np.nan)
        self.full = np.full((state.seeds, len(self.at)), np.nan)
        self.weights: dict[str, list[Weights]] = {name: [] for name in LAYERS}
        self.images, self.fresh, self.note = 0, 0, WORDS["loading"]

    def take(self, seed: int) -> None:
        """Copy what a seed has so far."""
        state = self.state
        course = _memory.get((state.course, seed))
        if course is None:
            return
        rounded = _after.get((state.course, seed, state.range), [])
        for values, found in ((self.trained, course.trained), (self.after, rounded)):
            if found:
                values[seed, :, : len(found)] = np.array(found).T
        self.full[seed, : len(course.full)] = course.full
        if seed == 0:
            self.weights = {name: [w[name] for w in course.weights] for name in LAYERS}
        self.note = WORDS["training"].format(seed=seed + 1, seeds=state.seeds)

    def outcome(self, progress: float | None = None) -> Outcome:
        """A picture of what there is now."""
        known = np.isfinite(self.after).mean()
        share = min(float(known), 0.999) if progress is None else progress
        arrays = self.trained.copy(), self.after.copy(), self.full.copy(), self.weights
        took, note = time.perf_counter() - self.began, "" if share == 1 else self.note
        return Outcome(self.state, self.at, *arrays, self.images, share, took, self.fresh, note)
