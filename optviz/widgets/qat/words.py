"""The words of the training-aware explorer."""

from __future__ import annotations

from optviz.widgets.words import COMMON

__all__ = ["QAT_LAB"]

QAT_LAB = COMMON | {
    "file": "quantization-aware-training",
    "title": "Rounded after training, or trained while rounded, live",
    "copied": (
        "Select and copy (Ctrl-C). In a new notebook, first: from optviz import qat_lab; "
        "from optviz.quantize import *"
    ),
    "shared": "rounding",
    "rest": "training · network",
    "look": "what is shown",
    "qat": "QAT",
    "ptq": "PTQ",
    "full": "fp32",
    "loading": "Training …",
    "training": "Training seed {seed} of {seeds} …",
    "done": "{seconds}: trained {fresh} networks × {steps} updates",
    "remembered": ", remembered {known} from before",
    "waiting": "Nothing yet.",
    "right": "validation accuracy",
    "bits_title": "Accuracy after {shown} updates",
    "bits_x": "bits of the weights",
    "bits_said": "After {shown} updates ({seeds}), validation accuracy: fp32 {full:.1f} %; {said}.",
    "bits_each": "{bits} bits QAT {qat:.1f}, PTQ {ptq:.1f}",
    "course_title": "{bits} bits while training",
    "course_x": "update",
    "course_said": "{bits} bits after {shown} updates ({seeds}): {said}.",
    "each": "{label} {value:.1f}{around} %",
    "band": ", band: 95 % interval",
    "weights_title": "{layer} layer, {bits} bits",
    "weights_x": "weight in steps of its code (seed 0)",
    "weights_y": "share of the weights a step",
    "between": "trained",
    "on": "used",
    "weights_said": (
        "{bits} bits, {layer} layer, seed 0, after {shown} updates: {zero}{outside:.1f} % of the weights "
        "being trained (curve) are more than half a step beyond the ends of the code ({low} to {high})."
    ),
    "zero": "{zero:.0f} % are 0 where the network uses them (bars); ",
    "stairs_title": "The staircase of {bits} bits",
    "stairs_x": "weight in steps",
    "stairs_y": "steps",
    "stairs": "used",
    "slopes_title": "Factor of the gradient",
    "slopes_y": "factor",
    "to_weight": "for w",
    "to_step": "for step s",
    "stairs_said": (
        "A weight is rounded to a whole number of steps from {low} to {high}; beyond them it stays at the "
        "end.{zoom}"
    ),
    "zoom": " The picture shows the upper end.",
    "slopes_lsq": (
        "The gradient of a weight passes straight through the staircase: times 1 inside, times 0 beyond its "
        "ends. That of the step is multiplied with round(w/s) − w/s inside, with {low} or "
        "{high} beyond{above}."
    ),
    "above": " (above the picture)",
    "slopes_largest": (
        "The gradient of a weight passes straight through the staircase: times 1 inside, times 0 beyond its "
        "ends. As the largest weight sets the step, no weight is beyond them."
    ),
    "one": "One seed only: no verdict; add seeds.",
    "diverged": "A network diverged: no verdict. Try a lower rate.",
    "verdict": "With {bits} bits QAT is {said} (paired over {count} seeds, Holm).",
    "ahead": "ahead of {label} by {points}",
    "behind": "behind {label} by {points}",
    "level": "not told apart from {label} ({points})",
    "sampling": "With {count} images each accuracy has a sampling error of about ± {error:.1f} points.",
    "within": "The mean is {gap:.1f} points below fp32 at {bits} bits.",
}
