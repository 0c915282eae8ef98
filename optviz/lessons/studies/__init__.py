"""Measurements that take longer than a lesson may: made once, stored with their date, made again on request.

A study is a function of ``lesson_NN.py``, listed in its ``__all__``, that gives a table. ``study`` finds its
stored result; ``python -m optviz.lessons.studies 09.lenet300100`` measures it anew and stores it.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module

from optviz._knobs import require
from optviz.lessons.studies._storage import Study

__all__ = ["Study", "study", "study_ids"]


def study_ids() -> list[str]:
    """The ids of all studies.

    Example:
        >>> "09.lenet300100" in study_ids()
        True
    """
    lessons = sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name.startswith("lesson_"))
    return [f"{name[-2:]}.{one}" for name in lessons for one in import_module(f"{__name__}.{name}").__all__]


def study(id: str) -> Study:
    """A long measurement of a lesson with its stored result.

    Args:
        id: lesson and name, such as ``"09.lenet300100"``.

    Returns:
        The study: ``.table`` is what was measured, ``.when`` the day; ``.again()`` measures here and now.

    Raises:
        ValueError: if there is no such study; the message lists those there are.

    Example:
        >>> study("09.lenet300100").table.columns[0]
        'method'
    """
    require(id in study_ids(), "study.id", f"one of {', '.join(study_ids())}", id)
    lesson, _, name = id.partition(".")
    return Study(id, getattr(import_module(f"{__name__}.lesson_{lesson}"), name))
