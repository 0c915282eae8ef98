"""A network's numbers as plain bits, whether they come as a module, as arrays or as tensors."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from optviz._knobs import require

__all__ = ["Item", "bits_of", "items", "named", "restored"]

FLOATS = ("float16", "float32", "float64")
ARRAYS = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", *FLOATS)
TENSORS = (*ARRAYS, "bfloat16", "float8_e4m3fn", "float8_e5m2")
SIZES = {"bool": 1, "bfloat16": 2, "float8_e4m3fn": 1, "float8_e5m2": 1}


@dataclass(frozen=True, eq=False)
class Item:
    """One array on its way to a file or back: its bits as unsigned whole numbers.

    Args:
        name: of the parameter.
        dtype: name of the type of its numbers, such as ``"float32"``.
        shape: as it came.
        bits: (rows, columns) unsigned numbers of the same width; rows is the first axis, columns all others.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    bits: np.ndarray

    @property
    def sparse(self) -> bool:
        """Whether zeros may be left out: two or more axes. Biases, gains and shifts stay dense."""
        return len(self.shape) >= 2


def named(network: Any, *, buffers: bool = False) -> dict[str, Any]:
    """Name -> array or tensor of a module (each shared one once) or of a mapping.

    Args:
        network: a ``torch.nn.Module``, or a mapping from names to arrays or tensors.
        buffers: with what a module keeps beside its parameters, such as running statistics: its whole
            ``state_dict``, a shared tensor under each of its names.

    Raises:
        TypeError: if it is neither, or a value is no array and no tensor.
    """
    if callable(getattr(network, "state_dict", None)):
        own = network.state_dict() if buffers else dict(network.named_parameters())
        network = {name: p.detach() if _tensor(p) else p for name, p in own.items()}
    if not isinstance(network, Mapping):
        raise TypeError(f"tensors must be a module or a mapping from names to arrays, got {network!r:.80}")
    found = {name: np.asarray(p) if isinstance(p, np.generic) else p for name, p in network.items()}
    wrong = [name for name, p in found.items() if not _array(p) or not isinstance(name, str)]
    if wrong:
        raise TypeError(f"tensors[{wrong[0]!r}] must be an array or a tensor, got {found[wrong[0]]!r:.80}")
    return found


def items(network: Any) -> tuple[str, list[Item], dict[str, str]]:
    """What to store: "numpy" or "torch", the arrays, and which names mean the same array as another.

    Raises:
        TypeError: as :func:`named`, or if arrays and tensors are mixed.
        ValueError: if there is nothing to store, or a type of number that has no place in a file.
    """
    found = named(network, buffers=True)
    require(bool(found), "tensors", "at least one array", found)
    kinds = {"torch" if _tensor(p) else "numpy" for p in found.values()}
    if len(kinds) > 1:
        raise TypeError("tensors must be all arrays or all tensors, got both")
    first: dict[Any, str] = {}
    same = {name: first.setdefault(_place(name, p), name) for name, p in found.items()}
    kept = [_item(name, p) for name, p in found.items() if same[name] == name]
    return kinds.pop(), kept, {name: other for name, other in same.items() if other != name}


def restored(item: Item, kind: str) -> Any:
    """The array or tensor that an item holds, bit for bit."""
    if kind == "numpy":
        return item.bits.reshape(item.shape).view(item.dtype)
    import torch

    signed = item.bits.reshape(item.shape).view(f"i{item.bits.itemsize}")
    return torch.from_numpy(signed).view(getattr(torch, item.dtype))


def bits_of(dtype: str, kind: str) -> np.dtype:
    """The unsigned type that is as wide as ``dtype``.

    Raises:
        ValueError: if files hold no such numbers.
    """
    known = TENSORS if kind == "torch" else ARRAYS
    require(dtype in known, "dtype", f"one of {', '.join(known)}", dtype)
    return np.dtype(f"u{SIZES.get(dtype) or np.dtype(dtype).itemsize}")


def _item(name: str, value: Any) -> Item:
    shape = tuple(value.shape)
    if _tensor(value):
        import torch

        dtype = str(value.dtype).removeprefix("torch.")
        wide = bits_of(dtype, "torch")
        plain = value.detach().cpu().contiguous().view(getattr(torch, f"int{8 * wide.itemsize}")).numpy()
    else:
        dtype = value.dtype.name if value.dtype.isnative else value.dtype.str
        wide = bits_of(dtype, "numpy")
        plain = np.asarray(value, order="C")
    columns = int(np.prod(shape[1:], dtype=np.int64))
    return Item(name, dtype, shape, plain.reshape(shape[0] if shape else 1, columns).view(wide))


def _place(name: str, value: Any) -> Any:
    """The same for two names of one array, and for nothing else."""
    if 0 in value.shape:
        return name
    if _tensor(value):
        return value.device, value.data_ptr(), value.dtype, tuple(value.shape), value.stride()
    return value.__array_interface__["data"][0], value.dtype.str, value.shape, value.strides


def _tensor(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _array(value: Any) -> bool:
    return isinstance(value, np.ndarray) or _tensor(value)
