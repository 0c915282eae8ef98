"""Accuracy, intervals around what was measured, and tests of a difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from types import ModuleType
from typing import Any

import numpy as np

from optviz._knobs import require

__all__ = ["Paired", "accuracy", "holm", "holm_paired", "paired", "seed_interval", "wilson"]


def accuracy(predictions: Any, labels: Any) -> Any:
    """Share of examples whose largest logit, or predicted class, is the label: mean of [prediction = label].

    Args:
        predictions: logits or probabilities, floats of shape (N, C) or (K, N, C); or class ids, integers of
            shape (N,) or (K, N).
        labels: integer class ids, shape (N,).

    Returns:
        The accuracy of each run, a fraction in [0, 1], shape () or (K,). A run whose logits hold a NaN has
        diverged and gets NaN.

    Raises:
        ValueError: if the shapes do not agree, there is no example, or a label has no logit.

    Example:
        >>> float(accuracy(np.array([[0.1, 2.0], [3.0, 0.0]]), np.array([1, 1])))
        0.5

    Reference:
        ``sklearn.metrics.accuracy_score``, scikit-learn.org.
    """
    predictions, labels = np.asarray(predictions), np.asarray(labels)
    require(labels.ndim == 1 and len(labels) > 0, "accuracy.labels", "of shape (N,), N >= 1", labels.shape)
    n, lost = len(labels), None
    if predictions.dtype.kind == "f":
        ok = predictions.ndim >= 2 and predictions.shape[-2] == n and predictions.shape[-1] > 0
        require(ok, "accuracy.predictions", f"logits of shape ({n}, C) or (K, {n}, C)", predictions.shape)
        low, high, most = int(labels.min()), int(labels.max()), predictions.shape[-1] - 1
        require(low >= 0 and high <= most, "accuracy.labels", f"in 0 … {most}", low if low < 0 else high)
        lost = np.isnan(predictions).any(axis=(-2, -1))
        predictions = predictions.argmax(axis=-1)
    ok = predictions.ndim >= 1 and predictions.shape[-1] == n
    require(ok, "accuracy.predictions", f"class ids of shape ({n},) or (K, {n})", predictions.shape)
    share = (predictions == labels).mean(axis=-1)
    return share if lost is None else np.where(lost, np.nan, share)[()]


def wilson(correct: Any, total: Any, level: float = 0.95) -> tuple[Any, Any]:
    """Interval for a proportion that was counted: the p with |p̂ − p| ≤ z √(p (1 − p) / n).

    Unlike p̂ ± z √(p̂ (1 − p̂) / n) it stays inside [0, 1] and holds near 0 and 1, where accuracies live.

    Args:
        correct: number of successes, 0 … total; a number or an array.
        total: number of trials n, at least 1.
        level: share of such intervals that hold the true proportion, in (0, 1).

    Returns:
        (low, high), fractions in [0, 1].

    Raises:
        ValueError: if ``correct`` is not in 0 … total, total below 1, or ``level`` outside (0, 1).

    Example:
        >>> low, high = wilson(95, 100)
        >>> round(float(low), 3), round(float(high), 3)
        (0.888, 0.978)

    Reference:
        Wilson, Probable inference, the law of succession, and statistical inference, Journal of the American
        Statistical Association 22, 209–212, 1927.
    """
    check_level(level, "wilson")
    correct, n = np.asarray(correct, float), np.asarray(total, float)
    require(bool((n >= 1).all()), "wilson.total", "at least 1", total)
    require(
        bool(((correct >= 0) & (correct <= n)).all()), "wilson.correct", f"in 0 … {total}", correct.tolist()
    )
    z2 = NormalDist().inv_cdf((1 + level) / 2) ** 2
    p = correct / n
    center = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2 * (p * (1 - p) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    low = np.where(correct == 0, 0.0, center - half)  # exact where rounding would leave 1e-17
    return low[()], np.where(correct == n, 1.0, center + half)[()]


def seed_interval(values: Any, level: float = 0.95, axis: int = -1) -> tuple[Any, Any]:
    """Mean over seeds and the half-width of its interval: x̄ ± t · s / √S, with S − 1 degrees of freedom.

    It tells how far another set of seeds might move the mean, not how far another set of images might.

    Args:
        values: one number a seed along ``axis``, in any unit.
        level: share of such intervals that hold the true mean, in (0, 1).
        axis: the axis of the S seeds.

    Returns:
        (mean, half_width) in the unit of ``values``, with ``axis`` removed. With one seed the half-width is
        NaN: nothing is known about the spread.

    Raises:
        ValueError: if there is no value, or ``level`` is outside (0, 1).

    Example:
        >>> mean, half = seed_interval([0.95, 0.96, 0.97])
        >>> round(float(mean), 3), round(float(half), 3)
        (0.96, 0.025)

    Reference:
        Student, The probable error of a mean, Biometrika 6, 1–25, 1908.
    """
    check_level(level, "seed_interval")
    values = np.moveaxis(np.asarray(values, float), axis, -1)
    n = values.shape[-1]
    require(n > 0, "seed_interval.values", "at least one a seed", values.shape)
    mean = values.mean(axis=-1)
    if n == 1:
        return mean, np.full_like(mean, np.nan)[()]
    return mean, student(level, n) * values.std(axis=-1, ddof=1) / np.sqrt(n)


@dataclass(frozen=True)
class Paired:
    """A difference of two runs over the same seeds.

    Args:
        mean: mean of a − b, in the unit of the values.
        half_width: of the interval around it; NaN with one seed.
        p: probability of a difference at least as large if there were none; NaN with one seed.
        n: number of seeds.

    Example:
        >>> Paired(0.012, 0.005, 0.01, 5).mean
        0.012
    """

    mean: float
    half_width: float
    p: float
    n: int


def paired(a: Any, b: Any, level: float = 0.95, *, resolution: float = 0.0) -> Paired:
    """Paired t-test: t = d̄ / (s_d / √S) of the differences d = a − b, seed by seed.

    Runs of one seed share start and data order, so that most of the chance cancels in the difference.

    Args:
        a, b: one number a seed, shape (S,), in any unit, in the same order of seeds.
        level: share of such intervals that hold the true difference, in (0, 1).
        resolution: the spread s_d is taken to be at least this, in the unit of the values; 0 for a plain
            t-test. Accuracies are counted in images: two seeds that differ by the same one image do not
            show that the spread is 0.

    Returns:
        A :class:`Paired`. Without any spread p is 1 if all are equal and 0 if all differ by the same.

    Raises:
        ValueError: if the shapes differ, there is no seed, a value is not finite, or ``level`` is outside
            (0, 1).

    Example:
        >>> result = paired([0.95, 0.96, 0.97], [0.94, 0.94, 0.96])
        >>> round(result.mean, 4), round(result.half_width, 4), round(result.p, 3)
        (0.0133, 0.0143, 0.057)

    Reference:
        ``scipy.stats.ttest_rel``, docs.scipy.org.
    """
    check_level(level, "paired")
    a, b = np.asarray(a, float), np.asarray(b, float)
    ok = a.ndim == 1 and a.shape == b.shape and len(a) > 0
    require(ok, "paired.a and b", "of one shape (S,), S >= 1", (a.shape, b.shape))
    d = a - b
    require(bool(np.isfinite(d).all()), "paired.a and b", "finite", d.tolist())
    n, mean = len(d), float(d.mean())
    if n == 1:
        return Paired(mean, np.nan, np.nan, 1)
    error = max(float(d.std(ddof=1)), resolution) / np.sqrt(n)
    if error == 0:
        return Paired(mean, 0.0, 1.0 if mean == 0 else 0.0, n)
    return Paired(mean, float(student(level, n) * error), _two_sided(mean / error, n), n)


def holm(p_values: Any) -> np.ndarray:
    """p-values of m tests, raised so that any wrong rejection among them is as rare as with one test.

    In ascending order: p'_(i) = max over j ≤ i of min(1, (m − j + 1) p_(j)). Reject where p' ≤ 1 − level.

    Args:
        p_values: m probabilities in [0, 1], shape (m,).

    Returns:
        Adjusted p-values, shape (m,), in the order given.

    Raises:
        ValueError: if the shape is another, or a value is outside [0, 1] or NaN.

    Example:
        >>> holm([0.01, 0.04, 0.03]).tolist()
        [0.03, 0.06, 0.06]

    Reference:
        Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6,
        65–70, 1979.
    """
    p = np.asarray(p_values, float)
    require(p.ndim == 1, "holm.p_values", "of shape (m,)", p.shape)
    require(bool(((p >= 0) & (p <= 1)).all()), "holm.p_values", "in [0, 1]", p.tolist())
    order = np.argsort(p, kind="stable")
    raised = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(raised, 1.0)
    return adjusted


def holm_paired(
    pairs: Sequence[tuple[Any, Any]], level: float = 0.95, *, resolution: float = 0.0
) -> list[Paired]:
    """Paired t-tests of m pairs of runs, corrected after Holm, with intervals that agree with the p-values.

    Holm's procedure tests the pair with the i-th smallest p at 1 − (1 − level) / (m − i + 1), up to the first
    that it doesn't reject. Each interval has the level at which its pair was tested, so that it leaves out 0
    exactly where p' ≤ 1 − level.

    Args:
        pairs: m pairs (a, b) as in :func:`paired`, with two or more seeds.
        level: share of such sets of tests without a wrong rejection, in (0, 1).
        resolution: see :func:`paired`.

    Returns:
        m :class:`Paired`, in the order given, with adjusted p-values.

    Raises:
        ValueError: as :func:`paired`, or if a pair has one seed.

    Example:
        >>> good, bad = [0.95, 0.96, 0.97], [0.90, 0.92, 0.91]
        >>> [round(pair.p, 3) for pair in holm_paired([(good, bad), (good, good)])]
        [0.026, 1.0]

    Reference:
        Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6,
        65–70, 1979.
    """
    check_level(level, "holm_paired")
    p = np.array([paired(a, b, resolution=resolution).p for a, b in pairs])
    require(not bool(np.isnan(p).any()), "holm_paired.pairs", "of two or more seeds", len(p))
    adjusted, rank, alpha = holm(p), np.argsort(np.argsort(p, kind="stable")), 1 - level
    rejected = int((adjusted <= alpha).sum())
    tested = 1 - alpha / (len(p) - np.minimum(rank, rejected))
    found = [paired(a, b, own, resolution=resolution) for (a, b), own in zip(pairs, tested, strict=True)]
    return [replace(pair, p=float(raised)) for pair, raised in zip(found, adjusted, strict=True)]


def check_level(level: float, caller: str) -> None:
    """Refuse a level of confidence outside (0, 1)."""
    require(0 < level < 1, f"{caller}.level", "in (0, 1)", level)


def student(level: float, n: int) -> float:
    """Quantile of Student's t for a two-sided interval from n values."""
    return float(_special().stdtrit(n - 1, (1 + level) / 2))


def _two_sided(t: float, n: int) -> float:
    return float(2 * _special().stdtr(n - 1, -abs(t)))


def _special() -> ModuleType:
    from scipy import special  # type: ignore[import-untyped]  # here, since it takes a moment to load

    return special
