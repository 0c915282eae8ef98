"""The same function with fairer weights, and biases that take back what rounding shifts."""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from optviz import data, models
from optviz.quantize import (
    PerTensor,
    Static,
    WeightOnly,
    correct_bias,
    equalize,
    equalize_pair,
    quantize_model,
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@torch.no_grad()
def out(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return model(x)


def uneven(model: nn.Sequential) -> nn.Sequential:
    """Every unit of the first layer times a factor from 0.01 to 100, taken back in the second."""
    layers = [m for m in model if hasattr(m, "weight")]
    first, second = layers[:2]
    s = torch.logspace(-2, 2, len(first.weight))
    with torch.no_grad():
        first.weight.mul_(s.reshape(-1, *[1] * (first.weight.ndim - 1)))
        first.bias.mul_(s)
        second.weight.div_(s.reshape(1, -1, *[1] * (second.weight.ndim - 2)))
    return model.eval()


def test_pairs_end_with_equal_ranges() -> None:
    random = np.random.default_rng(0)
    first, bias, second = random.normal(size=(5, 3, 2)), random.normal(size=5), random.normal(size=(4, 5, 2))
    down, shift, up = equalize_pair(first, bias, second)
    r, t = abs(first).max((1, 2)), abs(second).max((0, 2))
    np.testing.assert_allclose(abs(down).max((1, 2)), np.sqrt(r * t))
    np.testing.assert_allclose(abs(up).max((0, 2)), np.sqrt(r * t))
    np.testing.assert_allclose(shift / bias, np.sqrt(t / r))
    tensors = equalize_pair(*map(torch.tensor, (first, bias, second)))
    for mine, torchs in zip((down, shift, up), tensors, strict=True):
        np.testing.assert_allclose(mine, torchs.numpy())


def test_units_without_weights_are_left() -> None:
    first, second = np.array([[0.0], [2.0]]), np.array([[1.0, 0.0]])
    down, bias, up = equalize_pair(first, None, second)
    assert bias is None
    np.testing.assert_array_equal(down, first)
    np.testing.assert_array_equal(up, second)


@pytest.mark.parametrize(
    "model",
    [
        models.MLP((64, 32, 16, 10), generator=seeded()),
        models.MLP((64, 32, 10), lambda: nn.LeakyReLU(0.1), generator=seeded()),
        models.SmallCNN(size=8, generator=seeded()),
    ],
)
def test_the_function_stays(model: nn.Sequential) -> None:
    x = torch.randn(20, 64, generator=seeded(1))
    rough = uneven(copy.deepcopy(model))
    before = copy.deepcopy(rough.state_dict())
    for made in (equalize(rough), equalize(nn.Sequential(rough, nn.Softmax(1)))[0]):  # a chain in a chain
        assert any(not torch.equal(v, before[n]) for n, v in made.state_dict().items())
        torch.testing.assert_close(out(made, x), out(model, x), atol=1e-5, rtol=1e-4)
    assert all(torch.equal(v, before[n]) for n, v in rough.state_dict().items())


def test_pooling_and_flattening_are_gone_through() -> None:
    model = models.LeNet5(generator=seeded()).eval()
    made, x = equalize(uneven(copy.deepcopy(model))), torch.rand(4, 784, generator=seeded(1))
    torch.testing.assert_close(out(made, x), out(model, x), atol=1e-5, rtol=1e-4)
    layers = [m for m in made if hasattr(m, "weight")]
    for first, second in pairwise(layers):  # the sweeps have converged
        ends = second.weight.reshape(len(second.weight), len(first.weight), -1).abs().amax((0, 2))
        torch.testing.assert_close(first.weight.flatten(1).abs().amax(1), ends, rtol=0.01, atol=0)


@pytest.mark.parametrize(
    "between",
    [[nn.Sigmoid()], [nn.GELU()], [nn.ReLU6()], [nn.Unflatten(1, (2, 4)), nn.Flatten(), nn.Tanh()]],
)
def test_other_functions_are_not_gone_through(between: list[nn.Module]) -> None:
    model = nn.Sequential(nn.Linear(4, 8), *between, nn.Linear(8, 3))
    made = equalize(model)
    assert all(torch.equal(a, b) for a, b in zip(made.parameters(), model.parameters(), strict=True))


def test_what_cannot_be_changed_for_one_neighbor_stays() -> None:
    shared = nn.Linear(8, 8)
    twice = nn.Sequential(shared, nn.ReLU(), shared)
    grouped = nn.Sequential(nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1, groups=4))
    aside = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Linear(4, 4))  # reads pixels of a row, not channels
    for model in (twice, grouped, aside):
        made = equalize(model)
        assert all(torch.equal(a, b) for a, b in zip(made.parameters(), model.parameters(), strict=True))


def test_it_saves_a_network_with_one_scale_a_tensor() -> None:
    model = uneven(models.MLP((64, 32, 10), generator=seeded()))
    x, recipe = torch.rand(50, 64, generator=seeded(1)), WeightOnly(8, PerTensor())
    errors = [(out(quantize_model(m, recipe), x) - out(model, x)).std() for m in (model, equalize(model))]
    assert errors[1] < errors[0] / 10


# Bias correction


def digits() -> torch.Tensor:
    return torch.tensor(np.array(data.digits().train.X[:200]))


@pytest.mark.parametrize(
    ("make", "recipe"),
    [
        (lambda: models.MLP((64, 32, 16, 10), generator=seeded()), WeightOnly(3, PerTensor())),
        (lambda: models.SmallCNN(size=8, generator=seeded()), Static(3, activation_bits=4)),
        (lambda: models.SmallTransformer(generator=seeded()), WeightOnly(3)),
    ],
)
def test_means_come_back(make: Any, recipe: Any) -> None:
    model, x = make().eval(), digits()
    rough = quantize_model(model, recipe, [x] if recipe.observes else None)
    before = copy.deepcopy(rough.state_dict())
    better = correct_bias(rough, model, iter([x[:80], x[80:]]))
    wanted = out(model, x)
    shifts = [(out(m, x) - wanted).mean(0).abs().max().item() for m in (rough, better)]
    assert shifts[1] < 1e-4 < shifts[0]
    errors = [(out(m, x) - wanted).square().mean().item() for m in (rough, better)]
    assert errors[1] < errors[0]
    assert all(torch.equal(v, before[n]) for n, v in rough.state_dict().items())


def test_a_layer_without_bias_gets_one() -> None:
    model, x = nn.Sequential(nn.Linear(64, 4, bias=False)).eval(), digits()
    better = correct_bias(quantize_model(model, WeightOnly(2)), model, x)
    assert better[0].bias.shape == (4,)
    assert better[0].bytes == quantize_model(model, WeightOnly(2))[0].bytes + 16


def test_bad_corrections() -> None:
    first, other, x = models.MLP((64, 8, 10), generator=seeded()).eval(), nn.ReLU(), digits()
    made = quantize_model(first, WeightOnly())
    with pytest.raises(ValueError, match="quantized layers among"):
        correct_bias(first, first, [x])
    with pytest.raises(ValueError, match="quantized layers among"):
        correct_bias(made, other.eval(), [x])
    with pytest.raises(ValueError, match="training mode"):
        correct_bias(made, copy.deepcopy(first).train(), [x])
    with pytest.raises(ValueError, match="at least one batch"):
        correct_bias(made, first, [])
    with pytest.raises(ValueError, match="second"):
        equalize_pair(np.ones((3, 2)), None, np.ones((4, 2)))
    with pytest.raises(ValueError, match="sweeps"):
        equalize(first, sweeps=0)
    with pytest.raises(TypeError, match="Module"):
        equalize(3)  # type: ignore[arg-type]
