"""The state of the training-aware explorer: which networks are rounded, how, and how long they train."""

from __future__ import annotations

from typing import Any

from optviz._knobs import INF, choice, config, example, knob, require
from optviz.quantize import MSE, MinMax, Percentile, PerChannel, PerTensor
from optviz.widgets.tasks import DATA, classification

__all__ = ["BITS", "LAYERS", "LabState", "problem_of"]

NETWORKS: dict[str, Any] = {
    "16 hidden units": (16,),
    "32 hidden units": (32,),
    "64 hidden units": (64,),
    "32 and 32 hidden units": (32, 32),
}
BITS = (8, 6, 4, 3, 2)  # all of them train, side by side
RANGES: dict[str, Any] = {
    "min–max": MinMax(),
    "percentile 99": example(Percentile, share=0.99),
    "least squared error": example(MSE),
}
SCALES: dict[str, Any] = {"one for each output": PerChannel(0), "one for a layer": PerTensor()}
UNITS: dict[str, Any] = {"off": None, "8 bits": 8, "4 bits": 4, "2 bits": 2}
LAYERS: dict[str, int] = {"first": 0, "last": -1}


@config
class LabState:
    """Everything that determines the pictures of the training-aware explorer.

    Args:
        bits: whose training, weights and code are shown; all of 8, 6, 4, 3 and 2 bits are trained.
        learned: QAT learns its steps (LSQ), or takes them from the largest weight before each update.
        range: how PTQ finds the ends of its codes.
        per: which weights share a scale, in both.
        units: bits of the hidden units, in both; None leaves them as they are.
        trained: start from networks trained without rounding, or from fresh ones.
        lr: rate of the updates, with momentum 0.9.
        steps: updates, as many for QAT, for PTQ before it rounds, and for fp32.
        data: which images.
        network: hidden units.
        batch: images in a batch.
        seeds: seeds 0, 1, … that everything is trained with.
        layer: whose weights are shown, of seed 0.
        shown: the update that is shown.

    Raises:
        ValueError: if the network is no tuple of whole numbers.

    Example:
        >>> LabState(bits=3).ends, LabState(bits=3, learned=False).ends
        ((-4, 3), (-3, 3))
    """

    bits: int = choice(default=2, options={f"{b} bits": b for b in BITS}, label="bits shown")
    learned: bool = choice(
        default=True, options={"learned steps (LSQ)": True, "from the largest weight": False}, label="QAT"
    )
    range: Any = choice(default=MinMax(), options=RANGES, label="PTQ range", others=True)
    per: Any = choice(default=PerChannel(0), options=SCALES, label="scales")
    units: int | None = choice(default=None, options=UNITS, label="units")
    trained: bool = choice(default=True, options={"trained": True, "fresh": False}, label="start")
    lr: float = knob(default=0.03, low=1e-3, high=0.3, hard=(0.0, 10.0), log=True, label="rate")
    steps: int = knob(default=150, low=20, high=600, hard=(1, 50_000), unit="updates", label="run length")
    data: str = choice(default="digits 8×8", options={name: name for name in DATA}, label="data")
    network: Any = choice(default=(32,), options=NETWORKS, label="network", others=True)
    batch: int = knob(default=32, low=8, high=256, hard=(1, INF), unit="images", label="batch", log=True)
    seeds: int = knob(default=5, low=1, high=10, hard=(1, 50), label="seeds")
    layer: str = choice(default="first", options={name: name for name in LAYERS}, label="layer")
    shown: int = knob(default=150, low=0, high=600, hard=(0, 50_000), unit="updates", label="update shown")

    def _check(self) -> None:
        sizes = isinstance(self.network, tuple) and all(isinstance(n, int) and n > 0 for n in self.network)
        require(sizes, "network", "a tuple of numbers of hidden units", self.network)

    @property
    def ends(self) -> tuple[int, int]:
        """Lowest and highest number of the code that is shown: symmetric unless steps are learned."""
        high = 2 ** (self.bits - 1) - 1
        return (-high - 1 if self.learned else -high), high

    @property
    def task(self) -> tuple[Any, ...]:
        """What tells one problem from another."""
        return self.data, self.network, self.batch

    @property
    def course(self) -> tuple[Any, ...]:
        """All that determines the training of one seed."""
        return *self.task, self.learned, self.per, self.units, self.trained, self.lr, self.steps


def problem_of(state: LabState) -> Any:
    """The network and its images; states with the same task share one."""
    return classification(*state.task)
