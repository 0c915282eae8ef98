"""Four ways to lay out weights in a file. All are lossless; they differ in what a zero costs."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from optviz._knobs import require

__all__ = ["CSR", "FORMS", "Bitmap", "Coded", "Dense"]

Read = Callable[[int], np.ndarray]  # the next so many bytes of the file
CHUNK = 1 << 20  # numbers at a time, so that memory stays bounded; a multiple of 8
INDEX = np.dtype("<u4")
FAR = 255  # a gap of 255 or more starts with this byte, which stands for 255 zeros and no value


@dataclass(frozen=True)
class Dense:
    """Every number, zero or not: the safetensors format, which other programs read too.

    Bytes of an array: n · b, for n numbers of b bytes each.

    Example:
        >>> str(Dense())
        'dense'

    Reference: the safetensors format, huggingface.co/docs/safetensors.
    """

    def __str__(self) -> str:
        return "dense"


@dataclass(frozen=True)
class Bitmap:
    """One bit for each number says whether it is there, then those that are.

    Bytes of an array: ⌈n / 8⌉ + b · (numbers that are not zero). Arrays with one axis are stored dense. A
    zero is a number whose bits are all 0, so −0.0 is kept as a value.

    Example:
        >>> list(Bitmap().encode(np.array([[0, 0, 5, 0]], np.uint8)))  # 0b00100000, then the 5
        [b' ', b'\\x05']

    Reference: Blelloch, Prefix sums and their applications, 1990, CMU-CS-90-190 (packing by flags).
    """

    def __str__(self) -> str:
        return "bitmap"

    def encode(self, bits: np.ndarray) -> Iterator[bytes]:
        """The bytes of an array, piece by piece."""
        for part in _chunks(bits.ravel()):
            kept = part != 0
            yield np.packbits(kept).tobytes()
            yield part[kept].tobytes()

    def decode(self, read: Read, bits: np.ndarray) -> None:
        """Fill an array of zeros from its bytes."""
        for part in _chunks(bits.reshape(-1)):
            kept = np.unpackbits(read(-(-len(part) // 8)), count=len(part)).view(bool)
            part[kept] = _values(read, int(kept.sum()), bits.dtype)


@dataclass(frozen=True)
class CSR:
    """Compressed sparse rows: where each row begins, the column of each number that is not zero, its value.

    Bytes of an array: 4 · (rows + 1) + (4 + b) · (numbers that are not zero). For numbers of 4 bytes it is
    smaller than dense only if fewer than half of them are there. Arrays with one axis are stored dense;
    those with more than two are taken as rows of all that is behind the first axis.

    Example:
        >>> [len(piece) for piece in CSR().encode(np.array([[0, 7], [0, 0]], np.uint32))]
        [12, 4, 4]

    Reference: Saad, Iterative Methods for Sparse Linear Systems, 2nd edition, 2003, section 3.4.
    """

    def __str__(self) -> str:
        return "CSR"

    def encode(self, bits: np.ndarray) -> Iterator[bytes]:
        """The bytes of an array, piece by piece."""
        blocks = _row_blocks(bits)
        counts = [np.count_nonzero(block, axis=1) for block in blocks]
        total = np.cumsum(np.concatenate([[0], *counts]))
        most = int(np.iinfo(INDEX).max)
        require(max(int(total[-1]), bits.shape[1]) <= most, "CSR", f"at most {most} numbers", int(total[-1]))
        yield total.astype(INDEX).tobytes()
        for block in blocks:
            yield np.nonzero(block)[1].astype(INDEX).tobytes()
        for block in blocks:
            yield block[block != 0].tobytes()

    def decode(self, read: Read, bits: np.ndarray) -> None:
        """Fill an array of zeros from its bytes."""
        rows, columns = bits.shape
        starts = read(INDEX.itemsize * (rows + 1)).view(INDEX)
        where = read(INDEX.itemsize * int(starts[-1])).view(INDEX)
        ordered = starts[0] == 0 and bool((starts[1:] >= starts[:-1]).all())
        _sound(ordered and (len(where) == 0 or int(where.max()) < columns))
        row = np.repeat(np.arange(rows, dtype=INDEX), np.diff(starts))
        bits[row, where] = _values(read, len(where), bits.dtype)


@dataclass(frozen=True)
class Coded:
    """Entropy-coded: gaps between the numbers that are not zero, and these numbers, in Huffman codes.

    A gap is the count of zeros before a number, one byte each, and one byte more for every 255 zeros. The
    numbers are written by bytes of equal rank, all first bytes, then all second ones, …, since the bytes
    with the exponents resemble each other. Both go through DEFLATE (zlib), which here codes single bytes and
    runs of equal ones: longer repetitions are not worth looking for in weights. Arrays with one axis are
    stored dense.

    Example:
        >>> rare = np.zeros((100, 100), np.uint32)
        >>> rare[::10, ::10] = 7
        >>> sum(map(len, Coded().encode(rare))) < sum(map(len, Bitmap().encode(rare))) / 10
        True

    Reference:
        Han, Mao and Dally, Deep compression, 2015, arXiv:1510.00149 (gaps and Huffman coding); RFC 1951
        (DEFLATE).
    """

    def __str__(self) -> str:
        return "coded"

    def encode(self, bits: np.ndarray) -> Iterator[bytes]:
        """The bytes of an array, piece by piece."""
        for part in _chunks(bits.ravel()):
            at = np.flatnonzero(part)
            for stream in (_gaps(at), _planes(part[at])):
                packed = _packed(stream)
                yield np.array([len(packed)], INDEX).tobytes()
                yield packed

    def decode(self, read: Read, bits: np.ndarray) -> None:
        """Fill an array of zeros from its bytes."""
        for part in _chunks(bits.reshape(-1)):
            gaps = _unpacked(read, len(part) + len(part) // FAR + 1)
            ends = gaps != FAR
            at = np.cumsum(gaps, dtype=np.int64)[ends] + np.arange(int(ends.sum()))
            _sound(len(at) == 0 or int(at[-1]) < len(part))
            planes = _unpacked(read, len(at) * bits.itemsize)
            _sound(len(planes) == len(at) * bits.itemsize)
            part[at] = np.ascontiguousarray(planes.reshape(bits.itemsize, -1).T).view(bits.dtype).ravel()


FORMS: tuple[Any, ...] = (Dense(), Bitmap(), CSR(), Coded())


def _chunks(flat: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(flat), CHUNK):
        yield flat[start : start + CHUNK]


def _row_blocks(bits: np.ndarray) -> list[np.ndarray]:
    height = max(1, CHUNK // max(1, bits.shape[1]))
    return [bits[start : start + height] for start in range(0, len(bits), height)]


def _gaps(at: np.ndarray) -> bytes:
    """One byte for each number: the zeros before it; a byte 255 before that for every 255 of them."""
    zeros = np.diff(at, prepend=-1) - 1
    far = zeros // FAR
    out = np.full(len(at) + int(far.sum()), FAR, np.uint8)
    out[np.cumsum(far + 1) - 1] = zeros % FAR
    return out.tobytes()


def _planes(values: np.ndarray) -> bytes:
    """All lowest bytes, then all second ones, and so on."""
    return values.view(np.uint8).reshape(len(values), values.itemsize).T.tobytes()


def _packed(stream: bytes) -> bytes:
    """DEFLATE with runs and Huffman codes: smaller than its search for repetitions, and 20 times faster."""
    machine = zlib.compressobj(9, strategy=zlib.Z_RLE)
    return machine.compress(stream) + machine.flush()


def _unpacked(read: Read, most: int) -> np.ndarray:
    """The bytes that were compressed; never more than ``most``, whatever a damaged file says."""
    packed = read(int(read(INDEX.itemsize).view(INDEX)[0])).tobytes()
    machine = zlib.decompressobj()
    try:
        found = machine.decompress(packed, most + 1)
    except zlib.error:
        found = b""
    _sound(machine.eof and len(found) <= most)
    return np.frombuffer(found, np.uint8)


def _values(read: Read, count: int, dtype: np.dtype) -> np.ndarray:
    return read(count * dtype.itemsize).view(dtype)


def _sound(ok: bool) -> None:
    require(ok, "path", "a whole file", "one whose parts don't fit together")
