"""Take the README's picture of the explorer, in a real browser: ``make portrait``."""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.pages import CHROMIUM_FLAGS, open_page
from tests.browser.server import start_lab
from tests.chromium import find_chromium

PICTURE = Path(__file__).parents[2] / "notebooks" / "schedule_lab.png"
CELL = """
from optviz import problems, schedule_lab
from optviz.schedules import Constant, Cosine, OneCycle, StepDecay, Warmup
schedule_lab(
    Constant(0.03), StepDecay(0.06, 270, 0.2), Warmup(Cosine(0.06, 760), 40), OneCycle(0.1, 800),
    problem=problems.digits(batch=16, label_noise=0.2), steps=800, seeds=8,
)
"""


def main() -> int:
    """Write the picture; 1 if there is no Chromium."""
    chromium = find_chromium()
    if chromium is None:
        print("no Chromium: see `optviz doctor`", file=sys.stderr)
        return 1
    with start_lab() as lab, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(chromium), args=list(CHROMIUM_FLAGS))
        name = lab.write("portrait.ipynb", CELL)
        with open_page(browser, lab, 1320, 1500) as page:
            page.open(name)
            page.run_all()
            page.wait_until_still(".optviz-panel-accuracy", quiet=2.0)
            page.screenshot(PICTURE, ".optviz-page")
        browser.close()
    print(f"wrote {PICTURE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
