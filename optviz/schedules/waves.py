"""Schedules that rise as well: restarts, triangles, one cycle, and built-in warm-ups."""

from __future__ import annotations

from typing import Any

import numpy as np

from optviz._knobs import knob, require
from optviz.schedules._form import (
    INF,
    check_floor,
    floor_knob,
    lr_knob,
    schedule,
    steps_knob,
)

__all__ = ["Noam", "OneCycle", "Triangular", "WarmRestarts", "WarmupStableDecay"]


@schedule
class WarmRestarts:
    """Cosine waves down, each followed by a jump back to the peak; each may be longer than the last.

    In wave i, of length pᵢ = period·growthⁱ: floor + (lr − floor)·(1 + cos(π·(t − start of wave i)/pᵢ))/2.

    Args:
        lr: rate at the start of every wave.
        period: updates in the first wave.
        growth: length of a wave over the length of the one before.
        floor: the rate that a wave runs down to.

    Raises:
        ValueError: if ``floor`` is above ``lr``.

    Example:
        >>> WarmRestarts(1.0, 4, 2)([0, 2, 4, 8, 12]).round(4).tolist()
        [1.0, 0.5, 1.0, 0.5, 1.0]

    Reference: Loshchilov and Hutter, 2016, arXiv:1608.03983.
    """

    lr: float = lr_knob()
    period: int = steps_knob(50, "first period")
    growth: int = knob(default=1, low=1, high=4, hard=(1, 64), label="growth of the period")
    floor: float = floor_knob(default=0.0)

    def _check(self) -> None:
        check_floor(self)

    def __call__(self, t: Any) -> Any:
        starts = [0]
        while starts[-1] <= np.max(t, initial=0):
            starts.append(starts[-1] + self.period * self.growth ** (len(starts) - 1))
        wave = np.searchsorted(starts, t, side="right") - 1
        phase = (t - np.asarray(starts)[wave]) / (self.period * float(self.growth) ** wave)
        return self.floor + (self.lr - self.floor) * (1 + np.cos(np.pi * phase)) / 2


@schedule
class Triangular:
    """Straight up from the floor to the peak and straight down again, over and over.

    floor + (lr − floor)·(1 − |(t mod 2h)/h − 1|), where h is ``half_period``.

    Args:
        lr: rate at the tip of each triangle.
        floor: rate at its two feet.
        half_period: updates from a foot to the tip.

    Raises:
        ValueError: if ``floor`` is above ``lr``.

    Example:
        >>> Triangular(1.0, 0.0, 2)([0, 1, 2, 3, 4]).tolist()
        [0.0, 0.5, 1.0, 0.5, 0.0]

    Reference: Smith, 2015, arXiv:1506.01186.
    """

    lr: float = lr_knob()
    floor: float = knob(0.001, 0.0, 0.1, hard=(0.0, INF), label="floor", required=True)
    half_period: int = steps_knob(40, "half period")

    def _check(self) -> None:
        check_floor(self)

    def __call__(self, t: Any) -> Any:
        height = 1 - np.abs(np.mod(t, 2 * self.half_period) / self.half_period - 1)
        return self.floor + (self.lr - self.floor) * height


@schedule
class OneCycle:
    """Up along a cosine for the first part of the run, then down along a longer one to almost zero.

    From lr/div_factor up to lr in the first ``pct_start``·steps updates, then down to
    lr/(div_factor·final_div_factor) at the last update, t = steps − 1, and held there.

    Args:
        lr: the peak rate.
        steps: updates in the cycle.
        pct_start: fraction of the cycle spent going up.
        div_factor: peak rate over first rate.
        final_div_factor: first rate over last rate.

    Raises:
        ValueError: if ``pct_start``·steps is not above 1 and below ``steps``: both ways need an update.

    Example:
        >>> OneCycle(1.0, 10)([0, 2, 9]).round(4).tolist()
        [0.04, 1.0, 0.0]

    Reference: Smith and Topin, 2017, arXiv:1708.07120; the values of ``torch.optim.lr_scheduler.OneCycleLR``.
    """

    lr: float = lr_knob()
    steps: int = knob(200, 5, 400, hard=(1, INF), unit="updates", label="cycle over", required=True)
    pct_start: float = knob(default=0.3, low=0.05, high=0.95, hard=(0.0, 1.0), label="part spent rising")
    div_factor: float = knob(
        default=25.0, low=1.0, high=100.0, hard=(1.0, INF), label="peak over first", log=True
    )
    final_div_factor: float = knob(
        default=1e4, low=1.0, high=1e4, hard=(1.0, INF), label="first over last", log=True
    )

    def _check(self) -> None:
        rising = self.pct_start * self.steps
        require(
            1 < rising < self.steps, "OneCycle.pct_start·steps", f"above 1 and below {self.steps}", rising
        )

    def __call__(self, t: Any) -> Any:
        first = self.lr / self.div_factor
        last = first / self.final_div_factor
        top, end = self.pct_start * self.steps - 1, self.steps - 1
        u = np.where(t <= top, t / top, (np.minimum(t, end) - top) / (end - top))
        start, goal = np.where(t <= top, first, self.lr), np.where(t <= top, self.lr, last)
        return goal + (start - goal) * (1 + np.cos(np.pi * u)) / 2


@schedule
class Noam:
    """Straight up for the warm-up, then down like 1/√t: lr·√warmup·min((t+1)^−½, (t+1)·warmup^−³ᐟ²).

    Args:
        lr: the peak rate, reached at t = warmup − 1.
        warmup: updates on the way up.

    Example:
        >>> Noam(1.0, 4)([0, 3, 15]).tolist()
        [0.25, 1.0, 0.5]

    Reference: Vaswani et al., 2017, arXiv:1706.03762, section 5.3 (whose d_model^−½ is replaced by the peak).
    """

    lr: float = lr_knob()
    warmup: int = steps_knob(20, "warm-up")

    def __call__(self, t: Any) -> Any:
        n = t + 1
        return self.lr * self.warmup**0.5 * np.minimum(n**-0.5, n * self.warmup**-1.5)


@schedule
class WarmupStableDecay:
    """Up over the warm-up, flat, then down to zero over the last ``decay`` updates.

    lr·(t+1)/warmup, then lr, then lr·(1 − u^shape), where u runs from 0 to 1 over the cool-down.

    Args:
        lr: the rate of the flat part.
        steps: updates in the whole run.
        warmup: updates on the way up (0: none).
        decay: updates of the cool-down.
        shape: 1 is a straight cool-down, 0.5 is the form 1 − √u.

    Raises:
        ValueError: if ``warmup + decay`` is more than ``steps``.

    Example:
        >>> WarmupStableDecay(1.0, 8, 2, 4)([0, 1, 3, 4, 6, 8]).tolist()
        [0.5, 1.0, 1.0, 1.0, 0.5, 0.0]

    Reference: Hu et al., 2024, arXiv:2404.06395; Hägele et al., 2024, arXiv:2405.18392 (1 − √u).
    """

    lr: float = lr_knob()
    steps: int = steps_knob(200, "run of")
    warmup: int = steps_knob(20, "warm-up", low=0)
    decay: int = steps_knob(50, "cool-down")
    shape: float = knob(default=1.0, low=0.25, high=2.0, hard=(0.01, 10.0), label="shape (½: 1 − √u)")

    def _check(self) -> None:
        total = self.warmup + self.decay
        require(
            total <= self.steps,
            "WarmupStableDecay.warmup + decay",
            f"at most steps ({self.steps})",
            total,
        )

    def __call__(self, t: Any) -> Any:
        up = np.minimum((t + 1) / max(self.warmup, 1), 1)
        u = np.clip((t - (self.steps - self.decay)) / self.decay, 0, 1)
        return self.lr * up * (1 - u**self.shape)
