"""The generated parts of README and notebooks: ``python -m tests.readme lessons|results|badges``.

Each part stands between ``<!-- name:start -->`` and ``<!-- name:end -->``.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import nbformat

from optviz._files import write_atomic
from optviz.cli.catalog import Lesson, read
from tests.results import result_table

__all__ = ["address", "badges", "filled", "lesson_table", "main", "with_address", "write_part"]

ROOT = Path(__file__).parents[1]
README, NOTEBOOKS = ROOT / "README.md", ROOT / "notebooks"


def filled(text: str, name: str, content: str) -> str:
    """``text`` with the part ``name`` replaced.

    Raises:
        ValueError: if the text doesn't hold the part's markers exactly once.
    """
    start, end = f"<!-- {name}:start -->", f"<!-- {name}:end -->"
    if text.count(start) != 1 or text.count(end) != 1 or text.index(start) > text.index(end):
        raise ValueError(f"the text must hold {start} and then {end} exactly once")
    before, rest = text.split(start)
    return f"{before}{start}\n{content.strip()}\n{end}{rest.split(end)[1]}"


def write_part(name: str, content: str) -> None:
    """Replace one generated part of the README."""
    write_atomic(README, filled(README.read_text(), name, content).encode())


def address() -> str:
    """The repository's address, from the one place that holds it.

    Raises:
        ValueError: if it is no GitHub address: Binder and Colab could not open it that way.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    url = project["urls"]["Repository"].removesuffix("/").removesuffix(".git")
    if not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", url):
        raise ValueError(f"[project.urls] Repository must be https://github.com/OWNER/NAME, got {url!r}")
    return url


def badges(url: str, notebook: str) -> str:
    """Markdown of the Binder and Colab badges that open ``notebook``."""
    home = url.removeprefix("https://github.com/")
    binder = f"https://mybinder.org/v2/gh/{home}/HEAD?urlpath=lab/tree/notebooks/{notebook}"
    colab = f"https://colab.research.google.com/github/{home}/blob/main/notebooks/{notebook}"
    return (
        f"[![Open in Binder](https://mybinder.org/badge_logo.svg)]({binder})\n"
        f"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({colab})"
    )


def with_address(notebook: nbformat.NotebookNode, name: str, url: str) -> nbformat.NotebookNode:
    """The notebook with badges in its title cell, and with ``url`` where a cell installs from git."""
    title = notebook.cells[0]
    if "<!-- badges:start -->" not in title.source:
        heading, _, rest = title.source.partition("\n")
        title.source = f"{heading}\n\n<!-- badges:start -->\n<!-- badges:end -->\n\n{rest.lstrip()}".rstrip()
    title.source = filled(title.source, "badges", badges(url, name))
    for cell in notebook.cells[1:]:
        cell.source = re.sub(r"git\+https://[\w./-]+", f"git+{url}", cell.source)
    return notebook


def lesson_table(lessons: list[Lesson]) -> str:
    """Markdown table of the lessons."""
    rows = ["| lesson | minutes | teaches |", "|---|---|---|"]
    for lesson in lessons:
        link = f"[{lesson.number} {lesson.title}](notebooks/{lesson.name})"
        rows.append(f"| {link} | {lesson.minutes or ''} | {lesson.teaches} |")
    return "\n".join(rows)


def main(words: list[str]) -> int:
    """Write the named part; the exit code is 2 for an unknown one."""
    if words == ["lessons"]:
        write_part("lessons", lesson_table(read(NOTEBOOKS)))
    elif words == ["results"]:
        write_part("results", result_table())
    elif words == ["badges"]:
        url = address()
        write_part("badges", badges(url, "00_start_here.ipynb"))
        for path in sorted(NOTEBOOKS.glob("*.ipynb")):
            notebook = with_address(nbformat.read(path, as_version=4), path.name, url)
            write_atomic(path, (nbformat.writes(notebook) + "\n").encode())
    else:
        print("usage: python -m tests.readme lessons|results|badges", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
