"""The codebook explorer: its numbers are those of the recipe and of the file, and nothing is done twice."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optviz import problems, prune, quantize, recipes
from optviz.optimizers import SGD
from optviz.schedules import Cosine
from optviz.training import Run, train
from optviz.widgets import codebook_lab
from optviz.widgets.codebooks.compute import OWN, compute
from optviz.widgets.codebooks.draw import draw
from optviz.widgets.codebooks.state import LabState
from optviz.widgets.codebooks.tell import in_words
from optviz.widgets.panel import Panel

SMALL: dict[str, Any] = {"bits": 3, "hidden": (8, 6), "steps": 40, "updates": 6, "moves": 30, "seeds": 2}
RULE = SGD(momentum=0.9, weight_decay=0.002)
ACCURACY = "validation_accuracy"


@pytest.fixture(scope="module")
def result() -> Any:
    return codebook_lab(**SMALL).result


def test_networks_and_codebooks_are_those_of_the_recipe(result: Any) -> None:
    runs = [Run(RULE, Cosine(0.1, updates)) for updates in (40, 20)]
    pruned, shared = (
        now
        for now in recipes.deep_compression(
            problems.digits((8, 6), 64), runs[0], [0.8], 20, bits=[1, 2, 3, 4, 5, 6], seed=(0, 1), dense=40,
            retrain=runs[1], floor=2, tune_steps=0,
        )
        if now.stage in ("pruned", "shared")
    )  # fmt: skip
    np.testing.assert_array_equal(result.pruned.accuracy, pruned.metrics[ACCURACY])
    for i, bits in enumerate(result.state.levels):
        np.testing.assert_array_equal(
            result.shared[bits].accuracy, shared.metrics[ACCURACY][2 * i : 2 * i + 2]
        )
        for name, p in result.shared[bits].params.items():
            np.testing.assert_array_equal(p, shared.params[name][2 * i : 2 * i + 2])


def test_trained_values_are_those_of_a_training_of_their_own(result: Any) -> None:
    state, shared = result.state, result.shared[3]
    labels = [book.labels for book in shared.books]
    h = train(
        problems.digits((8, 6), 64), [Run(RULE, Cosine(0.1, 6))], 6, seed=(0, 1), params=shared.params,
        view=quantize.Shared(labels), grads=quantize.Summed(labels, mean=True),
    )  # fmt: skip
    np.testing.assert_array_equal(result.tuned[3].accuracy, h[ACCURACY][:, -1])
    for name, p in result.tuned[3].params.items():
        np.testing.assert_allclose(p, h.params[name][0], atol=1e-6)
        if p.ndim > 1:
            assert set(p[p != 0]) <= set(np.float32(result.tuned[3].paths[name][-1]))
    assert result.tuned[3].at.tolist() == [1, 2, 3, 4, 5, 6]
    assert state.frames == 36


def test_the_control_is_a_pruned_network_trained_on(result: Any) -> None:
    masks = {n: p != 0 for n, p in result.pruned.params.items() if p.ndim > 2}
    h = train(
        problems.digits((8, 6), 64), [Run(RULE, Cosine(0.1, 6))], 6, seed=(0, 1),
        params=result.pruned.params, view=prune.masked(masks),
    )  # fmt: skip
    np.testing.assert_array_equal(result.tuned[OWN].accuracy, h[ACCURACY][:, -1])
    own = result.tuned[OWN].params
    for name, mask in masks.items():
        np.testing.assert_allclose(own[name], h.params[name][0] * mask[0], atol=1e-6)


def test_the_way_leads_from_the_start_to_the_codebooks(result: Any) -> None:
    for name, path in result.moved.paths.items():
        kept = np.sort(result.pruned.params[name][0].astype(float).ravel())
        kept = kept[kept != 0]
        np.testing.assert_allclose(path[0], np.linspace(kept[0], kept[-1], path.shape[1]))
        np.testing.assert_allclose(path[-1], result.book.centroids[name], rtol=1e-6)
        errors, settled = result.moved.errors[name], result.moved.settled[name]
        assert (np.diff(errors) <= 1e-12).all(), "k-means never goes up"
        assert 0 < settled < 30
        assert (path[settled:] == path[-1]).all()
        assert (path[settled - 1] != path[-1]).any()
    np.testing.assert_array_equal(result.moved.course[:, -1], result.shared[3].accuracy)


def test_fewer_moves_are_an_earlier_end(result: Any) -> None:
    lab = codebook_lab(**SMALL | {"moves": 2})
    for name, path in lab.result.moved.paths.items():
        np.testing.assert_array_equal(path, result.moved.paths[name][:3])
        np.testing.assert_allclose(lab.result.book.centroids[name], path[2], rtol=1e-6)
    np.testing.assert_array_equal(lab.result.shared[3].accuracy, result.moved.course[:, 2])


def test_bytes_are_those_of_the_file(result: Any, tmp_path: Path) -> None:
    for bits in (1, 3):
        spent = recipes.write_compressed(tmp_path / "net", result.tuned[bits].params)
        coded, fixed = result.spent[bits]
        assert coded == spent
        assert coded.total == (tmp_path / "net").stat().st_size
        assert fixed.total != coded.total
    sizes = [result.spent[bits][0].total for bits in result.state.levels]
    assert sizes == sorted(sizes)


def test_codes_are_between_entropy_and_one_bit_more() -> None:
    lab = codebook_lab(**SMALL)
    for layer in ("weight1", "weight2", "weight3"):
        sentence = lab.set(layer=layer).pictures()["codes"].sentence
        labels = lab.result.book.labels[layer]
        counts = np.bincount(labels[labels >= 0], minlength=8)
        entropy = quantize.entropy(counts)
        mean = float(counts @ quantize.code_lengths(counts).clip(0)) / counts.sum()
        assert entropy <= mean < entropy + 1
        assert f"{mean:.2f} with Huffman's" in sentence
        assert f"least possible, is {entropy:.2f}" in sentence


def test_nothing_is_done_twice() -> None:
    lab = codebook_lab(**SMALL, lr=0.07)
    lab.result  # noqa: B018
    seeds, levels = 2, 6
    assert lab.set(layer="weight1").result.fresh == 0
    assert lab.set(shown=3).result.fresh == 0
    assert lab.set(bits=2).result.fresh == 0
    assert lab.set(lr=0.06).result.fresh == seeds * (levels + 1)
    assert lab.set(bits=7).result.fresh == seeds
    assert lab.set(sparsity=0.5).result.fresh == seeds * (2 + levels + 2)


def test_a_dropped_computation_leaves_nothing_half_done() -> None:
    state = LabState(**SMALL | {"shown": 36, "lr": 0.05})
    half = list(islice(compute(state), 9))[-1]
    assert 0 < half.progress < 1
    *_, done = compute(state)
    *_, again = compute(state)
    for bits in state.levels:
        np.testing.assert_array_equal(done.tuned[bits].accuracy, again.tuned[bits].accuracy)
    np.testing.assert_array_equal(
        done.tuned[3].accuracy, codebook_lab(**SMALL, lr=0.05).result.tuned[3].accuracy
    )


def test_the_sum_of_gradients_does_harm_where_the_mean_does_not() -> None:
    own = {"hidden": (16, 16), "sparsity": 0.2, "steps": 120, "moves": 10, "updates": 20, "seeds": 2}
    lab = codebook_lab(**own, bits=2, lr=0.4, mean=False)
    assert "training did harm" in lab.verdict(lab.result)
    assert lab.result.tuned[2].accuracy.max() < 0.3
    lab.set(mean=True)
    assert "harm" not in lab.verdict(lab.result)
    assert lab.result.tuned[2].accuracy.min() > 0.75


def test_values_that_are_no_numbers_are_said_to_have_diverged(result: Any) -> None:
    tuned = result.tuned[3]
    lost = replace(tuned, finite=False, paths={n: np.full_like(p, np.nan) for n, p in tuned.paths.items()})
    made = replace(result, tuned=result.tuned | {3: lost})
    pictures = draw(made, ())
    for name in ("weights", "paths"):
        assert "diverged in training. Lower the rate." in pictures[name].sentence
        assert Panel().draw(pictures[name])[:4] == b"\x89PNG"
    assert "diverged" in in_words(made)


def test_what_is_shown_follows_the_player() -> None:
    lab = codebook_lab(**SMALL)
    assert lab.state.shown == 36
    said = [lab.set(shown=at).pictures()["weights"].sentence for at in (0, 4, 31, 36)]
    found = ["before k-means", "after move 4 of k-means", "after 1 updates", "after 6 updates"]
    assert all(words in sentence for words, sentence in zip(found, said, strict=True))
    assert lab.code(lab.state).endswith("seeds=2)")
    assert "shown=4" in lab.code(lab.set(shown=4).state)


@pytest.mark.parametrize("hidden", [(8,), 8, (8, 1), (8, 8.5)])
def test_the_network_must_have_two_hidden_layers(hidden: Any) -> None:
    with pytest.raises(ValueError, match="hidden must be two numbers of hidden units"):
        codebook_lab(hidden=hidden)


def test_a_step_beyond_the_end_is_refused() -> None:
    with pytest.raises(ValueError, match="shown must be at most 36, got 37"):
        codebook_lab(**SMALL, shown=37)
    with pytest.raises(TypeError, match="sparseness"):
        codebook_lab(sparseness=0.5)
