"""Names of a package that are loaded when they are first used, so that importing the package stays fast."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

__all__ = ["lazy"]


def lazy(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The functions ``__getattr__`` and ``__dir__`` of a package (PEP 562) whose names live in its modules.

    Args:
        package: name of the package.
        homes: public name -> full name of the module that has it; a module stands for itself.

    Returns:
        The two functions, to be assigned to ``__getattr__`` and ``__dir__``.

    Example:
        >>> find, names = lazy("optviz", {"schedules": "optviz.schedules", "Run": "optviz.training.history"})
        >>> find("Run").__module__
        'optviz.training.history'

    Reference: PEP 562.
    """

    def __getattr__(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}; see dir({package})")
        home = import_module(homes[name])
        value = home if homes[name] == f"{package}.{name}" else getattr(home, name)
        setattr(sys.modules[package], name, value)
        return value

    def __dir__() -> list[str]:
        return sorted(sys.modules[package].__all__)

    return __getattr__, __dir__
