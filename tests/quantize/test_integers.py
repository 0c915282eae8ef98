"""Numbers to integers and back, against torch, ONNX Runtime, and what rounding promises."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from optviz.quantize import (
    PerChannel,
    PerGroup,
    PerTensor,
    QParams,
    choose_qparams,
    code_dtype,
    dequantize,
    fake_quantize,
    fake_quantize_grad,
    integers,
    quantize,
)
from tests.quantize.oracles import onnx_round_trip, tensors

PERS = {"tensor": PerTensor(), "channel": PerChannel(0), "axis 1": PerChannel(1), "group": PerGroup(4)}
deprecated = pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")


def spread_like(value: Any, x: Any) -> np.ndarray:
    """Scales of any granularity as an array of the shape of x."""
    value = np.asarray(value, np.float64)
    if value.ndim > x.ndim:
        return np.broadcast_to(value, (*value.shape[:-1], x.shape[-1] // value.shape[-2])).reshape(x.shape)
    return np.broadcast_to(value, x.shape)


# Against others


@given(tensors(), st.sampled_from(list(PERS)), st.booleans(), st.sampled_from([8, 16]))
def test_equals_onnx_runtime(x: Any, per: str, symmetric: bool, bits: int) -> None:
    q = choose_qparams(x, bits, PERS[per], symmetric)
    axis = {"tensor": None, "channel": 0, "axis 1": 1, "group": 1}[per]
    codes, numbers = onnx_round_trip(x, q, axis, 4 if per == "group" else 0)
    ours = quantize(x, q)
    if symmetric:  # ONNX saturates at −128, one level below ours
        codes = np.maximum(codes, q.low)
    assert ours.dtype == codes.dtype
    np.testing.assert_array_equal(ours, codes)
    np.testing.assert_array_equal(dequantize(ours, q), numbers)


@given(tensors(size=9.0), st.floats(2.0**-6, 1.0, width=32), st.integers(0, 255))
def test_rounds_to_even_and_saturates_as_onnx_runtime_does(x: Any, scale: float, zero: int) -> None:
    x = np.round(x * 4) / 4  # many halves
    q = QParams(np.float32(scale), zero, 0, 255)
    np.testing.assert_array_equal(quantize(x, q), onnx_round_trip(x, q)[0])


@deprecated
@given(tensors(size=50.0), st.integers(-4, 2), st.integers(-128, 127))
def test_equals_torchs_quantize_per_tensor(x: Any, power: int, zero: int) -> None:
    """With scales that are powers of two, so that x times the inverse, as torch computes, is x / s.

    Torch adds Z in float32 before it rounds, so that halves, and what is next to one, may go the other way.
    """
    scale = 2.0**power
    theirs = torch.quantize_per_tensor(torch.from_numpy(x), scale, zero, torch.qint8)
    q = QParams(scale, zero, -128, 127)
    ours = quantize(torch.from_numpy(x), q)
    apart = abs((x / scale) % 1 - 0.5) > 1e-4
    assert abs(ours.int() - theirs.int_repr().int()).max() <= 1
    np.testing.assert_array_equal(ours.numpy()[apart], theirs.int_repr().numpy()[apart])
    assert torch.equal(dequantize(theirs.int_repr(), q).float(), theirs.dequantize())


@deprecated
@given(tensors(size=50.0), st.sampled_from([0, 1]))
def test_equals_torchs_quantize_per_channel(x: Any, axis: int) -> None:
    n = x.shape[axis]
    scales, zeros = 2.0 ** -torch.arange(n, dtype=torch.float64), torch.arange(n) - 2
    theirs = torch.quantize_per_channel(torch.from_numpy(x), scales, zeros, axis, torch.qint8)
    shape = PerChannel(axis).shape(x.shape)
    q = QParams(scales.reshape(shape), zeros.reshape(shape), -128, 127)
    ours = quantize(torch.from_numpy(x), q)
    apart = abs((x / scales.reshape(shape).numpy()) % 1 - 0.5) > 1e-4
    np.testing.assert_array_equal(ours.numpy()[apart], theirs.int_repr().numpy()[apart])


@given(tensors(size=20.0), st.integers(-4, 0), st.integers(0, 15))
def test_fake_quantization_equals_torchs_value_and_gradient(x: Any, power: int, zero: int) -> None:
    scale, q = 2.0**power, QParams(2.0**power, zero, 0, 15)
    ours, theirs = (torch.tensor(x, requires_grad=True) for _ in range(2))
    y = fake_quantize(ours, q)
    z = torch.fake_quantize_per_tensor_affine(theirs, scale, zero, 0, 15)
    weights = torch.linspace(-1, 1, x.size).reshape(x.shape)
    (y * weights).sum().backward()
    (z * weights).sum().backward()
    assert torch.equal(y, z)
    assert torch.equal(ours.grad, theirs.grad)
    np.testing.assert_array_equal(fake_quantize_grad(weights.numpy(), x, q), ours.grad.numpy())


@given(tensors(size=20.0))
def test_fake_quantization_equals_torchs_per_channel(x: Any) -> None:
    ours, theirs = (torch.tensor(x, requires_grad=True) for _ in range(2))
    scales, zeros = torch.tensor([0.25, 0.5, 2.0]), torch.tensor([3, 0, 15], dtype=torch.int32)
    y = fake_quantize(ours, QParams(scales[:, None], zeros[:, None], 0, 15))
    z = torch.fake_quantize_per_channel_affine(theirs, scales, zeros, 0, 0, 15)
    y.sum().backward()
    z.sum().backward()
    assert torch.equal(y, z)
    assert torch.equal(ours.grad, theirs.grad)


# What rounding promises


@given(tensors(), st.sampled_from(list(PERS)), st.booleans(), st.integers(1, 16))
def test_no_number_moves_more_than_half_a_step_and_zero_stays(
    x: Any, per: str, symmetric: bool, bits: int
) -> None:
    x[0, 0] = 0
    bits = max(bits, 2) if symmetric else bits
    q = choose_qparams(x.astype(np.float64), bits, PERS[per], symmetric)
    back = dequantize(quantize(x.astype(np.float64), q), q)
    half = spread_like(q.scale, x) / 2
    assert (abs(back - x) <= half * (1 + 1e-9)).all()
    assert (back[x == 0] == 0).all()


@given(
    st.floats(-(2.0**100), 2.0**100, width=32), st.sampled_from(list(PERS)), st.booleans(), st.integers(2, 16)
)
def test_a_constant_tensor_comes_back_within_half_a_step(
    value: float, per: str, symmetric: bool, bits: int
) -> None:
    x = np.full((3, 8), value, np.float32)
    q = choose_qparams(x, bits, PERS[per], symmetric)
    back = dequantize(quantize(x, q), q)
    assert (abs(back - x) <= spread_like(q.scale, x) / 2 + abs(x) * 1e-6).all()


@given(tensors(), st.sampled_from(list(PERS)), st.booleans(), st.integers(2, 16))
def test_arrays_and_tensors_give_the_same(x: Any, per: str, symmetric: bool, bits: int) -> None:
    t = torch.from_numpy(x)
    q, p = (choose_qparams(each, bits, PERS[per], symmetric) for each in (x, t))
    assert isinstance(p.scale, torch.Tensor)
    np.testing.assert_array_equal(q.scale, p.scale.numpy())
    np.testing.assert_array_equal(q.zero_point, p.zero_point.numpy())
    codes = quantize(x, q)
    np.testing.assert_array_equal(codes, quantize(t, p).numpy())
    np.testing.assert_array_equal(codes, quantize(t, q).numpy())  # parameters of the other kind
    np.testing.assert_array_equal(dequantize(codes, q), dequantize(torch.from_numpy(codes), p).numpy())
    np.testing.assert_array_equal(fake_quantize(x, q), fake_quantize(t, p).numpy())
    np.testing.assert_array_equal(fake_quantize(x, q), dequantize(codes, q))


@pytest.mark.parametrize("shape", [(70_000,), (3, 70_000), (600, 500), (2, 3, 40_000)])
@pytest.mark.parametrize("per", PERS.values(), ids=PERS)
def test_large_arrays_are_done_piece_by_piece_and_right(shape: tuple[int, ...], per: Any) -> None:
    if per == PerChannel(1) and len(shape) == 1:
        per = PerChannel(0)
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    q = choose_qparams(x, 4, per)
    if per == PerTensor():
        assert float(q.scale) == pytest.approx((x.max() - x.min()) / 15, rel=1e-6)
    scale, zero = spread_like(q.scale, x).astype(np.float32), spread_like(q.zero_point, x)
    wanted = np.clip(np.rint(x / scale) + zero, 0, 15)
    np.testing.assert_array_equal(quantize(x, q), wanted)
    np.testing.assert_array_equal(fake_quantize(x, q), (wanted - zero).astype(np.float32) * scale)


def test_a_transposed_view_is_quantized_as_its_copy() -> None:
    x = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32).T
    q = choose_qparams(x, 4, PerChannel(0))
    np.testing.assert_array_equal(quantize(x, q), quantize(x.copy(), q))
    np.testing.assert_array_equal(fake_quantize(x, q), fake_quantize(x.copy(), q))
    assert torch.equal(quantize(torch.from_numpy(x), q), torch.from_numpy(quantize(x.copy(), q)))


def test_numbers_far_outside_are_clamped_before_they_are_cast() -> None:
    q = QParams(np.float32(1e-30), 128, 0, 255)
    x = np.array([-3e38, 3e38, 6.1], np.float32)  # x / s is infinite in float32
    assert quantize(x, q).tolist() == [0, 255, 255]
    assert quantize(torch.from_numpy(x), q).tolist() == [0, 255, 255]


def test_minus_128_is_never_made_so_abs_of_a_code_is_safe() -> None:
    x = np.random.default_rng(0).normal(size=1000)
    codes = quantize(x - x.max(), choose_qparams(x - x.max(), symmetric=True))
    assert codes.min() == -127
    assert (abs(codes) >= 0).all()
    assert abs(np.array([-128], np.int8)) == -128  # what would happen with that code


def test_codes_take_the_smallest_integers() -> None:
    sizes = {(-1, 1): "int8", (-128, 127): "int8", (0, 1): "uint8", (0, 255): "uint8"}
    sizes |= {(-1, 128): "int16", (-32767, 32767): "int16", (0, 65535): "uint16", (-1, 40_000): "int32"}
    for (low, high), name in sizes.items():
        q = QParams(0.5, 0, low, high)
        assert code_dtype(q) == name
        assert quantize(np.ones(2), q).dtype == name
        assert str(quantize(torch.ones(2), q).dtype) == f"torch.{name}"


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_fake_quantization_keeps_the_precision_and_the_gradient(kind: Any) -> None:
    x = torch.linspace(-1, 2, 7).to(kind).requires_grad_()
    y = fake_quantize(x, choose_qparams(torch.tensor([-0.5, 1.0])))
    assert y.dtype == kind
    y.sum().backward()
    assert x.grad.dtype == kind
    assert x.grad.tolist() == [0, 1, 1, 1, 1, 0, 0]
    half = np.linspace(-1, 2, 7).astype(np.float16)
    assert fake_quantize(half, QParams(0.5, 1, 0, 15)).dtype == np.float16


def test_fake_quantization_under_vmap_and_grad() -> None:
    q = QParams(0.25, 3, 0, 7)
    x = torch.linspace(-2, 2, 12).reshape(3, 4)
    each = torch.func.vmap(torch.func.grad(lambda row: (fake_quantize(row, q) * row).sum()))(x)
    alone = x.clone().requires_grad_()
    (fake_quantize(alone, q) * alone).sum().backward()
    assert torch.equal(each, alone.grad)


def test_nan_stays_nan_in_fake_quantization_and_is_refused_by_quantize() -> None:
    q = QParams(0.5, 0, -7, 7)
    for x in (np.array([1.0, np.nan]), torch.tensor([1.0, float("nan")])):
        assert np.isnan(np.asarray(fake_quantize(x, q))).tolist() == [False, True]
        with pytest.raises(ValueError, match=r"quantize\.x must be of finite numbers"):
            quantize(x, q)
    with pytest.raises(ValueError, match=r"quantize\.x must be of finite numbers"):
        quantize(np.array([np.inf]), q)


def test_rows_of_different_bits_equal_each_alone() -> None:
    x = np.random.default_rng(0).normal(size=(4, 6, 8)).astype(np.float32)
    bits = np.array([8, 4, 3, 2])
    for per in (PerTensor(), PerChannel(0), PerChannel(1), PerGroup(4)):
        for symmetric in (False, True):
            q = choose_qparams(x, bits, per, symmetric)
            codes, fake = quantize(x, q), fake_quantize(torch.from_numpy(x), q)
            for k, b in enumerate(bits):
                one = choose_qparams(x[k], int(b), per, symmetric)
                np.testing.assert_array_equal(codes[k], quantize(x[k], one))
                np.testing.assert_array_equal(fake[k], fake_quantize(x[k], one))


def test_a_diverged_row_keeps_its_nan_to_itself() -> None:
    x = np.ones((2, 3, 4), np.float32)
    x[1, 0, 0] = np.nan
    for symmetric in (False, True):
        q = choose_qparams(x, [4, 4], PerTensor(), symmetric)
        back = fake_quantize(x, q)
        np.testing.assert_array_equal(back[0], 1)
        assert np.isnan(back[1]).all()


def test_refusals() -> None:
    q = QParams(np.ones((3, 1)), np.zeros((3, 1), int), 0, 7)
    for x in (np.ones((4, 3)), torch.ones(4, 3)):
        with pytest.raises(ValueError, match=r"q\.scale must be of a shape that fits x \(4, 3\)"):
            quantize(x, q)
        with pytest.raises(ValueError, match=r"q\.scale"):
            fake_quantize(x, q)
    with pytest.raises(ValueError, match=r"quantize\.x must be not empty"):
        quantize(np.ones((0, 3)), q)
    with pytest.raises(TypeError, match=r"dequantize\.xq must be of integers"):
        dequantize(np.ones(3), q)
    with pytest.raises(TypeError, match=r"dequantize\.xq must be of integers"):
        dequantize(torch.ones(3), q)
    with pytest.raises(TypeError, match=r"quantize\.x must be of real numbers"):
        quantize(np.array(["a"]), q)


@pytest.mark.parametrize("per", PERS.values(), ids=PERS)
def test_what_comes_in_is_left_alone(per: Any) -> None:
    x = np.random.default_rng(0).normal(size=(3, 8)).astype(np.float32)
    t, before = torch.tensor(x), x.copy()
    x.flags.writeable = False  # writing to it would raise
    for each in (x, t):
        q = choose_qparams(each, 4, per)
        dequantize(quantize(each, q), q)
        fake_quantize_grad(fake_quantize(each, q), each, q)
    assert torch.equal(t, torch.from_numpy(before))


@pytest.mark.parametrize("per", PERS.values(), ids=PERS)
@pytest.mark.parametrize("bits", [4, 8, 16])
def test_tensors_that_numpy_cannot_read_get_the_same_integers(
    per: Any, bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way of a GPU, taken on the CPU."""
    t = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 8)).astype(np.float32))
    q = choose_qparams(t, bits, per)
    wanted = quantize(t, q)
    monkeypatch.setattr(integers, "_on_host", lambda x: False)
    found = quantize(t, q)
    assert found.dtype == wanted.dtype
    assert torch.equal(found, wanted)
    with pytest.raises(ValueError, match=r"quantize\.x must be of finite numbers"):
        quantize(t * float("inf"), q)
