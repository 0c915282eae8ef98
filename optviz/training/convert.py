"""Between our pure functions and PyTorch's objects: schedules as schedulers, update rules as optimizers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch.optim.lr_scheduler import LRScheduler

from optviz import optimizers
from optviz.schedules import rates

__all__ = ["to_torch"]


def to_torch(schedule: Any, optimizer: torch.optim.Optimizer) -> LRScheduler:
    """A scheduler that PyTorch code can step, with exactly the rates of a schedule.

    After n calls of ``step()``, which belongs after ``optimizer.step()``, the rate is schedule(n). With
    several parameter groups, the first runs at that rate and the others keep their ratio to it.

    Args:
        schedule: a schedule, or any callable from a 0-based update number to a rate.
        optimizer: a built ``torch.optim`` optimizer.

    Returns:
        An ``LRScheduler``. Its ``state_dict`` holds numbers only: to resume, build it anew with the schedule.

    Raises:
        TypeError: if ``schedule`` cannot be called or ``optimizer`` is no torch optimizer.
        ValueError: if the first group's rate is 0 while another's is not, so that there is no ratio.

    Example:
        >>> from optviz.schedules import Cosine
        >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        >>> scheduler = to_torch(Cosine(0.5, 2), optimizer)
        >>> used = []
        >>> for _ in range(3):
        ...     used.append(round(scheduler.get_last_lr()[0], 6))
        ...     optimizer.step()
        ...     scheduler.step()
        >>> used
        [0.5, 0.25, 0.0]

    Reference: ``torch.optim.lr_scheduler.LRScheduler``.
    """
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise TypeError(f"optimizer must be a torch.optim optimizer, got {optimizer!r}")
    if not callable(schedule) or isinstance(schedule, type):
        raise TypeError(f"schedule must be a schedule or callable step -> rate, got {schedule!r}")
    return _Scheduled(schedule, optimizer)


class _Scheduled(LRScheduler):
    def __init__(self, schedule: Any, optimizer: torch.optim.Optimizer):
        self.schedule = schedule
        self.ratios = group_ratios(optimizer)
        super().__init__(optimizer)

    def get_lr(self) -> list[float | torch.Tensor]:
        rate = float(rates(self.schedule, self.last_epoch))
        return [rate * ratio for ratio in self.ratios]

    def state_dict(self) -> dict[str, Any]:
        return {k: v for k, v in super().state_dict().items() if k != "schedule"}


def group_ratios(optimizer: torch.optim.Optimizer) -> list[float]:
    """Each parameter group's rate over the first group's."""
    lrs = [float(group["lr"]) for group in optimizer.param_groups]
    if lrs[0] == 0:
        if any(lrs):
            raise ValueError(f"the first group's lr must be above 0 to scale the others by, got {lrs}")
        return [1.0] * len(lrs)
    return [lr / lrs[0] for lr in lrs]


def torch_optimizer(rule: Any, params: Iterable[torch.nn.Parameter], lr: float) -> torch.optim.Optimizer:
    """A rule as a torch optimizer: PyTorch's own (fused where it has that), else the rule itself, wrapped."""
    params = list(params)
    if isinstance(rule, optimizers.SGD):
        settings = {"momentum": rule.momentum, "nesterov": rule.nesterov, "dampening": rule.dampening}
        return _fused(torch.optim.SGD, params, lr, weight_decay=rule.weight_decay, **settings)
    if isinstance(rule, optimizers.AdamW | optimizers.Adam):
        kind = torch.optim.AdamW if isinstance(rule, optimizers.AdamW) else torch.optim.Adam
        betas = (rule.b1, rule.b2)
        return _fused(kind, params, lr, betas=betas, eps=rule.eps, weight_decay=rule.weight_decay)
    if isinstance(rule, optimizers.RMSprop):
        decay = rule.weight_decay
        return torch.optim.RMSprop(params, lr, rule.alpha, rule.eps, decay, rule.momentum)
    return _Ruled(params, rule, lr)


def _fused(kind: Any, params: list[torch.nn.Parameter], lr: float, **settings: Any) -> torch.optim.Optimizer:
    try:
        return kind(params, lr, fused=True, **settings)
    except RuntimeError:  # a device or dtype that has no fused kernel
        return kind(params, lr, **settings)


class _Ruled(torch.optim.Optimizer):
    """A rule of ``optviz.optimizers`` that PyTorch has no twin of, applied tensor by tensor."""

    def __init__(self, params: list[torch.nn.Parameter], rule: Any, lr: float):
        super().__init__(params, {"lr": lr})
        self.rule = rule

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p] or {"step": 0} | self.rule.init(p.detach())
                step = state.pop("step")
                delta, new = self.rule.update(p.grad, state, p.detach(), group["lr"], step)
                p.add_(delta)
                self.state[p] = {"step": step + 1} | new
