"""The state of the schedule explorer: which schedules, on what data, trained how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache, lru_cache
from typing import Any

from optviz import data, problems, schedules
from optviz._knobs import INF, cards, choice, config, example, knob, knobs, require
from optviz.optimizers import SGD, Adam, AdamW, RMSprop
from optviz.schedules import Warmup
from optviz.schedules.combine import check_warmup
from optviz.training import Run
from optviz.widgets.series import numbered
from optviz.widgets.tasks import DATA as SMALL
from optviz.widgets.words import SCHEDULES

__all__ = ["CNN", "Entry", "LabState", "followed", "menu"]

CNN = "small CNN"
PEAKS = tuple(round(10 ** (k / 2), 4) for k in range(-6, 2))  # tried by "each at its own best rate"
DATA: dict[str, Callable[[], data.Data]] = SMALL | {"MNIST-5k 28×28": lambda: data.mnist5k(28)}
NETWORKS: dict[str, Any] = {
    "linear": (),
    "32 hidden units": (32,),
    "64 hidden units": (64,),
    "64 and 32 hidden units": (64, 32),
    "300 and 100 (LeNet)": (300, 100),
    CNN: CNN,
}
OPTIMIZERS: dict[str, Any] = {
    "SGD": SGD(),
    "SGD, momentum 0.9": SGD(momentum=0.9),
    "SGD, Nesterov 0.9": SGD(momentum=0.9, nesterov=True),
    "RMSprop": RMSprop(),
    "Adam": Adam(),
    "AdamW": AdamW(),
}


@config
class Entry:
    """One schedule of the comparison, with the warm-up in front of it.

    Args:
        schedule: a schedule, or any callable step -> rate.
        warmup: updates of a linear warm-up from 0, counted within the schedule's own ``steps``.

    Raises:
        ValueError: if the warm-up is as long as the schedule's ``steps``.

    Example:
        >>> from optviz.schedules import Cosine
        >>> Entry(Cosine(0.3, 200), 20).effective(True)
        Warmup(then=Cosine(lr=0.3, steps=180, floor=0.0), steps=20, start=0.0)
    """

    schedule: Any
    warmup: int = knob(default=0, low=0, high=100, hard=(0, INF), unit="updates", label="warm-up")

    def _check(self) -> None:
        if not callable(self.schedule) or isinstance(self.schedule, type):
            raise TypeError(
                f"Entry.schedule must be a schedule or callable step -> rate, got {self.schedule!r}"
            )
        longest = getattr(self.schedule, "steps", None)
        if self.takes_warmup and isinstance(longest, int):
            rule = f"shorter than the schedule's {longest} updates"
            require(self.warmup < longest, "warm-up", rule, self.warmup)
        if isinstance(self.schedule, schedules.MultiStep):
            rule = f"shorter than the {self.schedule.at[0]} updates before the first drop"
            require(self.warmup < self.schedule.at[0], "warm-up", rule, self.warmup)

    @property
    def takes_warmup(self) -> bool:
        """Whether a warm-up in front makes sense: not for schedules that rise by themselves."""
        rises = (schedules.Noam, schedules.OneCycle, schedules.Triangular, schedules.WarmupStableDecay)
        return not isinstance(self.schedule, (*rises, Warmup, schedules.Chain))

    def hidden(self) -> tuple[str, ...]:
        """Fields that have no control now."""
        return () if self.takes_warmup else ("warmup",)

    @property
    def name(self) -> str:
        """What the schedule is called, without what tells two of a kind apart."""
        kind = type(self.schedule).__name__
        if isinstance(self.schedule, Warmup):
            return Entry(self.schedule.then).name
        own = getattr(self.schedule, "__name__", "") or kind
        return SCHEDULES.get(kind, "own" if own == "<lambda>" else own)

    def effective(self, warm: bool) -> Any:
        """The schedule that trains: its times are those of the whole run, warm-up included."""
        if not (warm and self.warmup and self.takes_warmup):
            return self.schedule
        then, own = (
            self.schedule,
            knobs(self.schedule) if hasattr(self.schedule, "__dataclass_fields__") else {},
        )
        if "steps" in own:
            then = replace(then, steps=then.steps - self.warmup)
        if "at" in own:
            then = replace(then, at=tuple(at - self.warmup for at in then.at))
        return Warmup(then, self.warmup)


@cache
def menu() -> dict[str, type]:
    """All schedules that a card may hold, by their name on the page, combinators left out."""
    rooms = [getattr(schedules, name) for name in schedules.__all__]
    plain = [c for c in rooms if isinstance(c, type) and "lr" in knobs(c)]
    return {SCHEDULES.get(c.__name__, c.__name__): c for c in plain}


def _new(kind: type, state: Any, old: Any = None) -> Entry:
    """A card for ``kind`` that keeps the peak rate and the warm-up of the card it replaces."""
    warmup = old.warmup if old is not None else 0
    times = {n: k.start for n, k in knobs(kind).items() if k.unit == "updates"}
    values: dict[str, Any] = {n: min(t, max(1, state.steps // 4)) for n, t in times.items() if n != "at"}
    if "steps" in knobs(kind):
        values["steps"] = max(state.steps, warmup + 1, 5)
    if kind is schedules.MultiStep:
        values["at"] = tuple(max(at, warmup + 1) for at in (state.steps // 2, state.steps * 3 // 4))
    if kind is schedules.WarmupStableDecay:
        values |= {"warmup": min(20, values["steps"] // 5), "decay": max(1, values["steps"] // 4)}
    schedule: Any = example(kind, **values)
    if hasattr(getattr(old, "schedule", None), "lr") and old.schedule.lr > getattr(schedule, "floor", 0):
        schedule = replace(schedule, lr=old.schedule.lr)
    return Entry(schedule, warmup)


@config
class LabState:
    """Everything that determines the pictures of the schedule explorer.

    Args:
        entries: 1 to 8 schedules.
        data, network, optimizer: what is trained, and with which rule (``own`` replaces data and network).
        batch: images in a batch.
        steps: updates in a run.
        seeds: seeds 0, 1, … that every schedule is trained with.
        noise: fraction of the training labels that are replaced by a random class.
        warm: warm-ups are on.
        tuned: each schedule runs at its own best peak rate instead of the one on its card.
        own: a problem of one's own, or None.

    Raises:
        ValueError: if there are no entries or more than 8, or a warm-up is longer than the run.

    Example:
        >>> from optviz.schedules import Constant
        >>> LabState((Entry(Constant(0.1)),)).labels
        ('constant',)
    """

    entries: tuple[Entry, ...] = cards(menu, _new, most=8, of="schedule")
    data: str = choice(default="digits 8×8", options={name: name for name in DATA}, label="data")
    network: Any = choice(default=(32,), options=NETWORKS, label="network", others=True)
    optimizer: Any = choice(default=SGD(momentum=0.9), options=OPTIMIZERS, label="optimizer", others=True)
    batch: int = knob(default=64, low=8, high=256, hard=(1, INF), unit="images", label="batch", log=True)
    steps: int = knob(default=200, low=20, high=1000, hard=(1, 100_000), unit="updates", label="run length")
    seeds: int = knob(default=5, low=1, high=10, hard=(1, 100), label="seeds")
    noise: float = knob(
        default=0.0, low=0.0, high=0.5, hard=(0.0, 1.0), unit="fraction", label="wrong labels"
    )
    warm: bool = choice(default=True, options={"on": True, "off": False}, label="warm-up")
    tuned: bool = choice(
        default=False, options={"as on the cards": False, "each at its own best": True}, label="peak rates"
    )
    own: Any = None

    def _check(self) -> None:
        require(1 <= len(self.entries) <= 8, "number of schedules", "in [1, 8]", len(self.entries))
        sizes = isinstance(self.network, tuple) and all(isinstance(n, int) for n in self.network)
        rule = f"{CNN!r} or a tuple of numbers of hidden units"
        require(sizes or self.network == CNN, "network", rule, self.network)
        for label, entry in zip(self.labels, self.entries, strict=True):
            longest = entry.warmup if self.warm and entry.takes_warmup else 0
            rule = f"at most the run's {self.steps} updates"
            require(longest <= self.steps, f"warm-up of {label}", rule, longest)
            check_warmup(entry.schedule, self.steps)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the entries, numbered where two are the same."""
        return numbered([entry.name for entry in self.entries])

    @property
    def heavy(self) -> bool:
        """Whether training takes too long to follow a drag: convolutions, large images, own modules."""
        return (
            self.network == CNN or self.data.endswith("28×28") or not hasattr(self.problem(), "loss_and_grad")
        )

    def runs(self) -> tuple[Run, ...]:
        """One run an entry, at the rates of the cards."""
        pairs = zip(self.labels, self.entries, strict=True)
        return tuple(Run(self.optimizer, entry.effective(self.warm), label) for label, entry in pairs)

    def problem(self) -> Any:
        """What is trained; equal states share one.

        Raises:
            ValueError: if the batch is larger than the training set.
        """
        if self.own is not None:
            return self.own
        return _problem(*self.trained)

    @property
    def trained(self) -> tuple[Any, ...]:
        """What tells one problem from another."""
        return (self.own,) if self.own is not None else (self.data, self.network, self.batch, self.noise)


@lru_cache(8)
def _problem(name: str, network: Any, batch: int, noise: float) -> Any:
    plain = problems.Classification(DATA[name](), () if network == CNN else network, batch, noise)
    return problems.convolutional(plain) if network == CNN else plain


def followed(old: LabState, new: LabState) -> LabState:
    """When the length of the run changes, schedules that decayed over the whole run still do."""
    if old.steps == new.steps or old.entries != new.entries:
        return new
    return replace(new, entries=tuple(_stretched(entry, old.steps, new.steps) for entry in new.entries))


def _stretched(entry: Entry, old: int, new: int) -> Entry:
    if getattr(entry.schedule, "steps", None) != old or not hasattr(entry.schedule, "__dataclass_fields__"):
        return entry
    return replace(entry, schedule=replace(entry.schedule, steps=new), warmup=min(entry.warmup, new - 1))
