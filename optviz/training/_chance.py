"""torch's global random generators, lent to a training while it computes and given back after."""

from __future__ import annotations

import torch

__all__ = ["Chance"]


class Chance:
    """torch's global generators, swapped for the training's own while it computes."""

    def __init__(self, device: torch.device, seed: int):
        self.device = device
        self.inner = {"cpu": torch.Generator().manual_seed(seed).get_state()}
        if device.type != "cpu":
            self.inner["device"] = torch.Generator(device).manual_seed(seed).get_state()
        self.outer: dict[str, torch.Tensor] | None = None

    def now(self) -> dict[str, torch.Tensor]:
        states = {"cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            states["device"] = torch.cuda.get_rng_state(self.device)
        elif self.device.type == "mps":
            states["device"] = torch.mps.get_rng_state()
        return states

    def current(self) -> dict[str, torch.Tensor]:
        """The training's own state, whether it computes just now or not."""
        return self.inner if self.outer is None else self.now()

    def put(self, states: dict[str, torch.Tensor]) -> None:
        torch.set_rng_state(states["cpu"])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(states["device"], self.device)
        elif self.device.type == "mps":
            torch.mps.set_rng_state(states["device"])

    def enter(self) -> None:
        if self.outer is None:
            self.outer = self.now()
            self.put(self.inner)

    def leave(self) -> None:
        if self.outer is not None:
            self.inner = self.now()
            self.put(self.outer)
            self.outer = None
