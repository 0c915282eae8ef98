"""What the channel explorer computes: networks trained once, cut live, timed, and fine-tuned in slices."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from optviz.widgets.channels.cuts import Bar, Costs, Cut, bars, costs, cut, names
from optviz.widgets.channels.networks import fine_tuned, trained
from optviz.widgets.channels.pictures import pictured
from optviz.widgets.channels.state import LabState
from optviz.widgets.channels.words import CHANNEL_LAB as WORDS

__all__ = ["SHARES", "Outcome", "compute"]

SHARES = tuple(k / 8 for k in range(8))  # of the curves, beside the chosen one
LOOKS = 0.1  # seconds between two pictures of a network in training
Slice = Iterator[float]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What has been computed so far. S seeds, G shares, U units of the layer that is shown; NaN: not yet.

    Args:
        state: what was asked for.
        layer: name on the page of the layer that is shown, "" before there is a network.
        images: (U, H, W) a picture of each of its units in the first network.
        kind: what the pictures hold, as ``pictured`` says.
        scores: (U,) what they were ranked by; empty before the network is trained.
        keep: (U,) bool, which of them stay; empty likewise.
        bars: units of each layer before and after the cut.
        shares: (G,) shares removed, the chosen one among them.
        before, after: (S, G) validation accuracies just cut, and fine-tuned.
        costs: of the whole, the masked and the shrunk network.
        examples: validation images behind an accuracy.
        progress: share of the work that is done, 0 to 1.
        seconds: time it took so far.
        fresh, tuned: networks trained and fine-tuned for it, the others being remembered.
        note: a sentence on what is going on.
    """

    state: LabState
    layer: str
    images: np.ndarray
    kind: str
    scores: np.ndarray
    keep: np.ndarray
    bars: tuple[Bar, ...]
    shares: np.ndarray
    before: np.ndarray
    after: np.ndarray
    costs: Costs | None
    examples: int
    progress: float
    seconds: float
    fresh: int = 0
    tuned: int = 0
    note: str = ""

    @property
    def chosen(self) -> int:
        """Where the chosen share is among ``shares``."""
        return int(np.argmin(abs(self.shares - self.state.share)))


@dataclass
class _Work:
    """The parts of a result while they fill."""

    state: LabState
    shares: np.ndarray
    before: np.ndarray
    after: np.ndarray
    began: float = field(default_factory=time.perf_counter)
    group: str = ""
    layer: str = ""
    picture: np.ndarray = field(default_factory=lambda: np.zeros((0, 1, 1)))
    kind: str = "weights"
    scores: np.ndarray = field(default_factory=lambda: np.zeros(0))
    keep: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    bars: tuple[Bar, ...] = ()
    costs: Costs | None = None
    examples: int = 1
    done: float = 0.0
    total: float = 1.0
    fresh: int = 0
    tuned: int = 0
    note: str = WORDS["training"].format(seed=1, seeds=1)
    models: list[Any] = field(default_factory=list)
    cuts: dict[tuple[int, int], Cut] = field(default_factory=dict)

    @property
    def chosen(self) -> int:
        return int(np.argmin(abs(self.shares - self.state.share)))

    def show(self, model: Any) -> None:
        """Take the pictures of the units from this network."""
        self.group, self.picture, self.kind = pictured(self.state, model)
        self.layer = names(model)[self.group]

    def outcome(self, share: float | None = None) -> Outcome:
        progress = min(self.done / self.total, 0.999) if share is None else share
        note = "" if progress == 1 else self.note
        return Outcome(
            self.state, self.layer, self.picture, self.kind, self.scores, self.keep, self.bars, self.shares,
            self.before.copy(), self.after.copy(), self.costs, self.examples, progress,
            time.perf_counter() - self.began, self.fresh, self.tuned, note,
        )  # fmt: skip


def compute(state: LabState) -> Iterator[Outcome]:
    """Train, cut at every share, time the chosen cut, fine-tune it; then the other seeds and shares.

    Trained, cut, fine-tuned and timed networks are remembered, so that a move of the share needs little.

    Args:
        state: what to do.

    Yields:
        Ever more complete outcomes; the last has ``progress`` 1.
    """
    shares = np.array(sorted({*SHARES, state.share}))
    blank = np.full((state.seeds, len(shares)), np.nan)
    work = _Work(state, shares, blank, blank.copy())
    yield work.outcome(0.0)  # before torch and the images are loaded
    work.examples = len(state.images.validation.y)
    jobs = _jobs(work)
    work.total = sum(size for size, _ in jobs)
    for size, job in jobs:
        before = work.done
        for share in job:
            work.done = before + size * share
            yield work.outcome()
        work.done = before + size
    yield work.outcome(1.0)


def _jobs(work: _Work) -> list[tuple[float, Slice]]:
    """All that is to do with its size, about the number of updates; the first picture first."""
    state, chosen, jobs = work.state, work.chosen, list[tuple[float, Slice]]()
    for seed in range(state.seeds):
        jobs += [(state.steps, _training(work, seed)), (30, _cutting(work, seed))]
        jobs += [(30, _timing(work))] if seed == 0 else []
        jobs += [(state.updates + 1, _tuning(work, seed, chosen))]
    rest = [g for g in range(len(work.shares)) if g != chosen]
    return jobs + [(state.updates + 1, _tuning(work, s, g)) for g in rest for s in range(state.seeds)]


def _training(work: _Work, seed: int) -> Slice:
    work.note = WORDS["training"].format(seed=seed + 1, seeds=work.state.seeds)
    model, looked = None, 0.0
    for model, share, fresh in trained(work.state, seed):
        if seed == 0 and (share == 1 or time.perf_counter() > looked + LOOKS):
            work.show(model)
            looked = time.perf_counter()
        if share < 1:
            yield share
        work.fresh += int(fresh and share == 1)
    work.models.append(model)


def _cutting(work: _Work, seed: int) -> Slice:
    work.note, order = WORDS["cutting"], [work.chosen, *range(len(work.shares))]
    for done, g in enumerate(order):
        found = cut(work.state, seed, work.models[seed], float(work.shares[g]))
        work.before[seed, g] = found.accuracy
        work.cuts[seed, g] = found
        if seed == 0 and done == 0:
            work.keep, work.scores = found.keep[work.group], found.scores[work.group]
            work.bars = bars(work.state, work.models[0], found)
        yield done / len(order)


def _timing(work: _Work) -> Slice:
    work.note = WORDS["timing"]
    for found, share in costs(work.state, work.models[0], work.cuts[0, work.chosen]):
        work.costs = found
        yield share


def _tuning(work: _Work, seed: int, g: int) -> Slice:
    work.note = WORDS["tuning"]
    for accuracy, share, fresh in fine_tuned(work.state, seed, work.cuts[seed, g]):
        work.after[seed, g] = accuracy
        work.tuned += int(fresh and share == 1)
        if share < 1:
            yield share
