"""The state of the quantization explorer: how many bits, how they are chosen, and of which network."""

from __future__ import annotations

from typing import Any

from optviz._knobs import choice, config, example, knob, require
from optviz.quantize import (
    MSE,
    Dynamic,
    Entropy,
    MinMax,
    MovingAverage,
    Percentile,
    PerChannel,
    PerGroup,
    PerTensor,
    Recipe,
    Static,
    WeightOnly,
)
from optviz.widgets.quantization.networks import NETWORKS, Network

__all__ = [
    "ALIKE",
    "BITS",
    "BY_HAND",
    "CALIBRATED",
    "FLOATS",
    "FULL",
    "GREEDY",
    "SEEN",
    "LabState",
]

BITS = tuple(range(2, 9))
FULL = 32  # bits of a layer that stays in floating point
ALIKE, GREEDY, BY_HAND = "all layers alike", "greedy, same bytes", "each layer by hand"
FLOATS, ON_THE_FLY, CALIBRATED = "floating point", "dynamic", "static"
OWN = {**{f"{b} bits": b for b in BITS}, "fp32": FULL}
SCALES: dict[str, Any] = {
    "one a tensor": PerTensor(),
    "one an output": PerChannel(0),
    "groups of 16 weights": PerGroup(16),
    "groups of 4 weights": PerGroup(4),
}
RANGES: dict[str, Any] = {
    "min–max": MinMax(),
    "99 % inside": example(Percentile, share=0.99),
    "least squared error": example(MSE),
}
SEEN: dict[str, Any] = {
    "min–max": MinMax(),
    "average of batches": example(MovingAverage),
    "99.9 % inside": example(Percentile),
    "least squared error": example(MSE),
    "entropy": example(Entropy),
}


@config
class LabState:
    """Everything that determines the pictures of the quantization explorer.

    Args:
        bits: of every weight; with ``plan="greedy, same bytes"`` of the network whose bytes may be used.
        plan: how many bits each layer gets.
        first, middle, last: bits of the weights of the three layers when set by hand; 32 leaves a layer in
            floating point, its inputs too.
        per: which weights share a scale, of ``optviz.quantize``.
        range: how the ends of the weights' code are found.
        symmetric: levels of the weights on both sides of 0 alike; else from the smallest weight on.
        activations: ``"static"`` (one code for all, from calibration), ``"dynamic"`` (a code for each
            batch) or ``"floating point"``.
        activation_bits: bits of what goes into each layer.
        activation_range: how the ends of the activations' code are found.
        calibration: training images that static codes are calibrated on.
        network: which network on which images.
        steps: updates that it is trained for, in floating point.
        seeds: seeds 0, 1, … that everything is done with.

    Raises:
        TypeError: if ``per`` or a range is none of ``optviz.quantize``.
        ValueError: if the size of a group doesn't divide the inputs of a layer.

    Example:
        >>> LabState(bits=4).recipe(("0", "2", "4"), (4, 4, 32)).skip
        ('4',)
    """

    bits: int = knob(default=4, low=2, high=8, label="bits of a weight")
    plan: str = choice(default=ALIKE, options={name: name for name in (ALIKE, GREEDY, BY_HAND)}, label="plan")
    first: int = choice(default=8, options=OWN, label="first layer")
    middle: int = choice(default=3, options=OWN, label="middle layer")
    last: int = choice(default=8, options=OWN, label="last layer")
    per: Any = choice(default=PerChannel(0), options=SCALES, label="scales", others=True)
    range: Any = choice(default=MinMax(), options=RANGES, label="range", others=True)
    symmetric: bool = True
    activations: str = choice(
        default=CALIBRATED,
        options={name: name for name in (FLOATS, ON_THE_FLY, CALIBRATED)},
        label="activations",
    )
    activation_bits: int = knob(default=8, low=2, high=8, label="bits of an activation")
    activation_range: Any = choice(default=MinMax(), options=SEEN, label="range", others=True)
    calibration: int = knob(
        default=128, low=1, high=512, hard=(1, 1000), unit="images", label="calibration", log=True
    )
    network: str = choice(
        default=next(iter(NETWORKS)), options={name: name for name in NETWORKS}, label="network"
    )
    steps: int = knob(default=300, low=50, high=1000, hard=(1, 50_000), unit="updates", label="training")
    seeds: int = knob(default=5, low=1, high=10, hard=(1, 50), label="seeds")

    def _check(self) -> None:
        for name in ("range", "activation_range"):
            if not hasattr(getattr(self, name), "finish"):
                got = getattr(self, name)
                raise TypeError(f"LabState.{name} must be a range of optviz.quantize, got {got!r}")
        if not hasattr(self.per, "blocks"):
            raise TypeError(f"LabState.per must be a granularity of optviz.quantize, got {self.per!r}")
        for inputs in self.kind.inputs if isinstance(self.per, PerGroup) else ():
            rule = f"a group size that divides {inputs} neighbors in a row of weights"
            require(inputs % self.per.size == 0, "LabState.per", rule, self.per)

    @property
    def kind(self) -> Network:
        """The network of the menu."""
        return NETWORKS[self.network]

    @property
    def task(self) -> tuple[str, int]:
        """Everything but the seed that determines a trained network."""
        return self.network, self.steps

    @property
    def scanned(self) -> tuple[Any, ...]:
        """Everything but the seed that determines what a layer alone loses."""
        return (*self.task, self.per, self.range)

    @property
    def calibrated(self) -> bool:
        """Whether the activations' codes come from calibration images."""
        return self.activations == CALIBRATED

    @property
    def own(self) -> tuple[int, ...]:
        """Bits of the layers when set by hand."""
        return self.first, self.middle, self.last

    def recipe(self, names: tuple[str, ...], bits: tuple[int, ...], *, weights_only: bool = False) -> Recipe:
        """What becomes of a network.

        Args:
            names: of its layers.
            bits: one a layer; 32 leaves it in floating point.
            weights_only: leave the activations in floating point, whatever is chosen.
        """
        pairs = tuple((name, b) for name, b in zip(names, bits, strict=True) if b != FULL)
        skip = tuple(name for name, b in zip(names, bits, strict=True) if b == FULL)
        common: dict[str, Any] = {"per": self.per, "range": self.range, "symmetric": self.symmetric}
        common |= {"layers": pairs, "skip": skip}
        if weights_only or self.activations == FLOATS:
            return WeightOnly(**common)
        common["activation_bits"] = self.activation_bits
        if self.activations == ON_THE_FLY:
            return Dynamic(**common)
        return Static(**common, activation_range=self.activation_range)
