"""A training that is killed (SIGKILL: no chance to clean up) and started again ends as if it never was."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")

SCRIPT = """
import sys
import torch
from torch import nn
from optviz import optimizers
from optviz.schedules import Cosine
from optviz.training.checkpoint import Checkpoint
from optviz.training.monitors import EMA, EarlyStopping
from optviz.training.trainer import Trainer

folder = sys.argv[1]
torch.set_num_threads(1)
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(20, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.4), nn.Linear(64, 4))
X = torch.randn(600, 20)
y = X[:, :4].argmax(dim=1)
torch.seed()  # what the global generator holds must not matter
settings = {"loss": nn.CrossEntropyLoss(), "device": "cpu", "batch": 32, "clip_norm": 1.0}
trainer = Trainer(model, optimizers.SGD(0.9, nesterov=True), Cosine(0.1, 1000), **settings)
plan = Checkpoint(folder + "/run.safetensors", updates=3)
monitors = [EMA(0.99), EarlyStopping(patience=60)]
history = trainer.fit((X, y), (X[:100], y[:100]), 50, every=7, monitors=monitors, progress=False,
                      checkpoint=plan, resume=True)
history.save(folder + "/history.npz")
"""


def start(script: Path, folder: Path) -> subprocess.Popen[bytes]:
    folder.mkdir(exist_ok=True)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, str(script), str(folder)], env=environment)


def test_killed_at_random_moments_and_resumed_nothing_differs(tmp_path):
    script = tmp_path / "training.py"
    script.write_text(SCRIPT)
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    assert start(script, whole).wait(timeout=300) == 0
    moments, kills, sizes = random.Random(5), 0, []
    checkpoint = torn / "run.safetensors"
    for _ in range(12):
        process = start(script, torn)
        before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        while process.poll() is None:  # wait until it trains, then a little longer
            if checkpoint.exists() and checkpoint.stat().st_mtime_ns != before:
                time.sleep(moments.uniform(0, 0.2))
                break
            time.sleep(0.002)
        if process.poll() is not None:
            break
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait(timeout=60) == -signal.SIGKILL
        kills += 1
        sizes.append(checkpoint.stat().st_size)
        if kills == 6:
            break
    assert kills >= 3
    assert start(script, torn).wait(timeout=300) == 0
    same_history(whole / "history.npz", torn / "history.npz")
    left = sorted(p.name for p in torn.iterdir())
    assert left == ["history.npz", "run.safetensors", "run.safetensors.previous"]


def same_history(a: Path, b: Path) -> None:
    import numpy as np

    from optviz.training.history import History

    first, second = History.load(a), History.load(b)
    assert len(first.steps) == 950
    assert np.array_equal(first.steps, second.steps)
    assert first.series.keys() == second.series.keys()
    for name in first.series:
        assert first[name].tobytes() == second[name].tobytes(), name
    assert first.params.keys() == second.params.keys()
    for name in first.params:
        assert first.params[name].tobytes() == second.params[name].tobytes(), name
