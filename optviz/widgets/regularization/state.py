"""The state of the regularization explorer: which techniques, on how many images, trained how."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, lru_cache
from typing import Any

from optviz import problems, regularize
from optviz._knobs import INF, cards, choice, config, example, knob, require
from optviz.optimizers import SGD, Adam
from optviz.widgets.regularization.methods import METHODS
from optviz.widgets.series import numbered
from optviz.widgets.tasks import DATA

__all__ = ["RATES", "Entry", "LabState", "followed", "menu", "problem_of"]

NETWORKS: dict[str, Any] = {
    "16 hidden units": (16,),
    "64 hidden units": (64,),
    "128 hidden units": (128,),
    "64 and 64 hidden units": (64, 64),
}
OPTIMIZERS: dict[str, Any] = {"SGD, momentum 0.9": SGD(momentum=0.9), "SGD": SGD(), "Adam": Adam()}
RATES = {SGD(momentum=0.9): 0.05, SGD(): 0.5, Adam(): 0.005}  # where the rate goes when the rule changes


@config
class Entry:
    """One technique of the comparison.

    Args:
        method: one of ``METHODS``.

    Raises:
        TypeError: if it is none of them.

    Example:
        >>> from optviz.widgets.regularization import Plain
        >>> Entry(Plain()).method.name
        'none'
    """

    method: Any

    def _check(self) -> None:
        if not isinstance(self.method, METHODS):
            raise TypeError(f"Entry.method must be a technique such as L2(0.01), got {self.method!r}")


@cache
def menu() -> dict[str, type]:
    """All techniques that a card may hold, by their name on the page."""
    return {kind.name: kind for kind in METHODS}  # type: ignore[attr-defined]


def _new(kind: type, state: Any, old: Any = None) -> Entry:
    """A card for ``kind`` with its sliders at their starts."""
    return Entry(example(kind))


@config
class LabState:
    """Everything that determines the pictures of the regularization explorer.

    Args:
        entries: 1 to 8 techniques.
        data: which images.
        images: training images that are used.
        noise: fraction of the training labels that are replaced by a random class.
        network: hidden units.
        optimizer, lr: the update rule and its constant rate.
        batch: images in a batch.
        steps: updates in a run.
        seeds: seeds 0, 1, … that every technique is trained with.
        tuned: each technique at its own best strength instead of the one on its card.

    Raises:
        ValueError: if there are no entries or more than 8, or more images than there are.

    Example:
        >>> from optviz.widgets.regularization import Plain
        >>> LabState((Entry(Plain()), Entry(Plain()))).labels
        ('none 1', 'none 2')
    """

    entries: tuple[Entry, ...] = cards(menu, _new, most=8, of="method")
    images: int = knob(default=200, low=50, high=1257, hard=(10, INF), label="training images")
    noise: float = knob(
        default=0.2, low=0.0, high=0.6, hard=(0.0, 1.0), unit="fraction", label="wrong labels"
    )
    data: str = choice(default="digits 8×8", options={name: name for name in DATA}, label="data")
    network: Any = choice(default=(64,), options=NETWORKS, label="network", others=True)
    optimizer: Any = choice(default=SGD(momentum=0.9), options=OPTIMIZERS, label="optimizer", others=True)
    lr: float = knob(default=0.05, low=1e-3, high=1.0, hard=(0.0, 100.0), log=True, label="rate")
    batch: int = knob(default=32, low=8, high=256, hard=(1, INF), unit="images", label="batch", log=True)
    steps: int = knob(default=300, low=50, high=1500, hard=(2, 100_000), unit="updates", label="run length")
    seeds: int = knob(default=5, low=1, high=10, hard=(1, 100), label="seeds")
    tuned: bool = choice(
        default=False, options={"as on the cards": False, "each at its own best": True}, label="strengths"
    )

    def _check(self) -> None:
        require(1 <= len(self.entries) <= 8, "number of techniques", "in [1, 8]", len(self.entries))
        sizes = isinstance(self.network, tuple) and all(isinstance(n, int) for n in self.network)
        require(sizes, "network", "a tuple of numbers of hidden units", self.network)
        total = len(DATA[self.data]().train.y)
        require(self.images <= total, "images", f"at most the {total} training images", self.images)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the entries, numbered where two are the same."""
        return numbered([entry.method.name for entry in self.entries])

    @property
    def task(self) -> tuple[Any, ...]:
        """What tells one task from another, apart from the techniques."""
        return self.data, self.images, self.noise, self.network, self.batch

    @property
    def shared(self) -> tuple[Any, ...]:
        """All that determines the training of a technique."""
        return *self.task, self.optimizer, self.lr, self.steps


def problem_of(state: LabState, variant: Any) -> Any:
    """What techniques of one variant train on, before penalties and projections; equal ones share it."""
    return _problem(state.task, variant)


@lru_cache(64)
def _problem(task: tuple[Any, ...], variant: Any) -> Any:
    name, images, noise, network, batch = task
    images_of = DATA[name]()
    whole = problems.Classification(images_of, network, min(batch, images), noise)

    def some(factor: int = 1) -> Any:
        return regularize.subset(whole, min(images * factor, len(images_of.train.y)))

    return variant.changed(some(), some)


def followed(old: LabState, new: LabState) -> LabState:
    """When the optimizer changes and the rate does not, the rate goes to where that optimizer works."""
    if old.optimizer != new.optimizer and old.lr == new.lr and new.optimizer in RATES:
        return replace(new, lr=RATES[new.optimizer])
    return new
