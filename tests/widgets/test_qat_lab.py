"""The training-aware explorer: its numbers are those of the recipes, and nothing is trained twice."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pytest

from optviz import problems, recipes
from optviz._knobs import example
from optviz.optimizers import SGD
from optviz.quantize import MSE, PerTensor, choose_qparams, lsq
from optviz.training import Run, train
from optviz.widgets import qat_lab
from optviz.widgets.qat import against
from optviz.widgets.qat.compute import FIRST, compute, places
from optviz.widgets.qat.state import BITS, LabState

SMALLEST = example(MSE)  # the range with the smallest squared error
SMALL: dict[str, Any] = {"network": (8,), "steps": 20, "seeds": 2}


def recipe(state: LabState, seed: int, **options: Any) -> recipes.Rounding:
    """The last report of one seed straight from the recipe."""
    problem = problems.digits(state.network, state.batch)
    steps, lr = FIRST
    start = train(problem, [Run(SGD(0.9), lr)], steps, seed=seed, every=steps).params
    *_, last = recipes.qat(
        problem, Run(SGD(0.9), state.lr), BITS, state.steps, seed=seed, every=1,
        params={n: p[0] for n, p in start.items()} if state.trained else None, **options,
    )  # fmt: skip
    return last


@pytest.mark.parametrize(
    ("own", "options"),
    [
        ({}, {"learned": True}),
        ({"learned": False, "units": 4, "trained": False}, {"units": 4}),
        ({"learned": False, "range": SMALLEST, "per": PerTensor()}, {"per": PerTensor()}),
    ],
)
def test_the_numbers_are_those_of_the_recipe(own: dict[str, Any], options: dict[str, Any]) -> None:
    result = qat_lab(**SMALL, **own).result
    assert result.at.tolist() == list(range(21))
    for seed in range(2):
        last = recipe(result.state, seed, **options)
        np.testing.assert_array_equal(result.trained[seed, :, -1], last.trained["validation_accuracy"])
        assert result.full[seed, -1] == last.full["validation_accuracy"][0]
        if "range" in own:
            seen, rounded = recipes.ptq(
                problems.digits((8,), 32), last.plain, BITS, per=PerTensor(), range=SMALLEST
            )
            np.testing.assert_array_equal(
                result.after[seed, :, -1], seen.metrics(rounded)["validation_accuracy"]
            )
        else:
            np.testing.assert_array_equal(result.after[seed, :, -1], last.after["validation_accuracy"])


def test_nothing_is_trained_twice() -> None:
    lab = qat_lab(**SMALL, lr=0.021)
    assert lab.result.fresh == 2 * 6
    for free in ({"bits": 3}, {"shown": 7}, {"layer": "last"}, {"seeds": 1}):
        assert lab.set(**free).result.fresh == 0, free
    before = lab.result.after[0, -1, -1]
    result = lab.set(range=SMALLEST).result
    assert result.fresh == 0
    assert result.after[0, -1, -1] != before
    assert lab.set(seeds=3).result.fresh == 6
    assert lab.set(learned=False).result.fresh == 18


def test_a_dropped_computation_goes_on_where_it_stood() -> None:
    state = LabState(**SMALL, shown=20, lr=0.017)
    half = list(islice(compute(state), 12))[-1]
    assert 0 < half.progress < 1
    *_, done = compute(state)
    expected = recipe(state, 0, learned=True)
    np.testing.assert_array_equal(done.trained[0, :, -1], expected.trained["validation_accuracy"])


@pytest.mark.parametrize("learned", [True, False])
def test_weights_are_counted_in_steps(learned: bool) -> None:
    lab = qat_lab(**SMALL, learned=learned)
    result, last = lab.result, recipe(lab.state, 0, learned=learned)
    w, b = last.latent["weight1"].astype(float), BITS.index(2)
    if learned:
        step = last.latent["weight1.step"]
        ends = [np.array([v]).reshape(1, 1, 1) for v in (-2.0, 1.0)]
        np.testing.assert_allclose(
            lsq(w[b], step[b], ends[0][0], ends[1][0]), last.params["weight1"][b], atol=1e-6
        )
    else:
        step = choose_qparams(w, BITS, lab.state.per, symmetric=True).scale
    at = w[b] / step[b]
    found = result.weights["first"][-1]
    width = places(2)[1] - places(2)[0]
    counted = found.density[b].sum() * width
    assert counted == pytest.approx(((at > places(2)[0]) & (at < places(2)[-1])).mean(), abs=1e-3)
    zero = (last.params["weight1"][b] == 0).mean()
    assert found.levels[b, 2] == pytest.approx(zero)
    assert found.levels[b, :4].sum() == pytest.approx(1, abs=1e-5)
    assert np.isnan(found.levels[0]).all()
    low = -2 if learned else -1
    assert found.outside[b] == pytest.approx(((at > 1.5) | (at < low - 0.5)).mean())
    assert f"{100 * zero:.0f} % are 0" in lab.pictures()["weights"].sentence
    assert (found.outside[b] == 0) or learned


def test_the_staircase_and_its_gradient() -> None:
    lab = qat_lab(**SMALL)
    pictures = lab.pictures()
    x, y = (pictures["stairs"].marks[1].x, pictures["stairs"].marks[1].y)
    np.testing.assert_array_equal(y, np.clip(np.round(x), -2, 1))
    step, weight = pictures["slopes"].marks
    assert set(weight.y) == {0.0, 1.0}
    np.testing.assert_array_equal(weight.y, (x > -2) & (x < 1))
    there = np.isfinite(step.y)
    expected = np.where(x >= 1, 1, np.where(x <= -2, -2, np.round(x) - x))
    np.testing.assert_allclose(step.y[there], expected[there], atol=1e-12)
    assert there.mean() > 0.98
    (plain,) = lab.set(learned=False).pictures()["slopes"].marks
    np.testing.assert_array_equal(plain.y == 1, abs(np.round(plain.x)) <= 1)
    zoomed = lab.set(bits=8).pictures()["stairs"]
    assert zoomed.frame.xlim == (121.5, 128.5)
    assert "upper end" in zoomed.sentence


def test_the_picture_follows_the_update_that_is_shown() -> None:
    lab = qat_lab(**SMALL, shown=0)
    first = lab.pictures()
    assert "After 0 updates" in first["bits"].sentence
    later = lab.set(shown=20).pictures()
    for name in ("bits", "weights"):
        assert first[name].sentence != later[name].sentence
    assert first["stairs"].key == later["stairs"].key
    assert f"{100 * lab.result.trained[:, -1, -1].mean():.1f}" in later["course"].sentence


def test_the_verdict_is_paired_and_careful() -> None:
    lab = qat_lab(**SMALL)
    rows = np.array([0.9, 0.92, 0.91])[:, None]
    shape = (3, len(BITS), 1)
    made = replace(
        lab.result,
        state=replace(lab.state, seeds=3),
        trained=np.broadcast_to(rows[:, None], shape),
        after=np.broadcast_to(rows[:, None] - 0.1, shape),
        full=rows,
    )
    found = against(made)
    assert {name: kind for name, (_, kind) in found.items()} == {"ptq": "ahead", "full": "level"}
    assert found["ptq"][0].mean == pytest.approx(10.0)
    told = lab.verdict(made)
    assert "QAT is ahead of PTQ by 10.0" in told
    assert "not told apart from fp32" in told
    assert lab.verdict(qat_lab(**SMALL | {"seeds": 1}).result).startswith("One seed only")
    lost = np.array(made.trained)
    lost[1, -1, -1] = np.nan
    assert lab.verdict(replace(made, trained=lost)).startswith("A network diverged")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"bits": 5}, "LabState.bits must be one of"),
        ({"shown": 30, "steps": 20}, "shown must be at most 20"),
        ({"network": "small"}, "network must be a tuple"),
        ({"batch": 5000}, "batch must be"),
        ({"units": 3}, "LabState.units must be one of"),
    ],
)
def test_bad_input(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        qat_lab(**wrong)
