"""What every explorer must do, without a browser. To add one, add a line to ``LABS``."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import FrozenInstanceError, dataclass, fields
from pathlib import Path
from typing import Any

import ipywidgets as w
import pytest

from optviz import surfaces, widgets
from optviz._knobs import Choice, Knob, controls, knobs
from optviz.widgets import Explorer, show
from optviz.widgets.parts import at, paths, replaced
from optviz.widgets.words import COMMON
from tests.widgets import toy_labs

SCHEDULES = (
    "from optviz import problems, schedule_lab; from optviz.optimizers import *; "
    "from optviz.schedules import *"
)
LANDSCAPES = (
    "from optviz import landscape_lab; from optviz.activations import *; "
    "from optviz.optimizers import *; from optviz.surfaces import *"
)
TOYS = "from optviz.optimizers import *; from tests.widgets.toy_labs import *"


@dataclass(frozen=True)
class Case:
    """One explorer.

    Args:
        make: makes it, so small that a whole computation takes a fraction of a second.
        imports: what the line of :attr:`Explorer.code` needs.
        inert: fields whose move may leave the pictures as they are, with the reason in a comment beside them.
        slow: fields that are not moved here, because that would take seconds.
    """

    make: Callable[[], Explorer]
    imports: str
    inert: tuple[str, ...] = ()
    slow: tuple[str, ...] = ()


LABS = {
    "race": Case(
        lambda: widgets.optimizer_race(steps=20, digits_steps=20, seeds=1),
        "from optviz import optimizer_race; from optviz.optimizers import *; "
        "from optviz.widgets.race import Racer",
        inert=("dampening", "nesterov"),  # nothing without momentum
    ),
    "regularization": Case(
        lambda: widgets.regularization_lab(images=60, steps=50, seeds=2),
        "from optviz import regularization_lab; from optviz.optimizers import *; "
        "from optviz.widgets.regularization import *",
        slow=("tuned", "data"),
    ),
    "channels": Case(
        lambda: widgets.channel_lab(network="CNN, digits 8×8", steps=20, updates=4, seeds=2, timed=2),
        "from optviz import channel_lab",
        slow=("network", "steps"),
    ),
    "codebooks": Case(
        lambda: widgets.codebook_lab(bits=3, hidden=(4, 4), steps=20, updates=3, moves=3, seeds=2),
        "from optviz import codebook_lab; from optviz.quantize import *",
        slow=("data",),
    ),
    "descent": Case(
        lambda: widgets.descent_lab(steps=20, batch=32, momentum=0.5), "from optviz import descent_lab"
    ),
    "descent-digits": Case(
        lambda: widgets.descent_lab("digits", steps=20, seeds=1, momentum=0.5),
        "from optviz import descent_lab",
    ),
    "landscape": Case(lambda: widgets.landscape_lab(surfaces.Booth(), lr=0.02, steps=20), LANDSCAPES),
    "landscape-network": Case(
        lambda: widgets.landscape_lab(steps=20, width=6, depth=1, points=15), LANDSCAPES, slow=("what",)
    ),
    "loss": Case(lambda: widgets.loss_lab(), "from optviz import loss_lab"),
    "normalization": Case(
        lambda: widgets.normalization_lab(depth=2, width=8, steps=20, seeds=1),
        "from optviz import activations, initializers, normalization_lab, normalize, optimizers",
        slow=("data",),
    ),
    "number": Case(lambda: widgets.number_lab(), "from optviz import number_lab"),
    "pruning": Case(
        lambda: widgets.pruning_lab(network=(8,), steps=40, retrain=20, seeds=2),
        "from optviz import prune, pruning_lab, recipes; from optviz.widgets.pruning import *",
        slow=("data",),
    ),
    "range": Case(
        lambda: widgets.range_lab(hidden=16, steps=50, seeds=2),
        "from optviz import range_lab; from optviz.quantize import *; from optviz.widgets.ranges import *",
        slow=("hidden",),
    ),
    "quantization": Case(
        lambda: widgets.quantization_lab(bits=6, steps=40, seeds=1),
        "from optviz import quantization_lab, quantize",
        slow=("network",),
    ),
    "qat": Case(
        lambda: widgets.qat_lab(network=(8,), steps=20, seeds=1),
        "from optviz import qat_lab; from optviz.quantize import *",
        slow=("data",),
    ),
    "schedule": Case(
        lambda: widgets.schedule_lab(steps=30, seeds=1),
        SCHEDULES,
        inert=("warm",),  # none of the first cards is that short of a warm-up
        slow=("tuned", "data"),
    ),
    "ticket": Case(
        lambda: widgets.ticket_lab(rounds=3, steps=20, seeds=2),
        "from optviz import ticket_lab; from optviz.optimizers import *; "
        "from optviz.prune import Global, Layer",
        slow=("data",),
    ),
    "toy-bowl": Case(lambda: toy_labs.bowl_lab(steps=20), TOYS, inert=("heavy",)),  # a switch for show
    "toy-rules": Case(lambda: toy_labs.rules_lab(count=12), TOYS, inert=("dampening", "nesterov")),  # unused
}
Picture = tuple[Any, ...]


@pytest.fixture(params=LABS)
def case(request: Any) -> Case:
    return LABS[request.param]


@pytest.fixture
def lab(case: Case) -> Explorer:
    return case.make()


@pytest.fixture(autouse=True)
def _close_all() -> Iterator[None]:
    yield
    w.Widget.close_all()


def look(lab: Explorer) -> Picture:
    """What can be seen and read."""
    pictures = lab.pictures()
    drawn = [(n, lab.panels[n].draw(p, moving=True), p.sentence) for n, p in pictures.items()]
    return (*drawn, lab.verdict(lab.result))


def others(spec: Knob | Choice, value: Any) -> list[Any]:
    """Other values that a control could take, the cheap ones first."""
    if isinstance(spec, Choice):
        return [option for _, option in spec.options if option != value]
    if isinstance(value, tuple):
        whole = isinstance(value[0], int)
        near = [tuple(v + (1 if whole else 0.01 * (spec.high - spec.low)) for v in value)]
        return [*near, (type(value[0])(spec.low), *value[1:])]
    ends = (spec.low, spec.high)
    if spec.log and value > 0:
        found = [math.sqrt(value * end) for end in ends if end > 0]
    else:
        found = [(value + end) / 2 for end in ends]
    values = [*found, *ends, *((value + 3, value + 1, value - 1) if isinstance(spec.start, int) else ())]
    values = (
        [round(v) for v in values] if isinstance(spec.start, int) else [float(f"{v:.3g}") for v in values]
    )
    return [v for v in values if v != value and spec.low <= v <= spec.high]


def moves(lab: Explorer, case: Case) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """For every control its name, and fields to set one after the other until one is accepted."""
    state, fixed = lab.state, lab.fixed(lab.state)
    for name, spec in controls(state).items():
        if name not in (*fixed, *case.slow):
            yield name, [{name: value} for value in others(spec, getattr(state, name))]
    if lab.deck is not None:
        field, spec = lab.deck
        entries = getattr(state, field)
        for k, entry in enumerate(entries):
            for path, known in paths(entry, spec.of):
                if path[-1] not in case.slow:
                    new = _accepted(entry, path, others(known, at(entry, path)))
                    yield path[-1], [{field: (*entries[:k], e, *entries[k + 1 :])} for e in new]


def _accepted(entry: Any, path: tuple[str, ...], values: list[Any]) -> list[Any]:
    found = []
    for value in values:
        try:
            found.append(replaced(entry, {path: value}))
        except ValueError:  # it does not go together with the others; the next may
            continue
    return found


def first_move(lab: Explorer, case: Case) -> dict[str, Any]:
    """Fields that are accepted and change something."""
    for name, options in moves(lab, case):
        if name in case.inert or name == lab.play:
            continue
        for fields_ in options:
            try:
                lab.changed(**fields_)
            except ValueError:
                continue
            return fields_
    raise AssertionError("no control can be moved")


def test_the_state_is_frozen_and_hashable(lab: Explorer) -> None:
    name = fields(lab.state)[0].name
    with pytest.raises(FrozenInstanceError):
        setattr(lab.state, name, getattr(lab.state, name))
    assert hash(lab.state) == hash(lab.changed())
    assert lab.state == lab.changed()


def test_results_come_in_slices(lab: Explorer) -> None:
    results = list(lab.stream())
    shares = [result.progress for result in results]
    assert shares == sorted(shares)
    assert 0 <= shares[0] <= shares[-1] == 1
    assert 1 not in shares[:-1]
    for result in results:
        assert result.state == lab.state
        assert isinstance(result.note, str)
        assert result.seconds >= 0
    for result in results[:: max(1, len(results) // 4)]:  # half-done results can be drawn and told
        for name, picture in lab.draw(result, ()).items():
            assert lab.panels[name].draw(picture, moving=True)[:4] == b"\x89PNG"
        lab.verdict(result)
        lab.status(result)
    assert set(lab.pictures()) == set(lab.panels)


def test_the_finished_result_speaks(lab: Explorer) -> None:
    said = [p.sentence for p in lab.pictures().values()]
    assert all(re.search(r"\d", sentence) for sentence in said), said
    for words in (lab.text(), lab.verdict(lab.result), lab.status(lab.result)):
        assert words.strip()
        assert not re.search(r"\bnan\b|None|\binf\b|<|0x[0-9a-f]{6}", words), words
    assert lab.png[:4] == b"\x89PNG"


def test_every_control_moves_something(lab: Explorer, case: Case) -> None:
    start, before = lab.state, look(lab)
    still = []
    exec(case.imports, names := {})  # type: ignore[var-annotated]
    for name, options in moves(lab, case):
        errors: list[str] = []
        for fields_ in options:
            lab.state = start
            try:
                lab.set(**fields_)
            except ValueError as error:
                errors.append(str(error))
                continue
            if look(lab) != before:
                break
        else:
            assert not options or len(errors) < len(options), errors
            still.append(name)
        assert "nan" not in re.findall(r"\w+", lab.text()), (name, lab.text())
        again = eval(lab.code(lab.state), names)
        assert again.state == lab.state, lab.code(lab.state)
    assert not set(still) - set(case.inert), f"moved without effect: {set(still) - set(case.inert)}"


def test_copied_code_makes_it_again(lab: Explorer, case: Case) -> None:
    line = lab.code(lab.state)
    assert "\n" not in line
    exec(case.imports, names := {})  # type: ignore[var-annotated]
    again = eval(line, names)
    assert (again.state, look(again)) == (lab.state, look(lab))
    for part in case.imports.split("; "):
        assert part in lab.words["copied"] or "toy_labs" in case.imports, "the page does not tell this import"


def test_pinned_results_are_seen(lab: Explorer, case: Case) -> None:
    lab.pin()
    lab.set(**first_move(lab, case))
    with_ghosts = look(lab)
    lab.clear()
    assert look(lab) != with_ghosts


def test_saving_writes_pictures_and_data(lab: Explorer, tmp_path: Path) -> None:
    files = lab.save(tmp_path)
    kinds = sorted(file.suffix for file in files)
    assert kinds == sorted([".png", ".csv", *[".svg"] * len(lab.panels)])
    table = next(file for file in files if file.suffix == ".csv").read_text()
    assert len(table.splitlines()) > 1
    assert not lab.save(tmp_path)[0].samefile(files[0])


def test_bad_values_are_refused_by_name(lab: Explorer) -> None:
    before, fixed = lab.state, lab.fixed(lab.state)
    for name, spec in controls(lab.state).items():
        if name in fixed or (isinstance(spec, Choice) and spec.others):
            continue
        bad: list[Any] = ["nonsense"]
        if isinstance(spec, Knob):
            bad = [math.nan, *(end + way for end, way in zip(spec.hard, (-1, 1), strict=True))]
            bad = [v for v in bad if not math.isinf(v)]
            if isinstance(spec.start, tuple):
                bad = [(v,) * len(spec.start) for v in bad]
        for value in bad:
            with pytest.raises((ValueError, TypeError)) as caught:
                lab.set(**{name: value})
            label = getattr(spec, "label", "") or name
            assert name in str(caught.value) or label in str(caught.value)
    assert lab.state == before
    with pytest.raises(ValueError, match="field must be one of"):
        lab.set(no_such_field=1)


def test_the_words_are_complete(lab: Explorer) -> None:
    assert set(COMMON) <= set(lab.words)
    assert {"file", "title", *(("cards", "item") if lab.deck else ())} <= set(lab.words)
    assert all(isinstance(text, str) for text in lab.words.values())
    assert re.fullmatch(r"[a-z0-9-]+", lab.words["file"])


def test_it_can_be_left_halfway(lab: Explorer, case: Case) -> None:
    stream = lab.stream()
    for _ in range(3):
        next(stream, None)
    stream.close()  # type: ignore[attr-defined]
    change = first_move(lab, case)
    lab.set(**change)
    assert lab.result.progress == 1
    assert look(lab) == look(case.make().set(**change))


def test_playing_needs_no_new_computation(lab: Explorer) -> None:
    if lab.play is None:
        return
    low, end = int(knobs(lab.state)[lab.play].low), lab.end(lab.state)
    seen = []
    for value in (low, (low + end) // 2, end):
        lab.set(**{lab.play: value})
        assert getattr(lab.state, lab.play) == value
        assert len(list(lab.stream())) <= 2, "what is remembered comes at once"
        seen.append(look(lab))
    assert len({repr(one) for one in seen}) == 3
    with pytest.raises(ValueError, match=lab.play):
        lab.set(**{lab.play: end + 1})


def test_the_page_moves_and_is_pressed(lab: Explorer, case: Case) -> None:
    page = show(lab)
    assert page.error.value == ""
    before = [image.value for image in page.images.values()]
    lab.set(**first_move(lab, case))
    assert [image.value for image in page.images.values()] != before
    page.buttons["reset"].click()
    assert [image.value for image in page.images.values()] == before
    assert page.error.value == ""
    for name, pointer in page.tiles.pointers.items():
        if set(lab.point[name]) & set(lab.fixed(lab.state)):
            continue  # not to be pressed on in this state
        left, top, right, low = pointer.area
        state = lab.state
        pointer.spot = [left + 0.3 * (right - left), top + 0.4 * (low - top), "down", 1]
        assert (lab.state != state, page.error.value) == (True, ""), name
        assert pointer.heard == 1
        state = lab.state
        pointer.spot = [1, 0, "key", 2] if lab.point[name][0] else [0, 1, "key", 2]
        assert (lab.state != state, page.error.value) == (True, ""), name
    assert set(lab.point) == set(page.tiles.pointers)
    if page.player is not None:
        page.player.clock.value = 0
        assert getattr(lab.state, lab.play or "") == page.player.low
