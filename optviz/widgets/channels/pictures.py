"""Pictures of a network's units: their weights, their mean outputs, or what makes them answer."""

from __future__ import annotations

from typing import Any

import numpy as np

from optviz.widgets.channels.cuts import groups
from optviz.widgets.channels.state import WEIGHTS, LabState

__all__ = ["pictured"]

SEEN = 200  # validation images that outputs are averaged over


def pictured(state: LabState, model: Any) -> tuple[str, np.ndarray, str]:
    """A picture of every unit of the layer that is shown.

    Returns:
        Name of its group; (U, H, W) numbers; and what they are: "weights", or "means" of them over the maps
        that a filter reads; "outputs", the mean map of each channel; where a unit gives one number,
        "inputs", the mean image, each image counted by how strongly the unit answers it.
    """
    found = groups(state, model)
    group = found[min(max(state.layer, 1), len(found)) - 1]
    weight = model.get_submodule(group.name).weight.detach().numpy()
    height, width = state.images.shape[-2:]
    if state.pictures == WEIGHTS and weight.ndim == 4:
        return group.name, weight.mean(axis=1), "weights" if weight.shape[1] == 1 else "means"
    if state.pictures == WEIGHTS and group.name == found[0].name:
        return group.name, weight.reshape(-1, height, width), "weights"
    maps = _maps(model, group, state.images.validation.X[:SEEN])
    if maps.shape[-1] > 1:
        return group.name, maps.mean(axis=0), "outputs"
    strength = np.maximum(maps[..., 0, 0], 0)
    seen = state.images.validation.X[:SEEN].reshape(-1, height, width)
    mean = np.einsum("nu,nhw->uhw", strength, seen) / np.maximum(strength.sum(axis=0), 1e-12)[:, None, None]
    return group.name, mean, "inputs"


def _maps(model: Any, group: Any, X: np.ndarray) -> np.ndarray:
    """(N, U, H, W) what the next layer reads of each unit."""
    import torch

    part = next(part for part in group.parts if part.side == "in")
    heard: list[Any] = []
    layer = model.get_submodule(part.layer)
    hook = layer.register_forward_pre_hook(lambda _, args: heard.append(args[0].detach()))
    mode = model.training
    try:
        with torch.no_grad():
            model.eval()(torch.tensor(X, dtype=torch.float32))
    finally:
        hook.remove()
        model.train(mode)
    read = heard[0].numpy()
    if read.ndim == 4:
        return read[:, [places[0] for places in part.index]]
    columns = read[:, np.array(part.index)]  # after a flatten: (N, U, pixels)
    side = round(columns.shape[-1] ** 0.5)
    return (
        columns.reshape(*columns.shape[:2], side, -1) if side**2 == columns.shape[-1] else columns[:, :, None]
    )
