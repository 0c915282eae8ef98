"""Networks of layers that hold integers."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from optviz import data, models, normalize
from optviz.quantize import (
    Dynamic,
    Percentile,
    PerChannel,
    PerGroup,
    PerTensor,
    Static,
    WeightOnly,
    bytes_of,
    choose_qparams,
    dequantize,
    fake_quantize,
    pack4,
    quantize,
    quantize_model,
)
from optviz.quantize.modules import QuantizedLayer


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def mlp() -> nn.Module:
    return models.MLP((64, 32, 10), generator=seeded()).eval()


def digits(n: int = 100) -> torch.Tensor:
    return torch.tensor(np.array(data.digits().train.X[:n]))


@torch.no_grad()
def out(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return model(x)


# What a layer computes


@pytest.mark.parametrize("per", [PerTensor(), PerChannel(0), PerGroup(16)])
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_weights_are_read_from_integers(bits: int, symmetric: bool, per: Any) -> None:
    model, x = mlp(), digits()
    q = choose_qparams(model[0].weight, bits, per, symmetric)
    made = quantize_model(model, WeightOnly(bits, per, symmetric=symmetric))
    assert torch.equal(made[0].codes, quantize(model[0].weight.detach(), q))
    read = dequantize(quantize(model[0].weight.detach(), q), q)
    assert torch.equal(out(made[0], x), functional.linear(x, read, model[0].bias.detach()))


@pytest.mark.parametrize("per", [PerChannel(0), PerGroup(9)])
def test_convolutions_keep_their_options(per: Any) -> None:
    options: dict[str, Any] = {"stride": 2, "padding": 1, "groups": 2, "padding_mode": "reflect"}
    model = nn.Sequential(nn.Conv2d(4, 6, 3, bias=False, **options)).eval()
    made, x = quantize_model(model, WeightOnly(16, per)), torch.randn(2, 4, 8, 8, generator=seeded())
    assert made[0].codes.dtype is torch.int16
    torch.testing.assert_close(out(made, x), out(model, x), atol=1e-3, rtol=0)
    by_hand = copy.deepcopy(model)
    flat = model[0].weight.detach().flatten(1)
    q = choose_qparams(flat, 16, per, symmetric=True)
    by_hand[0].weight.data = dequantize(quantize(flat, q), q).reshape(6, 2, 3, 3)
    assert torch.equal(out(made, x), out(by_hand, x))


def test_static_inputs_have_the_code_that_was_calibrated() -> None:
    model, x = mlp(), digits()
    made = quantize_model(model, Static(activation_bits=4, activation_range=Percentile(0.9)), [x])
    q = choose_qparams(x, 4, range=Percentile(0.9))
    assert made[0].input.scale == q.scale
    for seen in (x, 5 * x):  # the same code for other inputs: they are clipped
        wanted = functional.linear(fake_quantize(seen, q), made[0].weight, model[0].bias.detach())
        assert torch.equal(out(made[0], seen), wanted)


def test_dynamic_inputs_have_a_code_for_each_batch() -> None:
    model, x = mlp(), digits()
    made = quantize_model(model, Dynamic(activation_bits=4))
    for seen in (x, 5 * x):
        q = choose_qparams(seen, 4)
        wanted = functional.linear(fake_quantize(seen, q), made[0].weight, model[0].bias.detach())
        assert torch.equal(out(made[0], seen), wanted)


def test_dynamic_codes_of_examples_do_not_mix() -> None:
    made, x = quantize_model(mlp(), Dynamic(activation_per=PerChannel(0))), digits(5)
    x[0] *= 100
    torch.testing.assert_close(out(made, x)[1:], out(made, x[1:]))
    mixed = quantize_model(mlp(), Dynamic())
    assert (out(mixed, x)[1:] - out(mixed, x[1:])).abs().max() > 0.01


# Whole networks


@pytest.mark.parametrize("recipe", [WeightOnly(), Dynamic(), Static()])
@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: models.LeNet5(generator=seeded()), (784,)),
        (lambda: models.SmallTransformer(generator=seeded()), (64,)),
        (lambda: normalize.fold_module(models.ResidualCNN(generator=seeded())), (784,)),
    ],
)
def test_eight_bits_change_little(recipe: Any, make: Any, shape: tuple[int, ...]) -> None:
    model, x = make().eval(), torch.rand(16, *shape, generator=seeded())
    before = copy.deepcopy(model.state_dict())
    made = quantize_model(model, recipe, [x] if recipe.observes else None)
    error = (out(made, x) - out(model, x)).std() / out(model, x).std(0).mean()
    assert 0 < error < 0.1
    assert all(torch.equal(v, before[n]) for n, v in model.state_dict().items())
    assert not any(isinstance(m, nn.Linear | nn.Conv2d) for m in made.modules())
    assert bytes_of(made) < 0.35 * bytes_of(model)


def test_parts_can_stay_or_have_their_own_bits() -> None:
    model = models.LeNet300100(generator=seeded()).eval()
    made = quantize_model(model, WeightOnly(4, layers={"0": 2}, skip=["4"]))
    assert (made[0].bits, made[2].bits) == (2, 4)
    assert isinstance(made[4], nn.Linear)
    assert torch.equal(made[4].weight, model[4].weight)
    assert made[4].weight is not model[4].weight


def test_a_layer_in_two_places_stays_one() -> None:
    shared = nn.Linear(8, 8)
    made = quantize_model(nn.Sequential(shared, nn.ReLU(), shared).eval(), WeightOnly())
    assert made[0] is made[2]
    assert isinstance(made[2], QuantizedLayer)


def test_a_layer_alone() -> None:
    assert isinstance(quantize_model(nn.Linear(8, 8), WeightOnly()), QuantizedLayer)


def test_integers_are_saved_with_the_network() -> None:
    x = digits()
    first = quantize_model(mlp(), Static(), [x])
    second = quantize_model(models.MLP((64, 32, 10)).eval(), Static(), [2 * x])
    second.load_state_dict(first.state_dict())
    assert torch.equal(out(second, x), out(first, x))
    assert torch.equal(out(copy.deepcopy(first), x), out(first, x))
    kinds = [v.dtype for v in first.state_dict().values()]
    assert kinds.count(torch.int8) == 2


# Bytes


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_bytes_count_everything(bits: int) -> None:
    model = models.LeNet300100(generator=seeded()).eval()
    made = quantize_model(model, WeightOnly(bits))
    sizes, outputs = (784 * 300, 300 * 100, 100 * 10), 410
    assert bytes_of(model) == 4 * 266_610
    assert bytes_of(made) == sum(math.ceil(n * bits / 8) for n in sizes) + 4 * outputs + 4 * outputs


def test_four_bits_take_what_packing_takes() -> None:
    layer = quantize_model(mlp(), WeightOnly(4, PerGroup(32), symmetric=False))[0]
    zeros = pack4(layer.zero_point)
    assert layer.bytes == pack4(layer.codes).nbytes + zeros.nbytes + layer.scale.nbytes + layer.bias.nbytes


# What is refused


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (
            ValueError,
            r"fold '1' first: normalize.fold_module",
            lambda: quantize_model(normed(), WeightOnly()),
        ),
        (ValueError, r"calibration with Static, got None", lambda: quantize_model(mlp(), Static())),
        (ValueError, r"None with Dynamic", lambda: quantize_model(mlp(), Dynamic(), [digits()])),
        (ValueError, r"at least one batch", lambda: quantize_model(mlp(), Static(), [])),
        (ValueError, r"training mode", lambda: quantize_model(mlp().train(), Static(), [digits()])),
        (ValueError, r"layers.*\['head'\]", lambda: quantize_model(mlp(), WeightOnly(layers={"head": 2}))),
        (ValueError, r"skip.*\['1'\]", lambda: quantize_model(mlp(), WeightOnly(skip=["1"]))),
        (ValueError, r"with Linear or Conv", lambda: quantize_model(nn.ReLU(), WeightOnly())),
        (ValueError, r"divisor", lambda: quantize_model(mlp(), WeightOnly(per=PerGroup(7)))),
        (ValueError, r"reach layer 'aside'", lambda: quantize_model(Aside(), Static(), [digits()])),
        (TypeError, r"torch.nn.Module", lambda: quantize_model("net", WeightOnly())),  # type: ignore[arg-type]
        (TypeError, r"WeightOnly, Dynamic", lambda: quantize_model(mlp(), 8)),  # type: ignore[arg-type]
        (ValueError, r"in \[1, 16\]", lambda: WeightOnly(17)),
        (ValueError, r"at least 2 when symmetric", lambda: WeightOnly(1)),
        (ValueError, r"at least 2 when symmetric", lambda: WeightOnly(layers={"0": 1})),
        (ValueError, r"layers\['0'\] must be in \[1, 16\]", lambda: Static(layers={"0": 0})),
        (TypeError, r"whole number of bits", lambda: Static(layers={"0": 2.5})),
        (TypeError, r"tuple of names", lambda: WeightOnly(skip="0")),
    ],
)
def test_refused(error: type[Exception], message: str, call: Any) -> None:
    with pytest.raises(error, match=message):
        call()


def normed() -> nn.Module:
    return nn.Sequential(nn.Linear(64, 8), nn.BatchNorm1d(8)).eval()


class Aside(nn.Module):
    """One layer is used, one isn't."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.aside = nn.Linear(64, 2), nn.Linear(64, 2)
        self.eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.used(x)


def test_a_folded_network_is_taken() -> None:
    model, x = normed(), digits()
    model[1].running_mean.data, model[1].running_var.data = out(model[0], x).mean(0), out(model[0], x).var(0)
    made = quantize_model(normalize.fold_module(model), WeightOnly(16))
    assert len(made) == 1
    torch.testing.assert_close(out(made, x), out(model, x), atol=1e-3, rtol=0)


def test_recipes_can_be_compared_and_remembered() -> None:
    assert Static(4, layers={"0": 8}) == Static(4, layers=[("0", 8)])
    assert len({WeightOnly(4), WeightOnly(4), Dynamic(4), Static(4)}) == 3
