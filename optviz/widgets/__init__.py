"""Explorers: live pictures whose controls really recompute.

The controllers know nothing of ipywidgets; ``show`` puts one on the page.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optviz.widgets.explorer import Explorer
    from optviz.widgets.panel import Panel
    from optviz.widgets.schedule_explorer import schedule_lab
    from optviz.widgets.view import show

_HOMES = {"Explorer": "explorer", "Panel": "panel", "schedule_lab": "schedule_explorer", "show": "view"}

__all__ = ["Explorer", "Panel", "schedule_lab", "show"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
