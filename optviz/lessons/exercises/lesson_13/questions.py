"""The warm-up questions of lesson 13."""

from __future__ import annotations

from optviz.lessons.material import Choice, Question

__all__ = ["QUESTIONS"]

QUESTIONS = (
    Question(
        "An int8 code has the scale 0.1 and the zero point 0. The number 20 is quantized and read back. What "
        "should come out?",
        (
            Choice(
                "20: 20 / 0.1 = 200 is an integer.",
                "It is, but int8 ends at 127.",
            ),
            Choice(
                "−5.6.",
                "That is what a cast without a clamp gives: 200 wraps around to −56.",
            ),
            Choice(
                "12.7.",
                "Yes: 200 is clamped to 127. All numbers above 12.7 come out alike.",
                right=True,
            ),
        ),
    ),
    Question(
        "One filter of a convolution has weights up to ±10, the others up to ±0.1. With one 8-bit scale for "
        "all: how many integers are left for the others?",
        (
            Choice(
                "255, as for the first one.",
                "They share a scale. Its step is 10/127 = 0.079, made for the large filter.",
            ),
            Choice(
                "3: −1, 0 and 1.",
                "Yes: 0.1 is 1.3 steps of 10/127. A scale for each channel gives them all their integers.",
                right=True,
            ),
            Choice(
                "About 25, a tenth of them.",
                "A tenth of the integers would be a tenth of the range. It is a hundredth.",
            ),
        ),
    ),
    Question(
        "A layer in the middle of a network gives a constant output wherever it is looked at: its derivative "
        "is 0. What do the layers before it learn?",
        (
            Choice(
                "Nothing: their gradients are 0.",
                "Yes: the chain rule multiplies by that 0. Rounding is such a layer, so today its slope is "
                "replaced.",
                right=True,
            ),
            Choice(
                "Less than others, but they learn.",
                "Each gradient before the layer has its derivative as a factor. A factor 0 leaves nothing.",
            ),
            Choice(
                "As much as before: only that layer stands still.",
                "The gradients of earlier layers go through it.",
            ),
        ),
    ),
)
