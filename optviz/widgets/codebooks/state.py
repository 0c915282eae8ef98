"""The state of the codebook explorer: how many values, where k-means starts, how values are trained."""

from __future__ import annotations

import math
from typing import Any

from optviz._knobs import choice, config, example, knob, require
from optviz.optimizers import SGD
from optviz.quantize import DensityStart, LinearStart, RandomStart
from optviz.schedules import Cosine
from optviz.training import Run
from optviz.widgets.tasks import DATA, classification

__all__ = ["BITS", "LAYERS", "LabState", "percent"]

STARTS: dict[str, Any] = {
    "linear": LinearStart(),
    "density": DensityStart(),
    "random": example(RandomStart),
}
LAYERS: dict[str, str] = {"first": "weight1", "second": "weight2", "last": "weight3"}
BITS = (1, 2, 3, 4, 5, 6)  # that are compared
BATCH = 64
RULE = SGD(momentum=0.9, weight_decay=0.002)
REPORTS = 40  # measurements while values are trained


def percent(share: float) -> str:
    """A share in words.

    Example:
        >>> percent(0.9), percent(0.985)
        ('90 %', '98.5 %')
    """
    return f"{100 * share:.3g} %"


@config
class LabState:
    """Everything that determines the pictures of the codebook explorer.

    Args:
        bits: of a label; a layer has 2^bits values.
        start: where k-means starts: ``LinearStart()``, ``DensityStart()`` or ``RandomStart(seed)``.
        moves: of k-means, at most.
        layer: whose weights and values are shown: ``"weight1"``, ``"weight2"`` or ``"weight3"``.
        lr: rate of the values' training at its first update, with momentum 0.9 and weight decay 0.002, then
            along a cosine to 0.
        updates: of the values' training; 0.1 is the rate that the weights were trained with.
        mean: a value gets the mean of its weights' gradients; their sum when False.
        sparsity: share of the weights that is pruned before.
        data: which images.
        hidden: units of the two hidden layers.
        steps: updates of the dense networks, and half as many after pruning.
        seeds: seeds 0, 1, … that everything is repeated with.
        shown: the step that is shown: moves of k-means first, then up to 40 reports of the training.

    Raises:
        ValueError: if ``hidden`` are not two whole numbers.

    Example:
        >>> LabState(moves=10, updates=80).frames, LabState(moves=10, updates=5).frames
        (50, 15)
    """

    bits: int = knob(default=2, low=1, high=6, hard=(1, 8), unit="bits", label="label")
    start: Any = choice(default=LinearStart(), options=STARTS, label="k-means starts", others=True)
    moves: int = knob(default=20, low=0, high=40, hard=(0, 500), unit="moves", label="k-means")
    layer: str = choice(default="weight2", options=LAYERS, label="layer shown")
    lr: float = knob(default=0.1, low=1e-3, high=1.0, hard=(0.0, 100.0), log=True, label="rate")
    updates: int = knob(default=80, low=1, high=400, hard=(1, 20_000), unit="updates", label="training")
    mean: bool = choice(default=True, options={"mean": True, "sum": False}, label="of its gradients, the")
    sparsity: float = knob(default=0.8, low=0.0, high=0.95, hard=(0.0, 0.98), label="sparsity")
    data: str = choice(default="digits 8×8", options={name: name for name in DATA}, label="data")
    hidden: tuple[int, int] = (64, 64)
    steps: int = knob(default=300, low=50, high=1000, hard=(2, 50_000), unit="updates", label="dense")
    seeds: int = knob(default=5, low=1, high=10, hard=(1, 50), label="seeds")
    shown: int = knob(default=60, low=0, high=80, hard=(0, 20_500), label="step shown")

    def _check(self) -> None:
        layers = isinstance(self.hidden, tuple) and len(self.hidden) == len(LAYERS) - 1
        whole = layers and all(isinstance(n, int) and n >= 2 for n in self.hidden)
        require(whole, "hidden", "two numbers of hidden units, at least 2 each", self.hidden)

    @property
    def every(self) -> int:
        """Updates between two reports of the values' training."""
        return max(1, self.updates // REPORTS)

    @property
    def frames(self) -> int:
        """The last step that can be shown."""
        return self.moves + math.ceil(self.updates / self.every)

    @property
    def levels(self) -> tuple[int, ...]:
        """Bits that are compared."""
        return tuple(sorted({*BITS, self.bits}))

    @property
    def problem(self) -> Any:
        """What the networks train on."""
        return classification(self.data, self.hidden, BATCH)

    @property
    def run(self) -> Run:
        """How the values are trained."""
        return Run(RULE, Cosine(self.lr, self.updates))

    @property
    def pruned(self) -> tuple[Any, ...]:
        """What determines the networks before weights are shared."""
        return self.data, self.hidden, self.steps, self.sparsity, self.seeds

    @property
    def clustered(self) -> tuple[Any, ...]:
        """What determines which weights share a value, but for the bits."""
        return *self.pruned, self.start, self.moves

    @property
    def tuned(self) -> tuple[Any, ...]:
        """What determines the trained values, but for the bits."""
        return *self.clustered, self.lr, self.updates, self.mean
