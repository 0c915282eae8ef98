"""The pictures of an explorer on its page: drawn fast while moving, sharp at rest, and pressed upon."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import ipywidgets as w

from optviz._knobs import Knob, knobs
from optviz.viz import Frame
from optviz.widgets.explorer import Explorer
from optviz.widgets.panel import Panel, Picture
from optviz.widgets.series import minus
from optviz.widgets.view.controls import note

__all__ = ["Tiles"]

FAR = 0.01  # of the axes: how far an arrow key goes


class Tiles:
    """One image a panel with its sentence below, and over some of them a layer to press on.

    Args:
        explorer: whose panels they are.
        pointed: called with new values of fields when one presses on a picture.
    """

    def __init__(self, explorer: Explorer, pointed: Callable[[dict[str, Any]], None]) -> None:
        self.explorer, self.pointed = explorer, pointed
        self.panels: dict[str, Panel] = explorer.panels
        self.images = {n: _image(n, p.width, p.height) for n, p in self.panels.items()}
        self.sentences = {n: note(f"alt-{n}") for n in self.panels}
        self.pointers = {n: made for n in explorer.point if (made := self._pointer(n)) is not None}
        self.drawn: dict[str, Any] = {}
        self.frames: dict[str, Frame] = {}  # of the last sharp pictures
        self.shown: dict[str, Frame] = {}
        self.turn = 0

    def boxes(self) -> list[Any]:
        """A box for each panel."""
        return [
            w.VBox([self._over(n), self.sentences[n]], layout=tile_layout(p.width))
            for n, p in self.panels.items()
        ]

    def _over(self, name: str) -> Any:
        if name not in self.pointers:
            return self.images[name]
        self.images[name].layout.margin = "0"  # the layer has the image's size
        layout = w.Layout(display="block", width="fit-content", max_width="100%", margin="0")
        layout.overflow = "hidden"
        box = w.Box([self.images[name], self.pointers[name]], layout=layout)
        box.add_class("optviz-over")
        return box

    # drawing

    def step(self, pictures: Mapping[str, Picture], trained: bool) -> bool:
        """Draw the next panel that has something new: one a slice, so that no slice takes long."""
        order = [*pictures][self.turn :] + [*pictures][: self.turn]
        for name in order:
            if self._new(name, pictures[name], trained):
                self._move(name, pictures[name])
                self.turn = ([*pictures].index(name) + 1) % len(pictures)
                return True
        return False

    def sweep(self, pictures: Mapping[str, Picture]) -> None:
        """Draw every panel that has something new."""
        for name, picture in pictures.items():
            if self._new(name, picture, True):
                self._move(name, picture)

    def rest(self, pictures: Mapping[str, Picture]) -> Iterator[str]:
        """Draw every panel sharp and complete, with its sentence."""
        for name, picture in pictures.items():
            self.images[name].value = self.panels[name].draw(picture)
            self.sentences[name].value = _small(picture.sentence)
            self.frames[name], self.drawn[name] = picture.frame, picture.key
            self._framed(name, picture.frame)
            yield name

    def prepare(self) -> Iterator[str]:
        """Draw the backgrounds of moving pictures ahead, or the next move would wait for them."""
        for name, frame in self.frames.items():
            self.panels[name].prepare(frame)
            yield name

    def _new(self, name: str, picture: Picture, trained: bool) -> bool:
        new = (trained and picture.key is None) or picture.key != self.drawn.get(name)
        return new and not picture.empty  # rather the last curves than none

    def _move(self, name: str, picture: Picture) -> None:
        held = self.frames.get(name)
        if picture.hold and held is not None and held.xlim == picture.frame.xlim:
            picture = replace(picture, frame=held)
        self.images[name].value = self.panels[name].draw(picture, moving=True)
        self.drawn[name] = picture.key
        self._framed(name, picture.frame)

    # pointing

    def _pointer(self, name: str) -> Any:
        """A layer to press on; None where anywidget is missing, since sliders do the same."""
        try:
            from optviz.widgets.view.pointer import Pointer
        except ImportError:
            return None
        spec, (x, y) = knobs(self.explorer.state), self.explorer.point[name]
        names = " · ".join(spec[field].label or field for field in (x, y) if field)
        label, axes = (
            self.explorer.words["point"].format(names=names),
            "both" if x and y else "x" if x else "y",
        )
        return Pointer(partial(self._pressed, name), label, axes)

    def _framed(self, name: str, frame: Frame) -> None:
        if name in self.pointers and self.shown.get(name) != frame:
            self.shown[name] = frame
            self.pointers[name].area = list(self.panels[name].area(frame))
            self._ring(name)

    def follow(self) -> None:
        """Put the rings where the state says; where a field does not count now there is none."""
        fixed = self.explorer.fixed(self.explorer.state)
        for name, pointer in self.pointers.items():
            there = not set(self.explorer.point[name]) & set(fixed)
            if (pointer.layout.display != "none") != there:
                pointer.layout.display = None if there else "none"
            if name in self.shown:
                self._ring(name)

    def _ring(self, name: str) -> None:
        self.pointers[name].here = list(self._here(name))

    def _here(self, name: str) -> tuple[float, float]:
        """Where the state's values are in the picture, kept inside the axes."""
        frame, state = self.shown[name], self.explorer.state
        left, top, right, low = self.panels[name].area(frame)
        middle = self.panels[name].point((left + right) / 2, (top + low) / 2, frame)
        x, y = (
            getattr(state, field) if field else other
            for field, other in zip(self.explorer.point[name], middle, strict=True)
        )
        x, y = x if x > 0 or not frame.logx else frame.xlim[0], y if y > 0 or not frame.log else frame.ylim[0]
        across, down = self.panels[name].spot(x, y, frame)
        return min(max(across, left), right), min(max(down, top), low)

    def _pressed(self, name: str, across: float, down: float, what: str) -> None:
        """Take the place that was pressed, or was stepped to, over into the fields."""
        if name not in self.shown:
            return
        panel, frame, fields = self.panels[name], self.shown[name], self.explorer.point[name]
        steps = (across, down) if what == "key" else (0.0, 0.0)
        if what == "key":
            left, top, right, low = panel.area(frame)
            here = self._here(name)
            across, down = here[0] + FAR * steps[0] * (right - left), here[1] - FAR * steps[1] * (low - top)
        values = panel.point(across, down, frame)
        beside = panel.point(across + 1 / panel.width, down + 1 / panel.height, frame)
        found: dict[str, Any] = {}
        for field, value, next_, step in zip(fields, values, beside, steps, strict=True):
            if field and (what != "key" or step):
                spec, old = knobs(self.explorer.state)[field], getattr(self.explorer.state, field)
                found[field] = _fitted(spec, value, abs(next_ - value), old + step if what == "key" else None)
        if found:
            self.pointed(found)


def tile_layout(width: int | None) -> Any:
    """How a tile of this width stands among others; None: it takes what is left of a row."""
    margin = "0 6px 8px 0"
    if width is None:
        return w.Layout(flex="1 1 300px", width="auto", max_width="100%", margin=margin)
    return w.Layout(width=f"{width}px", max_width="100%", margin=margin)


def _fitted(spec: Knob, value: float, pixel: float, stepped: float | None) -> Any:
    """A value as round as a pixel is wide, within the hard limits; whole numbers step by one."""
    low, high = spec.hard
    if isinstance(spec.start, int):
        value = round(value if stepped is None else stepped)
        return int(min(max(value, math.ceil(low)), high))
    digits = -math.floor(math.log10(pixel)) if pixel > 0 else 6
    return min(max(round(value, digits), low), high)


def _image(name: str, width: int, height: int) -> Any:
    made = w.Image(format="png", width=width, height=height, layout=w.Layout(max_width="100%", height="auto"))
    made.add_class(f"optviz-panel-{name}")
    return made


def _small(text: str) -> str:
    return f'<div style="font-size:11px;line-height:1.35;opacity:0.75">{html.escape(minus(text))}</div>'
