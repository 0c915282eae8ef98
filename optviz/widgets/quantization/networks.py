"""The networks of the quantization explorer: trained in floating point once, and remembered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from cachetools import LRUCache

from optviz import data, evaluation, problems
from optviz.optimizers import SGD
from optviz.quantize.observers import weighted
from optviz.training import Run
from optviz.widgets.tasks import in_slices

if TYPE_CHECKING:
    from torch import nn

__all__ = ["NETWORKS", "Network", "Trained", "accuracy", "calibration", "images", "train", "trained"]

RULE, LR, BATCH = SGD(momentum=0.9), 0.05, 64
Params = dict[str, Any]


@dataclass(frozen=True)
class Network:
    """A network of the menu with its images. All have three layers with weights.

    Args:
        load: loads the images: 8×8 digits, or 28×28 of MNIST.
        hidden: units of the fully connected layers; () for the small convolutional network.
        inputs: neighbors in a row of weights of each layer, which groups must divide.
    """

    load: Callable[[], data.Data]
    hidden: tuple[int, ...]
    inputs: tuple[int, ...]


NETWORKS = {
    "MLP 64-64, digits": Network(data.digits, (64, 64), (64, 64, 64)),
    "CNN, digits": Network(data.digits, (), (3, 3, 128)),
    "LeNet-300-100": Network(data.mnist5k, (300, 100), (784, 300, 100)),
}


@dataclass(frozen=True, eq=False)
class Trained:
    """A network of one seed in floating point.

    Args:
        params: its weights and biases as the problem names them.
        model: the same as a module at rest.
        accuracy: share of the test images that it gets right.
    """

    params: Params
    model: nn.Module
    accuracy: float

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers with weights, in the module."""
        return tuple(weighted(self.model))


_trained: LRUCache[Any, Trained] = LRUCache(60)  # at most 2 MB each


def trained(network: str, steps: int, seed: int) -> Trained | None:
    """The network of a seed, if it has been trained."""
    return _trained.get((network, steps, seed))


def train(network: str, steps: int, seeds: int) -> Iterator[float]:
    """Train the seeds that are not remembered, side by side; the share that is done."""
    missing = [s for s in range(seeds) if trained(network, steps, s) is None]
    if not missing:
        return
    step = yield from in_slices(problem(network), Run(RULE, LR), steps, missing, 60)
    for row, seed in enumerate(missing):
        own = {name: copy(p[row]) for name, p in step.params.items()}
        model = _module(network, own)
        _trained[network, steps, seed] = Trained(own, model, accuracy(network, model))


def accuracy(network: str, model: Any) -> float:
    """Share of the test images that a network gets right."""
    import torch

    x, y = images(network)
    with torch.no_grad():
        return float(evaluation.accuracy(model(x).numpy(), y))


def calibration(network: str, seed: int, count: int) -> list[Any]:
    """The first training images of a seed's own order, in batches."""
    import torch

    pixels = _images(network).train.X
    order = np.random.default_rng(seed).permutation(len(pixels))[:count]
    return list(torch.tensor(pixels[order], dtype=torch.float32).split(BATCH))


@lru_cache(8)
def images(network: str) -> tuple[Any, np.ndarray]:
    """Test images as a tensor, and their classes."""
    import torch

    test = _images(network).test
    return torch.tensor(test.X, dtype=torch.float32), test.y


@lru_cache(8)
def problem(network: str) -> Any:
    """What the network trains on; the scan of its layers uses its validation images."""
    kind = NETWORKS[network]
    dense = problems.Classification(_images(network), kind.hidden, BATCH)
    return dense if kind.hidden else problems.convolutional(dense)


@lru_cache(8)
def _images(network: str) -> data.Data:
    return NETWORKS[network].load()


def _module(network: str, params: Params) -> nn.Module:
    """The weights of one network in a module, layer by layer."""
    import torch

    from optviz import models

    kind, pixels = NETWORKS[network], _images(network)
    chance = torch.Generator()
    made: nn.Module
    if kind.hidden:
        made = models.MLP((pixels.train.X.shape[1], *kind.hidden, pixels.classes), generator=chance)
    else:
        made = models.SmallCNN(pixels.shape[0], pixels.shape[1], pixels.classes, generator=chance)
    names = made.state_dict()
    made.load_state_dict({n: torch.as_tensor(p) for n, p in zip(names, params.values(), strict=True)})
    return made.eval()
