"""What K-run training may be given: weights to start from, maps, monitors; and what it refuses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch

from optviz import gradients
from optviz.optimizers import SGD, Adam
from optviz.schedules import Constant, Noam, Scaled, Warmup
from optviz.training import EMA, EarlyStopping, Plateau, Run, iterate, rate_table, train
from tests.training.kinds import (
    SMALL,
    Recorded,
    assert_same_row,
    every_problem,
)

# Starting weights


@every_problem
def test_given_weights(problem: Callable[[], Any]) -> None:
    recorded = Recorded(problem())
    runs = [Run(SGD(), 0.1), Run(SGD(), 0.01)]
    drawn = train(recorded, runs, 5)
    shared = train(recorded, runs, 5, params=recorded.start)
    rows = {n: np.stack([np.asarray(p)] * 2) for n, p in recorded.start.items()}
    kept = {n: p.copy() for n, p in rows.items()}
    for other in (shared, train(recorded, runs, 5, params=rows)):
        for k in range(2):
            assert_same_row(drawn, k, other, k)
    assert all(np.array_equal(rows[n], kept[n]) for n in rows)
    go_on = train(recorded, runs, 5, params=drawn.params)
    assert go_on["loss"][0, 0] != drawn["loss"][0, 0]


def test_weights_of_torch_start_rows_in_numpy() -> None:
    start = {n: torch.tensor(p) for n, p in SMALL.init(np.random.default_rng(4)).items()}
    as_arrays = {n: p.numpy() for n, p in start.items()}
    left = train(SMALL, [Run(SGD(), 0.1)], 3, params=start)
    assert_same_row(left, 0, train(SMALL, [Run(SGD(), 0.1)], 3, params=as_arrays), 0)


# Maps of weights and gradients


@every_problem
def test_identity_maps_change_nothing(problem: Callable[[], Any]) -> None:
    one, runs = problem(), [Run(SGD(0.9), 0.1), Run(Adam(), 0.01)]
    plain = train(one, runs, 8)
    for options in ({"view": lambda p: p}, {"grads": lambda g: g}, {"grads": dict, "view": dict}):
        mapped = train(one, runs, 8, **options)
        for k in range(2):
            assert_same_row(plain, k, mapped, k)


@every_problem
def test_a_mask_as_view(problem: Callable[[], Any]) -> None:
    recorded = Recorded(problem())
    name = next(n for n in recorded.problem.init(np.random.default_rng(0)) if "weight" in n)
    random = np.random.default_rng(1)

    def masked(params: Mapping[str, Any]) -> dict[str, Any]:
        p = params[name]
        mask = (random_mask(p.shape[1:]) > 0.5) * 1
        factor = torch.as_tensor(mask, dtype=p.dtype) if isinstance(p, torch.Tensor) else mask.astype(p.dtype)
        return {**params, name: p * factor}

    table: dict[Any, np.ndarray] = {}

    def random_mask(shape: Any) -> np.ndarray:
        return table.setdefault(tuple(shape), random.random(shape))

    found = train(recorded, [Run(SGD(0.9), 0.1), Run(SGD(), 0.05)], 10, view=masked)
    hidden = random_mask(found.params[name].shape[1:]) <= 0.5
    assert not found.params[name][:, hidden].any()
    assert found.params[name][:, ~hidden].all()
    # Straight-through: the gradient at the masked weights moves the weights behind the mask.
    weights = {n: torch.as_tensor(p).clone() for n, p in recorded.start.items()}
    for k in range(10):
        leaves = {
            n: torch.as_tensor(np.asarray(p)).requires_grad_() for n, p in one_row(masked, weights).items()
        }
        X, y = recorded.given[k]
        loss = recorded.loss(leaves, (torch.as_tensor(X), torch.as_tensor(y)))
        assert found["loss"][1, k] == pytest.approx(loss.item(), rel=1e-4)
        loss.backward()
        weights = {n: p - 0.05 * leaves[n].grad for n, p in weights.items()}


def one_row(view: Callable[[Any], Any], weights: Mapping[str, Any]) -> dict[str, Any]:
    return {n: p[0].detach() for n, p in view({n: p[None] for n, p in weights.items()}).items()}


@every_problem
def test_maps_of_gradients(problem: Callable[[], Any]) -> None:
    one = problem()
    twice = train(one, [Run(SGD(), 0.05)], 8, grads=lambda g: {n: 2 * v for n, v in g.items()})
    np.testing.assert_allclose(twice["loss"], train(one, [Run(SGD(), 0.1)], 8)["loss"], rtol=1e-5)


@every_problem
def test_clipping_per_row_is_torch_clipping(problem: Callable[[], Any]) -> None:
    recorded = Recorded(problem())
    found = train(
        recorded, [Run(SGD(0.9), 0.5), Run(SGD(), 0.1)], 20, grads=lambda g: gradients.clip_norm(g, 0.5)
    )
    weights = {n: torch.nn.Parameter(torch.as_tensor(p).clone()) for n, p in recorded.start.items()}
    optimizer = torch.optim.SGD(weights.values(), 0.5, momentum=0.9)
    for k in range(20):
        X, y = recorded.given[k]
        optimizer.zero_grad()
        loss = recorded.loss(weights, (torch.as_tensor(X), torch.as_tensor(y)))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights.values(), 0.5)
        optimizer.step()
        assert found["loss"][0, k] == pytest.approx(loss.item(), rel=1e-4)


# Monitors


@every_problem
def test_plateau_cuts_the_rate_of_one_row(problem: Callable[[], Any]) -> None:
    runs = [Run(SGD(), 1e-12, "still"), Run(SGD(0.9), 0.1, "learning")]
    found = train(problem(), runs, 20, every=2, monitors=[Plateau("loss", factor=0.5, patience=12)])
    assert (found["lr"][1] == 0.1).all()
    steady = train(problem(), runs, 20, every=2, monitors=[Plateau(factor=0.5, patience=2)])
    rates = steady["lr"][0] / 1e-12
    assert rates[:8].tolist() == [1] * 8
    assert np.unique(rates).tolist() == [0.25, 0.5, 1.0]


def test_early_stopping_ends_and_restores() -> None:
    stop = EarlyStopping("validation_loss", patience=2)
    found = train(SMALL, [Run(SGD(), 1e-12)], 50, every=5, monitors=[stop])
    assert len(found.steps) == 15  # one best measurement, then two that are no better
    wild = train(SMALL, [Run(SGD(), lambda t: 0.1 if t < 10 else 30.0)], 60, every=5, monitors=[stop])
    at, values = wild.measured("validation_loss")
    calm = train(SMALL, [Run(SGD(), 0.1)], int(at[values[0].argmin()]) + 1)
    np.testing.assert_allclose(wild.params["weight1"], calm.params["weight1"], atol=1e-6)


def test_averages_see_every_update() -> None:
    monitor, seen = EMA(0.5), []

    class Kept:
        per_update = True

        def init(self, rows: int) -> Any:
            return monitor.init(rows)

        def update(self, step: Any, state: Any) -> Any:
            seen.append(step.params["weight2"].copy())
            return monitor.update(step, state)

        def finish(self, state: Any, params: Any) -> Any:
            return monitor.averaged(state)

    found = train(SMALL, [Run(SGD(0.9), 0.1)], 12, every=4, monitors=[Kept()])
    assert len(seen) == 12
    weights = 0.5 ** np.arange(12)[::-1]
    expected = np.tensordot(weights / weights.sum(), np.array(seen), 1)
    np.testing.assert_allclose(found.params["weight2"], expected, atol=1e-6)
    np.testing.assert_array_equal(found["loss"], train(SMALL, [Run(SGD(0.9), 0.1)], 12)["loss"])


# Bad input


@pytest.mark.parametrize(
    ("runs", "steps", "options", "message"),
    [
        ([], 5, {}, r"runs must be at least one Run, got \(\)"),
        (None, 0, {}, "steps must be a whole number of at least 1, got 0"),
        (None, -3, {}, "steps must be a whole number of at least 1, got -3"),
        (None, 2.5, {}, "steps must be a whole number of at least 1, got 2.5"),
        (None, 5, {"every": 0}, "every must be a whole number of at least 1, got 0"),
        (None, 5, {"every": 1.5}, "every must be a whole number of at least 1, got 1.5"),
        (None, 5, {"seed": -1}, "seed must be whole numbers of at least 0, got -1"),
        (None, 5, {"seed": (1, 1)}, r"seed must be different seeds, got \(1, 1\)"),
        (None, 5, {"seed": ()}, r"seed must be one seed or several, got \(\)"),
        (None, 5, {"params": {}}, r"params must be a mapping with the names \['weight1', .*, got \[\]"),
        (
            None,
            5,
            {"params": SMALL.init(np.random.default_rng(0)) | {"weight1": np.zeros((3, 3))}},
            r"params\['weight1'\] must be of shape \(12, 64\) or \(1, 12, 64\), got \(3, 3\)",
        ),
        (
            None,
            5,
            {"monitors": [EarlyStopping("test_loss")]},
            "EarlyStopping.metric must be one of .*test_loss",
        ),
        (
            [Run(SGD(), Scaled(Warmup(Constant(0.1), 6), 0.5))],
            5,
            {},
            r"Warmup\.steps must be at most the run's 5 updates, got 6",
        ),
        ([Run(SGD(), Noam(0.1, 6))], 5, {}, r"Noam\.warmup must be at most the run's 5 updates, got 6"),
        (None, 5, {"params": {"foo": 1}}, r"params must be a mapping with the names \['weight1', .*'foo'"),
        ([Run(SGD(), lambda t: -1.0, "up")], 5, {}, "rate of 'up' at update 0 must be a finite number"),
        (
            [Run(SGD(), 0.1, extra=(("smoothing", 0.1),)), Run(SGD(), 0.1)],
            5,
            {},
            r"Run.extra must be given for every run: \['smoothing'\], got \(\)",
        ),
    ],
)
def test_bad_values_are_named_before_training(runs: Any, steps: Any, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        iterate(SMALL, [Run(SGD(), 0.1)] if runs is None else runs, steps, **options)


@pytest.mark.parametrize(
    ("runs", "options", "message"),
    [
        ([SGD()], {}, "runs must be a sequence of Run objects, got .SGD"),
        (Run(SGD(), 0.1), {}, "runs must be a sequence of Run objects, got Run"),
        (3, {}, "runs must be a sequence of Run objects, got 3"),
        (None, {"params": 3}, "params must give a mapping name -> array, got 3"),
        (None, {"seed": "one"}, "seed must be a whole number or several, got 'one'"),
        (None, {"seed": 1.5}, "seed must be a whole number or several, got 1.5"),
        (None, {"monitors": [EarlyStopping]}, "monitors must be monitors like EarlyStopping"),
    ],
)
def test_bad_kinds_are_named_before_training(runs: Any, options: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        iterate(SMALL, [Run(SGD(), 0.1)] if runs is None else runs, 5, **options)


@pytest.mark.parametrize("problem", [None, "digits", SMALL.data, type(SMALL)])
def test_what_is_no_problem_is_named(problem: Any) -> None:
    with pytest.raises(TypeError, match="problem must be a Problem"):
        iterate(problem, [Run(SGD(), 0.1)], 5)


def test_a_warm_up_may_fill_the_run() -> None:
    assert rate_table([Run(SGD(), Warmup(Constant(0.1), 5))], 5)[0, -1] == 0.1


@pytest.mark.parametrize(("runs", "steps", "name"), [([], 5, "runs"), ([Run(SGD(), 0.1)], 0, "steps")])
def test_a_table_of_nothing_is_refused(runs: Any, steps: int, name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be"):
        rate_table(runs, steps)


def test_runs_may_come_from_a_generator() -> None:
    assert train(SMALL, (Run(SGD(), lr) for lr in (0.1, 0.2)), 3)["loss"].shape == (2, 3)


@every_problem
@pytest.mark.parametrize("name", ["view", "grads"])
def test_maps_are_taken_by_name(problem: Callable[[], Any], name: str) -> None:
    one, runs = problem(), [Run(SGD(0.9), 0.1), Run(Adam(), 0.01)]
    turned = {name: lambda values: dict(reversed(values.items()))}
    plain, mapped = train(one, runs, 5), train(one, runs, 5, **turned)
    for k in range(2):
        assert_same_row(plain, k, mapped, k)
    with pytest.raises(ValueError, match=f"{name} must be a mapping with the names"):
        train(one, runs, 5, **{name: lambda values: {}})


def test_an_unknown_extra_is_named() -> None:
    with pytest.raises((TypeError, ValueError), match="temperature"):
        train(SMALL, [Run(SGD(), 0.1, extra=(("temperature", 2.0),))], 5)
