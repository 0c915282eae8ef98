"""Take the README's pictures of explorers, in a real browser: ``make portrait``."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from tests.browser.pages import CHROMIUM_FLAGS, open_page
from tests.browser.server import start_lab
from tests.chromium import find_chromium

FOLDER = Path(__file__).parents[2] / "notebooks"


@dataclass(frozen=True)
class Portrait:
    """One explorer as it is shown.

    Args:
        cell: Python that makes it.
        panel: the panel that is finished last.
        height: of the window in pixels; all of the explorer must fit into it.
    """

    cell: str
    panel: str
    height: int = 1500


PORTRAITS = {
    "schedule_lab": Portrait(
        """
from optviz import problems, schedule_lab
from optviz.schedules import Constant, Cosine, OneCycle, StepDecay, Warmup
schedule_lab(
    Constant(0.03), StepDecay(0.06, 270, 0.2), Warmup(Cosine(0.06, 760), 40), OneCycle(0.1, 800),
    problem=problems.digits(batch=16, label_noise=0.2), steps=800, seeds=8,
)
""",
        "accuracy",
    ),
    "optimizer_race": Portrait("from optviz import optimizer_race; optimizer_race()", "accuracy"),
    "regularization_lab": Portrait("from optviz import regularization_lab; regularization_lab()", "sizes"),
    "pruning_lab": Portrait("from optviz import pruning_lab; pruning_lab()", "ledger"),
    "channel_lab": Portrait("from optviz import channel_lab; channel_lab()", "cost"),
    "ticket_lab": Portrait("from optviz import ticket_lab; ticket_lab()", "early"),
    "quantization_lab": Portrait("from optviz import quantization_lab; quantization_lab()", "times"),
    "codebook_lab": Portrait("from optviz import codebook_lab; codebook_lab()", "file"),
    "qat_lab": Portrait("from optviz import qat_lab; qat_lab()", "course"),
    "landscape_lab": Portrait("from optviz import landscape_lab; landscape_lab()", "along"),
}


def main(names: list[str]) -> int:
    """Write the pictures with these names, all of them without any; 1 if there is no Chromium."""
    chromium = find_chromium()
    if chromium is None:
        print("no Chromium: see `optviz doctor`", file=sys.stderr)
        return 1
    with start_lab() as lab, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(chromium), args=list(CHROMIUM_FLAGS))
        for name in names or PORTRAITS:
            portrait, picture = PORTRAITS[name], FOLDER / f"{name}.png"
            with open_page(browser, lab, 1320, portrait.height) as page:
                page.open(lab.write(f"{name}.ipynb", portrait.cell))
                page.run_all()
                page.wait_until_still(f".optviz-panel-{portrait.panel}", quiet=3.0)
                page.screenshot(picture, ".optviz-page")
            with Image.open(picture) as shot:
                few = shot.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
            few.save(picture, optimize=True)
            print(f"wrote {picture}")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
