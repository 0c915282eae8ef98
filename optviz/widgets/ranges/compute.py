"""What the range explorer computes: networks, codes by every range, errors over the clip, accuracies."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from cachetools import LRUCache

from optviz.widgets.ranges import networks
from optviz.widgets.ranges.networks import Coded
from optviz.widgets.ranges.state import BITS, LEAST, Cut, RangeState
from optviz.widgets.ranges.words import WORDS

__all__ = ["SHARES", "Method", "Outcome", "compute"]

PAUSE = 0.02  # seconds of work between two outcomes
SHARES = np.linspace(LEAST, 1.0, 50)
Place = tuple[int, int]  # number of the range, bits


@dataclass(frozen=True, eq=False)
class Method:
    """One range at one number of bits.

    Args:
        code: what it found for the numbers of the first network.
        rounding, clipping: its mean squared errors there, as shares of the numbers' mean square.
    """

    code: Coded
    rounding: float
    clipping: float

    @property
    def error(self) -> float:
        """Both together."""
        return self.rounding + self.clipping


@dataclass(frozen=True, eq=False)
class Outcome:
    """What has been computed so far. R ranges, G clips, S networks; None, NaN or missing: not yet.

    Args:
        state: what was asked for.
        x: the numbers of the first network.
        unit: (B,) the largest |x| of each block that shares a scale, as the calibration has seen it.
        methods: (number of the range, bits) → :class:`Method`.
        curve: (2, G) errors by rounding and by clipping at every clip in ``SHARES``.
        accuracy: (number of the range, bits) → (S,) validation accuracies.
        dense: (S,) accuracies in floating point.
        progress: share of the work that is done, 0 to 1.
        seconds: time it took so far.
        note: a sentence on what is going on.
    """

    state: RangeState
    x: np.ndarray | None = None
    unit: np.ndarray | None = None
    methods: Mapping[Place, Method] = field(default_factory=dict)
    curve: np.ndarray | None = None
    accuracy: Mapping[Place, np.ndarray] = field(default_factory=dict)
    dense: np.ndarray | None = None
    progress: float = 0.0
    seconds: float = 0.0
    note: str = ""

    @property
    def here(self) -> list[Method | None]:
        """The R ranges at the chosen bits."""
        return [self.methods.get((i, self.state.bits)) for i in range(len(self.state.ranges))]

    @property
    def chosen(self) -> int:
        """Number of the chosen range."""
        return self.state.ranges.index(self.state.chosen)


@dataclass
class _Work:
    """What fills while results are cut from it."""

    state: RangeState
    began: float = field(default_factory=time.perf_counter)
    x: np.ndarray | None = None
    unit: np.ndarray | None = None
    methods: dict[Place, Method] = field(default_factory=dict)
    curve: np.ndarray | None = None
    accuracy: dict[Place, np.ndarray] = field(default_factory=dict)
    dense: np.ndarray | None = None

    def outcome(self, progress: float, note: str = "") -> Outcome:
        took = time.perf_counter() - self.began
        methods, accuracy = dict(self.methods), dict(self.accuracy)
        known = (self.x, self.unit, methods, self.curve, accuracy, self.dense)
        return Outcome(self.state, *known, progress, took, note)


_methods: LRUCache[Any, Method] = LRUCache(6000)
_curves: LRUCache[Any, np.ndarray] = LRUCache(2000)


def compute(state: RangeState) -> Iterator[Outcome]:
    """Networks, then every range at the chosen bits, the errors over the clip, accuracies, the other bits.

    What was found before is remembered: a new clip needs its own code alone.

    Args:
        state: what to compute.

    Yields:
        Ever more complete outcomes; the last has ``progress`` 1.
    """
    work = _Work(state)
    yield work.outcome(0.0, WORDS["training"])  # before data are loaded, which may take a while
    if networks.trained(state) is None:
        for share in networks.training(state):
            yield work.outcome(0.3 * share, WORDS["training"])
    found = networks.trained(state)
    assert found is not None
    work.x, work.dense = networks.numbers(found, state.tensor), found.accuracy
    ends = networks.coded(state, state.tensor, Cut(1.0), state.bits)
    work.unit = np.maximum(-ends.low, ends.high)
    told = time.perf_counter()
    for progress, note in _stages(work):
        if time.perf_counter() - told > PAUSE:
            yield work.outcome(progress, WORDS[note])
            told = time.perf_counter()
    yield work.outcome(1.0)


def _stages(work: _Work) -> Iterator[tuple[float, str]]:
    """Progress and what is going on, after every small piece of work."""
    here, others = (work.state.bits,), tuple(b for b in BITS if b != work.state.bits)
    for share in _code(work, here):
        yield 0.3 + 0.1 * share, "coding"
    for share in _sweep(work):
        yield 0.4 + 0.05 * share, "sweeping"
    for share in _measure(work, here):
        yield 0.45 + 0.1 * share, "measuring"
    for share in _code(work, others):
        yield 0.55 + 0.1 * share, "others"
    for share in _measure(work, others):
        yield 0.65 + 0.34 * share, "others"


def _code(work: _Work, bits: tuple[int, ...]) -> Iterator[float]:
    """The code of every range for the numbers, and its errors."""
    state, places = work.state, _places(work.state, bits)
    for done, (i, b) in enumerate(places, start=1):
        how = state.ranges[i]
        key = state.task, state.tensor, how, state.grain, state.symmetric, b
        if key not in _methods:
            code = networks.coded(state, state.tensor, how, b)
            _methods[key] = Method(code, *networks.parts(_given(work), code.q))
            yield done / len(places)
        work.methods[i, b] = _methods[key]
    yield 1.0


def _sweep(work: _Work) -> Iterator[float]:
    """Errors at every clip."""
    state = work.state
    key = state.task, state.tensor, state.grain, state.symmetric, state.bits
    if key not in _curves:
        found = []
        for share in SHARES:
            code = networks.coded(state, state.tensor, Cut(float(share)), state.bits)
            found.append(networks.parts(_given(work), code.q))
            yield len(found) / len(SHARES)
        _curves[key] = np.array(found).T
    work.curve = _curves[key]
    yield 1.0


def _measure(work: _Work, bits: tuple[int, ...]) -> Iterator[float]:
    """Accuracies with every range."""
    state, places = work.state, _places(work.state, bits)
    for done, (i, b) in enumerate(places):
        for _ in networks.accuracy(state, state.ranges[i], b):
            yield done / len(places)
        right = networks.known_accuracy(state, state.ranges[i], b)
        assert right is not None
        work.accuracy[i, b] = right
    yield 1.0


def _places(state: RangeState, bits: tuple[int, ...]) -> list[Place]:
    """Ranges and bits, the chosen range first."""
    order = sorted(range(len(state.ranges)), key=lambda i: state.ranges[i] != state.chosen)
    return [(i, b) for i in order for b in bits]


def _given(work: _Work) -> np.ndarray:
    assert work.x is not None
    return work.x
