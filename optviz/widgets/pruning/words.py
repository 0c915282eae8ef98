"""The words of the pruning explorer."""

from __future__ import annotations

from optviz.widgets.words import COMMON

__all__ = ["PRUNING_LAB"]

PRUNING_LAB = COMMON | {
    "file": "pruning",
    "title": "Pruning weights, live",
    "copied": (
        "Select and copy (Ctrl-C). In a new notebook, first: from optviz import prune, pruning_lab, recipes; "
        "from optviz.widgets.pruning import *"
    ),
    "shared": "what goes",
    "rest": "network · retraining",
    "training": "Training the dense networks …",
    "scoring": "Scoring every weight …",
    "scanning": "Pruning one layer at a time …",
    "retraining": "Retraining at {sparsity} …",
    "levels": "Retraining at {count} sparsities, all as one …",
    "writing": "Writing files and taking times …",
    "done": "{seconds}: trained {fresh} networks",
    "remembered": ", the others remembered from before",
    "units_title": "Weights into some units (gray: gone)",
    "units_row": "layer {layer}: −{gone:.0f} %",
    "units_said": "Weights gone at {sparsity}: {said}.",
    "units_each": "layer {layer} ({shape}) {gone:.1f} %",
    "shares_title": "Weights gone in each layer",
    "shares_y": "share of the layer",
    "shares_said": "Gone in each layer when {sparsity} of all weights go ({seeds}): {said}.",
    "removed": "weights removed (%)",
    "layer": "layer {layer}",
    "chosen": "{sparsity}",
    "curve_title": "Validation accuracy (thin: not retrained)",
    "curve_y": "share right",
    "before": "not retrained",
    "after": "retrained",
    "here": "chosen",
    "curve_said": "Validation accuracy ({seeds}): {said}.",
    "curve_each": "{sparsity} {before:.1f} %, retrained {after:.1f}{around} %",
    "course_title": "Retraining at the chosen sparsity",
    "course_y": "validation accuracy",
    "update": "update",
    "dense": "dense",
    "course_said": (
        "At {sparsity} removed ({seeds}): {dense:.1f} % dense, {low:.1f} % at the lowest, {end:.1f} % after "
        "{steps} updates."
    ),
    "course_begun": "At {sparsity} removed ({seeds}): {dense:.1f} % dense, {low:.1f} % at the lowest so far.",
    "nothing": "Nothing trained yet: {steps} updates to come.",
    "scan_title": "Only one layer pruned, not retrained",
    "scan_x": "weights of this layer removed (%)",
    "scan_said": "With {sparsity} of one layer removed, nothing retrained ({seeds}): {said}.",
    "scan_each": "layer {layer} {accuracy:.1f} %",
    "ledger_title": "File and time, dense = 100 %",
    "ledger_y": "share of the dense network",
    "time": "time",
    "ledger_said": (
        "{kept:,} of {total:,} weights left, and as many multiplications that count for an image. "
        "File: {said}. Time for {batch} images on one thread, median and quartiles: {time} dense, "
        "{sparse} pruned."
    ),
    "ledger_each": "{form} {bytes} ({share:.0f} %)",
    "verdict": (
        "At {sparsity} removed, retrained for {steps} updates: {after} against {dense} for the dense network "
        "trained on as long: {gap}."
    ),
    "same": "the same network",
    "furthest": " Of the {count} sparsities, {sparsity} is the highest within half a point of it.",
    "files": " The smallest file ({form}) has {share:.0f} % of the dense one's bytes; {time}.",
    "time_same": "the time doesn't differ (quartiles overlap)",
    "time_other": "the time is {share:.0f} % of the dense one's",
}
