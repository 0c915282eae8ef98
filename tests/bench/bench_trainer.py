"""What one Trainer costs, beside the loops that people write: seconds of CPU for the same training.

Every variant trains LeNet-300-100 on MNIST-5k (3,500 images of 28×28) from the same weights with the same torch
optimizer, batch 64, on one thread. Variants alternate, and the median of their repetitions counts.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from optviz import data
from optviz.training.trainer import Trainer

BATCH, EPOCHS, REPEATS = 64, 2, 9
LR, MOMENTUM = 0.05, 0.9


def rows() -> list[dict[str, Any]]:
    """Trainer beside a bare loop and the tutorial loop, and other libraries where they are installed."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        split = data.mnist5k().train
        X, y = torch.tensor(split.X), torch.tensor(split.y)
        others = {"Lightning": ("lightning", _lightning), "skorch": ("skorch", _skorch)}
        variants: dict[str, Callable[..., None]] = {"Trainer": _trainer, "bare": _bare, "tutorial": _tutorial}
        variants |= {name: f for name, (module, f) in others.items() if find_spec(module)}
        seconds = _alternate(variants, X, y)
    finally:
        torch.set_num_threads(threads)
    named = {"bare": ("Trainer / bare hand-written loop", 1.05), "tutorial": ("Trainer / tutorial loop", 0.7)}
    note = f"LeNet-300-100, MNIST-5k, SGD with momentum, batch {BATCH}, {EPOCHS} epochs, one thread"
    result = []
    for key in variants:
        if key != "Trainer":
            name, target = named.get(key, (f"Trainer / {key}", None))
            result.append(_row(name, seconds["Trainer"], seconds[key], target, note))
    return result


def _row(
    name: str, ours: list[float], reference: list[float], target: float | None, note: str
) -> dict[str, Any]:
    ratio = statistics.median(a / b for a, b in zip(ours, reference, strict=True))
    return {
        "name": name, "ours": statistics.median(ours), "reference": statistics.median(reference),
        "ratio": ratio, "target": target, "limit": "at most", "note": note,
    }  # fmt: skip


def _alternate(variants: dict[str, Callable[..., None]], X: Any, y: Any) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for repeat in range(REPEATS + 1):
        for name, train in variants.items():
            model = _model()
            optimizer = torch.optim.SGD(model.parameters(), LR, momentum=MOMENTUM)
            start = time.process_time()
            train(model, optimizer, X, y)
            if repeat:  # the first round warms up
                seconds[name].append(time.process_time() - start)
    return seconds


def _model() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10)
        )


def _trainer(model: nn.Module, optimizer: Any, X: Any, y: Any) -> None:
    Trainer(model, optimizer, LR, loss=nn.CrossEntropyLoss(), device="cpu", batch=BATCH).fit(
        (X, y), epochs=EPOCHS, progress=False
    )


def _bare(model: nn.Module, optimizer: Any, X: Any, y: Any) -> None:
    loss_of = nn.CrossEntropyLoss()
    for _ in range(EPOCHS):
        order = torch.randperm(len(X))
        for start in range(0, len(X), BATCH):
            picked = order[start : start + BATCH]
            optimizer.zero_grad()
            loss = loss_of(model(X[picked]), y[picked])
            loss.backward()
            optimizer.step()


def _tutorial(model: nn.Module, optimizer: Any, X: Any, y: Any) -> None:
    loader = DataLoader(TensorDataset(X, y), batch_size=BATCH, shuffle=True)
    loss_of, total = nn.CrossEntropyLoss(), 0.0
    for _ in range(EPOCHS):
        for images, labels in loader:
            optimizer.zero_grad()
            loss = loss_of(model(images), labels)
            loss.backward()
            optimizer.step()
            total += loss.item()


def _lightning(model: nn.Module, optimizer: Any, X: Any, y: Any) -> None:
    import lightning

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net, self.loss_of = model, nn.CrossEntropyLoss()

        def training_step(self, batch: Any, index: int) -> Any:
            return self.loss_of(self.net(batch[0]), batch[1])

        def configure_optimizers(self) -> Any:
            return optimizer

    loader = DataLoader(TensorDataset(X, y), batch_size=BATCH, shuffle=True)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = lightning.Trainer(max_epochs=EPOCHS, accelerator="cpu", enable_model_summary=False, **quiet)
    trainer.fit(Module(), loader)


def _skorch(model: nn.Module, optimizer: Any, X: Any, y: Any) -> None:
    from skorch import NeuralNetClassifier

    net = NeuralNetClassifier(
        model, criterion=nn.CrossEntropyLoss, optimizer=torch.optim.SGD, optimizer__momentum=MOMENTUM, lr=LR,
        batch_size=BATCH, max_epochs=EPOCHS, train_split=None, verbose=0, iterator_train__shuffle=True,
    )  # fmt: skip
    net.fit(X, y)


if __name__ == "__main__":
    for row in rows():
        print({k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()})
