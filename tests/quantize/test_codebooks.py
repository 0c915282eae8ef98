"""k-means against scikit-learn and the best split there is; shared weights in training; zeros that stay."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from optviz import optimizers, problems
from optviz.quantize import (
    Codebooks,
    DensityStart,
    LinearStart,
    RandomStart,
    Shared,
    Summed,
    kmeans,
    lloyd,
    share,
)
from optviz.training import Run, train

DIGITS = problems.digits(hidden=(12,), batch=32)
NUMBERS = st.lists(st.floats(-100, 100, width=32, allow_subnormal=False), min_size=1, max_size=40)
W = {"w": np.ones((2, 2), int)}
STARTS = [LinearStart(), DensityStart(), RandomStart(3)]


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def error(w: np.ndarray, centroids: np.ndarray, labels: np.ndarray) -> float:
    return float(((w - centroids[labels]) ** 2).sum())


def best(w: np.ndarray, k: int) -> float:
    """The smallest Σ (w − centroid)² of any k clusters, by dynamic programming over the sorted numbers."""
    w = np.sort(w)
    cost = lambda i, j: float(((w[i:j] - w[i:j].mean()) ** 2).sum()) if j > i else 0.0  # noqa: E731
    found = [0.0] + [np.inf] * len(w)
    for _ in range(k):
        found = [min(found[i] + cost(i, j) for i in range(j + 1)) for j in range(len(w) + 1)]
    return found[-1]


@pytest.mark.parametrize("init", STARTS, ids=str)
@pytest.mark.parametrize("k", [1, 2, 7, 32])
def test_same_as_scikit_learn_from_the_same_start(init: Any, k: int) -> None:
    from sklearn.cluster import KMeans

    w = normal(800, seed=k)
    start = init(np.sort(w), k)
    theirs = KMeans(k, init=start[:, None], n_init=1, max_iter=3000, tol=0, algorithm="lloyd").fit(w[:, None])
    centroids, labels = kmeans(w, k, init)
    assert len(np.unique(labels)) == k  # with an empty cluster scikit-learn starts it anew elsewhere
    np.testing.assert_allclose(centroids, theirs.cluster_centers_[:, 0], atol=1e-12)
    assert np.array_equal(labels, theirs.labels_)


@settings(max_examples=60, deadline=None)
@given(NUMBERS, st.integers(1, 6), st.sampled_from(STARTS))
def test_nearest_mean_and_never_below_the_best(numbers: list[float], k: int, init: Any) -> None:
    w = np.array(numbers)
    centroids, labels = kmeans(w, k, init)
    assert centroids.shape == (k,)
    assert (np.diff(centroids) >= 0).all()
    away = abs(w[:, None] - centroids)
    np.testing.assert_allclose(away[np.arange(len(w)), labels], away.min(1), atol=1e-9)
    for each in np.unique(labels):
        np.testing.assert_allclose(centroids[each], w[labels == each].mean(), atol=1e-9)
    assert error(w, centroids, labels) >= best(w, k) - 1e-6


def test_each_step_lowers_the_error() -> None:
    w = normal(3000) ** 3
    errors = [((w[:, None] - c) ** 2).min(1).sum() for c in lloyd(w, [-1.0, 0.0, 0.1, 9.0])]
    assert len(errors) > 5
    assert all(after <= before for before, after in itertools.pairwise(errors))
    assert errors[-1] < 0.5 * errors[0]


def test_starts_are_those_of_the_paper() -> None:
    w = np.sort(normal(10_000) ** 3)
    linear, density, drawn = (init(w, 8) for init in STARTS)
    assert (linear[0], linear[-1]) == (w[0], w[-1])
    np.testing.assert_allclose(np.diff(linear), np.diff(linear)[0])
    np.testing.assert_allclose(np.searchsorted(w, density) / len(w), (np.arange(8) + 0.5) / 8, atol=1e-3)
    assert set(drawn) <= set(w)
    assert (np.diff(drawn) > 0).all()
    assert abs(linear).max() > 5 * abs(density).max()  # where the large weights are


def test_few_numbers_and_ties() -> None:
    centroids, labels = kmeans(np.full((2, 2), 3.0), 4)
    assert (centroids[labels] == 3).all()
    centroids, labels = kmeans([0.0, 1.0, 2.0], 2)  # 1 is in the middle of 0 and 2: to the lower one
    assert labels.tolist() == [0, 0, 1]
    for init in STARTS:
        centroids, labels = kmeans([2.0, 1.0], 5, init)
        assert centroids[labels].tolist() == [2, 1]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tensors_are_like_arrays(dtype: torch.dtype) -> None:
    w = torch.tensor(normal(3, 50), dtype=dtype)
    w[:, ::3] = 0
    centroids, labels = kmeans(w, 5)
    ours, numbers = kmeans(w.numpy(), 5)
    assert centroids.dtype is dtype
    assert np.array_equal(centroids, ours)
    assert ours.dtype == w.numpy().dtype
    assert np.array_equal(labels, numbers)
    params = {"w": w, "b": torch.ones(3, dtype=dtype)}
    books, arrays = share(params, 3), share({n: p.numpy() for n, p in params.items()}, 3)
    shared, other = books(params), arrays({n: p.numpy() for n, p in params.items()})
    assert shared["w"].dtype is dtype
    assert other["w"].dtype == w.numpy().dtype
    assert np.array_equal(shared["w"], other["w"])
    assert shared["b"] is params["b"]


def test_zeros_stay_zeros_and_take_no_value() -> None:
    w = normal(20, 30).astype(np.float32)
    w[abs(w) < 1] = 0
    w.flags.writeable = False
    params = {"w": w, "v": np.zeros((2, 2)), "b": np.ones(20)}
    books = share(params, {"w": 3, "v": 1})
    found = books(params)["w"]
    assert np.array_equal(found == 0, w == 0)
    assert len(np.unique(found[w != 0])) <= 8
    assert np.array_equal(books.labels["w"] == -1, w == 0)
    alone, labels = kmeans(w[w != 0], 8)  # as if the zeros weren't there
    assert np.array_equal(books.centroids["w"], alone)
    assert np.array_equal(books.labels["w"][w != 0], labels)
    assert (books(params)["v"] == 0).all()
    assert books.centroids["v"].shape == (0,)
    assert "b" not in books.labels


def chain_rule(labels: np.ndarray, centroids: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """∂L/∂c and ∂L/∂w of a loss L = Σ sin(x · w) with w = c[labels], by autograd."""
    c = torch.tensor(centroids, requires_grad=True)
    w = torch.cat([c, torch.zeros(1, dtype=c.dtype)])[torch.as_tensor(labels)]
    w.retain_grad()
    torch.sin(torch.tensor(x) * w).sum().backward()
    return c.grad.numpy(), w.grad.numpy()


@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_gradient_of_a_value_is_that_of_autograd(kind: str) -> None:
    chance = np.random.default_rng(1)
    labels = chance.integers(-1, 5, (3, 4, 6))  # 3 rows
    centroids, x = normal(3, 5), normal(3, 4, 6, seed=2)
    wanted, w = zip(*(chain_rule(labels[k], centroids[k], x[k]) for k in range(3)), strict=True)
    make = np.asarray if kind == "numpy" else torch.tensor
    summed = np.asarray(Summed([{"w": make(each)} for each in labels])({"w": make(np.stack(w))})["w"])
    for k in range(3):
        for label in range(5):
            np.testing.assert_allclose(summed[k][labels[k] == label], wanted[k][label], rtol=1e-12)
        assert (summed[k][labels[k] == -1] == 0).all()
    one = np.asarray(Summed({"w": make(labels[0])})({"w": make(np.stack([w[0], w[0]]))})["w"])
    assert np.array_equal(one, np.stack([summed[0]] * 2))  # the same labels for all rows
    alone = np.asarray(Summed({"w": make(labels[0])})({"w": make(w[0])})["w"])  # one network, no rows
    assert np.array_equal(alone, summed[0])


@pytest.mark.parametrize("make", [np.asarray, torch.tensor], ids=["numpy", "torch"])
def test_the_mean_gradient_is_the_projection_to_shared_weights(make: Any) -> None:
    labels = [{"w": each} for each in np.random.default_rng(0).integers(-1, 4, (2, 3, 7))]
    g = normal(2, 3, 7)
    mean = Summed(labels, mean=True)
    found = np.asarray(mean({"w": make(g)})["w"])
    for k, own in enumerate(labels):
        flat = own["w"].ravel()
        clusters = (flat[:, None] == np.arange(4)).astype(float)  # a column a value: 1 where a weight has it
        projected = clusters @ np.linalg.lstsq(clusters, g[k].ravel(), rcond=None)[0]
        np.testing.assert_allclose(found[k].ravel(), projected, atol=1e-12)
    one = mean.of_rows([1])({"w": make(g[1:])})["w"]
    assert np.array_equal(np.asarray(one), found[1:])
    assert repr(mean) != repr(Summed(labels))
    half = mean({"w": make(g.astype(np.float32))})["w"]
    assert "float32" in str(half.dtype)


def test_sharing_after_a_few_moves() -> None:
    w = {"w": normal(20, 30)}
    for steps, own in enumerate(lloyd(w["w"], LinearStart()(np.sort(w["w"].ravel()), 8), 3)):
        book = share(w, 3, steps=steps)
        np.testing.assert_array_equal(book.centroids["w"], own)
        assert (abs(w["w"] - book(w)["w"]) <= abs(w["w"][..., None] - own).min(-1) + 1e-12).all()


def test_maps_of_some_rows() -> None:
    labels = [{"w": each} for each in np.random.default_rng(0).integers(-1, 4, (5, 3, 7))]
    values = {"w": normal(5, 3, 7), "b": normal(5, 3)}
    for map in (Shared(labels), Summed(labels)):
        whole = map(values)
        part = map.of_rows([4, 1, 2]).of_rows([2, 0])
        found = part({n: v[[2, 4]] for n, v in values.items()})
        assert np.array_equal(found["w"], whole["w"][[2, 4]])
        assert found["b"].tolist() == values["b"][[2, 4]].tolist()
        assert repr(part) != repr(map)
        assert repr(map) == repr(type(map)([{"w": each["w"].copy()} for each in labels]))
        assert repr(map) != repr(type(map)([{"w": each["w"] * 0} for each in labels]))


@pytest.mark.parametrize("rule", [optimizers.SGD(0.9), optimizers.Adam(), optimizers.AdamW()], ids=str)
def test_training_moves_the_values_alone(rule: Any) -> None:
    start = DIGITS.init(np.random.default_rng(0))
    start["weight1"][abs(start["weight1"]) < 0.1] = 0
    books = [share(start, bits) for bits in (2, 4)]
    labels = [book.labels for book in books]
    first = {n: np.stack([b(start)[n] for b in books]) for n in start}
    run = Run(rule, 1e-3)
    options = {"params": first, "view": Shared(labels), "grads": Summed(labels)}
    h = train(DIGITS, [run, run], 40, **options)
    assert (h["loss"][:, -1] < 0.9 * h["loss"][:, 0]).all()
    for k, book in enumerate(books):
        own = {n: p[k] for n, p in h.params.items()}
        after = book.retrained(own)
        assert np.array_equal(after(own)["weight1"], own["weight1"])
        assert (own["weight1"][book.labels["weight1"] == -1] == 0).all()
        assert len(np.unique(own["weight2"])) <= 2 ** (2, 4)[k]
        assert not np.array_equal(after.centroids["weight2"], book.centroids["weight2"])
    alone = train(
        DIGITS, [run], 40, params={n: p[1] for n, p in first.items()},
        view=Shared(books[1].labels), grads=Summed(books[1].labels),
    )  # fmt: skip
    assert np.array_equal(alone.params["weight1"][0], h.params["weight1"][1])


def test_one_update_is_a_gradient_step_on_the_values() -> None:
    start = DIGITS.init(np.random.default_rng(0))
    books = share(start, 2)
    shared = books(start)
    order = np.random.default_rng(np.random.SeedSequence(0).spawn(2)[0])
    batch = next(DIGITS.batches(order))
    _, gradient = DIGITS.loss_and_grad({n: p[None] for n, p in shared.items()}, batch)
    h = train(
        DIGITS, [Run(optimizers.SGD(), 0.01)], 1, params=shared,
        view=Shared(books.labels), grads=Summed(books.labels),
    )  # fmt: skip
    after = books.retrained({n: p[0] for n, p in h.params.items()})
    for name, labels in books.labels.items():
        for label, value in enumerate(books.centroids[name]):
            moved = value - 0.01 * gradient[name][0][labels == label].sum(dtype=float)
            assert after.centroids[name][label] == pytest.approx(moved, rel=1e-4, abs=1e-6)


def test_weights_in_another_order_of_memory() -> None:
    labels = {"w": np.array([[0, 1], [1, -1], [0, 0]])}
    w = np.asfortranarray([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])[None]
    for x in (w, torch.tensor(np.array(w)).mT.contiguous().mT):
        assert np.asarray(Shared(labels)({"w": x[0]})["w"]).tolist() == [[1, 2], [2, 0], [1, 1]]
        assert np.asarray(Shared(labels)({"w": x})["w"]).tolist() == [[[1, 2], [2, 0], [1, 1]]]
        assert np.asarray(Summed(labels)({"w": x})["w"]).tolist() == [[[12, 5], [5, 0], [12, 12]]]


@pytest.mark.parametrize(
    ("call", "error", "rule"),
    [
        (lambda: kmeans([], 2), ValueError, "not empty"),
        (lambda: kmeans([1.0, np.nan], 2), ValueError, "finite"),
        (lambda: kmeans(["a"], 2), TypeError, "real numbers"),
        (lambda: kmeans([1.0], 0), ValueError, r"kmeans\.k must be a whole number of at least 1, got 0"),
        (lambda: kmeans([1.0], 1.5), ValueError, "whole number"),
        (lambda: share({"w": np.ones((2, 2))}, 0), ValueError, r"in \[1, 16\], got 0"),
        (lambda: share({"w": np.ones((2, 2))}, 17), ValueError, r"in \[1, 16\], got 17"),
        (lambda: share({"w": np.ones((2, 2))}, {}), ValueError, "given for 'w' too"),
        (lambda: share({"w": np.ones((2, 2))}, {"w": 1, "v": 1}), ValueError, "for names among"),
        (lambda: share({"b": np.ones(2)}, 2), ValueError, "two axes"),
        (lambda: share({"w": np.full((2, 2), np.inf)}, 2), ValueError, "finite"),
        (lambda: Shared([1]), TypeError, "a mapping"),
        (lambda: Summed({}), ValueError, "of one parameter or more"),
        (lambda: Summed({"w": np.ones(2)}), TypeError, "whole numbers"),
        (lambda: Shared({"w": np.ones((2, 2), int)})({"v": np.ones((1, 2, 2))}), ValueError, "among"),
        (lambda: Shared({"w": np.ones((2, 2), int)})({"w": np.ones((1, 3, 2))}), ValueError, "of shape"),
        (lambda: Summed([W]).of_rows([2])({"w": np.ones((1, 2, 2))}), ValueError, "of 3 rows or more, got 1"),
        (lambda: Summed([W, W])({"w": np.ones((3, 2, 2))}), ValueError, "of shape"),
        (lambda: Summed([]), ValueError, "of one row or more"),
        (lambda: Summed([W, {"v": W["w"]}]), ValueError, "alike in names and shapes"),
        (lambda: Shared([W, W]).check({"w": np.ones((2, 2))}, 3), ValueError, "of 3 rows, got 2"),
        (lambda: Shared({"w": np.ones((3, 2), int)}).check({"w": np.ones(2)}, 2), ValueError, "of shape"),
    ],
)
def test_bad_input(call: Any, error: type[Exception], rule: str) -> None:
    with pytest.raises(error, match=rule):
        call()


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU")
def test_on_a_gpu_the_same_values_and_they_stay_there() -> None:
    params = {"w": torch.tensor(normal(30, 40)), "b": torch.ones(30)}
    there = {n: p.cuda() for n, p in params.items()}
    books, others = share(params, 3), share(there, 3)
    found = others(there)["w"]
    assert found.is_cuda
    assert torch.equal(found.cpu(), books(params)["w"])
    for map in (Shared, Summed):
        torch.testing.assert_close(map(others.labels)(there)["w"].cpu(), map(books.labels)(params)["w"])


def test_codebooks_are_told_without_their_numbers() -> None:
    assert len(repr(Codebooks({"w": np.zeros(9)}, {"w": np.zeros((99, 9), int)}))) < 20
