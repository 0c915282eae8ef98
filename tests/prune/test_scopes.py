"""From scores to masks: torch's own masks, exact counts, ties, nesting, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import prune as torch_prune

from optviz import prune
from optviz.prune import NM, Budget, Global, Layer, Unit


def network(seed: int = 0) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Conv2d(2, 4, 3), nn.Flatten(), nn.Linear(16, 10), nn.ReLU(), nn.Linear(10, 3))


def weights(model: nn.Module) -> dict[str, torch.Tensor]:
    return dict(model.named_parameters())


def owners(model: nn.Sequential) -> list[tuple[nn.Module, str]]:
    return [(layer, "weight") for layer in model if hasattr(layer, "weight")]


def theirs(model: nn.Sequential) -> dict[str, torch.Tensor]:
    return {
        f"{i}.weight": layer.weight_mask.bool() for i, layer in enumerate(model) if hasattr(layer, "weight")
    }


def same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(np.asarray(a[n]), np.asarray(b[n])) for n in a)


# The masks of torch.nn.utils.prune


@pytest.mark.parametrize("amount", [0.0, 0.1, 0.37, 0.5, 0.8, 0.9])
def test_the_global_mask_is_that_of_torch(amount: float) -> None:
    model = network()
    ours = prune.mask(prune.magnitude(weights(model)), amount)
    torch_prune.global_unstructured(owners(model), torch_prune.L1Unstructured, amount=amount)
    assert same(ours, theirs(model))


@pytest.mark.parametrize("amount", [0.0, 0.1, 0.37, 0.5, 0.9, 0.96])
def test_the_mask_of_a_layer_is_that_of_torch(amount: float) -> None:
    model = network()
    ours = prune.mask(prune.magnitude(weights(model), power=2), amount, Layer())
    for layer, name in owners(model):
        torch_prune.l1_unstructured(layer, name, amount)
    assert same(ours, theirs(model))


def test_the_random_mask_is_that_of_torch_for_the_same_draw() -> None:
    model = network()
    with torch.random.fork_rng():
        torch.manual_seed(3)
        for layer, name in owners(model):
            torch_prune.random_unstructured(layer, name, 0.4)
        torch.manual_seed(3)
        draws = {name: torch.rand(m.shape) for name, m in theirs(model).items()}
    lowest = {name: 1 - draw for name, draw in draws.items()}  # torch drops the highest draws
    assert same(prune.mask(lowest, 0.4, Layer()), theirs(model))


@pytest.mark.parametrize("n", [1, 2])
def test_scores_of_whole_rows_give_torchs_structured_mask(n: int) -> None:
    layer = network()[2]
    norms = layer.weight.detach().norm(n, dim=1)
    scores = {"weight": norms[:, None].expand(layer.weight.shape)}
    torch_prune.ln_structured(layer, "weight", 0.3, n, dim=0)
    assert same(prune.mask(scores, 0.3), {"weight": layer.weight_mask.bool()})


def test_a_second_round_within_the_first_is_that_of_torch() -> None:
    model, scores = network(), prune.magnitude(weights(network()))
    first = prune.mask(scores, 0.5)
    for _ in range(2):
        torch_prune.global_unstructured(owners(model), torch_prune.L1Unstructured, amount=0.5)
    gone = prune.sparsity(theirs(model))
    assert gone == pytest.approx(0.75, abs=0.005)
    assert same(prune.mask(scores, gone, within=first), theirs(model))


# Properties

SHAPES = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 6)), min_size=1, max_size=3)
SHARES = st.lists(st.floats(0, 0.999), min_size=1, max_size=4)


@st.composite
def scored(draw: st.DrawFn) -> dict[str, np.ndarray]:
    """Scores of some layers; from few different values, so that ties are the rule."""
    values = st.sampled_from([-1.0, 0.0, 0.5, 2.0, np.inf]) if draw(st.booleans()) else st.floats(-9, 9)
    return {
        f"w{i}": np.array(draw(st.lists(values, min_size=a * b, max_size=a * b)), np.float32).reshape(a, b)
        for i, (a, b) in enumerate(draw(SHAPES))
    }


def joined(values: dict[str, Any]) -> np.ndarray:
    return np.concatenate([np.asarray(v).ravel() for v in values.values()])


def sized(shares: list[float], size: int) -> list[float]:
    """Shares of which none takes all."""
    return [min(share, (size - 1) / size) for share in shares]


@settings(max_examples=150, deadline=None)
@given(scored(), SHARES)
def test_a_global_mask_is_exact_the_lowest_and_the_first_of_equals(
    scores: dict[str, np.ndarray], shares: list[float]
) -> None:
    flat = joined(scores)
    for share in shares:
        kept = Global().kept(scores, np.array([share]))
        count = min(round(share * flat.size), int((flat < np.inf).sum()))  # what is infinite stays
        expected = np.ones(flat.size, bool)
        expected[flat.argsort(kind="stable")[:count]] = False
        assert np.array_equal(joined(kept), expected)


@settings(max_examples=100, deadline=None)
@given(scored(), SHARES, st.sampled_from([Global(), Layer(), Unit()]))
def test_k_masks_are_k_single_masks_and_nested_and_numpy_is_torch(
    scores: dict[str, np.ndarray], shares: list[float], scope: Any
) -> None:
    shares = sized(shares, min(s.shape[1] for s in scores.values()))
    together = prune.mask(scores, shares, scope, floor=1)
    tensors = prune.mask({n: torch.tensor(s) for n, s in scores.items()}, shares, scope, floor=1)
    for k, share in enumerate(shares):
        alone = prune.mask(scores, share, scope, floor=1)
        assert same({n: m[k] for n, m in together.items()}, alone)
        assert same({n: m[k].numpy() for n, m in tensors.items()}, alone)
    order = np.argsort(shares)
    for few, many in zip(order[1:], order, strict=False):
        assert all((m[few] <= m[many]).all() for m in together.values())


@settings(max_examples=60, deadline=None)
@given(scored(), st.floats(0, 0.99))
def test_layers_and_units_each_lose_their_share(scores: dict[str, np.ndarray], share: float) -> None:
    for name, kept in Layer().kept(scores, np.array([share])).items():
        assert (~kept).sum() == min(round(share * scores[name].size), (scores[name] < np.inf).sum())
    for name, kept in Unit().kept(scores, np.array([share])).items():
        count = np.minimum(round(share * scores[name].shape[1]), (scores[name] < np.inf).sum(1))
        assert ((~kept[0]).sum(1) == count).all()
        for row, keeps in zip(scores[name], kept[0], strict=True):
            assert row[~keeps].max(initial=-np.inf) <= row[keeps].min(initial=np.inf)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 7), st.data())
def test_n_of_every_m_neighbors_stay(rows: int, groups: int, m: int, data: st.DataObject) -> None:
    m, n = m + 1, data.draw(st.integers(1, m))
    scores = np.array(
        data.draw(st.lists(st.integers(0, 3), min_size=rows * groups * m, max_size=rows * groups * m))
    )
    kept = prune.mask({"w": scores.reshape(rows, groups * m)}, scope=NM(n, m))["w"].reshape(-1, m)
    assert (kept.sum(1) == n).all()
    for group, keeps in zip(scores.reshape(-1, m), kept, strict=True):
        assert group[~keeps].max() <= group[keeps].min()


@settings(max_examples=60, deadline=None)
@given(scored(), st.floats(0, 0.999), st.integers(1, 3), st.sampled_from([Global(), Layer(), Unit()]))
def test_a_floor_keeps_the_best_of_each_layer_and_the_count(
    scores: dict[str, np.ndarray], share: float, floor: int, scope: Any
) -> None:
    kept = prune.mask(scores, share, scope, floor=floor)
    assert all(m.sum() >= min(floor, m.size) for m in kept.values())
    free = sum(max(s.size - max(floor, np.count_nonzero(s == np.inf)), 0) for s in scores.values())
    if scope == Global():
        assert (~joined(kept)).sum() == min(round(share * joined(scores).size), free)
    for name, m in kept.items() if scope != Unit() else ():
        assert scores[name][~m].max(initial=-np.inf) <= scores[name][m].min()


def test_convolutions_are_grouped_along_their_input_channels() -> None:
    scores = np.random.default_rng(0).random((3, 8, 2, 2))
    kept = prune.mask({"w": scores}, 0.5, NM(2, 4))["w"]
    assert (kept.reshape(3, 2, 4, 2, 2).sum(2) == 2).all()


def test_a_budget_prunes_only_its_layers_and_can_be_a_key() -> None:
    scores = {"a": np.arange(10.0).reshape(2, 5), "b": np.arange(4.0).reshape(2, 2)}
    budget = Budget({"a": 0.3})
    kept = prune.mask(scores, scope=budget)
    assert (int((~kept["a"]).sum()), int((~kept["b"]).sum())) == (3, 0)
    assert len({budget, Budget({"a": 0.3}), Budget({"a": 0.4})}) == 2
    assert {Global(): 1, Layer(): 2, NM(2, 4): 3}[Global()] == 1


def test_masks_come_back_where_the_scores_were() -> None:
    scores = {"w": torch.rand(3, 4, dtype=torch.bfloat16)}
    kept = prune.mask(scores, 0.5)["w"]
    assert (kept.dtype, kept.device, int(kept.sum())) == (torch.bool, scores["w"].device, 6)
    assert prune.mask({"w": np.arange(6).reshape(2, 3)}, 0.5)["w"].tolist() == [[False] * 3, [True] * 3]


def test_infinite_scores_stay_and_go() -> None:
    scores = {"w": np.array([[np.inf, -np.inf, 1.0, 2.0]])}
    assert prune.mask(scores, [0.25, 0.75])["w"].tolist() == [
        [[True, False, True, True]],
        [[True, False, False, False]],
    ]


# What is gone stays gone


def test_what_is_gone_stays_gone_whatever_its_new_score() -> None:
    generator = np.random.default_rng(0)
    first = prune.mask({"w": generator.random((4, 5))}, 0.4)
    later = prune.mask({"w": generator.random((4, 5))}, 0.7, within=first)
    assert (later["w"] <= first["w"]).all()
    assert prune.sparsity(later) == 0.7
    with pytest.raises(ValueError, match=r"mask.sparsity must be at least that of within \('w'\), got"):
        prune.mask({"w": generator.random((4, 5))}, 0.3, within=first)


def test_groups_of_m_may_have_fewer_left() -> None:
    first = {"w": np.array([[False, False, False, True]])}
    assert prune.mask({"w": np.ones((1, 4))}, scope=NM(2, 4), within=first)["w"].sum() == 1


# Thresholds and shares


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 99), st.floats(0, 0.98))
def test_the_cutoff_makes_a_threshold_of_a_sparsity(seed: int, share: float) -> None:
    params = {
        "a": np.random.default_rng(seed).normal(size=(4, 6)),
        "b": np.random.default_rng(seed).normal(size=(2, 9)),
    }
    params["b"] += 0.001  # or some would equal those of a
    scores = prune.magnitude(params)
    eps = prune.cutoff(scores, share)
    kept = {name: m[0] for name, m in Global().kept(scores, np.array([share])).items()}
    assert same(prune.threshold(params, eps), kept)


def test_a_threshold_for_each_layer() -> None:
    params = {"a": torch.tensor([[0.1, -0.3]]), "b": torch.tensor([[0.2, -0.2]]), "bias": torch.zeros(2)}
    kept = prune.threshold(params, {"a": 0.2, "b": 0.2})
    assert {n: m.tolist() for n, m in kept.items()} == {"a": [[False, True]], "b": [[True, True]]}


def test_sparsity_of_rows_and_over_all_parameters() -> None:
    params = {"w": np.ones((2, 5)), "b": np.ones(10)}
    masks = prune.mask({"w": np.arange(10.0).reshape(2, 5)}, [0.2, 0.5])
    assert prune.sparsity(masks, rows=True).tolist() == [0.2, 0.5]
    assert prune.sparsity(masks, params, rows=True).tolist() == [0.1, 0.25]
    stacked = {n: np.stack([p, p]) for n, p in params.items()}
    assert prune.sparsity(masks, stacked, rows=True).tolist() == [0.1, 0.25]
    assert prune.sparsity(masks) == pytest.approx(0.35)
    one = {"w": masks["w"][1]}
    assert (prune.sparsity(one), prune.sparsity(one, params)) == (0.5, 0.25)


# Refused

SCORES = {"a": np.arange(1.0, 7.0).reshape(2, 3), "b": np.arange(10.0, 18.0).reshape(2, 4)}
BAD: list[tuple[Any, dict[str, Any], type, str]] = [
    (SCORES, {"sparsity": 1.0}, ValueError, r"mask.sparsity must be in \[0, 1\), got 1.0"),
    (SCORES, {"sparsity": 1.5}, ValueError, r"mask.sparsity must be in \[0, 1\), got 1.5"),
    (SCORES, {"sparsity": -0.1}, ValueError, r"mask.sparsity must be in \[0, 1\), got -0.1"),
    (SCORES, {"sparsity": float("nan")}, ValueError, r"mask.sparsity must be in \[0, 1\), got nan"),
    (SCORES, {"sparsity": [0.5, 2.0]}, ValueError, r"mask.sparsity must be in \[0, 1\), got \[0.5, 2.0\]"),
    (SCORES, {"sparsity": [[0.5]]}, ValueError, r"mask.sparsity must be a number or of shape \(K,\)"),
    (SCORES, {"sparsity": []}, ValueError, r"mask.sparsity must be a number or of shape \(K,\)"),
    (SCORES, {"sparsity": "half"}, TypeError, "mask.sparsity must be a number"),
    (SCORES, {"sparsity": True}, TypeError, "mask.sparsity must be a number"),
    (SCORES, {}, ValueError, r"mask.sparsity must be in \[0, 1\), got None"),
    (SCORES, {"sparsity": 0.5, "scope": "global"}, TypeError, "mask.scope must be one of"),
    (SCORES, {"sparsity": 0.5, "scope": Global}, TypeError, "mask.scope must be one of"),
    (
        SCORES,
        {"sparsity": 0.5},
        ValueError,
        r"mask.sparsity must leave 'a' a weight \(or give floor=1\), got 0.5",
    ),
    (SCORES, {"sparsity": [0.1, 0.5]}, ValueError, "mask.sparsity must leave 'a' a weight"),
    (SCORES, {"sparsity": 0.95, "scope": Layer()}, ValueError, "mask.sparsity must leave 'a' a weight"),
    (SCORES, {"sparsity": 0.5, "floor": 0}, ValueError, "mask.floor must be at least 1, got 0"),
    (SCORES, {"sparsity": 0.5, "floor": 1.5}, TypeError, "mask.floor must be a whole number or None"),
    (
        SCORES,
        {"sparsity": 0.5, "scope": Budget({"a": 0.5})},
        ValueError,
        "mask.sparsity must be None with a Budget",
    ),
    (
        SCORES,
        {"scope": Budget({"c": 0.5})},
        ValueError,
        r"Budget.sparsities must be for layers among \['a', 'b'\]",
    ),
    (
        SCORES,
        {"sparsity": 0.4, "scope": NM(2, 4)},
        ValueError,
        r"mask.sparsity must be None or 0.5 with NM\(n=2, m=4\)",
    ),
    (
        SCORES,
        {"scope": NM(2, 4)},
        ValueError,
        r"mask.scores\['a'\] must be of inputs in whole groups of 4, got 3",
    ),
    (
        {"a": np.ones(4)},
        {"scope": NM(2, 4)},
        ValueError,
        r"mask.scores\['a'\] must be of two axes or more with NM",
    ),
    (
        SCORES,
        {"sparsity": 0.5, "within": {"a": np.ones((2, 3), bool)}},
        ValueError,
        "mask.within must be given for",
    ),
    (
        SCORES,
        {"sparsity": 0.5, "within": {"a": np.ones((3, 2), bool), "b": np.ones((2, 4), bool)}},
        ValueError,
        r"mask.within\['a'\] must be of shape \(2, 3\), got \(3, 2\)",
    ),
    (
        SCORES,
        {"sparsity": 0.5, "within": {"a": np.ones((2, 3))}},
        TypeError,
        r"mask.within\['a'\] must be an array of b",
    ),
    (
        {"a": np.array([[1.0, np.nan]])},
        {"sparsity": 0.5},
        ValueError,
        r"mask.scores\['a'\] must be without NaN, got 1 of 2",
    ),
    ({"a": np.array([["x"]])}, {"sparsity": 0.5}, TypeError, r"mask.scores\['a'\] must be numbers"),
    (
        {"a": np.zeros((0, 3))},
        {"sparsity": 0.5},
        ValueError,
        r"mask.scores\['a'\] must be of one weight or more",
    ),
    ({}, {"sparsity": 0.5}, ValueError, "mask.scores must be of one parameter or more"),
    ([1.0], {"sparsity": 0.5}, TypeError, "mask.scores must be a mapping"),
]


@pytest.mark.parametrize(("scores", "options", "error", "message"), BAD)
def test_what_makes_no_mask(scores: Any, options: dict[str, Any], error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        prune.mask(scores, **options)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: NM(4, 4), ValueError, r"NM.n must be below NM.m \(4\), got 4"),
        (lambda: NM(0, 4), ValueError, "NM.n must be in"),
        (lambda: NM(1.5, 4), ValueError, "NM.n must be a whole number"),
        (lambda: Budget({"a": 1.0}), ValueError, r"Budget.sparsities\['a'\] must be in \[0, 1\), got 1.0"),
        (lambda: Budget({"a": "much"}), TypeError, r"Budget.sparsities\['a'\] must be a number"),
        (
            lambda: prune.threshold(SCORES, -1),
            ValueError,
            "threshold.eps must be finite and at least 0, got -1",
        ),
        (
            lambda: prune.threshold(SCORES, np.nan),
            ValueError,
            "threshold.eps must be finite and at least 0, got nan",
        ),
        (lambda: prune.threshold(SCORES, "small"), TypeError, "threshold.eps must be a number"),
        (
            lambda: prune.threshold(SCORES, {"a": 1}),
            ValueError,
            r"threshold.eps must be given for \['a', 'b'\]",
        ),
        (lambda: prune.threshold({"a": np.full((1, 2), np.nan)}, 1), ValueError, "without NaN, got 2 of 2"),
        (lambda: prune.threshold({"a": np.ones(2)}, 1), ValueError, "of must be names of parameters"),
        (lambda: prune.cutoff(SCORES, 1.0), ValueError, r"cutoff.sparsity must be in \[0, 1\)"),
        (
            lambda: prune.cutoff(SCORES, 0.99),
            ValueError,
            "cutoff.sparsity must be small enough to keep one of 14",
        ),
        (
            lambda: prune.sparsity({"c": np.ones(1, bool)}, SCORES),
            ValueError,
            "sparsity.masks must be of these",
        ),
        (
            lambda: prune.sparsity({"a": np.ones(2)}),
            TypeError,
            r"sparsity.masks\['a'\] must be an array of bools",
        ),
    ],
)
def test_what_is_no_scope_threshold_or_share(make: Any, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        make()


def test_nothing_is_changed() -> None:
    scores = {n: s.copy() for n, s in SCORES.items()}
    within = {n: s > 2 for n, s in SCORES.items()}
    for s in (*scores.values(), *within.values()):
        s.flags.writeable = False
    prune.mask(scores, 0.5, floor=1, within=within)
    prune.mask(scores, [0.1, 0.3], Layer())
    prune.threshold(scores, 3.0)
    prune.cutoff(scores, 0.5)
    assert same(scores, SCORES)
