"""What the codebook explorer computes: networks, k-means move by move, values in training, bytes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from cachetools import LRUCache

from optviz import quantize, recipes
from optviz.quantize import Codebooks
from optviz.recipes import Parts
from optviz.recipes.archive import parts
from optviz.schedules import Cosine
from optviz.training import Run, iterate
from optviz.widgets.codebooks.state import RULE, LabState, percent
from optviz.widgets.codebooks.words import CODEBOOK_LAB as WORDS

__all__ = ["OWN", "Moved", "Outcome", "Tuned", "compute", "told"]

RATE = 0.1  # of the weights
OWN = 0  # stands for bits where each weight keeps a value of its own
TOGETHER = 3  # numbers of bits in one training: with more an update takes longer than a slice
REMEMBERED = 300  # of each kind; the largest, networks, take 1 MB
Params = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Networks:
    """S networks before weights are shared.

    Args:
        params: name → (S, *shape), with exact zeros where pruned.
        accuracy: (S,) of the validation images.
    """

    params: Params
    accuracy: np.ndarray

    def network(self, seed: int) -> Params:
        """One of them, name → (*shape)."""
        return {name: p[seed] for name, p in self.params.items()}


@dataclass(frozen=True, eq=False)
class Moved:
    """k-means of S networks, move by move. M + 1 reports.

    Args:
        paths: name → (M + 1, k) values of the first network.
        errors: name → (M + 1,) root of the mean squared distance of its weights to their values.
        settled: name → moves until nothing moved; M + 1 where it didn't end.
        course: (S, M + 1) validation accuracies.
    """

    paths: Params
    errors: Params
    settled: dict[str, int]
    course: np.ndarray


@dataclass(frozen=True, eq=False)
class Tuned:
    """S networks whose values were trained. R reports.

    Args:
        at: (R,) updates at which they were measured.
        course: (S, R) validation accuracies.
        paths: name → (R, k) values of the first network.
        params: weights of the first network in the end.
        finite: whether no weight diverged.
    """

    at: np.ndarray
    course: np.ndarray
    paths: Params
    params: Params
    finite: bool

    @property
    def accuracy(self) -> np.ndarray:
        """(S,) validation accuracies in the end."""
        return self.course[:, -1]


@dataclass(frozen=True, eq=False)
class Shared:
    """S networks that share values.

    Args:
        books: S codebooks.
        params: name → (S, *shape).
        accuracy: (S,) of the validation images.
    """

    books: tuple[Codebooks, ...]
    params: Params
    accuracy: np.ndarray


@dataclass(frozen=True, eq=False)
class Outcome:
    """What has been computed so far. S seeds; None, or missing: not yet.

    Args:
        state: what was asked for.
        pruned: the networks before weights are shared.
        moved: k-means at the chosen bits.
        shared: bits → networks after k-means.
        tuned: bits → networks after the values' training; ``OWN`` → weights that went on alone.
        spent: bits → bytes of the first network's file, in Huffman's codes and in words of one length.
        progress: share of the work that is done, 0 to 1.
        seconds: time it took so far.
        fresh: networks that were trained for it, the others being remembered.
        note: a sentence on what is going on.
    """

    state: LabState
    pruned: Networks | None = None
    moved: Moved | None = None
    shared: dict[int, Shared] = field(default_factory=dict)
    tuned: dict[int, Tuned] = field(default_factory=dict)
    spent: dict[int, tuple[Parts, Parts]] = field(default_factory=dict)
    progress: float = 0.0
    seconds: float = 0.0
    fresh: int = 0
    note: str = ""

    @property
    def book(self) -> Codebooks | None:
        """The first network's codebooks at the chosen bits."""
        return self.shared[self.state.bits].books[0] if self.state.bits in self.shared else None


@dataclass
class _Work:
    """What fills while results are cut from it."""

    state: LabState
    began: float = field(default_factory=time.perf_counter)
    pruned: Networks | None = None
    live: dict[int, Tuned] = field(default_factory=dict)
    fresh: int = 0

    def outcome(self, progress: float, note: str = "") -> Outcome:
        state = self.state
        wanted = {bits: _tuned.get((state.tuned, bits)) for bits in (OWN, *state.levels)}
        tuned = self.live | {bits: found for bits, found in wanted.items() if found is not None}
        shared = {b: _shared[state.clustered, b] for b in state.levels if (state.clustered, b) in _shared}
        spent = {b: _spent[state.tuned, b] for b in state.levels if (state.tuned, b) in _spent}
        moved = _moved.get((state.clustered, state.bits))
        took = time.perf_counter() - self.began
        return Outcome(state, self.pruned, moved, shared, tuned, spent, progress, took, self.fresh, note)


_pruned: LRUCache[Any, Networks] = LRUCache(REMEMBERED)
_moved: LRUCache[Any, Moved] = LRUCache(REMEMBERED)
_shared: LRUCache[Any, Shared] = LRUCache(REMEMBERED)
_tuned: LRUCache[Any, Tuned] = LRUCache(REMEMBERED)
_spent: LRUCache[Any, tuple[Parts, Parts]] = LRUCache(REMEMBERED)


def compute(state: LabState) -> Iterator[Outcome]:
    """Networks, k-means at the chosen bits, their values in training, then all bits, then bytes.

    What was done before is remembered: another layer or step computes nothing, other bits only k-means, move
    by move, another rate no k-means.

    Args:
        state: what to compute.

    Yields:
        Ever more complete outcomes; the last has ``progress`` 1.
    """
    work = _Work(state)
    if not _known(state):
        yield work.outcome(0.0, WORDS["training"])  # before data are loaded, which may take a while
    for share, note in _prune(work):
        yield work.outcome(0.3 * share, note)
    work.pruned = _pruned[state.pruned]
    for share in _move(work):
        note = WORDS["moving"].format(move=round(share * state.moves), moves=state.moves)
        yield work.outcome(0.3 + 0.1 * share, note)
    for _ in _share(work, (state.bits,)):
        yield work.outcome(0.4, told(state.bits))
    for share in _tune(work, (state.bits,)):
        yield work.outcome(0.4 + 0.2 * share, WORDS["tuning"].format(bits=told(state.bits)))
    note = WORDS["levels"].format(count=len(state.levels) - 1)
    for share in _share(work, state.levels):
        yield work.outcome(0.6 + 0.05 * share, note)
    missing = [b for b in (OWN, *state.levels) if (state.tuned, b) not in _tuned]
    groups = [missing[i : i + TOGETHER] for i in range(0, len(missing), TOGETHER)]
    for i, few in enumerate(groups):
        for share in _tune(work, few):
            yield work.outcome(0.65 + 0.3 * (i + share) / len(groups), note)
    for share in _count(work):
        yield work.outcome(0.95 + 0.04 * share, WORDS["writing"])
    yield work.outcome(1.0)


def told(bits: int) -> str:
    """A number of bits in words.

    Example:
        >>> told(1), told(4)
        ('1 bit', '4 bits')
    """
    return WORDS["bit"] if bits == 1 else WORDS["bits"].format(bits=bits)


def _known(state: LabState) -> bool:
    return (state.tuned, state.bits) in _tuned and (state.clustered, state.bits) in _moved


def _prune(work: _Work) -> Iterator[tuple[float, str]]:
    """All seeds side by side: the dense networks, then the smallest weights go and the rest is retrained."""
    state = work.state
    if state.pruned in _pruned:
        return
    dense, again = state.steps, max(1, state.steps // 2)
    runs = [Run(RULE, Cosine(RATE, updates)) for updates in (dense, again)]
    work.fresh += 2 * state.seeds
    found = recipes.one_shot(
        state.problem, runs[0], state.sparsity, again, seed=range(state.seeds), dense=dense, retrain=runs[1],
        floor=2, every=max(1, dense // 40),
    )  # fmt: skip
    for now in found:
        done = now.step if now.index == 0 else dense + now.step
        note = WORDS["pruning"].format(sparsity=percent(state.sparsity)) if now.index else WORDS["training"]
        yield done / (dense + again), note
    params = {name: np.array(p) for name, p in now.params.items()}
    _pruned[state.pruned] = Networks(params, np.array(now.metrics["validation_accuracy"]))


def _move(work: _Work) -> Iterator[float]:
    """k-means at the chosen bits: where the values are, and how right the networks are, after each move."""
    state, networks = work.state, work.pruned
    key = state.clustered, state.bits
    if key in _moved or networks is None:
        return
    names = [name for name, p in networks.params.items() if p.ndim > 2]
    each = [{n: _paths(state, networks.params[n][seed]) for n in names} for seed in range(state.seeds)]
    course, errors = [], []
    for move in range(state.moves + 1):
        now = [_at(networks.network(seed), paths, move) for seed, paths in enumerate(each)]
        params = networks.params | {n: np.stack([one[n] for one in now]) for n in names}
        course.append(np.array(state.problem.metrics(params)["validation_accuracy"]))
        errors.append([_distance(networks.params[n][0], now[0][n]) for n in names])
        yield move / max(state.moves, 1)
    paths = {n: _padded(each[0][n], state.moves + 1) for n in names}
    settled = {n: len(each[0][n]) - 1 for n in names}
    of_layers = dict(zip(names, np.array(errors).T, strict=True))
    _moved[key] = Moved(paths, of_layers, settled, np.array(course).T)


def _paths(state: LabState, w: np.ndarray) -> list[np.ndarray]:
    """The values of one layer's weights after each move, until none moves."""
    kept = np.sort(w[w != 0].astype(float))
    start = state.start(kept, min(2**state.bits, len(kept)))
    return list(quantize.lloyd(kept, start, state.moves))


def _padded(path: list[np.ndarray], count: int) -> np.ndarray:
    """As many rows as asked for, the last one again and again."""
    return np.array([path[min(i, len(path) - 1)] for i in range(count)])


def _at(network: Params, paths: dict[str, list[np.ndarray]], move: int) -> Params:
    """The layers of one network with each weight at the nearest value after a move."""
    found = {}
    for name, path in paths.items():
        w, values = network[name].copy(), path[min(move, len(path) - 1)]
        kept = w != 0
        w[kept] = values[quantize.kmeans(w[kept], len(values), lambda *_, at=values: at, 0)[1]]
        found[name] = w
    return found


def _distance(w: np.ndarray, shared: np.ndarray) -> float:
    kept = w != 0
    return float(np.sqrt(((w - shared)[kept].astype(float) ** 2).mean())) if kept.any() else 0.0


def _share(work: _Work, levels: Sequence[int]) -> Iterator[float]:
    """Codebooks of all networks at these bits."""
    state, networks = work.state, work.pruned
    missing = [bits for bits in levels if _shared.get((state.clustered, bits)) is None]
    for i, bits in enumerate(missing):
        assert networks is not None
        books = [
            quantize.share(networks.network(seed), bits, state.start, steps=state.moves)
            for seed in range(state.seeds)
        ]
        own = [book(networks.network(seed)) for seed, book in enumerate(books)]
        params = {n: np.stack([one[n] for one in own]) for n in own[0]}
        accuracy = np.array(state.problem.metrics(params)["validation_accuracy"])
        _shared[state.clustered, bits] = Shared(tuple(books), params, accuracy)
        yield (i + 1) / len(missing)


def _tune(work: _Work, levels: Sequence[int]) -> Iterator[float]:
    """Train the values at these bits: all bits and seeds are rows of one training."""
    state = work.state
    missing = [bits for bits in levels if _tuned.get((state.tuned, bits)) is None]  # asking is use
    if not missing:
        return
    work.fresh += len(missing) * state.seeds
    rows = [_row(work, bits) for bits in missing]
    labels = [each for _, own in rows for each in own]
    params = {n: np.concatenate([start[n] for start, _ in rows]) for n in rows[0][0]}
    steps = iterate(
        state.problem, [state.run] * len(missing), state.updates, seed=range(state.seeds), params=params,
        every=1, measure=state.every, view=quantize.Shared(labels),
        grads=quantize.Summed(labels, mean=state.mean),
    )  # fmt: skip
    course = _Course(state, missing)
    for step in steps:
        at = step.step + 1
        if at % state.every == 0 or at == state.updates:
            course.note(at, step)
            work.live = course.tuned(step.params) if missing == [state.bits] else {}
        yield at / state.updates
    work.live = {}
    _tuned.update({(state.tuned, bits): found for bits, found in course.tuned(step.params).items()})


def _row(work: _Work, bits: int) -> tuple[Params, list[Params]]:
    """Weights (S, *shape) to start from, and labels of S networks; for OWN each weight is alone."""
    state = work.state
    if bits != OWN:
        found = _shared[state.clustered, bits]
        return found.params, [dict(book.labels) for book in found.books]
    assert work.pruned is not None
    layers = {n: p for n, p in work.pruned.params.items() if p.ndim > 2}
    alone = {n: np.where(p != 0, np.arange(p[0].size).reshape(p[0].shape), -1) for n, p in layers.items()}
    return work.pruned.params, [{n: p[seed] for n, p in alone.items()} for seed in range(state.seeds)]


class _Course:
    """The reports of a training of values, for some numbers of bits."""

    def __init__(self, state: LabState, levels: Sequence[int]) -> None:
        self.state, self.levels, self.at = state, levels, list[int]()
        self.accuracy = list[np.ndarray]()
        self.values: dict[int, list[Params]] = {bits: [] for bits in levels}

    def note(self, at: int, step: Any) -> None:
        """Write down what a step reports."""
        self.at.append(at)
        self.accuracy.append(np.array(step.metrics["validation_accuracy"]))
        for i, bits in enumerate(self.levels):
            if bits != OWN:
                book = _shared[self.state.clustered, bits].books[0]
                self.values[bits].append(dict(book.retrained(self._first(step.params, i)).centroids))

    def tuned(self, params: Any) -> dict[int, Tuned]:
        """Bits → what is known so far, with these weights (K, *shape)."""
        if not self.at:
            return {}
        course, found = np.array(self.accuracy).T, {}
        for i, bits in enumerate(self.levels):
            own, values = self._first(params, i), self.values[bits]
            paths = {n: np.array([each[n] for each in values]) for n in values[0]} if values else {}
            rows = slice(i * self.state.seeds, (i + 1) * self.state.seeds)
            finite = all(bool(np.isfinite(p[rows]).all()) for p in params.values())
            found[bits] = Tuned(np.array(self.at), course[rows], paths, own, finite)
        return found

    def _first(self, params: Any, level: int) -> Params:
        return {n: np.array(p[level * self.state.seeds]) for n, p in params.items()}


def _count(work: _Work) -> Iterator[float]:
    """Bytes of the first network's file at all bits."""
    state = work.state
    missing = [bits for bits in state.levels if _spent.get((state.tuned, bits)) is None]
    for i, bits in enumerate(missing):
        network = _tuned[state.tuned, bits].params
        _spent[state.tuned, bits] = parts(network), parts(network, huffman=False)
        yield (i + 1) / len(missing)
