"""What the regularization explorer computes: trainings, looked at from three sets of images."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from cachetools import LRUCache

from optviz import evaluation, losses, regularize
from optviz.training import Run, iterate
from optviz.widgets.regularization.methods import EXTRAS, EarlyStopping, taking
from optviz.widgets.regularization.state import LabState, problem_of
from optviz.widgets.regularization.words import REGULARIZATION_LAB as WORDS

__all__ = ["EDGES", "FIGURES", "Outcome", "compute"]

MEASUREMENTS = 25
EDGES = np.geomspace(1e-4, 0.3, 27)  # sizes of weights between which they are counted
PARTS = ("training", "validation", "test")
FIGURES = (*(f"{part}_{name}" for part in PARTS for name in ("loss", "accuracy")), "zeros", "length")
SEEN = 400  # training images that the training figures are measured on, at most
REMEMBERED = 4_000  # trainings; one takes 8 kB
TUNING_SEEDS = (10_000, 10_001)  # apart from the seeds that are reported
SLICE = 0.02  # seconds of work between two results


@dataclass(frozen=True, eq=False)
class Outcome:
    """What has been computed so far. K techniques, S seeds, M measurements; NaN: not yet, or stopped.

    Args:
        state: what was asked for.
        methods: K techniques, at the strengths that they were trained with.
        at: (M,) updates that had been made at each measurement.
        values: (K, S, M, F) the ``FIGURES``, then the shares of weights below each of ``EDGES``.
        ends: (K, S) measurement that a training's result counts from: the last, or the best if stopped early.
        complete: (K, S) bool, which trainings are done.
        images: validation and test images behind the accuracies.
        progress: share of the work that is done, 0 to 1.
        seconds: time it took so far.
        fresh: networks that were trained for it, the others being remembered.
        note: a sentence on what is going on, or on what was found.
    """

    state: LabState
    methods: tuple[Any, ...]
    at: np.ndarray
    values: np.ndarray
    ends: np.ndarray
    complete: np.ndarray
    images: tuple[int, int]
    progress: float
    seconds: float
    fresh: int = 0
    note: str = ""

    @property
    def trained(self) -> int:
        """Seeds of which every row is complete."""
        return int(self.complete.all(axis=0).sum())

    def figure(self, name: str) -> np.ndarray:
        """One of the ``FIGURES`` at every measurement, (K, S, M)."""
        return self.values[..., FIGURES.index(name)]

    def final(self, name: str) -> np.ndarray:
        """One of the ``FIGURES`` where each training's result counts from, (K, S)."""
        return np.take_along_axis(self.figure(name), self.ends[..., None], axis=2)[..., 0]

    def sizes(self, k: int) -> np.ndarray:
        """(E,) share of technique k's weights below each of ``EDGES`` at the end, a mean over its seeds."""
        done = max(self.trained, 1)
        rows = [self.values[k, s, self.ends[k, s], len(FIGURES) :] for s in range(done)]
        return np.mean(rows, axis=0)

    def diverged(self, k: int) -> bool:
        """Whether technique k's loss left the finite numbers with any seed trained so far."""
        return bool((self.complete[k] & ~np.isfinite(self.final("validation_loss")[k])).any())


class _Watched:
    """A problem measured on its training images (with their labels), on validation and on test images."""

    def __init__(self, problem: Any) -> None:
        self.problem, self.data = problem, problem.data
        seen = slice(0, SEEN)
        parts = [(self.data.train.X[seen], problem.labels[seen])]
        parts += [(part.X, part.y) for part in (self.data.validation, self.data.test)]
        self.X, self.labels = np.concatenate([X for X, _ in parts]), [y for _, y in parts]

    def metrics(self, params: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """``trace``: (K, F + E), the ``FIGURES`` and the shares of weights below each of ``EDGES``."""
        params = dict(params)
        logits = self.problem.layers(params, self.X, training=False)[-1].output
        found, start = [], 0
        for y in self.labels:
            part = logits[:, start : (start := start + len(y))]
            found += [losses.cross_entropy(part, y), evaluation.accuracy(part, y)]
        found += [regularize.exact_zeros(params), regularize.weight_norm(params)]
        return {"trace": np.concatenate([np.stack(found, axis=1), _below(params)], axis=1)}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.problem, name)


def _below(params: Mapping[str, Any]) -> np.ndarray:
    """(K, E) shares of the weights whose size is below each of ``EDGES``."""
    rows = [
        np.abs(np.concatenate([p[k].ravel() for p in params.values() if p.ndim > 2])) for k in _rows(params)
    ]
    counts = [
        np.bincount(np.searchsorted(EDGES, row, side="right"), minlength=len(EDGES) + 1) for row in rows
    ]
    return np.cumsum(counts, axis=1)[:, :-1] / len(rows[0])


def _rows(params: Mapping[str, Any]) -> range:
    return range(len(next(iter(params.values()))))


def compute(state: LabState) -> Iterator[Outcome]:
    """Train every technique: first with one seed, then with the others; strengths are tuned before if asked.

    A training that was done before is remembered, so that moving one card trains one card's networks. Early
    stopping costs nothing beside "none": it is the same training, cut where the rule stops it.

    Args:
        state: what to compare.

    Yields:
        Ever more complete outcomes; the last has ``progress`` 1.
    """
    start, methods = time.perf_counter(), tuple(entry.method for entry in state.entries)
    every = max(1, -(-state.steps // MEASUREMENTS))
    at = np.minimum(np.arange(every, state.steps + every, every), state.steps)
    blank = np.full((len(at), len(FIGURES) + len(EDGES)), np.nan)
    sizes, fresh, live = (1, 1), 0, dict[Any, np.ndarray]()

    def outcome(progress: float, note: str) -> Outcome:
        values, ends, complete = _gathered(state, methods, live, blank)
        took = time.perf_counter() - start
        return Outcome(state, methods, at, values, ends, complete, sizes, progress, took, fresh, note)

    yield outcome(0.0, WORDS["training"])  # before data are loaded, which may take a while
    data = problem_of(state, methods[0].variant()).data
    sizes, base, found = (len(data.validation.y), len(data.test.y)), 0.0, ""
    if state.tuned:
        base, tried = 0.5, _trials(methods)
        flat = [method for trials in tried for method in trials]
        for share in _trained(state, flat, TUNING_SEEDS, live, state.steps):  # measured at the end only
            yield outcome(base * share, WORDS["tuning"])
        methods = tuple(_best(state, trials) for trials in tried)
        found = _told(state, methods, tried)
    for seeds, low, high in (
        ([0], 0.0, 1 / state.seeds),
        (list(range(1, state.seeds)), 1 / state.seeds, 1.0),
    ):
        fresh += len(_missing(state, methods, seeds))
        for share in _trained(state, methods, seeds, live, every):
            part = base + (1 - base) * (low + share * (high - low))
            yield outcome(min(part, 0.999), WORDS["training"])
    yield outcome(1.0, found)


def _gathered(
    state: LabState, methods: Sequence[Any], live: Mapping[Any, np.ndarray], blank: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values (K, S, M, …), the measurement that counts (K, S), and what is complete (K, S)."""
    shape = len(methods), state.seeds
    values, ends = np.empty((*shape, *blank.shape)), np.full(shape, len(blank) - 1)
    complete = np.zeros(shape, bool)
    for k, s in np.ndindex(shape):
        key = _key(state, methods[k], s)
        trace = _memory.get(key, live.get(key, blank))
        complete[k, s] = key in _memory
        if isinstance(methods[k], EarlyStopping):
            stop, best = stopped(trace[:, FIGURES.index("validation_loss")], methods[k].patience)
            trace = np.where(np.arange(len(trace))[:, None] <= stop, trace, np.nan)
            ends[k, s] = best
        values[k, s] = trace
    return values, ends, complete


def stopped(losses_: np.ndarray, patience: int) -> tuple[int, int]:
    """Where ``training.EarlyStopping`` stops, and the measurement that it goes back to.

    Args:
        losses_: (M,) validation losses; NaN is no improvement.
        patience: measurements without improvement.

    Returns:
        (index of the last measurement made, index of the best of those).
    """
    lowest, best = np.inf, 0
    for i, value in enumerate(losses_):
        if value < lowest:
            lowest, best = value, i
        elif np.isnan(value) or i - best >= patience:
            return i, best
    return len(losses_) - 1, best


def _missing(state: LabState, methods: Sequence[Any], seeds: Sequence[int]) -> dict[Any, tuple[Any, int]]:
    """Trainings that are not remembered: key -> (technique, seed), each once."""
    pairs = {_key(state, method, seed): (method, seed) for method in methods for seed in seeds}
    return {key: pair for key, pair in pairs.items() if _memory.get(key) is None}  # asking counts as use


def _trained(
    state: LabState, methods: Sequence[Any], seeds: Sequence[int], live: dict[Any, np.ndarray], every: int
) -> Iterator[float]:
    """Train what is not remembered, all problems in step, writing into ``live``; yields the share done."""
    missing = _missing(state, methods, seeds)
    groups: dict[Any, dict[Any, None]] = {}
    for method, _ in missing.values():
        groups.setdefault(method.variant(), {})[_bare(method)] = None
    parts = [_group(state, variant, list(rows), seeds, live, every) for variant, rows in groups.items()]
    count, last = -(-state.steps // _pace(every)), time.perf_counter()
    for done in range(count if parts else 0):
        for i, part in enumerate(parts):
            next(part)
            if time.perf_counter() - last > SLICE:
                yield (done + (i + 1) / len(parts)) / count
                last = time.perf_counter()
    for key in missing:
        _memory[key] = live[key].copy()


def _group(
    state: LabState,
    variant: Any,
    methods: list[Any],
    seeds: Sequence[int],
    live: dict[Any, np.ndarray],
    every: int,
) -> Iterator[None]:
    """Train techniques that share a problem with all these seeds, a few updates at a time."""
    used = {name for method in methods for name, value in _extras(method) if value}
    problem = _Watched(taking(problem_of(state, variant), used))
    extras = [tuple(pair for pair in _extras(method) if pair[0] in used) for method in methods]
    runs = [Run(state.optimizer, state.lr, str(i), extra) for i, extra in enumerate(extras)]
    keys = [_key(state, method, seed) for method in methods for seed in seeds]
    traces = np.full((len(keys), -(-state.steps // every), len(FIGURES) + len(EDGES)), np.nan)
    live.update(zip(keys, traces, strict=True))
    options: dict[str, Any] = {"seed": list(seeds), "every": _pace(every), "measure": every}
    for step in iterate(problem, runs, state.steps, **options):
        if step.metrics:
            traces[:, step.step // every] = step.metrics["trace"]
        yield


def _pace(every: int) -> int:
    """Updates between two moments at which the page may draw: at most 4, and a divisor of ``every``."""
    return max(n for n in (1, 2, 3, 4) if every % n == 0)


def _extras(method: Any) -> tuple[tuple[str, float], ...]:
    own = method.extra()
    return tuple((name, own.get(name, 0.0)) for name in EXTRAS)


def _bare(method: Any) -> Any:
    """What is trained: early stopping only looks at the training without regularization."""
    return method.variant() if isinstance(method, EarlyStopping) else method


def _trials(methods: Sequence[Any]) -> list[list[Any]]:
    """Each technique at the strengths of its sweep; alone where it has none."""
    found = []
    for method in methods:
        name, values = method.tried or ("", ())
        found.append([replace(method, **{name: value}) for value in values] or [method])
    return found


def _best(state: LabState, trials: list[Any]) -> Any:
    """The one with the highest mean validation accuracy over the tuning seeds, then the lowest loss."""
    at = [FIGURES.index(f"validation_{name}") for name in ("accuracy", "loss")]

    def score(method: Any) -> tuple[float, float]:
        ends = [_memory[_key(state, method, seed)][-1] for seed in TUNING_SEEDS]
        accuracy, loss = np.mean(ends, axis=0)[at]
        return (accuracy, -loss) if np.isfinite(loss) else (-np.inf, 0.0)

    return max(trials, key=score) if len(trials) > 1 else trials[0]


def _told(state: LabState, methods: Sequence[Any], tried: list[list[Any]]) -> str:
    parts, edge = [], []
    for label, method, trials in zip(state.labels, methods, tried, strict=True):
        if len(trials) > 1:
            parts.append(f"{label} {getattr(method, method.tried[0]):g}")
            edge += [label] if method in (trials[0], trials[-1]) else []
    if not parts:
        return ""
    told = WORDS["tuned"].format(found=", ".join(parts))
    return told + (WORDS["edge"].format(labels=", ".join(edge)) if edge else "")


_memory: LRUCache[Any, np.ndarray] = LRUCache(REMEMBERED)


def _key(state: LabState, method: Any, seed: int) -> Any:
    """Everything that determines a training."""
    method = _bare(method)
    return *state.shared, method.variant(), _extras(method), seed
