import math
import warnings

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler as torch_schedules

from optviz import schedules as s
from optviz.training.auditing import Audit, audit
from optviz.training.convert import to_torch

T, U = 60, 6  # updates and updates an epoch


def optimizer_at(lr=1.0, groups=1):
    params = [{"params": [torch.zeros(1, requires_grad=True)]} for _ in range(groups)]
    return torch.optim.SGD(params, lr=lr)


def set_lr(optimizer, lr):
    for group in optimizer.param_groups:
        group["lr"] = float(lr)


def run(optimizer, nominal, updates=T, before=None, after=None, per_epoch=U, **settings):
    """Any loop: ``before`` and ``after`` are called with the update number around ``optimizer.step()``."""
    with audit(optimizer, nominal, updates_per_epoch=per_epoch, **settings) as log:
        for t in range(updates):
            if before is not None:
                before(t)
            optimizer.step()
            if after is not None:
                after(t)
    return log.report()


def epochwise(scheduler):
    return lambda t: scheduler.step() if (t + 1) % U == 0 else None


PLANS = [
    s.Constant(0.1),
    s.Linear(0.5, T),
    s.Linear(0.5, T, 0.1),
    s.StepDecay(0.1, 10, 0.5),
    s.MultiStep(0.1, (20, 40), 0.1),
    s.Exponential(0.3, 0.9),
    s.InverseTime(0.3, 0.1),
    s.InverseSqrt(0.3, 0.1),
    s.Polynomial(0.3, T, 2.0),
    s.Cosine(0.5, T),
    s.Cosine(0.5, T - 1, 0.01),
    s.WarmRestarts(0.5, 10, 2),
    s.Triangular(0.5, 0.0, 7),
    s.Triangular(0.5, 0.01, 7),
    s.OneCycle(0.5, T),
    s.Noam(0.5, 10),
    s.WarmupStableDecay(0.5, T, 5, 20),
    s.Warmup(s.Cosine(0.5, T - 5), 5),
    s.Chain(((s.Constant(0.1), 20), (s.Linear(0.1, 40), None))),
    s.Scaled(s.Cosine(0.5, T), 0.5),
    s.Clipped(s.Linear(0.5, T), 0.1, 0.4),
    lambda t: 0.1 / (1 + t),
]


def name(plan):
    """Its repr, without the address that a function has there."""
    return repr(plan).partition(" at 0x")[0]


@pytest.mark.parametrize("plan", PLANS, ids=name)
@pytest.mark.parametrize("per_epoch", [None, U])
def test_correct_loops_give_no_finding(plan, per_epoch):
    optimizer = optimizer_at()
    set_before = run(optimizer, plan, before=lambda t: set_lr(optimizer, plan(t)), per_epoch=per_epoch)
    assert set_before.ok, str(set_before)
    assert str(set_before) == "60 updates: every rate is as planned."
    optimizer = optimizer_at()
    scheduler = to_torch(plan, optimizer)
    stepped = run(optimizer, plan, after=lambda t: scheduler.step(), per_epoch=per_epoch)
    assert stepped.ok, str(stepped)
    assert np.allclose(stepped.rates[:, 0], stepped.nominal)


@pytest.mark.parametrize("plan", [p for p in PLANS if not isinstance(p, s.Constant)], ids=name)
@pytest.mark.parametrize("shift", [-1, 1])
def test_off_by_one_is_named_for_every_schedule(plan, shift):
    optimizer = optimizer_at(float(s.rates(plan, 0)))
    report = run(optimizer, plan, before=lambda t: set_lr(optimizer, plan(max(t + shift, 0))))
    assert report.findings[0].code == ("early" if shift > 0 else "late"), str(report)


def real_schedulers():
    step = torch_schedules
    yield s.StepDecay(1.0, 10, 0.5), lambda o: step.StepLR(o, 10, 0.5)
    yield s.MultiStep(1.0, (20, 40), 0.1), lambda o: step.MultiStepLR(o, [20, 40], 0.1)
    yield s.Exponential(1.0, 0.9), lambda o: step.ExponentialLR(o, 0.9)
    yield s.Polynomial(1.0, T, 2.0), lambda o: step.PolynomialLR(o, T, 2.0)
    yield s.Cosine(1.0, T), lambda o: step.CosineAnnealingLR(o, T)
    yield s.WarmRestarts(1.0, 20), lambda o: step.CosineAnnealingWarmRestarts(o, 20)
    yield s.OneCycle(1.0, T), lambda o: step.OneCycleLR(o, 1.0, T, cycle_momentum=False)
    yield s.Linear(1.0, T), lambda o: step.LinearLR(o, 1.0, 0.0, T)


@pytest.mark.parametrize(("plan", "make"), list(real_schedulers()), ids=lambda v: name(v)[:40])
def test_real_schedulers_right_and_wrong(plan, make):
    optimizer = optimizer_at()
    scheduler = make(optimizer)
    right = run(optimizer, plan, updates=T - 1, after=lambda t: scheduler.step())
    assert set(right.codes) <= {"floor_missed"}, str(right)  # one update short of the plan
    optimizer = optimizer_at()
    scheduler = make(optimizer)
    if not isinstance(plan, s.OneCycle):  # which refuses to be stepped too often
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Detected call of `lr_scheduler.step")
            early = run(optimizer, plan, before=lambda t: scheduler.step())
        assert early.findings[0].code == "early", str(early)


def test_scheduler_consumed_by_plotting():
    plan = s.Exponential(0.5, 0.5 ** (1 / 15))
    optimizer = optimizer_at(0.5)
    scheduler = torch_schedules.ExponentialLR(optimizer, plan.factor)
    optimizer.step()
    for _ in range(30):
        scheduler.step()
    report = run(optimizer, plan, after=lambda t: scheduler.step())
    assert report.codes[:2] == ("midway", "peak_missed")
    assert "30 updates in (0.125 instead of 0.5)" in report.findings[0].text
    assert "never used: the highest rate is 0.125" in report.findings[1].text


def test_cosine_consumed_by_plotting():
    optimizer = optimizer_at()
    scheduler = torch_schedules.CosineAnnealingLR(optimizer, T)
    optimizer.step()
    for _ in range(25):
        scheduler.step()
    report = run(optimizer, s.Cosine(1.0, T), after=lambda t: scheduler.step())
    assert report.codes[0] == "midway"
    assert " 25 updates in" in report.findings[0].text


@pytest.mark.parametrize("per_epoch", [U, None])
def test_length_in_epochs_stepped_per_update_cycles(per_epoch):
    optimizer = optimizer_at()
    scheduler = torch_schedules.CosineAnnealingLR(optimizer, T // U)
    report = run(optimizer, s.Cosine(1.0, T), after=lambda t: scheduler.step(), per_epoch=per_epoch)
    assert report.codes[0] == "fast"
    assert "6 times as fast as planned and then rises again" in report.findings[0].text
    assert ("length in epochs was given" in report.findings[0].text) == (per_epoch == U)


def test_step_length_in_epochs_stepped_per_update():
    optimizer = optimizer_at()
    scheduler = torch_schedules.StepLR(optimizer, 3, 0.5)
    report = run(optimizer, s.StepDecay(1.0, 3 * U, 0.5), after=lambda t: scheduler.step())
    assert report.codes[0] == "fast"


def test_held_schedule_in_the_wrong_unit():
    optimizer = optimizer_at()
    scheduler = torch_schedules.LinearLR(optimizer, 1.0, 0.1, T // U)
    report = run(optimizer, s.Linear(1.0, T, 0.1), after=lambda t: scheduler.step())
    assert report.codes[0] == "fast"
    assert "rises again" not in report.findings[0].text


@pytest.mark.parametrize("per_epoch", [U, None])
def test_length_in_updates_stepped_per_epoch_hardly_moves(per_epoch):
    optimizer = optimizer_at()
    scheduler = torch_schedules.CosineAnnealingLR(optimizer, T)
    report = run(optimizer, s.Cosine(1.0, T), after=epochwise(scheduler), per_epoch=per_epoch)
    assert report.codes == ("slow", "floor_missed")
    assert "6 times slower than planned, so the rate hardly moves" in report.findings[0].text


def test_stepping_once_an_epoch_is_a_staircase_and_stepping_twice_is_fast():
    optimizer = optimizer_at()
    scheduler = torch_schedules.CosineAnnealingLR(optimizer, T // U)
    assert run(optimizer, s.Cosine(1.0, T), after=epochwise(scheduler)).codes[0] == "staircase"
    optimizer = optimizer_at()
    twice = torch_schedules.ExponentialLR(optimizer, 0.95)
    report = run(optimizer, s.Exponential(1.0, 0.95), after=lambda t: (twice.step(), twice.step()))
    assert report.codes[0] == "fast"
    assert "2 times as fast" in report.findings[0].text


@pytest.mark.parametrize("u", [1, 5])
def test_step_decay_set_after_the_epoch(u):
    """11 epochs at 0.1, 0.05 from epoch 11, 0.025 from epoch 21."""
    optimizer = optimizer_at(0.1)

    def after(t):
        if (t + 1) % u == 0:
            set_lr(optimizer, 0.1 * 0.5 ** (t // u // 10))

    def plan(t):
        return 0.1 * 0.5 ** (t // u // 10)

    report = run(optimizer, plan, 30 * u, after=after, per_epoch=u)
    by_epoch = report.rates[::u, 0].round(4).tolist()
    assert by_epoch == [0.1] * 11 + [0.05] * 10 + [0.025] * 9
    assert report.codes == ("late",)
    assert report.findings[0].at == 10 * u
    assert ("one epoch (5 updates) later" if u > 1 else "planned for the update before") in report.findings[
        0
    ].text


def test_warm_up_applied_after_the_epoch():
    """A warm-up of 5 epochs to 0.3 trains epoch 0 at 0.3 and epoch 1 at 0."""
    optimizer = optimizer_at(0.3)

    def plan(epoch):
        return 0.3 * min(epoch / 5, 1)

    report = run(optimizer, plan, 20, after=lambda t: set_lr(optimizer, plan(t)), per_epoch=1)
    assert report.rates[:2, 0].tolist() == [0.3, 0.0]
    assert report.codes[0] == "late"


def test_cosine_rises_after_its_end_and_a_warm_up_starts_at_zero():
    def flawed(t, warmup=200, steps=2000):
        if t < warmup:
            return t / warmup
        return 0.5 * (1 + math.cos(math.pi * (t - warmup) / (steps - warmup)))

    assert flawed(2500) == pytest.approx(0.179, abs=0.001)
    optimizer = optimizer_at()
    alone = run(optimizer, None, 2500, before=lambda t: set_lr(optimizer, flawed(t)), steps=2000)
    assert alone.codes == ("zero_start", "rises")
    assert alone.findings[1].at > 2000
    optimizer = optimizer_at()
    plan = s.Warmup(s.Cosine(1.0, 1800), 200)
    beside = run(optimizer, plan, 1900, before=lambda t: set_lr(optimizer, flawed(t)))
    assert "zero_start" in beside.codes
    optimizer = optimizer_at()
    scheduler = torch_schedules.CosineAnnealingLR(optimizer, 40)
    past = run(optimizer, s.Cosine(1.0, 40), after=lambda t: scheduler.step())
    assert past.codes[0] == "rises"
    assert "The plan ends after 40 updates at 0, but then the rate rises" in past.findings[0].text


def test_floor_missed():
    optimizer = optimizer_at()
    scheduler = torch_schedules.CosineAnnealingLR(optimizer, 10)
    off = run(optimizer, s.Cosine(1.0, 9), 10, after=lambda t: scheduler.step(), per_epoch=None)
    assert "floor_missed" in off.codes
    assert any("should end at 0, but its last update uses 0.02447" in f.text for f in off.findings)
    optimizer = optimizer_at()
    plan = s.Cosine(1.0, 100)
    short = run(optimizer, plan, before=lambda t: set_lr(optimizer, plan(t)))
    assert short.codes == ("floor_missed",)
    assert "The plan takes 100 updates but only 60 were made" in short.findings[0].text


def test_unused_scaled_negative_groups_and_nothing():
    assert run(optimizer_at(), s.Cosine(1.0, T)).codes[0] == "unused"
    optimizer, plan = optimizer_at(), s.Cosine(1.0, T)
    scaled = run(optimizer, plan, before=lambda t: set_lr(optimizer, 0.3 * plan(t)))
    assert scaled.codes == ("scaled", "peak_missed")
    optimizer = optimizer_at()
    negative = run(optimizer, None, before=lambda t: set_lr(optimizer, 1 - t / 50))
    assert negative.codes == ("negative",)
    assert negative.findings[0].at == 51
    optimizer = optimizer_at()
    odd = run(optimizer, s.Linear(1.0, T), before=lambda t: set_lr(optimizer, 0.5 + 0.4 * math.sin(t * t)))
    assert odd.codes[0] == "differs"
    assert run(optimizer_at(), s.Constant(1.0), 0).codes == ("no_updates",)
    assert run(optimizer_at(), None).ok


def test_groups_that_keep_their_ratio_are_fine_and_one_added_late_is_named():
    optimizer, plan = optimizer_at(groups=2), s.Cosine(1.0, T)
    optimizer.param_groups[1]["lr"] = 0.1
    scheduler = to_torch(plan, optimizer)
    assert run(optimizer, plan, after=lambda t: scheduler.step()).ok
    optimizer = optimizer_at()
    late = torch_schedules.CosineAnnealingLR(optimizer, T)
    optimizer.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 1.0})

    def only_the_first(t):
        rate = optimizer.param_groups[1]["lr"]
        late.optimizer.param_groups[0]["lr"] = plan(t + 1)
        optimizer.param_groups[1]["lr"] = rate

    report = run(optimizer, plan, after=only_the_first)
    assert report.codes == ("groups",)
    assert "Parameter group 1 does not follow group 0" in report.findings[0].text


@pytest.mark.parametrize(
    "kind", [torch.optim.SGD, torch.optim.Adam, torch.optim.RMSprop, torch.optim.Adagrad]
)
def test_any_optimizer_and_the_hook_goes_away(kind):
    p = torch.zeros(2, requires_grad=True)
    optimizer = kind([p], lr=0.1)
    with audit(optimizer) as log:
        for _ in range(3):
            p.grad = torch.ones(2)
            optimizer.step()
    optimizer.step()
    assert log.rates.tolist() == [[0.1]] * 3


def test_bad_arguments_are_named():
    with pytest.raises(TypeError, match=r"audit\.optimizer must be a torch\.optim optimizer"):
        audit(3)
    with pytest.raises(TypeError, match=r"audit\.nominal must be a schedule"):
        audit(optimizer_at(), 0.1)
    with pytest.raises(ValueError, match=r"audit\.updates_per_epoch must be at least 1"):
        audit(optimizer_at(), updates_per_epoch=0)
    assert Audit((), np.zeros((1, 1)), None).ok
