"""Monitors: they watch a training, and slow it down, stop it, or average its weights.

A monitor is a frozen configuration with two pure functions. ``init(rows)`` gives a state for K rows;
``update(step, state)`` looks at a :class:`~optviz.training.history.Step` and gives (decision, new state).
The state is a flat dict of arrays, tensors and numbers, so that it goes into a checkpoint as it is. K-run
training (NumPy) and ``Trainer`` (tensors, K = 1) use the same monitors.

An engine calls ``update`` at every ``Step`` that carries metrics (and after every update for a monitor whose
``per_update`` is true), multiplies the rates by ``decision.factor`` from the next update on, ends when every
row has stopped, and at the end passes the weights through ``finish``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from optviz._knobs import config, knob, require
from optviz._rows import namespace
from optviz.training.history import Step

__all__ = ["EMA", "Decision", "EarlyStopping", "Monitor", "Plateau", "require_metrics"]

INF = float("inf")
State = dict[str, Any]
Params = dict[str, Any]
TRAINING_LOSS = "loss"  # the mean of Step.loss, which needs no measurement


@dataclass(frozen=True)
class Decision:
    """What a monitor wants from now on.

    Args:
        factor: what the planned rates are multiplied by, a number or (K,) array. It is the factor in force
            (the product of all cuts so far), not the latest cut, so using it twice does no harm.
        stop: True for rows that have stopped, a bool or (K,) array; a stopped row stays stopped.
        message: a sentence when something changed, else empty.

    Example:
        >>> Decision().factor, Decision().stop
        (1.0, False)
    """

    factor: Any = 1.0
    stop: Any = False
    message: str = ""


@runtime_checkable
class Monitor(Protocol):
    """What every monitor offers; any object with these three functions is one.

    Optional attributes: ``metric`` (the name of the series it needs) and ``per_update`` (True to be called
    after every update instead of at measurements).

    Example:
        >>> isinstance(Plateau(), Monitor)
        True
    """

    def init(self, rows: int) -> State:
        """The state before the first update, for ``rows`` rows."""

    def update(self, step: Step, state: State) -> tuple[Decision, State]:
        """Look at ``step``; nothing is mutated."""

    def finish(self, state: State, params: Params) -> Params:
        """The weights to end with, given those of the last update."""


@config
class EarlyStopping:
    """Stop a row when a metric has not improved for ``patience`` measurements in a row.

    Stops when bad ≥ patience, where bad counts the measurements since the best. NaN is no improvement.

    Args:
        metric: name of the series to watch, or ``"loss"`` for the mean training loss since the last step.
        patience: measurements without improvement until the row stops.
        min_delta: what counts as an improvement must be better by more than this, in the metric's unit.
        maximize: True if larger is better; None decides by the name (accuracy up; loss and error down).
        restore: end with the weights of the best measurement instead of the last.

    Raises:
        ValueError: if ``maximize`` is None and the name does not tell.

    Example:
        >>> monitor = EarlyStopping("validation_loss", patience=2)
        >>> state, stops = monitor.init(1), []
        >>> for n, value in enumerate([1.0, 0.8, 0.9, 0.85]):
        ...     step = Step(n, np.zeros((1, 1)), np.zeros((1, 1)), {"validation_loss": np.array([value])}, {})
        ...     decision, state = monitor.update(step, state)
        ...     stops.append(bool(decision.stop[0]))
        >>> stops, state["best"].tolist(), state["best_step"].tolist()
        ([False, False, False, True], [0.8], [1])

    Reference: Prechelt, 1998, Early stopping — but when?, doi:10.1007/3-540-49430-8_3.
    """

    metric: str = "validation_loss"
    patience: int = knob(default=5, low=1, high=50, hard=(1, INF), unit="measurements", label="patience")
    min_delta: float = knob(default=0.0, low=0.0, high=0.1, hard=(0.0, INF), label="least improvement")
    maximize: bool | None = None
    restore: bool = True

    def _check(self) -> None:
        _resolve_direction(self)

    def init(self, rows: int) -> State:
        return {
            "best": np.full(rows, np.inf * self._sign),
            "best_step": np.full(rows, -1),
            "bad": np.zeros(rows, dtype=int),
            "stopped": np.zeros(rows, dtype=bool),
        }

    def update(self, step: Step, state: State) -> tuple[Decision, State]:
        value = _measured(self, step)
        if value is None:
            return Decision(stop=state["stopped"]), state
        gain = (state["best"] - value) * self._sign  # inf at first; NaN compares false
        better = ~state["stopped"] & (gain > self.min_delta)
        bad = np.where(better, 0, state["bad"] + 1)
        stopped = state["stopped"] | (bad >= self.patience)
        best = np.where(better, value, state["best"])
        at = np.where(better, step.step, state["best_step"])
        weights = _kept(step.params, state, better) if self.restore else {}
        message = _stopped_message(self, step, stopped & ~state["stopped"], best, at)
        new = state | {"best": best, "best_step": at, "bad": bad, "stopped": stopped} | weights
        return Decision(stop=stopped, message=message), new

    def finish(self, state: State, params: Params) -> Params:
        return self.best(state) or params

    def best(self, state: State) -> Params:
        """The weights of each row's best measurement: name -> (K, *shape); empty if none was kept."""
        return _unprefixed(state)

    @property
    def _sign(self) -> int:
        return -1 if self.maximize else 1


@config
class Plateau:
    """Cut the rate when a metric stops improving: ``torch.optim.lr_scheduler.ReduceLROnPlateau``, for K rows.

    When more than ``patience`` measurements in a row are no better than best·(1 − threshold) (for a metric
    that should rise: best·(1 + threshold)), the rates are multiplied by ``factor`` from the next update on.
    It works on top of any schedule: the planned rates are scaled.

    Args:
        metric: name of the series to watch, or ``"loss"`` for the mean training loss since the last step.
        factor: what each cut multiplies the rate by.
        patience: measurements without improvement that are borne; the next one cuts.
        threshold: relative improvement that counts.
        cooldown: measurements after a cut during which nothing is counted.
        smallest: the product of all cuts never goes below this.
        maximize: True if larger is better; None decides by the name (accuracy up; loss and error down).

    Raises:
        ValueError: if ``maximize`` is None and the name does not tell.

    Example:
        >>> monitor = Plateau("validation_loss", factor=0.5, patience=1)
        >>> state, factors = monitor.init(1), []
        >>> for n in range(5):
        ...     step = Step(n, np.zeros((1, 1)), np.zeros((1, 1)), {"validation_loss": np.array([1.0])}, {})
        ...     decision, state = monitor.update(step, state)
        ...     factors.append(float(decision.factor[0]))
        >>> factors
        [1.0, 1.0, 0.5, 0.5, 0.25]

    Reference: ``torch.optim.lr_scheduler.ReduceLROnPlateau`` (``threshold_mode="rel"``, ``eps=0``).
    """

    metric: str = "validation_loss"
    factor: float = knob(default=0.1, low=0.05, high=0.95, hard=(0.0, 0.999999), label="factor of a cut")
    patience: int = knob(default=10, low=0, high=50, hard=(0, INF), unit="measurements", label="patience")
    threshold: float = knob(
        default=1e-4, low=0.0, high=0.1, hard=(0.0, 0.999999), label="relative improvement"
    )
    cooldown: int = knob(default=0, low=0, high=50, hard=(0, INF), unit="measurements", label="cool-down")
    smallest: float = knob(default=0.0, low=0.0, high=0.1, hard=(0.0, 1.0), label="smallest product")
    maximize: bool | None = None

    def _check(self) -> None:
        _resolve_direction(self)

    def init(self, rows: int) -> State:
        start = -np.inf if self.maximize else np.inf
        zeros = np.zeros(rows, dtype=int)
        return {"best": np.full(rows, start), "bad": zeros, "rest": zeros.copy(), "factor": np.ones(rows)}

    def update(self, step: Step, state: State) -> tuple[Decision, State]:
        value = _measured(self, step)
        if value is None:
            return Decision(factor=state["factor"]), state
        best, rest = state["best"], state["rest"]
        better = value > best * (1 + self.threshold) if self.maximize else value < best * (1 - self.threshold)
        bad = np.where(better | (rest > 0), 0, state["bad"] + 1)
        rest = np.maximum(rest - 1, 0)
        cut = bad > self.patience
        factor = np.where(cut, np.maximum(state["factor"] * self.factor, self.smallest), state["factor"])
        new = {
            "best": np.where(better, value, best),
            "bad": np.where(cut, 0, bad),
            "rest": np.where(cut, self.cooldown, rest),
            "factor": factor,
        }
        return Decision(factor=factor, message=_cut_message(self, step, cut, factor)), new

    def finish(self, state: State, params: Params) -> Params:
        return params


@config
class EMA:
    """An exponential moving average of the weights, taken after every update.

    avg ← avg + c·(w − avg). With ``unbiased``, c = (1 − decay)/(1 − decayⁿ) at the n-th update: the average
    is Σ decayⁿ⁻ⁱ·wᵢ divided by the sum of its coefficients, so it owes nothing to a start value. Without, the
    average starts at the first weights seen and c = 1 − decay: that start still has weight decayⁿ⁻¹.
    The weights that are trained are not touched; whole-number entries (counters) are taken over as they are.
    A training ends with the averaged weights, unless a later monitor in the list chooses others.

    Args:
        decay: share of the old average that is kept; the memory is about 1/(1 − decay) updates.
        unbiased: see above.

    Example:
        >>> monitor = EMA(0.5)
        >>> state = monitor.init(1)
        >>> for n, w in enumerate([1.0, 4.0]):
        ...     step = Step(n, np.zeros((1, 1)), np.zeros((1, 1)), {}, {"w": np.array([[w]])})
        ...     _, state = monitor.update(step, state)
        >>> monitor.averaged(state)["w"].tolist()  # (0.5·1 + 1·4) / 1.5
        [[3.0]]

    Reference: Polyak and Juditsky, 1992, doi:10.1137/0330046 (averaging); Kingma and Ba, 2014,
    arXiv:1412.6980, section 3 (the correction of the start).
    """

    decay: float = knob(
        default=0.99, low=0.5, high=0.9999, hard=(0.0, 0.999999), label="decay of the average"
    )
    unbiased: bool = True
    per_update: ClassVar[bool] = True

    def init(self, rows: int) -> State:
        return {"count": 0}

    def update(self, step: Step, state: State) -> tuple[Decision, State]:
        n, old = int(state["count"]) + 1, _unprefixed(state)
        c = (1 - self.decay) / (1 - self.decay**n) if self.unbiased else 1 - self.decay
        new = _lerp(old, dict(step.params), c) if n > 1 else {k: _copy(v) for k, v in step.params.items()}
        return Decision(), {"count": n} | _prefixed(new)

    def finish(self, state: State, params: Params) -> Params:
        return self.averaged(state) or params

    def averaged(self, state: State) -> Params:
        """The averaged weights, name -> (K, *shape); empty before the first update."""
        return _unprefixed(state)


def require_metrics(monitors: Sequence[Any], names: Iterable[str]) -> None:
    """Refuse monitors that watch what will not be measured; an engine calls this before it starts.

    Args:
        monitors: monitors of a training.
        names: names of the metrics that will be measured.

    Raises:
        TypeError: if one is no monitor.
        ValueError: if one needs another metric, naming it and those that there are.

    Example:
        >>> require_metrics([Plateau("validation_loss")], ["validation_accuracy"])
        Traceback (most recent call last):
        ...
        ValueError: Plateau.metric must be one of ['loss', 'validation_accuracy'], got 'validation_loss'
    """
    there = sorted({TRAINING_LOSS, *names})
    for monitor in monitors:
        if isinstance(monitor, type) or not isinstance(monitor, Monitor):
            raise TypeError(f"monitors must be monitors like EarlyStopping(), got {monitor!r}")
        metric = getattr(monitor, "metric", TRAINING_LOSS)
        require(metric in there, f"{type(monitor).__name__}.metric", f"one of {there}", metric)


def _resolve_direction(monitor: Any) -> None:
    name = type(monitor).__name__
    if monitor.maximize is None:
        up = monitor.metric.endswith("accuracy")
        known = up or monitor.metric.endswith(("loss", "error"))
        require(known, f"{name}.maximize", f"True or False for the metric {monitor.metric!r}", None)
        object.__setattr__(monitor, "maximize", up)
    elif not isinstance(monitor.maximize, bool):
        raise TypeError(f"{name}.maximize must be True, False or None, got {monitor.maximize!r}")


def _measured(monitor: Any, step: Step) -> np.ndarray | None:
    """The watched values (K,), or None at a step where nothing was measured."""
    if monitor.metric == TRAINING_LOSS:
        return np.asarray(step.loss).mean(axis=1) if step.loss.shape[1] else None
    if not step.metrics:
        return None
    there = sorted({TRAINING_LOSS, *step.metrics})
    require(monitor.metric in there, f"{type(monitor).__name__}.metric", f"one of {there}", monitor.metric)
    return np.asarray(step.metrics[monitor.metric], dtype=float)


def _kept(params: Any, state: State, better: np.ndarray) -> State:
    """The weights of rows that got better, the kept ones of the others; nothing new when no row did."""
    if not better.any():
        return {}
    old = _unprefixed(state)
    if better.all() or not old:
        return _prefixed({name: _copy(value) for name, value in params.items()})
    return _prefixed({name: _choose(better, value, old[name]) for name, value in params.items()})


def _choose(rows: np.ndarray, new: Any, old: Any) -> Any:
    xp = namespace(new)
    mask = rows.reshape((-1,) + (1,) * (new.ndim - 1))
    return xp.where(mask if xp is np else xp.as_tensor(mask, device=new.device), new, old)


def _lerp(old: Params, new: Params, c: float) -> Params:
    names = list(new)
    torch = namespace(new[names[0]]) if names else np
    if torch is np:
        return {k: old[k] + c * (new[k] - old[k]) for k in names}
    floats = [k for k in names if new[k].is_floating_point()]
    mixed = torch._foreach_lerp([old[k] for k in floats], [new[k].detach() for k in floats], c)
    return {k: _copy(new[k]) for k in names} | dict(zip(floats, mixed, strict=True))


def _copy(value: Any) -> Any:
    return value.detach().clone() if hasattr(value, "detach") else np.array(value)


def _prefixed(params: Params) -> State:
    return {f"weights/{name}": value for name, value in params.items()}


def _unprefixed(state: State) -> Params:
    return {name.removeprefix("weights/"): v for name, v in state.items() if name.startswith("weights/")}


def _stopped_message(monitor: Any, step: Step, rows: np.ndarray, best: Any, at: Any) -> str:
    parts = [
        f"{_row(k, len(rows))}stopped after update {step.step}: {monitor.metric} has not improved on "
        f"{best[k]:.4g} (update {at[k]}) for {monitor.patience} measurements"
        for k in np.flatnonzero(rows)
    ]
    return "; ".join(parts)


def _cut_message(monitor: Any, step: Step, rows: np.ndarray, factor: np.ndarray) -> str:
    parts = [
        f"{_row(k, len(rows))}rates times {factor[k]:.3g} after update {step.step}: "
        f"{monitor.metric} stands still"
        for k in np.flatnonzero(rows)
    ]
    return "; ".join(parts)


def _row(k: Any, rows: int) -> str:
    return f"row {k} " if rows > 1 else ""
