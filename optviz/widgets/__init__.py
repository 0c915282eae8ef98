"""Explorers: live pictures whose controls really recompute.

The controllers know nothing of ipywidgets; ``show`` puts one on the page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from optviz._lazy import lazy

if TYPE_CHECKING:
    from optviz.widgets.augmentation import augmentation_lab
    from optviz.widgets.channels import channel_lab
    from optviz.widgets.codebooks import codebook_lab
    from optviz.widgets.descent import descent_lab
    from optviz.widgets.explorer import Explorer
    from optviz.widgets.landscape import landscape_lab
    from optviz.widgets.losses import loss_lab
    from optviz.widgets.normalization import normalization_lab
    from optviz.widgets.numbers import number_lab
    from optviz.widgets.panel import Panel
    from optviz.widgets.pruning import pruning_lab
    from optviz.widgets.qat import qat_lab
    from optviz.widgets.quantization import quantization_lab
    from optviz.widgets.race import optimizer_race
    from optviz.widgets.ranges import range_lab
    from optviz.widgets.regularization import regularization_lab
    from optviz.widgets.schedule_explorer import schedule_lab
    from optviz.widgets.tickets import ticket_lab
    from optviz.widgets.view import show

_HOMES = {
    "Explorer": "explorer",
    "Panel": "panel",
    "augmentation_lab": "augmentation",
    "channel_lab": "channels",
    "codebook_lab": "codebooks",
    "descent_lab": "descent",
    "landscape_lab": "landscape",
    "loss_lab": "losses",
    "normalization_lab": "normalization",
    "number_lab": "numbers",
    "pruning_lab": "pruning",
    "qat_lab": "qat",
    "quantization_lab": "quantization",
    "range_lab": "ranges",
    "regularization_lab": "regularization",
    "optimizer_race": "race",
    "schedule_lab": "schedule_explorer",
    "show": "view",
    "ticket_lab": "tickets",
}

__all__ = [
    "Explorer",
    "Panel",
    "augmentation_lab",
    "channel_lab",
    "codebook_lab",
    "descent_lab",
    "landscape_lab",
    "loss_lab",
    "normalization_lab",
    "number_lab",
    "optimizer_race",
    "pruning_lab",
    "qat_lab",
    "quantization_lab",
    "range_lab",
    "regularization_lab",
    "schedule_lab",
    "show",
    "ticket_lab",
]

__getattr__, __dir__ = lazy(__name__, {name: f"{__name__}.{home}" for name, home in _HOMES.items()})
