"""Who may import whom, and what an import costs: seen in fresh processes."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

import optviz

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "matplotlib", "ipywidgets", "IPython", "pandas", "sklearn", "pooch")


def loaded(statement: str) -> set[str]:
    """Top-level packages that a fresh process holds after ``statement``."""
    code = (
        f"{statement}\nimport sys, json; print(json.dumps(sorted({{m.split('.')[0] for m in sys.modules}})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(json.loads(done.stdout))


def test_layers_are_kept() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import optviz", HEAVY),
        ("import optviz; dir(optviz)", HEAVY),
        ("import optviz.cli", HEAVY),
        ("from optviz import schedules", HEAVY),
        ("from optviz import _knobs", HEAVY),
        ("from optviz import _rows, _clock, _files", HEAVY),
        ("from optviz import optimizers", ("matplotlib", "ipywidgets")),
        ("from optviz import viz", ("torch", "ipywidgets", "sklearn")),
        ("from optviz import train", ("matplotlib", "ipywidgets")),
        ("from optviz import problems", ("matplotlib", "ipywidgets")),
    ],
)
def test_import_stays_light(statement: str, absent: tuple[str, ...]) -> None:
    assert not loaded(statement).intersection(absent)


def test_import_costs_little_more_than_numpy() -> None:
    """At most 0.3 s more than importing numpy (medians of alternated runs, each in a fresh process)."""
    times: dict[str, list[float]] = {"import numpy": [], "import numpy, optviz": []}
    for _ in range(5):
        for statement, seconds in times.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", statement], check=True, cwd=ROOT)
            seconds.append(time.perf_counter() - start)
    numpy, ours = (statistics.median(seconds) for seconds in times.values())
    assert ours - numpy <= 0.3


def test_import_has_no_side_effects() -> None:
    code = """
import random, os, warnings, logging
import numpy as np
before = (random.getstate(), np.random.get_state()[1].tolist(), dict(os.environ), list(warnings.filters))
import optviz, optviz.schedules, optviz.optimizers, optviz.training, optviz.problems
after = (random.getstate(), np.random.get_state()[1].tolist(), dict(os.environ))
assert before[:3] == after
assert not logging.getLogger().handlers
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@pytest.mark.parametrize("name", optviz.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(optviz, name) is not None


def test_unknown_name_says_so() -> None:
    with pytest.raises(AttributeError, match="module 'optviz' has no attribute 'frobnicate'"):
        _ = optviz.frobnicate


def test_lazy_names_agree() -> None:
    assert sorted((*optviz._ROOMS, *optviz._HOMES, "__version__")) == sorted(optviz.__all__)
    assert dir(optviz) == sorted(optviz.__all__)
