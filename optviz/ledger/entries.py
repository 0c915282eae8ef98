"""One line of the ledger for each network: what it is worth beside what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from optviz._knobs import require
from optviz.evaluation import seed_interval
from optviz.ledger.counts import Counts, parameters
from optviz.ledger.forms import FORMS
from optviz.ledger.products import macs
from optviz.ledger.storage import sizes
from optviz.ledger.timings import Latency
from optviz.ledger.timings import latency as measured

__all__ = ["Entry", "entry", "table"]


@dataclass(frozen=True, eq=False)
class Entry:
    """What one network is worth and what it costs.

    Args:
        label: its name.
        accuracy: fractions in [0, 1], one a seed; empty if it was not measured.
        counts: parameters.
        macs: multiply–accumulates for one example.
        nonzero_macs: those whose weight is not zero.
        bytes: form -> size of the file really written.
        latency: of one batch.

    Example:
        >>> import torch
        >>> made = entry("linear", torch.nn.Linear(64, 10), torch.zeros(8, 64), (0.91, 0.92, 0.93))
        >>> made.macs, made.counts.total, str(made.smallest)
        (640, 650, 'coded')

    Reference: Blalock, Gonzalez Ortiz, Frankle and Guttag, What is the state of neural network pruning?,
    2020, arXiv:2003.03033.
    """

    label: str
    accuracy: tuple[float, ...]
    counts: Counts
    macs: int
    nonzero_macs: int
    bytes: Mapping[Any, int]
    latency: Latency

    @property
    def interval(self) -> tuple[float, float]:
        """Mean accuracy over the seeds and the half-width of its 95 % interval; NaN where unknown."""
        if not self.accuracy:
            return float("nan"), float("nan")
        mean, half = seed_interval(self.accuracy)
        return float(mean), float(half)

    @property
    def smallest(self) -> Any:
        """The form with the smallest file; the plainer one where two are equal."""
        return min(self.bytes, key=lambda form: self.bytes[form])


def entry(
    label: str,
    model: Any,
    example: Any,
    accuracy: Sequence[float] = (),
    *,
    latency: Latency | None = None,
    forms: Sequence[Any] = FORMS,
    threads: int = 1,
) -> Entry:
    """Measure all that the ledger holds of one network.

    Args:
        label: its name.
        model: a ``torch.nn.Module``; it is left as it was.
        example: (N, …) the batch on which it is timed.
        accuracy: fractions in [0, 1], one a seed.
        latency: of this network, where it was measured beside others by ``latencies``; else it is measured
            here, on its own.
        forms: in which it is stored.
        threads: that torch may use while the network is timed.

    Returns:
        An :class:`Entry`.

    Raises:
        ValueError: if an accuracy is outside [0, 1], or there is no form.
        TypeError: if ``model`` is no module.

    Example:
        >>> import torch
        >>> dense = entry("dense", torch.nn.Linear(64, 10), torch.zeros(8, 64))
        >>> {str(form): size for form, size in dense.bytes.items()}["dense"] > 4 * 650
        True

    Reference: Blalock, Gonzalez Ortiz, Frankle and Guttag, What is the state of neural network pruning?,
    2020, arXiv:2003.03033.
    """
    values = tuple(float(a) for a in np.atleast_1d(np.asarray(accuracy, float)))
    require(all(0 <= a <= 1 for a in values), "entry.accuracy", "fractions in [0, 1]", values)
    require(len(forms) > 0, "entry.forms", "at least one", tuple(forms))
    work, left = macs(model, example), macs(model, example, nonzero=True)
    timed = measured(model, example, threads=threads) if latency is None else latency
    return Entry(
        str(label),
        values,
        parameters(model),
        sum(work.values()),
        sum(left.values()),
        sizes(model, forms),
        timed,
    )


def table(entries: Sequence[Entry]) -> Any:
    """The ledger as a pandas table, one line a network.

    Args:
        entries: from :func:`entry`.

    Returns:
        A ``DataFrame``: accuracy in percent with the half-width of its 95 % interval, counts of parameters,
        share of the prunable weights that are zero, multiply–accumulates for one example, size of the file
        in each form in kB (1,000 bytes), and latency of a batch in ms with its quartiles.

    Raises:
        ValueError: if there is no entry, or they were not stored in the same forms.

    Example:
        >>> import torch
        >>> net = torch.nn.Linear(64, 10)
        >>> table([entry("linear", net, torch.zeros(8, 64))])["MACs"].tolist()
        [640]

    Reference: Blalock, Gonzalez Ortiz, Frankle and Guttag, What is the state of neural network pruning?,
    2020, arXiv:2003.03033.
    """
    import pandas as pd

    require(len(entries) > 0, "table.entries", "at least one", len(entries))
    forms = tuple(entries[0].bytes)
    alike = all(tuple(e.bytes) == forms for e in entries)
    require(alike, "table.entries", "stored in the same forms", [tuple(map(str, e.bytes)) for e in entries])
    rows = [_row(e) for e in entries]
    return pd.DataFrame(rows, index=pd.Index([e.label for e in entries], name="network"))


def _row(e: Entry) -> dict[str, Any]:
    mean, half = e.interval
    files = {f"{form} kB": round(size / 1e3, 1) for form, size in e.bytes.items()}
    return {
        "accuracy %": round(100 * mean, 2),
        "±": round(100 * half, 2),
        "parameters": e.counts.total,
        "not zero": e.counts.nonzero,
        "sparsity %": round(100 * e.counts.sparsity, 1),
        "MACs": e.macs,
        "nonzero MACs": e.nonzero_macs,
        **files,
        "latency ms": float(f"{1e3 * e.latency.median:.3g}"),
        "quartiles ms": f"{1e3 * e.latency.low:.3g}–{1e3 * e.latency.high:.3g}",
    }
