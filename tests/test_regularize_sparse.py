"""Techniques whose training makes zeros: groups, gains and gates, against closed forms and autograd."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from optviz import normalize, optimizers, problems, regularize
from optviz.optimizers import SGD, Adam
from optviz.regularize import Gated, HardConcrete, l0
from optviz.training import Run, train

KINDS = {"numpy": lambda x: x, "torch": torch.tensor}
kinds = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
LR = np.array([0.1, 0.2, 0.5])


def rng(seed=0):
    return np.random.default_rng(seed)


def small(**more):
    return problems.digits(hidden=(5,), batch=16, **more)


# groups


@kinds
@pytest.mark.parametrize("shape", [(4, 6), (4, 3, 2, 2)], ids=["linear", "convolution"])
@pytest.mark.parametrize("axis", [0, 1])
def test_groups_shrink_by_the_formula(kind, shape, axis):
    w, strength = rng().normal(size=(3, *shape)), np.array([0.0, 0.8, 3.0])
    out = regularize.proximal_groups(strength, axis=axis)({"w": kind(w), "b": kind(np.ones((3, 4)))}, LR)
    np.testing.assert_array_equal(out["b"], 1.0)
    for k in range(3):
        units = np.moveaxis(w[k], axis, 0)
        for u, unit in enumerate(units):
            norm, n = np.linalg.norm(unit), unit.size
            right = unit * max(0, 1 - LR[k] * strength[k] * n**0.5 / norm)
            np.testing.assert_allclose(np.moveaxis(np.asarray(out["w"])[k], axis, 0)[u], right, rtol=1e-12)
    assert (np.asarray(out["w"])[2] == 0).any()


def test_units_that_are_gone_are_positive_zero_and_empty_ones_stay():
    w = np.array([[[-0.1, -0.1], [0.0, 0.0], [-3.0, 4.0]]])
    for strength in (0.0, 5.0):
        out = regularize.proximal_groups(strength)({"w": w}, np.array([0.1]))["w"]
        assert not np.isnan(out).any()
        assert not np.signbit(out[out == 0]).any()
    np.testing.assert_array_equal(out[0, :2], 0.0)


@kinds
@given(st.integers(0, 1000), st.floats(0, 3))
@settings(max_examples=25, deadline=None)
def test_the_group_step_is_the_minimum(kind, seed, threshold):
    w = rng(seed).normal(size=(3, 4))
    best = np.asarray(regularize.group_threshold(kind(w), threshold, (1,)))

    def cost(v):
        return ((v - w) ** 2).sum() / 2 + threshold * np.linalg.norm(v, axis=1).sum()

    chance = rng(seed + 1)
    assert all(cost(best) <= cost(best + 0.05 * chance.normal(size=w.shape)) + 1e-12 for _ in range(10))


def test_training_with_groups_reaches_the_solution_of_scikit_learn():
    """½ mean squared error plus Σ_j ‖W_j‖, features as groups: MultiTaskLasso."""
    from sklearn.linear_model import MultiTaskLasso

    X = rng().normal(size=(60, 8))
    Y = X @ (rng(1).normal(size=(8, 3)) * (np.arange(8) < 3)[:, None]) + 0.1 * rng(2).normal(size=(60, 3))
    alpha, W, lr = 0.3, np.zeros((1, 3, 8)), 0.3
    step = regularize.proximal_groups(alpha / 3**0.5, axis=1)
    for _ in range(400):
        gradient = ((X @ W[0].T - Y).T @ X / len(X))[None]
        W = step({"w": W - lr * gradient}, np.array([lr]))["w"]
    found = MultiTaskLasso(alpha, fit_intercept=False, tol=1e-10).fit(X, Y).coef_
    np.testing.assert_allclose(W[0], found, atol=1e-6)
    np.testing.assert_array_equal((W[0] == 0).all(0), (found == 0).all(0))
    assert 0 < (found == 0).all(0).sum() < 8


def test_rows_with_their_own_strength_lose_more_units():
    runs = [Run(SGD(0.9), 0.05, str(k)) for k in range(3)]
    step = regularize.proximal_groups(np.array([0.0, 1e-2, 0.1]), of=("weight2",), axis=1)
    w = train(problems.digits((16,)), runs, 150, project=step).params["weight2"]
    gone = (w == 0).all(1).sum(1)
    assert gone[0] == gone[1] == 0
    assert 0 < gone[2] < 16


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: regularize.proximal_groups(-1.0), ValueError, r"proximal_groups\.strength must be finite"),
        (lambda: regularize.proximal_groups("1"), TypeError, r"proximal_groups\.strength must be a number"),
        (
            lambda: regularize.proximal_groups(1.0, axis=2),
            ValueError,
            r"proximal_groups\.axis must be 0 or 1",
        ),
        (lambda: regularize.proximal_groups(1.0, of="w"), TypeError, "of must be a tuple"),
        (
            lambda: regularize.proximal_groups(np.ones(2))({"w": np.ones((3, 2, 2))}, np.ones(3)),
            ValueError,
            r"of shape \(3,\)",
        ),
        (lambda: regularize.slimming(-1.0), ValueError, r"strength must be finite and at least 0"),
        (
            lambda: regularize.slimming(0.1)({"w": np.ones((1, 2, 2))}, np.ones(1)),
            ValueError,
            "names of gains",
        ),
    ],
)
def test_bad_maps(call, error, message):
    with pytest.raises(error, match=message):
        call()


# gains


@kinds
def test_slimming_is_the_soft_threshold_of_gains(kind):
    params = {"gain1": kind(np.array([[0.3, -0.02, 1.0]])), "w": kind(np.ones((1, 3, 2)))}
    out = regularize.slimming(0.5)(params, np.array([0.1]))
    np.testing.assert_allclose(out["gain1"], [[0.25, 0.0, 0.95]])
    np.testing.assert_array_equal(out["w"], params["w"])
    named = regularize.slimming(0.5, of=("bn.weight",))({"bn.weight": kind(np.ones((1, 3)))}, np.array([0.1]))
    np.testing.assert_allclose(named["bn.weight"], np.full((1, 3), 0.95))


def test_slimming_switches_units_off():
    problem = problems.digits((16,), norm=normalize.BatchNorm())
    runs = [Run(SGD(0.9), 0.05, str(k)) for k in range(2)]
    h = train(problem, runs, 300, project=regularize.slimming(np.array([0.0, 0.3])))
    off = (h.params["gain1"] == 0).sum(1)
    assert off[0] == 0 < off[1] < 16
    assert h["validation_accuracy"][1, -1] > 0.8


# the hard concrete distribution

LAWS = [HardConcrete(), HardConcrete(0.3, -0.5, 1.2)]
each_law = pytest.mark.parametrize("law", LAWS, ids=["paper", "other"])
LOG_ALPHA = np.array([-3.0, -0.5, 0.0, 2.0])


def drawn(law, count=40_000, kind=np.asarray):
    u = rng().random((count, 1))
    return law.gates(kind(np.broadcast_to(LOG_ALPHA, (count, 4)).copy()), kind(np.log(u) - np.log1p(-u)))


@each_law
@kinds
def test_gates_follow_their_distribution_function(law, kind):
    z = np.asarray(drawn(law, kind=kind))
    assert z.min() == 0
    assert z.max() == 1
    for at in (0.0, 0.1, 0.5, 0.9, 0.999):
        np.testing.assert_allclose((z <= at).mean(0), law.below(at, LOG_ALPHA), atol=0.01)


@each_law
def test_the_share_of_open_gates_is_the_closed_form(law):
    np.testing.assert_allclose((drawn(law) > 0).mean(0), law.likely(LOG_ALPHA), atol=0.01)
    np.testing.assert_allclose(law.likely(LOG_ALPHA), 1 - law.below(0.0, LOG_ALPHA), rtol=1e-12)


def test_the_closed_form_in_numbers():
    """β = 2/3, γ = −0.1, ζ = 1.1: P(z ≠ 0) at log α = 0 is σ(2/3 · log 11) = 0.8318."""
    law = HardConcrete()
    assert law.likely(np.zeros(1))[0] == pytest.approx(1 / (1 + 11 ** (-2 / 3)))
    np.testing.assert_allclose(law.settled(np.array([-10.0, 0.0, 10.0])), [0, 0.5, 1])


@each_law
def test_slopes_are_autograds(law):
    log_alpha = torch.tensor(np.repeat(LOG_ALPHA, 50), requires_grad=True)
    noise = torch.tensor(rng().logistic(size=200))
    law.gates(log_alpha, noise).sum().backward()
    np.testing.assert_allclose(law.slope(log_alpha.detach(), noise), log_alpha.grad, atol=1e-12)
    assert 0 < np.count_nonzero(log_alpha.grad) < 200


# gated problems


def prepared(problem, K=3, dtype=np.float64):
    """Different rows of parameters, and a batch with its noise."""
    start = problem.init(rng())
    chance = rng(1)
    rows = {n: (p + 0.5 * chance.normal(size=(K, *p.shape))).astype(dtype) for n, p in start.items()}
    return rows, next(problem.batches(rng(2)))


INNER = {
    "plain": lambda: small(),
    "penalized": lambda: regularize.l2(small(), of=("weight1",)),
    "dropout": lambda: regularize.dropout(small()),
}


@pytest.mark.parametrize("inner", INNER)
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_the_gradient_is_autograds(inner, axis):
    problem = l0(INNER[inner](), axis=axis)
    params, (X, y, *noise) = prepared(problem)
    extra = {"l0": np.array([0.0, 1e-3, 0.1])}
    extra |= {"l2": np.array([0.0, 0.1, 0.2])} if inner == "penalized" else {}
    extra |= {"dropout": np.array([0.0, 0.2, 0.5])} if inner == "dropout" else {}
    loss, grads = problem.loss_and_grad(params, (X, y, *noise), **extra)
    assert set(grads) == set(params)

    def tensors(part):
        if isinstance(part, dict):
            return {n: torch.tensor(v).double() for n, v in part.items()}
        return tuple(torch.tensor(v).double() for v in part)

    batch = torch.tensor(np.array(X)).double(), torch.tensor(np.array(y)), *map(tensors, noise)
    for k in range(3):
        leaves = {n: torch.tensor(p[k], requires_grad=True) for n, p in params.items()}
        own = problem.loss(leaves, batch, **{n: float(v[k]) for n, v in extra.items()})
        own.backward()
        assert loss[k] == pytest.approx(own.item(), rel=1e-6)
        for n, leaf in leaves.items():
            np.testing.assert_allclose(grads[n][k], leaf.grad.numpy(), rtol=1e-5, atol=1e-8, err_msg=n)


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_the_penalty_is_the_expected_number_of_open_weights(axis):
    problem = l0(small(), axis=axis)
    params, batch = prepared(problem)
    without, _ = problem.loss_and_grad(params, batch)
    loss, _ = problem.loss_and_grad(params, batch, l0=np.array([0.0, 1.0, 2.0]))
    law = HardConcrete()
    for k, strength in enumerate((0.0, 1.0, 2.0)):
        open_weights = sum(
            np.broadcast_to(law.likely(params[f"{n}.open"][k]), params[n][k].shape).sum()
            for n in ("weight1", "weight2")
        )
        assert loss[k] - without[k] == pytest.approx(strength * open_weights, rel=1e-6)


def test_results_go_into_the_arrays_that_are_handed_in():
    problem = l0(small())
    params, batch = prepared(problem, dtype=np.float32)
    fresh = problem.loss_and_grad(params, batch, l0=0.01)[1]
    out = {n: np.full_like(p, np.nan) for n, p in params.items()}
    _, grads = problem.loss_and_grad(params, batch, out=out, l0=0.01)
    for n in params:
        assert grads[n] is out[n]
        np.testing.assert_array_equal(out[n], fresh[n])


def test_weights_and_batches_are_those_without_gates():
    plain, problem = small(), l0(small())
    start, gated = plain.init(rng()), problem.init(rng())
    for n in start:
        np.testing.assert_array_equal(gated[n], start[n])
    np.testing.assert_allclose(gated["weight1.open"], np.log(9), atol=0.06)
    ours, theirs = problem.batches(rng(1)), plain.batches(rng(1))
    for _ in range(3):
        X, y, noise = next(ours)
        X0, y0 = next(theirs)
        np.testing.assert_array_equal(X, X0)
        np.testing.assert_array_equal(y, y0)
        assert {n: v.shape for n, v in noise.items()} == {"weight1": (5, 64), "weight2": (10, 5)}
        assert all(np.isfinite(v).all() for v in noise.values())


def test_gates_of_units_and_of_chosen_names():
    start = l0(small(), of=("weight2",), axis=1).init(rng())
    assert [n for n in start if n.endswith(".open")] == ["weight2.open"]
    assert start["weight2.open"].shape == (1, 5)
    assert l0(small(), axis=0).init(rng())["weight1.open"].shape == (5, 1)


def test_settled_weights_and_metrics():
    problem = l0(small())
    params, _ = prepared(problem, K=2, dtype=np.float32)
    params["weight1.open"][1], params["weight2.open"][1] = -9.0, 9.0
    found = problem.weights(params)
    assert set(found) == {"weight1", "bias1", "weight2", "bias2"}
    np.testing.assert_array_equal(found["weight1"][1], 0.0)
    assert not np.signbit(found["weight1"][1]).any()
    np.testing.assert_array_equal(found["weight2"][1], params["weight2"][1])
    metrics = problem.metrics(params)
    inner = small().metrics(found)
    np.testing.assert_array_equal(metrics["validation_accuracy"], inner["validation_accuracy"])
    assert metrics["gates_closed"][1] == pytest.approx(5 * 64 / (5 * 64 + 50))
    one = problem.weights({n: p[1] for n, p in params.items()})
    np.testing.assert_array_equal(one["weight2"], found["weight2"][1])


def test_stronger_penalties_close_more_gates_and_a_row_is_the_same_alone():
    problem = l0(problems.digits((16,)))
    runs = [Run(Adam(), 0.05, str(s), (("l0", s),)) for s in (0.0, 3e-4, 1e-2)]
    together = train(problem, runs, 200)
    closed = together["gates_closed"][:, -1]
    assert closed[0] < 0.02
    assert closed[0] < closed[1] < closed[2]
    assert closed[2] > 0.5
    assert together["validation_accuracy"][:, -1].min() > 0.85
    alone = train(problem, runs[1:2], 20).params
    first = train(problem, runs, 20).params
    for n in alone:
        np.testing.assert_allclose(alone[n][0], first[n][1], rtol=1e-5, atol=1e-6)


def test_own_modules_train_in_torch():
    images = problems.digits().data.test
    inner = problems.from_module(torch.nn.Linear(64, 10), images.X, images.y)
    problem = l0(inner, axis=1)
    runs = [Run(Adam(), 0.1, str(s), (("l0", s),)) for s in (0.0, 1e-2)]
    h = train(problem, runs, 80)
    assert h["gates_closed"][0, -1] < h["gates_closed"][1, -1]
    assert problem.weights(h.params)["weight"].shape == (2, 10, 64)


def test_projections_of_the_inner_problem_are_kept():
    inner = regularize.projected(small(), sparse=lambda s: regularize.proximal_l1(s, of=("weight1",)))
    run = Run(optimizers.SGD(), 0.1, "", (("sparse", 0.3), ("l0", 0.0)))
    h = train(l0(inner), [run], 5)
    assert (h.params["weight1"] == 0).mean() > 0.5
    assert (h.params["weight1.open"] != 0).all()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: l0(small(), axis=2), ValueError, r"l0\.axis must be None, 0 or 1, got 2"),
        (lambda: l0(small(), start=1.0), ValueError, r"l0\.start must be in \(0, 1\), got 1\.0"),
        (lambda: l0(small(), of="weight1"), TypeError, "of must be a tuple of parameter names"),
        (lambda: l0(small(), of=("none",)).init(rng()), ValueError, "of must be among"),
        (lambda: HardConcrete(low=0.1), ValueError, r"HardConcrete\.low must be in"),
        (
            lambda: Gated(small()).loss_and_grad(*prepared(l0(small())), l0=-1.0),
            ValueError,
            "l0 must be finite and at least 0",
        ),
    ],
)
def test_bad_gates(call, error, message):
    with pytest.raises(error, match=message):
        call()
