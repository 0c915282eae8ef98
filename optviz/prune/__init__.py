"""Pruning: scores say what matters least, masks remove it, shrinking makes the network really smaller."""

from __future__ import annotations

from optviz.prune.groups import Group, Part, groups, held
from optviz.prune.masks import Masked, bake, masked, stacked
from optviz.prune.scopes import NM, Budget, Global, Layer, Unit, mask
from optviz.prune.scores import fisher, magnitude, movement, obd, random, snip, taylor, wanda
from optviz.prune.semi import semi_structured
from optviz.prune.shrink import Cut, follow, shrink, silence
from optviz.prune.thresholds import cutoff, sparsity, threshold
from optviz.prune.units import (
    APoZ,
    GateTaylor,
    MeanActivation,
    NormGain,
    WeightNorm,
    choose_units,
    unit_scores,
)

__all__ = [
    "NM",
    "APoZ",
    "Budget",
    "Cut",
    "GateTaylor",
    "Global",
    "Group",
    "Layer",
    "Masked",
    "MeanActivation",
    "NormGain",
    "Part",
    "Unit",
    "WeightNorm",
    "bake",
    "choose_units",
    "cutoff",
    "fisher",
    "follow",
    "groups",
    "held",
    "magnitude",
    "mask",
    "masked",
    "movement",
    "obd",
    "random",
    "semi_structured",
    "shrink",
    "silence",
    "snip",
    "sparsity",
    "stacked",
    "taylor",
    "threshold",
    "unit_scores",
    "wanda",
]
