"""The networks of the range explorer, their numbers, and what they are worth in few bits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from cachetools import LRUCache

from optviz.optimizers import SGD
from optviz.quantize import Observer, QParams, fake_quantize, fake_quantize_grad, from_range
from optviz.recipes import RoundedUnits
from optviz.training import Run
from optviz.widgets.ranges.state import UNITS, WEIGHTS, RangeState
from optviz.widgets.tasks import in_slices

__all__ = [
    "Coded",
    "Networks",
    "accuracy",
    "coded",
    "known_accuracy",
    "numbers",
    "parts",
    "trained",
    "training",
]

RUN = Run(SGD(momentum=0.9), 0.05)
IMAGES, BATCH = 512, 64  # of the training set, for calibration
Params = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Networks:
    """S trained networks.

    Args:
        params: name → (S, *shape).
        seen: name of hidden units → (S, 512, H) on training images, for calibration.
        measured: name of hidden units → (S, N, H) on the N validation images.
        accuracy: (S,) of these.
    """

    params: Params
    seen: Params
    measured: Params
    accuracy: np.ndarray


@dataclass(frozen=True, eq=False)
class Coded:
    """Numbers in a code. B blocks of numbers share a scale.

    Args:
        q: scale, zero point and ends of the code.
        low, high: (B,) ends of the range, 0 within.
    """

    q: QParams
    low: np.ndarray
    high: np.ndarray


_networks: LRUCache[Any, Networks] = LRUCache(24)
_observed: LRUCache[Any, Observer] = LRUCache(400)  # at most 64 kB each
_coded: LRUCache[Any, Coded] = LRUCache(6000)  # mostly one scale, at most some hundreds
_accuracy: LRUCache[Any, np.ndarray] = LRUCache(6000)


def trained(state: RangeState) -> Networks | None:
    """The networks, if they were trained."""
    return _networks.get(state.task)


def training(state: RangeState) -> Iterator[float]:
    """Train all networks side by side, and run them on images; yields the share done."""
    problem = state.problem
    step = yield from in_slices(problem, RUN, state.steps, range(state.seeds))
    params = {n: np.array(p) for n, p in step.params.items()}
    sets = [
        [np.array(layer.active) for layer in problem.layers(params, X, training=False)[:-1]]
        for X in (problem.data.train.X[:IMAGES], problem.data.validation.X)
    ]
    seen, measured = (dict(zip(UNITS, each, strict=True)) for each in sets)
    right = np.array(step.metrics["validation_accuracy"])
    _networks[state.task] = Networks(params, seen, measured, right)


def numbers(found: Networks, tensor: str, seed: int = 0) -> np.ndarray:
    """The numbers that are rounded: weights (out, in), or units (N, H) on validation images."""
    return (found.params if tensor in WEIGHTS else found.measured)[tensor][seed]


def coded(state: RangeState, tensor: str, how: Any, bits: int, seed: int = 0) -> Coded:
    """The code that a range finds for a tensor of one network; what was found is remembered."""
    grain = state.grain
    key = state.task, seed, tensor, how, grain, bits, state.symmetric
    if key not in _coded:
        seen = _observer(state, tensor, how, seed)
        low, high = how.finish(seen.state, np.array([bits]), state.symmetric)
        shaped = low.reshape(seen.shape), high.reshape(seen.shape)
        q = from_range(*shaped, bits, state.symmetric, like=seen.like)
        _coded[key] = Coded(q, np.minimum(low, 0), np.maximum(high, 0))
    return _coded[key]


def _observer(state: RangeState, tensor: str, how: Any, seed: int) -> Observer:
    """What a range remembers: of weights all at once, of units batch after batch of training images."""
    key = state.task, seed, tensor, how, state.grain
    if key not in _observed:
        found, observer = _networks[state.task], Observer(how, state.grain)
        if tensor in WEIGHTS:
            observer = observer.update(found.params[tensor][seed])
        else:
            for start in range(0, IMAGES, BATCH):
                observer = observer.update(found.seen[tensor][seed][start : start + BATCH])
        _observed[key] = observer
    return _observed[key]


def parts(x: np.ndarray, q: QParams) -> tuple[float, float]:
    """Mean (x̂ − x)² from rounding and from clipping, as shares of the mean x²."""
    inside = fake_quantize_grad(np.ones_like(x), x, q)  # 1 where nothing is clipped
    squared = (fake_quantize(x, q) - x) ** 2
    power = max(float(np.mean(x**2, dtype=float)), 1e-300)
    rounding, clipping = (float(np.mean(squared * m, dtype=float)) / power for m in (inside, 1 - inside))
    return rounding, clipping


def known_accuracy(state: RangeState, how: Any, bits: int) -> np.ndarray | None:
    """(S,) validation accuracies in this code, if they were measured."""
    return _accuracy.get(_key(state, how, bits))


def accuracy(state: RangeState, how: Any, bits: int) -> Iterator[None]:
    """Measure all networks with all weights, or all hidden units, in this code; yields after each piece."""
    if known_accuracy(state, how, bits) is not None:
        return
    found, names = _networks[state.task], UNITS if state.of_units else WEIGHTS
    codes: dict[str, list[QParams]] = {name: [] for name in names}
    for name in names:
        for seed in range(state.seeds):
            codes[name].append(coded(state, name, how, bits, seed).q)
            yield
    measured = _with_units if state.of_units else _with_weights
    _accuracy[_key(state, how, bits)] = np.array(measured(state, found.params, codes, bits))


def _with_weights(
    state: RangeState, params: Params, codes: Mapping[str, Sequence[QParams]], bits: int
) -> Any:
    rounded = {
        name: np.stack([fake_quantize(w, q) for w, q in zip(params[name], each, strict=True)])
        for name, each in codes.items()
    }
    return state.problem.metrics({**params, **rounded})["validation_accuracy"]


def _with_units(state: RangeState, params: Params, codes: Mapping[str, Sequence[QParams]], bits: int) -> Any:
    """Units are at least 0 after ReLU: of a symmetric code they use the upper half, b − 1 bits from 0 up."""
    used = bits - 1 if state.symmetric else bits
    given = {
        f"layer{int(name[-1]) + 1}.units": np.array([(q.scale, q.zero_point) for q in each], np.float32)
        for name, each in codes.items()
    }
    return RoundedUnits(state.problem, used).metrics({**params, **given})["validation_accuracy"]


def _key(state: RangeState, how: Any, bits: int) -> Any:
    return state.task, state.of_units, how, state.grain, bits, state.symmetric
