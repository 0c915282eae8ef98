import numpy as np
import pytest
import torch

from optviz import schedules as s
from optviz.training.convert import group_ratios, to_torch

PLANS = [
    s.Constant(0.1),
    s.StepDecay(0.1, 3, 0.5),
    s.Cosine(0.5, 20),
    s.OneCycle(0.5, 20),
    s.Warmup(s.Linear(0.5, 15), 5),
    lambda t: 0.1 if t < 3 else 0.01,
]


def optimizer_at(*lrs):
    return torch.optim.SGD([{"params": [torch.zeros(1, requires_grad=True)], "lr": lr} for lr in lrs], lr=1.0)


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: repr(plan).partition(" at 0x")[0])
def test_the_rates_are_the_schedules_and_groups_keep_their_ratio(plan):
    optimizer = optimizer_at(0.2, 0.02, 0.4)
    scheduler = to_torch(plan, optimizer)
    used = []
    for _ in range(25):
        used.append([g["lr"] for g in optimizer.param_groups])
        optimizer.step()
        scheduler.step()
    planned = s.rates(plan, np.arange(25))
    assert np.allclose(used, planned[:, None] * [1, 0.1, 2], rtol=1e-12)


def test_equals_torchs_own_scheduler():
    a, b = optimizer_at(0.5), optimizer_at(0.5)
    ours, theirs = to_torch(s.Cosine(0.5, 30), a), torch.optim.lr_scheduler.CosineAnnealingLR(b, 30)
    for _ in range(30):
        assert ours.get_last_lr()[0] == pytest.approx(theirs.get_last_lr()[0], abs=1e-12)
        for optimizer, scheduler in ((a, ours), (b, theirs)):
            optimizer.step()
            scheduler.step()


def test_state_dict_holds_numbers_and_resumes(tmp_path):
    optimizer = optimizer_at(0.5)
    scheduler = to_torch(s.Cosine(0.5, 30), optimizer)
    for _ in range(7):
        optimizer.step()
        scheduler.step()
    torch.save([optimizer.state_dict(), scheduler.state_dict()], tmp_path / "a.pt")
    states = torch.load(tmp_path / "a.pt", weights_only=True)
    other = optimizer_at(0.5)
    again = to_torch(s.Cosine(0.5, 30), other)
    other.load_state_dict(states[0])
    again.load_state_dict(states[1])
    other.step()
    again.step()
    assert other.param_groups[0]["lr"] == pytest.approx(s.Cosine(0.5, 30)(8))


def test_rates_kept_as_tensors():
    optimizer = torch.optim.Adam([torch.zeros(1, requires_grad=True)], lr=torch.tensor(0.5))
    scheduler = to_torch(s.Linear(0.5, 10), optimizer)
    optimizer.step()
    scheduler.step()
    assert float(optimizer.param_groups[0]["lr"]) == pytest.approx(0.45)


def test_bad_arguments_are_named():
    with pytest.raises(TypeError, match=r"optimizer must be a torch\.optim optimizer"):
        to_torch(s.Constant(0.1), 3)
    with pytest.raises(TypeError, match="schedule must be a schedule"):
        to_torch(0.1, optimizer_at(0.1))
    with pytest.raises(TypeError, match="schedule must be a schedule"):
        to_torch(s.Cosine, optimizer_at(0.1))
    with pytest.raises(ValueError, match="the first group's lr must be above 0"):
        to_torch(s.Constant(0.1), optimizer_at(0.0, 0.1))
    assert group_ratios(optimizer_at(0.0)) == [1.0]
