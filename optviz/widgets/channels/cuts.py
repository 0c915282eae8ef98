"""Cuts of the channel explorer: scores, what goes, what follows it out, and what that costs; remembered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from cachetools import LRUCache

from optviz import ledger, losses, prune
from optviz.widgets.channels.networks import accuracy, renew
from optviz.widgets.channels.state import RANDOM, SCORES, TAYLOR, LabState

__all__ = ["Bar", "Costs", "Cut", "bars", "costs", "cut", "groups", "names"]

PROBE = 256  # training images that the scores are taken from
ROUNDS = 12  # of timing, each the median of three
_groups: LRUCache[Any, Any] = LRUCache(8)
_scores: LRUCache[Any, Any] = LRUCache(1_000)
_cuts: LRUCache[Any, Any] = LRUCache(1_000)  # at most 200 kB each
_costs: LRUCache[Any, Any] = LRUCache(4_000)
_SIDES = {"out": "outputs", "in": "inputs", "norm": "norms"}


@dataclass(frozen=True)
class Bar:
    """One side of one layer.

    Args:
        layer: its name on the page, such as "conv 2".
        kind: "outputs", "inputs" or "norms".
        before, after: numbers on that side.
    """

    layer: str
    kind: str
    before: int
    after: int


@dataclass(frozen=True, eq=False)
class Cut:
    """A network that was cut.

    Args:
        key: what determines it.
        scores, keep: group -> (U,) numbers, and (U,) bool: which units stay.
        small: the smaller module.
        accuracy: of it on the validation images, before any fine-tuning.
    """

    key: Any
    scores: Mapping[str, np.ndarray]
    keep: Mapping[str, np.ndarray]
    small: Any
    accuracy: float


@dataclass(frozen=True, eq=False)
class Costs:
    """What the whole, the masked and the shrunk network cost.

    Args:
        table: (3, 4) parameters, multiply–accumulates an image, bytes of the file, seconds a batch.
        quartiles: (3, 2) of the seconds; NaN until they are measured.
    """

    table: np.ndarray
    quartiles: np.ndarray


def groups(state: LabState, model: Any) -> list[Any]:
    """The groups of units of a network, in its order."""
    if state.network not in _groups:
        _groups[state.network] = prune.groups(model, example(state))
    return list(_groups[state.network])


def names(model: Any) -> dict[str, str]:
    """Module -> its name on the page: what it is, counted from 1."""
    kinds = {"Conv2d": "conv", "Linear": "linear", "BatchNorm2d": "norm"}
    found: dict[str, str] = {}
    for name, module in model.named_modules():
        kind = kinds.get(type(module).__name__)
        if kind is not None:
            found[name] = f"{kind} {sum(n.startswith(kind) for n in found.values()) + 1}"
    return found


def example(state: LabState, count: int = 1) -> Any:
    """Some validation images as one batch, over and over if there are fewer."""
    import torch

    X = state.images.validation.X
    return torch.tensor(X[np.arange(count) % len(X)], dtype=torch.float32)


def cut(state: LabState, seed: int, model: Any, share: float) -> Cut:
    """The network of a seed without this share of its units, those with the lowest scores."""
    import torch

    scores = _scored(state, seed, model)
    chosen = scores if state.layer == 0 else dict([list(scores.items())[_place(state, len(scores))]])
    keep = {n: np.asarray(k) for n, k in prune.choose_units(chosen, share).items()}
    renewing = state.renewed_norms and state.kind.norm
    key = (*state.trained, seed, renewing, *((n, k.tobytes()) for n, k in keep.items() if not k.all()))
    if key not in _cuts:
        small = prune.shrink(model, {n: torch.tensor(k) for n, k in keep.items()}, example(state))
        if renewing:
            renew(small, state.images)
        _cuts[key] = small, accuracy(small, state.images)
    return Cut(key, {n: np.asarray(s) for n, s in scores.items()}, keep, *_cuts[key])


def _place(state: LabState, count: int) -> int:
    """Which group is shown, and cut if it is not all."""
    return min(max(state.layer, 1), count) - 1


def _scored(state: LabState, seed: int, model: Any) -> Any:
    """Group -> (U,) scores of the network of a seed, larger for what counts more."""
    import torch

    key = *state.trained, seed, state.score
    if key in _scores:
        return _scores[key]
    if state.score == RANDOM:
        draw = np.random.default_rng(seed)
        found: Any = {group.name: torch.as_tensor(draw.random(group.size)) for group in groups(state, model)}
    else:
        X, y = (torch.tensor(np.array(part[:PROBE])) for part in (state.images.train.X, state.images.train.y))
        loss = (lambda out: losses.cross_entropy(out, y)) if state.score == TAYLOR else None
        found = prune.unit_scores(model, X.float(), SCORES[state.score], loss=loss)
    _scores[key] = found
    return found


def bars(state: LabState, model: Any, found: Cut) -> tuple[Bar, ...]:
    """Both sides of every layer, before and after the cut."""
    import torch

    keep = {n: torch.tensor(k) for n, k in found.keep.items()}
    after = {(c.layer, c.side): c.after for c in prune.follow(model, keep, example(state))}
    told = []
    for name, label in names(model).items():
        shape = model.get_submodule(name).weight.shape
        sides = {"norm": shape[0]} if len(shape) == 1 else {"in": shape[1], "out": shape[0]}
        told += [Bar(label, _SIDES[s], n, after.get((name, s), n)) for s, n in sides.items()]
    return tuple(told)


def costs(state: LabState, model: Any, found: Cut) -> Iterator[tuple[Costs, float]]:
    """Count at once, then time in slices, the three networks in turn: (costs, share done)."""
    import torch

    widths = tuple(p.shape for p in found.small.parameters())
    key = state.network, widths, state.timed
    if key in _costs:
        yield _costs[key], 0.0
        return
    keep = {n: torch.tensor(k) for n, k in found.keep.items()}
    models = [model, prune.silence(model, keep, example(state)), found.small]
    table = np.array([[*_counted(m, example(state)), np.nan] for m in models])
    seconds = np.full((ROUNDS, 3), np.nan)
    yield Costs(table, np.full((3, 2), np.nan)), 0.0
    batch = example(state, state.timed)
    for r in range(ROUNDS):
        seconds[r] = [t.median for t in ledger.latencies(models, batch, repeats=3, warmup=1)]
        if r < ROUNDS - 1:
            yield Costs(table, np.full((3, 2), np.nan)), (r + 1) / ROUNDS
    timed = np.concatenate([table[:, :3], np.median(seconds, axis=0)[:, None]], axis=1)
    done = Costs(timed, np.quantile(seconds, (0.25, 0.75), axis=0).T)
    _costs[key] = done
    yield done, 1.0


def _counted(model: Any, one: Any) -> tuple[int, int, int]:
    """Parameters, multiply–accumulates and bytes."""
    size = next(iter(ledger.sizes(model, (ledger.Dense(),)).values()))
    return ledger.parameters(model).total, sum(ledger.macs(model, one).values()), size
