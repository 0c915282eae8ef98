"""What the explorer says of combinations that cannot be trained, whatever kind of schedule they come from."""

from __future__ import annotations

from typing import Any

import pytest

from optviz.schedules import Constant, Noam, Warmup, WarmupStableDecay
from optviz.widgets import schedule_lab


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (Warmup(Constant(0.1), 41), "warm-up of constant must be at most the run's 40 updates, got 41"),
        (Warmup(Constant(0.1), 41, 0.01), "Warmup.steps must be at most the run's 40 updates, got 41"),
        (Noam(0.1, 41), "Noam.warmup must be at most the run's 40 updates, got 41"),
        (WarmupStableDecay(0.1, 80, 41, 9), "WarmupStableDecay.warmup must be at most the run's 40 updates"),
    ],
)
def test_a_warm_up_longer_than_the_run(schedule: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        schedule_lab(schedule, steps=40)


def test_shortening_the_run_below_a_warm_up_changes_nothing() -> None:
    lab = schedule_lab(Noam(0.1, 30), steps=40, seeds=1)
    with pytest.raises(ValueError, match=r"Noam\.warmup must be at most the run's 20 updates, got 30"):
        lab.set(steps=20)
    assert lab.state.steps == 40
    assert lab.result.rates.shape == (1, 40)
