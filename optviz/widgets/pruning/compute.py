"""What the pruning explorer computes: dense networks, scores, masks at once, retraining in slices, files."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from cachetools import LRUCache

from optviz import prune, recipes
from optviz.optimizers import SGD
from optviz.recipes.rounds import Rows
from optviz.training import Run
from optviz.widgets.pruning.files import Book, booked, timed
from optviz.widgets.pruning.masking import LEVELS, Scan, Scoring, finals, fingerprint, masks_at
from optviz.widgets.pruning.state import BySensitivity, LabState, percent
from optviz.widgets.pruning.words import PRUNING_LAB as WORDS
from optviz.widgets.tasks import in_slices

__all__ = ["Cut", "Outcome", "Retrained", "compute", "cut_of"]

RULE = SGD(momentum=0.9)
REPORTS = 30  # measurements while a network retrains
REMEMBERED = 600  # of each kind; the largest, dense networks, take 1 MB
Params = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Dense:
    """S networks before anything goes.

    Args:
        params: name → (S, *shape).
        accuracy: (S,) of the validation images.
    """

    params: Params
    accuracy: np.ndarray


@dataclass(frozen=True, eq=False)
class Cut:
    """S networks from which weights went, not retrained.

    Args:
        masks: of the first network, name → (*shape), True where a weight stays.
        gone: (L, S) share of each layer that went.
        accuracy: (S,) of the validation images.
    """

    masks: Params
    gone: np.ndarray
    accuracy: np.ndarray


@dataclass(frozen=True, eq=False)
class Retrained:
    """S networks that were cut and retrained.

    Args:
        at: (P,) updates at which they were measured; a cut and what follows stand at the same one.
        course: (S, P) validation accuracies.
        cut: what is gone in the end, with the last accuracies.
        params: weights of the first network, exact zeros among them.
    """

    at: np.ndarray
    course: np.ndarray
    cut: Cut
    params: Params


@dataclass(frozen=True, eq=False)
class Outcome:
    """What has been computed so far. L layers, G sparsities, S seeds; None or NaN: not yet.

    Args:
        state: what was asked for.
        dense: networks before anything goes.
        scan: one layer pruned at a time.
        cuts: the G sparsities, then the chosen one, before retraining.
        retrained: the same afterwards.
        live: (at, course) of what is being retrained at the chosen sparsity.
        books: files and counts of the first seed's networks, at the G sparsities, then the chosen one.
        times: what a batch takes, dense and at the chosen sparsity.
        images: validation images behind each accuracy.
        progress: share of the work that is done, 0 to 1.
        seconds: time it took so far.
        fresh: networks that were trained for it, the others being remembered.
        note: a sentence on what is going on.
    """

    state: LabState
    dense: Dense | None = None
    scan: Scan | None = None
    cuts: tuple[Cut | None, ...] = ()
    retrained: tuple[Retrained | None, ...] = ()
    live: tuple[np.ndarray, np.ndarray] | None = None
    books: tuple[Book, ...] = ()
    times: tuple[Any, ...] = ()
    images: int = 0
    progress: float = 0.0
    seconds: float = 0.0
    fresh: int = 0
    note: str = ""

    @property
    def chosen(self) -> Cut | None:
        """What is gone at the chosen sparsity: after retraining if that is done, else before."""
        if self.retrained and self.retrained[-1] is not None:
            return self.retrained[-1].cut
        return self.cuts[-1] if self.cuts else None

    @property
    def before(self) -> np.ndarray:
        """(G, S) accuracies without retraining."""
        return self._accuracies(list(self.cuts[:-1]))

    @property
    def after(self) -> np.ndarray:
        """(G, S) accuracies after retraining."""
        return self._accuracies([cut_of(done) for done in self.retrained[:-1]])

    def _accuracies(self, cuts: Sequence[Cut | None]) -> np.ndarray:
        none = np.full(self.state.seeds, np.nan)
        found = [none if cut is None else cut.accuracy for cut in cuts]
        return np.array(found or [none] * len(self.state.levels))


def cut_of(done: Retrained | None) -> Cut | None:
    """What is gone after retraining, if that is done."""
    return None if done is None else done.cut


@dataclass
class _Work:
    """What fills while results are cut from it."""

    state: LabState
    began: float = field(default_factory=time.perf_counter)
    dense: Dense | None = None
    scan: Scan | None = None
    cuts: tuple[Cut | None, ...] = ()
    live: tuple[np.ndarray, np.ndarray] | None = None
    books: tuple[Book, ...] = ()
    times: tuple[Any, ...] = ()
    fresh: int = 0

    def outcome(self, progress: float, note: str = "") -> Outcome:
        state = self.state
        levels = (*state.levels, state.level)
        retrained = tuple(_trained.get(_key(state, level)) for level in levels)
        images = len(state.problem.data.validation.y) if self.dense is not None else 0
        took = time.perf_counter() - self.began
        parts = (self.dense, self.scan, self.cuts, retrained, self.live, self.books, self.times)
        return Outcome(state, *parts, images, progress, took, self.fresh, note)


_dense: LRUCache[Any, Dense] = LRUCache(REMEMBERED)
_scores: LRUCache[Any, tuple[list[Params], Scan]] = LRUCache(REMEMBERED)
_trained: LRUCache[Any, Retrained] = LRUCache(REMEMBERED)
_books: LRUCache[Any, Book] = LRUCache(REMEMBERED)
_times: LRUCache[Any, tuple[Any, ...]] = LRUCache(REMEMBERED)


def compute(state: LabState) -> Iterator[Outcome]:
    """Dense networks, scores, what goes at once, retraining at the chosen sparsity, then at all of them.

    What was done before is remembered: another sparsity needs no new scores and one retraining, another
    score no new dense networks.

    Args:
        state: what to compute.

    Yields:
        Ever more complete outcomes; the last has ``progress`` 1.
    """
    work = _Work(state)
    yield work.outcome(0.0, WORDS["training"])  # before data are loaded, which may take a while
    for share in _train_dense(work):
        yield work.outcome(0.15 * share, WORDS["training"])
    for share in _score(work):
        yield work.outcome(0.15 + 0.05 * share, WORDS["scoring"])
    scores, scan = _scores[_scored(state)]
    work.scan = scan
    work.cuts = tuple(_cut(state, work.dense, scores, scan, (*state.levels, state.level)))
    yield work.outcome(0.2, WORDS["retraining"].format(sparsity=percent(state.level)))
    for share in _retrain(work, (state.level,)):
        yield work.outcome(0.2 + 0.2 * share, WORDS["retraining"].format(sparsity=percent(state.level)))
    note = WORDS["levels"].format(count=len(state.levels))
    for share in _retrain(work, state.levels):
        yield work.outcome(0.4 + 0.5 * share, note)
    for share in _write(work):
        yield work.outcome(0.9 + 0.09 * share, WORDS["writing"])
    yield work.outcome(1.0)


def _train_dense(work: _Work) -> Iterator[float]:
    """All seeds side by side."""
    state, key = work.state, work.state.task
    if key not in _dense:
        run = Run(RULE, state.lr)
        step = yield from in_slices(state.problem, run, state.steps, range(state.seeds))
        params = {n: np.array(p) for n, p in step.params.items()}
        work.fresh += state.seeds
        _dense[key] = Dense(params, np.array(step.metrics["validation_accuracy"]))
    work.dense = _dense[key]


def _score(work: _Work) -> Iterator[float]:
    """Scores of every network, and the scan of the layers that they make."""
    state, dense = work.state, work.dense
    if _scored(state) in _scores or dense is None:
        return
    chance = Rows(state.problem, Run(RULE, state.lr), tuple(range(state.seeds)), ("",), None)
    scores: list[Params] = []
    scans = []
    for s in range(state.seeds):
        params = {n: p[s] for n, p in dense.params.items()}
        scores.append(state.score(state.problem, params, chance.chance(0, s)))
        plain = Scoring(state.score).adapted(scores[-1])
        known = Scoring(state.score, known={fingerprint(params): plain})
        scans.append(recipes.sensitivity(state.problem, params, LEVELS, criterion=known))
        yield (s + 1) / state.seeds
    accuracy = np.stack([scan.accuracy for scan in scans], axis=2)
    _scores[_scored(state)] = scores, Scan(scans[0].layers, accuracy)


def _cut(
    state: LabState, dense: Dense | None, scores: list[Params], scan: Scan, levels: Sequence[float]
) -> list[Cut]:
    """What goes at each level, of all seeds, and how accurate the rest is."""
    assert dense is not None
    found = []
    for s, adapted in enumerate(_adapted(state, scores, scan)):
        masks = masks_at(state.scope, adapted, levels)
        params = {n: p[s] for n, p in dense.params.items()}
        found.append((masks, _accuracy(state, params, masks)))
    gone = np.array([[1 - m.mean(axis=(1, 2)) for m in masks.values()] for masks, _ in found])  # (S, L, G)
    accuracy = np.array([right for _, right in found])  # (S, G)
    first = found[0][0]
    return [
        Cut({n: m[g] for n, m in first.items()}, gone[:, :, g].T, accuracy[:, g]) for g in range(len(levels))
    ]


def _accuracy(state: LabState, params: Params, masks: Params) -> np.ndarray:
    """(G,) validation accuracies of one network under G masks."""
    count = len(next(iter(masks.values())))
    rows = {n: np.broadcast_to(p, (count, *p.shape)) for n, p in params.items()}
    return np.asarray(state.problem.metrics(prune.masked(masks)(rows))["validation_accuracy"])


def _retrain(work: _Work, levels: Sequence[float]) -> Iterator[float]:
    """Retrain what is not remembered: all seeds and sparsities are rows of one training."""
    state, dense = work.state, work.dense
    asked = dict.fromkeys(levels)
    missing = tuple(level for level in asked if _trained.get(_key(state, level)) is None)  # asking is use
    if not missing or dense is None:
        return
    work.fresh += len(missing) * state.seeds
    sparsities, scopes = finals(state.scope, missing)
    scores, scan = _scores[_scored(state)]
    networks = [{n: p[s] for n, p in dense.params.items()} for s in range(state.seeds)]
    known = dict(zip(map(fingerprint, networks), _adapted(state, scores, scan), strict=True))
    scoring = replace(_scoring(state, scan), known=known)
    options = {"seed": range(state.seeds), "criterion": scoring, "scope": scopes}
    options |= {"params": dense.params, "every": max(1, state.retrain // REPORTS)}
    run = Run(RULE, state.lr)
    at, course, base, total = [0], [np.tile(dense.accuracy, len(missing))], 0, state.retrain
    for now in state.timing.rounds(state.problem, run, sparsities, state.retrain, **options):
        base, share = _note(now, at, course, base), at[-1] / total
        if missing == (state.level,):
            work.live = np.array(at), np.array(course).T
        yield min(share, 1.0)
    work.live = None
    _file(state, missing, now, np.array(at), np.array(course).T)


def _note(now: Any, at: list[int], course: list[np.ndarray], base: int) -> int:
    """Write a report of a recipe into the course; returns the updates before its round."""
    if now.index == 0:
        return base
    if now.step <= at[-1] - base or len(at) == 1:  # the first report of a round
        base = at[-1]
        at.append(base)
        course.append(np.asarray(now.before["validation_accuracy"]))
    at.append(base + now.step)
    course.append(np.asarray(now.metrics["validation_accuracy"]))
    return base


def _file(state: LabState, levels: Sequence[float], now: Any, at: np.ndarray, course: np.ndarray) -> None:
    """Remember what came out at each level."""
    gone = np.array([1 - m.mean(axis=(1, 2)) for m in now.masks.values()])  # (L, G·S)
    for g, level in enumerate(levels):
        rows = slice(g * state.seeds, (g + 1) * state.seeds)
        masks = {n: np.array(m[rows.start]) for n, m in now.masks.items()}
        params = {n: np.array(p[rows.start]) for n, p in now.params.items()}
        cut = Cut(masks, gone[:, rows], course[rows, -1])
        _trained[_key(state, level)] = Retrained(at, course[rows], cut, params)


def _write(work: _Work) -> Iterator[float]:
    """Files of the first seed's networks at every sparsity, and the time of the chosen one."""
    state = work.state
    keys = [_key(state, level) for level in (*state.levels, state.level)]
    for i, key in enumerate(keys):
        if key not in _books:
            for book in booked(_trained[key].params):
                if book is not None:
                    _books[key] = book
                yield i / len(keys)
    work.books = tuple(_books[key] for key in keys)
    pair = keys[0], keys[-1]
    if pair not in _times:
        _times[pair] = tuple(timed(state.problem, *(_trained[key].params for key in pair)))
    work.times = _times[pair]


def _scoring(state: LabState, scan: Scan) -> Scoring:
    return Scoring(state.score, scan if isinstance(state.scope, BySensitivity) else None)


def _adapted(state: LabState, scores: list[Params], scan: Scan) -> list[Params]:
    """The dense networks' scores as the scope compares them."""
    return [_scoring(state, scan).adapted(each) for each in scores]


def _scored(state: LabState) -> Any:
    return state.task, state.score


def _key(state: LabState, level: float) -> Any:
    """Everything that determines retraining; without a cut it is the dense network trained on."""
    how = (state.score, state.scope) if level > 0 else ()
    return state.task, how, state.timing, state.retrain, level
