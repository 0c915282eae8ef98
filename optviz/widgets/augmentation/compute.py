"""What the augmentation explorer computes: pictures at once, then real trainings, remembered row by row."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from cachetools import LRUCache

from optviz.optimizers import SGD
from optviz.problems import augmented
from optviz.schedules import Linear
from optviz.training import Run, Step, iterate
from optviz.widgets.augmentation.state import LabState
from optviz.widgets.augmentation.words import WORDS

__all__ = ["Outcome", "compute", "pictures"]

MEASUREMENTS = 20
SLICE = 8  # updates between two pictures: some 15 ms with five seeds
REMEMBERED = 5_000  # trainings; one takes 0.5 kB


@dataclass(frozen=True, eq=False)
class Outcome:
    """What has been computed so far. K augmentations and none, S seeds, M measurements; NaN: not yet.

    Args:
        state: what was asked for.
        labels: K + 1 names, the last one for no augmentation.
        tiles: (K + 1, classes, H, W) a training image of each class, augmented; empty before torch is there.
        at: (M,) updates at which the validation accuracy was measured.
        accuracy: (K + 1, S, M) fractions.
        by_class: (K + 1, S, classes) fractions of each class that are right at the end.
        complete: (K + 1, S) bool, which trainings are done.
        counts: (classes,) validation images of each class.
        progress: share of the work that is done, 0 to 1.
        seconds: time it took so far.
        fresh: networks that were trained for it, the others being remembered.
        note: a sentence on what is going on.
    """

    state: LabState
    labels: tuple[str, ...]
    tiles: np.ndarray
    at: np.ndarray
    accuracy: np.ndarray
    by_class: np.ndarray
    complete: np.ndarray
    counts: np.ndarray
    progress: float
    seconds: float
    fresh: int = 0
    note: str = ""

    @property
    def trained(self) -> int:
        """Seeds of which every row is complete."""
        return int(self.complete.all(axis=0).sum())


def compute(state: LabState) -> Iterator[Outcome]:
    """The pictures at once, then the networks of all rows side by side.

    A network that was trained before with the same augmentation and seed is remembered, so that moving one
    card trains one card's networks, and another drawing trains none.

    Args:
        state: what to compare.

    Yields:
        Ever more complete outcomes; the last has ``progress`` 1.
    """
    start, rows = time.perf_counter(), len(state.rows)
    pace, every = _paces(state)
    at = np.minimum(np.arange(every, state.steps + every, every), state.steps) - 1
    accuracy = np.full((rows, state.seeds, len(at)), np.nan)
    complete, found = np.zeros((rows, state.seeds), bool), {"fresh": 0}
    tiles, counts = np.zeros((rows, 0, 0, 0)), np.zeros(10, int)
    by_class = np.full((rows, state.seeds, 10), np.nan)

    def outcome(progress: float) -> Outcome:
        took, note = time.perf_counter() - start, WORDS["training"] if progress < 1 else ""
        series = tiles, at, accuracy, by_class, complete, counts
        return Outcome(state, state.rows, *series, progress, took, found["fresh"], note)

    if "torch" not in sys.modules:
        yield outcome(0.0)  # loading it takes a second
    tiles = pictures(state)
    yield outcome(0.0)
    counts = np.bincount(state.problem().data.validation.y, minlength=10)
    todo = _recall(state, accuracy, by_class, complete)
    total = found["fresh"] = sum(len(seeds) for seeds in todo.values())
    yield outcome(0.0 if total else 0.999)
    for done in _train(state, todo, (pace, every), accuracy, by_class, complete):
        yield outcome(min(done / (total * state.steps), 0.999))
    yield outcome(1.0)


def pictures(state: LabState) -> np.ndarray:
    """(K + 1, classes, H, W): the first training image of each class as each row's network may see it.

    Args:
        state: augmentations, data, and which drawing.
    """
    images = state.source
    first = [int(np.argmax(images.train.y == c)) for c in np.unique(images.train.y)]
    X, y = images.train.X[first].reshape(-1, *images.shape), images.train.y[first]
    rows = [X if one is None else one(X, y, state.drawing)[0] for one in state.augmentations]
    return np.stack(rows)[:, :, 0]


def _paces(state: LabState) -> tuple[int, int]:
    """Updates between two pictures, and between two measurements (a multiple), for any number of seeds."""
    pace = min(SLICE, -(-state.steps // MEASUREMENTS)) if isinstance(state.network, tuple) else 1
    return pace, pace * -(-state.steps // (MEASUREMENTS * pace))


def _train(
    state: LabState,
    todo: dict[int, list[int]],
    paces: tuple[int, int],
    accuracy: np.ndarray,
    by_class: np.ndarray,
    complete: np.ndarray,
) -> Iterator[int]:
    """Train the seeds of each row, in turn, writing into the arrays; yields the updates done by all."""
    (pace, every), plain, done = paces, state.problem(), 0
    runs = [Run(SGD(momentum=0.9), Linear(state.lr, state.steps))]
    going: dict[int, Iterator[Step]] = {
        k: iterate(
            augmented(plain, state.augmentations[k]), runs, state.steps, seed=s, every=pace, measure=every
        )
        for k, s in todo.items()
    }
    while going:
        for k in list(going):
            step, seeds = next(going[k]), todo[k]
            done += step.lr.shape[1] * len(seeds)
            if step.metrics:
                accuracy[k, seeds, step.step // every] = step.metrics["validation_accuracy"]
            if step.step == state.steps - 1:
                by_class[k, seeds], complete[k, seeds] = _by_class(plain, step.params), True
                _remember(state, k, seeds, accuracy, by_class)
                del going[k]
            yield done


def _by_class(problem: Any, params: Any) -> np.ndarray:
    """(R, 10) share of the validation images of each class that R networks get right."""
    images, rows = problem.data.validation, len(next(iter(params.values())))
    if hasattr(problem, "layers"):
        logits = problem.layers(params, images.X, training=False)[-1].output
    else:
        logits = np.stack([_logits(problem, params, row) for row in range(rows)])
    right = logits.argmax(-1) == images.y
    return np.stack([right[:, images.y == c].mean(1) for c in range(problem.data.classes)], 1)


def _logits(problem: Any, params: Any, row: int) -> np.ndarray:
    import torch
    from torch.func import functional_call

    own = {name: p[row] for name, p in params.items()}
    X = torch.tensor(problem.data.validation.X).to(problem.device)
    with torch.no_grad():
        return functional_call(problem.module, own, (X,)).cpu().numpy()


_memory: LRUCache[Any, tuple[np.ndarray, np.ndarray]] = LRUCache(REMEMBERED)


def _key(state: LabState, row: int, seed: int) -> Any:
    return *state.trained, state.augmentations[row], seed


def _recall(
    state: LabState, accuracy: np.ndarray, by_class: np.ndarray, complete: np.ndarray
) -> dict[int, list[int]]:
    """Write what is remembered into the arrays; returns row -> seeds that have to be trained."""
    todo: dict[int, list[int]] = {}
    for k in range(len(state.rows)):
        for seed in range(state.seeds):
            key = _key(state, k, seed)
            if key in _memory:
                (accuracy[k, seed], by_class[k, seed]), complete[k, seed] = _memory[key], True
            else:
                todo.setdefault(k, []).append(seed)
    return todo


def _remember(
    state: LabState, row: int, seeds: list[int], accuracy: np.ndarray, by_class: np.ndarray
) -> None:
    for seed in seeds:
        _memory[_key(state, row, seed)] = accuracy[row, seed].copy(), by_class[row, seed].copy()
