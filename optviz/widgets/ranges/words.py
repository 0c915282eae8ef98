"""The words of the range explorer."""

from __future__ import annotations

from optviz.widgets.words import COMMON

__all__ = ["KINDS", "WORDS"]

KINDS = {
    "Cut": "by hand",
    "MinMax": "min–max",
    "MovingAverage": "moving avg",
    "Percentile": "percentile",
    "MSE": "MSE",
    "Entropy": "entropy",
}

WORDS = COMMON | {
    "file": "quantization-ranges",
    "title": "Where a range ends, live",
    "copied": (
        "Select and copy (Ctrl-C). In a new notebook, first: from optviz import range_lab; "
        "from optviz.quantize import *; from optviz.widgets.ranges import *"
    ),
    "shared": "numbers · code",
    "rest": "networks (64 pixels, two hidden layers, 10 digits)",
    "training": "Training the networks …",
    "coding": "Finding the range in every way …",
    "sweeping": "Clipping at fifty places …",
    "measuring": "Counting right answers …",
    "others": "The same with other bits …",
    "done": "{seconds}: {count} networks, {ranges} ranges, {bits} numbers of bits",
    "weights": "weights of layer {layer}",
    "units": "hidden units of layer {layer}",
    "numbers_title": "{what} and the ranges found for {bits} bits (shaded: clipped)",
    "numbers_means": "{what} and the ranges found for {bits} bits (means over all scales)",
    "numbers_x": "value (drag to clip)",
    "numbers_share": "value / largest value with the same scale (drag to clip)",
    "numbers_y": "numbers in a bin",
    "curve_title": "Error over the clip, {bits} bits (dots: ranges)",
    "curve_x": "clip at (drag here)",
    "curve_share": "clip at, share of the largest (drag here)",
    "error_y": "error, % of mean square",
    "rounding": "rounding",
    "clipping": "clipping",
    "sum": "sum",
    "bits_title": "Error over the bits",
    "bits_x": "bits",
    "split_title": "Error at {bits} bits: rounding, then clipping",
    "split_x": "error, % of mean square",
    "weights_title": "Accuracy, weights coded",
    "units_title": "Accuracy, units coded",
    "accuracy_y": "validation images right",
    "float": "float",
    "all_weights": "weights",
    "all_units": "hidden units",
    "nothing": "Nothing yet: {count} networks are trained for {steps} updates first.",
    "numbers_said": (
        "{count:,} {what} of the first network, from {least:.3g} to {most:.3g}; 99 % within ±{inside:.3g}. "
        "Ranges at {bits} bits{mean}: {said}."
    ),
    "mean_of": " (means over {blocks} scales, as shares of the largest)",
    "numbers_each": "{name} {low:.3g} … {high:.3g}",
    "curve_said": (
        "At {bits} bits the least error of a clip on both sides, {least:.3g} % of the mean square, is at "
        "{at}: {rounding:.3g} % from rounding and {clipping:.3g} % from clipping. Without clipping it is "
        "{whole:.3g} %."
    ),
    "at_value": "±{value:.3g} ({share:.0f} % of the largest)",
    "at_share": "{share:.0f} % of the largest",
    "bits_said": "Error in percent of the mean square at {first} … {last} bits: {said}.",
    "bits_each": "{name} {values}",
    "split_said": "Error at {bits} bits in percent of the mean square, rounding + clipping: {said}.",
    "split_each": "{name} {rounding:.3g} + {clipping:.3g}",
    "accuracy_said": (
        "Validation accuracy at {bits} bits ({seeds}, {images} images), all {what} in this code, all else in "
        "floating point: {said}; float {dense:.1f} %."
    ),
    "accuracy_each": "{name} {right:.1f} %",
    "verdict": (
        "{bits} bits, {name}: the error is {error:.3g} % of the mean square, {rounding:.3g} from rounding "
        "and {clipping:.3g} from clipping{best}. With all {what} in this code {right:.1f} % of the "
        "validation images are right, in floating point {dense:.1f} %: {gap}."
    ),
    "is_best": ", the least of all ranges",
    "better": "; the least is {error:.3g}, by {name}",
    "one_batch": " Weights come in one batch, so their moving average is min–max.",
    "no_entropy": " Entropy is left out: it looks for the shape of many numbers; a scale has {count} here.",
    "no_grain": " Entropy looks for the shape of many numbers, so it has one scale for a tensor.",
}
