"""Drawings: data and Axes in, Axes out. They train nothing, write nothing and show nothing."""

from optviz.viz.curves import Curves, Line, bars, curves, of_history, running_mean
from optviz.viz.evaluations import confusion_matrix, reliability_diagram
from optviz.viz.frames import Backdrop, Frame, Rule
from optviz.viz.ledgers import ledger
from optviz.viz.style import COLORS, color, dashes
from optviz.viz.tiles import Mosaic, Tiles, tiles

__all__ = [
    "COLORS",
    "Backdrop",
    "Curves",
    "Frame",
    "Line",
    "Mosaic",
    "Rule",
    "Tiles",
    "bars",
    "color",
    "confusion_matrix",
    "curves",
    "dashes",
    "ledger",
    "of_history",
    "reliability_diagram",
    "running_mean",
    "tiles",
]
