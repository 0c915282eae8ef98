"""Latency: medians of many, torch's settings restored, models in turn; and the ledger's lines."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from optviz import ledger
from optviz.ledger import timings

ONCE = ledger.Latency(0.002, 0.001, 0.004, threads=1, batch=8, repeats=3)


def test_quartiles_of_what_was_measured(monkeypatch):
    """With a clock that says what we want: five measurements of 1, 2, 3, 4 and 100 ms."""
    ticks = iter([5.0, 1.0, 2.0, 3.0, 4.0, 100.0])  # the first decides how often a call is repeated
    monkeypatch.setattr(timings, "_seconds", lambda call, count: next(ticks) / 1e3)
    found = ledger.latency(nn.Linear(2, 2), torch.zeros(7, 2), repeats=5, warmup=0)
    assert found == ledger.Latency(0.003, 0.002, 0.004, threads=1, batch=7, repeats=5)


def test_models_take_turns_and_warm_up(monkeypatch):
    order = []
    models = [lambda x, k=k: order.append(k) for k in range(3)]
    monkeypatch.setattr(timings, "LEAST", 0.0)
    ledger.latencies(models, torch.zeros(1, 2), repeats=4, warmup=2)
    assert order[:9] == [0, 0, 0, 1, 1, 1, 2, 2, 2]  # two to warm up, one to find out how fast it is
    assert order[9:] == [0, 1, 2, 2, 1, 0, 0, 1, 2, 2, 1, 0]


def test_fast_calls_are_repeated_and_slow_ones_are_not():
    calls = {"fast": 0, "slow": 0}

    def count(name, size):
        def call(x):
            calls[name] += 1
            return torch.ones(size, size) @ torch.ones(size, size) if size else None

        return call

    fast, slow = ledger.latencies([count("fast", 0), count("slow", 400)], torch.zeros(1), repeats=3, warmup=0)
    assert calls["slow"] < 20 < calls["fast"]
    assert 0 < fast.median < slow.median


def test_settings_and_models_are_left_as_they_were():
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    before, threads = model[1].running_mean.clone(), torch.get_num_threads()
    seen = []

    def watched(x):
        seen.append((torch.get_num_threads(), model.training, torch.is_grad_enabled()))
        return model(x)

    ledger.latencies([model, watched], np.ones((5, 4), np.float32), threads=2, repeats=3)
    assert set(seen) == {(2, False, False)}
    assert torch.get_num_threads() == threads
    assert model.training
    assert torch.equal(model[1].running_mean, before)


def test_threads_are_restored_after_an_error():
    threads = torch.get_num_threads()
    with pytest.raises(RuntimeError):
        ledger.latency(nn.Linear(2, 2), torch.zeros(1, 3), threads=threads + 1)
    assert torch.get_num_threads() == threads


def test_text():
    assert str(ONCE) == "2.00 ms (quartiles 1.00–4.00) for a batch of 8, 1 thread"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threads": 0}, "latency.threads must be a whole number of at least 1, got 0"),
        ({"repeats": 2}, "latency.repeats must be a whole number of at least 3, got 2"),
        ({"warmup": -1}, "latency.warmup must be a whole number of at least 0, got -1"),
        ({"repeats": 3.5}, "latency.repeats"),
    ],
)
def test_bad_settings(options, message):
    with pytest.raises(ValueError, match=message):
        ledger.latency(nn.Linear(2, 2), torch.zeros(1, 2), **options)


def test_bad_examples():
    with pytest.raises(ValueError, match="a batch of examples"):
        ledger.latency(nn.Linear(2, 2), torch.zeros(0, 2))
    with pytest.raises(ValueError, match=r"latencies\.models must be at least one"):
        ledger.latencies([], torch.zeros(1, 2))


# Entries


def network(share=0.0):
    torch_generator = torch.Generator().manual_seed(0)
    net = nn.Sequential(nn.Linear(64, 50), nn.ReLU(), nn.Linear(50, 10))
    with torch.no_grad():
        for layer in (net[0], net[2]):
            layer.weight.copy_(torch.randn(layer.weight.shape, generator=torch_generator))
            layer.weight.view(-1)[: int(share * layer.weight.numel())] = 0
    return net


def test_an_entry_holds_what_was_measured():
    net, x = network(0.9), torch.zeros(8, 64)
    made = ledger.entry("sparse", net, x, (0.90, 0.92, 0.94), latency=ONCE)
    assert made.counts == ledger.parameters(net)
    assert made.counts.sparsity == 0.9
    assert (made.macs, made.nonzero_macs) == (3700, 370)
    assert made.bytes == ledger.sizes(net)
    assert made.smallest == ledger.Coded()
    assert made.latency is ONCE
    mean, half = made.interval
    assert mean == pytest.approx(0.92)
    assert half == pytest.approx(4.3027 * 0.02 / 3**0.5, rel=1e-4)  # t with 2 degrees of freedom


def test_table():
    x = torch.zeros(8, 64)
    entries = [ledger.entry(f"{s:.0%}", network(s), x, (0.9, 0.91), latency=ONCE) for s in (0.0, 0.5)]
    shown = ledger.table(entries)
    assert isinstance(shown, pd.DataFrame)
    assert shown.index.tolist() == ["0%", "50%"]
    assert shown["sparsity %"].tolist() == [0.0, 50.0]
    assert shown["MACs"].tolist() == [3700, 3700]
    assert shown["nonzero MACs"].tolist() == [3700, 1850]
    assert shown["latency ms"].tolist() == [2.0, 2.0]
    for form in ledger.FORMS:
        assert shown[f"{form} kB"].tolist() == [round(e.bytes[form] / 1e3, 1) for e in entries]


def test_accuracy_may_be_unknown():
    made = ledger.entry("net", network(), torch.zeros(2, 64), latency=ONCE, forms=[ledger.Dense()])
    assert all(np.isnan(made.interval))
    assert ledger.table([made])["accuracy %"].isna().all()


def test_bad_entries():
    x = torch.zeros(2, 64)
    with pytest.raises(ValueError, match=r"entry.accuracy must be fractions in \[0, 1\]"):
        ledger.entry("net", network(), x, (93.0,))
    with pytest.raises(ValueError, match=r"entry\.forms must be at least one"):
        ledger.entry("net", network(), x, forms=())
    with pytest.raises(ValueError, match=r"table\.entries must be at least one"):
        ledger.table([])
    two = [
        ledger.entry("a", network(), x, latency=ONCE, forms=[form])
        for form in (ledger.Dense(), ledger.Bitmap())
    ]
    with pytest.raises(ValueError, match="stored in the same forms"):
        ledger.table(two)
