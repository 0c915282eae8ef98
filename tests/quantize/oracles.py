"""What others compute: ONNX Runtime's QuantizeLinear and DequantizeLinear, and strategies of tensors."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

__all__ = ["onnx_round_trip", "tensors"]


@cache
def _session(kind: str, axis: int | None, block: int) -> Any:
    import onnxruntime
    from onnx import TensorProto, helper

    code, number = getattr(TensorProto, kind.upper()), TensorProto.FLOAT
    where = ({} if axis is None else {"axis": axis}) | ({"block_size": block} if block else {})
    ends = {"x": number, "s": number, "z": code, "q": code, "y": number}
    ends = {name: helper.make_tensor_value_info(name, t, None) for name, t in ends.items()}
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], **where),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"], **where),
    ]
    graph = helper.make_graph(nodes, "g", [ends[n] for n in "xsz"], [ends[n] for n in "qy"])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def onnx_round_trip(x: Any, q: Any, axis: int | None = None, block: int = 0) -> tuple[Any, Any]:
    """Integers and numbers that ONNX Runtime gives for float32 ``x`` with these parameters."""
    shape = () if axis is None else (x.shape[0], -1) if block else (-1,)
    kind = {(-127, 127): "int8", (0, 255): "uint8", (-32767, 32767): "int16", (0, 65535): "uint16"}
    name = kind[q.low, q.high]
    scale = np.asarray(q.scale, np.float32).reshape(shape)
    zero = np.asarray(q.zero_point).reshape(shape).astype(name)
    found = _session(name, axis, block).run(None, {"x": x, "s": scale, "z": zero})
    return found[0], found[1]


def tensors(shape: tuple[int, ...] = (3, 8), size: float = 1e4) -> st.SearchStrategy[Any]:
    """float32 arrays: all zeros and constants are among them."""
    numbers = st.floats(-size, size, width=32, allow_subnormal=False)
    return hnp.arrays(np.float32, shape, elements=numbers, fill=numbers)
