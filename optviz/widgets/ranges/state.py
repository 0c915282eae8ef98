"""The state of the range explorer: which numbers of a network, how many bits, and where their range ends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from optviz import problems
from optviz._knobs import choice, config, example, knob, require
from optviz.quantize import MSE, Entropy, MinMax, MovingAverage, Percentile, PerChannel, PerGroup, PerTensor

__all__ = ["BITS", "LEAST", "UNITS", "WEIGHTS", "ByHand", "Cut", "RangeState", "adapted"]

BITS = tuple(range(2, 9))
LEAST = 0.02  # of the largest number: the nearest clip
WEIGHTS, UNITS = ("weight1", "weight2", "weight3"), ("units1", "units2")
TENSORS = {f"weights of layer {n[-1]}": n for n in WEIGHTS} | {
    f"hidden units of layer {n[-1]}": n for n in UNITS
}
CODES = {"affine: zero point Z": False, "symmetric: Z = 0": True}
GRAINS: dict[str, Any] = {
    "a tensor": PerTensor(),
    "a channel (row)": PerChannel(0),
    "16 inputs of a row": PerGroup(16),
}
HIDDEN = {f"64, {n}, {n}, 10": n for n in (16, 32, 64, 128)}
SHARE = MinMax()


@dataclass(frozen=True)
class ByHand:
    """The range ends where the explorer's ``clip`` is.

    Example:
        >>> ByHand()
        ByHand()
    """


@dataclass(frozen=True)
class Cut:
    """A range for ``optviz.quantize``: [−T, T] cut to where numbers are, T a share of the largest |x|.

    Args:
        share: T / max |x|.

    Example:
        >>> Cut(0.5)(np.array([-4.0, 1.0]))
        (-2.0, 1.0)
    """

    share: float

    def start(self) -> None:
        """Nothing."""
        return

    def update(self, state: Any, blocks: Any) -> Any:
        """The extremes so far."""
        return SHARE.update(state, blocks)

    def finish(self, state: Any, bits: Any = 8, symmetric: bool = False) -> tuple[Any, Any]:
        """The ends (blocks,)."""
        low, high = SHARE.finish(state)
        top = self.share * np.maximum(-low, high)
        return np.maximum(low, -top), np.minimum(high, top)

    def __call__(self, x: Any, bits: Any = 8, symmetric: bool = False) -> tuple[float, float]:
        """The ends for all numbers of one array."""
        low, high = self.finish(self.update(None, np.asarray(x, float).reshape(1, -1)))
        return float(low[0]), float(high[0])


RANGES: dict[str, Any] = {
    "by hand (drag)": ByHand(),
    "min–max": MinMax(),
    "moving average": example(MovingAverage),
    "percentile": example(Percentile),
    "least squares (MSE)": example(MSE),
    "entropy": example(Entropy),
}


@config
class RangeState:
    """Everything that determines the pictures of the range explorer.

    Args:
        tensor: ``"weight1"`` … ``"weight3"``, or ``"units1"``, ``"units2"``: what hidden layers pass on.
        bits: b of the code.
        range: how its ends are found, of ``optviz.quantize``; or ``ByHand()``.
        clip: where ``ByHand()`` ends, as a share of the largest |x|; its sign doesn't count.
        symmetric: as in ``quantize.choose_qparams``.
        per: which weights share a scale. Units and ``Entropy()``, which needs many numbers, have one scale a
            tensor.
        hidden: units in each of the two hidden layers.
        steps: updates that the networks were trained for.
        seeds: networks, trained with seeds 0, 1, …; pictures of numbers show the first.

    Raises:
        ValueError: if a number is out of range, or a group's size doesn't divide the inputs of a layer.

    Example:
        >>> RangeState(clip=-0.5).clip, RangeState(tensor="units1", per=PerChannel(0)).grain
        (0.5, PerTensor())
    """

    tensor: str = choice(default="weight2", options=TENSORS, label="numbers")
    bits: int = knob(default=4, low=BITS[0], high=BITS[-1], label="bits")
    range: Any = choice(default=ByHand(), options=RANGES, label="range", others=True)
    clip: float = knob(default=0.7, low=LEAST, high=1.0, hard=(-1.0, 1.0), label="clip at (share of max)")
    symmetric: bool = choice(default=False, options=CODES, label="code")
    per: Any = choice(default=PerTensor(), options=GRAINS, label="one scale for", others=True)
    hidden: int = choice(default=64, options=HIDDEN, label="units")
    steps: int = knob(default=300, low=50, high=1000, hard=(1, 50_000), unit="updates", label="training")
    seeds: int = knob(default=5, low=1, high=10, hard=(1, 50), label="networks")

    def _check(self) -> None:
        object.__setattr__(self, "clip", max(abs(self.clip), LEAST))
        known = isinstance(self.range, ByHand) or hasattr(self.range, "finish")
        require(known, "range", "one of optviz.quantize, such as MSE(), or ByHand()", self.range)
        require(hasattr(self.per, "blocks"), "per", "PerTensor(), PerChannel(0) or PerGroup(16)", self.per)
        for inputs in (64, self.hidden):
            self.per.shape((self.hidden, inputs))

    @property
    def of_units(self) -> bool:
        """Whether the numbers are what a layer passes on, else weights."""
        return self.tensor in UNITS

    @property
    def grain(self) -> Any:
        """Which numbers really share a scale."""
        return PerTensor() if self.of_units or isinstance(self.range, Entropy) else self.per

    @property
    def whole(self) -> bool:
        """Whether all numbers of a tensor share one."""
        return isinstance(self.grain, PerTensor)

    @property
    def chosen(self) -> Any:
        """The range that is chosen, with its clip."""
        return Cut(self.clip) if isinstance(self.range, ByHand) else self.range

    @property
    def ranges(self) -> tuple[Any, ...]:
        """The ranges that are compared, the chosen one in place of its kind; entropy only of many numbers."""
        known = [Cut(self.clip) if isinstance(r, ByHand) else r for r in RANGES.values()]
        kinds = [self.chosen if type(r) is type(self.chosen) else r for r in known]
        if self.chosen not in kinds:
            kinds.append(self.chosen)
        return tuple(r for r in kinds if self.whole or not isinstance(r, Entropy))

    @property
    def task(self) -> tuple[Any, ...]:
        """What determines the networks."""
        return self.hidden, self.steps, self.seeds

    @property
    def problem(self) -> Any:
        """What they were trained on."""
        return _problem(self.hidden)


def adapted(old: RangeState, new: RangeState) -> RangeState:
    """Who moves the clip wants to see it."""
    return replace(new, range=ByHand()) if new.clip != old.clip and new.range == old.range else new


@lru_cache(8)
def _problem(hidden: int) -> Any:
    return problems.digits((hidden, hidden))
