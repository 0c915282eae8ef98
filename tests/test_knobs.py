"""Numbers declared once: what is accepted, what is refused, and in which words."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from optviz._knobs import config, example, knob, knobs, require
from tests.strategies import configs, number


@config
class Toy:
    rate: float = knob(0.1, 1e-3, 1.0, hard=(0.0, math.inf), label="rate", log=True, required=True)
    count: int = knob(3, 1, 9, unit="updates")
    ends: tuple[int, ...] = knob((1, 2), 1, 50)
    any_sign: float = knob(0.0, -1.0, 1.0, hard=(-math.inf, math.inf))
    on: bool = False
    name: Any = None

    def _check(self) -> None:
        require(self.count < 9 or self.on, "Toy.count", "below 9 unless on", self.count)


@pytest.mark.parametrize("three", [3, 3.0, np.int64(3), np.float32(3), torch.tensor(3), np.array(3)])
def test_numbers_of_every_kind(three: Any) -> None:
    toy = Toy(three, three)
    assert (toy.rate, toy.count) == (3.0, 3)
    assert type(toy.rate) is float
    assert type(toy.count) is int
    assert hash(toy) == hash(Toy(3.0, 3))


def test_lists_become_tuples() -> None:
    toy = Toy(1.0, 2, [1, 2.0, np.int32(3)], name=[4, 5])
    assert toy.ends == (1, 2, 3)
    assert toy.name == (4, 5)
    assert isinstance(hash(toy), int)


def test_frozen_and_equal_by_value() -> None:
    toy = Toy(0.5)
    assert toy == Toy(0.5)
    assert repr(toy) == "Toy(rate=0.5, count=3, ends=(1, 2), any_sign=0.0, on=False, name=None)"
    with pytest.raises(FrozenInstanceError):
        toy.rate = 1.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rate": -1}, "Toy.rate must be a finite number of at least 0.0, got -1"),
        ({"rate": math.nan}, "Toy.rate must be a finite number of at least 0.0, got nan"),
        ({"rate": math.inf}, "Toy.rate must be a finite number of at least 0.0, got inf"),
        ({"count": 0}, "Toy.count must be in [1, 9], got 0"),
        ({"count": 2.5}, "Toy.count must be a whole number, got 2.5"),
        ({"count": 9}, "Toy.count must be below 9 unless on, got 9"),
        ({"ends": (1, 51)}, "Toy.ends must be in [1, 50], got 51"),
        ({"any_sign": math.inf}, "Toy.any_sign must be a finite number, got inf"),
    ],
)
def test_bad_values(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as error:
        Toy(**({"rate": 0.1} | values))
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rate": "fast"}, "Toy.rate must be a number, got 'fast'"),
        ({"rate": None}, "Toy.rate must be a number, got None"),
        ({"rate": True}, "Toy.rate must be a number, got True"),
        ({"rate": 1j}, "Toy.rate must be a number, got 1j"),
        ({"rate": np.array([1.0])}, "Toy.rate must be a number, got array([1.])"),
        ({"ends": 5}, "Toy.ends must be a tuple of numbers, got 5"),
        ({"ends": ("a",)}, "Toy.ends must be a number, got 'a'"),
        ({"on": 1}, "Toy.on must be True or False, got 1"),
    ],
)
def test_bad_kinds(values: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError) as error:
        Toy(**({"rate": 0.1} | values))
    assert str(error.value) == message


def test_required_means_no_default() -> None:
    with pytest.raises(TypeError, match="rate"):
        Toy()  # type: ignore[call-arg]
    assert example(Toy, count=5) == Toy(0.1, 5)


def test_knobs_in_the_order_of_the_arguments() -> None:
    assert list(knobs(Toy)) == list(knobs(Toy(0.1))) == ["rate", "count", "ends", "any_sign"]
    spec = knobs(Toy)["count"]
    assert (spec.start, spec.low, spec.high, spec.hard, spec.unit) == (3, 1, 9, (1, 9), "updates")


def test_low_above_high_is_refused() -> None:
    with pytest.raises(ValueError, match=r"knob\.low must be at most high"):
        knob(0.5, 1.0, 0.0)


def test_require() -> None:
    require(True, "k", "anything", 1)
    with pytest.raises(ValueError, match="k must be at most 2, got 3"):
        require(False, "k", "at most 2", 3)


@given(configs(Toy))
def test_the_sliders_span_valid_configurations(toy: Toy) -> None:
    assert 1e-3 <= toy.rate <= 1.0
    assert list(toy.ends) == sorted(toy.ends)


@given(st.data())
def test_numbers_stay_on_their_slider(data: st.DataObject) -> None:
    for spec in knobs(Toy).values():
        value = data.draw(number(spec))
        values = value if isinstance(value, tuple) else (value,)
        assert all(spec.low <= v <= spec.high for v in values)
