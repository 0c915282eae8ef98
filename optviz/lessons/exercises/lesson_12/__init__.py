"""Questions and exercises of lesson 12, Quantization."""

from __future__ import annotations

from optviz.lessons.exercises.lesson_12.channels import CHANNELS
from optviz.lessons.exercises.lesson_12.codes import QPARAMS
from optviz.lessons.exercises.lesson_12.counting import SIZE
from optviz.lessons.exercises.lesson_12.layers import LAYER
from optviz.lessons.exercises.lesson_12.questions import QUESTIONS
from optviz.lessons.exercises.lesson_12.rounding import QUANTIZE

__all__ = ["EXERCISES", "QUESTIONS"]

EXERCISES = (QPARAMS, QUANTIZE, CHANNELS, LAYER, SIZE)
