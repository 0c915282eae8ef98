"""Exercises of lesson 04 in which a rate is to be computed."""

from __future__ import annotations

from math import ceil, cos, pi

from optviz.lessons.material import Exercise, Mistake

__all__ = ["COSINE", "DROP", "WARMUP"]

_RAMP = tuple((t, w, lr) for w, lr in ((4, 1.0), (10, 0.3), (1, 0.5), (7, 2.0)) for t in range(2 * w + 3))
_RUN = tuple(
    (t, n, lr, low)
    for n, lr, low in ((5, 1.0, 0.1), (10, 0.3, 0.0), (50, 2.0, 0.02), (2, 0.5, 0.05))
    for t in range(n + 4)
)
_DROPS = tuple((t, 0.1, 10, 0.5) for t in range(36)) + tuple((t, 1.0, 3, 0.1) for t in range(13))
_FLOORLESS = (
    ("ends too late", lambda t, steps, lr, floor: lr * (1 + cos(pi * min(t / steps, 1))) / 2),
    ("rises again after the end", lambda t, steps, lr, floor: lr * (1 + cos(pi * t / (steps - 1))) / 2),
    ("ends too late and rises again", lambda t, steps, lr, floor: lr * (1 + cos(pi * t / steps)) / 2),
)

WARMUP = Exercise(
    id="04.warmup",
    arguments=("t", "steps", "lr"),
    answer=lambda t, steps, lr: lr * min((t + 1) / steps, 1),
    cases=_RAMP,
    praise="No update is wasted at rate 0, and update steps − 1 is the first one at the full rate.",
    hints=(
        "Write down the rates for steps = 4 and lr = 1 by hand. There should be four rising ones.",
        "They are 1/4, 2/4, 3/4, 4/4 at t = 0, 1, 2, 3, and then 1 for ever.",
        "The fraction (t + 1) / steps, never more than 1, times lr.",
    ),
    mistakes=(
        Mistake(
            "starts at zero",
            lambda t, steps, lr: lr * min(t / steps, 1),
            (
                "What does the first update do with your rate?",
                "At t = 0 the rate is 0, so one update is computed and thrown away.",
                "Count from one inside the fraction: (t + 1) / steps.",
            ),
        ),
        Mistake(
            "starts at zero and never stops rising",
            lambda t, steps, lr: lr * t / steps,
            (
                "There are two things to look at: the first update, and those after the warm-up.",
                "At t = 0 the rate is 0, and for t > steps it is above lr.",
                "The fraction is min((t + 1) / steps, 1).",
            ),
        ),
        Mistake(
            "divides by steps − 1",
            lambda t, steps, lr: lr * min(t / (steps - 1), 1),
            (
                "It ends at the right place. Where does it begin, and what happens for steps = 1?",
                "At t = 0 the rate is 0, and steps − 1 may be 0.",
                "Count from one and divide by steps: (t + 1) / steps.",
            ),
        ),
        Mistake(
            "never stops rising",
            lambda t, steps, lr: lr * (t + 1) / steps,
            (
                "What is the rate long after the warm-up?",
                "For t ≥ steps the fraction is above 1.",
                "Limit the fraction: min((t + 1) / steps, 1).",
            ),
        ),
        Mistake(
            "falls to zero after the warm-up",
            lambda t, steps, lr: lr * (t + 1) / steps if t < steps else 0.0,
            (
                "What should the training do when the warm-up is over?",
                "Look at what you return for t ≥ steps.",
                "After the warm-up the rate stays at lr.",
            ),
        ),
        Mistake(
            "whole-number division",
            lambda t, steps, lr: lr * min((t + 1) // steps, 1),
            (
                "How many different values does your ramp have?",
                "Look at the division sign: two strokes drop the fraction.",
                "Use one stroke: (t + 1) / steps.",
            ),
        ),
        Mistake(
            "forgets the rate",
            lambda t, steps, lr: min((t + 1) / steps, 1),
            (
                "Does your answer depend on lr?",
                "The fraction is right. It is a fraction of something.",
                "Multiply the fraction by lr.",
            ),
        ),
        Mistake(
            "clips at the rate instead of scaling",
            lambda t, steps, lr: min((t + 1) / steps, lr),
            (
                "Compare lr = 0.3 with lr = 0.6: does the ramp get steeper?",
                "lr limits your ramp but does not scale it.",
                "Limit the fraction at 1, then multiply: lr * min(fraction, 1).",
            ),
        ),
        Mistake(
            "one step too long",
            lambda t, steps, lr: lr * min((t + 1) / (steps + 1), 1),
            (
                "At which t does your ramp first reach lr?",
                "Update steps − 1 should be the first one at the full rate.",
                "With t + 1 on top, divide by steps, not by steps + 1.",
            ),
        ),
        Mistake(
            "runs backwards",
            lambda t, steps, lr: lr * max(1 - (t + 1) / steps, 0),
            (
                "Which way should a warm-up go?",
                "Your rate begins high and ends at 0.",
                "Leave out the 1 −: the fraction itself rises.",
            ),
        ),
    ),
)

COSINE = Exercise(
    id="04.cosine",
    arguments=("t", "steps", "lr", "floor"),
    answer=lambda t, steps, lr, floor: floor + (lr - floor) * (1 + cos(pi * min(t / (steps - 1), 1))) / 2,
    cases=_RUN,
    praise="The last update, t = steps − 1, runs at the floor exactly, and nothing rises afterwards.",
    hints=(
        "Check three places: t = 0 gives lr, t = steps − 1 gives the floor, later ones stay there.",
        "Let u run from 0 to 1 over the run; (1 + cos(π·u))/2 then falls from 1 to 0.",
        "u = min(t / (steps - 1), 1), and the rate is floor + (lr - floor) times that half wave.",
    ),
    mistakes=(
        Mistake(
            "ends one update too late",
            lambda t, steps, lr, floor: floor + (lr - floor) * (1 + cos(pi * min(t / steps, 1))) / 2,
            (
                "Which is the last t of a run of `steps` updates that starts at 0?",
                "It is steps − 1, and there your rate is still above the floor.",
                "Divide by steps - 1: u = min(t / (steps - 1), 1).",
            ),
        ),
        Mistake(
            "rises again after the end",
            lambda t, steps, lr, floor: floor + (lr - floor) * (1 + cos(pi * t / (steps - 1))) / 2,
            (
                "What if the training runs a few updates longer?",
                "A cosine turns around. Look at t ≥ steps.",
                "Limit the progress: u = min(t / (steps - 1), 1).",
            ),
        ),
        Mistake(
            "ends too late and rises again",
            lambda t, steps, lr, floor: floor + (lr - floor) * (1 + cos(pi * t / steps)) / 2,
            (
                "There are two things to look at: the last update, and those after it.",
                "At t = steps − 1 the floor is not reached; from t = steps + 1 the rate rises.",
                "u = min(t / (steps - 1), 1) mends both.",
            ),
        ),
        Mistake(
            "floor added on top",
            lambda t, steps, lr, floor: floor + lr * (1 + cos(pi * min(t / (steps - 1), 1))) / 2,
            (
                "What is the rate of the first update?",
                "At t = 0 you get lr + floor.",
                "The wave covers only the way from lr to the floor: multiply it by (lr - floor).",
            ),
        ),
        Mistake(
            "floor ignored",
            lambda t, steps, lr, floor: lr * (1 + cos(pi * min(t / (steps - 1), 1))) / 2,
            (
                "Does your answer depend on floor?",
                "At the end you get 0.",
                "floor + (lr - floor) * wave.",
            ),
        ),
        *(
            Mistake(
                f"floor ignored, and {more}",
                does,
                (
                    "There is more than one thing to look at. Does your answer depend on floor?",
                    "At t = steps − 1 the rate should be the floor, and it should stay there.",
                    "u = min(t / (steps - 1), 1); the rate is floor + (lr - floor) * (1 + cos(π·u)) / 2.",
                ),
            )
            for more, does in _FLOORLESS
        ),
        Mistake(
            "floor cuts the curve off",
            lambda t, steps, lr, floor: max(lr * (1 + cos(pi * min(t / (steps - 1), 1))) / 2, floor),
            (
                "Both ends are right. Draw the middle.",
                "Your wave runs to 0 and is cut off: it reaches the floor before the end and stays.",
                "Lift the wave instead of cutting it: floor + (lr - floor) * wave.",
            ),
        ),
        Mistake(
            "a whole wave instead of half of one",
            lambda t, steps, lr, floor: (
                floor + (lr - floor) * (1 + cos(2 * pi * min(t / (steps - 1), 1))) / 2
            ),
            (
                "Where is the lowest point of your curve?",
                "It is in the middle; at the end the rate is back at lr.",
                "The angle runs from 0 to π, not to 2π.",
            ),
        ),
        Mistake(
            "a quarter wave",
            lambda t, steps, lr, floor: floor + (lr - floor) * cos(pi / 2 * min(t / (steps - 1), 1)),
            (
                "Both ends are right. What is the rate half-way?",
                "Half-way it should be the mean of lr and floor.",
                "Use (1 + cos(π·u)) / 2, which is 1/2 at u = 1/2.",
            ),
        ),
        Mistake(
            "half is missing",
            lambda t, steps, lr, floor: floor + (lr - floor) * (1 + cos(pi * min(t / (steps - 1), 1))),
            (
                "How high does your curve begin?",
                "1 + cos(0) is 2.",
                "Divide the bracket by 2: (1 + cos(π·u)) / 2.",
            ),
        ),
        Mistake(
            "upside down",
            lambda t, steps, lr, floor: floor + (lr - floor) * (1 - cos(pi * min(t / (steps - 1), 1))) / 2,
            (
                "Which way does your curve go?",
                "It begins at the floor. Look at the sign in front of the cosine.",
                "1 + cos, not 1 - cos.",
            ),
        ),
        Mistake(
            "degrees where radians belong",
            lambda t, steps, lr, floor: floor + (lr - floor) * (1 + cos(180 * min(t / (steps - 1), 1))) / 2,
            (
                "In which unit does cos take its angle?",
                "Half a turn is π, not 180.",
                "cos(π·u) with math.pi.",
            ),
        ),
        Mistake(
            "a straight line",
            lambda t, steps, lr, floor: floor + (lr - floor) * (1 - min(t / (steps - 1), 1)),
            (
                "Both ends are right. Is there a cosine in it?",
                "A quarter of the way along, a cosine has lost only 15 % of its height.",
                "Replace 1 - u by (1 + cos(π·u)) / 2.",
            ),
        ),
    ),
)

DROP = Exercise(
    id="04.drop",
    arguments=("epoch", "lr", "every", "factor"),
    answer=lambda epoch, lr, every, factor: lr * factor ** (epoch // every),
    cases=_DROPS,
    praise="Ten epochs at 0.1, numbers 0 to 9; epoch 10 is the first one at 0.05.",
    hints=(
        "For every = 10: which epochs run at the first rate? There should be ten.",
        "Epochs 0 to 9 have had no drop, 10 to 19 one drop, 20 to 29 two.",
        "The number of drops is epoch // every; the rate is lr * factor ** drops.",
    ),
    mistakes=(
        Mistake(
            "drops one epoch late",
            lambda epoch, lr, every, factor: lr * factor ** (max(epoch - 1, 0) // every),
            (
                "How many epochs run at the first rate?",
                "Eleven: 0 to 10. This is what happens when the rate is set after the epoch.",
                "Use epoch itself: epoch // every.",
            ),
        ),
        Mistake(
            "drops late and starts too high",
            lambda epoch, lr, every, factor: lr * factor ** ((epoch - 1) // every),
            (
                "What is your rate at epoch 0?",
                "(0 − 1) // every is −1, so the rate is divided by the factor once.",
                "Use epoch itself: epoch // every.",
            ),
        ),
        Mistake(
            "drops one epoch early",
            lambda epoch, lr, every, factor: lr * factor ** ((epoch + 1) // every),
            (
                "How many epochs run at the first rate?",
                "Nine: 0 to 8. Epochs are counted from 0 here.",
                "Leave out the + 1: epoch // every.",
            ),
        ),
        Mistake(
            "slides instead of stepping",
            lambda epoch, lr, every, factor: lr * factor ** (epoch / every),
            (
                "Is the rate the same at epochs 3 and 4?",
                "The division keeps its fraction.",
                "Use two strokes, which drop the fraction: epoch // every.",
            ),
        ),
        Mistake(
            "rounds to the nearest drop",
            lambda epoch, lr, every, factor: lr * factor ** round(epoch / every),
            (
                "When does your first drop come?",
                "About half-way: round() also goes up.",
                "Always round down: epoch // every.",
            ),
        ),
        Mistake(
            "rounds up",
            lambda epoch, lr, every, factor: lr * factor ** ceil(epoch / every),
            (
                "What is your rate at epoch 1?",
                "It has dropped already: the fraction is rounded up.",
                "Round down: epoch // every.",
            ),
        ),
        Mistake(
            "drops only once",
            lambda epoch, lr, every, factor: lr * factor if epoch >= every else lr,
            (
                "What happens at epoch 2·every?",
                "A comparison can only say yes or no; drops have to be counted.",
                "Count them: epoch // every, as the power of factor.",
            ),
        ),
        Mistake(
            "forgets the drop at the next epoch",
            lambda epoch, lr, every, factor: lr * factor if epoch % every == 0 else lr,
            (
                "What is your rate at epoch 0, and at epoch every + 1?",
                "Your rate is lower in single epochs only; afterwards it is lr again.",
                "Count the drops so far: epoch // every, as the power of factor.",
            ),
        ),
        Mistake(
            "drops at every epoch",
            lambda epoch, lr, every, factor: lr * factor**epoch,
            (
                "Does your answer depend on every?",
                "The power should be the number of drops so far, not of epochs.",
                "The number of drops is epoch // every.",
            ),
        ),
        Mistake(
            "multiplies by the number of drops",
            lambda epoch, lr, every, factor: lr * factor * (epoch // every),
            (
                "What is your rate at epoch 0, and at 30?",
                "Each drop multiplies once more. Multiplying n times is a power.",
                "lr * factor ** (epoch // every).",
            ),
        ),
    ),
)
