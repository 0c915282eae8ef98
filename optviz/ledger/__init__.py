"""The honest ledger of a compressed network: accuracy, parameters, work, bytes on disk, latency."""

from __future__ import annotations

__all__: list[str] = []
