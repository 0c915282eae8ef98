"""Training: K runs as one, one module on any device, and what is recorded, watched and saved.

The names below are loaded when they are first used, so that K-run training in NumPy never waits for torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optviz.training.history import History, Run, Step, rate_table
    from optviz.training.monitors import EMA, EarlyStopping, Plateau
    from optviz.training.rows import iterate, train
    from optviz.training.trainer import Trainer

_HOMES = {
    "EMA": "monitors",
    "EarlyStopping": "monitors",
    "History": "history",
    "Plateau": "monitors",
    "Run": "history",
    "Step": "history",
    "Trainer": "trainer",
    "iterate": "rows",
    "rate_table": "history",
    "train": "rows",
}

__all__ = [
    "EMA",
    "EarlyStopping",
    "History",
    "Plateau",
    "Run",
    "Step",
    "Trainer",
    "iterate",
    "rate_table",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
