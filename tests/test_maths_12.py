"""The facts that lesson 12 states, each with its number, and the mistakes it warns of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from optviz import normalize
from optviz.quantize import (
    MSE,
    Entropy,
    MinMax,
    Percentile,
    PerChannel,
    PerGroup,
    PerTensor,
    QParams,
    choose_qparams,
    dequantize,
    fake_quantize,
    from_range,
    quantize,
)


def draw(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_cast_before_clamp_wraps_to_minus_125() -> None:
    s, zero = 6 / 255, -128  # calibrated on 0 … 6, int8
    code = np.rint(6.1 / s) + zero
    assert code == 131
    assert np.array([code]).astype(np.int32).astype(np.int8)[0] == -125
    q = QParams(s, zero, -128, 127)
    assert quantize(np.array([6.1]), q)[0] == 127
    assert dequantize(quantize(np.array([6.1]), q), q)[0] == pytest.approx(6.0)


def test_a_range_is_widened_to_hold_zero() -> None:
    from torch.ao.quantization.observer import MinMaxObserver

    x = np.array([2.0, 4.0])
    q = choose_qparams(x)
    assert (float(q.scale), int(q.zero_point)) == (4 / 255, 0)
    theirs = MinMaxObserver()
    theirs(torch.tensor(x))
    assert theirs.calculate_qparams()[0].item() == pytest.approx(4 / 255)
    # Without: s = 2 / 255 and Z = round(−2 / s) = −255, which is clamped to 0. Everything comes back as 2.
    s = 2 / 255
    zero = int(np.clip(np.rint(-2 / s), 0, 255))
    wrong = QParams(s, zero, 0, 255)
    assert dequantize(quantize(np.linspace(2, 4, 9), wrong), wrong) == pytest.approx(2.0)


@pytest.mark.parametrize(("low", "high"), [(-1.0, 2.0), (-0.013, 7.0), (-5.0, -1.0), (0.3, 0.4)])
def test_zero_has_a_level_of_its_own_since_the_zero_point_is_a_whole_number(low: float, high: float) -> None:
    q = from_range(low, high)
    assert q.zero_point.dtype.kind == "i"
    assert q.low <= q.zero_point <= q.high
    assert fake_quantize(np.zeros(1), q)[0] == 0
    not_rounded = -min(low, 0) / float(q.scale)
    if not_rounded % 1:
        wrong = float(q.scale) * (np.rint(0 / float(q.scale) + not_rounded) - not_rounded)
        assert wrong != 0


def test_halves_go_to_the_even_neighbor() -> None:
    halves = np.array([0.5, 1.5, 2.5, -0.5, -2.5])
    assert np.rint(halves).tolist() == torch.round(torch.tensor(halves)).tolist() == [0, 2, 2, 0, -2]
    assert quantize(halves, QParams(1.0, 0, -7, 7)).tolist() == [0, 2, 2, 0, -2]
    assert np.floor(halves + 0.5).tolist() != np.rint(halves).tolist()  # what C's round() does with these


def test_127_and_a_half_makes_the_code_minus_128_and_abs_wraps() -> None:
    x = np.array([-3.0, 1.0, 2.0])
    ours = choose_qparams(x, symmetric=True)
    assert quantize(x, ours)[0] == -127
    assert float(ours.scale) == 3 / 127
    torchs = QParams(3 / 127.5, 0, -128, 127)
    code = quantize(x, torchs)
    assert code[0] == -128
    assert abs(code)[0] == -128  # int8 has no +128
    assert abs(code.astype(np.int16))[0] == 128
    tops = draw().uniform(0.1, 10, 500)
    made = [quantize(np.array([-t]), QParams(t / 127.5, 0, -128, 127))[0] == -128 for t in tops]
    assert 0.75 < np.mean(made) < 1  # −127.5 goes to the even −128, unless s was rounded up


def test_the_channels_of_a_transposed_convolution_are_axis_1() -> None:
    layer = nn.ConvTranspose2d(6, 4, 3)
    assert layer.weight.shape[:2] == (6, 4)
    assert nn.Conv2d(6, 4, 3).weight.shape[0] == nn.Linear(6, 4).weight.shape[0] == 4
    w = draw().normal(size=(6, 4, 3, 3)) * 10.0 ** np.arange(-1, 3)[None, :, None, None]
    errors = {}
    for axis in (0, 1):
        q = choose_qparams(w, 8, PerChannel(axis), symmetric=True)
        gap = (fake_quantize(w, q) - w) ** 2
        errors[axis] = (gap.mean((0, 2, 3)) / (w**2).mean((0, 2, 3))).max()  # of the worst output channel
    assert errors[1] < 1e-4
    assert errors[0] > 1000 * errors[1]


# Integer arithmetic


def layer(n: int = 64, out: int = 8) -> tuple[Any, ...]:
    x, w, b = draw(0).uniform(-0.5, 2, (5, n)), draw(1).normal(size=(out, n)) / 8, draw(2).normal(size=out)
    return x, w, b, choose_qparams(x), choose_qparams(w, 8, PerChannel(0), symmetric=True)


def test_products_need_int32_and_the_term_of_the_zero_point() -> None:
    x, w, b, qx, qw = layer()
    X, W = quantize(x, qx).astype(np.int32), quantize(w, qw).astype(np.int32)
    s = qx.scale * qw.scale.ravel()
    bias = np.rint(b / s).astype(np.int32)  # scale s_in · s_w, zero point 0: it adds to the sums as it is
    sums = X @ W.T - qx.zero_point * W.sum(1) + bias
    floats = dequantize(quantize(x, qx), qx) @ dequantize(quantize(w, qw), qw).T + b
    np.testing.assert_allclose(s * sums, floats, atol=0.51 * s.max())
    forgotten = s * (X @ W.T + bias)
    assert abs(forgotten - floats).max() > 20 * abs(floats - (x @ w.T + b)).max()
    narrow = (X.astype(np.int16)[:, None] * W.astype(np.int16)).sum(2, dtype=np.int16)
    assert (narrow != X @ W.T).any()  # 16 bits are too few for sums of products of 8
    assert abs(X @ W.T).max() < 64 * 255 * 127 < 2**31


def test_the_bias_in_the_scale_of_the_weights_is_wrong() -> None:
    _, _, b, qx, qw = layer()
    s_w = qw.scale.ravel()
    right = np.rint(b / (qx.scale * s_w)) * qx.scale * s_w
    wrong = np.rint(b / s_w) * qx.scale * s_w  # taken at s_w, added to sums at s_in · s_w
    assert abs(right - b).max() <= (qx.scale * s_w).max() / 2
    assert abs(wrong - b).max() > 0.9 * abs(b).max()


def test_the_multiplier_is_a_whole_number_and_a_shift() -> None:
    sums = draw().integers(-(2**20), 2**20, 1000)
    for factor in (0.0007, 0.013, 0.37, 0.999):
        shift = 31 - int(np.ceil(np.log2(factor)))
        whole = int(np.rint(factor * 2**shift))
        assert 2**30 <= whole <= 2**31
        fixed = (sums * whole + 2 ** (shift - 1)) >> shift
        assert abs(fixed - np.rint(sums * factor)).max() <= 1
        assert (fixed == np.rint(sums * factor)).mean() > 0.99


# Calibration


def test_batch_norm_is_folded_before_the_ranges_are_found() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(8, 6), nn.BatchNorm1d(6)).eval()
        net[1].running_var.copy_(torch.full((6,), 0.01))
        x = torch.randn(256, 8)
    folded = normalize.fold_module(net)
    before, after = net[0](x).detach(), folded(x).detach()
    q = choose_qparams(before)  # of what the layer gave before it was folded
    wrong = (fake_quantize(after, q) - after).abs().max()
    right = (fake_quantize(after, choose_qparams(after)) - after).abs().max()
    assert wrong > 20 * right


def test_ranges_of_train_mode_are_other_ranges() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(8, 64), nn.Dropout(0.5), nn.ReLU())
        x = torch.randn(512, 8)
        train, evaluate = net.train()(x).detach(), net.eval()(x).detach()
    assert MinMax()(train)[1] == pytest.approx(2 * MinMax()(evaluate)[1], rel=0.25)


def test_ranges_of_noisy_data_are_wider_and_steps_coarser() -> None:
    x = draw().uniform(0, 1, 1000)
    noisy = x + draw(1).normal(size=1000)
    assert choose_qparams(noisy).scale > 3 * choose_qparams(x).scale


def test_the_kinds_of_range_differ_where_tails_are_long() -> None:
    x = draw().standard_t(3, 50_000)
    tops = {
        type(r).__name__: r(x, 4, symmetric=True)[1] for r in (MinMax(), Percentile(0.99), MSE(), Entropy())
    }
    assert tops["Percentile"] < tops["MSE"] < tops["MinMax"]
    assert tops["Entropy"] < tops["MinMax"]
    errors = {}
    for name, top in tops.items():
        q = from_range(-top, top, 4, symmetric=True)
        errors[name] = ((fake_quantize(x, q) - x) ** 2).mean()
    assert min(errors, key=errors.__getitem__) == "MSE"
    assert errors["MinMax"] > 2 * errors["MSE"]


# Training


def test_the_gradient_is_1_inside_and_0_outside() -> None:
    x = torch.linspace(-3, 3, 61, dtype=torch.float64, requires_grad=True)
    q = from_range(-1.0, 1.0, bits=4, symmetric=True)
    y = fake_quantize(x, q)
    y.sum().backward()
    inside = abs(x.detach()) <= 1 + float(q.scale) / 2
    assert x.grad.tolist() == inside.double().tolist()
    assert len(np.unique(y.detach())) == 15
    steps = np.diff(y.detach()) / np.diff(x.detach())  # the true slope: 0 nearly everywhere
    assert (steps == 0).mean() > 0.7


# Size


@pytest.mark.parametrize(
    ("per", "bits", "bytes_a_weight"),
    [(PerTensor(), 8, 1.0), (PerChannel(0), 8, 1.0 + 4 / 784), (PerGroup(16), 4, 0.5 + 4 / 16)],
)
def test_scales_are_not_free(per: Any, bits: int, bytes_a_weight: float) -> None:
    w = draw().normal(size=(300, 784)).astype(np.float32)
    q = choose_qparams(w, bits, per, symmetric=True)
    size = w.size * bits / 8 + q.scale.nbytes
    assert size / w.size == pytest.approx(bytes_a_weight, abs=1e-4)
    assert w.nbytes / size < 32 / bits
