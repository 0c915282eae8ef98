"""Activations of few bits inside a training: what a layer passes on is rounded in a range observed before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import cycle
from typing import Any

import numpy as np

from optviz._knobs import require
from optviz._rows import namespace
from optviz.problems import Classification, ModuleProblem
from optviz.quantize import from_range

__all__ = ["UNITS", "RoundedUnits"]

Params = Mapping[str, Any]
UNITS = ".units"  # behind the name of the layer that gets them
SEEN = 512  # training images that ranges are observed on


@dataclass(frozen=True)
class RoundedUnits:
    """A problem whose hidden units are rounded to b bits on their way to the next layer.

    x' = s · (clip(round(x / s) + Z, 0, 2^b − 1) − Z), with one scale s and one zero point Z for each layer;
    the gradient is 1 inside the code and 0 where x was clipped. The inputs of the network, images of few gray
    levels, stay as they are. s and Z are the parameter ``"NAME.units"`` = (s, Z), which has no gradient:
    :meth:`observe` finds them for weights as they are, and who trains puts them in.

    Args:
        problem: ``problems.digits(…)`` or another fully connected problem, or one of a module, whose Linear
            and Conv layers but the first get rounded inputs.
        bits: b in [1, 16].

    Raises:
        TypeError: if the problem is of another kind.
        ValueError: if bits are outside.

    Example:
        >>> from optviz import problems
        >>> start = RoundedUnits(problems.digits((8,)), 4).init(np.random.default_rng(0))
        >>> list(start)[-1], float(start["layer2.units"][1])  # after ReLU the zero point is 0
        ('layer2.units', 0.0)

    Reference: Jacob and others, 2018, arXiv:1712.05877, section 3.1 (training with simulated quantization).
    """

    problem: Any
    bits: int = 8

    def __post_init__(self) -> None:
        if not isinstance(self.problem, Classification | ModuleProblem):
            raise TypeError(
                f"RoundedUnits.problem must be fully connected or of a module, got {self.problem!r}"
            )
        whole = isinstance(self.bits, int | np.integer) and 1 <= self.bits <= 16
        require(whole, "RoundedUnits.bits", "a whole number in [1, 16]", self.bits)

    def init(self, generator: np.random.Generator) -> dict[str, Any]:
        """Weights as of the inner problem, and the codes of the units that they give."""
        drawn = dict(self.problem.init(generator))
        codes = self.observe({n: p[None] for n, p in drawn.items()})
        return drawn | {n: code[0] for n, code in codes.items()}

    def observe(self, params: Params) -> dict[str, Any]:
        """The codes of the units from the smallest to the largest on 512 training images.

        Args:
            params: weights of K rows, with codes or without.

        Returns:
            ``"NAME.units"`` → (K, 2): s and Z.
        """
        own, found = self._own(params), {}
        for name, (low, high) in _observed(self.problem, own).items():
            q = from_range(np.nan_to_num(low), np.nan_to_num(high), np.full(len(low), self.bits))
            code = np.stack([q.scale, q.zero_point], -1).astype(np.float32)
            like = next(iter(own.values()))
            xp = namespace(like)
            found[name + UNITS] = code if xp is np else xp.as_tensor(code).to(like)
        return found

    def batches(self, generator: np.random.Generator) -> Iterator[Any]:
        return iter(self.problem.batches(generator))

    def loss(self, params: Params, batch: Any, **extra: Any) -> Any:
        with self._rounding(params) as inner:
            loss = inner.loss(self._own(params), batch, **extra)
        # codes have the gradient 0, which autograd gives to what takes part only
        return loss + 0 * sum(p.sum() for n, p in params.items() if n.endswith(UNITS))

    @property
    def loss_and_grad(self) -> Callable[..., tuple[np.ndarray, dict[str, Any]]]:
        """Losses (K,) and gradients of all rows, where the inner problem has them in closed form."""
        self.problem.loss_and_grad  # noqa: B018 an AttributeError here says that there is none

        def rounded(params: Params, batch: Any, out: Any = None, **extra: Any) -> tuple[Any, Any]:
            grads = {n: np.empty_like(p) for n, p in params.items()} if out is None else out
            with self._rounding(params) as inner:
                loss, _ = inner.loss_and_grad(self._own(params), batch, out=self._own(grads), **extra)
            for name in params.keys() - self._own(params).keys():
                grads[name][...] = 0
            return loss, grads

        return rounded

    def metrics(self, params: Params) -> dict[str, np.ndarray]:
        if isinstance(self.problem, Classification):
            with self._rounding(params) as inner:
                return inner.metrics(self._own(params))
        found = []
        for k in range(len(next(iter(params.values())))):
            with self._rounding({n: p[k] for n, p in params.items()}) as inner:
                found.append(inner.metrics({n: p[k : k + 1] for n, p in self._own(params).items()}))
        return {name: np.concatenate([each[name] for each in found]) for name in found[0]}

    def _own(self, params: Params) -> dict[str, Any]:
        """Parameters of the inner problem."""
        return {n: p for n, p in params.items() if not n.endswith(UNITS)}

    @contextmanager
    def _rounding(self, params: Params) -> Iterator[Any]:
        """The inner problem while its units are rounded; codes are of one run, or of K rows."""
        codes = {n.removesuffix(UNITS): p for n, p in params.items() if n.endswith(UNITS)}
        top = 2**self.bits - 1
        if isinstance(self.problem, Classification):
            places = [(c[..., 0, None, None], c[..., 1, None, None]) for c in codes.values()]
            yield replace(self.problem, activation=_RoundedActivation(self.problem.activation, places, top))
            return
        layers = dict(self.problem.module.named_modules())

        def hook(code: Any) -> Any:
            return lambda layer, args: (_straight(args[0], code[0], code[1], top), *args[1:])

        hooks = [layers[n].register_forward_pre_hook(hook(code)) for n, code in codes.items()]
        try:
            yield self.problem
        finally:
            for each in hooks:
                each.remove()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.problem, name)


class _RoundedActivation:
    """An activation and the rounding behind it, layer after layer; the way back takes them last first."""

    def __init__(self, inner: Any, codes: list[tuple[Any, Any]], top: int) -> None:
        self.inner, self.codes, self.top = inner, cycle(codes), top
        self.tape: list[tuple[Any, Any]] = []

    def __call__(self, z: Any) -> Any:
        active, (s, zero) = self.inner(z), next(self.codes)
        if namespace(active) is not np:
            return _straight(active, s, zero, self.top)
        rounded, inside = _rounded(active, s, zero, self.top)
        self.tape.append((active, inside))
        return rounded

    def slope(self, z: Any, rounded: Any) -> Any:
        active, inside = self.tape.pop()
        return self.inner.slope(z, active) * inside


def _rounded(x: Any, s: Any, zero: Any, top: int) -> tuple[Any, Any]:
    """x' and where x was inside the code."""
    xp = namespace(x)
    codes = xp.round(x / s) + zero
    return s * (xp.clip(codes, 0, top) - zero), (codes >= 0) & (codes <= top)


def _straight(x: Any, s: Any, zero: Any, top: int) -> Any:
    """x' with the straight-through gradient, also while traced for K rows."""
    rounded, inside = _rounded(x, s, zero, top)
    return rounded.detach() + (x - x.detach()) * inside


def _observed(problem: Any, params: Params) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Layer that gets rounded units → the smallest and the largest of them (K,)."""
    if isinstance(problem, Classification):
        hidden = problem.layers(params, problem.data.train.X[:SEEN], training=False)[:-1]
        units = [np.asarray(layer.active).reshape(len(layer.active), -1) for layer in hidden]
        return {f"layer{i}": (u.min(1), u.max(1)) for i, u in enumerate(units, start=2)}
    rows = [_seen(problem, {n: p[k] for n, p in params.items()}) for k in range(len(_first(params)))]
    names = list(rows[0])[1:]  # the first layer gets the images
    return {n: (np.array([row[n][0] for row in rows]), np.array([row[n][1] for row in rows])) for n in names}


def _seen(problem: Any, params: Params) -> dict[str, tuple[float, float]]:
    """Layers of one network in the order of their use → ends of what goes in."""
    import torch
    from torch.func import functional_call

    kinds = (torch.nn.Linear, torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d)
    found: dict[str, tuple[float, float]] = {}

    def note(name: str) -> Any:
        def hook(layer: Any, args: Any) -> None:
            found[name] = float(args[0].min()), float(args[0].max())

        return hook

    layers = [(n, part) for n, part in problem.module.named_modules() if isinstance(part, kinds)]
    hooks = [part.register_forward_pre_hook(note(n)) for n, part in layers]
    try:
        with torch.no_grad():
            functional_call(problem.module, dict(params), (problem._train[0][:SEEN],))
    finally:
        for each in hooks:
            each.remove()
    return found


def _first(params: Params) -> Any:
    return next(iter(params.values()))
