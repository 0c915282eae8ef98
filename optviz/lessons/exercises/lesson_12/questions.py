"""The warm-up questions of lesson 12."""

from __future__ import annotations

from optviz.lessons.material import Choice, Question

__all__ = ["QUESTIONS"]

QUESTIONS = (
    Question(
        "A convolution is followed by batch norm. In evaluation the norm is folded into the convolution. "
        "What does that change?",
        (
            Choice(
                "The weights and the bias of the convolution, not what the network gives.",
                "Yes. The norm is a factor and a shift for each channel then. Today it is folded first, and "
                "the folded weights are what is rounded.",
                right=True,
            ),
            Choice(
                "The outputs a little: the statistics of the batch are lost.",
                "In evaluation the norm uses its stored statistics, whatever is in the batch.",
            ),
            Choice(
                "Only the bias: a norm shifts its inputs.",
                "It divides by a deviation and multiplies by a gain too: that goes into the weights.",
            ),
        ),
    ),
    Question(
        "Half of the weights of a layer are 0, in no pattern. The others are stored as pairs: a 4-byte value "
        "and a 4-byte place. How large is the file?",
        (
            Choice(
                "Half of the dense one.",
                "The values take half. The places take as much again.",
            ),
            Choice(
                "A quarter of the dense one.",
                "Half of the weights are left, and each takes twice the bytes.",
            ),
            Choice(
                "As large as the dense one.",
                "Yes: ½ · 8 bytes are 4 a weight. What decoding needs counts, today as well.",
                right=True,
            ),
        ),
    ),
    Question(
        "Four ways to compress a network are tried, and the one with the best accuracy is taken. On which "
        "images may this accuracy be measured?",
        (
            Choice(
                "On the test images: they are unseen.",
                "Who chooses by them has seen them: the best of four is too good, by chance alone.",
            ),
            Choice(
                "On the validation images; the test images see the chosen one, once.",
                "Yes. It holds for ranges of activations too: they are never taken from test images.",
                right=True,
            ),
            Choice(
                "On the training images: there are the most of them.",
                "The network knows them by heart, so differences between the four may not show.",
            ),
        ),
    ),
)
