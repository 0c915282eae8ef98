"""Networks in integers alone, beside exact arithmetic and ONNX Runtime's int8 engine."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from optviz import data, deploy, models, normalize
from optviz.quantize import (
    MSE,
    PerChannel,
    PerGroup,
    PerTensor,
    fixed_point,
    integer_only,
    rescale,
)
from optviz.quantize.integer_layers import IntegerConv2d, IntegerLinear, Requantize
from tests.quantize.engines import engine, run

# Fixed point


@given(st.floats(2.0**-31, 1e9))
def test_a_factor_is_right_to_31_bits(factor: float) -> None:
    m, n = (int(v) for v in fixed_point(factor))
    assert 2**30 <= m < 2**31
    assert abs(Fraction(m) / 2**n / Fraction(factor) - 1) <= Fraction(1, 2**31)


def test_a_factor_just_below_a_power_of_two_is_rounded_up_to_it() -> None:
    assert [int(v) for v in fixed_point(1 - 2.0**-40)] == [2**30, 30]


@given(st.integers(-(2**31), 2**31 - 1), st.floats(2.0**-31, 0.99))
def test_rescaling_rounds_the_exact_product(x: int, factor: float) -> None:
    m, n = fixed_point(factor)
    assert int(rescale(np.array(x), m, n)) == round(Fraction(x * int(m), 2 ** int(n)))  # half to even too


def test_halves_go_to_even() -> None:
    m, n = fixed_point(0.5)
    assert rescale(np.array([-5, -3, -1, 1, 3, 5]), m, n).tolist() == [-2, -2, 0, 0, 2, 2]


# Layers


@given(st.integers(0, 255), st.integers(0, 2**32 - 1))
def test_the_correction_of_the_zero_point_is_exact(zero: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    x = random.integers(0, 256, (4, 9)).astype(np.uint8)
    w = random.integers(-127, 128, (3, 9)).astype(np.int8)
    bias = random.integers(-1000, 1000, 3).astype(np.int32)
    sums = IntegerLinear(w, bias, zero, None).sums(x)  # type: ignore[arg-type]
    wanted = [[sum(int(a) * (int(b) - zero) for a, b in zip(v, u, strict=True)) for v in w] for u in x]
    assert sums.dtype == np.int32
    assert sums.tolist() == (np.array(wanted) + bias).tolist()


@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padding", [0, 2])
def test_convolutions_are_those_of_torch(padding: int, stride: int, dilation: int) -> None:
    random = np.random.default_rng(0)
    x = random.integers(0, 256, (2, 3, 9, 8)).astype(np.uint8)
    w = random.integers(-127, 128, (4, 3, 3, 2)).astype(np.int8)
    same = Requantize(*fixed_point(np.full(4, 2.0**-10)), 100, 0, 255)
    linear = IntegerLinear(w.reshape(4, -1), np.arange(4, dtype=np.int32), 7, same)
    found = IntegerConv2d(linear, (3, 2), (stride,) * 2, (padding,) * 2, (dilation,) * 2)(x)
    shifted = torch.tensor(x.astype(np.float64) - 7)  # what is outside the image is 0
    sums = nn.functional.conv2d(
        shifted, torch.tensor(w, dtype=torch.float64), torch.arange(4.0).double(), stride, padding, dilation
    )
    wanted = (sums / 2**10).round().clamp(-100, 155) + 100
    assert found.tolist() == wanted.int().tolist()


# Networks against the engine


@cache
def digits(size: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Calibration images, their labels, and other real digits."""
    source = data.mnist5k(28) if size == 28 else data.digits()
    x, y = (torch.tensor(np.array(v[:150])) for v in (source.train.X, source.train.y))
    return x, y, torch.tensor(np.array(source.test.X[:40]))


@cache
def trained(name: str) -> nn.Sequential:
    """A network after a few steps on real digits, so that its codes are not those of noise."""
    random = torch.Generator().manual_seed(0)
    made: dict[str, Any] = {
        "LeNet300100": lambda: models.LeNet300100(generator=random),
        "LeNet5": lambda: models.LeNet5(generator=random),
        "SmallCNN": lambda: models.SmallCNN(size=8, generator=random),
    }
    model = made[name]()
    x, y, _ = digits(8 if name == "SmallCNN" else 28)
    rule = torch.optim.Adam(model.parameters(), 2e-3)
    for _ in range(12):
        rule.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        rule.step()
    return model.eval()


@pytest.mark.parametrize("name", ["LeNet300100", "LeNet5", "SmallCNN"])
def test_the_engine_gives_the_same_integers(name: str) -> None:
    model = trained(name)
    x, _, seen = digits(8 if name == "SmallCNN" else 28)
    found = integer_only(model, [x])
    mine, engines = found.integers(seen).astype(int), run(engine(model, x), seen).astype(int)
    assert mine.std() > 20  # the code is used
    assert abs(mine - engines).max() <= 1  # the engine multiplies by a float
    assert (mine != engines).mean() < 0.01
    with torch.no_grad():
        own = model(seen).numpy()
    assert (found(seen).argmax(1) == own.argmax(1)).mean() >= 0.97
    assert abs(found(seen) - own).std() < 0.05 * own.std()


def test_the_file_for_the_engine_gives_the_same_numbers(tmp_path: Path) -> None:
    model, (x, _, seen) = trained("LeNet5"), digits(28)
    found = integer_only(model, [x])
    engines = deploy.run_onnx(deploy.to_onnx_int8(model, tmp_path / "int8.onnx", [x]), seen.numpy())
    units = (found(seen) - engines) / float(found.output.scale)
    assert abs(units).max() < 1.01  # at most one unit in the last place
    assert (abs(units) > 0.01).mean() < 0.01


def test_every_step_is_in_eight_bits() -> None:
    x, _, seen = digits(28)
    found = integer_only(trained("LeNet5"), [x])
    steps = found.steps(seen[:2])
    assert {step.dtype.name for step in steps} == {"uint8"}
    assert [layer.linear.weight.dtype.name for layer in found.layers[2:5:2]] == ["int8", "int8"]
    assert found.layers[-1].bias.dtype == np.int32
    assert found.bytes == 430_500 + 580 * 9 + 4 * 5 + 5  # weights; biases, factors and shifts; codes


@pytest.mark.parametrize("per", [PerTensor(), PerChannel(0)])
def test_norm_is_folded_and_padding_stands_for_zero(per: Any) -> None:
    torch_random = torch.Generator().manual_seed(0)
    x = torch.randn(60, 2, 6, 6, generator=torch_random) - 1  # zero point far from 0
    model = models.SmallCNN(2, 6, 3, generator=torch_random)
    parts = [nn.BatchNorm2d(16), *list(model)[3:]]
    parts[0].running_mean, parts[0].running_var = torch.linspace(-1, 1, 16), torch.linspace(0.5, 2, 16)
    whole = normalize.fold_module(nn.Sequential(nn.Sequential(model[2], parts[0]), *parts[1:]))
    found = integer_only(whole, [x], per=per)
    with torch.no_grad():
        own = whole(x).numpy()
    assert abs(found(x) - own).std() < 0.03 * own.std()


def test_relu_alone_and_layers_that_rest() -> None:
    random = torch.Generator().manual_seed(0)
    model = nn.Sequential(
        nn.Unflatten(1, (1, 4, 4)), nn.MaxPool2d(2, padding=1), nn.ReLU(), nn.Dropout(), nn.Flatten(),
        *models.MLP((9, 16, 4), nn.Identity, generator=random), nn.ReLU(),
        *models.MLP((4, 3), generator=random),
    ).eval()  # fmt: skip
    x = torch.randn(50, 16, generator=random)
    found = integer_only(model, [x[:25], x[25:]], range=MSE())
    with torch.no_grad():
        own = model(x).numpy()
    assert abs(found(x) - own).std() < 0.05 * own.std()


POOL = nn.MaxPool2d(2, ceil_mode=True)


@pytest.mark.parametrize(
    ("error", "message", "layers"),
    [
        (TypeError, r"\['1'\] must be Linear.*fold_module.*BatchNorm", [nn.Linear(4, 4), nn.BatchNorm1d(4)]),
        (TypeError, r"got GELU", [nn.Linear(4, 4), nn.GELU()]),
        (ValueError, r"with a Linear", [nn.Flatten()]),
        (ValueError, r"groups=1", [nn.Unflatten(1, (4, 1, 1)), nn.Conv2d(4, 4, 1, groups=4)]),
        (ValueError, r"given width", [nn.Unflatten(1, (4, 1, 1)), nn.Conv2d(4, 4, 1, padding="same")]),
        (ValueError, r"ceil_mode", [nn.Unflatten(1, (1, 2, 2)), POOL, nn.Conv2d(1, 1, 1)]),
    ],
)  # fmt: skip
def test_what_is_not_written_out(error: type[Exception], message: str, layers: list[nn.Module]) -> None:
    with pytest.raises(error, match=message):
        integer_only(nn.Sequential(*layers).eval(), [torch.ones(3, 4)])


def test_bad_calls() -> None:
    model, x = nn.Sequential(nn.Linear(4, 2)).eval(), torch.ones(3, 4)
    with pytest.raises(ValueError, match=r"PerChannel\(0\) or PerTensor"):
        integer_only(model, [x], per=PerGroup(2))
    with pytest.raises(ValueError, match="training mode"):
        integer_only(nn.Sequential(nn.Linear(4, 2)), [x])
    with pytest.raises(ValueError, match="at least one batch"):
        integer_only(model, [])
    with pytest.raises(ValueError, match="32 bits"):
        integer_only(nn.Linear(70_000, 1).eval(), [torch.zeros(1, 70_000)])
    with pytest.raises(ValueError, match=r"factor must be in"):
        fixed_point(2.0**31)
    with pytest.raises(TypeError, match="integers"):
        rescale(np.ones(2), 1, 1)
