"""Run a learner's function without letting it hang, flood the page or hide its exceptions."""

from __future__ import annotations

import contextlib
import dis
import io
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["TimeIsUp", "captured", "time_limit", "untouched"]


class TimeIsUp(BaseException):
    """Raised inside a learner's code that runs too long (no ``except Exception`` there can swallow it)."""


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Stop the block with :class:`TimeIsUp` after so many seconds.

    In the main thread on Unix by a timer; an older timer is put back, less the time that has passed.
    Elsewhere by tracing, which reaches Python code only.

    Args:
        seconds: the limit.

    Raises:
        TimeIsUp: when it is reached.

    Example:
        >>> try:
        ...     with time_limit(0.05):
        ...         while True:
        ...             pass
        ... except TimeIsUp:
        ...     print("stopped")
        stopped
    """
    main = threading.current_thread() is threading.main_thread()
    limit = _by_timer if main and hasattr(signal, "setitimer") else _by_tracing
    with limit(seconds):
        yield


@contextlib.contextmanager
def _by_timer(seconds: float) -> Iterator[None]:
    def stop(number: int, frame: Any) -> None:
        raise TimeIsUp

    start, handler = time.monotonic(), signal.signal(signal.SIGALRM, stop)
    left, every = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if left:
            signal.setitimer(signal.ITIMER_REAL, max(left - (time.monotonic() - start), 1e-3), every)


@contextlib.contextmanager
def _by_tracing(seconds: float) -> Iterator[None]:
    end, before = time.monotonic() + seconds, sys.gettrace()

    def trace(frame: Any, event: str, value: Any) -> Any:
        if time.monotonic() > end:
            raise TimeIsUp
        return trace

    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


@contextlib.contextmanager
def captured() -> Iterator[io.StringIO]:
    """Collect what the block prints, and let it warn without a word.

    Returns:
        A context manager that yields the text as it grows.

    Example:
        >>> with captured() as printed:
        ...     print("hello")
        >>> printed.getvalue()
        'hello\\n'
    """
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield printed


def untouched(fn: Callable[..., Any]) -> bool:
    """Whether a function has no body yet: only ``...``, ``pass``, a docstring or ``return ...``.

    Example:
        >>> def stub(a): ...
        >>> untouched(stub), untouched(lambda a: a)
        (True, False)
    """
    code = getattr(fn, "__code__", None)
    if code is None:
        return False
    steps = [i for i in dis.get_instructions(code) if i.opname not in ("RESUME", "NOP", "CACHE")]
    constant = len(steps) == 1 or (len(steps) == 2 and steps[0].opname == "LOAD_CONST")
    return constant and steps[0].argval in (None, ...)
