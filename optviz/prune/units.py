"""One score for each unit of a network, and which units to keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from optviz._knobs import config, knob, require
from optviz.prune.graph import Trace, Units, Watch, copied, inputs_of, trace
from optviz.prune.groups import named_units
from optviz.prune.scopes import Layer, Scope, mask
from optviz.prune.shrink import vanishing

if TYPE_CHECKING:
    from torch import nn

__all__ = ["APoZ", "GateTaylor", "MeanActivation", "NormGain", "WeightNorm", "choose_units", "unit_scores"]

LAYER = Layer()


class Subject:
    """What a score may look at.

    Args:
        model: a copy of the network, in evaluation mode.
        example: its input, or a tuple of its inputs.
        loss: output -> scalar, or None.
    """

    def __init__(self, model: nn.Module, example: Any, loss: Callable[[Any], Any] | None) -> None:
        self.model, self.example, self.loss = model, example, loss
        self.found = Trace()

    def walk(self, watch: Watch | None = None) -> Trace:
        """Go through the network once, and keep in ``found`` what is known of its units."""
        self.found = trace(self.model, self.example, watch)
        return self.found


class Criterion(Protocol):
    """A rule that gives each label of a network a number: the larger, the more the unit counts."""

    def labels(self, subject: Subject) -> np.ndarray:
        """(labels,) of numbers, NaN where the rule has nothing to say."""
        ...


@config
class WeightNorm:
    """A unit counts as much as the weights that make it: (Σ|w|ᵖ)^(1/p) over its row in every maker.

    Args:
        power: p, 1 for L1 and 2 for L2.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
        >>> _ = net[0].weight.data.copy_(torch.tensor([[3.0, -4.0], [0.0, 1.0]]))
        >>> unit_scores(net, torch.zeros(1, 2), WeightNorm(2))["0"].tolist()
        [5.0, 1.0]

    Reference: Li et al., Pruning filters for efficient convnets, 2017, arXiv:1608.08710.
    """

    power: float = knob(1.0, 1.0, 2.0, hard=(0.1, 100.0))

    def labels(self, subject: Subject) -> np.ndarray:
        """(Σ|w|ᵖ)^(1/p) of every label."""

        def power(weight: Any, grad: Any) -> Any:
            return weight.abs() ** self.power if weight.ndim > 1 else 0 * weight

        return _of_weights(subject, ("out", "units"), power) ** (1 / self.power)


@config
class NormGain:
    """A unit counts as much as the gain of the norm behind it: |γ|, averaged over norms if there are several.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.ReLU(), nn.Linear(2, 1))
        >>> _ = net[1].weight.data.copy_(torch.tensor([0.5, -2.0]))
        >>> unit_scores(net, torch.zeros(1, 2), NormGain())["0"].tolist()
        [0.5, 2.0]

    Reference: Liu et al., Learning efficient convolutional networks through network slimming, 2017,
        arXiv:1708.06519.
    """

    def labels(self, subject: Subject) -> np.ndarray:
        """Mean |γ| of every label."""
        found = subject.walk()
        sums, counts = np.zeros(found.size), np.zeros(found.size)
        for place in (p for p in found.places if p.side == "norm"):
            gain = getattr(subject.model.get_submodule(place.layer), "weight", None)
            if gain is not None:
                np.add.at(sums, place.labels, _array(gain.abs()))
                np.add.at(counts, place.labels, 1)
        return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


@config
class MeanActivation:
    """A unit counts as much as what the next layer gets from it: mean |a| over examples and pixels.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Linear(1, 2, bias=False), nn.ReLU(), nn.Linear(2, 1))
        >>> _ = net[0].weight.data.copy_(torch.tensor([[1.0], [-3.0]]))
        >>> unit_scores(net, torch.tensor([[1.0], [-1.0]]), MeanActivation())["0"].tolist()
        [0.5, 1.5]

    Reference: Molchanov et al., Pruning convolutional neural networks for resource efficient inference, 2017,
        arXiv:1611.06440.
    """

    def labels(self, subject: Subject) -> np.ndarray:
        """Mean |a| of every label."""
        return _of_activations(subject, lambda a: a.abs())


@config
class APoZ:
    """A unit counts as often as it is not zero: 1 − APoZ, the average percentage of zeros behind its ReLU.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Linear(1, 2, bias=False), nn.ReLU(), nn.Linear(2, 1))
        >>> _ = net[0].weight.data.copy_(torch.tensor([[1.0], [-3.0]]))
        >>> unit_scores(net, torch.tensor([[1.0], [2.0], [3.0], [-1.0]]), APoZ())["0"].tolist()
        [0.75, 0.25]

    Reference: Hu, Peng, Tai and Tang, Network trimming, 2016, arXiv:1607.03250.
    """

    def labels(self, subject: Subject) -> np.ndarray:
        """Share of numbers that are not zero, of every label."""
        return _of_activations(subject, lambda a: a != 0)


@config
class GateTaylor:
    """A unit counts as much as the loss would change without it, to first order: (Σ g·w)².

    The sum runs over the weights that read the unit: it is the slope of the loss at a gate that multiplies
    the unit's activation. For the heads of a module that cuts itself it runs over all weights of the head.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Linear(1, 2, bias=False), nn.Linear(2, 1, bias=False))
        >>> _ = net[0].weight.data.copy_(torch.tensor([[1.0], [3.0]]))
        >>> _ = net[1].weight.data.copy_(torch.tensor([[2.0, 1.0]]))
        >>> unit_scores(net, torch.ones(1, 1), GateTaylor(), loss=lambda y: y.sum())["0"].tolist()
        [4.0, 9.0]

    Reference: Molchanov et al., Importance estimation for neural network pruning, 2019, arXiv:1906.10771.
    """

    def labels(self, subject: Subject) -> np.ndarray:
        """(Σ g·w)² of every label."""
        require(subject.loss is not None, "unit_scores.loss", "given for GateTaylor: output -> scalar", None)
        return _of_weights(subject, ("in", "units"), lambda weight, grad: grad * weight) ** 2


def unit_scores(
    model: nn.Module,
    example: Any,
    by: Criterion | None = None,
    *,
    loss: Callable[[Any], Any] | None = None,
) -> dict[str, Any]:
    """How much each unit counts, for every group of units that can be removed.

    Args:
        model: a torch module that ``torch.fx`` can trace; it is not changed, and runs in evaluation mode.
        example: inputs; for scores from activations or gradients these are the data.
        by: :class:`WeightNorm` (the default), :class:`NormGain`, :class:`MeanActivation`, :class:`APoZ` or
            :class:`GateTaylor`.
        loss: output -> scalar, for scores from gradients.

    Returns:
        Name of a group -> (units,) scores, larger for what counts more; partners of a residual sum have one
        score together, under the name of the first.

    Raises:
        TypeError: if ``model`` is not a module, or ``by`` no criterion.
        ValueError: if the network cannot be traced, or the criterion has nothing to go by in some group.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
        >>> {name: score.shape for name, score in unit_scores(net, torch.zeros(1, 3)).items()}
        {'0': torch.Size([4])}

    Reference: Molchanov et al., Importance estimation for neural network pruning, 2019, arXiv:1906.10771.
    """
    import torch

    by = WeightNorm(1.0) if by is None else by
    if not hasattr(by, "labels"):
        raise TypeError(f"unit_scores.by must be a criterion such as WeightNorm(), got {by!r}")
    subject = Subject(copied(model).eval(), example, loss)
    values = by.labels(subject)
    scores = {name: values[units] for name, units in named_units(subject.found).items()}
    silent = [name for name, found in scores.items() if np.isnan(found).any()]
    require(not silent, "unit_scores.by", f"a criterion that sees the units of {silent}", by)
    return {name: torch.as_tensor(found) for name, found in scores.items()}


def choose_units(
    scores: Mapping[str, Any], share: Any = None, floor: int = 1, scope: Scope = LAYER
) -> dict[str, Any]:
    """Keep the units with the highest scores.

    Of N units that compete exactly round(share·N) go, but no layer is left with fewer than ``floor``.

    Args:
        scores: layer -> (units,) scores, as :func:`unit_scores` gives them.
        share: of the units that go, in [0, 1); None where the scope has its own.
        floor: the smallest number of units that a layer keeps; the whole layer where it has fewer.
        scope: ``Layer()``, where every layer loses the same share, ``Global()``, where all units compete, or
            ``Budget({layer: share})``.

    Returns:
        Layer -> (units,) of bool, True for what stays: the ``keep`` of :func:`optviz.prune.shrink`.

    Raises:
        TypeError: if ``scores`` are no mapping, or ``scope`` is no scope.
        ValueError: if ``share`` or ``floor`` is out of range, or a score is NaN.

    Example:
        >>> import torch
        >>> choose_units({"0": torch.tensor([0.1, 3.0, 2.0, 0.5])}, 0.5)
        {'0': tensor([False,  True,  True, False])}

    Reference: Li et al., Pruning filters for efficient convnets, 2017, arXiv:1608.08710.
    """
    return mask(scores, share, scope, floor=floor)


def _array(tensor: Any) -> np.ndarray:
    return tensor.detach().double().cpu().numpy()


def _of_weights(subject: Subject, sides: tuple[str, ...], amount: Callable[[Any, Any], Any]) -> np.ndarray:
    """Σ amount(weight, gradient) over what each label owns on the given sides."""
    found = subject.walk()
    if subject.loss is not None:
        subject.loss(subject.model.requires_grad_(True)(*inputs_of(subject.example))).backward()
    sums = np.full(found.size, np.nan)
    for place in found.places:
        if place.side in sides:
            layer = subject.model.get_submodule(place.layer)
            sums[place.labels] = np.nan_to_num(sums[place.labels])
            np.add.at(sums, place.labels, _a_unit(layer, place, amount))
    return sums


def _a_unit(layer: Any, place: Any, amount: Callable[[Any, Any], Any]) -> np.ndarray:
    """Σ amount over the weights of each index of one side of one layer."""
    count = len(place.labels)
    if place.side != "units":
        weight = layer.weight
        turned = type(layer).__name__.startswith("ConvTranspose")
        axis = int((place.side == "in") != turned)
        every = amount(weight, weight.grad)
        return _array(every.movedim(axis, 0).reshape(count, -1).sum(1))
    sums = np.zeros(count)
    for unit in range(count):
        for name, gone in vanishing(layer, "units", np.arange(count) != unit):
            p = layer.get_parameter(name)
            sums[unit] += _array(amount(p, p.grad)[gone].sum())
    return sums


def _of_activations(subject: Subject, amount: Callable[[Any], Any]) -> np.ndarray:
    """Mean of amount(a) over examples, pixels and readers, for every label."""
    read: list[tuple[np.ndarray, np.ndarray]] = []

    def watch(units: Units, x: Any) -> None:  # at once: the network may write into x later
        read.append((units.labels, _array(amount(x).double().movedim(units.axis, 0).flatten(1).mean(1))))

    found = subject.walk(watch)
    sums, counts = np.zeros(found.size), np.zeros(found.size)
    for labels, means in read:
        np.add.at(sums, found.roots[labels], means)
        np.add.at(counts, found.roots[labels], 1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
