"""The long runs of lesson 12: what eight bits cost and buy in a runtime that computes with integers."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from optviz import data, deploy, evaluation, ledger, models, optimizers, problems, quantize, schedules
from optviz._knobs import example
from optviz.lessons.studies._compression import deep_compression
from optviz.training import Run, train

__all__ = ["deep_compression", "int8"]

FORMS: dict[str, tuple[int, dict[str, Any]]] = {
    "int8, min–max": (512, {}),
    "int8, percentile 99.9": (512, {"range": example(quantize.Percentile, share=0.999)}),
    "int8, MSE": (512, {"range": example(quantize.MSE)}),
    "int8, entropy": (512, {"range": example(quantize.Entropy)}),
    "int8, min–max of 8 images": (8, {}),
    "int8, one scale a tensor": (512, {"per": quantize.PerTensor()}),
    "int8, weights with 7 bits": (512, {"reduce_range": True}),
}


def int8(*, quick: bool = False) -> pd.DataFrame:
    """LeNet-300-100 (5 seeds) and LeNet-5 (3 seeds) on MNIST-5k: trained in fp32, then static int8.

    Trained as in the long runs of lesson 09: SGD with momentum 0.9, batch 64; LeNet-300-100 with weight decay
    0.002 for 1,080 updates from rate 0.1, LeNet-5 with 0.001 for 540 updates from 0.05, both along a cosine
    to 0. Quantized after training, with images of the training part for calibration: weights in int8 with one
    scale an output, activations in uint8 with one scale a tensor. Milliseconds are medians with one thread,
    all forms of a network in turn.

    Args:
        quick: one network, a few updates, one seed, one way to quantize, to see that it runs.

    Returns:
        One row a network, seed and form: ``network``, ``seed``, ``form``, ``calibration images`` (0 where
        nothing is calibrated), ``validation accuracy``, ``test accuracy``, ``bytes`` (of the file; PyTorch's
        is safetensors), ``ms for 64`` and ``ms for 1`` (images in a batch), ``VNNI`` (whether the processor
        has the instructions for sums of products of 8 bits).

    Example:
        >>> int8(quick=True)["form"].tolist()
        ['PyTorch, fp32', 'ONNX Runtime, fp32', 'int8, min–max']
    """
    import torch

    images, forms, repeats = data.mnist5k(28), FORMS, 30
    plans: list[Any] = [
        (models.LeNet300100, [0, 1, 2, 3, 4], 0.002, 0.1, 1080),
        (models.LeNet5, [0, 1, 2], 0.001, 0.05, 540),
    ]
    if quick:
        plans, forms, repeats = [(models.LeNet300100, [0], 0.002, 0.1, 3)], dict([*FORMS.items()][:1]), 3
    rows: list[dict[str, Any]] = []
    for make, seeds, decay, lr, steps in plans:
        net = make(generator=torch.Generator())
        problem = problems.convolutional(problems.Classification(images, (), 64), net)
        run = Run(optimizers.SGD(0.9, weight_decay=decay), schedules.Cosine(lr, steps))
        found = train(problem, [run], steps, seed=seeds, every=steps).params
        for k, seed in enumerate(seeds):
            net.load_state_dict({name: torch.as_tensor(p[k]) for name, p in found.items()})
            for row in _compared(net.eval(), images, forms, repeats):
                rows.append({"network": make.__name__, "seed": seed} | row)
    return pd.DataFrame(rows)


def _compared(
    net: Any, images: data.Data, forms: dict[str, tuple[int, dict[str, Any]]], repeats: int
) -> Iterator[dict[str, Any]]:
    """One row a form of a trained network: where it is right, how large and how fast it is."""
    import torch

    x = torch.as_tensor(np.array(images.train.X[:512]))
    with tempfile.TemporaryDirectory() as folder:
        plain = deploy.save(net, Path(folder) / "net.safetensors")
        source = deploy.to_onnx(net, Path(folder) / "net.onnx", x[:64])
        files, counts = {"PyTorch, fp32": plain, "ONNX Runtime, fp32": source}, dict.fromkeys(forms, 0)
        for i, (form, (count, options)) in enumerate(forms.items()):
            batches, path = x[:count].split(64), Path(folder) / f"{i}.onnx"
            files[form], counts[form] = deploy.to_onnx_int8(source, path, batches, **options), count
        runs = {
            form: net if form == "PyTorch, fp32" else deploy.session(path) for form, path in files.items()
        }
        times = [ledger.latencies([*runs.values()], x[:n], repeats=repeats) for n in (64, 1)]
        for i, (form, run) in enumerate(runs.items()):
            yield {
                "form": form,
                "calibration images": counts.get(form, 0),
                "validation accuracy": _accuracy(run, images.validation),
                "test accuracy": _accuracy(run, images.test),
                "bytes": files[form].stat().st_size,
                "ms for 64": 1e3 * times[0][i].median,
                "ms for 1": 1e3 * times[1][i].median,
                "VNNI": bool(deploy.vnni()),
            }


def _accuracy(run: Any, part: data.Split) -> float:
    import torch

    with torch.no_grad():
        logits = run(torch.as_tensor(np.array(part.X)))
    return float(evaluation.accuracy(logits.numpy(), part.y))
