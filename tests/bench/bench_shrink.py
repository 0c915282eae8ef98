"""Taking channels out: how long it takes, beside Torch-Pruning with the same result, and what it buys.

One thread, ways alternated, medians. The networks are untrained: which units go does not change the times.
"""

from __future__ import annotations

import copy
import statistics
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn

from optviz import models, prune
from optviz._clock import stopwatch

__all__ = ["rows"]

REPEATS = 15
SHARE = 0.5


def rows() -> list[dict[str, Any]]:
    """Seconds of shrinking, and of networks before and after, as the table of ``tests.bench`` wants them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        generator = torch.Generator().manual_seed(0)
        residual = models.ResidualCNN(size=28, width=32, generator=generator).eval()
        return [
            *_shrinking("20-layer CNN", twenty_layers(), torch.randn(1, 3, 32, 32), promised=0.1),
            *_shrinking("ResidualCNN", residual, torch.randn(1, 1, 28, 28), promised=None),
            _speed("SmallCNN", models.SmallCNN(size=28, generator=generator).eval(), (1, 28, 28), None),
            _speed("LeNet5", models.LeNet5(generator=generator).eval(), (1, 28, 28), ">= 1.8"),
            _speed("ResidualCNN", residual, (1, 28, 28), ">= 1.8"),
            _speed("20-layer CNN", twenty_layers(), (3, 32, 32), ">= 1.8"),
        ]
    finally:
        torch.set_num_threads(threads)


def twenty_layers() -> nn.Module:
    """19 convolutions with batch norm, 32 to 128 channels, and one linear layer: 1.2 million parameters."""
    layers: list[nn.Module] = []
    inputs = 3
    for i in range(19):
        outputs, stride = 32 * 2 ** (i // 7), 2 if i in (7, 14) else 1
        convolution = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        layers += [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]
        inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 10)).eval()


def _shrinking(name: str, net: nn.Module, x: Any, promised: float | None) -> list[dict[str, Any]]:
    keep = prune.choose_units(prune.unit_scores(net, x), SHARE)
    ways: dict[str, Callable[[], Any]] = {"ours": lambda: prune.shrink(net, keep, x)}
    there = find_spec("torch_pruning") is not None
    if there:
        ways["theirs"] = lambda: _theirs(net, keep, x)
    times = _alternated(ways)
    count = f"{models.count(net):,} → {models.count(ways['ours']()):,} parameters"
    row = {"name": f"shrink of a {name}", "ours": times["ours"]}
    found: list[dict[str, Any]] = []
    if promised is not None:
        own = {"reference": promised, "ratio": times["ours"] / promised, "limit": "<= 1"}
        found.append(
            row | own | {"note": f"half of its channels, {count}; result tested before it is returned"}
        )
    row["name"] += ", beside Torch-Pruning"
    if not there:
        missing = {"reference": "Torch-Pruning not installed", "ratio": None, "limit": None, "note": count}
        return [*found, row | missing]
    gap = _same(ways["ours"](), ways["theirs"](), x)
    note = f"version {version('torch-pruning')}; both copy the network; equal shapes, outputs to {gap:.0e}"
    beside = {"reference": times["theirs"], "ratio": times["theirs"] / times["ours"], "limit": None}
    return [*found, row | beside | {"note": note}]


def _theirs(net: nn.Module, keep: dict[str, Any], x: Any) -> nn.Module:
    """The same units taken out by Torch-Pruning."""
    import torch_pruning as tp

    net = copy.deepcopy(net)
    graph = tp.DependencyGraph().build_dependency(net, example_inputs=x)
    for name, kept in keep.items():
        layer = net.get_submodule(name)
        linear = isinstance(layer, nn.Linear)
        how = tp.prune_linear_out_channels if linear else tp.prune_conv_out_channels
        graph.get_pruning_group(layer, how, idxs=(~kept).nonzero().flatten().tolist()).prune()
    return net


def _same(a: nn.Module, b: nn.Module, x: Any) -> float:
    """The largest difference of outputs, of networks with the same shapes."""
    shapes = [{name: tuple(p.shape) for name, p in net.state_dict().items()} for net in (a, b)]
    assert shapes[0] == shapes[1]
    with torch.no_grad():
        gap = float((a(x) - b(x)).abs().max())
    assert gap < 1e-5, f"outputs must agree to 1e-5, got {gap}"
    return gap


def _speed(name: str, net: nn.Module, shape: tuple[int, ...], limit: str | None) -> dict[str, Any]:
    """Latency at batch 64 before and after half of the channels went."""
    x = torch.randn(64, *shape)
    keep = prune.choose_units(prune.unit_scores(net, x[:1]), SHARE)
    small, quiet = prune.shrink(net, keep, x[:1]), prune.silence(net, keep, x[:1])
    with torch.inference_mode():
        times = _alternated({"small": lambda: small(x), "whole": lambda: net(x), "quiet": lambda: quiet(x)})
    return {
        "name": f"{name}, half of its channels removed, batch 64",
        "ours": times["small"],
        "reference": times["whole"],
        "ratio": times["whole"] / times["small"],
        "limit": limit,
        "note": f"against all channels; the same channels only set to 0: {1e3 * times['quiet']:.1f} ms",
    }


def _alternated(ways: dict[str, Callable[[], Any]]) -> dict[str, float]:
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for repeat in range(REPEATS + 1):
        for way, function in ways.items():
            with stopwatch() as watch:
                function()
            if repeat:  # the first call of each warms up
                seconds[way].append(watch.seconds)
    return {way: statistics.median(times) for way, times in seconds.items()}
