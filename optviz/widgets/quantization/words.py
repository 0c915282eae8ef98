"""The words of the quantization explorer."""

from __future__ import annotations

from optviz.widgets.words import COMMON

__all__ = ["QUANTIZATION_LAB"]

QUANTIZATION_LAB = COMMON | {
    "file": "quantization",
    "title": "Quantization after training, live",
    "copied": (
        "Select and copy (Ctrl-C). In a new notebook, first: from optviz import quantization_lab, quantize"
    ),
    "shared": "weights",
    "inputs": "activations",
    "rest": "network · training",
    "training": "Training the networks in floating point …",
    "scanning": "Rounding one layer at a time …",
    "quantizing": "Quantizing …",
    "timing": "Taking times …",
    "done": "{seconds}: trained {fresh} and quantized {quantized} networks",
    "remembered": ", the others remembered from before",
    "nothing": "Nothing yet: {steps} updates of training to come.",
    "bits_x": "bits of a weight (mean, where layers differ)",
    "accuracy_y": "test accuracy",
    "fp32": "fp32",
    "here": "chosen",
    "curve_title": "Accuracy at 2 to 8 bits",
    "uniform": "all layers alike",
    "alone": "weights only",
    "curve_said": "Right on {images} test images ({seeds}): fp32 {full}; {said}.",
    "curve_each": "{bits} bits: {accuracy}",
    "curve_own": "chosen, {bits:.1f} bits on average: {accuracy}",
    "pareto_title": "Accuracy against bytes",
    "bytes_x": "bytes (% of fp32)",
    "greedy": "greedy",
    "pareto_said": (
        "The same bytes shared out in two ways ({seeds}): {said}. fp32 takes {whole}, the "
        "chosen network {own}."
    ),
    "pareto_each": "{share:.0f} % of fp32 alike {alike:.1f} %, greedy {greedy:.1f} %",
    "layers_title": "Only one layer rounded",
    "layers_x": "bits of this layer's weights",
    "layers_y": "validation accuracy",
    "layer": "layer {layer}",
    "layers_said": (
        "With one layer's weights rounded by symmetric codes and all else in fp32 ({seeds}, validation "
        "images, which the greedy plan decides by): {said}."
    ),
    "layers_each": "layer {layer} ({weights:,} weights) {two:.1f} % at 2 bits, {three:.1f} % at 3",
    "bytes_title": "What the bytes are for (fp32: 100 %)",
    "bytes_y": "share of fp32",
    "bytes_place": "bits of a weight",
    "weights": "weights",
    "scales": "scales",
    "biases": "biases",
    "bytes_said": (
        "Chosen: {bits} bits in layers 1, 2, 3 (first network) take {total}, of which {weights} are for "
        "weights, {scales} for scales and zero points, {biases} for biases; fp32 takes {whole}, "
        "{ratio} times as much."
    ),
    "counts_title": "Images that the codes are calibrated on",
    "counts_x": "calibration images",
    "counts_said": (
        "Codes of {bits}-bit activations from {range} over so many training images ({seeds}): {said}."
    ),
    "counts_each": "{count}: {accuracy}",
    "counts_none": (
        "{kind} activations need no calibration: {accuracy} ({seeds}), whatever the number of images."
    ),
    "times_title": "Time for {batch} images, one thread",
    "times_y": "microseconds (log)",
    "eager": "PyTorch fp32",
    "simulated": "simulated int8",
    "runtime": "ONNX Runtime fp32",
    "integers": "ONNX Runtime int8",
    "eager_tick": "PyTorch fp32",
    "simulated_tick": "simulated",
    "runtime_tick": "ONNX fp32",
    "integers_tick": "ONNX int8",
    "times_tick": "{name}\n{median:.0f} µs",
    "times_said": "The first network on one thread, {batch} images, median and quartiles: {said}.",
    "times_each": "{name} {median:.0f} µs ({low:.0f}–{high:.0f}), {right:.1f} % right",
    "times_files": " The files for ONNX Runtime take {plain} in fp32 and {int8} in int8.",
    "times_missing": (
        " For the time in an engine with integer kernels, ONNX Runtime is needed: pip install 'optviz[onnx]'."
    ),
    "vnni_yes": " This processor has VNNI, the instructions for products of 8 bits.",
    "vnni_no": " This processor lacks VNNI, the instructions for products of 8 bits: int8 gains little here.",
    "times_none": "Times of a batch of {batch} images are taken last.",
    "verdict": "{plan}: {chosen} right against {full} in fp32: {gap}, in {share:.0f} % of the bytes.",
    "plan_alike": "{bits} bits in every layer",
    "plan_greedy": "Greedy, with the bytes of {bits} bits everywhere ({each} in the first network)",
    "plan_hand": "Layers of {each} bits",
    "fewest": " Fewest bits within half a point of fp32, all layers alike: {bits}.",
    "none_near": " No number of bits up to 8 stays within half a point of fp32.",
    "simulation": " Simulated in PyTorch, int8 {told}.",
    "simulated_slower": "takes {factor:.1f} times as long as fp32: fewer bytes, more time",
    "simulated_faster": "takes 1/{factor:.1f} of the time of fp32",
    "simulated_none": "takes as long as fp32 (quartiles overlap)",
    "engine": " {first}, {second}.",
    "engine_faster": "ONNX Runtime's int8 is {factor:.1f} times as fast as PyTorch's fp32",
    "engine_slower": "ONNX Runtime's int8 takes {factor:.1f} times as long as PyTorch's fp32",
    "engine_none": "ONNX Runtime's int8 takes as long as PyTorch's fp32 (quartiles overlap)",
    "own_faster": "and {factor:.1f} times as fast as its own fp32",
    "own_slower": "and takes {factor:.1f} times as long as its own fp32",
    "own_none": "and its own fp32 takes as long (quartiles overlap)",
}
