"""The state of the pruning explorer: which weights go, where they are compared, when, and on what network."""

from __future__ import annotations

from typing import Any

from optviz._knobs import choice, config, knob, require
from optviz.prune import NM, Global, Layer
from optviz.recipes import OBD, Magnitude, Movement, Random, Snip, Taylor, Wanda
from optviz.widgets.pruning.masking import BySensitivity, levels_of
from optviz.widgets.pruning.timing import TIMINGS, OneShot
from optviz.widgets.tasks import DATA, classification

__all__ = ["LabState", "percent"]

NETWORKS: dict[str, Any] = {
    "64 hidden units": (64,),
    "64 and 64 hidden units": (64, 64),
    "128 and 32 hidden units": (128, 32),
}
SCORES: dict[str, Any] = {
    "magnitude |w|": Magnitude(),
    "random": Random(),
    "SNIP |g·w|": Snip(),
    "Taylor (g·w)²": Taylor(),
    "movement −Σ g·w": Movement(),
    "OBD ½·h·w²": OBD(32),
    "Wanda |w|·‖x‖": Wanda(),
}


SCOPES: dict[str, Any] = {
    "all layers together": Global(),
    "each layer alike": Layer(),
    "by sensitivity": BySensitivity(),
    "2 of each 4 inputs": NM(2, 4),
}


def percent(sparsity: float) -> str:
    """A sparsity in words.

    Example:
        >>> percent(0.9), percent(0.985)
        ('90 %', '98.5 %')
    """
    return f"{100 * sparsity:.3g} %"


@config
class LabState:
    """Everything that determines the pictures of the pruning explorer.

    Args:
        sparsity: share of the weights that go; with ``NM(n, m)`` its own 1 − n/m counts instead.
        score: what says how much a weight matters, a criterion of ``optviz.recipes``.
        scope: which weights are compared with one another: ``prune.Global()``, ``Layer()``, ``NM(2, 4)``, or
            ``BySensitivity()``.
        when: ``OneShot()``, ``Iterative(5)`` or ``Gradual()``.
        data: which images.
        network: hidden units.
        steps: updates of the dense networks.
        retrain: updates afterwards, the same number for every sparsity.
        lr: rate of both, with momentum 0.9.
        seeds: seeds 0, 1, … that everything is trained with.

    Raises:
        ValueError: if the network is no tuple of whole numbers, or its inputs can't be grouped.

    Example:
        >>> LabState(sparsity=0.9).level, LabState(scope=NM(1, 4)).level
        (0.9, 0.75)
    """

    sparsity: float = knob(default=0.9, low=0.0, high=0.99, hard=(0.0, 0.995), label="sparsity")
    score: Any = choice(default=Magnitude(), options=SCORES, label="score", others=True)
    scope: Any = choice(default=Global(), options=SCOPES, label="compared", others=True)
    when: Any = choice(default=OneShot(), options=TIMINGS, label="when", others=True)
    data: str = choice(default="digits 8×8", options={name: name for name in DATA}, label="data")
    network: Any = choice(default=(64, 64), options=NETWORKS, label="network", others=True)
    steps: int = knob(default=300, low=50, high=1000, hard=(1, 50_000), unit="updates", label="dense")
    retrain: int = knob(default=120, low=20, high=600, hard=(1, 50_000), unit="updates", label="retraining")
    lr: float = knob(default=0.05, low=5e-3, high=0.3, hard=(0.0, 10.0), log=True, label="rate")
    seeds: int = knob(default=5, low=1, high=10, hard=(1, 50), label="seeds")

    def _check(self) -> None:
        sizes = isinstance(self.network, tuple) and all(isinstance(n, int) and n > 0 for n in self.network)
        require(sizes, "network", "a tuple of numbers of hidden units", self.network)
        require(callable(self.score), "score", "one of recipes' criteria, such as Magnitude()", self.score)
        require(hasattr(self.when, "rounds"), "when", "OneShot(), Iterative(5) or Gradual()", self.when)
        if self.semi:
            for inputs in self.sizes[:-1]:
                fits = inputs % self.scope.m == 0
                require(fits, "scope", f"a group size that divides {inputs} inputs", self.scope)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Inputs, hidden units, classes."""
        return (64 if self.data == next(iter(DATA)) else 196, *self.network, 10)

    @property
    def problem(self) -> Any:
        """What the networks train on."""
        return classification(self.data, self.network)

    @property
    def semi(self) -> bool:
        """Whether so many of each few inputs stay, which leaves only some sparsities."""
        return isinstance(self.scope, NM)

    @property
    def level(self) -> float:
        """The sparsity that counts."""
        return 1 - self.scope.n / self.scope.m if self.semi else self.sparsity

    @property
    def levels(self) -> tuple[float, ...]:
        """The sparsities that are compared."""
        return levels_of(self.scope)

    @property
    def timing(self) -> Any:
        """When weights go: at once where groups leave no sparsities in between."""
        return OneShot() if self.semi else self.when

    @property
    def task(self) -> tuple[Any, ...]:
        """What determines the dense networks."""
        return self.data, self.network, self.steps, self.lr, self.seeds
