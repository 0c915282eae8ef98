"""The pruning explorer without a page: what goes, what is remembered, what is written, what is refused."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest
from cachetools import LRUCache

from optviz import prune, pruning_lab, recipes
from optviz.optimizers import SGD
from optviz.prune import NM, Layer
from optviz.training import Run, train
from optviz.widgets import Explorer
from optviz.widgets.pruning import BySensitivity, Gradual, Iterative
from optviz.widgets.pruning.masking import LEVELS, Scan, Scoring
from optviz.widgets.pruning.state import SCORES, LabState

computing = import_module("optviz.widgets.pruning.compute")


@pytest.fixture(autouse=True)
def _brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times are taken with few repeats."""
    monkeypatch.setattr(import_module("optviz.widgets.pruning.files"), "REPEATS", 3)


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is remembered."""
    for name in ("_dense", "_scores", "_trained", "_books", "_times"):
        monkeypatch.setattr(computing, name, LRUCache(600))


def quick(**settings: Any) -> Explorer:
    return pruning_lab(**{"network": (12,), "steps": 60, "retrain": 20, "seeds": 2} | settings)


def test_a_point_of_the_curve_is_a_mask_and_a_training() -> None:
    lab = quick(sparsity=0.8)
    problem, result = LabState(network=(12,)).problem, lab.result
    dense = train(problem, [Run(SGD(0.9), 0.05)], 60, seed=(0, 1)).params
    for seed in range(2):
        one = {n: p[seed] for n, p in dense.items()}
        masks = prune.mask(prune.magnitude(one), 0.8)
        held = prune.masked(masks)
        found = problem.metrics({n: p[None] for n, p in held(one).items()})
        assert result.before[3, seed] == pytest.approx(found["validation_accuracy"][0])
        if seed == 0:
            np.testing.assert_array_equal(result.chosen.masks["weight1"], masks["weight1"])
    done = list(recipes.one_shot(problem, Run(SGD(0.9), 0.05), 0.8, 20, seed=(0, 1), params=dense))[-1]
    np.testing.assert_allclose(result.after[3], done.metrics["validation_accuracy"])
    np.testing.assert_allclose(result.retrained[-1].course[:, -1], result.after[3])


def test_sparsity_zero_is_the_dense_network_trained_on() -> None:
    lab = quick()
    problem = lab.state.problem
    dense = lab.result.dense.params
    again = list(recipes.one_shot(problem, Run(SGD(0.9), 0.05), 0.0, 20, seed=(0, 1), params=dense))[-1]
    np.testing.assert_allclose(lab.result.after[0], again.metrics["validation_accuracy"])
    assert "the same network" in lab.set(sparsity=0.0).verdict(lab.result)


def test_moving_the_sparsity_retrains_one_sparsity_and_shows_at_once_what_goes(fresh: None) -> None:
    lab = quick(sparsity=0.6)
    lab.result  # noqa: B018 (computes)
    lab.take(lab.changed(sparsity=0.75))
    stream = lab.stream()
    seen = []
    for result in stream:
        if result.cuts:
            seen.append(result)
            break
    first = lab.draw(seen[0], ())
    assert seen[0].fresh == 0
    assert "Weights gone at 75 %" in first["units"].sentence
    assert prune.sparsity(seen[0].chosen.masks) == pytest.approx(0.75, abs=1e-3)
    lab.finish()
    assert lab.result.fresh == 2
    assert lab.set(score=recipes.Random()).result.fresh == 2 * 8, "the dense networks are remembered"
    assert lab.set(score=recipes.Magnitude(), sparsity=0.6).result.fresh == 0


@pytest.mark.parametrize("score", SCORES.values(), ids=lambda score: type(score).__name__)
def test_every_score_prunes_as_much_as_asked(score: Any) -> None:
    result = quick(score=score, sparsity=0.9, seeds=1).result
    masks = result.chosen.masks
    assert prune.sparsity(masks) == pytest.approx(0.9, abs=1e-3)
    params = result.retrained[-1].params
    assert all((params[n][~m] == 0).all() for n, m in masks.items())
    assert all(m.any() for m in masks.values())


def test_by_sensitivity_takes_less_where_it_hurts_more() -> None:
    accuracy = np.stack([np.linspace(0.9, 0.1, len(LEVELS)), np.full(len(LEVELS), 0.9)])[..., None]
    scan = Scan(("a", "b"), accuracy)
    scores = {"a": np.arange(100.0).reshape(10, 10), "b": np.arange(100.0).reshape(10, 10)}
    masks = prune.mask(Scoring(None, scan).adapted(scores), 0.5)
    assert prune.sparsity(masks) == 0.5
    assert masks["b"].sum() <= 2 < 90 < masks["a"].sum()
    assert masks["a"].ravel()[np.argsort(scores["a"].ravel())[0]] <= masks["a"].ravel()[-1]
    result = quick(scope=BySensitivity()).result
    assert prune.sparsity(result.chosen.masks) == pytest.approx(0.9, abs=1e-3)


def test_layers_and_groups() -> None:
    alike = quick(scope=Layer(), sparsity=0.5).result
    np.testing.assert_allclose(alike.chosen.gone, 0.5)
    lab = quick(scope=NM(2, 4))
    assert lab.fixed(lab.state) == ("sparsity", "when")
    assert lab.state.levels == (0.0, 0.25, 0.5, 0.75)
    kept = lab.result.chosen.masks["weight1"].reshape(12, 16, 4).sum(-1)
    assert (kept == 2).all()


@pytest.mark.parametrize("when", [Iterative(4), Gradual(cuts=4)], ids=("iterative", "gradual"))
def test_rounds_end_at_the_sparsity_and_the_updates_asked_for(when: Any) -> None:
    result = quick(when=when, sparsity=0.9).result
    done = result.retrained[-1]
    assert done.at[-1] == 20
    assert prune.sparsity(done.cut.masks) == pytest.approx(0.9, abs=1e-3)
    if isinstance(when, Iterative):
        assert (np.diff(done.at) == 0).sum() == 4, "four cuts"
        assert done.course[:, 1].mean() > result.cuts[-1].accuracy.mean(), "the first cut is a smaller one"


def test_the_books_are_files() -> None:
    result = quick(sparsity=0.9).result
    dense, bitmap, csr, coded = result.books[-1].bytes
    assert result.books[-1].counts.kept == round(0.1 * (64 * 12 + 12 * 10))
    assert coded < csr < dense
    assert bitmap < dense
    assert result.books[0].bytes[2] > 1.7 * result.books[0].bytes[0], "CSR of a dense network is larger"
    assert len(result.times) == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sparsity": 1.0}, r"LabState\.sparsity must be in \[0\.0, 0\.995\], got 1\.0"),
        ({"network": (10,), "scope": NM(2, 4)}, "scope must be a group size that divides 10 inputs"),
        ({"network": 64}, "network must be a tuple of numbers of hidden units, got 64"),
        ({"score": "magnitude"}, "score must be one of recipes' criteria"),
        ({"when": "now"}, r"when must be OneShot\(\), Iterative\(5\) or Gradual\(\)"),
    ],
)
def test_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pruning_lab(**settings)
