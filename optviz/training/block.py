"""Rows that are updated in lockstep: their weights, their rules, one update after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from optviz import _rows
from optviz._knobs import require
from optviz.training.history import Run

__all__ = ["Block", "Map", "Maps", "Params", "Projection", "Weights", "blocks", "gathered"]

Params = Mapping[str, Any]
Map = Callable[[dict[str, Any]], Mapping[str, Any]]
Projection = Callable[[dict[str, Any], np.ndarray], Mapping[str, Any]]
ALL = slice(None)
CHUNK = 64  # rows that are updated together: bounds memory, and more gain no speed


class Maps(NamedTuple):
    """Maps that one training applies: how the loss sees the weights, to gradients, to updated weights."""

    view: Map | None = None
    grads: Map | None = None
    project: Projection | None = None

    def of_rows(self, rows: Sequence[int]) -> Maps:
        """The maps for some rows of a training: one that has ``of_rows`` itself is asked for its part."""
        own: list[Any] = list(self)
        return Maps(*(map.of_rows(list(rows)) if hasattr(map, "of_rows") else map for map in own))

    def check(self, params: Params, rows: int) -> None:
        """Let the maps that can, look whether they fit weights (*shape) in a training of K rows."""
        own: list[Any] = list(self)
        for map in own:
            if hasattr(map, "check"):
                map.check(params, rows)


class Block:
    """Rows of one seed that are updated in lockstep; their weights are rows of one flat buffer (k, P)."""

    def __init__(
        self, problem: Any, runs: list[Run], rows: list[int], params: Params, batches: Iterator[Any]
    ):
        groups = _rows.groups([run.optimizer for run in runs])
        order = [k for group in groups for k in group]  # each group becomes a slice
        self.problem, self.batches = problem, batches
        self.rows = [rows[k] for k in order]
        self.numpy = hasattr(problem, "loss_and_grad")
        self.maps = Maps()
        self.shapes = {name: tuple(p.shape[1:]) for name, p in params.items()}
        self.flat = _flat({name: p[order] for name, p in params.items()})
        self.extra = _extras([runs[k] for k in order])
        self.optimizers = [runs[k].optimizer for k in order]
        self.groups: list[tuple[slice, Any, dict[str, Any]]] = []
        end = 0
        for group in groups:
            here = slice(end, end := end + len(group))
            rules = self._rules(here)
            tensors = self._tensors(self.flat[here], rules)
            self.groups.append((here, rules, {n: rules[n].init(t) for n, t in tensors.items()}))
        self.finished: list[tuple[list[int], dict[str, Any]]] = []
        self._prepare()

    def _prepare(self) -> None:
        """What follows from the rows that there are: buffers, and the rules that want a second gradient."""
        self.params = self._views(self.flat)
        self.weights = [self._tensors(self.flat[here], rules) for here, rules, _ in self.groups]
        if self.numpy:
            self.gradient = np.empty_like(self.flat)
            self.gradients = self._views(self.gradient)
        self.climbing = [
            (here, _rows.stack(self.optimizers[here], self.flat[here]))
            for here, _, _ in self.groups
            if hasattr(self.optimizers[here.start], "probe")
        ]

    def _rules(self, here: slice) -> dict[str, Any]:
        """The rules of some rows as one for each tensor that they are given."""
        tensors = self._tensors(self.flat[here], self.optimizers[here.start])
        return {n: _rows.stack(self.optimizers[here], t) for n, t in tensors.items()}

    def advance(self, start: int, table: np.ndarray, loss: np.ndarray) -> None:
        """Do one update for each column of ``table``, writing the losses into ``loss``."""
        lr = np.ascontiguousarray(table[self.rows].T)  # (n, k)
        parts = [
            (here, rules, state, weights, {n: _rows.column(lr[:, here], p) for n, p in weights.items()})
            for (here, rules, state), weights in zip(self.groups, self.weights, strict=True)
        ]
        for i in range(len(lr) if self.rows else 0):
            batch = next(self.batches)
            losses, gradient = self._gradient(batch, self.flat)
            loss[self.rows, i] = losses
            if self.climbing:
                gradient = self._second(batch, gradient)
            for here, rules, state, weights, rates in parts:
                slopes = self._tensors(gradient[here], rules)
                for name, p in weights.items():
                    g, lr_now = slopes[name], rates[name][i]
                    delta, state[name] = rules[name].update(g, state[name], p, lr_now, start + i)
                    p += delta
            self._project(lr[i])

    def shown(self) -> dict[str, Any]:
        """The weights to test and to keep, as the loss sees them."""
        if not any(hasattr(rule, "evaluate") for _, rules, _ in self.groups for rule in rules.values()):
            return self._seen(self.params)
        params = self._views(self.flat + 0)
        for here, rules, state in self.groups:
            for name, p in self._tensors(self.flat[here], rules).items():
                if hasattr(rules[name], "evaluate"):
                    found = rules[name].evaluate(state[name], p)
                    for n, value in {name: found}.items() if name else self._views(found).items():
                        params[n][here] = value
        return self._seen(params)

    def metrics(self) -> dict[str, np.ndarray]:
        return self.problem.metrics(self.shown())

    def release(self, stopped: np.ndarray) -> list[int]:
        """Stop updating rows: they cost nothing any more, and their weights stay as they are.

        Where maps were given all rows stay, for a map may hold numbers for each of them.

        Args:
            stopped: (K,) bool, for the rows of the whole training.

        Returns:
            The numbers of the rows that are not updated any more since this call.
        """
        gone = [i for i, row in enumerate(self.rows) if stopped[row]]
        if not gone or self.maps != Maps():
            return []
        weights, rows = self.shown(), [self.rows[i] for i in gone]
        self.finished.append((rows, {n: p[gone] for n, p in weights.items()}))
        keep = [i for i, row in enumerate(self.rows) if not stopped[row]]
        groups, end = [], 0
        for here, _, state in self.groups:
            some = [i - here.start for i in keep if here.start <= i < here.stop]
            if some:
                states = {n: {key: v[some] for key, v in of.items()} for n, of in state.items()}
                groups.append((slice(end, end := end + len(some)), states))
        self.rows, self.optimizers = [self.rows[i] for i in keep], [self.optimizers[i] for i in keep]
        self.flat, self.extra = self.flat[keep], {n: v[keep] for n, v in self.extra.items()}
        self.groups = [(here, self._rules(here), states) for here, states in groups]
        self._prepare()
        return rows

    def _seen(self, params: dict[str, Any]) -> dict[str, Any]:
        """Weights as the loss sees them."""
        view = self.maps.view
        return params if view is None else _named("view", view(params), self.shapes)

    def _second(self, batch: Any, gradient: Any) -> Any:
        """The gradients with those of the rows that climb first replaced by the ones from up there.

        Only these rows are computed, unless maps were given, which may hold numbers for each row.
        """
        places = self.flat + 0
        for here, rule in self.climbing:
            places[here] += rule.probe(gradient[here], self.flat[here])
        if self.maps != Maps():
            _, everywhere = self._gradient(batch, places)
            for here, _ in self.climbing:
                gradient[here] = everywhere[here]
            return gradient
        for here, _ in self.climbing:
            _, gradient[here] = self._gradient(batch, places[here], here)
        return gradient

    def _gradient(self, batch: Any, flat: Any, rows: slice = ALL) -> tuple[Any, Any]:
        """Losses and gradients at the weights ``flat`` of some rows."""
        extra = {n: v[rows] for n, v in self.extra.items()}
        if self.numpy:
            mine = flat is self.flat
            gradient = self.gradient if mine else np.empty_like(flat)
            out = self.gradients if mine else self._views(gradient)
            seen = self._seen(self.params if mine else self._views(flat))
            losses, _ = self.problem.loss_and_grad(seen, batch, out=out, **extra)
        else:
            losses, gradient = self._autograd(batch, flat, extra)
        if self.maps.grads is not None:
            gradient = self._in_order("grads", self.maps.grads(self._views(gradient)))
        return losses, gradient

    def _project(self, lr: np.ndarray) -> None:
        """What is done to the weights after an update: by the problem, then by the map."""
        own = getattr(self.problem, "project", None)
        if own is not None:
            self.flat[...] = self._in_order("Problem.project", own(dict(self.params), lr, **self.extra))
        if self.maps.project is not None:
            self.flat[...] = self._in_order("project", self.maps.project(dict(self.params), lr))

    def _autograd(self, batch: Any, flat: Any, extra: dict[str, np.ndarray]) -> tuple[Any, Any]:
        import torch
        from torch.func import vmap

        leaves = {name: p.detach().requires_grad_() for name, p in self._seen(self._views(flat)).items()}
        extra = {n: _rows.column(v, flat[:, 0]) for n, v in extra.items()}

        def loss(params: dict[str, Any], extra: dict[str, Any]) -> Any:
            return self.problem.loss(params, batch, **extra)

        if getattr(self.problem, "vectorize", True):
            losses = vmap(loss)(leaves, extra)
        else:
            row = lambda values, k: {n: v[k] for n, v in values.items()}  # noqa: E731
            losses = torch.stack([loss(row(leaves, k), row(extra, k)) for k in range(len(flat))])
        found = torch.autograd.grad(losses.sum(), list(leaves.values()))
        return losses.detach().cpu().numpy(), self._in_order("view", dict(zip(leaves, found, strict=True)))

    def _in_order(self, name: str, values: Any) -> Any:
        """What a map gave as a flat buffer (k, P), whatever order the map put it in."""
        found = _named(name, values, self.shapes)
        return _flat({n: found[n] for n in self.shapes})

    def _views(self, flat: Any) -> dict[str, Any]:
        """Parameters by name as views of a flat buffer (k, P)."""
        views, start = {}, 0
        for name, shape in self.shapes.items():
            size = int(np.prod(shape))
            views[name] = flat[:, start : start + size].reshape(len(flat), *shape)
            start += size
        return views

    def _tensors(self, flat: Any, rules: Any) -> dict[str, Any]:
        """What a rule is given: the flat buffer where it works weight by weight, else tensor by tensor."""
        rule = next(iter(rules.values())) if isinstance(rules, dict) else rules
        return {"": flat} if getattr(rule, "elementwise", False) else self._views(flat)


class Weights(Mapping[str, Any]):
    """Weights of all rows in their order, gathered from the blocks when they are asked for."""

    def __init__(self, blocks: list[Block], rows: int) -> None:
        self.blocks, self.rows = blocks, rows

    def __getitem__(self, name: str) -> Any:
        parts = [(b.rows, b.shown()) for b in self.blocks if b.rows]
        parts += [part for b in self.blocks for part in b.finished]
        return gathered(self.rows, [(rows, {name: found[name]}) for rows, found in parts])[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.blocks[0].shapes)

    def __len__(self) -> int:
        return len(self.blocks[0].shapes)


def blocks(
    problem: Any,
    runs: Sequence[Run],
    seeds: tuple[int, ...],
    params: Params | None,
    maps: Maps,
) -> list[Block]:
    """The rows of a training in blocks: those of one seed together, at most ``CHUNK`` of them."""
    found = []
    for i, seed in enumerate(seeds):
        for start in range(0, len(runs), CHUNK):
            some = list(runs[start : start + CHUNK])
            rows = [(start + k) * len(seeds) + i for k in range(len(some))]
            order, weights = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(2))
            drawn = problem.init(weights)
            maps.check(drawn, len(runs) * len(seeds))
            if params is not None:
                _named("params", params, drawn)
            first = {n: _start(n, p, params, rows, len(runs) * len(seeds)) for n, p in drawn.items()}
            block = Block(problem, some, rows, first, problem.batches(order))
            block.maps = maps.of_rows(block.rows)
            found.append(block)
    return found


def _start(name: str, drawn: Any, params: Params | None, rows: list[int], total: int) -> Any:
    """Starting weights (k, *shape) of some rows: given ones, else the drawn ones for each row."""
    p, xp = drawn, _rows.namespace(drawn)
    if params is not None:
        p = params[name]
        if xp is np:
            p = np.asarray(p.detach().cpu() if hasattr(p, "detach") else p, dtype=drawn.dtype)
        else:
            p = xp.as_tensor(p, dtype=drawn.dtype, device=drawn.device)
        shapes = (tuple(drawn.shape), (total, *drawn.shape))
        require(
            tuple(p.shape) in shapes,
            f"params[{name!r}]",
            f"of shape {shapes[0]} or {shapes[1]}",
            tuple(p.shape),
        )
        if p.ndim > drawn.ndim:
            return p[rows]
    return xp.stack([p] * len(rows))


def _named(name: str, values: Any, names: Mapping[str, Any]) -> dict[str, Any]:
    """The values as a dict, which must have these names."""
    if not isinstance(values, Mapping):
        raise TypeError(f"{name} must give a mapping name -> array, got {values!r}")
    require(set(values) == set(names), name, f"a mapping with the names {list(names)}", list(values))
    return dict(values)


def _flat(params: dict[str, Any]) -> Any:
    """Parameters (k, *shape) side by side in one new array (k, P)."""
    first = next(iter(params.values()))
    return _rows.namespace(first).concatenate([p.reshape(len(first), -1) for p in params.values()], -1)


def _extras(runs: list[Run]) -> dict[str, np.ndarray]:
    """Per-run extras as name -> (k,); every run of a block must name the same ones."""
    names = {n for run in runs for n, _ in run.extra}
    for run in runs:
        require(
            {n for n, _ in run.extra} == names,
            "Run.extra",
            f"given for every run: {sorted(names)}",
            run.extra,
        )
    return {n: np.array([dict(run.extra)[n] for run in runs]) for n in sorted(names)}


def gathered(rows: int, parts: list[tuple[list[int], Mapping[str, Any]]]) -> dict[str, Any]:
    """Values of the blocks put into the order of the rows; NaN for rows that have none."""
    found: dict[str, Any] = {}
    whole = sum(len(here) for here, _ in parts) == rows
    for here, values in parts:
        for name, value in values.items():
            if name not in found:
                make = (
                    value.new_empty
                    if hasattr(value, "new_empty")
                    else lambda s, v=value: np.empty(s, v.dtype) if whole else np.full(s, np.nan)
                )
                found[name] = make((rows, *value.shape[1:]))
            found[name][here] = value
    return found
