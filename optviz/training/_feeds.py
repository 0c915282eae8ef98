"""Where a training's batches come from: tensors on the device, or any iterable of batches."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import torch

from optviz._knobs import require

__all__ = ["Feed", "LoaderFeed", "TensorFeed", "feed"]

Batch = tuple[Any, Any]


class TensorFeed:
    """(X, y) moved to the device once; batches are gathered there by slices of a random permutation."""

    def __init__(self, X: Any, y: Any, batch: int, device: torch.device, name: str):
        self.X, self.y = _tensor(X, f"{name}.X", device), _tensor(y, f"{name}.y", device)
        n = len(self.X) if self.X.ndim else 0
        require(n > 0, f"{name}.X", "at least one example", tuple(self.X.shape))
        same = self.y.ndim > 0 and len(self.y) == n
        require(same, f"{name}.y", f"as many targets as there are examples ({n})", tuple(self.y.shape))
        self.highest = -1 if self.y.is_floating_point() else int(self.y.max())
        if not self.y.is_floating_point():
            require(int(self.y.min()) >= 0, f"{name}.y", "class ids from 0", int(self.y.min()))
        self.batch, self.examples = batch, n
        self.batches = -(-n // batch)

    def epoch(self, generator: torch.Generator, skip: int) -> Iterator[Batch]:
        """One pass in random order, without its first ``skip`` batches."""
        order = torch.randperm(self.examples, generator=generator).to(self.X.device, non_blocking=True)
        left = order[skip * self.batch :].split(self.batch) if skip < self.batches else ()
        return ((self.X.index_select(0, picked), self.y.index_select(0, picked)) for picked in left)

    def in_order(self) -> Iterator[Batch]:
        size = max(self.batch, 512)
        yield from zip(self.X.split(size), self.y.split(size), strict=True)

    def shapes(self) -> str:
        return f"X of shape {tuple(self.X.shape)} and y of shape {tuple(self.y.shape)}"

    def fingerprint(self) -> str:
        """A short text that other data would not give: shapes and a checksum of about 64 examples."""
        some = slice(None, None, max(1, self.examples // 64))
        parts = [np.ascontiguousarray(t[some].cpu().numpy()).tobytes() for t in (self.X, self.y)]
        return f"{tuple(self.X.shape)} {zlib.crc32(b''.join(parts)):08x}"


class LoaderFeed:
    """Any iterable of (X, y) batches that can be iterated once an epoch, such as a ``DataLoader``."""

    def __init__(self, loader: Any, device: torch.device, name: str):
        require(iter(loader) is not loader, name, "iterable once an epoch (a list, a DataLoader)", loader)
        self.loader, self.device, self.name, self.highest = loader, device, name, -1
        self.batches = len(loader) if hasattr(loader, "__len__") else None
        require(self.batches != 0, name, "at least one batch", loader)

    def epoch(self, generator: torch.Generator, skip: int) -> Iterator[Batch]:
        """One pass in the loader's own order, without its first ``skip`` batches."""
        batches = iter(self.loader)
        for _ in islice(batches, skip):
            pass
        return map(self._moved, batches)

    def in_order(self) -> Iterator[Batch]:
        return map(self._moved, self.loader)

    def shapes(self) -> str:
        return f"batches of a {type(self.loader).__name__}"

    def fingerprint(self) -> str:
        return f"{type(self.loader).__name__} of {self.batches} batches"

    def _moved(self, batch: Any) -> Batch:
        if not isinstance(batch, tuple | list) or len(batch) != 2:
            raise TypeError(f"{self.name} must give batches (X, y), got {type(batch).__name__}")
        X, y = (
            _tensor(batch[0], f"{self.name} X", self.device),
            _tensor(batch[1], f"{self.name} y", self.device),
        )
        require(len(X) == len(y) > 0, f"{self.name} batch", "as many targets as examples", (len(X), len(y)))
        return X, y


Feed = TensorFeed | LoaderFeed


def feed(source: Any, batch: int, device: torch.device, name: str) -> Feed:
    """The feed for a pair (X, y), an object with ``X`` and ``y`` like a ``Split``, or an iterable of batches.

    Raises:
        TypeError: if it is none of these, or is not made of numbers.
        ValueError: if it is empty, lengths differ, or a class id is negative.

    Example:
        >>> train = feed((np.zeros((5, 2)), np.zeros(5)), 2, torch.device("cpu"), "train")
        >>> train.batches, train.examples
        (3, 5)
    """
    if hasattr(source, "X") and hasattr(source, "y"):
        return TensorFeed(source.X, source.y, batch, device, name)
    if isinstance(source, tuple | list) and len(source) == 2 and not isinstance(source[0], tuple | list):
        return TensorFeed(source[0], source[1], batch, device, name)
    if not hasattr(source, "__iter__") or isinstance(source, torch.Tensor | np.ndarray | str | dict):
        raise TypeError(
            f"{name} must be (X, y), a Split or an iterable of batches, got {type(source).__name__}"
        )
    return LoaderFeed(source, device, name)


def _tensor(values: Any, name: str, device: torch.device) -> torch.Tensor:
    if not isinstance(values, torch.Tensor):
        array = np.asarray(values)
        if array.dtype.kind not in "fiub":
            raise TypeError(f"{name} must be numbers, got dtype {array.dtype}")
        values = torch.tensor(array)  # a copy: the arrays of a Split are read-only
    if values.dtype == torch.float64:
        values = values.to(torch.get_default_dtype())
    elif not values.is_floating_point() and values.dtype != torch.int64 and name.endswith("y"):
        values = values.to(torch.int64)
    return values.to(device, non_blocking=True)
