"""Where ranges end: against plain loops, NumPy and torch's observers; streams in bounded memory."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from optviz.quantize import (
    MSE,
    Entropy,
    Histogram,
    MinMax,
    MovingAverage,
    Percentile,
    PerChannel,
    choose_qparams,
    fake_quantize,
    from_range,
)
from optviz.quantize.ranges import _entropy_cut
from tests.quantize.oracles import tensors

ALL = [MinMax(), MovingAverage(), Percentile(), MSE(), Entropy()]
each_range = pytest.mark.parametrize("range_", ALL, ids=lambda r: type(r).__name__)


def heavy(n: int = 20_000, seed: int = 0) -> np.ndarray:
    """Numbers with long tails."""
    return np.random.default_rng(seed).standard_t(3, n)


def streamed(range_: Any, batches: list[Any]) -> Any:
    state = range_.start()
    for batch in batches:
        state = range_.update(state, batch)
    return state


# Extremes and averages, against torch's observers


@given(st.lists(tensors((2, 5), 100.0), min_size=1, max_size=4), st.floats(0.0, 0.99))
def test_extremes_and_averages_equal_torchs(batches: list[Any], decay: float) -> None:
    from torch.ao.quantization import observer

    lowest = observer.PerChannelMinMaxObserver(ch_axis=0)
    average = observer.MovingAveragePerChannelMinMaxObserver(averaging_constant=1 - decay, ch_axis=0)
    for batch in batches:
        lowest(torch.from_numpy(batch))
        average(torch.from_numpy(batch))
    for range_, theirs in ((MinMax(), lowest), (MovingAverage(decay), average)):
        low, high = range_.finish(streamed(range_, batches))
        np.testing.assert_allclose(low, theirs.min_val, rtol=1e-4, atol=1e-3)
        np.testing.assert_allclose(high, theirs.max_val, rtol=1e-4, atol=1e-3)
        assert low.dtype == high.dtype == np.float64


# Percentiles, against NumPy


@given(tensors((1, 40)), st.floats(0.01, 1.0))
def test_percentiles_of_few_numbers_are_exact(x: Any, share: float) -> None:
    low, high = Percentile(share)(x)
    wanted = np.quantile(x.astype(float), [(1 - share) / 2, 1 - (1 - share) / 2])
    assert (low, high) == tuple(wanted)
    assert Percentile(share)(x, symmetric=True)[1] == np.quantile(abs(x.astype(float)), share)


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99, 0.999, 1.0])
def test_percentiles_of_many_numbers_are_right_to_a_bin(share: float) -> None:
    x = heavy()
    range_ = Percentile(share)
    bin_ = (x.max() - x.min()) / (range_.bins - 2)
    rest = (1 - share) / 2
    np.testing.assert_allclose(range_(x), np.quantile(x, [rest, 1 - rest]), atol=1.01 * bin_)
    top = range_(x, symmetric=True)[1]
    assert top == pytest.approx(np.quantile(abs(x), share), abs=1.01 * bin_)


@pytest.mark.parametrize("x", [heavy() + 100, -heavy() - 100, heavy() + 5, np.full(9000, 7.5)])
def test_percentiles_of_numbers_away_from_zero(x: Any) -> None:
    range_ = Percentile(0.98)
    bin_ = 2 * (np.ptp(x) or 1e-9) / range_.bins
    np.testing.assert_allclose(range_(x), np.quantile(x, [0.01, 0.99]), atol=bin_)
    assert range_(x, symmetric=True)[1] == pytest.approx(np.quantile(abs(x), 0.98), abs=bin_)


# Smallest error, against trying every range on all numbers


def error(x: Any, low: float, high: float, bits: int, symmetric: bool = False) -> float:
    return float(((fake_quantize(x, from_range(low, high, bits, symmetric)) - x) ** 2).mean())


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("symmetric", [False, True])
def test_no_share_of_the_full_range_has_a_smaller_error(bits: int, symmetric: bool) -> None:
    for x in (heavy(2000), heavy(20_000), abs(heavy(20_000))):
        found = error(x, *MSE()(x, bits, symmetric), bits, symmetric)
        shares = np.linspace(0.01, 1, 100)
        best = min(error(x, t * x.min(), t * x.max(), bits, symmetric) for t in shares)
        assert found <= best * 1.01


def test_both_ends_are_searched() -> None:
    x = np.append(np.random.default_rng(0).normal(size=20_000), -30.0)  # only one side has an outlier
    low, high = MSE()(x, 4)
    together = min(error(x, t * x.min(), t * x.max(), 4) for t in np.linspace(0.01, 1, 100))
    assert error(x, low, high, 4) < 0.8 * together
    assert low > -10
    assert high > 2


def test_fewer_bits_clip_more() -> None:
    x = heavy()
    tops = [MSE()(x, bits, symmetric=True)[1] for bits in (2, 3, 4, 6, 8)]
    assert tops == sorted(tops)
    assert tops[0] < 0.3 * tops[-1]


# Entropy, against the loop as it is published


def kullback_leibler(counts: Any, kept: int, levels: int) -> float:
    """One turn of the loop: P with the rest in its last bin, Q joined into levels and spread again."""
    p = counts[:kept].astype(float)
    p[-1] += counts[kept:].sum()
    q = np.zeros(kept)
    for level in range(levels):
        members = [j for j in range(kept) if j * levels // kept == level]
        filled = [j for j in members if p[j] > 0]
        if filled:
            q[filled] = max(counts[members].sum(), 0.5) / len(filled)
    p, q = p / p.sum(), q / max(counts[:kept].sum(), 1)
    there = p > 0
    return float((p[there] * np.log(p[there] / q[there])).sum())


@pytest.mark.parametrize("levels", [4, 7, 16])
@pytest.mark.parametrize("seed", range(4))
def test_entropy_equals_the_plain_loop(levels: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    tail = random.integers(20, 60)
    counts = np.histogram(abs(random.standard_t(2, 400)), 64, (0, tail / 4))[0].astype(float)
    counts[-1] += 1
    most = [kept for kept in range(levels, 65) if counts[:kept].sum() >= counts.sum() / 2]
    found = {kept: kullback_leibler(counts, kept, levels) for kept in most}
    best = _entropy_cut(counts, levels)
    assert found[best] == pytest.approx(min(found.values()), abs=1e-12)


def test__entropy_cuts_tails_of_activations_but_not_a_uniform_range() -> None:
    x = abs(heavy())
    low, high = Entropy()(x)
    assert low == x.min()
    assert np.quantile(x, 0.99) < high < 0.7 * x.max()
    flat = np.random.default_rng(0).uniform(-1, 1, 20_000)
    assert Entropy()(flat)[1] > 0.95
    assert Entropy()(x, bits=4)[1] < high


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_zeros_behind_a_relu_do_not_pull_the_entropy_range_in(bits: int) -> None:
    x = np.maximum(np.random.default_rng(0).standard_normal(50_000), 0)
    high = Entropy()(x, bits)[1]
    assert high == pytest.approx(Entropy()(x[x > 0], bits)[1], rel=0.1)
    assert high > np.quantile(x, 0.97)


def test_entropy_never_clips_half_of_the_numbers() -> None:
    pixels = np.repeat([0.0, 0.004, 0.5, 0.9, 1.0], [800, 1, 20, 60, 100])
    assert all(Entropy()(pixels, bits)[1] >= 0.9 for bits in (2, 3, 4, 8))
    assert Entropy()(np.zeros(9)) == (0.0, 0.0)


def test_entropy_is_near_what_onnx_runtime_finds() -> None:
    """It counts both signs apart, and gives what is left over of a division to the last level."""
    from onnxruntime.quantization.calibrate import HistogramCollector

    x = heavy(100_000).astype(np.float32)
    collector = HistogramCollector("entropy", True, 1024, 64, 99.99, "same")
    with contextlib.redirect_stdout(io.StringIO()):
        collector.collect({"x": x[None]})
        theirs = collector.compute_collection_result()["x"]
    assert Entropy(512)(x, 6, symmetric=True)[1] == pytest.approx(float(theirs[1]), rel=0.3)


# Streams


@each_range
def test_a_stream_in_pieces_is_the_whole(range_: Any) -> None:
    x = np.stack([heavy(seed=k) * 10.0**k for k in range(3)])
    together = range_.finish(range_.update(range_.start(), x))
    if range_ == MovingAverage():
        return
    pieces = range_.finish(streamed(range_, np.split(x, 20, axis=1)))
    for whole, found in zip(together, pieces, strict=True):
        np.testing.assert_allclose(found, whole, rtol={MSE(): 0.06, Entropy(): 0.3}.get(range_, 0.01))


@each_range
def test_blocks_side_by_side_equal_each_alone(range_: Any) -> None:
    x = np.stack([heavy(3000, seed=k) * 10.0**k for k in range(3)])
    low, high = range_.finish(streamed(range_, [x, 3 * x]), 4)
    for k in range(3):
        alone = range_.finish(streamed(range_, [x[k : k + 1], 3 * x[k : k + 1]]), 4)
        np.testing.assert_allclose((low[k], high[k]), [end[0] for end in alone], rtol=1e-12)


@each_range
def test_memory_is_bounded_and_states_are_not_changed(range_: Any) -> None:
    state, sizes = range_.start(), []
    for k in range(30):
        fresh = range_.update(state, np.random.default_rng(k).normal(size=(2, 1000)) * (k + 1))
        again = range_.update(state, np.random.default_rng(k).normal(size=(2, 1000)) * (k + 1))
        np.testing.assert_array_equal(range_.finish(fresh), range_.finish(again))
        state = fresh
        arrays = state if isinstance(state, tuple) else list(vars(state).values())
        sizes.append(sum(np.size(a) for a in arrays if isinstance(a, np.ndarray)))
    assert max(sizes) <= 2 * (getattr(range_, "bins", 0) + 4)


@each_range
def test_tensors_and_arrays_give_the_same(range_: Any) -> None:
    x = heavy(3000).astype(np.float32).reshape(2, -1)
    assert range_(x) == range_(torch.from_numpy(x)) == range_(torch.from_numpy(x).requires_grad_())
    assert range_(x, 4, symmetric=True) == range_(torch.from_numpy(x), 4, symmetric=True)


@each_range
def test_finishing_before_the_first_number_is_refused(range_: Any) -> None:
    with pytest.raises(ValueError, match="range must be finished after it has seen numbers, got 'none'"):
        range_.finish(range_.start())


@pytest.mark.parametrize("range_", [Percentile(), MSE(), Entropy()], ids=lambda r: type(r).__name__)
def test_a_stream_of_other_blocks_or_broken_numbers_is_refused(range_: Any) -> None:
    state = range_.update(range_.start(), np.ones((2, 5)))
    with pytest.raises(ValueError, match=r"Histogram\.update\.blocks must be 2 blocks, got 3"):
        range_.update(state, np.ones((3, 5)))
    with pytest.raises(ValueError, match="of finite numbers"):
        range_.update(state, np.array([[1.0, np.nan], [1, 1]]))


@each_range
@pytest.mark.parametrize("value", [0.0, -3.0, 1e-30, 1e30])
def test_constants_have_a_range(range_: Any, value: float) -> None:
    for n in (5, 20_000):
        x = np.full(n, value)
        q = choose_qparams(x, range=range_)
        assert abs(fake_quantize(x, q)[0] - value) <= float(q.scale) / 2


# Histograms


@given(
    st.lists(st.floats(-1e6, 1e6, width=32), min_size=20, max_size=40),
    st.lists(st.floats(-1e9, 1e9, width=32), min_size=1, max_size=5),
    st.booleans(),
)
def test_counts_are_those_of_all_numbers_at_the_final_width(
    first: list[float], later: list[float], magnitude: bool
) -> None:
    state = Histogram(16, magnitude).update(np.array([first]))
    for number in later:
        state = state.update(np.array([[number]]))
    x = np.array(first + later)
    x = abs(x) if magnitude else x
    at = np.clip(np.floor(x / state.width) - state.first, 0, 15).astype(int)
    assert state.counts.sum() == len(x)
    assert abs(np.cumsum(state.counts[0]) - np.cumsum(np.bincount(at, minlength=16))).max() <= 1
    assert (
        state.first * state.width <= max(x.min(), 0 if magnitude else -np.inf) + 1e-6 * abs(x).max()
    ).all()
    assert ((state.first + 16) * state.width >= x.max() * (1 - 1e-6) - 1e-30).all()


def test_a_histogram_widens_without_losing_a_number() -> None:
    state = Histogram(64).update(np.linspace(-1e-3, 1e-3, 200)[None])
    for size in (1e-2, 1.0, 1e3, 1e12):
        state = state.update(np.array([[size, -size]]))
        assert state.first[0] * state.width[0] <= -size
        assert (state.first[0] + 64) * state.width[0] >= size * (1 - 1e-9)
    assert state.counts.sum() == 208
    assert np.flatnonzero(state.counts[0]).tolist() == [0, 27, 28, 55]  # the ends, and 0 from both sides


def test_a_very_large_batch_is_sampled_and_its_extremes_are_exact() -> None:
    x = heavy(1_000_000)
    state = Histogram(2048).update(x[None])
    assert state.counts.sum() == 1 << 18
    assert (state.low[0], state.high[0]) == (x.min(), x.max())
    few, many = Histogram(2048).update(x[None]), x
    for share in (0.01, 0.5, 0.99):
        assert few.quantile(share)[0] == pytest.approx(np.quantile(many, share), abs=0.08)
    assert Entropy()(x)[1] == pytest.approx(
        Entropy().finish(streamed(Entropy(), list(x.reshape(10, 1, -1))))[1][0], rel=0.2
    )


@each_range
def test_ranges_of_channels(range_: Any) -> None:
    x = np.stack([heavy(3000, seed=k) * 10.0**k for k in range(3)], 1).astype(np.float32)
    q = choose_qparams(x, 4, PerChannel(1), range=range_)
    for k in range(3):
        one = choose_qparams(x[:, k], 4, range=range_)
        assert q.scale[0, k] == pytest.approx(float(one.scale), rel=1e-6)
