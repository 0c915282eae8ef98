"""Colab still ships ipywidgets 7.7.1: the kernel side has to work with it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

OLD = "7.7.1"
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the old package only; everything else comes from this environment."""
    folder = tmp_path_factory.mktemp("old")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    pip += ["--retries=0", "--timeout=5", "--target", str(folder), f"ipywidgets=={OLD}", "ipython_genutils"]
    done = subprocess.run(pip, capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        pytest.skip(f"ipywidgets {OLD} cannot be had here (no network?): its test is left out")
    return folder


def test_the_page_works(old: Path) -> None:
    path = os.pathsep.join([str(old), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-m", "tests.widgets.old_ipywidgets"],
        env=os.environ | {"PYTHONPATH": path},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-3_000:]
    assert f"ipywidgets {OLD} works" in done.stdout
