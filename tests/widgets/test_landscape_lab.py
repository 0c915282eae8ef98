"""The landscape explorer: its paths are real trainings, its landscapes real losses, its words tell both."""

from __future__ import annotations

import importlib
import io
import math
from typing import Any

import numpy as np
import pytest
from cachetools import LRUCache
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from optviz import activations, landscape_lab, landscapes, problems, surfaces, train
from optviz.optimizers import SGD, Adam
from optviz.training import Run
from optviz.widgets.landscape.state import IMAGES, RULES, LandscapeState, followed, suggested

computing: Any = importlib.import_module("optviz.widgets.landscape.compute")
KINDS = [
    k for name in surfaces.__all__ if hasattr(k := getattr(surfaces, name), "start") and name != "Surface"
]
NET = {"steps": 24, "width": 6, "depth": 1, "points": 9, "lr": 0.3}


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is remembered."""
    monkeypatch.setattr(computing, "_trainings", LRUCache(1000))
    monkeypatch.setattr(computing, "_slices", LRUCache(1000))


def network(what: str = "path", **fields: Any) -> Any:
    return landscape_lab(what, **NET | fields)


# On a surface


@pytest.mark.parametrize("rule", [SGD(), SGD(0.9, nesterov=True), Adam()])
def test_the_path_on_a_surface_is_real_training(rule: Any) -> None:
    lab = landscape_lab(surfaces.Himmelblau(), optimizer=rule, lr=0.005, steps=40, x=1.0, y=-2.0)
    problem = problems.surface(surfaces.Himmelblau(), (1.0, -2.0))
    h = train(problem, [Run(rule, 0.005)], 40)
    assert lab.result.path[-1] == pytest.approx(h.params["xy"][0], abs=1e-12)
    assert lab.result.loss[:-1] == pytest.approx(h["loss"][0])
    last = lab.result.path[-1]
    assert lab.result.sharpness[-1] == pytest.approx(surfaces.curvatures(surfaces.Himmelblau(), *last)[1])


@pytest.mark.parametrize("kind", KINDS)
def test_every_surface_is_drawn_and_starts_stable(kind: Any) -> None:
    lab = landscape_lab(kind(), steps=30)
    assert lab.result.progress == 1
    assert lab.result.fell is None or not math.isfinite(kind.lowest)
    assert lab.result.loss[-1] < lab.result.loss[0] or not math.isfinite(kind.lowest)
    assert Image.open(io.BytesIO(lab.png)).size[0] > 400
    assert kind.name in lab.text()


def test_above_the_limit_a_bowl_diverges_and_below_it_does_not() -> None:
    lab = landscape_lab(surfaces.Quadratic(ratio=20.0), steps=300)
    assert lab.set(lr=0.099).result.fell is None
    assert "below" in lab.verdict(lab.result)
    assert "limit" in lab.text()
    fell = lab.set(lr=0.102).result.fell
    assert fell is not None
    assert "diverged at update" in lab.verdict(lab.result)
    assert lab.pictures()["plane"].sentence


def test_another_landscape_brings_its_own_start_and_rate() -> None:
    lab = landscape_lab(surfaces.Booth())
    lab.set(what=surfaces.Rosenbrock())
    assert (lab.state.x, lab.state.y) == surfaces.Rosenbrock.start
    assert lab.state.lr == suggested(surfaces.Rosenbrock())["lr"]
    assert lab.set(what=surfaces.Beale(), lr=0.01).state.lr == 0.01


def test_a_press_on_a_surface_moves_the_start_and_on_a_slice_nothing() -> None:
    state = LandscapeState(surfaces.Booth(), x=1.0)
    assert followed(state, LandscapeState(surfaces.Booth(), x=2.0)).x == 2.0
    slice_ = LandscapeState("path", x=1.0)
    assert followed(slice_, LandscapeState("path", x=2.0)) == slice_


# In a network


@pytest.mark.parametrize("what", ["path", "random"])
def test_the_slice_is_the_loss_of_a_real_training(what: str) -> None:
    result = network(what).result
    problem = problems.digits((6,), IMAGES, 0.3, activation=activations.Tanh())
    h = train(problem, [Run(SGD(), 0.3)], 24)
    assert result.loss == pytest.approx(h["loss"][0])
    final = landscapes.row(h.params)
    whole = problem.data.train.X, problem.labels
    here = float(problem.loss(final, whole))
    assert result.path[-1] == pytest.approx([0, 0], abs=1e-5)
    behind = result.backdrop
    assert behind.z.shape == (9, 9)
    if what == "random":
        assert behind.z[4, 4] == pytest.approx(here, rel=1e-5)
    assert result.sharpness[-1] == pytest.approx(landscapes.sharpness(problem, final).value, rel=0.02)
    if what == "path":
        assert result.shares.sum() > 0.9
        x, y = result.path.T
        assert behind.x[0] < x.min() < x.max() < behind.x[-1]
        assert behind.y[0] < y.min() < y.max() < behind.y[-1]


def test_the_stream_shows_ever_more() -> None:
    seen = list(network(points=30).stream())
    progress = [r.progress for r in seen]
    assert progress == sorted(progress)
    assert (progress[0], progress[-1]) == (0, 1)
    assert not np.isfinite(seen[0].loss).any()
    sizes = [len(r.backdrop.x) for r in seen if r.backdrop is not None]
    assert sizes[0] == 25
    assert sizes[-1] == 30
    assert len({id(r.backdrop) for r in seen if r.backdrop is not None}) == 2  # each is drawn once


def test_what_was_trained_is_remembered() -> None:
    lab = network()
    assert lab.result.fresh
    trained = lab.result.loss
    lab.set(shown=10)
    again = list(lab.stream())
    assert len(again) == 1
    assert not again[0].fresh
    assert again[0].loss is trained
    assert lab.set(what="random").result.loss is trained
    assert lab.set(span=0.5).result.backdrop.x[-1] == 0.5
    assert lab.set(seed=1).result.fresh
    assert "remembered" not in lab.status(lab.result)


def test_playing_shows_the_first_updates_only() -> None:
    lab = network(shown=12)
    path = lab.pictures()["plane"].marks[0]
    assert len(path.x) == int((lab.result.at <= 12).sum())
    assert "12 updates" in lab.text()
    assert lab.end(lab.state) == 24


def test_a_diverged_network_says_so() -> None:
    lab = network(lr=1e6, optimizer=SGD(0.9), activation=activations.ReLU(), steps=60)
    assert lab.result.progress == 1
    assert lab.result.fell is not None
    assert "diverged" in lab.verdict(lab.result)
    assert lab.png[:4] == b"\x89PNG"


def test_the_verdict_knows_the_edge() -> None:
    lab = landscape_lab("path", steps=160, points=9)
    assert "at the edge of stability" in lab.verdict(lab.result)
    limit = lab.pictures()["sharpness"].marks[-1]
    assert limit.label == "limit 5"
    assert limit.y.tolist() == [5, 5]
    assert "Adam scales" in lab.set(optimizer=Adam(), lr=0.003, steps=10).verdict(lab.result)
    assert math.isnan(lab.state.limit)


# Along the sharpest direction


@pytest.mark.parametrize("shown", [0, 7])
def test_the_line_on_a_surface_is_the_surface(shown: int) -> None:
    f = surfaces.Rosenbrock()
    result = landscape_lab(f, lr=0.0018, steps=20, shown=shown).result
    (x, y), along = result.path[shown], result.along
    _, high = surfaces.curvatures(f, x, y)
    assert along.curvature == pytest.approx(high)
    assert along.height == pytest.approx(f(x, y))
    slopes = np.gradient(along.loss, along.s)
    assert np.interp(0, along.s, slopes) == pytest.approx(along.slope, rel=0.1)
    near = np.abs(along.s) < 0.02
    assert along.loss[near] == pytest.approx(along.model[near], rel=0.02)
    assert along.s[0] < min(0, along.landing) < max(0, along.landing) < along.s[-1]


def test_the_line_in_a_network_is_its_loss() -> None:
    lab = network(shown=12)
    along, problem = lab.result.along, lab.state.problem()
    h = train(problem, [Run(SGD(), 0.3)], 12)
    here = landscapes.row(h.params)
    whole = problem.data.train.X, problem.labels
    assert along.height == pytest.approx(float(problem.loss(here, whole)), rel=1e-5)
    found = landscapes.sharpness(problem, here, tol=1e-2)
    assert along.curvature == pytest.approx(found.value, rel=1e-3)
    i = int(np.abs(along.s).argmin())
    assert along.loss[i] == pytest.approx(along.model[i], rel=1e-3)
    assert "sharpest direction after 12 updates" in lab.text()


def test_one_step_on_a_bowl_changes_the_distance_by_the_factor() -> None:
    """1 − lr·λ is where the step lands, seen from the bottom of the parabola."""
    along = landscape_lab(surfaces.Quadratic(ratio=20.0), lr=0.09, steps=9, shown=1).result.along
    bottom = -along.slope / along.curvature
    assert (along.landing - bottom) / (0 - bottom) == pytest.approx(1 - 0.09 * 20)
    assert along.landed == pytest.approx(np.interp(along.landing, along.s, along.model), rel=1e-2)


# Words, code, data


@pytest.mark.parametrize("what", ["path", "random", surfaces.Ackley(), surfaces.Quadratic(ratio=3.0)])
def test_the_code_makes_the_same_state(what: Any) -> None:
    lab = landscape_lab(what, steps=20, lr=0.05, **({"points": 9} if isinstance(what, str) else {}))
    names = vars(surfaces) | vars(activations) | {"landscape_lab": landscape_lab}
    rules = {type(rule).__name__: type(rule) for rule in RULES.values()}
    assert eval(lab.code(lab.state), names | rules).state == lab.state


def test_the_table_has_a_line_for_each_moment() -> None:
    table = network().table(network().result)
    assert list(table.columns) == ["updates_done", "loss", "across", "up", "sharpness", "limit"]
    assert table.updates_done.tolist() == list(range(25))
    assert table.loss.notna().sum() == 24
    surface = landscape_lab(surfaces.Booth(), steps=5)
    assert surface.table(surface.result).loss.notna().all()


def test_pinned_paths_are_ghosts_on_the_same_surface_only() -> None:
    lab = landscape_lab(surfaces.Booth(), steps=9)
    lab.pin()
    lab.set(lr=0.01)
    pictures = lab.pictures()
    ghosts = {name: sum(line.ghost for line in p.marks) for name, p in pictures.items()}
    assert ghosts == {"plane": 1, "loss": 1, "sharpness": 1, "along": 0}
    lab.set(what=surfaces.Beale())
    assert not any(line.ghost for line in lab.pictures()["plane"].marks)


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="must be a surface, 'path' or 'random', got 'hills'"):
        landscape_lab("hills")
    with pytest.raises(ValueError, match=r"LandscapeState\.optimizer must be a rule"):
        landscape_lab(optimizer=SGD)
    with pytest.raises(ValueError, match=r"LandscapeState\.lr must be in"):
        landscape_lab(lr=-1.0)
    with pytest.raises(TypeError, match="speed"):
        landscape_lab(speed=3)


@settings(max_examples=15)
@given(
    kind=st.sampled_from(KINDS),
    rule=st.sampled_from(list(RULES.values())),
    lr=st.floats(1e-4, 3.0),
    x=st.floats(-10, 10),
    y=st.floats(-10, 10),
    steps=st.integers(10, 60),
)
def test_any_descent_is_drawn_and_told(
    kind: Any, rule: Any, lr: float, x: float, y: float, steps: int
) -> None:
    lab = landscape_lab(kind(), optimizer=rule, lr=lr, x=x, y=y, steps=steps)
    assert lab.png[:4] == b"\x89PNG"
    assert "nan" not in lab.text()
    assert "inf" not in lab.text()
