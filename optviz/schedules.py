"""Learning-rate schedules: pure functions from the update number to the rate.

A schedule is a frozen dataclass. Called with a 0-based update number it gives the learning rate of that
update; called with an array of update numbers it gives an array of the same shape. It has no state, so
drawing a schedule never changes it. Any other callable may stand where a schedule is expected.

Symbols: *t* is the 0-based update number, *lr* the peak rate, *floor* the lowest rate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar, dataclass_transform

import numpy as np

from optviz._knobs import config, knob, require

__all__ = [
    "Chain",
    "Clipped",
    "Constant",
    "Cosine",
    "Exponential",
    "InverseSqrt",
    "InverseTime",
    "Linear",
    "MultiStep",
    "Noam",
    "OneCycle",
    "Polynomial",
    "Scaled",
    "StepDecay",
    "Triangular",
    "WarmRestarts",
    "Warmup",
    "WarmupStableDecay",
    "rates",
]

INF = math.inf
Schedule = Callable[[Any], Any]
T = TypeVar("T")


def _lr(default: float = 0.1) -> Any:
    return knob(default, 1e-3, 3.0, hard=(0.0, INF), label="peak rate", log=True, required=True)


def _floor() -> Any:
    return knob(0.0, 0.0, 0.1, hard=(0.0, INF), label="floor")


def _steps(default: int = 200, label: str = "decay over", *, low: int = 1, required: bool = True) -> Any:
    span = (1, INF) if low else (0, INF)
    return knob(default, low, 400, hard=span, unit="updates", label=label, required=required)


@dataclass_transform(frozen_default=True, field_specifiers=(knob, _lr, _floor, _steps))
def _schedule(cls: type[T]) -> type[T]:
    """A config whose ``__call__`` takes a number or an array and gives back the same shape."""
    formula: Any = cls.__call__  # type: ignore[misc]

    @wraps(formula)
    def __call__(self: Any, step: Any) -> Any:
        t = np.asarray(step, dtype=np.float64)
        if not np.all(t >= 0):  # also refuses NaN
            raise ValueError(f"{cls.__name__}: step must be at least 0, got {step!r}")
        rate = np.asarray(formula(self, t), dtype=np.float64)
        return rate if t.ndim else float(rate)

    cls.__call__ = __call__  # type: ignore[misc, assignment]
    return config(cls)


@_schedule
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

    lr: float = _lr()

    def __call__(self, t: Any) -> Any:
        return self.lr + 0 * t


@_schedule
class Linear:
    """A straight line down: lr + (floor − lr)·min(t/steps, 1).

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

    lr: float = _lr()
    steps: int = _steps()
    floor: float = _floor()

    def _check(self) -> None:
        _floor_below_peak(self)

    def __call__(self, t: Any) -> Any:
        return self.lr + (self.floor - self.lr) * np.minimum(t / self.steps, 1)


@_schedule
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

    lr: float = _lr()
    every: int = _steps(50, "drop every")
    factor: float = knob(0.5, 0.05, 1.0, hard=(0.0, 1.0), label="drop factor", required=True)

    def __call__(self, t: Any) -> Any:
        return self.lr * self.factor ** np.floor(t / self.every)


@_schedule
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

    lr: float = _lr()
    at: tuple[int, ...] = _steps((100, 150), "drop at")  # type: ignore[arg-type]
    factor: float = knob(0.2, 0.05, 1.0, hard=(0.0, 1.0), label="drop factor", required=True)

    def _check(self) -> None:
        ascending = len(self.at) > 0 and list(self.at) == sorted(self.at)
        require(ascending, "MultiStep.at", "a non-empty ascending tuple", self.at)

    def __call__(self, t: Any) -> Any:
        return self.lr * self.factor ** np.searchsorted(self.at, t, side="right").astype(float)


@_schedule
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

    lr: float = _lr()
    factor: float = knob(0.99, 0.9, 1.0, hard=(0.0, 1.0), label="factor per update", required=True)

    def __call__(self, t: Any) -> Any:
        return self.lr * self.factor**t


@_schedule
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

    lr: float = _lr()
    decay: float = knob(
        0.02, 1e-3, 1.0, hard=(0.0, INF), unit="1/update", label="decay", log=True, required=True
    )

    def __call__(self, t: Any) -> Any:
        return self.lr / (1 + self.decay * t)


@_schedule
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

    lr: float = _lr()
    decay: float = knob(
        0.05, 1e-3, 1.0, hard=(0.0, INF), unit="1/update", label="decay", log=True, required=True
    )

    def __call__(self, t: Any) -> Any:
        return self.lr / np.sqrt(1 + self.decay * t)


@_schedule
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

    lr: float = _lr()
    steps: int = _steps()
    power: float = knob(2.0, 0.25, 4.0, hard=(0.0, 100.0), label="power")
    floor: float = _floor()

    def _check(self) -> None:
        _floor_below_peak(self)

    def __call__(self, t: Any) -> Any:
        left = 1 - np.minimum(t / self.steps, 1)
        return self.floor + (self.lr - self.floor) * left**self.power


@_schedule
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

    lr: float = _lr()
    steps: int = _steps()
    floor: float = _floor()

    def _check(self) -> None:
        _floor_below_peak(self)

    def __call__(self, t: Any) -> Any:
        return self.floor + (self.lr - self.floor) * (1 + np.cos(np.pi * np.minimum(t / self.steps, 1))) / 2


@_schedule
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

    lr: float = _lr()
    period: int = _steps(50, "first period")
    growth: int = knob(1, 1, 4, hard=(1, 64), label="growth of the period")
    floor: float = _floor()

    def _check(self) -> None:
        _floor_below_peak(self)

    def __call__(self, t: Any) -> Any:
        starts = [0]
        while starts[-1] <= np.max(t, initial=0):
            starts.append(starts[-1] + self.period * self.growth ** (len(starts) - 1))
        wave = np.searchsorted(starts, t, side="right") - 1
        phase = (t - np.asarray(starts)[wave]) / (self.period * float(self.growth) ** wave)
        return self.floor + (self.lr - self.floor) * (1 + np.cos(np.pi * phase)) / 2


@_schedule
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

    lr: float = _lr()
    floor: float = knob(0.001, 0.0, 0.1, hard=(0.0, INF), label="floor", required=True)
    half_period: int = _steps(40, "half period")

    def _check(self) -> None:
        _floor_below_peak(self)

    def __call__(self, t: Any) -> Any:
        height = 1 - np.abs(np.mod(t, 2 * self.half_period) / self.half_period - 1)
        return self.floor + (self.lr - self.floor) * height


@_schedule
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

    lr: float = _lr()
    steps: int = knob(200, 5, 400, hard=(1, INF), unit="updates", label="cycle over", required=True)
    pct_start: float = knob(0.3, 0.05, 0.95, hard=(0.0, 1.0), label="part spent rising")
    div_factor: float = knob(25.0, 1.0, 100.0, hard=(1.0, INF), label="peak over first", log=True)
    final_div_factor: float = knob(1e4, 1.0, 1e4, hard=(1.0, INF), label="first over last", log=True)

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


@_schedule
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

    lr: float = _lr()
    warmup: int = _steps(20, "warm-up")

    def __call__(self, t: Any) -> Any:
        n = t + 1
        return self.lr * self.warmup**0.5 * np.minimum(n**-0.5, n * self.warmup**-1.5)


@_schedule
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

    lr: float = _lr()
    steps: int = _steps(200, "run of")
    warmup: int = _steps(20, "warm-up", low=0)
    decay: int = _steps(50, "cool-down")
    shape: float = knob(1.0, 0.25, 2.0, hard=(0.01, 10.0), label="shape (½: 1 − √u)")

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


@_schedule
class Warmup:
    """A linear warm-up in front of another schedule.

    start + (then(0) − start)·(t+1)/steps while t < steps, afterwards then(t − steps). The division is by
    ``steps`` and the count is t + 1, so the first update is not wasted at rate ``start`` and the last update
    of the warm-up runs at the full rate.

    Args:
        then: the schedule that follows, with its own clock starting at 0.
        steps: updates of the warm-up.
        start: rate that the line starts from (one update before the first).

    Raises:
        TypeError: if ``then`` cannot be called.

    Example:
        >>> Warmup(Constant(1.0), 4)([0, 1, 3, 9]).tolist()
        [0.25, 0.5, 1.0, 1.0]

    Reference: Goyal et al., 2017, arXiv:1706.02677, section 2.2.
    """

    then: Schedule
    steps: int = _steps(20, "warm-up")
    start: float = knob(0.0, 0.0, 0.1, hard=(0.0, INF), label="start rate")

    def _check(self) -> None:
        _callable("Warmup.then", self.then)

    def __call__(self, t: Any) -> Any:
        ramp = self.start + (rates(self.then, 0) - self.start) * (t + 1) / self.steps
        return np.where(t < self.steps, ramp, rates(self.then, np.maximum(t - self.steps, 0)))


@_schedule
class Chain:
    """Schedules one after the other, each with its own clock starting at 0.

    Args:
        parts: pairs (schedule, until): the schedule holds for updates before ``until``; the last ``until``
            may be None, which means for ever. After the last one the last rate is held.

    Raises:
        ValueError: if there are no parts or the ends do not ascend.
        TypeError: if a part is not a pair of a callable and a number.

    Example:
        >>> Chain(((Constant(1.0), 3), (Linear(1.0, 4), None)))([2, 3, 5]).tolist()
        [1.0, 1.0, 0.5]

    Reference: ``torch.optim.lr_scheduler.SequentialLR``.
    """

    parts: tuple[tuple[Schedule, int | None], ...]

    def _check(self) -> None:
        require(len(self.parts) > 0, "Chain.parts", "a non-empty tuple of (schedule, until)", self.parts)
        object.__setattr__(self, "parts", tuple(tuple(part) for part in self.parts))
        before = 0
        for i, (then, until) in enumerate(self.parts):
            _callable(f"Chain.parts[{i}][0]", then)
            if until is None:
                require(
                    i == len(self.parts) - 1, f"Chain.parts[{i}][1]", "a number (last may be None)", until
                )
                break
            require(until > before, f"Chain.parts[{i}][1]", f"above {before}", until)
            before = until

    def __call__(self, t: Any) -> Any:
        rate, start = np.zeros_like(t), 0
        for then, until in self.parts:
            local = t - start if until is None else np.minimum(t, until - 1) - start
            rate = np.where(t >= start, rates(then, np.maximum(local, 0)), rate)
            start = start if until is None else until
        return rate


@_schedule
class Scaled:
    """Another schedule times a factor.

    Args:
        schedule: the schedule.
        factor: what its rate is multiplied by.

    Example:
        >>> Scaled(Constant(0.5), 0.5)(0)
        0.25

    Reference: Goyal et al., 2017, arXiv:1706.02677 (linear scaling with the batch size).
    """

    schedule: Schedule
    factor: float = knob(1.0, 0.1, 10.0, hard=(0.0, INF), label="factor", log=True)

    def _check(self) -> None:
        _callable("Scaled.schedule", self.schedule)

    def __call__(self, t: Any) -> Any:
        return self.factor * rates(self.schedule, t)


@_schedule
class Clipped:
    """Another schedule, kept between two rates: min(max(schedule(t), low), high).

    Args:
        schedule: the schedule.
        low, high: lowest and highest rate.

    Raises:
        ValueError: if ``low`` is above ``high``.

    Example:
        >>> Clipped(Linear(1.0, 4), 0.3, 0.8)([0, 2, 4]).tolist()
        [0.8, 0.5, 0.3]

    Reference: ``optax.join_schedules`` and ``numpy.clip``; a floor under a decay.
    """

    schedule: Schedule
    low: float = knob(0.0, 0.0, 0.1, hard=(0.0, INF), label="lowest rate")
    high: float = knob(1.0, 0.01, 10.0, hard=(0.0, INF), label="highest rate", log=True)

    def _check(self) -> None:
        _callable("Clipped.schedule", self.schedule)
        require(self.low <= self.high, "Clipped.low", f"at most high ({self.high})", self.low)

    def __call__(self, t: Any) -> Any:
        return np.clip(rates(self.schedule, t), self.low, self.high)


def rates(schedule: Schedule, steps: int | Sequence[int] | np.ndarray) -> Any:
    """Rates of any schedule, also of a plain function of one number that knows nothing of arrays.

    Args:
        schedule: a schedule of this module, or any callable from an update number to a rate.
        steps: 0-based update number, or an array of them.

    Returns:
        float64 array of the shape of ``steps`` (a NumPy scalar for a number).

    Raises:
        TypeError: if ``schedule`` cannot be called.
        ValueError: if it does not give one number for each update number.

    Example:
        >>> rates(lambda t: 0.1 if t < 2 else 0.01, [0, 1, 2]).tolist()
        [0.1, 0.1, 0.01]
    """
    _callable("schedule", schedule)
    t = np.asarray(steps)
    if hasattr(type(schedule), "__dataclass_fields__") and type(schedule).__module__ == __name__:
        return np.asarray(schedule(t), dtype=np.float64)
    one_by_one = [schedule(int(s)) for s in t.ravel()]  # a foreign callable may branch with `if`
    try:
        values = np.array([float(v) for v in one_by_one], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"schedule must give one number for each step, got {one_by_one[0]!r}") from error
    return values.reshape(t.shape)


def _floor_below_peak(schedule: Any) -> None:
    name = type(schedule).__name__
    require(schedule.floor <= schedule.lr, f"{name}.floor", f"at most lr ({schedule.lr})", schedule.floor)


def _callable(name: str, value: object) -> None:
    if not callable(value):
        raise TypeError(f"{name} must be a schedule or another callable step -> rate, got {value!r}")
