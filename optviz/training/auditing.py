"""Which rate did each update really use, and is it the one that was meant?"""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np
import torch

from optviz._knobs import require
from optviz.schedules import rates
from optviz.training.diagnose import Finding, diagnose

__all__ = ["Audit", "AuditLog", "Finding", "audit"]


@dataclass(frozen=True, eq=False)
class Audit:
    """What an audit found.

    Args:
        findings: what is wrong, the most telling first; empty if the rates are as planned.
        rates: (T, G) rates that T updates used in G parameter groups.
        nominal: (T,) planned rates, or None if there was no plan.

    Example:
        >>> print(Audit((), np.full((3, 1), 0.1), np.full(3, 0.1)))
        3 updates: every rate is as planned.
    """

    findings: tuple[Finding, ...]
    rates: np.ndarray
    nominal: np.ndarray | None

    @property
    def ok(self) -> bool:
        """True if nothing was found."""
        return not self.findings

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of the findings."""
        return tuple(finding.code for finding in self.findings)

    def __str__(self) -> str:
        count = f"{len(self.rates)} updates: "
        if self.findings:
            return count + "\n".join(f"[{f.code}] {f.text}" for f in self.findings)
        return count + ("nothing suspicious." if self.nominal is None else "every rate is as planned.")


class AuditLog:
    """Records the rate of every update while the ``with`` block of :func:`audit` runs.

    Example:
        >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
        >>> with audit(optimizer) as log:
        ...     optimizer.step()
        >>> log.rates.tolist()
        [[0.1]]
    """

    def __init__(
        self, optimizer: torch.optim.Optimizer, nominal: Any, updates_per_epoch: int | None, steps: int | None
    ):
        self._optimizer, self._nominal = optimizer, nominal
        self._per_epoch, self._steps = updates_per_epoch, steps
        self._used: list[list[float]] = []

    def __enter__(self) -> AuditLog:
        self._handle = self._optimizer.register_step_pre_hook(self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._handle.remove()

    def _note(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        self._used.append([float(group["lr"]) for group in optimizer.param_groups])

    @property
    def rates(self) -> np.ndarray:
        """(T, G) rates used so far; NaN where a group did not exist yet."""
        width = max((len(row) for row in self._used), default=len(self._optimizer.param_groups))
        table = np.full((len(self._used), width), np.nan)
        for t, row in enumerate(self._used):
            table[t, : len(row)] = row
        return table

    def report(self) -> Audit:
        """Compare with the plan and name what is wrong.

        Returns:
            An :class:`Audit`; it can be asked for at any time.
        """
        used = self.rates
        plan = None if self._nominal is None else rates(self._nominal, np.arange(len(used)))
        findings = diagnose(used, self._nominal, self._per_epoch, self._steps)
        return Audit(findings, used, plan)


def audit(
    optimizer: torch.optim.Optimizer,
    nominal: Any = None,
    *,
    updates_per_epoch: int | None = None,
    steps: int | None = None,
) -> AuditLog:
    """Watch the rates that an optimizer really uses, in any loop.

    The rate is read just before each ``optimizer.step()``, by PyTorch's own hook; nothing is patched.

    Args:
        optimizer: any ``torch.optim`` optimizer. Its first parameter group is compared with the plan, the
            others with the first.
        nominal: the plan: a schedule, or any callable from a 0-based update number to a rate. Without it only
            what is wrong under any plan is found.
        updates_per_epoch: lets the report tell epochs from updates.
        steps: updates of the whole plan; taken from the schedule where it has an end.

    Returns:
        An :class:`AuditLog`: use it in ``with``, then ask for ``.report()``.

    Raises:
        TypeError: if ``optimizer`` is no torch optimizer or ``nominal`` cannot be called.
        ValueError: if ``updates_per_epoch`` or ``steps`` is below 1.

    Example:
        >>> from optviz.schedules import Linear
        >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        >>> plan = Linear(1.0, 10)
        >>> with audit(optimizer, plan) as log:
        ...     for t in range(10):
        ...         optimizer.step()
        ...         optimizer.param_groups[0]["lr"] = plan(t)  # set after the update, for the update before
        >>> log.report().codes
        ('late', 'floor_missed')

    Reference: ``torch.optim.Optimizer.register_step_pre_hook``; the order of the two steps is explained under
    "How to adjust learning rate" in the documentation of ``torch.optim``.
    """
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise TypeError(f"audit.optimizer must be a torch.optim optimizer, got {optimizer!r}")
    if nominal is not None and (not callable(nominal) or isinstance(nominal, type)):
        raise TypeError(f"audit.nominal must be a schedule or callable step -> rate, got {nominal!r}")
    for name, value in (("updates_per_epoch", updates_per_epoch), ("steps", steps)):
        require(value is None or value >= 1, f"audit.{name}", "at least 1, or None", value)
    return AuditLog(optimizer, nominal, updates_per_epoch, steps)
