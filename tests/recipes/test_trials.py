"""Trial pruning: the rule is kept to the letter, and what it costs is counted."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch

from optviz import optimizers, problems, recipes, regularize
from optviz.recipes import trials
from optviz.recipes.trials import row_losses
from optviz.training import Run, train

DIGITS = problems.digits(hidden=(8,), batch=128)
SIZE = 8 * 64 + 80


def trained(problem: object = DIGITS, updates: int = 100) -> dict:
    h = train(problem, [Run(optimizers.SGD(0.9), 0.1)], updates)
    module = not hasattr(problem, "loss_and_grad")
    return {n: torch.tensor(p[0]) if module else p[0] for n, p in h.params.items()}


PARAMS = trained()


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def climb(**options: object) -> list[tuple]:
    """Trials as tuples, with a copy of the masks."""
    found = recipes.try_out(DIGITS, PARAMS, **{"generator": rng()} | options)
    return [(t, {n: m.copy() for n, m in t.masks.items()}) for t in found]


@pytest.mark.parametrize("options", [{}, {"block": 7}, {"tolerance": 0.002}], ids=str)
def test_accepted_exactly_where_the_rule_allows(options: dict) -> None:
    batch = next(DIGITS.batches(rng()))
    best = float(DIGITS.loss(PARAMS, batch))
    before = {n: np.ones(PARAMS[n].shape, bool) for n in ("weight1", "weight2")}
    for trial, masks in climb(tries=60, **options):
        assert trial.limit == pytest.approx(best + options.get("tolerance", 0.0), abs=1e-7)
        assert trial.accepted == (trial.loss <= trial.limit)
        gone = sum(int((before[n] & ~masks[n]).sum()) for n in masks)
        assert gone == (trial.weights if trial.accepted else 0)
        assert not any((masks[n] & ~before[n]).any() for n in masks)
        now = {n: p * masks[n] if n in masks else p for n, p in PARAMS.items()}
        assert trial.best == pytest.approx(float(DIGITS.loss(now, batch)), abs=1e-6)
        assert trial.sparsity == pytest.approx(1 - sum(m.sum() for m in masks.values()) / SIZE)
        best, before = trial.best, masks


def test_both_decisions_are_met() -> None:
    accepted = [t.accepted for t, _ in climb(tries=60)]
    assert 5 < sum(accepted) < 60


@pytest.mark.parametrize("block", [1, 12])
def test_together_decides_as_one_by_one(block: int) -> None:
    alone = climb(tries=80, block=block)
    for many in (2, 16):
        for (a, first), (b, second) in zip(alone, climb(tries=80, block=block, together=many), strict=True):
            assert (a.loss, a.accepted, a.best, a.sparsity) == (b.loss, b.accepted, b.best, b.sparsity)
            assert all(np.array_equal(first[n], second[n]) for n in first)
            assert b.evaluations >= a.evaluations


def test_evaluations_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = []
    monkeypatch.setattr(
        trials, "row_losses", lambda problem, params, batch: rows.append(len(params["bias1"]))
        or row_losses(problem, params, batch),
    )  # fmt: skip
    for together in (1, 5):
        rows.clear()
        *_, (last, _) = climb(tries=40, together=together)
        assert last.evaluations == sum(rows)
        assert last.index == 39
    assert sum(rows) > 41  # some were computed for nothing


def test_one_pass_proposes_each_weight_once() -> None:
    small = problems.digits(hidden=(2,), batch=64)
    params = trained(small, 20)
    proposed = list(recipes.try_out(small, params, tolerance=1e9, generator=rng()))
    assert len(proposed) == 2 * 64 + 20
    assert proposed[-1].sparsity == 1.0
    blocks = list(recipes.try_out(small, params, block=50, tolerance=1e9, generator=rng()))
    assert [t.weights for t in blocks] == [50, 50, 48]


def test_a_second_pass_proposes_what_is_left() -> None:
    found = climb(tries=SIZE + 30, block=1)
    assert len(found) == SIZE + 30
    first, last = found[SIZE - 1][0], found[-1][0]
    assert last.sparsity >= first.sparsity > 0


def test_it_ends_when_nothing_is_left() -> None:
    small = problems.digits(hidden=(1,), batch=64)
    found = list(
        recipes.try_out(small, trained(small, 5), block=40, tries=99, tolerance=1e9, generator=rng())
    )
    assert len(found) == 2
    assert found[-1].sparsity == 1.0


def test_same_generator_same_trials() -> None:
    first, second, other = ([t.loss for t, _ in climb(tries=20, generator=rng(s))] for s in (1, 1, 2))
    assert first == second
    assert first != other


def test_seconds_only_grow() -> None:
    seconds = [t.seconds for t, _ in climb(tries=10)]
    assert seconds == sorted(seconds)
    assert seconds[0] > 0


def test_modules_too() -> None:
    cnn = problems.convolutional(problems.digits(batch=64))
    params = trained(cnn, 20)
    found = recipes.try_out(cnn, params, block=20, tries=6, together=3, generator=rng())
    best = None
    for trial in found:
        assert trial.accepted == (trial.loss <= trial.limit)
        assert best is None or trial.best <= best
        best = trial.best
    assert trial.masks["2.weight"].dtype == torch.bool


def test_losses_of_rows_are_those_of_single_networks() -> None:
    batch = next(DIGITS.batches(rng()))
    rows = {n: np.stack([p, 0.5 * p]) for n, p in PARAMS.items()}
    for problem in (DIGITS, regularize.l2(DIGITS), problems.digits(hidden=(8,), batch=128, drops="units")):
        found = row_losses(problem, rows, batch)
        for k, scale in enumerate((1.0, 0.5)):
            alone = {n: scale * p for n, p in PARAMS.items()}
            assert found[k] == pytest.approx(float(DIGITS.loss(alone, batch)), rel=1e-6)


def test_the_loss_is_the_mean_over_all_batches() -> None:
    batches = list(islice(DIGITS.batches(rng()), 3))
    first = next(recipes.try_out(DIGITS, PARAMS, batches=3, generator=rng()))
    expected = np.mean([float(DIGITS.loss(PARAMS, batch)) for batch in batches])
    assert first.limit == pytest.approx(expected, rel=1e-5)


def test_weights_stay_as_they_are() -> None:
    params = {n: p.copy() for n, p in PARAMS.items()}
    for p in params.values():
        p.flags.writeable = False
    list(recipes.try_out(DIGITS, params, tries=10, generator=rng()))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"block": 0}, "block must be a whole number of at least 1, got 0"),
        ({"block": SIZE + 1}, f"block must be at most the {SIZE} weights"),
        ({"tries": 0}, "tries must be a whole number"),
        ({"together": 0}, "together must be a whole number"),
        ({"batches": 0}, "batches must be a whole number"),
        ({"tolerance": -0.1}, "tolerance must be at least 0, got -0.1"),
        ({"tolerance": float("nan")}, "tolerance must be at least 0"),
    ],
)
def test_bad_input(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        climb(**options)


def test_wrong_kinds() -> None:
    with pytest.raises(TypeError, match="generator must be a NumPy generator"):
        recipes.try_out(DIGITS, PARAMS, generator=0)
    with pytest.raises(TypeError, match="problem must be a Problem"):
        recipes.try_out("digits", PARAMS, generator=rng())
    with pytest.raises(ValueError, match="params must be with a weight of two or more axes"):
        recipes.try_out(DIGITS, {"b": np.ones(3)}, generator=rng())
