"""What it costs to begin: import time, memory of a kernel, disk.

Import times are those of fresh processes, alternated: one imports NumPy, the other optviz after NumPy.
"""

from __future__ import annotations

import importlib.metadata
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from optviz._clock import human_bytes

__all__ = ["rows"]

REPEATS = 7
TIMED = "import time; import numpy; t = time.perf_counter(); {}; print(time.perf_counter() - t)"
RESIDENT = """
import resource
{}
print(int(open('/proc/self/statm').read().split()[1]) * resource.getpagesize())
"""
FLAGSHIP = "from optviz.widgets import schedule_lab; lab = schedule_lab()"


def rows() -> list[dict[str, Any]]:
    """Import time, resident memory and disk, as the table of ``tests.bench`` wants them."""
    return [_imports("import optviz"), _imports("from optviz import schedules"), *_memory(), *_disk()]


def _imports(statement: str) -> dict[str, Any]:
    """Seconds more than NumPy alone; the reference is what importing NumPy itself takes."""
    numpy = "import time; t = time.perf_counter(); import numpy; print(time.perf_counter() - t)"
    more, alone = [], []
    for _ in range(REPEATS):
        more.append(_number(TIMED.format(statement)))
        alone.append(_number(numpy))
    ours, reference = statistics.median(more), statistics.median(alone)
    return {
        "name": f"`{statement}`, more than NumPy",
        "ours": ours,
        "reference": reference,
        "ratio": ours,
        "limit": "<= 0.3",
        "note": "seconds more than `import numpy`, which is the reference; no torch, no matplotlib",
    }


def _memory() -> list[dict[str, Any]]:
    """Resident bytes of a plain Python process with the flagship built, beside one with torch alone."""
    if not Path("/proc/self/statm").exists():
        return []
    ours = _number(RESIDENT.format(FLAGSHIP))
    torch = _number(RESIDENT.format("import torch"))
    return [
        {
            "name": "Memory with the schedule explorer built",
            "ours": human_bytes(ours),
            "reference": human_bytes(torch),
            "ratio": ours / 1e6,
            "limit": "<= 600",
            "note": "MB resident in a plain process; the reference only imports torch",
        }
    ]


def _disk() -> list[dict[str, Any]]:
    """Bytes on disk of the installed PyTorch with the packages that only it brings."""
    torch = _installed("torch")
    cuda = sum(_installed(d.name) for d in importlib.metadata.distributions() if d.name.startswith("nvidia-"))
    return [
        {
            "name": "Disk of the installed PyTorch",
            "ours": human_bytes(_folder()),
            "reference": human_bytes(torch + cuda),
            "ratio": None,
            "limit": None,
            "note": f"version {importlib.metadata.version('torch')}; optviz itself beside it",
        }
    ]


def _installed(name: str) -> int:
    files = importlib.metadata.files(name) or []
    paths = [Path(str(file.locate())) for file in files if not file.name.endswith(".pyc")]
    return sum(path.stat().st_size for path in paths if path.is_file())


def _folder() -> int:
    import optviz

    return sum(path.stat().st_size for path in Path(optviz.__path__[0]).rglob("*.py"))


def _number(code: str) -> float:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    return float(done.stdout.split()[-1])
