"""What flows through a network, remembered in bounded memory until its code is chosen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from optviz._knobs import require
from optviz.quantize._blocks import extremes, finite
from optviz.quantize.granularity import WHOLE, Granularity
from optviz.quantize.qparams import QParams, from_range, numbers, whole_bits
from optviz.quantize.ranges import EXTREMES, Range

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Observer", "calibrate"]


@dataclass(frozen=True, eq=False)
class Observer:
    """A range that sees a stream of arrays or tensors, one batch after the other.

    Its memory doesn't grow: MinMax keeps two numbers a scale, histograms their bins.

    Args:
        range: how the ends are found.
        per: which numbers share a scale; their number must be the same in every batch.
        shape: of the scales, once a batch has been seen.
        state: what the range remembers.
        like: an empty array of the kind and precision of the first batch.

    Example:
        >>> import numpy as np
        >>> seen = Observer().update(np.array([1.0, 3.0])).update(np.array([-1.0, 0.0]))
        >>> q = seen.qparams(bits=2)
        >>> float(q.scale) == 4 / 3, int(q.zero_point)
        (True, 1)

    Reference: Krishnamoorthi, 2018, arXiv:1806.08342, section 2.5 (ranges from batches of data).
    """

    range: Range = EXTREMES
    per: Granularity = WHOLE
    shape: tuple[int, ...] | None = None
    state: Any = field(default=None, repr=False)
    like: Any = field(default=None, repr=False)

    def update(self, x: Any) -> Observer:
        """The observer after one more batch.

        Args:
            x: array or tensor of any shape, in the unit of the activations.

        Returns:
            A new observer; this one stays as it was.

        Raises:
            TypeError: if ``x`` is not of real numbers.
            ValueError: if it is empty or not finite, or needs another number of scales than before.
        """
        x = numbers(x, "Observer.update.x")
        shape, blocks = self.per.shape(tuple(x.shape)), self.per.blocks(x)
        fits = self.shape in (None, shape)
        require(fits, "Observer.update.x", f"of a shape with scales {self.shape}", tuple(x.shape))
        require(finite(*extremes(blocks)), "Observer.update.x", "of finite numbers", x)
        state = self.range.start() if self.shape is None else self.state
        return replace(self, shape=shape, state=self.range.update(state, blocks), like=x.reshape(-1)[:0])

    def qparams(self, bits: int = 8, symmetric: bool = False) -> QParams:
        """Scale and zero point of a code for all numbers seen so far.

        Args:
            bits: b in [1, 16], from 2 where symmetric.
            symmetric: as in :func:`choose_qparams`.

        Raises:
            ValueError: if nothing was seen, or ``bits`` are outside.
        """
        require(self.shape is not None, "Observer.qparams", "asked for after a batch was seen", "none")
        low, high = self.range.finish(self.state, whole_bits(bits, symmetric).reshape(1), symmetric)
        return from_range(low.reshape(self.shape), high.reshape(self.shape), bits, symmetric, like=self.like)


def calibrate(
    model: nn.Module, batches: Iterable[Any], *, range: Range = EXTREMES, per: Granularity = WHOLE
) -> dict[str, Observer]:
    """Run a network on data and observe what goes into each Linear and Conv layer.

    Args:
        model: in evaluation mode; it stays as it was.
        batches: of inputs (N, …) as the network takes them, without labels, neither augmented nor of the
            test data. They are read once, one at a time.
        range: how the ends are found.
        per: which numbers of an input share a scale.

    Returns:
        Name of the layer → :class:`Observer` of its inputs, in the order in which they are used.

    Raises:
        TypeError: if ``model`` is no module, or a batch is not inputs alone.
        ValueError: if the model is in training mode, there is no batch, or numbers are not finite.

    Example:
        >>> import torch
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2)).eval()
        >>> seen = calibrate(net, [torch.randn(8, 4), torch.randn(8, 4)])
        >>> list(seen), int(seen["2"].qparams().zero_point)  # after ReLU nothing is below 0
        (['0', '2'], 0)

    Reference: Nagel and others, 2021, arXiv:2106.08295, section 3 (ranges from calibration data).
    """
    found: dict[str, Observer] = {}

    def note(name: str) -> Any:
        def hook(layer: Any, args: Any) -> None:
            found[name] = found.get(name, Observer(range, per)).update(args[0])

        return hook

    resting(model, "calibrate.model")
    hooks = [part.register_forward_pre_hook(note(name)) for name, part in weighted(model).items()]
    run(model, inputs(model, batches, "calibrate.batches"), hooks)
    return found


def run(model: nn.Module, batches: Iterable[Any], hooks: list[Any]) -> None:
    """Send batches through a network that is watched, then take the hooks away, whatever happened."""
    import torch

    try:
        with torch.no_grad():
            for x in batches:
                model(x)
    finally:
        for hook in hooks:
            hook.remove()


def weighted(model: nn.Module) -> dict[str, Any]:
    """Name → layer for every Linear and Conv layer of a network, each once."""
    from torch import nn

    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
    return {name: part for name, part in model.named_modules() if isinstance(part, kinds)}


def resting(model: Any, name: str) -> None:
    """Refuse what is no module, or would draw chance or update statistics while it runs.

    Raises:
        TypeError: if it is no ``torch.nn.Module``.
        ValueError: if a part is in training mode.
    """
    from torch import nn

    if not isinstance(model, nn.Module):
        raise TypeError(f"{name} must be a torch.nn.Module, got {model!r}")
    busy = [part or "the model" for part, m in model.named_modules() if m.training]
    require(not busy, name, "in evaluation mode: call model.eval()", f"training mode in {', '.join(busy)}")


def inputs(model: nn.Module, batches: Any, name: str) -> Iterator[Any]:
    """The batches as tensors in the precision and place of the weights.

    Raises:
        TypeError: if one is a pair with labels, or no array.
        ValueError: if there is none.
    """
    import torch

    own = next((p for p in (*model.parameters(), *model.buffers()) if p.is_floating_point()), torch.empty(0))
    none = True
    for batch in [batches] if hasattr(batches, "ndim") else batches:
        if not hasattr(batch, "ndim"):
            raise TypeError(f"{name} must be arrays or tensors of inputs without labels, got {type(batch)}")
        none = False
        yield torch.as_tensor(batch, dtype=own.dtype, device=own.device)
    require(not none, name, "at least one batch of inputs", "none")
