"""The training loops of exercise 04.audit: one repaired, one given, and each half-way repair."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

from optviz.lessons.material import Exercise, Mistake

__all__ = ["FAULTY", "LOOP", "LR", "applied_rates", "audited", "given", "loop", "repaired"]

LR = 0.1  # the rate of the optimizer that is handed to the loop
UNIT = "T_max counts epochs, but the scheduler is stepped at every update"
DRAWN = "the scheduler was used up before the training"
EARLY = "the scheduler is stepped before the optimizer"


def loop(
    optimizer: Any,
    gradients: Callable[[], None],
    epochs: int,
    updates: int,
    *,
    unit: bool = False,
    drawn: str = "",
    early: bool = False,
    per_epoch: bool = False,
    stepped: bool = True,
) -> None:
    """A cosine from the optimizer's rate to 0, one rate an update, with the faults that are asked for.

    Args:
        optimizer: a PyTorch optimizer.
        gradients: computes the gradients of the next batch.
        epochs, updates: epochs, and updates in each.
        unit: T_max is the number of epochs.
        drawn: the scheduler is stepped through ``"epochs"`` or ``"updates"`` beforehand, as for a drawing.
        early: the scheduler is stepped before the optimizer.
        per_epoch: the scheduler is stepped once an epoch.
        stepped: the scheduler is stepped at all.
    """
    from torch.optim.lr_scheduler import CosineAnnealingLR

    scheduler = CosineAnnealingLR(optimizer, T_max=epochs if unit else epochs * updates)
    for _ in range({"": 0, "epochs": epochs, "updates": epochs * updates}[drawn]):
        scheduler.step()
    for update in range(epochs * updates):
        gradients()
        now = stepped and (not per_epoch or (update + 1) % updates == 0)
        for part in (scheduler, optimizer) if early else (optimizer, scheduler):
            if part is optimizer or now:
                part.step()


repaired = loop
given = partial(loop, unit=True, drawn="epochs", early=True)

_UNIT_HINTS = (
    "How often is the scheduler stepped in the whole training, and what does it know of that?",
    "T_max is counted in calls of scheduler.step().",
    "T_max = epochs * updates.",
)
_DRAWN_HINTS = (
    "At which rate does the first update run?",
    "The scheduler has a state: whoever steps it to draw it has used it up.",
    "Delete the loop that draws, or draw with a second optimizer and scheduler.",
)
_EARLY_HINTS = (
    "Which rate of the plan is never used?",
    "The first one: the scheduler moves on before the first update.",
    "gradients(), optimizer.step(), scheduler.step(), in this order.",
)
_MORE_HINTS = (
    "More than one fault is left.",
    "Three places matter: T_max, the drawing before the training, and the order of the steps.",
    "T_max = epochs * updates; no scheduler.step() before the training; optimizer.step() first.",
)

FAULTY: tuple[tuple[str, Callable[..., Any], tuple[str, str, str]], ...] = (
    (UNIT, partial(loop, unit=True), _UNIT_HINTS),
    (DRAWN, partial(loop, drawn="updates"), _DRAWN_HINTS),
    (DRAWN, partial(loop, drawn="epochs"), _DRAWN_HINTS),
    (EARLY, partial(loop, early=True), _EARLY_HINTS),
    (f"{UNIT}, and {DRAWN}", partial(loop, unit=True, drawn="epochs"), _MORE_HINTS),
    (f"{UNIT}, and {EARLY}", partial(loop, unit=True, early=True), _MORE_HINTS),
    (f"{DRAWN}, and {EARLY}", partial(loop, drawn="epochs", early=True), _MORE_HINTS),
    (
        "one rate an epoch, and T_max counts updates",
        partial(loop, per_epoch=True),
        (
            "How far down does the rate come?",
            "The scheduler is stepped once an epoch, while T_max counts updates.",
            "Step the scheduler after every optimizer.step().",
        ),
    ),
    (
        "one rate an epoch",
        partial(loop, per_epoch=True, unit=True),
        (
            "Does every update have a rate of its own?",
            "The rate moves once an epoch: a staircase. The plan is one rate an update.",
            "Step the scheduler after every optimizer.step(), with T_max = epochs * updates.",
        ),
    ),
    (
        "the rate never changes",
        partial(loop, stepped=False),
        (
            "What moves the rate?",
            "scheduler.step() is missing in the training.",
            "Call scheduler.step() after each optimizer.step().",
        ),
    ),
)


def applied_rates(fn: Callable[..., Any], case: tuple[int, int]) -> list[float]:
    """The rate that each update of a learner's loop really used.

    Args:
        fn: (optimizer, gradients, epochs, updates) -> anything.
        case: (epochs, updates).

    Returns:
        One rate for each call of ``optimizer.step()``.

    Raises:
        RuntimeError: if an update was to be made without new gradients.

    Example:
        >>> applied_rates(repaired, (1, 2))
        [0.1, 0.05]
    """
    (optimizer, compute), rates, fresh = _small_problem(), [], [False]

    def gradients() -> None:
        compute()
        fresh[0] = True

    def note(opt: Any, *_: Any) -> None:
        if not fresh[0]:
            raise RuntimeError("gradients() must be called before each optimizer.step()")
        rates.append(float(opt.param_groups[0]["lr"]))
        fresh[0] = False

    optimizer.register_step_pre_hook(note)
    fn(optimizer, gradients, *case)
    return rates


def audited(fn: Callable[..., Any], case: tuple[int, int]) -> str:
    """What the audit says of a learner's loop, in words ("" where the loop raises).

    Args:
        fn, case: as in :func:`applied_rates`.

    Example:
        >>> print(audited(repaired, (2, 5)))
        The audit, for 2 epochs of 5 updates: 10 updates: every rate is as planned.
    """
    from optviz.schedules import Cosine
    from optviz.training import audit

    optimizer, gradients = _small_problem()
    plan = Cosine(LR, case[0] * case[1])
    try:
        with warnings.catch_warnings(), audit(optimizer, plan, updates_per_epoch=case[1]) as log:
            warnings.simplefilter("ignore")  # PyTorch warns of the wrong order; the audit says more
            fn(optimizer, gradients, *case)
    except Exception:  # the check itself names it
        return ""
    return f"The audit, for {case[0]} epochs of {case[1]} updates: {log.report()}"


def _small_problem() -> tuple[Any, Callable[[], None]]:
    """An SGD optimizer of one weight, and a function that computes its gradient."""
    import torch

    weight = torch.nn.Parameter(torch.ones(1))

    def gradients() -> None:
        weight.grad = 2 * weight.detach()

    return torch.optim.SGD([weight], lr=LR), gradients


LOOP = Exercise(
    id="04.audit",
    arguments=("optimizer", "gradients", "epochs", "updates"),
    answer=repaired,
    cases=((5, 4), (3, 10)),
    measure=applied_rates,
    explain=audited,
    given=given,
    praise="Every update ran at the rate that was planned for it: the audit has nothing to say.",
    hints=(
        "Read the audit's findings one by one. Each is one line of the loop.",
        "Three places matter: the unit of T_max, what happens before the first update, and the order of "
        "the steps.",
        "Per update: gradients(), optimizer.step(), scheduler.step(); T_max = epochs * updates; nothing "
        "else steps it.",
    ),
    mistakes=tuple(Mistake(name, loop, hints) for name, loop, hints in FAULTY),
    seconds=20.0,
)
