"""Training one ``nn.Module``: on CPU or GPU, in full or mixed precision, watched, saved and resumed."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch

from optviz._knobs import require
from optviz.schedules import Constant
from optviz.training import checkpoint as ckpt
from optviz.training._device import evaluating, find_device
from optviz.training._feeds import Feed, TensorFeed, feed
from optviz.training._progress import Bar, Interrupts
from optviz.training._project import in_place, named
from optviz.training._session import Session, planned_rates
from optviz.training.convert import averaged, climbs, group_ratios, torch_optimizer
from optviz.training.diverged import Diverged
from optviz.training.history import History, Step

__all__ = ["Diverged", "Trainer"]

_MOVING = {"params", "lr", "initial_lr", "averaged"}
_NOTHING = nullcontext()
PRECISIONS = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


class Trainer:
    """Trains one module.

    One update: the rate is set; for each of ``accumulate`` batches the loss is scaled (fp16 only) and its
    gradient added up; then the gradient is unscaled, clipped, and the optimizer steps. Batches of different
    sizes count by their examples, so accumulating gives the gradient of the whole. An fp16 update that the
    scaler skips is no update: it moves neither the schedule nor the record.

    Args:
        model: the module. It is moved to ``device`` and trained in place. If ``model.training`` is on, parts
            that are in eval mode stay so (frozen batch norm); if it is off, all of it is switched on.
        optimizer: a rule of ``optviz.optimizers`` (one that PyTorch has runs as PyTorch's own) or a built
            ``torch.optim`` optimizer over parameters of ``model``. With SAM each update takes two passes.
            Where a rule keeps weights to test beside those it trains (schedule-free), these are measured, and
            the model has them at the end.
        schedule: rate by 0-based update, or a number. Needed for a rule; None leaves the rates of a built
            optimizer alone. Its parameter groups keep their ratios to the first one's rate.
        loss: (output, target) -> the mean over the batch, e.g. ``losses.cross_entropy`` or
            ``nn.CrossEntropyLoss()``.
        device: ``"auto"`` (CUDA, else MPS, else CPU), ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.
        precision: ``"fp32"``, or mixed precision ``"bf16"`` or ``"fp16"`` (with a gradient scaler).
        clip_norm: largest norm of the whole gradient, None for no limit.
        accumulate: batches an update.
        batch: examples a batch (data given as batches keep theirs).
        project: map name -> tensor to the same, such as ``prune.masked(masks)``: the weights go through it
            now and right after every update. It is no part of a checkpoint; resuming wants an equal one.

    Raises:
        TypeError: if model, optimizer, schedule, loss or project are not of their kinds.
        ValueError: if the device is not there, the precision unknown, a number out of range, a rule comes
            without a schedule, or the optimizer holds parameters of another model.

    Example:
        >>> from optviz import losses, optimizers
        >>> X, y = torch.eye(8), torch.arange(8) % 2
        >>> model = torch.nn.Linear(8, 2)
        >>> trainer = Trainer(model, optimizers.SGD(0.9), 0.5, loss=losses.cross_entropy, batch=4)
        >>> history = trainer.fit((X, y), epochs=20, progress=False)
        >>> len(history.steps), trainer.evaluate((X, y))["accuracy"]
        (40, 1.0)

    Reference: Micikevicius et al., 2017, arXiv:1710.03740 (mixed precision); ``torch.amp``.
    """

    def __init__(
        self, model: torch.nn.Module, optimizer: Any, schedule: Any = None, *, loss: Any,
        device: str | torch.device = "auto", precision: str = "fp32", clip_norm: float | None = None,
        accumulate: int = 1, batch: int = 64, project: Any = None,
    ):  # fmt: skip
        if not isinstance(model, torch.nn.Module):
            raise TypeError(f"Trainer.model must be a torch.nn.Module, got {model!r}")
        if not callable(loss) or isinstance(loss, type):
            raise TypeError(
                f"Trainer.loss must be a function or module (output, target) -> loss, got {loss!r}"
            )
        mean = getattr(loss, "reduction", "mean")
        require(mean == "mean", "Trainer.loss", 'a mean over the batch (reduction="mean")', mean)
        require(precision in PRECISIONS, "Trainer.precision", f"one of {list(PRECISIONS)}", precision)
        limit = clip_norm is None or (isinstance(clip_norm, int | float) and clip_norm > 0)
        require(limit, "Trainer.clip_norm", "above 0, or None", clip_norm)
        for name, value in (("accumulate", accumulate), ("batch", batch)):
            require(isinstance(value, int) and value >= 1, f"Trainer.{name}", "a whole number above 0", value)
        self.device = find_device(device)
        self.model, self.loss = model.to(self.device), loss
        self.schedule = _schedule(schedule)
        self.precision, self.clip_norm, self.accumulate, self.batch = precision, clip_norm, accumulate, batch
        self.optimizer = self._optimizer(optimizer)
        self.ratios = group_ratios(self.optimizer)
        rule = "fp32 or bf16 where the rule takes a second gradient"
        fits = precision != "fp16" or not climbs(self.optimizer)
        require(fits, "Trainer.precision", rule, precision)
        self.scaler = torch.amp.GradScaler(self.device.type) if precision == "fp16" else None
        require(
            project is None or not hasattr(self.optimizer, "eval"), "Trainer.project",
            "None with a rule that keeps weights to test beside those it trains", project,
        )  # fmt: skip
        self.project, self._project = project, in_place(self.model, project)
        self._parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        self._latest: Session | None = None

    def steps(
        self, train: Any, val: Any = None, epochs: int = 10, *, every: int | None = None, seed: int = 0,
        monitors: Sequence[Any] = (),
    ) -> Iterator[Step]:  # fmt: skip
        """Train, and yield what happened at the end of each epoch, and every so many updates.

        Leaving the loop early (``break``) stops the training. The global random generators are the caller's
        between two steps, and the training's own while it computes.

        Args:
            train: (X, y) tensors or arrays, a ``Split``, or an iterable of (X, y) batches such as a
                ``DataLoader``. Tensors are moved to the device once and visited in a new random order every
                epoch.
            val: the same kinds; measured at the end of each epoch as ``validation_loss`` and, for class ids,
                ``validation_accuracy``.
            epochs: passes over ``train``.
            every: also yield (without metrics) every so many updates.
            seed: decides the order of the examples, dropout, and every other draw.
            monitors: see ``optviz.training.monitors``.

        Returns:
            An iterator of :class:`~optviz.training.history.Step`, whose ``params`` are (1, *shape).

        Raises:
            Diverged: if the loss is infinite or no number; the error holds the history so far.
            TypeError, ValueError: if the data cannot be used or do not fit the model, a warm-up is longer
                than the training, or a monitor watches what is not measured.

        Example:
            >>> trainer = Trainer(torch.nn.Linear(2, 1), torch.optim.SGD, 0.1, loss=torch.nn.MSELoss())
            Traceback (most recent call last):
            ...
            TypeError: Trainer.optimizer must be a rule like SGD(momentum=0.9) or a built torch optimizer, ...
        """
        return self._session(train, val, epochs, every, seed, monitors).run()

    def fit(
        self, train: Any, val: Any = None, epochs: int = 10, *, every: int | None = None, seed: int = 0,
        monitors: Sequence[Any] = (), progress: bool = True,
        checkpoint: str | Path | ckpt.Checkpoint | None = None, resume: bool = False,
    ) -> History:  # fmt: skip
        """Train to the end and return the record.

        Ctrl-C (or Jupyter's stop button) ends it after the update that is running: the history so far is
        returned, the checkpoint is written, and a line says so. A second Ctrl-C interrupts at once.

        Args:
            train, val, epochs, every, seed, monitors: as in :meth:`steps`.
            progress: show a bar with the loss, the rate and examples a second.
            checkpoint: a path, or a :class:`~optviz.training.checkpoint.Checkpoint` that says how often.
            resume: go on from ``checkpoint`` if it exists. The result is that of a training that was never
                interrupted; on one CPU, bit for bit.

        Returns:
            The history of one row: ``lr`` and ``loss`` at every update, metrics at the epochs' ends.

        Raises:
            Diverged: if the loss is infinite or no number; the error holds the history so far.
            FileExistsError: if the checkpoint exists and ``resume`` is off.
            ValueError: if the checkpoint is damaged or of another training.
            TypeError, ValueError: as in :meth:`steps`.
        """
        session = self._session(train, val, epochs, every, seed, monitors)
        saver = ckpt.saver(session, checkpoint, resume)
        with Interrupts() as interrupts, Bar(session, progress) as bar:

            def save() -> None:
                if saver is not None:
                    saver.save((session.t, session.epoch, session.stopped), session.state)

            def after() -> None:
                bar.tick()
                session.halt = session.halt or interrupts.count > 0
                if saver is not None and saver.due(session.t):
                    save()

            session.after, session.save = after, save
            try:
                for _ in session.run():
                    bar.show()
                    session.halt = session.halt or interrupts.count > 0
            except KeyboardInterrupt:  # raised past the handler, e.g. outside the main thread
                session.halt = True
            else:
                if session.halt:
                    save()
            session.drain()
            if session.halt:
                print(_stopped(session, saver))
        return session.history()

    def update(self, batches: Sequence[tuple[Any, Any]]) -> tuple[torch.Tensor, bool]:
        """One update from ``accumulate`` batches on the device.

        Returns:
            The loss as a detached tensor, the mean over all examples, and False if the scaler skipped it.
        """
        if climbs(self.optimizer):
            step: Any = self.optimizer.step
            total, applied = step(lambda: self._gradients(batches)), True
        elif self.scaler is None:
            total, applied = self._gradients(batches), True
            self.optimizer.step()
        else:
            total, before = self._gradients(batches), self.scaler.get_scale()
            self.scaler.step(self.optimizer)
            self.scaler.update()
            applied = self.scaler.get_scale() >= before
        self._project()
        return total, applied

    def _gradients(self, batches: Sequence[tuple[Any, Any]]) -> torch.Tensor:
        """Put the clipped gradient of some batches into the parameters; returns their loss."""
        self.optimizer.zero_grad(set_to_none=True)
        if len(batches) == 1:
            total = self._backward(*batches[0], 1.0)
        else:
            sizes = [len(y) for _, y in batches]
            parts = [self._backward(X, y, n / sum(sizes)) for (X, y), n in zip(batches, sizes, strict=True)]
            total = torch.stack(parts).sum()
        if self.scaler is not None and self.clip_norm is not None:
            self.scaler.unscale_(self.optimizer)
        if self.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(self._parameters, self.clip_norm)
        return total

    def evaluate(self, data: Any) -> dict[str, float]:
        """Mean loss and, for class ids, accuracy over all examples, in eval mode and without gradients.

        Args:
            data: as ``train`` of :meth:`steps`.

        Returns:
            ``{"loss": …, "accuracy": …}``; batches count by their sizes.
        """
        return self.measure(feed(data, self.batch, self.device, "data"))

    def measure(self, data: Feed, prefix: str = "") -> dict[str, float]:
        """:meth:`evaluate` for a feed, under names that start with ``prefix``."""
        losses, right, sizes = [], [], []
        with torch.no_grad(), evaluating(self.model), self.averaged():
            for X, y in data.in_order():
                with self._autocast():
                    output = self.model(X)
                    losses.append(self._loss(output, y).detach().float())
                if _are_classes(output, y):
                    right.append((output.argmax(dim=-1) == y).sum())
                sizes.append(len(y))
        require(len(sizes) > 0, "data", "at least one batch", 0)
        values = torch.stack(losses).cpu().double().numpy()
        found = {f"{prefix}loss": float(np.average(values, weights=sizes))}
        if right:
            found[f"{prefix}accuracy"] = int(torch.stack(right).sum()) / sum(sizes)
        return found

    @property
    def label(self) -> str:
        """What the row of a history is called: the schedule, else the optimizer."""
        if self.schedule is None:
            return type(self.optimizer).__name__
        return getattr(self.schedule, "__name__", None) or repr(self.schedule)

    def with_schedule(self, schedule: Any) -> Trainer:
        """A trainer of the same model and optimizer under another schedule, with a scaler of its own."""
        other = copy.copy(self)
        other.schedule, other._latest = _schedule(schedule), None
        if self.scaler is not None:
            other.scaler = torch.amp.GradScaler(self.device.type)
        return other

    def averaged(self) -> AbstractContextManager[None]:
        """While it lasts the model has the weights to test, where the optimizer keeps such."""
        return averaged(self.optimizer, self._latest is not None and self._latest.running)

    def state_of(self, monitor: Any) -> dict[str, Any]:
        """The state of a monitor in the latest training, e.g. for ``EMA.averaged``.

        Raises:
            ValueError: if it took no part.
        """
        watched = [] if self._latest is None else list(self._latest.monitors)
        require(monitor in watched, "monitor", "one of the latest training", monitor)
        return self._latest.states[watched.index(monitor)]  # type: ignore[union-attr]

    def metric_names(self, val: Feed | None) -> list[str]:
        """The metrics that will be measured on ``val``, as far as the data tell."""
        if val is None:
            return []
        classes = not isinstance(val, TensorFeed) or not val.y.is_floating_point()
        return ["validation_loss"] + ["validation_accuracy"] * classes

    def describe(self) -> dict[str, Any]:
        """The settings that a checkpoint must share with the training that goes on from it."""
        groups = [{k: v for k, v in g.items() if k not in _MOVING} for g in self.optimizer.param_groups]
        return {
            "model": re.sub(r" at 0x[0-9a-f]+", "", repr(self.model)),
            "optimizer": f"{type(self.optimizer).__name__} {groups}",
            "loss": re.sub(r" at 0x[0-9a-f]+", "", getattr(self.loss, "__qualname__", repr(self.loss))),
            "precision": self.precision,
            "clip_norm": self.clip_norm,
            "accumulate": self.accumulate,
            "batch": self.batch,
            "project": None if self.project is None else named(self.project),
        }

    def _backward(self, X: torch.Tensor, y: torch.Tensor, share: float) -> torch.Tensor:
        with self._autocast():
            loss = self._loss(self.model(X), y)
        if loss.ndim:
            raise ValueError(
                f"Trainer.loss must give one number, the batch mean, got shape {tuple(loss.shape)}"
            )
        if share != 1.0:
            loss = loss * share
        (loss if self.scaler is None else self.scaler.scale(loss)).backward()
        return loss.detach()

    def _loss(self, output: Any, y: torch.Tensor) -> torch.Tensor:
        if self.precision != "fp32" and isinstance(output, torch.Tensor):
            output = output.float()  # the loss needs the digits that half precision lacks
        return self.loss(output, y)

    def _autocast(self) -> AbstractContextManager[Any]:
        dtype = PRECISIONS[self.precision]
        return _NOTHING if dtype is None else torch.autocast(self.device.type, dtype)

    def _optimizer(self, optimizer: Any) -> torch.optim.Optimizer:
        params = [p for p in self.model.parameters() if p.requires_grad]
        require(
            len(params) > 0, "Trainer.model", "a module with parameters that require gradients", self.model
        )
        if isinstance(optimizer, torch.optim.Optimizer) and not isinstance(optimizer, torch.optim.LBFGS):
            own = {id(p) for p in self.model.parameters()}
            foreign = sum(id(p) not in own for g in optimizer.param_groups for p in g["params"])
            require(foreign == 0, "Trainer.optimizer", "over parameters of the model", f"{foreign} others")
            if optimizer.state:  # its tensors follow the parameters to the device
                optimizer.load_state_dict(optimizer.state_dict())
            return optimizer
        if isinstance(optimizer, type) or not callable(getattr(optimizer, "update", None)):
            raise TypeError(
                "Trainer.optimizer must be a rule like SGD(momentum=0.9) or a built torch optimizer, "
                f"one without a closure, got {optimizer!r}"
            )
        require(
            self.schedule is not None, "Trainer.schedule", "a schedule or a rate when a rule is given", None
        )
        return torch_optimizer(optimizer, params, planned_rates(self.schedule, 0, 1)[0].item())

    def _session(
        self, train: Any, val: Any, epochs: int, every: int | None, seed: int, monitors: Sequence[Any]
    ) -> Session:
        for name, value, low in (("epochs", epochs, 1), ("every", every, 1), ("seed", seed, 0)):
            known = value is None or (isinstance(value, int) and value >= low)
            require(known, name, f"a whole number of at least {low}", value)
        feeds = feed(train, self.batch, self.device, "train")
        tests = None if val is None else feed(val, self.batch, self.device, "val")
        if isinstance(feeds, TensorFeed):
            most = feeds.examples
            require(self.batch <= most, "Trainer.batch", f"at most the {most} training examples", self.batch)
        self._latest = Session(self, feeds, tests, epochs, seed=seed, every=every, monitors=monitors)
        return self._latest


def _schedule(schedule: Any) -> Any:
    if schedule is None:
        return None
    if isinstance(schedule, int | float | np.number) and not isinstance(schedule, bool):
        return Constant(float(schedule))
    if not callable(schedule) or isinstance(schedule, type):
        raise TypeError(f"Trainer.schedule must be a schedule or callable step -> rate, got {schedule!r}")
    return schedule


def _are_classes(output: torch.Tensor, y: torch.Tensor) -> bool:
    return output.ndim == y.ndim + 1 and not y.is_floating_point()


def _stopped(session: Session, saver: ckpt.Saver | None) -> str:
    kept = "the history so far is returned" + ("" if saver is None else f" and {saver.plan.path} is saved")
    return f"Stopped on request after {session.t} updates ({session.epoch} whole epochs); {kept}."
