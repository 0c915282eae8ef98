"""A shrunk network is really smaller, and does what the silenced one does."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils._pytree import tree_leaves

from optviz import models, prune
from tests.prune.nets import CASES, build, inputs

each = pytest.mark.parametrize("name", CASES)
small_ones = st.sampled_from([name for name in CASES if name not in ("LeNet5",)])


def outputs(net, x):
    with torch.no_grad():
        return tree_leaves(copy.deepcopy(net).eval()(x))


def same(a, b, atol=1e-5):
    return all(torch.allclose(p, q, rtol=0, atol=atol) for p, q in zip(a, b, strict=True))


def keeps(name, share=0.5):
    """A keep for every group, of which about ``share`` goes, always at least one unit where there are two."""
    chance = np.random.default_rng(0)
    found = {}
    for group, (size, _) in CASES[name].groups.items():
        found[group] = np.ones(size, bool)
        found[group][chance.permutation(size)[: max(1, int(share * size)) if size > 1 else 0]] = False
    return found


def consistent(net):
    """Every layer's numbers of inputs and outputs are those of its tensors."""
    for layer in net.modules():
        if isinstance(layer, nn.Linear):
            assert tuple(layer.weight.shape) == (layer.out_features, layer.in_features)
        elif isinstance(layer, nn.ConvTranspose2d):
            assert tuple(layer.weight.shape[:2]) == (layer.in_channels, layer.out_channels)
        elif isinstance(layer, nn.Conv1d | nn.Conv2d):
            assert tuple(layer.weight.shape[:2]) == (layer.out_channels, layer.in_channels // layer.groups)
        elif isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            assert layer.running_mean.shape == layer.running_var.shape == (layer.num_features,)
            assert layer.weight is None or layer.weight.shape == layer.bias.shape == (layer.num_features,)
        elif isinstance(layer, nn.GroupNorm):
            assert layer.weight.shape == (layer.num_channels,)
        elif isinstance(layer, nn.PReLU):
            assert layer.weight.shape == (layer.num_parameters,)
        if getattr(layer, "bias", None) is not None and hasattr(layer, "out_channels"):
            assert layer.bias.shape == (layer.out_channels,)


@each
def test_shrunk_equals_silenced_and_is_smaller(name):
    net, x = build(name), inputs(name)
    before, keep = copy.deepcopy(net.state_dict()), keeps(name)
    small, quiet = prune.shrink(net, keep, x[:1]), prune.silence(net, keep, x[:1])
    assert same(outputs(small, x), outputs(quiet, x))
    assert models.count(small) < models.count(quiet) == models.count(net)
    assert type(small) is type(net)
    consistent(small)
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    assert not same(outputs(quiet, x), outputs(net, x)), "something must have gone"


@each
def test_it_can_be_done_again_on_its_own_result(name):
    net, x = build(name), inputs(name)
    small = prune.shrink(net, keeps(name, 0.3), x[:1])
    keep = prune.choose_units(prune.unit_scores(small, x), 0.4)
    again = prune.shrink(small, keep, x[:1])
    consistent(again)
    assert same(outputs(again, x), outputs(prune.silence(small, keep, x[:1]), x))


@settings(max_examples=15, deadline=None)
@given(small_ones, st.data())
def test_any_units_may_go(name, data):
    net, x = build(name), inputs(name)
    keep = {}
    for group, (size, _) in CASES[name].groups.items():
        bits = data.draw(st.lists(st.booleans(), min_size=size, max_size=size), label=group)
        bits[data.draw(st.integers(0, size - 1), label="stays")] = True
        keep[group] = bits
    small = prune.shrink(net, keep, x[:1])
    assert same(outputs(small, x), outputs(prune.silence(net, keep, x[:1]), x))
    left = {group.name: group.size for group in prune.groups(small, x[:1])}
    # A convolution with one group left is an ordinary one: its channels are then told apart.
    assert all(left[name] == sum(bits) for name, bits in keep.items() if sum(bits) > 1)


def block(kind, inputs, outputs):
    """A piece of a convolutional network from so many channels to so many."""
    conv = nn.Conv2d(inputs, outputs, 3, padding=1)
    return {
        "plain": lambda: nn.Sequential(conv, nn.Sigmoid()),
        "norm": lambda: nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)),
        "groups": lambda: nn.Sequential(conv, nn.GroupNorm(outputs // 2, outputs)),
        "deep": lambda: nn.Sequential(conv, nn.Conv2d(outputs, outputs, 3, padding=1, groups=outputs)),
        "residual": lambda: models.convolutional.ResidualBlock(inputs, outputs),
        "pool": lambda: nn.Sequential(nn.PReLU(inputs), conv, nn.AvgPool2d(3, stride=1, padding=1)),
    }[kind]()


KINDS = ("plain", "norm", "groups", "deep", "residual", "pool")


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from([2, 4, 6])), min_size=2, max_size=4),
    st.floats(0.2, 0.8),
    st.integers(0, 99),
)
def test_any_feed_forward_network_made_of_these_blocks(pieces, share, seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        widths = [1, *(outputs for _, outputs in pieces)]
        net = nn.Sequential(
            *(block(kind, n, m) for (kind, m), n in zip(pieces, widths, strict=False)),
            nn.Flatten(),
            nn.Linear(widths[-1] * 16, 3),
        )
        x = torch.randn(2, 1, 4, 4)
    keep = prune.choose_units(prune.unit_scores(net, x), share)
    small = prune.shrink(net, keep, x)
    consistent(small)
    assert same(outputs(small, x), outputs(prune.silence(net, keep, x), x))
    left = {group.name: group.size for group in prune.groups(small, x)}
    assert all(left[name] == int(kept.sum()) for name, kept in keep.items() if kept.sum() > 1)


def test_an_example_is_not_written_into():
    net = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(3, 4), nn.ReLU(inplace=True), nn.Linear(4, 2))
    x = torch.tensor([[-1.0, 2.0, -3.0]])
    prune.shrink(net, {"1": [True, False, True, True]}, x)
    prune.unit_scores(net, x, prune.MeanActivation())
    assert x.tolist() == [[-1, 2, -3]]


def test_keeping_all_changes_nothing():
    net, x = build("residual"), inputs("residual")
    keep = {"stem": torch.ones(4, dtype=torch.bool)}
    assert prune.follow(net, keep, x) == []
    same_net = prune.shrink(net, keep, x)
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), same_net.parameters(), strict=True))
    assert not {id(p) for p in net.parameters()} & {id(p) for p in same_net.parameters()}


def test_running_statistics_are_those_of_the_units_that_stay():
    net, x = build("residual"), inputs("residual")
    small = prune.shrink(net, {"stem": [True, False, True, True]}, x)
    for key in ("weight", "bias", "running_mean", "running_var"):
        assert torch.equal(getattr(small.bn, key), getattr(net.bn, key)[[0, 2, 3]])
    assert torch.equal(small.bn.num_batches_tracked, net.bn.num_batches_tracked)


def test_mode_dtype_and_frozen_weights_are_kept():
    net, x = build("residual").double().train(), inputs("residual").double()
    net.bn.eval()
    net.a.weight.requires_grad_(False)
    small = prune.shrink(net, {"stem": [True, False, True, True]}, x)
    assert [m.training for m in small.modules()] == [m.training for m in net.modules()]
    assert {p.dtype for p in small.parameters()} == {torch.float64}
    assert [p.requires_grad for p in small.parameters()] == [p.requires_grad for p in net.parameters()]
    assert all(isinstance(p, nn.Parameter) and p.is_leaf for p in small.parameters())
    assert [name for name, _ in small.named_parameters()] == [name for name, _ in net.named_parameters()]


def test_neither_network_nor_chance_is_touched():
    net, x = build("nested").train(), inputs("nested")
    state, mode = copy.deepcopy(net.state_dict()), [m.training for m in net.modules()]
    chance, keep = torch.get_rng_state(), {"0.0.0": np.array([True, False, True])}
    prune.shrink(net, keep, x)
    prune.unit_scores(net, x, prune.GateTaylor(), loss=lambda y: y.sum())
    assert torch.equal(chance, torch.get_rng_state())
    assert all(torch.equal(v, state[k]) for k, v in net.state_dict().items())
    assert [m.training for m in net.modules()] == mode
    assert all(p.grad is None for p in net.parameters())
    assert keep["0.0.0"].tolist() == [True, False, True]


def test_a_shrunk_network_trains_on():
    net, x = build("residual").train(), inputs("residual")
    small = prune.shrink(net, keeps("residual"), x)
    optimizer = torch.optim.SGD(small.parameters(), 0.1, momentum=0.9)
    before = small.head.weight.detach().clone()
    small(x).square().sum().backward()
    optimizer.step()
    assert not torch.equal(before, small.head.weight)


def test_one_partner_speaks_for_all():
    net, x = build("residual"), inputs("residual")
    keep = [True, False, True, False]
    by_stem, by_b = prune.shrink(net, {"stem": keep}, x), prune.shrink(net, {"b": keep}, x)
    assert same(outputs(by_stem, x), outputs(by_b, x), 0)
    assert same(outputs(by_stem, x), outputs(prune.shrink(net, {"b": keep, "stem": keep}, x), x), 0)
    with pytest.raises(ValueError, match="for units that go together: 'stem' and 'b', got"):
        prune.shrink(net, {"stem": keep, "b": [True, True, False, False]}, x)


def test_a_layer_whose_units_go_in_blocks_takes_one_bool_a_channel_or_one_a_unit():
    net, x = build("gated"), inputs("gated")  # six channels in three groups of a norm
    one, many = [True, False, True], [True, True, False, False, True, True]
    a, b = prune.shrink(net, {"conv": one}, x), prune.shrink(net, {"conv": many}, x)
    assert same(outputs(a, x), outputs(b, x), 0)
    assert (a.norm.num_groups, a.norm.num_channels, a.conv.out_channels) == (2, 4, 4)
    with pytest.raises(ValueError, match=r"for units that go together: the channels of 'conv'"):
        prune.shrink(net, {"conv": [True, False, True, True, True, True]}, x)
    with pytest.raises(ValueError, match=r"shrink.keep\['conv'\] must be of shape \(3 or 6,\), got \(4,\)"):
        prune.shrink(net, {"conv": [True] * 4}, x)


def test_two_groups_of_one_layer_are_reached_by_it_or_by_its_partners():
    net, x = build("tied concat"), inputs("tied concat")
    whole = prune.shrink(net, {"d": [True, False, True, True, False]}, x)
    parts = prune.shrink(net, {"a": [True, False], "b": [True, True, False]}, x)
    assert same(outputs(whole, x), outputs(parts, x), 0)
    assert whole.head.in_features == 3


def test_depthwise_convolutions_lose_whole_groups():
    net, x = build("depthwise"), inputs("depthwise")
    small = prune.shrink(net, {"wide": [True] * 5 + [False] * 3, "grouped": [True, False]}, x)
    deep, grouped = small.deep, small.grouped
    assert (deep.in_channels, deep.out_channels, deep.groups) == (5, 10, 5)
    assert (grouped.in_channels, grouped.out_channels, grouped.groups) == (2, 3, 1)
    assert small.stem.out_channels == 2


def test_heads_go_and_the_stream_stays():
    net, x = build("attention"), inputs("attention")
    small = prune.shrink(net, {"attention": [True, False, False, True]}, x)
    assert small.attention.heads == 2
    assert small.attention.out.out_features == 8
    (cut,) = prune.follow(net, {"attention": [True, False, False, True]}, x)
    assert cut == prune.Cut("attention", "units", 4, 2, (1, 2))
    with pytest.raises(ValueError, match=r"\['embed'\] must be all True, since 'norm' \(LayerNorm\) takes"):
        prune.shrink(net, {"embed": [True] * 7 + [False]}, x)


def test_what_follows_a_channel_out():
    net, x = build("nested"), inputs("nested")
    found = prune.follow(net, {"0.1.0": [True, True, False, True]}, x)
    assert [(c.layer, c.side, c.before, c.after) for c in found] == [
        ("0.1.0", "out", 4, 3),
        ("0.1.1", "norm", 4, 3),
        ("2", "in", 16, 12),
    ]
    assert found[2].gone == (8, 9, 10, 11)


def macs(net, x):
    """Multiply-accumulates of every convolution and linear layer for one example."""
    found, hooks = {}, []
    for name, layer in net.named_modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):

            def count(m, _, y, name=name):
                found[name] = y[0].numel() * m.weight[0].numel()

            hooks.append(layer.register_forward_hook(count))
    net(x)
    for hook in hooks:
        hook.remove()
    return found


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_inner_layers_keep_the_square_of_what_is_left(share):
    net = nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU()),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(32 * 16, 10)),
    )
    x = torch.zeros(1, 1, 8, 8)
    small = prune.shrink(net, prune.choose_units(prune.unit_scores(net, x), share), x)
    before, after, r = macs(net, x), macs(small, x), 1 - share
    assert {name: after[name] / before[name] for name in before} == {"0": r, "3": r * r, "7": r * r, "10": r}


def test_zeros_alone_make_nothing_smaller():
    net, x = build("chain"), inputs("chain")
    quiet = prune.silence(net, keeps("chain"), x)
    assert macs(quiet, x) == macs(net, x)
    assert models.count(quiet) == models.count(net)


# Bad input


def test_what_is_no_keep_is_refused():
    net, x = build("chain"), inputs("chain")
    for wrong, error, words in (
        ({"0": [1, 0, 1, 1, 1, 1]}, TypeError, r"shrink.keep\['0'\] must be bool, True for units that stay"),
        ([True], TypeError, "shrink.keep must map names of layers to one bool a unit"),
        ({"0": [True] * 5}, ValueError, r"shrink.keep\['0'\] must be of shape \(6,\), got \(5,\)"),
        ({"0": [[True] * 6]}, ValueError, r"must be of shape \(6,\), got \(1, 6\)"),
        (
            {"1": [True] * 6},
            ValueError,
            r"keep must be for layers that make units \(0, 2, 4\), got '1'",
        ),
        ({"nowhere": [True]}, ValueError, "for layers that make units"),
        ({"0": [False] * 6}, ValueError, "such that '0' keeps at least one unit, got 0"),
        ({"2": np.zeros(4, bool)}, ValueError, "such that '2' keeps at least one unit, got 0"),
    ):
        with pytest.raises(error, match=words):
            prune.shrink(net, wrong, x)
    with pytest.raises(ValueError, match=r"silence.keep must be"):
        prune.silence(net, {"1": [True]}, x)
    with pytest.raises(ValueError, match=r"follow.keep must be"):
        prune.follow(net, {"1": [True]}, x)


def test_a_result_that_differs_is_never_handed_out():
    class Sly(nn.Module):
        """Its forward pass reads a number that is not in the graph."""

        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(3, 4), nn.Linear(4, 2)

        def forward(self, x):
            return self.b(self.a(x)) * self.a.out_features

    with pytest.raises(ValueError, match=r"shrink.model must be such that its graph tells all"):
        prune.shrink(Sly(), {"a": [True, False, True, True]}, torch.ones(1, 3))


def test_broken_weights_pass_through():
    net, x = build("chain"), inputs("chain")
    net[0].weight.data[0, 0] = float("nan")
    small = prune.shrink(net, {"0": [True] * 5 + [False]}, x)
    assert small[0].weight.isnan().sum() == 1


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("name", ["residual", "depthwise", "attention"])
def test_the_same_on_cuda(name):
    net, x, keep = build(name), inputs(name), keeps(name)
    on_gpu = prune.shrink(net.cuda(), {k: torch.as_tensor(v).cuda() for k, v in keep.items()}, x.cuda())
    assert {p.device.type for p in on_gpu.parameters()} == {"cuda"}
    assert same(
        [y.cpu() for y in outputs(on_gpu, x.cuda())], outputs(prune.shrink(net.cpu(), keep, x), x), 1e-3
    )
    assert all(v.isfinite().all() for v in prune.unit_scores(on_gpu, x.cuda()).values())
