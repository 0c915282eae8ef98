"""What explorers train on: real images under the names of their menus, and problems made of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from optviz import data, problems

__all__ = ["DATA", "classification"]

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
