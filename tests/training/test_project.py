"""Maps of the weights right after each update: what they get, and that they hold."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from optviz import problems
from optviz.optimizers import SGD, Adam, ScheduleFree
from optviz.problems import Classification
from optviz.training import Run, Trainer, iterate, train

PROBLEM = problems.digits(hidden=(8,))


class Shrinking(Classification):
    """Weights that lose a share, given by row, after each update; the loss knows nothing of it."""

    def loss_and_grad(self, params: Any, batch: Any, out: Any = None, share: Any = 0.0) -> Any:
        return super().loss_and_grad(params, batch, out)

    def project(self, params: Mapping[str, Any], lr: np.ndarray, share: np.ndarray) -> dict[str, Any]:
        kept = 1 - lr * share
        return {n: p * kept.reshape(-1, *[1] * (p.ndim - 1)).astype(p.dtype) for n, p in params.items()}


def test_a_projection_holds_after_every_update() -> None:
    def boxed(params: dict[str, Any], lr: np.ndarray) -> dict[str, Any]:
        return {name: p.clip(-0.05, 0.05) for name, p in params.items()}

    for step in iterate(PROBLEM, [Run(SGD(0.9), 0.5)], 12, every=1, project=boxed):
        assert all(np.abs(p).max() <= 0.05 for p in step.params.values())


def test_a_projection_gets_the_rates_of_the_update_and_mutates_nothing() -> None:
    seen = []

    def look(params: dict[str, Any], lr: np.ndarray) -> dict[str, Any]:
        seen.append(lr.copy())
        return params

    runs = [Run(SGD(), lambda t: 0.1 / (1 + t), "falling"), Run(SGD(), 0.2, "constant")]
    watched, plain = (train(PROBLEM, runs, 5, project=p) for p in (look, None))
    assert np.allclose(np.array(seen).T, watched["lr"])
    assert np.array_equal(watched["loss"], plain["loss"])


def test_a_problem_s_own_projection_gets_each_row_s_extra_whatever_the_order_of_rules() -> None:
    own = Shrinking(PROBLEM.data, (8,))
    rules = (SGD(), Adam(), SGD(0.9), Adam())  # grouped as rows 0, 2, 1, 3
    runs = [Run(rule, 0.05, str(k), (("share", 0.5 * k),)) for k, rule in enumerate(rules)]
    together = train(own, runs, 8)
    for k, run in enumerate(runs):
        alone = train(own, [run], 8)
        assert np.array_equal(alone["loss"][0], together["loss"][k])
        assert all(np.array_equal(alone.params[n][0], together.params[n][k]) for n in alone.params)


def test_a_projection_must_give_the_same_names() -> None:
    with pytest.raises(ValueError, match="project must be a mapping with the names"):
        train(PROBLEM, [Run(SGD(), 0.1)], 2, project=lambda params, lr: {})


class Own:
    """A factor for each of K rows, which knows how to give those of some rows."""

    def __init__(self, factors: np.ndarray):
        self.factors = factors

    def of_rows(self, rows: list[int]) -> Own:
        return Own(self.factors[rows])

    def __call__(self, params: Any, lr: Any = None) -> dict[str, Any]:
        return {n: p * self.factors.reshape(-1, *[1] * (p.ndim - 1)) for n, p in params.items()}


@pytest.mark.parametrize("place", ["view", "grads", "project"])
def test_maps_with_rows_follow_seeds_rules_and_chunks(place: str) -> None:
    rules = (SGD(), Adam(), SGD(0.9)) * 24  # 72 rows a seed: more than are updated together
    runs = [Run(rule, 0.05, str(k)) for k, rule in enumerate(rules)]
    factors = np.linspace(0.5, 1, 2 * len(runs)).astype(np.float32)
    together = train(PROBLEM, runs, 3, seed=(4, 7), **{place: Own(factors)})
    for row in (0, 1, 5, 64, 133, 143):
        run, seed = runs[row // 2], (4, 7)[row % 2]
        alone = train(PROBLEM, [run], 3, seed=seed, **{place: Own(factors[[row]])})
        assert np.array_equal(alone["loss"][0], together["loss"][row])


def test_the_trainer_applies_a_projection_after_every_update() -> None:
    model, seen = torch.nn.Linear(4, 3), []

    def boxed(params: dict[str, Any]) -> dict[str, Any]:
        seen.append(params["weight"].abs().max().item())
        return {"weight": params["weight"].clamp(-0.1, 0.1)}

    before = model.bias.detach().clone()
    trainer = Trainer(model, SGD(0.9), 0.5, loss=torch.nn.CrossEntropyLoss(), batch=10, project=boxed)
    X, y = torch.randn(40, 4), torch.arange(40) % 3
    for _ in trainer.steps((X, y), epochs=3, every=1):
        assert model.weight.abs().max() <= 0.1
    assert len(seen) == 1 + 12
    assert max(seen) > 0.1
    assert not torch.equal(model.bias, before), "what the map leaves out trains on"


@pytest.mark.parametrize(
    ("project", "error", "message"),
    [
        (3, TypeError, "Trainer.project must be a map params -> params, got 3"),
        (lambda params: 1, TypeError, "Trainer.project must give a mapping name -> tensor, got 1"),
        (lambda params: {"w": params["weight"]}, ValueError, "Trainer.project must be a map to parameters"),
        (lambda params: {"weight": params["bias"]}, ValueError, r"Trainer.project's weight must be of shape"),
    ],
)
def test_the_trainer_refuses_other_maps(project: Any, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        Trainer(torch.nn.Linear(4, 3), SGD(), 0.1, loss=torch.nn.CrossEntropyLoss(), project=project)


def test_the_trainer_refuses_a_projection_of_averaged_weights() -> None:
    with pytest.raises(ValueError, match=r"Trainer.project must be None with a rule that keeps weights"):
        Trainer(
            torch.nn.Linear(4, 3), ScheduleFree(), 0.1, loss=torch.nn.CrossEntropyLoss(), project=lambda p: p
        )


def test_a_checkpoint_is_not_resumed_without_its_projection(tmp_path: Path) -> None:
    X, y = torch.randn(20, 4), torch.arange(20) % 3

    def fit(project: Any, **more: Any) -> Any:
        trainer = Trainer(
            torch.nn.Linear(4, 3), SGD(), 0.1, loss=torch.nn.CrossEntropyLoss(), batch=10, project=project
        )
        return trainer.fit((X, y), epochs=1, progress=False, checkpoint=tmp_path / "run.safetensors", **more)

    fit(lambda params: params)
    with pytest.raises(ValueError, match=r"checkpoint must be of the same training, .* whose project is"):
        fit(None, resume=True)
