"""The error of a training whose loss is no number any more."""

from __future__ import annotations

from typing import Any

__all__ = ["Diverged"]


class Diverged(ArithmeticError):
    """The training loss became infinite or no number.

    Attributes:
        history: everything up to and including that update.
        step: 0-based number of the update whose batch gave that loss.
        lr: the rate planned for that update. The weights were spoiled by the updates before it.

    Example:
        >>> raise Diverged(None, 7, 10.0, float("nan"))
        Traceback (most recent call last):
        ...
        optviz.training.diverged.Diverged: the loss became nan at update 7 (rate 10); lower the rate, ...
    """

    def __init__(self, history: Any, step: int, lr: float, loss: float):
        self.history, self.step, self.lr = history, step, lr
        super().__init__(
            f"the loss became {loss} at update {step} (rate {lr:.3g}); lower the rate, warm up, or clip the "
            "gradient. The history so far is in .history of this error"
        )
