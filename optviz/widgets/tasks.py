"""What explorers train on: real images under the names of their menus, and problems made of them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import lru_cache
from typing import Any

from optviz import data, problems
from optviz.training import Run, Step, iterate

__all__ = ["DATA", "classification", "in_slices"]

DATA: dict[str, Callable[[], data.Data]] = {
    "digits 8×8": data.digits,
    "MNIST-5k 14×14": lambda: data.mnist5k(14),
}


@lru_cache(32)
def classification(name: str, network: tuple[int, ...], batch: int = 64) -> problems.Classification:
    """Images and a network with these hidden units; the same one for the same arguments.

    Args:
        name: one of ``DATA``.
        network: units of each hidden layer.
        batch: images in a batch.

    Example:
        >>> classification("digits 8×8", (32,)) is classification("digits 8×8", (32,))
        True
    """
    return problems.Classification(DATA[name](), network, batch)


def in_slices(
    problem: Any, run: Run, steps: int, seeds: Sequence[int], slices: int = 40
) -> Generator[float, None, Step]:
    """Train some seeds side by side, with moments in which a page may draw.

    Args:
        problem: what is trained.
        run: optimizer and rate.
        steps: updates.
        seeds: S seeds.
        slices: in about how many parts; metrics are taken after the last one only.

    Yields:
        The share that is done.

    Returns:
        The last report; for the caller's ``yield from``.
    """
    every = max(1, steps // slices)
    last = every * -(-steps // every)  # metrics in the end only
    for step in iterate(problem, [run], steps, seed=seeds, every=every, measure=last):
        yield (step.step + 1) / steps
    return step
