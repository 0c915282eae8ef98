"""The warm-up questions of lesson 09."""

from __future__ import annotations

from optviz.lessons.material import Choice, Question

__all__ = ["QUESTIONS"]

QUESTIONS = (
    Question(
        "SGD with momentum 0.9. From some update on, the gradient of one weight is exactly 0. What does the "
        "weight do?",
        (
            Choice(
                "It stays where it is.",
                "Without momentum it would. The velocity of earlier gradients still moves it.",
            ),
            Choice(
                "It moves on, ever less: another nine times its last step in all.",
                "Yes: the velocity is multiplied by 0.9 each time, and 0.9 + 0.9² + … = 9.",
                right=True,
            ),
            Choice(
                "It goes back to 0.",
                "Nothing pulls it to 0, unless there is weight decay.",
            ),
        ),
    ),
    Question(
        "Which of these gives weights that are exactly 0?",
        (
            Choice(
                "A strong L2 penalty.",
                "It shrinks every weight by a share of itself: small, but never 0.",
            ),
            Choice(
                "An L1 penalty as part of the loss, by plain gradient descent.",
                "Its pull has the same size everywhere, so weights jump to and fro around 0.",
            ),
            Choice(
                "An L1 penalty as a step of its own that stops at 0 (soft threshold).",
                "Yes: a weight that the step would carry past 0 is set to 0.",
                right=True,
            ),
        ),
    ),
    Question(
        "Network A gets 95.6 % of 270 test images right, B 94.8 %, one training each. Is A the better one?",
        (
            Choice(
                "That can't be told: two images more are less than chance alone may give.",
                "Yes. Several seeds, compared in pairs on the same images, are needed.",
                right=True,
            ),
            Choice(
                "Yes, by 0.8 points.",
                "0.8 % of 270 are two images. Another seed may turn that round.",
            ),
            Choice(
                "No, the two are equally good.",
                "That is not known either: too few images and too few seeds to tell.",
            ),
        ),
    ),
)
