"""The normalization explorer: starts, norms and activations in a deep network, at every rate."""

from __future__ import annotations

from typing import Any

from optviz import initializers
from optviz.normalize import BatchNorm
from optviz.widgets.explorer import Explorer
from optviz.widgets.normalization.compute import compute
from optviz.widgets.normalization.draw import as_code, as_table, draw, in_words, status
from optviz.widgets.normalization.state import Entry, LabState
from optviz.widgets.normalization.words import NORMALIZATION_LAB as WORDS
from optviz.widgets.panel import Panel
from optviz.widgets.tasks import DATA

__all__ = ["Entry", "normalization_lab"]

FIRST = (
    Entry(initializers.HeNormal()),
    Entry(initializers.HeNormal(), BatchNorm()),
    Entry(initializers.XavierNormal()),
    Entry(initializers.Normal(0.01)),
)


def normalization_lab(*networks: Any, **shared: Any) -> Explorer:
    """Compare 1 to 6 deep networks that differ in start, norm and activation, at nine learning rates each.

    In a notebook it shows itself as a live widget. Without a page, ``lab.set(depth=3).result`` computes.

    Args:
        networks: initializers, or tuples (initializer, norm or None, activation); four when none is given:
            He's start without and with batch norm, Xavier's, and a fixed small one.
        shared: fields of the explorer's state: ``data`` ("digits 8×8" or "MNIST-5k 14×14"), ``depth``,
            ``width``, ``optimizer``, ``batch``, ``steps``, ``rate``, ``seeds``, ``shown``.

    Returns:
        The explorer.

    Raises:
        TypeError: if an initializer cannot be called.
        ValueError: if there are more than 6 networks, or a number is out of range.

    Example:
        >>> lab = normalization_lab(initializers.HeNormal(), depth=2, steps=20, seeds=1)
        >>> lab.result.sweep.shape, lab.state.labels
        ((1, 9, 1), ('He normal',))

    Reference: He et al., 2015, arXiv:1502.01852; Ioffe and Szegedy, 2015, arXiv:1502.03167.
    """
    entries = tuple(_entry(network) for network in networks) or FIRST
    state = LabState(entries, **shared)
    for entry in state.entries:  # whatever is wrong is said here, not under the first picture
        state.problem(entry)
    return Explorer(
        state,
        compute,
        draw,
        panels={name: Panel() for name in ("sweep", "loss", "signal", "gradient", "outputs", "gradients")},
        words=WORDS,
        code=as_code,
        verdict=in_words,
        status=status,
        table=as_table,
        point={"sweep": ("rate", None)},
        wait=lambda state: 0.0 if state.data == next(iter(DATA)) and state.width <= 64 else 0.3,
    )


def _entry(network: Any) -> Entry:
    if isinstance(network, Entry):
        return network
    return Entry(*network) if isinstance(network, tuple | list) else Entry(network)
