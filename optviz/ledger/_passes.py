"""A network made ready for passes that only look at it, and left as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

__all__ = ["as_input", "at_rest"]


def as_input(model: Any, example: Any) -> torch.Tensor:
    """The example as a tensor; an array takes the type and device of the model's parameters."""
    import torch

    if isinstance(example, torch.Tensor):
        return example.detach()
    values = torch.as_tensor(np.array(example))
    like = next(model.parameters(), None) if isinstance(model, torch.nn.Module) else None
    if like is None or not values.is_floating_point():
        return values if like is None else values.to(like.device)
    return values.to(like)


@contextmanager
def at_rest(*models: Any) -> Iterator[None]:
    """While it lasts all modules are in evaluation mode; afterwards each part is in the mode it was in."""
    parts = [part for model in models if hasattr(model, "modules") for part in model.modules()]
    before = [part.training for part in parts]
    for part in parts:
        part.training = False
    try:
        yield
    finally:
        for part, mode in zip(parts, before, strict=True):
            part.training = mode
