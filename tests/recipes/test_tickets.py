"""Lottery tickets: what starts from where, with which mask, for how long."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from optviz import optimizers, problems, prune, recipes, schedules
from optviz.recipes.rounds import Rows
from optviz.recipes.tickets import WINNING
from optviz.training import Run, train

DIGITS = problems.digits(hidden=(12,), batch=32)
RUN = Run(optimizers.SGD(0.9), schedules.Cosine(0.1, 40))
NAMES = ("weight1", "weight2")


def rounds(*args: object, **options: object) -> list[recipes.Round]:
    return list(recipes.tickets(DIGITS, RUN, *args, **options))


def first_weights(seed: int) -> dict:
    return DIGITS.init(np.random.default_rng(np.random.SeedSequence(seed).spawn(2)[1]))


def test_controls_have_as_many_weights_in_every_layer() -> None:
    found = rounds([0.5, 0.75, 0.9], 20, seed=(0, 1))
    before = None
    for now in found[1:]:
        for name in NAMES:
            kept = now.masks[name].reshape(3, 2, -1).sum(-1)
            assert (kept == kept[0]).all()
            ticket, new, random = now.masks[name].reshape(3, 2, *now.masks[name].shape[1:])
            assert np.array_equal(ticket, new)
            assert not np.array_equal(ticket, random)
            assert (np.asarray(now.params[name])[~now.masks[name]] == 0).all()
            assert before is None or not (now.masks[name] & ~before[name]).any()
        before = now.masks
    assert found[-1].rows(WINNING) == [0, 1]
    assert found[-1].rows("random mask") == [4, 5]


def test_the_ticket_is_iterative_pruning_with_rewinding() -> None:
    for at in (0, 6):
        ticket = rounds([0.5, 0.8], 20, seed=(2,), rewind=at)
        same = list(recipes.prune_iteratively(DIGITS, RUN, [0.5, 0.8], 20 - at, dense=20, rewind=at, seed=2))
        for one, other in zip(ticket, same, strict=True):
            assert np.array_equal(one.params["weight1"][0], other.params["weight1"][0])
            assert np.array_equal(one.masks["weight2"][0], other.masks["weight2"][0])


def test_every_row_starts_where_it_should() -> None:
    _, one = rounds([0.6], 20, seed=(0, 1))
    order = Rows(DIGITS, RUN, (0, 1), ("",)).orders(1)
    first = {n: np.stack([first_weights(s)[n] for s in (0, 1)]) for n in first_weights(0)}
    for kind in (0, 2):  # the ticket and the random mask, both from the first weights of the dense network
        hold = prune.masked({n: m[2 * kind : 2 * kind + 2] for n, m in one.masks.items()})
        h = train(DIGITS, [RUN], 20, seed=order, params=hold(first), view=hold, grads=hold)
        assert np.array_equal(h.params["weight1"], one.params["weight1"][2 * kind : 2 * kind + 2])
    ticket = prune.masked({n: m[:2] for n, m in one.masks.items()})
    h = train(DIGITS, [RUN], 20, seed=order, params=ticket(first), view=ticket, grads=ticket)
    assert not np.array_equal(h.params["weight1"], one.params["weight1"][2:4])


def test_all_rows_of_a_round_train_equally_long() -> None:
    found = rounds([0.5], 20, rewind=6, every=7)
    assert [(now.index, now.step) for now in found] == [(0, 7), (0, 14), (0, 20), (1, 7), (1, 14)]
    assert [now.done for now in found] == [False, False, True, False, True]
    assert {now.loss.shape[0] for now in found} == {3}


def test_all_rows_of_round_zero_are_the_dense_network() -> None:
    zero = rounds([0.5], 20, seed=(0, 1))[0]
    h = train(DIGITS, [RUN], 20, seed=(0, 1))
    assert np.array_equal(zero.params["weight1"], np.concatenate([h.params["weight1"]] * 3))


def test_seeds_do_not_know_of_one_another() -> None:
    many, alone = rounds([0.5, 0.8], 15, seed=(4, 0)), rounds([0.5, 0.8], 15, seed=0)
    for one, other in zip(many, alone, strict=True):
        assert np.array_equal(one.params["weight2"][[1, 3, 5]], other.params["weight2"])


def test_one_control_or_none() -> None:
    _, one = rounds([0.5], 10, controls=(recipes.RandomMask(),))
    assert one.labels == (WINNING, "random mask")
    _, alone = rounds([0.5], 10, controls=())
    assert np.array_equal(alone.params["weight1"][0], one.params["weight1"][0])


def test_a_control_of_ones_own() -> None:
    class Inverted:
        label = "signs turned"

        def masks(self, masks: dict, generator: np.random.Generator) -> dict:
            return masks

        def start(self, weights: dict, others: dict) -> dict:
            return {n: -p for n, p in weights.items()}

    _, one = rounds([0.5], 10, controls=(Inverted(),))
    assert one.labels == (WINNING, "signs turned")
    assert not np.array_equal(one.params["weight1"][0], one.params["weight1"][1])


def test_modules_too() -> None:
    cnn = problems.convolutional(problems.digits(batch=32))
    *_, last = recipes.tickets(cnn, RUN, [0.5, 0.8], 5, rewind=2)
    for name, kept in last.masks.items():
        assert kept.dtype == torch.bool
        assert (last.params[name][~kept] == 0).all()
        assert len({int(m.sum()) for m in kept}) == 1


def test_tickets_win_over_random_masks() -> None:
    """At 94 % a random mask of the same layer sizes leaves a network that learns far less."""
    problem = problems.digits(hidden=(32,))
    *_, last = recipes.tickets(
        problem, Run(optimizers.SGD(0.9), 0.1), [0.5, 0.75, 0.94], 120, seed=range(3), floor=1
    )
    accuracy = last.metrics["validation_accuracy"].reshape(3, 3).mean(1)
    assert accuracy[0] > accuracy[2] + 0.1
    assert accuracy[0] > accuracy[1]


@pytest.mark.parametrize(
    ("args", "options", "message"),
    [
        (([0.5, 0.2], 20), {}, "rounds must be no smaller than the round before"),
        (([[0.5, 0.6]], 20), {}, r"sparsities must be \(R,\) numbers, one a round, got \(1, 2\)"),
        (([1.0], 20), {}, r"rounds must be sparsities in \[0, 1\)"),
        (([0.5], 20), {"rewind": 20}, "rewind must be below the 20 updates, got 20"),
        (([0.5], 20), {"rewind": -1}, r"rewind must be a whole number in \[0, 20\]"),
        (([0.5], 20), {"rewind": 0.5}, r"rewind must be a whole number in \[0, 20\]"),
        (([0.5], 0), {}, "steps must be a whole number of at least 1"),
    ],
)
def test_bad_input(args: tuple, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rounds(*args, **options)
