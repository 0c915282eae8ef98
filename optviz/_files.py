"""Files that are either whole or not there: atomic writing, and where downloads and caches live."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["atomic_path", "cache_folder", "ready_folder", "write_atomic"]


def cache_folder() -> Path:
    """The folder for downloaded and parsed data (not created here).

    It is the folder that the environment variable ``OPTVIZ_CACHE`` names, else the user's cache folder of the
    operating system.

    Example:
        >>> cache_folder().is_absolute()
        True
    """
    chosen = os.environ.get("OPTVIZ_CACHE")
    if chosen:
        return Path(chosen).expanduser().absolute()
    import pooch  # here, since it costs 0.2 s that most imports need not pay

    return Path(pooch.os_cache("optviz"))


def ready_folder(folder: str | os.PathLike[str]) -> Path:
    """Create ``folder`` if it is missing, and make sure that files can be written there.

    Raises:
        OSError: if it cannot be created or written, naming the folder and what to do.

    Example:
        >>> with tempfile.TemporaryDirectory() as root:
        ...     ready_folder(Path(root) / "a" / "b").name
        'b'
    """
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
        handle, probe = tempfile.mkstemp(prefix=".optviz-", dir=path)
        os.close(handle)
        os.unlink(probe)
    except OSError as error:
        raise _unwritable(path, error) from error
    return path


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Write a file so that at every moment the old one or the new one is there, whole.

    The block writes to a temporary file in the same folder. When the block ends without an exception, that
    file is flushed to disk and takes the place of ``path`` in one step; otherwise it is removed and ``path``
    stays as it was. If the process is killed, ``path`` stays as it was too, and the temporary file may stay.

    Args:
        path: the file to write; its folder is created if it is missing.

    Returns:
        A context manager that yields the temporary path, with the suffix of ``path``.

    Raises:
        OSError: if the folder cannot be written, naming it and what to do.

    Example:
        >>> with tempfile.TemporaryDirectory() as root:
        ...     with atomic_path(Path(root) / "note.txt") as temporary:
        ...         _ = temporary.write_text("whole")
        ...     (Path(root) / "note.txt").read_text()
        'whole'
    """
    target = Path(os.path.realpath(path))  # through a link the file is replaced, not the link
    temporary = target.with_name(f".{target.stem}-{secrets.token_hex(8)}{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except OSError as error:
        raise _unwritable(target.parent, error) from error
    try:
        yield temporary
        if target.exists():
            temporary.chmod(target.stat().st_mode & 0o7777)
        _flush(temporary)
        os.replace(temporary, target)
        _flush(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomic(path: str | os.PathLike[str], content: bytes | str) -> Path:
    """Write ``content`` to ``path`` so that the file is never seen half-written.

    Args:
        path: the file to write.
        content: bytes, or text that is written as UTF-8.

    Returns:
        The path written.

    Raises:
        OSError: if the folder cannot be written, naming it and what to do.

    Example:
        >>> with tempfile.TemporaryDirectory() as root:
        ...     write_atomic(Path(root) / "a.bin", b"123").stat().st_size
        3
    """
    data = content.encode() if isinstance(content, str) else content
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
    return Path(path)


def _flush(path: Path) -> None:
    if os.name == "nt" and path.is_dir():  # Windows cannot open a folder
        return
    handle = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unwritable(folder: Path, error: OSError) -> OSError:
    reason = error.strerror or type(error).__name__
    message = (
        f"{folder} must be a folder that can be written to, got: {reason}. Choose another path, or for "
        "downloads and caches set the environment variable OPTVIZ_CACHE to a folder of yours."
    )
    return type(error)(error.errno, message)
