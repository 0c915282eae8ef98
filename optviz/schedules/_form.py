"""What all schedules share: the knobs of their fields, the same shape out as in, and ``rates``."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar, dataclass_transform

import numpy as np

from optviz._knobs import config, knob, require

__all__ = [
    "INF",
    "Schedule",
    "check_callable",
    "check_floor",
    "floor_knob",
    "lr_knob",
    "rates",
    "schedule",
    "steps_knob",
]

INF = math.inf
Schedule = Callable[[Any], Any]
T = TypeVar("T")


def lr_knob(default: float = 0.1) -> Any:
    """The peak rate, a required field."""
    return knob(default, 1e-3, 3.0, hard=(0.0, INF), label="peak rate", log=True, required=True)


def floor_knob(default: float = 0.0) -> Any:
    """The lowest rate."""
    return knob(default, 0.0, 0.1, hard=(0.0, INF), label="floor")


def steps_knob(default: int = 200, label: str = "decay over", *, low: int = 1, required: bool = True) -> Any:
    """A number of updates, or a tuple of them."""
    span = (1, INF) if low else (0, INF)
    return knob(default, low, 400, hard=span, unit="updates", label=label, required=required)


@dataclass_transform(frozen_default=True, field_specifiers=(knob, lr_knob, floor_knob, steps_knob))
def schedule(cls: type[T]) -> type[T]:
    """A config whose ``__call__`` takes a number or an array and gives back the same shape."""
    formula: Any = cls.__call__

    @wraps(formula)
    def __call__(self: Any, step: Any) -> Any:
        t = np.asarray(step, dtype=np.float64)
        if not np.all(t >= 0):  # also refuses NaN
            raise ValueError(f"{cls.__name__}: step must be at least 0, got {step!r}")
        rate = np.asarray(formula(self, t), dtype=np.float64)
        return rate if t.ndim else float(rate)

    cls.__call__ = __call__  # type: ignore[method-assign]
    cls.takes_arrays = True  # type: ignore[attr-defined]
    return config(cls)


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
    check_callable("schedule", schedule)
    t = np.asarray(steps)
    if getattr(type(schedule), "takes_arrays", False):
        return np.asarray(schedule(t), dtype=np.float64)
    one_by_one = [schedule(int(s)) for s in t.ravel()]  # a foreign callable may branch with `if`
    try:
        values = np.array([float(v) for v in one_by_one], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"schedule must give one number for each step, got {one_by_one[0]!r}") from error
    return values.reshape(t.shape)


def check_floor(schedule: Any) -> None:
    """Refuse a floor above the peak."""
    name = type(schedule).__name__
    require(schedule.floor <= schedule.lr, f"{name}.floor", f"at most lr ({schedule.lr})", schedule.floor)


def check_callable(name: str, value: object) -> None:
    """Refuse what cannot be called, under the name of the argument."""
    if not callable(value):
        raise TypeError(f"{name} must be a schedule or another callable step -> rate, got {value!r}")
