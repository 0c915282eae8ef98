"""Trial pruning: remove some weights at random, look at the loss, and keep that or take it back."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np

from optviz._knobs import require
from optviz._rows import namespace
from optviz.problems import Classification
from optviz.training.history import require_problem, whole

__all__ = ["Trial", "row_losses", "try_out"]

Params = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Trial:
    """One proposal and what became of it.

    Args:
        index: number of the proposal, from 0.
        weights: how many weights it would remove.
        loss: the loss without them.
        limit: the largest loss that is accepted.
        accepted: whether they stay removed.
        best: the loss of the network after the decision.
        sparsity: share of the prunable weights at 0 after the decision.
        evaluations: losses of whole networks computed so far, with those of proposals that had to be
            thrown away because one before them was accepted.
        seconds: time so far.
        masks: name -> (*shape) bool after the decision, True where a weight is kept. Valid until the next.

    Example:
        >>> Trial(0, 1, 0.3, 0.2, False, 0.2, 0.0, 2, 0.1, {}).accepted
        False
    """

    index: int
    weights: int
    loss: float
    limit: float
    accepted: bool
    best: float
    sparsity: float
    evaluations: int
    seconds: float
    masks: Mapping[str, Any] = field(repr=False)


def try_out(
    problem: Any,
    params: Params,
    *,
    block: int = 1,
    tries: int | None = None,
    tolerance: float = 0.0,
    batches: int = 1,
    together: int = 1,
    generator: np.random.Generator,
) -> Iterator[Trial]:
    """Propose random weights one block after the other; a block goes if the loss stays below its limit.

    Accept if L(w without the block) ≤ L(w) + tolerance, with w the network so far, else put the block back.
    Blocks are pieces of a random order of all weights that are left; when all have been proposed, a new
    order is drawn. Nothing is retrained.

    ``together`` proposals are computed in one call, each as a row that starts from the network so far. Those
    behind the first accepted one started from a network that is no more, and are computed again. So every
    decision is the same as one by one; it is faster while few are accepted.

    Args:
        problem: closed-form or of a module.
        params: name -> (*shape) trained weights of one network; those with two or more axes are prunable.
        block: weights in a proposal.
        tries: proposals; None for one pass, in which each weight is proposed once.
        tolerance: how much the loss may rise with each proposal, at least 0.
        batches: how many training batches the loss is the mean over; the same ones for all proposals.
        together: proposals that are computed in one call.
        generator: draws the batches and the order of the weights.

    Returns:
        An iterator of :class:`Trial`, one a proposal.

    Raises:
        TypeError: if ``problem`` is no problem, or ``generator`` no NumPy generator.
        ValueError: if a count is below 1, the block is larger than the network, or the tolerance negative.

    Example:
        >>> from optviz import optimizers, problems
        >>> from optviz.training import Run, train
        >>> h = train(problems.digits(), [Run(optimizers.SGD(0.9), 0.1)], 100)
        >>> trained = {name: p[0] for name, p in h.params.items()}
        >>> random = np.random.default_rng(0)
        >>> *_, last = try_out(problems.digits(), trained, tries=20, generator=random)
        >>> last.index, last.evaluations, last.best <= last.limit
        (19, 21, True)

    Reference: the rule is hill climbing with random removals; an early account of computing the error without
    each weight: Reed, Pruning algorithms: a survey, 1993, IEEE Transactions on Neural Networks 4, 740–747,
    doi:10.1109/72.248452.
    """
    require_problem(problem)
    if not isinstance(generator, np.random.Generator):
        raise TypeError(f"generator must be a NumPy generator, got {generator!r}")
    shapes = {n: tuple(p.shape) for n, p in params.items() if p.ndim >= 2}
    size = sum(int(np.prod(shape)) for shape in shapes.values())
    require(size > 0, "params", "with a weight of two or more axes", list(params))
    require(whole("block", block) <= size, "block", f"at most the {size} weights", block)
    number = isinstance(tolerance, int | float | np.number) and np.isfinite(tolerance) and tolerance >= 0
    require(number, "tolerance", "at least 0", tolerance)
    counts = [whole(n, v) for n, v in (("batches", batches), ("together", together))]
    if tries is not None:
        whole("tries", tries)
    sample = _joined(list(islice(problem.batches(generator), counts[0])))
    network = _Network(problem, params, shapes, sample)
    return _climb(network, tries or -(-size // block), block, float(tolerance), counts[1], generator)


def _climb(
    network: _Network, tries: int, block: int, tolerance: float, together: int, generator: np.random.Generator
) -> Iterator[Trial]:
    began = time.perf_counter()
    best = float(network.losses([np.array([], int)])[0])
    waiting: list[np.ndarray] = []
    evaluations, index = 1, 0
    while index < tries:
        if not waiting:
            waiting = _blocks(network.left, block, generator)
        if not waiting:
            return  # nothing is left to remove
        some = waiting[: min(together, tries - index)]
        losses = network.losses(some)
        evaluations += len(some)
        for chosen, loss in zip(some, losses.tolist(), strict=True):
            waiting, limit = waiting[1:], best + tolerance
            accepted = loss <= limit
            if accepted:
                network.kept[chosen] = False
                best = loss
            zeros = 1 - float(network.kept.mean())
            yield Trial(
                index, len(chosen), loss, limit, accepted, best, zeros, evaluations,
                time.perf_counter() - began, network.masks,
            )  # fmt: skip
            index += 1
            if accepted:
                break  # the others were computed without this


def _blocks(left: np.ndarray, block: int, generator: np.random.Generator) -> list[np.ndarray]:
    """The weights that are left in a random order, cut into blocks of equal size."""
    order = generator.permutation(left)
    return [order[i : i + block] for i in range(0, len(order), block)]


class _Network:
    """One network with its mask as one flat array, and the losses of copies that lack some weights."""

    def __init__(
        self, problem: Any, params: Params, shapes: dict[str, tuple[int, ...]], sample: tuple[Any, Any]
    ) -> None:
        self.problem, self.params, self.shapes, self.sample = problem, params, shapes, sample
        self.kept = np.ones(sum(int(np.prod(shape)) for shape in shapes.values()), bool)

    @property
    def left(self) -> np.ndarray:
        """Numbers of the weights that are kept."""
        return np.flatnonzero(self.kept)

    @property
    def masks(self) -> dict[str, Any]:
        return {n: m[0] for n, m in self._shaped(self.kept[None]).items()}

    def losses(self, blocks: list[np.ndarray]) -> np.ndarray:
        """(B,) losses of the network without each of B blocks."""
        kept = np.repeat(self.kept[None], len(blocks), axis=0)
        for row, chosen in enumerate(blocks):
            kept[row, chosen] = False
        masks = self._shaped(kept)
        rows = {n: namespace(p).stack([p] * len(blocks)) for n, p in self.params.items()}
        pruned = {n: p * masks[n] if n in masks else p for n, p in rows.items()}
        return row_losses(self.problem, pruned, self.sample)

    def _shaped(self, kept: np.ndarray) -> dict[str, Any]:
        found, start = {}, 0
        for name, shape in self.shapes.items():
            end = start + int(np.prod(shape))
            part, p = kept[:, start:end].reshape(-1, *shape), self.params[name]
            xp, start = namespace(p), end
            found[name] = part if xp is np else xp.as_tensor(part, device=p.device)
        return found


def _joined(batches: list[Any]) -> tuple[Any, Any]:
    """Some batches as one, of inputs and labels."""
    xp = namespace(batches[0][0])
    return xp.concatenate([b[0] for b in batches]), xp.concatenate([b[1] for b in batches])


def row_losses(problem: Any, params: Params, batch: Any) -> np.ndarray:
    """Losses of K networks on one batch, without gradients and dropout.

    Args:
        problem: closed-form or of a module.
        params: name -> (K, *shape).
        batch: inputs and labels, as from ``problem.batches``.

    Returns:
        (K,) losses.

    Example:
        >>> from optviz.problems import digits
        >>> problem, random = digits(), np.random.default_rng(0)
        >>> params = {name: np.stack([p, 0 * p]) for name, p in problem.init(random).items()}
        >>> print(f"{row_losses(problem, params, next(problem.batches(random)))[1]:.3f}")  # ln 10
        2.303
    """
    batch = batch[:2]
    if isinstance(problem, Classification):
        return problem.loss(params, batch)  # works for rows too, and needs no gradient
    if hasattr(problem, "loss_and_grad"):
        return problem.loss_and_grad(params, batch)[0]
    import torch

    rows = len(next(iter(params.values())))
    with torch.no_grad():
        found = [problem.loss({n: p[k] for n, p in params.items()}, batch) for k in range(rows)]
    return torch.stack(found).cpu().numpy()
