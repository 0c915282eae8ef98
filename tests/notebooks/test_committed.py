"""What every committed notebook holds to, seen without running it."""

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

# The parts of a lesson's anatomy: what must stand in code, and what in a heading.
IN_CODE = ("quiz(", "predict(", "show_source(", "check(")
IN_HEADINGS = ("articles say", "exercise", "in production", "takeaways", "references")


def load(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def code(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in load(path).cells if cell.cell_type == "code"]


@LESSONS
def test_valid_and_named(path: Path) -> None:
    notebook = load(path)
    nbformat.validate(notebook)
    assert re.fullmatch(r"\d\d_[a-z0-9_]+", path.stem)
    assert notebook.metadata.kernelspec.name == "python3"
    about = notebook.metadata["optviz"]
    assert 1 <= about["minutes"] <= 90
    assert 10 <= len(about["teaches"]) <= 160
    assert notebook.cells[0].source.startswith("# ")
    ids = [cell.id for cell in notebook.cells]
    assert len(ids) == len(set(ids))


@LESSONS
def test_executed_top_to_bottom(path: Path) -> None:
    cells = code(path)
    counts = [cell.execution_count for cell in cells]
    assert counts == list(range(1, len(cells) + 1)), "run `make notebooks`"
    for cell in cells:
        assert cell.source.strip(), f"cell {cell.id} is empty"
        assert all(output.output_type != "error" for output in cell.outputs), cell.source


@LESSONS
def test_small(path: Path) -> None:
    assert path.stat().st_size <= 300_000
    for cell in code(path):
        assert len(cell.source.splitlines()) <= 15, (
            f"too long for a lesson, move it to the package:\n{cell.source}"
        )


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


@LESSONS
def test_anatomy(path: Path) -> None:
    if path.stem.startswith("00"):
        return  # the tour has its own, shorter form
    source = "\n".join(cell.source for cell in code(path))
    for part in IN_CODE:
        assert part in source, f"no cell calls {part}…)"
    text = "\n".join(cell.source for cell in load(path).cells if cell.cell_type == "markdown")
    headings = "\n".join(line for line in text.splitlines() if line.startswith("#")).lower()
    for part in IN_HEADINGS:
        assert part in headings, f"no heading says {part!r}"
