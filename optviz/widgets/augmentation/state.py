"""The state of the augmentation explorer: which augmentations, of how many images, trained how."""

from __future__ import annotations

from dataclasses import is_dataclass, replace
from functools import cache, lru_cache
from typing import Any

from optviz import problems
from optviz._knobs import INF, cards, choice, config, example, knob, knobs, require
from optviz.data import Data, Sometimes, Split, augment
from optviz.widgets.augmentation.words import AUGMENTATIONS, WORDS
from optviz.widgets.series import numbered
from optviz.widgets.tasks import DATA

__all__ = ["CNN", "Entry", "LabState", "menu"]

CNN = "small CNN"
BATCH = 32
NETWORKS: dict[str, Any] = {
    "linear": (),
    "32 hidden units": (32,),
    "64 hidden units": (64,),
    "64 and 32 hidden units": (64, 32),
    CNN: CNN,
}


@config
class Entry:
    """One augmentation of the comparison, and how many of the images it changes.

    Args:
        augmentation: one of ``optviz.data``, or any (X, y, generator) -> (X, y).
        probability: that an image is changed.

    Raises:
        TypeError: if ``augmentation`` cannot be called, or is a class.

    Example:
        >>> Entry(augment.Flip(), 0.5).effective
        Sometimes(part=Flip(horizontal=0.5, vertical=0.0), probability=0.5)
    """

    augmentation: Any
    probability: float = knob(default=1.0, low=0.0, high=1.0, label="probability")

    def _check(self) -> None:
        if not callable(self.augmentation) or isinstance(self.augmentation, type):
            raise TypeError(f"augmentation must be one such as Rotate(15), got {self.augmentation!r}")
        if self.probability < 1:
            Sometimes(self.augmentation)  # which says what it cannot take

    def hidden(self) -> tuple[str, ...]:
        """Fields without a control: a function of one's own is applied to all images."""
        return () if hasattr(self.augmentation, "apply") else ("probability",)

    @property
    def effective(self) -> Any:
        """What the batches go through."""
        return self.augmentation if self.probability == 1 else Sometimes(self.augmentation, self.probability)

    @property
    def name(self) -> str:
        """What the augmentation is called."""
        own = getattr(self.augmentation, "__name__", "") or type(self.augmentation).__name__
        return AUGMENTATIONS.get(own, "own" if own == "<lambda>" else own)


@cache
def menu() -> dict[str, type]:
    """All augmentations that a card may hold, by their name on the page."""
    rooms = [getattr(augment, name) for name in augment.__all__]
    plain = [c for c in rooms if isinstance(c, type) and is_dataclass(c) and knobs(c)]
    return {AUGMENTATIONS.get(c.__name__, c.__name__): c for c in plain if c is not Sometimes}


def _new(kind: type, state: Any, old: Any = None) -> Entry:
    return Entry(example(kind), 1.0 if old is None else old.probability)


@config
class LabState:
    """What the explorer compares.

    Args:
        entries: 1 to 7 augmentations; training without any always stands beside them.
        data: whose images.
        network: numbers of hidden units, or ``"small CNN"``.
        images: training images, the first of the training part; all of it where it has no more.
        steps: updates in a run, of 32 images each.
        lr: first learning rate of SGD with momentum 0.9; it falls to 0 along a straight line.
        seeds: seeds that each network is trained with.
        drawing: which draw of random numbers the pictures show.

    Raises:
        ValueError: if there are no augmentations or more than 7, or a number is out of range.

    Example:
        >>> LabState((Entry(augment.Flip()), Entry(augment.Flip(0.0, 0.5)))).labels
        ('flip 1', 'flip 2')
    """

    entries: tuple[Entry, ...] = cards(menu, _new, most=7, of="augmentation")
    data: str = choice(default="MNIST-5k 14×14", options={name: name for name in DATA}, label="data")
    network: Any = choice(default=(64,), options=NETWORKS, label="network", others=True)
    images: int = knob(default=300, low=50, high=3500, hard=(BATCH, INF), label="training images", log=True)
    steps: int = knob(default=300, low=50, high=2000, hard=(1, 100_000), unit="updates", label="run length")
    lr: float = knob(default=0.1, low=0.01, high=1.0, hard=(0.0, INF), label="first rate", log=True)
    seeds: int = knob(default=5, low=1, high=10, hard=(1, 100), label="seeds")
    drawing: int = knob(default=0, low=0, high=30, hard=(0, 10_000), label="drawing")

    def _check(self) -> None:
        require(1 <= len(self.entries) <= 7, "number of augmentations", "in [1, 7]", len(self.entries))
        sizes = isinstance(self.network, tuple) and all(isinstance(n, int) for n in self.network)
        rule = f"{CNN!r} or a tuple of numbers of hidden units"
        require(sizes or self.network == CNN, "network", rule, self.network)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the entries, numbered where two are the same."""
        return numbered([entry.name for entry in self.entries])

    @property
    def rows(self) -> tuple[str, ...]:
        """Names of all that is compared: the entries, and at last no augmentation."""
        return (*self.labels, WORDS["none"])

    @property
    def augmentations(self) -> tuple[Any, ...]:
        """What the batches of each row go through; None in the last."""
        return (*(entry.effective for entry in self.entries), None)

    @property
    def trained(self) -> tuple[Any, ...]:
        """What tells one training from another, but for the augmentation and the seed."""
        return self.data, self.network, self.used, self.steps, self.lr

    @property
    def used(self) -> int:
        """Training images: those asked for, or all there are."""
        return min(self.images, len(self.source.train))

    @property
    def source(self) -> Data:
        """The whole data set."""
        return DATA[self.data]()

    def problem(self) -> Any:
        """What is trained, without augmentation; equal states share one."""
        return _problem(self.data, self.network, self.used)


@lru_cache(8)
def _problem(name: str, network: Any, images: int) -> Any:
    whole = DATA[name]()
    part = replace(whole, train=Split(whole.train.X[:images], whole.train.y[:images]))
    plain = problems.Classification(part, () if network == CNN else network, BATCH)
    return problems.convolutional(plain) if network == CNN else plain
