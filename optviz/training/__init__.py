"""Training: K runs as one, one module on any device, and what is recorded, watched and saved.

The names below are loaded when they are first used, so that K-run training in NumPy never waits for torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from optviz._lazy import lazy

if TYPE_CHECKING:
    from optviz.training.auditing import Audit, Finding, audit
    from optviz.training.checkpoint import Checkpoint
    from optviz.training.convert import to_torch
    from optviz.training.diverged import Diverged
    from optviz.training.finder import RangeTest, range_test
    from optviz.training.history import History, Run, Step, rate_table
    from optviz.training.monitors import EMA, Decision, EarlyStopping, Monitor, Plateau
    from optviz.training.rows import iterate, train
    from optviz.training.trainer import Trainer

_HOMES = {
    "EMA": "monitors",
    "Audit": "auditing",
    "Checkpoint": "checkpoint",
    "Decision": "monitors",
    "Diverged": "diverged",
    "EarlyStopping": "monitors",
    "Finding": "auditing",
    "History": "history",
    "Monitor": "monitors",
    "Plateau": "monitors",
    "RangeTest": "finder",
    "Run": "history",
    "Step": "history",
    "Trainer": "trainer",
    "audit": "auditing",
    "iterate": "rows",
    "range_test": "finder",
    "rate_table": "history",
    "to_torch": "convert",
    "train": "rows",
}

__all__ = [
    "EMA",
    "Audit",
    "Checkpoint",
    "Decision",
    "Diverged",
    "EarlyStopping",
    "Finding",
    "History",
    "Monitor",
    "Plateau",
    "RangeTest",
    "Run",
    "Step",
    "Trainer",
    "audit",
    "iterate",
    "range_test",
    "rate_table",
    "to_torch",
    "train",
]

__getattr__, __dir__ = lazy(__name__, {name: f"{__name__}.{home}" for name, home in _HOMES.items()})
