"""Seconds, bytes and memory in one place."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

__all__ = ["Stopwatch", "human_bytes", "human_seconds", "peak_memory", "stopwatch"]


@dataclass
class Stopwatch:
    """Seconds that a ``with stopwatch()`` block took (0.0 until it ends)."""

    seconds: float = 0.0


@contextmanager
def stopwatch() -> Iterator[Stopwatch]:
    """Time a block of code.

    Returns:
        A context manager that yields a :class:`Stopwatch`.

    Example:
        >>> with stopwatch() as watch:
        ...     total = sum(range(10))
        >>> watch.seconds >= 0
        True
    """
    watch, start = Stopwatch(), time.perf_counter()
    try:
        yield watch
    finally:
        watch.seconds = time.perf_counter() - start


def human_seconds(seconds: float) -> str:
    """A duration with a unit that suits its size.

    Example:
        >>> human_seconds(0.0421), human_seconds(4.2), human_seconds(191)
        ('42 ms', '4.2 s', '3 min 11 s')
    """
    if seconds < 0.95:
        return f"{seconds * 1e3:.0f} ms"
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    return f"{round(seconds) // 60} min {round(seconds) % 60} s"


def human_bytes(count: float) -> str:
    """A number of bytes in decimal units (1 kB = 1,000 bytes).

    Example:
        >>> human_bytes(960), human_bytes(277_400), human_bytes(3.1e9)
        ('960 B', '277 kB', '3.1 GB')
    """
    for factor, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= 0.9995 * factor:  # 999,600 bytes are 1.0 MB, not 1000 kB
            value = count / factor
            return f"{value:.1f} {unit}" if value < 9.95 else f"{value:.0f} {unit}"
    return f"{count:.0f} B"


def peak_memory() -> int:
    """The largest resident memory of this process so far, in bytes (0 where the system does not tell).

    Example:
        >>> peak_memory() > 1_000_000
        True
    """
    try:
        import resource
    except ImportError:  # Windows has no such module
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, Linux kibibytes
