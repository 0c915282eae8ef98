"""Two integers a byte and back; two and three levels, each with the best scale for its signs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from optviz.quantize import PerChannel, PerGroup, PerTensor, binarize, pack4, ternarize, unpack4
from tests.quantize.oracles import tensors

SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, max_side=7)


@given(hnp.arrays(np.int8, SHAPES, elements=st.integers(-8, 7)))
def test_signed_round_trip(x: Any) -> None:
    packed = pack4(x)
    assert (packed.dtype, packed.shape) == (np.uint8, (-(-x.size // 2),))
    np.testing.assert_array_equal(unpack4(packed, x.shape), x)
    both = pack4(torch.from_numpy(x))
    np.testing.assert_array_equal(both.numpy(), packed)
    again = unpack4(both, x.shape)
    assert again.dtype == torch.int8
    np.testing.assert_array_equal(again.numpy(), x)


@given(hnp.arrays(np.int64, SHAPES, elements=st.integers(0, 15)))
def test_unsigned_round_trip(x: Any) -> None:
    again = unpack4(pack4(x), x.shape, signed=False)
    assert again.dtype == np.uint8
    np.testing.assert_array_equal(again, x)
    assert unpack4(pack4(torch.from_numpy(x)), x.shape, signed=False).tolist() == x.tolist()


def test_the_bytes_are_those_of_onnx() -> None:
    from onnx import TensorProto, helper

    x = np.array([1, -2, 7, -8, 5], np.int8)
    theirs = helper.make_tensor("w", TensorProto.INT4, [5], x.tolist()).raw_data
    theirs = theirs or bytes(helper.make_tensor("w", TensorProto.INT4, [5], x.tolist()).int32_data)
    assert pack4(x).tobytes() == theirs


@pytest.mark.parametrize("x", [np.array([8, -1]), np.array([16]), np.array([-9])])
def test_what_does_not_fit_is_refused(x: Any) -> None:
    for each in (x, torch.from_numpy(x)):
        with pytest.raises(ValueError, match=r"pack4\.xq must be integers in \[-8, 7\] or in \[0, 15\]"):
            pack4(each)


def test_other_refusals() -> None:
    with pytest.raises(TypeError, match=r"pack4\.xq must be of integers"):
        pack4(np.ones(2))
    with pytest.raises(TypeError, match=r"pack4\.xq must be of integers"):
        pack4(torch.ones(2))
    with pytest.raises(ValueError, match="not empty"):
        pack4(np.array([], np.int8))
    with pytest.raises(TypeError, match=r"unpack4\.packed must be of uint8"):
        unpack4(np.array([1]), (2,))
    with pytest.raises(ValueError, match=r"unpack4\.packed must be of 2 bytes"):
        unpack4(np.array([1], np.uint8), (3,))


# Two and three levels


@given(tensors((4, 8), 100.0), st.sampled_from([PerTensor(), PerChannel(0), PerChannel(1), PerGroup(4)]))
def test_binary_is_the_sign_times_the_mean_size(x: Any, per: Any) -> None:
    b, alpha = binarize(x, per)
    assert set(np.unique(b)) <= {-1, 1}
    np.testing.assert_array_equal(b > 0, x >= 0)
    sizes = abs(per.blocks(x)).mean(1)
    np.testing.assert_allclose(alpha.ravel(), sizes, rtol=1e-6)
    t, size = binarize(torch.from_numpy(x), per)
    np.testing.assert_array_equal(t.numpy(), b)
    np.testing.assert_allclose(size.numpy(), alpha, rtol=1e-5)


def test_no_other_scale_fits_these_signs_better() -> None:
    x = np.random.default_rng(0).normal(size=500)
    for signs, alpha in (binarize(x), ternarize(x)):
        error = [((x - a * signs) ** 2).sum() for a in alpha * np.array([0.99, 1, 1.01])]
        assert np.argmin(error) == 1


@given(tensors((4, 8), 100.0), st.sampled_from([PerTensor(), PerChannel(0), PerChannel(1), PerGroup(4)]))
def test_ternary_follows_its_formula(x: Any, per: Any) -> None:
    t, alpha = ternarize(x, 0.7, per)
    found = per.blocks(t)
    for block, signs, a in zip(per.blocks(x), found, alpha.ravel(), strict=True):
        large = abs(block) > np.float32(0.7) * abs(block).mean()
        np.testing.assert_array_equal(signs, np.sign(block) * large)
        assert a == pytest.approx(abs(block[large]).mean() if large.any() else 0, rel=1e-5)
    s, size = ternarize(torch.from_numpy(x.astype(float)), 0.7, per)
    t, alpha = ternarize(x.astype(float), 0.7, per)
    np.testing.assert_array_equal(s.numpy(), t)
    np.testing.assert_allclose(size.numpy(), alpha)


def test_the_threshold_of_the_paper_is_nearly_the_best_for_normal_weights() -> None:
    x = np.random.default_rng(0).normal(size=20_000)
    thresholds = np.linspace(0.3, 1.2, 19)
    error = [((x - a * t) ** 2).mean() for t, a in (ternarize(x, float(d)) for d in thresholds)]
    assert thresholds[np.argmin(error)] == pytest.approx(0.75, abs=0.06)
    assert error[8] < min(error) * 1.01


def test_rows_are_treated_one_by_one() -> None:
    x = np.random.default_rng(0).normal(size=(3, 4, 8)) * np.array([1, 10, 100])[:, None, None]
    for fn in (binarize, ternarize):
        for per in (PerTensor(), PerChannel(0), PerChannel(1), PerGroup(4)):
            signs, alpha = fn(x, per=per, rows=True)
            for k in range(3):
                one, size = fn(x[k], per=per)
                np.testing.assert_array_equal(signs[k], one)
                np.testing.assert_allclose(alpha[k], size if size.ndim else size[None, None])


def test_refusals() -> None:
    for fn in (binarize, ternarize):
        name = fn.__name__
        with pytest.raises(ValueError, match=rf"{name}\.x must be of finite numbers"):
            fn(np.array([1.0, np.nan]))
        with pytest.raises(ValueError, match=rf"{name}\.x must be not empty"):
            fn(np.ones((0, 2)))
        with pytest.raises(TypeError, match=rf"{name}\.x must be of real numbers"):
            fn(np.array([1j]))
    with pytest.raises(ValueError, match=r"ternarize\.threshold must be at least 0"):
        ternarize(np.ones(3), -0.1)
