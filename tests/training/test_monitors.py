import numpy as np
import pytest
import torch

from optviz.training.history import Step
from optviz.training.monitors import EMA, Decision, EarlyStopping, Monitor, Plateau, require_metrics


def step(n, params=None, loss=((1.0,),), **metrics):
    values = {name: np.atleast_1d(np.asarray(v, dtype=float)) for name, v in metrics.items()}
    loss = np.asarray(loss, dtype=float)
    return Step(n, np.ones_like(loss), loss, values, params or {})


def drain(monitor, series, name="validation_loss"):
    """Feed values of shape (M, K); give all decisions and the last state."""
    series = np.asarray(series, dtype=float)
    state, decisions = monitor.init(series.shape[1]), []
    for n, value in enumerate(series):
        decision, state = monitor.update(step(n, {"w": np.full((len(value), 2), n)}, **{name: value}), state)
        decisions.append(decision)
    return decisions, state


@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("settings", [(0.1, 3, 1e-4, 0), (0.5, 0, 0.05, 2), (0.3, 2, 0.0, 4)])
def test_plateau_equals_torch_step_for_step(maximize, settings):
    factor, patience, threshold, cooldown = settings
    rows = np.random.default_rng(3).normal(1.0, 0.2, (80, 4)) * np.linspace(1.3, 0.9, 80)[:, None]
    rows[10, 2] = np.nan
    monitor = Plateau("x", factor, patience, threshold, cooldown, 1e-3, maximize)
    decisions, _ = drain(monitor, rows, "x")
    for k in range(4):
        optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
        twin = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer, "max" if maximize else "min", factor, patience, threshold, cooldown=cooldown,
            min_lr=1e-3, eps=0,
        )  # fmt: skip
        for n, value in enumerate(rows[:, k]):
            twin.step(value)
            assert decisions[n].factor[k] == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)
    assert decisions[-1].factor.min() < 1


def test_early_stopping_keeps_each_rows_best_weights():
    series = np.array([[3.0, 2.0], [2.0, 3.0], [2.5, 4.0], [1.0, 5.0], [2.0, 0.0], [2.0, 0.0]])
    monitor = EarlyStopping("validation_loss", patience=2)
    decisions, state = drain(monitor, series)
    assert [d.stop.tolist() for d in decisions] == [[False, False]] * 2 + [[False, True]] * 3 + [[True, True]]
    assert state["best_step"].tolist() == [3, 0]
    assert state["best"].tolist() == [1.0, 2.0]
    assert monitor.best(state)["w"][:, 0].tolist() == [3, 0]
    assert monitor.finish(state, {"w": "last"})["w"][:, 0].tolist() == [3, 0]
    assert (
        "row 1 stopped after update 2: validation_loss has not improved on 2 (update 0)"
        in decisions[2].message
    )
    assert decisions[3].message == ""


def test_early_stopping_without_restore_keeps_no_weights():
    monitor = EarlyStopping("validation_loss", patience=2, restore=False)
    _, state = drain(monitor, [[1.0], [2.0], [3.0]])
    assert monitor.finish(state, {"w": "last"}) == {"w": "last"}


def test_early_stopping_counts_nan_as_no_improvement_and_min_delta():
    decisions, _ = drain(EarlyStopping("validation_loss", 2), [[np.nan], [np.nan]])
    assert decisions[-1].stop.all()
    decisions, state = drain(EarlyStopping("validation_loss", 3, 0.5), [[2.0], [1.6], [1.4], [1.3]])
    assert state["best_step"].tolist() == [2]


def test_early_stopping_direction_by_name():
    assert EarlyStopping("validation_accuracy").maximize
    assert EarlyStopping("loss").maximize is False
    with pytest.raises(ValueError, match=r"EarlyStopping.maximize must be True or False for the metric 'f1'"):
        EarlyStopping("f1")
    with pytest.raises(TypeError, match=r"Plateau.maximize must be True, False or None"):
        Plateau("f1", maximize="max")


def test_ema_closed_form_on_arrays_and_tensors():
    values = np.random.default_rng(0).normal(size=(6, 3, 2))
    weights = 0.8 ** np.arange(5, -1, -1)
    expected = np.tensordot(weights, values, 1) / weights.sum()
    for convert in (np.asarray, torch.tensor):
        monitor = EMA(0.8)
        state = monitor.init(3)
        for n, v in enumerate(values):
            _, state = monitor.update(step(n, {"w": convert(v)}), state)
        assert np.allclose(monitor.averaged(state)["w"], expected)


def test_ema_biased_form_starts_at_the_first_weights():
    monitor = EMA(0.9, unbiased=False)
    state = monitor.init(1)
    for n, w in enumerate([0.0, 1.0]):
        _, state = monitor.update(step(n, {"w": np.array([[w]])}), state)
    assert monitor.averaged(state)["w"].item() == pytest.approx(0.1)


def test_ema_takes_counters_over_and_averages_the_rest():
    module = torch.nn.BatchNorm1d(2)
    monitor = EMA(0.5)
    state = monitor.init(1)
    for n in range(3):
        module(torch.randn(4, 2))
        params = {k: v.unsqueeze(0) for k, v in module.state_dict().items()}
        _, state = monitor.update(step(n, params), state)
    assert monitor.averaged(state)["num_batches_tracked"].tolist() == [3]
    assert not torch.equal(monitor.averaged(state)["running_mean"][0], module.running_mean)


@pytest.mark.parametrize("monitor", [EarlyStopping("loss"), Plateau("loss", patience=0), EMA(0.5)])
def test_nothing_is_mutated(monitor):
    params = {"w": torch.ones(1, 2)}
    state = monitor.init(1)
    for n in range(4):
        frozen = {k: np.asarray(v).copy() for k, v in state.items()}
        _, new = monitor.update(step(n, {"w": params["w"] * n}), state)
        assert frozen.keys() == state.keys()
        assert all(np.array_equal(frozen[k], np.asarray(state[k])) for k in frozen)
        state = new
    assert torch.equal(params["w"], torch.ones(1, 2))
    kept = {k: v for k, v in state.items() if k.startswith("weights/")}
    assert all(v.data_ptr() != params["w"].data_ptr() for v in kept.values())


def test_steps_without_a_measurement_change_nothing():
    for monitor in (EarlyStopping(patience=1), Plateau(patience=0)):
        state = monitor.init(1)
        decision, new = monitor.update(step(0), state)
        assert new is state
        assert decision.message == ""
        assert np.all(decision.factor == np.ones(1))
        assert not np.any(decision.stop)


def test_unmeasured_metric_is_named():
    for monitor in (EarlyStopping("f1_accuracy"), Plateau("f1_accuracy")):
        with pytest.raises(
            ValueError, match=r"metric must be one of \['loss', 'validation_loss'\], got 'f1_acc"
        ):
            monitor.update(step(0, validation_loss=1.0), monitor.init(1))
        with pytest.raises(ValueError, match=r"metric must be one of \['loss'\], got 'f1_accuracy'"):
            require_metrics([monitor], [])
    require_metrics([EMA(), Plateau("loss")], [])
    with pytest.raises(TypeError, match="monitors must be monitors like EarlyStopping"):
        require_metrics([EMA], [])
    with pytest.raises(TypeError, match="monitors must be monitors"):
        require_metrics([3], [])


@pytest.mark.parametrize("cls", [EarlyStopping, Plateau])
def test_bad_settings_are_named(cls):
    with pytest.raises(ValueError, match=f"{cls.__name__}.patience must be"):
        cls(patience=-1)
    assert isinstance(cls(), Monitor)
    assert Decision().message == ""
