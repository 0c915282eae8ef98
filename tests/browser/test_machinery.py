"""The test machinery itself, on small notebooks: what it sees is what happens in the page."""

from __future__ import annotations

import numpy as np

from tests.browser import toys
from tests.browser.pages import Notebook


def test_errors_are_noticed(page: Notebook) -> None:
    page.open(page.lab.write("errors.ipynb", "print('two', 1 + 1)", "1 / 0", "never = 1"))
    page.run_all()
    assert page.outputs(0) == "two 2\n"
    assert page.cell_errors() == ["cell 1: ZeroDivisionError: division by zero"]
    assert page.kernel_errors() == page.cell_errors()[0].split(": ", 1)[1:]
    assert page.unexecuted() == [2]
    page.ask("None", "import warnings; warnings.warn('odd')")
    page.page.evaluate("() => console.error('something broke')")
    page.page.wait_for_timeout(100)
    assert any("odd" in text for text in page.kernel_errors())
    assert any("something broke" in text for text in page.console_errors())


def test_stream_follows_mouse_and_keyboard(page: Notebook) -> None:
    page.open(page.lab.write("stream.ipynb", toys.STREAM))
    page.run_all()
    first = page.picture(".toy-image")
    assert first.shape[:2] == (320, 450)
    with page.watching(".toy-image") as seen:
        page.drag(".toy-slider", 0.9, seconds=1.0)
    assert len({fingerprint for _, fingerprint, _ in seen}) >= 5
    page.wait_until_still(".toy-image")
    assert not np.array_equal(first, page.picture(".toy-image"))
    assert page.ask("[len(cancelled) > 0, len(finished)]") == [True, 1]

    before, old = page.slider_value(".toy-slider"), page.source(".toy-image")
    page.press(".toy-slider", "ArrowLeft")
    page.wait_for_new_picture(".toy-image", old)
    assert page.slider_value(".toy-slider") < before
    assert page.resident_bytes() > 20e6
    heap, nodes = page.page_heap()
    assert heap > 1e6
    assert nodes > 100
    page.assert_clean()

    assert page.overflowing(".widget-vbox") == []
    page.resize(400)
    assert page.overflowing(".widget-vbox")
