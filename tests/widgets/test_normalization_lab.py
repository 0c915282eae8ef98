"""The normalization explorer without a page: what it computes, says and draws, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from cachetools import LRUCache

from optviz import activations, initializers, normalization_lab, normalize, optimizers, problems
from optviz.activations import Tanh
from optviz.initializers import HeNormal, Normal, XavierNormal, Zeros
from optviz.normalize import BatchNorm, GroupNorm, LayerNorm
from optviz.training import Run, train
from optviz.widgets import Explorer
from optviz.widgets.normalization.compute import BINS, look
from optviz.widgets.normalization.state import RATES, Entry, LabState, menu

computing = import_module("optviz.widgets.normalization.compute")
NAMES: dict[str, Any] = {
    "activations": activations,
    "initializers": initializers,
    "normalize": normalize,
    "optimizers": optimizers,
    "normalization_lab": normalization_lab,
}


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is remembered."""
    for name in ("_memory", "_starts"):
        monkeypatch.setattr(computing, name, LRUCache(1000))


def quick(*networks: Any, **shared: Any) -> Explorer:
    return normalization_lab(*networks, **{"depth": 2, "width": 8, "steps": 20, "seeds": 1} | shared)


# What it computes


def test_a_point_of_the_sweep_is_a_training() -> None:
    lab = quick((HeNormal(), BatchNorm()), HeNormal(), seeds=2, rate=0.3)
    result = lab.result
    assert result.sweep.shape == result.fallen.shape == (2, 9, 2)
    for k, norm in enumerate((BatchNorm(), None)):
        problem = problems.digits((8, 8), start=HeNormal(), norm=norm)
        runs = [Run(optimizers.SGD(), r, f"{r}") for r in (RATES[4], 0.3)]
        h = train(problem, runs, 20, seed=(0, 1), every=20)
        np.testing.assert_allclose(result.sweep[k, 4], h["validation_accuracy"][:2, -1])
        np.testing.assert_allclose(result.partial[k], h["loss"][2:], rtol=1e-5)


def test_what_diverges_counts_as_guessing_and_says_so() -> None:
    lab = quick(Normal(1.0), depth=6, width=32, steps=40, rate=10.0)
    assert lab.result.fallen[0, -1, 0]
    assert lab.result.sweep[0, -1, 0] == pytest.approx(0.1)
    assert "(diverged)" in lab.text()
    table = lab.table(lab.result) if lab.table else None
    assert table is not None
    assert table["diverged"].any()
    assert np.isnan(table.loc[table["diverged"], "validation_accuracy"]).all()


def test_layers_that_were_looked_at() -> None:
    problem = problems.digits((16, 16), start=HeNormal())
    weights = {n: np.stack([p, 0 * p]) for n, p in problem.init(np.random.default_rng(0)).items()}
    first, dead = look(problem, weights)
    outputs = problem.layers(weights, problem.data.train.X[:256])[0].output[0]
    assert first.signal[0] == pytest.approx(np.sqrt((outputs**2).mean()), rel=1e-5)
    assert first.zeros[0] == pytest.approx((outputs == 0).mean())
    assert first.outputs.shape == first.gradients.shape == (3, len(BINS) - 1)
    np.testing.assert_allclose(first.outputs.sum(1) + first.zeros, 1, atol=0.01)
    assert not dead.signal.any()
    assert dead.zeros.tolist() == [1, 1, 1]
    assert not dead.outputs.any()


def test_streams_and_the_last_one_is_complete(fresh: None) -> None:
    lab = quick(HeNormal(), XavierNormal(), steps=60, seeds=2)
    seen = list(lab.stream())
    shares = [r.progress for r in seen]
    assert shares[0] == 0
    assert shares == sorted(shares)
    assert shares[-1] == 1 > shares[-2]
    assert seen[0].seconds < 0.05
    assert all(r.state is lab.state for r in seen)
    assert np.isfinite(seen[-1].sweep).all()
    known = [int(np.isfinite(r.sweep).sum()) for r in seen]
    assert known == sorted(known)
    assert len(set(known)) > 3
    for result in seen:  # every partial result can be drawn
        lab.draw(result, ())


def test_the_rate_that_is_shown_comes_first(fresh: None) -> None:
    lab = quick(HeNormal(), XavierNormal(), steps=60)
    for result in lab.stream():
        if np.isfinite(result.sweep).any():
            break
    assert all(row[0] is not None for row in result.chosen[:1])


def test_what_was_trained_is_remembered(fresh: None) -> None:
    lab = quick(HeNormal(), XavierNormal())
    assert lab.result.fresh == 18
    before = lab.result.sweep
    assert lab.set(rate=RATES[2]).result.fresh == 0
    assert lab.set(rate=0.2).result.fresh == 2
    assert "remembered 18" in lab.status(lab.result)
    assert lab.set(shown=2).result.fresh == 0
    assert lab.set(entries=(*lab.state.entries, Entry(HeNormal(), LayerNorm()))).result.fresh == 10
    np.testing.assert_array_equal(lab.result.sweep[:2], before)
    assert lab.set(depth=1).result.fresh == 30


def test_equal_cards_are_trained_once(fresh: None) -> None:
    result = quick(HeNormal(), HeNormal()).result
    assert result.fresh == 9
    np.testing.assert_array_equal(result.sweep[0], result.sweep[1])


def test_cancelled_halfway_nothing_is_wrong(fresh: None) -> None:
    lab, other = quick(HeNormal(), steps=60), quick(HeNormal(), steps=60)
    stream = lab.stream()
    for _ in range(4):
        next(stream)
    stream.close()
    np.testing.assert_array_equal(lab.set(shown=1).result.sweep, other.result.sweep)


# What it says and draws


def test_zero_weights_are_drawn_and_told() -> None:
    lab = quick(Zeros())
    pictures = lab.pictures()
    assert "0 or beyond the scale" in pictures["signal"].sentence
    assert "100 % of the outputs" in pictures["outputs"].sentence
    assert lab.png[:4] == b"\x89PNG"


def test_the_verdict_says_which_rates_work() -> None:
    lab = normalization_lab(HeNormal(), (HeNormal(), BatchNorm()), depth=6, width=16, steps=120, seeds=1)
    text = lab.verdict(lab.result)
    means = lab.result.sweep.mean(axis=2)
    wide = (means >= means.max() - 0.05).sum(axis=1)
    assert wide[1] > wide[0]
    assert f"{wide[1]} of 9 rates" in text
    assert "1 seed" in text


def test_ghosts_stay_behind() -> None:
    lab = quick(HeNormal())
    lab.pin()
    lab.set(entries=(Entry(XavierNormal()),), depth=3)
    pictures = lab.pictures()
    for name in ("sweep", "loss", "signal", "gradient"):
        assert sum(line.ghost for line in pictures[name].marks) == 1, name
    assert lab.png[:4] == b"\x89PNG"


@pytest.mark.parametrize("depth", [1, 12, 20])
def test_any_depth_can_be_drawn(depth: int) -> None:
    lab = quick(HeNormal(), depth=depth)
    ridges = lab.pictures()["outputs"]
    assert len(ridges.frame.yticks) == min(depth, 12)
    assert lab.png[:4] == b"\x89PNG"


def test_code_makes_the_same_state() -> None:
    for lab in (
        quick(),
        quick((HeNormal(0.2), GroupNorm(2), Tanh()), Normal(0.3), optimizer=optimizers.Adam(b1=0.8), shown=2),
        quick(data="MNIST-5k 14×14", rate=0.25, batch=100),
    ):
        code = lab.code(lab.state)
        assert "\n" not in code
        assert eval(code, NAMES).state == lab.state


def test_names_of_cards() -> None:
    state = LabState((Entry(HeNormal()), Entry(HeNormal(0.1)), Entry(Normal(0.5), LayerNorm(), Tanh())))
    assert state.labels == ("He normal 1", "He normal 2", "normal (0.5), layer, tanh")
    assert len(menu()) == len(initializers.__all__) - 1
    assert replace(state, shown=6).chosen == 2


# What it refuses


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: quick(*[HeNormal()] * 7), r"number of networks must be in \[1, 6\], got 7"),
        (
            lambda: quick((HeNormal(), GroupNorm(3))),
            r"GroupNorm\.groups must be a divisor of the width 8, got 3",
        ),
        (
            lambda: quick((HeNormal(), BatchNorm()), batch=1),
            r"batch must be at least 2 images with batch norm",
        ),
        (lambda: quick(batch=100_000), r"batch must be in \[1, 942\]|batch must be in \[1, \d+\]"),
        (lambda: quick(depth=0), r"LabState\.depth must be in"),
        (lambda: quick(rate=-0.1), r"LabState\.rate must be a finite number of at least 0\.0"),
    ],
)
def test_bad_values_are_named(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_start_is_an_initializer() -> None:
    with pytest.raises(TypeError, match=r"Entry\.start must be one of optviz\.initializers, got 3"):
        quick(3)
    with pytest.raises(TypeError, match=r"Entry\.start must be one of optviz\.initializers"):
        quick(HeNormal)
