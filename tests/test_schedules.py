"""Every schedule against PyTorch's scheduler or its closed form, over the whole range of its sliders."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler as lrs

from optviz import schedules
from optviz._knobs import knobs
from optviz.schedules import (
    Chain,
    Clipped,
    Constant,
    Cosine,
    Exponential,
    Linear,
    MultiStep,
    OneCycle,
    Scaled,
    Triangular,
    WarmRestarts,
    Warmup,
    WarmupStableDecay,
    rates,
)
from tests.strategies import configs, simple_schedules

CLASSES = [getattr(schedules, name) for name in schedules.__all__ if name[0].isupper()]
Rates = list[float]
wave = Cosine(1.0, 50)


def stepped(lr: float, scheduler: Callable[[Any], Any], length: int, hold: int | None = None) -> Rates:
    """The rates that a PyTorch loop uses; after update ``hold`` the rate is held."""
    optimizer = torch.optim.SGD([torch.zeros(1, dtype=torch.float64)], lr=lr)
    plan, out = scheduler(optimizer), []
    for t in range(length):
        out.append(float(optimizer.param_groups[0]["lr"]))
        if hold is None or t < hold:
            optimizer.step()
            plan.step()
    return out


def closed(formula: Callable[[Any, int], float]) -> Callable[[Any, int], Rates]:
    """PyTorch has no such scheduler: its formula in plain Python, by ``LambdaLR``."""
    return lambda s, n: stepped(1.0, lambda o: lrs.LambdaLR(o, lambda t: formula(s, t)), n)


def wsd(s: Any, t: int) -> float:
    if t < s.steps - s.decay:
        return s.lr * (t + 1) / s.warmup if t < s.warmup else s.lr
    done = 1.0 if t >= s.steps else (t - s.steps + s.decay) / s.decay
    return s.lr * (1 - done**s.shape)


def warmup(s: Any, n: int) -> Rates:
    after = reference(s.then, max(n, 1))
    ramp = [s.start + (after[0] - s.start) * (t + 1) / s.steps for t in range(s.steps)]
    return (ramp + after)[:n]


def chain(s: Any, n: int) -> Rates:
    out: Rates = []
    for then, until in s.parts:
        out += reference(then, (until or n) - len(out)) if (until or n) > len(out) else []
    return (out + [out[-1]] * n)[:n]


# One line a schedule: how PyTorch, or the formula, gives the first n rates of schedule s.
REFERENCES: dict[str, Callable[[Any, int], Rates]] = {
    "Constant": lambda s, n: stepped(s.lr, lambda o: lrs.ConstantLR(o, 1.0), n),
    "Linear": lambda s, n: stepped(s.lr, lambda o: lrs.LinearLR(o, 1.0, s.floor / s.lr, s.steps), n),
    "StepDecay": lambda s, n: stepped(s.lr, lambda o: lrs.StepLR(o, s.every, s.factor), n),
    "MultiStep": lambda s, n: stepped(s.lr, lambda o: lrs.MultiStepLR(o, s.at, s.factor), n),
    "Exponential": lambda s, n: stepped(s.lr, lambda o: lrs.ExponentialLR(o, s.factor), n),
    "InverseTime": closed(lambda s, t: s.lr / (1 + s.decay * t)),
    "InverseSqrt": closed(lambda s, t: s.lr / math.sqrt(1 + s.decay * t)),
    "Polynomial": lambda s, n: [
        s.floor + r for r in stepped(s.lr - s.floor, lambda o: lrs.PolynomialLR(o, s.steps, s.power), n)
    ],
    "Cosine": lambda s, n: stepped(s.lr, lambda o: lrs.CosineAnnealingLR(o, s.steps, s.floor), n, s.steps),
    "WarmRestarts": lambda s, n: stepped(
        s.lr, lambda o: lrs.CosineAnnealingWarmRestarts(o, s.period, s.growth, s.floor), n
    ),
    "Triangular": lambda s, n: stepped(
        s.lr, lambda o: lrs.CyclicLR(o, s.floor, s.lr, s.half_period, cycle_momentum=False), n
    ),
    "OneCycle": lambda s, n: stepped(
        s.lr,
        lambda o: lrs.OneCycleLR(
            o,
            s.lr,
            s.steps,
            pct_start=s.pct_start,
            div_factor=s.div_factor,
            final_div_factor=s.final_div_factor,
            cycle_momentum=False,
        ),
        n,
        s.steps - 1,
    ),
    "Noam": closed(lambda s, t: s.lr * min((t + 1) / s.warmup, math.sqrt(s.warmup / (t + 1)))),
    "WarmupStableDecay": closed(wsd),
    "Warmup": warmup,
    "Chain": chain,
    "Scaled": lambda s, n: [s.factor * r for r in reference(s.schedule, n)],
    "Clipped": lambda s, n: [min(max(r, s.low), s.high) for r in reference(s.schedule, n)],
}


def reference(schedule: Any, length: int) -> Rates:
    return REFERENCES[type(schedule).__name__](schedule, length)


def peak(schedule: Any) -> float:
    """An upper bound of the rates, from the fields alone."""
    if isinstance(schedule, Warmup):
        return max(schedule.start, peak(schedule.then))
    if isinstance(schedule, Chain):
        return max(peak(part) for part, _ in schedule.parts)
    if isinstance(schedule, Scaled):
        return schedule.factor * peak(schedule.schedule)
    return schedule.high if isinstance(schedule, Clipped) else schedule.lr


def test_every_schedule_has_a_reference() -> None:
    assert {cls.__name__ for cls in CLASSES} == set(REFERENCES)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
@given(data=st.data())
@settings(max_examples=30)
def test_rates_equal_the_reference(cls: type, data: st.DataObject) -> None:
    schedule = data.draw(configs(cls))
    length = data.draw(st.integers(1, 450))
    np.testing.assert_allclose(
        schedule(np.arange(length)), reference(schedule, length), rtol=1e-9, atol=1e-11 * peak(schedule)
    )


@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
@given(data=st.data())
@settings(max_examples=30)
def test_shape_kind_and_bounds(cls: type, data: st.DataObject) -> None:
    schedule = data.draw(configs(cls))
    steps = np.arange(450)
    table = schedule(steps)
    assert table.shape == steps.shape
    assert table.dtype == np.float64
    assert schedule(steps.reshape(9, 50)).tolist() == table.reshape(9, 50).tolist()
    assert schedule(list(range(7))).tolist() == table[:7].tolist()
    assert schedule(steps[:0]).shape == (0,)
    alone = [schedule(int(t)) for t in (0, 1, 17, 449)]
    assert all(type(rate) is float for rate in alone)
    np.testing.assert_allclose(alone, table[[0, 1, 17, 449]], rtol=1e-12)
    assert np.all(np.isfinite(table))
    floor = getattr(schedule, "floor", getattr(schedule, "low", 0.0))
    assert floor * (1 - 1e-12) <= table.min()
    assert table.max() <= peak(schedule) * (1 + 1e-12)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
@given(data=st.data())
@settings(max_examples=10)
def test_pure_frozen_hashable(cls: type, data: st.DataObject) -> None:
    schedule = data.draw(configs(cls))
    twin = cls(**{f.name: getattr(schedule, f.name) for f in fields(cls)})
    steps = np.arange(300)
    before = schedule(steps)
    schedule(np.arange(1000))  # drawing it longer than the run
    assert np.array_equal(schedule(steps), before)
    assert np.array_equal(steps, np.arange(300))
    assert schedule == twin
    assert hash(schedule) == hash(twin)
    with pytest.raises(FrozenInstanceError):
        schedule.lr = 1.0


@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
def test_every_number_has_a_slider(cls: type) -> None:
    made_of_schedules = {"then", "schedule", "parts"}
    assert {f.name for f in fields(cls)} - set(knobs(cls)) <= made_of_schedules
    for name, spec in knobs(cls).items():
        lowest, highest = spec.hard
        assert lowest <= spec.low < spec.high <= highest, name
        start = spec.start if isinstance(spec.start, tuple) else (spec.start,)
        assert all(spec.low <= value <= spec.high for value in start), name
        assert spec.low > 0 or not spec.log, name


@given(simple_schedules(), st.integers(2, 60))
@settings(max_examples=30)
def test_warmup_is_torch_linear_then_the_schedule(then: Any, steps: int) -> None:
    def plan(optimizer: Any) -> Any:
        first = then(0)
        up = lrs.LinearLR(optimizer, 1 / steps, 1.0, steps - 1)
        down = lrs.LambdaLR(optimizer, lambda t: then(t) / first)
        return lrs.SequentialLR(optimizer, [up, down], [steps])

    if then(0) > 0:
        expected = stepped(then(0), plan, 100)
        np.testing.assert_allclose(Warmup(then, steps)(np.arange(100)), expected, rtol=1e-9, atol=1e-12)


def test_chain_is_torch_sequential() -> None:
    def plan(optimizer: Any) -> Any:
        parts = [lrs.ConstantLR(optimizer, 0.1, 100), lrs.ExponentialLR(optimizer, 0.9)]
        return lrs.SequentialLR(optimizer, parts, [20])

    ours = Chain(((Constant(0.1), 20), (Exponential(1.0, 0.9), None)))
    np.testing.assert_allclose(ours(np.arange(60)), stepped(1.0, plan, 60), rtol=1e-12)


def test_chain_holds_the_last_rate() -> None:
    assert Chain(((Linear(1.0, 10), 6),))([4, 5, 6, 99]).tolist() == [0.6, 0.5, 0.5, 0.5]


def test_any_callable_is_a_schedule() -> None:
    def mine(step: int) -> float:
        return 0.5 if step < 3 else 0.25

    assert rates(mine, [[0, 2], [3, 9]]).tolist() == [[0.5, 0.5], [0.25, 0.25]]
    assert Warmup(mine, 2)([0, 1, 2, 5]).tolist() == [0.25, 0.5, 0.5, 0.25]
    assert Scaled(mine, 2.0)(0) == 1.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Constant(-0.1), "Constant.lr must be a finite number of at least 0.0, got -0.1"),
        (lambda: Constant(float("nan")), "Constant.lr must be a finite number of at least 0.0, got nan"),
        (lambda: Constant(math.inf), "Constant.lr must be a finite number of at least 0.0, got inf"),
        (lambda: Cosine(0.1, 0), "Cosine.steps must be a finite number of at least 1, got 0"),
        (lambda: Cosine(0.1, 2.5), "Cosine.steps must be a whole number, got 2.5"),
        (lambda: Cosine(0.1, 10, 0.2), r"Cosine.floor must be at most lr \(0.1\), got 0.2"),
        (lambda: Linear(0.1, 10, 0.2), r"Linear.floor must be at most lr \(0.1\), got 0.2"),
        (
            lambda: schedules.Polynomial(0.1, 9, 1.0, 0.2),
            r"Polynomial.floor must be at most lr \(0.1\), got 0.2",
        ),
        (lambda: WarmRestarts(0.1, 9, 1, 0.2), r"WarmRestarts.floor must be at most lr \(0.1\)"),
        (lambda: Triangular(0.1, 0.2, 9), r"Triangular.floor must be at most lr \(0.1\), got 0.2"),
        (
            lambda: MultiStep(0.1, (), 0.5),
            r"MultiStep.at must be a non-empty asc.* tuple, got \(\)",
        ),
        (
            lambda: MultiStep(0.1, (5, 2), 0.5),
            r"MultiStep.at must be .* tuple, got \(5, 2\)",
        ),
        (
            lambda: MultiStep(0.1, (0, 2), 0.5),
            "MultiStep.at must be .* of at least 1, got 0",
        ),
        (lambda: OneCycle(0.1, 3), "OneCycle.pct_start·steps must be above 1 and below 3, got 0.8"),
        (
            lambda: WarmupStableDecay(0.1, 10, 8, 5),
            r"WarmupStableDecay.warmup \+ decay must be at most steps \(10\), got 13",
        ),
        (lambda: Warmup(Constant(0.1), 0), "Warmup.steps must be a finite number of at least 1, got 0"),
        (lambda: Chain(()), r"Chain.parts must be a non-empty tuple of \(schedule, until\), got \(\)"),
        (
            lambda: Chain(((Constant(1), 5), (Constant(1), 5))),
            r"Chain.parts\[1\]\[1\] must be above 5, got 5",
        ),
        (lambda: Chain(((wave, None), (wave, 5))), r"Chain.parts\[0\]\[1\] must be a number"),
        (lambda: Clipped(Constant(1), 0.5, 0.1), r"Clipped.low must be at most high \(0.1\), got 0.5"),
        (lambda: Constant(0.1)(-1), "Constant: step must be at least 0, got -1"),
        (lambda: Constant(0.1)(math.nan), "Constant: step must be at least 0, got nan"),
        (lambda: rates(lambda t: None, [0, 1]), "schedule must give one number for each step, got None"),
    ],
)
def test_bad_values_are_named(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Constant("fast"), "Constant.lr must be a number, got 'fast'"),
        (lambda: Constant(True), "Constant.lr must be a number, got True"),
        (lambda: Cosine(0.1, None), "Cosine.steps must be a number, got None"),
        (lambda: Constant(np.array([0.1, 0.2])), "Constant.lr must be a number"),
        (lambda: MultiStep(0.1, 5, 0.5), "MultiStep.at must be a tuple of numbers, got 5"),
        (lambda: Warmup(0.1, 5), "Warmup.then must be a schedule or another callable step -> rate, got 0.1"),
        (lambda: Scaled(0.1), "Scaled.schedule must be a schedule or another callable"),
        (lambda: Clipped(None), "Clipped.schedule must be a schedule or another callable"),
        (lambda: Chain(((0.1, 5),)), r"Chain.parts\[0\]\[0\] must be a schedule or another callable"),
        (lambda: Chain((Constant(0.1),)), r"Chain.parts must be a tuple of \(schedule, until\)"),
        (lambda: Chain(((Constant(0.1),),)), r"Chain.parts\[0\] must be a pair \(schedule, until\)"),
        (
            lambda: Chain(((Constant(0.1), math.nan),)),
            r"Chain.parts\[0\]\[1\] must be a whole number or None",
        ),
        (lambda: Chain(((wave, "end"),)), r"Chain.parts\[0\]\[1\] must be a whole number or None"),
        (lambda: Chain(Constant(0.1)), r"Chain.parts must be a tuple of \(schedule, until\)"),
        (lambda: rates(0.1, [0]), "schedule must be a schedule or another callable step -> rate, got 0.1"),
    ],
)
def test_bad_kinds_are_named(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        make()
