"""Update rules: pure functions from a gradient and a state to a change of the weights.

A rule is a frozen dataclass with two functions. ``init(p)`` gives the state for parameters *p*;
``update(g, state, p, lr, step)`` gives (delta, new state), and the weights become *p + delta*. The rate is
an argument, never a field. Rules work on NumPy arrays and PyTorch tensors alike, for one run or, with arrays
as hyper-parameters, for K runs at once; they mutate nothing.

Symbols: *g* gradient, *p* parameters, *lr* rate, *step* the 0-based update number.
"""

from __future__ import annotations

from typing import Any, ClassVar

from optviz._knobs import config, knob, require

__all__ = ["SGD", "Adam", "AdamW", "EMAMomentum", "RMSprop"]

State = dict[str, Any]
NEARLY_ONE = 0.999999


def _weight_decay(default: float = 0.0) -> Any:
    return knob(default, 0.0, 0.1, hard=(0.0, 10.0), label="weight decay")


def _beta(default: float, label: str) -> Any:
    return knob(default, 0.0, 0.999, hard=(0.0, NEARLY_ONE), label=label)


def _eps(default: float = 1e-8) -> Any:
    return knob(default, 1e-10, 1e-2, hard=(1e-30, 1.0), label="eps", log=True)


@config
class SGD:
    """Gradient descent, plain, with heavy-ball momentum, or with Nesterov's look ahead.

    b ← momentum·b + (1 − dampening)·g (b ← g at the first update), then p ← p − lr·b, or with ``nesterov``
    p ← p − lr·(g + momentum·b). PyTorch's convention: with a constant gradient b grows to g/(1 − momentum).

    Args:
        momentum: share of the last buffer that is kept.
        nesterov: step along g + momentum·b.
        dampening: share of the gradient that is held back.
        weight_decay: adds weight_decay·p to the gradient (L2).

    Raises:
        ValueError: if ``nesterov`` comes without momentum or with dampening, or dampening without momentum.

    Example:
        >>> import numpy as np
        >>> rule, p = SGD(momentum=0.9), np.array([1.0])
        >>> state = rule.init(p)
        >>> for step in range(2):
        ...     delta, state = rule.update(2 * p, state, p, 0.1, step)
        ...     p = p + delta
        >>> p.round(2).tolist()
        [0.46]

    Reference: Polyak, 1964, doi:10.1016/0041-5553(64)90137-5; Sutskever et al., 2013 (ICML);
    ``torch.optim.SGD``.
    """

    momentum: float = _beta(default=0.0, label="momentum")
    nesterov: bool = False
    dampening: float = knob(default=0.0, low=0.0, high=0.9, hard=(0.0, 1.0), label="dampening")
    weight_decay: float = _weight_decay(default=0.0)
    elementwise: ClassVar[bool] = True

    def _check(self) -> None:
        if self.nesterov:
            require(self.momentum > 0, "SGD.momentum", "above 0 when nesterov is on", self.momentum)
            require(self.dampening == 0, "SGD.dampening", "0 when nesterov is on", self.dampening)
        if self.momentum == 0:
            require(self.dampening == 0, "SGD.dampening", "0 without momentum", self.dampening)

    def init(self, p: Any) -> State:
        return {"b": 0 * p}

    def update(self, g: Any, state: State, p: Any, lr: Any, step: int) -> tuple[Any, State]:
        g = _plus_decay(g, p, self.weight_decay)
        if _zero(self.momentum):
            return -lr * g, state
        new = g if step == 0 or _zero(self.dampening) else (1 - self.dampening) * g
        b = self.momentum * state["b"] + new  # at step 0 a copy of g: the caller may reuse its array
        return -lr * (g + self.momentum * b if self.nesterov else b), {"b": b}


@config
class EMAMomentum:
    """Momentum as an exponential moving average: m ← momentum·m + (1 − momentum)·g, p ← p − lr·m.

    With the same rate its steps are (1 − momentum) times those of :class:`SGD`: a tenth at 0.9. It starts at
    zero, so after t updates of a constant gradient m = (1 − momentumᵗ)·g.

    Args:
        momentum: share of the last average that is kept.
        unbiased: divide m by 1 − momentumᵗ, which removes the slow start.
        weight_decay: adds weight_decay·p to the gradient (L2).

    Example:
        >>> import numpy as np
        >>> rule, p = EMAMomentum(0.9), np.array([0.0])
        >>> rule.update(np.array([1.0]), rule.init(p), p, 1.0, 0)[0].round(3).tolist()
        [-0.1]

    Reference: Kingma and Ba, 2014, arXiv:1412.6980, section 3 (the first moment and its bias).
    """

    momentum: float = _beta(default=0.9, label="momentum")
    unbiased: bool = False
    weight_decay: float = _weight_decay(default=0.0)
    elementwise: ClassVar[bool] = True

    def init(self, p: Any) -> State:
        return {"m": 0 * p}

    def update(self, g: Any, state: State, p: Any, lr: Any, step: int) -> tuple[Any, State]:
        g = _plus_decay(g, p, self.weight_decay)
        m = self.momentum * state["m"] + (1 - self.momentum) * g
        return -lr * (m / (1 - self.momentum ** (step + 1)) if self.unbiased else m), {"m": m}


@config
class RMSprop:
    """Each weight's gradient divided by the root of its own mean square.

    v ← alpha·v + (1 − alpha)·g², then p ← p − lr·g/(√v + eps), or with momentum
    b ← momentum·b + g/(√v + eps), p ← p − lr·b. There is no bias correction: the first step is
    lr/√(1 − alpha) long, 10·lr at 0.99.

    Args:
        alpha: share of the old mean square that is kept.
        eps: keeps the division finite; added outside the root, as PyTorch does.
        momentum: share of the last buffer that is kept.
        weight_decay: adds weight_decay·p to the gradient (L2).

    Example:
        >>> import numpy as np
        >>> rule, p = RMSprop(), np.array([0.0])
        >>> rule.update(np.array([5.0]), rule.init(p), p, 0.01, 0)[0].round(3).tolist()
        [-0.1]

    Reference: Tieleman and Hinton, 2012, Coursera lecture 6.5; ``torch.optim.RMSprop``.
    """

    alpha: float = _beta(default=0.99, label="alpha")
    eps: float = _eps(default=1e-08)
    momentum: float = _beta(default=0.0, label="momentum")
    weight_decay: float = _weight_decay(default=0.0)
    elementwise: ClassVar[bool] = True

    def init(self, p: Any) -> State:
        return {"v": 0 * p, "b": 0 * p}

    def update(self, g: Any, state: State, p: Any, lr: Any, step: int) -> tuple[Any, State]:
        g = _plus_decay(g, p, self.weight_decay)
        v = self.alpha * state["v"] + (1 - self.alpha) * g * g
        b = self.momentum * state["b"] + g / (v**0.5 + self.eps)
        return -lr * b, {"v": v, "b": b}


@config
class Adam:
    """Momentum and per-weight scaling together, both corrected for starting at zero.

    m ← b1·m + (1 − b1)·g, v ← b2·v + (1 − b2)·g², and with n = step + 1
    p ← p − lr·(m/(1 − b1ⁿ)) / (√(v/(1 − b2ⁿ)) + eps).

    Args:
        b1: share of the old mean that is kept.
        b2: share of the old mean square that is kept.
        eps: keeps the division finite.
        weight_decay: adds weight_decay·p to the gradient (L2; see :class:`AdamW` for the other way).

    Example:
        >>> import numpy as np
        >>> rule, p = Adam(), np.array([0.0, 0.0])
        >>> rule.update(np.array([5.0, -0.001]), rule.init(p), p, 0.01, 0)[0].round(4).tolist()
        [-0.01, 0.01]

    Reference: Kingma and Ba, 2014, arXiv:1412.6980, algorithm 1; ``torch.optim.Adam``.
    """

    b1: float = _beta(default=0.9, label="b1 (mean)")
    b2: float = _beta(default=0.999, label="b2 (mean square)")
    eps: float = _eps(default=1e-08)
    weight_decay: float = _weight_decay(default=0.0)
    elementwise: ClassVar[bool] = True

    def init(self, p: Any) -> State:
        return {"m": 0 * p, "v": 0 * p}

    def update(self, g: Any, state: State, p: Any, lr: Any, step: int) -> tuple[Any, State]:
        return _adam(self, _plus_decay(g, p, self.weight_decay), state, lr, step)


@config
class AdamW:
    """Adam with the weight decay taken out of the gradient: p ← (1 − lr·weight_decay)·p, then Adam's step.

    Args:
        b1, b2, eps: as in :class:`Adam`.
        weight_decay: share of each weight, times the rate, that is taken away at each update.

    Example:
        >>> import numpy as np
        >>> rule, p = AdamW(weight_decay=0.1), np.array([1.0])
        >>> rule.update(np.array([0.0]), rule.init(p), p, 0.01, 0)[0].round(6).tolist()
        [-0.001]

    Reference: Loshchilov and Hutter, 2017, arXiv:1711.05101; ``torch.optim.AdamW`` (which multiplies the
    decay by the rate, where the paper multiplies it by the schedule alone).
    """

    b1: float = _beta(default=0.9, label="b1 (mean)")
    b2: float = _beta(default=0.999, label="b2 (mean square)")
    eps: float = _eps(default=1e-08)
    weight_decay: float = _weight_decay(default=0.01)
    elementwise: ClassVar[bool] = True

    def init(self, p: Any) -> State:
        return {"m": 0 * p, "v": 0 * p}

    def update(self, g: Any, state: State, p: Any, lr: Any, step: int) -> tuple[Any, State]:
        kept = 1 - lr * self.weight_decay
        delta, state = _adam(self, g, state, lr, step)
        return (kept - 1) * p + delta, state


def _adam(rule: Adam | AdamW, g: Any, state: State, lr: Any, step: int) -> tuple[Any, State]:
    m = rule.b1 * state["m"] + (1 - rule.b1) * g
    v = rule.b2 * state["v"] + (1 - rule.b2) * g * g
    n = step + 1
    root = (v / (1 - rule.b2**n)) ** 0.5
    return -lr * (m / (1 - rule.b1**n)) / (root + rule.eps), {"m": m, "v": v}


def _zero(value: Any) -> bool:
    return isinstance(value, float) and value == 0.0


def _plus_decay(g: Any, p: Any, weight_decay: Any) -> Any:
    # One shared zero is the common case: skip a pass over the weights. Rows that differ take the general way,
    # and adding 0·p changes nothing while p is finite.
    return g if _zero(weight_decay) else g + weight_decay * p
