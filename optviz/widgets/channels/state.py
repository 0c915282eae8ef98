"""The state of the channel explorer: which network, which units go by which score, and what is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from optviz import data, prune
from optviz._knobs import choice, config, knob, require

__all__ = ["NETWORKS", "RANDOM", "SCORES", "TAYLOR", "WEIGHTS", "LabState", "Network"]

BN_SCALE, TAYLOR, RANDOM = "BN scale", "Taylor", "random"
SCORES: dict[str, Any] = {
    "L2 norm": prune.WeightNorm(2),
    "L1 norm": prune.WeightNorm(1),
    "mean activation": prune.MeanActivation(),
    "share not zero": prune.APoZ(),
    TAYLOR: prune.GateTaylor(),
    BN_SCALE: prune.NormGain(),
    RANDOM: None,
}
WEIGHTS, OUTPUTS = "weights", "activations"


@dataclass(frozen=True)
class Network:
    """A network of the menu with its images.

    Args:
        images: loads them.
        make: (data, generator) -> module.
        norm: whether it has batch norm.
        lr: rate that Adam trains it with.
    """

    images: Callable[[], data.Data]
    make: Callable[[data.Data, Any], Any]
    norm: bool = False
    lr: float = 3e-3


def _small(images: data.Data, generator: Any) -> Any:
    from optviz.models import SmallCNN

    return SmallCNN(images.shape[0], images.shape[1], images.classes, generator=generator)


def _residual(images: data.Data, generator: Any) -> Any:
    from optviz.models import ResidualCNN

    return ResidualCNN(images.shape[0], images.shape[1], images.classes, width=8, generator=generator)


def _mlp(images: data.Data, generator: Any) -> Any:
    from optviz.models import MLP

    return MLP((int(np.prod(images.shape)), 64, 32, images.classes), generator=generator)


NETWORKS = {
    "CNN, MNIST-5k 14×14": Network(lambda: data.mnist5k(14), _small),
    "CNN, digits 8×8": Network(data.digits, _small),
    "residual CNN with batch norm, MNIST-5k 14×14": Network(lambda: data.mnist5k(14), _residual, True),
    "MLP, digits 8×8": Network(data.digits, _mlp),
}


@config
class LabState:
    """Everything that determines the pictures of the channel explorer.

    Args:
        network: the network and its images.
        score: what tells which units matter least.
        share: share of the units of each layer that is removed.
        layer: the layer that is cut and shown, counted from 1; 0 cuts all and shows the first.
        renewed_norms: the batch norms take their means and variances anew after the cut, without training.
        pictures: what is shown of each unit.
        updates: updates of fine-tuning after the cut; 0 for none.
        steps: updates of the training before it.
        seeds: seeds 0, 1, … of networks that everything is done with.
        timed: images in the batch that is timed.

    Raises:
        ValueError: if the score needs batch norm and the network has none.

    Example:
        >>> LabState(share=0.25).share
        0.25
    """

    network: str = choice(
        default=next(iter(NETWORKS)), options={name: name for name in NETWORKS}, label="network"
    )
    score: str = choice(default="L2 norm", options={name: name for name in SCORES}, label="score")
    share: float = knob(default=0.5, low=0.0, high=0.95, hard=(0.0, 0.99), label="share removed")
    layer: int = knob(default=0, low=0, high=8, hard=(0, 100), label="layer (0: all)")
    renewed_norms: bool = False
    pictures: str = choice(
        default=WEIGHTS, options={name: name for name in (WEIGHTS, OUTPUTS)}, label="pictures of units"
    )
    updates: int = knob(default=40, low=0, high=300, hard=(0, 5_000), unit="updates", label="fine-tuning")
    steps: int = knob(default=250, low=20, high=800, hard=(1, 20_000), unit="updates", label="training")
    seeds: int = knob(default=3, low=1, high=5, hard=(1, 50), label="seeds")
    timed: int = knob(
        default=64, low=1, high=256, hard=(1, 4096), unit="images", label="timed batch", log=True
    )

    def _check(self) -> None:
        fits = self.score != BN_SCALE or self.kind.norm
        require(fits, "LabState.score", "another one for a network without batch norm", self.score)

    @property
    def kind(self) -> Network:
        """The network of the menu."""
        return NETWORKS[self.network]

    @property
    def images(self) -> data.Data:
        """The images of the network, loaded once."""
        return _images(self.network)

    @property
    def trained(self) -> tuple[Any, ...]:
        """Everything but the seed that determines a trained network."""
        return self.network, self.steps


@lru_cache(8)
def _images(name: str) -> data.Data:
    return NETWORKS[name].images()
