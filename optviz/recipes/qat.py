"""Quantization-aware training from 8 bits to 2, beside the same networks rounded after their training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from optviz._knobs import require
from optviz._rows import chosen
from optviz.normalize import BatchNorm
from optviz.problems import Classification
from optviz.quantize import Granularity, PerTensor, Range
from optviz.recipes.few_bits import CHANNELS, EXTREMES, FewBits, LearnedSteps, check_levels, label_of
from optviz.recipes.frozen_norm import FROZEN, FoldedBits, FrozenNorm
from optviz.recipes.pruning import seeds_of
from optviz.recipes.rounded_units import RoundedUnits
from optviz.recipes.rounds import Reported, Rows, tiled
from optviz.training import Run, iterate
from optviz.training.block import gathered
from optviz.training.history import whole

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Rounding", "ptq", "qat"]

Params = Mapping[str, Any]
ALL = (8, 6, 4, 3, 2)


@dataclass(frozen=True, eq=False)
class Rounding(Reported):
    """Where networks of few bits stand. K = bits × seeds rows, bits-major; S seeds.

    Args:
        labels: K names of bits, such as "4 bits".
        seeds: K seeds.
        step: updates done; 0 before the first.
        steps: updates that there will be.
        loss: (K, n) training losses of the rounded networks since the last report.
        trained: name → (K,) metrics of the networks trained while rounded (QAT).
        after: name → (K,) metrics of networks trained without rounding for as many updates, then rounded
            (PTQ).
        full: name → (S,) metrics of these before they are rounded.
        params: name → (K, *shape) weights of the networks trained while rounded, as the loss sees them: on
            their levels. These and the following are valid until the next report where ``done`` is False.
        rounded: name → (K, *shape) weights of the networks of ``after``, on their levels.
        plain: name → (S, *shape) weights of the networks of ``full``.
        latent: name → (K, *shape) what is really trained: weights between the levels, learned steps.

    Example:
        >>> now = {"validation_accuracy": np.array([0.9])}
        >>> one = Rounding(("4 bits",), (0,), 5, 10, np.zeros((1, 5)), now, now, now)
        >>> one.progress, one.done
        (0.5, False)
    """

    labels: tuple[str, ...]
    seeds: tuple[int, ...]
    step: int
    steps: int
    loss: np.ndarray = field(repr=False)
    trained: Mapping[str, np.ndarray]
    after: Mapping[str, np.ndarray]
    full: Mapping[str, np.ndarray]
    params: Params = field(default_factory=dict, repr=False)
    rounded: Params = field(default_factory=dict, repr=False)
    plain: Params = field(default_factory=dict, repr=False)
    latent: Params = field(default_factory=dict, repr=False)

    def to_frame(self) -> pd.DataFrame:
        """A pandas table with one line a row: bits, seed, step, then each metric of QAT, PTQ and neither."""
        import pandas as pd

        columns: dict[str, Any] = {"bits": self.labels, "seed": self.seeds, "step": self.step}
        times = len(self.labels) // len(next(iter(self.full.values())))
        for name, values in self.trained.items():
            columns[f"{name} QAT"] = np.asarray(values)
            columns[f"{name} PTQ"] = np.asarray(self.after[name])
            columns[f"{name} full"] = np.tile(np.asarray(self.full[name]), times)
        return pd.DataFrame(columns)


def qat(
    problem: Any,
    run: Run,
    bits: Sequence[int | str] = ALL,
    steps: int = 400,
    *,
    seed: int | Sequence[int] = 0,
    params: Params | None = None,
    per: Granularity = CHANNELS,
    range: Range = EXTREMES,
    learned: bool = False,
    units: int | None = None,
    freeze: float = 0.5,
    every: int | None = None,
) -> Iterator[Rounding]:
    """Train networks while their weights are rounded, and beside them the same networks without.

    All bits and seeds train in one call, with the same images in the same order. What is trained without
    rounding is rounded for every report with the same bits, so both have had as many updates. Batch norm of
    a fully connected network is folded into the weights where they are rounded (:class:`FoldedBits`).

    Args:
        problem: what is trained, closed-form or of a module.
        run: optimizer and schedule.
        bits: B times bits of the weights in [2, 16], ``"ternary"`` or ``"binary"``.
        steps: updates.
        seed: one seed or S of them.
        params: weights to start from, (*shape) or (S, *shape), e.g. trained ones; those that the seeds draw
            when None.
        per: which weights share a scale.
        range: how the ends of the weights' codes are found; with ``learned`` of those rounded after only.
        learned: the steps of the trained codes are learned (LSQ), else they come from the weights.
        units: bits of the hidden units in [1, 16] (see :class:`RoundedUnits`); None leaves them as they are.
        freeze: share of the updates after which ranges of units and statistics of batch norm stay as they
            are; the loss then uses these statistics instead of those of its batch.
        every: updates between two reports, and between two observations; T/20 when None.

    Returns:
        An iterator of :class:`Rounding`, the first before the first update.

    Raises:
        TypeError: if ``problem`` is no problem, or ``run`` no run.
        ValueError: if bits are outside, ``learned`` with ternary or binary, ``freeze`` is outside [0, 1], or
            weights have wrong shapes.

    Example:
        >>> from optviz import optimizers, problems
        >>> run = Run(optimizers.SGD(0.9), 0.05)
        >>> *_, last = qat(problems.digits(), run, (8, 2), 150, learned=True)
        >>> bool(last.trained["validation_accuracy"][1] > last.after["validation_accuracy"][1] + 0.1)
        True

    Reference:
        Jacob and others, 2018, arXiv:1712.05877, section 3; Esser and others, 2019, arXiv:1902.08153 (learned
        steps); Krishnamoorthi, 2018, arXiv:1806.08342 (ranges frozen late).
    """
    levels, steps = check_levels(bits, "qat.bits"), whole("steps", steps)
    numbers = not any(isinstance(b, str) for b in levels)
    require(numbers or not learned, "qat.bits", "whole numbers where steps are learned", bits)
    require(0 <= freeze <= 1, "qat.freeze", "in [0, 1]", freeze)
    every = max(1, round(steps / 20)) if every is None else whole("every", every)
    rows = Rows(problem, run, seeds_of(seed), tuple(map(label_of, levels)), every)
    each = tuple(b for b in levels for _ in rows.seeds)
    start = rows.start(params)
    after = FewBits(each, per, range, tuple(chosen(start, None, rows=True)))
    plain = _seen(problem, units)
    rule = "PerChannel(0) where steps are learned beside batch norm, which gives each output a scale"
    require(not (_normed(plain) and learned and isinstance(per, PerTensor)), "qat.per", rule, per)
    return _Plan(rows, steps, after, plain, learned, freeze).reports(start)


def ptq(
    problem: Any,
    params: Params,
    bits: Sequence[int | str] = ALL,
    *,
    per: Granularity = CHANNELS,
    range: Range = EXTREMES,
    units: int | None = None,
) -> tuple[Any, dict[str, Any]]:
    """Round trained networks to several bits, as :func:`qat` does for what it is compared with.

    Args:
        problem: what they were trained on.
        params: weights of S networks, name → (S, *shape).
        bits, per, range, units: as for :func:`qat`.

    Returns:
        The problem to measure with, whose ``metrics`` round the units if they are to be, and the weights on
        their levels of B × S networks, bits-major, with the codes of their units.

    Raises:
        TypeError: as :class:`RoundedUnits`.
        ValueError: if bits are outside.

    Example:
        >>> from optviz import problems
        >>> task = problems.digits((8,))
        >>> start = {n: p[None] for n, p in task.init(np.random.default_rng(0)).items()}
        >>> seen, rounded = ptq(task, start, (4, "binary"), units=4)
        >>> sorted(rounded)[2], seen.metrics(rounded)["validation_accuracy"].shape
        ('layer2.units', (2,))

    Reference: Jacob and others, 2018, arXiv:1712.05877, section 3 (what training with rounding is held
    against).
    """
    levels, names = check_levels(bits, "ptq.bits"), tuple(chosen(params, None, rows=True))
    seeds = len(next(iter(params.values())))
    each = FewBits(tuple(b for b in levels for _ in np.arange(seeds)), per, range, names)
    seen = _seen(problem, units)
    return seen, _rounded(seen, _view(seen, each), tiled(params, len(levels)))


def _seen(problem: Any, units: int | None) -> Any:
    """The problem that measures rounded networks: with kept statistics of batch norm, with rounded units."""
    normed = isinstance(problem, Classification) and isinstance(problem.norm, BatchNorm)
    inner = FrozenNorm.of(problem) if normed else problem
    return inner if units is None else RoundedUnits(inner, units)


def _normed(seen: Any) -> FrozenNorm | None:
    """The part of it that keeps statistics, if there is batch norm."""
    inner = seen.problem if isinstance(seen, RoundedUnits) else seen
    return inner if isinstance(inner, FrozenNorm) else None


def _view(seen: Any, bits: FewBits) -> FewBits | FoldedBits:
    """How weights are rounded: folded with batch norm where there is one."""
    inner = _normed(seen)
    return bits if inner is None else FoldedBits(bits, inner.norm.eps)


def _statistics(seen: Any, params: Params) -> dict[str, Any]:
    """What batch norm keeps, observed with these weights; nothing without one."""
    inner = _normed(seen)
    return {} if inner is None else inner.observe(params)


def _codes(seen: Any, params: Params) -> dict[str, Any]:
    """Codes of the units, observed with these weights; nothing where units aren't rounded."""
    return seen.observe(params) if isinstance(seen, RoundedUnits) else {}


def _rounded(seen: Any, view: FewBits | FoldedBits, params: Params) -> dict[str, Any]:
    """Weights rounded after training, statistics from before, codes of the units behind such weights."""
    weights = view({**params, **_statistics(seen, params)})
    return {**weights, **_codes(seen, weights)}


@dataclass(frozen=True)
class _Plan:
    """What one training of :func:`qat` is made of."""

    rows: Rows
    steps: int
    after: FewBits
    plain: Any
    learned: bool
    freeze: float

    def reports(self, start: Params) -> Iterator[Rounding]:
        rows, plain, view = self.rows, self.plain, _view(self.plain, self.after)
        learning = LearnedSteps(plain, self.after.per, self.after.of) if self.learned else None
        whole = rows.for_all(start)
        begun = {**_rounded(plain, view, whole), **whole}
        held = _Held({n: p for n, p in begun.items() if n not in whole}, self.freeze == 0)
        begun.update(held.values)
        begun = learning.begin(begun, self.after.bits) if learning else begun  # type: ignore[arg-type]
        watched, seen = _Watched(view), learning.weights(begun) if learning else view(begun)
        rare: dict[str, Any] = {"every": rows.every, "measure": (rows.every or 1) * self.steps}
        coded = iterate(
            learning or plain, [replace(rows.run, label=label) for label in rows.labels], self.steps,
            seed=rows.seeds, params=begun, view=None if learning else watched,
            project=held if held.values else None, **rare,
        )  # fmt: skip
        full = iterate(rows.problem, [rows.run], self.steps, seed=rows.seeds, params=start, **rare)
        yield self._report(0, np.zeros((len(self.after.bits), 0)), (begun, seen), start)
        for now, beside in zip(coded, full, strict=True):
            at = now.step + 1
            latent, seen = learning.both(now.params) if learning else watched.both(now.params)
            if not held.frozen:
                seen = {**seen, **_statistics(plain, seen)}
            yield self._report(at, now.loss, (latent, seen), dict(beside.params))
            if held.values and not held.frozen:
                held.take({**_statistics(plain, seen), **_codes(plain, seen)}, at >= self.freeze * self.steps)

    def _report(self, at: int, loss: np.ndarray, both: Any, full: Params) -> Rounding:
        rows, plain, (latent, seen) = self.rows, self.plain, both
        rounded = _rounded(plain, _view(plain, self.after), rows.for_all(full))
        trained, after, before = plain.metrics(seen), plain.metrics(rounded), rows.problem.metrics(full)
        metrics, weights = (loss, trained, after, before), (dict(seen), rounded, full, dict(latent))
        return Rounding(rows.names, rows.seed_of_row, at, self.steps, *metrics, *weights)


class _Watched:
    """A view that knows what it was given and gave last: weights between the levels, and on them."""

    def __init__(self, view: Any, rows: Sequence[int] = ()) -> None:
        self.view, self.rows, self.check = view, list(rows), view.check
        self.parts: list[_Watched] = []
        self.last: tuple[Params, Params] = {}, {}

    def __call__(self, params: Params, lr: Any = None) -> dict[str, Any]:
        seen = self.view(params)
        self.last = params, seen
        return seen

    def of_rows(self, rows: Sequence[int]) -> _Watched:
        """The same view for some rows; what it sees is known here too."""
        self.parts.append(_Watched(self.view.of_rows(rows), rows))
        return self.parts[-1]

    def both(self, params: Params) -> tuple[dict[str, Any], dict[str, Any]]:
        """Weights of all K rows between the levels, and on them; ``params`` are those of a ``Step``."""
        params[next(iter(params))]  # asks each part for its weights as they are to be used
        count = sum(len(part.rows) for part in self.parts)
        own, seen = (gathered(count, [(part.rows, part.last[i]) for part in self.parts]) for i in (0, 1))
        return own, seen


class _Held:
    """A map that holds what was observed, until it is exchanged: codes of units, statistics of batch norm."""

    def __init__(self, values: Params, frozen: bool) -> None:
        self.values: Params = {}
        self.take(values, frozen)

    def take(self, values: Params, frozen: bool) -> None:
        """Hold other values, for good if they are frozen."""
        self.frozen = frozen
        self.values = {n: p + 1 if n == FROZEN and frozen else p for n, p in values.items()}

    def __call__(self, params: Params, lr: Any) -> dict[str, Any]:
        return {**params, **self.values}

    def of_rows(self, rows: Sequence[int]) -> Any:
        """The same map for some rows, which follows when values are exchanged."""
        return lambda params, lr: {**params, **{n: p[rows] for n, p in self.values.items()}}
