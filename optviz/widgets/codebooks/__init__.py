"""The codebook explorer: weights share a few values, which k-means finds and training moves."""

from __future__ import annotations

from typing import Any

from optviz._knobs import require
from optviz.widgets.codebooks.compute import compute
from optviz.widgets.codebooks.draw import draw
from optviz.widgets.codebooks.state import LabState
from optviz.widgets.codebooks.tell import as_code, as_table, in_words, status
from optviz.widgets.codebooks.words import CODEBOOK_LAB as WORDS
from optviz.widgets.explorer import Explorer
from optviz.widgets.panel import Panel

__all__ = ["codebook_lab"]


def codebook_lab(**settings: Any) -> Explorer:
    """Share the weights of real networks: k-means move by move, values in training, every byte of the file.

    In a notebook it shows itself as a live widget. Without a page, ``lab.set(bits=2).result`` computes. All
    bits with all seeds are trained as the rows of one training, beside networks in which each weight keeps
    its own value and trains as long.

    Args:
        settings: fields of the explorer's state: ``bits``, ``start`` (``LinearStart()``, ``DensityStart()``,
            ``RandomStart(seed)`` of ``optviz.quantize``), ``moves``, ``layer`` (``"weight1"`` to
            ``"weight3"``), ``lr``, ``updates``, ``mean``, ``sparsity``, ``data`` ("digits 8×8" or
            "MNIST-5k 14×14"), ``hidden``, ``steps``, ``seeds``, ``shown``.

    Returns:
        The explorer.

    Raises:
        TypeError: if there is no such field.
        ValueError: if a number is out of range.

    Example:
        >>> lab = codebook_lab(hidden=(8, 8), steps=40, updates=10, moves=5, seeds=2)
        >>> lab.result.tuned[3].accuracy.shape, lab.state.frames
        ((2,), 15)

    Reference: Han, Mao and Dally, Deep compression, 2015, arXiv:1510.00149.
    """
    if "shown" not in settings:
        settings = settings | {"shown": LabState(**settings | {"shown": 0}).frames}
    state = LabState(**settings)
    require(state.shown <= state.frames, "shown", f"at most {state.frames}", state.shown)
    names = ("weights", "paths", "course", "curve", "codes", "file")
    return Explorer(
        state,
        compute,
        draw,
        panels={name: Panel() for name in names},
        words=WORDS,
        code=as_code,
        verdict=in_words,
        status=status,
        table=as_table,
        wait=lambda state: 0.0 if state.data.startswith("digits") else 0.3,
        groups={WORDS["rest"]: ("sparsity", "data", "steps", "seeds")},
        play=("shown", lambda state: state.frames),
        point={"paths": ("shown", None), "curve": ("bits", None)},
    )
