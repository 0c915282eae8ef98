"""How long a network takes, measured so that the number can be trusted."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from optviz._knobs import require
from optviz.ledger._passes import as_input, at_rest

__all__ = ["Latency", "latencies", "latency"]

LEAST = 1e-3  # seconds that one measurement lasts at least: shorter calls are repeated within it


@dataclass(frozen=True)
class Latency:
    """Seconds that one call on a batch takes.

    Args:
        median: half of the measurements were shorter.
        low, high: quartiles: a quarter was shorter than low, a quarter longer than high.
        threads: that torch used.
        batch: examples in the batch.
        repeats: measurements.

    Example:
        >>> print(Latency(0.0012, 0.0011, 0.0014, threads=1, batch=64, repeats=30))
        1.20 ms (quartiles 1.10–1.40) for a batch of 64, 1 thread

    Reference:
        Hoefler and Belli, Scientific benchmarking of parallel computing systems, 2015,
        doi:10.1145/2807591.2807644.
    """

    median: float
    low: float
    high: float
    threads: int
    batch: int
    repeats: int

    def __str__(self) -> str:
        a, b, c = (f"{1e3 * seconds:#.3g}".rstrip(".") for seconds in (self.median, self.low, self.high))
        threads = f"{self.threads} thread{'s' * (self.threads != 1)}"
        return f"{a} ms (quartiles {b}–{c}) for a batch of {self.batch}, {threads}"


def latency(model: Any, example: Any, *, threads: int = 1, repeats: int = 30, warmup: int = 5) -> Latency:
    """Seconds of one forward pass: the median of many, after some that don't count.

    To compare networks, use :func:`latencies`: two calls of this function one after the other also compare
    how busy the machine was.

    Args:
        model: a ``torch.nn.Module``, or any function of a batch. Modules are run in evaluation mode and left
            as they were.
        example: (N, …) the batch.
        threads: that torch may use; afterwards it is as before.
        repeats: measurements, at least 3. One lasts at least a millisecond: a faster call is repeated in it.
        warmup: calls before, which fill caches and choose kernels.

    Returns:
        A :class:`Latency`, in seconds.

    Raises:
        ValueError: if a count is too small, or the batch is empty.

    Example:
        >>> import torch
        >>> found = latency(torch.nn.Linear(64, 10), torch.zeros(5, 64), repeats=3)
        >>> found.batch, 0 < found.low <= found.median <= found.high < 1
        (5, True)

    Reference:
        Hoefler and Belli, Scientific benchmarking of parallel computing systems, 2015,
        doi:10.1145/2807591.2807644.
    """
    return latencies([model], example, threads=threads, repeats=repeats, warmup=warmup)[0]


def latencies(
    models: Sequence[Any], example: Any, *, threads: int = 1, repeats: int = 30, warmup: int = 5
) -> list[Latency]:
    """Seconds of one forward pass of several networks, measured in turn.

    They take turns, every other round in the opposite order, so that a machine that becomes slower becomes
    slower for all of them.

    Args:
        models: modules, or functions of a batch.
        example: (N, …) the batch, the same for all.
        threads, repeats, warmup: as for :func:`latency`.

    Returns:
        One :class:`Latency` a model, in seconds.

    Raises:
        ValueError: if there is no model, a count is too small, or the batch is empty.

    Example:
        >>> import torch
        >>> small, large = (torch.nn.Linear(n, n) for n in (8, 512))
        >>> small_one, large_one = latencies([lambda x: small(x[:, :8]), large], torch.zeros(64, 512))
        >>> small_one.median < large_one.median
        True

    Reference:
        Hoefler and Belli, Scientific benchmarking of parallel computing systems, 2015,
        doi:10.1145/2807591.2807644.
    """
    for name, value, least in (("threads", threads, 1), ("repeats", repeats, 3), ("warmup", warmup, 0)):
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= least
        require(whole, f"latency.{name}", f"a whole number of at least {least}", value)
    models = list(models)
    require(len(models) > 0, "latencies.models", "at least one", models)
    inputs = [as_input(model, example) for model in models]
    batch = len(inputs[0]) if inputs[0].ndim else 0
    require(batch > 0, "latency.example", "a batch of examples", tuple(inputs[0].shape))
    import torch

    calls = [_once(model, x) for model, x in zip(models, inputs, strict=True)]
    with at_rest(*models), _threads(threads), torch.inference_mode():
        seconds = _measured(calls, repeats, warmup)
    quartiles = np.quantile(seconds, (0.5, 0.25, 0.75), axis=0).T
    return [Latency(m, low, high, int(threads), batch, int(repeats)) for m, low, high in quartiles.tolist()]


def _measured(calls: Sequence[Callable[[], None]], repeats: int, warmup: int) -> np.ndarray:
    """(repeats, models) seconds of one call."""
    counts = []
    for call in calls:
        for _ in range(warmup):
            call()
        counts.append(max(1, math.ceil(LEAST / max(_seconds(call, 1), 1e-9))))
    seconds = np.empty((repeats, len(calls)))
    order = list(range(len(calls)))
    for i in range(repeats):
        for k in order if i % 2 == 0 else reversed(order):
            seconds[i, k] = _seconds(calls[k], counts[k])
    return seconds


def _seconds(call: Callable[[], None], count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - start) / count


def _once(model: Any, x: Any) -> Callable[[], None]:
    """One pass, to its end: a GPU is waited for."""
    import torch

    if x.device.type != "cuda":
        return lambda: model(x)

    def call() -> None:
        model(x)
        torch.cuda.synchronize(x.device)

    return call


@contextmanager
def _threads(count: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(int(count))
    try:
        yield
    finally:
        torch.set_num_threads(before)
