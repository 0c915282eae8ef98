"""The README's table of what the long studies of the lessons found."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from optviz import evaluation
from optviz.lessons import study

__all__ = ["result_table"]


def result_table() -> str:
    """Markdown table; every number is computed from a stored study."""
    rows = [
        "| what, on MNIST-5k | left | test accuracy | against | difference in points |",
        "|---|---|---|---|---|",
    ]
    parts = (_pruned(), _orders(), _channels(), _tickets(), _eight_bits(), _compressed(), _few_bits())
    rows += ["| " + " | ".join(row) + " |" for part in parts for row in part]
    return "\n".join(rows)


def _pruned() -> Iterator[tuple[str, ...]]:
    """Iterative pruning: near the papers' 12 times, the fewest weights within half a point, and 99 %."""
    for id, name in (("09.lenet300100", "LeNet-300-100"), ("09.lenet5", "LeNet-5")):
        table = study(id).table
        found = table[table["method"] == "iterative"]
        by_round = {t: g.sort_values("seed") for t, g in found.groupby(found["times fewer weights"].round(1))}
        close = [t for t, g in by_round.items() if _gap(g).mean > -0.5]
        wanted = [min((t for t in by_round if t >= 12), default=max(by_round)), max(close)]
        for times in dict.fromkeys([*wanted, min(by_round, key=lambda t: abs(t - 100))]):
            rows = by_round[times]
            d = _gap(rows)
            left = f"1 weight of {times:.3g} ({100 * rows['sparsity'].mean():.1f} % zeros)"
            yield f"{name}, pruned in rounds", left, _mean(rows["test accuracy"]), "dense", _points(d)


def _orders() -> Iterator[tuple[str, ...]]:
    """Rounds against one shot, with as many updates of retraining."""
    table = study("09.one_shot_or_iterative").table
    for sparsity in (0.8, 0.9, 0.95, 0.98):
        some = table[table["sparsity"].round(3) == sparsity]
        rounds, once = (
            some[some["method"] == method].sort_values("seed")["test accuracy"].to_numpy()
            for method in ("iterative", "one-shot")
        )
        d = evaluation.paired(100 * rounds, 100 * once)
        yield (
            "300-100 network, 14×14, in six rounds",
            f"{100 * sparsity:.0f} % zeros",
            _mean(rounds),
            "one shot",
            _points(d),
        )


def _channels() -> Iterator[tuple[str, ...]]:
    """Half of the channels cut out."""
    for name, rows in study("10.half_the_channels").table.groupby("network", sort=False):
        faster, work = rows["times faster"].median(), rows["work left"].mean()
        d = evaluation.paired(100 * rows["cut, trained on"], 100 * rows["dense, trained on"])
        what = f"{name}, half of its channels cut out: **{faster:.1f} times faster** at batch 64"
        yield (
            what,
            f"{100 * work:.0f} % of the work",
            _mean(rows["cut, trained on"]),
            "dense, trained as long",
            _points(d),
        )


def _tickets() -> Iterator[tuple[str, ...]]:
    """Winning tickets against the same masks with other first weights."""
    table = study("11.tickets").table
    for round in (4, 8):
        some = table[(table["round"] == round) & (table["rewound to"] == 0)]
        ticket, other = (
            some[some["network"] == kind].sort_values("seed")["test accuracy"].to_numpy()
            for kind in ("winning ticket", "new first weights")
        )
        d = evaluation.paired(100 * ticket, 100 * other)
        left = f"{100 * some['weights left'].mean():.1f} % of the weights"
        yield "winning tickets, 300-100 network, 14×14", left, _mean(ticket), "new first weights", _points(d)


NAMES = {"LeNet300100": "LeNet-300-100", "LeNet5": "LeNet-5"}


def _eight_bits() -> Iterator[tuple[str, ...]]:
    """Static int8 in ONNX Runtime against eager PyTorch in fp32."""
    for network, rows in study("12.int8").table.groupby("network", sort=False):
        forms = {form: some.sort_values("seed") for form, some in rows.groupby("form")}
        plain, coded = forms["PyTorch, fp32"], forms["int8, min–max"]
        faster = float(np.median(plain["ms for 64"].to_numpy() / coded["ms for 64"].to_numpy()))
        left = coded["bytes"].mean() / forms["ONNX Runtime, fp32"]["bytes"].mean()
        yield (
            f"{NAMES[str(network)]}, int8 in ONNX Runtime: **{faster:.1f} times faster** at batch 64",
            f"{100 * left:.0f} % of the file",
            _mean(coded["test accuracy"]),
            "PyTorch, fp32",
            _points(_against(coded, plain)),
        )


def _compressed() -> Iterator[tuple[str, ...]]:
    """Deep compression, with 5 bits a weight that is left."""
    for network, rows in study("12.deep_compression").table.groupby("network", sort=False):
        stages = dict([*rows.groupby("stage")])
        coded = stages["coded"][stages["coded"]["bits"] == 5]
        for against in ("dense", "dense, trained as long"):
            yield (
                f"{NAMES[str(network)]}, deep compression with 5 bits",
                f"1 byte of {coded['times smaller'].mean():.0f}",
                _mean(coded["test accuracy"]),
                against,
                _points(_against(coded, stages[against])),
            )


def _few_bits() -> Iterator[tuple[str, ...]]:
    """Weights of 4 and of 2 bits: trained with them, and rounded after as much training."""
    ways = {
        "QAT, learned steps": "trained while rounded",
        "PTQ, MSE": "rounded after training, in the range of least error",
    }
    for network, rows in study("13.qat").table.groupby("network", sort=False):
        full = rows[rows["form"] == "fp32"]
        for bits in (4, 2):
            for form, way in ways.items():
                some = rows[(rows["bits"] == bits) & (rows["form"] == form) & (rows["unit bits"] == 32)]
                yield (
                    f"{NAMES[str(network)]}, weights {way}",
                    f"{bits} bits",
                    _mean(some["test accuracy"]),
                    "fp32, trained as long",
                    _points(_against(some, full)),
                )


def _against(rows: pd.DataFrame, others: pd.DataFrame) -> evaluation.Paired:
    a, b = (some.sort_values("seed")["test accuracy"].to_numpy() for some in (rows, others))
    return evaluation.paired(100 * a, 100 * b)


def _gap(rows: pd.DataFrame) -> evaluation.Paired:
    return evaluation.paired(100 * rows["test accuracy"], 100 * rows["dense test accuracy"])


def _mean(values: pd.Series | np.ndarray) -> str:
    mean, half = evaluation.seed_interval(100 * np.asarray(values, float))
    return f"{mean:.1f} ± {half:.1f} %"


def _points(d: evaluation.Paired) -> str:
    mean = round(d.mean, 1) + 0.0  # no −0.0
    return f"{mean:+.1f} ± {d.half_width:.1f}".replace("-", "−")
