"""The five pictures of the channel explorer, and what they say in words."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np

from optviz._clock import human_seconds
from optviz.evaluation import paired, seed_interval
from optviz.viz import Frame, Line, Mosaic, Rule, bars
from optviz.widgets.channels.compute import Outcome
from optviz.widgets.channels.cuts import Costs
from optviz.widgets.channels.state import LabState
from optviz.widgets.channels.words import CHANNEL_LAB as WORDS
from optviz.widgets.panel import Picture
from optviz.widgets.series import over_seeds

__all__ = ["as_code", "as_table", "crossed", "draw", "in_words", "status"]

SIDE = 24  # pixels a side that a unit's picture has at least, so that a cross fits in
FADED, INK = 0.3, 0.15  # how much of a removed unit's picture is left, and the gray of the cross
LISTED = 8  # numbers of units in a sentence
KINDS = {
    "outputs": 0.21,
    "inputs": -0.21,
    "norms": 0.0,
}  # and where their bars stand beside the layer's place
FLOOR = 0.7  # where a logarithmic axis of counts begins
WIDE = 1.6  # times as wide as high is the room for the units


def draw(result: Outcome, pinned: tuple[Outcome, ...]) -> dict[str, Picture]:
    """The pictures of an outcome, with pinned ones as ghosts behind."""
    return {
        "units": _units(result),
        "scores": _scores(result),
        "graph": _graph(result),
        "accuracy": _accuracy(result, pinned),
        "cost": _cost(result, pinned),
    }


def crossed(images: np.ndarray, keep: np.ndarray, centered: bool) -> np.ndarray:
    """Pictures of U units for a mosaic: those that go faded and crossed out.

    Args:
        images: (U, H, W) numbers.
        keep: (U,) bool; empty: nothing is decided yet, and all are clear.
        centered: zero is drawn gray, else black.

    Returns:
        (R, C, H', W') between 0 (black) and 1 (white), NaN where no unit is left for a place.

    Example:
        >>> crossed(np.zeros((3, 2, 2)), np.array([True, False, True]), True).shape
        (1, 3, 24, 24)
    """
    top = max(float(abs(images).max(initial=0)), 1e-12)
    shown = 0.5 + 0.5 * images / top if centered else images / top
    times = -(-SIDE // min(shown.shape[1:]))
    shown = shown.repeat(times, 1).repeat(times, 2)
    count, height, width = shown.shape
    gone = np.zeros(count, bool) if not len(keep) else ~keep
    shown[gone] = 1 - FADED * (1 - shown[gone])
    rows, columns = np.indices((height, width))
    slope = (height - 1) / max(width - 1, 1)
    cross = (abs(rows - slope * columns) < 1) | (abs(rows - slope * (width - 1 - columns)) < 1)
    shown[gone] = np.where(cross, INK, shown[gone])
    across = max(
        range(1, count + 1), key=lambda c: (1 + 0.15 * (count % c == 0)) / max(c / WIDE, -(-count // c))
    )
    whole = np.full((-(-count // across) * across, height, width), np.nan)
    whole[:count] = shown
    return whole.reshape(-1, across, height, width)


def _large(count: int, across: int) -> float:
    """How large the pictures are with so many in a row; full rows are worth a little."""
    return (1 + 0.15 * (count % across == 0)) / max(across / WIDE, -(-count // across))


def _units(result: Outcome) -> Picture:
    count = len(result.images)
    if not count:
        return Picture(None, Frame(WORDS["units_none"], "", ""), WORDS["units_none"] + " 0 %")
    title = WORDS[f"units_{result.kind}"].format(layer=result.layer)
    gone = np.flatnonzero(~result.keep)
    named = ", ".join(str(i + 1) for i in gone[:LISTED]) + (", …" if len(gone) > LISTED else "")
    signed = result.kind in ("weights", "means")
    words = WORDS["units" if signed else "units_mean"]
    sentence = words.format(
        title=title, gone=len(gone), count=count, list=named or WORDS["nobody"], kept=count - len(gone)
    )
    mosaic = Mosaic(crossed(result.images, result.keep, signed))
    return Picture(mosaic, Frame(title, "", ""), sentence, (result.images.tobytes(), result.keep.tobytes()))


def _scores(result: Outcome) -> Picture:
    count = len(result.scores)
    title = WORDS["scores_title"].format(layer=result.layer or "…")
    frame = Frame(
        title,
        WORDS["scores_x"],
        WORDS["scores_y"],
        (0.3, max(count, 1) + 0.7),
        (0, 1.05),
        xticks=_ticks(count),
    )
    if not count:
        return Picture([], frame, title + ": 0 so far.")
    top = max(float(result.scores.max()), 1e-30)
    heights, at = result.scores / top, np.arange(1, count + 1)
    lines, said = [], []
    for k, (name, chosen) in enumerate((("stays", result.keep), ("goes", ~result.keep))):
        if chosen.any():
            lines.append(bars(heights[chosen], WORDS[name], k, at=at[chosen], width=0.8))
            said.append(f"{heights[chosen].min():.2f} to {heights[chosen].max():.2f}")
        else:
            said.append(WORDS["nobody"])
    sentence = WORDS["scores"].format(
        score=result.state.score, count=count, layer=result.layer, top=top, kept=said[0], gone=said[1]
    )
    return Picture(lines, frame, sentence)


def _ticks(count: int) -> tuple[tuple[float, str], ...]:
    step = next((s for s in (1, 2, 4, 8, 16, 32, 64) if count / s <= 10), 128)
    return tuple((float(i), str(i)) for i in range(step, count + 1, step))


def _graph(result: Outcome) -> Picture:
    spots = list(dict.fromkeys(bar.layer for bar in result.bars))
    lines, top = list[Line](), 2
    for k, (kind, shift) in enumerate(KINDS.items()):
        chosen = [bar for bar in result.bars if bar.kind == kind]
        if chosen:
            at = np.array([spots.index(bar.layer) + shift for bar in chosen])
            lines.append(_columns([bar.after for bar in chosen], at, WORDS[kind], k))
            lines.append(replace(_columns([bar.before for bar in chosen], at, "", k), ghost=True))
            top = max(top, *(bar.before for bar in chosen))
    ticks = tuple((float(i), name.replace(" ", "\n")) for i, name in enumerate(spots))
    words, xlim = (WORDS["graph_title"], "", WORDS["graph_y"]), (-0.6, max(len(spots), 1) - 0.4)
    frame = Frame(*words, xlim, (FLOOR, 1.3 * top), log=True, xticks=ticks)
    moved = [bar for bar in result.bars if bar.after < bar.before]
    said = "; ".join(f"{bar.layer} {WORDS[bar.kind]} {bar.before} → {bar.after}" for bar in moved)
    untouched = len(result.bars) - len(moved)
    sentence = WORDS["graph"].format(said=said or WORDS["nobody"], untouched=untouched)
    return Picture(lines, frame, sentence, result.bars)


def _columns(heights: list[int], at: np.ndarray, label: str, index: int) -> Line:
    """Bars on a logarithmic axis: they stand on its lower end."""
    line = bars(np.array(heights), label, index, at=at, width=0.4)
    y = np.where(np.isfinite(line.y), np.maximum(line.y, FLOOR), np.nan)
    return replace(line, y=y, low=np.full(y.size, FLOOR), high=y)


def _accuracy(result: Outcome, pinned: tuple[Outcome, ...]) -> Picture:
    lines, said = [], []
    for k, name in enumerate(("before", "after")):
        x, mean, half = _curve(result, name)
        if not len(x):
            continue
        low, high = (None, None) if half is None else (mean - half, mean + half)
        lines.append(Line(x, mean, WORDS[name], k, low, high, dot=len(x) == 1))
        at = int(np.argmin(abs(x - result.state.share)))
        if abs(x[at] - result.state.share) < 1e-9:
            around = "" if half is None else f" ± {100 * half[at]:.1f}"
            long = WORDS[f"{name}_long"].format(updates=result.state.updates)
            said.append(f"{long} {100 * mean[at]:.1f}{around} %")
    ghosts = [
        Line(x, mean, ghost=True)
        for old in pinned
        for x, mean, _ in (_curve(old, "before"), _curve(old, "after"))
        if len(x)
    ]
    rules = Rule(1 / 10, WORDS["guessing"]), Rule(result.state.share, WORDS["chosen"], "x")
    words = WORDS["accuracy_title"], WORDS["share"], WORDS["accuracy_y"]
    frame = Frame(*words, (0, max(0.9, result.shares.max())), (0, 1.0), percent=True, rules=rules)
    removed = f"{100 * result.state.share:.0f} % removed"
    sentence = f"{WORDS['accuracy_title']} ({over_seeds(result.state.seeds)}). {removed}: {'; '.join(said)}."
    return Picture(lines + ghosts, frame, sentence)


def _curve(result: Outcome, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Shares whose seeds are there, mean accuracy, and half of the 95 % interval if there are several.

    While the first seed is on its own, it is shown alone.
    """
    rows = getattr(result, name)
    full = np.isfinite(rows).all(axis=0)
    if not full.any():
        rows, full = rows[:1], np.isfinite(rows[0])
    rows = rows[:, full]
    several = len(rows) > 1 and rows.size > 0
    mean, half = seed_interval(rows, axis=0) if several else (rows[0], None)
    return result.shares[full], mean, half


def _cost(result: Outcome, pinned: tuple[Outcome, ...]) -> Picture:
    names = WORDS["columns"].split("|")
    frame = Frame(
        WORDS["cost_title"],
        WORDS["cost_x"],
        WORDS["cost_y"],
        (-0.6, len(names) - 0.4),
        (0, 1.25),
        percent=True,
        xticks=tuple((float(i), name) for i, name in enumerate(names)),
        rules=(Rule(1.0, WORDS["whole"]),),
    )
    if result.costs is None:
        return Picture([], frame, WORDS["cost_title"] + ": 0 of 3 measured so far.")
    table, quartiles = result.costs.table, result.costs.quartiles
    lines = [
        bars(table[k] / table[0], WORDS[name], k, at=np.arange(4) + shift, width=0.36)
        for k, name, shift in ((1, "masked", -0.2), (2, "shrunk", 0.2))
    ]
    lines += [
        Line(np.full(2, 3 + shift), quartiles[k] / table[0, 3], "", 6, thin=True)
        for k, shift in ((1, -0.2), (2, 0.2))
    ]
    ghosts = [
        Line(np.arange(4) + 0.2, old.costs.table[2] / old.costs.table[0], ghost=True)
        for old in pinned
        if old.costs is not None
    ]
    whole, small = table[0], table[2]
    said = [f"{name} {a:,.0f} → {b:,.0f}" for name, a, b in zip(names, whole[:3], small[:3], strict=False)]
    if np.isfinite(table[:, 3]).all():
        said += [
            f"{label} {1e3 * t:.3g} ms ({1e3 * low:.3g} to {1e3 * high:.3g})"
            for label, t, (low, high) in zip(
                ("whole", "masked", "shrunk"), table[:, 3], quartiles, strict=True
            )
        ]
    sentence = f"{'; '.join(said)}. {WORDS['timed'].format(images=result.state.timed)}"
    return Picture(lines + ghosts, frame, sentence)


def in_words(result: Outcome) -> str:
    """What the cut costs in accuracy and saves in time, or what is going on."""
    if result.progress < 1:
        return result.note
    here, cut, tuned = result.chosen, result.before, result.after
    removed = f"{100 * result.state.share:.0f} % of the units by {result.state.score}"
    said = f"{removed}: {100 * cut[:, 0].mean():.1f} % → {100 * cut[:, here].mean():.1f} % just cut"
    said += f" → {100 * tuned[:, here].mean():.1f} % fine-tuned" if result.state.updates else ""
    if result.state.seeds > 1 and here > 0:
        gap = paired(100 * tuned[:, here], 100 * tuned[:, 0], resolution=50 / result.examples)
        said += f", {gap.mean:+.1f} ± {gap.half_width:.1f} points against the whole network, trained as long"
    return said + ("." if result.costs is None else f". {_savings(result.costs)}")


def _savings(costs: Costs) -> str:
    """How many times less the smaller network costs; a time only counts beyond the quartiles."""
    table, quartiles = costs.table, costs.quartiles
    speeds = []
    for k in (2, 1):
        apart = quartiles[k, 1] < quartiles[0, 0] or quartiles[k, 0] > quartiles[0, 1]
        speeds.append(f"{table[0, 3] / table[k, 3]:.1f} times as fast" + ("" if apart else WORDS["level"]))
    fewer = table[0, :2] / table[2, :2]
    return WORDS["savings"].format(params=fewer[0], macs=fewer[1], shrunk=speeds[0], masked=speeds[1])


def status(result: Outcome) -> str:
    """Time and amount of work in a few words."""
    took = human_seconds(result.seconds)
    done = WORDS["done"].format(
        seconds=took, fresh=result.fresh, tuned=result.tuned, steps=result.state.steps
    )
    return done + (WORDS["remembered"] if result.fresh < result.state.seeds else "")


def as_code(state: LabState) -> str:
    """One line of Python that makes the same pictures again."""
    given = [(f.name, getattr(state, f.name)) for f in fields(state)]
    defaults = {f.name: f.default for f in fields(state)}
    return f"channel_lab({', '.join(f'{n}={v!r}' for n, v in given if v != defaults[n])})"


def as_table(result: Outcome) -> Any:
    """The accuracies: one line for each share and seed."""
    import pandas as pd

    seeds, shares = result.before.shape
    return pd.DataFrame(
        {
            "network": result.state.network,
            "score": result.state.score,
            "share_removed": np.repeat(result.shares, seeds),
            "seed": np.tile(np.arange(seeds), shares),
            "accuracy_cut": result.before.T.ravel(),
            "accuracy_fine_tuned": result.after.T.ravel(),
        }
    )
