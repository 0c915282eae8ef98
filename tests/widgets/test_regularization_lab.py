"""The regularization explorer without a page: trainings, early stopping, words, and what is refused."""

from __future__ import annotations

import io
import itertools
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from cachetools import LRUCache
from PIL import Image

from optviz import optimizers, problems, regularize
from optviz.optimizers import SGD, Adam
from optviz.training import EarlyStopping as Monitor
from optviz.training import Run, train
from optviz.widgets import Explorer, regularization, regularization_lab
from optviz.widgets.regularization import (
    L2,
    Decay,
    DropConnect,
    Dropout,
    EarlyStopping,
    MoreData,
    Plain,
    ProximalL1,
    SmallerModel,
    Smoothing,
    WeightLimit,
    methods,
)
from optviz.widgets.regularization.state import RATES, Entry, LabState, menu, problem_of

NAMES = {name: getattr(room, name) for room in (optimizers, regularization) for name in room.__all__}


def compute_module() -> Any:
    """The module, since the package has a function of this name."""
    return import_module("optviz.widgets.regularization.compute")


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is remembered."""
    module = compute_module()
    monkeypatch.setattr(module, "_memory", LRUCache(1000))


def quick(*chosen: Any, **options: Any) -> Explorer:
    return regularization_lab(*chosen, **{"images": 60, "steps": 50, "seeds": 2} | options)


def same(a: Any, b: Any) -> None:
    for name in ("values", "ends", "complete", "at"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


def test_result_pictures_and_words() -> None:
    lab = quick(seeds=3)
    r = lab.result
    assert r.values.shape == (4, 3, 25, 8 + 27)
    assert r.progress == 1
    assert r.complete.all()
    assert Image.open(io.BytesIO(lab.png)).size[0] > 800
    text = lab.text()
    for word in (
        "Loss after 50 updates",
        "early stopping",
        "dropout",
        "gap",
        "exactly 0",
        "3 seeds",
        "test images",
    ):
        assert word in text
    assert lab.png == lab.png
    table = lab.table(r)
    assert len(table) == 4 * 3 * 25
    assert table.groupby(["technique", "seed"])["counts"].sum().eq(1).all()


def test_the_first_result_is_there_at_once_and_progress_grows(fresh: None) -> None:
    lab = quick()
    results = list(lab.stream())
    assert results[0].seconds < 0.05
    assert not np.isfinite(results[0].values).any()
    progress = [r.progress for r in results]
    assert progress == sorted(progress)
    assert progress[-1] == 1
    for r in results[:3]:
        for name, picture in lab.draw(r, ()).items():
            assert lab.panels[name].draw(picture, moving=True)[:4] == b"\x89PNG"


@pytest.mark.parametrize("kind", methods.METHODS, ids=lambda kind: kind.__name__)
def test_every_technique_trains(kind: type) -> None:
    lab = quick(kind(), images=100, seeds=1)
    assert np.isfinite(lab.result.final("test_loss")).all()
    assert lab.result.diverged(0) is False
    assert kind.name in lab.text()
    assert eval(lab.code(lab.state), NAMES | {"regularization_lab": regularization_lab}).state == lab.state


def test_it_is_what_train_does() -> None:
    """One row of the explorer, by hand."""
    lab = quick(L2(0.03), ProximalL1(0.02), Dropout(0.4), seeds=2, images=100, noise=0.3)
    few = regularize.subset(problems.digits((64,), 32, 0.3), 100)
    cases = (
        (regularize.l2(few), (("l2", 0.03),)),
        (regularize.projected(few, prox=regularize.proximal_l1), (("prox", 0.02),)),
        (regularize.dropout(few), (("dropout", 0.4),)),
    )
    for k, (problem, extra) in enumerate(cases):
        h = train(problem, [Run(SGD(0.9), 0.05, "", extra)], 50, seed=(0, 1), every=2)
        steps, accuracy = h.measured("validation_accuracy")
        np.testing.assert_array_equal(steps + 1, lab.result.at)
        np.testing.assert_allclose(lab.result.figure("validation_accuracy")[k], accuracy, atol=1e-6)
        np.testing.assert_allclose(
            lab.result.figure("validation_loss")[k], h.measured("validation_loss")[1], rtol=1e-4
        )
        np.testing.assert_allclose(lab.result.final("zeros")[k], regularize.exact_zeros(h.params), atol=1e-3)
        np.testing.assert_allclose(lab.result.final("length")[k], regularize.weight_norm(h.params), rtol=1e-4)


def test_training_figures_are_on_the_noisy_labels_and_test_figures_on_test_images() -> None:
    lab = quick(Plain(), images=60, noise=0.5, steps=600, seeds=1)
    assert lab.result.final("training_accuracy")[0, 0] > 0.9  # wrong labels learned by heart
    assert lab.result.final("test_accuracy")[0, 0] < 0.75


@pytest.mark.parametrize("patience", [1, 3, 24])
def test_early_stopping_is_the_monitors(patience: int) -> None:
    lab = quick(EarlyStopping(patience), Plain(), images=100, steps=200, seeds=3, noise=0.4)
    few = regularize.subset(problems.digits((64,), 32, 0.4), 100)
    for seed in range(3):
        watch = Monitor("validation_loss", patience=patience)
        h = train(few, [Run(SGD(0.9), 0.05)], 200, seed=seed, every=8, monitors=[watch])
        accuracy = few.metrics(h.params)["validation_accuracy"][0]
        assert lab.result.final("validation_accuracy")[0, seed] == pytest.approx(accuracy, abs=1e-6)
        made = np.isfinite(lab.result.figure("validation_loss")[0, seed]).sum()
        assert made * 8 == len(h.steps)
    np.testing.assert_array_equal(lab.result.ends[1], 24)


def test_early_stopping_and_none_are_one_training(fresh: None) -> None:
    lab = quick(Plain(), EarlyStopping(2), EarlyStopping(5))
    assert lab.result.fresh == 2
    assert "remembered 4" in lab.status(lab.result)


def test_moving_one_card_trains_one_cards_networks(fresh: None) -> None:
    lab = quick(Plain(), L2(0.01))
    first = lab.result
    lab.set(entries=(Entry(Plain()), Entry(L2(0.02))))
    assert lab.result.fresh == 2
    np.testing.assert_array_equal(first.values[0], lab.result.values[0])
    same(first, lab.set(entries=(Entry(Plain()), Entry(L2(0.01)))).result)
    assert lab.result.fresh == 0


def test_dropping_a_computation_halfway_changes_nothing(fresh: None) -> None:
    lab = quick(Plain(), Dropout(0.3))
    for _ in itertools.islice(lab.stream(), 4):
        pass
    lab.finish()
    again = quick(Plain(), Dropout(0.3))
    same(lab.result, again.result)


def test_company_changes_nothing_that_one_sees(fresh: None) -> None:
    """Rows share a training with other cards; alone they give the same curves."""
    together = quick(L2(0.03), Decay(0.5), WeightLimit(0.1), Smoothing(0.2)).result
    for k, method in enumerate((L2(0.03), Decay(0.5), WeightLimit(0.1), Smoothing(0.2))):
        module = compute_module()
        module._memory.clear()
        alone = quick(method).result
        for name in ("validation_loss", "test_loss", "length"):
            np.testing.assert_allclose(alone.figure(name)[0], together.figure(name)[k], rtol=2e-4)


def test_tuned_takes_the_best_strength_of_the_sweep(fresh: None) -> None:
    lab = quick(Plain(), L2(), DropConnect(), steps=50, tuned=True)
    r = lab.result
    assert r.methods[0] == Plain()
    assert r.methods[1].strength in L2.tried[1]
    assert r.methods[2].share in DropConnect.tried[1]
    assert f"L2 {r.methods[1].strength:g}" in r.note
    state = lab.state
    scores = []
    for value in L2.tried[1]:
        one = quick(L2(value), seeds=1)
        ends = []
        for seed in (10_000, 10_001):
            key = compute_module()._key(state, L2(value), seed)
            ends.append(compute_module()._memory[key][-1][3])
        scores.append(np.mean(ends))
        assert one.state.shared == state.shared
    assert scores[L2.tried[1].index(r.methods[1].strength)] == max(scores)
    assert np.isfinite(r.final("test_accuracy")).all()


def test_variants_change_the_problem() -> None:
    state = LabState((Entry(Plain()),), images=100)
    assert problem_of(state, MoreData(4)).data.train.X.shape[0] == 400
    assert problem_of(state, MoreData(1000)).data.train.X.shape[0] == 1257
    assert problem_of(state, SmallerModel(7)).sizes == (64, 7, 10)
    assert problem_of(state, Dropout()).drops == "units"
    assert problem_of(state, L2(0.5).variant()) is problem_of(state, Plain())


def test_regularization_helps_where_a_network_learns_noise_by_heart() -> None:
    lab = regularization_lab(Plain(), L2(0.02), seeds=3)
    r = lab.result
    gap = r.final("training_accuracy") - r.final("test_accuracy")
    assert (gap[0] > 0.1).all()
    assert (r.final("test_accuracy")[1] - r.final("test_accuracy")[0] > 0.03).all()
    assert "L2 is ahead of none" in lab.verdict(r)


def test_the_summary_has_one_line_a_technique() -> None:
    r = quick(Plain(), L2(0.02), EarlyStopping(2), seeds=3).result
    table = regularization.summary(r)
    assert list(table.index) == ["none", "L2", "early stopping"]
    assert list(table["strength"]) == ["–", "0.02", "2"]
    for k in range(3):
        for part in ("training", "validation", "test"):
            mean = 100 * r.final(f"{part}_accuracy")[k].mean()
            assert table[f"{part} %"].iloc[k] == pytest.approx(mean, abs=0.051)
    assert (abs(table["training %"] - table["test %"] - table["gap"]) < 0.11).all()


def test_each_technique_has_a_thin_companion_for_training() -> None:
    pictures = quick(Plain(), L2(0.02)).pictures()
    for name in ("loss", "accuracy", "ends"):
        lines = pictures[name].marks
        assert [line.index for line in lines if line.thin] == [line.index for line in lines if not line.thin]
    assert not any(line.thin for line in pictures["sizes"].marks)


def test_a_diverging_row_is_named() -> None:
    lab = quick(Plain(), L2(900.0), seeds=2)
    assert lab.result.diverged(1)
    assert "L2 (diverged)" in [line.label for line in lab.pictures()["loss"].marks]
    assert "L2 diverged" in lab.verdict(lab.result)


def test_ghosts() -> None:
    lab = quick(Plain(), L2(0.01))
    lab.pin()
    lab.set(entries=(Entry(Plain()),))
    pictures = lab.pictures()
    assert all(sum(line.ghost for line in p.marks) == 2 for p in pictures.values())
    assert len(lab.png) > 1000
    full = quick(*[kind() for kind in methods.METHODS[:8]], seeds=1)
    full.pin()
    assert full.png[:4] == b"\x89PNG"


def test_the_rate_follows_the_optimizer() -> None:
    lab = quick(Plain(), seeds=1)
    assert lab.set(optimizer=Adam()).state.lr == RATES[Adam()]
    assert lab.set(optimizer=SGD(), lr=0.3).state.lr == 0.3


def test_the_menu_names_every_technique() -> None:
    assert len(menu()) == len(methods.METHODS) == 16
    assert LabState((Entry(Plain()), Entry(L2()), Entry(L2()))).labels == ("none", "L2 1", "L2 2")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: regularization_lab(0.1), TypeError, r"Entry\.method must be a technique such as L2"),
        (
            lambda: regularization_lab(*[Plain()] * 9),
            ValueError,
            r"number of techniques must be in \[1, 8\], got 9",
        ),
        (lambda: regularization_lab(images=5000), ValueError, "at most the 1257 training images, got 5000"),
        (lambda: regularization_lab(network="big"), ValueError, "network must be a tuple of numbers"),
        (lambda: regularization_lab(noise=1.5), ValueError, r"LabState\.noise must be in \[0\.0, 1\.0\]"),
        (lambda: regularization_lab(data="CIFAR"), ValueError, r"LabState\.data must be one of"),
        (lambda: L2(-1.0), ValueError, r"L2\.strength must be in \[0\.0, 1000\.0\], got -1\.0"),
        (lambda: Dropout(1.0), ValueError, r"Dropout\.share must be in \[0\.0, 0\.99\]"),
        (lambda: regularization_lab(shade="red"), TypeError, "shade"),
    ],
)
def test_refused(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
