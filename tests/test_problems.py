"""Problems: starting weights, batches, losses and metrics, and what ``from_module`` refuses."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from optviz import activations, data, initializers, normalize, problems
from optviz.models import MLP, LeNet5, ResidualCNN, SmallCNN
from optviz.optimizers import SGD
from optviz.problems import Classification, convolutional, digits, from_module, mnist5k
from optviz.training import Run, train


def own(module: Any = None, X: Any = None, y: Any = None, **options: Any) -> Any:
    images = data.digits().test
    return from_module(
        module or nn.Linear(64, 10), images.X if X is None else X, images.y if y is None else y, **options
    )


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# Digits and MNIST-5k


def test_sizes_and_epochs() -> None:
    assert digits().sizes == (64, 32, 10)
    assert digits(hidden=()).sizes == (64, 10)
    assert digits().updates_per_epoch == 19
    assert mnist5k().sizes == (196, 64, 10)
    assert mnist5k(size=28, hidden=(128,)).sizes == (784, 128, 10)
    assert digits(batch=1257).updates_per_epoch == 1


def test_starting_weights() -> None:
    start = mnist5k(hidden=(300, 100)).init(generator())
    assert list(start) == ["weight1", "bias1", "weight2", "bias2", "weight3", "bias3"]
    assert all(p.dtype == np.float32 for p in start.values())
    for i, inputs in enumerate((196, 300, 100), start=1):
        weight, bound = start[f"weight{i}"], (6 / inputs) ** 0.5
        assert abs(weight).max() <= bound
        assert weight.std() == pytest.approx((2 / inputs) ** 0.5, rel=0.1)
        assert not start[f"bias{i}"].any()
    again, other = mnist5k(hidden=(300, 100)).init(generator()), mnist5k(hidden=(300, 100)).init(generator(1))
    assert np.array_equal(start["weight1"], again["weight1"])
    assert not np.array_equal(start["weight1"], other["weight1"])


def test_each_epoch_is_a_new_order_of_whole_batches() -> None:
    problem = digits(batch=100)
    place = {x.tobytes(): i for i, x in enumerate(data.digits().train.X)}
    stream = problem.batches(generator(3))
    epochs = [list(islice(stream, problem.updates_per_epoch)) for _ in range(2)]
    for batches in epochs:
        chosen = [place[x.tobytes()] for X, _ in batches for x in X]
        assert len(chosen) == 1200
        assert len(set(chosen)) == 1200
        assert all(X.shape == (100, 64) and y.shape == (100,) for X, y in batches)
        assert np.array_equal(np.concatenate([y for _, y in batches]), data.digits().train.y[chosen])
    assert not np.array_equal(epochs[0][0][1], epochs[1][0][1])


def test_label_noise() -> None:
    clean, noisy = digits(), digits(label_noise=0.4)
    share = np.mean(clean.labels != noisy.labels)
    assert share == pytest.approx(0.4 * 0.9, abs=0.03)  # a tenth of all random classes are right
    assert np.array_equal(clean.labels, data.digits().train.y)
    assert np.array_equal(noisy.labels, digits(label_noise=0.4).labels)
    assert np.array_equal(noisy.data.validation.y, data.digits().validation.y)


def test_metrics_of_each_row() -> None:
    problem = digits()
    rows = [problem.init(generator(seed)) for seed in range(3)]
    stacked = {n: np.stack([row[n] for row in rows]) for n in rows[0]}
    found = problem.metrics(stacked)
    held = data.digits().validation
    for k, row in enumerate(rows):
        logits = problem.logits(row, held.X)
        assert found["validation_accuracy"][k] == np.mean(logits.argmax(1) == held.y)
        theirs = nn.functional.cross_entropy(torch.tensor(logits), torch.tensor(held.y)).item()
        assert found["validation_loss"][k] == pytest.approx(theirs, rel=1e-5)


def test_gradients_are_written_where_they_are_wanted() -> None:
    problem = digits()
    params = {n: p[None] for n, p in problem.init(generator()).items()}
    batch = next(problem.batches(generator()))
    kept = {n: p.copy() for n, p in params.items()}
    loss, fresh = problem.loss_and_grad(params, batch)
    out = {n: np.full_like(p, np.nan) for n, p in params.items()}
    again, given = problem.loss_and_grad(params, batch, out=out)
    assert given is out
    assert np.array_equal(loss, again)
    assert all(np.array_equal(fresh[n], out[n]) for n in params)
    assert all(np.array_equal(params[n], kept[n]) for n in params)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden": (0,)}, r"hidden must be at least 1 unit in each layer, got \(0,\)"),
        ({"batch": 0}, r"batch must be in \[1, 1257\] \(the training examples\), got 0"),
        ({"batch": 1258}, r"batch must be in \[1, 1257\] \(the training examples\), got 1258"),
        ({"batch": 1.5}, r"batch must be in \[1, 1257\] .* got 1.5"),
        ({"label_noise": -0.1}, r"label_noise must be in \[0, 1\], got -0.1"),
        ({"label_noise": "half"}, r"label_noise must be in \[0, 1\], got 'half'"),
        ({"label_noise": float("nan")}, r"label_noise must be in \[0, 1\], got nan"),
    ],
)
def test_bad_problems(options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        digits(**options)


@pytest.mark.parametrize("hidden", [32, "32", (1.5,), None])
def test_hidden_units_are_whole_numbers(hidden: Any) -> None:
    with pytest.raises(TypeError, match="hidden must be a tuple of whole numbers, got"):
        digits(hidden=hidden)


def test_data_are_asked_for() -> None:
    with pytest.raises(TypeError, match=r"data must be a Data, .* got 'digits'"):
        Classification("digits")  # type: ignore[arg-type]


def test_unknown_size() -> None:
    with pytest.raises(ValueError, match=r"size must be .*got 20"):
        mnist5k(size=20)


def test_equal_problems_are_equal_keys() -> None:
    assert digits() == digits()
    assert hash(digits()) == hash(digits())
    assert digits() != digits(batch=32)
    assert digits(hidden=[8]) == digits(hidden=(8,))  # type: ignore[arg-type]


# Own modules


def test_own_data_are_split_and_moved() -> None:
    problem = own(batch=32)
    assert len(problem.data.train.y) + len(problem.data.validation.y) + len(problem.data.test.y) == 270
    X, y = next(problem.batches(generator()))
    assert X.shape == (32, 64)
    assert X.dtype == torch.float32
    assert y.dtype == torch.int64
    double = own(nn.Linear(64, 10).double())
    assert next(double.batches(generator()))[0].dtype == torch.float64


@pytest.mark.parametrize("make", [list, np.asarray, torch.tensor], ids=["lists", "arrays", "tensors"])
def test_own_data_of_every_kind(make: Any) -> None:
    X, y = data.digits().test.X.tolist(), data.digits().test.y.tolist()
    kinds = {"dtype": np.float32} if make is np.asarray else {}
    problem = from_module(nn.Linear(64, 10), make(X, **kinds), make(y))
    assert problem.updates_per_epoch == len(problem.data.train.y) // 64


def test_the_module_is_left_alone() -> None:
    module = MLP((64, 8, 10)).eval()
    before, state = {n: p.clone() for n, p in module.state_dict().items()}, torch.get_rng_state()
    problem = own(module)
    first, again, other = (problem.init(generator(seed)) for seed in (0, 0, 1))
    assert not module.training
    assert all(torch.equal(p, before[n]) for n, p in module.state_dict().items())
    assert all(torch.equal(first[n], again[n]) for n in first)
    assert not any(torch.equal(first[n], other[n]) for n in first)
    assert not any(p.requires_grad for p in first.values())
    assert torch.equal(torch.get_rng_state(), state)


def test_own_metrics_of_each_row() -> None:
    problem = own(MLP((64, 8, 10)))
    rows = [problem.init(generator(seed)) for seed in range(2)]
    found = problem.metrics({n: torch.stack([row[n] for row in rows]) for n in rows[0]})
    X, y = torch.tensor(problem.data.validation.X.copy()), torch.tensor(problem.data.validation.y.copy())
    for k, row in enumerate(rows):
        logits = torch.func.functional_call(problem.module, row, (X,))
        assert found["validation_accuracy"][k] == pytest.approx((logits.argmax(1) == y).float().mean().item())
        assert found["validation_loss"][k] == pytest.approx(
            nn.functional.cross_entropy(logits, y).item(), rel=1e-5
        )


def test_convolutions_go_one_after_the_other_on_a_cpu() -> None:
    assert own().vectorize
    assert not own(SmallCNN(size=8)).vectorize


def test_convolutional_twin_of_a_problem() -> None:
    plain, state = digits(batch=48, label_noise=0.2), torch.get_rng_state()
    twin = convolutional(plain)
    assert twin.batch == 48
    assert np.array_equal(twin.data.train.y, plain.labels)
    assert convolutional(digits(batch=48, label_noise=0.2)) is twin
    assert torch.equal(torch.get_rng_state(), state)


def test_any_network_on_the_images_of_a_problem() -> None:
    plain, network = mnist5k(size=28, batch=48, label_noise=0.2), LeNet5(generator=torch.Generator())
    twin = convolutional(plain, network)
    assert twin.batch == 48
    assert np.array_equal(twin.data.train.y, plain.labels)
    assert twin.module is not network
    assert twin.loss(twin.init(generator()), next(twin.batches(generator()))).item() > 1
    with pytest.raises(ValueError, match="X must fit the module"):
        convolutional(digits(), network)
    with pytest.raises(ValueError, match="without dropout and running statistics"):
        convolutional(digits(), ResidualCNN(size=8))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: own(nn.Flatten()), "module must be a network with parameters"),
        (
            lambda: own(nn.Sequential(nn.Linear(64, 10), nn.Dropout(0.5))),
            "without dropout and running stat.*'1'",
        ),
        (
            lambda: own(nn.Sequential(nn.BatchNorm1d(64), nn.Linear(64, 10))),
            "without dropout and running statistics .*0.running_mean",
        ),
        (lambda: own(nn.Linear(64, 3)), r"module's output must be of shape \(N, 10 or more\), got \(1, 3\)"),
        (lambda: own(nn.Sequential(nn.Linear(64, 10), nn.Flatten(0))), r"module's output must be of shape"),
        (lambda: own(batch=1000), r"batch must be in \[1, \d+\] \(the training examples\), got 1000"),
        (lambda: own(nn.Linear(63, 10)), r"X must fit the module, got examples of shape \(64,\): mat1"),
        (lambda: own(y=np.zeros(7, int)), "7"),
        (lambda: own(y=-np.ones(270, int)), "-1"),
        (lambda: own(X=np.zeros((0, 64), np.float32), y=np.zeros(0, int)), "0"),
    ],
)
def test_bad_modules_and_data(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_module_is_asked_for() -> None:
    with pytest.raises(TypeError, match=r"module must be a torch\.nn.Module, got"):
        own(lambda X: X)


def test_dropout_of_zero_is_no_dropout() -> None:
    assert own(nn.Sequential(nn.Linear(64, 10), nn.Dropout(0.0))).updates_per_epoch > 0


def test_problems_fit_the_protocol() -> None:
    for problem in (digits(), own()):
        assert isinstance(problem, Classification | problems.ModuleProblem)
        assert all(callable(getattr(problem, name)) for name in ("init", "batches", "loss", "metrics"))


# Layers of other kinds


NORMS = (normalize.BatchNorm(), normalize.LayerNorm(), normalize.RMSNorm())


def twice(params: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Two different rows of float64 weights."""
    return {name: np.stack([p, 0.7 * p + 0.01]).astype(np.float64) for name, p in params.items()}


@pytest.mark.parametrize(
    "layers",
    [{"activation": getattr(activations, name)()} for name in activations.__all__]
    + [{"drops": "units"}, {"drops": "weights"}, {"norm": normalize.BatchNorm(), "drops": "units"}]
    + [{"norm": norm} for norm in NORMS],
    ids=str,
)
def test_the_written_out_gradient_is_that_of_autograd(layers: dict[str, Any]) -> None:
    net = digits(hidden=(9, 7), **layers)
    random = np.random.default_rng(3)
    params = twice(net.init(random))
    X, y, *noise = next(net.batches(random))
    share = np.array([0.3, 0.6]) if noise else np.zeros(2)
    losses, grads = net.loss_and_grad(params, (X.astype(float), y, *noise), dropout=share)
    for k in range(2):
        leaves = {n: torch.tensor(p[k], requires_grad=True) for n, p in params.items()}
        drawn = [tuple(map(torch.tensor, part)) for part in noise]
        batch = (torch.tensor(X, dtype=torch.float64), torch.tensor(y), *drawn)
        loss = net.loss(leaves, batch, dropout=float(share[k]))
        loss.backward()
        assert np.isclose(losses[k], loss.item(), rtol=1e-6)
        assert all(np.allclose(grads[n][k], leaf.grad, atol=1e-7) for n, leaf in leaves.items())


def test_signals_are_the_gradients_of_each_z() -> None:
    net = digits(hidden=(9, 7), activation=activations.Tanh())
    random = np.random.default_rng(3)
    params, batch = twice(net.init(random)), next(net.batches(random))
    signals = net.signals(params, batch)
    assert [s.shape for s in signals] == [(2, 64, 9), (2, 64, 7), (2, 64, 10)]
    grads = net.loss_and_grad(params, batch)[1]
    assert all(np.allclose(s.sum(1), grads[f"bias{i}"]) for i, s in enumerate(signals, start=1))


def test_dropout_drops_its_share_and_keeps_the_mean() -> None:
    net = digits(hidden=(400,), drops="units")
    random = np.random.default_rng(0)
    params = {n: p[None] for n, p in net.init(random).items()}
    X, _, noise = next(net.batches(random))
    (hidden, _) = net._forward(params, X, noise, np.array([0.4]))
    assert abs((hidden.output == 0).mean() - (hidden.active == 0).mean() * 0.6 - 0.4) < 0.01
    assert abs(hidden.output.mean() / hidden.active.mean() - 1) < 0.02
    (all_kept, _) = net._forward(params, X, noise, np.array([0.0]))
    assert np.array_equal(all_kept.output, all_kept.active)


def test_validation_drops_nothing() -> None:
    plain, dropping = digits(hidden=(16,)), digits(hidden=(16,), drops="units")
    params = {n: p[None] for n, p in plain.init(np.random.default_rng(0)).items()}
    assert plain.metrics(params) == dropping.metrics(params)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"drops": "neurons"}, "drops must be one of"),
        ({"activation": np.tanh}, "activation must be one of optviz.activations"),
        ({"norm": "batch"}, "norm must be one of optviz.normalize"),
        ({"start": 0.1}, "start must be one of optviz.initializers"),
    ],
)
def test_layers_of_unknown_kinds_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        digits(**wrong)


def test_a_share_of_one_is_refused() -> None:
    net = digits(hidden=(4,), drops="units")
    params = twice(net.init(np.random.default_rng(0)))
    with pytest.raises(ValueError, match=r"dropout must be in \[0, 1\)"):
        net.loss_and_grad(params, next(net.batches(np.random.default_rng(0))), dropout=np.array([0.5, 1.0]))


@pytest.mark.parametrize("norm", NORMS, ids=str)
def test_normalized_networks_train_and_row_k_alone_is_row_k(norm: Any) -> None:
    net = digits(hidden=(16, 16), norm=norm, start=initializers.HeNormal())
    runs = [Run(SGD(0.9), lr, str(lr)) for lr in (0.01, 0.1)]
    h = train(net, runs, 120)
    assert h["validation_accuracy"][1, -1] > 0.8
    alone = train(net, runs[1:], 120)
    assert np.array_equal(alone["loss"][0], h["loss"][1])
    assert all(np.isfinite(p).all() for p in h.params.values())


def test_batch_norm_validates_with_the_statistics_of_the_training_set() -> None:
    net = digits(hidden=(8,), norm=normalize.BatchNorm())
    params = {n: p[None] for n, p in net.init(np.random.default_rng(0)).items()}
    images, training = net.data.validation.X, net.data.train.X
    hidden, _ = net.layers(params, images, training=False)
    z = training @ params["weight1"][0].T
    expected = (images @ params["weight1"][0].T - z.mean(0)) / np.sqrt(z.var(0) + net.norm.eps)
    assert np.allclose(hidden.normed[0], expected, atol=1e-4)
    alone, _ = net.layers(params, images[:1], training=False)
    assert np.allclose(alone.normed[0], expected[:1], atol=1e-4)


def test_a_start_of_ones_own_is_drawn_for_every_layer() -> None:
    net = digits(hidden=(16, 16), start=initializers.Orthogonal())
    params = net.init(np.random.default_rng(0))
    assert np.allclose(params["weight2"] @ params["weight2"].T, np.eye(16), atol=1e-5)
