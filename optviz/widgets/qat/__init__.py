"""The training-aware explorer: what is left at two bits when a network trains with them."""

from __future__ import annotations

from typing import Any

from optviz._knobs import require
from optviz.widgets.explorer import Explorer
from optviz.widgets.panel import Panel
from optviz.widgets.qat.compute import compute
from optviz.widgets.qat.draw import against, as_code, as_table, draw, in_words, status
from optviz.widgets.qat.state import LabState, problem_of
from optviz.widgets.qat.words import QAT_LAB as WORDS
from optviz.widgets.tasks import DATA

__all__ = ["against", "qat_lab"]


def qat_lab(**shared: Any) -> Explorer:
    """Round networks after training (PTQ), or train them while they are rounded (QAT), from 8 bits to 2.

    In a notebook it shows itself as a live widget. Without a page, ``lab.set(bits=3).result`` computes. For
    each seed five networks train while their weights are rounded to 8, 6, 4, 3 and 2 bits, and one without;
    that one is rounded to as many bits for PTQ, so that both have made as many updates.

    Args:
        shared: fields of the explorer's state: ``bits`` (that are shown), ``learned``, ``range``, ``per``,
            ``units``, ``trained``, ``lr``, ``steps``, ``data`` ("digits 8×8" or "MNIST-5k 14×14"),
            ``network``, ``batch``, ``seeds``, ``layer``, ``shown``.

    Returns:
        The explorer.

    Raises:
        TypeError: if there is no such field.
        ValueError: if a number is out of range, or the batch is larger than the training set.

    Example:
        >>> lab = qat_lab(steps=20, seeds=2, network=(8,))
        >>> lab.result.trained.shape, lab.result.done
        ((2, 5, 21), 2)

    Reference: Jacob and others, 2018, arXiv:1712.05877; Esser and others, 2019, arXiv:1902.08153.
    """
    if "steps" in shared and "shown" not in shared:
        shared["shown"] = shared["steps"]
    state = LabState(**shared)
    require(state.shown <= state.steps, "shown", f"at most {state.steps}", state.shown)
    problem_of(state)  # whatever is wrong is said here, not under the first picture
    return Explorer(
        state,
        compute,
        draw,
        panels={name: Panel() for name in ("bits", "course", "weights", "stairs", "slopes")},
        words=WORDS,
        code=as_code,
        verdict=in_words,
        status=status,
        table=as_table,
        wait=lambda state: 0.0 if state.data == next(iter(DATA)) else 0.3,
        groups={
            WORDS["rest"]: ("trained", "lr", "steps", "data", "network", "batch", "seeds"),
            WORDS["look"]: ("layer",),
        },
        play=("shown", lambda state: state.steps),
        point={"course": ("shown", None)},
    )
