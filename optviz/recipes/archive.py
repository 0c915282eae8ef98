"""The file of a compressed network: codebooks, which value where, and how far apart, in Huffman codes."""

from __future__ import annotations

import json
import math
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from optviz import quantize
from optviz._files import write_atomic
from optviz._knobs import require
from optviz.ledger._tensors import Item, bits_of, items, restored

__all__ = ["Parts", "pack", "parts", "read_compressed", "unpack", "write_compressed"]

MAGIC = b"optviz-dc"
VERSION = 1
START = len(MAGIC) + 1 + 4  # then the length of the header
GAP_BITS = range(1, 9)
MOST_VALUES = 1 << 16
DAMAGED = (KeyError, TypeError, IndexError, AttributeError, OverflowError, ValueError, MemoryError)


@dataclass(frozen=True)
class Parts:
    """What the bytes of a compressed network's file are spent on. Nothing is left out.

    Args:
        values: Huffman codes of which value each kept weight has, those of fillers included.
        gaps: Huffman codes of the count of zeros before each kept weight.
        codebooks: the values themselves.
        tables: lengths of the code words, without which no code can be read.
        plain: numbers stored as they are: biases, and arrays that codes don't make smaller.
        header: names, types, shapes, format, version and checksum.
        dense: bytes of all numbers of the network as they are in memory, with no header.

    Example:
        >>> size = Parts(500, 400, 60, 20, 10, 10, 20_000)
        >>> size.total, size.times
        (1000, 20.0)

    Reference: Han, Mao and Dally, Deep compression, 2015, arXiv:1510.00149, tables 1 to 5.
    """

    values: int
    gaps: int
    codebooks: int
    tables: int
    plain: int
    header: int
    dense: int

    @property
    def total(self) -> int:
        """Bytes of the file."""
        return self.values + self.gaps + self.codebooks + self.tables + self.plain + self.header

    @property
    def times(self) -> float:
        """How many times smaller the file is than the numbers in memory."""
        return self.dense / self.total


def write_compressed(path: str | os.PathLike[str], params: Any) -> Parts:
    """Write a network with zeros and shared weights into one file, bit for bit.

    For each array of two or more axes: its different numbers, the codebook; for each number that is not 0
    which of them it is; and the zeros before it. A gap of g bits holds up to 2^g − 1 zeros: where there are
    more, a filler, a zero stored as if it were a weight, ends a gap of 2^g − 1. Both streams are in Huffman
    codes, and g from 1 to 8 is the one with the smallest result. Other arrays are stored as they are, and so
    is one that codes would make larger. Nothing is rounded; a file is written whole or not at all.

    Args:
        path: the file; its folder is created if it is missing.
        params: name → array, or name → tensor, or a ``torch.nn.Module`` (its ``state_dict``), one network.

    Returns:
        The file's :class:`Parts`.

    Raises:
        TypeError: if ``params`` holds something else, or arrays beside tensors.
        ValueError: if there is nothing to store, or numbers of a type that files don't hold.
        OSError: if the folder cannot be written.

    Example:
        >>> import tempfile
        >>> weights = {"weight": np.tile(np.float32([0, 0, 0, 0.5, 0, -2]), (50, 20)), "bias": np.ones(50)}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     spent = write_compressed(Path(folder) / "net", weights)
        ...     size, found = (Path(folder) / "net").stat().st_size, read_compressed(Path(folder) / "net")
        >>> size == spent.total, all((found[n] == w).all() for n, w in weights.items())
        (True, True)

    Reference: Han, Mao and Dally, Deep compression, 2015, arXiv:1510.00149, sections 2 to 4.
    """
    data, spent = pack(params)
    write_atomic(path, data)
    return spent


def read_compressed(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The network of a file that :func:`write_compressed` made, as it was to the last bit.

    Args:
        path: the file.

    Returns:
        Name → tensor if tensors were written, else name → array, in the order in which they were written.

    Raises:
        ValueError: if the file is damaged, cut off, or of another kind or version.
        FileNotFoundError: if there is none.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = write_compressed(Path(folder) / "net", {"w": np.array([[0.0, 2.5, 0.0]])})
        ...     read_compressed(Path(folder) / "net")
        {'w': array([[0. , 2.5, 0. ]])}

    Reference: Han, Mao and Dally, Deep compression, 2015, arXiv:1510.00149.
    """
    return unpack(Path(path).read_bytes(), os.fspath(path))


def parts(params: Any, *, huffman: bool = True) -> Parts:
    """What a network's file would be spent on; nothing is written.

    Args:
        params: as for :func:`write_compressed`.
        huffman: False for words of one length: ⌈log₂ m⌉ bits for each of an array's m different numbers (or
            the number itself, without a codebook, where that is smaller) and g for each gap. It is what
            Huffman's codes are compared with; the header is counted as that of the file in codes.

    Returns:
        :class:`Parts`.

    Raises:
        TypeError, ValueError: as :func:`write_compressed`.

    Example:
        >>> spent = parts({"w": np.zeros((100, 100), np.float32)})
        >>> spent.dense, spent.values, spent.gaps
        (40000, 0, 0)
        >>> w = {"w": np.tile(np.float32([1, 1, 1, 1, 1, 2, 3, 4]), (10, 100))}
        >>> parts(w).values, parts(w, huffman=False).values  # 8,000 numbers of 1.625 or of 2 bits
        (1625, 2000)

    Reference: Han, Mao and Dally, Deep compression, 2015, arXiv:1510.00149.
    """
    spent = pack(params)[1]
    if huffman:
        return spent
    found = [_of_one_length(item) for item in items(params)[1]]
    values, gaps, codebooks, plain = (sum(column) for column in zip(*found, strict=True))
    return replace(spent, values=values, gaps=gaps, codebooks=codebooks, tables=0, plain=plain)


def pack(params: Any) -> tuple[bytes, Parts]:
    """The bytes of a network's file, and what they are spent on.

    Magic, version (1 byte), length of the header (4), header (JSON), arrays one by one, checksum (4). Of an
    array in codes: codebook, lengths of the words for values, lengths of those for gaps, values, gaps.

    Args:
        params: as for :func:`write_compressed`.

    Returns:
        bytes, and :class:`Parts`.

    Example:
        >>> data, spent = pack({"w": np.eye(3)})
        >>> len(data) == spent.total
        True
    """
    kind, kept, same = items(params)
    coded = [_smaller(item) for item in kept]
    entries = [[i.name, i.dtype, i.shape, c.told() if c else 0] for i, c in zip(kept, coded, strict=True)]
    header: dict[str, Any] = {"kind": kind, "arrays": entries} | ({"same": same} if same else {})
    text = json.dumps(header, separators=(",", ":")).encode()
    pieces = [MAGIC, bytes([VERSION]), len(text).to_bytes(4, "little"), text]
    pieces += [b"".join(c.pieces()) if c else i.bits.tobytes() for i, c in zip(kept, coded, strict=True)]
    data = b"".join(pieces)
    data += zlib.crc32(data).to_bytes(4, "little")
    codes = [c for c in coded if c]
    spent = Parts(
        values=sum(len(c.values) for c in codes),
        gaps=sum(len(c.gaps) for c in codes),
        codebooks=sum(c.book.nbytes for c in codes),
        tables=sum(len(c.value_lengths) + len(c.gap_lengths) for c in codes),
        plain=sum(i.bits.nbytes for i, c in zip(kept, coded, strict=True) if not c),
        header=START + len(text) + 4,
        dense=sum(i.bits.nbytes for i in kept),
    )
    return data, spent


def unpack(data: bytes, name: str = "data") -> dict[str, Any]:
    """The network that :func:`pack` packed.

    Args:
        data: the bytes of a file.
        name: of the file, for errors.

    Returns:
        Name → array or tensor.

    Raises:
        ValueError: if the bytes are not those of a whole file of this version.

    Example:
        >>> unpack(pack({"w": np.array([[0.0, 2.5]])})[0])
        {'w': array([[0. , 2.5]])}
    """
    rule = "a whole file of a compressed network (this one is damaged, cut off or of another kind)"
    require(data[: len(MAGIC)] == MAGIC and len(data) >= START + 4, "path", rule, name)
    version = data[len(MAGIC)]
    require(version == VERSION, "path", f"a file of version {VERSION}", f"version {version} in {name}")
    require(zlib.crc32(data[:-4]) == int.from_bytes(data[-4:], "little"), "path", rule, name)
    try:
        return _network(data[:-4])
    except DAMAGED as error:
        raise ValueError(f"path must be {rule}, got {name!r}") from error


@dataclass(frozen=True, eq=False)
class _Coded:
    """One array in codes.

    Args:
        book: (m,) its different numbers, as bits; a 0 among them is that of fillers.
        value_lengths: m bytes, bits of each value's word, 255 for none.
        gap_lengths: bits of each gap's word, as many bytes as there are gaps up to the longest.
        values, gaps: streams of words.
        count: numbers in each stream.
    """

    book: np.ndarray
    value_lengths: bytes
    gap_lengths: bytes
    values: bytes
    gaps: bytes
    count: int

    def pieces(self) -> list[bytes]:
        """What stands in the file."""
        return [self.book.tobytes(), self.value_lengths, self.gap_lengths, self.values, self.gaps]

    def told(self) -> list[int]:
        """What the header holds of it."""
        return [self.count, len(self.book), len(self.gap_lengths), len(self.values), len(self.gaps)]

    @property
    def size(self) -> int:
        return sum(map(len, self.pieces())) + len(json.dumps(self.told(), separators=(",", ":")))


def _smaller(item: Item) -> _Coded | None:
    """The array in codes, None where they don't make it smaller."""
    flat = item.bits.reshape(-1)
    if not item.sparse or not len(flat):
        return None
    at = np.flatnonzero(flat)
    book, symbols = np.unique(flat[at], return_inverse=True)
    if len(book) > MOST_VALUES:
        return None
    best = min((_filled(at, symbols, len(book), bits) for bits in GAP_BITS), key=_cost(book.itemsize))
    found = _coded(book, *best)
    return found if found.size < flat.nbytes else None


def _of_one_length(item: Item) -> tuple[int, int, int, int]:
    """Bytes of values, gaps, codebook, and of what is stored as it is, in the smallest form of such words."""
    flat, wide = item.bits.reshape(-1), item.bits.itemsize
    forms = [(0, 0, 0, flat.nbytes)]
    if item.sparse and len(flat):
        at = np.flatnonzero(flat)
        book, symbols = np.unique(flat[at], return_inverse=True)
        for bits in GAP_BITS:
            n = len(_filled(at, symbols, len(book), bits)[0])
            m = len(book) + (n > len(at))  # fillers need a value of their own
            gaps, label = -(-n * bits // 8), max(m - 1, 0).bit_length()
            forms += [(-(-n * label // 8), gaps, m * wide, 0), (n * wide, gaps, 0, 0)]
    return min(forms, key=sum)


def _filled(at: np.ndarray, symbols: np.ndarray, filler: int, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Gaps of at most 2^bits − 1 zeros, and symbols, with a filler wherever a gap is longer."""
    zeros = np.diff(at, prepend=-1) - 1
    fillers = zeros >> bits  # each stands for 2^bits − 1 zeros and is a zero itself
    ends = np.cumsum(fillers + 1) - 1
    gaps = np.full(int(ends[-1]) + 1 if len(ends) else 0, (1 << bits) - 1)
    values = np.full(len(gaps), filler)
    gaps[ends], values[ends] = zeros & ((1 << bits) - 1), symbols
    return gaps, values


def _cost(width: int) -> Any:
    """Bytes that streams, tables and values would take, from their counts."""

    def cost(streams: tuple[np.ndarray, np.ndarray]) -> float:
        total = 0.0
        for stream in streams:
            counts = np.bincount(stream) if len(stream) else np.zeros(0, int)
            total += (counts @ quantize.code_lengths(counts).clip(0)) / 8 + len(counts)
        return total + width * (int(streams[1].max(initial=-1)) + 1)

    return cost


def _coded(book: np.ndarray, gaps: np.ndarray, values: np.ndarray) -> _Coded:
    if len(values) and int(values.max()) == len(book):  # there are fillers
        book = np.append(book, np.zeros(1, book.dtype))
    lengths = [
        quantize.code_lengths(np.bincount(stream)) if len(stream) else np.zeros(0, np.int8)
        for stream in (values, gaps)
    ]
    words = [quantize.encode(stream, n) for stream, n in zip((values, gaps), lengths, strict=True)]
    return _Coded(book, lengths[0].tobytes(), lengths[1].tobytes(), words[0], words[1], len(values))


def _network(data: bytes) -> dict[str, Any]:
    end = START + int.from_bytes(data[START - 4 : START], "little")
    header, rest = json.loads(data[START:end]), memoryview(data)[end:]
    found: dict[str, Any] = {}

    def following(count: int) -> bytes:
        nonlocal rest
        _sound(0 <= count <= len(rest))
        taken, rest = rest[:count].tobytes(), rest[count:]
        return taken

    for name, dtype, shape, told in header["arrays"]:
        wide = bits_of(dtype, header["kind"])
        size = math.prod(shape)
        if told:
            bits = _decoded(following, wide, size, told)
        else:
            bits = np.frombuffer(following(size * wide.itemsize), wide).copy()
        found[name] = restored(Item(name, dtype, tuple(shape), bits), header["kind"])
    _sound(len(rest) == 0)
    same: Mapping[str, str] = header.get("same", {})
    return found | {name: found[other] for name, other in same.items()}


def _decoded(following: Any, wide: np.dtype, size: int, told: list[int]) -> np.ndarray:
    """The numbers of an array in codes, as bits (size,)."""
    count, values, gaps, value_bytes, gap_bytes = told
    _sound(0 <= count <= size)
    book = np.frombuffer(following(values * wide.itemsize), wide)
    tables = [np.frombuffer(following(n), np.int8) for n in (values, gaps)]
    streams = [following(n) for n in (value_bytes, gap_bytes)]
    symbols, zeros = (quantize.decode(s, t, count) for s, t in zip(streams, tables, strict=True))
    at = np.cumsum(zeros + 1) - 1
    _sound(count == 0 or int(at[-1]) < size)
    bits = np.zeros(size, wide)
    bits[at] = book[symbols]
    return bits


def _sound(ok: bool) -> None:
    require(ok, "path", "a whole file", "one whose parts don't fit together")
