"""K runs as one: each row is what it would be alone, and what torch.optim with lr_scheduler makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info
from torch.optim import lr_scheduler as lrs

from optviz import data, gradients, optimizers, problems
from optviz.models import MLP, SmallCNN
from optviz.optimizers import SGD, Adam, AdamW, EMAMomentum, RMSprop
from optviz.schedules import Cosine, Exponential, OneCycle, StepDecay, Warmup
from optviz.training import EMA, EarlyStopping, History, Plateau, Run, iterate, train
from tests.strategies import configs, simple_schedules
from tests.test_optimizers import REFERENCES

SMALL = problems.digits(hidden=(12,), batch=32)


class Recorded:
    """A problem that remembers the weights it started from and the batches it gave."""

    def __init__(self, problem: Any) -> None:
        self.problem, self.start, self.given = problem, {}, []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.problem, name)

    def init(self, generator: np.random.Generator) -> dict[str, Any]:
        self.start = self.problem.init(generator)
        return self.start

    def batches(self, generator: np.random.Generator) -> Iterator[Any]:
        for batch in self.problem.batches(generator):
            self.given.append(batch)
            yield batch


class ByAutograd:
    """The same problem without its closed-form gradient: torch and vmap have to do."""

    def __init__(self, problem: Any) -> None:
        self.problem = problem

    def init(self, generator: np.random.Generator) -> dict[str, Any]:
        return {n: torch.tensor(p) for n, p in self.problem.init(generator).items()}

    def batches(self, generator: np.random.Generator) -> Iterator[Any]:
        return ((torch.tensor(X), torch.tensor(y)) for X, y in self.problem.batches(generator))

    def loss(self, params: Mapping[str, Any], batch: Any, **extra: Any) -> Any:
        return self.problem.loss(params, batch, **extra)

    def metrics(self, params: Mapping[str, Any]) -> dict[str, np.ndarray]:
        return self.problem.metrics({n: p.numpy() for n, p in params.items()})


def module(network: Any = None, **options: Any) -> Any:
    images = data.digits().train
    return problems.from_module(network or MLP((64, 12, 10)), images.X, images.y, **options)


def cnn(dtype: Any = torch.float32, **options: Any) -> Any:
    images = data.digits().test
    network = SmallCNN(size=8).to(dtype)
    return problems.from_module(network, images.X.reshape(-1, 1, 8, 8), images.y, **options)


PROBLEMS: dict[str, Callable[[], Any]] = {
    "closed form": lambda: SMALL,
    "autograd": lambda: ByAutograd(SMALL),
    "module": lambda: module(batch=32),
    "convolutions": lambda: cnn(batch=32),
}
every_problem = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS.keys())
RULES = [
    SGD(),
    SGD(0.9),
    SGD(0.9, nesterov=True, weight_decay=1e-3),
    EMAMomentum(),
    RMSprop(),
    Adam(),
    AdamW(),
]


def rate_of(rule: Any) -> float:
    return 0.1 if isinstance(rule, SGD | EMAMomentum) else 0.001


def plans(lr: float, steps: int) -> list[tuple[Any, Callable[[Any], Any]]]:
    """Schedules, each beside the PyTorch scheduler that should give the same training."""
    up = 10
    return [
        (Cosine(lr, steps), lambda o: lrs.CosineAnnealingLR(o, steps)),
        (StepDecay(lr, 30, 0.5), lambda o: lrs.StepLR(o, 30, 0.5)),
        (OneCycle(lr, steps), lambda o: lrs.OneCycleLR(o, lr, steps, cycle_momentum=False)),
        (
            Warmup(Exponential(lr, 0.99), up),
            lambda o: lrs.SequentialLR(
                o, [lrs.LinearLR(o, 1 / up, 1.0, up - 1), lrs.ExponentialLR(o, 0.99)], [up]
            ),
        ),
    ]


def torch_loop(problem: Any, rule: Any, lr: float, plan: Any, start: Any, batches: Any) -> list[float]:
    """The loop of every tutorial, from the same weights over the same batches."""
    weights = {n: torch.nn.Parameter(torch.as_tensor(p).clone()) for n, p in start.items()}
    optimizer, factor = REFERENCES[type(rule).__name__](rule, list(weights.values()))
    for group in optimizer.param_groups:
        group["lr"] = lr
    scheduler, out = plan(optimizer), []
    for t, (X, y) in enumerate(batches):
        optimizer.zero_grad()
        loss = problem.loss(weights, (torch.as_tensor(X), torch.as_tensor(y)))
        loss.backward()
        planned = optimizer.param_groups[0]["lr"]
        optimizer.param_groups[0]["lr"] = planned * factor(t)
        optimizer.step()
        optimizer.param_groups[0]["lr"] = planned
        if t < len(batches) - 1:
            scheduler.step()
        out.append(loss.item())
    return out


@pytest.mark.parametrize(
    ("problem", "tolerance"),
    [
        *((make, 1e-5) for make in PROBLEMS.values()),
        (lambda: module(MLP((64, 12, 10)).double(), batch=32), 1e-9),
        (lambda: cnn(torch.float64, batch=32), 1e-9),
    ],
    ids=[*PROBLEMS, "module in float64", "convolutions in float64"],
)
def test_equals_torch_with_its_schedulers(problem: Callable[[], Any], tolerance: float) -> None:
    recorded, steps = Recorded(problem()), 100
    cases = [(rule, rate_of(rule), *plan) for rule in RULES for plan in plans(rate_of(rule), steps)]
    found = train(recorded, [Run(rule, ours) for rule, _, ours, _ in cases], steps)
    for k, (rule, lr, schedule, plan) in enumerate(cases):
        theirs = torch_loop(recorded, rule, lr, plan, recorded.start, recorded.given[:steps])
        np.testing.assert_allclose(
            found["loss"][k], theirs, atol=tolerance, rtol=tolerance, err_msg=f"{rule} {schedule}"
        )


def test_closed_form_equals_autograd() -> None:
    runs = [Run(rule, rate_of(rule)) for rule in RULES]
    ours, theirs = train(SMALL, runs, 60), train(ByAutograd(SMALL), runs, 60)
    np.testing.assert_allclose(ours["loss"], theirs["loss"], atol=1e-5)
    np.testing.assert_array_equal(ours["lr"], theirs["lr"])
    np.testing.assert_allclose(
        ours.measured("validation_loss")[1], theirs.measured("validation_loss")[1], atol=1e-4
    )


@pytest.mark.parametrize("hidden", [(), (7,), (9, 5)])
def test_gradient_against_autograd(hidden: tuple[int, ...]) -> None:
    problem, random = problems.digits(hidden=hidden, batch=16), np.random.default_rng(0)
    batch = next(problem.batches(random))
    rows = [problem.init(random) for _ in range(3)]
    params = {n: np.stack([row[n] for row in rows]).astype(np.float64) for n in rows[0]}
    smoothing = np.array([0.0, 0.1, 0.3])
    loss, grads = problem.loss_and_grad(params, batch, smoothing=smoothing)
    X, y = torch.tensor(batch[0], dtype=torch.float64), torch.tensor(batch[1])
    for k in range(3):
        leaves = {n: torch.tensor(p[k], requires_grad=True) for n, p in params.items()}
        alone = problem.loss(leaves, (X, y), smoothing=float(smoothing[k]))
        alone.backward()
        assert loss[k] == pytest.approx(alone.item(), rel=1e-12)
        for n, leaf in leaves.items():
            np.testing.assert_allclose(grads[n][k], leaf.grad.numpy(), atol=1e-12)


# Rows


def close(problem: Any) -> float:
    """To the last bit in NumPy, which takes row by row; torch may choose another kernel for another K."""
    return 0.0 if problem is SMALL else 2e-6


def assert_same_row(left: History, k: int, right: History, i: int, tolerance: float = 0.0) -> None:
    for name in left.series:
        np.testing.assert_allclose(left[name][k], right[name][i], atol=tolerance, rtol=tolerance)
    for name in left.params:
        np.testing.assert_allclose(
            left.params[name][k], right.params[name][i], atol=tolerance, rtol=tolerance
        )


@every_problem
def test_a_row_among_many_is_the_row_alone(problem: Callable[[], Any]) -> None:
    one = problem()
    runs = [Run(rule, Cosine(rate_of(rule) * f, 25)) for f in (1.0, 0.3) for rule in RULES]
    together = train(one, runs, 25, every=10)
    for k, run in enumerate(runs):
        assert_same_row(together, k, train(one, [run], 25, every=10), 0, tolerance=close(one))


@given(data=st.data())
@settings(max_examples=15)
def test_any_mixture_of_rules_and_schedules(data: st.DataObject) -> None:
    rule = st.sampled_from([getattr(optimizers, n) for n in optimizers.__all__]).flatmap(configs)
    runs = data.draw(st.lists(st.builds(Run, rule, simple_schedules()), min_size=1, max_size=5))
    together = train(SMALL, runs, 8, every=8)
    for k, run in enumerate(runs):
        alone = train(SMALL, [run], 8, every=8)
        np.testing.assert_allclose(together["loss"][k], alone["loss"][0], rtol=1e-3)
        np.testing.assert_array_equal(together["lr"][k], alone["lr"][0])


def test_plain_descent_is_bit_identical_in_any_company() -> None:
    runs = [Run(SGD(m), 0.1) for m in (0.0, 0.5, 0.9)] + [Run(Adam(), 0.01)]
    together = train(SMALL, runs, 30)
    for k in range(3):
        assert_same_row(together, k, train(SMALL, runs[k : k + 1], 30), 0)


def test_more_rows_than_are_updated_together() -> None:
    runs = [Run(SGD(0.9), 0.001 * (k + 1), str(k)) for k in range(150)]
    together = train(SMALL, runs, 4, every=2, seed=(0, 3))
    assert together.labels == tuple(str(k) for k in range(150) for _ in range(2))
    for k in (0, 63, 64, 149):
        alone = train(SMALL, [runs[k]], 4, every=2, seed=3)
        assert_same_row(together, 2 * k + 1, alone, 0)


@every_problem
def test_seeds_are_rows(problem: Callable[[], Any]) -> None:
    one = problem()
    runs = [Run(SGD(0.9), 0.1, "a"), Run(SGD(0.9), 0.01, "b")]
    together = train(one, runs, 12, seed=(5, 2, 9), every=6)
    assert together.labels == ("a", "a", "a", "b", "b", "b")
    assert together.seeds == (5, 2, 9) * 2
    for i, seed in enumerate((5, 2, 9)):
        alone = train(one, runs, 12, seed=seed, every=6)
        assert_same_row(together, i, alone, 0, tolerance=close(one))
        assert_same_row(together, 3 + i, alone, 1, tolerance=close(one))
    first = together["loss"][:, 0]
    assert first[0] == pytest.approx(first[3], rel=1e-6)  # same weights, same batch
    assert len(np.unique(first[:3].round(4))) == 3


@every_problem
def test_the_same_call_gives_the_same_bits(problem: Callable[[], Any]) -> None:
    one, run = problem(), Run(Adam(), 0.01)
    numpy_before, torch_before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    left, right = train(one, [run], 10), train(one, [run], 10)
    assert_same_row(left, 0, right, 0)
    assert np.array_equal(np.random.get_state()[1], numpy_before)  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), torch_before)


def test_labels_are_told_apart() -> None:
    same = [Run(SGD(), 0.1, "x"), Run(Adam(), 0.1, "x"), Run(Adam(), 0.1, "x")]
    assert train(SMALL, same, 1).labels == ("x, SGD", "x, Adam", "x, Adam (2)")


@every_problem
def test_extras_go_to_their_row(problem: Callable[[], Any]) -> None:
    one = problem()
    runs = [Run(SGD(0.9), 0.1, extra=(("smoothing", s),)) for s in (0.0, 0.1, 0.3)]
    together = train(one, runs, 10)
    for k, run in enumerate(runs):
        assert_same_row(together, k, train(one, [run], 10), 0, tolerance=close(one))
    np.testing.assert_allclose(
        together["loss"][0], train(one, [Run(SGD(0.9), 0.1)], 10)["loss"][0], rtol=1e-5
    )
    assert len(np.unique(together["loss"][:, 0].round(4))) == 3


@every_problem
@pytest.mark.parametrize(
    "rule", [SGD(0.9), Adam(weight_decay=0.1), RMSprop()], ids=lambda r: type(r).__name__
)
def test_a_diverging_row_touches_no_other(problem: Callable[[], Any], rule: Any) -> None:
    one = problem()
    calm = [Run(rule, rate_of(rule)), Run(rule, rate_of(rule) / 3)]
    wild = Run(rule, 1e30)
    together = train(one, [calm[0], wild, calm[1]], 15)
    assert not np.isfinite(together["loss"][1]).all()
    assert np.isfinite(together["loss"][[0, 2]]).all()
    alone = train(one, calm, 15)
    for k, i in ((0, 0), (2, 1)):
        assert_same_row(together, k, alone, i, tolerance=close(one))


# Steps


@pytest.mark.parametrize(
    ("every", "at"), [(1, range(7)), (3, (2, 5, 6)), (7, (6,)), (100, (6,)), (None, range(7))]
)
def test_every(every: int | None, at: Any) -> None:
    got = list(iterate(SMALL, [Run(SGD(), 0.1), Run(SGD(), 0.2)], 7, every=every))
    assert [step.step for step in got] == list(at)
    assert sum(step.loss.shape[1] for step in got) == 7
    assert all(step.loss.shape == step.lr.shape for step in got)
    assert all(set(step.metrics) == {"validation_loss", "validation_accuracy"} for step in got)
    assert all(value.shape == (2,) for step in got for value in step.metrics.values())
    assert got[-1].params["weight1"].shape == (2, 12, 64)
    whole = train(SMALL, [Run(SGD(), 0.1), Run(SGD(), 0.2)], 7, every=1)
    np.testing.assert_array_equal(np.concatenate([s.loss for s in got], axis=1), whole["loss"])


def test_about_forty_measurements_by_default() -> None:
    assert len(list(iterate(SMALL, [Run(SGD(), 0.1)], 400))) == 40


def test_losses_are_those_before_each_update() -> None:
    recorded = Recorded(SMALL)
    found = train(recorded, [Run(SGD(), 0.1)], 1)
    assert found["loss"][0, 0] == pytest.approx(
        float(SMALL.loss(recorded.start, recorded.given[0])), rel=1e-6
    )


def test_leaving_early_leaves_nothing_behind() -> None:
    def limits() -> list[int]:
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    before = limits()
    for step in iterate(SMALL, [Run(SGD(), 0.1)], 100, every=10):
        assert limits() == before  # released at every yield
        if step.step > 20:
            break
    assert limits() == before


def test_it_learns() -> None:
    found = train(problems.digits(), [Run(SGD(0.9), Warmup(Cosine(0.1, 170), 20))], 190)
    assert found["validation_accuracy"][0, -1] > 0.9
    assert found["loss"].dtype == np.float64
    assert found.params["weight1"].dtype == np.float32


# Starting weights


@every_problem
def test_given_weights(problem: Callable[[], Any]) -> None:
    recorded = Recorded(problem())
    runs = [Run(SGD(), 0.1), Run(SGD(), 0.01)]
    drawn = train(recorded, runs, 5)
    shared = train(recorded, runs, 5, params=recorded.start)
    rows = {n: np.stack([np.asarray(p)] * 2) for n, p in recorded.start.items()}
    kept = {n: p.copy() for n, p in rows.items()}
    for other in (shared, train(recorded, runs, 5, params=rows)):
        for k in range(2):
            assert_same_row(drawn, k, other, k)
    assert all(np.array_equal(rows[n], kept[n]) for n in rows)
    go_on = train(recorded, runs, 5, params=drawn.params)
    assert go_on["loss"][0, 0] != drawn["loss"][0, 0]


def test_weights_of_torch_start_rows_in_numpy() -> None:
    start = {n: torch.tensor(p) for n, p in SMALL.init(np.random.default_rng(4)).items()}
    as_arrays = {n: p.numpy() for n, p in start.items()}
    left = train(SMALL, [Run(SGD(), 0.1)], 3, params=start)
    assert_same_row(left, 0, train(SMALL, [Run(SGD(), 0.1)], 3, params=as_arrays), 0)


# Maps of weights and gradients


@every_problem
def test_identity_maps_change_nothing(problem: Callable[[], Any]) -> None:
    one, runs = problem(), [Run(SGD(0.9), 0.1), Run(Adam(), 0.01)]
    plain = train(one, runs, 8)
    for options in ({"view": lambda p: p}, {"grads": lambda g: g}, {"grads": dict, "view": dict}):
        mapped = train(one, runs, 8, **options)
        for k in range(2):
            assert_same_row(plain, k, mapped, k)


@every_problem
def test_a_mask_as_view(problem: Callable[[], Any]) -> None:
    recorded = Recorded(problem())
    name = next(n for n in recorded.problem.init(np.random.default_rng(0)) if "weight" in n)
    random = np.random.default_rng(1)

    def masked(params: Mapping[str, Any]) -> dict[str, Any]:
        p = params[name]
        mask = (random_mask(p.shape[1:]) > 0.5) * 1
        factor = torch.as_tensor(mask, dtype=p.dtype) if isinstance(p, torch.Tensor) else mask.astype(p.dtype)
        return {**params, name: p * factor}

    table: dict[Any, np.ndarray] = {}

    def random_mask(shape: Any) -> np.ndarray:
        return table.setdefault(tuple(shape), random.random(shape))

    found = train(recorded, [Run(SGD(0.9), 0.1), Run(SGD(), 0.05)], 10, view=masked)
    hidden = random_mask(found.params[name].shape[1:]) <= 0.5
    assert not found.params[name][:, hidden].any()
    assert found.params[name][:, ~hidden].all()
    # Straight-through: the gradient at the masked weights moves the weights behind the mask.
    weights = {n: torch.as_tensor(p).clone() for n, p in recorded.start.items()}
    for k in range(10):
        leaves = {
            n: torch.as_tensor(np.asarray(p)).requires_grad_() for n, p in one_row(masked, weights).items()
        }
        X, y = recorded.given[k]
        loss = recorded.loss(leaves, (torch.as_tensor(X), torch.as_tensor(y)))
        assert found["loss"][1, k] == pytest.approx(loss.item(), rel=1e-4)
        loss.backward()
        weights = {n: p - 0.05 * leaves[n].grad for n, p in weights.items()}


def one_row(view: Callable[[Any], Any], weights: Mapping[str, Any]) -> dict[str, Any]:
    return {n: p[0].detach() for n, p in view({n: p[None] for n, p in weights.items()}).items()}


@every_problem
def test_maps_of_gradients(problem: Callable[[], Any]) -> None:
    one = problem()
    twice = train(one, [Run(SGD(), 0.05)], 8, grads=lambda g: {n: 2 * v for n, v in g.items()})
    np.testing.assert_allclose(twice["loss"], train(one, [Run(SGD(), 0.1)], 8)["loss"], rtol=1e-5)


@every_problem
def test_clipping_per_row_is_torch_clipping(problem: Callable[[], Any]) -> None:
    recorded = Recorded(problem())
    found = train(
        recorded, [Run(SGD(0.9), 0.5), Run(SGD(), 0.1)], 20, grads=lambda g: gradients.clip_norm(g, 0.5)
    )
    weights = {n: torch.nn.Parameter(torch.as_tensor(p).clone()) for n, p in recorded.start.items()}
    optimizer = torch.optim.SGD(weights.values(), 0.5, momentum=0.9)
    for k in range(20):
        X, y = recorded.given[k]
        optimizer.zero_grad()
        loss = recorded.loss(weights, (torch.as_tensor(X), torch.as_tensor(y)))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights.values(), 0.5)
        optimizer.step()
        assert found["loss"][0, k] == pytest.approx(loss.item(), rel=1e-4)


# Monitors


@every_problem
def test_plateau_cuts_the_rate_of_one_row(problem: Callable[[], Any]) -> None:
    runs = [Run(SGD(), 1e-12, "still"), Run(SGD(0.9), 0.1, "learning")]
    found = train(problem(), runs, 20, every=2, monitors=[Plateau("loss", factor=0.5, patience=12)])
    assert (found["lr"][1] == 0.1).all()
    steady = train(problem(), runs, 20, every=2, monitors=[Plateau(factor=0.5, patience=2)])
    rates = steady["lr"][0] / 1e-12
    assert rates[:8].tolist() == [1] * 8
    assert np.unique(rates).tolist() == [0.25, 0.5, 1.0]


def test_early_stopping_ends_and_restores() -> None:
    stop = EarlyStopping("validation_loss", patience=2)
    found = train(SMALL, [Run(SGD(), 1e-12)], 50, every=5, monitors=[stop])
    assert len(found.steps) == 15  # one best measurement, then two that are no better
    wild = train(SMALL, [Run(SGD(), lambda t: 0.1 if t < 10 else 30.0)], 60, every=5, monitors=[stop])
    at, values = wild.measured("validation_loss")
    calm = train(SMALL, [Run(SGD(), 0.1)], int(at[values[0].argmin()]) + 1)
    np.testing.assert_allclose(wild.params["weight1"], calm.params["weight1"], atol=1e-6)


def test_averages_see_every_update() -> None:
    monitor, seen = EMA(0.5), []

    class Kept:
        per_update = True

        def init(self, rows: int) -> Any:
            return monitor.init(rows)

        def update(self, step: Any, state: Any) -> Any:
            seen.append(step.params["weight2"].copy())
            return monitor.update(step, state)

        def finish(self, state: Any, params: Any) -> Any:
            return monitor.averaged(state)

    found = train(SMALL, [Run(SGD(0.9), 0.1)], 12, every=4, monitors=[Kept()])
    assert len(seen) == 12
    weights = 0.5 ** np.arange(12)[::-1]
    expected = np.tensordot(weights / weights.sum(), np.array(seen), 1)
    np.testing.assert_allclose(found.params["weight2"], expected, atol=1e-6)
    np.testing.assert_array_equal(found["loss"], train(SMALL, [Run(SGD(0.9), 0.1)], 12)["loss"])


# Bad input


@pytest.mark.parametrize(
    ("runs", "steps", "options", "message"),
    [
        ([], 5, {}, r"runs must be at least one Run, got \(\)"),
        (None, 0, {}, "steps must be a whole number of at least 1, got 0"),
        (None, -3, {}, "steps must be a whole number of at least 1, got -3"),
        (None, 2.5, {}, "steps must be a whole number of at least 1, got 2.5"),
        (None, 5, {"every": 0}, "every must be a whole number of at least 1, got 0"),
        (None, 5, {"every": 1.5}, "every must be a whole number of at least 1, got 1.5"),
        (None, 5, {"seed": -1}, "seed must be whole numbers of at least 0, got -1"),
        (None, 5, {"seed": (1, 1)}, r"seed must be different seeds, got \(1, 1\)"),
        (None, 5, {"seed": ()}, r"seed must be one seed or several, got \(\)"),
        (None, 5, {"params": {}}, r"params must be a mapping with 'weight1', got \[\]"),
        (
            None,
            5,
            {"params": {"weight1": np.zeros((3, 3))}},
            r"params\['weight1'\] must be of shape \(12, 64\) or \(1, 12, 64\), got \(3, 3\)",
        ),
        (
            None,
            5,
            {"monitors": [EarlyStopping("test_loss")]},
            "EarlyStopping.metric must be one of .*test_loss",
        ),
        ([Run(SGD(), lambda t: -1.0, "up")], 5, {}, "rate of 'up' at update 0 must be a finite number"),
        (
            [Run(SGD(), 0.1, extra=(("smoothing", 0.1),)), Run(SGD(), 0.1)],
            5,
            {},
            r"Run.extra must be given for every run: \['smoothing'\], got \(\)",
        ),
    ],
)
def test_bad_values_are_named_before_training(runs: Any, steps: Any, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        iterate(SMALL, [Run(SGD(), 0.1)] if runs is None else runs, steps, **options)


@pytest.mark.parametrize(
    ("runs", "options", "message"),
    [
        ([SGD()], {}, "runs must be a sequence of Run objects, got .SGD"),
        (Run(SGD(), 0.1), {}, "runs must be a sequence of Run objects, got Run"),
        (None, {"seed": "one"}, "seed must be a whole number or several, got 'one'"),
        (None, {"seed": 1.5}, "seed must be a whole number or several, got 1.5"),
        (None, {"monitors": [EarlyStopping]}, "monitors must be monitors like EarlyStopping"),
    ],
)
def test_bad_kinds_are_named_before_training(runs: Any, options: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        iterate(SMALL, [Run(SGD(), 0.1)] if runs is None else runs, 5, **options)


def test_an_unknown_extra_is_named() -> None:
    with pytest.raises((TypeError, ValueError), match="temperature"):
        train(SMALL, [Run(SGD(), 0.1, extra=(("temperature", 2.0),))], 5)


# A GPU


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("make", [lambda: MLP((64, 12, 10)), lambda: SmallCNN(size=8)], ids=["MLP", "CNN"])
def test_the_same_on_cuda(make: Callable[[], Any]) -> None:
    images = data.digits().train
    network = make()
    X = images.X.reshape(-1, 1, 8, 8) if isinstance(network, SmallCNN) else images.X
    runs = [Run(rule, rate_of(rule)) for rule in RULES]
    on_cpu = Recorded(problems.from_module(network, X, images.y))
    slow = train(on_cpu, runs, 60, seed=(0, 1))
    fast = train(problems.from_module(network.cuda(), X, images.y), runs, 60, seed=(0, 1))
    np.testing.assert_allclose(slow["loss"], fast["loss"], atol=2e-3)
    np.testing.assert_allclose(slow["loss"][:, :10], fast["loss"][:, :10], atol=1e-4)
    alone = train(problems.from_module(network.cuda(), X, images.y), runs[2:3], 60)
    np.testing.assert_allclose(alone["loss"][0], fast["loss"][4], atol=1e-4)
