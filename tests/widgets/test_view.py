"""The page of an explorer without a browser: controls, tasks in a loop, errors, nothing left over."""

from __future__ import annotations

import asyncio
import base64
import gc
import random
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import reduce
from typing import Any

import ipywidgets as w
import pytest
from cachetools import LRUCache

from optviz.optimizers import Adam
from optviz.schedules import Constant, Cosine, MultiStep, OneCycle, StepDecay, Warmup, WarmupStableDecay
from optviz.widgets import schedule_compute, schedule_lab, show
from optviz.widgets.schedule_state import Entry, menu
from optviz.widgets.view.controls import knob_control
from optviz.widgets.view.page import Page


def alive() -> dict[str, Any]:
    """All widgets that the kernel holds."""
    return sys.modules["ipywidgets.widgets.widget"]._instances


@pytest.fixture(autouse=True)
def _close_all() -> Iterator[None]:
    yield
    w.Widget.close_all()


def page(*chosen: Any, **options: Any) -> Any:
    return show(
        schedule_lab(*(chosen or (Constant(0.1), Cosine(0.3, 30))), **{"steps": 30, "seeds": 1} | options)
    )


def control(p: Any, name: str, card: int | None = 0) -> Any:
    return (p.shared if card is None else p.cards[card].controls)[name][0]


def pictures(p: Any) -> tuple[bytes, ...]:
    return tuple(image.value for image in p.images.values())


def tree(widget: Any) -> Iterator[Any]:
    yield widget
    for child in getattr(widget, "children", ()):
        yield from tree(child)


def check_follows(p: Any) -> None:
    """Every control shows the state."""
    state = p.explorer.state
    for name, (made, _) in p.shared.items():
        assert made.value == getattr(state, name), name
    assert len(p.cards) == len(state.entries) == len(p.card_box.children)
    for card, entry in zip(p.cards, state.entries, strict=True):
        for name, (made, _) in card.controls.items():
            value = reduce(getattr, card.paths[name], entry)
            assert made.value == ((value[0], value[-1]) if isinstance(value, tuple) else value), name


# what the page is


def test_shown_twice_it_is_the_same_page() -> None:
    lab = schedule_lab(Constant(0.1), steps=20, seeds=1)
    assert isinstance(show(lab), Page)
    before = len(alive())
    assert show(lab) is show(lab)
    assert len(alive()) == before
    with pytest.raises(TypeError, match="explorer must be an Explorer"):
        show(5)  # type: ignore[arg-type]


def test_first_picture_is_complete() -> None:
    p = page()
    assert all(value[:4] == b"\x89PNG" for value in pictures(p))
    assert p.bar.value == 1
    assert "Validation accuracy" in p.sentences["accuracy"].value
    assert p.error.layout.display == "none"


def test_committed_output_has_the_picture() -> None:
    p = page()
    data, _ = p._repr_mimebundle_()
    assert data["text/plain"] == "Learning-rate schedules, live"
    assert base64.b64decode(data["image/png"]) == p.explorer.png
    assert "application/vnd.jupyter.widget-view+json" in data
    assert p._repr_mimebundle_()[0] == data
    assert len(data["image/png"]) < 60_000


def test_every_control_says_what_it_is() -> None:
    p = page(*[Warmup(Constant(0.1), 3)] * 2, MultiStep(0.1, (5, 9), 0.5), OneCycle(0.1, 30))
    for widget in tree(p):
        if isinstance(widget, w.Button):
            assert widget.tooltip or len(widget.description) > 3
            assert widget.description
        elif isinstance(widget, w.ValueWidget) and not isinstance(
            widget, w.HTML | w.Image | w.FloatProgress | w.Textarea
        ):
            assert widget.description or "optviz-field-kind" in widget._dom_classes, widget
    assert control(p, "warmup").description == "warm-up (updates)"
    assert control(p, "batch", None).description == "batch (images)"


@pytest.mark.parametrize("kind", menu().values(), ids=menu())
def test_every_kind_has_its_controls(kind: type) -> None:
    p = page(Constant(0.2))
    p._swap(0, kind)
    assert p.error.value == ""
    assert isinstance(p.explorer.state.entries[0].schedule, kind)
    assert control(p, "lr").value == 0.2
    check_follows(p)
    for name, (made, spec) in dict(p.cards[0].controls).items():
        low, high = getattr(made, "min", None), getattr(made, "max", None)
        if spec.unit == "updates":
            assert high == 30, name
        if low is not None and not isinstance(made.value, tuple):
            assert low <= made.value <= high
    check_follows(p)


# moving


def test_a_move_changes_state_pictures_and_words() -> None:
    p = page()
    before, words = pictures(p), p.sentences["rates"].value
    control(p, "lr").value = 1.5
    assert p.explorer.state.entries[0].schedule == Constant(1.5)
    assert all(a != b for a, b in zip(before, pictures(p), strict=True))
    assert p.sentences["rates"].value != words
    check_follows(p)


def test_shared_controls() -> None:
    p = page(seeds=2)
    for name, value in [
        ("seeds", 3),
        ("batch", 32),
        ("steps", 40),
        ("noise", 0.3),
        ("network", (64,)),
        ("optimizer", Adam()),
        ("data", "MNIST-5k 14×14"),
        ("warm", False),
        ("tuned", True),
    ]:
        before = pictures(p)
        control(p, name, None).value = value
        assert getattr(p.explorer.state, name) == value
        assert p.error.value == ""
        if name != "warm":
            assert pictures(p) != before, name
        check_follows(p)


def test_values_that_are_not_moved_stay_exact() -> None:
    p = page(Cosine(0.123456789, 30, 0.0123456789), Warmup(MultiStep(1 / 3, (3, 7, 20), 1 / 7), 2))
    control(p, "seeds", None).value = 2
    first, second = p.explorer.state.entries
    assert first.schedule == Cosine(0.123456789, 30, 0.0123456789)
    assert second.schedule == MultiStep(1 / 3, (5, 9, 22), 1 / 7)


def test_sliders_in_updates_end_with_the_run() -> None:
    p = page(Warmup(Cosine(0.3, 25), 5), StepDecay(0.1, 10, 0.5), Cosine(0.1, 20))
    assert control(p, "steps", 0).max == 30
    control(p, "steps", None).value = 300
    assert [control(p, "steps", 0).value, control(p, "steps", 0).max] == [300, 300]
    assert [control(p, "warmup", 0).max, control(p, "every", 1).max, control(p, "steps", 2).max] == [300] * 3
    assert control(p, "steps", 2).value == 20
    control(p, "every", 1).value = 250
    control(p, "steps", None).value = 100
    assert [control(p, "steps", 0).max, control(p, "every", 1).max] == [100, 250]  # never below its own value
    assert p.explorer.state.entries[1].schedule.every == 250
    check_follows(p)


def test_controls_follow_code() -> None:
    p = page(Constant(0.1))
    before = pictures(p)
    p.explorer.set(
        entries=(Entry(Cosine(0.7, 30)), Entry(Constant(0.0123), 5)), seeds=2, batch=50, noise=0.123
    )
    check_follows(p)
    assert pictures(p) != before
    p.explorer.set(network=(5, 4), optimizer=Adam(b1=0.5))
    check_follows(p)


def test_add_remove_and_reset() -> None:
    p = page(Constant(0.1))
    first = p.explorer.state
    assert not [x for x in tree(p) if "optviz-remove" in x._dom_classes]  # the last one stays
    for count in range(2, 9):
        p.add.click()
        assert len(p.explorer.state.entries) == count
        check_follows(p)
    assert p.add.disabled
    p.add.click()
    assert len(p.explorer.state.entries) == 8
    kinds = [type(e.schedule) for e in p.explorer.state.entries]
    assert len(set(kinds)) == 8
    next(x for x in tree(p.cards[2].box) if "optviz-remove" in x._dom_classes).click()
    assert [type(e.schedule) for e in p.explorer.state.entries] == kinds[:2] + kinds[3:]
    assert not p.add.disabled
    check_follows(p)
    p.buttons["pin"].click()
    p.buttons["reset"].click()
    assert p.explorer.state == first
    assert p.explorer.pinned == ()
    check_follows(p)


def test_pin_clear_copy_save(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    p = page()
    plain = pictures(p)
    control(p, "lr").value = 0.5
    p.buttons["pin"].click()
    control(p, "lr").value = 0.1
    assert pictures(p) != plain
    p.buttons["clear"].click()
    assert pictures(p) == plain
    p.buttons["copy"].click()
    assert p.code.value == p.explorer.code(p.explorer.state)
    assert p.code.layout.display == ""
    monkeypatch.chdir(tmp_path)
    p.buttons["save"].click()
    assert len(list(tmp_path.iterdir())) == 5
    assert "learning-rate-schedules-1.csv" in p.status.value


def test_names_cannot_break_the_page() -> None:
    def odd(t: int) -> float:
        return 0.1

    odd.__name__ = '<img src=x onerror="boom">'
    p = page(odd)
    for note in [p.cards[0].title, p.verdict, p.status, *p.sentences.values()]:
        assert "<img" not in note.value
    lab = p.explorer
    assert "<" not in lab.code(lab.state)


# errors


def test_a_bad_combination_is_a_sentence_and_changes_nothing() -> None:
    p = page(Cosine(0.3, 30, 0.05), Constant(0.1))
    before, shown = p.explorer.state, pictures(p)
    control(p, "lr").value = 0.01
    assert "Cosine.floor must be at most lr (0.01), got 0.05" in p.error.value
    assert p.error.layout.display == ""
    assert (p.explorer.state, pictures(p)) == (before, shown)
    control(p, "lr").value = 0.3
    assert p.error.value == ""
    assert p.error.layout.display == "none"
    control(p, "warmup", 1).value = 30
    control(p, "steps", None).value = 20
    assert "warm-up of constant must be at most the run&#x27;s 20 updates, got 30" in p.error.value
    assert p.explorer.state.steps == 30


def test_a_kind_that_does_not_fit_leaves_the_card_as_it_was() -> None:
    p = page(Constant(0.1))

    def refuse(*_: Any) -> Any:
        raise ValueError("a < b")

    p.spec = replace(p.spec, new=refuse)
    chooser = next(x for x in tree(p) if "optviz-field-kind" in x._dom_classes)
    chooser.value = Cosine
    assert "a &lt; b" in p.error.value
    chooser = next(x for x in tree(p) if "optviz-field-kind" in x._dom_classes)
    assert chooser.value is Constant
    check_follows(p)


def test_errors_of_a_computation_are_shown() -> None:
    p = page(Constant(0.1))
    compute = p.explorer.compute

    def breaks(state: Any) -> Iterator[Any]:
        yield next(iter(compute(state)))
        raise ZeroDivisionError("by <zero>")

    p.explorer.compute = breaks
    control(p, "lr").value = 0.5
    assert "ZeroDivisionError: by &lt;zero&gt;" in p.error.value
    p.explorer.compute = compute
    control(p, "lr").value = 0.7
    assert p.error.value == ""
    assert p.bar.value == 1


def test_errors_of_a_button_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    p = page(Constant(0.1))

    def refuse(*_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied", "folder")

    monkeypatch.setattr(p.explorer, "save", refuse)
    p.buttons["save"].click()
    assert "Permission denied" in p.error.value


def test_batch_larger_than_the_data() -> None:
    import numpy as np
    import torch

    own_x, own_y = np.random.default_rng(0).normal(size=(60, 4)), np.arange(60) % 2
    from optviz import problems

    with pytest.raises(ValueError, match=r"batch must be in \[1, 4\d\]"):
        problems.from_module(torch.nn.Linear(4, 2), own_x, own_y)
    p = page(problem=problems.from_module(torch.nn.Linear(4, 2), own_x, own_y, batch=16))
    shown = {name for name, (made, _) in p.shared.items() if made.layout.display != "none"}
    assert shown == {"optimizer", "steps", "seeds", "warm", "tuned"}
    assert p.bar.value == 1


# inside a running loop


def in_loop(story: Any) -> None:
    asyncio.run(asyncio.wait_for(story, 60))


async def settle(p: Any) -> None:
    while p.live.busy:
        await asyncio.sleep(0.002)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is remembered, so that there is something to train."""
    monkeypatch.setattr(schedule_compute, "_memory", LRUCache(10**9))


def test_a_move_starts_a_task_and_returns_at_once(slow: None) -> None:
    async def story() -> None:
        p = page(Constant(0.1), Cosine(0.3, 400), steps=400, seeds=3)
        before = pictures(p)
        control(p, "lr").value = 0.5
        assert p.live.busy
        assert p.explorer.result.progress < 1
        assert pictures(p)[0] != before[0]  # the rates are there at once
        assert pictures(p)[2] == before[2]  # and a little of the training; the rest follows
        seen = set()
        while p.live.busy:
            seen.add(p.images["loss"].value)
            await asyncio.sleep(0)
        assert len(seen) > 2
        assert p.bar.value == p.explorer.result.progress == 1
        assert p.images["loss"].value == p.explorer.panels["loss"].draw(p.explorer.pictures()["loss"])

    in_loop(story())


def test_the_next_move_cancels_and_nothing_queues(slow: None) -> None:
    async def story() -> None:
        p = page(Constant(0.1), Cosine(0.3, 1000), steps=1000, seeds=3)
        tasks = set()
        for k in range(30):
            control(p, "lr").value = (0.2, 0.3, 0.4)[k % 3]
            tasks.add(p.live.task)
            await asyncio.sleep(0.002)
        assert len(tasks) == 30
        assert sum(not task.done() for task in tasks) == 1
        assert len(asyncio.all_tasks()) <= 3
        await settle(p)
        assert p.explorer.result.state == p.explorer.state
        assert p.explorer.result.rates[0, 0] == 0.4
        expected = schedule_lab(Constant(0.4), Cosine(0.3, 1000), steps=1000, seeds=3)
        assert p.explorer.png == expected.png
        assert all(task.cancelled() or task.exception() is None for task in tasks)

    in_loop(story())


def test_stop(slow: None) -> None:
    async def story() -> None:
        p = page(Constant(0.1), steps=1000, seeds=5)
        control(p, "lr").value = 0.5
        await asyncio.sleep(0.05)
        p.buttons["stop"].click()
        assert not p.live.busy
        assert "Stopped after" in p.status.value
        progress = p.explorer.result.progress
        assert 0 < progress < 1
        await asyncio.sleep(0.05)
        assert p.explorer.result.progress == progress
        assert "Learning rates" in p.explorer.text()
        control(p, "lr").value = 0.7
        await settle(p)
        assert p.explorer.result.progress == 1
        p.buttons["stop"].click()  # nothing to stop
        assert "Stopped" not in p.status.value

    in_loop(story())


def test_an_invalid_move_does_not_leave_half_a_training(slow: None) -> None:
    async def story() -> None:
        p = page(Cosine(0.3, 800, 0.1), steps=800, seeds=5)
        control(p, "lr").value = 0.4
        await asyncio.sleep(0.01)
        control(p, "lr").value = 0.01
        assert "Cosine.floor" in p.error.value
        control(p, "lr").value = 0.4
        assert p.error.value == ""
        await settle(p)
        assert p.explorer.result.progress == 1
        assert p.explorer.result.rates[0, 0] == pytest.approx(0.4)

    in_loop(story())


def test_errors_in_a_task_are_shown(slow: None) -> None:
    async def story() -> None:
        p = page(Constant(0.1))
        compute = p.explorer.compute

        def breaks(state: Any) -> Iterator[Any]:
            stream = compute(state)
            yield next(stream)
            yield next(stream)
            raise KeyError("lost")

        for broken in (breaks, lambda state: 1 / 0, lambda state: iter([])):
            p.explorer.compute = broken
            control(p, "lr").value = control(p, "lr").value * 2
            await settle(p)
            if broken is breaks:
                assert "KeyError" in p.error.value
        p.explorer.compute = compute
        control(p, "lr").value = 0.1
        await settle(p)
        assert p.error.value == ""
        assert p.explorer.result.progress == 1

    in_loop(story())


def test_a_value_sent_back_unchanged_recomputes_nothing(slow: None) -> None:
    async def story() -> None:
        p = page(Constant(0.1), steps=400)
        control(p, "lr").value = 0.5
        task = p.live.task
        p._moved()
        assert p.live.task is task
        await settle(p)
        p._moved()
        assert not p.live.busy

    in_loop(story())


def test_code_wins_over_a_running_task(slow: None) -> None:
    async def story() -> None:
        p = page(Constant(0.1), steps=1000, seeds=5)
        control(p, "lr").value = 0.5
        await asyncio.sleep(0.01)
        p.explorer.set(steps=40)
        assert not p.live.busy
        assert p.explorer.result.loss.shape == (1, 5, 40)
        await asyncio.sleep(0.05)
        assert p.explorer.result.loss.shape == (1, 5, 40)

    in_loop(story())


def test_slow_trainings_wait_for_further_moves(slow: None) -> None:
    async def story() -> None:
        p = page(Constant(0.01), steps=4)
        control(p, "network", None).value = "small CNN"
        for rate in (0.02, 0.03, 0.04):
            control(p, "lr").value = rate
            await asyncio.sleep(0.02)
        assert p.explorer.result.fresh == 0  # still waiting
        await settle(p)
        assert p.explorer.result.progress == 1
        assert p.explorer.result.rates[0, 0] == pytest.approx(0.04)
        assert len(schedule_compute._memory) <= 2

    in_loop(story())


# nothing grows


def random_move(p: Any, chance: random.Random) -> None:
    state = p.explorer.state
    what = chance.choice(
        ["slider"] * 8 + ["shared"] * 3 + ["kind", "add", "remove", "pin", "clear", "copy", "reset"]
    )
    if what in ("slider", "shared"):
        pool = p.cards[chance.randrange(len(p.cards))].controls if what == "slider" else p.shared
        made = chance.choice(
            [c for n, (c, _) in pool.items() if n not in ("data", "network", "seeds", "tuned")]
        )
        if hasattr(made, "options"):
            made.value = chance.choice([option[1] for option in made.options])
        elif isinstance(made.value, tuple):
            made.value = tuple(sorted(chance.randint(made.min, min(made.max, 60)) for _ in range(2)))
        elif isinstance(made.value, int):
            made.value = chance.randint(made.min, min(made.max, 60))
        else:
            made.value = chance.uniform(made.min, made.max)
    elif what == "kind":
        chance.choice(
            [x for x in tree(p.card_box) if "optviz-field-kind" in x._dom_classes]
        ).value = chance.choice(list(menu().values()))
    elif what == "remove" and len(state.entries) > 1:
        chance.choice([x for x in tree(p.card_box) if "optviz-remove" in x._dom_classes]).click()
    elif what in p.buttons:
        p.buttons[what].click()
    elif what == "add" and len(state.entries) < 5:
        p.add.click()


def test_two_hundred_random_moves_leave_nothing_behind() -> None:
    p = page(Constant(0.1), Cosine(0.3, 20), steps=20)
    chance = random.Random(0)

    def at_start() -> int:
        p.buttons["reset"].click()
        gc.collect()
        return len(alive())

    control(p, "steps", None).value = 25
    before = at_start()
    objects = []
    for k in range(200):
        random_move(p, chance)
        if p.error.value:
            assert "must be" in p.error.value, p.error.value
        else:
            check_follows(p)
        if k % 50 == 49:
            schedule_compute._memory.clear()
            assert at_start() == before
            objects.append(len(gc.get_objects()))
    assert objects[-1] - objects[1] < 3_000, objects  # the first hundred moves fill matplotlib's caches


def test_swapping_kinds_frees_widgets() -> None:
    p = page(Constant(0.1))
    kinds = list(menu().values())
    counts = []
    for _ in range(3):
        for kind in (WarmupStableDecay, *kinds, Constant):
            p._swap(0, kind)
        counts.append(len(alive()))
    assert len(set(counts)) == 1


def test_controls_take_any_start() -> None:
    from optviz._knobs import Knob

    for start, value in [(1, 500), (1, -3), (0.5, 7.5), (0.5, -1.0), ((3, 4), (1, 900)), ((3,), (5,))]:
        made = knob_control("x", Knob(start, 0, 10, (-1e9, 1e9)), value)
        assert made.value == ((value[0], value[-1]) if isinstance(value, tuple) else value)
    for value in (1e-9, 5e8):
        assert knob_control("x", Knob(0.1, 1e-3, 1.0, (0, 1e9), log=True), value).value == value
