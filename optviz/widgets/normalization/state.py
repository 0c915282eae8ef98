"""The state of the normalization explorer: which starts, norms and activations, in how deep a network."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import cache, lru_cache
from typing import Any

from optviz import initializers, problems
from optviz._knobs import INF, cards, choice, config, example, knob, require
from optviz.activations import GELU, Identity, LeakyReLU, ReLU, Sigmoid, Tanh
from optviz.normalize import BatchNorm, GroupNorm, LayerNorm, RMSNorm
from optviz.optimizers import SGD, Adam
from optviz.widgets.normalization.words import ACTIVATIONS, NORMS, STARTS
from optviz.widgets.series import numbered
from optviz.widgets.tasks import DATA

__all__ = ["RATES", "Entry", "LabState", "menu"]

RATES = tuple(float(f"{10 ** (k / 2):.4g}") for k in range(-6, 3))  # 0.001 to 10 in steps of √10
NORM_MENU: dict[str, Any] = {
    "none": None,
    "batch": BatchNorm(),
    "layer": LayerNorm(),
    "group (4 groups)": GroupNorm(4),
    "RMS": RMSNorm(),
}
ACTIVATION_MENU: dict[str, Any] = {
    ACTIVATIONS[type(act).__name__]: act
    for act in (ReLU(), LeakyReLU(), GELU(), Tanh(), Sigmoid(), Identity())
}
OPTIMIZERS: dict[str, Any] = {"SGD": SGD(), "SGD, momentum 0.9": SGD(momentum=0.9), "Adam": Adam()}


@config
class Entry:
    """One network of the comparison: where its weights start, what normalizes, what activates.

    Args:
        start: an initializer of ``optviz.initializers``.
        norm: one of ``optviz.normalize`` in front of the activation of each hidden layer, or None.
        activation: one of ``optviz.activations``.

    Raises:
        TypeError: if ``start`` cannot be called.

    Example:
        >>> Entry(initializers.HeNormal(), BatchNorm()).name
        'He normal, batch'
    """

    start: Any
    norm: Any = choice(default=None, options=NORM_MENU, label="norm", others=True)
    activation: Any = choice(default=ReLU(), options=ACTIVATION_MENU, label="activation", others=True)

    def _check(self) -> None:
        if not callable(self.start) or isinstance(self.start, type):
            raise TypeError(f"Entry.start must be one of optviz.initializers, got {self.start!r}")

    @property
    def name(self) -> str:
        """What the card is called: the start, and the norm and the activation where they are not plain."""
        parts = [STARTS.get(type(self.start).__name__, type(self.start).__name__)]
        if isinstance(self.start, initializers.Normal):
            parts[0] = f"normal ({self.start.std:g})"
        if self.norm is not None:
            parts.append(NORMS.get(type(self.norm).__name__, type(self.norm).__name__))
        if self.activation != ReLU():
            kind = type(self.activation).__name__
            parts.append(ACTIVATIONS.get(kind, kind))
        return ", ".join(parts)


@cache
def menu() -> dict[str, type]:
    """All starts that a card may hold, by their name on the page."""
    rooms = [getattr(initializers, name) for name in initializers.__all__]
    return {STARTS.get(c.__name__, c.__name__): c for c in rooms if isinstance(c, type)}


def _new(kind: type, state: Any, old: Any = None) -> Entry:
    """A card for ``kind`` that keeps the norm and the activation of the card it replaces."""
    start = example(kind)
    return Entry(start) if old is None else replace(old, start=start)


@config
class LabState:
    """Everything that determines the pictures of the normalization explorer.

    Args:
        entries: 1 to 6 networks.
        data: the images.
        depth: hidden layers.
        width: units in each of them.
        optimizer: the update rule.
        batch: images in a batch.
        steps: updates in a run.
        rate: the learning rate whose curves and layers are shown, beside the sweep.
        seeds: seeds 0, 1, … that everything is trained with.
        shown: number of the card whose histograms are shown, from 1.

    Raises:
        ValueError: if there are no entries or more than 6, or groups do not divide the width.

    Example:
        >>> LabState((Entry(initializers.HeNormal()), Entry(initializers.HeNormal()))).labels
        ('He normal 1', 'He normal 2')
    """

    entries: tuple[Entry, ...] = cards(menu, _new, most=6, of="start")
    data: str = choice(default="digits 8×8", options={name: name for name in DATA}, label="data")
    depth: int = knob(default=6, low=1, high=12, hard=(1, 30), label="hidden layers")
    width: int = knob(default=32, low=8, high=128, hard=(1, 1024), unit="units", label="width", log=True)
    optimizer: Any = choice(default=SGD(), options=OPTIMIZERS, label="optimizer", others=True)
    batch: int = knob(default=64, low=2, high=256, hard=(1, INF), unit="images", label="batch", log=True)
    steps: int = knob(default=120, low=20, high=600, hard=(1, 20_000), unit="updates", label="run length")
    rate: float = knob(default=0.1, low=1e-3, high=10.0, hard=(0.0, INF), label="rate shown below", log=True)
    seeds: int = knob(default=2, low=1, high=5, hard=(1, 50), label="seeds")
    shown: int = knob(default=1, low=1, high=6, hard=(1, 6), label="histograms of card")

    def _check(self) -> None:
        require(1 <= len(self.entries) <= 6, "number of networks", "in [1, 6]", len(self.entries))
        for entry in self.entries:
            groups = getattr(entry.norm, "groups", 1)
            require(
                self.width % groups == 0, "GroupNorm.groups", f"a divisor of the width {self.width}", groups
            )
        if self.batch == 1 and any(isinstance(entry.norm, BatchNorm) for entry in self.entries):
            require(False, "batch", "at least 2 images with batch norm", self.batch)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the entries, numbered where two are the same."""
        return numbered([entry.name for entry in self.entries])

    @property
    def chosen(self) -> int:
        """0-based number of the entry whose histograms are shown."""
        return min(self.shown, len(self.entries)) - 1

    def problem(self, entry: Entry) -> Any:
        """What trains with this entry's layers; equal ones are shared.

        Raises:
            ValueError: if the batch is larger than the training set.
        """
        return _problem(self.data, self.depth, self.width, self.batch, entry)

    def trained(self, entry: Entry) -> tuple[Any, ...]:
        """Everything but rate and seed that determines a training."""
        shared = tuple(
            getattr(self, f.name) for f in fields(self) if f.name not in ("entries", "rate", "seeds", "shown")
        )
        return (entry, *shared)


@lru_cache(32)
def _problem(name: str, depth: int, width: int, batch: int, entry: Entry) -> Any:
    layers = {"activation": entry.activation, "norm": entry.norm, "start": entry.start}
    return problems.Classification(DATA[name](), (width,) * depth, batch, **layers)
