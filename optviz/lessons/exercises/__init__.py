"""The questions and exercises of the lessons, one module a lesson."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import TYPE_CHECKING, Any

from optviz._knobs import require

if TYPE_CHECKING:
    from optviz.lessons.material import Exercise, Question

__all__ = ["exercise", "exercise_ids", "questions_of"]


def exercise_ids() -> list[str]:
    """The ids of all exercises.

    Example:
        >>> "04.warmup" in exercise_ids()
        True
    """
    return [task.id for lesson in _lessons() for task in _module(lesson).EXERCISES]


def exercise(id: str) -> Exercise:
    """The exercise with this id.

    Raises:
        ValueError: if there is none; the message lists those there are.

    Example:
        >>> exercise("04.warmup").arguments
        ('t', 'steps', 'lr')
    """
    lesson = id.partition(".")[0] if isinstance(id, str) else ""
    found = [task for task in _module(lesson).EXERCISES if task.id == id] if lesson in _lessons() else []
    if not found:
        require(False, "check.id", f"one of {', '.join(exercise_ids())}", id)
    return found[0]


def questions_of(lesson: str) -> tuple[Question, ...]:
    """The warm-up questions of a lesson.

    Args:
        lesson: two digits, such as ``"04"``.

    Raises:
        ValueError: if there are none; the message lists the lessons that have some.

    Example:
        >>> len(questions_of("00"))
        3
    """
    require(lesson in _lessons(), "lesson", f"one of {', '.join(_lessons())}", lesson)
    return _module(lesson).QUESTIONS


def _lessons() -> list[str]:
    names = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(name.removeprefix("lesson_") for name in names if name.startswith("lesson_"))


def _module(lesson: str) -> Any:
    return import_module(f"{__name__}.lesson_{lesson}")
