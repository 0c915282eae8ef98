"""A private JupyterLab on loopback, for the browser tests and the browser benchmark.

Nothing of the user's own Jupyter is read or written: settings, data, runtime files, workspaces and the
notebooks themselves live in a temporary folder.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError

import nbformat

__all__ = ["Lab", "start_lab"]

SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none", "autoStartDefaultKernel": True},
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
}
KERNELSPEC = {"name": "python3", "display_name": "Python 3", "language": "python"}


class Lab:
    """A running server: its address, its token and the folder whose notebooks it serves."""

    def __init__(self, address: str, token: str, folder: Path) -> None:
        self.address, self.token, self.folder = address, token, folder

    def url(self, name: str, mode: str = "doc") -> str:
        """Address of one notebook; ``mode`` is "doc" (one document) or "lab" (with the side bar)."""
        return f"{self.address}/{mode}/tree/{name}?token={self.token}&reset"

    def copy(self, path: Path) -> str:
        """Copy a notebook into the served folder, so that the committed file stays as it is."""
        shutil.copyfile(path, self.folder / path.name)
        return path.name

    def write(self, name: str, *cells: str) -> str:
        """Write a notebook of code cells into the served folder."""
        notebook = nbformat.v4.new_notebook(metadata={"kernelspec": KERNELSPEC})
        notebook.cells = [nbformat.v4.new_code_cell(source) for source in cells]
        nbformat.write(notebook, self.folder / name)
        return name

    def stop_kernels(self) -> None:
        """Shut down every kernel, so that one test's memory and threads don't weigh on the next."""
        for session in self._call("GET", "/api/sessions"):
            self._call("DELETE", f"/api/sessions/{session['id']}")

    def _call(self, method: str, path: str) -> list[dict]:
        headers = {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(self.address + path, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            body = answer.read()
        return json.loads(body) if body else []


@contextmanager
def start_lab(environment: Mapping[str, str] | None = None, timeout: float = 90.0) -> Iterator[Lab]:
    """Start JupyterLab, yield it when it answers, and stop it with all its kernels."""
    with tempfile.TemporaryDirectory(prefix="optviz-lab-", ignore_cleanup_errors=True) as name:
        home = Path(name)
        folder, log = home / "notebooks", home / "jupyter.log"
        folder.mkdir()
        port, token = _free_port(), secrets.token_hex(16)
        lab = Lab(f"http://127.0.0.1:{port}", token, folder)
        env = {**os.environ, **_private_folders(home), **(environment or {})}
        with log.open("wb") as stream:
            process = subprocess.Popen(
                _command(port, token, folder), env=env, stdout=stream, stderr=stream, start_new_session=True
            )
        try:
            _wait_until_up(lab, process, log, timeout)
            yield lab
        finally:
            _stop(process)


def _command(port: int, token: str, folder: Path) -> list[str]:
    return [
        sys.executable,
        *("-m", "jupyterlab", "--no-browser", "--allow-root"),
        *("--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"),
        f"--IdentityProvider.token={token}",
        f"--ServerApp.root_dir={folder}",
        "--LabApp.expose_app_in_browser=True",
        "--LabApp.extension_manager=readonly",
    ]


def _private_folders(home: Path) -> dict[str, str]:
    settings = home / "settings"
    for plugin, values in SETTINGS.items():
        path = settings / f"{plugin}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), encoding="utf-8")
    return {
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(settings),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "IPYTHONDIR": str(home / "ipython"),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_until_up(lab: Lab, process: subprocess.Popen, log: Path, timeout: float) -> None:
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            lab._call("GET", "/api/status")
            return
        except (URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    text = log.read_text(encoding="utf-8", errors="replace")
    raise RuntimeError(f"JupyterLab did not answer within {timeout:.0f} s:\n{text[-3000:]}")


def _stop(process: subprocess.Popen) -> None:
    """End the server (it shuts its kernels down itself), and whatever is left of its process group."""
    for sign, patience in ((signal.SIGTERM, 15), (signal.SIGKILL, 5)):
        try:
            os.killpg(process.pid, sign)
        except ProcessLookupError:
            break
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue
