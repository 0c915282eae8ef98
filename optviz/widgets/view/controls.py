"""Sliders and menus from what the fields declare. Only what ipywidgets 7.7 has."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import ipywidgets as w

from optviz._knobs import Choice, Knob

__all__ = [
    "WIDTH",
    "button",
    "choice_control",
    "control",
    "keep",
    "knob_control",
    "note",
    "read",
    "stretch",
    "styles",
]

WIDTH = "240px"
_STYLE = {"description_width": "76px"}
_CSS = """
.optviz-page .widget-hslider { flex-wrap: wrap; height: auto; margin: 0 2px 2px; }
.optviz-page .widget-hslider > .widget-label { flex: 1 0 100%; width: 100% !important; height: auto;
  line-height: 1.3; text-align: left; font-size: 12px; align-self: auto; }
.optviz-page .widget-hslider > .slider-container { height: 24px; margin: 0 8px; align-self: center;
  display: flex; align-items: center; }
.optviz-page .widget-hslider .noUi-target { flex: 1 1 auto; }
.optviz-page .widget-hslider > .widget-readout { min-width: 48px; height: 24px; line-height: 24px; margin: 0;
  align-self: center; }
.optviz-page .widget-dropdown { flex-wrap: wrap; height: auto; }
.optviz-page .widget-dropdown > .widget-label { width: auto !important; min-width: 76px; max-width: 100%;
  flex: 0 0 auto; white-space: normal; height: auto; line-height: 1.3; align-self: center; }
.optviz-page .widget-dropdown > select { flex: 1 1 100px; min-width: 0;
  height: var(--jp-widgets-inline-height, 28px); }
.optviz-page .optviz-speed > select { flex-basis: 60px; }
.optviz-page .optviz-heading .widget-html-content { line-height: 1.35; }
.optviz-page .optviz-card-title .widget-html-content { line-height: 1.2; }
.optviz-page .optviz-speed > .widget-label { min-width: 0; }
.optviz-page .optviz-remove { padding: 0 8px; flex: 0 0 auto; }
.optviz-page .optviz-field-kind { min-width: 0; }
.optviz-page .optviz-verdict .widget-html-content, .optviz-page .optviz-status .widget-html-content {
  line-height: 1.45; }
.optviz-page.optviz-stale .optviz-words { opacity: 0.35; }
.optviz-page img { height: auto; }
.optviz-page .optviz-play { width: auto; }
.optviz-page .optviz-play button { width: 44px; flex: 0 0 auto; }
"""
NONE = object()
_DECADE = (1, 1.2, 1.5, 1.8, 2, 2.2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9)


def control(name: str, spec: Knob | Choice, value: Any, most: float | None = None) -> Any:
    """A slider for a knob, a menu for a choice; see :func:`knob_control`."""
    if isinstance(spec, Knob):
        return knob_control(name, spec, value, most)
    return choice_control(name, spec, value)


def knob_control(name: str, spec: Knob, value: Any, most: float | None = None) -> Any:
    """A slider for a number, a range slider for a pair, at ``value``.

    Args:
        name: the field, for the CSS class ``optviz-field-name`` and the label.
        spec: the field's knob.
        value: where it stands.
        most: end of the slider instead of the knob's own.
    """
    text = (spec.label or name.replace("_", " ").replace("-", " ")) + (f" ({spec.unit})" if spec.unit else "")
    low, high = spec.low, spec.high if most is None else max(most, spec.low + 1)
    common = {
        "description": text,
        "style": _STYLE,
        "layout": w.Layout(width=WIDTH),
        "continuous_update": True,
    }
    if isinstance(value, tuple):
        pair = (value[0], value[-1])
        ends = {"min": min(low, pair[0]), "max": max(high, pair[1])}
        if isinstance(spec.start[0], int):
            made = w.IntRangeSlider(value=pair, **ends, **common)
        else:
            made = w.FloatRangeSlider(
                value=pair, **ends, step=_step(low, high), readout_format=".3", **common
            )
    elif spec.log:
        options = sorted({*_round_values(spec), value})
        made = w.SelectionSlider(value=value, options=[(f"{v:g}", v) for v in options], **common)
    elif isinstance(spec.start, int):
        made = w.IntSlider(value=value, min=min(low, value), max=max(high, value), **common)
    else:
        span = (min(low, value), max(high, value))
        made = w.FloatSlider(
            value=value, min=span[0], max=span[1], step=_step(low, high), readout_format=".3", **common
        )
    made.add_class(f"optviz-field-{name}")
    return made


def choice_control(name: str, spec: Choice, value: Any) -> Any:
    """A menu of named options, at ``value``; a value that is no option gets its own line."""
    options = [(text, _named(option)) for text, option in spec.options]
    if not any(option == _named(value) for _, option in options):
        options.append((str(value), value))
    made = w.Dropdown(
        options=options,
        value=_named(value),
        description=spec.label or ("" if name == "kind" else name.replace("_", " ").replace("-", " ")),
        style=_STYLE,
        layout=w.Layout(width=WIDTH),
    )
    made.add_class(f"optviz-field-{name}")
    return made


def read(control: Any, spec: Knob | Choice, old: Any) -> Any:
    """The value of a control, free of rounding errors; a tuple stays as it is until one of its ends moves.

    A slider on the page rounds the value that it is given to its own steps, and sends that back. So what is
    no more than half a step away from the old value is the old value.
    """
    value = control.value
    if isinstance(spec, Choice) or isinstance(value, int):
        return None if value is NONE else value
    if value == old:  # also one that is on no grid
        return old
    if isinstance(control, w.FloatSlider) and abs(value - old) <= 0.500001 * control.step:
        return old
    if isinstance(value, tuple):
        return old if (old[0], old[-1]) == value else tuple(_plain(end) for end in value)
    return _plain(value)


def keep(control: Any, value: Any) -> None:
    """Move a control to ``value``, making room for it if it lies outside."""
    value = _named(value)
    if isinstance(control, w.IntRangeSlider | w.FloatRangeSlider):
        value = (value[0], value[-1])
        control.max, control.min = max(control.max, value[1]), min(control.min, value[0])
    elif isinstance(control, w.IntSlider | w.FloatSlider):
        control.max, control.min = max(control.max, value), min(control.min, value)
    elif isinstance(control, w.SelectionSlider) and not any(option == value for _, option in control.options):
        options = sorted({*(option for _, option in control.options), value})
        control.options = [(f"{v:g}", v) for v in options]
    elif isinstance(control, w.Dropdown) and not any(option == value for _, option in control.options):
        control.options = [*control.options, (str(value), value)]
    if control.value != value:
        control.value = value


def stretch(control: Any, most: int) -> None:
    """Let a slider in updates end where the run ends, but never below its own value."""
    if isinstance(control, w.IntSlider | w.IntRangeSlider):
        top = control.value[1] if isinstance(control.value, tuple) else control.value
        control.max = max(most, top, control.min + 1)


def styles() -> Any:
    """Rules for what layouts can't say: the label of a slider stands above it, so that the track is long."""
    return w.HTML(f"<style>{_CSS}</style>", layout=w.Layout(display="none"))


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


def _named(value: Any) -> Any:
    """None is no choice for ipywidgets, but it is one for us."""
    return NONE if value is None else value


def _plain(value: Any) -> Any:
    return value if isinstance(value, int) else float(f"{value:.6g}")


def _step(low: float, high: float) -> float:
    """About a hundredth of the range, so that round values stay on the grid."""
    return float(10 ** math.floor(math.log10((high - low) / 50)))


def _round_values(spec: Knob) -> list[Any]:
    """Values of a logarithmic slider that one would write down: powers of two, or 1, 1.2, 1.5, … a decade."""
    if isinstance(spec.start, int):
        return [2**k for k in range(math.ceil(math.log2(spec.low)), math.floor(math.log2(spec.high)) + 1)]
    decades = range(math.floor(math.log10(spec.low)), math.ceil(math.log10(spec.high)) + 1)
    values = [float(f"{m * 10.0**k:.6g}") for k in decades for m in _DECADE]
    return [v for v in values if spec.low <= v <= spec.high]
