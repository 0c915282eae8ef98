"""What is said about the first value that is wrong, in the terms of the exercise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["explained"]

Case = tuple[Any, ...]


def explained(
    measure: Callable[..., Any], answer: Callable[..., Any], words: Callable[..., str]
) -> Callable[[Callable[..., Any], Case], str]:
    """An ``explain`` for an exercise: ``words(place of the first wrong value, *case)``.

    The place is −1 where another number of values came back than there should be.

    Example:
        >>> at = explained(lambda fn, case: fn(*case), lambda x: [x, x], lambda at, x: f"value {at}")
        >>> at(lambda x: [x, 0], (3,)), at(lambda x: [x], (3,))
        ('value 1', 'value -1')
    """

    def explain(fn: Callable[..., Any], case: Case) -> str:
        found, right = (np.asarray(measure(each, case), float).ravel() for each in (fn, answer))
        if found.shape != right.shape:
            return words(-1, *case)
        wrong = ~np.isclose(found, right, rtol=1e-6, atol=1e-6, equal_nan=True)
        return words(int(wrong.argmax()), *case)

    return explain
