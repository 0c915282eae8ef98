"""The long run of lesson 13: rounded after training, or trained while rounded, from eight bits to one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from optviz import data, models, optimizers, problems, quantize, recipes, schedules
from optviz._knobs import example
from optviz.training import Run, train

__all__ = ["qat"]

FULL = 32  # bits of what is not rounded
SIGNS = {"ternary": math.log2(3), "binary": 1.0}
BITS = (8, 6, 4, 3, 2)


class Plan(NamedTuple):
    """A network and what is measured of it."""

    name: str
    problem: Any
    seeds: list[int]
    decay: float
    lr: float
    steps: int
    again: float
    updates: int
    bits: tuple[int, ...]
    signs: tuple[str, ...] = ()
    units: tuple[int, ...] = ()


def qat(*, quick: bool = False) -> pd.DataFrame:
    """PTQ beside QAT on MNIST-5k: LeNet-300-100 (5 seeds) and LeNet-5 (3 seeds), 8 to 2 bits and below.

    Trained first as in the long run of lesson 12: SGD with momentum 0.9, batch 64; LeNet-300-100 with weight
    decay 0.002 for 1,080 updates from rate 0.1, LeNet-5 with 0.001 for 540 updates from 0.05, both along a
    cosine to 0. From there every form trains as long: LeNet-300-100 for 216 updates from rate 0.03 (of 0.01,
    0.03 and 0.1 by validation images with seed 10), LeNet-5 for 54 from 0.02, along a cosine again. PTQ
    trains without rounding and is rounded then; fp32 is the same network before that. Weights have one scale
    for each output and a symmetric code. QAT with min–max finds its scales anew at every update; learned
    steps are those of LSQ. Where units are rounded too, they have as many bits as the weights and one
    min–max range a layer, observed on 512 training images, in QAT for half of the updates.

    Args:
        quick: one small network, a few updates, one seed, two bits, to see that it runs.

    Returns:
        One row a network, seed and form: ``network``, ``seed``, ``weights`` (such as "4 bits"), ``bits``
        (32 for fp32, log₂ 3 for ternary, 1 for binary), ``unit bits`` (32 where units are not rounded),
        ``form``, ``validation accuracy``, ``test accuracy``.

    Example:
        >>> qat(quick=True)["form"].unique().tolist()[:5]
        ['fp32', 'PTQ, min–max', 'QAT, min–max', 'PTQ, MSE', 'QAT, learned steps']
    """
    if quick:
        plans = [Plan("small", problems.digits((8,)), [0], 0.0, 0.05, 4, 0.02, 2, (4, 2), ("binary",), (2,))]
    else:
        import torch

        images, net = data.mnist5k(28), models.LeNet5(generator=torch.Generator())
        dense = problems.Classification(images, (300, 100), 64)
        deep = problems.convolutional(problems.Classification(images, (), 64), net)
        signs, seeds = tuple(SIGNS), [0, 1, 2, 3, 4]
        plans = [
            Plan("LeNet300100", dense, seeds, 0.002, 0.1, 1080, 0.03, 216, BITS, signs, (8, 4, 3, 2)),
            Plan("LeNet5", deep, seeds[:3], 0.001, 0.05, 540, 0.02, 54, BITS),
        ]
    return pd.DataFrame([row for plan in plans for row in _measured(plan)])


def _measured(plan: Plan) -> Iterator[dict[str, Any]]:
    """All rows of one network."""
    rule = optimizers.SGD(0.9, weight_decay=plan.decay)
    first, then = (
        Run(rule, schedules.Cosine(*ends)) for ends in ((plan.lr, plan.steps), (plan.again, plan.updates))
    )
    start = train(plan.problem, [first], plan.steps, seed=plan.seeds, every=plan.steps).params
    forms: list[tuple[dict[str, Any], Sequence[int | str], int | None, tuple[str, str]]] = []
    plain: dict[str, Any] = {}
    learned = {"learned": True, "range": example(quantize.MSE)}
    for bits, units in [(plan.bits, None), *(((b,), b) for b in plan.units)]:
        forms.append((plain, bits, units, ("PTQ, min–max", "QAT, min–max")))
        forms.append((learned, bits, units, ("PTQ, MSE", "QAT, learned steps")))
    if plan.signs:
        forms.append((plain, plan.signs, None, ("PTQ, mean |w|", "QAT, mean |w|")))
    for i, (options, bits, units, names) in enumerate(forms):  # type: ignore[assignment]
        *_, last = recipes.qat(
            plan.problem, then, bits, plan.updates, seed=plan.seeds, params=start, units=units,
            every=plan.updates // (1 if units is None else 2), **options,
        )  # fmt: skip
        told = [label for label in bits for _ in plan.seeds]
        if i == 0:
            yield from _rows(plan, [FULL] * len(plan.seeds), None, "fp32", last.plain)
        for form, params in zip(names, (last.rounded, last.params), strict=True):
            yield from _rows(plan, told, units, form, params)


def _rows(
    plan: Plan, bits: Sequence[int | str], units: int | None, form: str, params: Any
) -> Iterator[dict[str, Any]]:
    """One row for each network of one form."""
    parts = [_accuracy(_unseen(plan.problem) if test else plan.problem, units, params) for test in (0, 1)]
    for k, b in enumerate(bits):
        yield {
            "network": plan.name,
            "seed": plan.seeds[k % len(plan.seeds)],
            "weights": "fp32" if b == FULL else b if isinstance(b, str) else f"{b} bits",
            "bits": SIGNS[b] if isinstance(b, str) else float(b),
            "unit bits": FULL if units is None else units,
            "form": form,
            "validation accuracy": float(parts[0][k]),
            "test accuracy": float(parts[1][k]),
        }


def _accuracy(problem: Any, units: int | None, params: Any) -> np.ndarray:
    seen = problem if units is None else recipes.RoundedUnits(problem, units)
    return np.asarray(seen.metrics(params)["validation_accuracy"], float)


def _unseen(problem: Any) -> Any:
    """The problem whose metrics are those of the test images."""
    images = replace(problem.data, validation=problem.data.test)
    if isinstance(problem, problems.Classification):
        return replace(problem, data=images)
    return problems.convolutional(problems.Classification(images, (), problem.batch), problem.module)
