"""Commit to a guess before the result shows; afterwards both are compared in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ipywidgets as w

from optviz._knobs import require
from optviz.lessons.cards import card, markup, sentence, shown

__all__ = ["Answer", "Prediction", "predict"]


def predict(
    question: str,
    choices: Sequence[str] = (),
    *,
    low: float = 0.0,
    high: float = 1.0,
    unit: str = "",
) -> Prediction:
    """Ask for a guess: one of the choices, or a number on a slider.

    Args:
        question: what to predict.
        choices: two or more answers; none for a number.
        low, high: the ends of the slider; whole numbers make a slider of whole numbers.
        unit: of the number.

    Returns:
        A :class:`Prediction`. Show it as the last line of a cell; in a later cell, end with
        ``prediction.reveal(measured)``.

    Raises:
        ValueError: if there is one choice or more than eight, or ``low`` is not below ``high``.

    Example:
        >>> guess = predict("How many of 100 images will be right?", low=0, high=100, unit="images")
        >>> guess.reveal(97)
        No guess yet. Measured: 97 images.
        >>> guess = predict("How many of 100 images will be right?", low=0, high=100, unit="images")
        >>> guess.commit(90)
        >>> guess.reveal(97)
        You said 90 images. Measured: 97 images. Close: 7 images too low.
    """
    count = len(choices)
    require(
        count == 0 or 2 <= count <= 8, "predict.choices", "two to eight (none for a number)", list(choices)
    )
    require(low < high, "predict.low", f"below high ({high})", low)
    return Prediction(question, tuple(choices), low, high, unit)


class Answer:
    """A sentence that a notebook shows in a box."""

    def __init__(self, text: str, tone: str) -> None:
        self.text, self.tone = text, tone

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        first, _, rest = self.text.partition(". ")
        return shown(self.text, card(f"{first}." if rest else first, rest, tone=self.tone))


class Prediction:
    """A question that waits for a guess; made by :func:`predict`.

    Args:
        question, choices, low, high, unit: as in :func:`predict`.
    """

    def __init__(self, question: str, choices: tuple[str, ...], low: float, high: float, unit: str) -> None:
        self.question, self.choices, self.low, self.high, self.unit = question, choices, low, high, unit
        self.guess: Any = None
        self.revealed = False
        self._note = w.HTML("<em>No guess yet.</em>")
        self.widget = self._view()

    def commit(self, guess: Any) -> None:
        """Make the guess, as pressing the button does. It can be changed until the result has been shown.

        Raises:
            ValueError: if it is none of the choices, or a number outside the slider.
        """
        if self.choices:
            require(guess in self.choices, "guess", f"one of {list(self.choices)}", guess)
        else:
            require(self.low <= guess <= self.high, "guess", f"in [{self.low}, {self.high}]", guess)
        if self.revealed:
            self._note.value = (
                "<em>The result is already on the page. Run this cell again to guess anew.</em>"
            )
            return
        self.guess = guess
        self._note.value = f"<em>Your guess: {markup(self._said(guess))}. Run on to see.</em>"

    def reveal(self, measured: Any, note: str = "") -> Answer:
        """Compare the guess with what was measured.

        Args:
            measured: a number, or the choice that turned out right.
            note: a sentence to add.

        Returns:
            An :class:`Answer`; as the last line of a notebook cell it shows itself.

        Raises:
            ValueError: if ``measured`` is none of the choices.
        """
        if self.choices:
            require(measured in self.choices, "measured", f"one of {list(self.choices)}", measured)
        self.revealed = True
        result = f"Measured: {self._said(measured)}."
        if self.guess is None:
            return Answer(" ".join(filter(None, ("No guess yet.", result, note))), "plain")
        words, good = self._compared(measured)
        said = f"You said {self._said(self.guess)}."
        return Answer(" ".join(filter(None, (said, result, words, note))), "right" if good else "wrong")

    def _compared(self, measured: Any) -> tuple[str, bool]:
        if self.choices:
            good = self.guess == measured
            return ("As you said." if good else "Not as you said."), good
        off = self.guess - measured
        good = abs(off) <= (self.high - self.low) / 10
        if self._said(off) == self._said(0):
            return "Exactly.", True
        way = f"{self._said(abs(off))} too {'high' if off > 0 else 'low'}."
        return (f"Close: {way}" if good else f"{way}"), good

    def _said(self, value: Any) -> str:
        if isinstance(value, str):
            return value
        number = f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
        return f"{number} {self.unit}".strip()

    def _view(self) -> w.VBox:
        rows: list[w.Widget] = [w.HTML(sentence(self.question, bold=True))]
        if self.choices:
            for n, choice in enumerate(self.choices):
                button = w.Button(
                    description="ABCDEFGH"[n], tooltip=choice, layout=w.Layout(width="36px", min_width="36px")
                )
                button.on_click(lambda _, choice=choice: self.commit(choice))
                rows.append(w.HBox([button, w.HTML(sentence(choice))], layout=w.Layout(align_items="center")))
        else:
            rows.append(self._slider())
        view = w.VBox([*rows, self._note])
        view.add_class("optviz-predict")
        return view

    def _slider(self) -> w.HBox:
        whole = isinstance(self.low, int) and isinstance(self.high, int)
        middle = (self.low + self.high) / 2
        kind, start = (w.IntSlider, int(middle)) if whole else (w.FloatSlider, middle)
        step = 1 if whole else (self.high - self.low) / 100
        slider = kind(
            value=start,
            min=self.low,
            max=self.high,
            step=step,
            description=self.unit or "guess",
            layout=w.Layout(width="420px", max_width="100%"),
        )
        button = w.Button(description="that is my guess", layout=w.Layout(width="150px"))
        button.on_click(lambda _: self.commit(slider.value))
        return w.HBox([slider, button], layout=w.Layout(flex_flow="row wrap"))

    def __repr__(self) -> str:
        if self.choices:
            lines = [f"   {'ABCDEFGH'[n]}) {choice}" for n, choice in enumerate(self.choices)]
        else:
            lines = [f"   a number from {self._said(self.low)} to {self._said(self.high)}"]
        return "\n".join([f"Predict: {self.question}", *lines])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        page = f'<div style="white-space: pre-wrap; line-height: 1.5">{markup(repr(self))}</div>'
        return shown(repr(self), page, self.widget)
