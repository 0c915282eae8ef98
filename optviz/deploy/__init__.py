"""Moving a network elsewhere: safetensors, torch.export, ONNX, and ONNX Runtime in fp32 and in int8.

The ONNX part needs three packages more, ``pip install 'optviz[onnx]'``; :func:`available` says which are
there.
"""

from __future__ import annotations

from optviz.deploy.codes import Code, codes
from optviz.deploy.int8 import to_onnx_int8
from optviz.deploy.packages import available, vnni
from optviz.deploy.programs import export
from optviz.deploy.runtime import Session, run_onnx, session
from optviz.deploy.translate import to_onnx
from optviz.deploy.weights import load, save

__all__ = [
    "Code",
    "Session",
    "available",
    "codes",
    "export",
    "load",
    "run_onnx",
    "save",
    "session",
    "to_onnx",
    "to_onnx_int8",
    "vnni",
]
