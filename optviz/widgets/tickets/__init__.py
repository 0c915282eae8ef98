"""The ticket explorer: does a sparse network train well from its first weights, and only from those?"""

from __future__ import annotations

from typing import Any

from optviz._knobs import require
from optviz.viz import Tiles
from optviz.widgets.explorer import Explorer
from optviz.widgets.panel import Panel
from optviz.widgets.tasks import DATA
from optviz.widgets.tickets.compute import compute
from optviz.widgets.tickets.draw import against, as_code, as_table, draw, in_words, status
from optviz.widgets.tickets.state import LabState, followed, problem_of
from optviz.widgets.tickets.words import TICKET_LAB as WORDS

__all__ = ["against", "ticket_lab"]


def ticket_lab(**shared: Any) -> Explorer:
    """Prune, go back to the first weights, train again; round after round, beside two controls.

    In a notebook it shows itself as a live widget. Without a page, ``lab.set(share=0.5).result`` computes.
    Each round trains three networks for each seed: the winning ticket (the largest weights of the round
    before, put back to what they were), the same first weights with a random mask of equal layers, and the
    ticket's mask with new first weights.

    Args:
        shared: fields of the explorer's state: ``data`` ("digits 8×8" or "MNIST-5k 14×14"), ``network``,
            ``scope``, ``share``, ``rounds``, ``rewind``, ``optimizer``, ``lr``, ``batch``, ``steps``,
            ``seeds``, ``shown``.

    Returns:
        The explorer.

    Raises:
        TypeError: if there is no such field.
        ValueError: if a number is out of range.

    Example:
        >>> lab = ticket_lab(rounds=2, steps=20, seeds=2)
        >>> lab.result.final("ticket").shape, lab.result.trained
        ((2, 2), 2)

    Reference: Frankle and Carbin, The lottery ticket hypothesis, 2019, arXiv:1803.03635.
    """
    if "rounds" in shared and "shown" not in shared:
        shared["shown"] = min(LabState.shown, shared["rounds"])
    state = LabState(**shared)
    require(state.shown <= state.rounds, "shown", f"at most {state.rounds}", state.shown)
    problem_of(state)  # whatever is wrong is said here, not under the first picture
    return Explorer(
        state,
        compute,
        draw,
        panels={"accuracy": Panel(), "early": Panel(), "masks": Panel(404, 226, kind=Tiles)},
        words=WORDS,
        code=as_code,
        verdict=in_words,
        status=status,
        table=as_table,
        adapt=followed,
        wait=lambda state: 0.0 if state.data == next(iter(DATA)) else 0.3,
        groups={WORDS["rest"]: ("data", "network", "optimizer", "lr", "batch", "steps", "seeds")},
        play=("shown", lambda state: state.rounds),
        point={"accuracy": ("shown", None)},
    )
