"""Interactive lessons on how neural networks are made to train well and run cheaply.

The names below are loaded when they are first used, so that ``import optviz`` stays fast: it imports neither
torch nor matplotlib nor ipywidgets.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from optviz._version import __version__

if TYPE_CHECKING:
    from optviz import (
        data,
        evaluation,
        gradients,
        lessons,
        losses,
        models,
        optimizers,
        problems,
        schedules,
        training,
        viz,
        widgets,
    )
    from optviz._knobs import knobs
    from optviz.lessons import check, predict, quiz, show_source
    from optviz.training import History, Run, Step, Trainer, iterate, train
    from optviz.widgets import Explorer, schedule_lab, show

_ROOMS = (
    "data",
    "evaluation",
    "gradients",
    "lessons",
    "losses",
    "models",
    "optimizers",
    "problems",
    "schedules",
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
    "check": "optviz.lessons",
    "iterate": "optviz.training",
    "knobs": "optviz._knobs",
    "predict": "optviz.lessons",
    "quiz": "optviz.lessons",
    "schedule_lab": "optviz.widgets",
    "show": "optviz.widgets",
    "show_source": "optviz.lessons",
    "train": "optviz.training",
}

__all__ = [
    "Explorer",
    "History",
    "Run",
    "Step",
    "Trainer",
    "__version__",
    "check",
    "data",
    "evaluation",
    "gradients",
    "iterate",
    "knobs",
    "lessons",
    "losses",
    "models",
    "optimizers",
    "predict",
    "problems",
    "quiz",
    "schedule_lab",
    "schedules",
    "show",
    "show_source",
    "train",
    "training",
    "viz",
    "widgets",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"optviz.{name}")
    if name in _HOMES:
        value = globals()[name] = getattr(import_module(_HOMES[name]), name)
        return value
    raise AttributeError(f"module 'optviz' has no attribute {name!r}; see dir(optviz)")


def __dir__() -> list[str]:
    return sorted(__all__)
