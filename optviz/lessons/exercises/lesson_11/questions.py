"""The warm-up questions of lesson 11."""

from __future__ import annotations

from optviz.lessons.material import Choice, Question

__all__ = ["QUESTIONS"]

QUESTIONS = (
    Question(
        "An L1 penalty is part of the loss, and plain gradient descent minimizes it. How many weights are "
        "exactly 0 at the end?",
        (
            Choice(
                "Many: that is what L1 is known for.",
                "Its minimum has zeros. Steps along a subgradient jump to and fro around them (lesson 06).",
            ),
            Choice(
                "None, or next to none: small weights, but not zero.",
                "Yes. Such a step passes 0. A proximal one stops there: sign(w)·max(|w| − lr·strength, 0).",
                right=True,
            ),
            Choice(
                "All of those below the strength of the penalty.",
                "The strength is no threshold on weights: it is a pull, the same on small and large ones.",
            ),
        ),
    ),
    Question(
        "90 % of the weights of a network are zero, in no pattern. How much faster does an ordinary dense "
        "layer multiply with them?",
        (
            Choice(
                "Not at all.",
                "Yes. It multiplies by the zeros too. Smaller layers are faster, and kernels for a pattern.",
                right=True,
            ),
            Choice(
                "About 10 times.",
                "That is what could be saved. A dense kernel does not look at the values.",
            ),
            Choice(
                "About twice.",
                "No: the time is the same to within what one can measure (lesson 10).",
            ),
        ),
    ),
    Question(
        "A network is pruned in three rounds. Each removes 50 % of the weights that are still there. How "
        "many are left?",
        (
            Choice(
                "None: 3 · 50 % is more than all.",
                "Each round counts from what is left, not from the beginning.",
            ),
            Choice(
                "50 %: the same half each time.",
                "The weights that went are no part of the next count.",
            ),
            Choice(
                "12.5 %.",
                "Yes: 0.5³. After n rounds with share p, (1 − p)ⁿ are left.",
                right=True,
            ),
        ),
    ),
)
