"""Questions and exercises of lesson 11, Sparse learning, lottery tickets, N:M."""

from __future__ import annotations

from optviz.lessons.exercises.lesson_11.masks import REWIND, TWO_FOUR
from optviz.lessons.exercises.lesson_11.questions import QUESTIONS
from optviz.lessons.exercises.lesson_11.zeros import GROUPS, PROX

__all__ = ["EXERCISES", "QUESTIONS"]

EXERCISES = (PROX, GROUPS, REWIND, TWO_FOUR)
