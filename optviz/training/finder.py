"""Range test: raise the rate at every update of one short run, and see where the loss falls and blows up."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from optviz._knobs import require
from optviz.optimizers import SGD
from optviz.training.history import Run

__all__ = ["RangeTest", "range_test"]

SMOOTHING = 0.9  # share of the old average in the smoothed loss
HOPELESS = 4.0  # a module's run ends early when the smoothed loss is so many times the lowest


@dataclass(frozen=True, eq=False)
class RangeTest:
    """The result of a range test.

    Args:
        rates: (T,) rates, one an update, equally spaced on a log scale.
        losses: (T,) training losses of the batches, before each update.
        smoothed: (T,) running average of the losses.
        steepest: the rate at which the smoothed loss falls fastest, None if it never falls.
        blow_up: the rate at which the smoothed loss has given back half of its gain, None if it never does.
        suggestion: a peak rate to try first, None if there is no basis for one.
        text: how it was chosen, in words.

    Example:
        >>> ramp = np.geomspace(1e-3, 10, 5)
        >>> RangeTest(ramp, ramp, ramp, None, None, None, "The loss never falls.").text
        'The loss never falls.'
    """

    rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    steepest: float | None
    blow_up: float | None
    suggestion: float | None
    text: str


@dataclass(frozen=True)
class _Ramp:
    """low·(high/low)^(t/(steps − 1)), held at the end."""

    low: float
    high: float
    steps: int

    def __call__(self, t: Any) -> Any:
        u = np.minimum(np.asarray(t, dtype=float) / (self.steps - 1), 1)
        return self.low * (self.high / self.low) ** u


def range_test(
    target: Any,
    train: Any = None,
    *,
    optimizer: Any = None,
    low: float = 1e-5,
    high: float = 10.0,
    steps: int = 100,
    seed: int = 0,
) -> RangeTest:
    """Find a good rate in one short run whose rate grows from ``low`` to ``high``.

    The rate of update t is low·(high/low)^(t/(steps−1)). Two marks are read from the smoothed loss: where it
    falls fastest (per factor of the rate), and where it has given back half of what it had gained. The
    suggestion is the smaller of the first mark and a tenth of the second; it is a start for a sweep, no more.

    Args:
        target: a ``Trainer`` (its weights, optimizer state and modes are put back after), or a ``Problem``.
        train: the training data of the ``Trainer``, as for ``fit``.
        optimizer: the rule for a ``Problem``; ``SGD(momentum=0.9)`` when None.
        low, high: first and last rate.
        steps: updates.
        seed: decides order, draws, and a problem's starting weights.

    Returns:
        A :class:`RangeTest`.

    Raises:
        ValueError: if not 0 < low < high, ``steps`` is below 10, or a ``Trainer`` comes without data.
        TypeError: if an optimizer is given for a ``Trainer``, which has its own.

    Example:
        >>> from optviz import problems
        >>> found = range_test(problems.digits(), steps=60)
        >>> 0.001 < found.suggestion < 1
        True

    Reference: Smith, 2015, arXiv:1506.01186, section 3.3.
    """
    require(0 < low < high, "range_test.low", f"above 0 and below high ({high})", low)
    whole = isinstance(steps, int) and steps >= 10
    require(whole, "range_test.steps", "a whole number of at least 10", steps)
    ramp = _Ramp(float(low), float(high), steps)
    if hasattr(target, "loss_and_grad") or not hasattr(target, "fit"):
        losses = _of_problem(target, optimizer, ramp, seed)
    else:
        if optimizer is not None:
            raise TypeError(
                f"range_test.optimizer must be None for a Trainer (it has one), got {optimizer!r}"
            )
        require(train is not None, "range_test.train", "given for a Trainer", None)
        losses = _of_trainer(target, train, ramp, seed)
    return read(ramp(np.arange(len(losses))), losses)


def read(rates: np.ndarray, losses: np.ndarray) -> RangeTest:
    """Read the two marks from a ramp: see :func:`range_test`."""
    smoothed = _smooth(losses)
    finite = np.where(np.isfinite(smoothed), smoothed, np.inf)
    start, lowest = float(losses[0]), int(np.argmin(finite))
    gain = start - finite[lowest]
    noise = float(np.std(losses[: max(3, len(losses) // 10)]))
    if not gain > noise:
        text = (
            f"The loss never falls clearly between {rates[0]:.2g} and {rates[-1]:.2g}: try other rates, more "
            "updates, or look for a bug."
        )
        return RangeTest(rates, losses, smoothed, None, None, None, text)
    slope = np.gradient(finite[: lowest + 1], np.log10(rates[: lowest + 1]))
    settled = min(len(losses) // 10, lowest)  # before that the smoothed loss is the noise of a few batches
    steepest = float(rates[settled + int(np.argmin(slope[settled:]))])
    after = np.flatnonzero(~(finite[lowest:] <= start - gain / 2))
    blow_up = float(rates[lowest + after[0]]) if len(after) else None
    suggestion = steepest if blow_up is None else min(steepest, blow_up / 10)
    text = f"The loss falls fastest at a rate of {steepest:.2g}"
    if blow_up is None:
        text += f" and does not blow up by {rates[-1]:.2g}. Try {suggestion:.2g}."
    else:
        text += (
            f" and has given back half of its gain at {blow_up:.2g}. The smaller of the first and a tenth of "
            f"the second is a careful start: try {suggestion:.2g}."
        )
    return RangeTest(rates, losses, smoothed, steepest, blow_up, suggestion, text)


def _smooth(losses: np.ndarray) -> np.ndarray:
    """Σ 0.9ⁿ⁻ⁱ·lossᵢ divided by the sum of its coefficients."""
    total, weight, out = 0.0, 0.0, []
    for loss in losses:
        total, weight = SMOOTHING * total + loss, SMOOTHING * weight + 1
        out.append(total / weight)
    return np.array(out)


def _of_problem(problem: Any, optimizer: Any, ramp: _Ramp, seed: int) -> np.ndarray:
    from optviz.training.rows import iterate

    run = Run(SGD(0.9) if optimizer is None else optimizer, ramp, "range test")
    with np.errstate(over="ignore", invalid="ignore"):  # it is meant to blow up
        parts = [step.loss[0] for step in iterate(problem, [run], ramp.steps, seed=seed, every=ramp.steps)]
    return np.concatenate(parts)


def _of_trainer(trainer: Any, train: Any, ramp: _Ramp, seed: int) -> np.ndarray:
    from optviz.training.trainer import Diverged

    probe = trainer.with_schedule(ramp)
    weights = copy.deepcopy(trainer.model.state_dict())
    state = copy.deepcopy(trainer.optimizer.state_dict())
    losses: list[float] = []
    try:
        for step in probe.steps(train, epochs=ramp.steps, every=10, seed=seed):
            losses.extend(step.loss[0].tolist())
            smoothed = _smooth(np.array(losses))
            if len(losses) >= ramp.steps or smoothed[-1] > HOPELESS * smoothed.min():
                break
    except Diverged as error:
        losses = error.history["loss"][0].tolist()
    finally:
        trainer.model.load_state_dict(weights)
        trainer.optimizer.load_state_dict(state)
        trainer.optimizer.zero_grad(set_to_none=True)
    return np.array(losses[: ramp.steps])
