"""What a comparison shows, said in words that claim no more than the numbers do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np

from optviz._knobs import require
from optviz.evaluation.intervals import Paired, check_level, holm_paired, seed_interval, wilson

__all__ = ["Verdict", "verdict"]


@dataclass(frozen=True)
class Verdict:
    """What a comparison shows, in words and in numbers.

    Args:
        headline: the result, one sentence of at most about 160 characters.
        sampling: the sampling error of the validation set, one sentence.
        best: label with the highest mean accuracy among the runs that finished; None if none did.
        ahead: labels that ``best`` is ahead of with confidence.
        pairs: label → :class:`Paired` of best minus that label, as fractions, with p-values adjusted after
            Holm over all pairs of runs and intervals that agree with them; empty with one seed.
        diverged: label → number of seeds in which it diverged, where there are any.

    Example:
        >>> Verdict("a is ahead of b.", "With 9 images …", "a", ("b",), {}, {}).text
        'a is ahead of b. With 9 images …'
    """

    headline: str
    sampling: str
    best: str | None
    ahead: tuple[str, ...]
    pairs: Mapping[str, Paired]
    diverged: Mapping[str, int]

    @property
    def text(self) -> str:
        """Both sentences."""
        return f"{self.headline} {self.sampling}".strip()


def verdict(
    values: Mapping[str, Any],
    n_examples: int,
    level: float = 0.95,
    *,
    examples: str = "validation images",
    runs: str = "runs",
    chance: float = 0.0,
) -> Verdict:
    """Say in words which run is ahead, by how much, and how sure that is.

    All pairs of runs that finished every seed are compared by paired t-tests over the seeds, corrected after
    Holm, so that with equal runs at most 1 − level of such verdicts name a leader. The spread of a difference
    is taken to be at least half an example. Runs with a NaN have diverged: they are named, not ranked, since
    dropping only their bad seeds would flatter them.

    Args:
        values: label → accuracies as fractions in [0, 1], shape (S,), one a seed in the same order; NaN where
            a run diverged.
        n_examples: number of examples that each accuracy was counted on.
        level: confidence of the statement, in (0, 1).
        examples: what those examples are called.
        runs: what the runs are, in the plural, e.g. ``"schedules"``.
        chance: the accuracy of guessing, e.g. 1 / classes; runs that are no better are named. 0 names none.

    Returns:
        A :class:`Verdict`.

    Raises:
        ValueError: if there is no run or no seed, the numbers of seeds differ, a value is outside [0, 1], or
            ``n_examples`` is below 1.

    Example:
        >>> print(verdict({"cosine": [0.96, 0.97, 0.95], "step": [0.93, 0.95, 0.92]}, 270).headline)
        cosine is ahead of step by 2.7 ± 1.4 points (3 seeds).

    Reference:
        Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6,
        65–70, 1979; Student, The probable error of a mean, Biometrika 6, 1–25, 1908.
    """
    check_level(level, "verdict")
    require(0 <= chance < 1, "verdict.chance", "in [0, 1)", chance)
    measured = _checked_runs(values, n_examples)
    seeds = len(next(iter(measured.values())))
    diverged = {name: int(np.isnan(v).sum()) for name, v in measured.items() if np.isnan(v).any()}
    ranked = {name: v for name, v in measured.items() if name not in diverged}
    best = max(ranked, key=lambda name: ranked[name].mean()) if ranked else None
    pairs = _against_best(ranked, best, n_examples, level) if best and seeds > 1 else {}
    ahead = tuple(name for name, pair in pairs.items() if pair.p <= 1 - level)
    headline = _headline(ranked, best, ahead, pairs, level, seeds, runs)
    guessing = [name for name, v in ranked.items() if v.mean() <= wilson(chance * n_examples, n_examples)[1]]
    if chance and guessing:
        headline += f"; {_listed(guessing)} no better than guessing ({100 * chance:.0f} %)"
    if diverged:
        fallen = _diverged(diverged, seeds)
        headline = f"{headline}; {fallen}" if headline else f"{fallen}: no ranking"
    sampling = _sampling(ranked, n_examples, level, examples)
    return Verdict(f"{headline}.", sampling, best, ahead, pairs, diverged)


def _checked_runs(values: Mapping[str, Any], n_examples: int) -> dict[str, np.ndarray]:
    runs = {str(name): np.asarray(v, float) for name, v in values.items()}
    shapes = {name: v.shape for name, v in runs.items()}
    ok = len(set(shapes.values())) == 1 and all(v.ndim == 1 and len(v) for v in runs.values())
    require(ok, "verdict.values", "runs with the same number of seeds, shape (S,), S >= 1", shapes)
    for name, v in runs.items():
        inside = np.isnan(v) | ((v >= 0) & (v <= 1))
        require(bool(inside.all()), f"verdict.values[{name!r}]", "fractions in [0, 1]", v[~inside].tolist())
    require(n_examples >= 1, "verdict.n_examples", "at least 1", n_examples)
    return runs


def _against_best(
    runs: Mapping[str, np.ndarray], best: str, n_examples: int, level: float
) -> dict[str, Paired]:
    """Best minus each other run, adjusted over all pairs: the best is chosen by looking at all of them."""
    every = list(combinations(runs, 2))
    ordered = [(b, a) if b == best else (a, b) for a, b in every]
    tested = holm_paired([(runs[a], runs[b]) for a, b in ordered], level, resolution=0.5 / n_examples)
    out = {
        other: replace(pair, mean=max(pair.mean, 0.0))  # never -1e-17
        for (one, other), pair in zip(ordered, tested, strict=True)
        if one == best
    }
    return dict(sorted(out.items(), key=lambda item: item[1].mean))


def _headline(
    runs: Mapping[str, np.ndarray],
    best: str | None,
    ahead: tuple[str, ...],
    pairs: Mapping[str, Paired],
    level: float,
    seeds: int,
    kind: str,
) -> str:
    """The sentence without its full stop; empty if no run finished."""
    if best is None:
        return ""
    if len(runs) == 1:
        mean, half = seed_interval(runs[best], level)
        spread = f" ± {100 * half:.1f} % ({seeds} seeds)" if seeds > 1 else " % (one seed)"
        return f"{_short(best)}: accuracy {100 * mean:.1f}{spread}"
    if seeds == 1:
        return "one seed only: no ranking; add seeds"
    others = list(pairs)  # the closest first
    if not ahead:
        return _level_runs(runs, best, others[0], pairs[others[0]], kind)
    nearest = next(name for name in others if name in ahead)
    by = f"by {_points(pairs[nearest])}"
    if len(others) == 1:
        return f"{_short(best)} is ahead of {_short(nearest)} {by}"
    if len(ahead) == len(others):
        everyone = "both others" if len(others) == 2 else f"all {len(others)} others"
        return f"{_short(best)} is ahead of {everyone}, of {_short(nearest)} {by}"
    unclear = _listed([name for name in others if name not in ahead])
    known = f"{len(ahead)} of {len(others)} others" if len(ahead) > 1 else _short(nearest)
    detail = f", of {_short(nearest)} {by}" if len(ahead) > 1 else f" {by}"
    return f"{_short(best)} is ahead of {known}{detail}; cannot tell it from {unclear} yet: add seeds"


def _level_runs(runs: Mapping[str, np.ndarray], best: str, second: str, pair: Paired, kind: str) -> str:
    two = f"{_short(best)} and {_short(second)}"
    if all(np.array_equal(v, runs[best]) for v in runs.values()):
        who = two if len(runs) == 2 else f"all {len(runs)} {kind}"
        return f"{who}: equal in each of {pair.n} seeds"
    gap = _points(pair).replace(" (", ", ").rstrip(")")
    if len(runs) == 2:
        return f"{two}: cannot tell apart yet ({gap}): add seeds"
    leads = f"{_short(best)} leads {_short(second)} by {gap}"
    return f"{len(runs)} {kind}: cannot tell apart yet ({leads}): add seeds"


def _points(pair: Paired) -> str:
    digits = 1 if 100 * pair.half_width >= 0.05 else 2
    return f"{100 * pair.mean:.{digits}f} ± {100 * pair.half_width:.{digits}f} points ({pair.n} seeds)"


def _diverged(diverged: Mapping[str, int], seeds: int) -> str:
    names = list(diverged)
    if seeds == 1 or len(names) > 2:
        return f"{_listed(names)} diverged" + ("" if seeds == 1 else f" in some of {seeds} seeds")
    return " and ".join(f"{_short(name)} diverged in {diverged[name]} of {seeds} seeds" for name in names)


def _sampling(runs: Mapping[str, np.ndarray], n_examples: int, level: float, examples: str) -> str:
    if not runs:
        return ""
    typical = float(np.median([v.mean() for v in runs.values()]))
    low, high = wilson(typical * n_examples, n_examples, level)
    return (
        f"With {n_examples:,} {examples} each accuracy has a sampling error of about "
        f"± {50 * (high - low):.1f} points."
    )


def _listed(names: list[str]) -> str:
    shown = [_short(name) for name in names[:2]]
    rest = len(names) - len(shown)
    return f"{', '.join(shown)} and {rest} more" if rest else " and ".join(shown)


def _short(name: str, width: int = 18) -> str:
    return name if len(name) <= width else f"{name[: width - 1]}…"
