"""The exercise of lesson 13 on what a range is calibrated on.

**Spot the bugs.** ``my_range(net, train, test, augment)``: the code is meant to find the range of a network's
outputs, from which their scale will be chosen. `net` comes right out of training; `train` and `test` are
lists of batches; `augment` is what the training did to each batch. It runs, but the range is wrong for the
network that is deployed: three things are. Repair it. Return the smallest and the largest output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import product
from typing import Any

import numpy as np

from optviz.lessons.exercises.lesson_06.shrinking import flat
from optviz.lessons.exercises.lesson_12.wording import explained
from optviz.lessons.material import Exercise, Mistake

__all__ = ["CALIBRATION", "tried"]


def tried(fn: Callable[..., Any], case: tuple[float]) -> Any:
    """The range that a learner's function finds, and how far it moved the network's own statistics.

    The network is one layer with batch norm, in train mode. Test batches differ from training batches, and
    ``augment`` multiplies all pixels by the number in ``case``.
    """
    import torch

    (contrast,) = case
    chance = np.random.default_rng(round(100 * contrast))

    def batches(count: int, mean: float, spread: float) -> list[Any]:
        return [torch.tensor(chance.normal(mean, spread, (6, 4)).round(2)) for _ in range(count)]

    norm = torch.nn.BatchNorm1d(3).double()
    layer = torch.nn.Linear(4, 3).double()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(chance.normal(size=(3, 4))))
        layer.bias.copy_(torch.tensor(chance.normal(size=3)))
    norm.running_mean = torch.tensor(chance.normal(size=3))
    norm.running_var = torch.tensor(chance.uniform(0.5, 3, 3))
    net, before = torch.nn.Sequential(layer, norm).train(), norm.running_mean.clone()
    train, test = batches(3, 0.2, 1.0), batches(2, 1.7, 0.7)
    found = flat(lambda _: fn(net, train, test, lambda batch: contrast * batch), case)
    if found is None or found is ...:
        return found
    if found.shape != (2,):
        raise ValueError(f"the smallest and the largest output are two numbers, got {found.size}")
    return [*found, float((norm.running_mean - before).abs().sum())]


Extremes = Callable[[Iterable[Any]], Any]  # outputs of each batch -> (smallest, largest)


def _extremes(outputs: Iterable[Any]) -> Any:
    ends = [(float(y.min()), float(y.max())) for y in outputs]
    return min(low for low, _ in ends), max(high for _, high in ends)


def ranged(
    *,
    training: bool = False,
    augmented: bool = False,
    data: Callable[[Any, Any], Any] = lambda train, test: train,
    extremes: Extremes = _extremes,
) -> Callable[..., Any]:
    """A calibration with some of the faults."""

    def calibrate(net: Any, train: Any, test: Any, augment: Any) -> Any:
        import torch

        net.train(training)
        with torch.no_grad():
            inputs = [augment(batch) if augmented else batch for batch in data(train, test)]
            return extremes([net(batch) for batch in inputs])

    return calibrate


def _seen(train: Any, test: Any) -> Any:
    return test


def _joined(train: Any, test: Any) -> Any:
    import torch

    return [torch.cat(train)]


def _with_augmented(net: Any, train: Any, test: Any, augment: Any) -> Any:
    net.eval()
    return _extremes(net(each) for batch in train for each in (batch, augment(batch)))


def _late(net: Any, train: Any, test: Any, augment: Any) -> Any:
    outputs = []
    for batch in train:
        outputs.append(net(batch))
        net.eval()
    return _extremes(outputs)


FAULTS = {
    "in train mode": (
        "In which mode is the network when you call it?",
        "In train mode batch norm uses the statistics of each batch, and its stored ones change. "
        "no_grad() does not stop that.",
        "net.eval() before the loop.",
    ),
    "on augmented images": (
        "Will the deployed network see augmented images?",
        "Augmentation widens what the layers see: the scale becomes too coarse for real images.",
        "net(batch), without augment.",
    ),
    "on test images": (
        "Which images may decide anything about the network?",
        "The range is a part of the network. Test images that chose it are no test any more.",
        "for batch in train.",
    ),
}


def _left(*faults: str) -> Mistake:
    """What is left of the faults, by name, with the hints for each."""
    hints = [" ".join(FAULTS[name][level] for name in faults) for level in range(3)]
    does = ranged(
        training="in train mode" in faults,
        augmented="on augmented images" in faults,
        data=_seen if "on test images" in faults else lambda train, test: train,
    )
    return Mistake(f"still {', '.join(faults)}", does, (hints[0], hints[1], hints[2]))


_ALL = tuple(FAULTS)
_SUBSETS = [
    tuple(f for f, kept in zip(_ALL, marks, strict=True) if kept) for marks in product((0, 1), repeat=3)
]

_PARTS = (
    "the smallest output",
    "the largest output",
    "how far your code moved the means that batch norm stores",
)


def _of_an_end(at: int, contrast: float) -> str:
    return f"That is {_PARTS[at]}. Here augment multiplies all pixels by {contrast:g}."


CALIBRATION = Exercise(
    id="13.calibration",
    arguments=("net", "train", "test", "augment"),
    answer=ranged(),
    cases=((1.5,), (0.7,)),
    measure=tried,
    explain=explained(tried, ranged(), _of_an_end),
    given=ranged(training=True, augmented=True, data=_seen),
    seconds=20.0,  # torch may be imported within
    praise="Clean training images through the network as it will be used, and it is still the same network.",
    hints=(
        "What will the deployed network be, and what will it see? Calibrate with that.",
        "Three things: which images, what was done to them, and the mode of the network.",
        "net.eval(), then for batch in train: outputs = net(batch).",
    ),
    mistakes=(
        *(_left(*faults) for faults in _SUBSETS if 0 < len(faults) < 3),
        Mistake(
            "test images too",
            ranged(data=lambda train, test: [*train, *test]),
            (
                "Which images may decide anything about the network?",
                "More data is good, but test images must not have a say in the range.",
                "for batch in train, and nothing else.",
            ),
        ),
        *(
            Mistake(
                f"the {which} batch alone",
                ranged(data=data),
                (
                    "How many batches does your range see?",
                    "The extremes of one batch are narrower than those of all.",
                    "Loop over all of train, and collect the extremes of each batch.",
                ),
            )
            for which, data in (
                ("first", lambda train, test: train[:1]),
                ("last", lambda train, test: train[-1:]),
            )
        ),
        Mistake(
            "augmented images too",
            _with_augmented,
            (
                "Will the deployed network see augmented images?",
                "They make the range wider than the images of its life do, beside clean ones too.",
                "net(batch), without augment.",
            ),
        ),
        Mistake(
            "still in train mode, all in one batch",
            ranged(training=True, data=_joined),
            (
                "In which mode is the network when you call it?",
                "One large batch doesn't help: in train mode batch norm takes its statistics from it.",
                "net.eval() before anything else.",
            ),
        ),
        Mistake(
            "eval mode comes too late",
            _late,
            (
                "In which mode is the network when the first batch goes through?",
                "The mode counts when the network is called, not when the range is read.",
                "net.eval() before the loop.",
            ),
        ),
        Mistake(
            "the mean of the extremes",
            ranged(
                extremes=lambda outputs: (
                    float(np.mean([y.min() for y in outputs])),
                    float(np.mean([y.max() for y in outputs])),
                )
            ),
            (
                "Are there outputs outside of your range?",
                "An average of extremes lies inside them. Here the extremes of all batches are asked for.",
                "min(low), max(high).",
            ),
        ),
        Mistake(
            "the range of the inputs",
            lambda net, train, test, augment: _extremes(train),
            (
                "What did the network do in your code?",
                "The scale is for its outputs.",
                "outputs = net(batch), in eval mode.",
            ),
        ),
    ),
)
