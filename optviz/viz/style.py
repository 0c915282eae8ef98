"""Colors and line styles that stay apart for every kind of color vision, and in black and white."""

from __future__ import annotations

from typing import Any

__all__ = ["COLORS", "FAINT", "GHOST", "INK", "color", "dashes"]

# Okabe and Ito, 2008, "Color Universal Design", without yellow (too pale on white), with a dark gray instead
# of black and a wine red as the eighth; orange and ochre differ in lightness too.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#AA4499", "#806000", "#3A9BDC", "#262626", "#882255")
_DASHES: tuple[Any, ...] = ("-", (0, (6, 2)), (0, (2, 1.5)), (0, (8, 2, 2, 2)))
_STYLE = (0, 1, 2, 3, 3, 2, 0, 1)  # two runs of one style have colors that stay far apart for everyone
INK, GHOST, FAINT = "#222222", "#999999", 0.22


def color(index: int) -> str:
    """The color of run ``index`` (they repeat after eight).

    Args:
        index: 0-based number of the run.

    Example:
        >>> color(0)
        '#0072B2'
    """
    return COLORS[index % len(COLORS)]


def dashes(index: int) -> Any:
    """The line style of run ``index``: it differs between runs whose colors are close.

    Args:
        index: 0-based number of the run.

    Example:
        >>> dashes(0)
        '-'
    """
    return _DASHES[(_STYLE[index % len(_STYLE)] + index // len(_STYLE)) % len(_DASHES)]
