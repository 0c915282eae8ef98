"""What the networks share: layers in order, and how weights start."""

from __future__ import annotations

import math
from numbers import Integral
from typing import Any

import torch
from torch import nn

from optviz._knobs import require

__all__ = ["Layers", "as_images", "check_numbers", "count", "layer", "whole"]


class Layers(nn.Sequential):
    """Layers in order; a slice of them is a plain ``nn.Sequential``."""

    def __getitem__(self, index: Any) -> Any:
        chosen = list(self)[index]
        return nn.Sequential(*chosen) if isinstance(index, slice) else chosen


def count(model: nn.Module) -> int:
    """Number of parameters of a module, a shared one counted once.

    Args:
        model: any torch module.

    Returns:
        The number of single numbers that training may change.

    Example:
        >>> count(nn.Linear(3, 2))
        8

    Reference:
        ``torch.nn.Module.parameters``, pytorch.org/docs.
    """
    return sum(p.numel() for p in model.parameters())


def whole(value: Any, least: int) -> bool:
    """Whether it is a whole number of at least ``least``."""
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least


def check_numbers(model: str, limits: dict[str, tuple[Any, int]]) -> None:
    """Refuse what is no whole number, or too small: name → (value, least)."""
    for name, (value, least) in limits.items():
        require(whole(value, least), f"{model}.{name}", f"a whole number of at least {least}", value)


def layer(kind: type[nn.Module], *args: Any, generator: torch.Generator | None, **kwargs: Any) -> nn.Module:
    """A layer whose weight and bias are uniform in ±1/√(inputs of a unit), as torch's own layers start."""
    made = nn.utils.skip_init(kind, *args, **kwargs)
    bound = 1 / math.sqrt(made.get_parameter("weight")[0].numel())
    with torch.no_grad():
        for p in made.parameters():
            p.uniform_(-bound, bound, generator=generator)
    return made


def as_images(channels: int, size: int) -> list[nn.Module]:
    """Layers after which flat rows and images alike are (N, channels, size, size)."""
    return [nn.Flatten(), nn.Unflatten(1, (channels, size, size))]
