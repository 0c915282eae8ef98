"""The pruning explorer: which weights go, what that costs at once and retrained, and what it saves."""

from __future__ import annotations

from typing import Any

from optviz.viz import Tiles
from optviz.widgets.explorer import Explorer
from optviz.widgets.panel import Panel
from optviz.widgets.pruning.compute import compute
from optviz.widgets.pruning.draw import as_code, as_table, draw, in_words, status
from optviz.widgets.pruning.masking import BySensitivity
from optviz.widgets.pruning.state import LabState
from optviz.widgets.pruning.timing import Gradual, Iterative, OneShot
from optviz.widgets.pruning.words import PRUNING_LAB as WORDS

__all__ = ["BySensitivity", "Gradual", "Iterative", "OneShot", "pruning_lab"]


def pruning_lab(**settings: Any) -> Explorer:
    """Prune real networks: which weights go, the accuracy at once and retrained, files and time.

    In a notebook it shows itself as a live widget. Without a page, ``lab.set(sparsity=0.95).result``
    computes. Eight sparsities with all seeds are retrained as the rows of one training; at sparsity 0 the
    dense networks are trained on as long, which is what the others are compared with.

    Args:
        settings: fields of the explorer's state: ``sparsity``, ``score`` (of ``optviz.recipes``), ``scope``
            (of ``optviz.prune``, or ``BySensitivity()``), ``when`` (``OneShot()``, ``Iterative(5)``,
            ``Gradual()``), ``data`` ("digits 8×8" or "MNIST-5k 14×14"), ``network``, ``steps``, ``retrain``,
            ``lr``, ``seeds``.

    Returns:
        The explorer.

    Raises:
        TypeError: if there is no such field.
        ValueError: if a number is out of range, or a group size doesn't divide the inputs of a layer.

    Example:
        >>> lab = pruning_lab(network=(8,), steps=60, retrain=20, seeds=2)
        >>> lab.result.after.shape
        (8, 2)

    Reference: Han, Pool, Tran and Dally, 2015, arXiv:1506.02626; Zhu and Gupta, 2017, arXiv:1710.01878.
    """
    return Explorer(
        LabState(**settings),
        compute,
        draw,
        panels={
            "units": Panel(kind=Tiles),
            **{name: Panel() for name in ("curve", "course", "shares", "scan", "ledger")},
        },
        words=WORDS,
        code=as_code,
        verdict=in_words,
        status=status,
        table=as_table,
        fixed=lambda state: ("sparsity", "when") if state.semi else (),
        groups={WORDS["rest"]: ("data", "network", "steps", "retrain", "lr", "seeds")},
    )
