"""One JupyterLab and one Chromium for all browser tests.

The fixtures live as long as this folder's tests, not the whole session: Playwright keeps an event loop
running in this thread, and the headless widget tests need a thread without one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    """Mark every test of this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("browser")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Tests of one open page stay together on one worker: to open it takes as long as they do."""
    from xdist.scheduler import LoadScopeScheduling

    class ByPage(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path, _, test = nodeid.partition("::")
            page = test[test.find("[") :] if "[" in test else ""
            return f"{path}{page}"

    return ByPage(config, log)


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
