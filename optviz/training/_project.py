"""A map of a module's weights that is applied in place after each update."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import torch

from optviz._knobs import require

__all__ = ["in_place", "named"]


def in_place(model: torch.nn.Module, project: Any) -> Callable[[], None]:
    """A function that puts the model's weights through ``project``.

    The weights are checked at the first call only: what a map gives does not change its names and shapes.

    Args:
        model: whose parameters change.
        project: ``map(params) -> params`` on name -> tensor; it may leave names out that stay as they are.
            None for nothing to do.

    Raises:
        TypeError: if it is not callable, or gives no mapping.
        ValueError: if it gives a name that the model lacks, or a tensor of another shape.
    """
    if project is None:
        return lambda: None
    if not callable(project) or isinstance(project, type):
        raise TypeError(f"Trainer.project must be a map params -> params, got {project!r}")
    params = dict(model.named_parameters())

    @torch.no_grad()
    def apply() -> None:
        found = project({name: p.detach() for name, p in params.items()})
        _check(found, params)
        for name, value in found.items():
            params[name].copy_(torch.as_tensor(value))

    apply()
    return apply


def _check(found: Any, params: Mapping[str, torch.Tensor]) -> None:
    if not isinstance(found, Mapping):
        raise TypeError(f"Trainer.project must give a mapping name -> tensor, got {found!r}")
    unknown = sorted(set(found) - set(params))
    require(not unknown, "Trainer.project", f"a map to parameters of the model ({list(params)})", unknown)
    for name, value in found.items():
        right = tuple(params[name].shape)
        require(tuple(value.shape) == right, f"Trainer.project's {name}", f"of shape {right}", value.shape)


def named(project: Any) -> str:
    """What a checkpoint remembers of the map: its repr without addresses."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(project))
