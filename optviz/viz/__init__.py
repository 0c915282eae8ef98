"""Drawings: data and Axes in, Axes out. They train nothing, write nothing and show nothing."""

from optviz.viz.curves import Curves, Frame, Line, curves, of_history, running_mean
from optviz.viz.style import COLORS, color, dashes

__all__ = ["COLORS", "Curves", "Frame", "Line", "color", "curves", "dashes", "of_history", "running_mean"]
