"""Scales and zero points, against torch's observers and the formulas; what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from optviz.quantize import (
    MSE,
    Entropy,
    MinMax,
    MovingAverage,
    Percentile,
    PerChannel,
    PerGroup,
    PerTensor,
    QParams,
    choose_qparams,
    dequantize,
    from_range,
    quantize,
)
from tests.quantize.oracles import tensors


def observed(name: str, x: Any, **options: Any) -> tuple[Any, Any]:
    """Scale and zero point that one of torch's observers finds."""
    from torch.ao.quantization import observer

    found = getattr(observer, name)(**options)
    found(torch.from_numpy(x))
    return found.calculate_qparams()


# Against torch's observers, whose scale is at least 1.2e-7


@given(tensors(size=100.0))
def test_affine_equals_torchs_min_max_observer(x: Any) -> None:
    x[0, 0] = 1.0
    scale, zero = observed("MinMaxObserver", x, dtype=torch.quint8)
    q = choose_qparams(x)
    assert float(q.scale) == pytest.approx(scale.item(), rel=1e-6)
    ratio = -min(x.min(), 0) / scale.item()
    if abs(ratio % 1 - 0.5) > 1e-4:  # else the last digit of the scale decides
        assert int(q.zero_point) == zero.item()


@given(tensors(size=100.0), st.sampled_from([0, 1]))
def test_affine_per_channel_equals_torchs(x: Any, axis: int) -> None:
    x[0], x[:, 0] = 1.0, 1.0
    scale, _ = observed("PerChannelMinMaxObserver", x, ch_axis=axis, dtype=torch.quint8)
    q = choose_qparams(x, per=PerChannel(axis))
    assert q.scale.shape == ((3, 1), (1, 8))[axis]
    np.testing.assert_allclose(q.scale.ravel(), scale, rtol=1e-6)


@given(tensors(size=100.0))
def test_symmetric_uses_127_where_torch_uses_127_and_a_half(x: Any) -> None:
    x[0, 0] = 1.0
    scale, zero = observed("MinMaxObserver", x, dtype=torch.qint8, qscheme=torch.per_tensor_symmetric)
    q = choose_qparams(x, symmetric=True)
    assert float(q.scale) == pytest.approx(scale.item() * 127.5 / 127, rel=1e-6)
    assert int(q.zero_point) == zero.item() == 0
    assert (q.low, q.high) == (-127, 127)


# Formulas


@given(tensors(), st.integers(1, 16), st.booleans())
def test_the_range_holds_zero_and_its_ends_have_levels(x: Any, bits: int, symmetric: bool) -> None:
    bits = max(bits, 2) if symmetric else bits
    q = choose_qparams(x, bits, PerChannel(0), symmetric)
    ends = dequantize(np.array([[q.low, q.high]] * 3), q)
    assert q.levels == (2**bits - 1 if symmetric else 2**bits)
    assert (ends[:, 0] <= 0).all()
    assert (ends[:, 1] >= 0).all()
    half = q.scale.ravel() * 0.5001
    assert (ends[:, 0] <= x.min(1) + half).all()
    assert (ends[:, 1] >= x.max(1) - half).all()


def test_one_bit_has_two_levels_and_one_of_them_is_zero() -> None:
    q = choose_qparams(np.array([0.0, 0.2, 3.0]), bits=1)
    assert (q.low, q.high, float(q.scale)) == (0, 1, 3.0)
    assert choose_qparams(np.array([-3.0, 0.0]), bits=1).zero_point == 1


@pytest.mark.parametrize("value", [0.0, 1e-45, -1e-38, 3e38, -2.5])
@pytest.mark.parametrize("symmetric", [False, True])
def test_scales_are_never_zero_nor_infinite(value: float, symmetric: bool) -> None:
    x = np.full(5, value, np.float32)
    q = choose_qparams(x, symmetric=symmetric)
    assert 0 < float(q.scale) < np.inf
    back = dequantize(quantize(x, q), q)
    assert (abs(back - x) <= q.scale / 2 + abs(x) * 1e-6).all()
    assert value != 0 or float(q.scale) == 1


def test_a_range_wider_than_the_largest_float64() -> None:
    x = np.array([-1.5e308, 0, 1.5e308])
    for symmetric in (False, True):
        q = choose_qparams(x, 4, symmetric=symmetric)
        assert (abs(dequantize(quantize(x, q), q) - x) <= q.scale * 0.500001).all()


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.int32, np.uint8])
def test_precision_of_the_scale(kind: Any) -> None:
    q = choose_qparams(np.arange(1, 5).astype(kind))
    assert q.scale.dtype == (np.float32 if kind in (np.float16, np.float32) else np.float64)


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_precision_of_the_scale_of_tensors(kind: Any) -> None:
    q = choose_qparams(torch.linspace(-1, 1, 5, requires_grad=True).to(kind), per=PerChannel(0))
    assert q.scale.dtype == (torch.float64 if kind == torch.float64 else torch.float32)
    assert not q.scale.requires_grad
    assert q.zero_point.dtype == torch.int32


# Granularity


@pytest.mark.parametrize(
    ("per", "shape", "wanted"),
    [
        (PerTensor(), (4, 6), ()),
        (PerChannel(0), (4, 6, 5, 5), (4, 1, 1, 1)),
        (PerChannel(1), (4, 6, 5, 5), (1, 6, 1, 1)),
        (PerChannel(-1), (4, 6), (1, 6)),
        (PerChannel(0), (7,), (7,)),
        (PerGroup(3), (4, 6), (4, 2, 1)),
        (PerGroup(6), (2, 4, 6), (2, 4, 1, 1)),
        (PerGroup(2), (6,), (3, 1)),
    ],
)
def test_shapes_of_scales(per: Any, shape: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).normal(size=shape)
    for each in (x, torch.from_numpy(x)):
        q = choose_qparams(each, 4, per)
        assert tuple(q.scale.shape) == tuple(q.zero_point.shape) == wanted
        assert quantize(each, q).shape == each.shape
    rows = choose_qparams(np.stack([x, 2 * x]), [4, 4], per)
    assert rows.scale.shape == (2, *(wanted or (1,) * len(shape)))
    np.testing.assert_allclose(rows.scale[1], 2 * rows.scale[0])


def test_blocks_and_scales_are_in_one_order() -> None:
    x = np.arange(24.0).reshape(4, 6)
    for per in (PerTensor(), PerChannel(0), PerChannel(1), PerGroup(2)):
        top = choose_qparams(x, 8, per).scale.ravel() * 255
        np.testing.assert_allclose(per.blocks(x).max(1), top)
        np.testing.assert_array_equal(per.blocks(x), per.blocks(torch.from_numpy(x)).numpy())


def test_finer_scales_make_smaller_errors() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(16, 64)) * random.lognormal(size=(16, 1)) * random.lognormal(size=(1, 64))
    errors = []
    for per in (PerTensor(), PerChannel(0), PerGroup(16), PerGroup(4)):
        q = choose_qparams(x, 4, per, symmetric=True)
        errors.append(((dequantize(quantize(x, q), q) - x) ** 2).mean())
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 2 * errors[1]


# Refusals

RANGES = [MinMax(), MovingAverage(), Percentile(), MSE(), Entropy()]


@pytest.mark.parametrize("range_", RANGES, ids=lambda r: type(r).__name__)
@pytest.mark.parametrize("as_kind", [np.asarray, torch.tensor])
def test_empty_and_not_finite_is_refused(range_: Any, as_kind: Any) -> None:
    with pytest.raises(ValueError, match=r"choose_qparams\.x must be not empty"):
        choose_qparams(as_kind(np.ones((0, 3))), range=range_)
    for bad in (np.nan, np.inf, -np.inf):
        with pytest.raises(ValueError, match="of finite numbers"):
            choose_qparams(as_kind(np.array([1.0, bad, 2.0])), range=range_)


@pytest.mark.parametrize("bits", [0, 17, -1, 2.5, np.nan, np.inf])
def test_bits_outside_are_refused(bits: Any) -> None:
    with pytest.raises(ValueError, match=r"choose_qparams\.bits must be (whole numbers )?in \[1, 16\]"):
        choose_qparams(np.ones(3), bits)
    with pytest.raises(ValueError, match=r"choose_qparams\.bits must be (whole numbers )?in \[2, 16\]"):
        choose_qparams(np.ones((1, 3)), [bits], symmetric=True)


def test_one_bit_on_both_sides_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match=r"in \[2, 16\] when symmetric, got 1"):
        choose_qparams(np.ones(3), 1, symmetric=True)


@pytest.mark.parametrize("bits", ["8", True, None])
def test_bits_that_are_no_numbers_are_refused(bits: Any) -> None:
    with pytest.raises(TypeError, match=r"choose_qparams\.bits must be a number"):
        choose_qparams(np.ones(3), bits)


def test_other_refusals() -> None:
    x = np.ones((4, 6))
    with pytest.raises(
        ValueError, match=r"PerGroup\.size must be a divisor of the last axis of shape \(4, 6\)"
    ):
        choose_qparams(x, per=PerGroup(4))
    with pytest.raises(ValueError, match=r"PerChannel\.axis must be an axis of shape \(4, 6\), got 2"):
        choose_qparams(x, per=PerChannel(2))
    with pytest.raises(ValueError, match=r"PerGroup\.size must be in"):
        PerGroup(0)
    with pytest.raises(ValueError, match=r"choose_qparams\.bits must be one for each of 4"):
        choose_qparams(x, [8, 4])
    for bad in (np.array(["a"]), np.array([1j]), torch.ones(2, dtype=torch.bool), torch.ones(2) * 1j):
        with pytest.raises(TypeError, match=r"choose_qparams\.x must be of real numbers"):
            choose_qparams(bad)
    with pytest.raises(ValueError, match=r"from_range\.low and high must be finite"):
        from_range(np.nan, 1.0)


@pytest.mark.parametrize(
    ("values", "error", "text"),
    [
        ((0.0, 0, 0, 7), ValueError, "scale must be positive"),
        ((np.array([1.0, -1.0]), 0, 0, 7), ValueError, "scale must be positive"),
        ((1.0, 0.5, 0, 7), TypeError, "zero_point must be of integers"),
        ((1.0, 8, 0, 7), ValueError, r"zero_point must be in \[low, high\]"),
        ((1.0, 0, 0, 0), ValueError, "low must be below high"),
        ((1.0, 0, 0, 7.0), TypeError, "high must be of integers"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(values: Any, error: type, text: str) -> None:
    with pytest.raises(error, match=rf"QParams\.{text}"):
        QParams(*values)
