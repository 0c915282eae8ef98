"""Ten million weights to eight bits: as fast as memory allows, and beside ONNX Runtime's own quantizer.

The machine's copy bandwidth is measured in the same run, by copying the same array. Calibration and
quantization read the weights twice (4 bytes each) and write the codes once (1 byte): 9 bytes a weight, where
a copy moves 8. One thread, variants alternated, the best of all turns, as memory benchmarks do. Seconds are
the processor time of this thread: the waits while other programs have the processor don't count.
"""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from optviz._clock import human_seconds
from optviz.quantize import (
    Entropy,
    MinMax,
    PerChannel,
    QParams,
    choose_qparams,
    dequantize,
    fake_quantize,
    from_range,
    quantize,
)

__all__ = ["rows"]

SHAPE = (2500, 4000)
SAMPLES = 1_000_000  # activations for the entropy ranges: ONNX Runtime's loop takes seconds
TURNS = 80


def rows() -> list[dict[str, Any]]:
    """Seconds and errors, as the table of ``tests.bench`` wants them."""
    weights = np.random.default_rng(0).standard_normal(SHAPE, np.float32)
    weights *= np.random.default_rng(1).lognormal(0, 0.5, (SHAPE[0], 1)).astype(np.float32)
    return [_bandwidth(weights), _ranges(weights), _weights(weights), _entropy()]


def _eight_bits(weights: Any) -> tuple[Any, QParams]:
    q = choose_qparams(weights, 8, PerChannel(0), symmetric=True)
    return quantize(weights, q), q


def _bandwidth(weights: Any) -> dict[str, Any]:
    copy, q = np.empty_like(weights), _eight_bits(weights)[1]
    ways = {
        "calibrate": lambda: choose_qparams(weights, 8, PerChannel(0), symmetric=True),
        "quantize": lambda: quantize(weights, q),
        "copy": lambda: np.copyto(copy, weights),
    }
    times = _best(ways)
    ours = times["calibrate"] + times["quantize"]
    speed, limit = 9 * weights.size / ours, 8 * weights.size / times["copy"]
    return {
        "name": "10⁷ weights to int8 per channel, calibration included: memory traffic",
        "ours": f"{speed / 1e9:.1f} GB/s ({human_seconds(ours)})",
        "reference": f"{limit / 1e9:.1f} GB/s (copying them: {human_seconds(times['copy'])})",
        "ratio": speed / limit,
        "limit": "≥ 0.3",
        "note": "a plain copy is the limit: nothing moves bytes faster",
    }


def _ranges(weights: Any) -> dict[str, Any]:
    ranges = {"ours": Entropy(), "reference": MinMax()}
    times = _best({name: lambda r=r: r(weights) for name, r in ranges.items()})
    return {
        "name": "Entropy range of 10⁷ weights against min–max",
        **times,
        "ratio": times["ours"] / times["reference"],
        "limit": "≤ 3",
        "note": "extremes of all, a histogram of 262,144 of them in runs, every cut that keeps half of them",
    }


def _weights(weights: Any) -> dict[str, Any]:
    from onnx import TensorProto
    from onnxruntime.quantization.quant_utils import quantize_data

    def theirs() -> list[Any]:
        return [quantize_data(row, TensorProto.INT8, True) for row in weights]

    times = _best({"ours": lambda: _eight_bits(weights), "reference": theirs}, 5)
    codes, q = _eight_bits(weights)
    found = theirs()
    back = np.stack([scale * codes.astype(np.float32) for _, scale, codes in found])
    equal = np.mean([np.mean(codes[k] == row[2]) for k, row in enumerate(found)])
    errors = [_error(weights, dequantize(codes, q)), _error(weights, back)]
    return {
        "name": "10⁷ weights to int8 per channel against ONNX Runtime's quantizer",
        **times,
        "ratio": times["reference"] / times["ours"],
        "limit": "≥ 2",
        "note": f"error {errors[0]:.4%} and {errors[1]:.4%} of the power; {equal:.2%} of codes equal",
    }


def _entropy() -> dict[str, Any]:
    from onnxruntime.quantization.calibrate import HistogramCollector

    x = np.maximum(np.random.default_rng(0).standard_t(4, SAMPLES), 0).astype(np.float32)  # as after a ReLU
    found: dict[str, Any] = {}

    def ours() -> None:
        found["ours"] = Entropy()(x)

    def theirs() -> None:
        collector = HistogramCollector("entropy", False, 4096, 256, 99.99, "same")
        with contextlib.redirect_stdout(io.StringIO()):
            collector.collect({"x": x[None]})
            low, high, *_ = collector.compute_collection_result()["x"]
        found["theirs"] = max(float(low), 0.0), float(high)

    times = {"ours": _best({"ours": ours}, 5)["ours"], "reference": _best({"theirs": theirs}, 1)["theirs"]}
    errors = {name: _error(x, fake_quantize(x, from_range(*ends, like=x))) for name, ends in found.items()}
    note = f"up to {found['ours'][1]:.3g} and {found['theirs'][1]:.3g} of {x.max():.3g}; "
    note += f"error {errors['ours']:.4%} and {errors['theirs']:.4%} of the power"
    return {
        "name": "Entropy range of 10⁶ activations against ONNX Runtime's calibrator",
        **times,
        "ratio": times["reference"] / times["ours"],
        "limit": "≥ 20",
        "note": note,
    }


def _error(x: Any, back: Any) -> float:
    """Power of the error over power of the signal."""
    return float(np.square(x - back, dtype=np.float64).mean() / np.square(x, dtype=np.float64).mean())


def _best(ways: dict[str, Callable[[], Any]], turns: int = TURNS) -> dict[str, float]:
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(turns):
        for way, function in ways.items():
            start = time.thread_time()
            function()
            seconds[way].append(time.thread_time() - start)
    return {way: min(times) for way, times in seconds.items()}
