"""Running an ONNX file: ONNX Runtime, without PyTorch."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from optviz._knobs import require
from optviz.deploy.packages import needed, quiet
from optviz.deploy.programs import one_line

__all__ = ["Session", "run_onnx", "session"]


class Session:
    """An ONNX network, loaded and ready: a function of a batch.

    Args:
        path: an ONNX file with one input and one output, or the bytes of one.
        threads: that ONNX Runtime may use.
        optimize: let ONNX Runtime fuse operations; without that every tensor of the file is really computed.

    Raises:
        ImportError: if ONNX Runtime is not installed, saying how it is.
        ValueError: if the file is damaged, or has several inputs; or ``threads`` is below 1.
        FileNotFoundError: if there is no file.

    Example:
        >>> from onnx import parser
        >>> form = '<ir_version: 8, opset_import: ["": 18]> f (float[N, 4] x) => (float[N, 4] y) {y=Relu(x)}'
        >>> file = parser.parse_model(form).SerializeToString()
        >>> net = Session(file)
        >>> net(np.full((5, 4), -1.0)).max(), net.shape
        (np.float32(0.0), ('N', 4))

    Reference: ONNX Runtime, onnxruntime.ai/docs/api/python.
    """

    def __init__(
        self, path: str | os.PathLike[str] | bytes, threads: int = 1, *, optimize: bool = True
    ) -> None:
        whole = isinstance(threads, int | np.integer) and not isinstance(threads, bool) and threads >= 1
        require(whole, "session.threads", "a whole number of at least 1", threads)
        (runtime,) = needed("session", "onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = int(threads), 1
        options.log_severity_level = 4  # errors come as exceptions
        if not optimize:
            options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
        self.threads = int(threads)
        self._session = _loaded(runtime, path, options)
        inputs, self.outputs = self._session.get_inputs(), tuple(o.name for o in self._session.get_outputs())
        require(len(inputs) == 1, "session.path", "a network with one input", [i.name for i in inputs])
        self._input = inputs[0]
        self._dtype = np.dtype({"tensor(double)": "f8", "tensor(float16)": "f2"}.get(inputs[0].type, "f4"))

    @property
    def shape(self) -> tuple[Any, ...]:
        """Shape of a batch; the axis that may have any length is a name."""
        return tuple(self._input.shape)

    def __call__(self, x: Any) -> Any:
        """The outputs of a batch: an array for an array, a tensor for a tensor."""
        found = self.all(x)[self.outputs[0]]
        if isinstance(x, np.ndarray) or not hasattr(x, "detach"):
            return found
        import torch

        return torch.from_numpy(found)

    def all(self, x: Any) -> dict[str, np.ndarray]:
        """Name -> array of every output of the file.

        Raises:
            ValueError: if ``x`` is not a batch of the file's shape.
        """
        values = np.asarray(x.detach().cpu() if hasattr(x, "detach") else x)
        shape = self.shape
        fits = values.ndim == len(shape) and values.dtype.kind == "f"
        fits = fits and all(isinstance(n, str) or n == m for n, m in zip(shape, values.shape, strict=True))
        got = f"{values.dtype} of shape {values.shape}"
        require(fits, "session.x", f"floats of shape ({', '.join(map(str, shape))})", got)
        found = self._session.run(None, {self._input.name: values.astype(self._dtype, copy=False)})
        return dict(zip(self.outputs, found, strict=True))

    def __repr__(self) -> str:
        return (
            f"Session({', '.join(map(str, self.shape))} -> {', '.join(self.outputs)}, threads={self.threads})"
        )


def session(path: str | os.PathLike[str] | bytes, threads: int = 1) -> Session:
    """Load an ONNX file once, to run it many times.

    What comes back is a function of a batch, so ``ledger.latencies([model, session(path)], x)`` times it
    beside a module.

    Args:
        path: an ONNX file with one input, from ``to_onnx`` or another program, or its bytes.
        threads: that ONNX Runtime may use.

    Returns:
        A :class:`Session`.

    Raises:
        ImportError: if ONNX Runtime is not installed, saying how it is.
        ValueError: if the file is damaged, or ``threads`` is below 1.
        FileNotFoundError: if there is no file.

    Example:
        >>> from onnx import parser
        >>> form = '<ir_version: 8, opset_import: ["": 18]> f (float[N, 4] x) => (float[N, 4] y) {y=Relu(x)}'
        >>> file = parser.parse_model(form).SerializeToString()
        >>> session(file)
        Session(N, 4 -> y, threads=1)

    Reference: ONNX Runtime, onnxruntime.ai/docs/api/python.
    """
    return Session(path, threads)


def run_onnx(path: str | os.PathLike[str] | bytes, x: Any, threads: int = 1) -> Any:
    """The outputs of an ONNX file on a batch, computed by ONNX Runtime.

    Args:
        path: an ONNX file with one input, or its bytes.
        x: (N, …) the batch, an array or a tensor.
        threads: that ONNX Runtime may use.

    Returns:
        The outputs, an array for an array and a tensor for a tensor.

    Raises:
        ImportError: if ONNX Runtime is not installed, saying how it is.
        ValueError: if the file is damaged, the batch has another shape than the file wants, or ``threads`` is
            below 1.
        FileNotFoundError: if there is no file.

    Example:
        >>> from onnx import parser
        >>> form = '<ir_version: 8, opset_import: ["": 18]> f (float[N, 4] x) => (float[N, 4] y) {y=Relu(x)}'
        >>> file = parser.parse_model(form).SerializeToString()
        >>> run_onnx(file, np.array([[-1.0, 0.0, 1.0, 2.0]])).tolist()
        [[0.0, 0.0, 1.0, 2.0]]

    Reference: ONNX Runtime, onnxruntime.ai/docs/api/python.
    """
    return Session(path, threads)(x)


def _loaded(runtime: Any, path: str | os.PathLike[str] | bytes, options: Any) -> Any:
    content = path if isinstance(path, bytes) else Path(path).read_bytes()
    try:
        with quiet():
            return runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # of ten kinds, without a common one
        where = "bytes" if isinstance(path, bytes) else repr(os.fspath(path))
        message = f"session.path must be a whole ONNX file that ONNX Runtime can run, got {where}"
        raise ValueError(f"{message}: {one_line(error)}") from error
