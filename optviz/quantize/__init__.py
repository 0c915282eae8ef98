"""Quantization: numbers in few bits, and networks that compute with them."""

from __future__ import annotations

__all__: list[str] = []
