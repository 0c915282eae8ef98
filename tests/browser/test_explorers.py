"""The explorers under a real mouse and a real keyboard: one notebook each, the same story for all.

To add one, add a line to ``LABS``. The schedule explorer has a file of its own.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.pages import Notebook, open_page
from tests.browser.server import Lab

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = ".optviz-page"


@dataclass(frozen=True)
class Case:
    """One explorer.

    Args:
        make: Python that makes it, after ``from optviz.widgets import *``; its default size, with two seeds
            (lessons open it with all of them).
        slider: CSS class of the slider that is dragged and moved by keys, without ``optviz-``, such as
            ``shared-lr`` or ``card-0 .optviz-field-lr``.
        long: class of a slider whose right end makes the computation long enough to press [stop].
    """

    make: str
    slider: str
    long: str = ""


LABS = {
    "augmentation": Case("augmentation_lab(seeds=2)", "card-0 .optviz-field-pixels", "shared-steps"),
    "channels": Case("channel_lab(seeds=2)", "shared-share", "shared-steps"),
    "codebooks": Case("codebook_lab(bits=3, seeds=2)", "shared-bits", "shared-updates"),
    "descent": Case("descent_lab()", "shared-lr"),
    "descent-digits": Case("descent_lab('digits')", "shared-lr", "shared-steps"),
    "landscape": Case("landscape_lab(__import__('optviz').surfaces.Booth())", "shared-lr"),
    "loss": Case("loss_lab()", "shared-a"),
    "normalization": Case("normalization_lab()", "card-3 .optviz-field-std", "shared-steps"),
    "number": Case("number_lab(-1.7)", "shared-x"),
    "pruning": Case("pruning_lab(seeds=2)", "shared-sparsity", "shared-retrain"),
    "qat": Case("qat_lab(seeds=2)", "shared-lr", "shared-steps"),
    "quantization": Case("quantization_lab(seeds=2)", "shared-bits", "shared-steps"),
    "race": Case("optimizer_race(seeds=2)", "card-0 .optviz-field-lr", "shared-digits_steps"),
    "range": Case("range_lab(hidden=32, seeds=2)", "shared-clip", "shared-steps"),
    "regularization": Case("regularization_lab(seeds=2)", "card-1 .optviz-field-strength", "shared-steps"),
    "ticket": Case("ticket_lab(seeds=2)", "shared-lr", "shared-steps"),
}


@pytest.fixture(scope="module", params=LABS)
def opened(request: Any, browser: Browser, lab: Lab) -> Iterator[tuple[Notebook, str]]:
    name = request.param
    with open_page(browser, lab) as page:
        cell = f"from optviz.widgets import *\nview = {LABS[name].make}\nview"
        page.open(lab.write(f"{name}.ipynb", cell)).run_all()
        yield page, name


@pytest.fixture
def page(opened: tuple[Notebook, str]) -> Iterator[Notebook]:
    """The explorer as it stands at first; at the end nothing may have gone wrong anywhere."""
    page = opened[0]
    page.forget()
    page.resize(1280, 1100)
    page.click(f"{ROOT} .optviz-reset")
    settle(page)
    yield page
    assert text(page, "error") == ""
    page.assert_clean()


@pytest.fixture
def case(opened: tuple[Notebook, str]) -> Case:
    return LABS[opened[1]]


def panels(page: Notebook) -> list[str]:
    return [f"{ROOT} .optviz-panel-{name}" for name in page.ask("list(view.panels)")]


def text(page: Notebook, name: str) -> str:
    return (page.find(f"{ROOT} .optviz-{name}").first.text_content() or "").strip()


def settle(page: Notebook, timeout: float = 40.0) -> None:
    """Wait until everything is computed and the pictures are sharp and those of the state."""
    page.page.wait_for_timeout(150)
    end = time.monotonic() + timeout
    while page.ask("bool(view.page.live.busy)"):
        assert time.monotonic() < end, f"still computing after {timeout:.0f} s"
        page.page.wait_for_timeout(100)
    page.wait_until_still(*panels(page), quiet=0.15)


def assert_complete(page: Notebook) -> None:
    """What is shown is the finished picture of the state."""
    assert page.ask("[view.page.live.settled, view.result.progress, view.result.state == view.state]") == [
        True,
        1,
        True,
    ]
    same = "[view.page.images[n].value == view.panels[n].draw(p) for n, p in view.pictures().items()]"
    assert all(page.ask(same))
    for panel in panels(page):
        assert page.image(panel).evaluate("(img) => img.complete && img.naturalWidth > 0")
        shown = "(img) => Math.abs(img.naturalWidth - 2 * img.clientWidth) <= 2"
        assert page.image(panel).evaluate(shown), panel


def sources(page: Notebook) -> list[str]:
    return [page.source(panel) for panel in panels(page)]


def wait_for(page: Notebook, expression: str, timeout: float = 10.0) -> None:
    end = time.monotonic() + timeout
    while not page.ask(f"bool({expression})"):
        assert time.monotonic() < end, f"{expression} is still false after {timeout:.0f} s"
        page.page.wait_for_timeout(40)


def test_it_opens_complete_and_fits(page: Notebook, opened: Any, screenshots: Path) -> None:
    assert_complete(page)
    for name in page.ask("list(view.panels)"):
        assert text(page, f"alt-{name}"), name
    assert text(page, "verdict")
    page.find(ROOT).first.evaluate("(root) => root.scrollIntoView()")
    for width in (800, 1280):
        page.resize(width, 1100)
        assert page.overflowing(ROOT) == []
        assert page.cut_off(ROOT) == []
    page.screenshot(screenshots / f"explorer-{opened[1]}.png", ROOT)


def test_keys_and_mouse_move_it(page: Notebook, case: Case) -> None:
    slider, old = f"{ROOT} .optviz-{case.slider}", sources(page)
    state = page.ask("repr(view.state)")
    page.press(slider, "ArrowRight")
    wait_for(page, f"repr(view.state) != {state!r}")
    settle(page)
    assert sources(page) != old
    before = page.ask("repr(view.state)")
    with page.dragging(slider) as move:
        for stop in (0.9, 0.2, 0.7, 0.4):
            move(stop, 0.2)
    settle(page)
    assert page.ask("repr(view.state)") != before
    assert_complete(page)


def test_a_drag_while_it_computes_never_leaves_it_stuck(page: Notebook, case: Case) -> None:
    if not case.long:
        return
    page.press(f"{ROOT} .optviz-{case.long}", "End")
    page.drag(f"{ROOT} .optviz-{case.slider}", 0.8, seconds=0.3)
    page.press(f"{ROOT} .optviz-{case.long}", "Home")
    settle(page)
    assert_complete(page)


def test_stop_keeps_what_there_is(page: Notebook, case: Case) -> None:
    if not case.long:
        return
    page.press(f"{ROOT} .optviz-{case.long}", "End")
    wait_for(page, "view.page.live.busy")
    page.click(f"{ROOT} .optviz-stop")
    wait_for(page, "not view.page.live.busy")
    assert text(page, "status").startswith("Stopped after")
    assert page.ask("view.result.progress") < 1
    page.press(f"{ROOT} .optviz-{case.long}", "Home")
    settle(page)
    assert_complete(page)


def test_it_plays(page: Notebook) -> None:
    field = page.ask("view.play")
    if field is None:
        return
    low, end, old = *page.ask("[view.page.player.low, view.end(view.state)]"), sources(page)
    now = f"view.state.{field}"
    page.find(f"{ROOT} .optviz-speed select").first.select_option("fast")
    play = page.find(f"{ROOT} .optviz-play button").first
    page.ask("None", f"_seen = []; view.page.player.slider.observe(lambda c: _seen.append({now}), 'value')")
    play.focus()
    page.page.keyboard.press("Enter")  # from the end it starts again
    wait_for(page, f"len(_seen) > 3 and {now} == {end} and not view.page.player.playing", 12)
    seen = page.ask("_seen")
    assert min(seen) <= low + (end - low) // 2
    assert seen == sorted(seen)
    settle(page)
    assert sources(page) != old
    assert_complete(page)
    page.find(f"{ROOT} .optviz-back").first.click()
    wait_for(page, f"{now} == {end - 1}")
    page.find(f"{ROOT} .optviz-next").first.press("Enter")
    wait_for(page, f"{now} == {end}")
    page.find(f"{ROOT} .optviz-speed select").first.select_option("slow")
    play.click()
    wait_for(page, f"{now} < {end}")
    page.drag(f"{ROOT} .optviz-shared-{field}", 0.6)  # moving by hand ends it
    wait_for(page, "not view.page.player.playing")
    page.find(f"{ROOT} .optviz-speed select").first.select_option("normal")
    settle(page)
    assert_complete(page)


def test_pictures_are_pressed_upon(page: Notebook) -> None:
    free = "if not set(pair) & set(view.fixed(view.state))"  # the others are hidden in this state
    for panel, fields in page.ask(f"{{n: list(pair) for n, pair in view.point.items() {free}}}").items():
        layer = page.find(f"{ROOT} .optviz-over:has(.optviz-panel-{panel}) .optviz-pointer").first
        layer.wait_for()
        layer.scroll_into_view_if_needed()
        box = layer.bounding_box()
        assert box is not None
        image = page.image(f"{ROOT} .optviz-panel-{panel}").bounding_box()
        assert image is not None
        assert all(abs(box[k] - image[k]) <= 1 for k in box), (box, image)
        area = page.ask(f"view.page.tiles.pointers[{panel!r}].area")
        at = partial(_place, box, area)
        old = sources(page)
        page.page.mouse.move(*at(0.3, 0.3))
        page.page.mouse.down()
        for k in range(12):
            page.page.mouse.move(*at(0.3 + 0.03 * k, 0.3 + 0.02 * k))
            page.page.wait_for_timeout(16)
        page.page.mouse.up()
        settle(page)
        assert sources(page) != old
        assert_complete(page)
        where = f"view.page.tiles.shown[{panel!r}]"
        place = json.dumps(_inside(area, 0.63, 0.52))
        ends = page.ask(f"view.panels[{panel!r}].point(*{place}, {where})")
        sides = page.ask(f"[{where}.xlim, {where}.ylim]")
        for field, value, side in zip(fields, ends, sides, strict=True):
            if field:
                found = page.ask(f"view.state.{field}")
                rounding = 0.5 if isinstance(found, int) else 0.0
                near = max(0.02 * abs(side[1] - side[0]), rounding)
                assert abs(found - value) <= near, (field, found, value)
        before = page.ask("repr(view.state)")
        layer.focus()
        page.page.keyboard.press("ArrowLeft" if fields[0] else "ArrowDown")
        wait_for(page, f"repr(view.state) != {before!r}")
        settle(page)


def _inside(area: list[float], x: float, y: float) -> tuple[float, float]:
    """Fractions of the picture for fractions of its axes."""
    left, top, right, low = area
    return left + x * (right - left), top + y * (low - top)


def _place(box: dict[str, float], area: list[float], x: float, y: float) -> tuple[float, float]:
    """Where on the page a fraction of the axes is."""
    across, down = _inside(area, x, y)
    return box["x"] + across * box["width"], box["y"] + down * box["height"]
