"""Networks in ONNX Runtime's int8 beside eager PyTorch, and our way to int8 beside ONNX Runtime's own.

One thread, ways alternated, medians. The speed of LeNet-5 and LeNet-300-100 is promised for processors with
VNNI only. Both quantizers get the same network, trained for two epochs, and the same 512 images.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnxruntime import quantization as theirs
from torch import nn

from optviz import data, deploy, evaluation, ledger, models, optimizers, problems, quantize
from optviz._clock import stopwatch
from optviz._knobs import example
from optviz.deploy.packages import quiet
from optviz.training import Run, train

__all__ = ["rows"]

SPEED = {"LeNet300100": ((784,), 3.0), "LeNet5": ((1, 28, 28), 1.5), "ResidualCNN": ((1, 28, 28), None)}
RANGES: dict[str, tuple[Any, Any]] = {
    "min–max": (example(quantize.MinMax), theirs.CalibrationMethod.MinMax),
    "percentile": (example(quantize.Percentile), theirs.CalibrationMethod.Percentile),
    "entropy": (example(quantize.Entropy), theirs.CalibrationMethod.Entropy),
}
REPEATS = 3


def rows() -> list[dict[str, Any]]:
    """Latencies and times to quantize, as the table of ``tests.bench`` wants them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory() as folder:
            return [*_speeds(Path(folder)), *_quantizers(Path(folder))]
    finally:
        torch.set_num_threads(threads)


def _speeds(folder: Path) -> Iterator[dict[str, Any]]:
    vnni = deploy.vnni()
    for name, (shape, promised) in SPEED.items():
        generator = torch.Generator().manual_seed(0)
        net = getattr(models, name)(generator=generator).eval()
        x = torch.rand(64, *shape, generator=generator)
        source = deploy.to_onnx(net, folder / "net.onnx", x)
        small = deploy.to_onnx_int8(source, folder / "int8.onnx", [x])
        runs = [net, deploy.session(source), deploy.session(small)]
        eager, fp32, int8 = (found.median for found in ledger.latencies(runs, x, repeats=30))
        share = small.stat().st_size / source.stat().st_size
        yield {
            "name": f"{name} in int8, batch 64",
            "ours": f"{1e3 * int8:.2f} ms",
            "reference": f"{1e3 * eager:.2f} ms",
            "ratio": eager / int8,
            "limit": f">= {promised}" if promised and vnni else None,
            "note": f"ONNX Runtime {version('onnxruntime')} against eager PyTorch in fp32; "
            f"ONNX Runtime in fp32 {1e3 * fp32:.2f} ms; {'with' if vnni else 'without'} VNNI",
        }
        if promised:
            yield {
                "name": f"{name} in int8, its file",
                "ours": f"{small.stat().st_size:,} bytes",
                "reference": f"{source.stat().st_size:,} bytes",
                "ratio": share,
                "limit": "<= 0.28",
                "note": "against the ONNX file in fp32",
            }


def _quantizers(folder: Path) -> Iterator[dict[str, Any]]:
    """Time and accuracy of both ways from the same file in fp32."""
    images = data.mnist5k(28)
    net, x = _trained(images), np.array(images.train.X[:512])
    source = deploy.to_onnx(net, folder / "net.onnx", x[:64])
    right = {"fp32": _accuracy(net, images)}
    for name, (ours, method) in RANGES.items():
        ways: dict[str, Callable[[Path], Any]] = {
            "ours": lambda path, r=ours: deploy.to_onnx_int8(source, path, np.split(x, 8), range=r),
            "theirs": lambda path, m=method: _theirs(source, path, np.split(x, 8), m),
        }
        seconds: dict[str, list[float]] = {way: [] for way in ways}
        for repeat in range(REPEATS + 1):
            for way, function in ways.items():
                with stopwatch() as watch:
                    function(folder / way)
                if repeat:  # the first call of each warms up
                    seconds[way].append(watch.seconds)
        right |= {way: _accuracy(deploy.session(folder / way), images) for way in ways}
        medians = {way: statistics.median(times) for way, times in seconds.items()}
        said = ", ".join(f"{way} {100 * share:.2f} %" for way, share in right.items())
        yield {
            "name": f"LeNet300100 to int8, ranges by {name}",
            "ours": medians["ours"],
            "reference": medians["theirs"],
            "ratio": medians["theirs"] / medians["ours"],
            "limit": None,
            "note": f"against quantize_static with its own ranges; test accuracy: {said}",
        }


def _trained(images: data.Data) -> nn.Module:
    net = models.LeNet300100(generator=torch.Generator().manual_seed(0))
    problem = problems.convolutional(problems.Classification(images, (), 64), net)
    found = train(problem, [Run(optimizers.SGD(0.9), 0.05)], 108, every=108).params
    net.load_state_dict({name: torch.as_tensor(p[0]) for name, p in found.items()})
    return net.eval()


def _accuracy(run: Any, images: data.Data) -> float:
    with torch.no_grad():
        logits = run(torch.as_tensor(np.array(images.test.X)))
    return float(evaluation.accuracy(logits.numpy(), images.test.y))


def _theirs(source: Path, path: Path, batches: list[np.ndarray], method: Any) -> None:
    class Reader(theirs.CalibrationDataReader):
        left = iter(batches)

        def get_next(self) -> Any:
            batch = next(self.left, None)
            return None if batch is None else {"input": batch}

    kinds = {"activation_type": theirs.QuantType.QUInt8, "weight_type": theirs.QuantType.QInt8}
    with quiet():
        theirs.quantize_static(
            onnx.load(source), path, Reader(), per_channel=True, calibrate_method=method, **kinds
        )
