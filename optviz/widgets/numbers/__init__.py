"""The number explorer: drag a value along the levels of a code, see what comes back."""

from __future__ import annotations

from typing import Any

from optviz._clock import human_seconds
from optviz.widgets.explorer import Explorer
from optviz.widgets.numbers.compute import compute
from optviz.widgets.numbers.draw import as_code, as_table, draw, in_words
from optviz.widgets.numbers.state import NumberState, adapted
from optviz.widgets.numbers.words import WORDS
from optviz.widgets.panel import Panel

__all__ = ["number_lab"]


def number_lab(x: float = 1.3, **settings: Any) -> Explorer:
    """Drag a value along the levels of a code: its integer, what comes back, and the error follow at once.

    q = clamp(round(x / s) + Z, low, high) and x̂ = s · (q − Z). Inside the code the error is at most s/2, from
    rounding; outside it grows with x, from clipping. Two mistakes can be switched on: a cast to few bits
    before the clamp, and a range that is not widened to hold 0. [play] walks through all levels.

    Args:
        x: the value.
        settings: the other fields of the state: ``bits`` (2 to 8), ``symmetric``, ``low`` and ``high`` (the
            range), ``way`` ("right", "cast" or "open"), ``level`` (then x is the value of this level).

    Returns:
        The explorer.

    Raises:
        TypeError: if there is no such setting.
        ValueError: if a number is out of range, or ``low`` is not below ``high``.

    Example:
        >>> lab = number_lab(1.3, bits=3, low=-1.0, high=2.0)
        >>> lab.result.code, round(lab.result.value, 4), lab.result.pattern
        (5, 1.2857, '101')

    Reference: Jacob and others, 2018, arXiv:1712.05877, section 2.1.
    """
    level = settings.pop("level", None)
    state = NumberState(x, **settings)
    state = adapted(state, state)
    explorer = Explorer(
        state,
        compute,
        draw,
        panels={
            "line": Panel(820, 190, labels=False),
            "stairs": Panel(404, 270, labels=False),
            "error": Panel(404, 270, labels=False),
            "bits": Panel(404, 160, labels=False),
        },
        words=WORDS,
        code=as_code,
        verdict=in_words,
        status=lambda result: WORDS["done"].format(seconds=human_seconds(result.seconds)),
        table=as_table,
        adapt=adapted,
        play=("level", lambda state: state.last),
        point={"line": ("x", None), "stairs": ("x", None), "error": ("x", None)},
    )
    return explorer if level is None else explorer.set(level=level)
