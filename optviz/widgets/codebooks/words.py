"""The words of the codebook explorer."""

from __future__ import annotations

from optviz.widgets.words import COMMON

__all__ = ["CODEBOOK_LAB"]

CODEBOOK_LAB = COMMON | {
    "file": "codebooks",
    "title": "Shared weights and their codebooks, live",
    "copied": (
        "Select and copy (Ctrl-C). In a new notebook, first: from optviz import codebook_lab; "
        "from optviz.quantize import *"
    ),
    "shared": "codebooks",
    "rest": "network",
    "training": "Training the dense networks …",
    "pruning": "Pruning {sparsity} of the weights and retraining …",
    "moving": "k-means: move {move} of {moves} …",
    "tuning": "Training the values, {bits} …",
    "levels": "Training the values of {count} other codebooks …",
    "writing": "Counting bytes …",
    "done": "{seconds}: trained {fresh} networks",
    "remembered": ", the others remembered from before",
    "waiting": "Nothing trained yet: {steps} updates to come.",
    "bits": "{bits} bits",
    "bit": "1 bit",
    "kept": "weights",
    "values": "{count} values",
    "start_": "start",
    "at_start": "before k-means",
    "at_move": "after move {at} of k-means",
    "at_update": "after {at} updates",
    "weights_title": "The {layer} layer's weights and values",
    "weights_x": "weight",
    "weights_y": "weights in a bin",
    "weights_said": (
        "{layer} layer, first network, {where}: {count} values between {low:.2f} and {high:.2f} stand for "
        "{kept:,} weights; the root of the mean squared distance is {error:.3f}. Pruned weights "
        "({gone:,}) stay 0 and are not drawn."
    ),
    "paths_title": "How the values move",
    "paths_x": "moves of k-means, then updates",
    "paths_y": "value",
    "paths_said": (
        "{layer} layer, first network: k-means {settled}; its values moved by {kmeans:.3f} on average, "
        "training moved them by another {training:.3f}."
    ),
    "paths_early": (
        "{layer} layer, first network: k-means {settled}; its values moved by {kmeans:.3f} on average."
    ),
    "settled": "came to rest after {moves} moves",
    "unsettled": "was still moving after {moves} moves",
    "divergent": "{layer} layer, first network: the values diverged in training. Lower the rate.",
    "course_title": "Accuracy on the way",
    "course_y": "validation accuracy",
    "course": "shared",
    "own": "own values",
    "course_said": (
        "Validation accuracy {where} ({seeds}): {now:.1f} %; {shared:.1f} % when k-means ended; "
        "{pruned:.1f} % with a value of its own for each weight."
    ),
    "curve_title": "Accuracy against bits",
    "curve_x": "bits of a label",
    "curve_y": "validation accuracy",
    "before": "shared",
    "after": "values trained",
    "trained_on": "own values",
    "curve_said": (
        "Validation accuracy, shared and with trained values ({seeds}): {said}. With own values, "
        "trained as long: {own:.1f} %."
    ),
    "curve_each": "{bits} {before:.1f} → {after:.1f}{around} %",
    "codes_title": "Bits of each value's label, {layer} layer",
    "codes_x": "value, from the lowest to the highest",
    "codes_y": "bits",
    "huffman": "Huffman",
    "ideal": "−log₂ share",
    "fixed": "one length",
    "codes_said": (
        "A label of the {layer} layer takes {fixed} bits with code words of one length, {huffman:.2f} with "
        "Huffman's on average; the entropy, the least possible, is {entropy:.2f}. The most frequent value "
        "stands for {most:.0f} % of the weights and has a code word of {shortest}; the longest has "
        "{longest}.{unused}"
    ),
    "unused": " Values without a weight, which need no code word: {count}.",
    "file_title": "What the file's bytes are spent on",
    "file_y": "kB",
    "labels": "labels",
    "gaps": "positions",
    "codebooks": "values, tables",
    "plain": "biases, header",
    "whole": "whole file",
    "file_said": (
        "{bits}: {total} instead of {dense} as 32-bit numbers, {times:.1f} times smaller: labels {labels}, "
        "positions of the kept weights {gaps}, values and tables of code words {codebooks}, biases and "
        "header {plain}. With code words of one length: {fixed}."
    ),
    "verdict": (
        "{bits}, {sparsity} pruned: {before:.1f} % when shared, {after:.1f} % with trained values ({gain}); "
        "{own:.1f} % with a value of its own for each weight, trained as long ({gap})."
    ),
    "furthest": " Within half a point of that: from {bits} on.",
    "none": " No codebook here comes within half a point of that.",
    "small": " The file is {times:.1f} times smaller.",
    "harmed": " So training did harm: lower the rate, or take the mean of the gradients.",
    "diverged": "Training diverged at this rate: lower it, or take the mean of the gradients.",
}
