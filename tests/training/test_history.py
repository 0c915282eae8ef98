"""Run, Step and History: what goes into a comparison and what comes out."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from optviz.optimizers import SGD
from optviz.schedules import Constant, Cosine
from optviz.training.history import History, Run, Step, rate_table


def steps(count: int, every: int, rows: int = 2) -> list[Step]:
    random = np.random.default_rng(0)
    out = []
    for start in range(0, count, every):
        n = min(every, count - start)
        metrics = {"accuracy": random.random(rows)}
        params = {"w": np.full((rows, 3), float(start))}
        out.append(Step(start + n - 1, random.random((rows, n)), random.random((rows, n)), metrics, params))
    return out


def record(labels: tuple[str, ...] = ("a", "a", "b"), seeds: tuple[int, ...] = (0, 1, 0)) -> History:
    return History.collect(labels, seeds, steps(10, 4, len(labels)))


def same(left: History, right: History) -> bool:
    return (
        (left.labels, left.seeds) == (right.labels, right.seeds)
        and np.array_equal(left.steps, right.steps)
        and left.series.keys() == right.series.keys()
        and all(np.array_equal(left[n], right[n], equal_nan=True) for n in left.series)
        and left.params.keys() == right.params.keys()
        and all(np.array_equal(left.params[n], right.params[n]) for n in left.params)
    )


# Run


def test_a_number_is_a_constant_rate() -> None:
    assert Run(SGD(), 0.1) == Run(SGD(), Constant(0.1))
    assert Run(SGD(), np.float32(0.5)).schedule == Constant(0.5)


def test_labels_come_from_the_schedule() -> None:
    def mine(step: int) -> float:
        return 0.1

    assert Run(SGD(), mine).label == "mine"
    assert Run(SGD(), Cosine(0.1, 5)).label == "Cosine(lr=0.1, steps=5, floor=0.0)"
    assert Run(SGD(), 0.1, "slow").label == "slow"


def test_runs_are_hashable_and_extras_sorted() -> None:
    run = Run(SGD(), 0.1, extra=(("z", 1), ("a", 2)))
    assert run.extra == (("a", 2.0), ("z", 1.0))
    assert hash(run) == hash(Run(SGD(), 0.1, extra=(("a", 2.0), ("z", 1.0))))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((torch.optim.SGD, 0.1), "Run.optimizer must be a rule like SGD"),
        ((SGD, 0.1), "Run.optimizer must be a rule like SGD"),
        (("sgd", 0.1), "Run.optimizer must be a rule like SGD.*got 'sgd'"),
        ((SGD(), "cosine"), "Run.schedule must be a schedule or callable .* got 'cosine'"),
        ((SGD(), Cosine), "Run.schedule must be a schedule or callable"),
        ((SGD(), None), "Run.schedule must be a schedule or callable .* got None"),
    ],
)
def test_what_is_no_run(arguments: tuple[Any, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Run(*arguments)


@pytest.mark.parametrize("rate", [-0.1, float("nan"), float("inf")])
def test_rates_that_are_none(rate: float) -> None:
    with pytest.raises(ValueError, match=r"Constant.lr must be a finite number of at least 0.0"):
        Run(SGD(), rate)


# rate_table


def test_rate_table() -> None:
    table = rate_table([Run(SGD(), Cosine(1.0, 3)), Run(SGD(), lambda t: t / 10)], 4)
    assert table.dtype == np.float64
    np.testing.assert_allclose(table, [[1, 0.75, 0.25, 0], [0, 0.1, 0.2, 0.3]], atol=1e-15)


@pytest.mark.parametrize("extra", [3, {"smoothing": 0.1}, ("smoothing", 0.1), (("smoothing",),)])
def test_extras_are_pairs(extra: object) -> None:
    with pytest.raises(TypeError, match=r"Run\.extra must be pairs"):
        Run(SGD(), 0.1, extra=extra)  # type: ignore[arg-type]


def test_true_is_no_rate() -> None:
    with pytest.raises(TypeError, match=r"Run\.schedule must be a schedule .* got True"):
        Run(SGD(), True)


@pytest.mark.parametrize("bad", [-0.5, float("nan"), float("inf")])
def test_rate_table_names_run_and_update(bad: float) -> None:
    runs = [Run(SGD(), 0.1), Run(SGD(), lambda t: bad if t == 2 else 0.1, "mine")]
    with pytest.raises(ValueError, match=f"rate of 'mine' at update 2 must be .* at least 0, got {bad}"):
        rate_table(runs, 4)


# History


def test_collect_puts_measurements_where_they_were_made() -> None:
    parts = steps(10, 4)
    found = History.collect(("a", "b"), (0, 0), parts)
    assert found.steps.tolist() == list(range(10))
    np.testing.assert_array_equal(found["loss"], np.concatenate([s.loss for s in parts], axis=1))
    np.testing.assert_array_equal(found["lr"], np.concatenate([s.lr for s in parts], axis=1))
    at, values = found.measured("accuracy")
    assert at.tolist() == [3, 7, 9]
    np.testing.assert_array_equal(values, np.stack([s.metrics["accuracy"] for s in parts], axis=1))
    assert np.isnan(found["accuracy"]).sum() == 2 * 7
    assert found.params["w"].tolist() == [[8.0] * 3] * 2


def test_collect_copies_the_weights() -> None:
    weights = torch.ones(1, 2, requires_grad=True)
    step = Step(0, np.ones((1, 1)), np.ones((1, 1)), {}, {"w": weights})
    found = History.collect(("a",), (0,), [step])
    with torch.no_grad():
        weights.zero_()
    assert found.params["w"].tolist() == [[1.0, 1.0]]


def test_collect_of_a_resumed_training_starts_later() -> None:
    found = History.collect(("a", "b"), (0, 0), steps(12, 4)[1:])
    assert found.steps.tolist() == list(range(4, 12))
    assert found.measured("accuracy")[0].tolist() == [7, 11]


def test_collect_of_nothing() -> None:
    with pytest.raises(ValueError, match="steps must be at least one Step, got none"):
        History.collect((), (), [])


def test_select_and_by_run() -> None:
    found = record()
    assert found.select("a").seeds == (0, 1)
    assert found.select(seed=0).labels == ("a", "b")
    assert found.select("a", seed=1)["loss"].tolist() == found["loss"][1:2].tolist()
    assert found.select("b").params["w"].shape == (1, 3)
    assert {n: v.shape for n, v in found.by_run("loss").items()} == {"a": (2, 10), "b": (1, 10)}
    with pytest.raises(ValueError, match=r"labels must be among \['a', 'b'\]"):
        found.select("c")


def test_concat() -> None:
    left, right = record(), record(("c",), (5,))
    both = left.concat(right)
    assert both.labels == ("a", "a", "b", "c")
    assert same(both.select("a", "b"), left)
    assert same(both.select("c"), right)
    with pytest.raises(ValueError, match=r"other.steps must be the same updates"):
        left.concat(History.collect(("c",), (0,), steps(8, 4, 1)))


def test_to_frame() -> None:
    found = record()
    table = found.to_frame()
    assert list(table.columns) == ["label", "seed", "step", "lr", "loss", "accuracy"]
    assert len(table) == 30
    line = table[(table.label == "a") & (table.seed == 1) & (table.step == 7)].iloc[0]
    assert line["accuracy"] == found["accuracy"][1, 7]


def test_wrong_shapes_and_names() -> None:
    with pytest.raises(ValueError, match=r"History.series\['loss'\] must be of shape \(1, 2, …\)"):
        History(("a",), (0,), np.arange(2), {"loss": np.zeros((2, 2))})
    with pytest.raises(KeyError, match=r"no series 'lost'; there are \['accuracy', 'loss', 'lr'\]"):
        record()["lost"]


# Files


def test_round_trip(tmp_path: Path) -> None:
    found = record(("α, floor=0/1", "b", "b"))
    path = found.save(tmp_path / "run")
    assert path == tmp_path / "run.npz"
    assert same(History.load(path), found)
    assert os.listdir(tmp_path) == ["run.npz"]
    assert found.save(tmp_path / "cosine 0.3").name == "cosine 0.3.npz"


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = record().save(tmp_path / "run")
    whole = path.read_bytes()
    flipped = [whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :] for at in range(0, len(whole), 97)]
    for damaged in (whole[: len(whole) // 2], whole[:-1], b"", b"text", *flipped):
        path.write_bytes(damaged)
        with contextlib.suppress(ValueError):  # unless the flipped byte carries no data, such as a time stamp
            assert same(History.load(path), record())
    for damaged in (whole[: len(whole) // 2], b"", b"text"):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="path must be an undamaged history file"):
            History.load(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.npz"
    np.savez(other, a=np.zeros(3))
    with pytest.raises(ValueError, match="undamaged history file"):
        History.load(other)
    np.save(tmp_path / "array.npy", np.zeros(3))
    with pytest.raises(ValueError, match="undamaged history file"):
        History.load(tmp_path / "array.npy")
    with pytest.raises(FileNotFoundError):
        History.load(tmp_path / "none.npz")


def test_nothing_is_pickled(tmp_path: Path) -> None:
    path = tmp_path / "bad.npz"
    np.savez(path, meta=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="undamaged history file"):
        History.load(path)


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = record().save(tmp_path / "run")
    before = path.read_bytes()

    def full(*_: Any, **__: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="no space left"):
        record(("x", "y", "z")).save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["run.npz"]
