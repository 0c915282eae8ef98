"""GPTQ beside the least squares that it solves step by step, AWQ beside rounding to nearest."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from optviz import data, models
from optviz.quantize import (
    Dynamic,
    PerChannel,
    PerGroup,
    PerTensor,
    WeightOnly,
    awq,
    awq_factors,
    bytes_of,
    choose_qparams,
    dequantize,
    fake_quantize,
    gptq,
    gptq_round,
    quantize,
    quantize_model,
)


def layer(seed: int, out: int = 4, inputs: int = 8) -> tuple[Any, Any]:
    """Weights, and moments of inputs that depend on one another."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(40, inputs)) @ random.normal(size=(inputs, inputs))
    return random.normal(size=(out, inputs)), x.T @ x


def error(found: Any, weight: Any, h: Any) -> float:
    d = found - weight
    return float((d @ h * d).sum())


@given(st.integers(0, 2**32 - 1))
def test_each_step_is_the_least_squares_answer(seed: int) -> None:
    weight, h = layer(seed)
    q = choose_qparams(weight, 3, PerChannel(0), symmetric=True)
    found = gptq_round(weight, h, q, damp=0.01)
    h = h + 0.01 * np.diag(h).mean() * np.eye(len(h))
    done = np.zeros_like(weight)
    for j in range(weight.shape[1]):
        d = done[:, :j] - weight[:, :j]  # what the columns before changed; the rest answers to all of it
        now = weight[:, j:] - d @ h[:j, j:] @ np.linalg.inv(h[j:, j:])
        done[:, j] = fake_quantize(now[:, :1], q)[:, 0]
    np.testing.assert_allclose(found, done, atol=1e-9)


@pytest.mark.parametrize("per", [PerTensor(), PerChannel(0), PerChannel(1), PerGroup(4)])
@pytest.mark.parametrize("symmetric", [True, False])
def test_what_it_gives_is_in_the_code(symmetric: bool, per: Any) -> None:
    weight, h = layer(0)
    q = choose_qparams(weight, 4, per, symmetric)
    found = gptq_round(weight, h, q)
    np.testing.assert_allclose(dequantize(quantize(found, q), q), found, atol=1e-12)


def test_inputs_that_have_nothing_in_common_are_rounded_to_nearest() -> None:
    weight, _ = layer(0)
    q = choose_qparams(weight, 4, PerChannel(0), symmetric=True)
    for h in (np.diag(np.arange(1.0, 9.0)), np.zeros((8, 8))):
        np.testing.assert_allclose(gptq_round(weight, h, q), fake_quantize(weight, q))


def test_errors_of_outputs_become_smaller() -> None:
    shares = []
    for seed in range(10):
        weight, h = layer(seed, 16, 32)
        q = choose_qparams(weight, 3, PerChannel(0), symmetric=True)
        shares.append(error(gptq_round(weight, h, q), weight, h) / error(fake_quantize(weight, q), weight, h))
    assert np.mean(shares) < 0.5


def test_factors_protect_what_meets_large_inputs() -> None:
    random = torch.Generator().manual_seed(0)
    weight, x = torch.randn(16, 32, generator=random), torch.randn(200, 32, generator=random)
    x[:, 3] *= 30
    h, recipe = x.T @ x, WeightOnly(3, PerGroup(32))
    s = awq_factors(weight, h, x.abs().mean(0), recipe, bits=3)
    assert s.argmax() == 3
    assert s.max() * s.min() == pytest.approx(1, rel=1e-5)
    errors = []
    for factor in (s, torch.ones(32)):
        q = recipe.weights(weight * factor, 3)
        errors.append(error(fake_quantize(weight * factor, q) / factor, weight, h))
    assert errors[0] < errors[1] / 2


def test_equal_inputs_need_no_factors() -> None:
    weight = torch.randn(4, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(awq_factors(weight, torch.eye(8), torch.ones(8)), torch.ones(8))


# Networks


@cache
def trained() -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    """A small transformer after some steps on real digits, calibration images, other images."""
    source = data.digits()
    x, y = (torch.tensor(np.array(v)) for v in (source.train.X, source.train.y))
    model = models.SmallTransformer(generator=torch.Generator().manual_seed(0))
    rule = torch.optim.Adam(model.parameters(), 5e-3)
    for step in range(100):
        some = slice(step * 50 % 1000, step * 50 % 1000 + 50)
        rule.zero_grad()
        nn.functional.cross_entropy(model(x[some]), y[some]).backward()
        rule.step()
    return model.eval(), x[:128], torch.tensor(np.array(source.validation.X[:128]))


@torch.no_grad()
def rough(made: nn.Module) -> float:
    """Mean square of what quantizing changed in the logits of new images."""
    model, _, seen = trained()
    return float((made(seen) - model(seen)).square().mean())


def outlying() -> nn.Module:
    """The same function, with one large number in each token where attention and the next layer read it."""
    model = copy.deepcopy(trained()[0])
    for block in model.blocks:
        readers = (block.attention.query, block.attention.key, block.attention.value), (block.first,)
        for norm, layers in zip((block.norm1, block.norm2), readers, strict=True):
            norm.weight.data[3] *= 30
            norm.bias.data[3] *= 30
            for reader in layers:
                reader.weight.data[:, 3] /= 30
    return model


def test_gptq_beats_rounding_to_nearest_on_new_images() -> None:
    model, x, _ = trained()
    before, recipe = copy.deepcopy(model.state_dict()), WeightOnly(3)
    made, nearest = gptq(model, [x[:64], x[64:]], recipe), quantize_model(model, recipe)
    assert rough(made) < 0.5 * rough(nearest)
    assert bytes_of(made) == bytes_of(nearest)
    assert all(torch.equal(v, before[n]) for n, v in model.state_dict().items())


def test_awq_beats_rounding_to_nearest_where_inputs_are_outlying() -> None:
    model, x, recipe = outlying(), trained()[1], WeightOnly(3)
    before = copy.deepcopy(model.state_dict())
    made, nearest = awq(model, [x[:64], x[64:]], recipe), quantize_model(model, recipe)
    assert rough(made) < 0.5 * rough(nearest)
    columns = sum(m.in_features for m in model.modules() if isinstance(m, nn.Linear))
    assert bytes_of(made) == bytes_of(nearest) + 4 * columns
    assert all(torch.equal(v, before[n]) for n, v in model.state_dict().items())


@pytest.mark.parametrize("method", [gptq, awq])
def test_many_bits_change_nothing(method: Any) -> None:
    model, x, _ = trained()
    assert rough(method(model, x, WeightOnly(16))) < 1e-5


def test_convolutions_and_parts() -> None:
    random = torch.Generator().manual_seed(0)
    model = models.SmallCNN(size=8, generator=random).eval()
    x, recipe = torch.randn(60, 64, generator=random), WeightOnly(3, layers={"7": 4}, skip=["2"])
    made = gptq(model, x, recipe)
    with torch.no_grad():
        errors = [(m(x) - model(x)).square().mean() for m in (made, quantize_model(model, recipe))]
    assert errors[0] < 0.6 * errors[1]
    assert isinstance(made[2], nn.Conv2d)
    assert [made[i].bits for i in (4, 7)] == [3, 4]


def test_grouped_convolutions_are_rounded_to_nearest() -> None:
    model = nn.Sequential(nn.Conv2d(4, 4, 3, groups=2)).eval()
    made = gptq(model, torch.ones(2, 4, 5, 5))
    assert torch.equal(made[0].codes, quantize_model(model, WeightOnly(4))[0].codes)


def test_refused() -> None:
    model, x, _ = trained()
    for method in (gptq, awq):
        with pytest.raises(TypeError, match="must be WeightOnly"):
            method(model, x, Dynamic())
        with pytest.raises(ValueError, match="at least one batch"):
            method(model, [])
        with pytest.raises(ValueError, match="training mode"):
            method(copy.deepcopy(model).train(), x)
    weight, h = layer(0)
    q = choose_qparams(weight, 4)
    with pytest.raises(ValueError, match=r"moments must be of shape \(8, 8\)"):
        gptq_round(weight, h[:3, :3], q)
    with pytest.raises(ValueError, match="damp"):
        gptq_round(weight, h, q, damp=0)
