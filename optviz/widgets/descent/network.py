"""Descent of a real network on digits, at the chosen rate, around it and over a grid of rates."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from cachetools import LRUCache

from optviz.training import Run, iterate
from optviz.widgets.descent.state import DescentState
from optviz.widgets.descent.words import WORDS

__all__ = ["GRID", "Network", "sharpness", "train_digits"]

GRID = tuple(float(f"{10 ** (k / 3):.3g}") for k in range(-8, 4))  # rates of the sweep
AROUND = (1.0, 0.25, 4.0)  # the chosen rate comes first
MEASUREMENTS = 25
REMEMBERED = 2_000  # rows; one of 200 updates takes 2 kB
PACE = 0.02  # seconds of training between two looks at the page


@dataclass(frozen=True, eq=False)
class Network:
    """What training has given so far. R rates, S seeds, T updates, M measurements; NaN: not yet.

    Args:
        state: what was asked for.
        rates: (R,) the chosen rate, a quarter of it, four times it.
        loss: (R, S, T) training losses of the batches.
        at: (M,) updates at which the accuracy was measured.
        accuracy: (R, S, M) fractions of the validation images that are right.
        ends: (G,) final training losses over the grid of rates, seed 0; inf where it diverged.
        curvature: largest curvature of the loss of all training images at the start, seed 0.
        progress: share of the work that is done, 0 to 1.
        seconds: time it took so far.
        fresh: networks that were trained for it, the others being remembered.
        note: a sentence on what is going on.
    """

    state: DescentState
    rates: np.ndarray
    loss: np.ndarray
    at: np.ndarray
    accuracy: np.ndarray
    ends: np.ndarray
    curvature: float
    progress: float
    seconds: float
    fresh: int = 0
    note: str = ""

    @property
    def trained(self) -> int:
        """Seeds of which all rates have come to the end."""
        return int((~np.isnan(self.accuracy[:, :, -1])).all(axis=0).sum())

    @property
    def final(self) -> np.ndarray:
        """(R,) mean loss over the last tenth of the run and the seeds trained; inf where it diverged."""
        return np.array([ending(row[: max(self.trained, 1)]) for row in self.loss])


def ending(loss: np.ndarray) -> float:
    """The mean of the last tenth of losses (…, T); inf if one is not finite or far above guessing."""
    tail = loss[..., -max(1, loss.shape[-1] // 10) :]
    mean = float(tail.mean())
    return mean if np.isfinite(mean) and mean < 10 else np.inf


def train_digits(state: DescentState) -> Iterator[Network]:
    """Train around the chosen rate with seed 0, then the grid of rates, then the other seeds.

    Args:
        state: what to train.

    Yields:
        Ever more complete results; the last has ``progress`` 1.
    """
    start, problem = time.perf_counter(), state.network()
    every = max(1, -(-state.steps // MEASUREMENTS))
    at = np.minimum(np.arange(every, state.steps + every, every), state.steps) - 1
    rates = state.lr * np.array(AROUND)
    loss = np.full((len(rates), state.seeds, state.steps), np.nan)
    accuracy, ends = np.full((*loss.shape[:2], len(at)), np.nan), np.full(len(GRID), np.nan)
    total, fresh = len(rates) * state.seeds + len(GRID), 0

    def result(done: float, curvature: float) -> Network:
        took = time.perf_counter() - start
        parts = rates, loss, at, accuracy, ends, curvature
        return Network(state, *parts, min(done / total, 1.0), took, fresh, WORDS["training"])

    yield result(0.0, np.nan)
    curvature = sharpness(getattr(problem, "problem", problem), 0)
    grid_loss, grid_accuracy = (np.full((len(GRID), n), np.nan) for n in (state.steps, len(at)))
    jobs = [(rates, 0, loss[:, 0], accuracy[:, 0]), (np.array(GRID), 0, grid_loss, grid_accuracy)]
    jobs += [(rates, s, loss[:, s], accuracy[:, s]) for s in range(1, state.seeds)]
    done = 0
    for wanted, seed, losses, measured in jobs:
        missing = _recall(state, wanted, seed, losses, measured)
        fresh += len(missing)
        for share in _train(state, problem, wanted, missing, seed, every, losses, measured):
            yield result(min(done + share * len(wanted), total - 0.01), curvature)
        done += len(wanted)
        if losses is grid_loss:
            ends[:] = [ending(row) for row in grid_loss]
        yield result(min(done, total - 0.01), curvature)
    yield result(total, curvature)


def _train(
    state: DescentState,
    problem: Any,
    rates: np.ndarray,
    rows: list[int],
    seed: int,
    every: int,
    losses: np.ndarray,
    measured: np.ndarray,
) -> Iterator[float]:
    """Train these rows, writing into the arrays and remembering them; yields the share done now and then."""
    if not rows:
        return
    runs = [Run(state.rule, float(rates[k]), str(k)) for k in rows]
    last = time.perf_counter()
    for step in iterate(problem, runs, state.steps, seed=seed, every=every):
        losses[rows, step.step + 1 - step.loss.shape[1] : step.step + 1] = step.loss
        measured[rows, step.step // every] = step.metrics["validation_accuracy"]
        if time.perf_counter() - last > PACE:
            yield (step.step + 1) / state.steps
            last = time.perf_counter()
    for k in rows:
        _memory[_key(state, rates[k], seed)] = losses[k].copy(), measured[k].copy()


_memory: LRUCache[Any, tuple[np.ndarray, np.ndarray]] = LRUCache(REMEMBERED)


def _recall(
    state: DescentState, rates: np.ndarray, seed: int, losses: np.ndarray, measured: np.ndarray
) -> list[int]:
    """Write what is remembered into the arrays; the rows that are not."""
    missing = []
    for k, rate in enumerate(rates):
        key = _key(state, rate, seed)
        if key in _memory:
            losses[k], measured[k] = _memory[key]
        else:
            missing.append(k)
    return missing


def _key(state: DescentState, rate: float, seed: int) -> Any:
    return state.batch, state.noise, state.shuffle, state.rule, state.steps, float(rate), seed


@lru_cache(64)
def sharpness(problem: Any, seed: int, rounds: int = 12) -> float:
    """The largest curvature of the loss of all training images at the starting weights of a seed.

    Lanczos: a direction is multiplied by the matrix of second derivatives again and again, by differences
    of two gradients a small step apart; in the space of these directions the matrix is small and has nearly
    the same largest eigenvalue.

    Args:
        problem: with a closed-form gradient, hashable.
        seed: whose starting weights.
        rounds: multiplications.
    """
    _, random = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(2))
    weights = {n: p.astype(float) for n, p in problem.init(random).items()}
    batch = problem.data.train.X.astype(float), problem.labels
    basis = np.zeros((rounds, sum(p.size for p in weights.values())))
    products, step = np.zeros_like(basis), 1e-6
    direction = random.normal(size=basis.shape[1])
    for i in range(rounds):
        for _ in range(2):  # at right angles to those before; once is not enough in finite precision
            direction -= basis[:i].T @ (basis[:i] @ direction)
        basis[i] = direction / np.linalg.norm(direction)
        moved = _like(np.stack([basis[i], -basis[i]]) * step, weights)
        _, slopes = problem.loss_and_grad({n: w + moved[n] for n, w in weights.items()}, batch)
        flat = np.concatenate([slopes[n].reshape(2, -1) for n in weights], axis=1)
        direction = products[i] = (flat[0] - flat[1]) / (2 * step)
    small = basis @ products.T
    return float(np.linalg.eigvalsh((small + small.T) / 2)[-1])


def _like(flat: np.ndarray, weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Flat vectors (R, P) cut into the shapes of the weights, (R, *shape)."""
    ends = np.cumsum([w.size for w in weights.values()])[:-1]
    parts = zip(weights.items(), np.split(flat, ends, axis=1), strict=True)
    return {n: part.reshape(len(flat), *w.shape) for (n, w), part in parts}
