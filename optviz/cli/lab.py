"""Start JupyterLab on the first lesson, reachable from this machine only."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from optviz._files import cache_folder, ready_folder
from optviz._knobs import require
from optviz.cli import catalog

__all__ = ["arguments", "environment", "has_display", "start"]

FIRST = "00_start_here.ipynb"


def start(
    folder: str | None = None, *, port: int | None = None, browser: bool = True, threads: int = 1
) -> int:
    """Start JupyterLab and stay until it is stopped (Ctrl-C).

    Args:
        folder: folder of the notebooks; found by itself when None.
        port: port on loopback; 8888 or the next free one when None.
        browser: open a browser, where there is a display.
        threads: threads that a kernel's matrix library may use. One is fastest beside other programs.

    Returns:
        JupyterLab's exit code.

    Raises:
        FileNotFoundError: if there are no notebooks.
        ModuleNotFoundError: if JupyterLab is not installed.
        ValueError: if the port or the number of threads is out of range.

    Example:
        >>> start(threads=0)
        Traceback (most recent call last):
        ...
        ValueError: --threads must be at least 1, got 0
    """
    require(threads >= 1, "--threads", "at least 1", threads)
    require(port is None or 1 <= port <= 65535, "--port", "in [1, 65535]", port)
    notebooks = catalog.find(folder)
    if importlib.util.find_spec("jupyterlab") is None:
        raise ModuleNotFoundError("JupyterLab is not installed; install it with: pip install 'optviz[lab]'")
    command = [sys.executable, "-m", "jupyterlab", *arguments(notebooks, port, browser and has_display())]
    print("Starting JupyterLab on this machine only. Stop it with Ctrl-C.", flush=True)
    if os.name == "posix":
        os.execve(sys.executable, command, environment(threads))
    return subprocess.call(command, env=environment(threads))


def arguments(notebooks: Path, port: int | None, browser: bool) -> list[str]:
    """The arguments of ``jupyter lab``: loopback, a fresh token, the first lesson, no news pop-up.

    The settings are a folder of this package; those of the user are read as ever and nothing is written.

    Example:
        >>> arguments(Path("notebooks"), 8899, browser=False)[-2:]
        ['--no-browser', '--ServerApp.port=8899']
    """
    first = f"/{notebooks.name}/{FIRST}" if (notebooks / FIRST).exists() else f"/{notebooks.name}"
    options = [
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.root_dir={notebooks.parent}",
        f"--LabApp.default_url=/lab/tree{first}",
        f"--LabApp.app_settings_dir={Path(__file__).parent / 'settings'}",
        "--LabApp.extension_manager=readonly",
        "--Application.log_level=ERROR",  # the link is still printed
        "--PasswordIdentityProvider.hashed_password=",  # a token, also for those who have set a password
        "--ServerApp.answer_yes=True",  # Ctrl-C stops at once
        *_workspaces(),
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.append("--allow-root")
    if not browser:
        options.append("--no-browser")
    if port is not None:
        options.append(f"--ServerApp.port={port}")
    return options


def _workspaces() -> list[str]:
    """A folder for the layout of windows, apart from that of the user's other work in JupyterLab."""
    try:
        return [f"--LabApp.workspaces_dir={ready_folder(cache_folder() / 'workspaces')}"]
    except OSError:
        return []


def environment(threads: int) -> dict[str, str]:
    """The environment of JupyterLab and its kernels: this Python first, a limit on threads, a fresh token.

    Example:
        >>> environment(2)["OMP_NUM_THREADS"]
        '2'
    """
    limits = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
    inherited = {name: value for name, value in os.environ.items() if name != "JUPYTER_TOKEN"}
    return inherited | {"JUPYTER_PREFER_ENV_PATH": "1"} | dict.fromkeys(limits, str(threads))


def has_display() -> bool:
    """Whether a browser can open a window here. A container or an SSH session on Linux has no display.

    Example:
        >>> has_display() in (True, False)
        True
    """
    if sys.platform in ("win32", "darwin") or os.environ.get("BROWSER"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
