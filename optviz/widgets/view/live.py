"""Computing in slices inside the kernel's own event loop, so that the page stays alive."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

__all__ = ["Live"]

SLICE = 0.030  # seconds of computing between two pictures


class Live:
    """Runs one computation at a time; a new one cancels the last, and nothing queues.

    Where no event loop runs (scripts, tests) the computation is done at once.

    Args:
        stream: () -> generator of results.
        paint: (moving) -> iterator that draws panel after panel.
        failed: called with an exception of the computation.
        wait: () -> seconds to wait for further moves before computing.
    """

    def __init__(
        self,
        stream: Callable[[], Any],
        paint: Callable[[bool], Any],
        failed: Callable[[Exception], None],
        wait: Callable[[], float],
    ) -> None:
        self.stream, self.paint, self.failed, self.wait = stream, paint, failed, wait
        self.task: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        """Whether something is being computed."""
        return self.task is not None and not self.task.done()

    def restart(self) -> None:
        """Drop what is being computed and start anew."""
        self.cancel()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._drain()
            return
        self.task = loop.create_task(self._run())

    def cancel(self) -> None:
        """Stop computing; results so far stay."""
        if self.task is not None:
            self.task.cancel()
            self.task = None

    def _drain(self) -> None:
        try:
            for _ in self.stream():
                pass
            for _ in self.paint(False):
                pass
        except Exception as error:  # shown on the page; a kernel would print it below some other cell
            self.failed(error)

    async def _run(self) -> None:
        try:
            if delay := self.wait():
                await asyncio.sleep(delay)
            last = time.perf_counter()
            for _ in self.stream():
                if time.perf_counter() - last >= SLICE:
                    for _ in self.paint(True):
                        pass
                    await asyncio.sleep(0.001)
                    last = time.perf_counter()
            await asyncio.sleep(0.001)
            for _ in self.paint(False):
                await asyncio.sleep(0.001)
        except Exception as error:
            self.failed(error)
