"""The schedule explorer under a real mouse and a real keyboard, in JupyterLab."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.browser.pages import Notebook, open_page
from tests.browser.server import Lab

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = ".optviz-page"
RATES, LOSS, ACCURACY = PANELS = tuple(f"{ROOT} .optviz-panel-{n}" for n in ("rates", "loss", "accuracy"))
PEAK = f"{ROOT} .optviz-card-0 .optviz-field-lr"
CELL = "from optviz import widgets\nview = widgets.schedule_lab()\nview"
MOVES = 200


@pytest.fixture(scope="module")
def opened(browser: Browser, lab: Lab) -> Iterator[Notebook]:
    with open_page(browser, lab) as page:
        page.open(lab.write("flagship.ipynb", CELL)).run_all()
        yield page


@pytest.fixture
def page(opened: Notebook) -> Iterator[Notebook]:
    """The explorer as it stands at first; at the end nothing may have gone wrong anywhere."""
    opened.forget()
    opened.resize(1280)
    press(opened, "reset")
    settle(opened)
    yield opened
    opened.assert_clean()


def press(page: Notebook, name: str) -> None:
    page.click(f"{ROOT} .optviz-{name}")


def settle(page: Notebook, timeout: float = 60.0) -> None:
    """Wait until the last move has come, the networks are trained and the pictures are sharp."""
    page.page.wait_for_timeout(150)
    end = time.monotonic() + timeout
    while page.ask("bool(view.page.live.busy)"):
        assert time.monotonic() < end, f"still training after {timeout:.0f} s"
        page.page.wait_for_timeout(100)
    page.wait_until_still(*PANELS, quiet=0.2)


def text(page: Notebook, name: str) -> str:
    return (page.find(f"{ROOT} .optviz-{name}").first.text_content() or "").strip()


def cards(page: Notebook) -> int:
    return page.find(f"{ROOT} .optviz-card").count()


def same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and bool((a == b).all())


def test_the_first_picture_is_complete(page: Notebook) -> None:
    assert cards(page) == 3
    for panel in PANELS:
        picture = page.picture(panel)
        assert picture.shape[1] == 2 * page.image(panel).evaluate("(img) => img.clientWidth")
        assert len(np.unique(picture.reshape(-1, 4), axis=0)) > 50  # several curves, not an empty frame
    for name in ("alt-rates", "alt-loss", "alt-accuracy", "verdict", "status"):
        assert text(page, name)
    assert text(page, "error") == ""


def test_mouse_moves_curves_and_networks(page: Notebook) -> None:
    before, said = [page.picture(panel) for panel in PANELS], text(page, "alt-accuracy")
    page.drag(PEAK, 0.8)
    settle(page)
    for panel, old in zip(PANELS, before, strict=True):
        assert not same(old, page.picture(panel)), panel
    assert text(page, "alt-accuracy") != said


def test_keyboard_moves_the_slider(page: Notebook) -> None:
    peak, old = page.ask("view.state.entries[0].schedule.lr"), page.source(RATES)
    page.press(PEAK, "ArrowRight")
    page.wait_for_new_picture(RATES, old)
    higher = page.ask("view.state.entries[0].schedule.lr")
    assert higher > peak
    page.press(PEAK, "ArrowLeft", times=2)
    settle(page)
    assert page.ask("view.state.entries[0].schedule.lr") < peak


def test_networks_train_while_the_handle_moves(page: Notebook) -> None:
    with page.watching(LOSS) as losses, page.watching(RATES) as rates, page.dragging(PEAK) as move:
        for stop in (0.8, 0.3, 0.7):
            move(stop, 0.5)
        held = page.page.evaluate("() => performance.now()")
        page.page.wait_for_timeout(300)
    during = [picture for picture in losses if picture[0] <= held]
    assert len({fingerprint for _, fingerprint, _ in during}) >= 8
    assert len({fingerprint for when, fingerprint, _ in rates if when <= held}) >= 8


def test_the_next_move_cancels(page: Notebook) -> None:
    """A long training is dropped when another one is asked for; what is shown at the end is the new one."""
    page.drag(f"{ROOT} .optviz-shared-steps", 1.0, seconds=0.1)
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft"):
        page.press(PEAK, key)
        page.page.wait_for_timeout(60)
    page.press(f"{ROOT} .optviz-shared-steps", "Home")
    settle(page)
    state, result = "view.state.steps", "[view.result.state.steps, view.result.loss.shape[2]]"
    assert page.ask(result) == [page.ask(state)] * 2 == [20, 20]
    assert page.ask("view.result.progress") == 1


def test_stop_keeps_what_there_is(page: Notebook) -> None:
    page.press(f"{ROOT} .optviz-shared-steps", "End")
    page.page.wait_for_timeout(300)
    press(page, "stop")
    page.wait_until_still(*PANELS)
    assert text(page, "status").startswith("Stopped after")
    assert 0 < page.ask("view.result.progress") < 1
    assert page.ask("bool(view.page.live.busy)") is False


def test_pin_and_clear(page: Notebook) -> None:
    plain = page.picture(RATES)
    press(page, "pin")
    page.press(PEAK, "ArrowRight")
    settle(page)
    ghosts = page.picture(RATES)
    old = page.source(RATES)
    press(page, "clear")
    page.wait_for_new_picture(RATES, old)
    page.wait_until_still(RATES)
    assert not same(ghosts, page.picture(RATES))
    old = page.source(RATES)
    press(page, "reset")
    page.wait_for_new_picture(RATES, old)
    settle(page)
    assert same(plain, page.picture(RATES))


def test_add_up_to_eight_and_remove_down_to_one(page: Notebook) -> None:
    for count in range(4, 9):
        press(page, "add")
        page.find(f"{ROOT} .optviz-card-{count - 1}").wait_for()
    settle(page)
    assert cards(page) == page.ask("len(view.result.labels)") == 8
    assert page.find(f"{ROOT} .optviz-add").first.is_disabled()
    for count in range(7, 0, -1):
        press(page, f"card-{count} .optviz-remove")
        page.find(f"{ROOT} .optviz-card-{count}").wait_for(state="detached")
    settle(page)
    assert cards(page) == page.ask("len(view.result.labels)") == 1
    assert page.find(f"{ROOT} .optviz-remove").count() == 0


def test_another_kind_of_schedule(page: Notebook) -> None:
    menu = page.find(f"{ROOT} .optviz-card-0 select").first
    kinds = menu.locator("option").all_text_contents()
    assert len(kinds) >= 14
    menu.select_option("one-cycle")
    settle(page)
    assert page.ask("type(view.state.entries[0].schedule).__name__") == "OneCycle"
    assert "one-cycle" in text(page, "alt-rates")


def test_shared_controls_retrain(page: Notebook) -> None:
    said = text(page, "alt-loss")
    for name, choice in (("optimizer", "Adam"), ("network", "linear"), ("data", "MNIST-5k 14×14")):
        page.find(f"{ROOT} .optviz-shared-{name} select").first.select_option(choice)
        settle(page)
        assert text(page, "error") == ""
        assert text(page, "alt-loss") != said
        said = text(page, "alt-loss")


def test_copied_code_makes_the_same_pictures(page: Notebook) -> None:
    page.drag(PEAK, 0.6)
    settle(page)
    press(page, "copy")
    code = page.find(f"{ROOT} .optviz-code textarea").first
    code.wait_for()
    line = code.input_value()
    imports = "from optviz import problems\nfrom optviz.optimizers import *\nfrom optviz.schedules import *\n"
    again = f"{imports}from optviz.widgets import schedule_lab\n_again = {line}"
    assert "\n" not in line
    assert page.ask("[_again.state == view.state, _again.png == view.png]", again) == [True, True]


def test_save_writes_pictures_and_data(page: Notebook) -> None:
    press(page, "save")
    page.page.wait_for_function(
        "() => document.querySelector('.optviz-page .optviz-status').textContent.includes('Saved')"
    )
    files = sorted(path.suffix for path in page.lab.folder.glob("learning-rate-schedules-1*"))
    assert files == [".csv", ".png", ".svg", ".svg", ".svg"]


def test_bad_combination_is_a_sentence(page: Notebook) -> None:
    before = page.ask("repr(view.state)")
    page.press(f"{ROOT} .optviz-card-2 .optviz-field-warmup", "End")
    page.find(f"{ROOT} .optviz-error").first.wait_for(state="visible")
    said = text(page, "error")
    assert "warm-up must be" in said
    assert "Traceback" not in said
    assert page.ask("repr(view.state)") == before or "warmup=" in page.ask("repr(view.state)")
    page.press(f"{ROOT} .optviz-card-2 .optviz-field-warmup", "Home")
    settle(page)
    assert text(page, "error") == ""


def test_layout(page: Notebook, screenshots: Path) -> None:
    """Nothing sticks out and no text is cut off, on a wide and on a narrow page, light and dark."""
    for dark, width in itertools.product((False, True), (1280, 800)):
        page.theme(dark)
        page.resize(width, 1100)
        page.find(ROOT).first.evaluate("(root) => root.scrollIntoView()")
        page.screenshot(screenshots / f"schedule_lab-{width}-{'dark' if dark else 'light'}.png")
        assert page.overflowing(ROOT) == []
        assert page.cut_off(ROOT) == []
        boxes = [page.image(panel).bounding_box() for panel in PANELS]
        assert all(box is not None and box["width"] >= 300 for box in boxes)
    page.theme(False)


def test_many_moves_leave_no_error_and_no_growing_memory(page: Notebook) -> None:
    random_ = random.Random(0)
    sliders = [f"{ROOT} .optviz-card-{k} .optviz-field-lr" for k in range(3)]
    sliders += [f"{ROOT} .optviz-card-1 .optviz-field-{n}" for n in ("every", "factor", "warmup")]
    sliders += [f"{ROOT} .optviz-shared-{n}" for n in ("batch", "seeds", "noise", "steps")]

    def moves(count: int) -> None:
        for _ in range(count):
            page.drag(random_.choice(sliders), random_.random(), seconds=0.04)
        settle(page)

    def rest() -> tuple[int, int, int]:
        press(page, "reset")
        settle(page)
        return page.resident_bytes(), *page.page_heap()

    moves(MOVES // 4)
    memory, heap, nodes = rest()
    moves(MOVES - MOVES // 4)
    after = rest()
    assert after[0] - memory < 40e6
    assert after[1] - heap < 15e6
    assert after[2] - nodes < 2_000
