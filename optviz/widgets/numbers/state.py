"""The state of the number explorer: a value, a code for it, and a wrong way to use that code."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from optviz._knobs import choice, config, knob, require
from optviz.quantize import QParams, dequantize, from_range, quantize

__all__ = ["REACH", "NumberState", "adapted"]

REACH = 4.0  # values on the sliders reach from minus to plus this
FAR = (-1000.0, 1000.0)
MOST = 8  # bits
CODES = {"affine: 0 … 2ᵇ − 1": False, "symmetric: Z = 0": True}
WAYS = {
    "right: clamp, then cast": "right",
    "wrong: cast, then clamp": "cast",
    "wrong: range without 0": "open",
}


@config
class NumberState:
    """Everything that determines the pictures of the number explorer.

    Args:
        x: the value that is stored.
        bits: b of the code.
        symmetric: integers −(2^(b−1) − 1) … 2^(b−1) − 1 with Z = 0; else 0 … 2^b − 1 with a zero point.
        low, high: the range that the code is made for.
        way: ``"right"``, ``"cast"`` (the cast to b bits comes before the clamp) or ``"open"`` (a range
            that doesn't hold 0 stays as it is).
        level: the level that is nearest to x, counted from 0; it follows x, and x follows it.

    Raises:
        ValueError: if a number is out of range, or ``low`` is not below ``high``.

    Example:
        >>> q = NumberState(low=-1.0, high=2.0, bits=3).code
        >>> round(float(q.scale), 4), int(q.zero_point)
        (0.4286, 2)
    """

    x: float = knob(default=1.3, low=-REACH, high=REACH, hard=FAR, label="value x")
    bits: int = knob(default=3, low=2, high=MOST, label="bits b")
    symmetric: bool = choice(default=False, options=CODES, label="code")
    low: float = knob(default=-1.0, low=-REACH, high=REACH, hard=FAR, label="range from")
    high: float = knob(default=2.0, low=-REACH, high=REACH, hard=FAR, label="range to")
    way: str = choice(default="right", options=WAYS, label="done")
    level: int = knob(default=0, low=0, high=2**MOST - 1, label="level")

    def _check(self) -> None:
        require(self.low < self.high, "low", f"below high ({self.high:g})", self.low)

    @property
    def code(self) -> QParams:
        """Scale, zero point and ends."""
        right = from_range(self.low, self.high, self.bits, self.symmetric)
        if self.way != "open" or self.symmetric or self.holds_zero:
            return right
        scale = (self.high - self.low) / right.high  # the mistake: no level for 0 …
        zero = int(np.clip(np.rint(-self.low / scale), 0, right.high))  # … and a Z that no integer can be
        return QParams(np.float64(scale), np.int32(zero), 0, right.high)

    @property
    def holds_zero(self) -> bool:
        """Whether 0 is inside the range as it was given."""
        return self.low <= 0 <= self.high

    @property
    def last(self) -> int:
        """The number of the last level, counted from 0."""
        return int(self.code.levels) - 1


def adapted(old: NumberState, new: NumberState) -> NumberState:
    """The new state, in which x stands on the level that was chosen, or the level is that next to x."""
    q = new.code
    if new.level != old.level:
        if new.level > new.last:  # who set it is told so
            return new
        return replace(new, x=float(dequantize(np.asarray(new.level + q.low), q)))
    return replace(new, level=_nearest(new.x, q))


def _nearest(x: float, q: Any) -> int:
    return int(quantize(np.array([x]), q)[0]) - int(q.low)
