"""The words of the ticket explorer."""

from __future__ import annotations

from optviz.widgets.words import COMMON

__all__ = ["TICKET_LAB"]

TICKET_LAB = COMMON | {
    "file": "lottery-tickets",
    "title": "Winning tickets and their controls, live",
    "copied": (
        "Select and copy (Ctrl-C). In a new notebook, first: from optviz import ticket_lab; "
        "from optviz.optimizers import *; from optviz.prune import Global, Layer"
    ),
    "shared": "pruning",
    "rest": "network · training",
    "ticket": "winning ticket",
    "random": "random mask",
    "reinit": "new first weights",
    "dense": "dense",
    "training": "Training round {round} of {rounds}, seed {seed} of {seeds} …",
    "loading": "Training …",
    "done": "{seconds}: trained {fresh} networks × {steps} updates",
    "remembered": ", remembered {known} from before",
    "accuracy_title": "Validation accuracy after each round",
    "accuracy_x": "weights left",
    "accuracy_y": "share right",
    "early_title": "Round {round} while it trains: {left} left",
    "early_x": "update",
    "early_y": "validation accuracy",
    "masks_title": "First layer: weights at each pixel",
    "masks_x": "rounds {rounds}; white: twice the average",
    "band": ", band: 95 % interval",
    "accuracy_said": "Validation accuracy with {left} of the weights ({seeds}): {said}.",
    "early_said": "After {at} updates in round {round} ({seeds}): {said}.",
    "each": "{label} {value:.1f}{around} %",
    "masks_said": (
        "Round {round}, first layer: {ticket:.0f} of {pixels} pixels have no weight left in the ticket, "
        "{random:.0f} in a random mask of the same size. The layers keep {layers}."
    ),
    "waiting": "Nothing yet.",
    "ahead": "ahead of {label} by {points}",
    "behind": "behind {label} by {points}",
    "level": "not told apart from {label} ({points})",
    "verdict": "With {left} of the weights the winning ticket is {said} (paired over {count} seeds, Holm).",
    "matters": "Here the start matters, not the mask alone.",
    "unclear": "That its start matters is not shown here: add seeds, or look at another round.",
    "harms": "Here another start does better.",
    "diverged": "A network diverged in this round: no verdict. Try a lower rate.",
    "one": "One seed only: no verdict; add seeds.",
    "sampling": "With {count} images each accuracy has a sampling error of about ± {error:.1f} points.",
}
