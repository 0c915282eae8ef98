"""Cut this process and its children off the network, loopback excepted (Linux)."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import sys
from pathlib import Path

__all__ = ["deny_network"]

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1


def deny_network() -> str | None:
    """Move this process into a network namespace that holds only ``lo``, and bring ``lo`` up.

    Without loopback a notebook's kernel could not be reached: each would wait a minute and fail.

    Returns:
        None when the network is denied, else why it cannot be.
    """
    if not sys.platform.startswith("linux"):
        return f"{sys.platform} has no network namespaces"
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(CLONE_NEWNET) != 0:  # not root: a user namespace of one's own gives the right
        if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
            return f"no network namespace can be made: {os.strerror(ctypes.get_errno())}"
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    _loopback_up()
    others = [name for _, name in socket.if_nameindex() if name != "lo"]
    assert all(not _is_up(name) for name in others), f"only lo may be up, got {others}"
    return None


def _flags(name: str) -> int:
    import fcntl  # Linux and macOS only

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        answer = fcntl.ioctl(s, SIOCGIFFLAGS, struct.pack("16sH22x", name.encode(), 0))
    return struct.unpack("16sH22x", answer)[1]


def _is_up(name: str) -> bool:
    return bool(_flags(name) & IFF_UP)


def _loopback_up() -> None:
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", _flags("lo") | IFF_UP))
