"""Quantization: numbers in few bits, and networks that compute with them.

A code is four things, :class:`QParams`: x ≈ s · (q − Z) with a scale s, a zero point Z and integers q from
``low`` to ``high``. :func:`choose_qparams` finds them for numbers: a *range* says where the code ends, a
*granularity* which numbers share a scale. NumPy arrays and torch tensors alike; nothing is changed in place.
"""

from __future__ import annotations

from optviz.quantize.choosing import choose_qparams
from optviz.quantize.granularity import Granularity, PerChannel, PerGroup, PerTensor
from optviz.quantize.histograms import Histogram
from optviz.quantize.integers import code_dtype, dequantize, fake_quantize, fake_quantize_grad, quantize
from optviz.quantize.levels import binarize, ternarize
from optviz.quantize.packing import pack4, unpack4
from optviz.quantize.qparams import QParams, from_range
from optviz.quantize.ranges import MSE, Entropy, MinMax, MovingAverage, Percentile, Range

__all__ = [
    "MSE",
    "Entropy",
    "Granularity",
    "Histogram",
    "MinMax",
    "MovingAverage",
    "PerChannel",
    "PerGroup",
    "PerTensor",
    "Percentile",
    "QParams",
    "Range",
    "binarize",
    "choose_qparams",
    "code_dtype",
    "dequantize",
    "fake_quantize",
    "fake_quantize_grad",
    "from_range",
    "pack4",
    "quantize",
    "ternarize",
    "unpack4",
]
