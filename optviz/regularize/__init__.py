"""Regularization: what keeps a network from learning its training images by heart.

Three kinds of technique. A penalty or a variant of the task takes a problem and gives a problem; its strength
is an extra of each ``Run``, so that K strengths train as one. A projection maps the weights after every
update. Early stopping watches the validation images: ``training.EarlyStopping``.
"""

from __future__ import annotations

from optviz.regularize.attached import Projected, projected
from optviz.regularize.figures import exact_zeros, weight_norm
from optviz.regularize.gates import Gated, HardConcrete, l0
from optviz.regularize.groups import group_threshold, proximal_groups, slimming
from optviz.regularize.penalties import Penalized, Penalty, elastic_net, l1, l2
from optviz.regularize.projections import (
    clip_weights,
    decay,
    drop_weights,
    in_turn,
    max_norm,
    proximal_l1,
    remove_weights,
    soft_threshold,
)
from optviz.regularize.variants import Mixed, drop, dropconnect, dropout, mixup, narrow, subset

__all__ = [
    "Gated",
    "HardConcrete",
    "Mixed",
    "Penalized",
    "Penalty",
    "Projected",
    "clip_weights",
    "decay",
    "drop",
    "drop_weights",
    "dropconnect",
    "dropout",
    "elastic_net",
    "exact_zeros",
    "group_threshold",
    "in_turn",
    "l0",
    "l1",
    "l2",
    "max_norm",
    "mixup",
    "narrow",
    "projected",
    "proximal_groups",
    "proximal_l1",
    "remove_weights",
    "slimming",
    "soft_threshold",
    "subset",
    "weight_norm",
]
