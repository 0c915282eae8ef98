"""One small network for each topology, with the groups that tracing must find in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from optviz import models

__all__ = ["CASES", "Case", "build", "inputs"]


@dataclass(frozen=True)
class Case:
    """A network class, the shape of one input, and group -> (units, its parts as 'layer.side')."""

    make: Any
    shape: tuple[int, ...]
    groups: dict[str, tuple[int, str]]


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.bn = nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.a, self.b = nn.Conv2d(4, 5, 3, padding=1, bias=False), nn.Conv2d(5, 4, 3, padding=1)
        self.head = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.bn(self.stem(x))
        x = F.relu(x + self.b(torch.relu(self.a(x))))
        return self.head(x.mean((2, 3)))


class Concat(nn.Module):
    """Two branches side by side, as in Inception, and the input once more, as in DenseNet."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(2, 3, 1), nn.Conv2d(2, 4, 3, padding=1)
        self.c = nn.Conv2d(7, 5, 1)
        self.d = nn.Conv2d(12, 6, 1)
        self.head = nn.Linear(6 * 16, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.cat([self.a(x).relu(), torch.tanh(self.b(x))], 1)
        x = torch.cat((x, self.c(x)), dim=1)
        return self.head(torch.flatten(F.silu(self.d(x)), 1))


class TiedConcat(nn.Module):
    """What two layers make side by side is added to what a third makes: its units fall into two groups."""

    def __init__(self) -> None:
        super().__init__()
        self.d, self.a, self.b = nn.Linear(3, 5), nn.Linear(3, 2), nn.Linear(3, 3)
        self.head = nn.Linear(5, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.tanh(self.d(x) + torch.cat([self.a(x), self.b(x)], -1)))


class Crossed(nn.Module):
    """Two pairs of layers side by side, of different widths: one unit of c belongs to b alone."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c, self.d = (nn.Linear(3, n) for n in (2, 2, 3, 1))
        self.head = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, second = torch.cat([self.a(x), self.b(x)], 1), torch.cat([self.c(x), self.d(x)], 1)
        return self.head((first * second).to(x))


class Mobile(nn.Module):
    """An inverted bottleneck: 1×1, depthwise, 1×1, with a residual sum; and a grouped convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3)
        self.wide, self.bn1 = nn.Conv2d(4, 8, 1, bias=False), nn.BatchNorm2d(8)
        self.deep, self.bn2 = nn.Conv2d(8, 16, 3, padding=1, groups=8), nn.BatchNorm2d(16)
        self.narrow = nn.Conv2d(16, 4, 1)
        self.grouped = nn.Conv2d(4, 6, 1, groups=2)
        self.head = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        y = F.relu6(self.bn1(self.wide(x)))
        x = x + self.narrow(F.hardswish(self.bn2(self.deep(y))))
        x = F.adaptive_avg_pool2d(self.grouped(x), 1)
        return self.head(x.reshape(x.shape[0], -1))


class Gated(nn.Module):
    """Squeeze and excitation: the channels are multiplied by numbers computed from them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 6, 3), nn.GroupNorm(3, 6)
        self.squeeze, self.excite = nn.Linear(6, 4), nn.Linear(4, 6)
        self.head = nn.Conv2d(6, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.conv(x))
        n, c, _, _ = x.size()
        gate = torch.sigmoid(self.excite(self.squeeze(x.mean(dim=[2, 3])).relu()))
        return self.head(x * gate.view(n, c, 1, 1)).amax((2, 3))


class Shared(nn.Module):
    """One layer that three others read."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 6)
        self.a, self.b, self.c = nn.Linear(6, 2), nn.Linear(6, 4), nn.Linear(6, 2)
        self.d = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        x = self.first(x).relu()
        return self.a(x), {"b": self.d(self.b(x).relu()), "c": self.c(x)}


class Shaped(nn.Module):
    """Every way to go from maps to rows and back that does not write their number down."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(2, 3, 3)
        self.token = nn.Linear(3, 4)
        self.mix = nn.Linear(6 * 4, 5)
        self.up = nn.ConvTranspose2d(5, 3, 2)
        self.prelu = nn.PReLU(3)
        self.last = nn.Conv2d(3, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x)[:, :, :6]
        x = self.token(x.transpose(1, 2)).relu()  # (N, 6, 4)
        x = self.mix(x.permute(0, 2, 1).flatten(1))  # channel 0's six numbers first
        x = self.prelu(self.up(x.unsqueeze(-1).unsqueeze(-1)))
        x = F.interpolate(F.pad(x, (1, 0)), scale_factor=2)
        return self.last(x)[..., 0, :].squeeze(1)


class Encoder(nn.Module):
    """Attention that cuts itself, in a residual stream whose width is held by its norm."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(5, 8)
        self.norm, self.attention = nn.LayerNorm(8), models.Attention(8, 4)
        self.first, self.second = nn.Linear(8, 6), nn.Linear(6, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.embed(x)
        x = x + self.attention(self.norm(x))
        return self.head((x + self.second(F.gelu(self.first(x)))).mean(1))


def chain() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 6), nn.Sigmoid(), nn.Linear(6, 4), nn.Softplus(), nn.Linear(4, 3))


def nested() -> nn.Module:
    block = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, affine=False), nn.ELU(), nn.Dropout(0.5))
    stem = nn.Sequential(nn.Conv2d(1, 3, 3, bias=False), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2))
    return nn.Sequential(
        nn.Sequential(stem, block), nn.Flatten(), nn.Linear(16, 5), nn.Tanh(), nn.Linear(5, 2)
    )


CASES = {
    "chain": Case(chain, (5,), {"0": (6, "0.out 2.in"), "2": (4, "2.out 4.in")}),
    "nested": Case(
        nested,
        (1, 10, 10),
        {
            "0.0.0": (3, "0.0.0.out 0.0.1.norm 0.1.0.in"),
            "0.1.0": (4, "0.1.0.out 0.1.1.norm 2.in"),
            "2": (5, "2.out 4.in"),
        },
    ),
    "residual": Case(
        Residual,
        (2, 6, 6),
        {"stem": (4, "stem.out bn.norm a.in b.out head.in"), "a": (5, "a.out b.in")},
    ),
    "concat": Case(
        Concat,
        (2, 4, 4),
        {
            "a": (3, "a.out c.in d.in"),
            "b": (4, "b.out c.in d.in"),
            "c": (5, "c.out d.in"),
            "d": (6, "d.out head.in"),
        },
    ),
    "tied concat": Case(TiedConcat, (3,), {"a": (2, "d.out a.out head.in"), "b": (3, "d.out b.out head.in")}),
    "crossed": Case(
        Crossed,
        (3,),
        {
            "a": (2, "a.out c.out head.in"),
            "b[0]": (1, "b.out c.out head.in"),
            "d": (1, "b.out d.out head.in"),
        },
    ),
    "depthwise": Case(
        Mobile,
        (1, 7, 7),
        {
            "stem": (2, "stem.out wide.in narrow.out grouped.groups grouped.out head.in"),
            "wide": (8, "wide.out bn1.norm deep.groups deep.out bn2.norm narrow.in"),
        },
    ),
    "gated": Case(
        Gated,
        (1, 5, 5),
        {
            "conv": (3, "conv.out norm.norm squeeze.in excite.out head.in"),
            "squeeze": (4, "squeeze.out excite.in"),
        },
    ),
    "shared": Case(Shared, (3,), {"first": (6, "first.out a.in b.in c.in"), "b": (4, "b.out d.in")}),
    "shaped": Case(
        Shaped,
        (2, 9),
        {
            "conv": (3, "conv.out token.in"),
            "token": (4, "token.out mix.in"),
            "mix": (5, "mix.out up.in"),
            "up": (3, "up.out prelu.norm last.in"),
        },
    ),
    "attention": Case(
        Encoder, (4, 5), {"attention": (4, "attention.units"), "first": (6, "first.out second.in")}
    ),
    "LeNet5": Case(
        models.LeNet5,
        (784,),
        {"2": (20, "2.out 4.in"), "4": (50, "4.out 7.in"), "7": (500, "7.out 9.in")},
    ),
    "ResidualCNN": Case(
        lambda: models.ResidualCNN(size=8, width=2),
        (1, 8, 8),
        {
            "2": (2, "2.out 3.norm 5.first.in 5.second.out 5.norm2.norm 6.first.in 6.shortcut.0.in"),
            "5.first": (2, "5.first.out 5.norm1.norm 5.second.in"),
            "6.first": (4, "6.first.out 6.norm1.norm 6.second.in"),
            "6.second": (
                4,
                "6.second.out 6.norm2.norm 6.shortcut.0.out 6.shortcut.1.norm 7.first.in 7.shortcut.0.in",
            ),
            "7.first": (8, "7.first.out 7.norm1.norm 7.second.in"),
            "7.second": (8, "7.second.out 7.norm2.norm 7.shortcut.0.out 7.shortcut.1.norm 10.in"),
        },
    ),
    "SmallTransformer": Case(
        lambda: models.SmallTransformer(width=8, heads=2),
        (1, 8, 8),
        {
            "blocks.0.attention": (2, "blocks.0.attention.units"),
            "blocks.0.first": (16, "blocks.0.first.out blocks.0.second.in"),
            "blocks.1.attention": (2, "blocks.1.attention.units"),
            "blocks.1.first": (16, "blocks.1.first.out blocks.1.second.in"),
        },
    ),
}


def build(name: str, seed: int = 0) -> nn.Module:
    """A network whose norms have seen data: no gain is 1, no mean is 0."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = CASES[name].make()
        for module in net.modules():
            for key in ("weight", "bias", "running_mean", "running_var"):
                value = getattr(module, key, None)
                if "Norm" in type(module).__name__ and value is not None:
                    value.data.uniform_(0.5, 1.5)
    return net


def inputs(name: str, count: int = 3) -> torch.Tensor:
    return torch.randn(count, *CASES[name].shape, generator=torch.Generator().manual_seed(1))
