"""Durations and sizes in words, and what the process has used."""

from __future__ import annotations

import time

import numpy as np
import pytest

from optviz._clock import human_bytes, human_seconds, peak_memory, stopwatch


def test_stopwatch_measures() -> None:
    with stopwatch() as watch:
        assert watch.seconds == 0.0
        time.sleep(0.02)
    assert 0.02 <= watch.seconds < 5


def test_stopwatch_measures_a_block_that_fails() -> None:
    with pytest.raises(KeyError), stopwatch() as watch:
        raise KeyError
    assert watch.seconds > 0


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 ms"),
        (0.0421, "42 ms"),
        (0.949, "949 ms"),
        (0.96, "1.0 s"),
        (99.4, "99.4 s"),
        (99.97, "1 min 40 s"),
        (100, "1 min 40 s"),
        (119.9, "2 min 0 s"),
        (3605, "60 min 5 s"),
    ],
)
def test_human_seconds(seconds: float, words: str) -> None:
    assert human_seconds(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 B"),
        (990, "990 B"),
        (999.9, "1.0 kB"),
        (1000, "1.0 kB"),
        (9_960, "10 kB"),
        (277_400, "277 kB"),
        (999_600, "1.0 MB"),
        (3.1e9, "3.1 GB"),
        (5e12, "5000 GB"),
    ],
)
def test_human_bytes(count: float, words: str) -> None:
    assert human_bytes(count) == words


def test_peak_memory_sees_a_large_array() -> None:
    before = peak_memory()
    block = np.ones(int(before // 8) + 4_000_000)  # more than everything so far
    assert peak_memory() - before > 0.2 * block.nbytes
