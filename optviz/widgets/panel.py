"""A picture that stays: one figure drawn again and again, over a background that is kept."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from optviz._knobs import require
from optviz.viz import Curves, Frame

__all__ = ["Panel", "Picture", "stacked"]

KEPT = 12  # backgrounds a sheet: 0.4 MB each, 1.6 MB at twice the resolution


@dataclass(frozen=True, eq=False)
class Picture:
    """What a panel shows, and the sentence that says the same in numbers.

    Args:
        marks: the curves, or what else the panel's drawing shows, such as a ``viz.Mosaic``.
        frame: title, axes and limits.
        sentence: the text alternative of the picture.
        key: what the lines were made from, if that is cheap to compare: an equal key draws nothing again.
        hold: while moving, keep the axis limits of the last finished picture.

    Example:
        >>> Picture([], Frame(), "Nothing yet.").sentence
        'Nothing yet.'
    """

    marks: Any
    frame: Frame
    sentence: str = ""
    key: Any = None
    hold: bool = False

    @property
    def empty(self) -> bool:
        """Whether there is nothing to show yet."""
        if not isinstance(self.marks, Sequence):
            return bool(self.marks is None or self.marks.empty)
        return not any(np.isfinite(line.y).any() for line in self.marks if not line.ghost)


class Panel:
    """One persistent figure for curves, drawn fast while moving and sharp at rest.

    While something moves, only the smoothed lines are drawn, at one pixel a pixel, over a background with
    axes and grid that is kept from picture to picture. At rest the raw curves and bands come too, at twice
    the resolution.

    Args:
        width, height: size on the page in CSS pixels.
        kind: the drawing, a class of ``optviz.viz``: ``Curves``, or ``Tiles`` for small images.
        labels: leave room for labels at the right.

    Raises:
        ValueError: if a side is shorter than 100 pixels.

    Example:
        >>> from optviz.viz import Line
        >>> panel = Panel(300, 200)
        >>> panel.draw(Picture([Line(np.arange(3), np.ones(3), "a")], Frame(xlim=(0, 2), ylim=(0, 2))))[:4]
        b'\\x89PNG'
    """

    def __init__(
        self, width: int = 404, height: int = 250, *, kind: Any = Curves, labels: bool = True
    ) -> None:
        require(min(width, height) >= 100, "Panel size", "at least 100 pixels a side", (width, height))
        self.width, self.height = width, height
        self.kind, self.labels = kind, labels
        self._moving, self._rest = (_Sheet(_figure(width, height, n, labels), kind) for n in (1, 2))

    def draw(self, picture: Picture, *, moving: bool = False) -> bytes:
        """The picture as PNG bytes.

        Args:
            picture: what to show.
            moving: fast instead of complete.
        """
        return (self._moving if moving else self._rest).draw(picture, moving)

    def prepare(self, frame: Frame) -> None:
        """Draw the background of moving pictures ahead of time."""
        self._moving.prepare(frame)

    def area(self, frame: Frame) -> tuple[float, float, float, float]:
        """Which part of the picture is inside the axes.

        Returns:
            Left, top, right and lower edge as fractions of the picture's width and height.
        """
        left, low, width, height = self._moving.axes(frame)[0].bounds
        return float(left), float(1 - low - height), float(left + width), float(1 - low)

    def point(self, across: float, down: float, frame: Frame) -> tuple[float, float]:
        """The data values at a place in the picture.

        Args:
            across, down: fractions of the picture's width from the left and of its height from the top.
            frame: the axes that are shown.

        Returns:
            x and y in data units.

        Example:
            >>> panel = Panel(300, 200)
            >>> left, top, right, low = panel.area(Frame(ylim=(1, 100), log=True))
            >>> x, y = panel.point(right, (top + low) / 2, Frame(ylim=(1, 100), log=True))
            >>> round(x, 6), round(y, 6)
            (1.0, 10.0)
        """
        pixels = np.array([across, 1 - down]) * self._moving.size
        x, y = self._moving.axes(frame)[1].inverted().transform(pixels)
        return float(x), float(y)

    def spot(self, x: float, y: float, frame: Frame) -> tuple[float, float]:
        """Where data values are in the picture: the inverse of :meth:`point`."""
        pixels = self._moving.axes(frame)[1].transform((x, y))
        across, up = pixels / self._moving.size
        return float(across), float(1 - up)

    def svg(self, picture: Picture) -> bytes:
        """The complete picture as SVG bytes."""
        figure = _figure(self.width, self.height, 1, self.labels)
        self.kind(figure.subplots()).set(picture.marks, picture.frame)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg")
        return buffer.getvalue()


class _Sheet:
    """A figure at one resolution with its cached background."""

    def __init__(self, figure: Figure, kind: Any) -> None:
        self.figure = figure
        self.canvas = FigureCanvasAgg(self.figure)
        self.curves = kind(self.figure.subplots(), animated=True)
        self.nothing: Any = [] if kind is Curves else None
        self.backgrounds: dict[Frame, Any] = {}
        self.mappings: dict[Frame, tuple[Any, Any]] = {}
        self.stamps: dict[Any, tuple[np.ndarray, int, float]] = {}

    def draw(self, picture: Picture, moving: bool) -> bytes:
        self.curves.set(picture.marks, picture.frame, moving=moving)
        background = self._background(picture.frame)
        labels = [a for a in self.curves.artists() if isinstance(a, Text) and a.get_text()] if moving else []
        stamps = [self._stamp(label) for label in labels]
        self.canvas.restore_region(background)
        for artist in self.curves.artists():
            if not (moving and isinstance(artist, Text)):
                self.figure.draw_artist(artist)
        pixels = np.asarray(self.canvas.buffer_rgba())
        for label, (stamp, left, down) in zip(labels, stamps, strict=True):
            top = round(len(pixels) - _baseline(label) - down)
            here = pixels[max(top, 0) : top + len(stamp), left : left + stamp.shape[1]]
            np.minimum(here, stamp[-len(here) :, : here.shape[1]], out=here)
        return _png(pixels[..., :3])

    @property
    def size(self) -> np.ndarray:
        """Width and height in pixels."""
        return np.array(self.figure.get_size_inches() * self.figure.dpi)

    def axes(self, frame: Frame) -> tuple[Any, Any]:
        """Where the axes are, and how data become pixels, in this frame."""
        if frame not in self.mappings:
            self.curves.set(self.nothing, frame)
            self.curves.ax.apply_aspect()
            while len(self.mappings) >= KEPT:
                self.mappings.pop(next(iter(self.mappings)))
            ax = self.curves.ax
            self.mappings[frame] = ax.get_position().frozen(), ax.transData.frozen()
        return self.mappings[frame]

    def prepare(self, frame: Frame) -> None:
        if frame not in self.backgrounds:
            self.curves.set(self.nothing, frame)
            self._background(frame)

    def _background(self, frame: Frame) -> Any:
        """Axes, grid and title; the last few frames are kept, since a drag goes to and fro between them."""
        if frame not in self.backgrounds:
            self.canvas.draw()  # leaves out animated artists
            while len(self.backgrounds) >= KEPT:
                self.backgrounds.pop(next(iter(self.backgrounds)))
            self.backgrounds[frame] = self.canvas.copy_from_bbox(self.figure.bbox)
        return self.backgrounds[frame]

    def _stamp(self, label: Text) -> tuple[np.ndarray, int, float]:
        """A label's pixels, its left edge, and how far its top is above its anchor.

        Text costs more than all curves together, and while curves move their labels only move up and down:
        so each is drawn once.
        """
        key = (label.get_text(), label.get_color(), label.get_fontsize(), label.get_position()[0])
        if key not in self.stamps:
            if len(self.stamps) >= 60:
                self.stamps.clear()
            pixels = np.asarray(self.canvas.buffer_rgba())
            pixels[...] = 255
            place = label.get_position()
            label.set_y(0.5)  # the same letters wherever it is needed first
            self.figure.draw_artist(label)
            rows, columns = (np.flatnonzero((pixels[..., :3] < 255).any(axis=(2, axis))) for axis in (1, 0))
            found = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy()
            self.stamps[key] = (found, int(columns[0]), len(pixels) - _baseline(label) - float(rows[0]))
            label.set_position(place)
        return self.stamps[key]


def _baseline(label: Text) -> float:
    """The height of a label's anchor above the lower edge of the figure, in pixels."""
    return float(label.get_transform().transform(label.get_position())[1])


def stacked(pictures: Sequence[bytes], columns: int = 2, colors: int = 64) -> bytes:
    """PNG pictures side by side on white, with few colors so that the file stays small.

    Args:
        pictures: PNG bytes.
        columns: how many of the first one's width stand in a row; larger ones take more room. A first one
            that is as wide as so many of the narrowest has a row of its own.
        colors: size of the palette.

    Returns:
        PNG bytes.

    Raises:
        ValueError: if there is no picture.

    Example:
        >>> one = Panel(120, 100).draw(Picture([], Frame()))
        >>> Image.open(io.BytesIO(stacked([one, one, one], columns=2))).size
        (480, 400)
    """
    require(len(pictures) > 0, "pictures", "at least one", pictures)
    tiles = [Image.open(io.BytesIO(picture)).convert("RGB") for picture in pictures]
    widths = [tile.width for tile in tiles]
    row = tiles[0].width >= columns * min(widths)  # the first one has a row of its own
    widest = max(tiles[0].width * (1 if row else columns), *widths)
    places, x, y, bottom = [], 0, 0, 0
    for tile in tiles:
        if x + tile.width > widest:
            x, y = 0, bottom
        places.append((x, y))
        x, bottom = x + tile.width, max(bottom, y + tile.height)
    width = max(left + tile.width for (left, _), tile in zip(places, tiles, strict=True))
    sheet = Image.new("RGB", (width, bottom), "white")
    for place, tile in zip(places, tiles, strict=True):
        sheet.paste(tile, place)
    buffer = io.BytesIO()
    sheet.quantize(colors, dither=Image.Dither.NONE).save(buffer, "png", optimize=True)
    return buffer.getvalue()


def _figure(width: int, height: int, scale: int, labels: bool) -> Figure:
    figure = Figure(figsize=(width / 100, height / 100), dpi=100 * scale)
    room = 116 if labels else 16  # labels stand behind the lines
    left, right = min(70 / width, 0.25), 1 - min(room / width, 0.4)
    figure.subplots_adjust(left=left, right=right, top=1 - 28 / height, bottom=46 / height)
    return figure


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "png", compress_level=1)
    return buffer.getvalue()
