"""The augmentation explorer: true pictures, networks really trained, words that tell the numbers."""

from __future__ import annotations

import importlib
import io
import time
from typing import Any

import numpy as np
import pytest
import torch
from cachetools import LRUCache
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from optviz import Run, augmentation_lab, data, evaluation, problems, train
from optviz.data import Affine, Compose, Crop, Flip, Mixup, Noise, Rotate, Shift, Sometimes
from optviz.optimizers import SGD
from optviz.problems import augmented
from optviz.schedules import Linear
from optviz.widgets import show
from optviz.widgets.augmentation.state import CNN, Entry, LabState, menu

compute = importlib.import_module("optviz.widgets.augmentation.compute")
QUICK: dict[str, Any] = {"images": 64, "steps": 40, "seeds": 2}


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is remembered."""
    monkeypatch.setattr(compute, "_memory", LRUCache(1000))


def lab(*augmentations: Any, **fields: Any) -> Any:
    return augmentation_lab(*augmentations, **QUICK | fields)


# What is computed


def test_the_pictures_are_the_augmentations() -> None:
    result = lab(Rotate(30.0), Flip(1.0), drawing=4).result
    images = data.mnist5k(14).train
    X = images.X[[int(np.argmax(images.y == c)) for c in range(10)]].reshape(10, 1, 14, 14)
    assert np.array_equal(result.tiles[-1], X[:, 0])
    assert np.array_equal(result.tiles[1], X[:, 0, :, ::-1])
    assert np.array_equal(result.tiles[0], Rotate(30.0)(X, np.arange(10), 4)[0][:, 0])


@pytest.mark.parametrize("name", menu())
def test_every_kind_of_card_works(name: str) -> None:
    one = lab(data.Noise(0.1), steps=20, seeds=1)
    new = one.deck[1].new(menu()[name], one.state, one.state.entries[0])
    result = one.set(entries=(new,)).result
    assert result.labels == (name, "none")
    assert np.isfinite(result.accuracy).all()
    assert not np.array_equal(result.tiles[0], result.tiles[1]) or name in ("flip", "cutout", "erase")


def test_the_menu_has_all_augmentations_with_sliders() -> None:
    classes = {getattr(data.augment, name) for name in data.augment.__all__}
    without = {data.augment.warp, Compose, data.OneOf, Sometimes}
    assert set(menu().values()) == classes - without
    assert all(name == name.lower() for name in menu())


def test_the_networks_are_those_that_train_gives(fresh: None) -> None:
    result = lab(Shift(1.0)).result
    images = data.mnist5k(14)
    part = data.Split(images.train.X[:64], images.train.y[:64])
    own = data.Data("64", part, images.validation, images.test, 10, images.shape)
    plain = problems.Classification(own, (64,), 32)
    for row, one in enumerate((Shift(1.0), None)):
        h = train(augmented(plain, one), [Run(SGD(0.9), Linear(0.1, 40))], 40, seed=(0, 1), every=20)
        np.testing.assert_array_equal(result.accuracy[row, :, -1], h["validation_accuracy"][:, -1])
    weights = np.bincount(images.validation.y) / len(images.validation.y)
    np.testing.assert_allclose(result.by_class @ weights, result.accuracy[..., -1], atol=1e-12)
    assert result.counts.tolist() == [75] * 10


def test_the_small_cnn_too(fresh: None) -> None:
    result = lab(Shift(1.0), network=CNN, data="digits 8×8", steps=6, seeds=2).result
    weights = result.counts / result.counts.sum()
    np.testing.assert_allclose(result.by_class @ weights, result.accuracy[..., -1], atol=1e-9)
    assert result.complete.all()


def test_one_card_moved_trains_one_card(fresh: None) -> None:
    one = lab(Shift(1.0), Noise(0.1))
    assert one.result.fresh == 6
    assert one.set(entries=(Entry(Shift(2.0)), one.state.entries[1])).result.fresh == 2
    assert one.set(seeds=3).result.fresh == 3
    assert one.set(drawing=7).result.fresh == 0
    again = one.set(entries=(Entry(Shift(1.0)), Entry(Noise(0.1)))).result
    assert again.fresh == 1  # the third seed of the first card


def test_what_is_remembered_is_what_is_trained(fresh: None) -> None:
    first = lab(Mixup(0.5)).result
    remembered = lab(Mixup(0.5)).result
    assert remembered.fresh == 0
    assert np.array_equal(first.accuracy, remembered.accuracy)
    assert np.array_equal(first.by_class, remembered.by_class)


def test_a_row_does_not_depend_on_the_others(fresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    together = lab(Rotate(10.0), Crop(1), Flip()).result.accuracy[1]
    monkeypatch.setattr(compute, "_memory", LRUCache(1000))
    np.testing.assert_array_equal(lab(Crop(1)).result.accuracy[0], together)


def test_the_global_generators_are_left_alone() -> None:
    before, states = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    lab(Noise(0.11)).result  # noqa: B018
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], states)  # noqa: NPY002


# How it streams


def test_results_come_in_slices(fresh: None) -> None:
    one = lab(Rotate(10.0), Shift(1.0), images=300, steps=200, seeds=3)
    results, times = [], [time.process_time()]
    for result in one.stream():
        results.append(result.progress)
        times.append(time.process_time())
    assert results == sorted(results)
    assert results[0] == 0
    assert results[-1] == 1
    assert np.median(np.diff(times)) < 0.06
    assert len(results) > 30


def test_the_first_picture_needs_no_training(fresh: None) -> None:
    stream = lab(Rotate(10.0)).stream()
    first = next(stream)
    assert first.tiles.shape == (2, 10, 14, 14)
    assert np.isnan(first.accuracy).all()
    stream.close()


def test_half_a_result_can_be_drawn(fresh: None) -> None:
    one = lab(Rotate(10.0), Mixup(0.2), seeds=3)
    for result in one.stream():
        pictures = one.draw(result, ())
        assert "nan" not in " ".join(p.sentence for p in pictures.values())
        one.verdict(result)
    assert len(one.png) > 10_000


def test_another_drawing_is_drawn_at_once() -> None:
    one = lab(*(Affine(d) for d in (5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 35.0)), steps=20, seeds=1)
    assert one.result.progress == 1
    durations = []
    for drawing in range(1, 8):
        start = time.process_time()
        one.set(drawing=drawing)
        durations.append(time.process_time() - start)
    assert min(durations) < 0.1


# What it says and shows


def test_words_and_numbers_agree() -> None:
    one = lab(Flip(), images=200, steps=120, seeds=4)
    result, text = one.result, one.text()
    mean, half = evaluation.seed_interval(result.accuracy[0, :, -1])
    assert f"flip {100 * mean:.1f} ± {100 * half:.1f} %" in text
    gap = 100 * (result.by_class[0, :, 3] - result.by_class[1, :, 3]).mean()
    assert f"3 {gap:+.1f}" in text
    assert "flip loses" in one.verdict(result), "the 3, above all"
    assert "750 validation images" in text


def test_one_seed_gives_no_ranking() -> None:
    one = lab(Flip(), seeds=1)
    assert "add seeds" in one.verdict(one.result)
    assert "Class by class: " not in one.verdict(one.result)
    assert "1 seed" in one.text()


def test_equal_rows_are_not_told_apart() -> None:
    one = lab(Noise(0.0), steps=20)
    assert "no difference from none is certain yet" in one.verdict(one.result)


def test_code_makes_the_same_pictures() -> None:
    names = {name: getattr(data, name) for name in data.augment.__all__}
    for one in (
        augmentation_lab(),
        lab(Sometimes(Rotate(20.0), 0.3), Compose((Flip(), Noise(0.1))), network=(), drawing=3),
        lab(Mixup(), data="digits 8×8", network=CNN, lr=0.03),
    ):
        again = eval(one.code(one.state), {"augmentation_lab": augmentation_lab} | names)
        assert again.state == one.state


def test_pins_stay_as_ghosts() -> None:
    one = lab(Rotate(10.0), steps=20)
    one.result  # noqa: B018
    one.pin()
    lines = one.set(lr=0.2).pictures()["accuracy"].marks
    assert sum(line.ghost for line in lines) == 2


def test_files_can_be_saved(tmp_path: Any) -> None:
    one = lab(Rotate(10.0), steps=20)
    files = {path.suffix: path for path in one.save(tmp_path)}
    assert Image.open(io.BytesIO(files[".png"].read_bytes())).size[0] > 1000
    table = one.table(one.result)
    assert len(table) == one.result.accuracy.size
    assert set(table.augmentation) == {"rotate", "none"}
    last = table[table["update"] == one.state.steps - 1]
    np.testing.assert_allclose(last.class_3.to_numpy(), one.result.by_class[..., 3].ravel())


@pytest.mark.parametrize("cards", [1, 3, 7])
def test_the_pictures_have_a_row_for_each_card(cards: int) -> None:
    one = lab(*(Rotate(5.0 * k) for k in range(1, cards + 1)), steps=20, seeds=1)
    picture = one.pictures()["tiles"]
    assert picture.marks.images.shape == (cards + 1, 10, 14, 14)
    png = Image.open(io.BytesIO(one.panels["tiles"].draw(picture)))
    assert png.size == (2 * one.panels["tiles"].width, 600)


# What it refuses


def test_settings_are_checked() -> None:
    for wrong, said in (
        ({"images": 10}, "LabState.images must be a finite number of at least 32"),
        ({"data": "CIFAR"}, "LabState.data must be one of"),
        ({"network": "large"}, "network must be 'small CNN' or a tuple"),
        ({"seeds": 0}, "LabState.seeds must be in"),
    ):
        with pytest.raises(ValueError, match=said):
            augmentation_lab(**wrong)
    with pytest.raises(TypeError, match="unexpected keyword"):
        augmentation_lab(color="red")
    with pytest.raises(TypeError, match="augmentation must be one such as"):
        augmentation_lab(Flip)
    with pytest.raises(ValueError, match=r"number of augmentations must be in \[1, 7\], got 8"):
        augmentation_lab(*[Flip()] * 8)


def test_a_function_of_ones_own() -> None:
    def darker(X: Any, y: Any, generator: Any) -> Any:
        return X / 2, y

    one = lab(darker, steps=20)
    assert one.result.labels == ("darker", "none")
    assert one.code(one.state).startswith("augmentation_lab(darker, ")
    assert Entry(darker).hidden() == ("probability",)


def test_a_smaller_data_set_gives_all_it_has() -> None:
    one = lab(Flip(), images=3000, steps=10, seeds=1)
    assert one.set(data="digits 8×8").state.used == 1257
    assert "on 1257 images" in one.status(one.result)
    assert one.state.images == 3000


@settings(max_examples=15, deadline=None)
@given(
    kind=st.sampled_from(sorted(menu())),
    chance=st.floats(0, 1),
    images=st.integers(50, 3500),
    source=st.sampled_from(["digits 8×8", "MNIST-5k 14×14"]),
)
def test_any_state_computes(kind: str, chance: float, images: int, source: str) -> None:
    state = LabState((Entry(menu()[kind](), chance),), data=source, images=images, steps=3, seeds=1)
    *_, last = compute.compute(state)
    assert last.progress == 1
    assert np.isfinite(last.by_class).all()


def test_it_shows_itself_with_a_card_for_each_augmentation() -> None:
    one = lab(Rotate(10.0), Flip(), steps=20, seeds=1)
    page = show(one)
    assert len(page.cards) == 2
    assert page.cards[0].controls.keys() == {"degrees", "probability"}
    assert "image/png" in page._repr_mimebundle_()[0]
    page.close()
