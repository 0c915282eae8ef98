"""Problems: where the weights start, which batches come, what the loss is.

A problem is written for one run. Training stacks K runs: parameters get a leading axis K, and the loss is
vectorized, or computed for all rows at once where a problem gives ``loss_and_grad`` in closed form.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from optviz import data as datasets
from optviz import evaluation, losses
from optviz._knobs import require
from optviz.data import Data

if TYPE_CHECKING:
    import torch

__all__ = ["Classification", "ModuleProblem", "Problem", "convolutional", "digits", "from_module", "mnist5k"]

Params = dict[str, Any]
Batch = tuple[Any, Any]


class Problem(Protocol):
    """What training needs to know. A fourth function, ``loss_and_grad``, is optional.

    ``loss_and_grad(params, batch, out=None, **extra)`` is written for all K rows: parameters (K, *shape) give
    losses (K,) and a dict of gradients, written into the arrays of ``out`` when they are given. With it
    training runs in NumPy.

    Example:
        >>> isinstance(digits().batch, int)
        True
    """

    def init(self, generator: np.random.Generator) -> Params:
        """Starting weights of one run: name -> array."""

    def batches(self, generator: np.random.Generator) -> Iterator[Batch]:
        """Batches without end, in an order drawn from ``generator``."""

    def loss(self, params: Mapping[str, Any], batch: Batch, **extra: Any) -> Any:
        """The loss of one run on one batch, in operations that autograd follows."""

    def metrics(self, params: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Figures of K runs on the validation images: name -> (K,)."""


@dataclass(frozen=True)
class Classification:
    """Images to classes by fully connected layers with ReLU between them; the backward pass is written out.

    Weights start uniformly in ±√(6/inputs), biases at zero (He et al., 2015, arXiv:1502.01852). Each epoch
    draws a new order and uses whole batches only; images left over come again in the next epoch.

    Args:
        data: images and labels, already split.
        hidden: units in each hidden layer; ``()`` is a linear classifier.
        batch: images in a batch.
        label_noise: fraction of the training labels that are replaced by a random class. Validation labels
            stay clean.

    Raises:
        TypeError: if ``data`` are no :class:`~optviz.data.Data`, or ``hidden`` are no whole numbers.
        ValueError: if a layer has no unit, the batch is larger than the training set, or the noise is not in
            [0, 1].

    Example:
        >>> problem = digits(hidden=(16,))
        >>> {name: p.shape for name, p in problem.init(np.random.default_rng(0)).items()}
        {'weight1': (16, 64), 'bias1': (16,), 'weight2': (10, 16), 'bias2': (10,)}
    """

    data: Data
    hidden: tuple[int, ...] = (32,)
    batch: int = 64
    label_noise: float = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.data, Data):
            raise TypeError(f"data must be a Data, e.g. data.digits(), got {self.data!r}")
        hidden = self.hidden if isinstance(self.hidden, tuple | list) else (None,)
        if not all(isinstance(h, int | np.integer) for h in hidden):
            raise TypeError(f"hidden must be a tuple of whole numbers, got {self.hidden!r}")
        object.__setattr__(self, "hidden", tuple(int(h) for h in self.hidden))
        require(all(h >= 1 for h in self.hidden), "hidden", "at least 1 unit in each layer", self.hidden)
        _check_batch(self.batch, len(self.data.train.y))
        share = isinstance(self.label_noise, int | float | np.number) and 0 <= self.label_noise <= 1
        require(share, "label_noise", "in [0, 1]", self.label_noise)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Inputs, hidden units, classes."""
        return (self.data.train.X.shape[1], *self.hidden, self.data.classes)

    @property
    def updates_per_epoch(self) -> int:
        """Whole batches in the training set."""
        return len(self.labels) // self.batch

    @cached_property
    def labels(self) -> np.ndarray:
        """(N,) training labels with the noise put in, the same for every run and seed."""
        y = self.data.train.y.copy()
        random = np.random.default_rng(20_000)
        wrong = random.permutation(len(y))[: round(self.label_noise * len(y))]
        y[wrong] = random.integers(0, self.data.classes, len(wrong))
        return y

    def init(self, generator: np.random.Generator) -> Params:
        params: Params = {}
        for i, (inputs, outputs) in enumerate(zip(self.sizes[:-1], self.sizes[1:], strict=True), start=1):
            bound = np.sqrt(6 / inputs)
            params[f"weight{i}"] = generator.uniform(-bound, bound, (outputs, inputs)).astype(np.float32)
            params[f"bias{i}"] = np.zeros(outputs, np.float32)
        return params

    def batches(self, generator: np.random.Generator) -> Iterator[Batch]:
        X, y = self.data.train.X, self.labels
        for chosen in _orders(len(y), self.batch, generator):
            yield X[chosen], y[chosen]

    def logits(self, params: Mapping[str, Any], X: Any) -> Any:
        """Scores (N, classes) of one run on images (N, features)."""
        for i in range(1, len(self.sizes)):
            X = X @ params[f"weight{i}"].T + params[f"bias{i}"]
            X = X.clip(min=0) if i < len(self.sizes) - 1 else X
        return X

    def loss(self, params: Mapping[str, Any], batch: Batch, smoothing: Any = 0.0) -> Any:
        X, y = batch
        return losses.cross_entropy(self.logits(params, X), y, smoothing)

    def loss_and_grad(
        self, params: Mapping[str, Any], batch: Batch, out: Params | None = None, smoothing: Any = 0.0
    ) -> tuple[np.ndarray, Params]:
        """Losses (K,) and gradients (K, *shape) of all rows on one batch, by back-propagation written out."""
        X, y = batch
        grads = {name: np.empty_like(p) for name, p in params.items()} if out is None else out
        layers = self._forward(params, X)
        loss, delta = losses.cross_entropy_with_grad(layers[-1], y, smoothing)
        ones = np.ones(len(y), delta.dtype)
        for i in range(len(layers) - 1, 0, -1):
            below = layers[i - 1]
            np.matmul(delta.swapaxes(1, 2), below, out=grads[f"weight{i}"])
            np.matmul(ones, delta, out=grads[f"bias{i}"])  # a sum over examples, 5 times faster than sum()
            if i > 1:
                delta = np.matmul(delta, params[f"weight{i}"])
                delta *= below > 0
        return loss, grads

    def metrics(self, params: Mapping[str, Any]) -> dict[str, np.ndarray]:
        images = self.data.validation
        logits = self._forward(params, images.X)[-1]
        return {
            "validation_loss": losses.cross_entropy(logits, images.y),
            "validation_accuracy": evaluation.accuracy(logits, images.y),
        }

    def _forward(self, params: Mapping[str, Any], X: np.ndarray) -> list[np.ndarray]:
        """The input, each layer's output after ReLU, and the logits (K, N, classes)."""
        layers = [X]
        for i in range(1, len(self.sizes)):
            z = np.matmul(layers[-1], params[f"weight{i}"].swapaxes(1, 2))
            z += params[f"bias{i}"][:, None, :]
            layers.append(np.maximum(z, 0, out=z) if i < len(self.sizes) - 1 else z)
        return layers


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
        import copy

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
        for chosen in _orders(len(y), self.batch, generator):
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


def digits(hidden: tuple[int, ...] = (32,), batch: int = 64, label_noise: float = 0.0) -> Classification:
    """Scikit-learn's 8×8 digits and a small fully connected network.

    Args:
        hidden: units in each hidden layer.
        batch: images in a batch.
        label_noise: fraction of the training labels replaced by a random class.

    Returns:
        A problem with a closed-form gradient, so that training runs in NumPy.

    Raises:
        ValueError: as :class:`Classification`.

    Example:
        >>> digits().sizes
        (64, 32, 10)
    """
    return Classification(datasets.digits(), hidden, batch, label_noise)


def mnist5k(
    hidden: tuple[int, ...] = (64,), size: int = 14, batch: int = 128, label_noise: float = 0.0
) -> Classification:
    """5,000 MNIST digits and a small fully connected network.

    Args:
        hidden: units in each hidden layer.
        size: 28, or 14 for images averaged over 2×2 pixels.
        batch: images in a batch.
        label_noise: fraction of the training labels replaced by a random class.

    Returns:
        A problem with a closed-form gradient, so that training runs in NumPy.

    Raises:
        ValueError: as :class:`Classification`, or for another size.

    Example:
        >>> mnist5k().sizes
        (196, 64, 10)
    """
    return Classification(datasets.mnist5k(size), hidden, batch, label_noise)


@lru_cache(8)  # each holds the images as tensors
def convolutional(problem: Classification) -> ModuleProblem:
    """The small convolutional network on the images of another problem, with its batch and label noise.

    Args:
        problem: what to take images, noisy labels and batch from.

    Returns:
        A problem that trains in torch; equal arguments share one as long as it is among the last 8.

    Example:
        >>> start = convolutional(digits()).init(np.random.default_rng(0))
        >>> sum(p.numel() for p in start.values())
        6090
    """
    import torch

    from optviz.models import SmallCNN

    images = problem.data
    channels, size, _ = images.shape
    noisy = replace(images, train=replace(images.train, y=problem.labels))
    # Weights are drawn anew by `init`; a generator of its own leaves torch's global one alone.
    network = SmallCNN(channels, size, images.classes, generator=torch.Generator())
    return ModuleProblem(network, noisy, problem.batch)


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
    import copy

    import torch

    if not isinstance(module, torch.nn.Module):
        raise TypeError(f"module must be a torch.nn.Module, got {module!r}")
    require(any(True for _ in module.parameters()), "module", "a network with parameters", module)
    random = [
        n for n, m in module.named_modules() if "Dropout" in type(m).__name__ and getattr(m, "p", 0) > 0
    ]
    held = random + [n for n, _ in module.named_buffers()]
    require(not held, "module", "without dropout and running statistics (Trainer takes those)", held)
    own = datasets.split(_array(X), _array(y))
    _check_batch(batch, len(own.train.y))
    problem = ModuleProblem(copy.deepcopy(module).train(), own, batch)
    try:
        with torch.no_grad():
            logits = problem.module(problem._train[0][:1])
    except RuntimeError as error:
        raise ValueError(f"X must fit the module, got examples of shape {own.shape}: {error}") from error
    shaped = logits.ndim == 2 and logits.shape[1] >= own.classes
    require(shaped, "module's output", f"of shape (N, {own.classes} or more)", tuple(logits.shape))
    return problem


def _array(values: Any) -> np.ndarray:
    return values.detach().cpu().numpy() if hasattr(values, "detach") else np.asarray(values)


def _check_batch(batch: int, examples: int) -> None:
    rule = f"in [1, {examples}] (the training examples)"
    require(isinstance(batch, int | np.integer) and 1 <= batch <= examples, "batch", rule, batch)


def _orders(examples: int, batch: int, generator: np.random.Generator) -> Iterator[np.ndarray]:
    """Index arrays of whole batches, epoch after epoch, each in a fresh order."""
    while True:
        order = generator.permutation(examples)
        for start in range(0, examples - batch + 1, batch):
            yield order[start : start + batch]
