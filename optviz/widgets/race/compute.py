"""What the optimizer race computes: ways on a surface, then networks on digits, each remembered."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from cachetools import LRUCache

from optviz.training import Run, iterate
from optviz.widgets.race.state import FIRST as USUAL
from optviz.widgets.race.state import RATES, START, RaceState
from optviz.widgets.race.words import WORDS

__all__ = ["Race", "compute", "followed"]

FIRST, SLICE = 0.008, 0.04  # seconds of racing until the first result, and between two results
MEASUREMENTS = 20
KEPT = 4_000  # ways and networks that are remembered, of some 5 kB each
TUNING_SEED = 10_000  # apart from the seeds that are reported


@dataclass(frozen=True, eq=False)
class Race:
    """What is known so far. K racers, T updates on the surface, S seeds, U updates on digits; NaN: not yet.

    Args:
        state: what was asked for.
        rates: (K, 2) rates on the surface and on digits.
        paths: (K, T + 1, 2) places, the start first; NaN from where a racer is no longer on this world.
        loss: (K, S, U) training losses of the batches of digits.
        at: (M,) updates on digits at which accuracy was measured.
        accuracy: (K, S, M) fractions.
        progress: share of the work that is done, 0 to 1.
        seconds: time it took so far.
        fresh: ways and networks that were computed, the others being remembered.
        note: a sentence on what is going on, or on what was found.
    """

    state: RaceState
    rates: np.ndarray
    paths: np.ndarray
    loss: np.ndarray
    at: np.ndarray
    accuracy: np.ndarray
    progress: float
    seconds: float
    fresh: int = 0
    note: str = ""

    @property
    def heights(self) -> np.ndarray:
        """(K, T + 1) heights, above the lowest point where there is one."""
        surface = self.state.plane
        with np.errstate(all="ignore"):
            found = np.asarray(surface(self.paths[..., 0], self.paths[..., 1]), float)
        return found - surface.lowest if np.isfinite(surface.lowest) else found

    @property
    def trained(self) -> int:
        """Seeds of which the networks of all racers are done."""
        return int((~np.isnan(self.accuracy[:, :, -1])).all(axis=0).sum())

    def diverged(self, k: int) -> bool:
        """Whether racer ``k`` ended on digits with a loss above that of guessing, or with none."""
        last = self.loss[k, : self.trained, -max(1, self.loss.shape[2] // 20) :]
        return bool(last.size and not np.nanmean(np.where(np.isfinite(last), last, np.inf)) < 2 * np.log(10))


def compute(state: RaceState) -> Iterator[Race]:
    """The ways on the surface first, then the networks, one seed of every racer before the other seeds.

    Args:
        state: the race.

    Yields:
        Ever more complete results; the last has ``progress`` 1.
    """
    start, racers = time.perf_counter(), len(state.entries)
    every = max(1, state.digits_steps // MEASUREMENTS)
    at = np.minimum(np.arange(every, state.digits_steps + every, every), state.digits_steps) - 1
    rates = np.array([(entry.lr, entry.lr_digits) for entry in state.entries])
    paths = np.full((racers, state.steps + 1, 2), np.nan)
    loss = np.full((racers, state.seeds, state.digits_steps), np.nan)
    accuracy, fresh = np.full((racers, state.seeds, len(at)), np.nan), 0

    def race(progress: float, note: str) -> Race:
        took = time.perf_counter() - start
        return Race(state, rates, paths, loss, at, accuracy, progress, took, fresh, note)

    yield race(0.0, WORDS["racing"])
    found = ""
    if state.tuned:
        for share in _tuned(state, rates):
            yield race(0.3 * share, WORDS["tuning"].format(count=len(RATES)))
        found = _told(state, rates)
    base = 0.3 if state.tuned else 0.0
    fresh += yield from _raced(state, rates[:, 0], paths, lambda share: race(base, WORDS["racing"]))
    seeds = list(range(state.seeds))
    for some, low, high in ((seeds[:1], base + 0.05, base + 0.25), (seeds[1:], base + 0.25, 1.0)):
        report = _reporter(race, low, high)
        fresh += yield from _trained(state, rates[:, 1], some, (loss, accuracy), every, report)
    yield race(1.0, found)


def _reporter(race: Callable[[float, str], Race], low: float, high: float) -> Callable[[float], Race]:
    return lambda share: race(min(low + (high - low) * share, 0.999), WORDS["training"])


def _raced(
    state: RaceState, rates: np.ndarray, paths: np.ndarray, report: Callable[[float], Race]
) -> Generator[Race, None, int]:
    """Fill in the ways on the surface; returns how many had to be computed."""
    keys = [_way(state, k, lr) for k, lr in enumerate(rates)]
    paths[:, 0] = state.x, state.y
    rows = [k for k, key in enumerate(keys) if key not in _memory]
    for k, key in enumerate(keys):
        if key in _memory:
            paths[k] = _memory[key]
    runs = [Run(state.entries[k].rule, float(rates[k]), str(k)) for k in rows]
    if runs:
        clock = time.perf_counter() - SLICE + FIRST
        for step in iterate(state.descent(), runs, state.steps, every=1, measure=state.steps):
            paths[rows, step.step + 1] = step.params["xy"]
            if time.perf_counter() - clock > SLICE:
                yield report(0.0)
                clock = time.perf_counter()
        _cut(state, paths)
        for k in rows:
            _memory[keys[k]] = paths[k].copy()
        yield report(1.0)
    return len(rows)


def _cut(state: RaceState, paths: np.ndarray) -> None:
    """End a way where it has left the picture by far: numbers beyond that say nothing, and can't be drawn."""
    (left, right), (low, high) = state.plane.xlim, state.plane.ylim
    reach = 50 * max(right - left, high - low, abs(state.x), abs(state.y))
    with np.errstate(invalid="ignore"):
        gone = ~(np.abs(paths) < reach).all(axis=-1)
    paths[np.logical_or.accumulate(gone, axis=1)] = np.nan


def _trained(
    state: RaceState,
    rates: np.ndarray,
    seeds: Sequence[int],
    into: tuple[np.ndarray, np.ndarray],
    every: int,
    report: Callable[[float], Race],
) -> Generator[Race, None, int]:
    """Fill in the networks of these seeds; returns how many had to be trained."""
    loss, accuracy = into
    keys = {(k, s): _network(state, k, lr, s) for k, lr in enumerate(rates) for s in seeds}
    missing = [place for place, key in keys.items() if key not in _memory]
    for place, key in keys.items():
        if key in _memory:
            loss[place], accuracy[place] = _memory[key]
    rows, some = sorted({k for k, _ in missing}), sorted({s for _, s in missing})
    if missing:
        shape, steps = (len(rows), len(some), -1), state.digits_steps
        runs = [Run(state.entries[k].rule, float(rates[k]), str(k)) for k in rows]
        for step in iterate(state.network(), runs, steps, seed=some, every=every):
            here = range(step.step + 1 - step.loss.shape[1], step.step + 1)
            loss[np.ix_(rows, some, here)] = step.loss.reshape(shape)
            measured = step.metrics["validation_accuracy"].reshape(shape)
            accuracy[np.ix_(rows, some, [step.step // every])] = measured
            yield report((step.step + 1) / steps)
        for k, s in missing:
            _memory[keys[k, s]] = loss[k, s].copy(), accuracy[k, s].copy()
        yield report(1.0)
    return len(missing)


def _tuned(state: RaceState, rates: np.ndarray) -> Iterator[float]:
    """Write every racer's own best rates into ``rates``: by the height at the end, by validation loss."""
    place = state.surface, state.x, state.y, state.noise
    tasks: tuple[Any, ...] = (
        (0, state.descent(), state.steps, "height", place),
        (1, state.network(), state.digits_steps, "validation_loss", (state.batch,)),
    )
    for column, problem, steps, figure, what in tasks[: rates.shape[1]]:
        if column == 0 and not np.isfinite(state.plane.lowest):
            continue  # where there is no lowest point, the best would be to run away
        keys = [("best", e.rule, steps, column, *what) for e in state.entries]
        rows = [k for k, key in enumerate(keys) if key not in _memory]
        runs = [Run(state.entries[k].rule, lr, "trial") for k in rows for lr in RATES]
        end = np.zeros(len(runs))
        pace = max(1, steps // 40)
        for step in iterate(problem, runs, steps, seed=TUNING_SEED, every=pace) if runs else ():
            end = step.metrics[figure]
            yield (column + (step.step + 1) / steps) / 2
        scores = np.where(np.isfinite(end), end, np.inf).reshape(len(rows), len(RATES))
        for k, row in zip(rows, scores, strict=True):
            _memory[keys[k]] = RATES[int(row.argmin())]
        rates[:, column] = [_memory[key] for key in keys]


def followed(old: RaceState, new: RaceState) -> RaceState:
    """Another surface has another usual start and other heights: each racer gets its own best rate there."""
    if new.surface == old.surface or (new.x, new.y) != (old.x, old.y):
        return new
    new = replace(new, x=new.plane.start[0], y=new.plane.start[1])
    rates = np.array([[USUAL.get(type(entry.rule).__name__, START)[0]] for entry in new.entries])
    for _ in _tuned(new, rates):
        pass
    pairs = zip(new.entries, rates[:, 0], strict=True)
    return replace(new, entries=tuple(replace(entry, lr=float(lr)) for entry, lr in pairs))


def _told(state: RaceState, rates: np.ndarray) -> str:
    said = [
        ", ".join(f"{n} {lr:.2g}" for n, lr in zip(state.labels, column, strict=True)) for column in rates.T
    ]
    told = WORDS["tuned"].format(count=len(RATES), surface=said[0], digits=said[1])
    ends = np.isclose(rates[..., None], [RATES[0], RATES[-1]], rtol=1e-6).any(axis=(1, 2))
    edge = [name for name, at_end in zip(state.labels, ends, strict=True) if at_end]
    return told + (WORDS["edge"].format(labels=", ".join(edge)) if edge else "")


_memory: LRUCache[Any, Any] = LRUCache(KEPT)


def _way(state: RaceState, k: int, lr: float) -> Any:
    return "way", state.entries[k].rule, float(lr), state.surface, state.x, state.y, state.noise, state.steps


def _network(state: RaceState, k: int, lr: float, seed: int) -> Any:
    return "network", state.entries[k].rule, float(lr), state.batch, state.digits_steps, seed
