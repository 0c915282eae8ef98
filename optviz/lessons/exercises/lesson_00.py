"""Questions and exercises of lesson 00, Start here."""

from __future__ import annotations

from optviz.lessons.material import Choice, Exercise, Mistake, Question

__all__ = ["EXERCISES", "QUESTIONS"]

QUESTIONS = (
    Question(
        "A network is trained by gradient descent. What does one update change?",
        (
            Choice(
                "The weights, a little, so that the loss on this batch gets smaller.",
                "Yes. The data and the layout of the network stay as they are; only the weights move.",
                right=True,
            ),
            Choice(
                "The training images, so that they fit the network better.",
                "The images are given. Changing them is preprocessing or augmentation, and happens "
                "before an update.",
            ),
            Choice(
                "The number of layers, until the loss is small enough.",
                "The layout is chosen before training. Searching for it is another task, outside the update.",
            ),
        ),
    ),
    Question(
        "Why is a part of the images, the validation set, kept out of training?",
        (
            Choice(
                "To save time: fewer images, faster training.",
                "It does save a little time, but that is not why. What counts is that these images stay "
                "unseen.",
            ),
            Choice(
                "To measure how the network does on images that it has not learned from.",
                "Yes. A network can learn its training images by heart; only unseen ones tell whether it "
                "has learned more.",
                right=True,
            ),
            Choice(
                "So that the network can see them in the last epoch.",
                "Then they would be training images. The weights must never be fitted to them.",
            ),
        ),
    ),
    Question(
        "Two trainings differ in the learning rate and in the random seed. One ends 0.4 points higher. "
        "What do you know?",
        (
            Choice(
                "Its learning rate is better.",
                "The seed alone may move a result by that much. One curve against one curve decides nothing.",
            ),
            Choice(
                "Nothing yet: the seed may be the reason. Repeat both with several seeds.",
                "Yes. Every comparison in these lessons uses the same seeds on both sides, several of "
                "them, and an interval.",
                right=True,
            ),
            Choice(
                "Its seed is better, so keep that seed.",
                "A lucky seed is luck: on new data the advantage is gone. Seeds measure the spread, they "
                "are not a setting to tune.",
            ),
        ),
    ),
)

UPDATE = Exercise(
    id="00.update",
    arguments=("w", "gradient", "lr"),
    answer=lambda w, gradient, lr: w - lr * gradient,
    cases=tuple(
        (w, g, lr) for w in (1.0, -0.5, 0.0, 3.0) for g in (2.0, -4.0, 0.25) for lr in (0.1, 0.5, 0.02)
    ),
    praise="This line is gradient descent. Everything else in these lessons is built around it.",
    hints=(
        "One update takes the old weight and goes a short way against the gradient.",
        "Three quantities come in, w, gradient and lr. Each is used exactly once.",
        "The change of the weight is minus lr times gradient; add it to w.",
    ),
    mistakes=(
        Mistake(
            "climbs instead of descending",
            lambda w, gradient, lr: w + lr * gradient,
            (
                "In which direction does the loss grow?",
                "The gradient points uphill. Look at the sign in front of it.",
                "The change is -lr * gradient, so the loss goes down.",
            ),
        ),
        Mistake(
            "forgets the learning rate",
            lambda w, gradient, lr: w - gradient,
            (
                "How long is your step?",
                "One of the three arguments is not used.",
                "The change is -lr * gradient: lr decides how long the step is.",
            ),
        ),
        Mistake(
            "returns the change, not the new weight",
            lambda w, gradient, lr: -lr * gradient,
            (
                "What is asked for: where the weight is afterwards, or how far it moved?",
                "The old weight w does not appear in your answer.",
                "New weight = w + change, where change = -lr * gradient.",
            ),
        ),
        Mistake(
            "shrinks the weight instead of moving it",
            lambda w, gradient, lr: w * (1 - lr * gradient),
            (
                "Try w = 0: can your weight ever leave zero?",
                "The step must not be multiplied by w.",
                "Subtract lr * gradient from w; do not multiply w by it.",
            ),
        ),
        Mistake(
            "divides by the learning rate",
            lambda w, gradient, lr: w - gradient / lr,
            (
                "Does a larger rate make your step longer or shorter?",
                "Look at what happens between gradient and lr.",
                "The step is lr times the gradient, so a larger rate makes a longer step.",
            ),
        ),
        Mistake(
            "uses only the sign of the gradient",
            lambda w, gradient, lr: w - lr * ((gradient > 0) - (gradient < 0)),
            (
                "Is your step longer where the slope is steeper?",
                "The size of the gradient is lost on the way.",
                "Use gradient itself: -lr * gradient. (Signs alone are another method, in lesson 03.)",
            ),
        ),
    ),
)

COST = Exercise(
    id="00.cost",
    arguments=("weights", "images", "epochs"),
    answer=lambda weights, images, epochs: 3 * weights * images * epochs,
    cases=tuple((p, n, e) for p in (10, 2410, 26506) for n in (1, 1257, 60000) for e in (1, 10, 30)),
    praise="So twice the data or twice the weights cost twice as much, and both together four times.",
    hints=(
        "Count for one weight and one image first, then multiply.",
        "Forward: one multiplication for each weight and image. Backward: two more.",
        "3 for each weight, each image, each epoch: multiply the four numbers.",
    ),
    mistakes=(
        Mistake(
            "counts the forward pass only",
            lambda weights, images, epochs: weights * images * epochs,
            (
                "Training is more than computing the answer.",
                "The backward pass is missing.",
                "Forward 1 + backward 2 = 3 multiplications for each weight and image.",
            ),
        ),
        Mistake(
            "counts the backward pass as one",
            lambda weights, images, epochs: 2 * weights * images * epochs,
            (
                "What does the backward pass compute? There are two things.",
                "It computes the gradient of each weight, and the gradient that is handed to the layer "
                "before.",
                "Forward 1 + gradient of the weight 1 + gradient of the input 1 = 3.",
            ),
        ),
        Mistake(
            "forgets the epochs",
            lambda weights, images, epochs: 3 * weights * images,
            (
                "How often is each image used?",
                "One argument is not used.",
                "Multiply by epochs: each image comes once in every epoch.",
            ),
        ),
        Mistake(
            "forgets the images",
            lambda weights, images, epochs: 3 * weights * epochs,
            (
                "What costs more, a thousand images or one?",
                "One argument is not used.",
                "Multiply by images: every image passes through every weight.",
            ),
        ),
        Mistake(
            "adds where it should multiply",
            lambda weights, images, epochs: 3 * (weights + images) * epochs,
            (
                "Every image meets every weight. How many meetings are there?",
                "Look at how weights and images are combined.",
                "weights * images, as in a table with that many rows and columns.",
            ),
        ),
        Mistake(
            "divides by the epochs",
            lambda weights, images, epochs: 3 * weights * images / epochs,
            (
                "Do more epochs cost more or less?",
                "Look at what happens to epochs.",
                "Multiply by epochs.",
            ),
        ),
    ),
)

EXERCISES = (UPDATE, COST)
