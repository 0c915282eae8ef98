"""The channel explorer without a page: what it cuts, what follows, what it remembers, says and refuses."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np
import pytest
import torch
from cachetools import LRUCache

from optviz import channel_lab, evaluation, ledger, prune
from optviz.widgets import Explorer
from optviz.widgets.channels import NETWORKS, SCORES
from optviz.widgets.channels.draw import crossed
from optviz.widgets.channels.state import LabState

computing = import_module("optviz.widgets.channels.compute")
cuts = import_module("optviz.widgets.channels.cuts")
networks = import_module("optviz.widgets.channels.networks")
MLP, RESIDUAL = "MLP, digits 8×8", "residual CNN with batch norm, MNIST-5k 14×14"


@pytest.fixture(scope="module", autouse=True)
def _fresh() -> None:
    """Nothing is remembered from other files, whose timings and trainings are the same."""
    for home, names in ((networks, ("_models", "_tuned")), (cuts, ("_cuts", "_scores", "_costs"))):
        for name in names:
            getattr(home, name).clear()


def quick(**shared: Any) -> Explorer:
    small = {"network": "CNN, digits 8×8", "steps": 20, "updates": 3, "seeds": 1, "timed": 1}
    return channel_lab(**small | shared)


def model_of(lab: Explorer, seed: int = 0) -> Any:
    """The trained network that a lab remembers."""
    *_, (model, share, fresh) = networks.trained(lab.state, seed)
    assert (share, fresh) == (1.0, False)
    return model


def test_the_accuracy_of_a_cut_is_that_of_the_silenced_network() -> None:
    lab = quick(share=0.4, seeds=2)
    result, data = lab.result, lab.state.images
    X = torch.tensor(np.array(data.validation.X, np.float32))
    for seed in range(2):
        model = model_of(lab, seed)
        keep = prune.choose_units(prune.unit_scores(model, X[:1], prune.WeightNorm(2)), 0.4)
        with torch.no_grad():
            logits = prune.silence(model, keep, X[:1])(X).numpy()
        expected = evaluation.accuracy(logits, data.validation.y)
        assert result.before[seed, result.chosen] == pytest.approx(expected, abs=1e-9)
        if seed == 0:
            assert result.keep.tolist() == keep["2"].tolist()
    assert result.shares[result.chosen] == 0.4
    assert np.isfinite(result.after).all()
    assert result.before[:, 0] == pytest.approx([networks.accuracy(model_of(lab, s), data) for s in (0, 1)])


def test_costs_are_those_of_the_ledger() -> None:
    lab = quick(share=0.5)
    model, one = model_of(lab), cuts.example(lab.state)
    keep = prune.choose_units(prune.unit_scores(model, one, prune.WeightNorm(2)), 0.5)
    small = prune.shrink(model, keep, one)
    table, quartiles = lab.result.costs.table, lab.result.costs.quartiles
    for row, net in ((0, model), (2, small)):
        assert table[row, 0] == ledger.parameters(net).total
        assert table[row, 1] == sum(ledger.macs(net, one).values())
        assert table[row, 2] == ledger.sizes(net, (ledger.Dense(),))[ledger.Dense()]
    assert table[1, :3].tolist() == table[0, :3].tolist(), "zeros save none of the three"
    assert (quartiles[:, 0] <= table[:, 3]).all()
    assert (table[:, 3] <= quartiles[:, 1]).all()
    assert "1 thread" in lab.text()


def test_a_move_trains_nothing_again() -> None:
    lab = quick(seeds=2)
    assert lab.result.fresh in (0, 2)
    before = lab.result
    moved = lab.set(share=0.3).result
    assert (moved.fresh, moved.tuned) == (0, 2)
    assert lab.set(share=0.5).result.tuned == 0
    np.testing.assert_array_equal(lab.result.after, before.after)
    assert lab.result.costs.table.tolist() == before.costs.table.tolist(), "timed once"
    assert lab.set(score="random").result.fresh == 0
    assert lab.set(updates=0, score="L2 norm").result.tuned == 0
    np.testing.assert_array_equal(lab.result.after, lab.result.before)
    assert "remembered" in lab.status(lab.result)


def test_one_layer_alone() -> None:
    lab = quick(layer=2, share=0.25, updates=0)
    bars = {(bar.layer, bar.kind): (bar.before, bar.after) for bar in lab.result.bars}
    assert bars["conv 1", "outputs"] == (16, 16)
    assert bars["conv 2", "inputs"] == (16, 16)
    assert bars["conv 2", "outputs"] == (32, 24)
    assert bars["linear 1", "inputs"] == (128, 96)
    assert lab.result.layer == "conv 2"
    assert lab.set(layer=8).result.layer == "conv 2", "the last there is"


def test_partners_in_a_residual_sum_go_together() -> None:
    lab = quick(network=RESIDUAL, steps=1, updates=0, layer=1, score="BN scale", share=0.5)
    bars = {(bar.layer, bar.kind): bar.after for bar in lab.result.bars if bar.after < bar.before}
    assert {layer for layer, kind in bars if kind == "outputs"} == {"conv 1", "conv 3"}
    assert {layer for layer, kind in bars if kind == "norms"} == {"norm 1", "norm 3"}
    assert set(bars.values()) == {4}
    picture = lab.pictures()["graph"].sentence
    assert "norm 3 norm entries 8 → 4" in picture


def test_renewed_norms_bring_accuracy_back() -> None:
    state = LabState(network=RESIDUAL, steps=40, layer=1)
    *_, (model, _, _) = networks.trained(state, 0)
    plain, renewed = (
        cuts.cut(replace(state, renewed_norms=on), 0, model, 0.5).accuracy for on in (False, True)
    )
    assert renewed > plain + 0.1
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert {norm.momentum for norm in norms} == {0.1}, "the whole network is as before"
    assert "renewed_norms" in quick().fixed(quick().state)
    assert "renewed_norms" not in quick(network=RESIDUAL).fixed(state)


@pytest.mark.parametrize("score", [s for s in SCORES if s != "BN scale"])
def test_every_score_ranks_the_units(score: str) -> None:
    result = quick(network=MLP, score=score, updates=0).result
    assert result.scores.shape == result.keep.shape == (64,)
    assert result.keep.sum() == 32
    assert result.scores[result.keep].min() >= result.scores[~result.keep].max()


def test_pictures_of_units() -> None:
    lab = quick(network=MLP, updates=0)
    lab.finish()
    first = model_of(lab).get_submodule("0").weight.detach().numpy()
    np.testing.assert_array_equal(lab.result.images, first.reshape(64, 8, 8))
    assert lab.set(layer=2).result.kind == "inputs", "weights that read no image are not shown"
    assert lab.result.images.shape == (32, 8, 8)
    lab = quick(pictures="activations", updates=0)
    assert (lab.result.kind, lab.result.images.shape) == ("outputs", (16, 4, 4))
    assert (lab.result.images >= 0).all()


def test_removed_units_are_faded_and_crossed_out() -> None:
    images = np.linspace(-1, 1, 3 * 9).reshape(3, 3, 3)
    clear, keep = crossed(images, np.zeros(0, bool), True), np.array([True, False, True])
    drawn = crossed(images, keep, True)
    assert clear.shape == drawn.shape == (1, 3, 24, 24)
    np.testing.assert_array_equal(drawn[0, [0, 2]], clear[0, [0, 2]])
    assert (drawn[0, 1] != clear[0, 1]).mean() > 0.9
    dark = drawn[0, 1] < 0.2
    assert np.diag(dark).all()
    assert 1 < dark.sum() < 120


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match=r"LabState\.score must be .* without batch norm"):
        channel_lab(network=MLP, score="BN scale")
    with pytest.raises(ValueError, match=r"LabState\.share must be in \[0\.0, 0\.99\], got 1"):
        channel_lab(share=1.0)
    with pytest.raises(TypeError, match="nonsense"):
        channel_lab(nonsense=1)
    assert LabState().network == next(iter(NETWORKS))


def test_a_training_that_is_cut_short_goes_on_where_it_stood(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_models", "_going"):
        monkeypatch.setattr(networks, name, LRUCache(10))
    state = quick().state
    whole = [share for _, share, _ in networks.trained(state, 0)]
    straight = {n: p.clone() for n, p in networks._models[(*state.trained, 0)].state_dict().items()}
    networks._models.clear()
    first = networks.trained(state, 0)
    some = [next(first)[1] for _ in range(2)]
    first.close()
    rest = list(networks.trained(state, 0))
    assert some + [share for _, share, _ in rest] == whole
    for name, p in rest[-1][0].state_dict().items():
        assert torch.equal(p, straight[name])
    assert not networks._going
