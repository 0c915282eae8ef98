"""The sensitivity scan: each layer alone, in one call; and the budget that follows from it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from optviz import optimizers, problems, prune, recipes
from optviz.training import Run, train

DIGITS = problems.digits(hidden=(12, 8), batch=32)
RUN = Run(optimizers.SGD(0.9), 0.1)
SHARES = [0.0, 0.3, 0.6, 0.9]


def trained(problem: object = DIGITS) -> dict:
    h = train(problem, [RUN], 60)
    return {n: torch.tensor(p[0]) if problem is not DIGITS else p[0] for n, p in h.params.items()}


def test_each_cell_is_that_layer_pruned_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    params, calls = trained(), []
    measure = type(DIGITS).metrics
    monkeypatch.setattr(
        type(DIGITS), "metrics", lambda self, p: calls.append(len(p["weight1"])) or measure(self, p)
    )
    found = recipes.sensitivity(DIGITS, params, SHARES)
    assert calls == [1 + 3 * 4]
    for i, name in enumerate(found.layers):
        for j, share in enumerate(SHARES):
            mask = prune.mask(prune.magnitude(params, of=(name,)), share, prune.Layer())
            rows = {n: p[None] for n, p in prune.masked(mask)(params).items()}
            alone = measure(DIGITS, rows)
            assert found.accuracy[i, j] == alone["validation_accuracy"][0]
            assert found.loss[i, j] == alone["validation_loss"][0]
    assert (found.drop[:, 0] == 0).all()
    assert found.sizes == (768, 96, 80)


def test_a_module_too() -> None:
    cnn = problems.convolutional(problems.digits(batch=32))
    found = recipes.sensitivity(cnn, trained(cnn), [0.0, 0.9])
    assert found.layers == ("2.weight", "4.weight", "7.weight")
    assert (found.drop[:, 0] == 0).all()
    assert (found.drop[:, 1] > 0).any()


def test_a_seeded_criterion_gives_the_same_again() -> None:
    params = trained()
    first, second, other = (
        recipes.sensitivity(DIGITS, params, SHARES, criterion=recipes.Random(), seed=s).accuracy
        for s in (0, 0, 1)
    )
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_the_budget_grows_with_what_may_be_lost() -> None:
    found = recipes.sensitivity(DIGITS, trained(), [0.2, 0.4, 0.6, 0.8, 0.9, 0.95])
    before = dict.fromkeys(found.layers, 0.0)
    for drop in (0.0, 0.005, 0.01, 0.05, 0.2, 1.0):
        now = dict(recipes.budget(found, drop).sparsities)
        assert all(now[n] >= before[n] for n in now)
        before = now
    assert set(before.values()) == {0.95}


def test_the_budget_stops_at_the_first_sparsity_that_costs_too_much() -> None:
    accuracy = np.array([[0.95, 0.80, 0.95], [0.94, 0.93, 0.92]])
    found = recipes.Sensitivity(("a", "b"), (9, 9), np.array([0.3, 0.5, 0.7]), accuracy, accuracy, 0.95)
    assert recipes.budget(found, 0.02).sparsities == (("a", 0.3), ("b", 0.5))
    assert recipes.budget(found, 0.03).sparsities == (("a", 0.3), ("b", 0.7))
    assert recipes.budget(found, 0.0).sparsities == (("a", 0.3), ("b", 0.0))


def test_pruning_to_the_budget() -> None:
    params = trained()
    cut = recipes.budget(recipes.sensitivity(DIGITS, params, SHARES), 0.05)
    _, last = recipes.one_shot(DIGITS, RUN, None, 10, params=params, scope=cut)
    gone = {n: 1 - m.mean() for n, m in last.masks.items()}
    assert gone == pytest.approx(dict(cut.sparsities), abs=0.01)


def test_as_a_table() -> None:
    table = recipes.sensitivity(DIGITS, trained(), SHARES).to_frame()
    assert len(table) == 12
    assert list(table) == ["layer", "weights", "sparsity", "accuracy", "drop"]


def test_bad_input() -> None:
    params = trained()
    with pytest.raises(ValueError, match="sparsities must be one or more, each above the one before"):
        recipes.sensitivity(DIGITS, params, [0.5, 0.5])
    with pytest.raises(ValueError, match=r"mask\.sparsity must be in \[0, 1\)"):
        recipes.sensitivity(DIGITS, params, [0.5, 1.0])
    with pytest.raises(TypeError, match="problem must be a Problem"):
        recipes.sensitivity("digits", params, [0.5])
    with pytest.raises(ValueError, match="drop must be at least 0, got -1"):
        recipes.budget(recipes.sensitivity(DIGITS, params, [0.5]), -1)
