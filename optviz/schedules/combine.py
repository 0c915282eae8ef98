"""Schedules made from schedules."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from optviz._knobs import knob, require
from optviz.schedules._form import (
    INF,
    Schedule,
    check_callable,
    rates,
    schedule,
    steps_knob,
)

__all__ = ["Chain", "Clipped", "Scaled", "Warmup", "check_warmup"]


@schedule
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
        >>> from optviz.schedules import Constant, Warmup
        >>> Warmup(Constant(1.0), 4)([0, 1, 3, 9]).tolist()
        [0.25, 0.5, 1.0, 1.0]

    Reference: Goyal et al., 2017, arXiv:1706.02677, section 2.2.
    """

    then: Schedule
    steps: int = steps_knob(20, "warm-up")
    start: float = knob(default=0.0, low=0.0, high=0.1, hard=(0.0, INF), label="start rate")

    def _check(self) -> None:
        check_callable("Warmup.then", self.then)

    def __call__(self, t: Any) -> Any:
        ramp = self.start + (rates(self.then, 0) - self.start) * (t + 1) / self.steps
        return np.where(t < self.steps, ramp, rates(self.then, np.maximum(t - self.steps, 0)))


@schedule
class Chain:
    """Schedules one after the other, each with its own clock starting at 0.

    Args:
        parts: pairs (schedule, until): the schedule holds for updates before ``until``; the last ``until``
            may be None, which means for ever. After the last one the last rate is held.

    Raises:
        ValueError: if there are no parts or the ends do not ascend.
        TypeError: if a part is not a pair of a callable and a number.

    Example:
        >>> from optviz.schedules import Chain, Constant, Linear
        >>> Chain(((Constant(1.0), 3), (Linear(1.0, 4), None)))([2, 3, 5]).tolist()
        [1.0, 1.0, 0.5]

    Reference: ``torch.optim.lr_scheduler.SequentialLR``.
    """

    parts: tuple[tuple[Schedule, int | None], ...]

    def _check(self) -> None:
        rule = "Chain.parts must be a tuple of (schedule, until)"
        if not isinstance(self.parts, tuple) or not all(isinstance(p, tuple | list) for p in self.parts):
            raise TypeError(f"{rule}, got {self.parts!r}")
        require(len(self.parts) > 0, "Chain.parts", "a non-empty tuple of (schedule, until)", self.parts)
        object.__setattr__(self, "parts", tuple(_part(i, p) for i, p in enumerate(self.parts)))
        before: int | None = 0
        for i, (_, until) in enumerate(self.parts):
            if before is None:
                require(False, f"Chain.parts[{i - 1}][1]", "a number (only the last may be None)", before)
            elif until is not None:
                require(until > before, f"Chain.parts[{i}][1]", f"above {before}", until)
            before = until

    def __call__(self, t: Any) -> Any:
        rate, start = np.zeros_like(t), 0
        for then, until in self.parts:
            local = t - start if until is None else np.minimum(t, until - 1) - start
            rate = np.where(t >= start, rates(then, np.maximum(local, 0)), rate)
            start = start if until is None else until
        return rate


@schedule
class Scaled:
    """Another schedule times a factor.

    Args:
        schedule: the schedule.
        factor: what its rate is multiplied by.

    Example:
        >>> from optviz.schedules import Constant, Scaled
        >>> Scaled(Constant(0.5), 0.5)(0)
        0.25

    Reference: Goyal et al., 2017, arXiv:1706.02677 (linear scaling with the batch size).
    """

    schedule: Schedule
    factor: float = knob(default=1.0, low=0.1, high=10.0, hard=(0.0, INF), label="factor", log=True)

    def _check(self) -> None:
        check_callable("Scaled.schedule", self.schedule)

    def __call__(self, t: Any) -> Any:
        return self.factor * rates(self.schedule, t)


@schedule
class Clipped:
    """Another schedule, kept between two rates: min(max(schedule(t), low), high).

    Args:
        schedule: the schedule.
        low, high: lowest and highest rate.

    Raises:
        ValueError: if ``low`` is above ``high``.

    Example:
        >>> from optviz.schedules import Clipped, Linear
        >>> Clipped(Linear(1.0, 4), 0.3, 0.8)([0, 2, 4]).tolist()
        [0.8, 0.5, 0.3]

    Reference: ``optax.join_schedules`` and ``numpy.clip``; a floor under a decay.
    """

    schedule: Schedule
    low: float = knob(default=0.0, low=0.0, high=0.1, hard=(0.0, INF), label="lowest rate")
    high: float = knob(default=1.0, low=0.01, high=10.0, hard=(0.0, INF), label="highest rate", log=True)

    def _check(self) -> None:
        check_callable("Clipped.schedule", self.schedule)
        require(self.low <= self.high, "Clipped.low", f"at most high ({self.high})", self.low)

    def __call__(self, t: Any) -> Any:
        return np.clip(rates(self.schedule, t), self.low, self.high)


def check_warmup(schedule: Any, steps: int) -> None:
    """Refuse a warm-up that is longer than the run: the rate would never reach its peak.

    Args:
        schedule: a schedule or any callable; a warm-up inside ``Scaled`` or ``Clipped`` counts too.
        steps: updates in the run.

    Raises:
        ValueError: naming the warm-up and the length of the run.

    Example:
        >>> from optviz.schedules import Constant
        >>> check_warmup(Warmup(Constant(0.1), 50), 20)
        Traceback (most recent call last):
        ...
        ValueError: Warmup.steps must be at most the run's 20 updates, got 50
    """
    while isinstance(schedule, Scaled | Clipped):
        schedule = schedule.schedule
    field = "steps" if isinstance(schedule, Warmup) else "warmup"
    updates = getattr(schedule, field, 0) if hasattr(type(schedule), "__dataclass_fields__") else 0
    if isinstance(updates, int):
        name = f"{type(schedule).__name__}.{field}"
        require(updates <= steps, name, f"at most the run's {steps} updates", updates)


def _part(i: int, part: Any) -> tuple[Schedule, int | None]:
    if len(part) != 2:
        raise TypeError(f"Chain.parts[{i}] must be a pair (schedule, until), got {part!r}")
    then, until = part[0], cast(Any, part[1])
    check_callable(f"Chain.parts[{i}][0]", then)
    number = isinstance(until, int | float | np.number) and not isinstance(until, bool)
    if until is not None and not (number and until % 1 == 0):
        raise TypeError(f"Chain.parts[{i}][1] must be a whole number or None, got {until!r}")
    return then, None if until is None else int(until)
