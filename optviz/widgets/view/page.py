"""The page of an explorer: cards and controls on the left, pictures on the right, words below."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import ipywidgets as w

from optviz._clock import human_seconds
from optviz._knobs import Cards
from optviz.widgets.explorer import Explorer
from optviz.widgets.series import minus
from optviz.widgets.view.cards import Card
from optviz.widgets.view.controls import button, note, styles
from optviz.widgets.view.live import Live
from optviz.widgets.view.shared import Shared
from optviz.widgets.view.tiles import Tiles, tile_layout

__all__ = ["Page"]


class Page(w.VBox):
    """An explorer on a page. Every control that moves recomputes; the newest move is the one that counts.

    Args:
        explorer: what to show; computed to the end at once, so that the first picture is complete.
    """

    def __init__(self, explorer: Explorer) -> None:
        self.explorer, self.quiet = explorer, False
        wait = lambda: explorer.wait(explorer.state)  # noqa: E731
        self.live = Live(explorer.stream, self._step, self._rest, self._sweep, self._failed, wait)
        deck = explorer.deck
        self.deck: str | None = deck[0] if deck else None
        self.spec = deck[1] if deck else Cards(dict, lambda *_: None, 0)
        words = explorer.words
        self.tiles = Tiles(explorer, self._pointed)
        self.images, self.sentences = self.tiles.images, self.tiles.sentences
        self.verdict, self.status, self.error = note("verdict"), note("status"), note("error")
        for said in (self.verdict, *self.sentences.values()):
            said.add_class("optviz-words")
        self.error.layout.display = "none"
        self.code = w.Textarea(layout=w.Layout(width="99%", height="64px", display="none"))
        self.code.add_class("optviz-code")
        self.bar = w.FloatProgress(min=0, max=1, layout=w.Layout(width="120px", height="14px"))
        self.cards: list[Card] = []
        self.card_box = w.VBox(layout=w.Layout(max_height="560px", overflow="hidden auto", display="block"))
        self.add = button(words["add"].format(item=words.get("item", "")), "", "add", self._add)
        self.controls = Shared(explorer, self._moved, self._played)
        self.shared, self.player = self.controls.controls, self.controls.player
        self.buttons = {
            n: button(words[n], words[f"{n}_tip"], n, partial(self._pressed, getattr(self, f"_{n}")))
            for n in ("pin", "clear", "reset", "stop", "copy", "save")
        }
        super().__init__([self._layout()], layout=w.Layout(width="100%"))
        self.add_class(f"optviz-{words['file']}")
        self.add_class("optviz-page")
        self._rebuild()
        explorer.on_change.append(self._follow)
        _ = explorer.result
        self._repaint()
        self.tiles.follow()

    def _layout(self) -> Any:
        words = self.explorer.words
        rows: list[Any] = []
        if self.deck is not None:
            rows += [note("heading", f"<b>{words['cards']}</b>"), self.card_box, self.add]
        rows += self.controls.rows
        left = w.VBox(rows, layout=w.Layout(width="270px", flex="0 0 auto", margin="0 10px 0 0"))
        tiles = [*self.tiles.boxes(), w.VBox([self.verdict], layout=tile_layout(None))]
        buttons = w.HBox(list(self.buttons.values()), layout=w.Layout(flex_flow="row wrap"))
        state = w.HBox([self.status, self.bar], layout=w.Layout(align_items="center", min_height="28px"))
        pictures = w.HBox(tiles, layout=w.Layout(flex_flow="row wrap"))
        above = [buttons, self.code, state, self.error, *([self.player.box] if self.player else [])]
        right = w.VBox(
            [*above, pictures], layout=w.Layout(flex="1 1 340px", min_width="300px", max_width="1300px")
        )
        return w.HBox([styles(), left, right], layout=w.Layout(flex_flow="row wrap", width="100%"))

    # controls

    @property
    def entries(self) -> tuple[Any, ...]:
        """What the cards hold."""
        return () if self.deck is None else getattr(self.explorer.state, self.deck)

    def _rebuild(self) -> None:
        """Make the cards anew, after one was added, removed or changed in kind."""
        if self.deck is None:
            return
        old, state, entries = self.cards, self.explorer.state, self.entries
        self.cards = [
            Card(
                i,
                entry,
                label,
                self.spec,
                most=getattr(state, "steps", None),
                words=self.explorer.words,
                changed=self._moved,
                swapped=partial(self._swap, i),
                removed=partial(self._remove, i) if len(entries) > self.spec.least else None,
            )
            for i, (entry, label) in enumerate(zip(entries, state.labels, strict=True))
        ]
        self.card_box.children = [card.box for card in self.cards]
        self.add.disabled = len(entries) >= self.spec.most
        for card in old:
            card.close()

    def _moved(self) -> None:
        """A control has moved: take its value if the whole makes sense, else say what is wrong."""
        if self.quiet:
            return

        def values() -> dict[str, Any]:
            cards = {self.deck: tuple(card.value() for card in self.cards)} if self.deck else {}
            return self.controls.values() | cards

        self._change(values)

    def _played(self, value: int) -> None:
        """The player has arrived at a value."""
        self._change(lambda: {self.explorer.play or "": value}, playing=True)

    def _pointed(self, values: dict[str, Any]) -> None:
        """A picture was pressed."""
        play = self.explorer.play
        if play in values:
            values[play] = min(values[play], self.explorer.end(self.explorer.state))
        self._change(lambda: values)

    def _change(self, values: Any, *, rebuild: bool = False, playing: bool = False) -> None:
        try:
            state = self.explorer.changed(**values())
        except Exception as error:  # shown on the page; else it would be lost in the kernel's log
            self.controls.halt()
            if rebuild:
                self._follow_state(rebuild=True)
            self._failed(error)
            return
        self._say_error("")
        if state == self.explorer.state and not rebuild and (self.live.busy or self.live.settled):
            return  # a front end may send a value back, rounded to the same
        if not playing:
            self.controls.halt()
        known = self._differs_in_time_only(state)
        self.explorer.take(state)
        self._follow_state(rebuild)
        self.tiles.turn = 0  # what needs no training is drawn first
        self.live.restart(known)

    def _differs_in_time_only(self, state: Any) -> bool:
        """Whether only what is played has moved."""
        play, old = self.explorer.play, self.explorer.state
        return play is not None and state != old and replace(old, **{play: getattr(state, play)}) == state

    def _follow_state(self, rebuild: bool = False) -> None:
        """Make the controls show the state, without answering to their moves."""
        state, self.quiet = self.explorer.state, True
        try:
            self.controls.follow()
            self.tiles.follow()
            entries = self.entries
            fit = len(self.cards) == len(entries) and all(
                card.fits(entry) for card, entry in zip(self.cards, entries, strict=True)
            )
            if rebuild or not fit:
                self._rebuild()
            for card, entry, label in zip(self.cards, entries, state.labels if entries else (), strict=True):
                card.follow(entry, getattr(state, "steps", None))
                card.rename(label)
        finally:
            self.quiet = False

    def _follow(self) -> None:
        """The explorer was changed from code."""
        self.live.cancel()
        self.live.settled = True
        self._say_error("")
        self._follow_state(rebuild=True)
        self._repaint()

    def _swap(self, index: int, kind: type) -> None:
        if not self.quiet:
            self._put(index, kind)

    def _put(self, index: int, kind: type | None) -> None:
        """A new entry of this kind at this place."""
        entries = self.entries

        def values() -> dict[str, Any]:
            old = entries[index] if index < len(entries) else None
            new = self.spec.new(kind, self.explorer.state, old)
            return {self.deck or "": (*entries[:index], new, *entries[index + 1 :])}

        self._change(values, rebuild=True)

    def _add(self) -> None:
        """One more card, of the first kind that is not there yet."""
        entries, of = self.entries, self.spec.of
        if len(entries) < self.spec.most:
            there = {type(getattr(entry, of)) for entry in entries} if of else set()
            kinds: list[type | None] = list(self.spec.menu().values()) if of else [None]
            self._put(len(entries), next((k for k in kinds if k not in there), kinds[0]))

    def _remove(self, index: int) -> None:
        entries = self.entries
        rest = entries[:index] + entries[index + 1 :]
        self._change(lambda: {self.deck or "": rest}, rebuild=True)

    # buttons

    def _pressed(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:
            self._failed(error)

    def _pin(self) -> None:
        self.explorer.pin()
        self._repaint()

    def _clear(self) -> None:
        self.explorer.clear()
        self._repaint()

    def _reset(self) -> None:
        self.explorer.clear()
        self.controls.halt()
        self._say_error("")
        self.explorer.take(self.explorer.initial)
        self._follow_state(rebuild=True)
        self.live.restart()

    def _stop(self) -> None:
        self.controls.halt()
        if self.live.busy:
            self.live.cancel()
            self.live.settled = True  # as far as one wanted
            self._repaint()
            took = human_seconds(self.explorer.result.seconds)
            self.status.value = html.escape(self.explorer.words["stopped"].format(seconds=took))
            self.verdict.value = html.escape(self.explorer.words["no_verdict"])

    def _copy(self) -> None:
        self.code.value = self.explorer.code(self.explorer.state)
        self.code.layout.display = ""
        self.status.value = html.escape(self.explorer.words["copied"])

    def _save(self) -> None:
        files = self.explorer.save()
        names = ", ".join(file.name for file in files)
        folder = str(files[0].resolve().parent)
        self.status.value = html.escape(self.explorer.words["saved"].format(files=names, folder=folder))

    # pictures and words

    def _step(self, trained: bool) -> bool:
        """Draw the next panel that has something new: one a slice, so that no slice takes long."""
        drew = self.tiles.step(self.explorer.pictures(), trained)
        self._unfinished()
        return drew

    def _sweep(self) -> None:
        """Draw all panels that have something new."""
        self.tiles.sweep(self.explorer.pictures())
        self._unfinished()

    def _unfinished(self) -> None:
        self.add_class("optviz-stale")  # the words are still about the last finished pictures
        if self.explorer.result.seconds > 0.4:  # nobody reads what is over sooner
            self._progress(self.explorer.result.note)

    def _rest(self) -> Iterator[str]:
        """Draw every panel sharp and complete, then the words."""
        result = self.explorer.result
        yield from self.tiles.rest(self.explorer.pictures())
        self.verdict.value = _verdict(self.explorer.verdict(result))
        self._progress(self.explorer.status(result))
        if self.code.layout.display == "":  # code on show is that of the picture
            self.code.value = self.explorer.code(self.explorer.state)
        self.remove_class("optviz-stale")
        yield from self.tiles.prepare()

    def _progress(self, text: str) -> None:
        share = self.explorer.result.progress
        self.bar.value, self.status.value = share, html.escape(text)
        self.bar.layout.visibility = "visible" if share < 1 else "hidden"

    def _repaint(self) -> None:
        for _ in self._rest():
            pass

    def _failed(self, error: Exception) -> None:
        self.live.cancel()
        expected = isinstance(error, ValueError | TypeError | OSError)
        self._say_error(str(error) if expected else f"{type(error).__name__}: {error}")

    def _say_error(self, text: str) -> None:
        self.error.value = f'<b style="color:#D32F2F">⚠ {html.escape(text)}</b>' if text else ""
        self.error.layout.display = "" if text else "none"

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """The widget, and for places without a widget manager its picture instead of its text form."""
        usual = getattr(super(), "_repr_mimebundle_", dict)  # ipywidgets 7 has none and does not call this
        bundle = usual(**options)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        title = self.explorer.words["title"]
        data = dict(data) | {"text/plain": title, "image/png": base64.b64encode(self.explorer.png).decode()}
        return data, metadata


def _verdict(text: str) -> str:
    """The first sentence bold, the rest plain."""
    first, dot, rest = minus(text).partition(". ")
    return f"<b>{html.escape(first + dot)}</b>{html.escape(rest)}"
