"""What a pruned network costs: the files that are really written, and the time that it really takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from optviz import ledger

__all__ = ["FORMS", "Book", "booked", "timed"]

FORMS = tuple(str(form) for form in ledger.FORMS)
REPEATS = 21
Params = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Book:
    """One network in the ledger.

    Args:
        counts: its parameters.
        bytes: of the file in each of ``FORMS``, indices and header included.
    """

    counts: ledger.Counts
    bytes: tuple[int, ...]


def booked(params: Params) -> Iterator[Book | None]:
    """Write the network in every form, and count; None after each file, then the book."""
    sizes = []
    for form in ledger.FORMS:
        sizes.append(ledger.sizes(params, [form])[form])
        yield None
    yield Book(ledger.parameters(params), tuple(sizes))


def timed(problem: Any, *networks: Params) -> list[ledger.Latency]:
    """Seconds that these networks take in turn for one batch of validation images, on one thread."""
    import torch

    def passes(params: Params) -> Any:
        weights = {n: torch.as_tensor(np.array(p)) for n, p in params.items()}
        return lambda x: problem.logits(weights, x)

    images = problem.data.validation.X[: problem.batch]
    return ledger.latencies([passes(params) for params in networks], images, repeats=REPEATS)
