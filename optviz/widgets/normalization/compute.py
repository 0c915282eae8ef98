"""What the normalization explorer computes: a sweep of rates for each network, and a look into its layers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from cachetools import LRUCache

from optviz.training import Run, iterate
from optviz.widgets.normalization.state import RATES, Entry, LabState
from optviz.widgets.normalization.words import NORMALIZATION_LAB as WORDS

__all__ = ["BINS", "Layers", "Outcome", "Trained", "compute", "look"]

PROBE = 256  # training images that the layers are looked at with
BINS = np.linspace(-8, 4, 49)  # of log10 |value|
REMEMBERED = 3_000  # trainings, about 10 kB each


@dataclass(frozen=True, eq=False)
class Layers:
    """What goes through L layers (hidden ones, then the logits) on the probe images. B bins.

    Args:
        signal: (L,) root mean square of each layer's output.
        gradient: (L,) root mean square of the gradient of one image's loss with respect to each layer's z.
        outputs, gradients: (L, B) shares of |output| and of |gradient| in the bins of ``BINS``; what is 0 or
            outside is in no bin.
        zeros: (L,) share of outputs that are exactly 0.
    """

    signal: np.ndarray
    gradient: np.ndarray
    outputs: np.ndarray
    gradients: np.ndarray
    zeros: np.ndarray


@dataclass(frozen=True, eq=False)
class Trained:
    """One network trained at one rate with one seed.

    Args:
        loss: (T,) training losses of the batches.
        accuracy: of the validation images, NaN where the network diverged.
        layers: what goes through its layers afterwards.
    """

    loss: np.ndarray
    accuracy: float
    layers: Layers


@dataclass(frozen=True, eq=False)
class Outcome:
    """What has been computed so far. C networks, R rates of the sweep, S seeds.

    Args:
        state: what was asked for.
        starts: C × S, the layers before training; None: not yet.
        chosen: C × S, trained at ``state.rate``; None: not yet.
        partial: (C, S, T) losses at ``state.rate`` as far as they are known, NaN elsewhere.
        sweep: (C, R, S) validation accuracies; a network that diverged counts as guessing; NaN: not yet.
        fallen: (C, R, S) bool, which trainings of the sweep diverged.
        images: validation images behind each accuracy.
        classes: classes to tell apart.
        progress: share of the work that is done, 0 to 1.
        seconds: time it took so far.
        fresh: networks trained for it, the others being remembered.
        note: a sentence on what is going on.
    """

    state: LabState
    starts: tuple[tuple[Layers | None, ...], ...]
    chosen: tuple[tuple[Trained | None, ...], ...]
    partial: np.ndarray
    sweep: np.ndarray
    fallen: np.ndarray
    images: int
    classes: int
    progress: float
    seconds: float
    fresh: int = 0
    note: str = ""

    @property
    def labels(self) -> tuple[str, ...]:
        """C names."""
        return self.state.labels


_memory: LRUCache[Any, Trained] = LRUCache(REMEMBERED)
_starts: LRUCache[Any, Layers] = LRUCache(REMEMBERED)


@dataclass
class _Work:
    """The arrays that results are cut from while they fill."""

    state: LabState
    began: float
    starts: list[list[Layers | None]]
    chosen: list[list[Trained | None]]
    partial: np.ndarray
    sweep: np.ndarray
    fallen: np.ndarray
    images: int = 0
    classes: int = 10
    total: int = 0
    done: float = 0.0
    fresh: int = 0
    jobs: list[tuple[int, tuple[float, ...], int]] = field(default_factory=list)

    def outcome(self, progress: float | None = None) -> Outcome:
        share = min(self.done / max(self.total, 1), 0.999) if progress is None else progress
        frozen = tuple(tuple(row) for row in self.starts), tuple(tuple(row) for row in self.chosen)
        took, note = time.perf_counter() - self.began, "" if share == 1 else WORDS["training"]
        arrays = self.partial.copy(), self.sweep.copy(), self.fallen.copy()
        return Outcome(self.state, *frozen, *arrays, self.images, self.classes, share, took, self.fresh, note)


def compute(state: LabState) -> Iterator[Outcome]:
    """First every network at the rate that is shown, one seed; then the sweep; then the other seeds.

    A training that was done before, with the same layers, rule, rate and seed, is remembered.

    Args:
        state: what to compare.

    Yields:
        Ever more complete outcomes; the last has ``progress`` 1.

    Raises:
        ValueError: if the batch does not fit the data, or a rate is refused.
    """
    cards, seeds = len(state.entries), state.seeds
    work = _Work(
        state,
        time.perf_counter(),
        [[None] * seeds for _ in range(cards)],
        [[None] * seeds for _ in range(cards)],
        np.full((cards, seeds, state.steps), np.nan),
        np.full((cards, len(RATES), seeds), np.nan),
        np.zeros((cards, len(RATES), seeds), bool),
    )
    yield work.outcome(0.0)  # before data are loaded
    problem = state.problem(state.entries[0])
    work.images, work.classes = len(problem.data.validation.y), problem.data.classes
    for card in range(cards):
        for seed in range(seeds):
            work.starts[card][seed] = _start(state, state.entries[card], seed)
        yield work.outcome(0.0)
    _plan(work)
    for card, rates, seed in work.jobs:
        before = work.done
        _recall(work)
        for share in _train(work, card, rates, seed):
            work.done = before + share * len(rates)
            yield work.outcome()
    _recall(work)
    yield work.outcome(1.0)


def look(problem: Any, params: Any) -> list[Layers]:
    """What goes through the layers of K networks on the first training images.

    Args:
        problem: a ``problems.Classification``.
        params: name -> (K, *shape) weights.

    Returns:
        K findings.
    """
    X, y = problem.data.train.X[:PROBE], problem.labels[:PROBE]
    with np.errstate(all="ignore"):
        outputs = [layer.output for layer in problem.layers(params, X)]
        slopes = [signal * len(y) for signal in problem.signals(params, (X, y))]
        signal, gradient = (
            np.array([np.sqrt((v.astype(float) ** 2).mean(axis=(1, 2))) for v in values])
            for values in (outputs, slopes)
        )
        shares, tails = (np.array([_shares(v) for v in values]) for values in (outputs, slopes))
        zeros = np.array([(v == 0).mean(axis=(1, 2)) for v in outputs])
    return [
        Layers(signal[:, k], gradient[:, k], shares[:, k], tails[:, k], zeros[:, k])
        for k in range(signal.shape[1])
    ]


def _shares(values: np.ndarray) -> np.ndarray:
    """(K, B) shares of each row's numbers whose size is in each bin."""
    rows, bins = len(values), len(BINS) - 1
    place = np.floor((np.log10(abs(values.reshape(rows, -1))) - BINS[0]) / (BINS[1] - BINS[0]))
    place = np.where((place >= 0) & (place < bins), place, bins).astype(int)  # the rest, NaN included
    place += (bins + 1) * np.arange(rows)[:, None]
    counts = np.bincount(place.ravel(), minlength=rows * (bins + 1)).reshape(rows, -1)
    return counts[:, :bins] / values[0].size


def _start(state: LabState, entry: Entry, seed: int) -> Layers:
    key = (*state.trained(entry), seed)
    if key not in _starts:
        problem = state.problem(entry)
        still = [Run(state.optimizer, 0.0)]  # the first of two updates at rate 0, so that nothing is measured
        first = next(iter(iterate(problem, still, 2, seed=seed, every=1, measure=2)))
        _starts[key] = look(problem, first.params)[0]
    return _starts[key]


def _plan(work: _Work) -> None:
    """What has to be trained: (card, rates, seed), the first seed first, the rate that is shown first."""
    state = work.state
    planned: set[Any] = set()
    for seed in range(state.seeds):
        for wanted in ((state.rate,), tuple(r for r in RATES if r != state.rate)):
            for card, entry in enumerate(state.entries):
                shared = state.trained(entry)
                keys = {r: (shared, r, seed) for r in wanted}
                rates = tuple(r for r, key in keys.items() if key not in _memory and key not in planned)
                planned.update(keys[r] for r in rates)
                if rates:
                    work.jobs.append((card, rates, seed))
    work.total = work.fresh = sum(len(rates) for _, rates, _ in work.jobs)


def _train(work: _Work, card: int, rates: tuple[float, ...], seed: int) -> Iterator[float]:
    """Train one network at these rates; yields the share done."""
    state = work.state
    entry = state.entries[card]
    problem, shared = state.problem(entry), state.trained(entry)
    runs = [Run(state.optimizer, rate, f"{rate:g}") for rate in rates]
    loss, every = np.full((len(rates), state.steps), np.nan), _pace(state, len(rates))
    never = every * -(-state.steps // every)  # metrics in the end only
    for step in iterate(problem, runs, state.steps, seed=seed, every=every, measure=never):
        here = slice(step.step + 1 - step.loss.shape[1], step.step + 1)
        loss[:, here] = step.loss
        if rates == (state.rate,):
            work.partial[card, seed, here] = loss[0, here]
        if step.step == state.steps - 1:
            accuracy, found = step.metrics["validation_accuracy"], look(problem, step.params)
            for i, rate in enumerate(rates):
                _memory[shared, rate, seed] = Trained(loss[i].copy(), float(accuracy[i]), found[i])
        yield (step.step + 1) / state.steps


def _pace(state: LabState, rows: int) -> int:
    """Updates that take some 25 ms."""
    norms = 1 + any(entry.norm is not None for entry in state.entries)
    update = 1e-5 * state.depth * norms * (6 + rows * state.batch * state.width / 2_000)  # seconds
    return int(np.clip(0.025 / update, 1, state.steps))


def _recall(work: _Work) -> None:
    """Write everything that is remembered into the arrays."""
    state = work.state
    guess = 1 / work.classes
    for card, entry in enumerate(state.entries):
        shared = state.trained(entry)
        for seed in range(state.seeds):
            found = _memory.get((shared, state.rate, seed))
            if found is not None:
                work.chosen[card][seed] = found
                work.partial[card, seed] = found.loss
            for r, rate in enumerate(RATES):
                found = _memory.get((shared, rate, seed))
                if found is not None:
                    work.fallen[card, r, seed] = np.isnan(found.accuracy)
                    work.sweep[card, r, seed] = guess if np.isnan(found.accuracy) else found.accuracy
