"""L0: a gate on each weight, or on each unit, that learns whether it is open."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from optviz._knobs import config, knob, require
from optviz._rows import namespace
from optviz.losses import sigmoid
from optviz.regularize._weights import Of, check_names, chosen, column, strengths
from optviz.regularize.figures import exact_zeros

__all__ = ["Gated", "HardConcrete", "l0"]

OPEN = ".open"  # behind the name of a weight: its gates' log α
EDGE = 1e-6  # uniform noise stays this far from 0 and 1, whose logits are infinite


@config
class HardConcrete:
    """A random gate in [0, 1] that is exactly 0, or exactly 1, with positive probability.

    s = σ((log u − log(1 − u) + log α) / temperature) with u uniform on (0, 1), stretched to (low, high) and
    cut off: z = min(1, max(0, s · (high − low) + low)). Since z is a smooth function of log α between the
    cuts, gradient descent can learn how likely a gate is open.

    Args:
        temperature: β: near 0 gates are 0 or 1, near 1 mostly between.
        low, high: γ < 0 and ζ > 1, the ends before the cut.

    Raises:
        ValueError: if the temperature is not above 0, ``low`` not below 0, or ``high`` not above 1.

    Example:
        >>> law = HardConcrete()
        >>> law.gates(np.array([-5.0, 0.0, 5.0]), 0.0).round(3).tolist()  # with u = ½
        [0.0, 0.5, 1.0]

    Reference: Louizos, Welling and Kingma, Learning sparse neural networks through L0 regularization, 2018,
    arXiv:1712.01312, section 2.3; β, γ and ζ are theirs.
    """

    temperature: float = knob(2 / 3, 0.1, 1.0, hard=(1e-3, 10.0))
    low: float = knob(-0.1, -1.0, -0.01, hard=(-10.0, -1e-3))
    high: float = knob(1.1, 1.01, 2.0, hard=(1.001, 10.0))

    def gates(self, log_alpha: Any, noise: Any) -> Any:
        """z, from log α and logistic noise log u − log(1 − u), which broadcast against each other."""
        return self._stretched(sigmoid((log_alpha + noise) / self.temperature)).clip(0, 1)

    def slope(self, log_alpha: Any, noise: Any) -> Any:
        """dz / d log α: 0 where the gate is cut off."""
        s = sigmoid((log_alpha + noise) / self.temperature)
        z = self._stretched(s)
        return s * (1 - s) * ((self.high - self.low) / self.temperature) * ((z > 0) & (z < 1))

    def likely(self, log_alpha: Any) -> Any:
        """P(z ≠ 0) = σ(log α − temperature · log(−low / high))."""
        return sigmoid(log_alpha - self.temperature * math.log(-self.low / self.high))

    def settled(self, log_alpha: Any) -> Any:
        """The gate without noise, for testing: min(1, max(0, σ(log α) · (high − low) + low))."""
        return self._stretched(sigmoid(log_alpha)).clip(0, 1)

    def below(self, z: Any, log_alpha: Any) -> Any:
        """P(gate ≤ z) for 0 ≤ z < 1, the distribution function."""
        s = (z - self.low) / (self.high - self.low)
        return sigmoid(self.temperature * np.log(s / (1 - s)) - log_alpha)

    def _stretched(self, s: Any) -> Any:
        return s * (self.high - self.low) + self.low


LAW: Any = HardConcrete(2 / 3, -0.1, 1.1)


@dataclass(frozen=True)
class Gated:
    """A problem whose weights are multiplied by random gates that are learned; made by :func:`l0`.

    L = L_data(w · z) + l0 · Σ P(z ≠ 0), each gate counted as often as it has weights. Its parameters are
    those of the inner problem, and ``"NAME.open"`` for each gated weight: log α of its gates. Metrics are
    those of the network with settled gates, and ``gates_closed``, the share of its gated weights that are
    exactly 0. Where another technique touches "all with two or more axes", give it the names it is for.

    Args:
        problem: any problem.
        of: names of the gated weights; None for all with two or more axes.
        axis: None for a gate on each weight; 0 for one on each unit that the weights lead to, 1 for one on
            each unit that they come from.
        start: probability-like share in (0, 1) at which gates start: log α = log(start / (1 − start)).
        law: the distribution of the gates.

    Raises:
        TypeError: if ``of`` is not a tuple of names.
        ValueError: if ``axis`` or ``start`` is something else.

    Example:
        >>> from optviz import problems
        >>> start = Gated(problems.digits((8,))).init(np.random.default_rng(0))
        >>> start["weight1"].shape == start["weight1.open"].shape
        True

    Reference: Louizos, Welling and Kingma, Learning sparse neural networks through L0 regularization, 2018,
    arXiv:1712.01312.
    """

    problem: Any
    of: Of = None
    axis: int | None = None
    start: float = 0.9
    law: HardConcrete = LAW

    def __post_init__(self) -> None:
        check_names(self.of)
        require(self.axis in (None, 0, 1), "l0.axis", "None, 0 or 1", self.axis)
        number = isinstance(self.start, int | float | np.number) and 0 < self.start < 1
        require(number, "l0.start", "in (0, 1)", self.start)

    def init(self, generator: np.random.Generator) -> dict[str, Any]:
        """Weights as without gates, and log α near its start, a little different everywhere."""
        (chance,) = generator.spawn(1)  # so that the weights start as they do without gates
        params, center = dict(self.problem.init(generator)), math.log(self.start / (1 - self.start))
        for name in chosen(params, self.of, rows=False):
            w = params[name]
            log_alpha = center + 0.01 * chance.normal(size=self._shape(w)).astype(np.float32)
            params[name + OPEN] = log_alpha if namespace(w) is np else namespace(w).as_tensor(log_alpha).to(w)
        return params

    def batches(self, generator: np.random.Generator) -> Iterator[Any]:
        """Batches of the inner problem, in the same order, with logistic noise for all gates behind each."""
        (chance,) = generator.spawn(1)
        shapes = self._shapes()
        for batch in self.problem.batches(generator):
            noise = {name: _logistic(shape, chance) for name, shape in shapes.items()}
            X, xp = batch[0], namespace(batch[0])
            yield *batch, noise if xp is np else {n: xp.as_tensor(v).to(X.device) for n, v in noise.items()}

    def loss(self, params: Mapping[str, Any], batch: Any, l0: Any = 0.0, **extra: Any) -> Any:
        """The loss of one run with its gates drawn, and the expected number of open ones times ``l0``."""
        *inner, noise = batch
        seen, total = self._own(params), 0.0
        for name, z in noise.items():
            log_alpha = params[name + OPEN]
            total = total + self.law.likely(log_alpha).sum() * self._count(seen[name], log_alpha)
            seen[name] = seen[name] * self.law.gates(log_alpha, z)
        return self.problem.loss(seen, tuple(inner), **extra) + l0 * total

    @property
    def loss_and_grad(self) -> Callable[..., tuple[np.ndarray, dict[str, Any]]]:
        """Losses (K,) and gradients of all rows, where the inner problem has them in closed form."""
        inner = self.problem.loss_and_grad  # an AttributeError here says that there is none

        def gated(params: Any, batch: Any, out: Any = None, **extra: Any) -> tuple[Any, Any]:
            given, (*rest, noise) = strengths(extra.pop("l0", 0.0), "l0"), batch
            own = self._own(params)
            z = {name: self.law.gates(params[name + OPEN], noise[name]) for name in noise}
            seen = own | {name: own[name] * gate for name, gate in z.items()}
            loss, grads = inner(seen, tuple(rest), out=None if out is None else self._own(out), **extra)
            for name, gate in z.items():
                added, grads[name + OPEN] = self._opening(params, grads, name, noise[name], given)
                grads[name] *= gate
                loss = loss + given * added
            return loss, grads if out is None else _into(out, grads)

        return gated

    def _opening(
        self, params: Mapping[str, Any], grads: Mapping[str, Any], name: str, noise: Any, strength: np.ndarray
    ) -> tuple[Any, Any]:
        """Expected number of open weights (K,), and the gradient of the whole loss by log α."""
        w, log_alpha = params[name], params[name + OPEN]
        likely, count = self.law.likely(log_alpha), self._count(w[0], log_alpha[0])
        felt = grads[name] * w
        over = tuple(i for i in range(1, w.ndim) if log_alpha.shape[i] != w.shape[i])
        data = felt.sum(over, keepdims=True) if over else felt
        pull = column(strength, log_alpha, "l0") * count * likely * (1 - likely)
        total = count * likely.reshape(len(w), -1).sum(-1)
        return total, data * self.law.slope(log_alpha, noise) + pull

    def weights(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The network to use: the inner problem's parameters, gated ones times their settled gates.

        Args:
            params: of one run, or of K rows.
        """
        gates = {name: self.law.settled(p) for name, p in params.items() if name.endswith(OPEN)}
        # the sum turns −0 into 0
        return {n: p * gates[n + OPEN] + 0 if n + OPEN in gates else p for n, p in self._own(params).items()}

    def metrics(self, params: Mapping[str, Any]) -> dict[str, np.ndarray]:
        settled = self.weights(params)
        gated = tuple(name.removesuffix(OPEN) for name in params if name.endswith(OPEN))
        return {**self.problem.metrics(settled), "gates_closed": exact_zeros(settled, gated)}

    @property
    def project(self) -> Callable[..., dict[str, Any]]:
        """What the inner problem does to its weights after an update, where it does something."""
        inner = self.problem.project

        def projected(params: Mapping[str, Any], lr: Any, l0: Any = 0.0, **extra: Any) -> dict[str, Any]:
            return {**params, **inner(self._own(params), lr, **extra)}

        return projected

    def _own(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Parameters of the inner problem."""
        return {name: p for name, p in params.items() if not name.endswith(OPEN)}

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the gates of one run by the name of their weight."""
        start = self.problem.init(np.random.default_rng(0))
        return {name: self._shape(start[name]) for name in chosen(start, self.of, rows=False)}

    def _shape(self, w: Any) -> tuple[int, ...]:
        return tuple(n if self.axis in (None, i) else 1 for i, n in enumerate(w.shape))

    def _count(self, w: Any, log_alpha: Any) -> float:
        """Weights behind one gate."""
        return math.prod(w.shape) / math.prod(log_alpha.shape)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.problem, name)


def l0(problem: Any, of: Of = None, *, axis: int | None = None, start: float = 0.9) -> Gated:
    """Count weights instead of measuring them: L = L_data(w · z) + l0 · E[number of gates that are open].

    Every weight, or every unit, gets a random gate z from the hard concrete distribution; its log α is
    learned with the weights. At the end the noise is left out, and gates that are 0 have removed something.
    Adam suits log α, which has to move by several units while its gradients are tiny.

    Args:
        problem: any problem.
        of: names of the gated weights; None for all with two or more axes.
        axis: None for a gate on each weight; 0 for one on each unit that the weights lead to (rows), 1 for
            one on each unit that they come from (columns).
        start: where gates start, in (0, 1): near 1 they are open.

    Returns:
        A problem with the extra ``l0``, one strength a run (loss per weight), parameters ``"NAME.open"``, and
        the method ``weights(params)`` for the network to use.

    Raises:
        TypeError: if ``of`` is not a tuple of names.
        ValueError: if ``axis`` or ``start`` is something else.

    Example:
        >>> from optviz import Run, optimizers, problems, train
        >>> runs = [Run(optimizers.Adam(), 0.02, str(s), (("l0", s),)) for s in (0.0, 3e-3)]
        >>> closed = train(l0(problems.digits()), runs, 200)["gates_closed"][:, -1]
        >>> bool(closed[0] < 0.05), bool(closed[1] > 0.3)
        (True, True)

    Reference: Louizos, Welling and Kingma, Learning sparse neural networks through L0 regularization, 2018,
    arXiv:1712.01312.
    """
    return Gated(problem, of, axis, start)


def _logistic(shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    """log u − log(1 − u) of uniform numbers u."""
    u = generator.random(shape, np.float32).clip(EDGE, 1 - EDGE)
    return np.log(u) - np.log1p(-u)


def _into(out: dict[str, Any], grads: Mapping[str, Any]) -> dict[str, Any]:
    for name, place in out.items():
        if grads[name] is not place:
            place[...] = grads[name]
    return out
