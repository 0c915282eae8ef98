"""What the explorers have in common when they draw and tell series over seeds."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

from optviz import evaluation
from optviz.viz import running_mean
from optviz.widgets.words import COMMON

__all__ = ["gap", "half_decade", "interval", "minus", "numbered", "over_seeds", "smoothed"]


def numbered(names: Sequence[str]) -> tuple[str, ...]:
    """The names, numbered where two are the same.

    Example:
        >>> numbered(["SGD", "Adam", "SGD"])
        ('SGD 1', 'Adam', 'SGD 2')
    """
    return tuple(f"{n} {names[:i].count(n) + 1}" if names.count(n) > 1 else n for i, n in enumerate(names))


def over_seeds(count: int) -> str:
    """What a mean was taken over, in words; no seed yet counts as one.

    Example:
        >>> over_seeds(1), over_seeds(5)
        ('1 seed', 'mean of 5 seeds')
    """
    return "1 seed" if count <= 1 else f"mean of {count} seeds"


def half_decade(value: float, least: float = 1e-4) -> float:
    """The half power of ten at or below a value: a lower limit for an axis, which rarely jumps.

    Example:
        >>> half_decade(0.5), half_decade(0.2)
        (0.31622776601683794, 0.1)
    """
    return float(10 ** (math.floor(math.log10(max(value, least)) * 2) / 2))


def smoothed(mean: np.ndarray) -> np.ndarray:
    """A series (T,) averaged over a twentieth of the run; NaN from where it is no finite number any more."""
    there = np.isfinite(mean)
    stop = int(np.argmin(there)) if not there.all() else len(mean)  # a curve ends where it diverges
    smooth = np.full_like(mean, np.nan)
    smooth[:stop] = running_mean(mean[:stop], max(1, len(mean) // 20))
    return smooth


def interval(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Mean of rows (S, …), one a seed, and half the width of its 95 % interval; None for one seed."""
    return (rows[0], None) if len(rows) < 2 else evaluation.seed_interval(rows, axis=0)


def gap(a: np.ndarray, b: np.ndarray, images: int) -> str:
    """How far networks are ahead of others, in words.

    Args:
        a, b: accuracies in percent, (S,), one a seed in the same order.
        images: what each was counted on; no spread is taken to be smaller than half an image.

    Example:
        >>> gap(np.array([97.0, 98.0, 97.0]), np.array([96.0, 97.5, 96.5]), 200)
        '+0.7 ± 0.7 points'
    """
    if len(a) < 2:
        return COMMON["gap_alone"].format(points=float(a[0] - b[0]))
    if (a == b).all():
        return COMMON["gap_none"]
    d = evaluation.paired(a, b, resolution=50 / images)
    return COMMON["gap"].format(points=d.mean, half=d.half_width)


def minus(text: str) -> str:
    """Negative numbers with a minus sign; hyphens between words and digits stay.

    Example:
        >>> minus("-0.4 points with a 64-64 network")
        '−0.4 points with a 64-64 network'
    """
    return re.sub(r"(?<![\w.])-(?=\d)", "−", text)
