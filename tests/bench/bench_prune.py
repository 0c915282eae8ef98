"""Pruning single weights beside ``torch.nn.utils.prune``: a mask of 10⁷ weights, eight masked trainings.

Both give the same masks, and the trainings the same losses, which is asserted. One thread, alternated,
medians. Memory is the rise of the resident size above what the process holds before it prunes, each in a
process of its own.
"""

from __future__ import annotations

import gc
import statistics
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import prune as torch_prune

from optviz import problems, prune
from optviz._clock import human_bytes, peak_memory, stopwatch
from optviz.optimizers import SGD
from optviz.training import Run, train
from tests.bench.bench_rows import Same

__all__ = ["rows"]

SHARE, LAYERS, WIDTH, SIZE = 0.9, 10, 1000, "10⁷ weights"
SHARES = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.97)
REPEATS, MOMENTUM, LR, EPOCHS = 3, 0.9, 0.1, 10


def rows() -> list[dict[str, Any]]:
    """Seconds and bytes of ours and of torch's, as the table of ``tests.bench`` wants them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [
            _time(f"global magnitude mask of {SIZE}, 90 % go", 0.0, 0.9),
            _time("the same, 95 % go where 90 % are 0 already", 0.9, 0.95),
            _memory(),
            _several(),
            *_masked_trainings(),
        ]
    finally:
        torch.set_num_threads(threads)


def _large() -> nn.Sequential:
    """Ten layers of 10⁶ weights each."""
    model = nn.Sequential(*[nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(LAYERS)])
    with torch.no_grad():
        for i, layer in enumerate(model):
            layer.weight.copy_(torch.randn(WIDTH, WIDTH, generator=torch.Generator().manual_seed(i)))
    return model


def _ours(model: nn.Sequential, share: Any = SHARE) -> dict[str, torch.Tensor]:
    return prune.mask(prune.magnitude(dict(model.named_parameters())), share)


def _theirs(model: nn.Sequential, share: float = SHARE) -> dict[str, torch.Tensor]:
    layers = [(layer, "weight") for layer in model if hasattr(layer, "weight")]
    torch_prune.global_unstructured(layers, torch_prune.L1Unstructured, amount=share)
    return {f"{i}.weight": layer.weight_mask for i, layer in enumerate(model) if hasattr(layer, "weight")}


WAYS: dict[str, Callable[..., dict[str, torch.Tensor]]] = {"ours": _ours, "theirs": _theirs}


def _time(name: str, gone: float, share: float) -> dict[str, Any]:
    """Pruning to a share where some are gone already."""
    seconds, masks = {way: list[float]() for way in WAYS}, {}
    for _ in range(REPEATS):
        for way, function in WAYS.items():
            model = _large()
            params = dict(model.named_parameters())
            before = prune.masked(prune.mask(prune.magnitude(params), gone))(params)
            for layer, w in zip(model, before.values(), strict=True):
                layer.weight.data = w.detach()
            gc.collect()
            with stopwatch() as watch:
                masks[way] = function(model, share)
            seconds[way].append(watch.seconds)
    assert all(torch.equal(m, masks["theirs"][each].bool()) for each, m in masks["ours"].items())
    ours, theirs = (statistics.median(seconds[way]) for way in WAYS)
    return {
        "name": name,
        "ours": ours,
        "reference": theirs,
        "ratio": theirs / ours,
        "limit": "≥ 2",
        "note": "against torch.nn.utils.prune.global_unstructured; the same mask",
    }


def _memory() -> dict[str, Any]:
    peak = {way: _in_its_own_process(way) for way in WAYS}
    size = 4 * LAYERS * WIDTH**2
    return {
        "name": f"global magnitude mask of {SIZE}, memory beside their {human_bytes(size)}",
        "ours": human_bytes(peak["ours"]),
        "reference": human_bytes(peak["theirs"]),
        "ratio": peak["theirs"] / peak["ours"],
        "limit": "≥ 2",
        "note": "scores and one buffer to sort; the masks alone are " + human_bytes(size / 4),
    }


def _in_its_own_process(way: str) -> int:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.bench_prune", way], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def _rise(way: str) -> int:
    """Bytes by which this process grew while it pruned."""
    torch.set_num_threads(1)
    WAYS[way](nn.Sequential(nn.Linear(4, 4)))  # what is loaded on first use
    model = _large()
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # Linux: the peak starts anew
    before = _peak()
    WAYS[way](model)
    return _peak() - before


def _peak() -> int:
    """The largest resident size of this process, in bytes, since it was set back where that is possible."""
    status = Path("/proc/self/status")
    if not status.exists():
        return peak_memory()
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return 1024 * int(line.split()[1])


def _several() -> dict[str, Any]:
    """Eight nested masks from one sort against eight calls."""
    scores, shares = prune.magnitude(dict(_large().named_parameters())), list(SHARES)
    ways: dict[str, Callable[[], Any]] = {
        "one": lambda: prune.mask(scores, shares),
        "each": lambda: [prune.mask(scores, share) for share in shares],
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(REPEATS):
        for way, function in ways.items():
            with stopwatch() as watch:
                function()
            seconds[way].append(watch.seconds)
    one, each = (statistics.median(times) for times in seconds.values())
    return {
        "name": f"{len(shares)} sparsities of {SIZE} in one call",
        "ours": one,
        "reference": each,
        "ratio": each / one,
        "limit": None,
        "note": "against one call each",
    }


def _masked_trainings() -> list[dict[str, Any]]:
    same = Same(problems.digits(), EPOCHS)
    trained = train(same.problem, [Run(SGD(MOMENTUM), LR)], EPOCHS * same.updates).params
    same.start = {name: torch.tensor(p[0]) for name, p in trained.items()}
    ways = {"ours": _in_rows, "theirs": _loops, "dense": _dense}
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    losses = {}
    for _ in range(2 * REPEATS - 1):
        for way, function in ways.items():
            gc.collect()
            with stopwatch() as watch:
                losses[way] = function(same)
            seconds[way].append(watch.seconds)
    gap = float(abs(losses["ours"] - losses["theirs"]).max())
    assert gap < 1e-5, f"losses must agree to 1e-5, got {gap}"
    ours, theirs, dense = (statistics.median(seconds[way]) for way in ways)
    return [
        {
            "name": f"{len(SHARES)} sparsities of digits, pruned and trained for {EPOCHS} epochs, in rows",
            "ours": ours,
            "reference": theirs,
            "ratio": theirs / ours,
            "limit": "≥ 3",
            "note": f"against loops with torch.nn.utils.prune; losses agree to {gap:.0e}",
        },
        {
            "name": "the same, what the masks cost",
            "ours": ours,
            "reference": dense,
            "ratio": ours / dense,
            "limit": None,
            "note": "against the same rows without masks",
        },
    ]


def _in_rows(same: Same) -> np.ndarray:
    start = {name: p.numpy() for name, p in same.start.items()}
    hold = prune.masked(prune.mask(prune.magnitude(start), list(SHARES)))
    runs = [Run(SGD(MOMENTUM), LR)] * len(SHARES)
    steps = same.epochs * same.updates
    return train(same.problem, runs, steps, every=same.updates, params=start, view=hold, grads=hold)["loss"]


def _dense(same: Same) -> np.ndarray:
    runs = [Run(SGD(MOMENTUM), LR)] * len(SHARES)
    steps, start = same.epochs * same.updates, {name: p.numpy() for name, p in same.start.items()}
    return train(same.problem, runs, steps, every=same.updates, params=start)["loss"]


def _loops(same: Same) -> np.ndarray:
    """Tensors indexed by slices of the order, losses read once an epoch, one sparsity after the other."""
    found = []
    for share in SHARES:
        model, losses = same.model(), []
        _theirs(model, share)
        optimizer = torch.optim.SGD(model.parameters(), LR, MOMENTUM)
        for order in torch.tensor(same.orders):
            for chosen in order.split(same.batch):
                optimizer.zero_grad()
                loss = F.cross_entropy(model(same.X[chosen]), same.y[chosen])
                loss.backward()
                optimizer.step()
                losses.append(loss.detach())
            same.evaluate(model)
        found.append(torch.stack(losses).numpy())
    return np.array(found)


if __name__ == "__main__":
    print(_rise(sys.argv[1]))
