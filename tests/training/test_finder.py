import numpy as np
import pytest
import torch
from torch import nn

from optviz import data, optimizers, problems
from optviz.training.finder import range_test, read
from optviz.training.history import Run
from optviz.training.rows import train
from optviz.training.trainer import Trainer


def trainer_of(built=False, dropout=0.0, **settings):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(dropout), nn.Linear(32, 10)
        )
    rule = torch.optim.Adam(model.parameters(), lr=0.003) if built else optimizers.SGD(0.9)
    return Trainer(model, rule, None if built else 0.05, loss=nn.CrossEntropyLoss(), device="cpu", **settings)


@pytest.mark.parametrize("built", [False, True])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_module_is_left_as_it_was(built, precision):
    trainer, split = trainer_of(built, 0.2, precision=precision), data.digits().train
    trainer.fit(split, epochs=1, progress=False)
    trainer.model[1].eval()
    before = {n: v.clone() for n, v in trainer.model.state_dict().items()}
    state = [v.clone() for s in trainer.optimizer.state.values() for v in s.values() if torch.is_tensor(v)]
    lrs = [g["lr"] for g in trainer.optimizer.param_groups]
    chance = torch.get_rng_state()
    found = range_test(trainer, split, high=1e6)
    assert all(torch.equal(v, before[n]) for n, v in trainer.model.state_dict().items())
    after = [v for s in trainer.optimizer.state.values() for v in s.values() if torch.is_tensor(v)]
    assert len(after) == len(state) > 0
    assert all(torch.equal(a, b) for a, b in zip(after, state, strict=True))
    assert [g["lr"] for g in trainer.optimizer.param_groups] == lrs
    assert not trainer.model[1].training
    assert trainer.model.training
    assert torch.equal(chance, torch.get_rng_state())
    assert 0 < len(found.losses) <= 100


def test_an_unused_optimizer_is_left_without_state():
    trainer = trainer_of()
    range_test(trainer, data.digits().train, steps=20)
    assert not trainer.optimizer.state
    assert all(p.grad is None for p in trainer.model.parameters())


def test_rates_are_a_geometric_ramp():
    found = range_test(problems.digits(), low=1e-4, high=1.0, steps=41)
    assert np.allclose(found.rates, np.geomspace(1e-4, 1.0, 41))
    assert found.losses.shape == found.smoothed.shape == (41,)


@pytest.mark.parametrize("rule", [optimizers.SGD(), optimizers.SGD(0.9), optimizers.Adam()], ids=repr)
def test_the_suggestion_trains_well(rule):
    problem = problems.digits()
    found = range_test(problem, optimizer=rule, steps=100)
    assert found.steepest is not None
    assert found.suggestion <= found.steepest
    if found.blow_up is not None:
        assert found.suggestion <= found.blow_up / 10 * (1 + 1e-9)
    tried = [found.suggestion, found.suggestion / 1000, found.suggestion * 1000]
    with np.errstate(all="ignore"):
        history = train(problem, [Run(rule, lr, str(i)) for i, lr in enumerate(tried)], 100)
    ends = np.nan_to_num(history["loss"][:, -10:].mean(axis=1), nan=np.inf)
    assert ends.argmin() == 0
    assert ends[0] < 0.6 * history["loss"][0, 0]


def test_marks_of_a_made_up_curve():
    rates = np.geomspace(1e-4, 10, 200)
    x = np.log10(rates)
    losses = 2.0 - 1.5 / (1 + np.exp(-6 * (x + 2))) + np.where(x > 0, (10 ** np.maximum(x, 0)) ** 2 - 1, 0)
    found = read(rates, losses)
    assert 0.005 < found.steepest < 0.04  # the average lags a little
    assert 1.0 < found.blow_up < 2.5
    assert found.suggestion == found.steepest
    assert "falls fastest at a rate of" in found.text
    assert "has given back half of its gain at" in found.text
    rates, losses = rates[:140], losses[:140]
    assert read(rates, losses).blow_up is None
    assert "does not blow up by" in read(rates, losses).text


def test_infinite_losses_are_a_blow_up():
    losses = np.concatenate([np.linspace(2, 0.5, 60), [np.inf, np.nan, np.nan]])
    rates = np.geomspace(1e-3, 1, 63)
    assert read(rates, losses).blow_up == rates[60]


def test_a_loss_that_never_falls_gives_no_suggestion():
    noise = 2.3 + 0.01 * np.random.default_rng(0).normal(size=100)
    found = read(np.geomspace(1e-5, 1, 100), noise + np.linspace(0, 1, 100))
    assert found.suggestion is None
    assert "never falls clearly" in found.text


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"low": 0.0}, r"range_test\.low must be above 0 and below high \(10\.0\), got 0\.0"),
        ({"low": 20.0}, r"range_test\.low must be above 0 and below high"),
        ({"low": float("nan")}, r"range_test\.low must be above 0 and below high"),
        ({"steps": 9}, r"range_test\.steps must be a whole number of at least 10, got 9"),
    ],
)
def test_bad_settings_are_named(settings, words):
    with pytest.raises(ValueError, match=words):
        range_test(problems.digits(), **settings)
    with pytest.raises(ValueError, match=r"range_test\.train must be given for a Trainer"):
        range_test(trainer_of())
    with pytest.raises(TypeError, match=r"range_test\.optimizer must be None for a Trainer"):
        range_test(trainer_of(), data.digits().train, optimizer=optimizers.SGD())
