"""Rounds of pruning: exact sparsities, zeros that stay, rows that don't know of one another."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from optviz import optimizers, problems, prune, recipes, schedules
from optviz.prune import Budget, Global, Layer
from optviz.recipes.rounds import Rows
from optviz.training import Run, train

DIGITS = problems.digits(hidden=(12,), batch=32)
CNN = problems.convolutional(problems.digits(batch=32))
RUN = Run(optimizers.SGD(0.9), 0.1)
NAMES = ("weight1", "weight2")
SIZE = 12 * 64 + 10 * 12


def rounds(*args: object, **options: object) -> list[recipes.Round]:
    return list(recipes.prune_iteratively(DIGITS, RUN, *args, **options))


@pytest.mark.parametrize("scope", [Global(), Layer()], ids=str)
@pytest.mark.parametrize("rule", [optimizers.SGD(0.9), optimizers.Adam(), optimizers.AdamW()], ids=str)
def test_sparsities_are_exact_masks_nested_and_zeros_stay(scope: object, rule: object) -> None:
    run = Run(rule, 0.1 if isinstance(rule, optimizers.SGD) else 0.003)
    found = list(
        recipes.prune_iteratively(
            DIGITS, run, [[0.5, 0.2], [0.7, 0.2], [0.85, 0.8]], 15, seed=(0, 1), scope=scope, every=5
        )
    )
    before = None
    for now in found:
        if now.index:
            asked = np.repeat([[0.5, 0.2], [0.7, 0.2], [0.85, 0.8]][now.index - 1], 2)
            for row, share in enumerate(asked):
                gone = [int((~now.masks[n][row]).sum()) for n in NAMES]
                layers = [round(share * 12 * 64), round(share * 120)]
                assert sum(gone) == round(share * SIZE) if scope == Global() else gone == layers
            np.testing.assert_allclose(now.sparsity, asked, atol=1e-3)
        for name in NAMES:
            w = np.asarray(now.params[name])
            assert (w[~now.masks[name]] == 0).all()
            assert before is None or not (now.masks[name] & ~before[name]).any()
        before = now.masks
    assert [now.index for now in found if now.done] == [0, 1, 2, 3]
    assert [now.progress for now in found[:3]] == pytest.approx([1 / 3, 2 / 3, 1])


def test_same_sparsity_again_is_the_same_mask() -> None:
    *_, first, second = rounds([0.8, 0.8], 10)
    assert all((first.masks[n] == second.masks[n]).all() for n in NAMES)
    assert first.metrics["validation_loss"] != second.metrics["validation_loss"]


def test_rows_do_not_know_of_one_another() -> None:
    several = rounds([[0.5, 0.3], [0.8, 0.9]], 10, seed=(3, 1))
    for final, column in enumerate(([0.5, 0.8], [0.3, 0.9])):
        for place, seed in enumerate((3, 1)):
            row = 2 * final + place
            for many, alone in zip(several, rounds(column, 10, seed=seed), strict=True):
                assert many.seeds[row] == seed
                for name in DIGITS.init(np.random.default_rng(0)):
                    assert np.array_equal(many.params[name][row], alone.params[name][0])
                assert np.array_equal(many.loss[row], alone.loss[0])


def test_criteria_and_scopes_may_differ_by_row() -> None:
    criteria = (recipes.Magnitude(), recipes.Random(), recipes.Snip())
    *_, mixed = rounds([0.5, 0.8], 8, criterion=criteria, seed=(0, 1))
    assert mixed.labels[::2] == ("Magnitude(power=1)", "Random()", "Snip(batches=1)")
    for k, criterion in enumerate(criteria):
        *_, alone = rounds([0.5, 0.8], 8, criterion=criterion, seed=(0, 1))
        assert np.array_equal(mixed.params["weight1"][2 * k : 2 * k + 2], alone.params["weight1"])
    *_, scoped = rounds([[0.8]], 5, scope=(Global(), Layer()))
    assert scoped.labels == ("Global()", "Layer()")


def test_the_dense_round_is_ordinary_training() -> None:
    first = next(recipes.prune_iteratively(DIGITS, RUN, [0.5], 12, seed=(0, 4)))
    h = train(DIGITS, [RUN], 12, seed=(0, 4))
    assert np.array_equal(first.params["weight1"], h.params["weight1"])
    assert np.array_equal(first.loss, h["loss"])
    assert (first.sparsity == 0).all()
    assert all(m.all() for m in first.masks.values())


def test_given_weights_are_round_zero_and_stay_as_they_are() -> None:
    h = train(DIGITS, [RUN], 30, seed=(0, 1))
    for p in h.params.values():
        p.flags.writeable = False
    zero, one = rounds([[0.5, 0.9]], 5, params=h.params, seed=(0, 1))
    assert zero.done
    assert zero.steps == 0
    assert np.array_equal(zero.params["weight1"], np.concatenate([h.params["weight1"]] * 2))
    held = prune.masked(one.masks)(zero.params)
    assert one.before["validation_loss"].tolist() == DIGITS.metrics(held)["validation_loss"].tolist()
    same, _ = rounds([0.5], 5, params={n: p[1] for n, p in h.params.items()}, seed=(0, 1))
    assert np.array_equal(same.params["bias2"], np.stack([h.params["bias2"][1]] * 2))


@pytest.mark.parametrize("at", [0, 7])
def test_weights_are_rewound_to_what_they_were(at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    starts = []
    measure = type(DIGITS).metrics

    def spy(self: object, params: dict) -> dict:
        starts.append({n: np.array(p) for n, p in params.items()})
        return measure(self, params)

    early = DIGITS.init(np.random.default_rng(np.random.SeedSequence(5).spawn(2)[1]))
    early = {n: p[None] for n, p in early.items()}
    if at:
        early = train(DIGITS, [RUN], 7, seed=5).params
    monkeypatch.setattr(type(DIGITS), "metrics", spy)
    found = rounds([0.5, 0.8], 5, dense=20, rewind=at, seed=5)
    for now in found[1:]:
        kept = now.masks["weight1"]
        match = [s for s in starts if np.array_equal(s["weight1"], early["weight1"] * kept)]
        assert match
        assert np.array_equal(match[0]["bias1"], early["bias1"])


def test_rewinding_goes_on_with_the_schedule_from_there() -> None:
    run = Run(optimizers.SGD(), schedules.Linear(0.1, 20))
    weights = list(recipes.prune_iteratively(DIGITS, run, [0.5], 13, dense=20, rewind=7))
    by_hand = Run(optimizers.SGD(), recipes.Later(schedules.Linear(0.1, 20), 7))
    early = train(DIGITS, [run], 20, every=7, seed=0)
    hold = prune.masked(weights[1].masks)
    *_, step = [early]
    order = Rows(DIGITS, run, (0,), ("",)).orders(1)
    first = train(DIGITS, [run], 7, seed=0).params
    again = train(DIGITS, [by_hand], 13, seed=order, params=hold(first), view=hold, grads=hold)
    assert np.array_equal(step.params["weight1"], weights[0].params["weight1"])
    assert np.array_equal(again.params["weight1"], weights[1].params["weight1"])


def test_the_rate_alone_can_be_rewound() -> None:
    schedule = schedules.Cosine(0.1, 20)
    run = Run(optimizers.SGD(0.9), schedule)
    later = Run(optimizers.SGD(0.9), recipes.Later(schedule, 12))
    first = list(recipes.prune_iteratively(DIGITS, run, [0.5], 8, dense=20, retrain=later))
    other = list(recipes.prune_iteratively(DIGITS, run, [0.5], 8, dense=20))
    assert np.array_equal(first[0].params["weight1"], other[0].params["weight1"])
    assert not np.array_equal(first[1].params["weight1"], other[1].params["weight1"])
    assert recipes.Later(schedule, 12)(0) == schedule(12)


def test_one_shot_is_one_round() -> None:
    _, shot = recipes.one_shot(DIGITS, RUN, (0.5, 0.9), 10, seed=(0, 1))
    _, same = rounds([[0.5, 0.9]], 10, seed=(0, 1))
    assert np.array_equal(shot.params["weight1"], same.params["weight1"])
    assert shot.labels == ("50 %", "50 %", "90 %", "90 %")
    assert shot.rows("90 %") == [2, 3]
    frame = shot.to_frame()
    assert frame["times fewer weights"].round(1).tolist() == [2, 2, 10, 10]
    assert {"validation_accuracy before", "validation_accuracy", "seed"} <= set(frame)
    with pytest.raises(ValueError, match="label must be one of"):
        shot.rows("80 %")


def test_a_budget_has_its_own_sparsities() -> None:
    _, cut = rounds([None], 5, scope=Budget({"weight1": 0.75, "weight2": 0.5}))
    assert [int(m.sum()) for m in cut.masks.values()] == [192, 60]


def test_modules_prune_alike() -> None:
    found = list(recipes.prune_iteratively(CNN, RUN, [[0.5, 0.3], [0.9, 0.6]], 4, seed=(0, 1), every=2))
    assert [now.step for now in found] == [2, 4] * 3
    last = found[-1]
    np.testing.assert_allclose(last.sparsity, [0.9, 0.9, 0.6, 0.6], atol=1e-3)
    for name, kept in last.masks.items():
        assert kept.dtype == torch.bool
        assert (last.params[name][~kept] == 0).all()
    *_, alone = recipes.prune_iteratively(CNN, RUN, [0.3, 0.6], 4, seed=1)
    torch.testing.assert_close(last.params["2.weight"][3], alone.params["2.weight"][0])


def test_dropping_the_generator_stops() -> None:
    found = recipes.prune_iteratively(DIGITS, RUN, [0.5], 100_000, every=1)
    assert next(found).step == 1
    found.close()
    with pytest.raises(StopIteration):
        next(found)


def test_rounds_remove_the_same_share_of_what_is_left() -> None:
    table = recipes.rounds_to((0.9, 0.99), 5)
    left = np.concatenate([np.ones((1, 2)), 1 - table])
    np.testing.assert_allclose(left[1:] / left[:-1], [[0.1**0.2, 0.01**0.2]] * 5)
    np.testing.assert_allclose(table[-1], [0.9, 0.99])
    with pytest.raises(ValueError, match="final must be in"):
        recipes.rounds_to(1.0, 3)


@pytest.mark.parametrize(
    ("args", "options", "message"),
    [
        (([0.5, 1.0], 5), {}, r"rounds must be sparsities in \[0, 1\), got 1.0"),
        (([0.5, -0.1], 5), {}, r"rounds must be sparsities in"),
        (([0.5, 0.4], 5), {}, r"rounds must be no smaller than the round before \(0.5\), got 0.4"),
        (([], 5), {}, "rounds must be"),
        (([0.5], 0), {}, "steps must be a whole number of at least 1, got 0"),
        (([0.5], 5), {"every": 0}, "every must be a whole number"),
        (([0.5], 5), {"seed": (1, 1)}, "seed must be different seeds"),
        (([0.5], 5), {"seed": (-1,)}, "seed must be whole numbers"),
        (([0.5], 5), {"rewind": 9}, r"rewind must be a whole number in \[0, 5\]"),
        (([0.5], 5), {"rewind": 2, "params": {}}, "params must be None where weights are rewound"),
        (([[0.5, 0.6]], 5), {"criterion": [recipes.Random()] * 3}, "rounds must be one, or one for each"),
        (([0.5], 5), {"criterion": "magnitude"}, "criterion must be of recipes.criteria"),
        (([0.5], 5), {"params": {"w": np.ones(3)}}, "params must be a mapping with the names"),
        (([0.5], 5), {"scope": Budget({"weight1": 0.5})}, "mask.sparsity must be None with a Budget"),
        (([0.999], 5), {"scope": Layer()}, "mask.sparsity must leave 'weight2' a weight"),
    ],
)
def test_bad_input(args: tuple, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rounds(*args, **options)


def test_wrong_kinds() -> None:
    with pytest.raises(TypeError, match="problem must be a Problem"):
        recipes.prune_iteratively("digits", RUN, [0.5], 5)
    with pytest.raises(TypeError, match="run must be a Run"):
        recipes.prune_iteratively(DIGITS, 0.1, [0.5], 5)
    with pytest.raises(TypeError, match=r"Later\.schedule must be callable"):
        recipes.Later(0.1, 3)
    with pytest.raises(ValueError, match=r"Later\.at must be a whole number"):
        recipes.Later(schedules.Constant(0.1), -3)


def test_a_floor_keeps_layers_alive() -> None:
    _, last = rounds([0.999], 5, scope=Layer(), floor=1)
    assert [int(m.sum()) for m in last.masks.values()] == [1, 1]


def test_a_network_that_diverged_is_named() -> None:
    wild = Run(optimizers.SGD(0.9), 1e30)
    with pytest.raises(ValueError, match=r"run must be such that training does not diverge .*seed 2"):
        list(recipes.prune_iteratively(DIGITS, wild, [0.5], 30, seed=2))
