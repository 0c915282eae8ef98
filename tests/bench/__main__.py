"""Measure, and write one table into the README: ``python -m tests.bench [--print] [name …]``.

Each ``bench_*.py`` in this folder has a function ``rows()`` that returns dicts with the keys ``name``,
``ours`` and ``reference`` (seconds, or text), ``ratio`` (a number), ``limit`` (text such as ``">= 15"`` or
``"<= 1.05"``, or None where nothing is promised) and ``note``. Ours and the reference are alternated in one
run: on a busy machine only their ratio means something.
"""

from __future__ import annotations

import importlib
import operator
import os
import platform
import re
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from optviz._clock import human_seconds, stopwatch
from tests.readme import write_part

__all__ = ["holds", "main", "promise", "table"]

RULES = {"≥": operator.ge, "≤": operator.le}
WORDS = {"at least": "≥", "at most": "≤"}


def promise(row: Mapping[str, Any]) -> tuple[str, float] | None:
    """The sign and the number that a row's ratio must keep, None where nothing is promised.

    Written as ``limit=">= 15"``, or as ``limit="at most"`` (or "at least") with a number in ``target``.

    Raises:
        ValueError: if the limit is neither.
    """
    limit, target = row.get("limit"), row.get("target")
    if limit in WORDS:
        return None if target is None else (WORDS[limit], float(target))
    if limit is None:
        return None
    parts = re.fullmatch(r"\s*(>=|≥|<=|≤)\s*([\d.]+)\s*", str(limit))
    if parts is None:
        raise ValueError(f"limit must be like '>= 15' or '<= 1.05', got {limit!r}")
    return parts[1].replace(">=", "≥").replace("<=", "≤"), float(parts[2])


def holds(row: Mapping[str, Any]) -> bool:
    """Whether a row keeps its promise (true where there is none)."""
    promised = promise(row)
    return promised is None or RULES[promised[0]](row["ratio"], promised[1])


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Markdown table of all rows, and the machine they were measured on."""
    lines = ["| what | optviz | against | ratio | promised | |", "|---|---|---|---|---|---|"]
    for row in rows:
        promised = promise(row)
        limit = "" if promised is None else f"{promised[0]} {promised[1]:g}"
        ratio = "" if row.get("ratio") is None else f"{row['ratio']:.3g}"
        cells = (
            row["name"],
            _cell(row.get("ours")),
            _cell(row.get("reference")),
            ratio,
            limit,
            row.get("note", ""),
        )
        lines.append("| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |")
    lines += [
        "",
        f"Measured on {time.strftime('%Y-%m-%d')} with one thread: {platform.system()}, {_machine()}; "
        f"Python {platform.python_version()}, PyTorch {version('torch')}, NumPy {version('numpy')}.",
    ]
    return "\n".join(lines)


def main(words: Sequence[str]) -> int:
    """Run the benches and show the table; the exit code is 1 if a limit is missed.

    The README is written when all benches ran, unless ``--print`` is given.
    """
    names = [word for word in words if not word.startswith("-")]
    found = sorted(path.stem for path in Path(__file__).parent.glob("bench_*.py"))
    unknown = [name for name in names if f"bench_{name}" not in found]
    if unknown:
        print(
            f"no such bench: {', '.join(unknown)}; there are {', '.join(f[6:] for f in found)}",
            file=sys.stderr,
        )
        return 2
    rows: list[Mapping[str, Any]] = []
    for module in [f"bench_{name}" for name in names] or found:
        with stopwatch() as watch:
            rows += importlib.import_module(f"tests.bench.{module}").rows()
        print(f"{module}: {human_seconds(watch.seconds)}", file=sys.stderr, flush=True)
    text = table(rows)
    print(text)
    if not names and "--print" not in words:
        write_part("bench", text)
    missed = [row for row in rows if not holds(row)]
    for row in missed:
        print(f"MISSED: {row['name']}: {row['ratio']:.3g}, promised {promise(row)}", file=sys.stderr)
    return int(bool(missed))


def _machine() -> str:
    return f"{platform.machine()}, {os.cpu_count()} cores"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return human_seconds(value) if isinstance(value, int | float) else str(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
