"""What every committed notebook holds to as a file; its parts are looked at in test_anatomy."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

from tests import readme
from tests.notebooks.execute import stripped

FOLDER = Path(__file__).parents[2] / "notebooks"
PATHS = sorted(FOLDER.glob("*.ipynb"))
LESSONS = pytest.mark.parametrize("path", PATHS, ids=[path.stem for path in PATHS])


def load(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def code(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in load(path).cells if cell.cell_type == "code"]


@LESSONS
def test_valid_and_named(path: Path) -> None:
    notebook = load(path)
    nbformat.validate(notebook)
    assert re.fullmatch(r"\d\d_[a-z0-9_]+", path.stem)
    assert all(cell.source.strip() for cell in notebook.cells), "a cell is empty"


@LESSONS
def test_nothing_that_changes_from_run_to_run_is_stored(path: Path) -> None:
    assert load(path) == stripped(load(path)), "run `make notebooks`"


@LESSONS
def test_explorers_show_a_picture_without_a_kernel(path: Path) -> None:
    explorers = [cell for cell in code(path) if "explorer" in cell.metadata.get("tags", [])]
    assert explorers, "a lesson has a cell tagged 'explorer'"
    for cell in explorers:
        assert any("image/png" in output.get("data", {}) for output in cell.outputs), cell.source


@LESSONS
def test_address_is_the_one_in_pyproject(path: Path) -> None:
    notebook, url = load(path), readme.address()
    assert readme.with_address(load(path), path.name, url) == notebook, "run `make badges`"
