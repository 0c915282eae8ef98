"""Every update rule against torch.optim in float64, over the whole range of its sliders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from optviz import optimizers
from optviz._knobs import knobs
from optviz._rows import column, groups, stack
from optviz.optimizers import SGD, Adam, AdamW, EMAMomentum, RMSprop
from tests.strategies import configs

CLASSES = [getattr(optimizers, name) for name in optimizers.__all__ if name[0].isupper()]
STEPS, SHAPE = 200, (3, 4)
Torch = tuple[torch.optim.Optimizer, Callable[[int], float]]


def adam(make: Any, r: Any, p: Any) -> Torch:
    rule = make(p, 1.0, betas=(r.b1, r.b2), eps=r.eps, weight_decay=r.weight_decay)
    return rule, lambda t: 1.0


def ema(r: Any, p: Any) -> Torch:
    """PyTorch has no averaged momentum: its SGD buffer is the same sum, without the factor 1 − momentum."""
    rule = torch.optim.SGD(p, 1.0, momentum=r.momentum, weight_decay=r.weight_decay)
    return rule, lambda t: (1 - r.momentum) / (1 - r.momentum ** (t + 1) if r.unbiased else 1.0)


# One line a rule: torch's optimizer for it, and the factor by which the rate of update t differs.
REFERENCES: dict[str, Callable[[Any, Any], Torch]] = {
    "SGD": lambda r, p: (
        torch.optim.SGD(p, 1.0, r.momentum, r.dampening, r.weight_decay, r.nesterov),
        lambda t: 1.0,
    ),
    "EMAMomentum": ema,
    "RMSprop": lambda r, p: (
        torch.optim.RMSprop(p, 1.0, r.alpha, r.eps, r.weight_decay, r.momentum),
        lambda t: 1.0,
    ),
    "Adam": lambda r, p: adam(torch.optim.Adam, r, p),
    "AdamW": lambda r, p: adam(torch.optim.AdamW, r, p),
}


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
    weight = torch.nn.Parameter(torch.tensor(p))
    optimizer, factor = REFERENCES[type(rule).__name__](rule, [weight])
    out = []
    for step in range(len(g)):
        optimizer.param_groups[0]["lr"] = lr[step] * factor(step)
        weight.grad = torch.tensor(g[step])
        optimizer.step()
        out.append(weight.detach().numpy().copy())
    return out


def start(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(1000 + seed)
    return random.normal(size=SHAPE), 0.1 * random.random(STEPS)


def test_every_rule_has_a_reference() -> None:
    assert {cls.__name__ for cls in CLASSES} == set(REFERENCES)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
@given(data=st.data())
@settings(max_examples=25)
def test_equals_torch(cls: type, data: st.DataObject) -> None:
    rule = data.draw(configs(cls))
    seed = data.draw(st.integers(0, 1000))
    g, (p, lr) = gradients(seed), start(seed)
    ours, theirs = trace(rule, g, p, lr), torch_trace(rule, g, p, lr)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
@given(data=st.data())
@settings(max_examples=10)
def test_numpy_and_torch_alike(cls: type, data: st.DataObject) -> None:
    rule = data.draw(configs(cls))
    g, (p, lr) = gradients(1, steps=50), start()
    in_torch = trace(rule, torch.tensor(g), torch.tensor(p), lr)
    assert all(isinstance(x, torch.Tensor) and x.dtype == torch.float64 for x in in_torch)
    np.testing.assert_allclose(trace(rule, g, p, lr), torch.stack(in_torch).numpy(), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("kind", ["numpy", "torch"])
@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
@given(data=st.data())
@settings(max_examples=10)
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
@settings(max_examples=10)
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
    assert all(v.dtype == dtype and v.shape == SHAPE and not v.any() for v in state.values())
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


def test_a_diverged_row_leaves_the_others() -> None:
    p = np.array([[1.0], [1.0]])
    g = np.array([[np.nan], [1.0]])
    for cls in CLASSES:
        rule = stack([cls(), replace(cls(), weight_decay=0.05)], p)
        delta, _ = rule.update(g, rule.init(p), p, column([0.1, 0.1], p), 0)
        assert np.isnan(delta[0, 0])
        assert np.isfinite(delta[1, 0])


def test_ema_is_sgd_at_a_scaled_rate() -> None:
    g, (p, lr) = gradients(7), start()
    np.testing.assert_allclose(
        trace(EMAMomentum(0.9), g, p, lr / (1 - 0.9)), trace(SGD(0.9), g, p, lr), rtol=1e-12, atol=1e-13
    )
