"""How many bits each layer needs, and what fits into some bytes."""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from optviz import models, optimizers, problems
from optviz.quantize import PerTensor, WeightOnly, bytes_of, choose_qparams, fake_quantize, quantize_model
from optviz.recipes import BitScan, bit_scan, mixed_bits, rounded
from optviz.training import Run, train


@cache
def trained() -> tuple[Any, dict[str, Any]]:
    problem = problems.digits(hidden=(24, 16))
    h = train(problem, [Run(optimizers.Adam(), 0.005)], 150)
    return problem, {name: p[0] for name, p in h.params.items()}


@cache
def scanned() -> BitScan:
    return bit_scan(*trained())


def test_copies_are_rounded_each_by_its_bits() -> None:
    _, params = trained()
    found = rounded(params, [{}, {"weight1": 3, "weight2": 5}, {"weight2": 3}], per=PerTensor())
    for name, k, bits in (("weight1", 1, 3), ("weight2", 1, 5), ("weight2", 2, 3)):
        q = choose_qparams(params[name], bits, symmetric=True)
        np.testing.assert_array_equal(found[name][k], fake_quantize(params[name], q))
    for name, rows in (("weight1", (0, 2)), ("weight2", (0,)), ("weight3", (0, 1, 2)), ("bias1", (0, 1, 2))):
        for k in rows:
            np.testing.assert_array_equal(found[name][k], params[name])


def test_tensors_too() -> None:
    _, params = trained()
    tensors = {name: torch.tensor(p) for name, p in params.items()}
    bits = [{"weight1": 2}, {"weight1": 8}]
    found = rounded(tensors, bits)
    np.testing.assert_allclose(found["weight1"].numpy(), rounded(params, bits)["weight1"], rtol=1e-6)


def test_a_scan_is_what_each_layer_alone_gives() -> None:
    problem, params = trained()
    found = scanned()
    assert found.layers == ("weight1", "weight2", "weight3")
    assert found.rest == 24 + 16 + 10
    for i, name in enumerate(found.layers):
        for j, bits in enumerate(found.bits):
            alone = problem.metrics(rounded(params, [{name: int(bits)}]))
            np.testing.assert_allclose(found.loss[i, j], alone["validation_loss"][0], rtol=1e-5)
    assert found.full == tuple(
        problem.metrics(rounded(params, [{}]))[f"validation_{n}"][0] for n in ("accuracy", "loss")
    )
    assert (found.loss[:, 0] > found.loss[:, -1]).all()  # 2 bits cost more than 8
    frame = found.to_frame()
    assert len(frame) == 15
    assert not frame.isna().any().any()


def test_the_bytes_are_those_of_the_network() -> None:
    problem, params = trained()
    model = models.MLP((64, 24, 16, 10)).eval()
    names = dict(zip(params, model.state_dict(), strict=True))
    model.load_state_dict({names[n]: torch.tensor(p) for n, p in params.items()})
    own = problems.from_module(model, problem.data.train.X, problem.data.train.y)
    found = mixed_bits(bit_scan(own, {n: p.detach() for n, p in model.named_parameters()}), 1400)
    made = quantize_model(model, WeightOnly(layers=found.layers))
    assert found.bytes == bytes_of(made) <= 1400
    again = rounded(dict(model.named_parameters()), [dict(found.bits)])
    assert torch.equal(made[2].weight, again["2.weight"][0].detach())


def test_a_few_bytes_more_where_they_count() -> None:
    problem, params = trained()
    equal = dict.fromkeys(scanned().layers, 2)
    limit = int(1.1 * (scanned().bytes[:, 0].sum() + 4 * scanned().rest))  # 3 bits everywhere don't fit
    mixed = mixed_bits(scanned(), limit)
    loss = problem.metrics(rounded(params, [equal, dict(mixed.bits)]))["validation_loss"]
    assert loss[1] < loss[0] / 2
    assert mixed.layers["weight1"] == 2  # the largest


def table(loss: Any, sizes: Any) -> BitScan:
    loss = np.asarray(loss, float)
    names = tuple("abcdef"[: len(loss)])
    return BitScan(names, tuple(sizes), (1,) * len(loss), np.array([2, 4, 8]), 1 - loss, loss, (1.0, 0.0), 3)


@given(st.data())
def test_what_is_chosen_fits_and_cannot_be_bettered_by_one_step(drawn: Any) -> None:
    layers = drawn.draw(st.integers(1, 3))
    costs = st.lists(st.floats(0, 1), min_size=3, max_size=3)
    loss = drawn.draw(st.lists(costs, min_size=layers, max_size=layers))
    scan = table(loss, drawn.draw(st.lists(st.integers(1, 500), min_size=layers, max_size=layers)))
    fewest, most = scan.bytes[:, 0].sum() + 12, scan.bytes[:, -1].sum() + 12
    limit = fewest + drawn.draw(st.floats(0, 1)) * (most - fewest)
    found = mixed_bits(scan, limit)
    at = [list(scan.bits).index(b) for _, b in found.bits]
    assert found.bytes == sum(scan.bytes[i, j] for i, j in enumerate(at)) + 12 <= limit
    assert found.expected == pytest.approx(sum(scan.loss[i, j] for i, j in enumerate(at)))
    for i, j in product(range(layers), range(3)):
        more = scan.bytes[i, j] - scan.bytes[i, at[i]]
        if more > 0 and found.bytes + more <= limit:
            assert scan.loss[i, j] >= scan.loss[i, at[i]]


def test_layers_that_bear_it_go_first() -> None:
    scan = table([[9, 5, 0], [0.2, 0.1, 0], [3, 0.1, 0]], [800, 800, 800])
    budgets = [2430, 1900, 1500, 1100, 700]
    found = [tuple(bits for _, bits in mixed_bits(scan, b).bits) for b in budgets]
    assert found == [(8, 8, 8), (8, 4, 4), (8, 2, 4), (4, 2, 4), (2, 2, 2)]


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (ValueError, r"at least 75", lambda: mixed_bits(table([[1, 0, 0]], [236]), 60)),
        (ValueError, r"each above", lambda: bit_scan(*trained(), bits=(4, 2))),
        (ValueError, r"in \[2, 16\]", lambda: bit_scan(*trained(), bits=(1, 2))),
        (ValueError, r"\['w'\]", lambda: rounded(trained()[1], [{"w": 2}])),
        (ValueError, r"at least one copy", lambda: rounded(trained()[1], [])),
        (TypeError, r"problem", lambda: bit_scan(None, trained()[1])),
    ],
)
def test_refused(error: type[Exception], message: str, call: Any) -> None:
    with pytest.raises(error, match=message):
        call()
