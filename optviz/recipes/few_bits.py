"""Weights of few bits inside a training: rounded as the loss sees them, with given or with learned steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from optviz._knobs import require
from optviz._rows import check_names, chosen, namespace
from optviz.quantize import (
    Granularity,
    MinMax,
    PerChannel,
    Range,
    binarize,
    choose_qparams,
    fake_quantize,
    lsq,
    lsq_ends,
    lsq_grad,
    lsq_start,
    ternarize,
)
from optviz.training.history import require_problem

__all__ = ["FewBits", "LearnedSteps", "check_levels", "label_of"]

Params = Mapping[str, Any]
CHANNELS, EXTREMES = PerChannel(0), MinMax()
SIGNS: dict[str, Callable[..., tuple[Any, Any]]] = {"ternary": ternarize, "binary": binarize}
STEP, BITS = ".step", ".bits"  # behind the name of a weight
SMALLEST = 1e-6  # a step stays above 0


@dataclass(frozen=True)
class FewBits:
    """A map params → params that rounds the weights of K rows, each to bits of its own.

    Give it to ``train`` as ``view``: the loss sees w' = s · round(w / s), and its gradient there is applied
    to w itself, straight through. s comes anew from the weights before each update. With the range min–max
    nothing is clipped, so every weight is inside its code and gets the gradient; with other ranges, and with
    ternary and binary, large weights get it too.

    Args:
        bits: K times bits in [2, 16] of a symmetric code, ``"ternary"`` (α · {−1, 0, 1}) or ``"binary"``
            (α · {−1, 1}).
        per: which weights share a scale.
        range: how the ends are found; not for ternary and binary.
        of: names of weights; None for all with two or more axes.

    Raises:
        TypeError: if ``of`` is no tuple of names.
        ValueError: if there are no bits or they are something else.

    Example:
        >>> view = FewBits((2, 3, "binary"))
        >>> view({"w": np.array([[[1.0, 0.3]]] * 3)})["w"].round(2).tolist()
        [[[1.0, 0.0]], [[1.0, 0.33]], [[0.65, 0.65]]]

    Reference:
        Jacob and others, 2018, arXiv:1712.05877, section 3; Li, Zhang and Liu, 2016, arXiv:1605.04711
        (ternary); Rastegari and others, 2016, arXiv:1603.05279 (binary).
    """

    bits: tuple[int | str, ...]
    per: Granularity = CHANNELS
    range: Range = EXTREMES
    of: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "bits", check_levels(self.bits, "FewBits.bits"))
        check_names(self.of)

    def __call__(self, params: Params, lr: Any = None) -> dict[str, Any]:
        names = chosen(params, self.of, rows=True)
        return {n: self._rounded(p) if n in names else p for n, p in params.items()}

    def of_rows(self, rows: Sequence[int]) -> FewBits:
        """The same map for some rows of a training, in the order given."""
        return FewBits(tuple(self.bits[row] for row in rows), self.per, self.range, self.of)

    def check(self, params: Params, rows: int) -> None:
        """Look whether it fits weights (*shape) of one network in a training of ``rows`` rows."""
        require(len(self.bits) == rows, "FewBits.bits", f"for {rows} rows", len(self.bits))
        for name in chosen(params, self.of, rows=False):
            self.per.shape(tuple(params[name].shape))

    def _rounded(self, p: Any) -> Any:
        require(len(p) == len(self.bits), "FewBits.bits", f"for {len(p)} rows", len(self.bits))
        out = p + 0
        whole = [k for k, b in enumerate(self.bits) if b not in SIGNS]
        if whole:
            own = [self.bits[k] for k in whole]
            q = choose_qparams(p[whole], own, self.per, symmetric=True, range=self.range)
            out[whole] = fake_quantize(p[whole], q)
        finite = namespace(p).isfinite(p.reshape(len(p), -1)).all(1)  # a row that diverged keeps its NaN
        for kind, levels in SIGNS.items():
            rows = [k for k, b in enumerate(self.bits) if b == kind and finite[k]]
            if rows:
                signs, alpha = levels(p[rows], per=self.per, rows=True)
                out[rows] = _spread(alpha, signs) * signs
        return out


@dataclass(frozen=True)
class LearnedSteps:
    """A problem whose weights are rounded with steps that are learned: LSQ.

    The loss sees w' = s · round(clip(w / s, −2^(b−1), 2^(b−1) − 1)). Beside those of the inner problem it has
    the parameters ``"NAME.step"``, s, and ``"NAME.bits"``, b, which has no gradient. After an update a step
    that would be 0 or below is set to 10⁻⁶.

    Args:
        problem: any problem.
        per: which weights share a step: ``PerTensor()`` or ``PerChannel(0)``.
        of: names of the rounded weights; None for all with two or more axes.

    Raises:
        TypeError: if ``problem`` is no problem, or ``of`` is no tuple of names.

    Example:
        >>> from optviz import problems
        >>> start = LearnedSteps(problems.digits((8,))).init(np.random.default_rng(0))
        >>> start["weight1.step"].shape, start["weight1.bits"].tolist()
        ((8, 1), [8.0])

    Reference: Esser and others, Learned step size quantization, 2019, arXiv:1902.08153.
    """

    problem: Any
    per: Granularity = CHANNELS
    of: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        require_problem(self.problem)
        check_names(self.of)

    def init(self, generator: np.random.Generator) -> dict[str, Any]:
        """Weights as of the inner problem, 8 bits, and steps for them."""
        drawn = dict(self.problem.init(generator))
        return {n: p[0] for n, p in self.begin({n: p[None] for n, p in drawn.items()}, (8,)).items()}

    def begin(self, params: Params, bits: Sequence[int]) -> dict[str, Any]:
        """Weights of K rows with what a training of K different bits needs.

        Args:
            params: name → (K, *shape), of the inner problem.
            bits: K times bits in [2, 16].

        Raises:
            ValueError: if bits are outside, or not as many as rows.
        """
        _, high = lsq_ends(np.asarray(bits))
        found = dict(params)
        for name in chosen(params, self.of, rows=True):
            w = params[name]
            require(len(high) == len(w), "LearnedSteps.begin.bits", f"for {len(w)} rows", bits)
            xp = namespace(w)
            top = high.reshape(-1, *(1 for _ in w.shape[1:])).astype(np.float32)
            found[name + STEP] = lsq_start(w, top if xp is np else xp.as_tensor(top), self.per, rows=True)
            own = np.asarray(bits, np.float32)[:, None]
            found[name + BITS] = own.astype(w.dtype) if xp is np else xp.as_tensor(own).to(w)
        return found

    def weights(self, params: Params, rows: bool = True) -> dict[str, Any]:
        """The network to use: the inner problem's parameters, weights rounded with their steps.

        Args:
            params: of K rows, or of one run.
            rows: whether the first axis is that of K rows.
        """
        own = self._own(params)
        return {n: lsq(p, *_code(params, n, rows)) if n + STEP in params else p for n, p in own.items()}

    def both(self, params: Params) -> tuple[dict[str, Any], dict[str, Any]]:
        """What is trained of K rows, and the network to use."""
        found = dict(params)
        return found, self.weights(found)

    def batches(self, generator: np.random.Generator) -> Iterator[Any]:
        return iter(self.problem.batches(generator))

    def loss(self, params: Params, batch: Any, **extra: Any) -> Any:
        loss = self.problem.loss(self.weights(params, rows=False), batch, **extra)
        # bits have the gradient 0, which autograd gives to what takes part only
        return loss + 0 * sum(p.sum() for n, p in params.items() if n.endswith(BITS))

    @property
    def loss_and_grad(self) -> Callable[..., tuple[np.ndarray, dict[str, Any]]]:
        """Losses (K,) and gradients of all rows, where the inner problem has them in closed form."""
        inner = self.problem.loss_and_grad  # an AttributeError here says that there is none

        def stepped(params: Params, batch: Any, out: Any = None, **extra: Any) -> tuple[Any, Any]:
            loss, slopes = inner(self.weights(params), batch, **extra)
            grads = dict(slopes)
            for name in [n.removesuffix(STEP) for n in params if n.endswith(STEP)]:
                code = _code(params, name, True)
                grads[name], grads[name + STEP] = lsq_grad(slopes[name], params[name], *code)
                grads[name + BITS] = np.zeros_like(params[name + BITS])
            for name, place in (out or {}).items():
                place[...] = grads[name]
            return loss, grads if out is None else out

        return stepped

    def metrics(self, params: Params) -> dict[str, np.ndarray]:
        return self.problem.metrics(self.weights(params))

    def project(self, params: Params, lr: Any, **extra: Any) -> dict[str, Any]:
        """Steps stay above 0 and bits whole, whatever a rule such as weight decay did to them."""
        own = getattr(self.problem, "project", None)
        found = {**params, **(own(self._own(params), lr, **extra) if own is not None else {})}
        for name, p in params.items():
            if name.endswith(STEP):
                found[name] = p.clip(SMALLEST, None)
            elif name.endswith(BITS):
                found[name] = p.round()
        return found

    def _own(self, params: Params) -> dict[str, Any]:
        """Parameters of the inner problem."""
        return {n: p for n, p in params.items() if not n.endswith((STEP, BITS))}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.problem, name)


def check_levels(bits: Any, name: str) -> tuple[int | str, ...]:
    """Bits in [2, 16], "ternary" or "binary", as a tuple.

    Raises:
        ValueError: naming what is something else.

    Example:
        >>> check_levels([8, "binary"], "bits")
        (8, 'binary')
    """
    rule = f"whole numbers in [2, 16] or of {list(SIGNS)}, at least one"
    found: tuple[Any, ...] = tuple(bits) if isinstance(bits, tuple | list) else (bits,)
    numbers = all(b in SIGNS if isinstance(b, str) else _whole(b) for b in found)
    require(numbers and len(found) > 0, name, rule, bits)
    return tuple(b if isinstance(b, str) else int(b) for b in found)


def label_of(bits: int | str) -> str:
    """How bits are named in tables and pictures.

    Example:
        >>> label_of(4), label_of("binary")
        ('4 bits', 'binary')
    """
    return bits if isinstance(bits, str) else f"{bits} bits"


def _whole(bits: Any) -> bool:
    return isinstance(bits, int | np.integer) and not isinstance(bits, bool) and bool(2 <= bits <= 16)


def _code(params: Params, name: str, rows: bool) -> tuple[Any, Any, Any]:
    """Step and ends of the code of one weight; the ends of :func:`quantize.lsq_ends`, also while traced."""
    bits, w = params[name + BITS], params[name]
    high = 2 ** (bits - 1) - 1
    high = high.reshape(-1, *(1 for _ in w.shape[1:])) if rows else high[0]
    return params[name + STEP], -high - 1, high


def _spread(alpha: Any, signs: Any) -> Any:
    """Scales as they broadcast against their weights; those of groups are repeated."""
    if alpha.ndim <= signs.ndim:
        return alpha
    size = signs.shape[-1] // alpha.shape[-2]
    shape = (*alpha.shape[:-1], size)
    return namespace(alpha).broadcast_to(alpha, shape).reshape(signs.shape)
