"""The range explorer: its codes are those of quantize, its accuracies those of quantized networks."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from optviz import quantize, range_lab
from optviz.quantize import MSE, Entropy, MinMax, MovingAverage, Percentile, PerChannel, PerGroup, PerTensor
from optviz.widgets.ranges import ByHand, networks
from optviz.widgets.ranges.compute import SHARES, compute
from optviz.widgets.ranges.state import BITS, UNITS, WEIGHTS, Cut, RangeState

SMALL = RangeState(hidden=16, steps=60, seeds=2)
KNOWN = (MinMax(), MovingAverage(), Percentile(), MSE(), Entropy(), Cut(0.6))


@pytest.fixture(scope="module")
def found() -> Any:
    return finished(SMALL)


def finished(state: RangeState) -> Any:
    *_, last = compute(state)
    return last


def trained() -> Any:
    nets = networks.trained(SMALL)
    assert nets is not None
    return nets


@pytest.mark.parametrize("per", [PerTensor(), PerChannel(0), PerGroup(16)])
@pytest.mark.parametrize("symmetric", [False, True])
def test_codes_of_weights_are_those_of_choose_qparams(found: Any, per: Any, symmetric: bool) -> None:
    state = replace(SMALL, per=per, symmetric=symmetric)
    for how in KNOWN:
        if isinstance(how, Entropy) and per != PerTensor():
            continue
        for bits, name in zip((2, 4, 8), WEIGHTS, strict=True):
            w = trained().params[name][1]
            q = quantize.choose_qparams(w, bits, per, symmetric, how)
            ours = networks.coded(state, name, how, bits, seed=1).q
            np.testing.assert_array_equal(ours.scale, q.scale)
            np.testing.assert_array_equal(ours.zero_point, q.zero_point)


def test_units_are_calibrated_on_batches_of_training_images(found: Any) -> None:
    nets, X = trained(), SMALL.problem.data.train.X[:512]
    first = {n: p[0] for n, p in nets.params.items()}
    units = np.maximum(X @ first["weight1"].T + first["bias1"], 0)
    tops = units.reshape(8, 64, -1).max((1, 2))
    state = replace(SMALL, tensor="units1")
    assert networks.coded(state, "units1", MinMax(), 4).high == pytest.approx(tops.max(), rel=1e-5)
    average = tops[0]
    for top in tops[1:]:
        average = 0.9 * average + 0.1 * top
    assert networks.coded(state, "units1", MovingAverage(), 4).high == pytest.approx(average, rel=1e-5)
    assert networks.numbers(nets, "units1").shape == (270, 16)


def test_the_errors_are_those_of_the_numbers(found: Any) -> None:
    x = found.x
    for (i, _), method in found.methods.items():
        q = method.code.q
        back = quantize.dequantize(quantize.quantize(x, q), q)
        assert method.error == pytest.approx(((back - x) ** 2).mean() / (x**2).mean(), rel=1e-4)
        assert method.rounding <= float(q.scale) ** 2 / 4 / (x**2).mean() * 1.0001
        if isinstance(SMALL.ranges[i], MinMax):  # a half-step of the zero point at most
            assert method.clipping <= float(q.scale) ** 2 / 4 / (x**2).mean()
    assert len(found.methods) == len(SMALL.ranges) * len(BITS)


def test_rounding_and_clipping_pull_against_each_other(found: Any) -> None:
    rounding, clipping = finished(replace(SMALL, bits=3)).curve
    total = rounding + clipping
    assert 0.2 < SHARES[total.argmin()] < 0.98
    assert rounding[-1] > 3 * rounding[len(SHARES) // 3]
    assert clipping[0] > 0.5 > 1e-6 > clipping[-1]
    assert (np.diff(clipping) < 0.02).all()  # but for where a level falls
    here = {type(r): m for r, m in zip(SMALL.ranges, found.here, strict=True)}
    least = min(m.error for m in here.values())
    assert here[MSE].error <= 1.02 * least
    assert found.curve.sum(0).min() >= 0.98 * here[MSE].error


@pytest.mark.parametrize("how", [MinMax(), MSE(), Cut(0.5)])
def test_accuracies_of_weights_are_those_of_quantized_modules(found: Any, how: Any) -> None:
    images, bits = SMALL.problem.data.validation, 3
    for _ in networks.accuracy(SMALL, how, bits):
        pass
    right = networks.known_accuracy(SMALL, how, bits)
    assert right is not None
    recipe = quantize.WeightOnly(bits, per=PerTensor(), range=how, symmetric=False)
    for seed in range(2):
        layers = [torch.nn.Linear(*reversed(trained().params[name][seed].shape)) for name in WEIGHTS]
        for i, layer in enumerate(layers, start=1):
            layer.weight.data = torch.tensor(trained().params[f"weight{i}"][seed])
            layer.bias.data = torch.tensor(trained().params[f"bias{i}"][seed])
        a, b, c = layers
        net = torch.nn.Sequential(a, torch.nn.ReLU(), b, torch.nn.ReLU(), c).eval()
        said = quantize.quantize_model(net, recipe)(torch.tensor(images.X)).argmax(1).numpy()
        assert right[seed] == pytest.approx((said == images.y).mean(), abs=1.5 / len(images.y))


@pytest.mark.parametrize("symmetric", [False, True])
def test_accuracies_of_units_are_those_of_rounded_units(found: Any, symmetric: bool) -> None:
    state, how, bits = replace(SMALL, tensor="units2", symmetric=symmetric), Cut(0.6), 3
    for _ in networks.accuracy(state, how, bits):
        pass
    right = networks.known_accuracy(state, how, bits)
    assert right is not None
    images = SMALL.problem.data.validation
    for seed in range(2):
        params, x = {n: p[seed] for n, p in trained().params.items()}, images.X
        for i, name in enumerate(UNITS, start=1):
            x = np.maximum(x @ params[f"weight{i}"].T + params[f"bias{i}"], 0)
            x = quantize.fake_quantize(x, networks.coded(state, name, how, bits, seed).q)
        said = (x @ params["weight3"].T + params["bias3"]).argmax(1)
        assert right[seed] == pytest.approx((said == images.y).mean(), abs=1.5 / len(images.y))
    assert right.mean() < trained().accuracy.mean() + 0.05


def test_a_cut_is_a_range_like_the_others() -> None:
    x = np.array([-4.0, 0.5, 1.0])
    assert Cut(1.0)(x) == MinMax()(x) == (-4.0, 1.0)
    assert Cut(0.5)(x) == (-2.0, 1.0)
    assert Cut(0.1)(x) == pytest.approx((-0.4, 0.4))
    q = quantize.choose_qparams(x, 4, range=Cut(0.5))
    assert float(q.scale) == pytest.approx(3 / 15)


def test_dragging_is_by_hand_and_leaves_the_others(found: Any) -> None:
    lab = range_lab(hidden=16, steps=60, seeds=2, range=MSE())
    assert lab.point == {"numbers": ("clip", None), "curve": ("clip", None)}
    before = lab.result
    lab.set(clip=0.33)
    assert (lab.state.range, lab.state.chosen) == (ByHand(), Cut(0.33))
    changed = [
        i for i, b in before.methods if b == 4 and before.methods[i, b] is not lab.result.methods[i, b]
    ]
    assert changed == [0]
    assert lab.set(clip=-0.4).state.clip == 0.4
    took = []
    for clip in np.linspace(0.2, 0.9, 8):
        start = time.process_time()
        lab.set(clip=float(clip))
        took.append(time.process_time() - start)
    assert np.median(took) < 0.3


def test_entropy_and_units_have_one_scale_a_tensor(found: Any) -> None:
    lab = range_lab(hidden=16, steps=60, seeds=2, per=PerChannel(0))
    assert "Entropy is left out" in lab.text()
    assert Entropy() not in lab.state.ranges
    assert lab.result.unit.shape == (16,)
    assert lab.fixed(lab.state) == ()
    lab.set(range=Entropy())
    assert lab.state.grain == PerTensor()
    assert lab.fixed(lab.state) == ("per",)
    assert "so it has one scale for a tensor" in lab.text()
    assert lab.fixed(lab.set(range=MinMax(), tensor="units1").state) == ("per",)


def test_a_range_of_ones_own_takes_its_kinds_place() -> None:
    ranges = RangeState(range=Percentile(0.9)).ranges
    assert Percentile(0.9) in ranges
    assert Percentile() not in ranges
    assert len(ranges) == len(RangeState().ranges)


def test_the_words_tell_the_numbers(found: Any) -> None:
    lab = range_lab(hidden=16, steps=60, seeds=2, bits=3, range=MSE())
    said, i, method = lab.text(), lab.result.chosen, lab.result.here[lab.result.chosen]
    assert f"3 bits, MSE: the error is {100 * method.error:.3g} % of the mean square" in said
    right = 100 * lab.result.accuracy[i, 3].mean()
    assert f"With all weights in this code {right:.1f} % of the validation images are right" in said
    assert "their moving average is min–max" in said
    assert "256 weights of layer 2" in said
    assert not re.search(r"-\d", said)
    table = lab.table(lab.result)
    assert list(table.columns[:2]) == ["range", "bits"]
    assert len(table) == 6 * 7
    assert not table.isna().any(axis=None)


def test_what_does_not_fit_is_refused() -> None:
    for fields, rule in (
        ({"per": PerGroup(24)}, "PerGroup.size must be a divisor"),
        ({"per": 3}, "per must be PerTensor"),
        ({"range": "widest"}, "range must be one of optviz.quantize"),
        ({"tensor": "weight9"}, "RangeState.tensor must be one of"),
        ({"clip": 1.5}, "RangeState.clip must be in"),
    ):
        with pytest.raises(ValueError, match=re.escape(rule)):
            RangeState(**fields)  # type: ignore[arg-type]
