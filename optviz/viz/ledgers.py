"""A picture of the ledger: what each network is worth and what it costs, beside the first one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from optviz._clock import human_bytes
from optviz._knobs import require
from optviz.viz._labels import fitted
from optviz.viz.style import INK, color

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from optviz.ledger import Entry

__all__ = ["ledger"]

MOST = 12  # entries in one picture
BAR = 0.46  # of a column's width has the longest bar; the rest is for the number behind it
SMALL = 8.5


@dataclass(frozen=True)
class _Column:
    """One kind of cost: its heading, its value and its text."""

    title: str
    value: Callable[[Any], float]
    text: Callable[[Any], str]
    spread: Callable[[Any], tuple[float, float]] | None = None


def ledger(entries: Sequence[Entry], ax: Axes | None = None) -> Axes:
    """Draw the ledger: a row for each network, a column for each cost, with all numbers written out.

    A bar is as long as its cost is large; the thin line in each column is the cost of the first network, and
    the number behind a bar is followed by how many times less (÷) or more (×) that is. Times have whiskers
    from quartile to quartile, and ≈ where these overlap with the first one's. Accuracies are dots with their
    95 % intervals over seeds, on a scale from the lowest to the highest.

    Args:
        entries: from ``ledger.entry``, at most 12; the first is what the others are compared with.
        ax: where to draw; a new figure when None, so that it shows in a notebook.

    Returns:
        The Axes.

    Raises:
        ValueError: if there is no entry, or more than 12.

    Example:
        >>> import torch
        >>> from matplotlib.figure import Figure
        >>> from optviz.ledger import entry
        >>> nets = [entry(f"{n} inputs", torch.nn.Linear(n, 10), torch.zeros(8, n)) for n in (64, 32)]
        >>> ax = ledger(nets, Figure().subplots())
        >>> [text.get_text() for text in ax.texts if "330" in text.get_text()]
        ['330  ÷2.0']

    Reference: Blalock, Gonzalez Ortiz, Frankle and Guttag, What is the state of neural network pruning?,
    2020, arXiv:2003.03033.
    """
    entries = list(entries)
    require(0 < len(entries) <= MOST, "ledger.entries", f"1 to {MOST} of them", len(entries))
    columns = _columns(entries)
    known = bool(entries[0].accuracy) or any(e.accuracy for e in entries)
    ax = _axes(ax, (2.0 + 1.85 * (len(columns) + known), 0.75 + 0.36 * len(entries)))
    if known:
        _accuracies(ax, entries)
    for at, column in enumerate(columns, start=int(known)):
        _bars(ax, at, column, entries)
    ax.set(xlim=(-0.02, len(columns) + known), ylim=(len(entries) - 0.5, -1.25))
    ax.set_yticks(
        range(len(entries)), [fitted(e.label, 130.0, 9.5) for e in entries], fontsize=9.5, color=INK
    )
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.grid(False)
    return ax


def _columns(entries: Sequence[Entry]) -> list[_Column]:
    """What is drawn: files in the plainest form and in each network's smallest, where there are several."""
    plain = next(iter(entries[0].bytes))
    found = [
        _Column("weights ≠ 0", lambda e: e.counts.nonzero, lambda e: _count(e.counts.nonzero)),
        _Column("multiplications\nof one example", lambda e: e.macs, lambda e: _count(e.macs)),
        _Column(f"file, {plain}", lambda e: e.bytes[plain], lambda e: human_bytes(e.bytes[plain])),
        _Column(
            "smallest file",
            lambda e: e.bytes[e.smallest],
            lambda e: f"{human_bytes(e.bytes[e.smallest])} {e.smallest}",
        ),
        _Column(
            f"time for {entries[0].latency.batch} examples",
            lambda e: e.latency.median,
            lambda e: _time(e.latency.median),
            lambda e: (e.latency.low, e.latency.high),
        ),
    ]
    return [c for c in found if len(entries[0].bytes) > 1 or c.title != "smallest file"]


def _bars(ax: Axes, at: int, column: _Column, entries: Sequence[Entry]) -> None:
    values = np.array([column.value(e) for e in entries], float)
    longest = max(values.max(), 1e-300)
    ends = at + BAR * values / longest
    rows = range(len(entries))
    ax.barh(rows, ends - at, 0.62, left=at, color=[color(k) for k in rows])
    ax.vlines(ends[0], -0.45, len(entries) - 0.55, color=INK, linewidth=0.8, zorder=3)
    spreads = [column.spread(e) if column.spread else (v, v) for e, v in zip(entries, values, strict=True)]
    for row, (e, end, (low, high)) in enumerate(zip(entries, ends, spreads, strict=True)):
        left, right = (at + BAR * min(v / longest, 1.15) for v in (low, high))
        ax.plot([left, right], [row, row], color=INK, linewidth=1.2, zorder=4, solid_capstyle="butt")
        unclear = row > 0 and high > low and low <= spreads[0][1] and spreads[0][0] <= high
        text = column.text(e) + ("  ≈" if unclear else _times(values[row], values[0]))
        _number(ax, max(end, right) + 0.02, row, text)
    ax.text(at, -0.62, column.title, va="bottom", fontsize=9, color=INK, fontweight="bold")


def _accuracies(ax: Axes, entries: Sequence[Entry]) -> None:
    found = np.array([e.interval for e in entries])
    half = np.nan_to_num(found[:, 1])
    low, high = np.nanmin(found[:, 0] - half), np.nanmax(found[:, 0] + half)
    width = max(high - low, 1e-9)
    where = 0.02 + (BAR - 0.04) * (found[:, 0] - low) / width
    for row, (x, spread) in enumerate(zip(where, (BAR - 0.04) * half / width, strict=True)):
        if np.isnan(x):
            continue
        ax.plot([x - spread, x + spread], [row, row], color=color(row), linewidth=2, solid_capstyle="butt")
        ax.plot([x], [row], "o", color=color(row), markersize=6)
        mean, over = (100 * v for v in found[row])
        text = f"{mean:.1f} %" if np.isnan(over) else f"{mean:.1f} ± {over:.1f} %"
        _number(ax, BAR + 0.02, row, text)
    if np.isfinite(where[0]):
        ax.vlines(where[0], -0.45, len(entries) - 0.55, color=INK, linewidth=0.8, zorder=0)
    ax.text(0, -0.62, "accuracy", va="bottom", fontsize=9, color=INK, fontweight="bold")


def _number(ax: Axes, x: float, row: int, text: str) -> None:
    """A number on a white ground, so that the thin line does not run through it."""
    ground = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
    ax.text(x, row, text, va="center", fontsize=SMALL, color=INK, bbox=ground, zorder=5)


def _times(value: float, first: float) -> str:
    """How many times less or more than the first; nothing where they are equal within 2 %."""
    if value <= 0 or first <= 0 or abs(value / first - 1) < 0.02:
        return ""
    ratio, sign = (first / value, "÷") if value < first else (value / first, "×")
    return f"  {sign}{ratio:.{0 if ratio >= 99.5 else 1 if ratio >= 1.1 else 2}f}"


def _count(value: float) -> str:
    for factor, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= 0.9995 * factor:
            return f"{value / factor:.3g}{unit}"
    return f"{value:g}"


def _time(seconds: float) -> str:
    return f"{1e3 * seconds:.3g} ms" if seconds >= 1e-3 else f"{1e6 * seconds:.3g} µs"


def _axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    if ax is not None:
        return ax
    from matplotlib import pyplot

    return pyplot.subplots(figsize=size, layout="constrained")[1]
