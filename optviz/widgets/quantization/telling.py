"""What the quantization explorer says in words, in a table and in a line of Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from optviz import deploy
from optviz._clock import human_bytes, human_seconds
from optviz.widgets.quantization.compute import BUDGETS, COUNTS, Outcome
from optviz.widgets.quantization.state import ALIKE, BITS, FULL, GREEDY, SEEN, LabState
from optviz.widgets.quantization.words import QUANTIZATION_LAB as WORDS
from optviz.widgets.series import gap, interval, over_seeds
from optviz.widgets.spelling import spelled

__all__ = [
    "about",
    "as_code",
    "as_table",
    "each_layer",
    "in_words",
    "named",
    "percents",
    "status",
    "timings",
    "what_engines_need",
]

MENU = {value: name for name, value in SEEN.items()}
NEAR = 0.005  # half a point of accuracy


def percents(values: np.ndarray) -> str:
    """Accuracies of some seeds in words: their mean with its interval.

    Example:
        >>> percents(np.array([0.9, 0.9]))
        '90.0 ± 0.0 %'
    """
    mean, half = interval(np.asarray(values))
    return f"{100 * mean:.1f} %" if half is None else f"{100 * mean:.1f} ± {100 * half:.1f} %"


def named(range_: Any) -> str:
    """What the menu calls a range, or Python for it.

    Example:
        >>> from optviz.quantize import MinMax, Percentile
        >>> named(MinMax()), named(Percentile(share=0.95))
        ('min–max', 'Percentile(share=0.95)')
    """
    return MENU.get(range_, spelled(range_))


def about(result: Outcome, template: str, said: Sequence[str], **more: Any) -> str:
    """A sentence of the words, or that there is nothing yet."""
    if not said:
        return WORDS["nothing"].format(steps=result.state.steps)
    return WORDS[template].format(said="; ".join(said), seeds=over_seeds(result.state.seeds), **more)


def timings(result: Outcome) -> list[tuple[str, Any, float]]:
    """Names, times and accuracies of the forms of a network that were measured."""
    took = result.times
    names = ("eager", "simulated", "runtime", "integers")
    return [] if took is None else list(zip(names, took.forms, took.right, strict=False))


def what_engines_need(result: Outcome) -> str:
    """The files, what the processor has, or how the engine is installed."""
    took = result.times
    if took is None or took.files is None:
        return WORDS["times_missing"]
    plain, int8 = (human_bytes(size) for size in took.files)
    has = {True: WORDS["vnni_yes"], False: WORDS["vnni_no"], None: ""}[deploy.vnni()]
    return WORDS["times_files"].format(plain=plain, int8=int8) + has


def in_words(result: Outcome) -> str:
    """How the chosen networks stand against floating point, or what is going on."""
    if result.progress < 1:
        return result.note
    chosen, full = result.chosen, result.full
    told = WORDS["verdict"].format(
        plan=_plan(result),
        chosen=percents(chosen.accuracy[0]),
        full=percents(full.accuracy[0]),
        gap=gap(100 * chosen.accuracy[0], 100 * full.accuracy[0], result.images),
        share=100 * chosen.total.mean() / full.total.mean(),
    )
    near = result.uniform.accuracy.mean(axis=1) >= full.accuracy.mean() - NEAR
    fewest = [b for b, good in zip(BITS, near, strict=True) if good]
    told += WORDS["fewest"].format(bits=fewest[0]) if fewest else WORDS["none_near"]
    return told + _speed(result)


def each_layer(result: Outcome) -> list[str]:
    """Bits of the layers in the first network."""
    return [f"{b:.0f}" if b < FULL else WORDS["fp32"] for b in result.chosen.bits[0, 0]]


def _plan(result: Outcome) -> str:
    state = result.state
    name = {ALIKE: "plan_alike", GREEDY: "plan_greedy"}.get(state.plan, "plan_hand")
    return WORDS[name].format(bits=state.bits, each=", ".join(each_layer(result)))


def _speed(result: Outcome) -> str:
    """What quantization does to the time."""
    took = result.times
    assert took is not None
    eager, simulated, *engine = took.forms
    told = WORDS["simulation"].format(told=_faster("simulated", simulated, eager))
    if not engine:
        return told + WORDS["times_missing"]
    plain, int8 = engine
    first, second = _faster("engine", int8, eager), _faster("own", int8, plain)
    return told + WORDS["engine"].format(first=first, second=second)


def _faster(name: str, new: Any, old: Any) -> str:
    """How two times stand to each other; nothing is said about those whose quartiles overlap."""
    if new.low <= old.high and old.low <= new.high:
        return WORDS[f"{name}_none"]
    ratio = old.median / new.median
    way = "faster" if ratio > 1 else "slower"
    return WORDS[f"{name}_{way}"].format(factor=max(ratio, 1 / ratio))


def status(result: Outcome) -> str:
    """Time and amount of work in a few words."""
    numbers = {"fresh": result.fresh, "quantized": result.quantized}
    done = WORDS["done"].format(seconds=human_seconds(result.seconds), **numbers)
    whole = result.fresh == result.state.seeds
    return done + (WORDS["remembered"] if result.progress == 1 and not whole else "")


def as_code(state: LabState) -> str:
    """One line of Python that makes the same pictures again."""
    parts = []
    for f in fields(state):
        value = getattr(state, f.name)
        if value != f.default:
            room = "quantize." * (type(value).__module__.startswith("optviz.quantize"))
            parts.append(f"{f.name}={room}{spelled(value)}")
    return f"quantization_lab({', '.join(parts)})"


def as_table(result: Outcome) -> Any:
    """All that was measured: one line for each way to quantize and seed."""
    import pandas as pd

    ways: dict[str, tuple[Any, Sequence[float]]] = {
        "fp32": (result.full, (FULL,)),
        "chosen": (result.chosen, (np.nan,)),
        "all layers alike": (result.uniform, BITS),
        "weights only": (result.alone, BITS),
        "greedy": (result.greedy, BUDGETS),
        "calibration images": (result.counts, COUNTS),
    }
    rows = [
        {"plan": name, "at": at, "seed": s, "test accuracy": t.accuracy[r, s], "bytes": t.total[r, s]}
        | {f"bits of layer {i + 1}": b for i, b in enumerate(t.bits[r, s])}
        for name, (t, places) in ways.items()
        for r, at in enumerate(places)
        for s in range(result.state.seeds)
    ]
    return pd.DataFrame(rows).dropna(subset="test accuracy").reset_index(drop=True)
