"""Real data, offline first: digits and MNIST samples that ship with packages, others on request."""

from optviz.data.bundled import digits, mnist5k
from optviz.data.download import cifar10, fashion_mnist, mnist
from optviz.data.splits import Data, Split, split

__all__ = ["Data", "Split", "cifar10", "digits", "fashion_mnist", "mnist", "mnist5k", "split"]
