"""A data set in three parts: to train on, to choose by, to report once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from optviz._knobs import require

__all__ = ["Data", "Split", "split"]


@dataclass(frozen=True, eq=False)
class Split:
    """Examples with their labels; the arrays are read-only.

    Args:
        X: float32 array of shape (N, D) or (N, C, H, W); images have values in [0, 1].
        y: int64 array of shape (N,), class ids from 0.

    Example:
        >>> from optviz import data
        >>> data.digits().validation
        Split(270 examples of shape (64,))
    """

    X: np.ndarray
    y: np.ndarray

    def __len__(self) -> int:
        return len(self.y)

    def __repr__(self) -> str:
        return f"Split({len(self):,} examples of shape {self.X.shape[1:]})"


@dataclass(frozen=True, eq=False)
class Data:
    """A data set in three parts that share no example.

    Args:
        name: what it is called.
        train, validation, test: fit on the first, choose by the second, report the third once.
        classes: number of classes.
        shape: shape of one example as an image (channels, height, width), or (D,) where it is none;
            ``X.reshape(-1, *shape)`` turns flat rows into images.
        source, license: where the data come from and what one may do with them.

    Example:
        >>> from optviz import data
        >>> data.digits()
        Data('digits', 1,257 + 270 + 270 examples, 10 classes, shape (1, 8, 8))
    """

    name: str
    train: Split
    validation: Split
    test: Split
    classes: int
    shape: tuple[int, ...]
    source: str = ""
    license: str = ""

    def __repr__(self) -> str:
        sizes = " + ".join(f"{len(part):,}" for part in (self.train, self.validation, self.test))
        return f"Data({self.name!r}, {sizes} examples, {self.classes} classes, shape {self.shape})"


def split(
    X: Any,
    y: Any,
    fractions: tuple[float, float, float] = (0.7, 0.15, 0.15),
    seed: int = 0,
    *,
    classes: int | None = None,
    name: str = "own data",
) -> Data:
    """Divide examples into train, validation and test, each with the same mix of classes.

    The parts have ``fractions`` of the examples up to rounding, as has every class up to two examples; within
    a part the order is random. The same seed gives the same parts on every machine. Values are converted to
    float32 but not rescaled: bring images to [0, 1] first.

    Args:
        X: examples, shape (N, D) or (N, C, H, W), finite numbers. Copied.
        y: class ids, shape (N,), whole numbers from 0. Copied.
        fractions: shares of train, validation and test, each above 0, together 1.
        seed: number that decides which example goes where.
        classes: number of classes; the largest label + 1 when not given.
        name: what to call the data set.

    Returns:
        A :class:`Data` with read-only arrays.

    Raises:
        ValueError: if shapes or lengths do not fit, a value is not finite, a label is not a whole number or
            out of range, the fractions are not three shares of 1, or a part would be empty.

    Example:
        >>> split(np.eye(20), np.arange(20) % 2)
        Data('own data', 14 + 3 + 3 examples, 2 classes, shape (20,))

    Reference:
        Stratified sampling; the role of the three parts: Hastie, Tibshirani and Friedman, The Elements of
        Statistical Learning, 2nd edition, 2009, section 7.2.
    """
    X, y = _examples(X), np.asarray(y)
    require(isinstance(seed, int) and seed >= 0, "split.seed", "a whole number of at least 0", seed)
    classes = _check_labels(y, len(X), classes)
    _check_fractions(fractions)
    y = y.astype(np.int64)
    parts = stratified(y, fractions, seed)
    for part, share, rows in zip(("train", "validation", "test"), fractions, parts, strict=True):
        require(
            len(rows) > 0, f"split.{part}", f"not empty (a share of {share} of {len(X)} examples)", len(rows)
        )
    train, validation, test = (frozen(X[rows], y[rows]) for rows in parts)
    return Data(name, train, validation, test, classes, X.shape[1:])


def frozen(X: np.ndarray, y: np.ndarray) -> Split:
    """A split of these very arrays, made read-only."""
    X.setflags(write=False)
    y.setflags(write=False)
    return Split(X, y)


def stratified(y: np.ndarray, fractions: tuple[float, ...], seed: int) -> list[np.ndarray]:
    """Row numbers of each part, in random order, every class in the given shares.

    The raw output of PCG64 is used, which NumPy promises never to change.
    """
    order = np.argsort(np.random.PCG64(seed).random_raw(len(y)), kind="stable")
    part = np.zeros(len(y), np.int64)
    before = 0
    for label in np.unique(y):
        members = order[y[order] == label]
        after, start = before + len(members), 0
        for number, share in enumerate(fractions[1:], start=1):
            # rounding the running total keeps the size of each part exact to one example
            stop = start + int(share * after + 0.5) - int(share * before + 0.5)
            part[members[start:stop]] = number
            start = stop
        before = after
    return [order[part[order] == number] for number in range(len(fractions))]


def _examples(X: Any) -> np.ndarray:
    X = np.asarray(X)
    require(X.ndim in (2, 4), "split.X", "of shape (N, D) or (N, C, H, W)", X.shape)
    require(X.dtype.kind in "fiub", "split.X", "numbers", str(X.dtype))
    require(X.size > 0, "split.X", "not empty", X.shape)
    X = X.astype(np.float32)
    bad = int((~np.isfinite(X)).sum())
    require(bad == 0, "split.X", "finite", f"{bad} values that are not")
    return X


def _check_labels(y: np.ndarray, n: int, classes: int | None) -> int:
    require(y.shape == (n,), "split.y", f"of shape ({n},), one label an example", y.shape)
    require(y.dtype.kind in "fiu", "split.y", "integer class ids", str(y.dtype))
    whole = y == np.floor(y) if y.dtype.kind != "f" else np.isfinite(y) & (y == np.floor(y))
    require(bool(whole.all()), "split.y", "whole numbers", y[~whole][:1].tolist())
    low, high = int(y.min()), int(y.max())
    require(low >= 0, "split.y", "at least 0", low)
    require(classes is None or high < classes, "split.y", f"below classes ({classes})", high)
    return high + 1 if classes is None else int(classes)


def _check_fractions(fractions: tuple[float, ...]) -> None:
    three = isinstance(fractions, tuple | list) and len(fractions) == 3
    ok = three and all(isinstance(f, int | float) and 0 < f < 1 for f in fractions)
    ok = ok and abs(sum(fractions) - 1) < 1e-6
    require(ok, "split.fractions", "three shares above 0 that add up to 1", fractions)
