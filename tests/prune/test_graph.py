"""What tracing finds in each topology, what it holds, and what it says where it can't go on."""

import operator

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.prune import l1_unstructured, remove

from optviz import prune
from tests.prune.nets import CASES, build, inputs

each = pytest.mark.parametrize("name", CASES)


@each
def test_groups_of_every_topology(name):
    found = prune.groups(build(name), inputs(name, 1))
    seen = {g.name: (g.size, " ".join(f"{p.layer}.{p.side}" for p in g.parts)) for g in found}
    assert seen == CASES[name].groups
    for group in found:
        assert all(len(part.index) == group.size for part in group.parts)


def test_flatten_makes_a_block_of_columns_of_each_channel():
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 10))
    (group,) = prune.groups(net, torch.zeros(1, 1, 4, 4))
    index = {part.layer: part.index for part in group.parts}
    assert index["0"] == index["1"] == ((0,), (1,), (2,))
    assert index["4"] == ((0, 1, 2, 3), (4, 5, 6, 7), (8, 9, 10, 11))


def test_concat_moves_the_second_branch_behind_the_first():
    parts = {
        g.name: {p.layer: p.index for p in g.parts} for g in prune.groups(build("concat"), inputs("concat"))
    }
    assert parts["b"]["c"] == ((3,), (4,), (5,), (6,))
    assert parts["c"]["d"] == ((7,), (8,), (9,), (10,), (11,))


def test_groups_of_channels_go_as_one():
    parts = {
        g.name: {p.layer: p.index for p in g.parts}
        for g in prune.groups(build("depthwise"), inputs("depthwise"))
    }
    assert parts["stem"]["stem"] == ((0, 1), (2, 3))
    assert parts["stem"]["grouped"] == ((0, 1, 2), (3, 4, 5))
    assert parts["wide"]["deep"][1] == (2, 3)
    assert parts["wide"]["narrow"][7] == (14, 15)


def test_tokens_that_are_flattened_leave_their_columns_far_apart():
    net = nn.Sequential(nn.Linear(3, 2), nn.Flatten(), nn.Linear(8, 1))
    (group,) = prune.groups(net, torch.zeros(1, 4, 3))
    assert group.parts[1].index == ((0, 2, 4, 6), (1, 3, 5, 7))


# What is held


class Net(nn.Module):
    """Two linear layers with something between them."""

    def __init__(self, between, width=6, **parts):
        super().__init__()
        self.first, self.last = nn.Linear(4, width), nn.LazyLinear(2)
        self.between = between
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x):
        return self.last(self.between(self, self.first(x)))


def net(between, **parts):
    made = Net(between, **parts)
    made(torch.zeros(3, 4))
    return made


HELD = {
    "layer norm": (
        lambda m, x: m.norm(x),
        {"norm": nn.LayerNorm(6)},
        r"'norm' \(LayerNorm\) takes its statistics",
    ),
    "softmax": (lambda m, x: torch.softmax(x, -1), {}, r"'softmax' \(softmax\) divides by a sum"),
    "log softmax": (lambda m, x: m.s(x), {"s": nn.LogSoftmax(1)}, r"'s' \(LogSoftmax\) divides by a sum"),
    "mean over units": (lambda m, x: x.mean(-1, keepdim=True), {}, r"'mean' \(mean\) is taken over them"),
    "mean over all": (lambda m, x: x - x.mean(), {}, r"'mean' \(mean\) is taken over them"),
    "hard-coded view": (lambda m, x: x.view(-1, 6), {}, r"'view' \(view\) has their number written"),
    "hard-coded unflatten": (
        lambda m, x: x.unflatten(1, (2, 3)).flatten(1),
        {},
        r"\(unflatten\) has their number",
    ),
    "view over two axes": (
        lambda m, x: x.view(x.shape[0], 2, -1).sum(2),
        {},
        r"\(view\) spreads them over several",
    ),
    "first units": (lambda m, x: x[:, :3], {}, r"'getitem' \(getitem\) picks some of them by number"),
    "chunk": (lambda m, x: x.chunk(2, 1)[0], {}, r"'chunk' \(chunk\) has no rule"),
    "matrix product": (lambda m, x: x @ x.T @ x, {}, r"\(getattr\) has no rule"),
    "a tensor that stays": (
        lambda m, x: x * m.scale,
        {"scale": nn.Parameter(torch.ones(6))},
        "cannot shrink",
    ),
    "their number": (lambda m, x: x / x.shape[1] ** 0.5, {}, r"'pow_1' \(pow\) has no rule"),
    "a number of another": (lambda m, x: x.view(x.size(0), -1) + x.new_ones(x.size(1)), {}, "new_ones"),
    "a recurrent layer": (lambda m, x: m.rnn(x)[0], {"rnn": nn.RNN(6, 3)}, r"'rnn' \(RNN\) has no rule"),
    "torch's attention": (
        lambda m, x: m.mha(x[None], x[None], x[None])[0][0],
        {"mha": nn.MultiheadAttention(6, 2)},
        r"'mha' \(MultiheadAttention\) has no rule",
    ),
    "used twice": (
        lambda m, x: m.again(torch.relu(m.again(x))),
        {"again": nn.Linear(6, 6)},
        r"'again' \(Linear\) reads them, and it is used 2 times",
    ),
    "weights of another": (
        lambda m, x: F.linear(torch.relu(m.own(x)), m.own.weight),
        {"own": nn.Linear(6, 6)},
        "its weights are used in another place too",
    ),
    "parametrized": (
        lambda m, x: m.unit(x),
        {"unit": nn.utils.parametrizations.weight_norm(nn.Linear(6, 6))},
        "computed from others by a hook",
    ),
    "a wrong function of the same name": (
        lambda m, x: operator.matmul(x, m.eye),
        {"eye": nn.Parameter(torch.eye(6))},
        "no rule",
    ),
}


@pytest.mark.parametrize("case", HELD)
def test_units_are_held_where_there_is_no_rule(case):
    between, parts, reason = HELD[case]
    model, x = net(between, **parts), torch.zeros(3, 4)
    assert [g.name for g in prune.groups(model, x) if g.name == "first"] == []
    assert "first" in prune.held(model, x)
    keep = {"first": [False] + [True] * 5}
    with pytest.raises(ValueError, match=reason):
        prune.shrink(model, keep, x)
    assert prune.shrink(model, {"first": [True] * 6}, x)(x).shape == (3, 2)


def test_shared_weights_are_named_when_asked_for():
    model = net(*HELD["used twice"][:1], **HELD["used twice"][1])
    assert prune.held(model, torch.zeros(3, 4))["again"] == "it is used 2 times, with the same weights"
    with pytest.raises(ValueError, match="without 'again', since it is used 2 times, with the same weights"):
        prune.shrink(model, {"again": [True] * 6}, torch.zeros(3, 4))


def test_tied_parameters_are_shared_weights():
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    model[2].weight = model[0].weight
    assert [g.name for g in prune.groups(model, torch.zeros(1, 4))] == []
    with pytest.raises(ValueError, match="'0', since its weights are used in another place too"):
        prune.shrink(model, {"0": [True] * 4}, torch.zeros(1, 4))


def test_masks_of_torch_must_be_made_permanent_first():
    hooked = l1_unstructured(nn.Linear(4, 6), "weight", 3)
    model, x = nn.Sequential(hooked, nn.ReLU(), nn.Linear(6, 5), nn.Linear(5, 2)), torch.zeros(1, 4)
    with pytest.raises(ValueError, match="computed from others by a hook"):
        prune.shrink(model, {"0": [False] + [True] * 5}, x)
    last = {"2": [False] + [True] * 4}
    model(x)  # since then its weight is not a leaf
    with pytest.raises(ValueError, match=r"one that can be copied: first make its masks .* by `remove`"):
        prune.unit_scores(model, x)
    assert prune.shrink(model, last, x)[3].in_features == 4
    remove(model[0], "weight")
    assert prune.shrink(model, {"0": [False] + [True] * 5} | last, x)[2].in_features == 5


def test_the_last_layer_is_held_and_says_so():
    model = build("chain")
    assert prune.held(model, inputs("chain")) == {"4": "they are what the network gives out"}
    with pytest.raises(
        ValueError, match=r"keep\['4'\] must be all True, since they are what the network gives out"
    ):
        prune.shrink(model, {"4": [True, False, True]}, inputs("chain"))


def test_a_residual_sum_with_the_input_holds_its_partner():
    class Skip(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.head = nn.Linear(4, 5), nn.Linear(5, 4), nn.Linear(4, 2)

        def forward(self, x):
            return self.head(x + self.b(self.a(x)))

    assert [g.name for g in prune.groups(Skip(), torch.zeros(1, 4))] == ["a"]
    assert (
        "'add' (add) joins them with a tensor that cannot shrink"
        in prune.held(Skip(), torch.zeros(1, 4))["b"]
    )


# What cannot be traced


class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 2)

    def forward(self, x):
        return self.a(x) if x.sum() > 0 else x


def test_what_torch_cannot_trace_is_a_clear_error():
    with pytest.raises(
        ValueError, match=r"must be traceable by torch\.fx, got Branching: symbolically traced"
    ):
        prune.groups(Branching(), torch.zeros(1, 4))
    with pytest.raises(TypeError, match=r"model must be a torch.nn.Module, got 3"):
        prune.groups(3, torch.zeros(1))
    with pytest.raises(
        ValueError, match=r"example must be what the network takes, got at '_0' \(Linear\)|'0' \(Linear\)"
    ):
        prune.groups(build("chain"), torch.zeros(1, 7))


def test_several_inputs_come_as_a_tuple():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.head = nn.Linear(3, 4), nn.Linear(2, 4), nn.Linear(4, 1)

        def forward(self, x, y, scale=2.0):
            return self.head(torch.relu(self.a(x) + scale * self.b(y)))

    x = (torch.ones(2, 3), torch.ones(2, 2))
    (group,) = prune.groups(Two(), x)
    assert (group.name, group.size) == ("a", 4)
    assert prune.shrink(Two(), {"b": [True, False, True, True]}, x)(*x).shape == (2, 1)
    with pytest.raises(ValueError, match="given for every input of the network, 'y' too, got 1"):
        prune.groups(Two(), torch.ones(2, 3))
