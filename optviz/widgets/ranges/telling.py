"""What the pictures of the range explorer say in words."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np

from optviz._clock import human_seconds
from optviz.quantize import Entropy
from optviz.widgets.ranges.compute import SHARES, Method, Outcome
from optviz.widgets.ranges.state import BITS, RangeState
from optviz.widgets.ranges.words import KINDS, WORDS
from optviz.widgets.series import gap, minus, numbered, over_seeds
from optviz.widgets.spelling import spelled

__all__ = [
    "accuracy_said",
    "all_of",
    "as_code",
    "as_table",
    "bits_said",
    "curve_said",
    "in_words",
    "name",
    "numbers_said",
    "split_said",
    "status",
    "what",
]


def name(state: RangeState, i: int, *, short: bool = False) -> str:
    """What a range is called."""
    kinds = [KINDS.get(type(r).__name__, type(r).__name__) for r in state.ranges]
    found = numbered(kinds)[i]
    return found.replace("moving avg", "average") if short else found


def what(state: RangeState) -> str:
    """The numbers that are rounded."""
    return WORDS["units" if state.of_units else "weights"].format(layer=state.tensor[-1])


def all_of(state: RangeState) -> str:
    """The numbers that are rounded when accuracy is measured."""
    return WORDS["all_units" if state.of_units else "all_weights"]


def numbers_said(result: Outcome, ends: Callable[[Outcome, Method], tuple[float, float]]) -> str:
    """How many numbers there are, and the ends of every range."""
    state = result.state
    known = [(i, m) for i, m in enumerate(result.here) if m is not None]
    if result.x is None or result.unit is None or not known:
        return _nothing(state)
    unit = float(result.unit[0]) if state.whole else 1.0
    each = [(name(state, i), *(unit * end for end in ends(result, m))) for i, m in known]
    said = ", ".join(WORDS["numbers_each"].format(name=n, low=a, high=b) for n, a, b in each)
    mean = "" if state.whole else WORDS["mean_of"].format(blocks=len(result.unit))
    numbers = {"count": result.x.size, "least": result.x.min(), "most": result.x.max(), "bits": state.bits}
    inside = float(np.quantile(abs(result.x), 0.99))
    return _plain(
        WORDS["numbers_said"].format(what=what(state), inside=inside, mean=mean, said=said, **numbers)
    )


def curve_said(result: Outcome) -> str:
    """Where a clip on both sides costs least."""
    if result.curve is None or result.unit is None:
        return _nothing(result.state)
    total = result.curve.sum(0)
    best = int(total.argmin())
    share, kind = 100 * SHARES[best], "at_value" if result.state.whole else "at_share"
    at = WORDS[kind].format(value=SHARES[best] * result.unit[0], share=share)
    rounding, clipping = 100 * result.curve[:, best]
    numbers = {"bits": result.state.bits, "least": 100 * total[best], "whole": 100 * total[-1]}
    return _plain(WORDS["curve_said"].format(at=at, rounding=rounding, clipping=clipping, **numbers))


def bits_said(result: Outcome) -> str:
    """The errors of every range over the bits."""
    said = []
    for i in range(len(result.state.ranges)):
        found = [result.methods.get((i, b)) for b in BITS]
        if all(found):
            values = ", ".join(f"{100 * m.error:.2g}" for m in found if m is not None)
            said.append(WORDS["bits_each"].format(name=name(result.state, i), values=values))
    if not said:
        return _nothing(result.state)
    return _plain(WORDS["bits_said"].format(first=BITS[0], last=BITS[-1], said="; ".join(said)))


def split_said(result: Outcome) -> str:
    """Rounding and clipping of every range."""
    state = result.state
    said = [
        WORDS["split_each"].format(name=name(state, i), rounding=100 * m.rounding, clipping=100 * m.clipping)
        for i, m in enumerate(result.here)
        if m is not None
    ]
    if not said:
        return _nothing(state)
    return _plain(WORDS["split_said"].format(bits=state.bits, said=", ".join(said)))


def accuracy_said(result: Outcome) -> str:
    """The accuracies at the chosen bits."""
    state, said = result.state, []
    for i in range(len(state.ranges)):
        right = result.accuracy.get((i, state.bits))
        if right is not None:
            said.append(WORDS["accuracy_each"].format(name=name(state, i), right=100 * right.mean()))
    if not said or result.dense is None:
        return _nothing(state)
    words = {"bits": state.bits, "seeds": over_seeds(state.seeds), "what": all_of(state)}
    images = len(state.problem.data.validation.y)
    dense = 100 * result.dense.mean()
    return WORDS["accuracy_said"].format(said=", ".join(said), dense=dense, images=images, **words)


def in_words(result: Outcome) -> str:
    """What the chosen range costs, against the best one and against floating point."""
    if result.progress < 1:
        return result.note
    state, here, i = result.state, result.here, result.chosen
    errors = [m.error for m in here if m is not None]
    mine, best = here[i], int(np.argmin(errors))
    assert mine is not None
    assert result.dense is not None
    right, dense = 100 * result.accuracy[i, state.bits], 100 * result.dense
    images = len(state.problem.data.validation.y)
    beaten = WORDS["better"].format(error=100 * errors[best], name=name(state, best))
    numbers = {
        "bits": state.bits,
        "name": name(state, i),
        "what": all_of(state),
        "gap": gap(right, dense, images),
    }
    numbers |= {"error": 100 * mine.error, "rounding": 100 * mine.rounding, "clipping": 100 * mine.clipping}
    told = WORDS["verdict"].format(
        best=WORDS["is_best"] if errors[best] >= mine.error else beaten,
        right=right.mean(),
        dense=dense.mean(),
        **numbers,
    )
    return _plain(told + _left_out(result))


def _left_out(result: Outcome) -> str:
    state = result.state
    if isinstance(state.range, Entropy) and state.per != state.grain:
        return WORDS["no_grain"]
    if not state.whole and result.x is not None and result.unit is not None:
        return WORDS["no_entropy"].format(count=result.x.size // len(result.unit))
    return "" if state.of_units else WORDS["one_batch"]


def status(result: Outcome) -> str:
    """Time and amount of work in a few words."""
    state, took = result.state, human_seconds(result.seconds)
    return WORDS["done"].format(seconds=took, count=state.seeds, ranges=len(state.ranges), bits=len(BITS))


def as_code(state: RangeState) -> str:
    """One line of Python that makes the same pictures again."""
    given = [f for f in fields(state) if getattr(state, f.name) != f.default]
    return f"range_lab({', '.join(f'{f.name}={spelled(getattr(state, f.name))}' for f in given)})"


def as_table(result: Outcome) -> Any:
    """The data of the pictures: one line for each range and number of bits."""
    import pandas as pd

    rows = [
        {
            "range": name(result.state, i),
            "bits": b,
            "low": float(m.code.low.mean()),
            "high": float(m.code.high.mean()),
            "rounding_error": m.rounding,
            "clipping_error": m.clipping,
            "accuracy": float(result.accuracy[i, b].mean()) if (i, b) in result.accuracy else np.nan,
            "networks": result.state.seeds,
        }
        for (i, b), m in sorted(result.methods.items())
    ]
    return pd.DataFrame(rows)


def _nothing(state: RangeState) -> str:
    return WORDS["nothing"].format(count=state.seeds, steps=state.steps)


def _plain(text: str) -> str:
    """Numbers without powers of ten, and with a minus sign, not a hyphen."""
    return minus(
        re.sub(r"\d(\.\d+)?e-\d+", lambda n: np.format_float_positional(float(n[0]), trim="-"), text)
    )
