"""The number explorer: its codes are torch's, its mistakes are the known ones, its words tell the numbers."""

from __future__ import annotations

import re
import time
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from optviz import number_lab
from optviz.widgets.numbers.compute import compute, wrapped
from optviz.widgets.numbers.draw import draw
from optviz.widgets.numbers.state import NumberState
from optviz.widgets.panel import Panel
from optviz.widgets.view import show
from tests.strategies import configs


def result(**fields: Any) -> Any:
    (found,) = compute(NumberState(**fields))
    return found


@settings(deadline=None, max_examples=60)
@given(configs(NumberState, way="right"))
def test_what_comes_back_is_torchs(state: NumberState) -> None:
    (found,) = compute(state)
    q, steps = found.q, found.along / found.scale
    clear = abs(steps - np.floor(steps) - 0.5) > 1e-4  # torch rounds in fp32: a tie may fall the other way
    x = torch.tensor(found.along[clear], dtype=torch.float32)
    theirs = torch.fake_quantize_per_tensor_affine(x, found.scale, found.zero, q.low, q.high)
    np.testing.assert_allclose(found.back[clear], theirs.numpy(), rtol=1e-5, atol=1e-5)


@settings(deadline=None, max_examples=60)
@given(configs(NumberState, way="right"))
def test_errors_are_half_a_step_inside_and_the_distance_outside(state: NumberState) -> None:
    (found,) = compute(state)
    error, x, (low, high) = abs(found.back - found.along), found.along, found.levels[[0, -1]]
    inside = (x >= found.ends[0]) & (x <= found.ends[1])
    assert error[inside].max(initial=0) <= found.scale / 2 * (1 + 1e-9)
    np.testing.assert_allclose(error[x < low], low - x[x < low], atol=1e-9)
    np.testing.assert_allclose(error[x > high], x[x > high] - high, atol=1e-9)
    assert found.levels[found.zero - found.q.low] == 0
    assert found.ends[0] <= min(state.low, 0) + 1e-9
    assert found.clipped == (found.raw != found.code)


def test_a_range_that_is_not_widened_loses_everything() -> None:
    right, wrong = (result(x=3.0, low=2.0, high=4.0, bits=8, way=way) for way in ("right", "open"))
    inside = (right.along >= 2) & (right.along <= 4)
    assert right.scale == pytest.approx(4 / 255)
    assert abs(right.back - right.along)[inside].max() <= 2 / 255
    assert wrong.back[inside] == pytest.approx(2.0)
    said = number_lab(3.0, low=2.0, high=4.0, way="open").text()
    assert "Z = round(−2 / 0.2857) = −7, which the code doesn't have: 0 instead" in said
    assert "from 0 to 2, not from 2 to 4, and whatever is in the range lands on 2." in said
    assert "widened to 0 … 4" in number_lab(3.0, low=2.0, high=4.0).text()
    assert "nothing needs to be widened" in number_lab(way="open").text()


@pytest.mark.parametrize(("symmetric", "kind"), [(True, np.int8), (False, np.uint8)])
def test_casting_first_wraps_as_a_cast_does(symmetric: bool, kind: Any) -> None:
    state = NumberState(bits=8, symmetric=symmetric, low=-1.0, high=2.0)
    x, q = np.linspace(-9, 9, 999), state.code
    cast = (np.rint(x / q.scale).astype(np.int64) + q.zero_point).astype(kind)
    np.testing.assert_array_equal(wrapped(x, q, 8), np.clip(cast, q.low, q.high))
    found = result(x=2.2, bits=8, symmetric=symmetric, way="cast")
    assert found.wrapped
    assert abs(found.error) > 2


def test_a_wrapped_number_is_told() -> None:
    said = number_lab(-3.0, bits=4, symmetric=True, way="cast").text()
    assert "= −10 doesn't fit into 4 bits and wraps to 6; clamped first, it would be −7." in said
    assert "the early cast does no harm" in number_lab(1.0, way="cast").text()
    fits = number_lab(-2.3, bits=4, symmetric=True, way="cast")  # −8 fits into four bits, and is clamped
    assert (fits.result.raw, fits.result.code, fits.result.wrapped) == (-8, -7, False)
    assert "wraps" not in fits.text()


@pytest.mark.parametrize("symmetric", [False, True])
def test_the_player_steps_through_all_levels(symmetric: bool) -> None:
    lab = number_lab(bits=3, symmetric=symmetric)
    low, seen = lab.result.q.low, []
    for level in range(lab.state.last + 1):
        found = lab.set(level=level).result
        assert (found.code, found.error) == (low + level, 0)
        bits = int(found.pattern, 2)
        assert bits - (8 if symmetric and found.pattern[0] == "1" else 0) == found.code
        seen.append(found.pattern)
    assert len(set(seen)) == (7 if symmetric else 8)
    assert lab.set(x=50.0).state.level == lab.state.last
    with pytest.raises(ValueError, match=f"level must be at most {lab.state.last}, got 8"):
        lab.set(level=8)


def test_the_level_is_where_x_lands() -> None:
    lab = number_lab(1.3, bits=3)
    assert lab.state.level == lab.result.code == 5
    assert lab.set(bits=4).state.level == lab.result.code
    assert lab.set(low=-4.0).state.level == lab.result.code
    assert number_lab(level=2).state.x == 0
    with pytest.raises(ValueError, match="low must be below high"):
        lab.set(low=3.0)


def test_the_words_are_the_formula() -> None:
    said = number_lab(1.3, bits=3, low=-1.0, high=2.0).text()
    assert "s = (2 − (−1)) / 7 = 0.4286, Z = round(1 / 0.4286) = 2." in said
    assert "q = clamp(round(1.3 / 0.4286) + 2, 0, 7) = clamp(5, 0, 7) = 5." in said
    assert "x̂ = s · (q − Z) = 0.4286 · (5 − 2) = 1.286." in said
    assert "q = 5 is 101 in 3 bits: 4 + 1." in said
    assert "an error of −0.0143, from rounding" in said
    beyond = number_lab(3.0, bits=8, symmetric=True).text()
    assert "from clipping: x is 1 beyond the last level" in beyond
    assert "q = 127 is 01111111 in 8 bits (two's complement" in beyond
    assert not re.search(r"-\d", said + beyond)


def test_integers_beside_levels_do_not_touch() -> None:
    panel = Panel(820, 190, labels=False)
    for ends in ((-1.0, 2.0), (-4.0, 4.0), (0.0, 0.1), (-3.0, -2.9), (-0.1, 3.0)):
        for bits in range(2, 9):
            found = result(bits=bits, low=ends[0], high=ends[1])
            frame = draw(found, ())["line"].frame
            at = [panel.spot(rule.value, 0.0, frame)[0] * 820 for rule in frame.rules]
            names = [rule.text for rule in frame.rules]
            wide = [4 + 5 * len(name) for name in names[:-1]]  # a digit of 7.5 points has 5 pixels
            assert all(b - a > w for (a, b), w in zip(pairwise(at), wide, strict=True)), (ends, bits)
            assert f"Z = {found.zero}" in names
            assert len(names) >= 3 or max(found.levels[-1], -found.levels[0]) < 3


def test_far_values_stay_in_the_picture() -> None:
    lab = number_lab(25.0)
    assert lab.pictures()["line"].frame.xlim == (-30, 30)
    assert lab.png[:4] == b"\x89PNG"


def test_pressing_sets_the_value() -> None:
    lab = number_lab()
    assert lab.point == dict.fromkeys(("line", "stairs", "error"), ("x", None))
    for name in lab.point:
        frame = lab.pictures()[name].frame
        across, down = lab.panels[name].spot(1.3, 0.0, frame)
        assert lab.panels[name].point(across, down, frame)[0] == pytest.approx(1.3)


def test_it_follows_a_drag() -> None:
    lab = number_lab(bits=8)
    took = []
    for x in np.linspace(-4, 4, 21):
        start = time.process_time()
        lab.set(x=float(x))
        took.append(time.process_time() - start)
    assert np.median(took) < 0.02


def test_a_slider_that_sends_its_rounded_value_back_moves_nothing() -> None:
    lab = number_lab(-0.5, bits=3)
    page = show(lab)
    assert page.player is not None
    page.player.clock.value = 3
    assert lab.state.x == pytest.approx(3 / 7)
    page.player.clock.playing = True
    slider = page.controls.controls["x"][0]
    slider.value = 0.4  # as a page does: its steps are tenths
    assert (lab.state.x, lab.state.level) == (pytest.approx(3 / 7), 3)
    assert page.player.playing
    slider.value = 0.5
    assert (lab.state.x, page.player.playing) == (0.5, False)
    page.close()
