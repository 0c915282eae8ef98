"""The range explorer: real numbers of a network, where their range ends, and what that costs."""

from __future__ import annotations

from typing import Any

from optviz.widgets.explorer import Explorer
from optviz.widgets.panel import Panel
from optviz.widgets.ranges.compute import compute
from optviz.widgets.ranges.draw import draw
from optviz.widgets.ranges.state import ByHand, RangeState, adapted
from optviz.widgets.ranges.telling import as_code, as_table, in_words, status
from optviz.widgets.ranges.words import WORDS

__all__ = ["ByHand", "range_lab"]


def range_lab(**settings: Any) -> Explorer:
    """Drag the end of a range over real weights or hidden units: clipping error against rounding error.

    A wide range has coarse levels, a narrow one clips: the sum has a minimum in between. Every range of
    ``optviz.quantize`` is compared: its ends, its two errors, and how many validation images the networks
    still get right when all their weights, or all hidden units, are in this code.

    Args:
        settings: fields of the explorer's state: ``tensor`` ("weight1" … "weight3", "units1", "units2"),
            ``bits``, ``range`` (of ``optviz.quantize``, or ``ByHand()``), ``clip`` (where the latter ends, a
            share of the largest number), ``symmetric``, ``per`` (``PerTensor()``, ``PerChannel(0)``,
            ``PerGroup(16)``), ``hidden``, ``steps``, ``seeds``.

    Returns:
        The explorer.

    Raises:
        TypeError: if there is no such setting.
        ValueError: if a number is out of range, or a group's size doesn't divide the inputs of a layer.

    Example:
        >>> lab = range_lab(hidden=16, steps=60, seeds=2, clip=0.5)
        >>> method = lab.result.here[lab.result.chosen]
        >>> method.clipping > 0, lab.result.accuracy[0, 8].shape
        (True, (2,))

    Reference: Nagel and others, 2021, arXiv:2106.08295, section 3.1 (range setting); Wu and others, 2020,
    arXiv:2004.09602, section 3.3.
    """
    return Explorer(
        RangeState(**settings),
        compute,
        draw,
        panels={
            "numbers": Panel(820, 330),
            "curve": Panel(404, 270),
            "bits": Panel(404, 270),
            "split": Panel(404, 250),
            "accuracy": Panel(404, 250),
        },
        words=WORDS,
        code=as_code,
        verdict=in_words,
        status=status,
        table=as_table,
        adapt=adapted,
        fixed=lambda state: ("per",) if state.per != state.grain or state.of_units else (),
        groups={WORDS["rest"]: ("hidden", "steps", "seeds")},
        point={"numbers": ("clip", None), "curve": ("clip", None)},
    )
