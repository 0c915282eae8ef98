"""Deep compression: prune, share the weights that are left, train what they share, and code the rest."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from optviz import quantize
from optviz._knobs import require
from optviz._rows import namespace
from optviz.quantize import Codebooks
from optviz.recipes.archive import Parts, parts, write_compressed
from optviz.recipes.pruning import GLOBAL, MAGNITUDE, prune_iteratively
from optviz.recipes.rounds import Params, Reported, Round, Rows, one
from optviz.training import Run, iterate
from optviz.training.history import whole

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Compression", "deep_compression"]

LINEAR = quantize.LinearStart()


@dataclass(frozen=True, eq=False)
class Compression(Reported):
    """Where networks stand on their way through deep compression. K rows, finals × seeds, run-major.

    Args:
        stage: ``"dense"``, ``"pruned"``, ``"shared"`` (after k-means) or ``"trained"`` (centroids).
        labels: K names, the same for all seeds of a final.
        seeds: K seeds.
        sparsity: (K,) share of the prunable weights that are 0.
        metrics: name → (K,) metrics now.
        loss: (K, n) training losses since the last report.
        step: updates of this stage, or of this round of pruning, done.
        steps: updates that it will have.
        params: name → (K, *shape) weights. Valid until the next iteration where ``done`` is False.
        books: K codebooks; none before weights are shared.
        index: round of pruning, 0 for the dense networks.

    Example:
        >>> now = {"validation_accuracy": np.array([0.9])}
        >>> none, weights = np.zeros((1, 0)), {"w": np.zeros((1, 20, 30), np.float32)}
        >>> one = Compression("pruned", ("90 %",), (0,), np.array([0.9]), now, none, 5, 5, weights)
        >>> one.done, one.parts(0).dense
        (True, 2400)
    """

    stage: str
    labels: tuple[str, ...]
    seeds: tuple[int, ...]
    sparsity: np.ndarray
    metrics: Mapping[str, np.ndarray]
    loss: np.ndarray = field(repr=False)
    step: int
    steps: int
    params: Params = field(repr=False)
    books: tuple[Codebooks, ...] = field(default=(), repr=False)
    index: int = 0

    def network(self, row: int = 0) -> dict[str, Any]:
        """The weights of one row, name → (*shape)."""
        require(0 <= row < len(self.labels), "row", f"in [0, {len(self.labels) - 1}]", row)
        return one(self.params, row)

    def parts(self, row: int = 0, *, huffman: bool = True) -> Parts:
        """What the file of one row would be spent on; without ``huffman`` in words of one length."""
        return parts(self.network(row), huffman=huffman)

    def write(self, path: str | os.PathLike[str], row: int = 0) -> Parts:
        """Write the file of one row; ``recipes.read_compressed`` gives its weights to the last bit."""
        return write_compressed(path, self.network(row))

    def to_frame(self) -> pd.DataFrame:
        """A pandas table with one line a row: stage, label, seed, sparsity, metrics, bytes of its file."""
        import pandas as pd

        columns: dict[str, Any] = {"stage": self.stage, "round": self.index}
        columns |= {"label": self.labels, "seed": self.seeds, "sparsity": self.sparsity}
        spent = [self.parts(row) for row in range(len(self.labels))]
        for name in ("values", "gaps", "codebooks", "tables", "plain", "header", "total", "dense", "times"):
            columns[name] = [getattr(each, name) for each in spent]
        return pd.DataFrame(columns | {n: np.asarray(v) for n, v in self.metrics.items()})


def deep_compression(
    problem: Any,
    run: Run,
    rounds: Any,
    steps: int,
    *,
    bits: Any = 5,
    seed: int | Sequence[int] = 0,
    tune: Run | None = None,
    tune_steps: int | None = None,
    init: Any = LINEAR,
    criterion: Any = MAGNITUDE,
    scope: Any = GLOBAL,
    params: Params | None = None,
    dense: int | None = None,
    retrain: Run | None = None,
    floor: int | None = None,
    every: int | None = None,
) -> Iterator[Compression]:
    """Prune in rounds, replace weights by codebooks of 2^bits values a layer, and train these values.

    Then a file holds, in Huffman codes, which value each kept weight has and how many zeros are before it
    (``.write``). Pruned weights are exactly 0 all the way. A value's gradient is the sum of its n weights'
    gradients, ∂L/∂c = Σ ∂L/∂w; it is divided by n, which makes a step of SGD the weights' own step as far as
    they can make it together, so that rate and weight decay mean what they mean for weights. Without this
    decay the few values overfit. All finals and seeds are trained at once.

    Args:
        problem: what is trained, closed-form or of a module.
        run: optimizer and schedule of the dense training.
        rounds: sparsities, as for :func:`prune_iteratively`: (R,), or (R, K) for K prunings.
        steps: updates of retraining in each round.
        bits: 1 to 16, for all layers, or name → bits; or a list of B of these: then there are K · B finals,
            pruned once and shared in B ways.
        seed: one seed or S of them; rows are finals × seeds, run-major.
        tune: optimizer and schedule for the values and for what isn't shared, such as biases. Its rule must
            work weight by weight, as SGD and Adam do. None for what weights are retrained with.
        tune_steps: updates of this training; ``steps`` when None, 0 for none.
        init: where k-means starts, such as ``quantize.LinearStart()``.
        criterion, scope, params, dense, retrain, floor: as for :func:`prune_iteratively`.
        every: updates between two reports; None for one at the end of each stage and round.

    Returns:
        An iterator of :class:`Compression`: ``"dense"``, ``"pruned"`` a round, ``"shared"``, ``"trained"``.

    Raises:
        TypeError, ValueError: as :func:`prune_iteratively` and ``quantize.share``.

    Example:
        >>> from optviz import optimizers, problems
        >>> run = Run(optimizers.SGD(0.9), 0.1)
        >>> for now in deep_compression(problems.digits(), run, [0.5, 0.8], 60, bits=4):
        ...     print(now.stage, now.sparsity.round(2), bool(now.metrics["validation_accuracy"] > 0.8))
        dense [0.] True
        pruned [0.5] True
        pruned [0.8] True
        shared [0.8] True
        trained [0.8] True
        >>> now.parts().times > 5
        True

    Reference: Han, Mao and Dally, Deep compression: compressing deep neural networks with pruning, trained
    quantization and Huffman coding, 2015, arXiv:1510.00149.
    """
    steps = whole("steps", steps)
    updates = steps if tune_steps is None else tune_steps
    number = isinstance(updates, int | np.integer) and not isinstance(updates, bool) and updates >= 0
    require(number, "tune_steps", "a whole number of at least 0", updates)
    ways = tuple(bits) if isinstance(bits, tuple | list) else (bits,)
    require(len(ways) > 0, "bits", "a number, name -> bits, or a list of these", bits)
    tune = (retrain or run) if tune is None else tune
    if not isinstance(tune, Run):
        raise TypeError(f"tune must be a Run, got {tune!r}")
    found = prune_iteratively(
        problem, run, rounds, steps, seed=seed, criterion=criterion, scope=scope, params=params,
        dense=dense, retrain=retrain, floor=floor, every=every,
    )  # fmt: skip
    _check_ways(problem, ways)
    return _stages(problem, found, ways, init, (tune, int(updates), every))


def _check_ways(problem: Any, ways: tuple[Any, ...]) -> None:
    """Let ``share`` look at the bits before hours of training, on a stand-in of one weight a layer."""
    drawn = problem.init(np.random.default_rng(0))
    for way in ways:
        quantize.share({n: np.ones((1,) * p.ndim) for n, p in drawn.items()}, way)


def _stages(
    problem: Any, rounds: Iterator[Round], ways: tuple[Any, ...], init: Any, how: tuple[Run, int, int | None]
) -> Iterator[Compression]:
    tune, updates, every = how
    for now in rounds:
        yield _pruned(now)
    shared = _shared(problem, now, ways, init)
    yield shared
    if updates:
        yield from _trained(problem, shared, (tune, updates, every), now.index + 1)


def _pruned(now: Round) -> Compression:
    stage = "pruned" if now.index else "dense"
    told = now.metrics, now.loss, now.step, now.steps, now.params
    return Compression(stage, now.labels, now.seeds, now.sparsity, *told, index=now.index)


def _shared(problem: Any, now: Round, ways: tuple[Any, ...], init: Any) -> Compression:
    """Every pruned network shared in every way, row by row: prunings × ways × seeds."""
    seeds = len(dict.fromkeys(now.seeds))
    rows = [
        (way, start + k) for start in range(0, len(now.seeds), seeds) for way in ways for k in range(seeds)
    ]
    prunable = tuple(now.masks)
    pruned = [one(now.params, row) for _, row in rows]
    books = tuple(quantize.share(p, way, init, of=prunable) for p, (way, _) in zip(pruned, rows, strict=True))
    own = [book(p) for book, p in zip(books, pruned, strict=True)]
    params = {n: namespace(p).stack([each[n] for each in own]) for n, p in own[0].items()}
    labels = [f"{now.labels[row]}, {_told(way)}" for way, row in rows]
    metrics, none = problem.metrics(params), np.zeros((len(rows), 0))
    at = np.array([row for _, row in rows])
    return Compression(
        "shared", _different(labels, seeds), tuple(now.seeds[row] for row in at), now.sparsity[at],
        metrics, none, 0, 0, params, books, now.index,
    )  # fmt: skip


def _trained(
    problem: Any, shared: Compression, how: tuple[Run, int, int | None], index: int
) -> Iterator[Compression]:
    """The training of the values: their weights are seen as one, and so are their gradients."""
    tune, updates, every = how
    seeds = tuple(dict.fromkeys(shared.seeds))
    rows = Rows(problem, tune, seeds, shared.labels[:: len(seeds)], every)
    labels = [book.labels for book in shared.books]
    found = iterate(
        problem, [tune] * len(rows.labels), updates, seed=rows.orders(index), params=shared.params,
        every=every or updates, view=quantize.Shared(labels), grads=quantize.Summed(labels, mean=True),
    )  # fmt: skip
    for step in found:
        at = step.step + 1
        params = dict(step.params)
        books = tuple(book.retrained(one(params, row)) for row, book in enumerate(shared.books))
        yield replace(
            shared, stage="trained", metrics=step.metrics, loss=step.loss, step=at, steps=updates,
            params=params, books=books,
        )  # fmt: skip


def _told(bits: Any) -> str:
    if not isinstance(bits, Mapping):
        return f"{bits} bits"
    return "/".join(map(str, dict.fromkeys(bits.values()))) + " bits"


def _different(labels: list[str], seeds: int) -> tuple[str, ...]:
    """The labels of finals, each ``seeds`` times, with a number where two finals have the same."""
    finals = labels[::seeds]
    names = [
        f"{name} ({finals[:i].count(name) + 1})" if name in finals[:i] else name
        for i, name in enumerate(finals)
    ]
    return tuple(name for name in names for _ in range(seeds))
