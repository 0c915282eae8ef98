"""Weights in files that are really written, so that a size is a size: every index and header is in it."""

from __future__ import annotations

import json
import os
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from optviz._files import atomic_path
from optviz._knobs import require
from optviz.ledger._tensors import ARRAYS, Item, bits_of, items, restored
from optviz.ledger.forms import CHUNK, CSR, FORMS, Bitmap, Coded, Dense, Read

__all__ = ["read", "sizes", "write"]

MAGIC = b"optviz-1"
PREFIX = len(MAGIC) + 4  # then the length of the header in 4 bytes
CODES = {"bool": "BOOL", "bfloat16": "BF16", "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2"} | {
    f"{word}{8 * size}": f"{letter}{8 * size}"
    for word, letter in (("int", "I"), ("uint", "U"), ("float", "F"))
    for size in (1, 2, 4, 8)
}
TYPES = {code: name for name, code in CODES.items()}
BY_NAME = {str(form): form for form in (Bitmap(), CSR(), Coded())}


def write(path: str | os.PathLike[str], tensors: Any, form: Any = FORMS[0]) -> int:
    """Write all arrays of a network into one file, bit for bit, and say how large the file is.

    Nothing is rounded: −0.0 and the payloads of NaN come back as they were, and so do types and shapes. A
    file is written whole or not at all, and a checksum (CRC-32) over all of it tells when it is damaged. An
    array that has several names is stored once.

    Args:
        path: the file; its folder is created if it is missing.
        tensors: name -> array, or name -> tensor, or a ``torch.nn.Module`` (its ``state_dict``).
        form: ``Dense()``, ``Bitmap()``, ``CSR()`` or ``Coded()``.

    Returns:
        Bytes of the file, with header, indices and checksum.

    Raises:
        TypeError: if ``tensors`` holds something else, or arrays beside tensors; or ``form`` is none.
        ValueError: if there is nothing to store, or numbers of a type that files don't hold.
        OSError: if the folder cannot be written.

    Example:
        >>> weights = {"weight": np.eye(100, dtype=np.float32), "bias": np.zeros(100, np.float32)}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     [write(Path(folder) / "net", weights, form) for form in (Dense(), Bitmap())]
        [40608, 2165]

    Reference: Han, Mao and Dally, Deep compression, 2015, arXiv:1510.00149 (sizes with all indices counted).
    """
    pieces = _layout(form)(form, *items(tensors))
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.writelines(pieces)
        size = file.tell()
    return size


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """All arrays of a file that :func:`write` made, or of any safetensors file.

    Args:
        path: the file.

    Returns:
        Name -> tensor if tensors were written, else name -> array, in the order in which they were written.
        Arrays that were one under several names are one again.

    Raises:
        ValueError: if the file is damaged, cut off, or of another kind.
        FileNotFoundError: if there is none.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = write(Path(folder) / "net", {"w": np.array([[0.0, -0.0, 2.5]])}, CSR())
        ...     read(Path(folder) / "net")
        {'w': array([[ 0. , -0. ,  2.5]])}

    Reference: the safetensors format, huggingface.co/docs/safetensors.
    """
    with Path(path).open("rb") as file:
        try:
            compact = file.read(len(MAGIC)) == MAGIC
            kind, kept, same = (_read_compact if compact else _read_dense)(file)
        except (KeyError, TypeError, IndexError, AttributeError, OverflowError, UnicodeError) as error:
            raise ValueError(f"path must be a whole file of weights, got {os.fspath(path)!r}") from error
    found = {item.name: restored(item, kind) for item in kept}
    return found | {name: found[other] for name, other in same.items()}


def sizes(tensors: Any, forms: Sequence[Any] = FORMS) -> dict[Any, int]:
    """Bytes of the files that a network makes, one in each form; they are really written, then removed.

    Args:
        tensors: as for :func:`write`.
        forms: the forms to try.

    Returns:
        Form -> bytes.

    Raises:
        TypeError, ValueError: as :func:`write`.

    Example:
        >>> half = {"weight": np.tile(np.float32([0, 1]), (100, 50))}
        >>> {str(form): size for form, size in sizes(half, [Dense(), Bitmap(), CSR()]).items()}
        {'dense': 40144, 'bitmap': 21340, 'CSR': 40491}

    Reference: Han, Mao and Dally, Deep compression, 2015, arXiv:1510.00149.
    """
    kept, found = items(tensors), {}
    for form in forms:
        with tempfile.TemporaryFile(prefix="optviz-") as file:
            file.writelines(_layout(form)(form, *kept))
            file.flush()
            found[form] = _size(file)
    return found


def _layout(form: Any) -> Any:
    if not (isinstance(form, Dense) or str(form) in BY_NAME):
        raise TypeError(f"form must be Dense(), Bitmap(), CSR() or Coded(), got {form!r}")
    return _dense if isinstance(form, Dense) else _compact


def _compact(form: Any, kind: str, kept: list[Item], same: dict[str, str]) -> Iterator[bytes]:
    """Our own container: magic, length of the header, header, arrays, checksum of all that."""
    entries = [[item.name, item.dtype, item.shape] for item in kept]
    header: dict[str, Any] = {"form": str(form), "kind": kind, "arrays": entries}
    text = json.dumps(header | ({"same": same} if same else {}), separators=(",", ":")).encode()
    check = 0
    for piece in _pieces(form, kept, MAGIC + len(text).to_bytes(4, "little") + text):
        check = zlib.crc32(piece, check)
        yield piece
    yield check.to_bytes(4, "little")


def _pieces(form: Any, kept: list[Item], start: bytes) -> Iterator[bytes]:
    yield start
    for item in kept:
        yield from form.encode(item.bits) if item.sparse else _plain(item.bits)


def _plain(bits: np.ndarray) -> Iterator[bytes]:
    flat = bits.reshape(-1)
    for start in range(0, len(flat), CHUNK):
        yield flat[start : start + CHUNK].tobytes()


def _read_compact(file: BinaryIO) -> tuple[str, list[Item], dict[str, str]]:
    end = _size(file) - 4
    _whole(end >= PREFIX, file)
    _whole(_checksum(file, end) == int.from_bytes(file.read(4), "little"), file)
    file.seek(len(MAGIC))
    header = json.loads(file.read(int.from_bytes(file.read(4), "little")))
    form, kept = BY_NAME[header["form"]], []

    def following(count: int) -> np.ndarray:
        _whole(0 <= count <= end - file.tell(), file)
        return np.frombuffer(file.read(count), np.uint8)

    for name, dtype, shape in header["arrays"]:
        kept.append(_filled(form, following, name, dtype, tuple(shape), header["kind"]))
    _whole(file.tell() == end, file)
    return header["kind"], kept, header.get("same", {})


def _filled(form: Any, read: Read, name: str, dtype: str, shape: tuple[int, ...], kind: str) -> Item:
    wide = bits_of(dtype, kind)
    rows, columns = (shape[0] if shape else 1), int(np.prod(shape[1:], dtype=np.int64))
    item = Item(name, dtype, shape, np.zeros((rows, columns), wide))
    if item.sparse:
        form.decode(read, item.bits)
    else:
        item.bits[...] = read(rows * columns * wide.itemsize).view(wide).reshape(rows, columns)
    return item


def _dense(form: Dense, kind: str, kept: list[Item], same: dict[str, str]) -> Iterator[bytes]:
    """A safetensors file: length of the header in 8 bytes, header as JSON, then the arrays one by one."""
    notes = {"optviz_kind": kind} | ({"optviz_same": json.dumps(same)} if same else {})
    header: dict[str, Any] = {"__metadata__": notes}
    at = 0
    for item in kept:
        place = {"dtype": CODES[item.dtype], "shape": item.shape, "data_offsets": (at, at + item.bits.nbytes)}
        header[item.name], at = place, at + item.bits.nbytes
    check = zlib.crc32(_text(header))
    for item in kept:
        for piece in _plain(item.bits):
            check = zlib.crc32(piece, check)
    notes["optviz_crc32"] = f"{check:08x}"
    text = _text(header)
    text += b" " * (-len(text) % 8)  # arrays begin at a multiple of 8, as the format asks
    yield len(text).to_bytes(8, "little") + text
    for item in kept:
        yield from _plain(item.bits)


def _read_dense(file: BinaryIO) -> tuple[str, list[Item], dict[str, str]]:
    size = _size(file)
    file.seek(0)
    length = int.from_bytes(file.read(8), "little")
    _whole(0 < length <= size - 8, file)
    header = json.loads(file.read(length))
    notes = header.get("__metadata__", {})
    told, same = notes.pop("optviz_crc32", None), json.loads(notes.get("optviz_same", "{}"))
    check = zlib.crc32(_text(header))
    header.pop("__metadata__", None)
    foreign = any(TYPES[place["dtype"]] not in ARRAYS for place in header.values())
    kind = "torch" if foreign else notes.get("optviz_kind", "numpy")
    kept, at = [], 0
    for name, place in sorted(header.items(), key=lambda entry: entry[1]["data_offsets"]):
        dtype, shape = TYPES[place["dtype"]], tuple(place["shape"])
        rows, columns = (shape[0] if shape else 1), int(np.prod(shape[1:], dtype=np.int64))
        wide = bits_of(dtype, kind)
        end = at + rows * columns * wide.itemsize
        _whole(tuple(place["data_offsets"]) == (at, end) and at <= end <= size - 8 - length, file)
        raw = bytearray(end - at)
        file.readinto(raw)  # type: ignore[attr-defined]
        check, at = zlib.crc32(raw, check), end
        kept.append(Item(name, dtype, shape, np.frombuffer(raw, wide).reshape(rows, columns)))
    _whole(at == size - 8 - length and (told is None or told == f"{check:08x}"), file)
    return kind, kept, same


def _text(header: dict[str, Any]) -> bytes:
    return json.dumps(header, separators=(",", ":")).encode()


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def _checksum(file: BinaryIO, end: int) -> int:
    """CRC-32 of the first ``end`` bytes, after which the file stands there."""
    file.seek(0)
    check = 0
    while file.tell() < end:
        check = zlib.crc32(file.read(min(1 << 20, end - file.tell())), check)
    return check


def _whole(ok: bool, file: BinaryIO) -> None:
    require(
        ok, "path", "a whole file of weights (this one is damaged, cut off or of another kind)", file.name
    )
