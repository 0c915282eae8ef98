"""Questions and exercises of lesson 10, Structured pruning.

``10.scores(w, a, count)``: w (H, D) holds the weights of H units, one row each, a (N, H) what they gave out
for N examples after ReLU. Return two lists: the numbers of the ``count`` units that go first by Σ|w| of
their row, and those that go first by their mean activation.

``10.shrink(w1, b1, norm, w2, b2, keep)``: Linear → batch norm → ReLU → Linear, with w1 (H, D), b1 (H,), norm
(4, H) = gain, shift, running mean and running variance in rows, w2 (O, H), b2 (O,); keep (H,) is True for the
hidden units that stay. Return the five arrays of the smaller network in the same order.

``10.flatten(w, keep)``: w (O, C·P) is a linear layer behind a flatten of C channels with P pixels each; keep
(C,) is True for the channels that stay. Return the columns of w that stay.

``10.macs(widths, share)``: widths are the numbers of inputs, of units in each hidden layer, and of outputs.
The same share of the units goes in every hidden layer. Return the multiply-accumulates of one example that
are left, one number for each layer of weights.
"""

from __future__ import annotations

from optviz.lessons.exercises.lesson_10.counting import MACS, SCORES
from optviz.lessons.exercises.lesson_10.cutting import FLATTEN, SHRINK
from optviz.lessons.exercises.lesson_10.questions import QUESTIONS

__all__ = ["EXERCISES", "QUESTIONS"]

EXERCISES = (SCORES, SHRINK, FLATTEN, MACS)
