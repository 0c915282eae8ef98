"""The facts that the lessons on pruning state, each with its number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import prune as torch_prune

from optviz import ledger, models, problems, prune, regularize
from optviz.optimizers import SGD, Adam
from optviz.training import Run, train

X, Y = torch.linspace(-3, 3, 640).reshape(64, 10).sin(), torch.arange(64) % 5


def layer() -> nn.Linear:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Linear(10, 5)


def update(module: nn.Module, optimizer: Any, times: int = 5) -> None:
    for _ in range(times):
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(X), Y).backward()
        optimizer.step()


# Zeros that don't last


def test_a_weight_zeroed_once_moves_again_without_any_gradient() -> None:
    """By what the velocity still holds: with SGD lr·β·b, and in the end lr·b·β/(1 − β), nine times lr·b."""
    p, g, lr = np.array([[0.4]]), np.array([[1.0]]), 0.1
    for rule, first, total in ((SGD(0.9), -0.09, -0.9), (Adam(), -0.0670, -0.5006)):
        _, state = rule.update(g, rule.init(p), p, lr, 0)
        w = [np.zeros_like(p)]
        for step in range(1, 200):
            delta, state = rule.update(0 * g, state, w[-1], lr, step)
            w.append(w[-1] + delta)
        assert w[1].item() == pytest.approx(first, abs=1e-4)
        assert w[-1].item() == pytest.approx(total, abs=1e-4)
    rule = SGD()
    assert rule.update(0 * g, rule.init(p), p, lr, 0)[0].item() == 0, "without momentum it stays"


def test_torchs_hidden_weight_drifts_and_revives_after_remove() -> None:
    for momentum, drifts in ((0.9, True), (0.0, False)):
        module = layer()
        optimizer = torch.optim.SGD(module.parameters(), 0.1, momentum)
        update(module, optimizer)
        torch_prune.l1_unstructured(module, "weight", 0.5)
        gone, hidden = ~module.weight_mask.bool(), module.weight_orig
        before = hidden.detach().clone()
        update(module, optimizer)
        assert (module.weight[gone] == 0).all()
        assert (hidden[gone] != before[gone]).any() == drifts
        torch_prune.remove(module, "weight")
        assert module.weight is hidden, "the parameter that the optimizer knows"
        assert (module.weight[gone] == 0).all()
        update(module, optimizer, 1)
        assert (module.weight[gone] != 0).all(), "also with plain SGD: its gradient is not masked any more"


# How many


def test_two_amounts_of_a_half_are_three_quarters_and_n_rounds_one_minus_a_power() -> None:
    module = nn.Linear(40, 30)
    for rounds in range(1, 5):
        torch_prune.l1_unstructured(module, "weight", 0.5)
        found = prune.sparsity({"weight": module.weight_mask.bool()})
        assert found == pytest.approx(1 - 0.5**rounds, abs=1e-3)


def test_comparing_with_the_kth_value_drops_all_that_equal_it_and_fails_at_0() -> None:
    w = torch.tensor([[0.1, 0.2, 0.2, 0.2, 0.2, 0.3]])
    kept = w > w.flatten().kthvalue(3).values
    assert (int((~kept).sum()), int((~prune.mask({"w": w}, 0.5)["w"]).sum())) == (5, 3)
    with pytest.raises((IndexError, RuntimeError)):
        w.flatten().kthvalue(0)
    assert prune.mask({"w": w}, 0.0)["w"].all()


def test_a_sparsity_needs_to_say_of_what() -> None:
    model = models.ResidualCNN()
    params = {name: p.detach() for name, p in model.named_parameters()}
    masks = prune.mask(prune.magnitude(params), 0.9, prune.Layer())
    prunable, everything = sum(m.numel() for m in masks.values()), sum(p.numel() for p in params.values())
    assert prunable < everything
    assert prune.sparsity(masks) == pytest.approx(0.9, abs=1e-4)
    assert prune.sparsity(masks, params) == pytest.approx(prune.sparsity(masks) * prunable / everything)


def test_one_threshold_for_all_is_not_one_share_for_each_layer() -> None:
    params = problems.digits(hidden=(32,)).init(np.random.default_rng(0))
    scores = prune.magnitude(params)
    shares = [
        [float((~m).mean()) for m in prune.mask(scores, 0.5, scope).values()]
        for scope in (prune.Global(), prune.Layer())
    ]
    assert shares[1] == [0.5, 0.5]
    assert shares[0][0] > 0.5 > shares[0][1], "weights of the wider layer start smaller: √(6/64) and √(6/32)"


# What it saves


def chain(width: int = 16) -> nn.Sequential:
    parts: list[nn.Module] = [nn.Conv2d(1, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
    parts += [nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
    parts += [nn.Conv2d(width, width, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*parts, nn.Linear(width, 10)).eval()


@pytest.mark.parametrize("ratio", [0.25, 0.5, 0.75])
def test_half_the_channels_are_a_quarter_of_the_work_in_inner_layers_only(ratio: float) -> None:
    model, example = chain(), torch.zeros(1, 1, 8, 8)
    keep = {name: torch.arange(16) >= 16 * ratio for name in ("0", "3", "6")}
    small = prune.shrink(model, keep, example)
    before, after = ledger.macs(model, example), ledger.macs(small, example)
    left = {name: after[name] / before[name] for name in before}
    assert left == {"0": 1 - ratio, "3": (1 - ratio) ** 2, "6": (1 - ratio) ** 2, "9": 1 - ratio}
    assert small[1].weight.shape == small[4].running_var.shape == (16 * (1 - ratio),)


def test_indices_cost_as_much_as_values_and_a_bitmap_one_bit() -> None:
    w = np.random.default_rng(0).normal(size=(300, 784)).astype(np.float32)
    dense = 4 * w.size
    for density in (0.05, 0.45, 0.55):
        masks = prune.mask(prune.magnitude({"w": w}), 1 - density)
        sizes = ledger.sizes(prune.masked(masks)({"w": w}))
        values = 4 * density * w.size
        assert sizes[ledger.Bitmap()] == pytest.approx(w.size / 8 + values, rel=0.01)
        assert sizes[ledger.CSR()] == pytest.approx(2 * values, rel=0.03)
        assert (sizes[ledger.CSR()] < dense) == (density < 0.5)


def test_the_penalty_gives_small_weights_and_the_threshold_zeros() -> None:
    problem, strength = problems.digits(hidden=(8,)), 0.01
    penalized = train(regularize.l1(problem), [Run(SGD(), 0.2, "", (("l1", strength),))], 300)
    projected = train(problem, [Run(SGD(), 0.2)], 300, project=regularize.proximal_l1(strength))
    zeros = [(h.params["weight1"] == 0).mean() for h in (penalized, projected)]
    small = [(abs(h.params["weight1"]) < 0.005).mean() for h in (penalized, projected)]
    assert zeros[0] < 0.1 < 0.3 < zeros[1], "pixels that are always black get no gradient but the penalty's"
    assert small[0] > 0.3
