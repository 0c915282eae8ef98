"""Moving a network elsewhere: safetensors, ONNX, ONNX Runtime."""

from __future__ import annotations

__all__: list[str] = []
