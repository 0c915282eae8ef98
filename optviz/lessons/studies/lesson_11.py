"""The long run of lesson 11: winning tickets in a larger network, with enough updates for everyone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from optviz import data, optimizers, problems, recipes, schedules
from optviz.training import Run

__all__ = ["tickets"]


def tickets(*, quick: bool = False) -> pd.DataFrame:
    """Winning tickets of a 300-100 network on MNIST-5k with 14×14 pixels, against two controls, 5 seeds.

    SGD with momentum 0.9, batch 64, 648 updates (12 epochs) at rate 0.1 falling to 0 along a cosine. Nine
    rounds; each keeps 60 % of the weights that are left, over all layers together, and puts them back to
    what they were at update 0, or at update 54 (one epoch). Beside the ticket are trained: its mask with
    other first weights, and its first weights with a random mask of the same sparsity in every layer.

    Args:
        quick: a small network, few updates, one seed, to see that it runs.

    Returns:
        One row a network: ``rewound to`` (update), ``network``, ``seed``, ``round`` (0 is the dense network),
        ``weights left`` (share), ``validation accuracy``, ``test accuracy``.

    Example:
        >>> sorted(set(tickets(quick=True)["network"]))
        ['new first weights', 'random mask', 'winning ticket']
    """
    images, seeds, steps, rounds, early = data.mnist5k(14), [0, 1, 2, 3, 4], 648, 9, 54
    hidden: tuple[int, ...] = (300, 100)
    if quick:
        images, hidden, seeds, steps, rounds, early = data.digits(), (16,), [0], 12, 2, 3
    problem = problems.Classification(images, hidden, 64)
    unseen = replace(problem, data=replace(images, validation=images.test))
    run = Run(optimizers.SGD(0.9), schedules.Cosine(0.1, steps))
    sparsities, parts = (1 - 0.6 ** np.arange(1, rounds + 1)).tolist(), []
    for rewind in (0, early):
        for now in recipes.tickets(problem, run, sparsities, steps, seed=seeds, rewind=rewind, floor=1):
            columns = {"rewound to": rewind, "network": [*now.labels], "seed": [*now.seeds]}
            columns |= {"round": now.index, "weights left": 1 - now.sparsity}
            columns |= {"validation accuracy": now.metrics["validation_accuracy"]}
            columns |= {"test accuracy": unseen.metrics(now.params)["validation_accuracy"]}
            parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)
