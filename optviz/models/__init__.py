"""The networks of the lessons, as ordinary torch modules."""

from optviz.models._layers import count
from optviz.models.attention import Attention, SmallTransformer
from optviz.models.convolutional import LeNet5, ResidualCNN, SmallCNN
from optviz.models.dense import MLP, LeNet300100

__all__ = [
    "MLP",
    "Attention",
    "LeNet5",
    "LeNet300100",
    "ResidualCNN",
    "SmallCNN",
    "SmallTransformer",
    "count",
]
