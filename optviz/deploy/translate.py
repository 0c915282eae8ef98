"""A torch network as an ONNX file that does the same: translated, checked, run, and only then written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optviz._files import write_atomic
from optviz._knobs import require
from optviz.deploy.packages import needed, quiet
from optviz.deploy.programs import close, example_of, one_line, resting, traced
from optviz.deploy.runtime import Session

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["checked", "to_onnx", "translated"]

MOST = 2**31 - 2**20  # bytes of a file, which its format limits to 2 GiB


def to_onnx(model: nn.Module, path: str | os.PathLike[str], example: Any) -> Path:
    """Translate a network into an ONNX file, which other programs run without PyTorch.

    The network is written down by ``torch.export``, translated operation by operation, checked by onnx, and
    run in ONNX Runtime on the example, on one row of it and on one row more. Only a file whose outputs are
    those of the network to 1e-5 takes its place, in one step. It is one file with all weights in it, of a
    network in evaluation mode, for batches of any size.

    Args:
        model: any module with one input and one output; it stays as it was.
        path: the file, by custom with the ending ``.onnx``; its folder is created if it is missing.
        example: (N, …) a batch that the network takes.

    Returns:
        The path.

    Raises:
        ImportError: if a package is missing, saying how it is installed.
        TypeError: if ``model`` is no ``torch.nn.Module``.
        ValueError: if the network doesn't take the example, has a part that cannot be translated (the message
            says what the exporter said), or is larger than 2 GiB.
        OSError: if the folder cannot be written.

    Example:
        >>> import tempfile, torch
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = to_onnx(torch.nn.Linear(784, 10), Path(folder) / "net.onnx", torch.zeros(2, 784))
        ...     path.stat().st_size // 1000
        31

    Reference: ONNX, onnx.ai; the exporter: pytorch.org/docs, torch.onnx (``dynamo=True``).
    """
    needed("to_onnx", "onnx", "onnxscript", "onnxruntime")
    model = resting(model, "to_onnx")
    x = example_of(model, example, "to_onnx.example")
    content = checked(translated(model, x, "to_onnx"))
    close(model, Session(content), x, "to_onnx.model")
    return Path(write_atomic(path, content))


def translated(model: nn.Module, x: torch.Tensor, function: str) -> Any:
    """The ``onnx.ModelProto`` of a resting network, with nothing in it but the network.

    Raises:
        ValueError: if a part cannot be translated, or the network is too large.
    """
    import torch

    size = sum(p.nbytes for p in (*model.parameters(), *model.buffers()))
    require(size < MOST, f"{function}.model", "below 2 GiB", size)
    program = traced(model, x, function)
    try:
        with quiet():
            names: dict[str, Any] = {"input_names": ["input"], "output_names": ["output"]}
            made = torch.onnx.export(program, dynamo=True, verbose=False, **names)
            proto = made.model_proto  # type: ignore[union-attr]
    except Exception as error:  # of many kinds
        reason = error.__cause__ or error  # the message of the outer one is about how to report it
        rule = "a network that the ONNX exporter can translate"
        raise ValueError(f"{function}.model must be {rule}, got: {one_line(reason)}") from error
    return _plain(proto)


def checked(proto: Any) -> bytes:
    """The bytes of a file, after onnx has checked that it is one.

    Raises:
        ValueError: if onnx finds a mistake in it.
    """
    import onnx

    try:
        onnx.checker.check_model(proto, full_check=True)
    except onnx.checker.ValidationError as error:
        raise ValueError(f"model must be translated to valid ONNX, got: {one_line(error)}") from error
    return proto.SerializeToString()


def _plain(proto: Any) -> Any:
    """The same without notes of the exporter: places in source files, and names of symbolic sizes."""
    graph = proto.graph
    for part in (proto, graph, *graph.node, *graph.initializer, *graph.input, *graph.output):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    graph.ClearField("value_info")  # can be inferred
    for end in (*graph.input, *graph.output):
        end.type.tensor_type.shape.dim[0].dim_param = "batch"
    return proto
