"""The networks of the channel explorer: trained once, fine-tuned after a cut, and remembered."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
from cachetools import LRUCache

from optviz import evaluation, losses, optimizers
from optviz.data import Data
from optviz.widgets.channels.state import LabState

__all__ = ["accuracy", "fine_tuned", "renew", "trained"]

BATCH, TUNING = 64, 1e-3  # images in a batch, and Adam's rate in fine-tuning
SEEN = 512  # training images from which batch norms take their means anew
_models: LRUCache[Any, Any] = LRUCache(60)  # at most 200 kB each
_going: LRUCache[Any, tuple[Any, Iterator[float]]] = LRUCache(12)
_tuned: LRUCache[Any, float] = LRUCache(4_000)


def accuracy(model: Any, images: Data) -> float:
    """Share of the validation images that a network gets right."""
    import torch

    with torch.no_grad():
        logits = model.eval()(torch.tensor(images.validation.X, dtype=torch.float32))
    return float(evaluation.accuracy(logits.numpy(), images.validation.y))


def renew(model: Any, images: Data) -> None:
    """Let every batch norm take its mean and variance anew from training images, in place."""
    import torch

    norms = [part for part in model.modules() if isinstance(part, torch.nn.BatchNorm2d)]
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over all batches that follow
    with torch.no_grad():
        for part in torch.tensor(images.train.X[:SEEN], dtype=torch.float32).split(2 * BATCH):
            model.train()(part)
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum
    model.eval()


def trained(state: LabState, seed: int) -> Iterator[tuple[Any, float, bool]]:
    """The network of a seed: (module, share of the training that is done, whether it is trained now)."""
    import torch

    key = *state.trained, seed
    if key in _models:
        yield _models[key], 1.0, False
        return
    if key not in _going:
        model = state.kind.make(state.images, torch.Generator().manual_seed(seed))
        _going[key] = model, _fit(model, state.images, state.kind.lr, state.steps, seed)
    model, rest = _going[key]
    for share in rest:  # where a move has cut it short, the next one goes on from there
        yield model, share, True
    _going.pop(key, None)
    _models[key] = model.eval()
    yield model, 1.0, True


def fine_tuned(state: LabState, seed: int, cut: Any) -> Iterator[tuple[float, float, bool]]:
    """A cut network trained on: (validation accuracy, share of the updates done, whether it is done now)."""
    key = *cut.key, state.updates
    if state.updates == 0:
        yield cut.accuracy, 1.0, False
        return
    if key in _tuned:
        yield _tuned[key], 1.0, False
        return
    model = copy.deepcopy(cut.small)
    for share in _fit(model, state.images, TUNING, state.updates, 1_000 + seed):
        yield np.nan, share, True
    _tuned[key] = accuracy(model, state.images)
    yield _tuned[key], 1.0, True


def _fit(model: Any, images: Data, lr: float, updates: int, seed: int) -> Iterator[float]:
    """Train a network in place with Adam; the share of the updates that are done, below 1."""
    from optviz.training import Trainer

    trainer = Trainer(model, optimizers.Adam(), lr, loss=losses.cross_entropy, batch=BATCH, device="cpu")
    epochs = -(-updates // max(len(images.train.y) // BATCH, 1))
    for step in trainer.steps(images.train, None, epochs, every=1, seed=seed):
        if step.step + 1 >= updates:
            return
        yield (step.step + 1) / updates
