"""Interactive lessons on how neural networks are made to train well and run cheaply.

The names below are loaded when they are first used, so that ``import optviz`` stays fast: it imports neither
torch nor matplotlib nor ipywidgets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from optviz._lazy import lazy
from optviz._version import __version__

if TYPE_CHECKING:
    from optviz import (
        activations,
        data,
        deploy,
        evaluation,
        gradients,
        initializers,
        landscapes,
        ledger,
        lessons,
        losses,
        models,
        normalize,
        optimizers,
        problems,
        prune,
        quantize,
        recipes,
        regularize,
        schedules,
        surfaces,
        training,
        viz,
        widgets,
    )
    from optviz._knobs import knobs
    from optviz.lessons import check, predict, quiz, show_source
    from optviz.training import History, Run, Step, Trainer, iterate, train
    from optviz.widgets import (
        Explorer,
        augmentation_lab,
        channel_lab,
        descent_lab,
        landscape_lab,
        loss_lab,
        normalization_lab,
        optimizer_race,
        pruning_lab,
        regularization_lab,
        schedule_lab,
        show,
        ticket_lab,
    )

_ROOMS = (
    "activations",
    "data",
    "deploy",
    "evaluation",
    "gradients",
    "initializers",
    "landscapes",
    "ledger",
    "lessons",
    "losses",
    "models",
    "normalize",
    "optimizers",
    "problems",
    "prune",
    "quantize",
    "recipes",
    "regularize",
    "schedules",
    "surfaces",
    "training",
    "viz",
    "widgets",
)
_HOMES = {
    "Explorer": "optviz.widgets",
    "History": "optviz.training",
    "Run": "optviz.training",
    "Step": "optviz.training",
    "Trainer": "optviz.training",
    "augmentation_lab": "optviz.widgets",
    "channel_lab": "optviz.widgets",
    "check": "optviz.lessons",
    "descent_lab": "optviz.widgets",
    "iterate": "optviz.training",
    "knobs": "optviz._knobs",
    "landscape_lab": "optviz.widgets",
    "loss_lab": "optviz.widgets",
    "normalization_lab": "optviz.widgets",
    "regularization_lab": "optviz.widgets",
    "optimizer_race": "optviz.widgets",
    "predict": "optviz.lessons",
    "pruning_lab": "optviz.widgets",
    "quiz": "optviz.lessons",
    "schedule_lab": "optviz.widgets",
    "show": "optviz.widgets",
    "show_source": "optviz.lessons",
    "ticket_lab": "optviz.widgets",
    "train": "optviz.training",
}

__all__ = [
    "Explorer",
    "History",
    "Run",
    "Step",
    "Trainer",
    "__version__",
    "activations",
    "augmentation_lab",
    "channel_lab",
    "check",
    "data",
    "descent_lab",
    "evaluation",
    "gradients",
    "initializers",
    "iterate",
    "knobs",
    "landscape_lab",
    "landscapes",
    "ledger",
    "lessons",
    "loss_lab",
    "losses",
    "models",
    "normalization_lab",
    "normalize",
    "optimizer_race",
    "optimizers",
    "predict",
    "problems",
    "quiz",
    "recipes",
    "regularization_lab",
    "regularize",
    "schedule_lab",
    "schedules",
    "show",
    "show_source",
    "surfaces",
    "ticket_lab",
    "train",
    "training",
    "viz",
    "widgets",
]

__getattr__, __dir__ = lazy(__name__, {room: f"optviz.{room}" for room in _ROOMS} | _HOMES)
