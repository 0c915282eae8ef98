"""What a learner does with a notebook in JupyterLab, as methods: open, run, drag, press a key, look."""

from __future__ import annotations

import ast
import base64
import io
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib.image
import numpy as np

from tests.browser import scripts

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

    from tests.browser.server import Lab

__all__ = ["CHROMIUM_FLAGS", "KNOWN_CONSOLE_ERRORS", "Notebook", "open_page"]

CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # the same with and without a network
)

# Console errors that are not ours: (pattern, reason). JupyterLab 4.6 itself logs none with these settings.
KNOWN_CONSOLE_ERRORS = (
    (
        r"ERR_NAME_NOT_RESOLVED \[https://(mybinder\.org|colab\.research\.google\.com)/",
        "the pictures of a lesson's badges come from the web, which the tests do without",
    ),
)

# What the kernel may say that is not ours: (pattern, reason).
KNOWN_KERNEL_ERRORS = (
    (
        r"^No such comm: [0-9a-f]{8}-",
        "an id with dashes is JupyterLab's: its widget manager opens a comm of its own to ask for widgets",
    ),
    (
        r"^No such comm target registered: jupyter\.widget\.control\s*$",
        "the same request, when it comes before the first cell has loaded ipywidgets",
    ),
)


class Notebook:
    """One notebook open in one JupyterLab page."""

    def __init__(self, page: Page, lab: Lab) -> None:
        self.page, self.lab = page, lab
        self.console: list[str] = []
        page.on("console", self._note_console)
        page.on("pageerror", lambda error: self.console.append(f"page error: {error}"))

    # -- opening and running -------------------------------------------------------------------------
    def open(self, name: str, mode: str = "doc", timeout: float = 60.0) -> Notebook:
        """Open a notebook of the served folder and wait until its kernel is idle."""
        self.page.goto(self.lab.url(name, mode), timeout=timeout * 1e3)
        self.page.wait_for_function(scripts.READY, timeout=timeout * 1e3)
        self.page.evaluate(scripts.LISTEN)
        return self

    def run_all(self, timeout: float = 120.0) -> None:
        """Run every cell; returns when the last one is done and the kernel is idle."""
        self.page.evaluate(scripts.RUN_ALL, timeout * 1e3)
        self.page.wait_for_function(scripts.READY, timeout=timeout * 1e3)

    def run_cell(self, index: int, timeout: float = 120.0) -> None:
        """Run one cell by its position."""
        self.page.evaluate(
            "(i) => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = i; }", index
        )
        self.page.evaluate('() => window.jupyterapp.commands.execute("notebook:run-cell")')
        self.page.wait_for_function(scripts.READY, timeout=timeout * 1e3)

    def cells(self) -> list[dict[str, Any]]:
        """The notebook's cells as they stand in the page (nbformat 4)."""
        model = self.page.evaluate("() => window.jupyterapp.shell.currentWidget.content.model.toJSON()")
        return model["cells"]

    def outputs(self, index: int) -> str:
        """The text of one cell's outputs."""
        return "\n".join(_output_text(output) for output in self.cells()[index].get("outputs", []))

    def cell_errors(self) -> list[str]:
        """Every error output of the notebook: the cell's position, the error's name and value."""
        return [
            f"cell {i}: {output['ename']}: {output['evalue']}"
            for i, cell in enumerate(self.cells())
            for output in cell.get("outputs", [])
            if output["output_type"] == "error"
        ]

    def unexecuted(self) -> list[int]:
        """Positions of code cells that were not run."""
        return [
            i
            for i, cell in enumerate(self.cells())
            if cell["cell_type"] == "code" and "".join(cell["source"]).strip() and not cell["execution_count"]
        ]

    def console_errors(self) -> list[str]:
        """Console errors and uncaught page errors that are not JupyterLab's own known ones."""
        return _unknown(self.console, KNOWN_CONSOLE_ERRORS)

    def kernel_errors(self) -> list[str]:
        """Errors and everything on stderr that the kernel sent, known ones left out."""
        return _unknown(self.page.evaluate("() => window.optvizSaid"), KNOWN_KERNEL_ERRORS)

    def forget(self) -> None:
        """Start anew with collecting errors of the console and the kernel."""
        self.console.clear()
        self.page.evaluate("() => { window.optvizSaid.length = 0; }")

    def assert_clean(self) -> None:
        """No error output, no page error, no console error, nothing on the kernel's stderr so far."""
        assert not self.cell_errors()
        assert not self.kernel_errors()
        assert not self.console_errors()

    # -- the kernel ----------------------------------------------------------------------------------
    def ask(self, expression: str, code: str = "") -> Any:
        """Run code in the kernel and return the value of an expression (anything that JSON can hold)."""
        wrapped = f"__import__('json').dumps({expression})"
        content = self.page.evaluate(scripts.ASK_KERNEL, [code, wrapped])
        if content["status"] != "ok":
            raise RuntimeError(f"{content.get('ename')}: {content.get('evalue')}")
        value = content["user_expressions"]["value"]
        if value["status"] != "ok":
            raise RuntimeError(f"{value.get('ename')}: {value.get('evalue')}")
        return json.loads(ast.literal_eval(value["data"]["text/plain"]))

    def resident_bytes(self) -> int:
        """Memory that the kernel's process holds right now (Linux)."""
        code = "import gc as _gc, os as _os; _gc.collect()"
        pages = "int(open('/proc/self/statm').read().split()[1]) * _os.sysconf('SC_PAGE_SIZE')"
        return self.ask(pages, code)

    def page_heap(self) -> tuple[int, int]:
        """Bytes of the page's JavaScript heap and number of its DOM nodes, after collecting garbage."""
        session = self.page.context.new_cdp_session(self.page)
        session.send("HeapProfiler.collectGarbage")
        session.send("Performance.enable")
        metrics = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
        session.detach()
        return int(metrics["JSHeapUsedSize"]), int(metrics["Nodes"])

    # -- widgets -------------------------------------------------------------------------------------
    def find(self, selector: str) -> Locator:
        """Widgets by CSS selector, e.g. ``.optviz-card-0 .optviz-field-lr``."""
        return self.page.locator(selector)

    def handle(self, selector: str) -> Locator:
        """The handle of the slider inside (or at) a widget, scrolled into view."""
        handle = self.page.locator(f"{selector} .noUi-handle").first
        handle.scroll_into_view_if_needed()
        return handle

    def slider_value(self, selector: str) -> float:
        """Where the slider stands, in its own units (exponents for a logarithmic slider)."""
        slider = self.page.locator(f"{selector} .noUi-target").first
        return float(slider.evaluate("(target) => target.noUiSlider.get(true)"))

    @contextmanager
    def dragging(self, selector: str) -> Iterator[Callable[[float, float], None]]:
        """Hold a slider's handle; the function given moves it to a fraction (0..1) in so many seconds."""
        rail = self.page.locator(f"{selector} .noUi-base").first.evaluate(scripts.RAIL)
        at, middle = [rail["handle"]], rail["y"]

        def move(to: float, seconds: float = 0.3) -> None:
            start, end, steps = at[0], rail["left"] + to * rail["width"], max(2, round(seconds / 0.016))
            began = time.perf_counter()
            for i in range(1, steps + 1):
                self.page.mouse.move(start + (end - start) * i / steps, middle)
                self.page.wait_for_timeout(
                    max(0.0, (began + seconds * i / steps - time.perf_counter()) * 1e3)
                )
            at[0] = end

        self.page.mouse.move(at[0], middle)
        self.page.mouse.down()
        try:
            yield move
        finally:
            self.page.mouse.up()

    def drag(self, selector: str, to: float, seconds: float = 0.3) -> None:
        """Drag a slider's handle with the mouse to a fraction (0..1) of its rail."""
        with self.dragging(selector) as move:
            move(to, seconds)

    def press(self, selector: str, key: str = "ArrowRight", times: int = 1) -> None:
        """Focus a slider's handle and press a key."""
        handle = self.handle(selector)
        handle.focus()
        for _ in range(times):
            self.page.keyboard.press(key)

    def click(self, selector: str) -> None:
        """Click a button."""
        button = self.page.locator(selector).first
        button.scroll_into_view_if_needed()
        button.click()

    # -- pictures ------------------------------------------------------------------------------------
    def image(self, selector: str) -> Locator:
        """The ``img`` of a panel, whether the class sits on it or on a box around it."""
        return self.page.locator(f"{selector}:is(img), {selector} img").first

    def picture(self, selector: str) -> np.ndarray:
        """What an image widget shows now, as an (H, W, 4) array of 0..1."""
        data = self.image(selector).evaluate(scripts.PIXELS)
        return matplotlib.image.imread(io.BytesIO(base64.b64decode(data.split(",")[1])))

    def source(self, selector: str) -> str:
        """The address of the picture shown: a new one for every picture sent."""
        return self.image(selector).get_attribute("src") or ""

    def wait_for_new_picture(self, selector: str, old: str, timeout: float = 10.0) -> None:
        """Wait until an image shows another picture than the one with address ``old``."""
        self.image(selector).evaluate(
            scripts.NEW_PICTURE,
            [old, timeout * 1e3],
        )

    def wait_until_still(self, *selectors: str, quiet: float = 0.7, timeout: float = 30.0) -> None:
        """Wait until images stopped changing for ``quiet`` seconds."""
        end, last, since = time.monotonic() + timeout, [""], time.monotonic()
        while time.monotonic() - since < quiet:
            now = [self.source(selector) for selector in selectors]
            if now != last:
                last, since = now, time.monotonic()
            if time.monotonic() > end:
                raise TimeoutError(f"pictures {selectors} still change after {timeout:.0f} s")
            self.page.wait_for_timeout(50)

    @contextmanager
    def watching(self, selector: str) -> Iterator[list[tuple[float, int, int]]]:
        """Collect (milliseconds, fingerprint, width) of every picture shown; filled when the block ends."""
        seen: list[tuple[float, int, int]] = []
        image = self.image(selector)
        image.evaluate(scripts.WATCH)
        yield seen
        seen += [tuple(item) for item in image.evaluate(scripts.UNWATCH)]

    # -- appearance ----------------------------------------------------------------------------------
    def theme(self, dark: bool) -> None:
        """Switch JupyterLab's theme."""
        name = "JupyterLab Dark" if dark else "JupyterLab Light"
        self.page.evaluate(
            '(theme) => window.jupyterapp.commands.execute("apputils:change-theme", {theme})', name
        )
        self.page.wait_for_function(f"() => document.body.dataset.jpThemeLight === '{str(not dark).lower()}'")

    def resize(self, width: int, height: int = 900) -> None:
        """Change the window and let the page settle."""
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.wait_for_timeout(300)

    def overflowing(self, root: str) -> list[str]:
        """Visible elements under ``root`` that stick out of its output area to the left or right."""
        return self.page.locator(root).first.evaluate(scripts.OVERFLOWING)

    def cut_off(self, root: str) -> list[str]:
        """Texts under ``root`` (labels, buttons, read-outs) that do not fit into their own box."""
        return self.page.locator(root).first.evaluate(scripts.CUT_OFF)

    def screenshot(self, path: Path, selector: str | None = None) -> Path:
        """Save what the page (or one widget) looks like."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if selector is None:
            self.page.screenshot(path=path)
        else:
            self.page.locator(selector).first.screenshot(path=path)
        return path

    def _note_console(self, message: Any) -> None:
        if message.type == "error":
            place = message.location.get("url", "") if message.location else ""
            self.console.append(f"{message.text} [{place}]")


@contextmanager
def open_page(browser: Browser, lab: Lab, width: int = 1280, height: int = 900) -> Iterator[Notebook]:
    """A fresh browser page; its kernels are shut down at the end."""
    context = browser.new_context(viewport={"width": width, "height": height}, accept_downloads=True)
    try:
        yield Notebook(context.new_page(), lab)
    finally:
        context.close()
        lab.stop_kernels()


def _unknown(texts: list[str], known: tuple[tuple[str, str], ...]) -> list[str]:
    return [text for text in texts if not any(re.search(pattern, text) for pattern, _ in known)]


def _output_text(output: dict[str, Any]) -> str:
    if output["output_type"] == "stream":
        return "".join(output["text"])
    if output["output_type"] == "error":
        return f"{output['ename']}: {output['evalue']}"
    return "".join(output["data"].get("text/plain", ""))
