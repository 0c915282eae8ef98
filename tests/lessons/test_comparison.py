"""own_best: the rate is chosen on validation images, the report is on test images."""

from dataclasses import replace

import numpy as np
import pytest

from optviz import problems
from optviz.lessons import OwnBest, own_best
from optviz.optimizers import SGD
from optviz.schedules import Constant, Linear
from optviz.training import Run, train


def family(lr, steps):
    return {"constant": Constant(lr), "linear": Linear(lr, steps)}


def test_own_best_agrees_with_single_runs():
    problem, seeds = problems.digits(hidden=(8,)), (0, 1)
    best = own_best(problem, family, (0.001, 0.05, 1e30), 2, optimizer=SGD(0.9), seed=seeds)
    assert best.rate == {"constant": 0.05, "linear": 0.05}
    steps = 2 * problem.updates_per_epoch
    h = train(problem, [Run(SGD(0.9), Linear(0.05, steps), "linear")], steps, seed=seeds)
    np.testing.assert_allclose(best["validation_loss"]["linear"], h["validation_loss"][:, -1], rtol=1e-5)
    test = replace(problem, data=replace(problem.data, validation=problem.data.test)).metrics(h.params)
    np.testing.assert_allclose(best["test_accuracy"]["linear"], test["validation_accuracy"])
    assert best.images == 270
    assert list(best.table().index) == ["constant", "linear"]


def test_own_best_by_another_series():
    loss = np.array([[[0.2, 0.2]], [[0.1, 0.1]], [[0.0, np.nan]]])
    accuracy = np.array([[[0.9, 0.9]], [[0.8, 0.8]], [[1.0, 1.0]]])
    values = {"validation_loss": loss, "validation_accuracy": accuracy, "test_accuracy": accuracy}
    best = OwnBest(("a",), (1.0, 2.0, 3.0), values, 10)
    assert best.rate == {"a": 2.0}
    other = best.chosen_by("validation_accuracy")
    assert other.rate == {"a": 1.0}
    assert other["test_accuracy"]["a"].tolist() == [0.9, 0.9]


def test_own_best_bad_input():
    with pytest.raises(ValueError, match=r"OwnBest\.by must be one of"):
        own_best(problems.digits(), family, (0.1,), 1, optimizer=SGD()).chosen_by("test_loss")
    with pytest.raises(ValueError, match=r"own_best\.rates must be at least one"):
        own_best(problems.digits(), family, (), 1, optimizer=SGD())
    with pytest.raises(ValueError, match="no seed diverges"):
        own_best(problems.digits(hidden=(4,)), family, (1e30,), 1, optimizer=SGD(), seed=(0,))
