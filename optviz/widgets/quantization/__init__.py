"""The quantization explorer: bits of each layer, scales, calibration; accuracy, bytes and time, live."""

from __future__ import annotations

from typing import Any

from optviz.widgets.explorer import Explorer
from optviz.widgets.panel import Panel
from optviz.widgets.quantization.compute import compute
from optviz.widgets.quantization.draw import draw
from optviz.widgets.quantization.state import BY_HAND, CALIBRATED, FLOATS, LabState
from optviz.widgets.quantization.telling import as_code, as_table, in_words, status
from optviz.widgets.quantization.words import QUANTIZATION_LAB as WORDS

__all__ = ["quantization_lab"]


def quantization_lab(**settings: Any) -> Explorer:
    """Quantize networks after training: bits of each layer, scales and ranges; accuracy, bytes and time.

    In a notebook it shows itself as a live widget. Without a page, ``lab.set(bits=3).result`` computes.
    Networks are trained in floating point once and then quantized in every way that the pictures show.
    Accuracies are those of test images; which layers can do with few bits is found on validation images.

    Args:
        settings: fields of the explorer's state: ``bits``, ``plan`` ("all layers alike", "greedy, same
            bytes", "each layer by hand"), ``first``, ``middle``, ``last`` (bits of the layers by hand, 32 for
            floating point), ``per``, ``range``, ``symmetric`` (of the weights), ``activations`` ("static",
            "dynamic", "floating point"), ``activation_bits``, ``activation_range``, ``calibration`` (images),
            ``network`` ("MLP 64-64, digits", "CNN, digits", "LeNet-300-100"), ``steps``, ``seeds``.

    Returns:
        The explorer.

    Raises:
        TypeError: if there is no such field, or ``per`` or a range is none of ``optviz.quantize``.
        ValueError: if a number is out of range, or a group size doesn't divide the inputs of a layer.

    Example:
        >>> lab = quantization_lab(bits=8, steps=60, seeds=2)
        >>> lab.result.uniform.accuracy.shape, lab.result.chosen.total.tolist()
        ((7, 2), [[9951.0, 9951.0]])

    Reference: Nagel and others, A white paper on neural network quantization, 2021, arXiv:2106.08295.
    """
    return Explorer(
        LabState(**settings),
        compute,
        draw,
        panels={
            **{name: Panel() for name in ("curve", "pareto", "layers", "counts", "bytes")},
            "times": Panel(labels=False),
        },
        words=WORDS,
        code=as_code,
        verdict=in_words,
        status=status,
        table=as_table,
        fixed=_fixed,
        groups={
            WORDS["inputs"]: ("activations", "activation_bits", "activation_range", "calibration"),
            WORDS["rest"]: ("network", "steps", "seeds"),
        },
        point={"curve": ("bits", None)},
    )


def _fixed(state: LabState) -> tuple[str, ...]:
    """What has no effect in this state."""
    hand = ("first", "middle", "last")
    found: tuple[str, ...] = ("bits",) if state.plan == BY_HAND else hand
    if state.activations == FLOATS:
        found += ("activation_bits",)
    return found if state.activations == CALIBRATED else (*found, "activation_range", "calibration")
