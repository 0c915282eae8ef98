"""LSQ: the paper's own pseudocode under autograd, torch's learnable fake quantization, and K rows at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from optviz.quantize import PerChannel, PerGroup, PerTensor, lsq, lsq_ends, lsq_grad, lsq_start

RNG = np.random.default_rng(0)


def pseudocode(x: torch.Tensor, step: torch.Tensor, low: int, high: int) -> torch.Tensor:
    """The listing of the paper's appendix: gradient scale, clip, round with the gradient passed on."""
    share = x.numel() / step.numel()
    scale = 1 / (share * high) ** 0.5
    s = (step - step * scale).detach() + step * scale
    v = torch.clip(x / s, low, high)
    return ((v.round() - v).detach() + v) * s


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 8), st.sampled_from([PerTensor(), PerChannel(0), PerChannel(1)]), st.integers(0, 99))
def test_the_gradients_of_the_papers_listing(bits: int, per: object, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, dy = torch.as_tensor(rng.normal(size=(4, 6))), torch.as_tensor(rng.normal(size=(4, 6)))
    low, high = lsq_ends(bits)
    step = lsq_start(x, high, per)
    found = []
    for function in (lsq, pseudocode):
        leaves = x.clone().requires_grad_(), step.clone().requires_grad_()
        out = function(*leaves, low, high)
        found.append([out.detach(), *torch.autograd.grad((out * dy).sum(), leaves)])
    for mine, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-12)
    plain = lsq_grad(dy.numpy(), x.numpy(), step.numpy(), low, high)
    for mine, theirs in zip(plain, found[1][1:], strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(lsq(x.numpy(), step.numpy(), low, high), found[0][0])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_torchs_learnable_fake_quantization(bits: int) -> None:
    low, high = lsq_ends(bits)
    x = torch.as_tensor(RNG.normal(size=500).astype(np.float32))
    step = lsq_start(x, high).reshape(1)
    v = x / step
    # torch calls what is rounded back into the code inside; the paper, clipped
    x = x[((v - high).abs() > 0.5) & ((v - low).abs() > 0.5)]
    mine = x.clone().requires_grad_(), step.clone().requires_grad_()
    theirs = x.clone().requires_grad_(), step.clone().requires_grad_()
    out = lsq(*mine, low, high)
    scale = 1 / (len(x) * high) ** 0.5
    zero = torch.zeros(1)
    known = torch._fake_quantize_learnable_per_tensor_affine(*theirs, zero, low, high, scale)
    np.testing.assert_allclose(out.detach(), known.detach(), atol=1e-6)
    weight = torch.as_tensor(RNG.normal(size=len(x)).astype(np.float32))
    for a, b in zip(
        torch.autograd.grad((out * weight).sum(), mine),
        torch.autograd.grad((known * weight).sum(), theirs),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_rows_are_single_runs() -> None:
    bits = np.array([2, 4, 8])
    x, dy = RNG.normal(size=(2, 3, 5, 7)).astype(np.float32)
    low, high = (end.reshape(3, 1, 1) for end in lsq_ends(bits))
    step = lsq_start(x, high, PerChannel(0), rows=True)
    assert step.shape == (3, 5, 1)
    assert step.dtype == np.float32
    dx, ds = lsq_grad(dy, x, step, low, high)
    for k, b in enumerate(bits):
        ends = lsq_ends(int(b))
        alone = lsq_start(x[k], ends[1], PerChannel(0))
        np.testing.assert_array_equal(step[k], alone)
        np.testing.assert_array_equal(lsq(x, step, low, high)[k], lsq(x[k], alone, *ends))
        for mine, other in zip((dx, ds), lsq_grad(dy[k], x[k], alone, *ends), strict=True):
            np.testing.assert_allclose(mine[k], other, rtol=1e-6)


def test_under_vmap_each_row_has_its_bits() -> None:
    bits = np.array([2, 5])
    x = torch.as_tensor(RNG.normal(size=(2, 4, 3)))
    low, high = (torch.as_tensor(end, dtype=x.dtype) for end in lsq_ends(bits))
    step = lsq_start(x, high.reshape(2, 1, 1), PerTensor(), rows=True).requires_grad_()
    out = torch.func.vmap(lsq)(x, step, low, high)
    (ds,) = torch.autograd.grad((out**2).sum(), step)
    for k, b in enumerate(bits):
        alone = step[k].detach().requires_grad_()
        y = lsq(x[k], alone, *lsq_ends(int(b)))
        np.testing.assert_allclose(out[k].detach(), y.detach())
        np.testing.assert_allclose(ds[k], torch.autograd.grad((y**2).sum(), alone)[0])


def test_a_step_that_follows_its_gradient_gets_better() -> None:
    """Of Σ (x − x̂)²: with 2 bits the start is not the best step."""
    x = RNG.normal(size=400)
    low, high = lsq_ends(2)
    step = 3 * lsq_start(x, high).reshape(1)
    error = [float(((lsq(x, step, low, high) - x) ** 2).sum())]
    for _ in range(60):
        _, slope = lsq_grad(2 * (lsq(x, step, low, high) - x), x, step, low, high)
        step = step - 0.01 * slope
    error.append(float(((lsq(x, step, low, high) - x) ** 2).sum()))
    assert error[1] < 0.5 * error[0]


@pytest.mark.parametrize("bits", [1, 17, 2.5])
def test_bits_outside(bits: float) -> None:
    with pytest.raises(ValueError, match="bits must be"):
        lsq_ends(bits)


def test_what_does_not_fit() -> None:
    x = np.ones((4, 6))
    with pytest.raises(ValueError, match="per must be PerTensor or PerChannel"):
        lsq_start(x, 1, PerGroup(3))
    with pytest.raises(ValueError, match="step must be of a shape that fits"):
        lsq(x, np.ones((3, 1)), -2, 1)
    assert lsq_start(0 * x, 1) == 1
