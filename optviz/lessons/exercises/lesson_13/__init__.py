"""Questions and exercises of lesson 13, Quantization-aware training."""

from __future__ import annotations

from optviz.lessons.exercises.lesson_13.books import CENTROIDS
from optviz.lessons.exercises.lesson_13.calibrating import CALIBRATION
from optviz.lessons.exercises.lesson_13.learned import LSQ
from optviz.lessons.exercises.lesson_13.levels import TERNARY
from optviz.lessons.exercises.lesson_13.questions import QUESTIONS
from optviz.lessons.exercises.lesson_13.straight import FAKE_QUANTIZE

__all__ = ["EXERCISES", "QUESTIONS"]

EXERCISES = (FAKE_QUANTIZE, LSQ, TERNARY, CENTROIDS, CALIBRATION)
