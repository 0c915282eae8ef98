"""Files are whole or not there."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from optviz import _files
from optviz._files import atomic_path, cache_folder, ready_folder, write_atomic


def test_writes_bytes_and_text(tmp_path: Path) -> None:
    assert write_atomic(tmp_path / "a" / "b.bin", b"\x00\x01").read_bytes() == b"\x00\x01"
    assert write_atomic(str(tmp_path / "t.txt"), "× π").read_text(encoding="utf-8") == "× π"


def test_replaces_and_leaves_nothing_behind(tmp_path: Path) -> None:
    write_atomic(tmp_path / "x", b"old")
    write_atomic(tmp_path / "x", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    assert (tmp_path / "x").read_bytes() == b"new"


def test_failure_inside_keeps_the_old_file(tmp_path: Path) -> None:
    target = write_atomic(tmp_path / "x.npz", b"old")

    def half() -> None:
        with atomic_path(target) as temporary:
            temporary.write_bytes(b"half")
            raise KeyError("x")

    with pytest.raises(KeyError):
        half()
    assert [path.name for path in tmp_path.iterdir()] == ["x.npz"]
    assert target.read_bytes() == b"old"


def test_full_disk_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = write_atomic(tmp_path / "x", b"old")

    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_files, "_flush", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomic(target, b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    assert target.read_bytes() == b"old"


def test_temporary_has_the_suffix_and_the_folder(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "w.safetensors") as temporary:
        assert temporary.suffix == ".safetensors"
        assert temporary.parent == tmp_path.resolve()
        temporary.write_bytes(b"1")


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
def test_keeps_the_mode_and_follows_links(tmp_path: Path) -> None:
    target = write_atomic(tmp_path / "x", b"old")
    target.chmod(0o640)
    link = tmp_path / "link"
    link.symlink_to(target)
    write_atomic(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o640


def test_new_file_has_the_usual_mode(tmp_path: Path) -> None:
    (tmp_path / "usual").write_bytes(b"")
    assert write_atomic(tmp_path / "x", b"").stat().st_mode == (tmp_path / "usual").stat().st_mode


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX")
def test_killed_while_writing_keeps_the_old_file(tmp_path: Path) -> None:
    target = write_atomic(tmp_path / "x", b"old" * 1000)
    code = f"""
        from optviz._files import write_atomic
        while True:
            for letter in (b"a", b"b"):
                write_atomic({str(target)!r}, letter * 200_000)
                print(flush=True)
    """
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    for _ in range(5):
        child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert target.read_bytes() in (b"a" * 200_000, b"b" * 200_000)


@pytest.mark.parametrize("write", [lambda path: write_atomic(path / "x", b""), ready_folder])
def test_folder_that_is_a_file(tmp_path: Path, write) -> None:
    occupied = tmp_path / "occupied"
    occupied.write_bytes(b"")
    with pytest.raises(
        OSError, match=r"occupied must be a folder that can be written to, got: .*OPTVIZ_CACHE"
    ):
        write(occupied)


@pytest.mark.parametrize("write", [lambda path: write_atomic(path / "x", b""), ready_folder])
def test_read_only_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write) -> None:
    # Root may write anywhere, so the system's answer on a read-only disk is given here.
    def refuse(*args: object, **kwargs: object) -> int:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(_files.os, "open", refuse)
    monkeypatch.setattr(_files.tempfile, "mkstemp", refuse)
    with pytest.raises(OSError, match="must be a folder that can be written to, got: Read-only file system"):
        write(tmp_path)


def test_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPTVIZ_CACHE", str(tmp_path / "here"))
    assert cache_folder() == tmp_path / "here"
    assert not (tmp_path / "here").exists()
    monkeypatch.setenv("OPTVIZ_CACHE", "~/there")
    assert cache_folder() == Path.home() / "there"
    monkeypatch.delenv("OPTVIZ_CACHE")
    assert cache_folder().name == "optviz"
