"""Labels that fit: texts shortened, numbers in few letters, heights pushed apart."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

__all__ = ["apart", "fitted", "short"]


@lru_cache(1_000)
def _width(text: str, size: float) -> float:
    """Width of a text in points."""
    from matplotlib.textpath import TextPath

    return float(TextPath((0, 0), text, size=size).get_extents().x1) if text.strip() else 0.0


@lru_cache(1_000)
def fitted(text: str, room: float, size: float) -> str:
    """The text, with an ellipsis inside if it is wider than ``room`` points; a short last word stays."""
    if _width(text, size) <= room:
        return text
    head, space, last = text.rpartition(" ")
    tail = space + last if head and _width(last, size) < 0.7 * room else ""
    whole = text.removesuffix(tail)
    count = bisect(range(1, len(whole)), room, key=lambda n: _width(f"{whole[:n]}…{tail}", size))
    head = whole[:count]
    return f"{head.rstrip(' –-_')}…{tail}"


def short(value: float) -> str:
    """A number for an axis in few letters: 0.3, 1500, 2e-6."""
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:g}"
    mantissa, power = f"{value:.2e}".split("e")
    return f"{float(mantissa):g}e{int(power)}"


def apart(heights: Sequence[float], gap: float) -> np.ndarray:
    """Ascending heights moved as little as needed to be ``gap`` apart and within 0 … 1."""
    places = np.array(heights, float)
    for i in range(1, len(places)):
        places[i] = max(places[i], places[i - 1] + gap)
    for i in range(len(places) - 1, -1, -1):
        ceiling = 1.0 if i == len(places) - 1 else places[i + 1] - gap
        places[i] = min(places[i], ceiling)
    return places
