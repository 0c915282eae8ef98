"""The packages that ONNX needs: which are there, a clear word where one is missing, and silence."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

__all__ = ["ONNX", "available", "needed", "quiet", "vnni"]

ONNX = ("onnx", "onnxruntime", "onnxscript")


def available() -> dict[str, str | None]:
    """Which of the packages behind ``pip install 'optviz[onnx]'`` are installed.

    Returns:
        Name -> version, or None where it is missing.

    Example:
        >>> list(available())
        ['onnx', 'onnxruntime', 'onnxscript']

    Reference: ONNX, onnx.ai; ONNX Runtime, onnxruntime.ai; ONNX Script, microsoft.github.io/onnxscript.
    """
    return {name: _version(name) for name in ONNX}


def vnni() -> bool | None:
    """Whether this processor has VNNI, the instructions that sum four products of 8 bits in one step.

    ONNX Runtime's integer kernels use them. Without them they are hardly faster than floating point, and the
    sum of two products may be cut off at 16 bits (see ``reduce_range`` of ``to_onnx_int8``). Processors of
    the kind ARM have instructions of their own, which do not count here.

    Returns:
        True or False on Linux, None where the system does not tell.

    Example:
        >>> vnni() in (True, False, None)
        True

    Reference: Intel 64 and IA-32 architectures software developer's manual, volume 2, VPDPBUSD.
    """
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return None
    flags = next((line.split() for line in lines if line.startswith("flags")), None)
    return None if flags is None else any("vnni" in flag for flag in flags)


def needed(function: str, *names: str) -> list[Any]:
    """The modules, imported.

    Args:
        function: that needs them; it is named in the error.
        names: of modules.

    Raises:
        ImportError: if one is missing or broken, saying how it is installed.

    Example:
        >>> needed("to_onnx", "json")[0].__name__
        'json'
    """
    found = []
    with quiet():
        for name in names:
            package = name.partition(".")[0]
            try:
                import_module(package)
                found.append(import_module(name))
            except ImportError as error:
                advice = "install it with: pip install 'optviz[onnx]'"
                raise ImportError(f"{function} needs {package} ({error}); {advice}", name=package) from error
    return found


@contextmanager
def quiet() -> Iterator[None]:
    """While it lasts nothing is printed, logged or warned; afterwards logging is as it was."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, root.manager.disable
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            logging.disable(logging.CRITICAL)
            yield
    finally:
        root.handlers[:], root.level, root.manager.disable = before


def _version(name: str) -> str | None:
    try:
        return version(name) if find_spec(name) is not None else None
    except PackageNotFoundError:
        return "unknown"
    except ValueError:  # imported, but by other means than a file
        return None
