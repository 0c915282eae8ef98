"""One card: a menu for the kind, a slider for each of its knobs."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import ipywidgets as w

from optviz._knobs import Cards, Choice, knobs
from optviz.viz import color
from optviz.widgets.view.controls import (
    WIDTH,
    button,
    choice_control,
    keep,
    knob_control,
    note,
    read,
    stretch,
)

__all__ = ["Card"]


class Card:
    """The controls of one entry, and the entry that they stand for.

    Args:
        index: 0-based place, which gives the color.
        state: the whole state; its entry at ``index`` has one field of the kinds in the menu.
        spec: the menu.
        words: texts.
        changed: called when a control has moved.
        swapped: called with a class when another kind is chosen.
        removed: called when the card is to go, or None if it must stay.
    """

    def __init__(
        self,
        index: int,
        state: Any,
        spec: Cards,
        words: Any,
        changed: Callable[[], None],
        swapped: Callable[[type], None],
        removed: Callable[[], None] | None,
    ) -> None:
        self.entry, self.index, self.words = state.entries[index], index, words
        self.controls: dict[str, tuple[Any, Any]] = {}
        inner = self.entry.schedule
        for name, knob in self._inner_knobs().items():
            most = state.steps if knob.unit == "updates" else None
            self.controls[name] = (knob_control(name, knob, getattr(inner, name), most), knob)
        self.outer = {} if not self.entry.takes_warmup else knobs(self.entry)
        for name, knob in self.outer.items():
            most = state.steps if knob.unit == "updates" else None
            self.controls[name] = (knob_control(name, knob, getattr(self.entry, name), most), knob)
        for control, _ in self.controls.values():
            control.observe(lambda change: changed(), "value")
        self.title = note("card-title")
        self.rename(state.labels[index])
        rows: list[Any] = [w.HBox(self._head(spec, swapped, removed), layout=w.Layout(align_items="center"))]
        rows += [control for control, _ in self.controls.values()]
        edge = f"4px solid {color(index)}"
        self.box = w.VBox(
            rows,
            layout=w.Layout(border_left=edge) if hasattr(w.Layout, "border_left") else w.Layout(border=edge),
        )
        self.box.layout.margin, self.box.layout.padding, self.box.layout.flex = (
            "0 0 8px 0",
            "2px 4px",
            "0 0 auto",
        )
        self.box.layout.width = f"calc({WIDTH} + 14px)"
        for name in ("card", f"card-{index}"):
            self.box.add_class(f"optviz-{name}")

    def _head(
        self, spec: Cards, swapped: Callable[[type], None], removed: Callable[[], None] | None
    ) -> list[Any]:
        """The color, the menu of kinds (or the name of what is in no menu), and a button to remove it."""
        kinds, kind = spec.menu(), type(self.entry.schedule)
        head: list[Any] = [self.title]
        if kind in kinds.values():
            chooser = choice_control("kind", Choice(tuple(kinds.items())), kind)
            chooser.layout.width, chooser.layout.flex = "auto", "1 1 auto"
            chooser.observe(lambda change: swapped(change["new"]), "value")
            head.append(chooser)
        else:
            head.append(w.HBox(layout=w.Layout(flex="1 1 auto")))
        if removed is not None:
            head.append(button("×", self.words["remove"], "remove", removed))
        return head

    def rename(self, label: str) -> None:
        """Show another name: in the title, where the menu does not say it."""
        label = html.escape(label)
        text = f" <b>{label}</b>" if label[-1:].isdigit() or not self._inner_knobs() else ""
        self.title.value = f'<span style="color:{color(self.index)}" title="{label}">■</span>{text}'

    def value(self) -> Any:
        """The entry that the controls stand for.

        Raises:
            ValueError: if the values don't go together.
        """
        inner = self.entry.schedule
        own = {n: read(*self.controls[n], getattr(inner, n)) for n in self._inner_knobs()}
        outer = {n: read(*self.controls[n], getattr(self.entry, n)) for n in self.outer}
        return replace(self.entry, schedule=replace(inner, **own) if own else inner, **outer)

    def follow(self, entry: Any, steps: int) -> None:
        """Move the controls to ``entry``, and let those in updates end at ``steps``."""
        self.entry = entry
        for name, (control, knob) in self.controls.items():
            keep(control, getattr(entry if name in self.outer else entry.schedule, name))
            if knob.unit == "updates":
                stretch(control, steps)

    def close(self) -> None:
        """Free all widgets of the card."""
        for child in _tree(self.box):
            for part in (child, child.layout, getattr(child, "style", None)):
                if part is not None:
                    part.close()

    def _inner_knobs(self) -> dict[str, Any]:
        inner = self.entry.schedule
        return knobs(inner) if hasattr(type(inner), "__dataclass_fields__") else {}


def _tree(box: Any) -> list[Any]:
    return [x for child in getattr(box, "children", ()) for x in _tree(child)] + [box]
