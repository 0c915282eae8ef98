"""The warm-up questions of lesson 10."""

from __future__ import annotations

from optviz.lessons.material import Choice, Question

__all__ = ["QUESTIONS"]

QUESTIONS = (
    Question(
        "A linear layer has 90 % of its weights at exactly 0. You time it with PyTorch on a CPU, as it is. "
        "How much faster has it become?",
        (
            Choice(
                "About ten times: nine of ten multiplications are gone.",
                "They are not gone. The dense kernel multiplies by 0 as it multiplies by anything else.",
            ),
            Choice(
                "Not at all.",
                "Yes. The array has its old shape, so the same kernel does the same work.",
                right=True,
            ),
            Choice(
                "About three times, since memory limits it.",
                "The zeros are stored and read like other numbers: 4 bytes each.",
            ),
        ),
    ),
    Question(
        "Batch norm in evaluation has gain 0.8 and shift 0.3 for a channel whose filter is all zeros. What "
        "comes out of the norm there?",
        (
            Choice(
                "0, since its input is 0.",
                "0 goes in, but (0 − mean)/√(variance + ε) · gain + shift comes out.",
            ),
            Choice(
                "0.3, the shift.",
                "Only if the running mean is 0 too. The stored mean is subtracted first.",
            ),
            Choice(
                "0.3 − 0.8 · mean/√(variance + ε): a number that may well not be 0.",
                "Yes. So a zero filter is not yet a removed channel: the norm must lose its entry too.",
                right=True,
            ),
        ),
    ),
    Question(
        "You remove half of the weights by magnitude, one by one, and in a second network half of its hidden "
        "units. Which network keeps more accuracy, before any retraining?",
        (
            Choice(
                "The one that lost single weights.",
                "Yes, as a rule: whoever may choose freely loses least. What units buy instead is speed.",
                right=True,
            ),
            Choice(
                "The one that lost units, since it is the simpler one.",
                "A unit takes good weights with it along with the bad ones; single weights can be picked.",
            ),
            Choice(
                "Both keep the same: half is half.",
                "Which half goes matters more than how much.",
            ),
        ),
    ),
)
