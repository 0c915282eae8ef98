"""Check an installation: one line each, ok or problem, and what to do."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from optviz._clock import human_bytes
from optviz._files import cache_folder, ready_folder

__all__ = ["CHECKS", "Finding", "examine", "report"]

NEEDED_MEMORY = 1_500_000_000  # bytes; a kernel with a lesson open stays below


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Args:
        name: what was checked.
        found: what is there.
        problem: whether something does not work.
        advice: what to do, or what is good to know; may be empty.

    Example:
        >>> Finding("Python", "3.12.1").line()
        'ok       Python     3.12.1'
    """

    name: str
    found: str
    problem: bool = False
    advice: str = ""

    def line(self, width: int = 80) -> str:
        """The finding as text of at most ``width`` columns; advice stands on lines of its own."""
        head = f"{'problem' if self.problem else 'ok':<9}{self.name:<11}"
        lines = textwrap.wrap(head + self.found, width, subsequent_indent=" " * 20)
        lines += textwrap.wrap(self.advice, width, initial_indent=" " * 20, subsequent_indent=" " * 20)
        return "\n".join(line.rstrip() for line in lines)


def report() -> int:
    """Print all findings; the exit code is 1 if there is a problem.

    Example:
        >>> report() in (0, 1)  # doctest: +ELLIPSIS
        ok       Python ...
        True
    """
    findings = []
    for check in CHECKS:
        findings.append(examine(check))
        print(findings[-1].line(), flush=True)
    problems = sum(finding.problem for finding in findings)
    print(f"\n{problems or 'No'} problem{'' if problems == 1 else 's'} found.")
    return int(problems > 0)


def examine(check: Callable[[], Finding]) -> Finding:
    """Run one check; an exception in it is a problem, not a crash.

    Example:
        >>> def broken():
        ...     raise OSError("disk on fire")
        >>> examine(broken).found
        'the check failed: OSError: disk on fire'
    """
    try:
        return check()
    except Exception as error:
        name = check.__name__.strip("_")
        return Finding(
            name, f"the check failed: {type(error).__name__}: {error}", True, "Please report this."
        )


def _python() -> Finding:
    fits = (3, 11) <= sys.version_info[:2] <= (3, 13)
    where = f"{platform.python_version()} ({sys.executable})"
    return Finding("Python", where, not fits, "" if fits else "Use Python 3.11, 3.12 or 3.13.")


def _torch() -> Finding:
    import torch

    cuda = torch.version.cuda
    build = f"build for CUDA {cuda}" if cuda else "build for CPU"
    found = f"{torch.__version__}, {build}, {human_bytes(_torch_bytes())} on disk"
    sizes = (
        "On Linux a build for CPU takes 0.8 GB of disk, one for CUDA 4.8 GB; the README says how to choose."
    )
    return Finding("PyTorch", found, False, sizes)


def _torch_bytes() -> int:
    import torch

    folders = [Path(torch.__file__).parent]
    site = folders[0].parent
    folders += [site / name for name in ("nvidia", "triton") if torch.version.cuda and (site / name).is_dir()]
    return sum(_size(folder) for folder in folders)


def _device() -> Finding:
    import torch

    if torch.cuda.is_available():
        memory = human_bytes(torch.cuda.get_device_properties(0).total_memory)
        return Finding("device", f"cuda: {torch.cuda.get_device_name(0)}, {memory}")
    if torch.backends.mps.is_available():
        return Finding("device", "mps: the GPU of this Mac")
    advice = ""
    if torch.version.cuda:
        advice = "Built for CUDA, but no GPU is found: see 'nvidia-smi'. Every lesson runs on the CPU too."
    return Finding("device", f"cpu: {platform.processor() or platform.machine()}", False, advice)


def _threads() -> Finding:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    setting = os.environ.get("OMP_NUM_THREADS")
    found = f"{cores} cores, OMP_NUM_THREADS is {setting or 'not set'}"
    if setting is None:
        return Finding(
            "threads", found, False, "'optviz lab' sets it to 1, the fastest beside other programs."
        )
    wrong = not setting.isdecimal() or not 1 <= int(setting) <= cores
    return Finding("threads", found, wrong, f"Set it to a number from 1 to {cores}." if wrong else "")


def _widgets() -> Finding:
    ours, lab, manager = (_version(name) for name in ("ipywidgets", "jupyterlab", "jupyterlab_widgets"))
    parts = (("ipywidgets", ours), ("jupyterlab_widgets", manager), ("JupyterLab", lab))
    found = ", ".join(f"{name} {installed or 'missing'}" for name, installed in parts)
    if not ours:
        return Finding("widgets", found, True, "Install it with: pip install ipywidgets")
    if not lab:
        advice = "For 'optviz lab' install JupyterLab with: pip install 'optviz[lab]'"
        return Finding("widgets", found, False, advice)
    fits = manager is not None and int(manager.split(".")[0]) == {7: 1, 8: 3}.get(int(ours.split(".")[0]))
    advice = (
        ""
        if fits
        else "Sliders would not show. Install both anew: pip install -U ipywidgets jupyterlab_widgets"
    )
    return Finding("widgets", found, not fits, advice)


def _onnx() -> Finding:
    from optviz import deploy

    there = deploy.available()
    missing = [name for name, installed in there.items() if installed is None]
    found = ", ".join(f"{name} {installed or 'missing'}" for name, installed in there.items())
    if missing:
        return Finding("ONNX", found, False, "To write and run ONNX files: pip install 'optviz[onnx]'")
    words = {None: "not known", True: "with VNNI", False: "without VNNI: 8-bit networks gain less time here"}
    return Finding("ONNX", found, False, f"Processor {words[deploy.vnni()]}.")


def _data() -> Finding:
    folder = cache_folder()
    try:
        ready_folder(folder)
    except OSError as error:
        advice = "Set the environment variable OPTVIZ_CACHE to a folder of yours."
        return Finding("data", f"{folder} cannot be written to ({error.strerror})", True, advice)
    kept = sorted(path for path in folder.iterdir() if path.name[0] != "." and path.name != "workspaces")
    names = ", ".join(f"{path.name} {human_bytes(_size(path))}" for path in kept)
    return Finding("data", f"{folder} holds {names or 'nothing yet'}")


def _chromium() -> Finding:
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next((path for name in names if (path := shutil.which(name))), None)
    return Finding("Chromium", found or "not found; only the project's own browser tests use it")


def _memory() -> Finding:
    free, total = _memory_bytes()
    if not total:
        return Finding("memory", "this system does not tell")
    short = free < NEEDED_MEMORY
    advice = (
        f"A lesson needs up to {human_bytes(NEEDED_MEMORY)}: close other programs or notebooks."
        if short
        else ""
    )
    return Finding("memory", f"{human_bytes(free)} free of {human_bytes(total)}", short, advice)


def _memory_bytes() -> tuple[int, int]:
    """Free and total bytes, of the container where one sets a limit; (0, 0) if unknown."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
            return 0, 0
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return total, total
    known = {name: int(rest.split()[0]) * 1024 for name, rest in (line.split(":", 1) for line in lines)}
    free, total = known["MemAvailable"], known["MemTotal"]
    try:
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text())
        used = int(Path("/sys/fs/cgroup/memory.current").read_text())
    except (OSError, ValueError):  # no container, or no limit ("max")
        return free, total
    return min(free, limit - used), min(total, limit)


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    files = (Path(root) / name for root, _, names in os.walk(path) for name in names)
    return sum(file.lstat().st_size for file in files)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


CHECKS = (_python, _torch, _device, _threads, _memory, _widgets, _onnx, _data, _chromium)
