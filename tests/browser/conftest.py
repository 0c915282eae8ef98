"""One JupyterLab and one Chromium for all browser tests.

The fixtures live as long as this folder's tests, not the whole session: Playwright keeps an event loop
running in this thread, and the headless widget tests need a thread without one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.pages import CHROMIUM_FLAGS, Notebook, open_page
from tests.browser.server import Lab, start_lab
from tests.chromium import find_chromium
from tests.demand import demanded

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parents[2]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder; those that share an open page stay together on one worker."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("browser")
            if "opened" in getattr(item, "fixturenames", ()):
                which = getattr(item, "callspec", None)
                name = which.params.get("opened", "") if which else ""
                item.add_marker(pytest.mark.xdist_group(f"{item.path.stem}-{name}"))


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Headless Chromium."""
    path = find_chromium()
    if path is None:
        reason = "no Chromium found: the browser tests were not run"
        if demanded("chromium"):
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM_FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def lab() -> Iterator[Lab]:
    """JupyterLab with private folders."""
    with start_lab() as lab:
        yield lab


@pytest.fixture
def page(browser: Browser, lab: Lab) -> Iterator[Notebook]:
    """A fresh browser page, 1280 × 900."""
    with open_page(browser, lab) as notebook:
        yield notebook


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """The folder for screenshots (not in version control)."""
    return ROOT / "screenshots"
