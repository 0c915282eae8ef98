"""The networks: shapes, sizes, start values."""

import copy
import itertools

import pytest
import torch
from torch import nn

from optviz import data, models


def seeded(seed):
    return torch.Generator().manual_seed(seed)


MAKERS = {
    "mlp": lambda g: models.MLP((64, 32, 10), generator=g),
    "lenet": lambda g: models.LeNet300100(generator=g),
    "cnn": lambda g: models.SmallCNN(size=8, generator=g),
    "lenet5": lambda g: models.LeNet5(generator=g),
    "residual": lambda g: models.ResidualCNN(size=8, width=4, generator=g),
    "transformer": lambda g: models.SmallTransformer(generator=g),
    "attention": lambda g: models.Attention(8, 2, generator=g),
}


IN_ORDER = ["mlp", "lenet", "cnn", "lenet5", "residual"]  # those that are layers in order


@pytest.fixture(params=list(MAKERS))
def make(request):
    return MAKERS[request.param]


def same(a, b):
    return all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))


def test_a_seed_gives_the_same_weights_and_leaves_the_global_generator_alone(make):
    before = torch.get_rng_state()
    assert same(make(seeded(1)), make(seeded(1)))
    assert not same(make(seeded(1)), make(seeded(2)))
    assert torch.equal(torch.get_rng_state(), before)


def test_without_a_generator_the_global_one_is_used(make):
    with torch.random.fork_rng():
        torch.manual_seed(3)
        a = make(None)
        torch.manual_seed(3)
        assert same(a, make(None))


def test_start_values_are_those_of_torchs_layers():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        ours = models.MLP((64, 32, 10))
        torch.manual_seed(0)
        theirs = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(p, q)


@pytest.mark.parametrize("sizes", [(3, 2), (784, 300, 100, 10), [5, 4, 3, 2, 1]])
def test_mlp_size(sizes):
    model = models.MLP(sizes, nn.Tanh)
    assert models.count(model) == sum(a * b + b for a, b in itertools.pairwise(sizes))
    assert model(torch.zeros(6, sizes[0])).shape == (6, sizes[-1])
    assert sum(isinstance(m, nn.Tanh) for m in model) == len(sizes) - 2


def test_lenet_size():
    assert models.count(models.LeNet300100()) == 266_610


@pytest.mark.parametrize("size", [28, 14, 8, 4, 7])
@pytest.mark.parametrize("channels", [1, 3])
def test_cnn_takes_images_and_flat_rows(size, channels):
    model = models.SmallCNN(channels, size, 7)
    images = torch.rand(5, channels, size, size)
    torch.testing.assert_close(model(images), model(images.flatten(1)))
    assert model(images).shape == (5, 7)
    side = (size + 3) // 4
    expected = (9 * channels + 1) * 16 + (9 * 16 + 1) * 32 + (32 * side * side + 1) * 7
    assert models.count(model) == expected
    assert not any(isinstance(m, nn.BatchNorm2d | nn.MaxPool2d) for m in model)


def inputs(model):
    """Three examples, all different."""
    if isinstance(model, models.Attention):
        return torch.rand(3, 5, 8)
    return torch.rand(3, 784 if isinstance(model, models.LeNet300100 | models.LeNet5) else 64)


@pytest.mark.parametrize("name", IN_ORDER)
def test_a_slice_is_a_plain_sequential(name):
    model = MAKERS[name](seeded(0))
    body, head = model[:-1], model[-1]
    assert type(body) is nn.Sequential
    x = inputs(model)
    torch.testing.assert_close(head(body(x)), model(x))


def test_shared_parameters_are_counted_once():
    layer = nn.Linear(4, 4)
    assert models.count(nn.Sequential(layer, layer)) == 20


def test_models_copy_save_and_run_under_vmap(make):
    model = make(seeded(0)).eval()
    clone = copy.deepcopy(model)
    assert same(model, clone)
    clone.load_state_dict(make(seeded(1)).state_dict())
    assert not same(model, clone)
    params, _ = torch.func.stack_module_state([model, clone])
    x = inputs(model)
    both = torch.func.vmap(lambda p: torch.func.functional_call(model, p, (x,)))(params)
    torch.testing.assert_close(both[1], clone(x))


@pytest.mark.parametrize(
    ("make", "size"), [(models.LeNet5, 28), (models.ResidualCNN, 12), (models.SmallTransformer, 8)]
)
def test_networks_take_images_and_flat_rows(make, size):
    model = (make() if make is models.LeNet5 else make(size=size)).eval()
    images = torch.rand(4, 1, size, size)
    torch.testing.assert_close(model(images), model(images.flatten(1)))
    assert model(images).shape == (4, 10)


def test_lenet5_has_the_layers_of_the_papers():
    shapes = [tuple(p.shape) for p in models.LeNet5().parameters() if p.ndim > 1]
    assert shapes == [(20, 1, 5, 5), (50, 20, 5, 5), (500, 800), (10, 500)]


def test_attention_is_that_of_torch():
    ours = models.Attention(8, 2, generator=seeded(0))
    theirs = nn.MultiheadAttention(8, 2, batch_first=True)
    parts = (ours.query, ours.key, ours.value)
    theirs.load_state_dict(
        {
            "in_proj_weight": torch.cat([part.weight for part in parts]),
            "in_proj_bias": torch.cat([part.bias for part in parts]),
            "out_proj.weight": ours.out.weight,
            "out_proj.bias": ours.out.bias,
        }
    )
    x = torch.rand(3, 5, 8, generator=seeded(1))
    torch.testing.assert_close(ours(x), theirs(x, x, x)[0])


def test_attention_without_a_head_is_attention_with_that_head_silent():
    whole = models.Attention(12, 3, generator=seeded(0)).double().eval()
    whole.key.requires_grad_(False)
    before = torch.get_rng_state()
    small = whole.kept(torch.tensor([True, False, True]))
    assert torch.equal(torch.get_rng_state(), before)
    silent = copy.deepcopy(whole)
    silent.out.weight.data[:, 4:8] = 0
    x = torch.rand(2, 5, 12, generator=seeded(1)).double()
    torch.testing.assert_close(small(x), silent(x))
    assert (small.units, small.head_width, small.training) == (2, 4, False)
    assert [p.requires_grad for p in small.key.parameters()] == [False, False]
    assert whole.units == 3


@pytest.mark.parametrize("name", ["residual", "transformer"])
def test_larger_models_learn_some_digits_by_heart(name):
    d = data.digits()
    model = MAKERS[name](seeded(0))
    X, y = torch.tensor(d.train.X[:100]), torch.tensor(d.train.y[:100])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(40):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(X), y).backward()
        optimizer.step()
    assert (model(X).argmax(-1) == y).float().mean() > 0.7


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_models_learn_digits(name):
    d = data.digits()
    model = MAKERS[name](seeded(0))
    X, y = torch.tensor(d.train.X), torch.tensor(d.train.y)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(X), y).backward()
        optimizer.step()
    right = model(torch.tensor(d.validation.X)).argmax(-1) == torch.tensor(d.validation.y)
    assert right.float().mean() > 0.85


@pytest.mark.parametrize("sizes", [(), (5,), (5, 0), (5, 2.5), (5, -1, 2), (True, 2), ("a", 2)])
def test_mlp_refuses(sizes):
    with pytest.raises(ValueError, match=r"MLP\.sizes must be two or more whole numbers of at least 1, got"):
        models.MLP(sizes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"channels": 0}, r"SmallCNN\.channels must be a whole number of at least 1, got 0"),
        ({"size": 3}, r"SmallCNN\.size must be a whole number of at least 4, got 3"),
        ({"size": 28.0}, r"SmallCNN\.size must be a whole number of at least 4, got 28\.0"),
        ({"classes": 1}, r"SmallCNN\.classes must be a whole number of at least 2, got 1"),
    ],
)
def test_cnn_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        models.SmallCNN(**arguments)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: models.ResidualCNN(width=0),
            r"ResidualCNN\.width must be a whole number of at least 1, got 0",
        ),
        (lambda: models.Attention(8, 3), r"Attention\.heads must be a divisor of width \(8\), got 3"),
        (lambda: models.Attention(8, 2, 0), r"Attention\.head_width must be a whole number of at least 1"),
        (
            lambda: models.SmallTransformer(patch=3),
            r"SmallTransformer\.patch must be a divisor of size \(8\)",
        ),
        (lambda: models.SmallTransformer(blocks=0), r"SmallTransformer\.blocks must be a whole number of"),
        (
            lambda: models.Attention(8, 2).kept(torch.tensor([False, False])),
            r"Attention\.keep must be \(2,\)",
        ),
        (lambda: models.Attention(8, 2).kept(torch.ones(3).bool()), r"Attention\.keep must be \(2,\) bool"),
    ],
)
def test_other_networks_refuse(make, message):
    with pytest.raises(ValueError, match=message):
        make()
