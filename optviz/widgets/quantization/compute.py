"""What the quantization explorer computes: networks trained once, then quantized in every way, and timed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from cachetools import LRUCache

from optviz import quantize, recipes
from optviz.quantize.observers import weighted
from optviz.widgets.quantization.networks import (
    Trained,
    accuracy,
    calibration,
    images,
    problem,
    train,
    trained,
)
from optviz.widgets.quantization.runtimes import Times, timed
from optviz.widgets.quantization.state import ALIKE, BITS, BY_HAND, FLOATS, FULL, LabState
from optviz.widgets.quantization.words import QUANTIZATION_LAB as WORDS

__all__ = ["BUDGETS", "COUNTS", "Found", "Outcome", "Table", "compute"]

BUDGETS = (2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 7.0, 8.0)  # bits a weight whose bytes the greedy plan may use
COUNTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)  # calibration images
REMEMBERED = 20_000
Bytes = tuple[int, int, int]


@dataclass(frozen=True)
class Found:
    """A quantized network.

    Args:
        accuracy: share of the test images that it gets right.
        bytes: of weights, of scales with zero points and codes of inputs, and of biases.
    """

    accuracy: float
    bytes: Bytes


@dataclass(frozen=True, eq=False)
class Table:
    """Several ways to quantize, each with every seed. R ways, S seeds; NaN: not yet.

    Args:
        accuracy: (R, S) of the test images.
        bytes: (R, S, 3) as in :class:`Found`.
        bits: (R, S, L) of the layers.
    """

    accuracy: np.ndarray
    bytes: np.ndarray
    bits: np.ndarray

    @staticmethod
    def blank(ways: int, seeds: int, layers: int) -> Table:
        """Nothing yet."""
        return Table(*(np.full((ways, seeds, *n), np.nan) for n in ((), (3,), (layers,))))

    @property
    def total(self) -> np.ndarray:
        """(R, S) bytes."""
        return self.bytes.sum(axis=-1)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What has been computed so far. S seeds, L layers; None: not yet.

    Args:
        state: what was asked for.
        full: the networks in floating point, as if quantized to 32 bits.
        chosen: quantized as asked for.
        uniform: all layers alike, at each of ``BITS``.
        alone: the same with activations in floating point.
        greedy: bits of its own for each layer, with the bytes of ``BUDGETS``.
        counts: as asked for, calibrated on ``COUNTS`` images.
        scans: what each layer alone loses, one a seed; from the validation images.
        times: what a batch takes.
        images: test images behind each accuracy.
        progress: share of the work that is done, 0 to 1.
        seconds: time it took so far.
        fresh: networks that were trained for it, the others being remembered.
        quantized: networks that were quantized for it, likewise.
        note: a sentence on what is going on.
    """

    state: LabState
    full: Table
    chosen: Table
    uniform: Table
    alone: Table
    greedy: Table
    counts: Table
    scans: tuple[recipes.BitScan, ...] = ()
    times: Times | None = None
    images: int = 0
    progress: float = 0.0
    seconds: float = 0.0
    fresh: int = 0
    quantized: int = 0
    note: str = ""


TABLES = {"full": 1, "chosen": 1, "uniform": len(BITS), "alone": len(BITS)} | {
    "greedy": len(BUDGETS),
    "counts": len(COUNTS),
}


@dataclass
class _Work:
    """What fills while results are cut from it."""

    state: LabState
    began: float = field(default_factory=time.perf_counter)
    tables: dict[str, Table] = field(default_factory=dict)
    nets: list[Trained] = field(default_factory=list)
    scans: tuple[recipes.BitScan, ...] = ()
    times: Times | None = None
    fresh: int = 0
    quantized: int = 0

    def outcome(self, progress: float, note: str = "") -> Outcome:
        """What there is by now."""
        seeds, layers = self.state.seeds, len(self.state.own)
        for name, ways in TABLES.items():
            self.tables.setdefault(name, Table.blank(ways, seeds, layers))
        known: dict[str, Any] = {
            name: Table(t.accuracy.copy(), t.bytes.copy(), t.bits.copy()) for name, t in self.tables.items()
        }
        count = len(images(self.state.network)[1]) if self.nets else 0
        took = time.perf_counter() - self.began
        parts: dict[str, Any] = {"scans": self.scans, "times": self.times, "images": count}
        parts |= {"fresh": self.fresh, "quantized": self.quantized, "note": note}
        return Outcome(self.state, **known, progress=progress, seconds=took, **parts)


_scans: LRUCache[Any, recipes.BitScan] = LRUCache(REMEMBERED)
_found: LRUCache[Any, Found] = LRUCache(REMEMBERED)


def compute(state: LabState) -> Iterator[Outcome]:
    """Train, scan the layers, quantize as asked for, then at all bits and budgets; times come last.

    What was done before is remembered: other bits need no training, and a network is quantized in one way
    only once.

    Args:
        state: what to compute.

    Yields:
        Ever more complete outcomes; the last has ``progress`` 1.
    """
    work = _Work(state)
    yield work.outcome(0.0, WORDS["training"])  # before data and torch are loaded, which may take a while
    for share in _train(work):
        yield work.outcome(0.25 * share, WORDS["training"])
    for share in _quantize(work, "full"):
        yield work.outcome(0.25 + 0.01 * share, WORDS["quantizing"])
    for share in _scan(work):
        yield work.outcome(0.26 + 0.14 * share, WORDS["scanning"])
    for share in _quantize(work, *list(TABLES)[1:]):
        yield work.outcome(0.4 + 0.55 * share, WORDS["quantizing"])
    for times in timed(state, work.nets[0]):
        work.times = times
        yield work.outcome(0.97, WORDS["timing"])
    yield work.outcome(1.0)


def _train(work: _Work) -> Iterator[float]:
    """All seeds side by side, those that are not remembered."""
    state = work.state
    work.fresh = sum(trained(*state.task, s) is None for s in range(state.seeds))
    yield from train(*state.task, state.seeds)
    for seed in range(state.seeds):
        net = trained(*state.task, seed)
        assert net is not None
        work.nets.append(net)


def _scan(work: _Work) -> Iterator[float]:
    """What each layer alone loses, network by network."""
    state, found = work.state, list[recipes.BitScan]()
    for seed, net in enumerate(work.nets):
        key = state.scanned, seed
        if key not in _scans:
            for scan in _scanned(state, net):
                if scan is not None:
                    _scans[key] = scan
                yield (seed + 0.5) / state.seeds
        found.append(_scans[key])
    work.scans = tuple(found)


def _scanned(state: LabState, net: Trained) -> Iterator[recipes.BitScan | None]:
    """The scan of one network: None after each layer at each number of bits, then all of them as one."""
    how: dict[str, Any] = {"per": state.per, "range": state.range}
    names = [name for name, p in net.params.items() if p.ndim > 1]
    parts = []
    for name in names:
        for bits in BITS:
            parts.append(recipes.bit_scan(problem(state.network), net.params, (bits,), of=(name,), **how))
            yield None
    each, first = (len(names), len(BITS)), parts[0]
    columns = parts[:: len(BITS)]
    sizes, scales = (tuple(getattr(p, n)[0] for p in columns) for n in ("sizes", "scales"))
    accuracy_, loss = (np.reshape([getattr(p, n) for p in parts], each) for n in ("accuracy", "loss"))
    rest = first.rest - sum(sizes[1:])
    yield recipes.BitScan(tuple(names), sizes, scales, np.array(BITS), accuracy_, loss, first.full, rest)


def _quantize(work: _Work, *tables: str) -> Iterator[float]:
    """Fill some tables, one way to quantize after the other, each with all seeds."""
    ways = [(table, *way) for table in tables for way in _ways(work.state, table)]
    for done, (name, row, plan, count) in enumerate(ways):
        table = work.tables[name]
        for seed, net in enumerate(work.nets):
            bits = _bits(work, seed, plan)
            recipe = work.state.recipe(net.layers, bits, weights_only=name in ("full", "alone"))
            known = work.quantized
            found = _quantized(work, seed, recipe, count)
            table.accuracy[row, seed], table.bytes[row, seed] = found.accuracy, found.bytes
            table.bits[row, seed] = bits
            if work.quantized > known:
                yield (done + (seed + 1) / len(work.nets)) / len(ways)


def _ways(state: LabState, table: str) -> list[tuple[int, int | float | None, int]]:
    """Rows of a table: row, what gives the layers their bits (see :func:`_bits`), calibration images."""
    count = state.calibration
    if table == "counts":
        return [(row, None, n) for row, n in enumerate(COUNTS)] if state.calibrated else []
    if table == "greedy":
        return [(row, budget, count) for row, budget in enumerate(BUDGETS)]
    if table in ("full", "chosen"):
        return [(0, FULL if table == "full" else None, count)]
    needed = table == "uniform" or state.activations != FLOATS
    return [(row, BITS[row], count) for row in reversed(range(len(BITS)))] if needed else []


def _bits(work: _Work, seed: int, plan: int | float | None) -> tuple[int, ...]:
    """Bits of each layer: as asked for (None), the same in all (a whole number), or greedily (a float)."""
    if plan is None:
        return _planned(work, seed)
    return _fitted(work.scans[seed], plan) if isinstance(plan, float) else (plan,) * len(work.state.own)


def _planned(work: _Work, seed: int) -> tuple[int, ...]:
    """Bits of each layer as asked for."""
    state = work.state
    if state.plan == BY_HAND:
        return state.own
    return (state.bits,) * len(state.own) if state.plan == ALIKE else _fitted(work.scans[seed], state.bits)


def _fitted(scan: recipes.BitScan, bits: float) -> tuple[int, ...]:
    """Bits of each layer, greedily, with the bytes of so many bits everywhere."""
    alike = scan.bytes.sum(axis=0) + 4 * scan.rest
    room = float(np.interp(bits, scan.bits, alike))
    return tuple(b for _, b in recipes.mixed_bits(scan, room).bits)


def _quantized(work: _Work, seed: int, recipe: Any, count: int) -> Found:
    """The network of a seed, quantized once."""
    state, net = work.state, work.nets[seed]
    key = state.task, seed, recipe, count if recipe.observes else 0
    if key not in _found:
        batches = calibration(state.network, seed, count) if recipe.observes else None
        _found[key] = _measured(state.network, quantize.quantize_model(net.model, recipe, batches))
        work.quantized += 1
    return _found[key]


def _measured(network: str, model: Any) -> Found:
    """Where it is right, and what its bytes are for."""
    parts = [part for part in model.modules() if hasattr(part, "codes")]
    weights = sum(-(-part.codes.numel() * part.bits // 8) for part in parts)
    floats = list(weighted(model).values())
    weights += sum(layer.weight.nbytes for layer in floats)
    biases = sum(layer.bias.nbytes for layer in (*parts, *floats))
    rest = quantize.bytes_of(model) - weights - biases
    return Found(accuracy(network, model), (weights, rest, biases))
