"""A network in int8 as an ONNX file: calibrated on data, its weights and activations really integers."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from optviz._files import write_atomic
from optviz._knobs import require
from optviz.deploy.codes import opened
from optviz.deploy.packages import needed, quiet
from optviz.deploy.programs import example_of, floats, one_line, resting
from optviz.deploy.runtime import Session
from optviz.deploy.translate import checked, translated
from optviz.normalize import fold_module
from optviz.quantize import PerChannel, PerTensor, Range
from optviz.quantize.ranges import EXTREMES

if TYPE_CHECKING:
    from torch import nn

__all__ = ["to_onnx_int8"]

Ends = tuple[float, float]
OUTPUTS = PerChannel(0)


def to_onnx_int8(
    model: nn.Module | str | os.PathLike[str],
    path: str | os.PathLike[str],
    batches: Iterable[Any],
    *,
    range: Range = EXTREMES,
    per: PerTensor | PerChannel = OUTPUTS,
    symmetric: bool = False,
    reduce_range: bool = False,
    skip: Sequence[str] = (),
) -> Path:
    """Quantize a trained network to 8 bits and write it as an ONNX file that integer kernels run.

    Static quantization: batch norm is folded; the network runs on the calibration batches, and ``range``
    finds for each tensor the ends [low, high] of its code, batch by batch; ONNX Runtime's ``quantize_static``
    then stores weights as int8 (symmetric, [−127, 127], from their largest), biases as int32 with the scale
    s_in · s_w, and writes a pair QuantizeLinear, DequantizeLinear at each activation ("QDQ"), which the
    runtime fuses with its neighbors into integer kernels. Whatever was activated by ReLU needs no ReLU any
    more: its code begins at 0.

    Args:
        model: any module with one input and one output, or the path of its file from ``to_onnx``; it stays as
            it was. From the file is faster where it is quantized in several ways.
        path: the file to write, by custom with the ending ``.onnx``; its folder is created if it is missing.
        batches: of inputs (N, …) as the network takes them, without labels, neither augmented nor of the test
            data. They are read once, one at a time.
        range: how the ends for activations are found, of the room ``quantize``.
        per: ``PerChannel(0)``, a scale for each output of a layer, or ``PerTensor()``, one a weight tensor.
        symmetric: activations as int8 with zero point 0, for GPU and ARM; else as uint8 with a zero point.
        reduce_range: weights with 7 bits. On x86 processors without VNNI the sum of two products of 8 bits
            may not fit the 16 bits that it gets there.
        skip: names of layers that stay in floating point, such as ``("0", "head")``.

    Returns:
        The path.

    Raises:
        ImportError: if a package is missing, saying how it is installed.
        TypeError: if ``model`` is no ``torch.nn.Module`` and no path, or a batch is a pair with labels.
        ValueError: if there is no batch, one holds labels or numbers that are not finite or has another shape
            than the first, a part cannot be translated, ``per`` is a granularity that files don't have, or
            ``skip`` names no layer with weights.
        OSError: if the folder cannot be written.

    Example:
        >>> import torch
        >>> net = torch.nn.Linear(784, 10)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = to_onnx_int8(net, Path(folder) / "net.onnx", [torch.randn(64, 784)])
        ...     path.stat().st_size // 1000
        9

    Reference: Jacob and others, 2017, arXiv:1712.05877; ONNX Runtime, Quantize ONNX models,
    onnxruntime.ai/docs/performance/model-optimizations/quantization.html.
    """
    *_, tool = needed("to_onnx_int8", "onnx", "onnxscript", "onnxruntime.quantization")
    require(per in (PerTensor(), OUTPUTS), "to_onnx_int8.per", "PerTensor() or PerChannel(0)", per)
    inputs = _inputs(batches)
    first = next(inputs)
    proto = _source(model, first)
    kept = _nodes(proto, skip)
    ends = _calibrated(proto, chain([first], inputs), range, symmetric)
    content = _quantized(
        proto,
        first,
        activation_type=tool.QuantType.QInt8 if symmetric else tool.QuantType.QUInt8,
        weight_type=tool.QuantType.QInt8,
        per_channel=per == OUTPUTS,
        reduce_range=reduce_range,
        nodes_to_exclude=kept,
        extra_options={"ActivationSymmetric": symmetric, "TensorQuantOverrides": _overrides(ends)},
    )
    finite = bool(np.isfinite(Session(content)(first)).all())
    require(finite, "to_onnx_int8.model", "quantized to finite outputs", "NaN or infinity")
    return Path(write_atomic(path, content))


def _quantized(proto: Any, first: np.ndarray, **options: Any) -> bytes:
    """The file that ``quantize_static`` makes, which searches ranges in one batch, then takes ours."""
    import onnx
    from onnxruntime import quantization as tool

    left = [{proto.graph.input[0].name: first}]

    class Reader(tool.CalibrationDataReader):
        def get_next(self) -> Any:
            return left.pop() if left else None

    with quiet(), tempfile.TemporaryDirectory(prefix="optviz-") as folder:
        target = Path(folder) / "int8.onnx"
        try:
            tool.quantize_static(proto, target, Reader(), **options)
        except Exception as error:  # of many kinds
            rule = "a network that ONNX Runtime can quantize"
            raise ValueError(f"to_onnx_int8.model must be {rule}, got: {one_line(error)}") from error
        return checked(onnx.load(target))


def _inputs(batches: Iterable[Any]) -> Iterator[np.ndarray]:
    """The batches as arrays, each checked as it comes."""
    if isinstance(batches, np.ndarray) or hasattr(batches, "detach"):
        batches = [batches]  # one batch
    shape = None
    for i, batch in enumerate(batches):
        name = f"to_onnx_int8.batches[{i}]"
        if not (isinstance(batch, np.ndarray) or hasattr(batch, "detach")):
            got = type(batch).__name__
            raise TypeError(f"{name} must be inputs (an array or a tensor) without labels, got {got}")
        x = floats(batch, name).numpy().astype(np.float32, copy=False)
        shape = x.shape[1:] if shape is None else shape
        require(x.shape[1:] == shape, name, f"of shape (N, {', '.join(map(str, shape))})", x.shape)
        yield x
    require(shape is not None, "to_onnx_int8.batches", "at least one batch of inputs", "none")


def _source(model: Any, first: np.ndarray) -> Any:
    """The network in floating point as ONNX, without batch norm."""
    if isinstance(model, str | os.PathLike):
        return opened(model, "to_onnx_int8.model")
    folded = fold_module(resting(model, "to_onnx_int8").float())
    return translated(folded, example_of(folded, first, "to_onnx_int8.batches[0]"), "to_onnx_int8")


def _calibrated(proto: Any, inputs: Iterable[np.ndarray], range_: Range, symmetric: bool) -> dict[str, Ends]:
    """Name -> ends of every activation, from all batches; only one batch is in memory."""
    import onnx

    weights = {p.name for p in proto.graph.initializer}
    names = {name for node in proto.graph.node for name in node.output} - weights
    watched = type(proto).FromString(proto.SerializeToString())
    there = {end.name for end in watched.graph.output}
    watched.graph.output.extend(onnx.ValueInfoProto(name=name) for name in sorted(names - there))
    source = proto.graph.input[0].name
    run = Session(watched.SerializeToString(), optimize=False)
    states: dict[str, Any] = {}
    for x in inputs:
        for name, values in {source: x, **run.all(x)}.items():
            if values.dtype.kind == "f":
                state = states[name] if name in states else range_.start()
                states[name] = range_.update(state, values.reshape(1, -1))
    found = {name: range_.finish(state, 8, symmetric) for name, state in states.items()}
    ends = {name: (float(low[0]), float(high[0])) for name, (low, high) in found.items()}
    return _adjusted(proto, ends)


def _adjusted(proto: Any, ends: dict[str, Ends]) -> dict[str, Ends]:
    """The same, but what an activation reads has the code of its result, and a softmax that of [0, 1].

    So an operation before a ReLU clips at 0, and the ReLU can go; ONNX Runtime's integer softmax is exact
    only for such a code. Its own ranges are adjusted alike.
    """
    ends = dict(ends)
    for node in proto.graph.node:
        if node.op_type in ("Relu", "Clip") and _readers(proto, node.input[0]) == 1:
            ends[node.input[0]] = ends[node.output[0]]
        elif node.op_type == "Softmax":
            ends[node.output[0]] = (0.0, 1.0)
    return ends


def _readers(proto: Any, name: str) -> int:
    return sum(list(node.input).count(name) for node in proto.graph.node)


def _overrides(ends: dict[str, Ends]) -> dict[str, list[dict[str, np.float32]]]:
    """The ends as ``quantize_static`` takes them."""
    return {name: [{"rmin": np.float32(low), "rmax": np.float32(high)}] for name, (low, high) in ends.items()}


def _nodes(proto: Any, skip: Sequence[str]) -> list[str]:
    """Names of the operations that use the weights of some layers."""
    weights = {p.name.rpartition(".")[0] for p in proto.graph.initializer if p.name.endswith(".weight")}
    for name in skip:
        require(
            name in weights, "to_onnx_int8.skip", f"names of layers, of {', '.join(sorted(weights))}", name
        )
    named = {f"{name}.weight" for name in skip}
    return [node.name for node in proto.graph.node if named & set(node.input)]
