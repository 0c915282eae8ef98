"""Run every notebook under nbval with the network denied: ``python -m tests.notebooks [notebook …]``.

Stored text outputs must come out again, except in cells tagged ``nbval-ignore-output``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.demand import demanded
from tests.notebooks import SANITIZE
from tests.notebooks.offline import deny_network

ROOT = Path(__file__).parents[2]


def main(words: list[str]) -> int:
    """Deny the network, then run pytest; its exit code."""
    notebooks = words or [str(path) for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
    if not notebooks:
        print("There are no notebooks to run.")
        return 0
    why_not = deny_network()
    print("network: " + (f"NOT denied, {why_not}" if why_not else "denied, only loopback is up"), flush=True)
    if why_not and demanded("network-denied"):
        return 1
    options = ["--nbval", "--nbval-cell-timeout=120", f"--nbval-sanitize-with={SANITIZE}", "-q"]
    if len(notebooks) > 1:  # two at a time; each notebook stays with one worker, cell by cell in order
        options += ["-n", "2", "--dist", "loadfile"]
    environment = {**os.environ, "JUPYTER_PREFER_ENV_PATH": "1"}
    environment.pop("MPLBACKEND", None)  # or the kernels would show no pictures
    command = [sys.executable, "-m", "pytest", *options, "--durations=5", *notebooks]
    return subprocess.call(command, env=environment, cwd=ROOT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
