"""Gradual pruning: the cubic of Zhu and Gupta, one training, masks that only shrink."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optviz import optimizers, problems, recipes, schedules
from optviz.prune import Layer
from optviz.recipes.ramps import Live, Ramp
from optviz.training import Run, train

DIGITS = problems.digits(hidden=(12,), batch=32)
RUN = Run(optimizers.SGD(0.9), 0.1)
SIZE = 12 * 64 + 10 * 12


@given(st.floats(0, 0.5), st.floats(0.5, 0.99), st.integers(0, 50), st.integers(1, 20), st.integers(1, 9))
def test_the_formula_of_the_article(start: float, final: float, begin: int, count: int, every: int) -> None:
    end = begin + count * every
    ramp = Ramp(final, begin, end, every, start)
    for t in range(begin, end + 1, every):
        expected = final + (start - final) * (1 - (t - begin) / (count * every)) ** 3
        assert float(ramp(t)) == pytest.approx(expected, abs=1e-12)
    t = np.arange(end + 30)
    assert (np.diff(ramp(t)) >= 0).all()
    assert ramp(end) == final
    assert (ramp(t[:begin]) == pytest.approx(start)) if begin else True


def test_it_is_the_polynomial_schedule_of_what_is_left() -> None:
    t = np.arange(0, 101)
    left = schedules.Polynomial(1.0, 80, 3.0, 1 - 0.95)(np.maximum(t - 20, 0))
    np.testing.assert_allclose(1 - Ramp(0.95, 20, 100, 1)(t), left, atol=1e-12)


@pytest.mark.parametrize("rule", [optimizers.SGD(0.9), optimizers.Adam()], ids=str)
def test_sparsity_follows_the_ramp_and_zeros_stay(rule: object) -> None:
    run = Run(rule, 0.1 if isinstance(rule, optimizers.SGD) else 0.003)
    found = recipes.gradual(DIGITS, run, (0.6, 0.9), 60, begin=10, end=45, every=5, seed=(0, 1))
    before, steps = None, []
    for now in found:
        steps.append(now.step)
        for final, row in ((0.6, 0), (0.6, 1), (0.9, 2), (0.9, 3)):
            # the mask of the updates just made was set before the first of them
            asked = float(Ramp(final, 10, 45, 5)(now.step - 5))
            assert sum(int((~m[row]).sum()) for m in now.masks.values()) == round(asked * SIZE)
        for name, kept in now.masks.items():
            assert (np.asarray(now.params[name])[~kept] == 0).all()
            assert before is None or not (kept & ~before[name]).any()
        before = now.masks
    assert steps == list(range(5, 61, 5))
    assert now.done


def test_before_it_begins_it_is_ordinary_training() -> None:
    found = recipes.gradual(DIGITS, RUN, 0.9, 60, begin=20, end=50, every=10)
    losses = np.concatenate([now.loss for now in found], axis=1)
    dense = train(DIGITS, [RUN], 60)["loss"]
    assert np.array_equal(losses[:, :30], dense[:, :30])  # the first weights go before update 30
    assert not np.array_equal(losses[:, 30:], dense[:, 30:])


def test_the_state_of_the_optimizer_goes_on() -> None:
    """A final sparsity of 0 is one training, to the last bit, whatever masks are exchanged."""
    *_, now = recipes.gradual(DIGITS, RUN, 0.0, 40, begin=0, end=30, every=7)
    h = train(DIGITS, [RUN], 40)
    np.testing.assert_array_equal(now.params["weight1"], h.params["weight1"])


def test_rows_do_not_know_of_one_another() -> None:
    options = {"begin": 5, "end": 25, "every": 5}
    *_, many = recipes.gradual(DIGITS, RUN, (0.5, 0.9), 30, seed=(2, 0), scope=Layer(), **options)
    *_, alone = recipes.gradual(DIGITS, RUN, 0.9, 30, seed=0, scope=Layer(), **options)
    assert np.array_equal(many.params["weight1"][3], alone.params["weight1"][0])


def test_an_end_between_two_removals() -> None:
    *_, last = recipes.gradual(DIGITS, RUN, 0.8, 40, begin=3, end=31, every=10)
    np.testing.assert_allclose(last.sparsity, 0.8, atol=1e-3)


def test_modules_too() -> None:
    cnn = problems.convolutional(problems.digits(batch=32))
    *_, last = recipes.gradual(cnn, RUN, (0.5, 0.8), 8, begin=2, end=6, every=2)
    np.testing.assert_allclose(last.sparsity, [0.5, 0.8], atol=1e-3)
    assert all((last.params[n][~m] == 0).all() for n, m in last.masks.items())


def test_given_weights() -> None:
    h = train(DIGITS, [RUN], 30, seed=(0, 1))
    first = next(recipes.gradual(DIGITS, RUN, 0.9, 60, params=h.params, seed=(0, 1)))
    assert (first.before["validation_loss"] == h["validation_loss"][:, -1]).all()


@pytest.mark.parametrize(
    ("finals", "options", "message"),
    [
        (1.0, {}, r"rounds must be sparsities in \[0, 1\), got 1.0"),
        (0.9, {"end": 60}, "end must be below the 60 updates of the training, got 60"),
        (0.9, {"begin": 45}, r"Ramp.begin must be below end \(45\), got 45"),
        (0.9, {"every": 0}, r"Ramp.every must be"),
        (0.9, {"begin": -1}, r"Ramp.begin must be"),
        ([[0.5]], {}, "finals must be a number or K of them"),
    ],
)
def test_bad_input(finals: object, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        recipes.gradual(DIGITS, RUN, finals, 60, **options)
    with pytest.raises(ValueError, match=r"Ramp\.start must be at most final"):
        Ramp(0.2, 0, 10, 1, start=0.3)


def test_a_live_map_tells_its_parts() -> None:
    live = Live({"w": np.ones((3, 1, 2), bool)})
    part = live.of_rows([2, 0])
    w = {"w": np.ones((2, 1, 2))}
    assert part(w)["w"].sum() == 4
    live.masks = {"w": np.array([[[True, False]], [[True, True]], [[False, False]]])}
    assert part(w)["w"].sum((1, 2)).tolist() == [0, 1]
    assert live({"w": np.ones((3, 1, 2))})["w"].sum((1, 2)).tolist() == [1, 2, 0]
