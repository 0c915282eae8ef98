"""The schedule explorer without a page: results, words, code, files, and everything that is refused."""

from __future__ import annotations

import io
import itertools
import re
import stat
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cachetools import LRUCache
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from optviz import optimizers, problems, schedules
from optviz.optimizers import SGD, Adam
from optviz.schedules import (
    Chain,
    Clipped,
    Constant,
    Cosine,
    MultiStep,
    OneCycle,
    Scaled,
    StepDecay,
    Warmup,
    WarmupStableDecay,
)
from optviz.schedules.combine import check_warmup
from optviz.widgets import Explorer, schedule_compute, schedule_lab
from optviz.widgets.schedule_state import DATA, NETWORKS, OPTIMIZERS, Entry, LabState, menu
from tests.strategies import configs, simple_schedules

NAMES = {name: getattr(room, name) for room in (schedules, optimizers) for name in room.__all__}
NAMES |= {"problems": problems, "schedule_lab": schedule_lab}


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is remembered."""
    monkeypatch.setattr(schedule_compute, "_memory", LRUCache(10**9))
    monkeypatch.setattr(schedule_compute, "_tuned", {})


def quick(*chosen: Any, **options: Any) -> Explorer:
    return schedule_lab(*chosen, **{"steps": 30, "seeds": 2} | options)


def same(a: Any, b: Any) -> None:
    """Two outcomes are equal to the last bit."""
    assert a.labels == b.labels
    for name in ("rates", "loss", "at", "accuracy"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


def from_code(lab: Explorer, **names: Any) -> Explorer:
    code = lab.code(lab.state)
    assert "\n" not in code
    return eval(code, NAMES | names)


# what it gives


def test_result_pictures_and_words() -> None:
    lab = quick(Constant(0.1), Cosine(0.3, 30), seeds=3)
    r = lab.result
    assert (r.rates.shape, r.loss.shape, r.accuracy.shape[:2], r.progress) == (
        (2, 30),
        (2, 3, 30),
        (2, 3),
        1.0,
    )
    assert np.isfinite(r.loss).all()
    assert np.isfinite(r.accuracy).all()
    assert Image.open(io.BytesIO(lab.png)).size[0] > 800
    text = lab.text()
    for word in (
        "Learning rates",
        "Training loss",
        "Validation accuracy",
        "constant",
        "cosine",
        "3 seeds",
        "points",
    ):
        assert word in text
    assert lab.png == lab.png
    assert lab.status(r).endswith("updates") or "remembered" in lab.status(r)


def test_set_replaces_fields_and_computes() -> None:
    lab = quick(Constant(0.1))
    assert lab.set(steps=40, seeds=1) is lab
    assert lab.result.loss.shape == (1, 1, 40)
    told: list[int] = []
    lab.on_change.append(lambda: told.append(lab.result.loss.shape[2]))
    lab.set(steps=20)
    assert told == [20]


def test_schedules_over_the_whole_run_follow_its_length() -> None:
    lab = quick(Cosine(0.3, 30), Warmup(Cosine(0.2, 20), 10), Cosine(0.1, 15), steps=30, seeds=1).set(
        steps=60
    )
    assert [e.schedule.steps for e in lab.state.entries] == [60, 60, 15]
    assert lab.set(steps=30).state.entries[1] == Entry(Cosine(0.2, 30), 10)


def test_pin_and_clear() -> None:
    lab = quick(Constant(0.1), seeds=1)
    plain = lab.png
    lab.pin()
    old = lab.pinned[0]
    lab.set(entries=(Entry(Constant(0.5)),))
    assert sum(line.ghost for line in lab.pictures()["loss"].marks) == 1
    with_ghost = lab.png
    lab.clear()
    assert lab.png != with_ghost
    assert lab.set(entries=(Entry(Constant(0.1)),)).png == plain
    assert old.progress == 1


# code


def fits(schedule: Any, steps: int) -> bool:
    """Whether no warm-up is longer than the run."""
    try:
        check_warmup(schedule, steps)
    except ValueError:
        return False
    return True


@settings(max_examples=10)
@given(data=st.data())
def test_code_reproduces_the_picture(data: st.DataObject) -> None:
    chosen = data.draw(
        st.lists(st.one_of(simple_schedules(), configs(Chain), configs(Scaled)), min_size=1, max_size=3)
    )
    some: list[Any] = []
    steps = data.draw(st.integers(12, 24))
    for schedule in chosen:
        assume(fits(schedule, steps))
        n = data.draw(st.integers(0, 12))
        some.append(Warmup(schedule, n) if n else schedule)
    problem = data.draw(
        st.sampled_from([problems.digits((), 32), problems.digits((7,), 64, 0.25), problems.digits()])
    )
    lab = schedule_lab(
        *some,
        problem=problem,
        optimizer=data.draw(st.sampled_from([*OPTIMIZERS.values(), SGD(momentum=0.3), Adam(b2=0.9)])),
        steps=steps,
        seeds=data.draw(st.integers(1, 2)),
        warm=data.draw(st.booleans()),
        tuned=data.draw(st.booleans()),
    )
    again = from_code(lab)
    assert again.state.entries == lab.state.entries or [e.effective(True) for e in again.state.entries] == [
        e.effective(True) for e in lab.state.entries
    ]
    same(again.result, lab.result)
    assert again.png == lab.png
    assert again.text() == lab.text()
    assert from_code(again).code(again.state) == lab.code(lab.state)


@pytest.mark.parametrize("kind", menu().values(), ids=menu())
def test_code_of_every_kind(kind: type, fresh: None) -> None:
    lab = quick(Constant(0.2), seeds=1)
    cards = LabState.__dataclass_fields__["entries"].metadata["cards"]
    lab.set(entries=(cards.new(kind, lab.state, lab.state.entries[0]),))
    result = lab.result
    schedule_compute._memory.clear()
    same(from_code(lab).result, result)


@pytest.mark.parametrize("data", DATA)
def test_code_of_every_data_set(data: str) -> None:
    lab = quick(Constant(0.1), steps=3, seeds=1).set(data=data, network=(), batch=16)
    same(from_code(lab).result, lab.result)


def test_code_of_the_small_cnn(fresh: None) -> None:
    lab = quick(Cosine(0.1, 5), Constant(0.05), steps=5).set(network="small CNN", noise=0.1)
    result = lab.result
    schedule_compute._memory.clear()
    again = from_code(lab)
    assert again.state == lab.state
    same(again.result, result)


def test_code_names_functions_of_ones_own() -> None:
    def halves(t: int) -> float:
        return 0.1 if t < 10 else 0.05

    lab = quick(halves, Warmup(halves, 5), Chain(((halves, 5), (Constant(0.1), None))), lambda t: 0.1)
    assert "<" not in lab.code(lab.state)
    assert "my_schedule" in lab.code(lab.state)
    same(from_code(lab, halves=halves, my_schedule=lambda t: 0.1).result, lab.result)


def test_code_of_an_own_problem() -> None:
    import torch

    images = problems.digits().data.train
    own = problems.from_module(torch.nn.Linear(64, 10), images.X[:300], images.y[:300])
    lab = quick(Constant(0.1), problem=own, steps=6)
    assert "problem=my_problem" in lab.code(lab.state)
    same(from_code(lab, my_problem=own).result, lab.result)
    assert lab.result.accuracy[0, 0, -1] > 0.2
    with pytest.raises(ValueError, match="network must be None with a problem of your own"):
        quick(problem=own, network="small CNN")


# what is remembered


def trained(lab: Explorer) -> int:
    return lab.result.fresh


def test_one_card_trains_one_cards_networks(fresh: None) -> None:
    lab = quick(*[Constant(0.1 * k) for k in range(1, 9)], seeds=3)
    assert trained(lab) == 24
    entries = list(lab.state.entries)
    entries[4] = Entry(Constant(0.77))
    assert trained(lab.set(entries=tuple(entries))) == 3
    assert "remembered 21" in lab.status(lab.result)
    assert trained(lab.set(seeds=5)) == 16
    assert trained(lab.set(seeds=2)) == 0
    assert trained(lab.set(entries=tuple(reversed(entries)))) == 0
    assert trained(lab.set(steps=20)) == 16


def test_a_remembered_row_equals_a_fresh_one(fresh: None) -> None:
    lab = quick(Constant(0.1), Constant(0.2), seeds=3)
    _ = lab.result
    lab.set(entries=(*lab.state.entries, Entry(Cosine(0.5, 30))), seeds=4)
    mixed = lab.result
    schedule_compute._memory.clear()
    same(quick(Constant(0.1), Constant(0.2), Cosine(0.5, 30), seeds=4).result, mixed)
    schedule_compute._memory.clear()
    alone = quick(Cosine(0.5, 30), seeds=4).result
    np.testing.assert_array_equal(alone.loss[0], mixed.loss[2])
    np.testing.assert_array_equal(alone.accuracy[0], mixed.accuracy[2])


def test_what_matters_is_not_mixed_up(fresh: None) -> None:
    lab = quick(Constant(0.1), seeds=1)
    seen = [lab.result.loss]
    for change in (
        {"batch": 32},
        {"noise": 0.2},
        {"network": (64,)},
        {"optimizer": Adam()},
        {"data": "MNIST-5k 14×14"},
    ):
        seen.append(lab.set(**change).result.loss)
        assert lab.result.fresh == 1, change
    for a, b in itertools.pairwise(seen):
        assert not np.array_equal(a, b)


def test_a_callable_counts_by_its_rates(fresh: None) -> None:
    @dataclass
    class Mine:  # no hash
        rate: float

        def __call__(self, t: int) -> float:
            return self.rate

    mine = Mine(0.1)
    lab = quick(mine, Constant(0.1))
    np.testing.assert_array_equal(lab.result.loss[0], lab.result.loss[1])
    mine.rate = 0.4
    lab.set(seeds=2)
    assert not np.array_equal(lab.result.loss[0], lab.result.loss[1])


def test_memory_is_bounded(fresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule_compute, "_memory", LRUCache(20_000, schedule_compute._bytes))
    lab = quick(Constant(0.1))
    for k in range(40):
        lab.set(entries=(Entry(Constant(0.1 + k / 100)),))
        held = sum(a.nbytes for row in schedule_compute._memory.values() for a in row)
        assert held <= 20_000
    assert len(schedule_compute._memory) > 10


def test_memory_of_problems_is_bounded() -> None:
    lab = quick(Constant(0.1), steps=1, seeds=1)
    for k in range(12):
        lab.set(network="small CNN", noise=k / 100)
    assert problems.modules._small.cache_info().currsize <= 8


# cancelling


def test_cancelled_streams_leave_a_usable_state(fresh: None) -> None:
    lab = quick(Constant(0.1), Cosine(0.3, 200), steps=200, seeds=3)
    expected = schedule_lab(Constant(0.1), Cosine(0.3, 200), steps=200, seeds=3).result
    schedule_compute._memory.clear()
    for many in (1, 2, 5, 20, 40):
        stream = lab.stream()
        for _ in range(many):
            next(stream)
        stream.close()
        assert lab.result.progress < 1
        assert lab.png[:4] == b"\x89PNG"
        assert "Learning rates" in lab.text()
        assert lab.verdict(lab.result) == lab.result.note != ""
        assert lab.table(lab.result).shape == (2 * 3 * 200, 6)
    lab.finish()
    same(lab.result, expected)


def test_two_streams_do_not_disturb_each_other(fresh: None) -> None:
    lab = quick(Constant(0.1), steps=100, seeds=2)
    one, two = lab.stream(), schedule_lab(Constant(0.2), steps=100, seeds=2).stream()
    last: list[Any] = [None, None]
    for a, b in zip(one, two, strict=False):
        last = [a, b]
    assert np.isfinite(last[0].loss[0, 0]).any()
    one.close()
    two.close()
    same(lab.set(seeds=2).result, schedule_lab(Constant(0.1), steps=100, seeds=2).result)


# tuned, diverged, one and eight


def test_each_at_its_own_best(fresh: None) -> None:
    lab = quick(Constant(0.001), StepDecay(3.0, 10, 0.5), steps=60, tuned=True)
    peaks = lab.result.rates.max(axis=1)
    assert set(np.round(peaks, 4)) <= {round(10 ** (k / 2), 4) for k in range(-6, 2)}
    assert 0.01 < peaks.min() <= peaks.max() < 3
    assert "Own best peak rate of 8 tried" in lab.text()
    again = quick(Constant(2.0), StepDecay(0.1, 10, 0.5), steps=60, tuned=True)
    np.testing.assert_allclose(again.result.rates, lab.result.rates, rtol=1e-12)
    untuned = lab.set(tuned=False).result
    assert untuned.rates.max() == 3.0
    assert "Own best" not in lab.text()
    assert lab.set(tuned=True).result.fresh == 0


def test_tuning_asks_a_callable_only_within_the_run() -> None:
    table = np.linspace(0.1, 0.0, 30)
    lab = quick(lambda t: table[t], tuned=True, seeds=1)  # would raise at update 30
    assert lab.result.progress == 1


def test_tuning_of_a_zero_rate() -> None:
    lab = quick(Constant(0.0), Constant(0.1), tuned=True, seeds=1)
    assert lab.result.rates[0].max() == 0


@pytest.mark.parametrize("rate", [1e3, 1e6, 1e30, 1e300])
def test_diverged_runs_are_named_and_touch_nothing(rate: float, fresh: None) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lab = quick(Constant(rate), Constant(0.1), Cosine(rate, 30), seeds=3, steps=60)
        assert [lab.result.diverged(k) for k in range(3)] == [True, False, True]
        assert lab.png[:4] == b"\x89PNG"
        text = lab.text()
    assert "constant 1 (diverged)" in text
    assert "constant 2 (diverged)" not in text
    assert "constant 1 diverged in 3 of 3 seeds" in lab.verdict(lab.result)
    assert "mean of 3 seeds" in text
    schedule_compute._memory.clear()
    alone = quick(Constant(0.1), seeds=3, steps=60).result
    np.testing.assert_array_equal(alone.loss[0], lab.result.loss[1])


def test_slow_and_stalled_runs_are_not_called_diverged() -> None:
    lab = quick(Constant(0.0), Constant(1e-6), Constant(0.001), steps=60)
    assert not lab.result.fallen.any()


def test_one_schedule() -> None:
    lab = quick(Cosine(0.3, 30), seeds=1)
    assert lab.result.labels == ("cosine",)
    assert "ahead" not in lab.text()


def test_eight_schedules_and_no_ninth() -> None:
    lab = quick(*[Constant(0.1)] * 8, seeds=1)
    assert lab.result.labels == tuple(f"constant {k}" for k in range(1, 9))
    with pytest.raises(ValueError, match=r"number of schedules must be in \[1, 8\], got 9"):
        quick(*[Constant(0.1)] * 9)
    before = lab.state
    with pytest.raises(ValueError, match="number of schedules"):
        lab.set(entries=(*lab.state.entries, Entry(Constant(0.1))))
    with pytest.raises(ValueError, match=r"number of schedules must be in \[1, 8\], got 0"):
        lab.set(entries=())
    assert lab.state is before


# schedules of one's own


def test_own_callables() -> None:
    def with_an_if(t: int) -> float:
        if t < 10:
            return 0.1
        return 0.01

    class Mine:
        def __call__(self, t: int) -> float:
            return 0.2

    lab = quick(with_an_if, lambda t: 0.1 / (1 + t), Mine(), Clipped(with_an_if, 0.02, 1.0))
    assert lab.state.labels == ("with_an_if", "own", "Mine", "Clipped")
    np.testing.assert_allclose(lab.result.rates[0], [0.1] * 10 + [0.01] * 20)
    warmed = quick(Warmup(with_an_if, 5), seeds=1)
    assert warmed.state.entries[0].warmup == 5
    assert warmed.result.rates[0][4] == pytest.approx(0.1)
    assert warmed.set(warm=False).result.rates[0][0] == pytest.approx(0.1)


def test_own_config_with_the_usual_names() -> None:
    class Own:
        steps, at = 10, (1, 2)

        def __call__(self, t: int) -> float:
            return 0.1

    assert quick(Warmup(Own(), 5), seeds=1).result.progress == 1


@pytest.mark.parametrize(
    ("schedule", "rule"),
    [
        (lambda t: -0.1, r"rate of 'own' at update 0 must be a finite number of at least 0, got -0\.1"),
        (lambda t: float("nan"), "at update 0 must be a finite number of at least 0, got nan"),
        (lambda t: 0.1 * (1 - t / 20), "at update 21 must be a finite number of at least 0"),
        (lambda t: float("inf"), "finite number"),
        (lambda t: "fast", "schedule must give one number for each step, got 'fast'"),
        (lambda t: None, "schedule must give one number for each step, got None"),
    ],
)
def test_wrong_rates_are_refused_at_once(schedule: Any, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        quick(schedule)
    lab = quick(Constant(0.1))
    before, result = lab.state, lab.result
    with pytest.raises(ValueError, match=rule):
        lab.set(entries=(Entry(schedule),))
    assert lab.state is before
    assert lab.result is result


@pytest.mark.parametrize("wrong", [0.1, Cosine, None, "cosine", [Cosine(0.1, 5)]])
def test_what_is_no_schedule(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"Entry\.schedule must be a schedule or callable step -> rate, got"):
        quick(wrong)


# bad input


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"steps": 0}, r"steps must be in \[1, 100000\], got 0"),
        ({"steps": -5}, r"steps must be in \[1, 100000\], got -5"),
        ({"steps": 2.5}, "steps must be a whole number, got 2.5"),
        ({"steps": float("nan")}, r"steps must be in \[1, 100000\], got nan"),
        ({"seeds": 0}, r"seeds must be in \[1, 100\], got 0"),
        ({"network": "large CNN"}, "network must be"),
        ({"network": (0,)}, "hidden must be at least 1 unit in each layer"),
        ({"tuned": 3}, "tuned must be one of"),
    ],
)
@pytest.mark.parametrize("chosen", [(), (Constant(0.1),)])
def test_numbers_out_of_range(options: dict[str, Any], rule: str, chosen: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match=rule):
        quick(*chosen, **options)


@pytest.mark.parametrize("steps", [1, 2, 5, 9, 10, 19, 20, 21])
def test_short_runs_of_the_first_page(steps: int) -> None:
    lab = schedule_lab(steps=steps, seeds=1)
    assert lab.result.rates.shape == (3, steps)
    assert lab.png[:4] == b"\x89PNG"
    assert "nan" not in lab.text()


@pytest.mark.parametrize("wrong", ["SGD", SGD, 0.1])
def test_what_is_no_optimizer(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"optimizer must be a rule like SGD\(momentum=0.9\), got"):
        quick(optimizer=wrong)


@pytest.mark.parametrize("wrong", ["digits", 5, problems.digits])
def test_what_is_no_problem(wrong: Any) -> None:
    with pytest.raises(TypeError, match="problem must be a Problem"):
        quick(problem=wrong)


def test_bad_combinations_are_sentences_and_change_nothing() -> None:
    lab = quick(
        Cosine(0.3, 30),
        Warmup(Constant(0.1), 10),
        WarmupStableDecay(0.1, 30, 10, 10),
        MultiStep(0.1, (5, 20), 0.5),
    )
    before, png = lab.state, lab.png
    e = before.entries
    for change, rule in [
        ({"steps": 5}, r"warm-up of constant must be at most the run's 5 updates, got 10"),
        ({"batch": 5_000}, r"batch must be in \[1, 1257\] \(the training examples\), got 5000"),
        ({"batch": 0}, "batch must be"),
        ({"noise": 2.0}, r"noise must be in \[0\.0, 1\.0\], got 2\.0"),
        ({"data": "cats"}, "data must be one of"),
        ({"nonsense": 1}, "field must be one of .* got 'nonsense'"),
        ({"network": "large"}, "network must be"),
    ]:
        with pytest.raises(ValueError, match=rule):
            lab.set(**change)
        assert lab.state is before
    with pytest.raises(ValueError, match=r"Cosine\.floor must be at most lr \(0\.1\), got 0\.2"):
        lab.set(entries=(Entry(Cosine(0.1, 30, 0.2)),))
    with pytest.raises(ValueError, match="warm-up must be shorter than the schedule's 30 updates, got 30"):
        Entry(e[0].schedule, 30)
    with pytest.raises(
        ValueError, match="warm-up must be shorter than the 5 updates before the first drop, got 5"
    ):
        Entry(e[3].schedule, 5)
    with pytest.raises(ValueError, match=r"warm-up of constant must be at most the run's 30 updates, got 31"):
        quick(Warmup(Constant(0.1), 31))
    assert lab.png == png


def test_extremes_that_are_allowed() -> None:
    lab = quick(Warmup(Constant(0.1), 30), OneCycle(0.1, 30), seeds=1).set(noise=1.0, batch=1257)
    assert lab.result.rates[0, -1] == pytest.approx(0.1)
    assert lab.result.accuracy.max() < 0.5  # nothing to learn from random labels
    assert "one seed" in lab.text()


def test_own_networks_and_rules() -> None:
    lab = quick(
        Constant(0.05),
        problem=problems.digits((16, 8), batch=50),
        optimizer=SGD(momentum=0.5, weight_decay=1e-4),
    )
    assert lab.state.network == (16, 8)
    same(from_code(lab).result, lab.result)
    assert (16, 8) not in NETWORKS.values()


# files


def test_save(tmp_path: Path) -> None:
    lab = quick(Constant(0.1), Cosine(0.2, 30), seeds=2)
    first = lab.save(tmp_path)
    assert [f.name for f in first] == [
        "learning-rate-schedules-1.png",
        "learning-rate-schedules-1-rates.svg",
        "learning-rate-schedules-1-loss.svg",
        "learning-rate-schedules-1-accuracy.svg",
        "learning-rate-schedules-1.csv",
    ]
    assert first[0].read_bytes() == lab.png
    for file in first[1:4]:
        assert "</svg>" in file.read_text()[-20:]
    table = pd.read_csv(first[4])
    assert len(table) == 2 * 2 * 30
    at = table[(table.schedule == "cosine") & (table.seed == 1)]
    np.testing.assert_allclose(at.training_loss, lab.result.loss[1, 1])
    np.testing.assert_allclose(at.learning_rate, lab.result.rates[1])
    np.testing.assert_allclose(at.validation_accuracy.dropna(), lab.result.accuracy[1, 1])
    assert list(tmp_path.glob(".*")) == []


def test_save_overwrites_nothing(tmp_path: Path) -> None:
    lab = quick(Constant(0.1), seeds=1)
    (tmp_path / "learning-rate-schedules-1-notes.txt").write_text("mine")
    (tmp_path / "learning-rate-schedules-2.csv").write_text("mine")
    files = [lab.save(tmp_path)[0].name, lab.save(tmp_path)[0].name]
    assert files == ["learning-rate-schedules-3.png", "learning-rate-schedules-4.png"]
    assert (tmp_path / "learning-rate-schedules-2.csv").read_text() == "mine"
    odd = [lab.save(tmp_path, "run [1]*")[0].name for _ in range(2)]
    assert odd == ["run [1]*-1.png", "run [1]*-2.png"]
    deep = lab.save(tmp_path / "new" / "folder", "x")
    assert deep[0].parent.is_dir()


@pytest.mark.parametrize("name", ["a/b", "../x", "/x"])
def test_save_refuses_names_that_are_paths(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="name must be a plain file name"):
        quick(Constant(0.1), seeds=1).save(tmp_path, name)


def test_save_into_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    lab, file = quick(Constant(0.1), seeds=1), tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(OSError, match="must be a folder that can be written to"):
        lab.save(file)
    assert file.read_text() == "mine"


def test_save_into_a_read_only_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    def refuse(path: Any, *rest: Any, **options: Any) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    lab = quick(Constant(0.1), seeds=1)
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    monkeypatch.setattr(os, "open", refuse)  # root may write anywhere
    with pytest.raises(PermissionError, match=re.escape(str(tmp_path))):
        lab.save(tmp_path)
    monkeypatch.undo()
    tmp_path.chmod(stat.S_IRWXU)
    assert list(tmp_path.iterdir()) == []


def test_save_is_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from optviz.widgets import explorer

    lab, write, calls = quick(Constant(0.1), seeds=1), explorer.write_atomic, []

    def full_disk(path: Path, content: bytes) -> Path:
        calls.append(path)
        if len(calls) == 3:
            raise OSError(28, "No space left on device", str(path))
        return write(path, content)

    monkeypatch.setattr(explorer, "write_atomic", full_disk)
    with pytest.raises(OSError, match="No space left"):
        lab.save(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_explorer_needs_a_dataclass() -> None:
    with pytest.raises(TypeError, match=r"Explorer\.state must be a dataclass instance, got 5"):
        Explorer(5, iter, dict, panels={}, words={})  # type: ignore[arg-type]
