"""What every part of the package promises: documented, frozen, small, one spelling, nothing mutated."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

import optviz
from optviz import gradients, initializers, losses, normalize, optimizers, schedules
from optviz._knobs import knobs

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "optviz").rglob("*.py"))
TECHNIQUES = (
    "optviz.schedules",
    "optviz.optimizers",
    "optviz.gradients",
    "optviz.losses",
    "optviz.surfaces",
    "optviz.normalize",
    "optviz.initializers",
    "optviz.prune",
    "optviz.quantize",
    "optviz.regularize",
    "optviz.data.augment",
    "optviz.data.preprocess",
)
# Functions; classes of techniques are known by their knobs.
CITED = (
    "optviz.gradients",
    "optviz.losses",
    "optviz.surfaces",
    "optviz.normalize",
    "optviz.initializers",
    "optviz.prune",
    "optviz.quantize",
    "optviz.regularize",
    "optviz.landscapes",
    "optviz.ledger",
    "optviz.deploy",
)
MUTABLE = {"Stopwatch"}  # filled in when its block ends


def modules() -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(optviz.__path__, "optviz."):
        if not found.name.endswith("__main__") and ".exercises." not in found.name:
            yield importlib.import_module(found.name)


def listed(*, rooms_only: bool) -> dict[str, Any]:
    """Classes and functions by name, each once: those that the rooms offer, or those of every module."""
    found: dict[str, Any] = {}
    for module in modules():
        room = module.__name__.count(".") == 1 and not module.__name__.startswith("optviz._")
        for name in getattr(module, "__all__", ()) if room or not rooms_only else ():
            value = getattr(module, name)
            own = str(getattr(value, "__module__", "")).startswith("optviz")
            kind = inspect.isclass(value) or (callable(value) and inspect.isfunction(inspect.unwrap(value)))
            if own and kind and value not in found.values():
                found[f"{module.__name__}.{name}"] = value
    return found


PUBLIC, EVERYTHING = listed(rooms_only=True), listed(rooms_only=False)


def parameters(value: Any) -> list[str]:
    if is_dataclass(value):
        return [f.name for f in fields(value) if f.init]
    target = value.__init__ if inspect.isclass(value) else value
    if inspect.isclass(value) and issubclass(value, BaseException):
        return []  # people catch errors, they don't build them
    if target is object.__init__ or getattr(value, "_is_protocol", False):
        return []
    return [name for name in inspect.signature(target).parameters if name not in ("self", "args", "kwargs")]


def section(doc: str, title: str) -> str:
    """The text of one section of a docstring."""
    found = re.search(rf"^{title}:(.*?)(?=^\S|\Z)", doc, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


def functions(path: Path) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node


def lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function's body without its docstring."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0  # type: ignore[operator]


def imported(path: Path) -> set[str]:
    """The top-level packages that a file imports anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


# Documentation


def test_what_a_module_lists_is_there() -> None:
    for module in modules():
        names = list(getattr(module, "__all__", ()))
        assert all(hasattr(module, name) for name in names), module.__name__
        assert len(names) == len(set(names)), module.__name__
    assert len(PUBLIC) > 50


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        path.name for path in FILES if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert silent == ["_version.py"]


def test_everything_listed_says_what_it_is() -> None:
    silent = [n for n, v in EVERYTHING.items() if not v.__doc__ or v.__doc__.startswith(f"{v.__name__}(")]
    assert silent == []


@pytest.mark.parametrize("name", PUBLIC)
def test_documented(name: str) -> None:
    value = PUBLIC[name]
    doc = inspect.cleandoc(value.__doc__)
    sentence = doc.split("\n\n")[0]
    assert "\n" not in sentence or len(sentence) < 220, f"{name} must start with one line"
    described = section(doc, "Args")
    missing = [p for p in parameters(value) if not re.search(rf"\b{re.escape(p)}\b", described)]
    assert not missing, f"{name} does not describe {missing}"
    assert ">>>" in doc, f"{name} needs an example"
    if value.__module__.startswith(CITED) or (is_dataclass(value) and knobs(value)):
        assert re.search(r"^References?:", doc, re.MULTILINE), f"{name} needs a reference"


def test_dataclasses_are_frozen() -> None:
    open_ones = [
        name
        for name, value in EVERYTHING.items()
        if is_dataclass(value) and not value.__dataclass_params__.frozen and value.__name__ not in MUTABLE
    ]
    assert open_ones == []


# Size


def test_files_are_short() -> None:
    counts = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES
    }
    assert {name: count for name, count in counts.items() if count > 400} == {}


def test_functions_are_short() -> None:
    long = {name: lines(node) for path in FILES for name, node in functions(path) if lines(node) > 40}
    assert long == {}


def test_techniques_are_shorter() -> None:
    """What ``show_source`` shows to learners."""
    rooms = [ROOT.joinpath(*name.split(".")) for name in TECHNIQUES]
    files = [path for path in FILES if path.with_suffix("") in rooms or path.parent in rooms]
    assert len(files) >= len(rooms)
    shown = [(n, f) for path in files for n, f in functions(path) if not re.match(r"_(?!_call)", f.name)]
    assert {name: lines(node) for name, node in shown if lines(node) > 15} == {}


def test_few_parameters() -> None:
    """At most eight; more only where all but four are keyword-only, as in ``train`` and ``Trainer``."""
    many = {}
    for path in FILES:
        for name, node in functions(path):
            in_order = [a for a in [*node.args.posonlyargs, *node.args.args] if a.arg not in ("self", "cls")]
            count = len(in_order) + len(node.args.kwonlyargs)
            if count > 8 and len(in_order) > 4:
                many[name] = count
    assert many == {}


# Words


def texts() -> Iterator[tuple[str, str]]:
    for path in [*FILES, *sorted((ROOT / "tests").rglob("*.py")), *sorted(ROOT.glob("*.md"))]:
        if path != Path(__file__):
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")


BRITISH = re.compile(
    r"\w*(?:(?:optim|quant|initial|normal|regular|general|minim|maxim|visual|vector|summar|random|serial|standard)is"
    r"(?:e|ed|es|er|ing|ation)\b|colour|behaviour|favour|neighbour|labelled|modelling|centre\b|grey\b)\w*",
    re.IGNORECASE,
)


def test_american_spelling() -> None:
    assert {name: BRITISH.findall(text) for name, text in texts() if BRITISH.search(text)} == {}


def test_nothing_is_left_to_do() -> None:
    left = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")
    assert [name for name, text in texts() if left.search(text)] == []


def test_only_what_talks_to_people_prints() -> None:
    """The command line, the lessons, and ``Trainer.fit`` when it was interrupted."""
    talking = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                talking.append(f"{path.relative_to(ROOT / 'optviz')}:{node.lineno}")
    allowed = ("cli", "lessons", "training/trainer.py")
    assert [place for place in talking if not place.startswith(allowed)] == []


# Imports


@pytest.mark.parametrize(
    ("package", "rooms"),
    [
        ("ipywidgets", ("widgets/view", "lessons")),
        ("anywidget", ("widgets/view",)),
        ("IPython", ("widgets", "lessons", "cli")),
        ("matplotlib", ("viz", "widgets")),
    ],
)
def test_who_may_import(package: str, rooms: tuple[str, ...]) -> None:
    users = [path.relative_to(ROOT / "optviz").as_posix() for path in FILES if package in imported(path)]
    assert [user for user in users if not user.startswith(rooms)] == []


def test_no_pickle() -> None:
    assert [path.name for path in FILES if imported(path) & {"pickle", "cPickle", "dill", "joblib"}] == []
    unsafe = re.compile(r"allow_pickle=True|weights_only=False")
    assert [path.name for path in FILES if unsafe.search(path.read_text(encoding="utf-8"))] == []


# Nothing is mutated


def fixed(*shape: int) -> np.ndarray:
    """Numbers in an array that refuses to be written to."""
    values = np.random.default_rng(0).normal(size=shape)
    values.flags.writeable = False
    return values


LABELS = np.array([0, 2, 1])
LABELS.flags.writeable = False
# One line a function: a call with arrays.
CALLS: dict[str, Callable[[Any, Any], Any]] = {
    "gradients.clip_norm": lambda x, y: gradients.clip_norm({"a": x, "b": x}, 0.1),
    "gradients.clip_value": lambda x, y: gradients.clip_value({"a": x, "b": x}, 0.1),
    "gradients.norm": lambda x, y: gradients.norm({"a": x, "b": x}),
    "initializers.fans": lambda x, y: initializers.fans(x.shape),
    "losses.bce": lambda x, y: losses.bce(abs(x) % 1, abs(x[0]) % 1),
    "losses.bce_grad": lambda x, y: losses.bce_grad(abs(x) % 1, abs(x[0]) % 1),
    "losses.bce_with_logits": lambda x, y: losses.bce_with_logits(x, abs(x[0]) % 1),
    "losses.bce_with_logits_grad": lambda x, y: losses.bce_with_logits_grad(x, abs(x[0]) % 1),
    "losses.check_logits": lambda x, y: losses.check_logits(x),
    "losses.cross_entropy": lambda x, y: losses.cross_entropy(x, y, 0.1),
    "losses.cross_entropy_grad": lambda x, y: losses.cross_entropy_grad(x, y, 0.1),
    "losses.cross_entropy_with_grad": lambda x, y: losses.cross_entropy_with_grad(x, y),
    "losses.distillation": lambda x, y: losses.distillation(x, x[0], 2.0),
    "losses.distillation_grad": lambda x, y: losses.distillation_grad(x, x[0], 2.0),
    "losses.focal": lambda x, y: losses.focal(x, y),
    "losses.focal_grad": lambda x, y: losses.focal_grad(x, y),
    "losses.hinge": lambda x, y: losses.hinge(x, np.ones((3, 4))),
    "losses.hinge_grad": lambda x, y: losses.hinge_grad(x, np.ones((3, 4))),
    "losses.huber": lambda x, y: losses.huber(x, x[0]),
    "losses.huber_grad": lambda x, y: losses.huber_grad(x, x[0]),
    "losses.kl": lambda x, y: losses.kl(x, losses.softmax(x[0])),
    "losses.kl_grad": lambda x, y: losses.kl_grad(x, losses.softmax(x[0])),
    "losses.log_softmax": lambda x, y: losses.log_softmax(x),
    "losses.mse": lambda x, y: losses.mse(x, x),
    "losses.mse_grad": lambda x, y: losses.mse_grad(x, x),
    "losses.multi_hinge": lambda x, y: losses.multi_hinge(x, y),
    "losses.multi_hinge_grad": lambda x, y: losses.multi_hinge_grad(x, y),
    "losses.sigmoid": lambda x, y: losses.sigmoid(x),
    "losses.softmax": lambda x, y: losses.softmax(x),
    "normalize.backward": lambda x, y: normalize.backward(
        x, normalize.forward(normalize.BatchNorm(), x, x[0, :, 0], x[0, :, 0])[1]
    ),
    "normalize.fold": lambda x, y: normalize.fold(x[0].T, x[0, 0], x[0, 0], abs(x[0, 0])),
    "normalize.fold_module": lambda x, y: normalize.fold_module(torch.nn.Sequential(torch.nn.Linear(4, 3))),
    "normalize.fold_next": lambda x, y: normalize.fold_next(x[0], x[0, :, 0], x[0, 0], abs(x[0, 0])),
    "normalize.forward": lambda x, y: normalize.forward(
        normalize.BatchNorm(), x, running=normalize.Running(x[0, :, 0], abs(x[0, :, 0]), 1)
    ),
    "normalize.running": lambda x, y: normalize.running(3, x),
    "normalize.update": lambda x, y: normalize.update(normalize.Running(x, abs(x), 1), x, abs(x), 8),
    "optimizers.to_torch": lambda x, y: optimizers.to_torch(
        optimizers.SGD(), [torch.nn.Parameter(torch.ones(2))], 0.1
    ),
    "schedules.rates": lambda x, y: schedules.rates(schedules.Cosine(1.0, 9), np.abs(x)),
}


def test_the_table_of_calls_is_complete() -> None:
    rooms = (gradients, initializers, losses, normalize, optimizers, schedules)
    names = {
        f"{room.__name__.removeprefix('optviz.')}.{name}"
        for room in rooms
        for name in room.__all__
        if inspect.isfunction(getattr(room, name))
    }
    assert names == set(CALLS)


@pytest.mark.parametrize("name", CALLS)
def test_arrays_are_left_alone(name: str) -> None:
    CALLS[name](fixed(2, 3, 4), LABELS)  # writing to a read-only array would raise


@pytest.mark.parametrize("name", [name for name in CALLS if not name.startswith("schedules")])
def test_tensors_are_left_alone(name: str) -> None:
    x, y = torch.tensor(np.array(fixed(2, 3, 4))), torch.tensor(np.array(LABELS))
    before = x.clone(), y.clone()
    CALLS[name](x, y)
    assert torch.equal(x, before[0])
    assert torch.equal(y, before[1])
