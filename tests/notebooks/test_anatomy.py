"""What every lesson has: the eleven parts, short cells, stored outputs, and a place in the map."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

from optviz.lessons.exercises import exercise_ids, questions_of

FOLDER = Path(__file__).parents[2] / "notebooks"
LESSONS = sorted(FOLDER.glob("*.ipynb"))
PARTS = [
    "# ",
    "## Warm-up quiz",
    "## Predict",
    "## Idea and formula",
    "## Explorer",
    "## Measure",
    "## The articles say",
    "## Exercises",
    "## In production",
    "## Takeaways",
]
LESSONS_IN_ALL = 19
BUDGET = 300_000  # bytes of a committed notebook with its outputs
TAGS = {"setup", "explorer", "nbval-ignore-output", "nbval-skip", "raises-exception"}

lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


def read(path: Path) -> dict[str, Any]:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"])
    return notebook


def cells(path: Path, kind: str) -> list[dict[str, Any]]:
    return [cell for cell in read(path)["cells"] if cell["cell_type"] == kind]


def tags(cell: dict[str, Any]) -> set[str]:
    return set(cell["metadata"].get("tags", []))


def texts(cell: dict[str, Any]) -> str:
    """Everything in a cell's outputs that can be read without a widget manager."""
    found = []
    for output in cell["outputs"]:
        found.append("".join(output.get("text", "")))
        found += ["".join(v) for k, v in output.get("data", {}).items() if k.startswith("text/")]
    return "\n".join(found)


def part(path: Path, heading: str) -> list[dict[str, Any]]:
    """The cells from a heading to the next one of its level."""
    inside, found = False, []
    for cell in read(path)["cells"]:
        if cell["cell_type"] == "markdown" and re.search(r"^## ", cell["source"], re.M):
            inside = cell["source"].startswith(heading)
        if inside:
            found.append(cell)
    return found


def calls(path: Path, name: str) -> list[ast.Call]:
    found = []
    for cell in cells(path, "code"):
        for node in ast.walk(ast.parse(cell["source"])):
            if isinstance(node, ast.Call) and name in (
                getattr(node.func, "id", ""),
                getattr(node.func, "attr", ""),
            ):
                found.append(node)
    return found


def test_there_are_lessons():
    assert {"00_start_here", "04_learning_rate_schedules"} <= {path.stem for path in LESSONS}


@lesson
def test_parts_in_order(path):
    text = "\n".join(cell["source"] for cell in cells(path, "markdown"))
    at = [re.search(rf"^{re.escape(heading)}", text, re.M) for heading in PARTS]
    assert [heading for heading, found in zip(PARTS, at, strict=True) if not found] == []
    places = [found.start() for found in at]
    assert places == sorted(places)


@lesson
def test_title_cell(path):
    title = read(path)["cells"][0]
    assert title["cell_type"] == "markdown"
    assert title["source"].startswith(f"# {path.stem[:2]} · ")
    for words in ("**The question.**", "**Afterwards you can**", "**Before this**", "**Time**"):
        assert words in title["source"]
    assert "mybinder.org" in title["source"]
    assert "colab.research.google.com/github/" in title["source"]
    assert path.name in title["source"]
    minutes = read(path)["metadata"]["optviz"]["minutes"]
    assert f"about {minutes} minutes" in title["source"]


@lesson
def test_setup_is_the_same_everywhere(path):
    first = cells(path, "code")[0]
    assert "setup" in tags(first)
    assert first["source"] == cells(LESSONS[0], "code")[0]["source"]
    assert len([line for line in first["source"].splitlines() if line]) <= 3
    assert "git+https://" in first["source"]
    assert sum("setup" in tags(cell) for cell in cells(path, "code")) == 1


@lesson
def test_each_part_does_its_work(path):
    number = path.stem[:2]
    assert [call.args[0].value for call in calls(path, "quiz")] == [number]
    assert len(questions_of(number)) == 3
    assert len(calls(path, "predict")) >= 1
    assert len(calls(path, "reveal")) == len(calls(path, "predict"))
    assert len(calls(path, "show_source")) >= 1
    explorers = [cell for cell in part(path, "## Explorer") if "explorer" in tags(cell)]
    assert len(explorers) >= 1
    checked = [call.args[0].value for call in calls(path, "check")]
    assert checked == [id for id in exercise_ids() if id.startswith(number)]
    assert 2 <= len(checked) <= 5
    assert any(
        cell["cell_type"] == "code" and "assert" in cell["source"] for cell in part(path, "## In production")
    )
    assert "Verdict" in "".join(cell["source"] for cell in part(path, "## The articles say"))
    takeaways = part(path, "## Takeaways")[0]["source"]
    assert len(re.findall(r"^\d\. ", takeaways, re.M)) == 3
    assert "### References" in takeaways
    assert "**Next**" in read(path)["cells"][-1]["source"]


@lesson
def test_code_cells_are_short(path):
    for cell in cells(path, "code"):
        lines = cell["source"].splitlines()
        assert len(lines) <= 15, cell["source"]
        assert max(map(len, lines), default=0) <= 140, cell["source"]


@lesson
def test_functions_are_short(path):
    for cell in cells(path, "code"):
        for node in ast.walk(ast.parse(cell["source"])):
            if isinstance(node, ast.FunctionDef) and node.name != "my_loop":
                assert node.end_lineno - node.lineno <= 9, f"{node.name} belongs in the package"


@lesson
def test_executed_without_errors(path):
    for cell in cells(path, "code"):
        assert cell["execution_count"] is not None, cell["source"]
        for output in cell["outputs"]:
            assert output["output_type"] != "error", output.get("evalue")
            assert output.get("name") != "stderr", output.get("text")
    counts = [cell["execution_count"] for cell in cells(path, "code")]
    assert counts == list(range(1, len(counts) + 1)), "run from top to bottom in one go"


@lesson
def test_budget(path):
    assert path.stat().st_size <= BUDGET
    assert "widgets" not in read(path)["metadata"]


@lesson
def test_outputs_can_be_read_without_widgets(path):
    for cell in cells(path, "code"):
        for output in cell["outputs"]:
            data = output.get("data", {})
            if "application/vnd.jupyter.widget-view+json" in data:
                assert "text/html" in data or "image/png" in data, cell["source"]
                assert "model_id" not in "".join(data["text/plain"])
    for cell in part(path, "## Exercises"):
        if cell["cell_type"] == "code" and "check(" in cell["source"]:
            assert "not attempted yet" in texts(cell)
    revealing = [cell for cell in cells(path, "code") if ".reveal(" in cell["source"]]
    assert all("No guess yet" in texts(cell) for cell in revealing)


@lesson
def test_quiz_gives_nothing_away(path):
    shown = "".join(
        texts(cell) for cell in cells(path, "code") if cell["source"].startswith("from optviz import quiz")
    )
    for question in questions_of(path.stem[:2]):
        assert question.text in shown
        assert not any(choice.why in shown for choice in question.choices)


@lesson
def test_metadata_and_tags(path):
    metadata = read(path)["metadata"]
    assert metadata["kernelspec"]["name"] == "python3"
    assert isinstance(metadata["optviz"]["minutes"], int)
    assert 0 < metadata["optviz"]["minutes"] <= 90
    assert 10 <= len(metadata["optviz"]["teaches"]) <= 90
    ids = [cell["id"] for cell in read(path)["cells"]]
    assert len(set(ids)) == len(ids)
    for cell in cells(path, "code"):
        assert tags(cell) <= TAGS


@lesson
def test_trained_numbers_are_asserted_where_they_are_not_compared(path):
    """A part whose outputs are not compared must state its claim as bounds."""
    for heading in ("## Measure", "## The articles say"):
        inside = [cell for cell in part(path, heading) if cell["cell_type"] == "code"]
        ignored = [cell for cell in inside if "nbval-ignore-output" in tags(cell)]
        assert not ignored or any("assert" in cell["source"] for cell in inside)


@lesson
def test_nothing_of_this_machine_is_stored(path):
    text = path.read_text(encoding="utf-8")
    for trace in ("/work/", "/root/", "/home/", "/tmp/", "site-packages"):
        assert trace not in text


def test_the_map_lists_all_lessons_and_links_those_that_are_here():
    text = cells(FOLDER / "00_start_here.ipynb", "markdown")[-1]["source"]
    listed = re.findall(r"^\| \**\[?(\d\d) ", text, re.M)
    assert listed == [f"{n:02}" for n in range(LESSONS_IN_ALL)]
    linked = set(re.findall(r"^\|.*\((\d\d_\w+\.ipynb)\)", text, re.M))
    assert linked == {path.name for path in LESSONS} - {"00_start_here.ipynb"}


@lesson
def test_links_between_lessons_work(path):
    for cell in cells(path, "markdown"):
        for target in re.findall(r"\]\(([\w./]+\.ipynb)\)", cell["source"]):
            assert (FOLDER / target).exists(), target


@lesson
def test_the_next_lesson_is_linked(path):
    last = cells(path, "markdown")[-1]["source"].splitlines()[-1]
    assert last.startswith("**Next**: ")
    later = [other.name for other in LESSONS if other.stem[:2] == f"{int(path.stem[:2]) + 1:02d}"]
    assert all(f"]({name})" in last for name in later), last
    links = re.findall(r"\]\((\d\d_\w+\.ipynb)\)", json.dumps(read(path)))
    assert [name for name in links if not (FOLDER / name).exists()] == []


@lesson
def test_the_claims_are_there_at_a_glance(path):
    text = "\n".join(cell["source"] for cell in cells(path, "markdown"))
    numbered = re.findall(r"^### (\d+)\. ", text, re.M)
    table = re.findall(r"^\| (\d+)\. .* \| .+ \|$", text, re.M)
    assert table == [*numbered] or path.stem.startswith("00")
