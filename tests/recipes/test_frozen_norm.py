"""Batch norm beside few bits: torch's own layers, the folded network, statistics that freeze late."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from optviz import normalize, optimizers, problems
from optviz.quantize import PerChannel, PerGroup, PerTensor
from optviz.recipes import FewBits, FoldedBits, FrozenNorm, ptq, qat
from optviz.training import Run, train

DIGITS = problems.digits(hidden=(12, 9), batch=32, norm=normalize.BatchNorm())
RUN = Run(optimizers.SGD(0.9), 0.03)


def drawn(frozen: float, rows: int = 1) -> dict[str, Any]:
    """Rows of weights with gains of both signs and statistics that are not those of any batch."""
    random, problem = np.random.default_rng(5), FrozenNorm.of(DIGITS)
    one = problem.init(random)
    for i, n in enumerate(DIGITS.hidden, 1):
        one[f"gain{i}"] = random.normal(1, 0.8, n).astype(np.float32)
        one[f"norm{i}"] = np.stack([random.normal(0, 0.3, n), random.uniform(0.5, 2, n)]).astype(np.float32)
    one["norm.frozen"] += np.float32(frozen)
    return {name: np.stack([p] * rows) for name, p in one.items()}


@pytest.mark.parametrize("frozen", [0.0, 1.0])
@pytest.mark.parametrize("per", [PerTensor(), PerChannel(0)], ids=["tensor", "channel"])
def test_an_update_is_that_of_plain_torch(per: Any, frozen: float) -> None:
    problem = FrozenNorm.of(problems.digits((12,), 32, norm=normalize.BatchNorm()))
    random = np.random.default_rng(1)
    start = problem.init(random)
    start["gain1"] = random.normal(1, 0.8, 12).astype(np.float32)
    start["norm1"] = np.stack([random.normal(0, 0.3, 12), random.uniform(0.5, 2, 12)]).astype(np.float32)
    start["norm.frozen"] += np.float32(frozen)
    X, y = next(problem.batches(np.random.default_rng(np.random.SeedSequence(0).spawn(2)[0])))
    leaves = {n: torch.tensor(p, requires_grad=True) for n, p in start.items()}
    mean, var = torch.tensor(start["norm1"])
    f = (leaves["gain1"] / (var + 1e-5).sqrt()).detach()[:, None]
    seen = []
    for weight, factor in ((leaves["weight1"], f), (leaves["weight2"], torch.ones(1))):
        folded = weight.detach() * factor
        top = folded.abs().amax() if per == PerTensor() else folded.abs().amax(1)
        scale = (top / 7).expand(len(folded)).contiguous()
        zero = torch.zeros(len(scale), dtype=torch.int32)
        rounded = torch.fake_quantize_per_channel_affine(folded, scale, zero, 0, -7, 7) / factor
        seen.append(weight + (rounded - weight).detach())  # straight through
    z = F.linear(torch.tensor(X), seen[0], leaves["bias1"])
    z = F.batch_norm(z, mean.clone(), var.clone(), leaves["gain1"], leaves["shift1"], training=not frozen)
    loss = F.cross_entropy(F.linear(F.relu(z), seen[1], leaves["bias2"]), torch.tensor(y))
    loss.backward()
    view = FoldedBits(FewBits((4,), per, of=("weight1", "weight2")), 1e-5)
    kept: dict[str, Any] = {}

    def keep(params: Any, lr: Any) -> Any:
        kept.update({n: p.copy() for n, p in params.items()})
        return params

    h = train(problem, [Run(optimizers.SGD(), 0.5)], 1, params=start, view=view, project=keep)
    assert h["loss"][0, 0] == pytest.approx(loss.item(), rel=1e-5)
    for name, leaf in leaves.items():
        slope = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
        np.testing.assert_allclose(kept[name][0], (leaf - 0.5 * slope).detach(), atol=3e-6, err_msg=name)


@pytest.mark.parametrize("frozen", [0.0, 1.0])
def test_the_closed_form_is_that_of_autograd(frozen: float) -> None:
    problem, start = FrozenNorm.of(DIGITS), drawn(frozen)
    batch = next(problem.batches(np.random.default_rng(3)))
    loss, grads = problem.loss_and_grad(start, batch)
    leaves = {n: torch.tensor(p[0], requires_grad=True) for n, p in start.items()}
    value = problem.loss(leaves, tuple(map(torch.tensor, batch)))
    assert loss[0] == pytest.approx(value.item(), rel=1e-5)
    for name, slope in zip(leaves, torch.autograd.grad(value, list(leaves.values())), strict=True):
        np.testing.assert_allclose(grads[name][0], slope, atol=3e-6, err_msg=name)
        assert (abs(grads[name]).max() == 0) == name.startswith("norm") or name.startswith("bias")


def test_in_use_it_is_a_network_without_norm_and_with_weights_on_levels() -> None:
    *_, last = qat(DIGITS, RUN, (8, 3), 30, seed=(0, 1), every=5)
    kept = FrozenNorm.of(DIGITS)
    folded, bare = kept.folded(last.params), replace(DIGITS, norm=None)
    assert set(folded) == set(bare.init(np.random.default_rng(0)))
    for name, values in bare.metrics(folded).items():
        np.testing.assert_allclose(values, last.trained[name], rtol=1e-5, err_msg=name)
    for row in (2, 3):
        for outputs in (folded["weight1"][row], folded["weight3"][row]):
            steps = outputs / (abs(outputs).max(1, keepdims=True) / 3)
            np.testing.assert_allclose(steps, steps.round(), atol=1e-4)


def test_folding_passes_through_scales_of_outputs_and_not_through_a_common_one() -> None:
    params = drawn(0.0, 2)
    params["gain1"][:, 3] = 0.0
    for per, same in ((PerChannel(0), True), (PerGroup(8), True), (PerTensor(), False)):
        bits = FewBits((3, "ternary"), per, of=("weight1",))
        folded, plain = FoldedBits(bits, 1e-5)(params)["weight1"], bits(params)["weight1"]
        assert np.isfinite(folded).all()
        close = np.isclose(folded, plain, atol=1e-6)
        assert close.all() if same else not close.all()
        assert np.array_equal(
            FoldedBits(bits, 1e-5).of_rows([1])({n: p[1:] for n, p in params.items()})["weight1"], folded[1:]
        )


@pytest.mark.parametrize("options", [{}, {"learned": True}, {"units": 4}], ids=str)
def test_statistics_are_observed_first_and_frozen_late(options: dict[str, Any]) -> None:
    found = [
        {n: np.array(p) for n, p in now.params.items()}
        for now in qat(DIGITS, RUN, (4,), 40, every=5, **options)
    ]
    moved = [not np.array_equal(a["norm1"], b["norm1"]) for a, b in pairwise(found)]
    assert all(moved[:4])
    assert not any(moved[4:])  # what was observed after 20 updates holds for good
    assert [p["norm.frozen"].item() for p in found] == [0.0] * 5 + [1.0] * 4
    frozen = [
        now.params["norm.frozen"].item() for now in qat(DIGITS, RUN, (4,), 10, every=5, freeze=0, **options)
    ]
    assert frozen == [1.0] * 3
    population = FrozenNorm.of(DIGITS).observe(found[2])["norm1"]
    if "units" not in options:
        np.testing.assert_allclose(found[2]["norm1"], population, rtol=1e-5)


def test_rounding_after_training_keeps_the_statistics_of_before() -> None:
    start = {n: p for n, p in drawn(0.0).items() if not n.startswith("norm")}
    seen, rounded = ptq(DIGITS, start, (16, 2))
    full = DIGITS.metrics(start)
    assert seen.metrics(rounded)["validation_loss"][0] == pytest.approx(full["validation_loss"][0], rel=1e-2)
    np.testing.assert_array_equal(rounded["norm2"][0], rounded["norm2"][1])
    first = next(iter(qat(DIGITS, RUN, (16, 2), 10, params={n: p[0] for n, p in start.items()})))
    np.testing.assert_array_equal(first.after["validation_loss"], seen.metrics(rounded)["validation_loss"])


def test_rows_are_single_runs() -> None:
    *_, many = qat(DIGITS, RUN, (8, 2), 8, seed=(1, 0), every=2, units=6, per=PerTensor())
    for i, b in enumerate((8, 2)):
        *_, alone = qat(DIGITS, RUN, (b,), 8, seed=0, every=2, units=6, per=PerTensor())
        for name, p in alone.params.items():
            np.testing.assert_array_equal(many.params[name][2 * i + 1], p[0], err_msg=name)


def test_two_bits_are_learned_beside_batch_norm() -> None:
    problem, seeds = problems.digits((32,), norm=normalize.BatchNorm()), (0, 1, 2)
    base = train(problem, [RUN], 150, seed=seeds, every=150)
    *_, last = qat(problem, RUN, (4, 2), 100, seed=seeds, params=base.params, learned=True, every=10)
    trained, after = (each["validation_accuracy"].reshape(2, 3) for each in (last.trained, last.after))
    assert trained[0].mean() > last.full["validation_accuracy"].mean() - 0.02
    assert (trained[1] > after[1] + 0.05).all()


def test_bad_input() -> None:
    with pytest.raises(ValueError, match=r"qat\.per must be PerChannel\(0\) where steps are learned"):
        qat(DIGITS, RUN, (4,), 4, learned=True, per=PerTensor())
    with pytest.raises(TypeError, match=r"FrozenNorm\.norm must be BatchNorm"):
        FrozenNorm.of(problems.digits((8,), norm=normalize.LayerNorm()))
    *_, last = qat(problems.digits((8,), norm=normalize.LayerNorm()), RUN, (4,), 4, every=4)
    assert "norm1" not in last.params
