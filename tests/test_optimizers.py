"""Every update rule against torch.optim in float64, or its paper's formula, over the range of its sliders."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from optviz import optimizers
from optviz._knobs import knobs
from optviz._rows import column, groups, stack
from optviz.optimizers import (
    LAMB,
    SAM,
    SGD,
    Adafactor,
    Adam,
    AdamW,
    EMAMomentum,
    Lookahead,
    Muon,
    RMSprop,
    ScheduleFree,
)
from tests.strategies import configs

CLASSES = [getattr(optimizers, name) for name in optimizers.__all__ if name[0].isupper()]
STEPS, SHAPE = 200, (3, 4)
Torch = tuple[torch.optim.Optimizer, Callable[[int], float]]


def adam(make: Any, r: Any, p: Any, **more: Any) -> Torch:
    rule = make(p, 1.0, betas=(r.b1, r.b2), eps=r.eps, weight_decay=r.weight_decay, **more)
    return rule, lambda t: 1.0


def ema(r: Any, p: Any) -> Torch:
    """PyTorch has no averaged momentum: its SGD buffer is the same sum, without the factor 1 − momentum."""
    rule = torch.optim.SGD(p, 1.0, momentum=r.momentum, weight_decay=r.weight_decay)
    return rule, lambda t: (1 - r.momentum) / (1 - r.momentum ** (t + 1) if r.unbiased else 1.0)


def plain(make: Any, p: Any, **settings: Any) -> Torch:
    return make(p, lr=1.0, **settings), lambda t: 1.0


def adafactor(r: Any, p: Any) -> Torch:
    eps = (r.eps1, r.eps2)
    return plain(
        torch.optim.Adafactor, p, beta2_decay=r.beta2_decay, eps=eps, d=r.d, weight_decay=r.weight_decay
    )


# One line a rule: torch's optimizer for it, and the factor by which the rate of update t differs.
REFERENCES: dict[str, Callable[[Any, Any], Torch]] = {
    "SGD": lambda r, p: (
        torch.optim.SGD(p, 1.0, r.momentum, r.dampening, r.weight_decay, r.nesterov),
        lambda t: 1.0,
    ),
    "EMAMomentum": ema,
    "Adagrad": lambda r, p: plain(torch.optim.Adagrad, p, eps=r.eps, weight_decay=r.weight_decay),
    "Adadelta": lambda r, p: plain(
        torch.optim.Adadelta, p, rho=r.rho, eps=r.eps, weight_decay=r.weight_decay
    ),
    "RMSprop": lambda r, p: (
        torch.optim.RMSprop(p, 1.0, r.alpha, r.eps, r.weight_decay, r.momentum),
        lambda t: 1.0,
    ),
    "Adam": lambda r, p: adam(torch.optim.Adam, r, p),
    "AdamW": lambda r, p: adam(torch.optim.AdamW, r, p),
    "AMSGrad": lambda r, p: adam(torch.optim.Adam, r, p, amsgrad=True),
    "NAdam": lambda r, p: adam(torch.optim.NAdam, r, p, momentum_decay=r.momentum_decay),
    "RAdam": lambda r, p: adam(torch.optim.RAdam, r, p),
    "Adamax": lambda r, p: adam(torch.optim.Adamax, r, p),
    "Adafactor": adafactor,
    "SAM": lambda r, p: REFERENCES[type(r.rule).__name__](r.rule, p),  # given the second gradient
}


def lion(r: Any, g: Any, p: Any, lr: Any) -> Iterator[Any]:
    """Chen et al., 2023, algorithm 2."""
    m = np.zeros_like(p)
    for gt, rate in zip(g, lr, strict=True):
        c = r.b1 * m + (1 - r.b1) * gt
        p = p - rate * (np.sign(c) + r.weight_decay * p)
        m = r.b2 * m + (1 - r.b2) * gt
        yield p


def lamb(r: Any, g: Any, p: Any, lr: Any) -> Iterator[Any]:
    """You et al., 2019, algorithm 2, the whole array being one layer."""
    m, v = np.zeros_like(p), np.zeros_like(p)
    for t, (gt, rate) in enumerate(zip(g, lr, strict=True), start=1):
        m = r.b1 * m + (1 - r.b1) * gt
        v = r.b2 * v + (1 - r.b2) * np.square(gt)
        u = (m / (1 - r.b1**t)) / (np.sqrt(v / (1 - r.b2**t)) + r.eps) + r.weight_decay * p
        size, length = np.linalg.norm(p), np.linalg.norm(u)
        p = p - rate * (size / length if size > 0 and length > 0 else 1.0) * u
        yield p


def muon(r: Any, g: Any, p: Any, lr: Any) -> Iterator[Any]:
    """Jordan et al., 2024: the iteration on the singular values, which is all that it changes."""
    m = np.zeros_like(p)
    for gt, rate in zip(g, lr, strict=True):
        m = r.momentum * m + (1 - r.momentum) * gt
        left, s, right = np.linalg.svd((1 - r.momentum) * gt + r.momentum * m if r.nesterov else m)
        s = s / (np.sqrt(np.sum(s**2)) + 1e-7)
        for _ in range(r.iterations):
            s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
        rows, columns = p.shape
        factor = 0.2 * np.sqrt(max(rows, columns)) if r.matched else np.sqrt(max(1, rows / columns))
        direction = left[:, : len(s)] @ np.diag(s) @ right[: len(s)]
        p = (1 - rate * r.weight_decay) * p - rate * factor * direction
        yield p


def schedule_free(r: Any, g: Any, p: Any, lr: Any) -> Iterator[Any]:
    """Defazio et al., 2024, algorithm 1, with its averages written as sums; yields y."""
    z, v, points, weights = p, np.zeros_like(p), [], []
    for t, (gt, rate) in enumerate(zip(g, lr, strict=True), start=1):
        v = r.b2 * v + (1 - r.b2) * np.square(gt)
        gamma = rate * np.sqrt(1 - r.b2**t) if r.adaptive else rate
        z = z - gamma * (gt / (np.sqrt(v) + r.eps) if r.adaptive else gt) - gamma * r.weight_decay * p
        points.append(z)
        weights.append(gamma**2)
        x = np.tensordot(weights, points, 1) / sum(weights)
        p = (1 - r.beta) * z + r.beta * x
        yield p


def lookahead(r: Any, g: Any, p: Any, lr: Any) -> Iterator[Any]:
    """Zhang et al., 2019, algorithm 1, around PyTorch's own optimizer."""
    weight, slow = torch.nn.Parameter(torch.tensor(p)), torch.tensor(p)
    fast, _ = REFERENCES[type(r.rule).__name__](r.rule, [weight])
    for t, (gt, rate) in enumerate(zip(g, lr, strict=True), start=1):
        fast.param_groups[0]["lr"] = rate
        weight.grad = torch.tensor(gt)
        fast.step()
        if t % r.period == 0:
            slow = torch.lerp(slow, weight.detach(), r.alpha)
            weight.data.copy_(slow)
        yield weight.detach().numpy().copy()


# One line a rule that PyTorch lacks (or rounds to bfloat16): the formula of its paper.
FORMULAS: dict[str, Callable[[Any, Any, Any, Any], Iterator[Any]]] = {
    "Lion": lion,
    "LAMB": lamb,
    "Muon": muon,
    "ScheduleFree": schedule_free,
    "Lookahead": lookahead,
}
WEIGHTS = {"x", "z", "slow", "product"}  # states that do not start at zero


def gradients(seed: int, steps: int = STEPS, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """Random gradients of all sizes; some updates and some weights have none."""
    random = np.random.default_rng(seed)
    g = random.normal(size=(steps, *shape)) * 10 ** random.uniform(-3, 1, (steps, *[1] * len(shape)))
    g[random.random(steps) < 0.1] = 0
    g[random.random(g.shape) < 0.2] = 0
    return g


def trace(rule: Any, g: Any, p: Any, lr: Any) -> Any:
    """The weights after each update."""
    state, out = rule.init(p), []
    for step in range(len(g)):
        delta, state = rule.update(g[step], state, p, lr[step], step)
        p = p + delta
        out.append(p)
    return out


def torch_trace(rule: Any, g: np.ndarray, p: np.ndarray, lr: np.ndarray) -> list[np.ndarray]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # else NAdam multiplies its momenta in single precision
    try:
        weight = torch.nn.Parameter(torch.tensor(p))
        optimizer, factor = REFERENCES[type(rule).__name__](rule, [weight])
        out = []
        for step in range(len(g)):
            optimizer.param_groups[0]["lr"] = lr[step] * factor(step)
            weight.grad = torch.tensor(g[step])
            optimizer.step()
            out.append(weight.detach().numpy().copy())
    finally:
        torch.set_default_dtype(before)
    return out


def start(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(1000 + seed)
    return random.normal(size=SHAPE), 0.1 * random.random(STEPS)


def test_every_rule_has_a_reference() -> None:
    assert {cls.__name__ for cls in CLASSES} == set(REFERENCES) | set(FORMULAS)
    assert not set(REFERENCES) & set(FORMULAS)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
@given(data=st.data())
@settings(max_examples=12)
def test_equals_torch_or_the_formula(cls: type, data: st.DataObject) -> None:
    rule = data.draw(configs(cls))
    seed = data.draw(st.integers(0, 1000))
    g, (p, lr) = gradients(seed), start(seed)
    if cls is optimizers.Adamax and rule.b2 < 0.1:  # it divides by the newest gradient alone:
        g, lr = g[:3], lr[:3]  # after many updates the last digit decides
    formula = FORMULAS.get(cls.__name__)

    def reference(p: np.ndarray) -> np.ndarray:
        return np.array(list(formula(rule, g, p, lr)) if formula else torch_trace(rule, g, p, lr))

    ours, theirs = np.array(trace(rule, g, p, lr)), reference(p)
    if not np.allclose(ours, theirs, rtol=1e-9, atol=1e-9):  # is the training itself so sensitive?
        nearby = np.maximum.accumulate(abs(reference(p * (1 + 1e-15)) - theirs))
        assert nearby.max() < 1e-3
        assert (abs(ours - theirs) <= 1e-9 + 100 * nearby).all()


@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
@given(data=st.data())
@settings(max_examples=6)
def test_numpy_and_torch_alike(cls: type, data: st.DataObject) -> None:
    rule = data.draw(configs(cls))
    g, (p, lr) = gradients(1, steps=50), start()
    in_torch = trace(rule, torch.tensor(g), torch.tensor(p), lr)
    assert all(isinstance(x, torch.Tensor) and x.dtype == torch.float64 for x in in_torch)
    np.testing.assert_allclose(trace(rule, g, p, lr), torch.stack(in_torch).numpy(), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("kind", ["numpy", "torch"])
@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
@given(data=st.data())
@settings(max_examples=6)
def test_a_row_among_many_is_the_row_alone(cls: type, kind: str, data: st.DataObject) -> None:
    rules = data.draw(st.lists(configs(cls), min_size=1, max_size=5))
    make = torch.tensor if kind == "torch" else np.array
    shape = (len(rules), *SHAPE)
    random = np.random.default_rng(3)
    g, p, lr = gradients(2, 30, shape), random.normal(size=shape), 0.1 * random.random((30, len(rules)))
    for group in groups(rules):
        rows = make(p[group])
        together = trace(
            stack([rules[k] for k in group], rows),
            make(g[:, group]),
            rows,
            [column(rates, rows) for rates in lr[:, group]],
        )
        for i, k in enumerate(group):
            alone = trace(rules[k], make(g[:, k]), make(p[k]), lr[:, k])
            np.testing.assert_allclose(
                np.array([np.asarray(x[i]) for x in together]),
                np.array([np.asarray(x) for x in alone]),
                rtol=1e-12,
                atol=1e-13,
            )


@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
@given(data=st.data())
@settings(max_examples=6)
def test_nothing_is_mutated_and_state_goes_around(cls: type, data: st.DataObject) -> None:
    rule = data.draw(configs(cls))
    g, (p, lr) = gradients(4, steps=6), start()
    whole = trace(rule, g, p, lr)
    state = rule.init(p)
    for step in range(3):
        before = {n: v.copy() for n, v in state.items()}
        kept_p, kept_g = p.copy(), g[step].copy()
        delta, new = rule.update(g[step], state, p, lr[step], step)
        again, _ = rule.update(g[step], state, p, lr[step], step)
        assert np.array_equal(delta, again)
        assert np.array_equal(p, kept_p)
        assert np.array_equal(g[step], kept_g)
        assert all(np.array_equal(state[n], v) for n, v in before.items())
        assert state.keys() == new.keys()
        assert not any(np.shares_memory(v, g) or np.shares_memory(v, p) for v in new.values())
        p, state = p + delta, new
    saved = {n: np.array(v) for n, v in state.items()}  # what a checkpoint keeps
    for step in range(3, 6):
        delta, saved = rule.update(g[step], saved, p, lr[step], step)
        p = p + delta
    assert np.array_equal(p, whole[-1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
def test_dtype_is_kept(cls: type, dtype: Any) -> None:
    p = np.ones(SHAPE, dtype)
    state = cls().init(p)
    assert all(v.dtype == dtype and v.ndim == 2 for v in state.values())
    assert all(v.all() if name in WEIGHTS else not v.any() for name, v in state.items())
    rows = stack([cls(), cls()], p[None])
    for rule, weights, rate in (
        (cls(), p, 0.1),
        (rows, np.stack([p, p]), column([0.1, 0.2], p[None].repeat(2, 0))),
    ):
        delta, state = rule.update(weights, rule.init(weights), weights, rate, 0)
        assert delta.dtype == dtype
        assert all(v.dtype == dtype for v in state.values())


@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
def test_frozen_hashable_and_no_rate_inside(cls: type) -> None:
    rule = cls()
    assert hash(rule) == hash(cls())
    assert "lr" not in knobs(cls)
    with pytest.raises(FrozenInstanceError):
        rule.weight_decay = 1.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SGD(1.5), r"SGD.momentum must be in \[0.0, 0.999999\], got 1.5"),
        (lambda: SGD(-0.1), r"SGD.momentum must be in \[0.0, 0.999999\], got -0.1"),
        (lambda: SGD(float("nan")), "SGD.momentum must be .*, got nan"),
        (lambda: SGD(0.0, True), "SGD.momentum must be above 0 when nesterov is on, got 0.0"),
        (lambda: SGD(0.9, True, 0.1), "SGD.dampening must be 0 when nesterov is on, got 0.1"),
        (lambda: SGD(0.0, dampening=0.1), "SGD.dampening must be 0 without momentum, got 0.1"),
        (lambda: Adam(b1=1.0), r"Adam.b1 must be in \[0.0, 0.999999\], got 1.0"),
        (lambda: Adam(eps=0.0), r"Adam.eps must be in \[1e-30, 1.0\], got 0.0"),
        (lambda: AdamW(weight_decay=-1), r"AdamW.weight_decay must be in \[0.0, 10.0\], got -1"),
        (lambda: RMSprop(alpha=2), r"RMSprop.alpha must be in \[0.0, 0.999999\], got 2"),
    ],
)
def test_bad_values_are_named(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_bad_kinds_are_named() -> None:
    with pytest.raises(TypeError, match=r"SGD\.nesterov must be True or False, got 1"):
        SGD(0.9, 1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"SGD\.momentum must be a number, got 'high'"):
        SGD("high")  # type: ignore[arg-type]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
def test_a_diverged_row_leaves_the_others(cls: type) -> None:
    p, g = np.ones((2, 3, 2)), np.ones((2, 3, 2))
    g[0] = np.nan
    names = {f.name for f in fields(cls)}
    second = replace(cls(), weight_decay=0.05) if "weight_decay" in names else cls()
    rule = stack([cls(), second], p)
    delta, _ = rule.update(g, rule.init(p), p, column([0.1, 0.1], p), 0)
    assert np.isnan(delta[0]).all()
    assert np.isfinite(delta[1]).all()


@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
@pytest.mark.parametrize("shape", [(), (5,), (3, 4), (2, 3, 3, 3)], ids=str)
def test_any_shape_alone_and_in_rows(cls: type, shape: tuple[int, ...]) -> None:
    random, rule = np.random.default_rng(5), cls()
    p, g = random.normal(size=(2, *shape)), random.normal(size=(12, 2, *shape))
    rows = stack([rule, rule], p)
    together = trace(rows, g, p, [column([0.1, 0.2], p)] * 12)[-1]
    tensor = torch.tensor(p)
    rates = [column([0.1, 0.2], tensor)] * 12
    in_torch = trace(stack([rule, rule], tensor), torch.tensor(g), tensor, rates)[-1]
    alone = [trace(rule, g[:, k], p[k], [lr] * 12)[-1] for k, lr in ((0, 0.1), (1, 0.2))]
    assert together.shape == p.shape
    np.testing.assert_allclose(together, np.array(alone), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(together, in_torch.numpy(), rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
@given(data=st.data())
@settings(max_examples=6)
def test_a_row_is_the_same_to_the_bit_in_any_company(cls: type, data: st.DataObject) -> None:
    rules = data.draw(st.lists(configs(cls), min_size=2, max_size=5))
    shape = (len(rules), 6, 4)
    g, p = gradients(6, 12, shape).astype(np.float32), np.random.default_rng(6).normal(size=shape)
    p = p.astype(np.float32)
    for group in groups(rules):
        rate = column([0.01 * (k + 1) for k in group], p)
        together = trace(stack([rules[k] for k in group], p), g[:, group], p[group], [rate] * 12)
        for i, k in enumerate(group):
            one = stack([rules[k]], p)
            alone = trace(one, g[:, [k]], p[[k]], [rate[[i]]] * 12)
            np.testing.assert_array_equal([x[i] for x in together], [x[0] for x in alone])


def test_ema_is_sgd_at_a_scaled_rate() -> None:
    g, (p, lr) = gradients(7), start()
    np.testing.assert_allclose(
        trace(EMAMomentum(0.9), g, p, lr / (1 - 0.9)), trace(SGD(0.9), g, p, lr), rtol=1e-12, atol=1e-13
    )


# The rules that don't fit the plain form


def rounded(rule: Muon, g: np.ndarray, p: np.ndarray) -> np.ndarray:
    """PyTorch's Muon, which iterates in bfloat16: its changes at rate 1, without decay."""
    weight = torch.nn.Parameter(torch.tensor(p))
    how = "match_rms_adamw" if rule.matched else None
    theirs = torch.optim.Muon([weight], 1.0, 0.0, rule.momentum, rule.nesterov, adjust_lr_fn=how)
    out = []
    for one in g:
        before = weight.detach().clone()
        weight.grad = torch.tensor(one)
        theirs.step()
        out.append((weight.detach() - before).numpy())
    return np.array(out)


@pytest.mark.parametrize("matched", [False, True])
@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("shape", [(48, 48), (64, 32), (32, 64)], ids=str)
def test_muon_is_torchs_but_for_its_rounding(shape: Any, nesterov: bool, matched: bool) -> None:
    rule = Muon(nesterov=nesterov, matched=matched, weight_decay=0.0)
    random = np.random.default_rng(0)
    g, p = random.normal(size=(20, *shape)), random.normal(size=shape)
    ours = np.diff(np.array([p, *trace(rule, g, p, [1.0] * 20)]), axis=0)
    scale = (0.2 * max(shape) ** 0.5) if matched else max(1, shape[0] / shape[1]) ** 0.5
    assert np.abs(ours - rounded(rule, g, p)).max() < 2e-2 * scale


def test_muon_flattens_kernels_and_leaves_vectors_to_the_other_rule() -> None:
    random, rule = np.random.default_rng(1), Muon(other=SGD(0.9))
    kernel, vector = random.normal(size=(4, 3, 3, 3)), random.normal(size=7)
    flat = trace(rule, kernel.reshape(1, 4, 27), kernel.reshape(4, 27), [0.1])[-1]
    np.testing.assert_allclose(trace(rule, kernel[None], kernel, [0.1])[-1].reshape(4, 27), flat)
    np.testing.assert_array_equal(
        trace(rule, vector[None], vector, [0.1])[-1], trace(SGD(0.9), vector[None], vector, [0.1])[-1]
    )


def test_schedule_free_keeps_the_mean_of_its_points() -> None:
    rule, p, points = ScheduleFree(beta=0.9), np.array([1.0, -2.0]), []
    state = rule.init(p)
    for step in range(30):
        delta, state = rule.update(np.array([1.0, 3.0]) * p, state, p, 0.1, step)
        p = p + delta
        points.append(state["z"])
        np.testing.assert_allclose(rule.evaluate(state, p), np.mean(points, axis=0))
        np.testing.assert_allclose(p, 0.1 * points[-1] + 0.9 * np.mean(points, axis=0))


def test_schedule_free_waits_while_the_rate_is_zero() -> None:
    rule, p = ScheduleFree(), np.array([1.0])
    state = rule.init(p)
    for step, lr in enumerate([0.0, 0.0, 0.1]):
        delta, state = rule.update(p, state, p, lr, step)
        p = p + delta
        assert p[0] == pytest.approx(0.9 if lr else 1.0)


@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 4)], ids=str)
def test_sam_climbs_by_rho_along_the_gradient(shape: tuple[int, ...]) -> None:
    g = np.random.default_rng(2).normal(size=(2, *shape))
    rows = stack([SAM(SGD(), 0.1), SAM(SGD(0.9), 0.3)], g)
    for k, rho in enumerate((0.1, 0.3)):
        expected = rho * g[k] / np.linalg.norm(g[k])
        np.testing.assert_allclose(rows.probe(g, g)[k], expected)
        np.testing.assert_allclose(SAM(SGD(), rho).probe(torch.tensor(g[k]), None).numpy(), expected)
    assert not SAM().probe(np.zeros(3), np.zeros(3)).any()


def test_sam_on_a_quadratic_by_hand() -> None:
    curvature, rho, lr = np.array([1.0, 10.0]), 0.1, 0.05
    rule, p, q = SAM(SGD(), rho), np.array([1.0, 1.0]), np.array([1.0, 1.0])
    state = rule.init(p)
    for step in range(20):
        g = curvature * p
        delta, state = rule.update(curvature * (p + rule.probe(g, p)), state, p, lr, step)
        p = p + delta
        slope = curvature * q
        q = q - lr * curvature * (q + rho * slope / np.sqrt(np.sum(slope**2)))
    np.testing.assert_allclose(p, q, rtol=1e-9)


def test_lamb_trusts_fully_where_a_norm_is_zero() -> None:
    rule, p = LAMB(), np.zeros(3)
    delta, _ = rule.update(np.array([1.0, -2.0, 3.0]), rule.init(p), p, 0.1, 0)
    np.testing.assert_allclose(delta, [-0.1, 0.1, -0.1], rtol=1e-5)
    assert not rule.update(p, rule.init(p), p + 1, 0.1, 0)[0].any()


def test_factored_squares_need_rows_plus_columns() -> None:
    sizes = {n: v.size for n, v in Adafactor().init(np.zeros((128, 64))).items()}
    assert sizes == {"row": 128, "column": 64}
    assert Adafactor().init(np.zeros(9))["v"].size == 9


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: SAM(SGD), TypeError, r"SAM\.rule must be a rule like SGD\(momentum=0.9\), got <class"),
        (lambda: SAM(0.9), TypeError, r"SAM\.rule must be a rule"),
        (lambda: SAM(SAM()), ValueError, r"SAM\.rule must be a rule that takes one gradient, got SAM"),
        (
            lambda: Lookahead(SAM()),
            ValueError,
            r"Lookahead\.rule must be a rule without weights or gradients",
        ),
        (lambda: Lookahead(Lookahead()), ValueError, r"Lookahead\.rule must be a rule without"),
        (lambda: Lookahead(ScheduleFree()), ValueError, r"Lookahead\.rule must be a rule without"),
        (lambda: Lookahead(period=0), ValueError, r"Lookahead\.period must be in \[1, 10000\], got 0"),
        (lambda: Lookahead(alpha=1.5), ValueError, r"Lookahead\.alpha must be in \[0.0, 1.0\], got 1.5"),
        (lambda: Muon(other=3), TypeError, r"Muon\.other must be a rule"),
        (lambda: Muon(iterations=2.5), ValueError, r"Muon\.iterations must be a whole number, got 2.5"),
        (lambda: Adafactor(d=0.5), ValueError, r"Adafactor\.d must be in \[1.0, 1000000.0\], got 0.5"),
        (lambda: Adafactor(beta2_decay=0.8), ValueError, r"Adafactor\.beta2_decay must be in \[-5.0, 0.0\]"),
        (lambda: ScheduleFree(adaptive=1), TypeError, r"ScheduleFree\.adaptive must be True or False, got 1"),
        (lambda: ScheduleFree(beta=1.0), ValueError, r"ScheduleFree\.beta must be in \[0.0, 0.999999\]"),
    ],
)
def test_wrong_rules_are_named(make: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()
