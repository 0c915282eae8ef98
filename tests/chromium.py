"""Find a Chromium for the browser tests; ``python -m tests.chromium`` installs one where that is possible."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.demand import demanded

__all__ = ["find_chromium", "install_chromium", "main"]

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_chromium() -> str | None:
    """Path of a Chromium that starts, on PATH or Playwright's own; None if there is none."""
    candidates = [path for name in NAMES if (path := shutil.which(name))]
    return next((path for path in (*candidates, *_playwrights_own()) if _starts(path)), None)


def install_chromium() -> str | None:
    """Install Debian's package when root, else Playwright's own; the path, or None if neither can be had."""
    if shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0:
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        install = [
            "apt-get",
            "install",
            "-y",
            "-q",
            "--no-install-recommends",
            "chromium",
            "fonts-dejavu-core",
        ]
        for command in (["apt-get", "update", "-q"], install):
            _run(command, quiet)
        if found := find_chromium():
            return found
    _run([sys.executable, "-m", "playwright", "install", "chromium"], dict(os.environ))
    return find_chromium()


def main() -> int:
    """Print one line; the exit code is 1 only if a browser is demanded and cannot be had."""
    found = find_chromium() or install_chromium()
    if found:
        print(f"Chromium: {found}")
        return 0
    print("Chromium: none on PATH and none can be installed here, so the browser tests are left out.")
    return int(demanded("chromium"))


def _playwrights_own() -> list[str]:
    roots = {
        "darwin": Path.home() / "Library/Caches/ms-playwright",
        "win32": Path.home() / "AppData/Local/ms-playwright",
    }
    root = Path(
        os.environ.get("PLAYWRIGHT_BROWSERS_PATH")
        or roots.get(sys.platform, Path.home() / ".cache/ms-playwright")
    )
    names = ("chrome", "chrome.exe", "Chromium", "headless_shell", "chrome-headless-shell")
    return [str(path) for name in names for path in sorted(root.glob(f"chromium*/**/{name}"), reverse=True)]


def _starts(path: str) -> bool:
    try:  # Ubuntu's chromium-browser may be a stub that only says how to install a snap
        return subprocess.run([path, "--version"], capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _run(command: list[str], environment: dict[str, str]) -> None:
    print("$", *command, flush=True)
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"  failed: {error}")
        return
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        print(f"  failed with code {done.returncode}: {''.join(last)}")


if __name__ == "__main__":
    sys.exit(main())
