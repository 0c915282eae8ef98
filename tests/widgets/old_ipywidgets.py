"""Run in a process of its own with an old ipywidgets first on the path: build the page, move it, show it."""

from __future__ import annotations

import asyncio
from typing import Any

import ipywidgets
from IPython.core.interactiveshell import InteractiveShell

from optviz.optimizers import Adam
from optviz.schedules import Constant, MultiStep, Warmup
from optviz.widgets import schedule_lab, show
from tests.widgets.test_explorers import LABS

__all__: list[str] = []


def main() -> None:
    lab = schedule_lab(Warmup(Constant(0.1), 3), MultiStep(0.1, (5, 15), 0.5), steps=20, seeds=2)
    page = show(lab)
    before = [image.value for image in page.images.values()]
    page.cards[0].controls["lr"][0].value = 0.5
    assert all(image.value != old for image, old in zip(page.images.values(), before, strict=True))
    page.cards[1].controls["at"][0].value = (2, 9)
    page.shared["optimizer"][0].value = Adam()
    page.shared["batch"][0].value = 32
    page.shared["noise"][0].value = 0.123
    assert lab.state.entries[1].schedule.at == (2, 9)
    assert (lab.state.optimizer, lab.state.batch, lab.state.noise) == (Adam(), 32, 0.123)
    page.add.click()
    page._remove(0)
    for name in ("pin", "clear", "copy", "stop", "reset"):
        page.buttons[name].click()
    assert not page.error.value, page.error.value

    async def drag() -> None:
        for rate in (0.2, 0.3, 0.4):
            page.cards[0].controls["lr"][0].value = rate
            await asyncio.sleep(0.01)
        while page.live.busy:
            await asyncio.sleep(0.01)

    asyncio.run(drag())
    assert (lab.result.progress, round(lab.result.rates[0].max(), 6)) == (1, 0.4)
    data, _ = page._repr_mimebundle_()
    assert {"image/png", "text/plain"} <= set(data)
    formatter = InteractiveShell.instance().display_formatter
    formatter.format(page)
    formatter.format(lab)
    for name, case in LABS.items():
        every_explorer(name, show(case.make()))
    print("ipywidgets", ipywidgets.__version__, "works")


def every_explorer(name: str, page: Any) -> None:
    """Controls, cards, buttons, player and pointers of one explorer."""
    pictures = {tuple(image.value for image in page.images.values())}
    controls = [c for c, _ in page.shared.values()] + [
        c for card in page.cards for c, _ in card.controls.values()
    ]
    sliders = [c for c in controls if isinstance(c, ipywidgets.IntSlider | ipywidgets.FloatSlider)]
    sliders[0].value = sliders[0].min
    sliders[0].value = (sliders[0].min + sliders[0].max) / 2
    pictures.add(tuple(image.value for image in page.images.values()))
    for pointer in page.tiles.pointers.values():
        left, top, right, low = pointer.area
        pointer.spot = [(left + right) / 2, (top + low) / 2, "down", 1]
        assert pointer.heard == 1, name
    if page.player is not None:
        page.player.clock.value = 0
        page.player.clock._playing = True
        assert page.player.playing, name
    page.buttons["stop"].click()
    assert page.player is None or not page.player.playing, name
    if page.cards:
        page.add.click()
    pictures.add(tuple(image.value for image in page.images.values()))
    assert len(pictures) > 1, name
    page.buttons["reset"].click()
    page._repr_mimebundle_()


if __name__ == "__main__":
    main()
