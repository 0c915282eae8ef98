"""Lessons in JupyterLab, as a learner meets them.

Lessons 00 and 04 run from top to bottom, of the others the setup and the explorers; then a slider is moved.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.browser.pages import Notebook

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
LESSONS = ("00_start_here.ipynb", "04_learning_rate_schedules.ipynb")
OTHERS = sorted(path.name for path in NOTEBOOKS.glob("*.ipynb") if path.name not in LESSONS)
PICTURES = ".optviz-page img"
SLIDERS = (".optviz-page .optviz-card-0 .optviz-field-lr", ".optviz-page .widget-hslider")
RATES = ".optviz-page .optviz-panel-rates"
PEAK = ".optviz-page .optviz-card-0 .optviz-field-lr"


def pictures(page: Notebook) -> list[str]:
    """The addresses of all pictures of explorers."""
    return page.find(PICTURES).evaluate_all("(images) => images.map((image) => image.src)")


@pytest.mark.parametrize("name", LESSONS)
def test_lesson_runs_and_its_explorer_lives(page: Notebook, screenshots: Path, name: str) -> None:
    page.open(page.lab.copy(NOTEBOOKS / name))
    page.run_all(timeout=180)
    page.assert_clean()
    assert page.unexecuted() == []
    page.wait_until_still(RATES)
    old = page.source(RATES)
    page.drag(PEAK, 0.8)
    page.wait_for_new_picture(RATES, old)
    page.wait_until_still(RATES)
    page.screenshot(screenshots / f"{Path(name).stem}.png")
    page.assert_clean()


@pytest.mark.parametrize("name", OTHERS)
def test_explorers_of_a_lesson_live(page: Notebook, screenshots: Path, name: str) -> None:
    page.open(page.lab.copy(NOTEBOOKS / name))
    tagged = [(i, cell["metadata"].get("tags", [])) for i, cell in enumerate(page.cells())]
    for i in [i for i, tags in tagged if "setup" in tags] + [i for i, tags in tagged if "explorer" in tags]:
        page.run_cell(i)
    page.assert_clean()
    explorers = page.find(".optviz-page")
    assert explorers.count() == sum("explorer" in tags for _, tags in tagged)
    page.wait_until_still(PICTURES, timeout=60)
    slider = next(s for s in SLIDERS if page.find(s).count())
    old = pictures(page)
    page.press(slider, "ArrowRight", times=2)
    end = time.monotonic() + 60  # convolutional networks may have to be trained first
    while pictures(page) == old:  # any of them: a small move need not show in all
        assert time.monotonic() < end, "no new picture"
        page.page.wait_for_timeout(100)
    page.wait_until_still(PICTURES, timeout=60)
    page.screenshot(screenshots / f"{Path(name).stem}.png")
    page.assert_clean()
