"""Problems made from a ``torch.nn.Module``: they train in torch."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from optviz import data as datasets
from optviz import evaluation, losses
from optviz._knobs import require
from optviz.data import Data
from optviz.problems._form import Batch, Params, check_batch, orders
from optviz.problems.classification import Classification

if TYPE_CHECKING:
    import torch

__all__ = ["ModuleProblem", "convolutional", "from_module"]


class ModuleProblem:
    """Any feed-forward ``torch.nn.Module`` on own data; made by :func:`from_module`.

    Args:
        module: takes a batch of inputs and gives logits (N, classes); its parameters tell device and dtype.
        data: examples and labels, already split.
        batch: examples in a batch.

    Example:
        >>> import torch
        >>> images = datasets.digits().test
        >>> own = from_module(torch.nn.Linear(64, 10), images.X, images.y)
        >>> sorted(own.init(np.random.default_rng(0)))
        ['bias', 'weight']
    """

    def __init__(self, module: torch.nn.Module, data: Data, batch: int) -> None:
        import torch

        self.module, self.data, self.batch = module, data, batch
        first = next(module.parameters())
        self.device = first.device
        self._train, self._validation = (
            (
                torch.as_tensor(np.array(part.X), dtype=first.dtype, device=self.device),
                torch.as_tensor(np.array(part.y), device=self.device),
            )
            for part in (data.train, data.validation)
        )
        convolutions = any(isinstance(m, torch.nn.modules.conv._ConvNd) for m in module.modules())
        # Vectorized convolutions are slower than one network after the other on a CPU, not on a GPU.
        self.vectorize = not convolutions or self.device.type != "cpu"

    @property
    def updates_per_epoch(self) -> int:
        """Whole batches in the training set."""
        return len(self._train[1]) // self.batch

    def init(self, generator: np.random.Generator) -> Params:
        """Weights drawn anew by every submodule's ``reset_parameters``; others keep what they have."""
        import torch

        fresh = copy.deepcopy(self.module).cpu()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(generator.integers(2**31)))
            for part in fresh.modules():
                reset = getattr(part, "reset_parameters", None)
                if callable(reset):
                    reset()
        return {name: p.detach().to(self.device) for name, p in fresh.named_parameters()}

    def batches(self, generator: np.random.Generator) -> Iterator[Batch]:
        import torch

        X, y = self._train
        for chosen in orders(len(y), self.batch, generator):
            at = torch.as_tensor(chosen, device=self.device)
            yield X[at], y[at]

    def loss(self, params: Mapping[str, Any], batch: Batch, smoothing: Any = 0.0) -> Any:
        from torch.func import functional_call

        X, y = batch
        return losses.cross_entropy(functional_call(self.module, dict(params), (X,)), y, smoothing)

    def metrics(self, params: Mapping[str, Any]) -> dict[str, np.ndarray]:
        import torch
        from torch.func import functional_call

        X, y = self._validation
        rows = len(next(iter(params.values())))
        with torch.no_grad():
            logits = torch.stack(
                [
                    functional_call(self.module, {n: p[k] for n, p in params.items()}, (X,))
                    for k in range(rows)
                ]
            )
            loss = losses.cross_entropy(logits, y)
        accuracy = evaluation.accuracy(logits.cpu().numpy(), y.cpu().numpy())
        return {"validation_loss": loss.cpu().numpy(), "validation_accuracy": accuracy}


def convolutional(problem: Classification, network: torch.nn.Module | None = None) -> ModuleProblem:
    """A convolutional network on the images of another problem, with its batch and label noise.

    Args:
        problem: what to take images, noisy labels and batch from.
        network: takes flat rows or images and gives logits, such as ``models.LeNet5()``; every training draws
            its weights anew. None for the small convolutional network of the lessons.

    Returns:
        A problem that trains in torch; without ``network`` equal arguments share one as long as it is among
        the last 8.

    Raises:
        ValueError: as :func:`from_module`, if the network cannot be trained so.

    Example:
        >>> from optviz.problems import digits
        >>> start = convolutional(digits()).init(np.random.default_rng(0))
        >>> sum(p.numel() for p in start.values())
        6090
    """
    return _small(problem) if network is None else _on_images(problem, network)


@lru_cache(8)  # each holds the images as tensors
def _small(problem: Classification) -> ModuleProblem:
    import torch

    from optviz.models import SmallCNN

    channels, size, _ = problem.data.shape
    # Weights are drawn anew by `init`; a generator of its own leaves torch's global one alone.
    network = SmallCNN(channels, size, problem.data.classes, generator=torch.Generator())
    return _on_images(problem, network)


def _on_images(problem: Classification, network: torch.nn.Module) -> ModuleProblem:
    check_network(network)
    images = problem.data
    noisy = replace(images, train=replace(images.train, y=problem.labels))
    return checked(ModuleProblem(copy.deepcopy(network).train(), noisy, problem.batch))


def from_module(module: torch.nn.Module, X: Any, y: Any, batch: int = 64) -> ModuleProblem:
    """Train K copies of your own network on your own data.

    Args:
        module: takes a batch of ``X`` and gives logits (N, classes). It is copied, never changed. Its device
            is where training happens.
        X: (N, …) inputs.
        y: (N,) class ids from 0. The data are split 70/15/15 by class.
        batch: examples in a batch.

    Returns:
        A problem for ``train`` and ``iterate``.

    Raises:
        TypeError: if ``module`` is no ``torch.nn.Module``.
        ValueError: if the data do not fit together or the batch is larger than the training part; if the
            module has no parameters, or holds dropout or running statistics, which one call for K runs
            cannot keep apart (use ``Trainer`` for those).

    Example:
        >>> import torch
        >>> own = from_module(torch.nn.Linear(64, 10), datasets.digits().train.X, datasets.digits().train.y)
        >>> own.updates_per_epoch
        13
    """
    check_network(module)
    own = datasets.split(_array(X), _array(y))
    check_batch(batch, len(own.train.y))
    return checked(ModuleProblem(copy.deepcopy(module).train(), own, batch))


def check_network(module: Any) -> None:
    """Refuse what is no module, has no parameters, or behaves otherwise than a function of its parameters."""
    import torch

    if not isinstance(module, torch.nn.Module):
        raise TypeError(f"module must be a torch.nn.Module, got {module!r}")
    require(any(True for _ in module.parameters()), "module", "a network with parameters", module)
    random = [
        n for n, m in module.named_modules() if "Dropout" in type(m).__name__ and getattr(m, "p", 0) > 0
    ]
    held = random + [n for n, _ in module.named_buffers()]
    require(not held, "module", "without dropout and running statistics (Trainer takes those)", held)


def checked(problem: ModuleProblem) -> ModuleProblem:
    """The problem, if its module takes the examples and gives as many logits as there are classes."""
    import torch

    data = problem.data
    try:
        with torch.no_grad():
            logits = problem.module(problem._train[0][:1])
    except RuntimeError as error:
        raise ValueError(f"X must fit the module, got examples of shape {data.shape}: {error}") from error
    shaped = logits.ndim == 2 and logits.shape[1] >= data.classes
    require(shaped, "module's output", f"of shape (N, {data.classes} or more)", tuple(logits.shape))
    return problem


def _array(values: Any) -> np.ndarray:
    return values.detach().cpu().numpy() if hasattr(values, "detach") else np.asarray(values)
