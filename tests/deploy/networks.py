"""The networks of these tests, with batch norms as if they had been trained."""

import torch
from torch import nn

from optviz import models

__all__ = ["SHAPES", "inputs", "network"]

SHAPES = {
    "LeNet300100": (784,),
    "LeNet5": (1, 28, 28),
    "SmallCNN": (64,),
    "ResidualCNN": (1, 8, 8),
    "SmallTransformer": (64,),
}


def network(kind):
    """In training mode, always the same."""
    size = {"size": 8} if kind in ("SmallCNN", "ResidualCNN") else {}
    generator = torch.Generator().manual_seed(0)
    net = getattr(models, kind)(generator=generator, **size)
    for part in net.modules():
        if isinstance(part, nn.BatchNorm2d):
            for p in (part.running_mean, part.running_var, part.weight, part.bias):
                p.data.uniform_(0.5, 2, generator=generator)
    return net


def inputs(kind, count=5, seed=1):
    """Numbers in [0, 1)."""
    return torch.rand(count, *SHAPES[kind], generator=torch.Generator().manual_seed(seed))
