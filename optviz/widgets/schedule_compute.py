"""What the schedule explorer computes: rates, then real trainings, row by row remembered."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from cachetools import LRUCache

from optviz.training import Run, iterate, rate_table
from optviz.widgets.schedule_state import PEAKS, LabState
from optviz.widgets.words import SCHEDULE_LAB

__all__ = ["Outcome", "compute"]

MEASUREMENTS = 25
REMEMBERED = 32_000_000  # bytes of remembered rows; one of 200 updates takes 2 kB
TUNING_SEED = 10_000  # apart from the seeds that are reported


@dataclass(frozen=True, eq=False)
class Outcome:
    """What has been computed so far. K schedules, S seeds, T updates, M measurements; NaN: not yet.

    Args:
        state: what was asked for.
        labels: K names.
        rates: (K, T) learning rates.
        loss: (K, S, T) training losses of the batches.
        at: (M,) updates at which the validation accuracy was measured.
        accuracy: (K, S, M) fractions; also NaN where a loss is no number any more.
        complete: (K, S) bool, which trainings are done.
        images: validation images behind each accuracy.
        classes: classes to tell apart.
        progress: share of the work that is done, 0 to 1.
        seconds: time it took so far.
        fresh: networks that were trained for it, the others being remembered.
        note: a sentence on what is going on, or on what was found.
    """

    state: LabState
    labels: tuple[str, ...]
    rates: np.ndarray
    loss: np.ndarray
    at: np.ndarray
    accuracy: np.ndarray
    complete: np.ndarray
    images: int
    classes: int
    progress: float
    seconds: float
    fresh: int = 0
    note: str = ""

    @property
    def trained(self) -> int:
        """Seeds of which every row is complete."""
        return int(self.complete.all(axis=0).sum())

    @property
    def fallen(self) -> np.ndarray:
        """(K, S) which trainings diverged, of those that are done.

        Their loss left the finite numbers, or ended at more than twice what it began with and what guessing
        gets, ln(classes).
        """
        tail = max(1, self.loss.shape[2] // 20)
        limit = 2 * np.maximum(self.loss[:, :, 0], np.log(self.classes))
        ended = self.loss[:, :, -tail:].mean(axis=2)
        return self.complete & (~np.isfinite(self.loss).all(axis=2) | (ended > limit))

    def diverged(self, k: int) -> bool:
        """Whether schedule ``k`` diverged with any seed trained so far."""
        return bool(self.fallen[k].any())


def compute(state: LabState) -> Iterator[Outcome]:
    """Rates at once, then the networks: first one seed of every schedule, then the other seeds.

    A row that was trained before, on the same problem with the same rule, seed and rates, is remembered, so
    that moving one card trains one card's networks.

    Args:
        state: what to compare.

    Yields:
        Ever more complete outcomes; the last has ``progress`` 1.

    Raises:
        ValueError: if a rate is negative or not finite, or the batch does not fit the data.
    """
    start, rates = time.perf_counter(), rate_table(state.runs(), state.steps)
    every = max(1, -(-state.steps // MEASUREMENTS))
    at = np.minimum(np.arange(every, state.steps + every, every), state.steps) - 1
    shape = (len(rates), state.seeds)
    loss, accuracy = np.full((*shape, state.steps), np.nan), np.full((*shape, len(at)), np.nan)
    complete, sizes = np.zeros(shape, bool), (0, 1)

    def outcome(progress: float, note: str, fresh: int = 0) -> Outcome:
        took = time.perf_counter() - start
        done = loss, at, accuracy, complete
        return Outcome(state, state.labels, rates, *done, *sizes, progress, took, fresh, note)

    yield outcome(0.0, SCHEDULE_LAB["training"])  # before data or torch are loaded, which may take a while
    problem, found, base = state.problem(), "", 0.0
    sizes = len(problem.data.validation.y), problem.data.classes
    if state.tuned:
        peaks = np.full(len(rates), np.nan)
        yield outcome(0.0, SCHEDULE_LAB["tuning"].format(count=len(PEAKS)))
        for share in _tune(state, problem, rates, peaks):
            yield outcome(0.5 * share, SCHEDULE_LAB["tuning"].format(count=len(PEAKS)))
        rates, base = _at_peaks(rates, peaks), 0.5
        found = _told(rates.max(axis=1), state.labels)
    keys = [[_key(state, row, seed) for seed in range(state.seeds)] for row in rates]
    groups = [_missing(keys, seeds) for seeds in ([0], list(range(1, state.seeds)))]
    fresh, trained = sum(len(rows) * len(seeds) for rows, seeds in groups), 0
    yield outcome(base, SCHEDULE_LAB["training"], fresh)
    for (rows, seeds), stop in zip(groups, (1, state.seeds), strict=True):
        _recall(keys, stop, loss, accuracy, complete)
        for share in _train(state, problem, rates, rows, seeds, every, loss, accuracy):
            done = (trained + share * len(rows) * len(seeds)) / fresh
            yield outcome(base + (1 - base) * min(done, 0.999), SCHEDULE_LAB["training"], fresh)
        trained += len(rows) * len(seeds)
        complete[:, :stop] = True
        for k, s in ((k, s) for k in rows for s in seeds):
            _memory[keys[k][s]] = loss[k, s].copy(), accuracy[k, s].copy()
    yield outcome(1.0, found, fresh)


def _missing(keys: list[list[Any]], seeds: list[int]) -> tuple[list[int], list[int]]:
    """The schedules and, of these seeds, the ones that have to be trained."""
    rows = [k for k, row in enumerate(keys) if any(row[s] not in _memory for s in seeds)]
    return rows, [s for s in seeds if any(keys[k][s] not in _memory for k in rows)]


def _recall(
    keys: list[list[Any]], stop: int, loss: np.ndarray, accuracy: np.ndarray, complete: np.ndarray
) -> None:
    """Write what is remembered of the first ``stop`` seeds into the arrays."""
    for k, row in enumerate(keys):
        for s, key in enumerate(row[:stop]):
            if key in _memory:
                loss[k, s], accuracy[k, s] = _memory[key]
                complete[k, s] = True


def _train(
    state: LabState,
    problem: Any,
    rates: np.ndarray,
    rows: list[int],
    seeds: list[int],
    every: int,
    loss: np.ndarray,
    accuracy: np.ndarray,
) -> Iterator[float]:
    """Train these rows with these seeds, writing into the arrays; yields the share done."""
    if not rows or not seeds:
        return
    # Slow trainings give way to the page after every update, quick ones after a few milliseconds' worth.
    pace = every if hasattr(problem, "loss_and_grad") else 1
    shape = (len(rows), len(seeds), -1)
    runs = [Run(state.optimizer, _Table(rates[k]), state.labels[k]) for k in rows]
    for step in iterate(problem, runs, state.steps, seed=seeds, every=pace, measure=every):
        here = range(step.step + 1 - step.loss.shape[1], step.step + 1)
        loss[np.ix_(rows, seeds, here)] = step.loss.reshape(shape)
        if step.metrics:
            measured = step.metrics["validation_accuracy"].reshape(shape)
            accuracy[np.ix_(rows, seeds, [step.step // every])] = measured
        yield (step.step + 1) / state.steps


def _tune(state: LabState, problem: Any, rates: np.ndarray, peaks: np.ndarray) -> Iterator[float]:
    """Try every peak rate for every schedule with a seed of its own; writes the best into ``peaks``."""
    keys = [_key(state, row, TUNING_SEED) for row in rates]
    for k, key in enumerate(keys):
        peaks[k] = _tuned.get(key, np.nan)
    rows = [k for k in range(len(rates)) if np.isnan(peaks[k])]
    if not rows:
        return
    trials = [_at_peaks(rates[k][None], np.array([peak]))[0] for k in rows for peak in PEAKS]
    runs = [Run(state.optimizer, _Table(trial), "trial") for trial in trials]
    pace = max(1, state.steps // 40) if hasattr(problem, "loss_and_grad") else 1
    best = np.zeros(len(rows), int)
    for step in iterate(problem, runs, state.steps, seed=TUNING_SEED, every=pace, measure=4 * pace):
        if step.metrics:
            end = step.metrics["validation_loss"].reshape(len(rows), -1)
            best = np.where(np.isfinite(end), end, np.inf).argmin(axis=1)
        yield (step.step + 1) / state.steps
    peaks[rows] = np.array(PEAKS)[best]
    _tuned.update((keys[k], float(peaks[k])) for k in rows)
    while len(_tuned) > 2_000:
        _tuned.pop(next(iter(_tuned)))


def _at_peaks(rates: np.ndarray, peaks: np.ndarray) -> np.ndarray:
    """Rates (K, T) with the highest of each row moved to its peak, everything else in proportion."""
    tops = rates.max(axis=1)
    return rates * np.divide(peaks, tops, out=np.ones_like(tops), where=tops > 0)[:, None]


def _told(peaks: np.ndarray, labels: tuple[str, ...]) -> str:
    found = ", ".join(f"{label} {peak:.3g}" for label, peak in zip(labels, peaks, strict=True))
    ends = np.isclose(peaks[:, None], [PEAKS[0], PEAKS[-1]], rtol=1e-6).any(axis=1)
    edge = [label for label, at_end in zip(labels, ends, strict=True) if at_end]
    told = SCHEDULE_LAB["tuned"].format(count=len(PEAKS), found=found)
    return told + (SCHEDULE_LAB["edge"].format(labels=", ".join(edge)) if edge else "")


class _Table:
    """Rates that have been worked out: what is drawn is what trains, even if a callable changes its mind."""

    takes_arrays = True

    def __init__(self, rates: np.ndarray) -> None:
        self.rates = rates

    def __call__(self, step: Any) -> Any:
        return self.rates[np.asarray(step)]


class _Same:
    """Stands for an object that has no hash: equal to itself only, and keeps it alive."""

    def __init__(self, thing: Any) -> None:
        self.thing = thing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.thing is self.thing

    def __hash__(self) -> int:
        return id(self.thing)


def _bytes(row: tuple[np.ndarray, np.ndarray]) -> int:
    return sum(a.nbytes for a in row)


_memory: LRUCache[Any, tuple[np.ndarray, np.ndarray]] = LRUCache(REMEMBERED, _bytes)
_tuned: dict[Any, float] = {}


def _key(state: LabState, rates: np.ndarray, seed: int) -> Any:
    """Everything that determines a training; a schedule counts by its rates."""
    what = [thing if _hashable(thing) else _Same(thing) for thing in (*state.trained, state.optimizer)]
    return *what, blake2b(np.ascontiguousarray(rates).tobytes(), digest_size=16).digest(), seed


def _hashable(thing: Any) -> bool:
    try:
        hash(thing)
    except TypeError:
        return False
    return True
