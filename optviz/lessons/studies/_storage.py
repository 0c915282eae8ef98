"""A study and the file that holds its result."""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import os
import platform
import re
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd

from optviz._files import ready_folder, write_atomic

__all__ = ["Study"]

FOLDER = Path(__file__).parent / "results"


class Study:
    """A long measurement, its stored result, and how to make it again.

    Args:
        id: lesson and name.
        function: measures, and gives a table; its arguments have defaults.

    Example:
        >>> from optviz.lessons.studies import study
        >>> study("09.lenet300100").when[:2]
        '20'
    """

    def __init__(self, id: str, function: Callable[..., pd.DataFrame]) -> None:
        self.id, self.function = id, function

    @property
    def path(self) -> Path:
        """The file with the stored result."""
        return FOLDER / f"{self.id}.json"

    @cached_property
    def _stored(self) -> dict[str, Any]:
        if not self.path.exists():
            raise ValueError(f"study {self.id!r} must have been measured: run .measure() once (minutes)")
        return json.loads(self.path.read_text(encoding="utf-8"))

    @cached_property
    def table(self) -> pd.DataFrame:
        """What was measured, one row for each measurement.

        Raises:
            ValueError: if it was never measured.
        """
        # as stored: otherwise a column of fractions that happen to be whole would become one of whole numbers
        return pd.read_json(StringIO(json.dumps(self._stored["table"])), orient="split", dtype=False)

    @property
    def when(self) -> str:
        """The day it was measured, such as ``2026-01-31``."""
        return self._stored["when"]

    @property
    def seconds(self) -> float:
        """How long it took, in seconds."""
        return self._stored["seconds"]

    @property
    def machine(self) -> str:
        """What it was measured on."""
        return self._stored["machine"]

    @property
    def versions(self) -> dict[str, str]:
        """Versions of Python and the packages that compute."""
        return self._stored["versions"]

    @property
    def stale(self) -> bool:
        """Whether the function has changed since (comments and layout don't count)."""
        return self._stored["code"] != fingerprint(self.function)

    def again(self, **options: Any) -> pd.DataFrame:
        """Measure here and now, and leave the stored result alone.

        Args:
            options: arguments of the function, such as ``quick=True``.
        """
        return self.function(**options)

    def measure(self) -> Study:
        """Measure as it should be, and store the result in place of the old one."""
        start = time.perf_counter()
        table = self.function()
        found = {
            "id": self.id,
            "when": datetime.now(UTC).date().isoformat(),
            "seconds": round(time.perf_counter() - start, 1),
            "machine": machine(),
            "versions": versions(),
            "code": fingerprint(self.function),
            "table": json.loads(table.to_json(orient="split", index=False, double_precision=6)),
        }
        text = json.dumps(found, indent=1, ensure_ascii=False)
        # One row of the table a line: readable, and differences show row by row.
        text = re.sub(r"\[[^\[\]]*\]", lambda m: re.sub(r"\s*\n\s*", " ", m[0]), text)
        ready_folder(FOLDER)
        write_atomic(self.path, (text + "\n").encode())
        return Study(self.id, self.function)

    def __repr__(self) -> str:
        how = f"{self.seconds:.0f} s, {self.machine}, PyTorch {self.versions['torch']}"
        return f"Study {self.id}: measured on {self.when} in {how}"


def fingerprint(function: Callable[..., Any]) -> str:
    """A number that changes when the code does: of the function and of all in its file that it uses.

    Docstrings, comments and layout don't count, and neither does what is imported.
    """
    defined = {}
    for node in ast.parse(inspect.getsource(sys.modules[function.__module__])).body:
        named = [n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
        for name in [node.name] if isinstance(node, ast.FunctionDef | ast.ClassDef) else named:
            defined[name] = node
    found: dict[str, str] = {}
    wanted = [function.__name__]
    while wanted:
        name = wanted.pop()
        if name in defined and name not in found:
            found[name] = ast.unparse(_undocumented(defined[name]))
            wanted += [n.id for n in ast.walk(defined[name]) if isinstance(n, ast.Name)]
    return hashlib.sha256("\n".join(found[name] for name in sorted(found)).encode()).hexdigest()[:16]


def _undocumented(node: ast.stmt) -> ast.stmt:
    """The definition without its docstring, changed in place."""
    body = getattr(node, "body", [])
    if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        del body[0]
    return node


def machine() -> str:
    """Processor and number of cores, in words."""
    name, info = platform.processor() or platform.machine(), Path("/proc/cpuinfo")
    if info.exists():
        found = re.search(r"model name\s*: (.+)", info.read_text())
        name = found[1].strip() if found else name
    return f"{os.cpu_count()} cores of {name}"


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that compute."""
    import numpy
    import torch

    return {"python": platform.python_version(), "numpy": numpy.__version__, "torch": torch.__version__}
