"""Scores against what they stand for: a switch's derivative, a loss that changes, a weight that moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from optviz import prune

GENERATOR = np.random.default_rng(0)
PARAMS = {"w": GENERATOR.normal(size=(3, 4)), "k": GENERATOR.normal(size=(2, 3, 2, 2)), "b": np.ones(3)}
GRADS = {n: GENERATOR.normal(size=p.shape) for n, p in PARAMS.items()}
CURVES = {n: GENERATOR.random(p.shape) for n, p in PARAMS.items()}
INPUTS = {"w": GENERATOR.normal(size=(5, 4)), "k": GENERATOR.normal(size=(5, 3, 4, 4))}
SCORES: dict[str, Callable[..., dict[str, Any]]] = {
    "magnitude": lambda p, g, h, x: prune.magnitude(p),
    "magnitude L2": lambda p, g, h, x: prune.magnitude(p, power=2),
    "random": lambda p, g, h, x: prune.random(p, np.random.default_rng(1)),
    "snip": lambda p, g, h, x: prune.snip(p, g),
    "taylor": lambda p, g, h, x: prune.taylor(p, g),
    "taylor 2": lambda p, g, h, x: prune.taylor(p, g, h),
    "movement": lambda p, g, h, x: prune.movement([p, h], [g, g]),
    "obd": lambda p, g, h, x: prune.obd(p, prune.fisher([g, h])),
    "wanda": lambda p, g, h, x: prune.wanda(p, x),
}


def tensors(values: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    return {n: torch.tensor(v) for n, v in values.items()}


@pytest.mark.parametrize("name", SCORES)
def test_arrays_and_tensors_score_alike_and_biases_not_at_all(name: str) -> None:
    given = (PARAMS, GRADS, CURVES, INPUTS)
    arrays, found = SCORES[name](*given), SCORES[name](*map(tensors, given))
    assert list(arrays) == list(found) == ["w", "k"]
    for each, score in arrays.items():
        assert isinstance(score, np.ndarray)
        assert score.shape == PARAMS[each].shape
        assert np.allclose(found[each].numpy(), score)


@pytest.mark.parametrize("name", SCORES)
def test_nothing_is_changed_and_nothing_is_recorded(name: str) -> None:
    frozen = [{n: v.copy() for n, v in values.items()} for values in (PARAMS, GRADS, CURVES, INPUTS)]
    for values in frozen:
        for v in values.values():
            v.flags.writeable = False
    SCORES[name](*frozen)
    params = {n: torch.nn.Parameter(torch.tensor(v)) for n, v in PARAMS.items()}
    scores = SCORES[name](params, *map(tensors, (GRADS, CURVES, INPUTS)))
    assert not any(s.requires_grad for s in scores.values())
    assert all(np.array_equal(p.detach().numpy(), PARAMS[n]) for n, p in params.items())


def test_names_that_are_asked_for_are_scored_biases_too() -> None:
    assert list(prune.magnitude(PARAMS, ("b", "w"))) == ["b", "w"]
    assert list(prune.wanda(PARAMS, {"w": INPUTS["w"]})) == ["w"]


def test_snip_is_the_derivative_of_a_switch() -> None:
    generator = torch.Generator().manual_seed(0)
    X, y, w = (torch.randn(*shape, generator=generator) for shape in ((6, 4), (6, 3), (3, 4)))
    switch, weight = torch.ones(3, 4, requires_grad=True), w.clone().requires_grad_()
    (by_switch,) = torch.autograd.grad(((X @ (switch * w).T - y) ** 2).mean(), switch)
    (grad,) = torch.autograd.grad(((X @ weight.T - y) ** 2).mean(), weight)
    assert torch.allclose(prune.snip({"w": w}, {"w": grad})["w"], by_switch.abs())


def bowl(w: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Value, gradient and curvature of Σ ½ h (w − c)², in which weights don't meet."""
    h, c = np.array([[1.0, 4.0, 0.5]]), np.array([[0.3, -1.0, 2.0]])
    return float((h * (w - c) ** 2 / 2).sum()), h * (w - c), h


def test_second_order_taylor_is_the_change_of_a_bowl() -> None:
    w = np.array([[1.0, 0.5, -0.7]])
    loss, g, h = bowl(w)
    score = prune.taylor({"w": w}, {"w": g}, {"w": h})["w"]
    first = np.sqrt(prune.taylor({"w": w}, {"w": g})["w"])
    for i in range(3):
        without = w * (np.arange(3) != i)
        assert abs(bowl(without)[0] - loss) == pytest.approx(score[0, i])
        tiny = w - 1e-6 * w * (np.arange(3) == i)  # first order: in the direction of 0
        assert abs(bowl(tiny)[0] - loss) * 1e6 == pytest.approx(first[0, i], rel=1e-4)


def test_optimal_brain_damage_is_the_change_at_the_minimum() -> None:
    minimum = np.array([[0.3, -1.0, 2.0]])
    loss, g, h = bowl(minimum)
    assert (loss, np.abs(g).max()) == (0, 0)
    score = prune.obd({"w": minimum}, {"w": h})["w"]
    for i in range(3):
        assert bowl(minimum * (np.arange(3) != i))[0] == pytest.approx(score[0, i])


def test_movement_is_how_far_descent_has_moved_each_weight_from_zero() -> None:
    w, lr, weights, grads = np.array([[1.0, 0.1, -0.7]]), 0.1, [], []
    start = w
    for _ in range(20):
        g = bowl(w)[1]
        weights.append({"w": w})
        grads.append({"w": g})
        w = w - lr * g
    score = prune.movement(weights, grads)["w"]
    steps = sum(g["w"] ** 2 for g in grads)
    assert np.allclose((w**2 - start**2) / 2, lr * score + lr**2 * steps / 2)  # exactly, telescoped
    assert score.argmin() == 0, "the largest weight shrank, and goes first"
    assert prune.magnitude({"w": start})["w"].argmin() == 1


def test_fisher_is_the_curvature_where_labels_come_from_the_model() -> None:
    """One input of a logistic model with p = 1/4: of four labels one is 1."""
    x, p = np.array([0.5, -2.0, 3.0]), 0.25
    grads = [{"w": (p - label) * x} for label in (1, 0, 0, 0)]
    assert np.allclose(prune.fisher(grads)["w"], p * (1 - p) * x**2)


def test_wanda_weighs_a_small_weight_on_a_loud_input() -> None:
    inputs = np.array([[3.0, 0.1], [4.0, 0.0]])
    score = prune.wanda({"w": np.array([[0.1, 1.0]])}, {"w": inputs})["w"]
    assert np.allclose(score, [[0.5, 0.1]])
    images = GENERATOR.normal(size=(5, 3, 4, 4))
    score = prune.wanda(PARAMS, {"k": images})["k"]
    lengths = np.array([np.linalg.norm(images[:, c]) for c in range(3)])
    assert np.allclose(score, np.abs(PARAMS["k"]) * lengths[:, None, None])


def test_random_scores_depend_on_their_generator_only() -> None:
    one, again, other = (prune.random(PARAMS, np.random.default_rng(s))["w"] for s in (0, 0, 1))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


TIED = torch.ones(3, 3)
LAYER = {"w": np.ones((2, 3))}


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: prune.magnitude([1.0]), TypeError, "magnitude.params must be a mapping name -> array"),
        (lambda: prune.magnitude({"w": 1.0}), TypeError, "magnitude.params must be a mapping name -> array"),
        (lambda: prune.magnitude({"b": np.ones(3)}), ValueError, "none here has two axes"),
        (lambda: prune.magnitude(LAYER, ("v",)), ValueError, r"of must be among \['w'\], got \('v',\)"),
        (lambda: prune.magnitude(LAYER, "w"), TypeError, "of must be a tuple of parameter names, got 'w'"),
        (lambda: prune.magnitude(LAYER, power=0), ValueError, "magnitude.power must be above 0 and finite"),
        (
            lambda: prune.magnitude({"encoder": TIED, "decoder": TIED.T}),
            ValueError,
            "magnitude.params must be weights of their own under each name, got 'encoder and decoder shared'",
        ),
        (
            lambda: prune.magnitude({"a": LAYER["w"], "b": LAYER["w"]}),
            ValueError,
            "weights of their own under each name, got 'a and b shared'",
        ),
        (lambda: prune.random(LAYER, 0), TypeError, "random.generator must be a numpy Generator, got 0"),
        (lambda: prune.snip(LAYER, {}), ValueError, r"snip.grads must be given for \['w'\]"),
        (lambda: prune.snip(LAYER, [1.0]), TypeError, "snip.grads must be a mapping"),
        (
            lambda: prune.taylor(LAYER, {"w": np.ones(3)}),
            ValueError,
            r"taylor.grads\['w'\] must be of shape \(2, 3\)",
        ),
        (
            lambda: prune.taylor(LAYER, LAYER, {"w": 1.0}),
            ValueError,
            r"taylor.curvature\['w'\] must be of shape",
        ),
        (lambda: prune.movement(LAYER, [LAYER]), TypeError, "movement.weights must be a list"),
        (
            lambda: prune.movement([LAYER], [LAYER, LAYER]),
            ValueError,
            "movement.grads must be of 1 steps, got 2",
        ),
        (lambda: prune.movement([], []), ValueError, "movement.weights must be of one entry or more"),
        (lambda: prune.fisher([]), ValueError, "fisher.grads must be of one entry or more"),
        (lambda: prune.fisher([LAYER, {"v": 1}]), ValueError, "fisher.grads must be given for"),
        (lambda: prune.obd(LAYER, {}), ValueError, "obd.curvature must be given for"),
        (
            lambda: prune.wanda(LAYER, {"w": np.ones((5, 2))}),
            ValueError,
            r"wanda.inputs\['w'\] must be \(N, 3\)",
        ),
        (lambda: prune.wanda(LAYER, {}, ("w",)), ValueError, "wanda.inputs must be given for"),
    ],
)
def test_what_cannot_be_scored(make: Callable[[], Any], error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        make()
