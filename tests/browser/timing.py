"""How long it takes from a key or a mouse move to pixels, measured inside the page by its own clock."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any

from tests.browser.pages import Notebook

__all__ = ["Target", "after_release", "drag", "key_to_pixels", "median"]

# Resolves with the milliseconds from the next key press to the moment after the new pixels were painted.
_ARM = """([kind, area, limit]) => {
    const root = document.querySelector(area);
    const find = () => root.tagName === "IMG" ? root : root.querySelector("img");
    const old = find()?.src;
    window.optvizLatency = new Promise((resolve, reject) => {
        let start = null;
        const timer = setTimeout(() => reject(new Error(`no new pixels in ${area}`)), limit);
        document.addEventListener("keydown", (event) => { start = event.timeStamp; },
            {capture: true, once: true});
        const painted = () => requestAnimationFrame(() => setTimeout(() => {
            clearTimeout(timer); resolve(performance.now() - start);
        }));
        const observer = new MutationObserver(() => {
            if (start === null) return;
            const image = kind === "text" ? null : find();
            if (kind !== "text" && (!image || image.src === old)) return;
            observer.disconnect();
            if (image) image.decode().then(painted, painted); else painted();
        });
        observer.observe(root, {subtree: true, childList: true, characterData: true, attributes: true,
            attributeFilter: ["src"]});
    });
}"""

# Notes when each new picture of an area was ready, and when the mouse last moved.
_NOTE = """(area) => {
    const root = document.querySelector(area), note = window.optvizNote = {pictures: [], moved: 0};
    let last = "";
    const add = (image) => image.decode().then(
        () => note.pictures.push([performance.now(), image.naturalWidth]), () => {});
    note.observer = new MutationObserver(() => {
        const image = root.tagName === "IMG" ? root : root.querySelector("img");
        if (!image || image.src === last) return;
        last = image.src;
        add(image);
    });
    note.observer.observe(root, {subtree: true, childList: true, attributes: true, attributeFilter: ["src"]});
    note.move = (event) => { if (event.buttons) note.moved = event.timeStamp; };
    document.addEventListener("pointermove", note.move, true);
}"""
_NOTED = """() => {
    const note = window.optvizNote;
    note.observer.disconnect();
    document.removeEventListener("pointermove", note.move, true);
    return {pictures: note.pictures, moved: note.moved};
}"""


@dataclass(frozen=True)
class Target:
    """A slider and the place where its effect is seen: kind is "image" or "text"."""

    name: str
    slider: str
    area: str
    kind: str = "image"


def key_to_pixels(page: Notebook, target: Target, key: str = "ArrowRight", timeout: float = 20.0) -> float:
    """Seconds from one key press on the slider to the new pixels."""
    page.handle(target.slider).focus()
    page.page.wait_for_timeout(50)
    page.page.evaluate(_ARM, [target.kind, target.area, timeout * 1e3])
    page.page.keyboard.press(key)
    return page.page.evaluate("() => window.optvizLatency") / 1e3


def drag(page: Notebook, target: Target, stops: tuple[float, ...], seconds: float) -> dict[str, Any]:
    """Drag over the stops: the pictures (ms, width) until all was still, and the last move (ms)."""
    page.handle(target.slider)
    page.page.evaluate(_NOTE, target.area)
    with page.dragging(target.slider) as move:
        for stop in stops:
            move(stop, seconds / len(stops))
    page.page.wait_for_timeout(2500)
    return page.page.evaluate(_NOTED)


def after_release(noted: dict[str, Any]) -> float:
    """Seconds from the last mouse move to the last picture of the width shown while moving."""
    pictures = noted["pictures"]
    moving = [width for when, width in pictures if when <= noted["moved"]]
    width = moving[-1] if moving else pictures[-1][1]
    last = max(when for when, shown in pictures if shown == width)
    return max(0.0, last - noted["moved"]) / 1e3


def median(seconds: list[float]) -> float:
    """The middle one of some timings."""
    return statistics.median(seconds)
