"""From rates that were used and rates that were meant to a sentence that says what went wrong.

Each kind of mistake is a hypothesis: it turns the plan into the rates that the mistake would give. The
simplest hypothesis that gives the rates that were used, to rounding, is the diagnosis.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from optviz.schedules import Chain, Clipped, Scaled, Warmup, rates

__all__ = ["Finding", "diagnose"]

CLOSE = 1e-5  # of the largest rate: schedulers that multiply step by step drift by rounding
LEAST = 3  # updates that a hypothesis must explain, beyond those it leaves free
AFTER = "after the {what} it was meant for, so the first runs at whatever the optimizer was built with"
LATE = f"The rate of each update is the one planned for the update before: it is set {AFTER}."
EARLY = (
    "The rate of each update is the one planned for the next: the scheduler steps before the optimizer does, "
    "so the first planned rate is never used."
)
LATE_EPOCH = f"The rates come one epoch ({{u}} updates) later than planned: each is set {AFTER}."
LATE_STAIRS = (
    f"The rate changes once an epoch, one epoch ({{u}} updates) later than planned: it is set {AFTER}."
)
EARLY_EPOCH = "The rates come one epoch ({u} updates) earlier than planned."
STAIRS = (
    "The rate changes once an epoch, every {u} updates, where the plan changes it at every update: the "
    "scheduler steps in the epoch loop."
)
FAST = "The schedule runs {c} times as fast as planned{more}: {why}."
FAST_UNIT = "a length in epochs was given to a scheduler that steps at every update"
FAST_ELSE = (
    "the scheduler steps that often (called twice, or once a batch while accumulating), or its length is in "
    "epochs while it steps at every update"
)
SLOW = "The schedule runs {c} times slower than planned, so the rate hardly moves: {why}."
SLOW_UNIT = "a length in updates was given to a scheduler that steps once an epoch"
SLOW_ELSE = "the scheduler steps only that often, or its length is in updates while it steps once an epoch"
MIDWAY = (
    "The rates start in the middle of the plan, {k} updates in ({used:.4g} instead of {planned:.4g}): the "
    "scheduler was used up before training, for instance to draw it."
)
UNUSED = (
    "The rate was {used:.4g} at every update: the scheduler never steps, or it belongs to another optimizer "
    "than the one that trains."
)
SCALED = "The rate is {ratio:.4g} times the plan at every update: the optimizer was built with another rate."
RISES = (
    "The plan ends after {end} updates at {floor:.4g}, but then the rate rises, to {top:.4g}: the scheduler "
    "goes on past its end (cosine annealing is periodic)."
)
DIFFERS = "From update {at} on the rate is not the planned one: {used:.4g}, not {planned:.4g}."
UNFINISHED = (
    "The plan takes {end} updates but only {made} were made: the rate ends at {last:.4g} and never reaches "
    "{goal:.4g}."
)
GROUP = (
    "Parameter group {g} does not follow group 0: its share of that rate goes from {first:.4g} to "
    "{last:.4g}. Was it added after the scheduler was built?"
)

PlanAt = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Args:
        code: a short name: late, early, midway, fast, slow, staircase, unused, scaled, rises, differs,
            zero_start, negative, peak_missed, floor_missed, groups or no_updates.
        text: a sentence for people, with the numbers.
        at: 0-based number of the first update concerned.

    Example:
        >>> Finding("zero_start", "The first update ran at rate 0.", 0).code
        'zero_start'
    """

    code: str
    text: str
    at: int


@dataclass(frozen=True)
class _Guess:
    """A hypothesis: update t runs at plan(at[t]); where ``at`` is negative anything may have been used."""

    code: str
    at: np.ndarray
    text: str


def diagnose(
    used: np.ndarray, nominal: Any, per_epoch: int | None = None, steps: int | None = None
) -> tuple[Finding, ...]:
    """What is wrong with rates that were used.

    Args:
        used: (T, G) rates of T updates in G parameter groups.
        nominal: the plan, a callable from update number to rate, or None.
        per_epoch: updates in an epoch, if known.
        steps: updates of the whole plan; None takes it from the schedule where it has an end.

    Returns:
        Findings, the most telling first; none if the rates are as planned.

    Example:
        >>> from optviz.schedules import Linear
        >>> plan = Linear(1.0, 10)
        >>> print(diagnose(plan(np.arange(1, 11))[:, None], plan)[0].text)
        The rate of each update is the one planned for the next: the scheduler steps before the optimizer ...
    """
    if len(used) == 0:
        return (Finding("no_updates", "No update was made, so there is nothing to compare.", 0),)
    actual, found = used[:, 0], list(_groups(used))
    end = steps if steps is not None else _end(nominal)
    found += _under_any_plan(actual, nominal, end)
    if nominal is None:
        return tuple(found)
    plan = rates(nominal, np.arange(len(actual)))
    scale = max(np.nanmax(np.abs(plan)), np.nanmax(np.abs(actual)), 1e-300)
    wrong = np.flatnonzero(~(np.abs(actual - plan) <= CLOSE * scale))
    if len(wrong) == 0:
        return tuple(found + _unfinished(plan, nominal, end, scale))
    main = _explain(actual, nominal, plan, per_epoch, end, scale, int(wrong[0]))
    return (main, *found, *_missed(actual, plan, scale))


def _explain(
    actual: np.ndarray,
    nominal: Any,
    plan: np.ndarray,
    per_epoch: int | None,
    end: int | None,
    scale: float,
    first: int,
) -> Finding:
    if np.ptp(actual) == 0:
        return Finding("unused", UNUSED.format(used=actual[0]), first)
    plan_at = _cached(nominal)
    for guess in _guesses(actual, plan_at, per_epoch, end or len(actual)):
        bound = guess.at >= 0
        if guess.code in ("early", "midway") and end is not None:
            bound &= guess.at <= end  # past its end a plan is held where a scheduler may do something else
        if _fits(actual, plan_at, guess.at, bound, scale):
            return Finding(guess.code, guess.text, first)
    ratio = _constant_ratio(actual, plan, scale)
    if ratio is not None:
        return Finding("scaled", SCALED.format(ratio=ratio), first)
    if end is not None and end <= first and actual[-1] > plan[-1]:
        text = RISES.format(end=end, floor=plan[-1], top=actual[first:].max())
        return Finding("rises", text, first)
    return Finding("differs", DIFFERS.format(at=first, used=actual[first], planned=plan[first]), first)


def _guesses(actual: np.ndarray, plan_at: PlanAt, u: int | None, end: int) -> Iterator[_Guess]:
    t = np.arange(len(actual))
    yield _Guess("late", t - 1, LATE.format(what="update"))
    yield _Guess("early", t + 1, EARLY)
    if u is not None and u > 1:
        held = u * (t // u)
        yield _Guess("late", t - u, LATE_EPOCH.format(u=u, what="epoch"))
        yield _Guess("early", t + u, EARLY_EPOCH.format(u=u))
        yield _Guess("staircase", held, STAIRS.format(u=u))
        yield _Guess("late", held - u, LATE_STAIRS.format(u=u, what="epoch"))
    yield from _stretches(t, u, end)
    yield from _shifts(actual, plan_at)


def _stretches(t: np.ndarray, per_epoch: int | None, end: int) -> Iterator[_Guess]:
    known = [] if per_epoch is None else [per_epoch]
    for c in dict.fromkeys([*known, *range(2, min(len(t), 64 if known else 1000))]):
        if c < 2:
            continue
        why = FAST_UNIT if c == per_epoch else FAST_ELSE
        yield _Guess("fast", t * c, FAST.format(c=c, more="", why=why))
        folded = np.mod(t * c, 2 * end)
        text = FAST.format(c=c, more=" and then rises again, over and over", why=why)
        yield _Guess("fast", np.minimum(folded, 2 * end - folded), text)
        why = SLOW_UNIT if c == per_epoch else SLOW_ELSE
        yield _Guess("slow", t // c, SLOW.format(c=c, why=why))


def _shifts(actual: np.ndarray, plan_at: PlanAt) -> Iterator[_Guess]:
    """Begun with k steps already used up, or k updates late."""
    t, longest = np.arange(len(actual)), len(actual) - LEAST
    plan = plan_at(np.arange(2 * len(t)))
    close = CLOSE * np.nanmax(np.abs(plan))
    for k in range(2, longest + 1):
        if np.all(np.abs(plan[k : k + 2] - actual[:2]) <= close):
            yield _Guess("midway", t + k, MIDWAY.format(k=k, used=actual[0], planned=plan[0]))
    for k in range(2, longest + 1):
        if abs(actual[k] - plan[0]) <= close:
            yield _Guess("late", t - k, f"The rates come {k} updates later than planned.")


def _fits(actual: np.ndarray, plan_at: PlanAt, at: np.ndarray, bound: np.ndarray, scale: float) -> bool:
    if bound.sum() < max(LEAST, len(actual) // 3) or np.ptp(actual[bound]) == 0:
        return False
    every = np.flatnonzero(bound)
    for chosen in (every[:: max(1, len(every) // 16)], every):  # a quick look first
        if not np.all(np.abs(plan_at(at[chosen]) - actual[chosen]) <= CLOSE * scale):
            return False
    return True


def _cached(nominal: Any) -> PlanAt:
    """The plan as a function of arrays that asks for each update only once; NaN where it has no answer."""
    known: dict[int, float] = {}

    def plan_at(at: np.ndarray) -> np.ndarray:
        new = sorted({int(i) for i in at} - known.keys())
        if new:
            known.update(zip(new, _asked(nominal, new), strict=True))
        return np.array([known[int(i)] for i in at])

    return plan_at


def _asked(nominal: Any, at: list[int]) -> np.ndarray:
    try:
        return rates(nominal, np.array(at))
    except Exception:  # a plan that has nothing to say past its end
        values = []
        for i in at:
            try:
                values.append(float(nominal(i)))
            except Exception:
                values.append(np.nan)
        return np.array(values)


def _end(nominal: Any) -> int | None:
    """The number of updates after which a schedule of this library is over."""
    if isinstance(nominal, Warmup):
        rest = _end(nominal.then)
        return None if rest is None else nominal.steps + rest
    if isinstance(nominal, Scaled | Clipped):
        return _end(nominal.schedule)
    if isinstance(nominal, Chain):
        last, until = nominal.parts[-1]
        start = nominal.parts[-2][1] if len(nominal.parts) > 1 else 0
        rest = _end(last)
        return until if until is not None or rest is None else (start or 0) + rest
    return getattr(nominal, "steps", None)


def _under_any_plan(actual: np.ndarray, nominal: Any, end: int | None) -> list[Finding]:
    found = []
    below = np.flatnonzero(actual < 0)
    if len(below):
        at = int(below[0])
        text = f"From update {at} on the rate is negative ({actual[at]:.4g}): it climbs up the loss."
        found.append(Finding("negative", text, at))
    planned_zero = nominal is not None and float(rates(nominal, 0)) == 0
    if actual[0] == 0 and np.any(actual != 0) and not planned_zero:
        idle = int(np.argmax(actual != 0))
        which = "first update ran" if idle == 1 else f"first {idle} updates ran"
        text = f"The {which} at rate 0 and changed nothing: a warm-up should start at (t + 1)/steps."
        found.append(Finding("zero_start", text, 0))
    if nominal is None and end is not None and len(actual) > end:
        after = actual[end - 1 :]
        if after.max() > after[0] * (1 + CLOSE) + 1e-12:
            at = end - 1 + int(np.argmax(np.diff(after) > 0)) + 1
            text = f"After its end at update {end} the rate rises again, to {after.max():.4g}."
            found.append(Finding("rises", text, at))
    return found


def _missed(actual: np.ndarray, plan: np.ndarray, scale: float) -> list[Finding]:
    found = []
    if actual.max() < plan.max() - 0.01 * scale:
        text = f"The planned peak of {plan.max():.4g} is never used: the highest rate is {actual.max():.4g}."
        found.append(Finding("peak_missed", text, int(plan.argmax())))
    if plan[-1] <= plan.min() + CLOSE * scale and actual[-1] > plan[-1] + 0.01 * scale:
        text = f"The run should end at {plan[-1]:.4g}, but its last update uses {actual[-1]:.4g}."
        found.append(Finding("floor_missed", text, len(actual) - 1))
    return found


def _unfinished(plan: np.ndarray, nominal: Any, end: int | None, scale: float) -> list[Finding]:
    if end is None or len(plan) >= end:
        return []
    last = float(_asked(nominal, [end])[0])
    if abs(last - plan[-1]) <= 0.01 * scale:
        return []
    text = UNFINISHED.format(end=end, made=len(plan), last=plan[-1], goal=last)
    return [Finding("floor_missed", text, len(plan) - 1)]


def _constant_ratio(actual: np.ndarray, plan: np.ndarray, scale: float) -> float | None:
    there = np.abs(plan) > CLOSE * scale
    if not there.any():
        return None
    ratio = float(np.median(actual[there] / plan[there]))
    return ratio if np.all(np.abs(actual - ratio * plan) <= CLOSE * scale * max(1.0, ratio)) else None


def _groups(used: np.ndarray) -> Iterator[Finding]:
    lead = used[:, 0]
    for g in range(1, used.shape[1]):
        both = np.isfinite(used[:, g]) & (lead != 0)
        share = used[both, g] / lead[both]
        apart = np.flatnonzero(np.abs(share - share[:1]) > CLOSE * np.abs(share[:1]))
        if len(apart):
            at = int(np.flatnonzero(both)[apart[0]])
            text = GROUP.format(g=g, first=share[0], last=share[-1])
            yield Finding("groups", text, at)
