"""How an outcome is drawn and told: accuracy over rounds, one round's training, where weights are left."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import numpy as np

from optviz import evaluation
from optviz._clock import human_seconds
from optviz.viz import Frame, Line, Mosaic
from optviz.widgets.panel import Picture
from optviz.widgets.series import interval, over_seeds
from optviz.widgets.spelling import spelled
from optviz.widgets.tickets.compute import NAMES as TRAINED
from optviz.widgets.tickets.compute import Outcome
from optviz.widgets.tickets.state import LabState
from optviz.widgets.tickets.words import TICKET_LAB as WORDS

__all__ = ["as_code", "as_table", "draw", "in_words", "status"]

NAMES = (*TRAINED, "dense")
DENSE = 6  # its color, a dark gray: it is what the others are held against
MOST_TICKS, MOST_GHOSTS = 5, 6


def draw(result: Outcome, pinned: tuple[Outcome, ...]) -> dict[str, Picture]:
    """The three pictures of an outcome, with pinned ones as ghosts behind."""
    return {"accuracy": _rounds(result, pinned), "early": _early(result, pinned), "masks": _masks(result)}


def _rounds(result: Outcome, pinned: tuple[Outcome, ...]) -> Picture:
    """Accuracy at the end of each round; equal steps of the axis are equal shares of the weights."""
    state, lines, said = result.state, [], []
    for name in NAMES:
        mean, half = interval(_ends(result, name))
        band = (None, None) if half is None else (mean - half, mean + half)
        lines.append(Line(np.arange(len(mean)), mean, WORDS[name], _shade(name), *band))
        said += _told(name, mean, half, state.shown)
    for old in pinned[-MOST_GHOSTS:]:
        x = np.arange(old.state.rounds + 1) * math.log(old.state.left(1)) / math.log(state.left(1))
        lines += [Line(x, interval(_ends(old, name))[0], "", ghost=True) for name in TRAINED]
    low = _floor([line.y for line in lines if line.index in (0, DENSE) and not line.ghost], 0.25)
    words = WORDS["accuracy_title"], WORDS["accuracy_x"], WORDS["accuracy_y"]
    ticks = _ticks(state)
    frame = Frame(*words, (0, state.rounds), (low, 1.0), percent=True, xticks=ticks)
    sentence = _sentence("accuracy_said", said, result, left=_share(state.left(state.shown)))
    return Picture(lines, frame, sentence, hold=True)


def _ends(result: Outcome, name: str) -> np.ndarray:
    """(n, R + 1) accuracies of the seeds that can be shown; before the first round all are dense."""
    count = max(result.trained, 1)
    dense = result.final("dense")[:count, None]
    if name == "dense":
        return np.broadcast_to(dense, (count, result.state.rounds + 1))
    return np.concatenate([dense, result.final(name)[:count]], axis=1)


def _ticks(state: LabState) -> tuple[tuple[float, str], ...]:
    every = math.ceil((state.rounds + 1) / MOST_TICKS)
    return tuple((float(r), _share(state.left(r))) for r in range(0, state.rounds + 1, every))


def _early(result: Outcome, pinned: tuple[Outcome, ...]) -> Picture:
    """The round that is shown while it trains."""
    state, lines, said, count = result.state, [], [], max(result.trained, 1)
    for name in NAMES:
        at, rows = _course(result, name, count)
        mean, half = interval(rows)
        band = (None, None) if half is None else (mean - half, mean + half)
        lines.append(Line(at, mean, WORDS[name], _shade(name), *band))
        said += _told(name, mean, half, int(np.searchsorted(at, _early_at(result))))
    for old in pinned[-MOST_GHOSTS:]:
        for name in TRAINED:
            at, rows = _course(old, name, max(old.trained, 1))
            lines.append(Line(at, interval(rows)[0], "", ghost=True))
    known = {"round": state.shown, "left": _share(state.left(state.shown))}
    words = WORDS["early_title"].format(**known), WORDS["early_x"], WORDS["early_y"]
    frame = Frame(*words, (0, state.steps), (0, 1), percent=True)
    sentence = _sentence("early_said", said, result, at=_early_at(result), round=state.shown)
    return Picture(lines, frame, sentence, hold=True)


def _course(result: Outcome, name: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Updates (M,) and accuracies (n, M) of one network in the round that is shown."""
    if name == "dense":
        return result.dense_at, result.dense[:count]
    return result.at, result.accuracy[TRAINED.index(name), :count, result.state.shown - 1]


def _early_at(result: Outcome) -> int:
    """A measurement early in training: after about a fifth of the updates."""
    return int(result.at[len(result.at) // 5])


def _masks(result: Outcome) -> Picture:
    """Where the first layer's weights are left: ticket and random mask at up to three rounds."""
    state, count = result.state, max(result.trained, 1)
    rounds = sorted({1, (state.shown + 2) // 2, state.shown})
    counts = result.pixels[:, :count].mean(1)[:, [r - 1 for r in rounds]]
    shown = np.full((2, 3, *counts.shape[2:]), np.nan)
    shown[:, : len(rounds)] = counts / np.maximum(counts.mean((2, 3), keepdims=True), 1e-9)
    there = bool(np.isfinite(shown).any())
    mosaic = Mosaic(shown, (WORDS["ticket"], WORDS["random"]), 0.0, 2.0) if there else None
    frame = Frame(WORDS["masks_title"], WORDS["masks_x"].format(rounds=_listed(rounds)), "")
    empty = (result.pixels[:, :count, state.shown - 1] == 0).sum((2, 3)).mean(1)
    words = {"round": state.shown, "ticket": empty[0], "random": empty[1], "pixels": counts[0, 0].size}
    kept = result.layers[:count, state.shown - 1].mean(0)
    words["layers"] = ", ".join(_share(share) for share in kept)
    sentence = WORDS["masks_said"].format(**words) if np.isfinite(counts[:, -1]).all() else WORDS["waiting"]
    return Picture(mosaic, frame, sentence, key=(shown.tobytes(), tuple(rounds)))


def _listed(rounds: list[int]) -> str:
    return ", ".join(str(r) for r in rounds)


def _shade(name: str) -> int:
    return DENSE if name == "dense" else TRAINED.index(name)


def _told(name: str, mean: np.ndarray, half: np.ndarray | None, at: int) -> list[str]:
    if at >= len(mean) or not np.isfinite(mean[at]):
        return []
    around = "" if half is None else f" ± {100 * half[at]:.1f}"
    return [WORDS["each"].format(label=WORDS[name], value=100 * mean[at], around=around)]


def _sentence(template: str, said: list[str], result: Outcome, **values: Any) -> str:
    if not said:
        return WORDS["waiting"]
    over = over_seeds(result.trained) + (WORDS["band"] if result.trained > 1 else "")
    return WORDS[template].format(said="; ".join(said), seeds=over, **values)


def _floor(series: list[np.ndarray], margin: float) -> float:
    """A lower end for an axis of accuracies, on fifths so that it rarely jumps."""
    there = np.concatenate([y[np.isfinite(y)] for y in series])
    return float(np.clip(math.floor((there.min() - margin) * 5) / 5, 0, 0.8)) if there.size else 0.0


def _share(value: float) -> str:
    """A share of the weights with two digits.

    Example:
        >>> _share(0.6), _share(0.0467), _share(0.00123)
        ('60 %', '4.7 %', '0.12 %')
    """
    return f"{float(f'{100 * value:.2g}'):g} %"


def in_words(result: Outcome) -> str:
    """The verdict on the round that is shown: the ticket against each of the others, paired over seeds."""
    if result.progress < 1:
        return result.note
    if result.state.seeds < 2:
        return WORDS["one"]
    if not np.isfinite(result.accuracy[:, :, result.state.shown - 1, -1]).all():
        return WORDS["diverged"]
    pairs, said = against(result), []
    for name, (pair, kind) in pairs.items():
        points = f"{abs(pair.mean):.1f} ± {pair.half_width:.1f} points"
        said.append(WORDS[kind].format(label=WORDS[name], points=points))
    left = _share(result.state.left(result.state.shown))
    count = result.state.seeds
    told = [WORDS["verdict"].format(left=left, said=", ".join(said), count=count)]
    told.append(WORDS[{"ahead": "matters", "level": "unclear", "behind": "harms"}[pairs["reinit"][1]]])
    low, high = evaluation.wilson(
        result.final("ticket")[:, result.state.shown - 1].mean() * result.images, result.images
    )
    return " ".join([*told, WORDS["sampling"].format(count=result.images, error=50 * (high - low))])


def against(result: Outcome) -> dict[str, tuple[evaluation.Paired, str]]:
    """The ticket minus each other network in the round that is shown, in points.

    Args:
        result: a finished outcome with two or more seeds.

    Returns:
        name -> (difference with the interval at which Holm's procedure tested it, ``"ahead"``, ``"behind"``
        or ``"level"``).
    """
    shown, others = result.state.shown - 1, [name for name in NAMES if name != "ticket"]
    ends = {n: 100 * (result.final(n) if n == "dense" else result.final(n)[:, shown]) for n in NAMES}
    one = 50 / result.images  # half an image, in points: no spread is smaller than that
    tested = evaluation.holm_paired([(ends["ticket"], ends[name]) for name in others], resolution=one)
    found = {}
    for name, pair in zip(others, tested, strict=True):
        found[name] = pair, "level" if pair.p > 0.05 else "ahead" if pair.mean > 0 else "behind"
    return found


def status(result: Outcome) -> str:
    """Time and amount of work in a few words."""
    state = result.state
    known = state.seeds * (1 + len(TRAINED) * state.rounds) - result.fresh
    took = human_seconds(result.seconds)
    done = WORDS["done"].format(seconds=took, fresh=result.fresh, steps=state.steps)
    return done + (WORDS["remembered"].format(known=known) if known and result.progress == 1 else "")


def as_code(state: LabState) -> str:
    """One line of Python that makes the same pictures again."""
    usual = LabState()
    own = [f.name for f in fields(state) if getattr(state, f.name) != getattr(usual, f.name)]
    return f"ticket_lab({', '.join(f'{name}={spelled(getattr(state, name))}' for name in own)})"


def as_table(result: Outcome) -> Any:
    """The data of the pictures: one line for each network, seed, round and measurement."""
    import pandas as pd

    c, s, r, m = result.accuracy.shape
    of_rounds = pd.DataFrame(
        {
            "network": np.repeat(np.array([WORDS[name] for name in TRAINED], dtype=object), s * r * m),
            "seed": np.tile(np.repeat(np.arange(s), r * m), c),
            "round": np.tile(np.repeat(np.arange(1, r + 1), m), c * s),
            "update": np.tile(result.at, c * s * r),
            "validation_accuracy": result.accuracy.ravel(),
        }
    )
    d = len(result.dense_at)
    dense = pd.DataFrame(
        {
            "network": WORDS["dense"],
            "seed": np.repeat(np.arange(s), d),
            "round": 0,
            "update": np.tile(result.dense_at, s),
            "validation_accuracy": result.dense.ravel(),
        }
    )
    found = pd.concat([dense, of_rounds], ignore_index=True)
    return found.assign(weights_left=[result.state.left(k) for k in found["round"]])
