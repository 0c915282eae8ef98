"""Which numbers of a network become integers: weights alone, or also what goes into a layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar, Protocol

from optviz._knobs import config, knob, require
from optviz.quantize.choosing import choose_qparams
from optviz.quantize.granularity import WHOLE, Granularity, PerChannel
from optviz.quantize.integers import fake_quantize
from optviz.quantize.observers import Observer
from optviz.quantize.qparams import QParams
from optviz.quantize.ranges import EXTREMES, Range

__all__ = ["Dynamic", "Recipe", "Static", "WeightOnly"]

CHANNELS = PerChannel(0)
Before = Callable[[Any], Any] | QParams | None


class Recipe(Protocol):
    """What becomes of the layers of a network: :class:`WeightOnly`, :class:`Dynamic` or :class:`Static`.

    Example:
        >>> [recipe.observes for recipe in (WeightOnly(), Dynamic(), Static())]
        [False, False, True]

    Reference: Krishnamoorthi, 2018, arXiv:1806.08342, section 3 (weights only; weights and activations).
    """

    observes: ClassVar[bool]

    def bits_of(self, name: str) -> int | None:
        """Bits of the weights of a layer; None where it stays in floating point."""
        ...

    def weights(self, weight: Any, bits: int) -> QParams:
        """The code of weights (out, inputs)."""
        ...

    def before(self, observer: Observer | None) -> Before:
        """What happens to the inputs of a layer: nothing, a fixed code, or a function."""
        ...


@config
class WeightOnly:
    """Weights are integers; activations stay in floating point. The file shrinks, the arithmetic doesn't.

    Args:
        bits: b of the weights.
        per: which weights share a scale. Filters of a convolution count as rows (out, in · kernel).
        range: how the ends of the weights are found.
        symmetric: levels on both sides of 0 alike, so that Z = 0 and needs no correction.
        layers: name of a layer → its own bits. Kept as pairs, so that the recipe can be hashed.
        skip: names of layers that stay in floating point.

    Raises:
        TypeError: if bits are no numbers.
        ValueError: if they are outside [1, 16], or 1 where symmetric.

    Example:
        >>> WeightOnly(4, layers={"0": 8}, skip=["4"]).layers
        (('0', 8),)

    Reference: Nagel and others, 2021, arXiv:2106.08295, section 2.
    """

    bits: int = knob(8, 2, 8, hard=(1, 16))
    per: Granularity = CHANNELS
    range: Range = EXTREMES
    symmetric: bool = True
    layers: Any = ()
    skip: Any = ()

    observes: ClassVar[bool] = False

    def _check(self) -> None:
        pairs = self.layers.items() if isinstance(self.layers, Mapping) else self.layers
        own = tuple((str(name), type(self)._own(name, bits)) for name, bits in pairs)
        object.__setattr__(self, "layers", own)
        if isinstance(self.skip, str):
            raise TypeError(f"{type(self).__name__}.skip must be a tuple of names, got {self.skip!r}")
        lowest = min([self.bits, *(bits for _, bits in own)])
        rule = "at least 2 when symmetric"
        require(lowest > self.symmetric, f"{type(self).__name__}.bits", rule, lowest)

    @classmethod
    def _own(cls, name: Any, bits: Any) -> int:
        kind = f"{cls.__name__}.layers[{name!r}]"
        if isinstance(bits, bool) or not hasattr(bits, "__index__"):
            raise TypeError(f"{kind} must be a whole number of bits, got {bits!r}")
        require(1 <= int(bits) <= 16, kind, "in [1, 16]", bits)
        return int(bits)

    def bits_of(self, name: str) -> int | None:
        """Bits of the weights of a layer; None where it stays in floating point."""
        return None if name in self.skip else dict(self.layers).get(name, self.bits)

    def weights(self, weight: Any, bits: int) -> QParams:
        """The code of weights (out, inputs)."""
        return choose_qparams(weight, bits, self.per, self.symmetric, self.range)

    def before(self, observer: Observer | None) -> Before:
        """Nothing."""
        return None


@config
class Dynamic(WeightOnly):
    """Weights are integers, and what goes into a layer gets a code of its own, found anew for every batch.

    No calibration is needed, but the ends must be found while the network runs.

    Args:
        bits, per, range, symmetric, layers, skip: as in :class:`WeightOnly`.
        activation_bits: b of the inputs.
        activation_per: ``PerTensor()``, or ``PerChannel(0)`` for a code of each example.

    Example:
        >>> Dynamic(4).activation_bits
        8

    Reference: Wu and others, 2020, arXiv:2004.09602; Krishnamoorthi, 2018, arXiv:1806.08342.
    """

    activation_bits: int = knob(default=8, low=2, high=8, hard=(1, 16))
    activation_per: Granularity = WHOLE

    def before(self, observer: Observer | None) -> Before:
        """Find the code of a batch, and go through it."""
        return partial(through_own_code, bits=self.activation_bits, per=self.activation_per)


@config
class Static(WeightOnly):
    """Weights are integers, and what goes into a layer has one code for all, found on calibration data.

    This is what integer kernels want: nothing needs to be searched while the network runs.

    Args:
        bits, per, range, symmetric, layers, skip: as in :class:`WeightOnly`.
        activation_bits: b of the inputs.
        activation_range: how the ends of the inputs are found.
        activation_symmetric: levels on both sides of 0; else from 0 up, with a zero point.

    Example:
        >>> Static(activation_bits=6).observes
        True

    Reference: Jacob and others, 2018, arXiv:1712.05877; Nagel and others, 2021, arXiv:2106.08295, section 3.
    """

    activation_bits: int = knob(default=8, low=2, high=8, hard=(1, 16))
    activation_range: Range = EXTREMES
    activation_symmetric: bool = False

    observes: ClassVar[bool] = True

    def before(self, observer: Observer | None) -> Before:
        """The code of all that was observed."""
        assert observer is not None
        return observer.qparams(self.activation_bits, self.activation_symmetric)


def through_own_code(x: Any, bits: int, per: Granularity) -> Any:
    """What is left of numbers after an affine code from their smallest to their largest.

    Example:
        >>> import numpy as np
        >>> through_own_code(np.array([0.0, 1.2, 3.0]), 2, WHOLE).tolist()
        [0.0, 1.0, 3.0]
    """
    return fake_quantize(x, choose_qparams(x, bits, per))
