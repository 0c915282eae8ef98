"""ONNX Runtime's int8 engine on a chain of layers, with codes computed here from the definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

__all__ = ["engine", "run"]


def engine(model: nn.Sequential, x: torch.Tensor) -> bytes:
    """An ONNX file of QLinearConv and MaxPool on uint8, calibrated on one batch by its extremes."""
    from onnx import TensorProto, helper, numpy_helper

    nodes: list[Any] = []
    constants: list[Any] = []

    def constant(name: str, value: Any) -> str:
        constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def code(values: torch.Tensor, name: str) -> tuple[str, str, Any]:
        low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
        scale = np.float32((np.float64(high) - low) / 255)
        zero = np.uint8(np.clip(np.rint(-low / scale), 0, 255))
        return constant(f"{name}_s", scale), constant(f"{name}_z", zero), scale

    now, (s, z, scale) = "codes", code(x, "x")
    nodes.append(helper.make_node("QuantizeLinear", ["x", s, z], [now]))
    layers = list(model)
    for i, layer in enumerate(layers):
        with torch.no_grad():
            x = layer(x)
        made = f"{now}_{i}"
        if isinstance(layer, nn.Linear | nn.Conv2d):
            relu = i + 1 < len(layers) and isinstance(layers[i + 1], nn.ReLU)
            s_y, z_y, scale_y = code(x.relu() if relu else x, made)
            weight = layer.weight.detach().numpy()
            s_w = (np.abs(weight).reshape(len(weight), -1).max(1).astype(np.float64) / 127).astype(np.float32)
            q = np.rint(weight / s_w.reshape(-1, *[1] * (weight.ndim - 1))).astype(np.int8)
            bias = layer.bias.detach().numpy().astype(np.float64) / (np.float64(scale) * s_w)
            bias = constant(f"{made}_b", np.rint(bias).astype(np.int32))
            linear = isinstance(layer, nn.Linear)
            # QLinearMatMul has no bias: a linear layer is a convolution with 1 × 1 filters on 1 × 1 pixels.
            wide = q[:, :, None, None] if linear else q
            weights = [constant(f"{made}_w", wide), constant(f"{made}_ws", s_w)]
            weights.append(constant(f"{made}_wz", np.zeros(len(q), np.int8)))
            source = now
            if linear:
                one = constant(f"{made}_image", np.array([0, -1, 1, 1]))
                nodes.append(helper.make_node("Reshape", [now, one], [f"{made}_in"]))
                source = f"{made}_in"
            where = {} if linear else {
                "strides": list(layer.stride), "pads": [*layer.padding, *layer.padding],
                "dilations": list(layer.dilation),
            }  # fmt: skip
            out = f"{made}_out" if linear else made
            names = [source, s, z, *weights, s_y, z_y, bias]
            nodes.append(helper.make_node("QLinearConv", names, [out], **where))
            if linear:
                nodes.append(helper.make_node("Flatten", [out], [made], axis=1))
            s, z, scale, now = s_y, z_y, scale_y, made
        elif isinstance(layer, nn.MaxPool2d):
            size = [layer.kernel_size] * 2
            nodes.append(helper.make_node("MaxPool", [now], [made], kernel_shape=size, strides=size))
            now = made
        elif isinstance(layer, nn.Flatten):
            nodes.append(helper.make_node("Flatten", [now], [made], axis=1))
            now = made
        elif isinstance(layer, nn.Unflatten):
            shape = constant(f"{made}_shape", np.array([0, *layer.unflattened_size]))
            nodes.append(helper.make_node("Reshape", [now, shape], [made]))
            now = made
        else:
            assert isinstance(layer, nn.ReLU)  # the code begins at 0
    ends = helper.make_tensor_value_info("x", TensorProto.FLOAT, None)
    out = helper.make_tensor_value_info(now, TensorProto.UINT8, None)
    graph = helper.make_graph(nodes, "chain", [ends], [out], constants)
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10
    ).SerializeToString()


def run(content: bytes, x: torch.Tensor) -> np.ndarray:
    """The integers that ONNX Runtime computes, on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": x.numpy()})[0])
