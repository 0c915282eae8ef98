"""Lessons 00 and 04 as a learner runs them: every cell from top to bottom in JupyterLab, then a slider."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.pages import Notebook

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
LESSONS = ("00_start_here.ipynb", "04_learning_rate_schedules.ipynb")
RATES = ".optviz-page .optviz-panel-rates"
PEAK = ".optviz-page .optviz-card-0 .optviz-field-lr"


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
