"""Where a module runs, and in which mode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from optviz._knobs import require

__all__ = ["evaluating", "find_device"]


@contextmanager
def evaluating(model: torch.nn.Module) -> Iterator[None]:
    """Eval mode for a block; afterwards every part is in the mode it was in."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def find_device(device: str | torch.device) -> torch.device:
    """The device of that name, if it is there.

    Raises:
        ValueError: if it is not, naming those that are.

    Example:
        >>> find_device("cpu")
        device(type='cpu')
    """
    there = ["cpu"]
    if torch.backends.mps.is_available():
        there.insert(0, "mps")
    if torch.cuda.is_available():
        there = ["cuda", *(f"cuda:{i}" for i in range(torch.cuda.device_count())), *there]
    if str(device) == "auto":
        return torch.device(there[0])
    require(str(device) in there, "Trainer.device", f"one of {['auto', *there]}", str(device))
    return torch.device(device)
