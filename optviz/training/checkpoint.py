"""Checkpoints: one file with everything a training needs to go on as if nothing had happened.

The file is in safetensors format (tensors, and JSON in its metadata), so loading it runs no code, as a pickle
could. It is written whole or not at all, and carries a checksum.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError

from optviz._files import ready_folder, write_atomic
from optviz._knobs import require

__all__ = ["Checkpoint", "load", "save"]

FORMAT = 1
Tensors = dict[str, Any]
Meta = dict[str, Any]


@dataclass(frozen=True)
class Checkpoint:
    """Where and how often ``Trainer.fit`` saves.

    A checkpoint is written at the end of every epoch and of the training, and in between as told. The one
    before is kept beside it with ``.previous`` added to its name.

    Args:
        path: the file; its folder is made if missing.
        updates: also save every so many updates (None: no).
        seconds: also save when so many seconds have passed since the last one (None: no).

    Raises:
        ValueError: if ``updates`` or ``seconds`` is not above 0.

    Example:
        >>> Checkpoint("run.safetensors", seconds=60).previous.name
        'run.safetensors.previous'
    """

    path: str | os.PathLike[str]
    updates: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name, kind, what in (("updates", int, "a whole number"), ("seconds", int | float, "a number")):
            value = getattr(self, name)
            fits = value is None or (isinstance(value, kind) and value > 0)
            require(fits, f"Checkpoint.{name}", f"{what} above 0, or None", value)

    @property
    def previous(self) -> Path:
        """The file that held the last state but one."""
        return Path(f"{self.path}.previous")

    def existing(self) -> Path | None:
        """The newest of the two files that is there."""
        return next((p for p in (Path(self.path), self.previous) if p.exists()), None)


class Saver:
    """Decides when the next save is due, and saves."""

    def __init__(self, plan: Checkpoint):
        self.plan, self.last, self.at = plan, time.monotonic(), ()

    def due(self, updates: int) -> bool:
        by_count = self.plan.updates is not None and updates % self.plan.updates == 0
        by_clock = self.plan.seconds is not None and time.monotonic() - self.last >= self.plan.seconds
        return by_count or by_clock

    def save(self, at: tuple[Any, ...], state: Callable[[], tuple[Tensors, Meta]]) -> None:
        """Save ``state()`` unless the training has not moved on from ``at`` since the last save."""
        if at != self.at:
            tensors, meta = state()
            _keep_previous(Path(self.plan.path), self.plan.previous)
            save(self.plan.path, tensors, meta)
            self.last, self.at = time.monotonic(), at


def saver(session: Any, plan: str | os.PathLike[str] | Checkpoint | None, resume: bool) -> Saver | None:
    """What saves a training; the ``session`` goes on from the file where ``resume`` allows.

    Raises:
        FileExistsError: if there is a checkpoint, and ``resume`` is off.
        ValueError: if it is damaged or of another training, or ``resume`` is on without a plan.
    """
    if plan is None:
        require(not resume, "checkpoint", "given when resume is on", None)
        return None
    plan = plan if isinstance(plan, Checkpoint) else Checkpoint(plan)
    path = plan.existing()
    if path is not None:
        if not resume:
            raise FileExistsError(f"checkpoint must be a new file unless resume=True, got {str(path)!r}")
        sweep(plan.path)
        session.load(path)
    ready_folder(Path(plan.path).absolute().parent)
    return Saver(plan)


def save(path: str | os.PathLike[str], tensors: Mapping[str, Any], meta: Mapping[str, Any]) -> Path:
    """Write tensors and plain values to one file, whole or not at all.

    Args:
        path: the file.
        tensors: name -> tensor or array of any shape.
        meta: what JSON can hold (numbers, texts, lists, dicts).

    Returns:
        The path.

    Raises:
        TypeError: if ``meta`` holds something else.
        OSError: if the folder cannot be written; an older file stays as it was.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = save(Path(folder) / "a.safetensors", {"w": torch.ones(2)}, {"epoch": 3})
        ...     tensors, meta = load(path)
        >>> tensors["w"].tolist(), meta
        ([1.0, 1.0], {'epoch': 3})

    Reference: the safetensors format, https://github.com/huggingface/safetensors.
    """
    text = json.dumps({"format": FORMAT, **meta})
    flat = _separate({name: _plain(value) for name, value in tensors.items()})
    digest = _digest(flat, text)
    content = safetensors.torch.save(flat, {"optviz": text, "sha256": digest})
    return write_atomic(path, content)


def load(path: str | os.PathLike[str]) -> tuple[dict[str, torch.Tensor], Meta]:
    """Read what :func:`save` wrote, after checking it.

    Returns:
        Tensors on the CPU by name, and the plain values.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged, cut short, or no checkpoint of optviz.

    Example:
        >>> load("nowhere.safetensors")
        Traceback (most recent call last):
        ...
        FileNotFoundError: checkpoint must be an existing file, got 'nowhere.safetensors'
    """
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(f"checkpoint must be an existing file, got {str(path)!r}") from None
    try:
        size = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + size])["__metadata__"]
        tensors = safetensors.torch.load(content)
        text, digest = header["optviz"], header["sha256"]
    except (SafetensorError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise _damaged(path, f"it is no whole optviz checkpoint ({error})") from error
    if _digest(tensors, text) != digest:
        raise _damaged(path, "its checksum does not fit its content")
    meta = json.loads(text)
    require(meta.pop("format") == FORMAT, "checkpoint", f"of format {FORMAT}", str(path))
    return tensors, meta


def pack_optimizer(optimizer: torch.optim.Optimizer) -> tuple[Tensors, Meta]:
    """The state of any torch optimizer as flat tensors and plain values."""
    state = optimizer.state_dict()
    tensors: Tensors = {}
    plain: Meta = {"state": {}, "groups": []}
    for index, entries in state["state"].items():
        numbers = plain["state"].setdefault(str(index), {})
        for key, value in entries.items():
            put(value, f"optimizer/{index}/{key}", key, tensors, numbers)
    for i, group in enumerate(state["param_groups"]):
        numbers = {}
        for key, value in group.items():
            put(value, f"optimizer_group/{i}/{key}", key, tensors, numbers)
        plain["groups"].append(numbers)
    return tensors, plain


def unpack_optimizer(optimizer: torch.optim.Optimizer, tensors: Tensors, plain: Meta) -> None:
    """Put back what :func:`pack_optimizer` took."""
    state: dict[int, dict[str, Any]] = {int(i): dict(entries) for i, entries in plain["state"].items()}
    groups = [{k: tuple(v) if isinstance(v, list) and k != "params" else v for k, v in g.items()}
              for g in plain["groups"]]  # fmt: skip
    for name, value in tensors.items():
        kind, *where = name.split("/", 2)
        if kind == "optimizer":
            state.setdefault(int(where[0]), {})[where[1]] = value
        elif kind == "optimizer_group":
            groups[int(where[0])][where[1]] = value
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def compare(path: Any, saved: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse a checkpoint of another training.

    Raises:
        ValueError: naming the first setting that differs, and both values.
    """
    for name, value in now.items():
        if saved.get(name) != value:
            raise ValueError(
                f"checkpoint must be of the same training, got {str(path)!r}, whose {name} is "
                f"{_short(saved.get(name))} instead of {_short(value)}; choose another path to start anew"
            )


def sweep(path: str | os.PathLike[str]) -> None:
    """Remove the temporary files that a killed process left beside ``path``."""
    target = Path(os.path.realpath(path))
    stem, suffix, name = (re.escape(part) for part in (target.stem, target.suffix, target.name))
    pattern = re.compile(rf"\.{stem}-[0-9a-f]{{16}}{suffix}|\.{name}\.previous-\d+")
    for other in target.parent.glob(f".{target.stem}*"):
        if pattern.fullmatch(other.name):
            other.unlink(missing_ok=True)


def put(value: Any, name: str, key: str, tensors: Tensors, plain: Meta) -> None:
    if isinstance(value, torch.Tensor | np.ndarray):
        tensors[name] = value
    elif value is None or isinstance(value, bool | int | float | str | list | tuple):
        plain[key] = value
    else:
        raise TypeError(f"{name} must be tensors and numbers to be saved, got {type(value).__name__}")


def _plain(value: Any) -> torch.Tensor:
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().contiguous()
        return value.clone() if value.untyped_storage().nbytes() != value.nbytes else value
    return torch.tensor(np.asarray(value))


def _separate(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tied weights are saved once under each name: the format refuses tensors that share memory."""
    seen: set[int] = set()
    for name, value in tensors.items():
        if value.data_ptr() in seen:
            tensors[name] = value.clone()
        seen.add(value.data_ptr())
    return tensors


def _digest(tensors: Mapping[str, torch.Tensor], text: str) -> str:
    check = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        value = tensors[name]
        check.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        check.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return check.hexdigest()


def _damaged(path: Any, why: str) -> ValueError:
    hint = f"; the one before is {path}.previous" if Path(f"{path}.previous").exists() else ""
    return ValueError(f"checkpoint must be an undamaged file, got {str(path)!r}: {why}{hint}")


def _keep_previous(path: Path, previous: Path) -> None:
    if not path.exists():
        return
    fresh = previous.with_name(f".{previous.name}-{os.getpid()}")
    try:
        fresh.unlink(missing_ok=True)
        os.link(path, fresh)  # the file has both names until the new one takes the first
        os.replace(fresh, previous)
    except OSError:  # a file system without hard links
        write_atomic(previous, path.read_bytes())


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…"
