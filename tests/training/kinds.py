"""The kinds of problem that K-run training is tested on, and what it means for two rows to be the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import torch

from optviz import data, problems
from optviz.models import MLP, SmallCNN
from optviz.optimizers import SGD, Adam, AdamW, EMAMomentum, RMSprop
from optviz.training import History

__all__ = [
    "PROBLEMS",
    "RULES",
    "SMALL",
    "ByAutograd",
    "Recorded",
    "assert_same_row",
    "close",
    "cnn",
    "every_problem",
    "module",
    "rate_of",
]

SMALL = problems.digits(hidden=(12,), batch=32)


class Recorded:
    """A problem that remembers the weights it started from and the batches it gave."""

    def __init__(self, problem: Any) -> None:
        self.problem, self.start, self.given = problem, {}, []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.problem, name)

    def init(self, generator: np.random.Generator) -> dict[str, Any]:
        self.start = self.problem.init(generator)
        return self.start

    def batches(self, generator: np.random.Generator) -> Iterator[Any]:
        for batch in self.problem.batches(generator):
            self.given.append(batch)
            yield batch


class ByAutograd:
    """The same problem without its closed-form gradient: torch and vmap have to do."""

    def __init__(self, problem: Any) -> None:
        self.problem = problem

    def init(self, generator: np.random.Generator) -> dict[str, Any]:
        return {n: torch.tensor(p) for n, p in self.problem.init(generator).items()}

    def batches(self, generator: np.random.Generator) -> Iterator[Any]:
        return ((torch.tensor(X), torch.tensor(y)) for X, y in self.problem.batches(generator))

    def loss(self, params: Mapping[str, Any], batch: Any, **extra: Any) -> Any:
        return self.problem.loss(params, batch, **extra)

    def metrics(self, params: Mapping[str, Any]) -> dict[str, np.ndarray]:
        return self.problem.metrics({n: p.numpy() for n, p in params.items()})


def module(network: Any = None, **options: Any) -> Any:
    images = data.digits().train
    return problems.from_module(network or MLP((64, 12, 10)), images.X, images.y, **options)


def cnn(dtype: Any = torch.float32, **options: Any) -> Any:
    images = data.digits().test
    network = SmallCNN(size=8).to(dtype)
    return problems.from_module(network, images.X.reshape(-1, 1, 8, 8), images.y, **options)


PROBLEMS: dict[str, Callable[[], Any]] = {
    "closed form": lambda: SMALL,
    "autograd": lambda: ByAutograd(SMALL),
    "module": lambda: module(batch=32),
    "convolutions": lambda: cnn(batch=32),
}
every_problem = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS.keys())
RULES = [
    SGD(),
    SGD(0.9),
    SGD(0.9, nesterov=True, weight_decay=1e-3),
    EMAMomentum(),
    RMSprop(),
    Adam(),
    AdamW(),
]


def rate_of(rule: Any) -> float:
    return 0.1 if isinstance(rule, SGD | EMAMomentum) else 0.001


def close(problem: Any) -> float:
    """To the last bit in NumPy, which takes row by row; torch may choose another kernel for another K."""
    return 0.0 if problem is SMALL else 2e-6


def assert_same_row(left: History, k: int, right: History, i: int, tolerance: float = 0.0) -> None:
    for name in left.series:
        np.testing.assert_allclose(left[name][k], right[name][i], atol=tolerance, rtol=tolerance)
    for name in left.params:
        np.testing.assert_allclose(
            left.params[name][k], right.params[name][i], atol=tolerance, rtol=tolerance
        )
