"""What a lesson is made of: questions with explained choices, exercises with the mistakes that are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from optviz._knobs import require
from optviz.lessons.cards import card, shown

__all__ = ["Choice", "Exercise", "Mistake", "Question", "Verdict", "call"]


@dataclass(frozen=True)
class Choice:
    """One answer to a question, and what is said to the one who picks it.

    Args:
        text: the answer.
        why: why it is right, or the misconception behind it.
        right: whether it is the right one.

    Example:
        >>> Choice("2", "One and one.", right=True).right
        True
    """

    text: str
    why: str
    right: bool = False


@dataclass(frozen=True)
class Question:
    """A question with two or more choices, one of them right.

    Args:
        text: the question.
        choices: the answers, in the order shown.

    Raises:
        ValueError: unless there are at least two choices, exactly one right one, and a reason for each.

    Example:
        >>> Question("1 + 1?", (Choice("2", "Yes.", right=True), Choice("3", "One too many."))).text
        '1 + 1?'
    """

    text: str
    choices: tuple[Choice, ...]

    def __post_init__(self) -> None:
        require(len(self.choices) >= 2, "Question.choices", "two or more", len(self.choices))
        right = sum(choice.right for choice in self.choices)
        require(right == 1, "Question.choices", "exactly one right choice", right)
        unexplained = [choice.text for choice in self.choices if not choice.why]
        require(not unexplained, "Question.choices", "explained, each of them", unexplained)


@dataclass(frozen=True)
class Mistake:
    """A known wrong answer: the mistaken formula itself, which is what recognizes it.

    Args:
        name: what is wrong, in a few words.
        does: a function with the arguments of the exercise that makes this mistake.
        hints: three hints: a nudge, where to look, a worked line.

    Raises:
        ValueError: unless there are three hints.

    Example:
        >>> Mistake("wrong sign", lambda x: x, ("Sign?", "The minus.", "-x")).name
        'wrong sign'
    """

    name: str
    does: Callable[..., Any] = field(repr=False)
    hints: tuple[str, str, str]

    def __post_init__(self) -> None:
        require(len(self.hints) == 3, "Mistake.hints", "three (nudge, where, worked line)", self.hints)


def call(fn: Callable[..., Any], case: tuple[Any, ...]) -> Any:
    """The usual way to try a learner's function on a case: call it with the case as arguments.

    Example:
        >>> call(max, (1, 2))
        2
    """
    return fn(*case)


@dataclass(frozen=True)
class Exercise:
    """A function to write, the cases it is tried on, and the mistakes that are known.

    Args:
        id: lesson and name, e.g. ``"04.warmup"``.
        arguments: names of the function's arguments, in order.
        answer: a right answer. It is compared with, never shown.
        cases: tuples of arguments that the function is tried on.
        mistakes: the known wrong answers; the first that agrees on every case is named.
        hints: three hints for an answer that is wrong in a new way.
        praise: said when it is right.
        measure: (function, case) -> a number or a sequence of numbers to compare.
        explain: (function, case) -> more words on a wrong answer, or "".
        given: the faulty code that the learner starts from, where there is some; it counts as no attempt.
        seconds: time limit for all cases together.

    Raises:
        ValueError: if there are no cases, or not three hints.

    Example:
        >>> double = Exercise(
        ...     "00.double", ("x",), lambda x: 2 * x, ((1,), (3,)), (), ("Twice?", "Multiply.", "2 * x")
        ... )
        >>> double.measure(double.answer, double.cases[1])
        6
    """

    id: str
    arguments: tuple[str, ...]
    answer: Callable[..., Any] = field(repr=False)
    cases: tuple[tuple[Any, ...], ...] = field(repr=False)
    mistakes: tuple[Mistake, ...] = field(repr=False)
    hints: tuple[str, str, str] = field(repr=False)
    praise: str = ""
    measure: Callable[[Callable[..., Any], tuple[Any, ...]], Any] = field(default=call, repr=False)
    explain: Callable[[Callable[..., Any], tuple[Any, ...]], str] | None = field(default=None, repr=False)
    given: Callable[..., Any] | None = field(default=None, repr=False)
    seconds: float = 5.0

    def __post_init__(self) -> None:
        require(len(self.cases) > 0, "Exercise.cases", "at least one", len(self.cases))
        require(len(self.hints) == 3, "Exercise.hints", "three (nudge, where, worked line)", self.hints)


@dataclass(frozen=True)
class Verdict:
    """The answer to an attempt at an exercise; a notebook shows it as a box, a terminal as text.

    Args:
        passed: whether every case was right.
        mistake: the mistake by name, "" when there is none.
        hint: the hints so far, one a line.
        exercise: the exercise's id.
        detail: what was seen, e.g. the first case that went wrong, or what to do next.

    Example:
        >>> Verdict(False, "not attempted yet", exercise="04.warmup")
        04.warmup: not attempted yet
    """

    passed: bool
    mistake: str = ""
    hint: str = ""
    exercise: str = ""
    detail: str = ""

    def __str__(self) -> str:
        head = f"{self.exercise}: {'right' if self.passed else self.mistake}"
        return "\n".join(line for line in (head, self.detail, self.hint) if line)

    __repr__ = __str__

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        sign = "✓ right" if self.passed else f"✗ {self.mistake}"
        untouched = self.mistake == "not attempted yet"
        title = f"{self.exercise}: {self.mistake if untouched else sign}"
        tone = "right" if self.passed else "plain" if untouched else "wrong"
        lines = [*self.detail.split("\n"), *self.hint.split("\n")]
        return shown(str(self), card(title, *lines, tone=tone))
