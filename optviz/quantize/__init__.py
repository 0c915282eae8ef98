"""Quantization: numbers in few bits, and networks that compute with them.

A code is four things, :class:`QParams`: x ≈ s · (q − Z) with a scale s, a zero point Z and integers q from
``low`` to ``high``. :func:`choose_qparams` finds them for numbers: a *range* says where the code ends, a
*granularity* which numbers share a scale. NumPy arrays and torch tensors alike; nothing is changed in place.
"""

from __future__ import annotations

from optviz.quantize.choosing import choose_qparams
from optviz.quantize.codebooks import Codebooks, DensityStart, LinearStart, RandomStart, kmeans, lloyd, share
from optviz.quantize.correction import correct_bias
from optviz.quantize.equalize import equalize, equalize_pair
from optviz.quantize.fixed_point import fixed_point, rescale
from optviz.quantize.granularity import Granularity, PerChannel, PerGroup, PerTensor
from optviz.quantize.histograms import Histogram
from optviz.quantize.huffman import code_lengths, codewords, decode, encode, entropy
from optviz.quantize.integer_only import IntegerNetwork, integer_only
from optviz.quantize.integers import code_dtype, dequantize, fake_quantize, fake_quantize_grad, quantize
from optviz.quantize.learned import lsq, lsq_ends, lsq_grad, lsq_start
from optviz.quantize.levels import binarize, ternarize
from optviz.quantize.methods import Dynamic, Recipe, Static, WeightOnly
from optviz.quantize.network import bytes_of, quantize_model
from optviz.quantize.observers import Observer, calibrate
from optviz.quantize.packing import pack4, unpack4
from optviz.quantize.qparams import QParams, from_range
from optviz.quantize.ranges import MSE, Entropy, MinMax, MovingAverage, Percentile, Range
from optviz.quantize.rounding import awq, awq_factors, gptq, gptq_round
from optviz.quantize.sharing import Shared, Summed

__all__ = [
    "MSE",
    "Codebooks",
    "DensityStart",
    "Dynamic",
    "Entropy",
    "Granularity",
    "Histogram",
    "IntegerNetwork",
    "LinearStart",
    "MinMax",
    "MovingAverage",
    "Observer",
    "PerChannel",
    "PerGroup",
    "PerTensor",
    "Percentile",
    "QParams",
    "RandomStart",
    "Range",
    "Recipe",
    "Shared",
    "Static",
    "Summed",
    "WeightOnly",
    "awq",
    "awq_factors",
    "binarize",
    "bytes_of",
    "calibrate",
    "choose_qparams",
    "code_dtype",
    "code_lengths",
    "codewords",
    "correct_bias",
    "decode",
    "dequantize",
    "encode",
    "entropy",
    "equalize",
    "equalize_pair",
    "fake_quantize",
    "fake_quantize_grad",
    "fixed_point",
    "from_range",
    "gptq",
    "gptq_round",
    "integer_only",
    "kmeans",
    "lloyd",
    "lsq",
    "lsq_ends",
    "lsq_grad",
    "lsq_start",
    "pack4",
    "quantize",
    "quantize_model",
    "rescale",
    "share",
    "ternarize",
    "unpack4",
]
