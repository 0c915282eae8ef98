"""The honest ledger of a compressed network: accuracy, parameters, work, bytes on disk, latency."""

from __future__ import annotations

from optviz.ledger.counts import Counts, parameters
from optviz.ledger.entries import Entry, entry, table
from optviz.ledger.forms import CSR, FORMS, Bitmap, Coded, Dense
from optviz.ledger.products import macs
from optviz.ledger.storage import read, sizes, write
from optviz.ledger.timings import Latency, latencies, latency

__all__ = [
    "CSR",
    "FORMS",
    "Bitmap",
    "Coded",
    "Counts",
    "Dense",
    "Entry",
    "Latency",
    "entry",
    "latencies",
    "latency",
    "macs",
    "parameters",
    "read",
    "sizes",
    "table",
    "write",
]
