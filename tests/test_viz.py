"""Drawings: labels that can be read, colors that can be told apart, the same pixels each time."""

from __future__ import annotations

import itertools
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from optviz.training import History
from optviz.viz import COLORS, Curves, Frame, Line, color, curves, dashes, of_history, running_mean
from optviz.widgets.panel import Panel, Picture

# Machado, Oliveira and Fernandes, 2009, doi:10.1109/TVCG.2009.113, severity 1.0, on linear RGB.
VISIONS = {
    "usual": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}


def panel_axes(width: int = 404, height: int = 250) -> Any:
    """Axes placed as in an explorer's panel."""
    return Panel(width, height)._rest.curves.ax


def lines(count: int, label: str = "schedule", **options: Any) -> list[Line]:
    x = np.arange(50)
    return [Line(x, 0.5 + 0.001 * k + 0 * x, f"{label} {k}", k, **options) for k in range(count)]


def pixels(figure: Figure) -> np.ndarray:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())


def label_boxes(ax: Any) -> list[Any]:
    FigureCanvasAgg(ax.figure).draw()
    return [text.get_window_extent() for text in ax.texts if text.get_text()]


# labels


@pytest.mark.parametrize("count", [1, 2, 3, 8, 12, 24])
@pytest.mark.parametrize("ghosts", [0, 8])
def test_labels_do_not_overlap_and_stay_inside(count: int, ghosts: int) -> None:
    ax = panel_axes()
    some = lines(min(count, 24 - ghosts)) + [
        Line(np.arange(50), np.full(50, 0.5), "", ghost=True) for _ in range(ghosts)
    ]
    Curves(ax).set(some, Frame("title", xlim=(0, 50), ylim=(0, 1)))
    boxes = label_boxes(ax)
    assert len(boxes) == min(count, 24 - ghosts)
    for a, b in itertools.combinations(boxes, 2):
        assert not a.overlaps(b)
    figure = ax.figure.bbox
    for box in boxes:
        assert box.x1 <= figure.x1
        assert box.y0 >= figure.y0
        assert box.y1 <= figure.y1


@pytest.mark.parametrize(
    "label",
    [
        "warm-up–stable–decay",
        "warm-up–stable–decay 2",
        "warm-up–stable–decay (diverged)",
        "constant (diverged)",
        "my_own_schedule_with_forty_letters_in_it",
        "W" * 60,
        "inverse √ 8",
        "学习率" * 6,
    ],
)
@pytest.mark.filterwarnings("ignore:Glyph")  # the fonts at hand may lack Chinese letters
def test_a_long_label_is_shortened_instead_of_cut_off(label: str) -> None:
    ax = panel_axes()
    Curves(ax).set([Line(np.arange(3), np.ones(3), label)], Frame(xlim=(0, 2), ylim=(0, 2)))
    (box,) = label_boxes(ax)
    (text,) = [t.get_text() for t in ax.texts]
    assert box.x1 <= ax.figure.bbox.x1
    if text != label:
        assert "…" in text
        assert text.partition("…")[0] == label[: text.index("…")].rstrip(" –-_")
    for ending in (" 2", " 8", " (diverged)"):
        if label.endswith(ending):
            assert text.endswith(ending), text


@pytest.mark.parametrize(
    "frame",
    [
        Frame("Learning rate per update", "update", "learning rate", (0, 200), (0, 3e-6)),
        Frame("Learning rate per update", "update", "learning rate", (0, 200), (0, 0.00123)),
        Frame("Learning rate per update", "update", "learning rate", (0, 200), (0, 1.5e6)),
        Frame("Training loss", "update", "cross-entropy (nats)", (0, 200), (1e-4, 4), log=True),
        Frame("Training loss", "update", "cross-entropy (nats)", (0, 200), (0.03, 4), log=True),
        Frame("Validation accuracy", "update", "correct", (0, 200), (0.8, 1), percent=True),
        Frame("Validation accuracy", "update", "correct", (0, 100_000), (0, 1), percent=True),
    ],
)
def test_title_ticks_and_axis_names_stay_inside(frame: Frame) -> None:
    ax = panel_axes()
    Curves(ax).set(lines(2), frame)
    FigureCanvasAgg(ax.figure).draw()
    ticks = [t for axis in (ax.xaxis, ax.yaxis) for t in axis.get_ticklabels() if t.get_text()]
    low, high = sorted(
        ax.transData.transform([(frame.xlim[0], frame.ylim[0]), (frame.xlim[1], frame.ylim[1])]),
        key=lambda p: p[0],
    )
    for text in [ax._left_title, ax.xaxis.label, ax.yaxis.label, *ticks]:
        box = text.get_window_extent()
        if text in ticks and not (low[1] - 9 <= (box.y0 + box.y1) / 2 <= high[1] + 9):
            continue  # matplotlib keeps labels of ticks beyond the limits, undrawn
        assert box.x0 >= 0, text
        assert box.y1 <= ax.figure.bbox.y1, text
        assert box.y0 >= 0, text
    assert not ax.yaxis.get_offset_text().get_text()


def test_tick_labels_differ() -> None:
    for low, high in [(0, 1e-6), (0, 0.3), (0, 3e5), (1000.0, 1000.1)]:
        ax = panel_axes()
        Curves(ax).set(lines(1), Frame(xlim=(0, 50), ylim=(low, high)))
        FigureCanvasAgg(ax.figure).draw()
        shown = [t.get_text() for t in ax.yaxis.get_ticklabels()]
        assert len(set(shown)) == len(shown), shown


@pytest.mark.parametrize("low", [-5.0, 0.0])
def test_label_stands_at_the_end_of_its_line(low: float) -> None:
    ax = panel_axes()
    y = np.linspace(1, low + 0.5, 40)
    y[-5:] = np.nan
    Curves(ax).set([Line(np.arange(40), y, "x")], Frame(xlim=(0, 40), ylim=(low, 1)))
    expected = (y[-6] - low) / (1 - low)
    assert ax.texts[0].get_position()[1] == pytest.approx(expected, abs=1e-6)


# colors


def lightness_and_color(rgb: np.ndarray) -> np.ndarray:
    """CIELAB of linear sRGB."""
    xyz = rgb @ np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]).T
    f = np.cbrt(xyz / [0.9505, 1, 1.089])
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def seen(code: str, vision: str) -> np.ndarray:
    rgb = np.array(to_rgb(code))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return lightness_and_color(np.clip(VISIONS[vision] @ linear, 0, 1))


@pytest.mark.parametrize("vision", VISIONS)
def test_runs_can_be_told_apart(vision: str) -> None:
    for i, j in itertools.combinations(range(8), 2):
        apart = np.linalg.norm(seen(color(i), vision) - seen(color(j), vision))
        assert apart >= (5 if dashes(i) != dashes(j) else 35), (i, j, apart)


@pytest.mark.parametrize("vision", VISIONS)
def test_colors_stand_out_from_white(vision: str) -> None:
    for code in COLORS:
        assert 100 - seen(code, vision)[0] > 35, code


def test_twenty_four_runs_have_different_looks() -> None:
    assert len({(color(i), str(dashes(i))) for i in range(24)}) == 24


# odd data


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize(
    "y",
    [
        np.full(10, np.nan),
        np.zeros(10),
        -np.ones(10),
        np.array([1, np.nan, 2, np.inf, -np.inf, 0, 1e300, 1e-300, -1, np.nan]),
        np.full(10, 1e38),
    ],
)
def test_any_numbers_can_be_drawn(y: np.ndarray, log: bool) -> None:
    ax = panel_axes()
    frame = Frame(xlim=(0, 9), ylim=(0.1, 1), log=log)
    Curves(ax).set([Line(np.arange(10), y, "odd", low=y, high=y, raw=y), *lines(1)], frame)
    assert pixels(ax.figure).std() > 0
    assert len(label_boxes(ax)) == 2
    curves([Line(np.arange(10), np.where(np.abs(y) < 1e30, y, np.nan), "odd")], Figure().subplots())


def test_too_many_lines_and_none() -> None:
    Curves(panel_axes()).set(lines(24), Frame())
    with pytest.raises(ValueError, match="lines must be at most 24, got 25"):
        Curves(panel_axes()).set(lines(25), Frame())
    with pytest.raises(ValueError, match="at least one curve"):
        curves([])
    assert pyplot.get_fignums() == []


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"ylim": (1, 1)}, "ylim"),
        ({"xlim": (2, 1)}, "xlim"),
        ({"ylim": (0, np.nan)}, "ylim"),
        ({"xlim": (0, np.inf)}, "xlim"),
        ({"ylim": (0, 1), "log": True}, "ylim"),
    ],
)
def test_a_frame_says_what_is_wrong(options: dict[str, Any], name: str) -> None:
    with pytest.raises(ValueError, match=f"Frame.{name} must be"):
        Frame(**options)


# updating in place


def test_drawing_twice_gives_the_same_pixels() -> None:
    ax, frame = panel_axes(), Frame("t", xlim=(0, 50), ylim=(0, 1))
    drawing = Curves(ax)
    assert drawing.set(lines(3), frame) is True
    first = pixels(ax.figure)
    assert drawing.set(lines(3), frame) is False
    np.testing.assert_array_equal(pixels(ax.figure), first)


def test_nothing_stays_of_earlier_pictures() -> None:
    frame = Frame("t", xlim=(0, 50), ylim=(0, 1))
    band = np.full(50, 0.9)
    rich = lines(8, low=band - 0.2, high=band, raw=band)
    fresh, used = panel_axes(), panel_axes()
    Curves(fresh).set(lines(2), frame)
    drawing = Curves(used)
    drawing.set(rich, Frame("other", "x", "y", (0, 9), (0.1, 7), log=True))
    drawing.set(rich, frame, moving=True)
    drawing.set(lines(2), frame)
    np.testing.assert_array_equal(pixels(used.figure), pixels(fresh.figure))
    count = len(used.get_children())
    for _ in range(20):
        drawing.set(rich, frame)
        drawing.set(lines(2), frame)
    assert len(used.get_children()) == count


def test_panel_does_not_remember_what_it_drew() -> None:
    frame, other = Frame("t", xlim=(0, 50), ylim=(0, 1)), Frame("u", xlim=(0, 90), ylim=(0.1, 3), log=True)
    used, fresh = Panel(), Panel()
    for moving in (True, False):
        expected = fresh.draw(Picture(lines(3), frame), moving=moving)
        used.draw(Picture(lines(8), other), moving=moving)
        used.draw(Picture(lines(8), frame), moving=moving)
        assert used.draw(Picture(lines(3), frame), moving=moving) == expected
        assert used.draw(Picture(lines(3), frame), moving=moving) == expected


def test_moving_and_resting_pictures_agree() -> None:
    import io

    from PIL import Image

    panel, picture = Panel(), Picture(lines(4), Frame("t", xlim=(0, 50), ylim=(0, 1)))
    moving, rest = (Image.open(io.BytesIO(panel.draw(picture, moving=m))).convert("L") for m in (True, False))
    assert (rest.width, rest.height) == (2 * moving.width, 2 * moving.height)
    small = np.asarray(rest.resize(moving.size, Image.Resampling.BOX), float)
    difference = np.abs(small - np.asarray(moving, float)) / 255
    assert difference.mean() < 0.03  # the same but for smoothing of edges


def test_moving_leaves_out_bands_and_raw() -> None:
    band = np.full(50, 0.9)
    ax = panel_axes()
    drawing = Curves(ax)
    rich = lines(2, low=band - 0.2, high=band, raw=band)
    frame = Frame(xlim=(0, 50), ylim=(0, 1))
    drawing.set(rich, frame)
    rest = len(drawing.artists())
    drawing.set(rich, frame, moving=True)
    assert rest - len(drawing.artists()) == 4


# histories and means


def history(runs: int = 2, seeds: int = 3, steps: int = 40) -> History:
    random = np.random.default_rng(0)
    labels = [f"run {k}" for k in range(runs) for _ in range(seeds)]
    loss = random.uniform(0.1, 2, (runs * seeds, steps))
    return History(tuple(labels), tuple(list(range(seeds)) * runs), np.arange(steps), {"loss": loss})


def test_curves_of_a_history() -> None:
    h = history()
    some, frame = of_history(h, smooth=1)
    assert [line.label for line in some] == ["run 0", "run 1"]
    np.testing.assert_allclose(some[1].y, h["loss"][3:].mean(axis=0))
    assert some[0].low is not None
    assert frame.log
    assert frame.ylim[0] > 0
    smoothed, _ = of_history(h)
    np.testing.assert_allclose(smoothed[0].y, running_mean(h["loss"][:3].mean(axis=0), 2))
    np.testing.assert_allclose(smoothed[0].raw, h["loss"][0])
    assert not of_history(h, log=False)[1].log
    with pytest.raises(KeyError):
        of_history(h, "nonsense")


def test_pyplot_and_its_settings_are_left_alone() -> None:
    before = dict(matplotlib.rcParams)
    Panel().draw(Picture(lines(3), Frame(xlim=(0, 50), ylim=(0, 1))))
    Panel().svg(Picture(lines(3), Frame(xlim=(0, 50), ylim=(0, 1))))
    curves(history(), Figure().subplots())
    assert pyplot.get_fignums() == []
    ax = curves(history())
    assert pyplot.get_fignums() == [ax.figure.number]
    pyplot.close(ax.figure)
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("width", [1, 2, 7, 40, 100])
def test_running_mean(width: int) -> None:
    values = np.random.default_rng(width).normal(size=40)
    expected = [values[max(0, i + 1 - width) : i + 1].mean() for i in range(40)]
    np.testing.assert_allclose(running_mean(values, width), expected, atol=1e-12)


def test_running_mean_forgets_a_huge_value() -> None:
    values = np.ones(30)
    values[3] = 1e30
    np.testing.assert_allclose(running_mean(values, 4)[7:], 1)
    values[3] = np.nan
    np.testing.assert_array_equal(
        np.isnan(running_mean(values, 4)), (np.arange(30) >= 3) & (np.arange(30) < 7)
    )
    assert running_mean(np.array([]), 3).size == 0
    with pytest.raises(ValueError, match=r"running_mean\.width must be at least 1, got 0"):
        running_mean(values, 0)
