"""Schedules that only ever fall."""

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

__all__ = [
    "Constant",
    "Cosine",
    "Exponential",
    "InverseSqrt",
    "InverseTime",
    "Linear",
    "MultiStep",
    "Polynomial",
    "StepDecay",
]


@schedule
class Constant:
    """The same rate at every update: lr.

    Args:
        lr: the rate.

    Example:
        >>> Constant(0.1)(99)
        0.1

    Reference: Robbins and Monro, 1951, doi:10.1214/aoms/1177729586 (why a constant rate is not enough
    under noise).
    """

    lr: float = lr_knob()

    def __call__(self, t: Any) -> Any:
        return self.lr + 0 * t


@schedule
class Linear:
    """A straight line down, then held: floor + (lr − floor)·(1 − min(t/steps, 1)).

    Args:
        lr: rate of the first update.
        steps: updates until the floor is reached.
        floor: rate from then on.

    Raises:
        ValueError: if ``floor`` is above ``lr``.

    Example:
        >>> Linear(0.5, 4)([0, 2, 4, 9]).tolist()
        [0.5, 0.25, 0.0, 0.0]

    Reference: ``torch.optim.lr_scheduler.LinearLR``; Goyal et al., 2017, arXiv:1706.02677 (as a warm-up).
    """

    lr: float = lr_knob()
    steps: int = steps_knob()
    floor: float = floor_knob(default=0.0)

    def _check(self) -> None:
        check_floor(self)

    def __call__(self, t: Any) -> Any:
        return self.floor + (self.lr - self.floor) * (1 - np.minimum(t / self.steps, 1))


@schedule
class StepDecay:
    """Multiplied by a factor every so many updates: lr·factor^⌊t/every⌋.

    Args:
        lr: rate of the first ``every`` updates.
        every: updates between two drops.
        factor: what each drop multiplies the rate by.

    Example:
        >>> StepDecay(0.1, 10, 0.5)([9, 10, 20]).tolist()
        [0.1, 0.05, 0.025]

    Reference: ``torch.optim.lr_scheduler.StepLR``; He et al., 2015, arXiv:1512.03385 (as used).
    """

    lr: float = lr_knob()
    every: int = steps_knob(50, "drop every")
    factor: float = knob(0.5, 0.05, 1.0, hard=(0.0, 1.0), label="drop factor", required=True)

    def __call__(self, t: Any) -> Any:
        return self.lr * self.factor ** np.floor(t / self.every)


@schedule
class MultiStep:
    """Multiplied by a factor at chosen updates: lr·factor^(number of entries of ``at`` that are ≤ t).

    Args:
        lr: rate before the first drop.
        at: updates at which the rate drops, ascending.
        factor: what each drop multiplies the rate by.

    Raises:
        ValueError: if ``at`` is empty or not ascending.

    Example:
        >>> MultiStep(1.0, (2, 5), 0.1)([1, 2, 5]).tolist()
        [1.0, 0.1, 0.01]

    Reference: ``torch.optim.lr_scheduler.MultiStepLR``.
    """

    lr: float = lr_knob()
    at: tuple[int, ...] = steps_knob((100, 150), "drop at")  # type: ignore[arg-type]
    factor: float = knob(0.2, 0.05, 1.0, hard=(0.0, 1.0), label="drop factor", required=True)

    def _check(self) -> None:
        ascending = len(self.at) > 0 and list(self.at) == sorted(self.at)
        require(ascending, "MultiStep.at", "a non-empty ascending tuple", self.at)

    def __call__(self, t: Any) -> Any:
        return self.lr * self.factor ** np.searchsorted(self.at, t, side="right").astype(float)


@schedule
class Exponential:
    """Multiplied by the same factor at every update: lr·factor^t.

    The rate halves every ln 2 / −ln(factor) updates.

    Args:
        lr: rate of the first update.
        factor: what each update multiplies the rate by.

    Example:
        >>> Exponential(1.0, 0.5)(3)
        0.125

    Reference: ``torch.optim.lr_scheduler.ExponentialLR``.
    """

    lr: float = lr_knob()
    factor: float = knob(0.99, 0.9, 1.0, hard=(0.0, 1.0), label="factor per update", required=True)

    def __call__(self, t: Any) -> Any:
        return self.lr * self.factor**t


@schedule
class InverseTime:
    """Falls like 1/t: lr/(1 + decay·t).

    Args:
        lr: rate of the first update.
        decay: how fast it falls; after 1/decay updates the rate has halved.

    Example:
        >>> InverseTime(1.0, 0.5)([0, 2]).tolist()
        [1.0, 0.5]

    Reference: Robbins and Monro, 1951, doi:10.1214/aoms/1177729586 (Σ lr = ∞, Σ lr² < ∞).
    """

    lr: float = lr_knob()
    decay: float = knob(
        0.02, 1e-3, 1.0, hard=(0.0, INF), unit="1/update", label="decay", log=True, required=True
    )

    def __call__(self, t: Any) -> Any:
        return self.lr / (1 + self.decay * t)


@schedule
class InverseSqrt:
    """Falls like 1/√t: lr/√(1 + decay·t).

    Args:
        lr: rate of the first update.
        decay: how fast it falls; after 3/decay updates the rate has halved.

    Example:
        >>> InverseSqrt(1.0, 1.0)([0, 3]).tolist()
        [1.0, 0.5]

    Reference: Zinkevich, 2003 (ICML): online gradient descent with rates ∝ 1/√t.
    """

    lr: float = lr_knob()
    decay: float = knob(
        0.05, 1e-3, 1.0, hard=(0.0, INF), unit="1/update", label="decay", log=True, required=True
    )

    def __call__(self, t: Any) -> Any:
        return self.lr / np.sqrt(1 + self.decay * t)


@schedule
class Polynomial:
    """A power of the time that is left: floor + (lr − floor)·(1 − min(t/steps, 1))^power.

    Args:
        lr: rate of the first update.
        steps: updates until the floor is reached.
        power: 1 is a straight line, 2 a parabola.
        floor: rate from then on.

    Raises:
        ValueError: if ``floor`` is above ``lr``.

    Example:
        >>> Polynomial(1.0, 4, 2.0)([0, 2, 4]).tolist()
        [1.0, 0.25, 0.0]

    Reference: ``torch.optim.lr_scheduler.PolynomialLR``; Chen et al., 2016, arXiv:1606.00915 (as used).
    """

    lr: float = lr_knob()
    steps: int = steps_knob()
    power: float = knob(default=2.0, low=0.25, high=4.0, hard=(0.0, 100.0), label="power")
    floor: float = floor_knob(default=0.0)

    def _check(self) -> None:
        check_floor(self)

    def __call__(self, t: Any) -> Any:
        left = 1 - np.minimum(t / self.steps, 1)
        return self.floor + (self.lr - self.floor) * left**self.power


@schedule
class Cosine:
    """Half a cosine wave down, then held: floor + (lr − floor)·(1 + cos(π·min(t/steps, 1)))/2.

    The floor is reached at t = ``steps``, which a run of ``steps`` updates (t = 0 … steps − 1) just misses;
    with ``steps − 1`` the last update runs at the floor exactly.

    Args:
        lr: rate of the first update.
        steps: updates until the floor is reached.
        floor: rate from then on (PyTorch's ``CosineAnnealingLR`` would rise again).

    Raises:
        ValueError: if ``floor`` is above ``lr``.

    Example:
        >>> Cosine(1.0, 10)([0, 5, 10, 15]).round(4).tolist()
        [1.0, 0.5, 0.0, 0.0]

    Reference: Loshchilov and Hutter, 2016, arXiv:1608.03983, equation 5.
    """

    lr: float = lr_knob()
    steps: int = steps_knob()
    floor: float = floor_knob(default=0.0)

    def _check(self) -> None:
        check_floor(self)

    def __call__(self, t: Any) -> Any:
        return self.floor + (self.lr - self.floor) * (1 + np.cos(np.pi * np.minimum(t / self.steps, 1))) / 2
