"""Criteria: each gathers what its score needs, for closed-form problems and for modules alike."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch

from optviz import data, problems, prune, recipes
from optviz.normalize import BatchNorm, LayerNorm
from optviz.problems import ModuleProblem
from optviz.recipes.criteria import slopes

DIGITS = problems.digits(hidden=(12,), batch=32)
ALL = [
    recipes.Magnitude(),
    recipes.Random(),
    recipes.Snip(),
    recipes.Taylor(),
    recipes.Taylor(order=2, examples=8),
    recipes.OBD(examples=8),
    recipes.Movement(updates=3),
    recipes.Wanda(),
]


def weights(problem: object = DIGITS) -> dict:
    return problem.init(np.random.default_rng(0))


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def module() -> ModuleProblem:
    """The same network as DIGITS, in torch."""
    net = torch.nn.Sequential(torch.nn.Linear(64, 12), torch.nn.ReLU(), torch.nn.Linear(12, 10))
    return ModuleProblem(net, data.digits(), 32)


def as_module(params: dict) -> dict:
    names = {"weight1": "0.weight", "bias1": "0.bias", "weight2": "2.weight", "bias2": "2.bias"}
    return {names[n]: torch.tensor(p) for n, p in params.items()}


@pytest.mark.parametrize("criterion", ALL, ids=str)
def test_scores_have_the_shapes_of_what_may_be_pruned(criterion: object) -> None:
    scores = criterion(DIGITS, weights(), rng())
    assert {n: s.shape for n, s in scores.items()} == {"weight1": (12, 64), "weight2": (10, 12)}
    assert all(np.isfinite(s).all() for s in scores.values())


@pytest.mark.parametrize("criterion", ALL, ids=str)
def test_same_draws_same_scores_and_nothing_is_changed(criterion: object) -> None:
    params = weights()
    for p in params.values():
        p.flags.writeable = False
    first, second = criterion(DIGITS, params, rng()), criterion(DIGITS, params, rng())
    assert all((first[n] == second[n]).all() for n in first)


@pytest.mark.parametrize("criterion", [c for c in ALL if not isinstance(c, recipes.Random)], ids=str)
def test_a_module_gets_the_scores_of_the_closed_form(criterion: object) -> None:
    params = weights()
    closed = as_module(criterion(DIGITS, params, rng()))
    torched = criterion(module(), as_module(params), rng())
    for name, scores in torched.items():
        torch.testing.assert_close(scores, closed[name], rtol=1e-3, atol=1e-6)


def test_slopes_are_the_gradient_of_the_loss() -> None:
    params, batch = weights(), next(DIGITS.batches(rng()))
    found = slopes(DIGITS, params, batch)
    for name, at in (("weight1", (3, 20)), ("bias2", (4,))):
        up, down = ({n: p.astype(np.float64) for n, p in params.items()} for _ in range(2))
        up[name][at] += 1e-4
        down[name][at] -= 1e-4
        slope = (DIGITS.loss(up, batch) - DIGITS.loss(down, batch)) / 2e-4
        assert found[name][at] == pytest.approx(slope, rel=1e-3, abs=1e-6)


def test_snip_is_the_mean_gradient_times_the_weight() -> None:
    params = weights()
    grads = [slopes(DIGITS, params, b)["weight1"] for b in islice(DIGITS.batches(rng()), 3)]
    expected = abs(np.mean(grads, axis=0) * params["weight1"])
    np.testing.assert_allclose(recipes.Snip(3)(DIGITS, params, rng())["weight1"], expected, rtol=1e-5)


def test_taylor_of_first_and_second_order() -> None:
    params, draws = weights(), rng()
    w = params["weight1"]
    slope = slopes(DIGITS, params, next(DIGITS.batches(draws)))["weight1"] * w
    X, y = next(DIGITS.batches(draws))
    curvature = np.mean([slopes(DIGITS, params, (X[[i]], y[[i]]))["weight1"] ** 2 for i in range(8)], axis=0)
    first, second = (recipes.Taylor(order=n, examples=8)(DIGITS, params, rng())["weight1"] for n in (1, 2))
    np.testing.assert_allclose(first, slope**2, rtol=1e-5)
    np.testing.assert_allclose(second, abs(slope - curvature * w**2 / 2), rtol=1e-4, atol=1e-9)


def test_obd_is_the_mean_square_of_single_gradients() -> None:
    params = weights()
    X, y = next(DIGITS.batches(rng()))
    squares = [slopes(DIGITS, params, (X[i : i + 1], y[i : i + 1]))["weight2"] ** 2 for i in range(8)]
    expected = np.mean(squares, axis=0) * params["weight2"] ** 2 / 2
    np.testing.assert_allclose(recipes.OBD(8)(DIGITS, params, rng())["weight2"], expected, rtol=1e-5)


def test_obd_looks_at_as_many_examples_as_asked_beyond_one_batch() -> None:
    params = weights()
    few, many = (recipes.OBD(n)(DIGITS, params, rng())["weight1"] for n in (32, 40))
    assert not np.array_equal(few, many)


def test_single_examples_and_batch_statistics_do_not_go_together() -> None:
    normed = problems.digits(hidden=(6,), norm=BatchNorm())
    with pytest.raises(ValueError, match=r"problem\.norm must be one that treats each example alone"):
        recipes.OBD(8)(normed, weights(normed), rng())
    alone = problems.digits(hidden=(6,), norm=LayerNorm())
    assert set(recipes.OBD(8)(alone, weights(alone), rng())) == {"weight1", "weight2"}


def test_movement_is_low_where_training_shrinks_a_weight() -> None:
    params = weights()
    scores = recipes.Movement(updates=1, lr=0.1)(DIGITS, params, rng())["weight2"]
    slope = slopes(DIGITS, params, next(DIGITS.batches(rng())))["weight2"]
    shrinks = np.sign(slope) == np.sign(params["weight2"])
    assert (scores[shrinks & (slope != 0)] < 0).all()
    assert (scores[~shrinks & (slope != 0)] > 0).all()


def test_wanda_sees_what_enters_a_layer() -> None:
    params = weights()
    X, _ = next(DIGITS.batches(rng()))
    length = np.sqrt((X**2).sum(0))
    found = recipes.Wanda()(DIGITS, params, rng())["weight1"]
    np.testing.assert_allclose(found, abs(params["weight1"]) * length, rtol=1e-5)


def test_wanda_of_a_convolution() -> None:
    small = problems.convolutional(DIGITS)
    scores = recipes.Wanda()(small, weights(small), rng())
    assert all(scores[n].shape == p.shape for n, p in weights(small).items() if p.ndim > 1)
    assert not any(m._forward_pre_hooks for m in small.module.modules())


def test_wanda_needs_to_see_layers() -> None:
    class Blind:
        def batches(self, generator: np.random.Generator) -> object:
            yield np.zeros((2, 3)), np.zeros(2)

    with pytest.raises(TypeError, match="problem must be one with layers or a module"):
        recipes.Wanda()(Blind(), {"w": np.ones((2, 3))}, rng())


def test_criteria_are_hashable_and_checked() -> None:
    assert len({recipes.Snip(2), recipes.Snip(2), recipes.Snip(3)}) == 2
    with pytest.raises(ValueError, match=r"Snip\.batches"):
        recipes.Snip(0)
    with pytest.raises(ValueError, match=r"Taylor\.order must be one of \[1, 2\], got 3"):
        recipes.Taylor(order=3)


def test_gradients_choose_better_than_chance_before_training() -> None:
    params, batch = weights(), (DIGITS.data.train.X, DIGITS.data.train.y)
    loss = {}
    for criterion in (recipes.Snip(8), recipes.Random()):
        hold = prune.masked(prune.mask(criterion(DIGITS, params, rng()), 0.5))
        change = DIGITS.loss(hold(params), batch) - DIGITS.loss(params, batch)
        loss[type(criterion)] = abs(float(change))
    assert loss[recipes.Snip] < loss[recipes.Random]
