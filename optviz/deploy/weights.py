"""Weights in a safetensors file, and back into a network: whole, exact, and nothing that could run."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optviz._knobs import require
from optviz.ledger import Dense, read, write

if TYPE_CHECKING:
    from torch import nn

__all__ = ["load", "save"]


def save(model: nn.Module, path: str | os.PathLike[str]) -> Path:
    """Write all parameters and buffers of a network into a safetensors file.

    The file is written whole or not at all. A tensor that several names share is stored once. Only numbers
    are stored, no code: the network is built by whoever loads them. Any safetensors reader can read it.

    Args:
        model: any module; it stays as it was.
        path: the file, by custom with the ending ``.safetensors``; its folder is created if it is missing.

    Returns:
        The path.

    Raises:
        TypeError: if ``model`` is no ``torch.nn.Module``, or keeps something else than tensors.
        ValueError: if it has no tensors, or a type of number that files don't hold.
        OSError: if the folder cannot be written.

    Example:
        >>> import tempfile, torch
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save(torch.nn.Linear(784, 10), Path(folder) / "net.safetensors").stat().st_size // 1000
        31

    Reference: the safetensors format, huggingface.co/docs/safetensors.
    """
    write(path, _module(model, "save").state_dict(), Dense())
    return Path(path)


def load(model: nn.Module, path: str | os.PathLike[str]) -> nn.Module:
    """A copy of a network with the weights of a safetensors file.

    All or nothing: names, shapes and types must be those of the network.

    Args:
        model: a network of the same kind; it stays as it was.
        path: a file from :func:`save`, or any safetensors file with the same names.

    Returns:
        The copy, on the device and in the mode (training or evaluation) of ``model``.

    Raises:
        TypeError: if ``model`` is no ``torch.nn.Module``.
        ValueError: if the file is damaged, or a name is missing or unexpected, or a shape or type differs.
        FileNotFoundError: if there is no file.

    Example:
        >>> import tempfile, torch
        >>> net = torch.nn.Linear(4, 3)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     same = load(torch.nn.Linear(4, 3), save(net, Path(folder) / "net.safetensors"))
        >>> torch.equal(same.weight, net.weight)
        True

    Reference: the safetensors format, huggingface.co/docs/safetensors.
    """
    import torch

    model = copy.deepcopy(_module(model, "load"))
    own, found = model.state_dict(), _read(path)
    _fits(own, found, os.fspath(path))
    with torch.no_grad():
        for name, value in found.items():
            own[name].copy_(value)
    return model


def _read(path: str | os.PathLike[str]) -> dict[str, Any]:
    import torch

    try:
        return {name: torch.as_tensor(value) for name, value in read(path).items()}
    except ValueError as error:
        raise ValueError(
            f"load.path must be a whole safetensors file, got {os.fspath(path)!r} ({error})"
        ) from error


def _fits(own: dict[str, Any], found: dict[str, Any], path: str) -> None:
    """Refuse a file whose names, shapes or types are not those of the network."""
    import torch

    there = {_place(own[name]) for name in found if name in own}
    missing = [name for name, p in own.items() if name not in found and _place(p) not in there]
    unexpected = [name for name in found if name not in own]
    where = f"load.path ({path})"
    require(not missing, where, "a file with every name of the network", f"no {_few(missing)}")
    require(not unexpected, where, "a file with no other names than the network's", _few(unexpected))
    for name, value in found.items():
        for what in ("shape", "dtype"):
            is_, must = (getattr(p, what) for p in (value, own[name]))
            if what == "shape":
                is_, must = tuple(is_), tuple(must)
            require(is_ == must, f"load.path: {what} of {name!r}", f"that of the network, {must}", is_)
    first: dict[Any, str] = {}
    for name, value in found.items():
        other = first.setdefault(_place(own[name]), name)
        same = other == name or torch.equal(value, found[other])
        require(same, f"load.path: {name!r}", f"equal to {other!r}, which it shares in the network", "others")


def _place(p: Any) -> Any:
    """The same for two names of one tensor, and for nothing else."""
    return (p.data_ptr(), tuple(p.shape), p.stride()) if p.numel() else id(p)


def _few(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _module(model: Any, function: str) -> Any:
    from torch import nn

    if not isinstance(model, nn.Module):
        raise TypeError(f"{function}.model must be a torch.nn.Module, got {model!r:.80}")
    return model
