"""The quantization explorer without a page: what is measured, remembered, timed, told and refused."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import numpy as np
import pytest
import torch
from cachetools import LRUCache

from optviz import data, deploy, evaluation, models, problems, quantization_lab, quantize, recipes
from optviz.ledger import Latency
from optviz.optimizers import SGD
from optviz.quantize import PerGroup, PerTensor
from optviz.training import Run, train
from optviz.widgets import Explorer
from optviz.widgets.quantization import runtimes, telling
from optviz.widgets.quantization.compute import BUDGETS, COUNTS
from optviz.widgets.quantization.draw import PLAIN, place
from optviz.widgets.quantization.networks import calibration
from optviz.widgets.quantization.state import BITS, BY_HAND, FLOATS, GREEDY, LabState

computing = import_module("optviz.widgets.quantization.compute")
networks = import_module("optviz.widgets.quantization.networks")
CNN = "CNN, digits"


@pytest.fixture(autouse=True)
def _brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times are taken with few repeats."""
    monkeypatch.setattr(runtimes, "REPEATS", 3)


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is remembered."""
    for place_, name in ((networks, "_trained"), (computing, "_scans"), (computing, "_found")):
        monkeypatch.setattr(place_, name, LRUCache(600))


def quick(**settings: Any) -> Explorer:
    return quantization_lab(**{"steps": 60, "seeds": 2} | settings)


def by_hand(seed: int) -> tuple[dict[str, np.ndarray], torch.nn.Module]:
    """The network of a seed, trained without the explorer."""
    found = train(problems.digits((64, 64)), [Run(SGD(0.9), 0.05)], 60, seed=(0, 1)).params
    own = {name: p[seed] for name, p in found.items()}
    net = models.MLP((64, 64, 64, 10), generator=torch.Generator())
    net.load_state_dict({n: torch.tensor(p) for n, p in zip(net.state_dict(), own.values(), strict=True)})
    return own, net.eval()


def right(net: Any) -> float:
    test = data.digits().test
    with torch.no_grad():
        return float(evaluation.accuracy(net(torch.tensor(test.X, dtype=torch.float32)).numpy(), test.y))


def test_a_number_is_what_the_rooms_say() -> None:
    lab = quick(bits=3, activation_bits=4, calibration=20)
    result = lab.result
    for seed in range(2):
        _, net = by_hand(seed)
        pixels = data.digits().train.X
        few = pixels[np.random.default_rng(seed).permutation(len(pixels))[:20]]
        small = quantize.quantize_model(net, quantize.Static(3, activation_bits=4), [few])
        assert result.chosen.accuracy[0, seed] == pytest.approx(right(small))
        assert result.chosen.total[0, seed] == quantize.bytes_of(small)
        assert result.full.accuracy[0, seed] == pytest.approx(right(net))
        assert result.full.total[0, seed] == quantize.bytes_of(net)
        alone = quantize.quantize_model(net, quantize.WeightOnly(3))
        assert result.alone.accuracy[1, seed] == pytest.approx(right(alone))
    np.testing.assert_array_equal(result.uniform.accuracy[1], result.chosen.accuracy[0])
    weights, scales, biases = result.chosen.bytes[0, 0]
    assert weights == (64 * 64 + 64 * 64 + 640) * 3 / 8
    assert biases == 4 * 138
    assert scales == 4 * 138 + 3 * 5  # and the code of each layer's inputs


def test_the_scan_is_that_of_the_recipe() -> None:
    params, _ = by_hand(1)
    whole = recipes.bit_scan(problems.digits((64, 64)), params, BITS)
    found = quick().result.scans[1]
    assert (found.layers, found.sizes, found.scales) == (whole.layers, whole.sizes, whole.scales)
    assert (found.rest, found.full[0]) == (whole.rest, pytest.approx(whole.full[0]))
    np.testing.assert_allclose(found.accuracy, whole.accuracy)
    np.testing.assert_allclose(found.loss, whole.loss, rtol=1e-5)


def test_the_greedy_plan_takes_no_more_bytes_than_all_layers_alike() -> None:
    lab = quick(plan=GREEDY, bits=3, activations=FLOATS)
    result = lab.result
    for seed, scan in enumerate(result.scans):
        room = scan.bytes[:, 1].sum() + 4 * scan.rest
        assert room == result.uniform.total[1, seed]
        found = recipes.mixed_bits(scan, room)
        assert tuple(result.chosen.bits[0, seed]) == tuple(b for _, b in found.bits)
        assert result.chosen.total[0, seed] == found.bytes <= room
    for row, budget in enumerate(BUDGETS):
        if budget in BITS:
            assert (result.greedy.total[row] <= result.uniform.total[BITS.index(int(budget))]).all()
    assert lab.set(bits=8).result.chosen.bits.min() == 8
    assert "with the bytes of 8 bits everywhere" in lab.verdict(lab.result)


def test_layers_by_hand_and_layers_left_alone() -> None:
    lab = quick(plan=BY_HAND, first=8, middle=2, last=32)
    assert lab.fixed(lab.state) == ("bits",)
    recipe = lab.state.recipe(("0", "2", "4"), lab.state.own)
    assert (recipe.layers, recipe.skip) == ((("0", 8), ("2", 2)), ("4",))
    assert "Layers of 8, 2, fp32 bits" in lab.verdict(lab.result)
    weights = lab.result.chosen.bytes[0, 0, 0]
    assert weights == 4096 + 1024 + 4 * 640
    lab.set(first=32, middle=32)
    np.testing.assert_array_equal(lab.result.chosen.accuracy, lab.result.full.accuracy)
    np.testing.assert_array_equal(lab.result.chosen.bytes, lab.result.full.bytes)
    assert "no difference, in 100 % of the bytes" in lab.verdict(lab.result)
    assert place(32) == PLAIN


def test_what_was_done_is_remembered(fresh: None) -> None:
    lab = quick()
    assert (lab.result.fresh, lab.result.quantized) == (2, 2 * (1 + 7 + 7 + 9 + 10) - known(lab))
    assert (lab.set(bits=5).result.fresh, lab.result.quantized) == (0, 2 * (len(COUNTS) - 1))
    assert lab.set(bits=4).result.quantized == 0
    assert lab.set(seeds=3).result.fresh == 1, "only the new seed is trained"
    other = lab.set(seeds=2, calibration=64).result
    assert (other.fresh, other.quantized > 0) == (0, True)
    assert "the others remembered" in lab.status(other)


def known(lab: Explorer) -> int:
    """Networks that two pictures have in common."""
    result, shared = lab.result, 0
    for seed in range(2):
        alike = {(b,) * 3 for b in BITS}
        greedy = [tuple(bits) for bits in result.greedy.bits[:, seed].astype(int)]
        shared += len(greedy) - len(set(greedy) - alike)
        shared += 1  # 128 images are the chosen calibration
    return shared


def test_calibration_images_are_training_images_of_the_seeds_own_order() -> None:
    batches = calibration("MLP 64-64, digits", 3, 100)
    assert [len(b) for b in batches] == [64, 36]
    seen, pixels = torch.cat(batches).numpy(), data.digits().train.X
    np.testing.assert_allclose(seen, pixels[np.random.default_rng(3).permutation(len(pixels))[:100]])
    few = torch.cat(calibration("MLP 64-64, digits", 3, 10)).numpy()
    np.testing.assert_array_equal(few, seen[:10])


@pytest.mark.parametrize("activations", [FLOATS, "dynamic"])
def test_without_calibration(activations: str) -> None:
    lab = quick(activations=activations)
    assert {"calibration", "activation_range"} <= set(lab.fixed(lab.state))
    assert np.isnan(lab.result.counts.accuracy).all()
    assert np.isnan(lab.result.alone.accuracy).all() == (activations == FLOATS)
    assert f"{activations.capitalize()} activations need no calibration" in lab.text()
    assert "calibration images" not in set(telling.as_table(lab.result)["plan"])


def test_times_are_those_of_eight_bits(fresh: None) -> None:
    lab = quick(bits=8, seeds=1)
    times = lab.result.times
    eager, simulated, *_ = times.forms
    assert eager.batch == runtimes.TIMED
    assert simulated.median > 2 * eager.median
    full, plain = lab.result.full.accuracy[0, 0], lab.result.chosen.accuracy[0, 0]
    assert times.right[:3] == pytest.approx((full, plain, full))
    assert abs(times.right[3] - plain) < 0.02, "the engine computes what was simulated"
    source, int8 = times.files
    assert int8 < 0.5 * source
    assert "ONNX Runtime int8" in lab.pictures()["times"].sentence
    assert lab.set(bits=2, activation_bits=3).result.times is times
    assert lab.set(per=PerTensor()).result.times is not times


@pytest.mark.parametrize("kind", ["MLP", CNN])
def test_the_onnx_files_compute_what_the_network_does(kind: str) -> None:
    chance: Any = {"generator": torch.Generator().manual_seed(0)}
    net = (models.SmallCNN(1, 8, 10, **chance) if kind == CNN else models.MLP((64, 20, 10), **chance)).eval()
    x = torch.rand(7, 64, generator=torch.Generator().manual_seed(1))
    run = deploy.session(runtimes.chained(net))
    with torch.no_grad():
        torch.testing.assert_close(run(x), net(x), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(run(x[:1]), net(x[:1]), rtol=1e-5, atol=1e-5)


def test_a_missing_engine_is_told(fresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "_times", LRUCache(9))
    monkeypatch.setattr(deploy, "available", lambda: {"onnx": None, "onnxruntime": "1.0"})
    lab = quick(seeds=1)
    assert not lab.result.times.engine
    monkeypatch.setattr(deploy, "available", lambda: {"onnx": "1.0"})
    monkeypatch.setattr(runtimes, "_files", LRUCache(9))
    monkeypatch.setitem(sys.modules, "onnxruntime.quantization", None)
    assert not lab.set(symmetric=False).result.times.engine, "installed, but broken"
    assert "pip install 'optviz[onnx]'" in lab.pictures()["times"].sentence
    assert "pip install 'optviz[onnx]'" in lab.verdict(lab.result)


def test_a_convolutional_network() -> None:
    result = quick(network=CNN, steps=4, seeds=1).result
    assert result.scans[0].sizes == (144, 4608, 1280)
    assert result.chosen.bytes[0, 0, 0] == (144 + 4608 + 1280) / 2
    assert result.times.engine


def test_nothing_is_claimed_where_quartiles_overlap() -> None:
    fast, slow, wide = (
        Latency(m, low, high, 1, 64, 15)
        for m, low, high in ((1e-4, 9e-5, 1.1e-4), (4e-4, 3e-4, 5e-4), (2e-4, 1e-4, 6e-4))
    )
    assert "4.0 times as fast" in telling._faster("engine", fast, slow)
    assert "takes 4.0 times as long" in telling._faster("own", slow, fast)
    assert "overlap" in telling._faster("engine", wide, slow)
    assert "4.0 times as long as fp32" in telling._faster("simulated", slow, fast)


def test_groups_of_weights() -> None:
    lab = quick(per=PerGroup(16))
    parts = lab.result.chosen.bytes[0, 0]
    assert parts[1] == 4 * (4096 + 4096 + 640) / 16 + 15
    fine = lab.result.uniform.accuracy[0].mean()
    assert fine > lab.set(per=PerTensor()).result.uniform.accuracy[0].mean()


def test_half_done_pictures_say_so() -> None:
    lab = quantization_lab(steps=61, seeds=1)
    first = next(iter(lab.stream()))
    pictures = lab.draw(first, ())
    assert all("61 updates" in pictures[name].sentence for name in ("curve", "pareto", "layers", "bytes"))
    assert pictures["times"].empty


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bits": 9}, r"LabState\.bits must be in \[2, 8\], got 9"),
        ({"middle": 1}, r"LabState\.middle must be one of \[2, 3, 4, 5, 6, 7, 8, 32\], got 1"),
        ({"per": PerGroup(24)}, "LabState.per must be a group size that divides 64 neighbors"),
        ({"per": PerGroup(16), "network": CNN}, "a group size that divides 3 neighbors"),
        ({"plan": "guess"}, "LabState.plan must be one of"),
    ],
)
def test_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        quantization_lab(**settings)


@pytest.mark.parametrize("settings", [{"per": 8}, {"range": "min"}, {"activation_range": PerTensor()}])
def test_refused_kinds(settings: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=f"LabState.{next(iter(settings))} must be a"):
        LabState(**settings)
