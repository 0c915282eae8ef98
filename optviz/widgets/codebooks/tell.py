"""What a finished outcome of the codebook explorer says: a verdict, a status, a table, a line of code."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from optviz._clock import human_seconds
from optviz.widgets.codebooks.compute import OWN, Outcome, told
from optviz.widgets.codebooks.state import LabState, percent
from optviz.widgets.codebooks.words import CODEBOOK_LAB as WORDS
from optviz.widgets.series import gap
from optviz.widgets.spelling import spelled

__all__ = ["PARTS", "as_code", "as_table", "by_bits", "in_words", "sizes", "status"]

NEAR = 0.005  # half a point of accuracy
HARM = 2  # points of accuracy that training may cost by chance
PARTS = ("labels", "gaps", "codebooks", "plain", "whole")


def by_bits(result: Outcome, tuned: bool) -> tuple[np.ndarray, np.ndarray]:
    """Bits (B,) that are known, and accuracies (S, B)."""
    found: Any = result.tuned if tuned else result.shared
    bits = [b for b in result.state.levels if b in found]
    rows = np.array([found[b].accuracy for b in bits]).T
    return np.array(bits, float), rows.reshape(result.state.seeds, len(bits))


def sizes(result: Outcome) -> tuple[np.ndarray, np.ndarray]:
    """Bits (B,) that are known, and kilobytes (parts, B) in the order of ``PARTS``."""
    bits = [b for b in result.state.levels if b in result.spent]
    each = [result.spent[b][0] for b in bits]
    columns = [(p.values, p.gaps, p.codebooks + p.tables, p.plain + p.header, p.total) for p in each]
    return np.array(bits, float), np.array(columns, float).reshape(len(bits), len(PARTS)).T / 1000


def in_words(result: Outcome) -> str:
    """How the shared networks stand against those that kept their own values, or what is going on."""
    if result.progress < 1:
        return result.note
    state = result.state
    tuned, own = result.tuned[state.bits], result.tuned[OWN]
    if not tuned.finite:
        return WORDS["diverged"]
    before, after, alone = (
        100 * a for a in (result.shared[state.bits].accuracy, tuned.accuracy, own.accuracy)
    )
    images = len(state.problem.data.validation.y)
    said = WORDS["verdict"].format(
        bits=told(state.bits), sparsity=percent(state.sparsity), before=before.mean(), after=after.mean(),
        own=alone.mean(), gain=gap(after, before, images), gap=gap(after, alone, images),
    )  # fmt: skip
    if after.mean() < before.mean() - HARM:
        return said + WORDS["harmed"]
    near = [b for b in state.levels if result.tuned[b].accuracy.mean() >= own.accuracy.mean() - NEAR]
    said += WORDS["furthest"].format(bits=told(near[0])) if near else WORDS["none"]
    return said + WORDS["small"].format(times=result.spent[state.bits][0].times)


def status(result: Outcome) -> str:
    """Time and amount of work in a few words."""
    done = WORDS["done"].format(seconds=human_seconds(result.seconds), fresh=result.fresh)
    whole = result.state.seeds * (len(result.state.levels) + 3)
    return done + (WORDS["remembered"] if result.fresh < whole and result.progress == 1 else "")


def as_code(state: LabState) -> str:
    """One line of Python that makes the same pictures again."""
    own = [f.name for f in fields(state) if getattr(state, f.name) != f.default]
    if state.shown == state.frames and "shown" in own:
        own.remove("shown")  # where it starts
    elif state.shown != state.frames and "shown" not in own:
        own.append("shown")
    return f"codebook_lab({', '.join(f'{name}={spelled(getattr(state, name))}' for name in own)})"


def as_table(result: Outcome) -> Any:
    """The data of the curve: one line for each number of bits and seed; bytes are the first network's."""
    import pandas as pd

    bits, before = by_bits(result, False)
    after, s = by_bits(result, True)[1], result.state.seeds
    spent = {name: np.repeat(1000 * row, s) for name, row in zip(PARTS, sizes(result)[1], strict=True)}
    return pd.DataFrame(
        {
            "bits": np.repeat(bits.astype(int), s),
            "seed": np.tile(np.arange(s), len(bits)),
            "accuracy_shared": before.T.ravel(),
            "accuracy_trained": after.T.ravel(),
            **{
                f"{WORDS[name].replace(', ', '_').replace(' ', '_')}_bytes": size
                for name, size in spent.items()
            },
        }
    )
