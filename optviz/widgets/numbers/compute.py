"""What the number explorer computes: where one value lands, and where all values around it would."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from optviz.quantize import QParams, dequantize, fake_quantize_grad, quantize
from optviz.widgets.numbers.state import REACH, NumberState

__all__ = ["Outcome", "compute", "wrapped"]

POINTS = 1601


@dataclass(frozen=True, eq=False)
class Outcome:
    """Where values land. G places, L levels.

    Args:
        state: what was asked for.
        q: scale, zero point and ends of the code.
        levels: (L,) the values that the code has.
        along: (G,) values of x.
        codes: (G,) their integers.
        back: (G,) what these integers stand for.
        raw: round(x / s) + Z of the state's own x, before the clamp.
        code: its integer.
        right: what it would be, done right.
        value: what it stands for, x̂.
        clipped: whether the clamp changed it.
        ends: (2,) the least and the greatest value that are not clipped.
        seconds: time it took.
        progress: 1, since all is computed at once.
        note: nothing.
    """

    state: NumberState
    q: QParams
    levels: np.ndarray
    along: np.ndarray
    codes: np.ndarray
    back: np.ndarray
    raw: int
    code: int
    right: int
    value: float
    clipped: bool
    ends: np.ndarray
    seconds: float
    progress: float = 1.0
    note: str = ""

    @property
    def wrapped(self) -> bool:
        """Whether the early cast has made another integer of it."""
        return self.code != self.right

    @property
    def scale(self) -> float:
        """s, the distance of two levels."""
        return float(self.q.scale)

    @property
    def zero(self) -> int:
        """Z, the integer that stands for 0."""
        return int(self.q.zero_point)

    @property
    def error(self) -> float:
        """x̂ − x."""
        return self.value - self.state.x

    @property
    def pattern(self) -> str:
        """The bits of the integer; two's complement where it has a sign."""
        return f"{self.code % 2**self.state.bits:0{self.state.bits}b}"


def compute(state: NumberState) -> Iterator[Outcome]:
    """All at once.

    Args:
        state: what to compute.

    Yields:
        One outcome.
    """
    start = time.perf_counter()
    q = state.code
    most = max(abs(state.x), abs(state.low), abs(state.high))
    reach = REACH if most <= REACH else 1.2 * most
    along = np.linspace(-reach, reach, POINTS)
    everywhere = np.append(along, state.x)
    codes = wrapped(everywhere, q, state.bits) if state.way == "cast" else quantize(everywhere, q)
    back = dequantize(codes, q)
    levels = dequantize(np.arange(q.low, q.high + 1), q)
    raw = int(np.rint(state.x / q.scale)) + int(q.zero_point)
    clipped = not fake_quantize_grad(1.0, np.array([state.x]), q)[0]  # no gradient is what clipped means
    ends = levels[[0, -1]] + np.array([-0.5, 0.5]) * q.scale
    right = int(quantize(everywhere[-1:], q)[0])
    here = (raw, int(codes[-1]), right, float(back[-1]), clipped, ends)
    yield Outcome(state, q, levels, along, codes[:-1], back[:-1], *here, time.perf_counter() - start)


def wrapped(x: np.ndarray, q: QParams, bits: int) -> np.ndarray:
    """The mistake: integers cast to b bits before they are clamped, so that those outside wrap around.

    Args:
        x: (N,) values.
        q: scale, zero point and ends.
        bits: b.

    Returns:
        (N,) integers in the code, those outside far from where they belong.

    Example:
        >>> wrapped(np.array([3.0, 4.0]), QParams(np.float64(1.0), np.int32(0), -3, 3), 3).tolist()
        [3, -3]

    Reference: two's complement arithmetic is modulo 2^b: Knuth, The art of computer programming, volume 2,
    section 4.1.
    """
    lowest = -(2 ** (bits - 1)) if q.low < 0 else 0
    codes = np.rint(x / q.scale).astype(np.int64) + q.zero_point
    cast = (codes - lowest) % 2**bits + lowest
    return np.clip(cast, q.low, q.high)  # too late: only −2^(b−1) is left to be clamped
