"""The long run of lesson 10: half of the channels gone, with the time that is really saved."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import partial
from typing import Any

import pandas as pd
import torch
from torch.nn.functional import cross_entropy

from optviz import data, ledger, models, optimizers, prune
from optviz.schedules import Cosine
from optviz.training import Trainer

__all__ = ["half_the_channels"]


def half_the_channels(*, quick: bool = False) -> pd.DataFrame:
    """Half of the units of every layer are cut out of three convolutional networks, 3 seeds.

    Images are MNIST-5k, 28×28 for the small network and LeNet-5, 14×14 for the one with batch norm and
    residual sums. Batch 64, Adam at rate 0.002 falling to 0 along a cosine: 8 epochs for the dense
    network; then the half of the units of each layer with the smallest weights (L1) goes, really
    (``prune.shrink``), and 4 epochs follow. The dense network is trained on as long beside it. Times are of
    one batch of 64 on one thread, both networks in turn.

    Args:
        quick: one small network on 8×8 images for an epoch, to see that it runs.

    Returns:
        One row a network and seed: ``network``, ``seed``, test accuracies (``dense``, ``cut``, ``cut, trained
        on``, ``dense, trained on``), ``parameters left`` and ``work left`` (shares; work is
        multiply–accumulates), ``ms dense``, ``ms cut``, ``times faster``.

    Example:
        >>> half_the_channels(quick=True)["network"].tolist()
        ['small CNN']
    """
    rows, epochs, more = [], 8, 4
    small, residual = (
        partial(kind, size=size) for kind, size in ((models.SmallCNN, 28), (models.ResidualCNN, 14))
    )
    networks: dict[str, tuple[Any, Any]] = {
        "small CNN": (small, data.mnist5k(28)),
        "LeNet-5": (models.LeNet5, data.mnist5k(28)),
        "residual CNN": (residual, data.mnist5k(14)),
    }
    seeds: Sequence[int] = range(3)
    if quick:
        networks, epochs, more, seeds = {"small CNN": (partial(small, size=8), data.digits())}, 1, 1, [0]
    for name, (make, images) in networks.items():
        for seed in seeds:
            dense = make(generator=torch.Generator().manual_seed(seed))
            found = {"dense": _trained(dense, images, epochs, seed)}
            example = torch.tensor(images.test.X[:64])
            keep = prune.choose_units(prune.unit_scores(dense, example), 0.5)
            cut = prune.shrink(dense, keep, example)
            longer = copy.deepcopy(dense)
            parameters = [ledger.parameters(net).total for net in (dense, cut)]
            work = [sum(ledger.macs(net, example).values()) for net in (dense, cut)]
            slow, fast = ledger.latencies([dense, cut], example, threads=1)
            found["cut"] = _accuracy(cut, images)
            found["cut, trained on"] = _trained(cut, images, more, seed + 1000)
            found["dense, trained on"] = _trained(longer, images, more, seed + 1000)
            left = {
                "parameters left": parameters[1] / parameters[0],
                "work left": work[1] / work[0],
                "ms dense": 1e3 * slow.median,
                "ms cut": 1e3 * fast.median,
                "times faster": slow.median / fast.median,
            }
            rows.append({"network": name, "seed": seed} | found | left)
    return pd.DataFrame(rows)


def _trained(model: Any, images: Any, epochs: int, seed: int) -> float:
    """Train in place; the accuracy on the test images."""
    steps = epochs * -(-len(images.train.y) // 64)
    trainer = Trainer(model, optimizers.Adam(), Cosine(0.002, steps), loss=cross_entropy, device="cpu")
    trainer.fit(images.train, epochs=epochs, seed=seed, progress=False)
    return _accuracy(model, images)


def _accuracy(model: Any, images: Any) -> float:
    judge = Trainer(model, optimizers.SGD(), 0.0, loss=cross_entropy, device="cpu")
    return judge.evaluate(images.test)["accuracy"]
