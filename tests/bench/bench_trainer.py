"""What one Trainer costs, beside the loops that people write: seconds of CPU for the same training.

Every variant trains LeNet-300-100 on MNIST-5k (3,500 images of 28×28) from the same weights, batch 64, on one
thread. Trainer is given a rule, for which it picks PyTorch's fused optimizer; the bare loop uses that very
optimizer; the tutorial loop and the other libraries use what people write, ``Adam(params, lr)``. With SGD the
tutorial row has no target: optimizer and loader cost too little there, the bare loop itself is near 0.8.
Variants alternate, and the median of the ratios of their rounds counts.
"""

from __future__ import annotations

import functools
import logging
import statistics
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from optviz import data, optimizers
from optviz.training.trainer import Trainer

BATCH, EPOCHS, REPEATS = 64, 2, 9
KINDS: dict[str, tuple[Any, Callable[..., Any]]] = {
    "Adam": (optimizers.Adam(), functools.partial(torch.optim.Adam, lr=1e-3)),
    "SGD": (optimizers.SGD(0.9), functools.partial(torch.optim.SGD, lr=0.05, momentum=0.9)),
}


def rows() -> list[dict[str, Any]]:
    """Trainer beside a bare loop and the tutorial loop, and other libraries where they are installed."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [row for kind in KINDS for row in _rows_of(kind)]
    finally:
        torch.set_num_threads(threads)


def _rows_of(kind: str) -> list[dict[str, Any]]:
    split = data.mnist5k().train
    X, y = torch.tensor(split.X), torch.tensor(split.y)
    others = {"Lightning": ("lightning", _lightning), "skorch": ("skorch", _skorch)}
    variants: dict[str, Callable[..., None]] = {"Trainer": _trainer, "bare": _bare, "tutorial": _tutorial}
    variants |= {name: f for name, (module, f) in others.items() if find_spec(module)}
    seconds = _alternate(variants, kind, X, y)
    named = {"bare": "the bare loop with the same optimizer", "tutorial": "the tutorial loop"}
    targets = {"bare": 1.05, "tutorial": 0.7 if kind == "Adam" else None}
    bare = statistics.median(a / b for a, b in zip(seconds["bare"], seconds["tutorial"], strict=True))
    note = f"LeNet-300-100, MNIST-5k, {kind}, batch {BATCH}, {EPOCHS} epochs, one thread"
    return [
        _row(
            f"Trainer / {named.get(key, key)}, {kind}",
            seconds,
            key,
            targets.get(key),
            f"{note}; the bare loop is at {bare:.2f}" if key == "tutorial" else note,
        )
        for key in variants
        if key != "Trainer"
    ]


def _row(
    name: str, seconds: dict[str, list[float]], key: str, target: float | None, note: str
) -> dict[str, Any]:
    ours, reference = seconds["Trainer"], seconds[key]
    return {
        "name": name,
        "ours": statistics.median(ours),
        "reference": statistics.median(reference),
        "ratio": statistics.median(a / b for a, b in zip(ours, reference, strict=True)),
        "target": target,
        "limit": None if target is None else f"<= {target}",
        "note": note,
    }


def _alternate(variants: dict[str, Callable[..., None]], kind: str, X: Any, y: Any) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for repeat in range(REPEATS + 1):
        for name, train in variants.items():
            model = _model()
            start = time.process_time()
            train(model, kind, X, y)
            if repeat:  # the first round warms up
                seconds[name].append(time.process_time() - start)
    return seconds


def _model() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10)
        )


def _trainer(model: nn.Module, kind: str, X: Any, y: Any) -> None:
    rule, make = KINDS[kind]
    settings: dict[str, Any] = {"loss": nn.CrossEntropyLoss(), "device": "cpu", "batch": BATCH}
    Trainer(model, rule, make.keywords["lr"], **settings).fit((X, y), epochs=EPOCHS, progress=False)


def _bare(model: nn.Module, kind: str, X: Any, y: Any) -> None:
    loss_of, optimizer = nn.CrossEntropyLoss(), KINDS[kind][1](model.parameters(), fused=True)
    for _ in range(EPOCHS):
        order = torch.randperm(len(X))
        for start in range(0, len(X), BATCH):
            picked = order[start : start + BATCH]
            optimizer.zero_grad()
            loss = loss_of(model(X[picked]), y[picked])
            loss.backward()
            optimizer.step()


def _tutorial(model: nn.Module, kind: str, X: Any, y: Any) -> None:
    loader = DataLoader(TensorDataset(X, y), batch_size=BATCH, shuffle=True)
    loss_of, optimizer, total = nn.CrossEntropyLoss(), KINDS[kind][1](model.parameters()), 0.0
    for _ in range(EPOCHS):
        for images, labels in loader:
            optimizer.zero_grad()
            loss = loss_of(model(images), labels)
            loss.backward()
            optimizer.step()
            total += loss.item()


def _lightning(model: nn.Module, kind: str, X: Any, y: Any) -> None:
    import lightning

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net, self.loss_of = model, nn.CrossEntropyLoss()

        def training_step(self, batch: Any, index: int) -> Any:
            return self.loss_of(self.net(batch[0]), batch[1])

        def configure_optimizers(self) -> Any:
            return KINDS[kind][1](self.parameters())

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    loader = DataLoader(TensorDataset(X, y), batch_size=BATCH, shuffle=True)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # advice about workers and logging
        trainer = lightning.Trainer(max_epochs=EPOCHS, accelerator="cpu", enable_model_summary=False, **quiet)
        trainer.fit(Module(), loader)


def _skorch(model: nn.Module, kind: str, X: Any, y: Any) -> None:
    from skorch import NeuralNetClassifier

    make = KINDS[kind][1]
    settings = {f"optimizer__{name}": value for name, value in make.keywords.items()}
    net = NeuralNetClassifier(
        model, criterion=nn.CrossEntropyLoss, optimizer=make.func, batch_size=BATCH, max_epochs=EPOCHS,
        train_split=None, verbose=0, iterator_train__shuffle=True, **settings,
    )  # fmt: skip
    net.fit(X, y)


if __name__ == "__main__":
    for row in rows():
        print({k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()})
