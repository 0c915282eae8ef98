"""Learning-rate schedules: pure functions from the update number to the rate.

A schedule is a frozen dataclass. Called with a 0-based update number it gives the learning rate of that
update; called with an array of update numbers it gives an array of the same shape. It has no state, so
drawing a schedule never changes it. Any other callable may stand where a schedule is expected.

Symbols: *t* is the 0-based update number, *lr* the peak rate, *floor* the lowest rate.
"""

from optviz.schedules._form import rates
from optviz.schedules.combine import Chain, Clipped, Scaled, Warmup
from optviz.schedules.decays import (
    Constant,
    Cosine,
    Exponential,
    InverseSqrt,
    InverseTime,
    Linear,
    MultiStep,
    Polynomial,
    StepDecay,
)
from optviz.schedules.waves import Noam, OneCycle, Triangular, WarmRestarts, WarmupStableDecay

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
