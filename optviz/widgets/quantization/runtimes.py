"""What a batch takes: PyTorch in floating point, quantization simulated in it, and ONNX Runtime."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from cachetools import LRUCache

from optviz import deploy, ledger
from optviz.quantize import PerChannel, PerTensor, quantize_model
from optviz.widgets.quantization.networks import Trained, accuracy, calibration, images
from optviz.widgets.quantization.state import LabState

__all__ = ["TIMED", "Files", "Times", "timed", "written"]

REPEATS, TIMED, IMAGES = 15, 64, 128  # measurements, images in a batch, images of the calibration
OPSET, FORMAT = 18, 10


@dataclass(frozen=True, eq=False)
class Files:
    """A network as two ONNX files.

    Args:
        plain: bytes in fp32.
        int8: bytes in int8.
    """

    plain: bytes
    int8: bytes


@dataclass(frozen=True, eq=False)
class Times:
    """What one network takes and gets right in several forms.

    Args:
        forms: PyTorch in fp32, and with integers of 8 bits simulated; ONNX Runtime in fp32 and in int8, where
            its packages are there. Seconds of one batch, all measured in turn.
        right: of each, the share of the test images that it gets right.
        files: bytes of the two ONNX files; None where the packages are missing.
    """

    forms: tuple[ledger.Latency, ...]
    right: tuple[float, ...]
    files: tuple[int, int] | None

    @property
    def engine(self) -> bool:
        """Whether ONNX Runtime is there."""
        return self.files is not None


_files: LRUCache[Any, Files] = LRUCache(20)
_times: LRUCache[Any, Times] = LRUCache(200)


def timed(state: LabState, net: Trained) -> Iterator[Times | None]:
    """Write the files of a network, then measure; None after each piece of work, then the times.

    All integers have 8 bits here, so that nothing is measured anew for other numbers of bits.
    """
    key = state.task, state.activations, state.per, state.symmetric
    if key in _times:
        yield _times[key]
        return
    there = all(deploy.available().values())
    try:
        yield from written(state, net) if there else ()
    except ImportError:  # installed, but broken
        there = False
    forms, files = _forms(state, net), _files[_kind(state)] if there else None
    forms += [] if files is None else [deploy.session(files.plain), deploy.session(files.int8)]
    yield None
    right = tuple(accuracy(state.network, form) for form in forms)
    yield None
    took = ledger.latencies(forms, images(state.network)[0][:TIMED], repeats=REPEATS)
    sizes = None if files is None else (len(files.plain), len(files.int8))
    _times[key] = Times(tuple(took), right, sizes)
    yield _times[key]


def _forms(state: LabState, net: Trained) -> list[Any]:
    """The network in PyTorch: as it is, and with 8 bits simulated."""
    recipe = replace(state, activation_bits=8).recipe(net.layers, (8,) * len(net.layers))
    batches = calibration(state.network, 0, IMAGES) if recipe.observes else None
    return [net.model, quantize_model(net.model, recipe, batches)]


def written(state: LabState, net: Trained) -> Iterator[None]:
    """Write the network in fp32 and in int8 for ONNX Runtime, once."""
    if _kind(state) in _files:
        return
    for name in ("onnx", "onnxruntime", "onnxruntime.quantization"):  # loading takes time
        deploy.packages.needed("quantization_lab", name)
        yield
    per = PerTensor() if state.per == PerTensor() else PerChannel(0)
    with tempfile.TemporaryDirectory(prefix="optviz-") as folder:
        source = Path(folder) / "plain.onnx"
        source.write_bytes(chained(net.model))
        yield
        batches = calibration(state.network, 0, IMAGES)
        target = deploy.to_onnx_int8(source, Path(folder) / "int8.onnx", batches, per=per)
        _files[_kind(state)] = Files(source.read_bytes(), target.read_bytes())
    yield


def chained(model: Any) -> bytes:
    """A chain of layers as an ONNX file, in milliseconds.

    ``deploy.to_onnx`` takes any network, but its exporter needs seconds, in which a page would stand still.
    """
    from onnx import checker, helper, numpy_helper

    nodes, kept, last = [], [], "input"
    for name, part in model.named_children():
        kind, own, options = _translated(name, part)
        kept += [numpy_helper.from_array(value, each) for each, value in own.items()]
        nodes.append(helper.make_node(kind, [last, *own], [name], name=f"node.{name}", **options))
        last = name
    first = next(p for n, p in model.named_parameters())
    pixels = first.shape[1] if first.ndim == 2 else None
    ends = [
        helper.make_tensor_value_info(name, 1, ["batch", size])
        for name, size in (("input", pixels or "pixels"), (last, list(model.parameters())[-1].numel()))
    ]
    graph = helper.make_graph(nodes, "chain", ends[:1], ends[1:], kept)
    versions = [helper.make_opsetid("", OPSET)]
    proto = helper.make_model(graph, opset_imports=versions, ir_version=FORMAT)
    checker.check_model(proto, full_check=True)
    return proto.SerializeToString()


def _translated(name: str, part: Any) -> tuple[str, dict[str, np.ndarray], dict[str, Any]]:
    """Operation, arrays that belong to it, and its options."""
    from torch import nn

    own = {f"{name}.{n}": p.detach().numpy() for n, p in part.named_parameters()}
    if isinstance(part, nn.Linear):
        return "Gemm", own, {"transB": 1}
    if isinstance(part, nn.Conv2d):
        pads: Any = part.padding
        return "Conv", own, {"strides": part.stride, "pads": [*pads, *pads]}
    if isinstance(part, nn.Unflatten):
        return "Reshape", {f"{name}.shape": np.array([0, *part.unflattened_size])}, {}
    return {"ReLU": "Relu"}.get(type(part).__name__, type(part).__name__), {}, {}


def _kind(state: LabState) -> tuple[Any, ...]:
    return state.task, state.per == PerTensor()
