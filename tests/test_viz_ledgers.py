"""The picture of the ledger: bars as long as what they stand for, every number written out."""

from itertools import pairwise

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from optviz import viz
from optviz.ledger import FORMS, Counts, Dense, Entry, Latency
from optviz.viz.style import color


def entry(label="net", *, share=1.0, accuracy=(0.95, 0.96, 0.97), ms=2.0, spread=0.1, forms=FORMS):
    kept = round(1_000_000 * share)
    return Entry(
        label,
        accuracy,
        Counts(1_000_000, 999_000, kept, kept),
        2_500_000,
        round(2_500_000 * share),
        {form: round(4e6 * (share if k else 1)) + k for k, form in enumerate(forms)},
        Latency(ms / 1e3, (ms - spread) / 1e3, (ms + spread) / 1e3, threads=1, batch=64, repeats=30),
    )


@pytest.fixture
def ax():
    return Figure().subplots()


def written(ax):
    return [text.get_text() for text in ax.texts]


def test_bars_are_as_long_as_what_they_stand_for(ax):
    viz.ledger([entry("dense"), entry("sparse", share=0.1)], ax)
    widths = np.array([bar.get_width() for bar in ax.patches]).reshape(-1, 2)
    np.testing.assert_allclose(widths[:, 1] / widths[:, 0], [0.1, 1, 1, 0.1, 1], rtol=1e-5)
    assert np.ptp(widths[:, 0]) == 0
    starts = [bar.get_x() for bar in ax.patches][::2]
    assert starts == [1, 2, 3, 4, 5]


def test_every_number_stands_there_with_its_unit(ax):
    viz.ledger([entry("dense"), entry("sparse", share=0.1)], ax)
    texts = written(ax)
    assert texts.count("96.0 ± 2.5 %") == 2
    for text in ("1 M", "100 k  ÷10.0", "2.5 M", "4.0 MB", "400 kB bitmap  ÷10.0", "2 ms", "accuracy"):
        assert text in texts, text
    assert "time for 64 examples" in texts
    assert [label.get_text() for label in ax.get_yticklabels()] == ["dense", "sparse"]


def test_times_that_overlap_are_not_ranked(ax):
    times = [entry("a", ms=2.0), entry("b", ms=2.15), entry("c", ms=1.0), entry("d", ms=5.0)]
    viz.ledger(times, ax)
    assert [t for t in written(ax) if "ms" in t] == ["2 ms", "2.15 ms  ≈", "1 ms  ÷2.0", "5 ms  ×2.5"]


def test_a_line_marks_the_first_network_in_each_column(ax):
    viz.ledger([entry("small", share=0.5), entry("large")], ax)
    lines = [c for c in ax.collections if isinstance(c, LineCollection)]
    assert len(lines) == 6
    places = sorted(line.get_segments()[0][0][0] for line in lines)[1:]
    firsts = sorted(bar.get_x() + bar.get_width() for bar in ax.patches[::2])
    np.testing.assert_allclose(places, firsts)
    assert "1 M  ×2.0" in written(ax)


def test_networks_keep_their_colors(ax):
    viz.ledger([entry(str(k)) for k in range(3)], ax)
    assert [to_hex(bar.get_facecolor()).upper() for bar in ax.patches[:3]] == [color(k) for k in range(3)]


def test_what_was_not_measured_has_no_column(ax):
    viz.ledger([entry(accuracy=(), forms=[Dense()]), entry(accuracy=(), forms=[Dense()])], ax)
    assert "accuracy" not in written(ax)
    assert "smallest file" not in written(ax)
    assert len(ax.patches) == 4 * 2


def test_one_seed_has_no_interval(ax):
    viz.ledger([entry(accuracy=(0.5,)), entry(accuracy=()), entry(accuracy=(0.6,))], ax)
    assert [t for t in written(ax) if t.endswith("%")] == ["50.0 %", "60.0 %"]


def test_a_figure_of_its_own_in_which_all_fits():
    axes = viz.ledger([entry("dense"), entry("a name that is much longer than there is room", share=0.013)])
    assert axes.figure is pyplot.gcf()
    axes.figure.canvas.draw()
    window = axes.figure.bbox
    for text in (*axes.texts, *axes.get_yticklabels()):
        box = text.get_window_extent()
        assert window.x0 <= box.x0, text.get_text()
        assert box.x1 <= window.x1, text.get_text()
        assert box.y1 <= window.y1, text.get_text()
    rows = [t for t in axes.texts if t.get_position()[1] == 1]
    boxes = sorted((t.get_window_extent() for t in rows), key=lambda box: box.x0)
    assert all(a.x1 < b.x0 for a, b in pairwise(boxes))
    pyplot.close(axes.figure)


@pytest.mark.parametrize("count", [0, 13])
def test_too_few_or_too_many(count):
    with pytest.raises(ValueError, match=rf"ledger\.entries must be 1 to 12 of them, got {count}"):
        viz.ledger([entry()] * count)
