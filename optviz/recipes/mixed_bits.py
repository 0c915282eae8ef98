"""How many bits each layer needs: each rounded alone, and what fits into a number of bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from optviz._knobs import require
from optviz._rows import chosen, namespace
from optviz.quantize import Granularity, MinMax, PerChannel, Range, choose_qparams, fake_quantize
from optviz.training.history import require_problem

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BitScan", "MixedBits", "bit_scan", "mixed_bits", "rounded"]

Params = Mapping[str, Any]
CHANNELS, EXTREMES = PerChannel(0), MinMax()


@dataclass(frozen=True, eq=False)
class BitScan:
    """What the network loses when one layer alone has few bits. L layers, B numbers of bits.

    Args:
        layers: L names of weights.
        sizes: L numbers of weights.
        scales: L numbers of scales, of 4 bytes each.
        bits: (B,) rising.
        accuracy: (L, B) validation accuracy.
        loss: (L, B) validation loss.
        full: validation accuracy and loss of the network as it came.
        rest: numbers that are not rounded, of 4 bytes each: biases, gains, shifts.

    Example:
        >>> accuracy, loss = np.array([[0.8, 0.95]]), np.array([[0.6, 0.2]])
        >>> found = BitScan(("w",), (100,), (10,), np.array([2, 8]), accuracy, loss, (0.95, 0.2), 10)
        >>> found.bytes.tolist(), found.drop.round(2).tolist()
        ([[65.0, 140.0]], [[0.15, 0.0]])
    """

    layers: tuple[str, ...]
    sizes: tuple[int, ...]
    scales: tuple[int, ...]
    bits: np.ndarray
    accuracy: np.ndarray = field(repr=False)
    loss: np.ndarray = field(repr=False)
    full: tuple[float, float]
    rest: int

    @property
    def drop(self) -> np.ndarray:
        """(L, B) accuracy lost; below 0 where rounding helped."""
        return self.full[0] - self.accuracy

    @property
    def bytes(self) -> np.ndarray:
        """(L, B) bytes of a layer: weights packed at their bits, and scales."""
        packed = np.ceil(np.outer(self.sizes, self.bits) / 8)
        return packed + 4.0 * np.asarray(self.scales)[:, None]

    def to_frame(self) -> pd.DataFrame:
        """A pandas table with one line a layer and number of bits."""
        import pandas as pd

        count = len(self.bits)
        columns: dict[str, Any] = {"layer": np.repeat(np.array(self.layers, object), count)}
        columns |= {"weights": np.repeat(self.sizes, count), "bits": np.tile(self.bits, len(self.layers))}
        columns |= {"bytes": self.bytes.ravel(), "accuracy": self.accuracy.ravel()}
        return pd.DataFrame(columns | {"drop": self.drop.ravel(), "loss": self.loss.ravel()})


@dataclass(frozen=True)
class MixedBits:
    """Bits for each layer, and what they take.

    Args:
        bits: pairs (name of the weights, bits).
        bytes: of the whole network, with scales and what is not rounded.
        expected: validation loss if the layers' losses added up; measure it with :func:`rounded`.

    Example:
        >>> MixedBits((("0.weight", 4), ("2.weight", 8)), 1000, 0.3).layers
        {'0': 4, '2': 8}
    """

    bits: tuple[tuple[str, int], ...]
    bytes: int
    expected: float

    @property
    def layers(self) -> dict[str, int]:
        """Name of a module → bits, as ``quantize.WeightOnly(layers=…)`` takes them."""
        return {name.removesuffix(".weight"): bits for name, bits in self.bits}


def rounded(
    params: Params,
    bits: Sequence[Mapping[str, int]],
    *,
    per: Granularity = CHANNELS,
    range: Range = EXTREMES,
) -> dict[str, Any]:
    """K copies of a network, each with weights rounded to bits of its own; symmetric codes.

    Args:
        params: name → (*shape) weights of one network, arrays or tensors.
        bits: K times name → bits in [2, 16]; what is not named stays as it is.
        per: which weights share a scale.
        range: how the ends are found.

    Returns:
        Name → (K, *shape).

    Raises:
        ValueError: if a name is unknown, bits are outside [2, 16], or no copy is asked for.

    Example:
        >>> w = np.array([[1.0, 0.3]])
        >>> rounded({"w": w}, [{}, {"w": 2}, {"w": 3}])["w"].round(2).tolist()
        [[[1.0, 0.3]], [[1.0, 0.0]], [[1.0, 0.33]]]

    Reference: Krishnamoorthi, 2018, arXiv:1806.08342, section 3.1.
    """
    require(len(bits) > 0, "rounded.bits", "for at least one copy", bits)
    unknown = sorted({name for each in bits for name in each} - set(params))
    require(not unknown, "rounded.bits", f"for weights among {list(params)}", unknown)
    found = {}
    for name, p in params.items():
        found[name] = namespace(p).stack([p] * len(bits))
        rows = [k for k, each in enumerate(bits) if name in each]
        if rows:
            own = [bits[k][name] for k in rows]
            q = choose_qparams(found[name][rows], own, per, symmetric=True, range=range)
            found[name][rows] = fake_quantize(found[name][rows], q)
    return found


def bit_scan(
    problem: Any,
    params: Params,
    bits: Sequence[int] = (2, 3, 4, 6, 8),
    *,
    of: tuple[str, ...] | None = None,
    per: Granularity = CHANNELS,
    range: Range = EXTREMES,
) -> BitScan:
    """Round each layer alone to several numbers of bits and measure, all networks as rows of one call.

    Args:
        problem: whose validation examples decide.
        params: name → (*shape) trained weights of one network.
        bits: B numbers in [2, 16], rising.
        of: names of weights; None for all with two or more axes.
        per: which weights share a scale.
        range: how the ends are found.

    Returns:
        A :class:`BitScan`.

    Raises:
        TypeError: if ``problem`` is no problem.
        ValueError: if bits don't rise or are outside [2, 16], or a name is unknown.

    Example:
        >>> from optviz import optimizers, problems
        >>> from optviz.training import Run, train
        >>> h = train(problems.digits(), [Run(optimizers.SGD(0.9), 0.1)], 100)
        >>> found = bit_scan(problems.digits(), {name: p[0] for name, p in h.params.items()})
        >>> found.layers, found.accuracy.shape, bool((abs(found.drop[:, -1]) < 0.02).all())
        (('weight1', 'weight2'), (2, 5), True)

    Reference: Wu and others, 2020, arXiv:2004.09602 (partial quantization, each layer alone).
    """
    require_problem(problem)
    rises = len(bits) > 0 and all(a < b for a, b in pairwise(bits))
    require(rises, "bit_scan.bits", "one or more numbers, each above the one before", bits)
    names = chosen(params, of, rows=False)
    tries: list[dict[str, int]] = [{}, *({name: b} for name in names for b in bits)]
    measured = problem.metrics(rounded(params, tries, per=per, range=range))
    accuracy, loss = (np.asarray(measured[f"validation_{n}"], float) for n in ("accuracy", "loss"))
    sizes, scales = counts(params, names, per)
    rest = sum(int(np.prod(p.shape)) for name, p in params.items() if name not in names)
    each = (len(names), len(bits))
    tables = accuracy[1:].reshape(each), loss[1:].reshape(each)
    full = float(accuracy[0]), float(loss[0])
    return BitScan(tuple(names), sizes, scales, np.asarray(bits), *tables, full, rest)


def mixed_bits(scan: BitScan, bytes: float) -> MixedBits:
    """Bits for each layer such that the network fits into some bytes and the losses' sum stays small.

    Greedy: all layers begin with the most bits. The step that costs the least loss for each byte that it
    saves is taken, to any smaller number of bits of one layer, until the network fits. Then, while there is
    room, the step back that wins the most loss is taken.

    Args:
        scan: of :func:`bit_scan`.
        bytes: how many the whole network may take, with scales and what is not rounded.

    Returns:
        :class:`MixedBits`; the layers' losses don't add up exactly, so measure what it gives.

    Raises:
        ValueError: if the network doesn't fit even with the fewest bits.

    Example:
        >>> loss = np.array([[0.9, 0.3, 0.2], [0.21, 0.2, 0.2]])
        >>> bits = np.array([2, 4, 8])
        >>> found = BitScan(("a", "b"), (800, 800), (1, 1), bits, 1 - loss, loss, (0.8, 0.2), 0)
        >>> mixed_bits(found, 1100).bits, mixed_bits(found, 700).bits
        ((('a', 8), ('b', 2)), (('a', 4), ('b', 2)))

    Reference: Pandey and others, 2023, arXiv:2302.05397 (post-training, greedy, sensitivity by sensitivity).
    """
    cost, size = scan.loss - scan.full[1], scan.bytes
    least = int(size[:, 0].sum() + 4 * scan.rest)
    require(bytes >= least, "mixed_bits.bytes", f"at least {least:,}, with the fewest bits everywhere", bytes)
    room = bytes - 4 * scan.rest
    at = np.full(len(size), len(scan.bits) - 1)
    while size[range_of(at), at].sum() > room:
        at = lowered(at, cost, size)
    while (better := raised(at, cost, size, room)) is not None:
        at = better
    bits = tuple((name, int(b)) for name, b in zip(scan.layers, scan.bits[at], strict=True))
    total = int(size[range_of(at), at].sum() + 4 * scan.rest)
    return MixedBits(bits, total, float(scan.full[1] + cost[range_of(at), at].sum()))


def counts(params: Params, names: Sequence[str], per: Granularity) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """How many weights and how many scales each layer has."""
    shapes = [tuple(params[name].shape) for name in names]
    sizes = tuple(int(np.prod(shape)) for shape in shapes)
    return sizes, tuple(int(np.prod(per.shape(shape))) for shape in shapes)


def range_of(at: np.ndarray) -> np.ndarray:
    """The layers' numbers."""
    return np.arange(len(at))


def lowered(at: np.ndarray, cost: np.ndarray, size: np.ndarray) -> np.ndarray:
    """The step of one layer to fewer bits that costs the least for each byte."""
    own = range_of(at)
    saved = size[own, at][:, None] - size
    price = np.where(saved > 0, cost - cost[own, at][:, None], np.inf) / np.maximum(saved, 1)
    layer, to = np.unravel_index(np.argmin(price), price.shape)
    return np.where(own == layer, to, at)


def raised(at: np.ndarray, cost: np.ndarray, size: np.ndarray, room: float) -> np.ndarray | None:
    """The step of one layer to more bits that fits and wins the most; None where none wins."""
    own = range_of(at)
    more = size - size[own, at][:, None]
    fits = (more > 0) & (size[own, at].sum() + more <= room)
    won = np.where(fits, cost[own, at][:, None] - cost, 0)
    layer, to = np.unravel_index(np.argmax(won), won.shape)
    return np.where(own == layer, to, at) if won[layer, to] > 0 else None
