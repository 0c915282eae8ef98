"""Fully connected networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import nn

from optviz._knobs import require
from optviz.models._layers import Layers, layer, whole

__all__ = ["MLP", "LeNet300100"]


class MLP(Layers):
    """Fully connected layers with an activation between them: x ← a(W x + b), the last one without it.

    Weights and biases of a layer start uniform in ±1/√(its inputs), which is what torch's own layers do.

    Args:
        sizes: numbers of inputs, of units in each hidden layer, and of outputs, at least two numbers ≥ 1.
        activation: makes the module between two layers.
        generator: draws the first weights; torch's global generator when not given.

    Returns:
        A module that maps (N, sizes[0]) to (N, sizes[-1]); its output are logits (no soft-max).

    Raises:
        ValueError: if there are fewer than two sizes, or one is below 1 or not a whole number.

    Example:
        >>> from optviz.models import count
        >>> model = MLP((64, 32, 10))
        >>> model(torch.zeros(5, 64)).shape, count(model)  # 64·32 + 32 + 32·10 + 10
        (torch.Size([5, 10]), 2410)

    Reference:
        The start values: He et al., Delving deep into rectifiers, 2015, arXiv:1502.01852, with the factor
        a = √5 of ``torch.nn.Linear``.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: Callable[[], nn.Module] = nn.ReLU,
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        sizes = tuple(sizes)
        ok = len(sizes) >= 2 and all(whole(n, 1) for n in sizes)
        require(ok, "MLP.sizes", "two or more whole numbers of at least 1", sizes)
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(sizes):
            layers += [layer(nn.Linear, inputs, outputs, generator=generator), activation()]
        super().__init__(*layers[:-1])


class LeNet300100(MLP):
    """The fully connected LeNet with 300 and 100 hidden units, for 28×28 images.

    Args:
        generator: draws the first weights; torch's global generator when not given.

    Returns:
        A module that maps (N, 784) to (N, 10), with 266,610 parameters and ReLU between the layers.

    Example:
        >>> from optviz.models import count
        >>> f"{count(LeNet300100()):,}"
        '266,610'

    Reference:
        LeCun, Bottou, Bengio and Haffner, Gradient-based learning applied to document recognition, 1998,
        doi:10.1109/5.726791.
    """

    def __init__(self, *, generator: torch.Generator | None = None) -> None:
        super().__init__((784, 300, 100, 10), generator=generator)
