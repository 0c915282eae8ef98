"""How many numbers a network has, how many of them pruning may take, how many are left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from optviz.ledger._tensors import named

__all__ = ["Counts", "parameters"]


@dataclass(frozen=True)
class Counts:
    """Parameters of a network.

    "90 % sparse" means two things: 90 % of the prunable weights are zero, or 90 % of all parameters. Both
    are here.

    Args:
        total: all parameters.
        prunable: those with two or more axes: weights of layers, not biases, gains and shifts.
        nonzero: all parameters that are not zero.
        kept: prunable ones that are not zero.

    Example:
        >>> Counts(total=110, prunable=100, nonzero=20, kept=10).sparsity
        0.9

    Reference: Blalock, Gonzalez Ortiz, Frankle and Guttag, What is the state of neural network pruning?,
    2020, arXiv:2003.03033 (which asks that such definitions be stated).
    """

    total: int
    prunable: int
    nonzero: int
    kept: int

    @property
    def sparsity(self) -> float:
        """Share of the prunable weights that are zero, in [0, 1]."""
        return 1 - self.kept / self.prunable if self.prunable else 0.0

    @property
    def overall_sparsity(self) -> float:
        """Share of all parameters that are zero, in [0, 1]."""
        return 1 - self.nonzero / self.total if self.total else 0.0


def parameters(network: Any) -> Counts:
    """Count the parameters of a network, a shared one once.

    Args:
        network: a ``torch.nn.Module``, or the parameters of one network: name -> array or tensor.

    Returns:
        :class:`Counts`. −0.0 counts as zero.

    Raises:
        TypeError: if it is neither.

    Example:
        >>> import numpy as np
        >>> parameters({"weight": np.eye(3), "bias": np.ones(3)})
        Counts(total=12, prunable=9, nonzero=6, kept=3)

    Reference: Blalock, Gonzalez Ortiz, Frankle and Guttag, What is the state of neural network pruning?,
    2020, arXiv:2003.03033.
    """
    found = named(network)
    size = {name: int(p.numel() if hasattr(p, "numel") else p.size) for name, p in found.items()}
    left = {name: int((p != 0).sum()) for name, p in found.items()}
    prunable = [name for name, p in found.items() if p.ndim >= 2]
    return Counts(
        sum(size.values()),
        sum(size[name] for name in prunable),
        sum(left.values()),
        sum(left[name] for name in prunable),
    )
