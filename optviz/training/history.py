"""What goes into a comparison and what comes out: Run, Step and History."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from optviz._files import write_atomic
from optviz._knobs import require
from optviz.schedules import rates
from optviz.schedules.combine import check_warmup

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["History", "Run", "Step", "rate_table", "require_problem", "several", "whole"]


@dataclass(frozen=True)
class Run:
    """One row of a comparison.

    Args:
        optimizer: an update rule of ``optviz.optimizers``.
        schedule: a schedule, any callable step -> rate, or a number for a constant rate.
        label: the name in pictures and sentences; made from the schedule when empty.
        extra: pairs (name, value) handed to the problem's loss, e.g. ``(("smoothing", 0.1),)``.

    Raises:
        TypeError: if the optimizer has no ``update``, the schedule cannot be called, or ``extra`` are no
            pairs.

    Example:
        >>> from optviz.optimizers import SGD
        >>> Run(SGD(), 0.1).label
        'Constant(lr=0.1)'
    """

    optimizer: Any
    schedule: Any
    label: str = ""
    extra: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        from optviz.schedules import Constant

        if not callable(getattr(self.optimizer, "update", None)) or isinstance(self.optimizer, type):
            raise TypeError(f"Run.optimizer must be a rule like SGD(momentum=0.9), got {self.optimizer!r}")
        if isinstance(self.schedule, int | float | np.number) and not isinstance(self.schedule, bool):
            object.__setattr__(self, "schedule", Constant(float(self.schedule)))
        if not callable(self.schedule) or isinstance(self.schedule, type):
            raise TypeError(
                f"Run.schedule must be a schedule or callable step -> rate, got {self.schedule!r}"
            )
        if not self.label:
            name = getattr(self.schedule, "__name__", repr(self.schedule))
            object.__setattr__(self, "label", name)
        pairs = isinstance(self.extra, tuple | list) and all(
            isinstance(p, tuple | list) and len(p) == 2 for p in self.extra
        )
        if not pairs:
            raise TypeError(f"Run.extra must be pairs (name, value), got {self.extra!r}")
        object.__setattr__(self, "extra", tuple(sorted((str(n), float(v)) for n, v in self.extra)))


@dataclass(frozen=True)
class Step:
    """What a training yields every few updates. K is the number of rows (1 for one module).

    Args:
        step: 0-based number of the last update done; −1 before the first.
        lr: (K, n) rates used by the n updates since the last ``Step``.
        loss: (K, n) training losses of those updates' batches, before each update.
        metrics: name -> (K,) values measured now, e.g. ``validation_accuracy``.
        params: name -> (K, *shape) weights now. Valid until the next iteration: copy what you keep.

    Example:
        >>> Step(0, np.array([[0.1]]), np.array([[2.3]]), {}, {}).step
        0
    """

    step: int
    lr: np.ndarray
    loss: np.ndarray
    metrics: Mapping[str, np.ndarray]
    params: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class History:
    """The record of K runs over T updates.

    Args:
        labels: K names. With several seeds the rows are run-major: run 0 with each seed, then run 1, …
        seeds: K seeds.
        steps: (T,) 0-based update numbers.
        series: name -> (K, T, …) values; ``lr`` and ``loss`` at every update, metrics where they were
            measured and NaN elsewhere.
        params: name -> (K, *shape) final weights (may be empty).

    Example:
        >>> h = History(("a", "b"), (0, 0), np.arange(2), {"loss": np.array([[2.0, 1.0], [2.0, 1.5]])})
        >>> h["loss"][:, -1].tolist(), h.select("b").labels
        ([1.0, 1.5], ('b',))
    """

    labels: tuple[str, ...]
    seeds: tuple[int, ...]
    steps: np.ndarray
    series: Mapping[str, np.ndarray]
    params: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        k, t = len(self.labels), len(self.steps)
        require(len(self.seeds) == k, "History.seeds", f"{k} seeds, one a row", self.seeds)
        for name, values in self.series.items():
            require(
                values.shape[:2] == (k, t),
                f"History.series[{name!r}]",
                f"of shape ({k}, {t}, …)",
                values.shape,
            )

    def __getitem__(self, name: str) -> np.ndarray:
        """The series ``name``, shape (K, T, …)."""
        if name not in self.series:
            raise KeyError(f"no series {name!r}; there are {sorted(self.series)}")
        return self.series[name]

    def measured(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Update numbers (M,) and values (K, M) of a series where any row has a value."""
        values = self[name]
        there = ~np.all(np.isnan(values), axis=0)
        return self.steps[there], values[:, there]

    def by_run(self, name: str) -> dict[str, np.ndarray]:
        """The series ``name`` by label: label -> (S, T), one row a seed."""
        values = self[name]
        return {
            label: values[[i for i, x in enumerate(self.labels) if x == label]]
            for label in dict.fromkeys(self.labels)
        }

    def select(self, *labels: str, seed: int | None = None) -> History:
        """Only the rows with these labels (all when none is given) and this seed.

        Raises:
            ValueError: if no row is left.
        """
        keep = [
            i
            for i, (label, s) in enumerate(zip(self.labels, self.seeds, strict=True))
            if (not labels or label in labels) and (seed is None or s == seed)
        ]
        require(len(keep) > 0, "labels", f"among {sorted(set(self.labels))}", labels)
        return History(
            tuple(self.labels[i] for i in keep),
            tuple(self.seeds[i] for i in keep),
            self.steps,
            {n: v[keep] for n, v in self.series.items()},
            {n: v[keep] for n, v in self.params.items()},
        )

    def concat(self, other: History) -> History:
        """The rows of both, over the same updates and with the series that both have.

        Raises:
            ValueError: if the update numbers differ.
        """
        same = np.array_equal(self.steps, other.steps)
        require(same, "other.steps", "the same updates", (len(self.steps), len(other.steps)))
        shared = [n for n in self.series if n in other.series]
        alike = [
            n
            for n in self.params
            if n in other.params and self.params[n].shape[1:] == other.params[n].shape[1:]
        ]
        return History(
            self.labels + other.labels,
            self.seeds + other.seeds,
            self.steps,
            {n: np.concatenate([self[n], other[n]]) for n in shared},
            {n: np.concatenate([self.params[n], other.params[n]]) for n in alike},
        )

    def to_frame(self) -> pd.DataFrame:
        """A pandas table with one line for each row and update: label, seed, step, then the series."""
        import pandas as pd

        k, t = len(self.labels), len(self.steps)
        columns: dict[str, Any] = {
            "label": np.repeat(np.array(self.labels, dtype=object), t),
            "seed": np.repeat(self.seeds, t),
            "step": np.tile(self.steps, k),
        }
        flat = {n: v.reshape(k * t) for n, v in self.series.items() if v.ndim == 2}
        return pd.DataFrame(columns | flat)

    def save(self, path: str | Path) -> Path:
        """Write everything to one ``.npz`` file, whole or not at all, without pickle.

        Returns:
            The path written, which ends in ``.npz``.

        Raises:
            OSError: if the folder cannot be written.
        """
        meta = {"format": 1, "labels": self.labels, "seeds": [int(s) for s in self.seeds]}
        arrays = {f"series/{n}": v for n, v in self.series.items()}
        arrays |= {f"params/{n}": np.asarray(v) for n, v in self.params.items()}
        buffer = io.BytesIO()
        np.savez(buffer, meta=np.array(json.dumps(meta)), steps=self.steps, **arrays)  # type: ignore[arg-type]
        target = Path(path) if str(path).endswith(".npz") else Path(f"{path}.npz")
        write_atomic(target, buffer.getvalue())
        return target

    @classmethod
    def load(cls, path: str | Path) -> History:
        """Read what :meth:`save` wrote.

        Raises:
            ValueError: if the file is damaged or no history.
            OSError: if there is none, or it cannot be read.
        """
        content = io.BytesIO(Path(path).read_bytes())
        try:
            with np.load(content, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            meta = json.loads(str(arrays.pop("meta")))
            steps = arrays.pop("steps")
            parts: dict[str, dict[str, np.ndarray]] = {"series": {}, "params": {}}
            for key, value in arrays.items():
                group, name = key.split("/", 1)
                parts[group][name] = value
            return cls(tuple(meta["labels"]), tuple(meta["seeds"]), steps, parts["series"], parts["params"])
        except Exception as error:  # damage surfaces as almost any error of zipfile, json or NumPy
            raise ValueError(
                f"path must be an undamaged history file, got {str(path)!r} ({error})"
            ) from error

    @classmethod
    def collect(cls, labels: Sequence[str], seeds: Sequence[int], steps: Iterable[Step]) -> History:
        """Put the steps of a training together; the last one's weights are kept as copies.

        Args:
            labels, seeds: K of each.
            steps: what ``iterate`` or ``Trainer.steps`` yields.

        Returns:
            The history of all updates that were yielded.
        """
        lr, loss, measured, last = [], [], [], None
        for last in steps:
            lr.append(last.lr)
            loss.append(last.loss)
            measured.append((last.step, {n: np.array(v) for n, v in last.metrics.items()}))
        if last is None:
            raise ValueError("steps must be at least one Step, got none")
        series = {"lr": np.concatenate(lr, axis=1), "loss": np.concatenate(loss, axis=1)}
        done = np.arange(last.step + 1 - series["loss"].shape[1], last.step + 1)
        for at, values in measured:
            for name, value in values.items():
                column = series.setdefault(name, np.full((len(labels), len(done)), np.nan))
                if done.size and at >= done[0]:
                    column[:, at - done[0]] = value
        params = {n: _copied(v) for n, v in last.params.items()}
        return cls(tuple(labels), tuple(seeds), done, series, params)


def rate_table(runs: Sequence[Run], steps: int) -> np.ndarray:
    """The rate of every run at every update.

    Args:
        runs: K runs.
        steps: T updates.

    Returns:
        (K, T) float64 array.

    Raises:
        TypeError: if ``runs`` are no runs.
        ValueError: if there are no runs or steps, a warm-up is longer than the run, or a rate is negative or
            not finite, naming the run and the update.

    Example:
        >>> from optviz.optimizers import SGD
        >>> rate_table([Run(SGD(), 0.1)], 3).tolist()
        [[0.1, 0.1, 0.1]]
    """
    runs, steps = several(runs), whole("steps", steps)
    for run in runs:
        check_warmup(run.schedule, steps)
    table = np.stack([rates(run.schedule, np.arange(steps)) for run in runs])
    bad = np.argwhere(~(np.isfinite(table) & (table >= 0)))
    if len(bad):
        k, t = bad[0]
        name = f"rate of {runs[k].label!r} at update {t}"
        raise ValueError(f"{name} must be a finite number of at least 0, got {table[k, t]}")
    return table


def require_problem(problem: Any, *more: str) -> None:
    """Refuse what cannot be trained.

    Args:
        problem: what should be a :class:`~optviz.problems.Problem`.
        more: further attributes that it must have.

    Raises:
        TypeError: naming what it lacks.

    Example:
        >>> require_problem("digits")
        Traceback (most recent call last):
        ...
        TypeError: problem must be a Problem (it lacks 'init'), got 'digits'
    """
    for name in ("init", "batches", "metrics", "loss", *more):
        if isinstance(problem, type) or not hasattr(problem, name):
            lack = f"it lacks {name!r}" if not isinstance(problem, type) else "not a class"
            raise TypeError(f"problem must be a Problem ({lack}), got {problem!r}")


def several(runs: Any) -> tuple[Run, ...]:
    """The runs of a comparison as a tuple.

    Raises:
        TypeError: if they are no runs.
        ValueError: if there are none.
    """
    found = tuple(runs) if isinstance(runs, Iterable) else (None,)
    if not all(isinstance(run, Run) for run in found):
        raise TypeError(f"runs must be a sequence of Run objects, got {runs!r}")
    require(len(found) > 0, "runs", "at least one Run", found)
    return found


def whole(name: str, value: Any) -> int:
    """A whole number of at least 1.

    Raises:
        ValueError: if it is not, naming it.
    """
    number = isinstance(value, int | np.integer) and not isinstance(value, bool)
    require(number and int(value) >= 1, name, "a whole number of at least 1", value)
    return int(value)


def _copied(value: Any) -> np.ndarray:
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    return np.array(value)
