"""When weights go: at once, in rounds, or little by little while the network retrains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from optviz import recipes
from optviz._knobs import config, knob

__all__ = ["TIMINGS", "Gradual", "Iterative", "OneShot"]


@config
class OneShot:
    """All weights go before the first update of retraining.

    Example:
        >>> OneShot()
        OneShot()

    Reference: Han, Pool, Tran and Dally, 2015, arXiv:1506.02626, section 3.
    """

    def rounds(
        self, problem: Any, run: Any, finals: Sequence[Any], steps: int, **options: Any
    ) -> Iterator[Any]:
        """What ``recipes.prune_iteratively`` yields; ``finals`` are K sparsities."""
        yield from recipes.prune_iteratively(problem, run, [list(finals)], steps, **options)


@config
class Iterative:
    """Rounds of cutting and retraining: each leaves the same share of the weights that are left.

    After round r of R the sparsity is 1 − (1 − s)^(r/R). All rounds together make as many updates as
    retraining in one go.

    Args:
        count: R.

    Example:
        >>> Iterative(3).count
        3

    Reference: Han, Pool, Tran and Dally, 2015, arXiv:1506.02626, section 3.4.
    """

    count: int = knob(default=5, low=2, high=20, label="rounds")

    def rounds(
        self, problem: Any, run: Any, finals: Sequence[Any], steps: int, **options: Any
    ) -> Iterator[Any]:
        """What ``recipes.prune_iteratively`` yields."""
        each, table = max(1, steps // self.count), recipes.rounds_to(list(finals), self.count)
        options["every"] = min(options["every"], each)
        yield from recipes.prune_iteratively(problem, run, table, each, **options)


@config
class Gradual:
    """Many small cuts on a cubic curve while the network trains: fast at first, slowly at the end.

    Args:
        until: share of the run after which nothing goes any more.
        cuts: how many cuts.

    Example:
        >>> Gradual(0.5).until
        0.5

    Reference: Zhu and Gupta, To prune, or not to prune, 2017, arXiv:1710.01878, section 3.
    """

    until: float = knob(default=0.75, low=0.1, high=0.9, hard=(0.01, 1.0), label="last cut")
    cuts: int = knob(default=15, low=2, high=50, hard=(1, 1000), label="cuts")

    def rounds(
        self, problem: Any, run: Any, finals: Sequence[Any], steps: int, **options: Any
    ) -> Iterator[Any]:
        """What ``recipes.gradual`` yields."""
        end = min(max(1, round(self.until * steps)), steps - 1)
        pace = max(1, end // self.cuts)
        options.pop("every")
        yield from recipes.gradual(problem, run, list(finals), steps, begin=0, end=end, every=pace, **options)


TIMINGS: dict[str, Any] = {
    "one-shot": OneShot(),
    "iterative, 5 rounds": Iterative(5),
    "iterative, 10 rounds": Iterative(10),
    "gradual, cubic": Gradual(),
}
