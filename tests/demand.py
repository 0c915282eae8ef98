"""What a run of the tests must not leave out: ``OPTVIZ_DEMAND=chromium,network-denied``.

A learner's machine may lack Chromium or the right to cut off the network; then a line says so and the rest
runs. ``.ci/run`` demands both.
"""

from __future__ import annotations

import os

__all__ = ["KNOWN", "demanded"]

KNOWN = ("chromium", "network-denied")


def demanded(what: str) -> bool:
    """Whether ``what`` must be had.

    Raises:
        ValueError: if the variable or the question names something unknown.
    """
    words = [word.strip() for word in os.environ.get("OPTVIZ_DEMAND", "").split(",") if word.strip()]
    for word in (*words, what):
        if word not in KNOWN:
            raise ValueError(f"OPTVIZ_DEMAND must name some of {', '.join(KNOWN)}, got {word!r}")
    return what in words
