"""Questions and exercises of lesson 04, Learning-rate schedules."""

from __future__ import annotations

from optviz.lessons.exercises.lesson_04.loops import LOOP, audited
from optviz.lessons.exercises.lesson_04.questions import QUESTIONS
from optviz.lessons.exercises.lesson_04.rates import COSINE, DROP, WARMUP

__all__ = ["EXERCISES", "QUESTIONS", "audited"]

EXERCISES = (WARMUP, COSINE, DROP, LOOP)
