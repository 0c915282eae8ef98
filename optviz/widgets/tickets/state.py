"""The state of the ticket explorer: which network is pruned and rewound, how fast, how often."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from optviz._knobs import INF, choice, config, knob, require
from optviz.optimizers import SGD, Adam
from optviz.prune import Global, Layer
from optviz.widgets.tasks import DATA, classification

__all__ = ["MOST_ROUNDS", "LabState", "followed", "problem_of"]

NETWORKS: dict[str, Any] = {
    "32 hidden units": (32,),
    "64 hidden units": (64,),
    "128 hidden units": (128,),
    "64 and 64 hidden units": (64, 64),
}
SCOPES: dict[str, Any] = {"each layer": Layer(), "all layers": Global()}
OPTIMIZERS: dict[str, Any] = {"SGD, momentum 0.9": SGD(momentum=0.9), "SGD": SGD(), "Adam": Adam()}
MOST_ROUNDS = 40
RATES = {SGD(momentum=0.9): 0.05, SGD(): 0.5, Adam(): 0.005}  # where the rate goes when the rule changes


@config
class LabState:
    """Everything that determines the pictures of the ticket explorer.

    Args:
        data: which images.
        network: hidden units.
        scope: where the smallest weights are looked for: in each layer, or in all layers together.
        share: share of the weights still there that each round removes.
        rounds: how often the network is pruned and rewound.
        steps: updates of the dense network; a ticket makes those from ``rewind`` on.
        rewind: update of the dense network whose weights the tickets start from.
        optimizer, lr: the update rule and its constant rate.
        batch: images in a batch.
        seeds: seeds 0, 1, … that everything is repeated with.
        shown: the round whose curves and masks are shown.

    Raises:
        ValueError: if the rewinding point is no update of the run before its end, or the batch is larger
            than the training set.

    Example:
        >>> LabState(share=0.5).left(3)
        0.125
    """

    data: str = choice(default="digits 8×8", options={name: name for name in DATA}, label="data")
    network: Any = choice(default=(64,), options=NETWORKS, label="network", others=True)
    scope: Any = choice(default=Layer(), options=SCOPES, label="smallest of")
    share: float = knob(
        default=0.4, low=0.1, high=0.8, hard=(0.01, 0.99), unit="of what is left", label="removed a round"
    )
    rounds: int = knob(default=6, low=1, high=12, hard=(1, MOST_ROUNDS), label="rounds")
    rewind: int = knob(default=0, low=0, high=100, hard=(0, 100_000), unit="updates", label="rewind to")
    optimizer: Any = choice(default=SGD(momentum=0.9), options=OPTIMIZERS, label="optimizer", others=True)
    lr: float = knob(default=0.05, low=1e-3, high=1.0, hard=(0.0, 100.0), log=True, label="rate")
    batch: int = knob(default=32, low=8, high=256, hard=(1, INF), unit="images", label="batch", log=True)
    steps: int = knob(default=150, low=50, high=600, hard=(2, 100_000), unit="updates", label="run length")
    seeds: int = knob(default=5, low=1, high=10, hard=(1, 100), label="seeds")
    shown: int = knob(default=6, low=1, high=12, hard=(1, MOST_ROUNDS), label="round shown")

    def _check(self) -> None:
        require(self.rewind < self.steps, "rewind", f"below the run length ({self.steps})", self.rewind)
        sizes = isinstance(self.network, tuple) and all(isinstance(n, int) for n in self.network)
        require(sizes, "network", "a tuple of numbers of hidden units", self.network)

    def left(self, round: int) -> float:
        """Share of the weights that are left after a round; all in round 0."""
        return float((1 - self.share) ** round)

    @property
    def task(self) -> tuple[Any, ...]:
        """What tells one problem from another."""
        return self.data, self.network, self.batch

    @property
    def trained(self) -> tuple[Any, ...]:
        """All that determines what happens in a round of one seed."""
        return *self.task, self.scope, self.share, self.rewind, self.optimizer, self.lr, self.steps


def problem_of(state: LabState) -> Any:
    """The network and its images; states with the same task share one."""
    return classification(*state.task)


def followed(old: LabState, new: LabState) -> LabState:
    """When the optimizer changes and the rate does not, the rate goes to where that optimizer works."""
    if old.optimizer != new.optimizer and old.lr == new.lr and new.optimizer in RATES:
        return replace(new, lr=RATES[new.optimizer])
    return new
