"""How good is it, and how sure are we: accuracy, intervals, tests, and a verdict in words."""

from optviz.evaluation.intervals import Paired, accuracy, holm, paired, seed_interval, wilson
from optviz.evaluation.verdicts import Verdict, verdict

__all__ = ["Paired", "Verdict", "accuracy", "holm", "paired", "seed_interval", "verdict", "wilson"]
