"""The words of the channel explorer, apart from the code, so that a second language can be added."""

from __future__ import annotations

from optviz.widgets.words import COMMON

__all__ = ["CHANNEL_LAB"]

CHANNEL_LAB = COMMON | {
    "file": "channels",
    "copied": "Select and copy (Ctrl-C). In a new notebook, first: from optviz import channel_lab",
    "title": "Structured pruning, live: which units go, and what follows them",
    "shared": "what goes",
    "training_group": "training · measuring",
    "units_weights": "Weights into each unit: {layer}",
    "units_means": "Weights into each unit, mean over maps: {layer}",
    "units_outputs": "Mean output of each channel: {layer}",
    "units_inputs": "What makes each unit answer: {layer}",
    "units_none": "First layer: training …",
    "units": (
        "{title}: {gone} of {count} crossed out ({list}). The {kept} others stay as they are; "
        "gray is 0, white above, black below."
    ),
    "units_mean": "{title}: {gone} of {count} crossed out ({list}); {kept} stay. White is the largest value.",
    "scores_title": "Scores of the units: {layer}",
    "scores_x": "unit, number",
    "scores_y": "score / the largest",
    "stays": "stays",
    "goes": "goes",
    "scores": (
        "{score} of the {count} units of {layer}, over the largest ({top:.3g}): those that stay "
        "{kept}, those that go {gone}."
    ),
    "graph_title": "What follows them out, layer by layer: before (dotted) and after",
    "graph_y": "numbers on that side",
    "outputs": "outputs",
    "inputs": "inputs",
    "norms": "norm entries",
    "graph": "What is left: {said}. Untouched sides of layers: {untouched}.",
    "nobody": "none",
    "accuracy_title": "Accuracy over the share removed",
    "share": "share of the units removed",
    "accuracy_y": "validation, correct",
    "before": "cut",
    "after": "fine-tuned",
    "before_long": "just cut",
    "after_long": "fine-tuned for {updates} updates",
    "chosen": "chosen",
    "guessing": "guessing",
    "cost_title": "Cost against the whole network",
    "cost_x": "masked: zeros; shrunk: smaller",
    "cost_y": "share of the whole",
    "masked": "masked",
    "shrunk": "shrunk",
    "columns": "params|MACs|bytes|time",
    "whole": "whole",
    "level": " (cannot be told apart: the quartiles overlap)",
    "savings": (
        "Shrunk: {params:.1f} times fewer parameters, {macs:.1f} times fewer MACs, {shrunk}. "
        "Masked: {masked}."
    ),
    "timed": "Medians (quartiles, the thin lines) for {images} images, 1 thread.",
    "training": "training network {seed} of {seeds} …",
    "cutting": "cutting …",
    "timing": "timing …",
    "tuning": "fine-tuning …",
    "done": "{seconds}: {fresh} networks trained for {steps} updates, {tuned} fine-tuned",
    "remembered": ", the rest remembered",
}
