"""The long runs of lesson 09: how few weights are enough, and whether they should go at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from optviz import data, optimizers, problems, recipes, schedules
from optviz.training import Run

__all__ = ["lenet5", "lenet300100", "one_shot_or_iterative"]

ITERATIVE, ONE_SHOT, LONG, DENSE = (
    "iterative",
    "one-shot",
    "one-shot, one long decay",
    "dense, trained as long",
)


def lenet300100(*, quick: bool = False) -> pd.DataFrame:
    """LeNet-300-100 on MNIST-5k, pruned in 27 rounds until one of 500 weights is left, 5 seeds.

    SGD with momentum 0.9 and weight decay 0.002, batch 64. Dense: 1,080 updates (20 epochs), rate 0.1 falling
    to 0 along a cosine. A round removes the smallest 20.6 % of the weights that are left, over all layers
    together, then trains 216 updates (4 epochs) with the same cosine. Beside it the dense networks are
    trained on as often and as long. Settings were chosen by validation images with seeds 10 to 12.

    Args:
        quick: a few updates with one seed, to see that it runs.

    Returns:
        One row a method, seed and round: ``method``, ``seed``, ``updates`` (after the dense training),
        ``sparsity`` (share of the weights that are 0; biases are not counted), ``times fewer weights``,
        ``validation accuracy``, ``test accuracy``, ``dense test accuracy`` (same seed, before pruning).

    Example:
        >>> table = lenet300100(quick=True)
        >>> sorted(set(table["method"]))
        ['dense, trained as long', 'iterative']
    """
    images, hidden, batch, seeds = data.mnist5k(28), (300, 100), 64, [0, 1, 2, 3, 4]
    dense, steps, rounds = 1080, 216, 27
    if quick:
        images, hidden, seeds, dense, steps, rounds = data.digits(), (16, 16), [0], 20, 5, 2
    problem = problems.Classification(images, hidden, batch)
    rule = optimizers.SGD(0.9, weight_decay=0.002)
    run, again = (Run(rule, schedules.Cosine(0.1, updates)) for updates in (dense, steps))
    shares = 1 - 0.01 ** (np.arange(1, rounds + 1) / 20)  # 20 rounds to 1 of 100
    table = np.stack([shares, 0 * shares], axis=1)
    found = recipes.prune_iteratively(
        problem, run, table, steps, seed=seeds, dense=dense, retrain=again, floor=1
    )
    return _tidy(found, _unseen(problem), (ITERATIVE, DENSE))


def lenet5(*, quick: bool = False) -> pd.DataFrame:
    """LeNet-5 on MNIST-5k, pruned in 13 rounds until one of 103 weights is left, 3 seeds.

    SGD with momentum 0.9 and weight decay 0.001, batch 64. Dense: 540 updates (10 epochs), rate 0.05 falling
    to 0 along a cosine. A round removes the smallest 30 % of the weights that are left, over all layers
    together, then trains 54 updates (1 epoch) with the same cosine. Beside it the dense networks are trained
    on as often and as long. Rate and decay were chosen by validation images with seed 10.

    Args:
        quick: a few updates of the small network with one seed, to see that it runs.

    Returns:
        As :func:`lenet300100`.

    Example:
        >>> lenet5(quick=True)["seed"].unique().tolist()
        [0]
    """
    import torch

    from optviz.models import LeNet5

    images, seeds, dense, steps, rounds = data.mnist5k(28), [0, 1, 2], 540, 54, 13
    network: Any = LeNet5(generator=torch.Generator())
    if quick:
        images, network, seeds, dense, steps, rounds = data.digits(), None, [0], 4, 2, 2
    seen, unseen = (
        problems.convolutional(problems.Classification(part, (), 64), network)
        for part in (images, replace(images, validation=images.test))
    )
    rule = optimizers.SGD(0.9, weight_decay=0.001)
    run, again = (Run(rule, schedules.Cosine(0.05, updates)) for updates in (dense, steps))
    shares = 1 - 0.7 ** np.arange(1, rounds + 1)
    table = np.stack([shares, 0 * shares], axis=1)
    found = recipes.prune_iteratively(
        seen, run, table, steps, seed=seeds, dense=dense, retrain=again, floor=1
    )
    return _tidy(found, unseen, (ITERATIVE, DENSE))


def one_shot_or_iterative(*, quick: bool = False) -> pd.DataFrame:
    """All weights go at once, or in six rounds, with as many updates of retraining, 5 seeds.

    LeNet-300-100 on MNIST-5k with images of half the size (14×14): 89,800 weights. Dense: 648 updates (12
    epochs), otherwise as in :func:`lenet300100`. Then 648 updates more, for each final sparsity:
    "iterative" removes the same share of the weights that are left before each of six rounds of 108 updates;
    "one-shot" removes all before the first of the six and is trained alike, so that only the time of removal
    differs; "one-shot, one long decay" has a single cosine over all 648 updates instead of six short ones.

    Args:
        quick: a few updates with one seed, to see that it runs.

    Returns:
        As :func:`lenet300100`, one row a method, seed and final sparsity, after all updates.

    Example:
        >>> sorted(set(one_shot_or_iterative(quick=True)["method"]))
        ['iterative', 'one-shot', 'one-shot, one long decay']
    """
    images, hidden, batch, seeds = data.mnist5k(14), (300, 100), 64, [0, 1, 2, 3, 4]
    finals, dense, steps, rounds = (0.8, 0.9, 0.95, 0.98, 0.99), 648, 108, 6
    if quick:
        images, hidden, seeds, dense, steps, rounds = data.digits(), (16, 16), [0], 20, 5, 2
    problem = problems.Classification(images, hidden, batch)
    rule = optimizers.SGD(0.9, weight_decay=0.002)
    run, short, long = (Run(rule, schedules.Cosine(0.1, n)) for n in (dense, steps, steps * rounds))
    slowly = recipes.rounds_to(finals, rounds)
    table = np.concatenate([slowly, np.broadcast_to(finals, slowly.shape)], axis=1)
    found = list(
        recipes.prune_iteratively(problem, run, table, steps, seed=seeds, dense=dense, retrain=short, floor=1)
    )
    unseen, start = _unseen(problem), {name: p[: len(seeds)] for name, p in found[0].params.items()}
    once = recipes.one_shot(
        problem, long, finals, steps * rounds, seed=seeds, params=start, retrain=long, floor=1
    )
    of_rounds = _tidy([found[0], found[-1]], unseen, (ITERATIVE,) * len(finals) + (ONE_SHOT,) * len(finals))
    of_one = _tidy(once, unseen, (LONG,) * len(finals))
    both = pd.concat([of_rounds.assign(updates=of_rounds["updates"] * rounds), of_one], ignore_index=True)
    return both[both["sparsity"] > 0].reset_index(drop=True)


def _unseen(problem: problems.Classification) -> problems.Classification:
    """The problem whose metrics are those of the test images."""
    return replace(problem, data=replace(problem.data, validation=problem.data.test))


def _tidy(found: Iterable[recipes.Round], unseen: Any, methods: Sequence[str]) -> pd.DataFrame:
    """A table with one line a row of each round; the first round is the dense networks."""
    parts, updates, dense = [], 0, None
    for now in found:
        test = np.asarray(unseen.metrics(now.params)["validation_accuracy"], float)
        dense = test if dense is None else dense
        updates += now.steps if now.index else 0
        columns: dict[str, Any] = {"method": np.repeat(np.array(methods, object), len(test) // len(methods))}
        columns |= {"seed": now.seeds, "updates": updates}
        columns |= {"sparsity": now.sparsity, "times fewer weights": now.times}
        columns |= {"validation accuracy": now.metrics["validation_accuracy"], "test accuracy": test}
        parts.append(pd.DataFrame(columns | {"dense test accuracy": dense}))
    return pd.concat(parts, ignore_index=True)
