"""Attention, and a small transformer that reads an image patch by patch."""

from __future__ import annotations

import math

import torch
from torch import nn

from optviz._knobs import require
from optviz.models._layers import as_images, check_numbers, layer

__all__ = ["Attention", "SmallTransformer"]


class Attention(nn.Module):
    """Multi-head self-attention: every token takes a mixture of all tokens' values.

    For each head softmax(Q Kᵀ/√d) V with d = ``head_width``; the heads side by side go through one linear
    layer. The heads need not add up to ``width``, so a head can be taken away.

    Args:
        width: numbers of a token, at least 1.
        heads: at least 1.
        head_width: numbers of a query, key or value of one head; width/heads when None.
        generator: draws the first weights; torch's global generator when not given.

    Returns:
        A module that maps (N, tokens, width) to the same shape.

    Raises:
        ValueError: if a number is not whole or too small, or ``heads`` doesn't divide ``width`` where no
            ``head_width`` is given.

    Example:
        >>> layer = Attention(8, heads=2)
        >>> layer(torch.zeros(5, 3, 8)).shape, layer.kept(torch.tensor([True, False])).query.out_features
        (torch.Size([5, 3, 8]), 4)

    Reference: Vaswani et al., Attention is all you need, 2017, arXiv:1706.03762, section 3.2.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        head_width: int | None = None,
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        check_numbers("Attention", {"width": (width, 1), "heads": (heads, 1)})
        if head_width is None:
            require(width % heads == 0, "Attention.heads", f"a divisor of width ({width})", heads)
            head_width = width // heads
        check_numbers("Attention", {"head_width": (head_width, 1)})
        super().__init__()
        self.width, self.heads, self.head_width = width, heads, head_width
        self.query, self.key, self.value = (
            layer(nn.Linear, width, heads * head_width, generator=generator) for _ in range(3)
        )
        self.out = layer(nn.Linear, heads * head_width, width, generator=generator)

    @property
    def units(self) -> int:
        """What can be taken away one by one: the heads."""
        return self.heads

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        def split(y: torch.Tensor) -> torch.Tensor:  # (N, tokens, heads·d) -> (N, heads, tokens, d)
            return y.unflatten(-1, (self.heads, self.head_width)).transpose(1, 2)

        query, key, value = (split(project(x)) for project in (self.query, self.key, self.value))
        # Written out, since torch's fused kernel has no rule for many networks at once (vmap).
        shares = torch.softmax(query @ key.mT / math.sqrt(self.head_width), dim=-1)
        return self.out((shares @ value).transpose(1, 2).flatten(-2))

    def kept(self, keep: torch.Tensor) -> Attention:
        """A smaller copy that has only some of the heads.

        Args:
            keep: (heads,) bool.

        Raises:
            ValueError: if it has another shape, or keeps no head.
        """
        fits = keep.dtype == torch.bool and tuple(keep.shape) == (self.heads,) and bool(keep.any())
        require(fits, "Attention.keep", f"({self.heads},) bool with a True", keep)
        first: torch.Tensor = self.query.get_parameter("weight")
        rows = keep.repeat_interleave(self.head_width).to(first.device)
        made = Attention(self.width, int(keep.sum()), self.head_width, generator=torch.Generator()).to(first)
        for name, p in made.named_parameters():
            old = self.get_parameter(name)
            cut = old if name == "out.bias" else old[:, rows] if name == "out.weight" else old[rows]
            p.requires_grad_(old.requires_grad).data = cut.detach().clone()
        return made.train(self.training)


class TransformerBlock(nn.Module):
    """x ← x + attention(norm(x)), then x ← x + W₂ GELU(W₁ norm(x)).

    Args:
        width: numbers of a token.
        heads: of the attention.
        hidden: units between the two linear layers.
        generator: draws the first weights; torch's global generator when not given.

    Returns:
        A module that maps (N, tokens, width) to the same shape.

    Example:
        >>> TransformerBlock(8, 2, 16)(torch.zeros(5, 3, 8)).shape
        torch.Size([5, 3, 8])

    Reference: Xiong et al., On layer normalization in the transformer architecture, 2020, arXiv:2002.04745.
    """

    def __init__(
        self, width: int, heads: int, hidden: int, *, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads, generator=generator)
        self.first = layer(nn.Linear, width, hidden, generator=generator)
        self.second = layer(nn.Linear, hidden, width, generator=generator)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.second(nn.functional.gelu(self.first(self.norm2(x))))


class SmallTransformer(nn.Module):
    """A transformer for small images: each patch of pixels is a token.

    Patches go through one linear layer, get a learned position added, pass the blocks and a norm; the mean
    over the tokens goes through the last linear layer.

    Args:
        channels: channels of the image, at least 1.
        size: pixels a side.
        classes: number of outputs, at least 2.
        patch: pixels a side of a patch; it must divide ``size``.
        width: numbers of a token.
        heads: heads of each attention; they must divide ``width``.
        blocks: at least 1.
        generator: draws the first weights; torch's global generator when not given.

    Returns:
        A module that maps (N, channels, size, size), or flat rows (N, channels·size²), to (N, classes).

    Raises:
        ValueError: if a number is not whole or too small, or doesn't divide what it must.

    Example:
        >>> from optviz.models import count
        >>> SmallTransformer()(torch.zeros(5, 64)).shape, f"{count(SmallTransformer()):,}"
        (torch.Size([5, 10]), '18,154')

    Reference: Dosovitskiy et al., An image is worth 16×16 words, 2020, arXiv:2010.11929.
    """

    def __init__(
        self, channels: int = 1, size: int = 8, classes: int = 10, patch: int = 2, *, width: int = 32,
        heads: int = 4, blocks: int = 2, generator: torch.Generator | None = None,
    ) -> None:  # fmt: skip
        limits = {"channels": (channels, 1), "size": (size, 1), "classes": (classes, 2), "patch": (patch, 1)}
        limits |= {"width": (width, 1), "heads": (heads, 1), "blocks": (blocks, 1)}
        check_numbers("SmallTransformer", limits)
        require(size % patch == 0, "SmallTransformer.patch", f"a divisor of size ({size})", patch)
        super().__init__()
        convolution = layer(nn.Conv2d, channels, width, patch, stride=patch, generator=generator)
        self.tokens = nn.Sequential(*as_images(channels, size), convolution, nn.Flatten(2))
        start = torch.empty((size // patch) ** 2, width).normal_(0, 0.02, generator=generator)
        self.position = nn.Parameter(start)
        self.blocks = nn.Sequential(
            *(TransformerBlock(width, heads, 2 * width, generator=generator) for _ in range(blocks))
        )
        self.norm = nn.LayerNorm(width)
        self.head = layer(nn.Linear, width, classes, generator=generator)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = self.tokens(x).transpose(1, 2) + self.position
        return self.head(self.norm(self.blocks(tokens)).mean(1))
