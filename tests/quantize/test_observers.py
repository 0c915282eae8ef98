"""Streams of activations, and the calibration of networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from optviz.quantize import (
    MSE,
    Entropy,
    MinMax,
    MovingAverage,
    Observer,
    Percentile,
    PerChannel,
    PerTensor,
    calibrate,
    choose_qparams,
)

RANGES = [MinMax(), Percentile(0.9, bins=4096), MSE(bins=4096), Entropy(bins=256), MovingAverage(0.5)]


def stream(kind: Any = np.asarray) -> list[Any]:
    drawn = np.random.default_rng(0).normal(size=(5, 40, 6)).astype(np.float32)
    return [kind(batch) for batch in drawn]


@pytest.mark.parametrize("range_", RANGES[:3])
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("per", [PerTensor(), PerChannel(1)])
def test_a_stream_gives_what_all_numbers_at_once_give(range_: Any, symmetric: bool, per: Any) -> None:
    seen = Observer(range_, per)
    for batch in stream():
        seen = seen.update(batch)
    found = seen.qparams(4, symmetric)
    wanted = choose_qparams(np.concatenate(stream()), 4, per, symmetric, range_)
    assert found.scale.dtype == np.float32
    assert found.scale.shape == wanted.scale.shape
    np.testing.assert_array_equal(found.scale, wanted.scale)
    np.testing.assert_array_equal(found.zero_point, wanted.zero_point)


def test_tensors_give_what_arrays_give() -> None:
    arrays, tensors = Observer(per=PerChannel(1)), Observer(per=PerChannel(1))
    for batch in stream():
        arrays, tensors = arrays.update(batch), tensors.update(torch.tensor(batch))
    found = tensors.qparams()
    assert isinstance(found.scale, torch.Tensor)
    np.testing.assert_array_equal(found.scale.numpy(), arrays.qparams().scale)


@pytest.mark.parametrize("range_", RANGES)
def test_memory_does_not_grow(range_: Any) -> None:
    def numbers(state: Any) -> int:
        parts = state if isinstance(state, tuple) else vars(state).values()
        return sum(np.size(part) for part in parts if isinstance(part, np.ndarray))

    seen, sizes, random = Observer(range_), [], np.random.default_rng(0)
    for _ in range(8):
        seen = seen.update(random.normal(size=10_000))
        sizes.append(numbers(seen.state))
    assert sizes[0] <= 8192 + 64
    assert sizes == sizes[:1] * 8


def test_an_observer_stays_as_it_was() -> None:
    first = Observer().update(np.array([1.0, 2.0]))
    second = first.update(np.array([-8.0]))
    assert (first.qparams().zero_point, second.qparams().zero_point) == (0, 204)


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (ValueError, r"finite", lambda: Observer().update(np.array([1.0, np.nan]))),
        (ValueError, r"finite", lambda: Observer().update(np.ones(2)).update(np.array([np.inf]))),
        (ValueError, r"not empty", lambda: Observer().update(np.zeros(0))),
        (TypeError, r"real numbers", lambda: Observer().update(np.array(["a"]))),
        (ValueError, r"scales \(1, 3\)", lambda: counted(3, 4)),
        (ValueError, r"after a batch was seen", lambda: Observer().qparams()),
        (ValueError, r"in \[1, 16\]", lambda: Observer().update(np.ones(2)).qparams(17)),
    ],
)
def test_bad_streams(error: type[Exception], message: str, call: Any) -> None:
    with pytest.raises(error, match=message):
        call()


def counted(*channels: int) -> None:
    seen = Observer(per=PerChannel(1))
    for n in channels:
        seen = seen.update(np.ones((2, n)))


# Networks


def net() -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 2)).eval()


def images(n: int = 10) -> torch.Tensor:
    return torch.randn(n, 1, 4, 4, generator=torch.Generator().manual_seed(1))


def test_what_goes_into_each_layer_is_seen() -> None:
    model, batches = net(), [images(), 2 * images(7)]
    found = calibrate(model, iter(batches))
    assert list(found) == ["0", "3"]
    with torch.no_grad():
        inside = torch.cat([model[:3](x) for x in batches])
    assert found["3"].qparams().scale == choose_qparams(inside).scale
    assert found["0"].qparams().scale == choose_qparams(torch.cat(batches)).scale


def test_one_batch_may_be_an_array() -> None:
    found = calibrate(net(), images().numpy(), per=PerChannel(1))
    assert found["3"].qparams().scale.shape == (1, 12)


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (ValueError, r"evaluation mode.*training mode", lambda m: calibrate(m.train(), [images()])),
        (ValueError, r"training mode in 1", lambda m: calibrate(partly(m), [images()])),
        (ValueError, r"at least one batch", lambda m: calibrate(m, [])),
        (TypeError, r"without labels", lambda m: calibrate(m, [(images(), torch.zeros(10))])),
        (ValueError, r"finite", lambda m: calibrate(m, [images() * np.nan])),
        (TypeError, r"torch.nn.Module", lambda m: calibrate(None, [images()])),
    ],
)
def test_bad_calibrations(error: type[Exception], message: str, call: Any) -> None:
    model = net()
    with pytest.raises(error, match=message):
        call(model)
    assert not any(m._forward_pre_hooks for m in model.modules())  # nothing is left behind


def partly(model: nn.Sequential) -> nn.Sequential:
    model[1].train()
    return model
