"""Scores of units by the formulas written out, and which units they keep."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from optviz import prune
from tests.prune.nets import CASES, build, inputs


def digits_like():
    generator = torch.Generator().manual_seed(0)
    net = nn.Sequential(
        *(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(36, 5), nn.ReLU(), nn.Linear(5, 3)),
    )
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.randn(p.shape, generator=generator))
    net[1].running_mean.fill_(0.3)
    x, y = torch.randn(7, 1, 8, 8, generator=generator), torch.randint(3, (7,), generator=generator)
    return net.eval(), x, y


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_norm_of_the_weights_of_a_unit(power):
    net, x, _ = digits_like()
    found = prune.unit_scores(net, x, prune.WeightNorm(power))
    for name, layer in (("0", net[0]), ("5", net[5])):
        torch.testing.assert_close(found[name], layer.weight.detach().double().flatten(1).norm(power, dim=1))
    assert list(found) == ["0", "5"]


def test_norm_is_that_of_all_partners_together():
    net, x = build("residual"), inputs("residual")
    both = torch.cat([net.stem.weight.detach().flatten(1), net.b.weight.detach().flatten(1)], 1).double()
    found = prune.unit_scores(net, x, prune.WeightNorm(2))["stem"]
    torch.testing.assert_close(found, both.norm(dim=1))


def test_activations_are_those_that_the_next_layer_reads():
    net, x, _ = digits_like()
    with torch.no_grad():
        maps, hidden = net[:4](x).double(), net[:7](x).double()
    means = prune.unit_scores(net, x, prune.MeanActivation())
    torch.testing.assert_close(means["0"], maps.abs().mean((0, 2, 3)))
    torch.testing.assert_close(means["5"], hidden.mean(0))
    active = prune.unit_scores(net, x, prune.APoZ())
    torch.testing.assert_close(active["0"], 1 - (maps == 0).double().mean((0, 2, 3)))
    torch.testing.assert_close(active["5"], (hidden > 0).double().mean(0))


def test_gain_of_the_norm():
    net, x, _ = digits_like()
    with pytest.raises(ValueError, match=r"a criterion that sees the units of \['5'\], got NormGain"):
        prune.unit_scores(net, x, prune.NormGain())
    found = prune.unit_scores(net[:4], x, prune.NormGain())
    assert found == {}  # its channels are what it gives out
    net = build("residual")
    net.a = nn.Sequential(net.a, nn.BatchNorm2d(5))
    net.a[1].weight.data = torch.tensor([1.0, -2.0, 3.0, 0.0, 5.0])
    found = prune.unit_scores(net, inputs("residual"), prune.NormGain())
    assert found["a.0"].tolist() == [1, 2, 3, 0, 5]
    torch.testing.assert_close(found["stem"], net.bn.weight.detach().double())


def test_taylor_is_the_slope_at_a_gate():
    """(∂L/∂gate)² for gates that multiply what the next layer reads [Molchanov et al., 2019]."""
    net, x, y = digits_like()
    found = prune.unit_scores(net, x, prune.GateTaylor(), loss=lambda out: F.cross_entropy(out, y))
    maps, hidden = torch.ones(4, 1, 1, requires_grad=True), torch.ones(5, requires_grad=True)
    F.cross_entropy(net[7](net[4:7](net[:4](x) * maps) * hidden), y).backward()
    torch.testing.assert_close(found["0"], maps.grad.flatten().double() ** 2, rtol=1e-4, atol=1e-9)
    torch.testing.assert_close(found["5"], hidden.grad.double() ** 2, rtol=1e-4, atol=1e-9)
    with pytest.raises(ValueError, match=r"unit_scores.loss must be given for GateTaylor"):
        prune.unit_scores(net, x, prune.GateTaylor())


def test_taylor_sees_the_gate_of_a_residual_sum_and_of_frozen_weights():
    net, x = build("residual").eval(), inputs("residual")
    for p in net.parameters():
        p.requires_grad_(False)
    found = prune.unit_scores(net, x, prune.GateTaylor(), loss=lambda out: out.square().sum())
    stem, out = torch.ones(4, 1, 1, requires_grad=True), torch.ones(4, requires_grad=True)
    first = net.bn(net.stem(x))
    y = torch.relu(first + net.b(torch.relu(net.a(first * stem)))).mean((2, 3))
    net.head(y * out).square().sum().backward()
    torch.testing.assert_close(
        found["stem"], (stem.grad.flatten() + out.grad).double() ** 2, rtol=1e-4, atol=0
    )


def test_heads_are_scored_by_the_weights_that_go_with_them():
    net, x = build("attention"), inputs("attention")
    own, width = net.attention, net.attention.head_width
    rows = [getattr(own, n).weight.detach().double().reshape(4, -1) for n in ("query", "key", "value")]
    columns = own.out.weight.detach().double().T.reshape(4, width * 8)
    expected = torch.cat([*rows, columns], 1).abs().sum(1)
    torch.testing.assert_close(prune.unit_scores(net, x)["attention"], expected)
    taylor = prune.unit_scores(net, x, prune.GateTaylor(), loss=lambda out: out.square().sum())
    assert taylor["attention"].shape == (4,)
    assert (taylor["attention"] > 0).all()
    with pytest.raises(ValueError, match=r"sees the units of \['attention'\]"):
        prune.unit_scores(net, x, prune.MeanActivation())


@pytest.mark.parametrize("name", CASES)
def test_every_group_has_a_score_for_each_unit(name):
    found = prune.unit_scores(build(name), inputs(name))
    assert {k: len(v) for k, v in found.items()} == {k: size for k, (size, _) in CASES[name].groups.items()}
    assert all((v > 0).all() for v in found.values())


def test_transposed_convolutions_are_scored_by_their_own_axis():
    net = build("shaped")
    found = prune.unit_scores(net, inputs("shaped"))["up"]
    torch.testing.assert_close(found, net.up.weight.detach().double().abs().sum((0, 2, 3)))


def test_what_is_no_criterion_is_refused():
    with pytest.raises(TypeError, match=r"by must be a criterion such as WeightNorm\(\), got 'l1'"):
        prune.unit_scores(build("chain"), inputs("chain"), "l1")
    with pytest.raises(ValueError, match="power"):
        prune.WeightNorm(0)


# Which stay


SCORES = {"a": torch.tensor([4.0, 1.0, 3.0, 2.0]), "b": torch.tensor([0.1, 0.2])}


def test_the_same_share_of_every_layer_goes():
    keep = prune.choose_units(SCORES, 0.5)
    assert {k: v.tolist() for k, v in keep.items()} == {"a": [True, False, True, False], "b": [False, True]}
    assert all(v.all() for v in prune.choose_units(SCORES, 0).values())


def test_the_floor_keeps_the_best():
    keep = prune.choose_units(SCORES, 0.9)
    assert {k: v.tolist() for k, v in keep.items()} == {"a": [True, False, False, False], "b": [False, True]}
    assert sum(prune.choose_units(SCORES, 0.9, 3)["a"]) == 3
    assert prune.choose_units(SCORES, 0.9, 3)["b"].all()
    with pytest.raises(ValueError, match="floor"):
        prune.choose_units(SCORES, 0.5, 0)


def test_all_layers_may_compete():
    keep = prune.choose_units(SCORES, 0.5, scope=prune.Global())
    assert keep["a"].tolist() == [True, False, True, False]
    assert keep["b"].tolist() == [False, True]  # by the floor, although a has three better ones
    own = prune.choose_units(SCORES, scope=prune.Budget({"a": 0.75}))
    assert [int(v.sum()) for v in own.values()] == [1, 2]


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan"), 7])
def test_a_share_outside_its_range_is_refused(share):
    with pytest.raises(ValueError, match=r"in \[0, 1\)"):
        prune.choose_units(SCORES, share)


def test_nan_scores_are_refused():
    with pytest.raises(ValueError, match="NaN"):
        prune.choose_units({"a": np.array([1.0, np.nan])}, 0.5)
