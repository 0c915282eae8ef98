"""What a learner sees while a module trains: a bar that never makes the device wait, and a clean Ctrl-C."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any

from tqdm.auto import tqdm

__all__ = ["Bar", "Interrupts"]

SHOW_EVERY = 0.2  # seconds between two looks at the loss, each of which waits for the device


class Bar:
    """A progress bar over the updates of a session, with the loss, the rate and examples a second."""

    def __init__(self, session: Any, on: bool):
        self.session, self.on = session, on
        self.bar: Any = None
        self.last, self.shown, self.told, self.speed = time.monotonic(), session.seen, 0, 0.0

    def __enter__(self) -> Bar:
        if self.on:
            total = None if self.session.per_epoch is None else self.session.per_epoch * self.session.epochs
            done = self.session.t + self.session.skipped
            self.bar = tqdm(total=total, initial=done, unit="update", dynamic_ncols=True)
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.show()
            self.bar.close()

    def tick(self) -> None:
        """Called after every update: looks at the clock, and rarely at the loss."""
        if self.bar is not None and time.monotonic() - self.last >= SHOW_EVERY:
            self.show()

    def show(self) -> None:
        """Show where the training is now."""
        if self.bar is None:
            return
        session, now = self.session, time.monotonic()
        if now - self.last >= SHOW_EVERY / 2 or not self.speed:
            self.speed = (session.seen - self.shown) / max(now - self.last, 1e-9)
            self.last, self.shown = now, session.seen
        loss, lr = session.latest()
        words = f"loss {loss:.4g}, rate {lr:.3g}, {self.speed:,.0f} examples/s"
        self.bar.set_postfix_str(words, refresh=False)
        self.bar.update(session.t + session.skipped - self.bar.n)
        for message in session.messages[self.told :]:
            self.bar.write(message)
        self.told = len(session.messages)


class Interrupts:
    """Counts Ctrl-C instead of letting the first one cut an update in half; the second raises as usual.

    Only the main thread can ask for this; elsewhere nothing changes.
    """

    def __init__(self) -> None:
        self.count = 0
        self.mine = threading.current_thread() is threading.main_thread()

    def __enter__(self) -> Interrupts:
        if self.mine:
            self.old = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.mine:
            signal.signal(signal.SIGINT, signal.SIG_DFL if self.old is None else self.old)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        if self.count > 1:
            raise KeyboardInterrupt
