"""What the schedule explorer computes: rates, then real trainings, row by row remembered."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from optviz.training import Run, Step, iterate, rate_table
from optviz.widgets.schedule_state import PEAKS, LabState
from optviz.widgets.words import SCHEDULE_LAB

__all__ = ["Outcome", "compute"]

MEASUREMENTS = 25
REMEMBERED = 2_000  # rows; about 3 kB each for 200 updates
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
        accuracy: (K, S, M) fractions.
        images: validation images behind each accuracy.
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
    images: int
    progress: float
    seconds: float
    fresh: int = 0
    note: str = ""

    @property
    def trained(self) -> int:
        """Seeds of which every row is complete."""
        return int((~np.isnan(self.accuracy[:, :, -1])).all(axis=0).sum())

    def diverged(self, k: int) -> bool:
        """Whether the loss of schedule ``k`` left the finite numbers in any seed trained so far."""
        done = ~np.isnan(self.accuracy[k, :, -1])
        return bool((~np.isfinite(self.loss[k, done])).any())


_memory: OrderedDict[Any, tuple[np.ndarray, np.ndarray]] = OrderedDict()


def compute(state: LabState) -> Iterator[Outcome]:
    """Rates at once, then the networks: first one seed of every schedule, then the other seeds.

    A row that was trained before, with the same problem, rule, schedule, seed and length, is remembered, so
    that moving one card trains one card's networks.

    Args:
        state: what to compare.

    Yields:
        Ever more complete outcomes; the last has ``progress`` 1.

    Raises:
        ValueError: if a rate is negative or not finite, or the batch does not fit the data.
    """
    start, runs = time.perf_counter(), state.runs()
    problem = state.problem()
    every = max(1, -(-state.steps // MEASUREMENTS))
    at = np.minimum(np.arange(every, state.steps + every, every), state.steps) - 1
    shape = (len(runs), state.seeds)
    loss, accuracy = np.full((*shape, state.steps), np.nan), np.full((*shape, len(at)), np.nan)
    images = len(problem.data.validation.y)

    def outcome(progress: float, note: str) -> Outcome:
        rates, took = rate_table(runs, state.steps), time.perf_counter() - start
        return Outcome(state, state.labels, rates, loss, at, accuracy, images, progress, took, fresh, note)

    found, base, fresh = "", 0.0, 0
    if state.tuned:
        for share, best in _tuned(problem, runs, state.steps):
            yield outcome(0.5 * share, SCHEDULE_LAB["tuning"].format(count=len(PEAKS)))
            found = _told(best, state.labels)
        runs, base = best, 0.5
    yield outcome(base, SCHEDULE_LAB["training"])
    fresh = sum(_key(problem, r, state.steps, s) not in _memory for r in runs for s in range(state.seeds))
    for seeds in ([0], list(range(1, state.seeds))):
        for done in _fill(problem, runs, state.steps, seeds, every, loss, accuracy):
            share = (done * len(seeds) + min(seeds)) / state.seeds
            yield outcome(base + (1 - base) * min(share, 0.999), SCHEDULE_LAB["training"])
    yield outcome(1.0, found)


def _fill(
    problem: Any,
    runs: Sequence[Run],
    steps: int,
    seeds: list[int],
    every: int,
    loss: np.ndarray,
    accuracy: np.ndarray,
) -> Iterator[float]:
    """Train what is not remembered for these seeds, writing into the arrays; yields the share done."""
    missing = []
    for k, run in enumerate(runs):
        known = [_memory.get(_key(problem, run, steps, seed)) for seed in seeds]
        for seed, row in zip(seeds, known, strict=True):
            if row is not None:
                loss[k, seed], accuracy[k, seed] = row
        if any(row is None for row in known):
            missing.append(k)
    if not missing or not seeds:
        return
    # Slow trainings give way to the page after every update, quick ones after a few milliseconds' worth.
    pace = every if hasattr(problem, "loss_and_grad") else 1
    chosen = [runs[k] for k in missing]
    for step in iterate(problem, chosen, steps, seed=seeds, every=pace, measure=every):
        _write(step, missing, seeds, every, loss, accuracy)
        yield (step.step + 1) / steps
    for k in missing:
        for seed in seeds:
            _remember(_key(problem, runs[k], steps, seed), (loss[k, seed].copy(), accuracy[k, seed].copy()))


def _write(
    step: Step, rows: list[int], seeds: list[int], every: int, loss: np.ndarray, accuracy: np.ndarray
) -> None:
    shape, first = (len(rows), len(seeds), -1), step.step + 1 - step.loss.shape[1]
    loss[np.ix_(rows, seeds, range(first, step.step + 1))] = step.loss.reshape(shape)
    if step.metrics:
        accuracy[np.ix_(rows, seeds, [step.step // every])] = step.metrics["validation_accuracy"].reshape(
            shape
        )


def _tuned(problem: Any, runs: Sequence[Run], steps: int) -> Iterator[tuple[float, tuple[Run, ...]]]:
    """Try every peak rate for every run with a seed of its own; yields the share done and the best so far."""
    trials = [[_at_peak(run, peak) for peak in PEAKS] for run in runs]
    flat = [run for row in trials for run in row]
    for step in iterate(problem, flat, steps, seed=TUNING_SEED, every=max(1, steps // 10)):
        loss = step.metrics["validation_loss"].reshape(len(runs), -1)
        chosen = np.where(np.isfinite(loss), loss, np.inf).argmin(axis=1)
        yield (step.step + 1) / steps, tuple(row[i] for row, i in zip(trials, chosen, strict=True))


def _at_peak(run: Run, peak: float) -> Run:
    """The run with its highest rate moved to ``peak``, everything else in proportion."""
    from optviz.schedules import Scaled

    top = float(np.max(rate_table([run], 1_000)))
    return replace(run, schedule=Scaled(run.schedule, peak / top) if top > 0 else run.schedule)


def _told(runs: Sequence[Run], labels: Sequence[str]) -> str:
    peaks = {label: float(np.max(rate_table([run], 1_000))) for label, run in zip(labels, runs, strict=True)}
    found = ", ".join(f"{label} {peak:.3g}" for label, peak in peaks.items())
    edge = [n for n, p in peaks.items() if min(abs(p / PEAKS[0] - 1), abs(p / PEAKS[-1] - 1)) < 0.01]
    told = SCHEDULE_LAB["tuned"].format(count=len(PEAKS), found=found)
    return told + (SCHEDULE_LAB["edge"].format(labels=", ".join(edge)) if edge else "")


def _key(problem: Any, run: Run, steps: int, seed: int) -> Any:
    return problem, run.optimizer, run.schedule, steps, seed


def _remember(key: Any, value: tuple[np.ndarray, np.ndarray]) -> None:
    _memory[key] = value
    while len(_memory) > REMEMBERED:
        _memory.popitem(last=False)
