"""The descent explorer: its bowl is real training, its limits are exact, its words tell the numbers."""

from __future__ import annotations

import io
import itertools
import math
import time
from typing import Any

import numpy as np
import pytest
import torch
from cachetools import LRUCache
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from optviz import descent_lab, iterate, problems
from optviz.optimizers import SGD
from optviz.training import Run
from optviz.widgets.descent import network
from optviz.widgets.descent.bowl import descend, factor
from optviz.widgets.descent.network import GRID, sharpness
from optviz.widgets.descent.state import EXAMPLES, DescentState
from tests.strategies import configs


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is remembered."""
    monkeypatch.setattr(network, "_memory", LRUCache(1000))


def bowl(**fields: Any) -> Any:
    (result,) = descend(DescentState(**fields))
    return result


def digits(**fields: Any) -> Any:
    return descent_lab("digits", **{"steps": 30, "seeds": 2} | fields)


# The bowl


@pytest.mark.parametrize("batch", [8, EXAMPLES])
@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.8, False), (0.8, True)])
def test_the_bowl_is_real_training(batch: int, momentum: float, nesterov: bool) -> None:
    found = bowl(lr=0.03, batch=batch, momentum=momentum, nesterov=nesterov, steps=170, seeds=2)
    problem = problems.least_squares(10.0, 30.0, EXAMPLES, batch, 0.5)
    runs = [Run(SGD(momentum, nesterov=nesterov), 0.03)]
    for step in iterate(problem, runs, 170, seed=(0, 1), every=10):
        np.testing.assert_allclose(found.path[step.step + 1], step.params["xy"], atol=1e-12)


@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True), (0.0, True)])
@pytest.mark.parametrize("ratio", [1.0, 10.0, 60.0])
def test_the_limit_is_exact(momentum: float, nesterov: bool, ratio: float) -> None:
    fields: dict[str, Any] = {"momentum": momentum, "nesterov": nesterov, "ratio": ratio, "steps": 3000}
    limit = DescentState(**fields).limit(ratio)
    inside, outside = (bowl(lr=limit * f, **fields).parts[1, -1] for f in (0.98, 1.02))
    assert inside < 1e-3
    assert not outside < 1e3


@given(
    st.floats(0.05, 0.95),
    st.sampled_from([0.0, 0.3, 0.9]),
    st.booleans(),
    st.sampled_from([1.0, 7.0]),
)
@settings(max_examples=20, deadline=None)
def test_the_factor_is_what_the_error_shrinks_by(
    share: float, momentum: float, nesterov: bool, ratio: float
) -> None:
    state = DescentState(momentum=momentum, nesterov=nesterov, ratio=ratio, steps=400, noise=0.0, seeds=1)
    state = DescentState(
        lr=share * state.limit(ratio), momentum=momentum, nesterov=nesterov, ratio=ratio, steps=400, noise=0.0
    )
    expected, steep = factor(state, ratio), bowl(**vars(state)).parts[1]
    good = np.flatnonzero(steep > 1e-10)[-1]
    if good < 30:  # gone too fast to see the long run
        return
    windows = [steep[good - 20 : good].max(), steep[: good // 2].max()]
    if momentum == 0:
        assert steep[good] / steep[good - 1] == pytest.approx(expected, rel=1e-4)
    assert windows[0] < windows[1]
    assert expected < 1


def test_above_the_limit_the_factor_is_above_one() -> None:
    assert factor(DescentState(lr=0.21), 10.0) == pytest.approx(1.1)
    assert factor(DescentState(lr=0.19), 10.0) == pytest.approx(0.9)
    assert factor(DescentState(lr=1.37, momentum=0.9, nesterov=True), 1.0) > 1
    assert factor(DescentState(lr=1.35, momentum=0.9, nesterov=True), 1.0) < 1
    assert factor(DescentState(lr=0.5, momentum=0.81), 1.0) == pytest.approx(0.9)


def test_noise_floor_and_interpolation() -> None:
    shared: dict[str, Any] = {"lr": 0.03, "batch": 16, "steps": 2000, "seeds": 4}
    noisy, fitting = bowl(noise=1.0, **shared), bowl(noise=0.0, **shared)
    assert 0.01 < noisy.ends[0] < 1
    assert fitting.ends[0] < 1e-12
    assert bowl(noise=1.0, **shared | {"batch": 64}).ends[0] < noisy.ends[0] / 1.5
    assert bowl(noise=1.0, **shared | {"batch": EXAMPLES}).ends[0] < 1e-10


def test_the_picture_follows_the_hand() -> None:
    """A whole computation costs less than a picture: at most 60 ms on a busy machine."""
    took = []
    for lr in (0.05, 0.06, 0.07, 0.08):
        start = time.perf_counter()
        bowl(lr=lr, batch=32)
        took.append(time.perf_counter() - start)
    assert min(took) < 0.06


def test_the_best_of_the_sweep_is_below_the_limit() -> None:
    found = bowl(steps=100)
    rates, ends = found.rates[1:], found.ends[1:]
    assert 0.15 < rates[ends.argmin()] < 0.2
    assert np.all(ends[rates > 0.21] > 1)
    assert found.ends[0] == pytest.approx(np.sqrt((found.distance[-10:] ** 2).mean()))


# The network


def test_sharpness_is_the_largest_curvature() -> None:
    problem = problems.digits(hidden=(6,))
    _, random = (np.random.default_rng(s) for s in np.random.SeedSequence(3).spawn(2))
    weights = {n: torch.tensor(p.astype(float)) for n, p in problem.init(random).items()}
    X, y = torch.tensor(problem.data.train.X.astype(float)), torch.tensor(problem.labels)

    def loss(flat: torch.Tensor) -> torch.Tensor:
        sizes = [w.numel() for w in weights.values()]
        parts = torch.split(flat, sizes)
        return problem.loss(
            {n: p.reshape(w.shape) for (n, w), p in zip(weights.items(), parts, strict=True)}, (X, y)
        )

    flat = torch.cat([w.reshape(-1) for w in weights.values()])
    exact = torch.linalg.eigvalsh(torch.autograd.functional.hessian(loss, flat, vectorize=True))[-1].item()
    assert sharpness(problem, 3, rounds=20) == pytest.approx(exact, rel=1e-4)


def test_training_on_digits_is_real(fresh: None) -> None:
    found = digits(lr=0.2, momentum=0.5).result
    assert (found.progress, found.trained, found.fresh) == (1.0, 2, 3 * 2 + len(GRID))
    runs = [Run(SGD(0.5), rate) for rate in (0.2, 0.05, 0.8)]
    for step in iterate(problems.digits(), runs, 30, seed=1, every=30):
        np.testing.assert_allclose(found.loss[:, 1], step.loss, rtol=1e-5)
        np.testing.assert_array_equal(found.accuracy[:, 1, -1], step.metrics["validation_accuracy"])
    assert np.isfinite(found.ends).all()
    assert found.curvature == pytest.approx(4.533, abs=1e-3)


def test_sorted_digits_are_learned_worse(fresh: None) -> None:
    lab = digits(steps=200, seeds=1)
    mixed = lab.result.accuracy[0, 0, -1]
    assert lab.set(shuffle=False).result.accuracy[0, 0, -1] < mixed - 0.1
    assert lab.result.fresh == 3 + len(GRID) - 1
    assert "forgets the first" in lab.text()
    assert lab.result.curvature == pytest.approx(4.533, abs=1e-3)


def test_what_was_trained_is_remembered(fresh: None) -> None:
    lab = digits()
    assert lab.result.fresh == 3 * 2 + len(GRID) - 1  # 0.1 is on the grid
    before = lab.result.ends
    assert lab.set(lr=0.2).result.fresh == 3 * 2  # the grid is as before
    assert np.array_equal(lab.result.ends, before)
    assert lab.set(lr=0.1).result.fresh == 0
    assert "remembered" in lab.status(lab.result)
    assert lab.set(momentum=0.5).result.fresh > 0


def test_first_results_cost_nothing(fresh: None) -> None:
    lab = digits()
    stream = lab.stream()
    start = time.perf_counter()
    first = next(stream)
    assert time.perf_counter() - start < 0.5  # data may have to be loaded
    assert first.progress == 0
    assert np.isnan(first.loss).all()
    assert lab.pictures()["path"].empty
    progress = [r.progress for r in itertools.islice(stream, 4)]
    assert progress == sorted(progress)
    stream.close()
    assert lab.set(seeds=1).result.progress == 1


def test_rates_too_large_are_told() -> None:
    lab = digits(lr=1000.0, seeds=1)
    assert not np.isfinite(lab.result.final[0]) or lab.result.final[0] > 2
    assert lab.png
    assert lab.text()


# Pictures and words


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"lr": 0.3},
        {"lr": 1000.0, "steps": 300},
        {"batch": 1, "noise": 1.0, "lr": 0.15},
        {"ratio": 1.0, "lr": 1.0},
        {"x": 0.0, "y": 0.0, "noise": 0.0},
        {"x": 100.0, "y": -100.0},
        {"shown": 0},
        {"steps": 1, "shown": 1},
        {"momentum": 0.99, "nesterov": True, "ratio": 10_000.0},
    ],
    ids=str,
)
def test_everything_can_be_drawn(fields: dict[str, Any]) -> None:
    lab = descent_lab(**fields)
    assert Image.open(io.BytesIO(lab.png)).size[0] > 800
    for picture in lab.pictures().values():
        assert picture.sentence.endswith(".")
    assert "nan" not in lab.text()
    for name, panel in lab.panels.items():
        assert panel.draw(lab.pictures()[name], moving=True)[:4] == b"\x89PNG"


@given(configs(DescentState, task="bowl"))
@settings(max_examples=15, deadline=None)
def test_every_state_gives_words_and_code(state: DescentState) -> None:
    if state.shown > state.steps:
        return
    lab = descent_lab("bowl")
    lab.take(state)
    assert lab.text()
    again = eval(lab.code(state), {"descent_lab": descent_lab})
    assert again.state == state


def test_code_on_digits() -> None:
    for lab in (digits(), digits(lr=0.3, nesterov=True, momentum=0.5, batch=10)):
        assert eval(lab.code(lab.state), {"descent_lab": descent_lab}).state == lab.state
    assert descent_lab().code(descent_lab().state) == "descent_lab('bowl', steps=100)"


def test_words_say_what_is_true() -> None:
    assert "below the limit 0.2" in descent_lab(lr=0.19).text()
    assert "above the limit 0.2" in descent_lab(lr=0.21).text()
    assert "1.1 times larger" in descent_lab(lr=0.21).text()
    assert "stalls around" in descent_lab(batch=8, lr=0.05).text()
    assert "fit every example" in descent_lab(batch=8, lr=0.05, noise=0.0).text()
    wild = descent_lab(batch=1, lr=0.19, noise=0.0, ratio=10.0, steps=300)
    assert "Single batches are steeper" in wild.text()
    said = digits(seeds=1).text()
    assert "largest curvature is 4.53" in said
    assert "limit there is 0.441" in said


def test_playing_shows_part_of_the_way() -> None:
    lab = descent_lab(steps=60)
    assert lab.end(lab.state) == 60
    full = lab.pictures()["path"].marks[0]
    lab.set(shown=10)
    part = lab.pictures()["path"].marks[0]
    assert len(part.x) == 11
    assert np.array_equal(part.x, full.x[:11])
    assert "after 10 updates" in lab.pictures()["path"].sentence
    assert lab.set(shown=60, steps=80).state.shown == 60


def test_the_start_can_be_dragged() -> None:
    lab = descent_lab()
    assert lab.point == {"path": ("x", "y")}
    assert lab.set(x=1.5, y=-2.0).result.path[0].tolist() == [[1.5, -2.0]] * 3


def test_ghosts_of_the_same_task_only() -> None:
    lab = descent_lab()
    lab.pin()
    lab.set(lr=0.05)
    assert sum(line.ghost for line in lab.pictures()["curve"].marks) == 1
    lab.set(task="digits", steps=20, seeds=1)
    assert not any(line.ghost for line in lab.pictures()["curve"].marks)


def test_each_task_starts_where_it_usually_does() -> None:
    lab = descent_lab(lr=0.07)
    state = lab.changed(task="digits")
    assert (state.lr, state.batch, state.noise, state.steps) == (0.07, 64, 0.0, 200)
    assert descent_lab("digits").changed(task="bowl").batch == EXAMPLES


def test_tables() -> None:
    table = descent_lab(steps=20).table
    assert table is not None
    frame = table(descent_lab(steps=20, seeds=2).result)
    assert list(frame) == ["update", "seed", "weight1", "weight2"]
    assert len(frame) == 21 * 2
    assert frame["weight1"][0] == -2.5
    frame = table(digits(seeds=1).result)
    assert len(frame) == 3 * 30
    assert frame["validation_accuracy"].notna().sum() == 3 * 15


def test_saving(tmp_path: Any) -> None:
    files = descent_lab(steps=20).save(tmp_path)
    assert sorted(f.name for f in files) == [
        "gradient-descent-1-curve.svg",
        "gradient-descent-1-path.svg",
        "gradient-descent-1-sweep.svg",
        "gradient-descent-1.csv",
        "gradient-descent-1.png",
    ]


# Bad input


@pytest.mark.parametrize(
    ("task", "fields", "message"),
    [
        ("hill", {}, r"DescentState\.task must be one of \['bowl', 'digits'\], got 'hill'"),
        ("bowl", {"lr": -0.1}, r"DescentState\.lr must be in"),
        ("bowl", {"batch": 0}, r"DescentState\.batch must be in \[1, 1257\], got 0"),
        ("bowl", {"batch": 1258}, r"DescentState\.batch must be in"),
        ("digits", {"noise": 1.5}, r"DescentState\.noise must be in \[0\.0, 1\.0\], got 1\.5"),
        ("bowl", {"ratio": math.nan}, r"DescentState\.ratio must be"),
        ("bowl", {"steps": 20, "shown": 30}, "shown must be at most 20, got 30"),
    ],
)
def test_what_is_refused(task: str, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        descent_lab(task, **fields)


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(TypeError, match="speed"):
        descent_lab(speed=3)
