"""The channel explorer: which units of a network go, what follows them out, and what that really saves."""

from __future__ import annotations

from typing import Any

from optviz.viz import Tiles
from optviz.widgets.channels.compute import Outcome, compute
from optviz.widgets.channels.draw import as_code, as_table, draw, in_words, status
from optviz.widgets.channels.state import NETWORKS, SCORES, LabState
from optviz.widgets.channels.words import CHANNEL_LAB as WORDS
from optviz.widgets.explorer import Explorer
from optviz.widgets.panel import Panel

__all__ = ["NETWORKS", "SCORES", "LabState", "Outcome", "channel_lab"]


def channel_lab(**shared: Any) -> Explorer:
    """Remove units of a real network: see which go, what follows them, and measure what that saves.

    In a notebook it shows itself as a live widget. Without a page, ``lab.set(share=0.25).result`` computes.

    Args:
        shared: fields of the explorer's state: ``network`` (one of ``NETWORKS``), ``score`` (one of
            ``SCORES``), ``share``, ``layer``, ``renewed_norms``, ``pictures``, ``updates``, ``steps``,
            ``seeds``, ``timed``.

    Returns:
        The explorer.

    Raises:
        TypeError: if there is no such field.
        ValueError: if a number is out of range, or the score needs batch norm and the network has none.

    Example:
        >>> lab = channel_lab(network="MLP, digits 8×8", steps=20, updates=0, seeds=1, timed=1)
        >>> lab.result.keep.sum(), lab.result.before.shape
        (np.int64(32), (1, 8))

    Reference: Li, Kadav, Durdanovic, Samet and Graf, Pruning filters for efficient convnets, 2016,
    arXiv:1608.08710; Fang, Ma, Song, Mi and Wang, DepGraph, 2023, arXiv:2301.12900.
    """
    return Explorer(
        LabState(**shared),
        compute,
        draw,
        panels={
            "units": Panel(404, 250, kind=Tiles, labels=False),
            "scores": Panel(404, 250),
            "graph": Panel(820, 250),
            "accuracy": Panel(404, 250),
            "cost": Panel(404, 250),
        },
        words=WORDS,
        code=as_code,
        verdict=in_words,
        status=status,
        table=as_table,
        point={"accuracy": ("share", None)},
        groups={WORDS["training_group"]: ("updates", "steps", "seeds", "timed")},
        fixed=lambda state: () if state.kind.norm else ("renewed_norms",),
        wait=lambda state: 0.3 if state.kind.norm else 0.0,
    )
