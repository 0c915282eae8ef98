"""Training with few bits: torch's fake quantization, the closed forms under autograd, rows as single runs."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from optviz import optimizers, problems
from optviz.quantize import MSE, PerGroup, PerTensor, choose_qparams, fake_quantize, lsq_ends
from optviz.recipes import FewBits, LearnedSteps, RoundedUnits, qat
from optviz.training import Run, train

DIGITS = problems.digits(hidden=(12, 9), batch=32)
RUN = Run(optimizers.SGD(0.9), 0.03)
RNG = np.random.default_rng(0)


def test_an_update_is_that_of_torchs_fake_quantization() -> None:
    problem = problems.digits(hidden=(), batch=32)
    start, bits = problem.init(np.random.default_rng(1)), 4
    X, y = next(problem.batches(np.random.default_rng(np.random.SeedSequence(0).spawn(2)[0])))
    weight, bias = (torch.tensor(start[n], requires_grad=True) for n in ("weight1", "bias1"))
    scale = weight.detach().abs().amax(1) / 7
    zero = torch.zeros(len(scale), dtype=torch.int32)
    seen = torch.fake_quantize_per_channel_affine(weight, scale, zero, 0, -7, 7)
    np.testing.assert_allclose(
        FewBits((bits,))({"weight1": start["weight1"][None]})["weight1"][0], seen.detach(), atol=1e-7
    )
    loss = F.cross_entropy(F.linear(torch.tensor(X), seen, bias), torch.tensor(y))
    loss.backward()
    kept: dict[str, Any] = {}

    def keep(params: Any, lr: Any) -> Any:
        kept.update({n: p.copy() for n, p in params.items()})
        return params

    plain = Run(optimizers.SGD(), 0.5)
    h = train(problem, [plain], 1, params=start, view=FewBits((bits,)), project=keep)
    assert h["loss"][0, 0] == pytest.approx(loss.item(), rel=1e-5)
    for name, p in (("weight1", weight), ("bias1", bias)):
        np.testing.assert_allclose(kept[name][0], (p - 0.5 * p.grad).detach(), atol=1e-6)


@pytest.mark.parametrize("make", [LearnedSteps, lambda p: RoundedUnits(p, 3)], ids=["steps", "units"])
def test_closed_forms_are_those_of_autograd(make: Any) -> None:
    problem = make(DIGITS)
    start = problem.init(np.random.default_rng(2))
    if isinstance(problem, LearnedSteps):
        start = {
            n: p[0] for n, p in problem.begin({n: start[n][None] for n in DIGITS.init(RNG)}, (3,)).items()
        }
    else:
        start["layer2.units"] = start["layer2.units"] * np.array([0.6, 1], np.float32)  # so that it clips
    batch = next(problem.batches(np.random.default_rng(3)))
    loss, grads = problem.loss_and_grad({n: p[None] for n, p in start.items()}, batch)
    leaves = {n: torch.tensor(p, requires_grad=True) for n, p in start.items()}
    value = problem.loss(leaves, tuple(map(torch.tensor, batch)))
    assert loss[0] == pytest.approx(value.item(), rel=1e-5)
    found = torch.autograd.grad(value, list(leaves.values()))
    for name, slope in zip(leaves, found, strict=True):
        if name.endswith((".bits", ".units")):
            assert (grads[name] == 0).all()
            assert (slope == 0).all()
        else:
            np.testing.assert_allclose(grads[name][0], slope, atol=2e-6, err_msg=name)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_units_are_rounded_as_torch_rounds(activation: str) -> None:
    from optviz.activations import ReLU, Tanh
    from optviz.recipes.rounded_units import _rounded, _straight

    problem = problems.digits((12,), activation={"relu": ReLU(), "tanh": Tanh()}[activation])
    params = {n: p[None] for n, p in problem.init(RNG).items()}
    code = RoundedUnits(problem, 4).observe(params)["layer2.units"][0]
    units = problem.layers(params, problem.data.train.X[:512])[0].active[0]
    expected = choose_qparams(units, 4)
    assert float(code[0]) == pytest.approx(float(expected.scale), rel=1e-6)
    assert float(code[1]) == expected.zero_point
    x = torch.tensor(2 * units, requires_grad=True)  # half of it outside
    s, zero = float(code[0]), int(code[1])
    mine, theirs = _straight(x, s, zero, 15), torch.fake_quantize_per_tensor_affine(x, s, zero, 0, 15)
    np.testing.assert_allclose(mine.detach(), theirs.detach(), atol=1e-6)
    slopes = [torch.autograd.grad(y.sum(), x)[0] for y in (mine, theirs)]
    assert torch.equal(*slopes)
    assert 0 < float(slopes[0].mean()) < 1
    np.testing.assert_allclose(_rounded(units, s, zero, 15)[0], fake_quantize(units, expected), atol=1e-5)


@pytest.mark.parametrize(
    "options", [{}, {"units": 4}, {"learned": True}, {"learned": True, "units": 8}], ids=str
)
def test_rows_are_single_runs(options: dict[str, Any]) -> None:
    bits = (8, 2) if "learned" in options else (8, 2, "ternary", "binary")
    *_, many = qat(DIGITS, RUN, bits, 8, seed=(1, 0), every=4, **options)
    for i, b in enumerate(bits):
        *_, alone = qat(DIGITS, RUN, (b,), 8, seed=0, every=4, **options)
        for name, p in alone.params.items():
            assert np.array_equal(many.params[name][2 * i + 1], p[0]), name
        for mine, other in ((many.trained, alone.trained), (many.after, alone.after)):
            assert mine["validation_loss"][2 * i + 1] == other["validation_loss"][0]


@pytest.mark.parametrize("learned", [False, True])
def test_weights_are_on_their_levels(learned: bool) -> None:
    *_, last = qat(DIGITS, RUN, (6, 3, 2), 15, learned=learned, every=15)
    for k, bits in enumerate((6, 3, 2)):
        for name in ("weight1", "weight2", "weight3"):
            most = max(len(np.unique(row)) for row in last.params[name][k])
            assert most <= (2**bits if learned else 2**bits - 1)
    assert len(np.unique(last.params["weight1"][0, 0])) > 10


def test_training_with_two_bits_beats_rounding_to_them() -> None:
    seeds = (0, 1, 2)
    base = train(problems.digits(), [Run(optimizers.SGD(0.9), 0.1)], 150, seed=seeds, every=150)
    *_, last = qat(
        problems.digits(), RUN, (8, 2), 100, seed=seeds, params=base.params, learned=True, every=100
    )
    trained, after = (each["validation_accuracy"].reshape(2, 3) for each in (last.trained, last.after))
    full = last.full["validation_accuracy"]
    assert trained[0].mean() > after[0].mean() - 0.01
    assert after[0].mean() > full.mean() - 0.01
    assert (trained[1] > after[1] + 0.1).all()
    assert trained[1].mean() > 0.85


def test_three_and_two_levels_learn() -> None:
    *_, last = qat(problems.digits(), RUN, ("ternary", "binary"), 150, every=150)
    trained, after = last.trained["validation_accuracy"], last.after["validation_accuracy"]
    assert (trained > after).all()
    assert trained[0] > 0.85
    assert trained[1] > 0.75


def test_before_the_first_update_both_are_the_same_rounded_network() -> None:
    first = next(iter(qat(DIGITS, RUN, (4, "binary"), 10, units=5)))
    assert first.step == 0
    assert first.loss.shape == (2, 0)
    assert np.array_equal(first.trained["validation_loss"], first.after["validation_loss"])


def test_beside_it_is_ordinary_training() -> None:
    *_, last = qat(DIGITS, RUN, (8,), 20, seed=(3, 4), every=20)
    h = train(DIGITS, [RUN], 20, seed=(3, 4))
    assert np.array_equal(last.full["validation_loss"], h["validation_loss"][:, -1])
    q = choose_qparams(h.params["weight1"], (8, 8), FewBits((8,)).per, symmetric=True)
    rounded = {**h.params, "weight1": fake_quantize(h.params["weight1"], q)}
    for name in ("weight2", "weight3"):
        q = choose_qparams(h.params[name], (8, 8), FewBits((8,)).per, symmetric=True)
        rounded[name] = fake_quantize(h.params[name], q)
    np.testing.assert_array_equal(last.after["validation_loss"], DIGITS.metrics(rounded)["validation_loss"])


def test_ranges_of_units_are_frozen_late() -> None:
    found = [dict(now.params) for now in qat(DIGITS, RUN, (8,), 40, units=8, freeze=0.5, every=5)]
    codes = [np.asarray(p["layer2.units"]).copy() for p in found]
    moved = [not np.array_equal(a, b) for a, b in pairwise(codes)]
    assert any(moved[:5])
    assert not any(moved[5:])  # what was observed after 20 updates holds for good


def test_bits_stay_whole_and_steps_positive_under_weight_decay() -> None:
    problem = LearnedSteps(DIGITS, PerTensor())
    start = {n: p[None] for n, p in DIGITS.init(RNG).items()}
    run = Run(optimizers.AdamW(weight_decay=0.5), 0.3)
    h = train(problem, [run], 30, params=problem.begin(start, (3,)))
    assert h.params["weight1.bits"].tolist() == [[3.0]]
    assert (h.params["weight1.step"] > 0).all()


@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize("network", ["linear", "convolutional"])
def test_networks_in_torch(network: str, learned: bool) -> None:
    images = problems.digits().data
    module: Any = torch.nn.Sequential(torch.nn.Linear(64, 8), torch.nn.ReLU(), torch.nn.Linear(8, 10))
    problem = (
        problems.from_module(module, images.train.X, images.train.y)
        if network == "linear"
        else problems.convolutional(problems.digits())
    )
    *_, last = qat(problem, RUN, (8, 3), 4, units=6, learned=learned, every=2)
    assert last.done
    assert np.isfinite(last.loss).all()
    weights = {n: p for n, p in last.params.items() if n.endswith("weight")}
    for p in weights.values():
        assert max(len(row.unique()) for row in p[1].flatten(1)) <= 8
    names = [n for n in last.params if n.endswith(".units")]
    assert len(names) == len(weights) - 1
    hooks = [m._forward_pre_hooks for m in problem.module.modules()]
    assert not any(hooks)


def test_a_row_that_diverges_stays_alone() -> None:
    w = np.ones((3, 2, 4), np.float32) * np.array([1, np.nan, 2])[:, None, None]
    seen = FewBits(("ternary", "ternary", 4))({"w": w})["w"]
    assert np.isnan(seen[1]).all()
    np.testing.assert_array_equal(seen[[0, 2]], w[[0, 2]])


def test_groups_and_ranges() -> None:
    w = RNG.normal(size=(2, 3, 8))
    view = FewBits(("binary", 4), PerGroup(4), MSE())
    seen = view({"w": w})["w"]
    groups = w[0].reshape(3, 2, 4)
    expected = np.where(groups >= 0, 1, -1) * abs(groups).mean(-1, keepdims=True)
    np.testing.assert_allclose(seen[0], expected.reshape(3, 8))
    q = choose_qparams(w[1], 4, PerGroup(4), symmetric=True, range=MSE())
    np.testing.assert_allclose(seen[1], fake_quantize(w[1], q))
    assert np.array_equal(view.of_rows([1])({"w": w[1:]})["w"], seen[1:])


def test_the_table() -> None:
    *_, last = qat(DIGITS, RUN, (8, "ternary"), 6, seed=(0, 1), every=6)
    table = last.to_frame()
    assert table["bits"].tolist() == ["8 bits", "8 bits", "ternary", "ternary"]
    assert table["seed"].tolist() == [0, 1, 0, 1]
    assert not table.isna().any().any()
    full = table["validation_loss full"].to_numpy().reshape(2, 2)
    assert np.array_equal(full[0], full[1])
    assert last.rows("ternary") == [2, 3]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"bits": (1,)}, "qat.bits must be whole numbers in"),
        ({"bits": ("quaternary",)}, "qat.bits must be whole numbers in"),
        ({"bits": ()}, "at least one"),
        ({"bits": ("binary",), "learned": True}, "qat.bits must be whole numbers where steps are learned"),
        ({"freeze": 1.5}, r"qat.freeze must be in \[0, 1\]"),
        ({"units": 0}, "RoundedUnits.bits must be"),
        ({"learned": True, "per": PerGroup(1)}, "lsq_start.per must be"),
    ],
)
def test_bad_input(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        next(qat(DIGITS, RUN, **{"steps": 4, **options}))


def test_what_units_can_be_rounded_in() -> None:
    with pytest.raises(TypeError, match="fully connected or of a module"):
        RoundedUnits(LearnedSteps(DIGITS))
    with pytest.raises(ValueError, match=r"FewBits\.bits must be for 2 rows"):
        train(DIGITS, [RUN] * 2, 2, view=FewBits((4,)))
    low, high = lsq_ends(np.array([3]))
    assert (low, high) == (-4, 3)
