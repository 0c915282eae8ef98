"""Deep compression of two networks: prune, share, train what is shared, code, and read the file again."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from optviz import data, ledger, optimizers, problems, recipes, schedules
from optviz.recipes import Compression, Parts
from optviz.training import Run

__all__ = ["deep_compression"]

STAGES = {"dense": 32, "pruned": 32, "shared": 0, "trained": 0}  # bits of a weight where they are no choice
LONG = "dense, trained as long"


@dataclass(frozen=True, eq=False)
class _Plan:
    """How one network is trained and compressed.

    Args:
        network: its name in the table.
        problem: what is trained.
        decay, lr: weight decay, and the rate at the first update of each cosine.
        dense, steps: updates of the dense training; of each round, and of the shared values.
        rounds: rounds of pruning.
        bits: of the codebooks; each is shared and trained from the same pruned networks.
        seeds: of everything that is drawn.
    """

    network: str
    problem: Any
    decay: float
    lr: float
    dense: int
    steps: int
    rounds: int
    bits: tuple[int, ...]
    seeds: tuple[int, ...]

    def run(self, updates: int) -> Run:
        return Run(optimizers.SGD(0.9, weight_decay=self.decay), schedules.Cosine(self.lr, updates))

    @property
    def unseen(self) -> Any:
        """The problem whose metrics are those of the test images."""
        if isinstance(self.problem, problems.Classification):
            images = self.problem.data
            return replace(self.problem, data=replace(images, validation=images.test))
        return _lenet5(data.mnist5k(28), test=True)


def deep_compression(*, quick: bool = False) -> pd.DataFrame:
    """LeNet-300-100 (5 seeds) and LeNet-5 (3 seeds) on MNIST-5k, compressed into files that are read again.

    Trained as in the long runs of lesson 09: SGD with momentum 0.9, batch 64; LeNet-300-100 with weight decay
    0.002 for 1,080 updates from rate 0.1, LeNet-5 with 0.001 for 540 updates from 0.05, both along a cosine
    to 0. Then 92 % of the weights go, as in the paper: the smallest of all layers together, in 7 rounds of
    162 updates, or 5 of 54, each with the same cosine. What is left shares 2^bits values a layer, found by
    k-means, and the values are trained like the weights of a round. Last, labels and gaps are written in
    Huffman codes; the file is read, must give the same weights to the last bit, and is measured as it was
    read. Beside it the dense networks are trained on for as many updates. How values are trained was chosen
    by validation images with seeds 10 to 12.

    Args:
        quick: one small network, a few updates, one seed, to see that it runs.

    Returns:
        One row a network, seed, stage and number of bits: ``network``, ``seed``, ``stage`` (``"dense"``,
        ``"dense, trained as long"``, ``"pruned"``, ``"shared"``, ``"trained"``, ``"coded"``), ``bits`` (of a
        weight; 32 where none are shared), ``updates`` (so far), ``sparsity`` (share of the weights that are
        0), ``validation accuracy``, ``test accuracy``, ``bytes`` (of the file; before the last stage, what
        it would be in words of one length), ``times smaller`` (than the dense network's safetensors file),
        and the bytes by part: ``values``, ``gaps``, ``codebooks``, ``tables``, ``plain``, ``header``.

    Example:
        >>> deep_compression(quick=True)["stage"].tolist()
        ['dense', 'pruned', 'shared', 'trained', 'coded', 'dense, trained as long']

    Reference: Han, Mao and Dally, Deep compression, 2015, arXiv:1510.00149, tables 1 to 3.
    """
    if quick:
        small = problems.Classification(data.digits(), (16, 16), 64)
        plans = [_Plan("small", small, 0.002, 0.1, 20, 5, 2, (4,), (0,))]
    else:
        images = data.mnist5k(28)
        first = problems.Classification(images, (300, 100), 64)
        plans = [
            _Plan("LeNet300100", first, 0.002, 0.1, 1080, 162, 7, (2, 3, 4, 5, 6), (0, 1, 2, 3, 4)),
            _Plan("LeNet5", _lenet5(images), 0.001, 0.05, 540, 54, 5, (3, 4, 5), (0, 1, 2)),
        ]
    rows = [{"network": plan.network} | row for plan in plans for row in _measured(plan)]
    return pd.DataFrame(rows)


def _lenet5(images: data.Data, test: bool = False) -> Any:
    import torch

    from optviz.models import LeNet5

    images = replace(images, validation=images.test) if test else images
    return problems.convolutional(
        problems.Classification(images, (), 64), LeNet5(generator=torch.Generator())
    )


def _measured(plan: _Plan) -> Iterator[dict[str, Any]]:
    """The rows of one network: those of the compression, then those of the dense networks beside it."""
    files: list[int] = []
    start: Any = None
    shares = recipes.rounds_to(0.92, plan.rounds)
    options: dict[str, Any] = {"seed": plan.seeds, "retrain": plan.run(plan.steps), "floor": 1}
    found = recipes.deep_compression(
        plan.problem, plan.run(plan.dense), shares, plan.steps, bits=plan.bits, dense=plan.dense, **options
    )
    updates = 0
    for now in found:
        updates += now.steps
        if now.stage == "dense":
            start = {name: p[: len(plan.seeds)] for name, p in now.params.items()}
            files = [_file(now.network(row)) for row in range(len(plan.seeds))]
        if now.stage != "pruned" or now.index == plan.rounds:
            yield from _rows(plan, now, updates, files)
    yield from _coded(plan, now, updates, files)
    # As many updates, and nothing else: the rounds, and one more for that of the shared values.
    *_, long = recipes.prune_iteratively(
        plan.problem, plan.run(plan.dense), [0.0] * (plan.rounds + 1), plan.steps, params=start, **options
    )
    none = Compression(
        "dense", long.labels, long.seeds, long.sparsity, long.metrics, long.loss, 1, 1, long.params
    )
    yield from _rows(plan, none, updates, files, LONG)


def _rows(
    plan: _Plan, now: Compression, updates: int, files: Sequence[int], stage: str = ""
) -> Iterator[dict[str, Any]]:
    """One row a network of a stage, whose file is not written."""
    test = plan.unseen.metrics(now.params)
    for row, seed in enumerate(now.seeds):
        own = row // len(plan.seeds)  # rows are bits × seeds
        dense, whole = files[row % len(plan.seeds)], now.stage == "dense"
        spent = _plain(now.parts(row), dense) if whole else now.parts(row, huffman=False)
        yield {
            "seed": seed,
            "stage": stage or now.stage,
            "bits": STAGES[now.stage] or plan.bits[own],
            "updates": updates,
            "sparsity": float(now.sparsity[row]),
            "validation accuracy": float(now.metrics["validation_accuracy"][row]),
            "test accuracy": float(test["validation_accuracy"][row]),
        } | _bytes(spent, dense)


def _coded(plan: _Plan, now: Compression, updates: int, files: Sequence[int]) -> Iterator[dict[str, Any]]:
    """One row a file: written, read, compared, and measured as it was read."""
    unseen = plan.unseen
    with tempfile.TemporaryDirectory() as folder:
        for row, seed in enumerate(now.seeds):
            path, own = Path(folder) / f"{row}.net", now.network(row)
            spent = now.write(path, row)
            read = recipes.read_compressed(path)
            same = all(np.array_equal(np.asarray(read[n]), np.asarray(p)) for n, p in own.items())
            if not same or path.stat().st_size != spent.total:
                raise ValueError(f"{path.name} must give the network that was written, to the last bit")
            one = {name: p[None] for name, p in read.items()}
            metrics, test = plan.problem.metrics(one), unseen.metrics(one)
            yield {
                "seed": seed,
                "stage": "coded",
                "bits": plan.bits[row // len(plan.seeds)],
                "updates": updates,
                "sparsity": float(now.sparsity[row]),
                "validation accuracy": float(metrics["validation_accuracy"][0]),
                "test accuracy": float(test["validation_accuracy"][0]),
            } | _bytes(spent, files[row % len(plan.seeds)])


def _file(network: dict[str, Any]) -> int:
    """Bytes of the safetensors file."""
    return ledger.sizes(network, [ledger.Dense()])[ledger.Dense()]


def _plain(spent: Parts, file: int) -> Parts:
    """What a safetensors file is spent on: numbers, and the rest."""
    return Parts(0, 0, 0, 0, spent.dense, file - spent.dense, spent.dense)


def _bytes(spent: Parts, dense: int) -> dict[str, Any]:
    kinds = ("values", "gaps", "codebooks", "tables", "plain", "header")
    parts = {kind: int(getattr(spent, kind)) for kind in kinds}
    return {"bytes": int(spent.total), "times smaller": dense / spent.total} | parts
