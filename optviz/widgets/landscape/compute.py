"""What the landscape explorer computes: a path, the sharpness along it, and the landscape around it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from cachetools import LRUCache

from optviz import landscapes, surfaces
from optviz.landscapes.edge import Meter
from optviz.training import Run, iterate
from optviz.viz import Backdrop
from optviz.widgets.landscape.along import Along, in_network, on_surface
from optviz.widgets.landscape.state import LandscapeState
from optviz.widgets.landscape.words import WORDS

__all__ = ["Outcome", "compute"]

MOMENTS, PER_SHARPNESS = 160, 4  # weights that are kept, and of how many one has its sharpness measured
PREVIEW = 25  # points a side
PACE = 0.02  # seconds of work between two looks at the page
REMEMBERED = 12  # trainings, of at most some MB each, and as many slices


@dataclass(frozen=True, eq=False)
class Outcome:
    """What has been computed so far. T updates, M moments at which the weights were kept; NaN: not yet.

    Args:
        state: what was asked for.
        loss: (T,) height, or training loss of the batches, before each update.
        at: (M,) numbers of updates done at the moments.
        path: (M, 2) places in the picture.
        sharpness: (M,) largest curvature; NaN where it was not measured.
        backdrop: the landscape, or None.
        shares: (2,) shares of the path's variance along the axes of the plane.
        size: weights in the network, 2 on a surface.
        along: the line along the sharpest direction at the last update that is drawn, or None.
        progress: share of the work that is done, 0 to 1.
        seconds: time it took so far.
        fresh: the training was not remembered.
        note: a sentence on what is going on.
    """

    state: LandscapeState
    loss: np.ndarray
    at: np.ndarray
    path: np.ndarray
    sharpness: np.ndarray
    backdrop: Backdrop | None = None
    shares: np.ndarray | None = None
    size: int = 2
    along: Along | None = None
    progress: float = 0.0
    seconds: float = 0.0
    fresh: bool = True
    note: str = ""

    @property
    def fell(self) -> int | None:
        """The update at which it diverged, or None: the loss is no number, or ends far above its start."""
        there = ~np.isfinite(self.loss[: self.done])
        if there.any():
            return int(there.argmax())
        tail = self.loss[max(self.done - max(self.done // 20, 1), 0) : self.done]
        top = 1e3 * (1 + abs(float(self.loss[0]))) if self.state.surface else 3 * float(self.loss[0])
        return self.done if self.done and tail.mean() > top else None

    @property
    def done(self) -> int:
        """Updates done so far."""
        known = np.flatnonzero(~np.isnan(self.loss))
        return len(self.loss) if self.progress == 1 else int(known[-1]) + 1 if len(known) else 0


def compute(state: LandscapeState) -> Iterator[Outcome]:
    """The path first, then the landscape around it: coarse, then fine.

    A training that was done before is remembered, and so is a slice, so that drawing fewer updates, or the
    same path on another plane, trains nothing.

    Args:
        state: what to descend.

    Yields:
        Ever more complete outcomes; the last has ``progress`` 1.
    """
    start = time.perf_counter()
    for outcome in _on_surface(state) if state.surface is not None else _of_network(state):
        yield replace(outcome, seconds=time.perf_counter() - start)


def _on_surface(state: LandscapeState) -> Iterator[Outcome]:
    f, steps = state.surface, state.steps
    xy, loss = np.full((steps + 1, 2), np.nan), np.full(steps + 1, np.nan)
    weights = np.array([[state.x, state.y]])
    memory, lr = state.optimizer.init(weights), np.array([[state.lr]])
    with np.errstate(all="ignore"):  # it may diverge
        for t in range(steps + 1):
            xy[t] = weights[0]
            if t == steps or not np.abs(weights).max() < 1e6:
                break
            slope = np.stack(f.grad(weights[:, 0], weights[:, 1]), axis=1)
            delta, memory = state.optimizer.update(slope, memory, weights, lr, t)
            weights = weights + delta
        loss = np.asarray(f(xy[:, 0], xy[:, 1]), float)
        steep = np.asarray(surfaces.curvatures(f, xy[:, 0], xy[:, 1])[1], float)
    here = xy[min(state.shown, steps)]
    along = on_surface(f, float(here[0]), float(here[1]), state.lr) if np.isfinite(here).all() else None
    yield Outcome(state, loss, np.arange(steps + 1), xy, steep, _heights(f), along=along, progress=1.0)


@lru_cache(32)
def _heights(f: Any) -> Backdrop:
    x, y, z = surfaces.grid(f, 81)
    return Backdrop(x, y, z, log=np.isfinite(f.lowest), stars=f.minima)


def _of_network(state: LandscapeState) -> Iterator[Outcome]:
    key = (state.trained, state.optimizer, state.lr, state.steps)
    fresh, last = key not in _trainings, None
    for kept in _train(state) if fresh else ():
        last, share = kept, 0.6 * kept.progress
        yield replace(_outcome(state, kept), progress=share, note=WORDS["training"])
    last = last or _trainings[key]
    _trainings[key] = last
    moment = int(np.searchsorted(last.at, state.shown, side="right")) - 1
    here = {name: p[moment] for name, p in last.moments().items()}
    along = in_network(state.problem(), here, state.lr, (key, moment))
    base = replace(_outcome(state, last), fresh=fresh, along=along)
    if not np.isfinite(last.weights[-1]).all():
        yield replace(base, progress=1.0)
        return
    where = (*key, state.what, state.span, state.points)
    if where not in _slices:
        placed, directions, box = _placed(state, base, last)
        for backdrop, share in _sliced(state, last, directions, box):
            done = replace(placed, backdrop=backdrop, note=WORDS["slicing"].format(done=share))
            yield replace(done, progress=0.6 + 0.399 * share)
        _slices[where] = done
    known = _slices[where]
    yield replace(base, path=known.path, backdrop=known.backdrop, shares=known.shares, progress=1.0)


@dataclass(frozen=True, eq=False)
class _Kept:
    """A training: its losses, and its weights (M, P) with their sharpness."""

    loss: np.ndarray
    at: np.ndarray
    weights: np.ndarray
    sharpness: np.ndarray
    like: dict[str, Any]
    progress: float

    def moments(self) -> dict[str, np.ndarray]:
        """The weights as name -> (M, *shape)."""
        found, start = {}, 0
        for name, p in self.like.items():
            found[name] = self.weights[:, start : start + p.size].reshape(-1, *p.shape)
            start += p.size
        return found


def _train(state: LandscapeState) -> Iterator[_Kept]:
    problem, runs = state.problem(), [Run(state.optimizer, state.lr)]
    every = max(1, round(state.steps / MOMENTS))
    at = np.minimum(np.arange(-(-state.steps // every) + 1) * every, state.steps)
    _, draws = np.random.SeedSequence(state.seed).spawn(2)  # as iterate draws them
    like = problem.init(np.random.default_rng(draws))
    weights = np.full((len(at), sum(p.size for p in like.values())), np.nan, np.float32)
    loss, meter = np.full(state.steps, np.nan), Meter(problem, None, 1e-2, 1, len(at))
    weights[0] = np.concatenate([p.ravel() for p in like.values()])

    def kept(i: int) -> _Kept:
        share = float(at[i]) / state.steps
        return _Kept(loss.copy(), at, weights[: i + 1], meter.value[0].copy(), like, share)

    yield kept(0)
    meter.measure(0, {name: p[None] for name, p in like.items()})
    last = time.perf_counter()
    for i, step in enumerate(iterate(problem, runs, state.steps, seed=state.seed, every=every), start=1):
        loss[step.step + 1 - step.loss.shape[1] : step.step + 1] = step.loss[0]
        weights[i] = np.concatenate([step.params[name].ravel() for name in like])
        if i % PER_SHARPNESS == 0 or i == len(at) - 1:
            meter.measure(i, step.params)
        if time.perf_counter() - last > PACE or i == len(at) - 1:
            yield kept(i)
            last = time.perf_counter()


def _outcome(state: LandscapeState, kept: _Kept) -> Outcome:
    nowhere = np.full((len(kept.at), 2), np.nan)
    return Outcome(state, kept.loss, kept.at, nowhere, kept.sharpness, size=kept.weights.shape[1])


def _placed(state: LandscapeState, base: Outcome, kept: _Kept) -> tuple[Outcome, Any, Any]:
    """The path in the plane that was asked for, the plane's directions, and the box to show."""
    trajectory = kept.moments()
    final = {name: p[-1] for name, p in trajectory.items()}
    if state.what == "random":
        directions: Any = landscapes.random_directions(final, seed=state.seed)
        path, shares = landscapes.coordinates(trajectory, final, directions), None
        box = [(-state.span, state.span)] * 2
    else:
        axes = landscapes.principal_axes(trajectory)
        directions, shares = axes.directions, axes.shares
        path, box = landscapes.coordinates(trajectory, final, directions), []
        for low, high in zip(path.min(axis=0), path.max(axis=0), strict=True):
            middle, half = (low + high) / 2, 0.65 * max(high - low, 0.2 * float(np.ptp(path, axis=0).max()))
            box.append((middle - state.span * half, middle + state.span * half))
    return replace(base, path=path, shares=shares), directions, box


def _sliced(state: LandscapeState, kept: _Kept, directions: Any, box: Any) -> Iterator[tuple[Any, float]]:
    """(the landscape so far, share done): None, then the coarse one, then the fine one."""
    final, problem = {name: p[-1] for name, p in kept.moments().items()}, state.problem()
    shown, coarse = None, min(PREVIEW, state.points)
    sizes = [coarse] if state.points == coarse else [coarse, state.points]
    total, before = sum(n * n for n in sizes), 0
    for n in sizes:
        last = time.perf_counter()
        for plane in landscapes.scan(problem, final, directions, span=box, points=n):
            if plane.progress == 1:
                steep = np.nanmax(plane.loss) > 8 * np.nanmin(plane.loss)
                shown = Backdrop(plane.u, plane.v, plane.loss, log=bool(steep), levels=14)
            if plane.progress == 1 or time.perf_counter() - last > PACE:
                yield shown, (before + n * n * plane.progress) / total
                last = time.perf_counter()
        before += n * n


_trainings: LRUCache[Any, _Kept] = LRUCache(REMEMBERED)
_slices: LRUCache[Any, Outcome] = LRUCache(REMEMBERED)
