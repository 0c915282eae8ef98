"""The only place that knows ipywidgets: an explorer as a live widget on a page."""

from __future__ import annotations

from typing import Any

from optviz.widgets.explorer import Explorer
from optviz.widgets.view.page import Page

__all__ = ["show"]


def show(explorer: Explorer) -> Any:
    """The explorer as a widget; the same one each time.

    Args:
        explorer: what to show.

    Returns:
        An ipywidgets widget. Where no widget manager runs, its committed output is the picture.

    Raises:
        TypeError: if it is no explorer.

    Example:
        >>> from optviz.schedules import Constant
        >>> from optviz.widgets import schedule_lab
        >>> lab = schedule_lab(Constant(0.1), steps=20, seeds=1)
        >>> show(lab) is show(lab)
        True
    """
    if not isinstance(explorer, Explorer):
        raise TypeError(f"explorer must be an Explorer, such as schedule_lab(), got {explorer!r}")
    if getattr(explorer, "page", None) is None:
        explorer.page = Page(explorer)
    return explorer.page
