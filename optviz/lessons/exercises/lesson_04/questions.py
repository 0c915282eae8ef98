"""The warm-up questions of lesson 04."""

from __future__ import annotations

from optviz.lessons.material import Choice, Question

__all__ = ["QUESTIONS"]

QUESTIONS = (
    Question(
        "Near the minimum the loss looks like a bowl with curvature λ (second derivative). "
        "Plain gradient descent with rate lr converges there …",
        (
            Choice(
                "for every lr: a larger one only gets there faster.",
                "Each update multiplies the distance by 1 − lr·λ. Above lr = 2/λ that is below −1: it grows.",
            ),
            Choice(
                "if lr·λ is below 2.",
                "Yes: each update multiplies the distance to the minimum by 1 − lr·λ, which must lie "
                "between −1 and 1.",
                right=True,
            ),
            Choice(
                "if lr is below 1, whatever λ is.",
                "The limit depends on the curvature: with λ = 100 a rate of 0.1 already diverges.",
            ),
        ),
    ),
    Question(
        "With small batches and a constant rate, why does the training loss stop falling although it "
        "could be lower?",
        (
            Choice(
                "The gradient has become exactly zero.",
                "The gradient of a small batch is almost never zero: it is the true gradient plus noise.",
            ),
            Choice(
                "It is stuck in a local minimum.",
                "Lower the rate and the loss falls again at once. A local minimum would not let go.",
            ),
            Choice(
                "Each update also follows the noise of its batch; the step length decides how large the "
                "jitter stays.",
                "Yes. The jitter that remains is called the noise floor. It is lower for a smaller rate.",
                right=True,
            ),
        ),
    ),
    Question(
        "SGD with momentum 0.9, in PyTorch's form b ← 0.9·b + g, w ← w − lr·b. "
        "While the gradient g stays the same, how long does a step become?",
        (
            Choice(
                "lr·g, as without momentum.",
                "That is the first step only. The buffer b goes on collecting gradients.",
            ),
            Choice(
                "10·lr·g.",
                "Yes: b grows towards g/(1 − 0.9) = 10·g. A rate that is good without momentum is often "
                "too large with it.",
                right=True,
            ),
            Choice(
                "0.9·lr·g, since momentum brakes.",
                "0.9 is what is kept of the old buffer, and the new gradient is added to it in full.",
            ),
        ),
    ),
)
