"""K runs as one beside K loops: the loop of the tutorials, and a bare one over tensors.

All three train the same eight networks: same starting weights, same batches in the same order, same rates,
one evaluation an epoch; that the losses agree is asserted. One thread, repetitions alternated, medians.
"""

from __future__ import annotations

import gc
import statistics
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F
from torch.optim import lr_scheduler as lrs
from torch.utils.data import DataLoader, TensorDataset

from optviz import problems, schedules
from optviz._clock import human_bytes, stopwatch
from optviz.optimizers import SGD
from optviz.training import Run, train

__all__ = ["rows"]

REPEATS, MOMENTUM, LR = 5, 0.9, 0.1
Plan = tuple[Any, Callable[[Any], Any]]


def rows() -> list[dict[str, Any]]:
    """Seconds of ours and of both references, as the table of ``tests.bench`` wants them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [
            *_against_loops("8 schedules × 10 epochs of digits", problems.digits(), 10, ("≥ 15", "≥ 6")),
            *_against_loops("8 schedules × 3 epochs of MNIST-5k", problems.mnist5k(), 3, ("≥ 6.5", "≥ 3.2")),
            *_many_rows(),
        ]
    finally:
        torch.set_num_threads(threads)


def _plans(steps: int) -> list[Plan]:
    """Eight schedules, each with the PyTorch scheduler that has the same rates."""
    third = steps // 3
    drops = (third, 2 * third)
    return [
        (schedules.Constant(LR), lambda o: lrs.ConstantLR(o, 1.0)),
        (schedules.Linear(LR, steps), lambda o: lrs.LinearLR(o, 1.0, 0.0, steps)),
        (schedules.StepDecay(LR, third, 0.5), lambda o: lrs.StepLR(o, third, 0.5)),
        (schedules.MultiStep(LR, drops, 0.2), lambda o: lrs.MultiStepLR(o, drops, 0.2)),
        (schedules.Exponential(LR, 0.99), lambda o: lrs.ExponentialLR(o, 0.99)),
        (schedules.Polynomial(LR, steps, 2.0), lambda o: lrs.PolynomialLR(o, steps, 2.0)),
        (schedules.Cosine(LR, steps), lambda o: lrs.CosineAnnealingLR(o, steps)),
        (schedules.OneCycle(LR, steps + 1), lambda o: lrs.OneCycleLR(o, LR, steps + 1, cycle_momentum=False)),
    ]


class Same:
    """What both references start from: the weights and the order of the examples that ``train`` draws."""

    def __init__(self, problem: Any, epochs: int) -> None:
        self.problem, self.epochs, self.batch = problem, epochs, problem.batch
        self.updates = problem.updates_per_epoch
        images = problem.data
        self.X, self.y = torch.tensor(np.array(images.train.X)), torch.tensor(problem.labels)
        self.held = torch.tensor(np.array(images.validation.X)), torch.tensor(np.array(images.validation.y))
        given: list[Any] = []
        recorder = _Recorder(problem, given)
        train(recorder, [Run(SGD(), 0.0)], epochs * self.updates, every=self.updates)
        place = {row.tobytes(): i for i, row in enumerate(images.train.X)}
        self.orders = np.array([[place[row.tobytes()] for row in X] for X, _ in given]).reshape(epochs, -1)
        self.start = {n: torch.tensor(p) for n, p in recorder.start.items()}

    def model(self) -> torch.nn.Module:
        """A fresh network with the shared starting weights."""
        layers: list[torch.nn.Module] = []
        for inputs, outputs in zip(self.problem.sizes[:-1], self.problem.sizes[1:], strict=True):
            layers += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU()]
        network = torch.nn.Sequential(*layers[:-1])
        with torch.no_grad():
            for p, start in zip(network.parameters(), self.start.values(), strict=True):
                p.copy_(start)
        return network

    def evaluate(self, model: torch.nn.Module) -> tuple[float, float]:
        X, y = self.held
        with torch.no_grad():
            logits = model(X)
            return F.cross_entropy(logits, y).item(), (logits.argmax(1) == y).float().mean().item()


class _Recorder:
    """A problem that remembers its starting weights and the batches it gave."""

    def __init__(self, problem: Any, given: list[Any]) -> None:
        self.problem, self.given, self.start = problem, given, {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.problem, name)

    def init(self, generator: np.random.Generator) -> Any:
        self.start = self.problem.init(generator)
        return self.start

    def batches(self, generator: np.random.Generator) -> Iterator[Any]:
        for batch in self.problem.batches(generator):
            self.given.append(batch)
            yield batch


def _tutorial(same: Same, plans: list[Plan]) -> np.ndarray:
    """A DataLoader over a TensorDataset, ``.item()`` at every update, one run after the other."""
    found = []
    for _, plan in plans:
        model, losses = same.model(), []
        optimizer = torch.optim.SGD(model.parameters(), LR, MOMENTUM)
        scheduler = plan(optimizer)
        for order in same.orders:
            loader = DataLoader(
                TensorDataset(same.X, same.y), same.batch, sampler=order.tolist(), drop_last=True
            )
            for X, y in loader:
                optimizer.zero_grad()
                loss = F.cross_entropy(model(X), y)
                loss.backward()
                optimizer.step()
                scheduler.step()
                losses.append(loss.item())
            same.evaluate(model)
        found.append(losses)
    return np.array(found)


def _bare(same: Same, plans: list[Plan]) -> np.ndarray:
    """Tensors indexed by slices of the order, losses read once an epoch, one run after the other."""
    found = []
    for _, plan in plans:
        model, losses = same.model(), []
        optimizer = torch.optim.SGD(model.parameters(), LR, MOMENTUM)
        scheduler = plan(optimizer)
        for order in torch.tensor(same.orders):
            for chosen in order.split(same.batch):
                optimizer.zero_grad()
                loss = F.cross_entropy(model(same.X[chosen]), same.y[chosen])
                loss.backward()
                optimizer.step()
                scheduler.step()
                losses.append(loss.detach())
            same.evaluate(model)
        found.append(torch.stack(losses).numpy())
    return np.array(found)


def _ours(same: Same, plans: list[Plan]) -> np.ndarray:
    runs = [Run(SGD(MOMENTUM), schedule) for schedule, _ in plans]
    return train(same.problem, runs, same.epochs * same.updates, every=same.updates)["loss"]


def _against_loops(name: str, problem: Any, epochs: int, limits: tuple[str, str]) -> list[dict[str, Any]]:
    same = Same(problem, epochs)
    plans = _plans(epochs * same.updates)
    ways = {"ours": _ours, "tutorial": _tutorial, "bare": _bare}
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    losses = {}
    for _ in range(REPEATS):
        for way, function in ways.items():
            gc.collect()
            with stopwatch() as watch:
                losses[way] = function(same, plans)
            seconds[way].append(watch.seconds)
    gap = max(float(abs(losses["ours"] - losses[way]).max()) for way in ("tutorial", "bare"))
    assert gap < 1e-5, f"losses must agree to 1e-5, got {gap}"
    medians = {way: statistics.median(times) for way, times in seconds.items()}
    ours, floor = medians["ours"], len(plans) * epochs * same.updates * _flops(problem) / _gemm_peak()
    net = "-".join(str(size) for size in problem.sizes)
    notes = [
        f"{net}, batch {problem.batch}; losses agree to {gap:.0e}",
        f"limit by arithmetic {floor * 1e3:.0f} ms",
    ]
    return [
        {"name": f"{name}, against {what} loops", "ours": ours, "reference": medians[way], "note": note}
        | {"ratio": medians[way] / ours, "limit": limit}
        for what, way, note, limit in zip(
            ("DataLoader", "bare"), ("tutorial", "bare"), notes, limits, strict=True
        )
    ]


def _flops(problem: Any) -> float:
    """Multiplications and additions of one update of one run: forward, weight and input gradients."""
    products = [a * b for a, b in zip(problem.sizes[:-1], problem.sizes[1:], strict=True)]
    return 2.0 * problem.batch * (2 * sum(products) + sum(products[1:]))


def _gemm_peak(size: int = 1024) -> float:
    """The most floating-point operations a second that a large float32 matmul reaches here on one thread."""
    a, best = torch.rand(size, size), 0.0
    for _ in range(8):
        with stopwatch() as watch:
            a @ a
        best = max(best, 2 * size**3 / watch.seconds)
    return best


def _many_rows() -> list[dict[str, Any]]:
    """Cost of a run (best of 3) and peak memory from 64 to 1,024 rows, which go through in chunks."""
    problem, steps = problems.digits(), 40
    seconds: dict[int, list[float]] = {1: [], 64: [], 1024: []}
    for _ in range(3):
        for count, times in seconds.items():
            with stopwatch() as watch:
                train(problem, _some(count), steps, every=steps)
            times.append(watch.seconds)
    each = {count: min(times) / count for count, times in seconds.items()}
    weights = 4 * sum(p.size for p in problem.init(np.random.default_rng(0)).values())
    peak = {count: _peak(problem, count, steps) for count in (64, 1024)}
    least = 3 * weights * 1024  # weights, gradients and momentum
    return [
        {
            "name": "Cost of one of 1,024 runs, against one of 64",
            "ours": each[1024],
            "reference": each[64],
            "ratio": each[1024] / each[64],
            "limit": "≤ 1.3",
            "note": f"linear; a run alone costs {each[1] / each[64]:.1f} times as much",
        },
        {
            "name": "Peak memory of 1,024 runs, against weights, gradients and momentum",
            "ours": human_bytes(peak[1024]),
            "reference": human_bytes(least),
            "ratio": peak[1024] / least,
            "limit": "≤ 2",
            "note": f"64 runs: {human_bytes(peak[64])}",
        },
    ]


def _some(count: int) -> list[Run]:
    return [Run(SGD(MOMENTUM), 0.1 * (k + 1) / count, str(k)) for k in range(count)]


def _peak(problem: Any, count: int, steps: int) -> int:
    """Bytes that a training holds at most (NumPy reports its arrays to ``tracemalloc``)."""
    gc.collect()
    tracemalloc.start()
    try:
        train(problem, _some(count), steps, every=steps)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
