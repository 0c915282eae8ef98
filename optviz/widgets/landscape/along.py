"""The loss along the sharpest direction, the parabola that fits it here, and where one step lands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from cachetools import LRUCache

from optviz import landscapes

__all__ = ["Along", "in_network", "on_surface"]

POINTS = 61
REMEMBERED = 500  # moments of networks; one takes 1 kB


@dataclass(frozen=True, eq=False)
class Along:
    """A line through the weights along the eigenvector of the largest curvature.

    Args:
        s: (N,) signed distances from the weights, in weight units.
        loss: (N,) losses there.
        height, slope, curvature: of the parabola height + slope·s + curvature·s²/2 that fits at s = 0.
        landing: where a plain step of this rate ends along this direction, −lr·slope.
    """

    s: np.ndarray
    loss: np.ndarray
    height: float
    slope: float
    curvature: float
    landing: float

    @property
    def model(self) -> np.ndarray:
        """(N,) the parabola."""
        return self.height + self.slope * self.s + self.curvature * self.s**2 / 2

    @property
    def landed(self) -> float:
        """The loss where the step ends."""
        return float(np.interp(self.landing, self.s, self.loss))


def on_surface(f: Any, x: float, y: float, lr: float) -> Along | None:
    """The line at a point of a surface; None where it is not finite."""
    xx, xy, yy = (float(part) for part in f.hessian(np.float64(x), np.float64(y)))
    if not np.isfinite([xx, xy, yy]).all():
        return None
    values, vectors = np.linalg.eigh(np.array([[xx, xy], [xy, yy]]))
    v = vectors[:, -1]
    slope = float(np.array(f.grad(np.float64(x), np.float64(y)), float) @ v)
    s = _reach(slope, float(values[-1]), lr, 0.02 * (f.xlim[1] - f.xlim[0]))
    with np.errstate(all="ignore"):
        loss = np.asarray(f(x + s * v[0], y + s * v[1]), float)
    return Along(s, loss, float(f(np.float64(x), np.float64(y))), slope, float(values[-1]), -lr * slope)


def in_network(problem: Any, params: dict[str, Any], lr: float, key: Any) -> Along | None:
    """The line at the weights of a network; None where its loss is not finite."""
    if key not in _known:
        try:
            _known[key] = _measured(problem, params, lr)
        except landscapes.NotFinite:
            return None
    return _known[key]


def _measured(problem: Any, params: dict[str, Any], lr: float) -> Along:
    top = landscapes.sharpness(problem, params, tol=1e-2)
    here = landscapes.Curvature(problem, params)
    slope = float(here.gradient @ top.vector)
    s, direction, start = _reach(slope, top.value, lr, 0.02), {}, 0
    for name, p in params.items():
        direction[name] = top.vector[start : start + p.size].reshape(p.shape).astype(p.dtype)
        start += p.size
    found = landscapes.line(problem, params, direction, span=(s[0], s[-1]), points=len(s))
    return Along(found.u, found.loss[0], here.loss, slope, top.value, -lr * slope)


def _reach(slope: float, curvature: float, lr: float, least: float) -> np.ndarray:
    """Distances that hold the weights, the bottom of the parabola, and the place where the step lands."""
    landing = -lr * slope
    bottom = -slope / curvature if curvature > 0 else landing
    bottom = float(np.clip(bottom, -3 * abs(landing), 3 * abs(landing)))
    half = max(1.3 * max(abs(bottom), abs(landing - bottom)), least)
    return np.linspace(bottom - half, bottom + half, POINTS)


_known: LRUCache[Any, Along] = LRUCache(REMEMBERED)
