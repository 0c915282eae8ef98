"""What an int8 file holds: the integers of its weights, and scale and zero point of every tensor."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from optviz.deploy.packages import needed, quiet
from optviz.deploy.programs import one_line
from optviz.quantize import QParams

__all__ = ["Code", "codes", "opened"]


@dataclass(frozen=True, eq=False)
class Code:
    """How one tensor is stored, or computed, in a quantized ONNX file.

    Args:
        q: its scale and zero point; ``low`` and ``high`` are the ends of the integer type.
        integers: of a weight or a bias; None for an activation, whose integers come with the data.

    Example:
        >>> Code(QParams(0.5, 0, -128, 127), np.array([-3, 4], np.int8)).integers.nbytes
        2

    Reference: ONNX operators QuantizeLinear and DequantizeLinear, onnx.ai/onnx/operators.
    """

    q: QParams
    integers: np.ndarray | None = None


def codes(path: str | os.PathLike[str]) -> dict[str, Code]:
    """The codes of all tensors in a QDQ file, in the order of the computation.

    x ≈ s · (q − Z). Weights and biases have the names of the torch parameters, where the translation kept
    them; activations have those of the graph.

    Args:
        path: a file from :func:`optviz.deploy.to_onnx_int8`, or another QDQ file.

    Returns:
        Name -> :class:`Code`. Scales of a weight (out, in, …) have the shape (out, 1, …), those of a bias
        (out,), where there is one a channel; empty for a file in floating point.

    Raises:
        ImportError: if onnx is not installed, saying how it is.
        ValueError: if the file is damaged.
        FileNotFoundError: if there is no file.

    Example:
        >>> import tempfile, torch
        >>> from optviz import deploy
        >>> net = torch.nn.Linear(4, 3)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = deploy.to_onnx_int8(net, Path(folder) / "net.onnx", [torch.randn(64, 4)])
        ...     found = codes(path)
        >>> sorted(found), found["weight"].integers.dtype.name, found["bias"].integers.dtype.name
        (['bias', 'input', 'output', 'weight'], 'int8', 'int32')

    Reference: ONNX operators QuantizeLinear and DequantizeLinear, onnx.ai/onnx/operators.
    """
    proto = opened(path, "codes.path")
    (helper,) = needed("codes", "onnx.numpy_helper")
    stored = {p.name: helper.to_array(p) for p in proto.graph.initializer}
    found: dict[str, Code] = {}
    for node in proto.graph.node:
        if node.op_type == "QuantizeLinear" and set(node.input[1:]) <= set(stored):
            found[_name(node.input[0])] = _code(node, stored)
        elif node.op_type == "DequantizeLinear" and set(node.input) <= set(stored):
            found[_name(node.input[0])] = _code(node, stored, stored[node.input[0]])
    return found


def opened(path: str | os.PathLike[str], name: str) -> Any:
    """The ``onnx.ModelProto`` of a file, checked.

    Raises:
        ValueError: if the file is damaged.
    """
    (onnx,) = needed(name.partition(".")[0], "onnx")
    content = Path(path).read_bytes()
    try:
        with quiet():
            proto = onnx.load_model_from_string(content)
            onnx.checker.check_model(proto)
    except Exception as error:  # of several kinds
        got = f"{os.fspath(path)!r}: {one_line(error)}"
        raise ValueError(f"{name} must be a whole ONNX file, got {got}") from error
    return proto


def _code(node: Any, stored: dict[str, Any], integers: Any = None) -> Code:
    scale = stored[node.input[1]]
    kind = np.uint8 if integers is None else integers.dtype
    zero = stored[node.input[2]] if len(node.input) > 2 else np.zeros(scale.shape, kind)
    if scale.size == 1:
        scale, zero = scale.reshape(()), zero.reshape(())
    elif integers is not None:
        shape = [1] * integers.ndim
        shape[next((a.i for a in node.attribute if a.name == "axis"), 1)] = -1
        scale, zero = scale.reshape(shape), zero.reshape(shape)
    ends = np.iinfo(zero.dtype)
    return Code(QParams(scale, zero, int(ends.min), int(ends.max)), integers)


def _name(tensor: str) -> str:
    """Without what ONNX Runtime's quantizer adds."""
    return tensor.removesuffix("_quantized").removesuffix("_QuantizeLinear_Input")
