"""The flagship in a real browser: slider to pixels, pictures during a drag, memory at rest.

Everything is measured in headless Chromium through JupyterLab. What a key press or a mouse move changes is
timed by the page's own clock, from the input event to the moment after the new pixels were painted. The
reference for a move is what tutorials do (``interact`` and ``plt.show()``, the same five curves); the
physical limit is the echo floor: a slider, the kernel, a label, and nothing drawn at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.browser import toys
from tests.browser.pages import CHROMIUM_FLAGS, Notebook, open_page
from tests.browser.server import start_lab
from tests.browser.timing import Target, after_release, drag, key_to_pixels, median
from tests.chromium import find_chromium

__all__ = ["rows"]

REPEATS = 25
FIVE = """
from optviz import schedules as s, widgets
view = widgets.schedule_lab(s.Cosine(0.5, 500), s.StepDecay(0.5, 100, 0.5), s.Linear(0.5, 500),
                            s.Exponential(0.5, 0.99), s.OneCycle(0.5, 500), steps=500)
view
"""
EIGHT = """
from optviz import schedules as s, widgets
view = widgets.schedule_lab(s.Constant(0.3), s.Cosine(0.3, 280), s.StepDecay(0.3, 50, 0.5),
                            s.Linear(0.3, 280), s.Exponential(0.3, 0.99), s.OneCycle(0.3, 280),
                            s.InverseSqrt(0.3, 0.05), s.Triangular(0.3, 0.03, 40), steps=280)
view
"""
OURS = Target("optviz", ".optviz-page .optviz-card-0 .optviz-field-lr", "img.optviz-panel-rates")
# A shared control: each move trains all eight networks anew, where a card's own slider trains one.
LOSS = Target("loss", ".optviz-page .optviz-shared-noise", "img.optviz-panel-loss")
INTERACT = Target("interact", ".toy-interact-slider", ".toy-interact")
ECHO = Target("echo", ".toy-echo", ".toy-echo-label", "text")

# Notes in the kernel when a move arrives (before anything else reacts) and when the loss picture is sent.
NOTE = """
import time as _time
from ipywidgets.widgets.widget import _instances
def _with(name):
    return next(w for w in _instances.values() if name in getattr(w, "_dom_classes", ()))
_moves, _pictures = [], []
_with("optviz-shared-noise")._trait_notifiers["value"]["change"].insert(
    0, lambda change: _moves.append(_time.time()))
_with("optviz-panel-loss").observe(lambda change: _pictures.append(_time.time()), "value")
"""


def rows() -> list[dict[str, Any]]:
    """Seconds in the browser, ours beside the reference, as the table of ``tests.bench`` wants them."""
    path = find_chromium()
    if path is None:
        return []
    with _browser(path) as (browser, lab):
        with open_page(browser, lab) as page:
            page.open(lab.write("moves.ipynb", FIVE, toys.INTERACT, toys.ECHO)).run_all()
            found = _moves(page)
        with open_page(browser, lab) as page:
            page.open(lab.write("drag.ipynb", EIGHT)).run_all()
            found += _training(page)
    return found


def _moves(page: Notebook) -> list[dict[str, Any]]:
    """Slider to pixels, the three variants alternated; then a long drag of ours and of the reference."""
    seconds: dict[str, list[float]] = {target.name: [] for target in (OURS, INTERACT, ECHO)}
    for i in range(REPEATS):
        key = ("ArrowRight", "ArrowLeft")[i % 2]  # to and fro: a slider must not reach its end
        for target in (OURS, INTERACT, ECHO):
            seconds[target.name].append(key_to_pixels(page, target, key))
            page.page.wait_for_timeout(400)
            page.wait_until_still("img.optviz-panel-loss", quiet=0.4)
    ours, reference, echo = (median(seconds[target.name]) for target in (OURS, INTERACT, ECHO))
    late, reference_late = (
        after_release(drag(page, target, (0.9, 0.2, 0.7), 1.5)) for target in (OURS, INTERACT)
    )
    return [
        _row(
            "slider to pixels: five rate curves",
            ours,
            reference,
            reference / ours,
            ">= 3.9",
            "`@interact` and `plt.show()`",
        ),
        _row(
            "slider to pixels over the echo floor",
            ours,
            echo,
            ours / echo,
            "<= 2.2",
            "slider → kernel → label",
        ),
        _row(
            "last rate picture after a drag ends",
            late,
            reference_late,
            reference_late / late,
            None,
            "90 moves",
        ),
    ]


def _training(page: Notebook) -> list[dict[str, Any]]:
    """Memory at rest, then pictures, first curves and queue of a drag with eight networks training."""
    page.wait_until_still("img.optviz-panel-loss", quiet=1.5)
    megabytes = page.resident_bytes() / 1e6
    page.ask("None", NOTE)
    noted = drag(page, LOSS, (0.9, 0.2, 0.7, 0.3), 4.0)
    moves, pictures = page.ask("[_moves, _pictures]")
    origin = page.page.evaluate("() => performance.timeOrigin")
    shown = [when for when, _ in noted["pictures"] if when <= noted["moved"]]
    rate = (len(shown) - 1) / (shown[-1] - shown[0]) * 1e3
    queued = sum(move > (origin + noted["moved"]) / 1e3 + 0.15 for move in moves)
    first = median(_first_pictures(moves, pictures))
    return [
        _row("loss pictures a second while dragging", f"{rate:.0f}", "8 networks train", rate, ">= 15", ""),
        _row(
            "first curves after a move, in milliseconds", first, None, first * 1e3, "<= 75", "in the kernel"
        ),
        _row("moves that came 0.15 s after release", str(queued), None, queued, "<= 0", "nothing queues"),
        _row("kernel memory at rest, in MB", f"{megabytes:.0f} MB", None, megabytes, "<= 600", "resident"),
    ]


def _first_pictures(moves: list[float], pictures: list[float]) -> list[float]:
    """For every picture that answers moves: seconds since the oldest move not yet answered."""
    found, waiting = [], list(moves)
    for picture in pictures:
        if waiting and waiting[0] < picture:
            found.append(picture - waiting[0])
            waiting = [move for move in waiting if move >= picture]
    return found


def _row(name: str, ours: Any, reference: Any, ratio: float, limit: str | None, note: str) -> dict[str, Any]:
    return {
        "name": name,
        "ours": ours,
        "reference": reference,
        "ratio": ratio,
        "limit": limit,
        "note": note,
        "target": limit,
    }


@contextmanager
def _browser(path: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with start_lab() as lab, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM_FLAGS))
        try:
            yield browser, lab
        finally:
            browser.close()
