"""Gradient maps against torch.nn.utils, row by row."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from optviz import gradients


def sample(K=4, seed=0, scale=1.0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    shapes = {"w": (K, 3, 2), "b": (K, 3), "s": (K,)}
    return {
        n: (scale * rng.normal(size=s) * 10.0 ** rng.uniform(-2, 2)).astype(dtype) for n, s in shapes.items()
    }


def parameters(grads, k):
    out = [torch.nn.Parameter(torch.zeros(g.shape[1:], dtype=torch.float64)) for g in grads.values()]
    for p, g in zip(out, grads.values(), strict=True):
        p.grad = torch.tensor(g[k], dtype=torch.float64)
    return out


KINDS = {"numpy": lambda g: g, "torch": lambda g: {n: torch.tensor(v) for n, v in g.items()}}


@pytest.fixture(params=list(KINDS))
def kind(request):
    return KINDS[request.param]


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 10**6), limit=st.floats(1e-3, 1e3), which=st.sampled_from(list(KINDS)))
def test_clip_norm_is_torchs(seed, limit, which):
    grads = sample(seed=seed)
    out = gradients.clip_norm(KINDS[which](grads), limit)
    lengths = gradients.norm(KINDS[which](grads))
    for k in range(4):
        reference = parameters(grads, k)
        total = torch.nn.utils.clip_grad_norm_(reference, limit)
        assert float(lengths[k]) == pytest.approx(float(total), rel=1e-12)
        for p, g in zip(reference, out.values(), strict=True):
            np.testing.assert_allclose(np.asarray(g[k]), p.grad.numpy(), rtol=1e-12)


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 10**6), limit=st.floats(1e-3, 1e3), which=st.sampled_from(list(KINDS)))
def test_clip_value_is_torchs(seed, limit, which):
    grads = sample(seed=seed)
    out = gradients.clip_value(KINDS[which](grads), limit)
    for k in range(4):
        reference = parameters(grads, k)
        torch.nn.utils.clip_grad_value_(reference, limit)
        for p, g in zip(reference, out.values(), strict=True):
            np.testing.assert_array_equal(np.asarray(g[k]), p.grad.numpy())


@pytest.mark.parametrize("clip", [gradients.clip_norm, gradients.clip_value])
def test_a_limit_of_its_own_for_every_row(kind, clip):
    grads, limits = sample(), np.array([0.1, 1.0, 10.0, np.inf])
    together = clip(kind(grads), limits)
    for k in range(4):
        alone = clip(kind({n: g[k : k + 1] for n, g in grads.items()}), float(limits[k]))
        for n in grads:
            np.testing.assert_allclose(np.asarray(together[n][k]), np.asarray(alone[n][0]), rtol=1e-14)
    for n in grads:
        np.testing.assert_array_equal(np.asarray(together[n][3]), grads[n][3])


@pytest.mark.parametrize("clip", [gradients.clip_norm, gradients.clip_value])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_row_that_is_not_finite_stays_alone(kind, clip, bad):
    grads = sample()
    clean = clip(kind(grads), 0.5)
    grads["b"][1, 2] = bad
    out = clip(kind(grads), 0.5)
    for n in grads:
        for k in (0, 2, 3):
            np.testing.assert_array_equal(np.asarray(out[n][k]), np.asarray(clean[n][k]))
    if clip is gradients.clip_norm:
        assert not np.isfinite(np.asarray(out["b"][1, 2]))
        assert not np.isfinite(float(gradients.norm(kind(grads))[1]))


@pytest.mark.parametrize("clip", [gradients.clip_norm, gradients.clip_value])
def test_nothing_is_changed_and_types_are_kept(kind, clip):
    grads = kind(sample(dtype=np.float32))
    before = {n: np.asarray(g).copy() for n, g in grads.items()}
    out = clip(grads, 0.01)
    for n in grads:
        np.testing.assert_array_equal(np.asarray(grads[n]), before[n])
        assert out[n].dtype == grads[n].dtype
        assert out[n].shape == grads[n].shape
        assert out[n] is not grads[n]


def test_direction_is_kept_by_norm_and_not_by_value():
    g = {"w": np.array([[3.0, 4.0]])}
    assert np.allclose(gradients.clip_norm(g, 1.0)["w"], [[0.6, 0.8]], atol=1e-6)
    assert np.array_equal(gradients.clip_value(g, 1.0)["w"], [[1.0, 1.0]])


def test_zero_gradient_stays_zero(kind):
    out = gradients.clip_norm(kind({"w": np.zeros((2, 3))}), 1.0)
    np.testing.assert_array_equal(np.asarray(out["w"]), 0)


def test_one_module_with_a_row_axis_of_one():
    model = torch.nn.Linear(4, 2)
    model(torch.ones(3, 4)).square().sum().backward()
    rows = gradients.clip_norm({n: p.grad[None] for n, p in model.named_parameters()}, 0.5)
    torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
    for n, p in model.named_parameters():
        torch.testing.assert_close(rows[n][0], p.grad)


@pytest.mark.parametrize("clip", [gradients.clip_norm, gradients.clip_value])
@pytest.mark.parametrize(
    ("grads", "limit", "message"),
    [
        ({}, 1.0, r"grads must be arrays of shape \(K, …\) with the same K, got {}"),
        ({"a": np.zeros((2, 3)), "b": np.zeros((3, 3))}, 1.0, r"with the same K, got {'a': 2, 'b': 3}"),
        ({"a": np.zeros(())}, 1.0, "with the same K"),
        ({"a": np.zeros((2, 3))}, 0.0, r"limit must be above 0, got 0\.0"),
        ({"a": np.zeros((2, 3))}, -1.0, "limit must be above 0"),
        ({"a": np.zeros((2, 3))}, float("nan"), "limit must be above 0, got nan"),
        ({"a": np.zeros((2, 3))}, np.array([1.0, 0.0]), r"limit must be above 0, got \[1\.0, 0\.0\]"),
        ({"a": np.zeros((2, 3))}, np.ones(3), r"limit must be a number or of shape \(2,\), got \(3,\)"),
    ],
)
def test_refuses(clip, grads, limit, message):
    with pytest.raises(ValueError, match=rf"{clip.__name__}\..*{message}"):
        clip(grads, limit)
