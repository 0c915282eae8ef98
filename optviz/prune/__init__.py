"""Pruning: scores say what matters least, masks remove it, shrinking makes the network really smaller."""

from __future__ import annotations

__all__: list[str] = []
