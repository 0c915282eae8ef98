"""Masks that hold: through momentum and Adam, in rows, in a Trainer, through checkpoints and copies."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import prune as torch_prune

from optviz import problems, prune
from optviz.optimizers import SGD, Adam, AdamW
from optviz.training import Run, Trainer, iterate, train

PROBLEM = problems.digits(hidden=(8,))
START = PROBLEM.init(np.random.default_rng(0))
SCORES = prune.magnitude(START)
HALF = prune.mask(SCORES, 0.5, prune.Layer())
RULES = (SGD(0.9), SGD(0.9, nesterov=True), Adam(), AdamW(weight_decay=0.1))


def zeros_hold(params: Any, masks: Any) -> bool:
    """Whether all that is masked is 0, and not −0, and something else has moved."""
    gone = [np.asarray(params[n])[..., ~np.asarray(m)] for n, m in masks.items()]
    return all((g == 0).all() and not np.signbit(g).any() for g in gone)


# In rows


@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize("ways", [("view", "grads"), ("view",), ("project",)], ids=str)
def test_zeros_hold_in_every_update(rule: Any, ways: tuple[str, ...]) -> None:
    hold = prune.masked(HALF)
    for step in iterate(PROBLEM, [Run(rule, 0.05)], 8, every=1, params=START, **dict.fromkeys(ways, hold)):
        assert zeros_hold(step.params, HALF)
    assert not np.array_equal(step.params["weight1"][0], hold(START)["weight1"])
    assert not np.array_equal(step.params["bias1"][0], START["bias1"])


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_as_a_view_or_after_each_update_makes_no_difference(rule: Any) -> None:
    hold = prune.masked(HALF)
    seen, after = (
        train(PROBLEM, [Run(rule, 0.05)], 30, params=hold(START), **ways)
        for ways in ({"view": hold, "grads": hold}, {"project": hold})
    )
    assert np.array_equal(seen["loss"], after["loss"])
    assert all(np.array_equal(seen.params[n], after.params[n]) for n in START)


def test_without_a_mask_on_the_weights_zeros_come_back() -> None:
    """A mask on the gradients does nothing against the momentum of the training before."""
    hold, rule = prune.masked(HALF), SGD(0.9)
    p, g = START["weight1"], np.ones_like(START["weight1"])
    _, state = rule.update(g, rule.init(p), p, 0.1, 0)
    w = hold({**START, "weight1": p})["weight1"]
    delta, _ = rule.update(hold({**START, "weight1": g})["weight1"], state, w, 0.1, 1)
    assert np.allclose((w + delta)[~HALF["weight1"]], -0.1 * 0.9)


def test_eight_sparsities_in_one_training_are_eight_trainings() -> None:
    shares = [0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.97]
    masks, runs = prune.mask(SCORES, shares, floor=1), [Run(SGD(0.9), 0.1)] * 8
    hold = prune.masked(masks)
    together = train(PROBLEM, runs, 20, params=START, view=hold, grads=hold)
    for k in range(8):
        one = prune.masked({n: m[k] for n, m in masks.items()})
        alone = train(PROBLEM, runs[:1], 20, params=START, view=one, grads=one)
        assert np.array_equal(alone["loss"][0], together["loss"][k])
        found = {n: p[k] != 0 for n, p in together.params.items() if n in masks}
        assert prune.sparsity(found) == pytest.approx(shares[k], abs=0.003)


def test_rows_of_several_seeds_and_rules_keep_their_own_masks() -> None:
    rules, seeds = (SGD(0.9), Adam(), SGD(0.9)), (3, 5)
    drawn = [prune.mask(prune.random(START, np.random.default_rng(k)), 0.1 * k + 0.1) for k in range(6)]
    hold, runs = prune.masked(prune.stacked(drawn)), [Run(rule, 0.05, str(k)) for k, rule in enumerate(rules)]
    together = train(PROBLEM, runs, 10, seed=seeds, view=hold, grads=hold)
    for row in range(6):
        assert zeros_hold({n: p[row] for n, p in together.params.items()}, drawn[row])
        one = prune.masked(drawn[row])
        alone = train(PROBLEM, [runs[row // 2]], 10, seed=seeds[row % 2], view=one, grads=one)
        assert np.array_equal(alone["loss"][0], together["loss"][row])


def test_rows_of_rows() -> None:
    masks = {"w": np.eye(4, dtype=bool)[:, None]}
    some = prune.masked(masks).of_rows([3, 1, 0]).of_rows([2, 0])
    assert some({"w": np.ones((2, 1, 4))})["w"][:, 0].tolist() == [[1, 0, 0, 0], [0, 0, 0, 1]]
    shared = prune.masked({"w": np.array([[True, False]])}).of_rows([5, 2])
    assert shared({"w": np.ones((2, 1, 2))})["w"].tolist() == [[[1, 0]], [[1, 0]]]


def test_masks_of_arrays_hold_tensors_and_the_other_way_round() -> None:
    X, y = torch.eye(6).repeat(4, 1), (torch.arange(24) % 3)
    problem = problems.from_module(nn.Linear(6, 3), X, y, batch=8)
    kept = np.random.default_rng(0).random((3, 6)) < 0.5
    hold = prune.masked({"weight": kept})
    found = train(problem, [Run(SGD(0.9), 0.1), Run(Adam(), 0.1)], 5, view=hold, grads=hold)
    assert zeros_hold(found.params, {"weight": kept})
    assert prune.masked({"w": torch.tensor(kept)})({"w": np.ones((3, 6))})["w"].sum() == kept.sum()


# In a Trainer


def network() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))


DATA = (torch.linspace(-1, 1, 160).reshape(40, 4).sin(), torch.arange(40) % 3)


def trainer(masks: dict[str, torch.Tensor], rule: Any = None, model: Any = None) -> Trainer:
    options = {"loss": nn.CrossEntropyLoss(), "batch": 10, "device": "cpu"}
    return Trainer(model or network(), rule or SGD(0.9), 0.1, project=prune.masked(masks), **options)


def half(model: nn.Module, share: float = 0.5) -> dict[str, torch.Tensor]:
    return prune.mask(prune.magnitude(dict(model.named_parameters())), share)


@pytest.mark.parametrize("rule", [SGD(0.9), Adam(), AdamW(weight_decay=0.1)], ids=str)
def test_zeros_hold_in_a_trainer(rule: Any) -> None:
    model, masks = network(), half(network())
    for _ in trainer(masks, rule, model).steps(DATA, epochs=2, every=1):
        assert zeros_hold({n: p.detach() for n, p in model.named_parameters()}, masks)
    assert not torch.equal(model[0].weight[masks["0.weight"]], network()[0].weight[masks["0.weight"]])


def test_zeros_hold_through_a_checkpoint_and_other_masks_are_refused(tmp_path: Path) -> None:
    masks, place = half(network()), tmp_path / "run.safetensors"
    whole = trainer(masks)
    whole.fit(DATA, epochs=4, progress=False)
    trainer(masks).fit(DATA, epochs=2, progress=False, checkpoint=place)
    later = trainer({n: m.clone() for n, m in masks.items()})
    later.fit(DATA, epochs=4, progress=False, checkpoint=place, resume=True)
    assert zeros_hold({n: p.detach() for n, p in later.model.named_parameters()}, masks)
    assert all(map(torch.equal, later.model.parameters(), whole.model.parameters()))
    with pytest.raises(ValueError, match=r"checkpoint must be of the same training, .* whose project is"):
        trainer(half(network(), 0.6)).fit(DATA, epochs=5, progress=False, checkpoint=place, resume=True)


def test_a_copy_of_a_masked_model_is_a_masked_model() -> None:
    """Where torch's own hooks can't be copied."""
    model, masks = network(), half(network())
    hold = prune.masked(masks)
    twin, held = copy.deepcopy(prune.bake(model, masks)), copy.deepcopy(hold)
    params = dict(twin.named_parameters())
    output = torch.func.functional_call(model, held(dict(model.named_parameters())), DATA[0])
    assert torch.equal(torch.func.functional_call(twin, held(params), DATA[0]), output)
    assert torch.equal(twin(DATA[0]), output)
    torch_prune.global_unstructured([(model[0], "weight")], torch_prune.L1Unstructured, amount=0.5)
    model(DATA[0])
    with pytest.raises(RuntimeError, match="deepcopy"):
        copy.deepcopy(model)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU")
def test_on_a_gpu_masks_are_the_same_and_stay_there() -> None:
    model = network()
    masks = half(model)
    there = half(copy.deepcopy(model).cuda())
    assert all(m.is_cuda and torch.equal(m.cpu(), masks[n]) for n, m in there.items())
    baked = prune.bake(copy.deepcopy(model).cuda(), masks)
    assert all(p.is_cuda for p in baked.parameters())
    assert zeros_hold({n: p.detach().cpu() for n, p in baked.named_parameters()}, masks)
    held = prune.masked(masks)(dict(baked.named_parameters()))
    assert torch.equal(held["0.weight"], baked[0].weight)


def test_the_name_of_a_map_tells_masks_apart() -> None:
    masks = {"w": np.array([[True, False]])}
    assert repr(prune.masked(masks)) == repr(prune.masked({"w": torch.tensor([[True, False]])}))
    assert repr(prune.masked(masks)) != repr(prune.masked({"w": ~masks["w"]}))
    assert repr(prune.masked(masks)).startswith("Masked(w: (1, 2); 1 of 2 kept; ")


# For good


def test_baked_weights_are_zero_in_a_copy_and_revive_in_training() -> None:
    model, masks = network(), half(network())
    before = copy.deepcopy(model.state_dict())
    baked = prune.bake(model, masks)
    assert all(torch.equal(v, before[n]) for n, v in model.state_dict().items())
    assert zeros_hold({n: p.detach() for n, p in baked.named_parameters()}, masks)
    assert all(p.is_leaf and p.requires_grad for p in baked.parameters())
    optimizer = torch.optim.SGD(baked.parameters(), 0.1)
    nn.functional.cross_entropy(baked(DATA[0]), DATA[1]).backward()
    optimizer.step()
    assert not zeros_hold({n: p.detach() for n, p in baked.named_parameters()}, masks)


def test_what_is_not_a_number_goes_too() -> None:
    layer = nn.Linear(2, 1)
    layer.weight.data[0, 1] = float("nan")
    assert prune.bake(layer, {"weight": np.array([[True, False]])}).weight[0, 1] == 0


def test_nothing_is_changed() -> None:
    params = {n: p.copy() for n, p in START.items()}
    masks = {n: m.copy() for n, m in HALF.items()}
    for value in (*params.values(), *masks.values()):
        value.flags.writeable = False
    assert prune.masked(masks)(params)["bias1"] is params["bias1"]
    prune.stacked([masks, masks])


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(3, 3), nn.Linear(3, 3)
        self.b.weight = self.a.weight


def hooked() -> nn.Module:
    return torch_prune.l1_unstructured(nn.Linear(2, 1), "weight", 1)


BOOLS = np.ones((1, 2), bool)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: prune.masked([BOOLS]), TypeError, "masked.masks must be a mapping name -> array of bools"),
        (lambda: prune.masked({}), ValueError, "masked.masks must be of one parameter or more"),
        (
            lambda: prune.masked({"w": np.ones(2)}),
            TypeError,
            r"masked.masks\['w'\] must be an array of bools",
        ),
        (
            lambda: prune.masked({"w": [True]}),
            TypeError,
            r"masked.masks\['w'\] must be an array of bools, got list",
        ),
        (lambda: prune.masked({"v": BOOLS})(START), ValueError, "masked.masks must be of parameters among"),
        (
            lambda: prune.masked({"weight1": BOOLS})(START),
            ValueError,
            r"masked.masks\['weight1'\] must be of shape \(8, 64\), got \(1, 2\)",
        ),
        (
            lambda: train(PROBLEM, [Run(SGD(), 0.1)] * 3, 1, view=prune.masked(prune.stacked([HALF] * 4))),
            ValueError,
            r"masked.masks\['weight1'\] must be of shape \(8, 64\) or \(3, 8, 64\), got \(4, 8, 64\)",
        ),
        (
            lambda: train(PROBLEM, [Run(SGD(), 0.1)], 1, project=prune.masked({"w": BOOLS})),
            ValueError,
            r"masked.masks must be of parameters among \['bias1', .*\], got 'w'",
        ),
        (
            lambda: prune.masked(prune.stacked([HALF] * 2)).of_rows([0, 2])(
                {n: np.stack([p, p]) for n, p in START.items()}
            ),
            ValueError,
            r"masked.masks\['weight1'\] must be of 3 rows or more, got 2",
        ),
        (lambda: prune.stacked([]), ValueError, "stacked.masks must be of one network or more"),
        (
            lambda: prune.stacked([HALF, {"w": BOOLS}]),
            ValueError,
            "stacked.masks must be alike in names and sh",
        ),
        (lambda: prune.bake(START, HALF), TypeError, "bake.model must be a torch.nn.Module, got dict"),
        (lambda: prune.bake(nn.Linear(2, 1), HALF), ValueError, "bake.masks must be of parameters among"),
        (
            lambda: prune.bake(nn.Linear(3, 1), {"weight": BOOLS}),
            ValueError,
            r"bake.masks\['weight'\] must be of shape \(1, 3\), got \(1, 2\)",
        ),
        (
            lambda: prune.bake(Tied(), {"a.weight": np.ones((3, 3), bool)}),
            ValueError,
            r"bake.masks\['a.weight'\] must be of a parameter that no other shares, got \['a.weight', 'b.w",
        ),
        (
            lambda: prune.bake(hooked(), {"weight": BOOLS}),
            ValueError,
            "bake.model must be free of torch.nn.utils",
        ),
    ],
)
def test_what_is_no_mask(make: Callable[[], Any], error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        make()
