"""The ticket explorer: its numbers are those of the recipe, and nothing is trained twice."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from optviz import problems, recipes
from optviz.optimizers import SGD, Adam
from optviz.prune import Global
from optviz.training import Run
from optviz.widgets import ticket_lab
from optviz.widgets.tickets import against, compute
from optviz.widgets.tickets.state import LabState

SMALL = {"rounds": 2, "steps": 20, "seeds": 2}


def recipe(lab, seed):
    """Final accuracies (rounds, 3) of one seed straight from the recipe, the dense network's in front."""
    state = lab.state
    found = recipes.tickets(
        problems.digits(state.network, state.batch),
        Run(state.optimizer, state.lr),
        [1 - state.left(r) for r in range(1, state.rounds + 1)],
        state.steps,
        seed=seed,
        rewind=state.rewind,
        controls=(recipes.RandomMask(), recipes.NewStart()),
        scope=state.scope,
    )
    return np.array([one.metrics["validation_accuracy"] for one in found])


@pytest.mark.parametrize("own", [{}, {"rewind": 7, "scope": Global(), "share": 0.7, "network": (16, 16)}])
def test_the_numbers_are_those_of_the_recipe(own):
    lab = ticket_lab(**SMALL | own)
    for seed in range(2):
        expected = recipe(lab, seed)
        assert lab.result.final("dense")[seed] == expected[0, 0]
        got = np.stack([lab.result.final(name)[seed] for name in ("ticket", "random", "reinit")], 1)
        np.testing.assert_array_equal(got, expected[1:])


def test_measurements_are_at_updates_of_the_dense_run():
    result = ticket_lab(rounds=1, steps=50, rewind=15, seeds=1).result
    assert result.dense_at.tolist() == [*range(3, 50, 3), 50]
    assert result.at[0] == 18
    assert result.at[-1] == 50
    assert np.isfinite(result.accuracy).all()


def test_nothing_is_trained_twice():
    lab = ticket_lab(**SMALL, lr=0.04)
    assert lab.result.fresh == 2 * (1 + 3 * 2)
    assert lab.set(shown=1).result.fresh == 0
    assert lab.set(rounds=3).result.fresh == 2 * 3
    assert lab.set(seeds=3).result.fresh == 1 + 3 * 3
    assert lab.set(rounds=1, seeds=1).result.fresh == 0


def test_a_dropped_computation_goes_on_where_it_stood():
    state = LabState(rounds=2, steps=20, seeds=1, shown=1, lr=0.03)
    half = list(islice(compute(state), 30))[-1]
    assert 0 < half.progress < 1
    *_, done = compute(state)
    np.testing.assert_array_equal(done.final("ticket")[0], recipe(ticket_lab(**SMALL, lr=0.03), 0)[1:, 0])
    assert done.accuracy.shape == (3, 1, 2, 20)


def test_the_verdict_is_paired_and_careful():
    lab = ticket_lab(**SMALL)
    result, rows = lab.result, np.array([[0.9], [0.92], [0.91]])
    accuracy = np.stack([np.stack([rows + shift] * 2, 1) for shift in (0.0, -0.1, 0.0)])
    made = replace(
        result, state=replace(result.state, seeds=3), accuracy=accuracy, dense=rows + np.array([0.02])
    )
    found = against(made)
    assert {name: kind for name, (_, kind) in found.items()} == {
        "random": "ahead",
        "reinit": "level",
        "dense": "behind",
    }
    assert found["random"][0].mean == pytest.approx(10.0)
    told = lab.verdict(made)
    assert "ahead of random mask by 10.0" in told
    assert "not told apart from new first weights" in told
    assert "not shown here" in told
    assert lab.verdict(ticket_lab(**SMALL | {"seeds": 1}).result).startswith("One seed only")
    lost = accuracy.copy()
    lost[2, 0, 1] = np.nan
    assert lab.verdict(replace(made, accuracy=lost)).startswith("A network diverged")


def test_the_masks_in_the_picture_are_counted():
    lab = ticket_lab(**SMALL, share=0.8)
    counts = lab.result.pixels
    assert counts[0].sum((-1, -2)) == pytest.approx(np.array([[819, 164]] * 2), abs=1)  # of 64·64
    np.testing.assert_array_equal(counts[0].sum((-1, -2)), counts[1].sum((-1, -2)))
    empty = (counts[0, :, -1] == 0).sum((1, 2)).mean()
    assert f"{empty:.0f} of 64 pixels have no weight left" in lab.pictures()["masks"].sentence


def test_the_rate_follows_the_optimizer():
    lab = ticket_lab(**SMALL).set(optimizer=Adam())
    assert lab.state.lr == 0.005
    assert lab.set(lr=0.01, optimizer=SGD()).state.lr == 0.01


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"rewind": 20}, "rewind must be below the run length"),
        ({"shown": 3}, "shown must be at most 2"),
        ({"share": 1.0}, "LabState.share must be in"),
        ({"batch": 5000}, "batch must be"),
        ({"network": "small"}, "network must be a tuple"),
    ],
)
def test_wrong_settings_are_named(wrong, said):
    with pytest.raises(ValueError, match=said):
        ticket_lab(**SMALL | wrong)
