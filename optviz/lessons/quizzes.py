"""Retrieval questions: pick an answer, read why it is right or which misconception it is."""

from __future__ import annotations

import html
from typing import Any

import ipywidgets as w

from optviz._knobs import require
from optviz.lessons.cards import card, sentence, shown
from optviz.lessons.material import Question

__all__ = ["Quiz", "quiz"]

LETTERS = "ABCDEFGH"


def quiz(*questions: str | Question) -> Quiz:
    """Show questions with buttons; nothing is revealed before a choice is made.

    Args:
        questions: the number of a lesson, such as ``"04"``, for its warm-up questions; or questions of
            your own.

    Returns:
        A :class:`Quiz`; as the last line of a notebook cell it shows itself.

    Raises:
        ValueError: if there is no question, or no lesson with this number.

    Example:
        >>> from optviz.lessons import Choice, Question
        >>> q = quiz(Question("1 + 1?", (Choice("2", "Yes.", right=True), Choice("3", "One too many."))))
        >>> q.pick(0, "B")
        '✗ B. One too many.'
        >>> q
        1. 1 + 1?
           A) 2
           B) 3
    """
    from optviz.lessons.exercises import questions_of

    found: list[Question] = []
    for item in questions:
        found += questions_of(item) if isinstance(item, str) else [item]
    require(len(found) > 0, "quiz", "given a lesson's number or at least one Question", questions)
    return Quiz(tuple(found))


class Quiz:
    """Questions on show, and the choices made so far.

    Args:
        questions: what is asked.

    Example:
        >>> len(quiz("04").questions)
        3
    """

    def __init__(self, questions: tuple[Question, ...]) -> None:
        self.questions = questions
        self.picked: list[list[int]] = [[] for _ in questions]
        self._answers = [w.HTML() for _ in questions]
        self._buttons = [[self._button(q, c) for c in range(len(x.choices))] for q, x in enumerate(questions)]
        self.widget = self._view()

    def pick(self, question: int, letter: str) -> str:
        """Choose an answer, as pressing its button does.

        Args:
            question: 0-based number of the question.
            letter: "A", "B", …

        Returns:
            What is said to this choice.

        Raises:
            ValueError: if there is no such question or choice.
        """
        require(0 <= question < len(self.questions), "question", f"below {len(self.questions)}", question)
        choices = self.questions[question].choices
        require(letter in tuple(LETTERS[: len(choices)]), "letter", f"in {LETTERS[: len(choices)]}", letter)
        index = LETTERS.index(letter)
        choice = choices[index]
        self.picked[question].append(index)
        self._buttons[question][index].button_style = "success" if choice.right else "danger"
        title = f"{'✓' if choice.right else '✗'} {letter}."
        self._answers[question].value = card(title, choice.why, tone="right" if choice.right else "wrong")
        return f"{title} {choice.why}"

    def _button(self, question: int, index: int) -> w.Button:
        button = w.Button(
            description=LETTERS[index],
            tooltip=self.questions[question].choices[index].text,
            layout=w.Layout(width="36px", min_width="36px"),
        )
        button.on_click(lambda _: self.pick(question, LETTERS[index]))
        return button

    def _view(self) -> w.VBox:
        parts: list[w.Widget] = []
        for n, question in enumerate(self.questions):
            parts.append(w.HTML(sentence(f"{n + 1}. {question.text}", bold=True)))
            for button, choice in zip(self._buttons[n], question.choices, strict=True):
                row = w.HBox([button, w.HTML(sentence(choice.text))], layout=w.Layout(align_items="center"))
                parts.append(row)
            parts.append(self._answers[n])
        view = w.VBox(parts)
        view.add_class("optviz-quiz")
        return view

    def __repr__(self) -> str:
        lines = []
        for n, question in enumerate(self.questions):
            lines.append(f"{n + 1}. {question.text}")
            lines += [f"   {LETTERS[i]}) {c.text}" for i, c in enumerate(question.choices)]
        return "\n".join(lines)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        text = html.escape(repr(self), quote=False)
        note = "<em>The buttons appear when this notebook runs.</em>"
        page = f'<div style="white-space: pre-wrap; line-height: 1.5">{text}</div>{note}'
        return shown(repr(self), page, self.widget)
