"""What lessons there are, read from the notebooks themselves."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

__all__ = ["Lesson", "find", "read", "repository", "text"]


@dataclass(frozen=True)
class Lesson:
    """One lesson as its notebook describes itself.

    Args:
        name: file name, e.g. ``"04_learning_rate_schedules.ipynb"``.
        title: first heading of the notebook, without a leading number.
        minutes: reading time that the notebook states, 0 where it states none.
        teaches: one line, from the notebook's metadata.

    Example:
        >>> Lesson("04_schedules.ipynb", "Schedules", 25, "when to change the rate").number
        '04'
    """

    name: str
    title: str
    minutes: int
    teaches: str

    @property
    def number(self) -> str:
        """The digits that the file name begins with."""
        return self.name.split("_", 1)[0]


def find(folder: str | Path | None = None) -> Path:
    """The folder of the notebooks: the given one, else that of the checkout one stands in or runs from.

    Raises:
        FileNotFoundError: if there are no notebooks, with the command that fetches them.

    Example:
        >>> find().name
        'notebooks'
    """
    if folder is not None:
        given = Path(folder).absolute()
        if next(given.glob("[0-9][0-9]_*.ipynb"), None):
            return given
        raise FileNotFoundError(f"--folder must be a folder with lessons (NN_topic.ipynb), got {given}")
    here = Path.cwd()
    for root in (here, *here.parents, Path(__file__).resolve().parents[2]):
        notebooks = root / "notebooks"
        if (root / "optviz").is_dir() and next(notebooks.glob("[0-9][0-9]_*.ipynb"), None):
            return notebooks
    raise FileNotFoundError(
        "the lessons are not here, since the installed package holds only the code. Get them with "
        f"'git clone {repository()}' and run this in that folder, or name one with --folder."
    )


def read(folder: Path) -> list[Lesson]:
    """The lessons in ``folder``, in order.

    Raises:
        ValueError: if a notebook is not valid JSON, naming it.

    Example:
        >>> [lesson.number for lesson in read(find())][:1]
        ['00']
    """
    return [_lesson(path) for path in sorted(folder.glob("[0-9][0-9]_*.ipynb"))]


def text(lessons: Sequence[Lesson], width: int = 80) -> str:
    """The list of lessons as text of at most ``width`` columns.

    Example:
        >>> print(text([Lesson("04_x.ipynb", "Schedules", 25, "when to change the rate")]))
        04  Schedules (25 min)
            when to change the rate
    """
    lines = []
    for lesson in lessons:
        minutes = f" ({lesson.minutes} min)" if lesson.minutes else ""
        for body, first in ((lesson.title + minutes, f"{lesson.number}  "), (lesson.teaches, "    ")):
            lines += textwrap.wrap(body, width, initial_indent=first, subsequent_indent="    ")
    return "\n".join(lines)


def repository() -> str:
    """The project's address, as ``[project.urls]`` of the installed package states it.

    Example:
        >>> repository().startswith("https://")
        True
    """
    try:
        urls = metadata("optviz").get_all("Project-URL") or []
    except PackageNotFoundError:  # run from a checkout that is not installed
        urls = []
    found = dict(url.split(", ", 1) for url in urls)
    return found.get("Repository", "<the address of the optviz repository>")


def _lesson(path: Path) -> Lesson:
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path.name} must be a notebook in JSON, got: {error}") from error
    about = notebook.get("metadata", {}).get("optviz", {})
    return Lesson(path.name, _title(notebook, path), int(about.get("minutes", 0)), about.get("teaches", ""))


def _title(notebook: dict, path: Path) -> str:
    for cell in notebook.get("cells", []):
        for line in "".join(cell.get("source", "")).splitlines():
            if cell.get("cell_type") == "markdown" and line.startswith("# "):
                return line[2:].strip().lstrip("0123456789").lstrip(" ·.:—–-")
    return path.stem[3:].replace("_", " ").capitalize()
