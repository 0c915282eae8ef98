"""Sliders and menus from what the fields declare. Only what ipywidgets 7.7 has."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import ipywidgets as w

from optviz._knobs import Choice, Knob

__all__ = ["WIDTH", "button", "choice_control", "keep", "knob_control", "note", "read", "stretch"]

WIDTH = "326px"
_STYLE = {"description_width": "136px"}


def knob_control(name: str, spec: Knob, value: Any, most: float | None = None) -> Any:
    """A slider for a number, a range slider for a pair, at ``value``.

    Args:
        name: the field, for the CSS class ``optviz-field-name`` and the label.
        spec: the field's knob.
        value: where it stands.
        most: end of the slider instead of the knob's own.
    """
    text = (spec.label or name) + (f" ({spec.unit})" if spec.unit else "")
    low, high = spec.low, spec.high if most is None else max(most, spec.low + 1)
    common = {
        "description": text,
        "style": _STYLE,
        "layout": w.Layout(width=WIDTH),
        "continuous_update": True,
    }
    if isinstance(value, tuple):
        pair = (value[0], value[-1])
        made = w.IntRangeSlider(value=pair, min=min(low, pair[0]), max=max(high, pair[1]), **common)
    elif isinstance(spec.start, int) and spec.log:
        powers = [2**k for k in range(math.ceil(math.log2(low)), math.floor(math.log2(high)) + 1)]
        made = w.SelectionSlider(value=value, options=sorted({*powers, value}), **common)
    elif isinstance(spec.start, int):
        made = w.IntSlider(value=value, min=min(low, value), max=max(high, value), **common)
    elif spec.log and value > 0:
        ends = (math.log10(min(low, value)), math.log10(max(high, value)))
        made = w.FloatLogSlider(
            value=value, min=ends[0], max=ends[1], step=0.02, readout_format=".3g", **common
        )
    else:
        step = (high - low) / 100
        ends = (min(low, value), max(high, value))
        made = w.FloatSlider(value=value, min=ends[0], max=ends[1], step=step, readout_format=".3g", **common)
    made.add_class(f"optviz-field-{name}")
    return made


def choice_control(name: str, spec: Choice, value: Any) -> Any:
    """A menu of named options, at ``value``; a value that is no option gets its own line."""
    options = list(spec.options)
    if not any(option == value for _, option in options):
        options.append((str(value), value))
    made = w.Dropdown(
        options=options,
        value=value,
        description=spec.label or name,
        style=_STYLE,
        layout=w.Layout(width=WIDTH),
    )
    made.add_class(f"optviz-field-{name}")
    return made


def read(control: Any, spec: Knob | Choice, old: Any) -> Any:
    """The value of a control, rates rounded to three digits; ``old`` where the control has not moved."""
    value = control.value
    if isinstance(spec, Choice) or isinstance(value, int):
        return value
    if isinstance(old, tuple):
        return old if (old[0], old[-1]) == value else tuple(value)
    rounded = float(f"{value:.3g}")
    return (
        old if isinstance(old, float) and math.isclose(old, rounded, rel_tol=2e-3, abs_tol=1e-12) else rounded
    )


def keep(control: Any, value: Any) -> None:
    """Move a control to ``value``, making room for it if it lies outside."""
    if isinstance(control, w.IntRangeSlider):
        value = (value[0], value[-1])
        control.max, control.min = max(control.max, value[1]), min(control.min, value[0])
    elif isinstance(control, w.IntSlider | w.FloatSlider):
        control.max, control.min = max(control.max, value), min(control.min, value)
    elif isinstance(control, w.SelectionSlider) and value not in control.options:
        control.options = sorted({*control.options, value})
    elif isinstance(control, w.Dropdown) and not any(option == value for _, option in control.options):
        control.options = [*control.options, (str(value), value)]
    if control.value != value:
        control.value = value


def stretch(control: Any, most: int) -> None:
    """Let a slider in updates end where the run ends, but never below its own value."""
    if isinstance(control, w.IntSlider | w.IntRangeSlider):
        top = control.value[1] if isinstance(control.value, tuple) else control.value
        control.max = max(most, top, control.min + 1)


def button(text: str, tip: str, name: str, pressed: Callable[[], None]) -> Any:
    """A button with a tool tip and the CSS class ``optviz-name``."""
    made = w.Button(description=text, tooltip=tip, layout=w.Layout(width="auto"))
    made.add_class(f"optviz-{name}")
    made.on_click(lambda _: pressed())
    return made


def note(name: str, text: str = "") -> Any:
    """A piece of HTML with the CSS class ``optviz-name``."""
    made = w.HTML(value=text, layout=w.Layout(width="auto", margin="0 4px"))
    made.add_class(f"optviz-{name}")
    return made
