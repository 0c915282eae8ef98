"""What a lesson needs beside the techniques: source on show, quizzes, predictions, checked exercises."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optviz._lazy import lazy

if TYPE_CHECKING:
    from optviz.lessons.checking import check
    from optviz.lessons.comparison import OwnBest, own_best
    from optviz.lessons.material import Choice, Exercise, Mistake, Question, Verdict
    from optviz.lessons.predictions import predict
    from optviz.lessons.quizzes import quiz
    from optviz.lessons.session import setup
    from optviz.lessons.source import show_source
    from optviz.lessons.studies import Study, study

__all__ = [
    "Choice",
    "Exercise",
    "Mistake",
    "OwnBest",
    "Question",
    "Study",
    "Verdict",
    "check",
    "own_best",
    "predict",
    "quiz",
    "setup",
    "show_source",
    "study",
]

_HOME = {  # no module has the name of a function: importing it would hide the function
    "check": "checking",
    "predict": "predictions",
    "quiz": "quizzes",
    "setup": "session",
    "show_source": "source",
    **dict.fromkeys(("Study", "study"), "studies"),
    **dict.fromkeys(("OwnBest", "own_best"), "comparison"),
    **dict.fromkeys(("Choice", "Exercise", "Mistake", "Question", "Verdict"), "material"),
}

__getattr__, __dir__ = lazy(__name__, {name: f"{__name__}.{home}" for name, home in _HOME.items()})
