"""Pruning: scores say what matters least, masks remove it, shrinking makes the network really smaller."""

from __future__ import annotations

from optviz.prune.masks import Masked, bake, masked, stacked
from optviz.prune.scopes import NM, Budget, Global, Layer, Unit, cutoff, mask, sparsity, threshold
from optviz.prune.scores import fisher, magnitude, movement, obd, random, snip, taylor, wanda

__all__ = [
    "NM",
    "Budget",
    "Global",
    "Layer",
    "Masked",
    "Unit",
    "bake",
    "cutoff",
    "fisher",
    "magnitude",
    "mask",
    "masked",
    "movement",
    "obd",
    "random",
    "snip",
    "sparsity",
    "stacked",
    "taylor",
    "threshold",
    "wanda",
]
