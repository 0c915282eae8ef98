"""Questions and exercises of lesson 09, Weight pruning."""

from __future__ import annotations

from optviz.lessons.exercises.lesson_09.choosing import EXACT, ROWS
from optviz.lessons.exercises.lesson_09.counting import SPARSITY, TWICE
from optviz.lessons.exercises.lesson_09.holding import HOLD
from optviz.lessons.exercises.lesson_09.questions import QUESTIONS

__all__ = ["EXERCISES", "QUESTIONS"]

EXERCISES = (EXACT, HOLD, TWICE, SPARSITY, ROWS)
