"""Deep compression from the first update to the file: exact zeros, few values, every byte counted."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from optviz import ledger, models, optimizers, problems, quantize, recipes
from optviz.recipes import archive
from optviz.training import Run

DIGITS = problems.digits(hidden=(12,), batch=32)
RUN = Run(optimizers.SGD(0.9), 0.1)
ACCURACY = "validation_accuracy"


def sparse(*shape: int, keep: float, bits: int = 4, dtype: Any = np.float32, seed: int = 0) -> np.ndarray:
    chance = np.random.default_rng(seed)
    values = chance.normal(size=2**bits).astype(dtype)
    return np.where(chance.random(shape) < keep, values[chance.integers(2**bits, size=shape)], dtype(0))


def bits(p: Any) -> bytes:
    return p.detach().contiguous().view(torch.uint8).numpy().tobytes() if torch.is_tensor(p) else p.tobytes()


def same(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    return list(found) == list(wanted) and all(
        type(found[n]) is type(p) and found[n].dtype == p.dtype and found[n].shape == p.shape
        and bits(found[n]) == bits(p) for n, p in wanted.items()
    )  # fmt: skip


def run(rounds: Any, steps: int = 25, problem: Any = DIGITS, **options: Any) -> list[recipes.Compression]:
    return list(recipes.deep_compression(problem, RUN, rounds, steps, **options))


# The file


@pytest.mark.parametrize("keep", [0.0, 0.001, 0.03, 0.3, 1.0])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int8])
def test_files_come_back_bit_for_bit(tmp_path: Path, keep: float, dtype: Any) -> None:
    params = {
        "w": sparse(40, 70, keep=keep, dtype=dtype),
        "filters": sparse(6, 3, 5, 5, keep=keep, seed=1, dtype=dtype),
        "bias": np.arange(40).astype(dtype),
        "one": np.array(3).astype(dtype),
        "none": np.zeros((0, 4), dtype),
    }
    params["w"].flags.writeable = False
    spent = recipes.write_compressed(tmp_path / "new" / "net", params)
    assert spent.total == (tmp_path / "new" / "net").stat().st_size
    assert spent.dense == sum(p.nbytes for p in params.values())
    assert same(recipes.read_compressed(tmp_path / "new" / "net"), params)
    assert archive.parts(params) == spent


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.0, 0.0, 1.5, -0.0, np.inf, np.nan, 2.5]), max_size=80))
def test_any_numbers_come_back(numbers: list[float]) -> None:
    w = np.concatenate([np.zeros(300), numbers]).reshape(1, -1)  # gaps of more than 2^8
    assert same(archive.unpack(archive.pack({"w": w})[0]), {"w": w})


def test_modules_and_shared_tensors_come_back(tmp_path: Path) -> None:
    net = models.LeNet5()
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.where(torch.rand(p.shape, generator=torch.Generator()) < 0.1, p.sign() / 8, 0))
    params = {n: p.detach() for n, p in net.named_parameters()}
    name = next(iter(params))
    both = params | {"again": params[name], "half": torch.ones(3, 3, dtype=torch.bfloat16)}
    spent = recipes.write_compressed(tmp_path / "net", both)
    found = recipes.read_compressed(tmp_path / "net")
    assert {n: bits(p) for n, p in found.items()} == {n: bits(p) for n, p in both.items()}
    assert found["again"] is found[name]
    assert spent.times > 30
    assert same(archive.unpack(archive.pack(net)[0]), dict(net.state_dict()))


def test_fillers_are_those_of_the_paper() -> None:
    # Figure 1 of the paper: 3 bits, a distance of more than 8 gets a filler zero with distance 8.
    at = np.array([1, 4, 15])
    gaps, values = archive._filled(at, np.array([0, 1, 2]), 9, 3)
    assert (gaps + 1).tolist() == [2, 3, 8, 3]  # distances, the first from −1
    assert values.tolist() == [0, 1, 9, 2]
    for width in range(1, 9):
        gaps, values = archive._filled(at := np.array([0, 255, 256, 600, 1112]), np.arange(5), 9, width)
        assert gaps.max() < 2**width
        places = np.cumsum(gaps + 1) - 1
        assert places[values != 9].tolist() == at.tolist()
        assert (gaps[values == 9] == 2**width - 1).all()


def test_bytes_are_those_of_huffmans_code() -> None:
    w = sparse(200, 300, keep=0.07, bits=5)
    spent = archive.parts({"w": w, "b": np.ones(200, np.float32)})
    kept, counts = np.unique(w[w != 0], return_counts=True)
    assert spent.plain == 800
    assert kept.nbytes <= spent.codebooks <= kept.nbytes + 4  # a filler's zero may be among them
    n = counts.sum()
    assert quantize.entropy(counts) * n / 8 <= spent.values < (quantize.entropy(counts) + 1) * n / 8
    positions = w.size * quantize.entropy([n, w.size - n]) / 8  # Shannon's bound for which weights are kept
    assert positions < spent.gaps < 1.1 * positions
    total = spent.values + spent.gaps + spent.codebooks + spent.tables + spent.plain + spent.header
    assert total == spent.total == len(archive.pack({"w": w, "b": np.ones(200, np.float32)})[0])
    [size] = ledger.sizes({"w": w, "b": np.ones(200, np.float32)}, [ledger.Coded()]).values()
    assert spent.total < size  # codebooks beat codes of the numbers' own bytes


@pytest.mark.parametrize("many", [5, 32, 33])
def test_words_of_one_length(many: int) -> None:
    values = np.r_[0.0, np.arange(1.0, many + 1)]
    chance = np.random.default_rng(0)
    w = np.where(chance.random((200, 300)) < 0.3, values[chance.integers(1, many + 1, (200, 300))], 0)
    spent = archive.parts({"w": w, "b": np.ones(9)}, huffman=False)
    zeros, best = np.diff(np.flatnonzero(w), prepend=-1) - 1, (np.inf, 0, 0, 0)
    for width in range(1, 9):  # the form of figure 1 of the paper, counted word by word
        fillers = sum(int(z) // 2**width for z in zeros)
        words, book = len(zeros) + fillers, many + (fillers > 0)
        sizes = -(-words * int(np.ceil(np.log2(book))) // 8), -(-words * width // 8), 8 * book
        best = min(best, (sum(sizes), *sizes))
    assert (spent.values, spent.gaps, spent.codebooks, spent.tables, spent.plain) == (*best[1:], 0, 72)
    coded = archive.parts({"w": w, "b": np.ones(9)})
    assert coded.total < spent.total
    assert (coded.header, coded.dense, coded.plain) == (spent.header, spent.dense, spent.plain)


def test_words_of_one_length_where_no_numbers_are_shared() -> None:
    w = sparse(100, 300, keep=0.1, bits=16)
    spent = archive.parts({"w": w, "full": np.random.default_rng(0).normal(size=(9, 9))}, huffman=False)
    assert spent.values >= 4 * (w != 0).sum()
    assert (spent.codebooks, spent.plain) == (0, 9 * 9 * 8)
    assert spent.gaps < w.size / 8


def test_what_codes_would_make_larger_is_stored_as_it_is() -> None:
    w = np.random.default_rng(0).normal(size=(30, 30)).astype(np.float32)
    spent = archive.parts({"w": w})
    assert (spent.plain, spent.values, spent.codebooks) == (w.nbytes, 0, 0)
    assert spent.times > 0.95


@pytest.fixture(scope="module")
def file() -> bytes:
    return archive.pack({"w": sparse(20, 30, keep=0.2, bits=2), "b": np.ones(20, np.float32)})[0]


def test_any_damaged_byte_is_found(file: bytes, tmp_path: Path) -> None:
    for place in range(0, len(file), 3):
        damaged = bytearray(file)
        damaged[place] ^= 1 << place % 8
        with pytest.raises(ValueError, match="path must be"):
            archive.unpack(bytes(damaged))
    (tmp_path / "net").write_bytes(file[: len(file) // 2])
    with pytest.raises(ValueError, match=r"path must be a whole file .*, got '.*net'"):
        recipes.read_compressed(tmp_path / "net")
    for size in range(0, len(file), 7):
        with pytest.raises(ValueError, match="path must be"):
            archive.unpack(file[:size])
    with pytest.raises(ValueError, match="path must be"):
        archive.unpack(file + b"\0")
    with pytest.raises(FileNotFoundError):
        recipes.read_compressed(tmp_path / "other")


def test_damage_below_a_right_checksum_is_found(file: bytes) -> None:
    """Whatever byte is changed by one who writes the checksum anew: an error, or a network of that form."""
    refused = 0
    for place in range(len(file) - 4):
        damaged = bytearray(file[:-4])
        damaged[place] ^= 1 << place % 8
        data = bytes(damaged)
        try:
            archive.unpack(data + zlib.crc32(data).to_bytes(4, "little"))
        except ValueError:
            refused += 1
    assert refused > 0.3 * len(file)


@pytest.mark.parametrize("change", ["version", "count", "kind", "shape", "rest"])
def test_headers_that_do_not_fit_are_refused(file: bytes, change: str) -> None:
    size = int.from_bytes(file[10:14], "little")
    header, body, version = json.loads(file[14 : 14 + size]), file[14 + size : -4], file[9]
    entry = header["arrays"][0]
    if change == "version":
        version = 2
    elif change == "count":
        entry[3][0] += 1
    elif change == "kind":
        entry[1] = "float31"
    elif change == "shape":
        entry[2][0] -= 10
    else:
        body += b"\0"
    text = json.dumps(header).encode()
    data = file[:9] + bytes([version]) + len(text).to_bytes(4, "little") + text + body
    rule = "version 1, got 'version 2 in data'" if change == "version" else "a whole file"
    with pytest.raises(ValueError, match=rule):
        archive.unpack(data + zlib.crc32(data).to_bytes(4, "little"))


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipes.write_compressed(tmp_path / "net", {"w": np.eye(9)})
    before = (tmp_path / "net").read_bytes()

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        recipes.write_compressed(tmp_path / "net", {"w": np.ones((9, 9))})
    assert (tmp_path / "net").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["net"]


@pytest.mark.parametrize(
    ("params", "error"),
    [({}, ValueError), ([1], TypeError), ({"w": 1.0}, TypeError), ({"w": np.ones(2, complex)}, ValueError)],
)
def test_what_cannot_be_stored(tmp_path: Path, params: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        recipes.write_compressed(tmp_path / "net", params)
    assert list(tmp_path.iterdir()) == []


# The recipe


def test_the_whole_way_in_rows(tmp_path: Path) -> None:
    found = run([[0.5, 0.4], [0.8, 0.7]], bits=[4, {"weight1": 3, "weight2": 6}], seed=(2, 0), every=10)
    stages = [(now.stage, now.index) for now in found if now.done]
    assert stages == [("dense", 0), ("pruned", 1), ("pruned", 2), ("shared", 2), ("trained", 2)]
    shared, trained = (
        next(now for now in found if now.stage == s and now.done) for s in ("shared", "trained")
    )
    names = ("80 %, 4 bits", "80 %, 3/6 bits", "70 %, 4 bits", "70 %, 3/6 bits")
    assert shared.labels == trained.labels == tuple(name for name in names for _ in range(2))
    assert shared.seeds == trained.seeds == (2, 0) * 4
    np.testing.assert_allclose(trained.sparsity, [0.8] * 4 + [0.7] * 4, atol=1e-3)
    pruned = next(now for now in found if now.index == 2)
    for row in range(8):
        before, after = shared.network(row), trained.network(row)
        zeros = np.asarray(pruned.params["weight1"][row // 4 * 2 + row % 2]) == 0
        first, second = ((16, 16), (8, 64))[row // 2 % 2]
        for net in (before, after):
            assert np.array_equal(net["weight1"] == 0, zeros)
            assert len(np.unique(net["weight1"][~zeros])) <= first
            assert len(np.unique(net["weight2"][net["weight2"] != 0])) <= second
            assert net["weight1"].dtype == DIGITS.init(np.random.default_rng(0))["weight1"].dtype
        assert not np.array_equal(before["weight1"], after["weight1"])
        assert same(trained.books[row](after), after)
    spent = trained.write(tmp_path / "net", 5)
    own = recipes.read_compressed(tmp_path / "net")
    assert same(own, trained.network(5))
    assert DIGITS.metrics({n: p[None] for n, p in own.items()})[ACCURACY][0] == trained.metrics[ACCURACY][5]
    assert spent == trained.parts(5)
    assert [now.step for now in found if now.stage == "trained"] == [10, 20, 25]
    assert trained.rows("70 %, 4 bits") == [4, 5]


def test_training_the_values_repairs_what_sharing_cost() -> None:
    *_, shared, trained = run([0.5, 0.7], 80, bits=[1, 2], seed=(0, 1, 2))
    assert (trained.metrics["validation_loss"] < shared.metrics["validation_loss"]).all()
    assert (trained.metrics[ACCURACY] > 0.4).all()
    assert trained.metrics[ACCURACY].mean() > shared.metrics[ACCURACY].mean() + 0.03
    table = trained.to_frame()
    assert len(table) == 6
    assert not table.isna().any().any()
    kinds = ["values", "gaps", "codebooks", "tables", "plain", "header"]
    assert (table["total"] == table[kinds].sum(axis=1)).all()


def test_rows_do_not_know_of_one_another() -> None:
    *_, many = run([[0.5, 0.8]], 12, bits=[2, 3], seed=(3, 1))
    *_, alone = run([0.8], 12, bits=3, seed=1)
    row = many.rows("80 %, 3 bits")[1]
    assert same(many.network(row), alone.network())
    assert many.metrics["validation_loss"][row] == alone.metrics["validation_loss"][0]


def test_modules_too(tmp_path: Path) -> None:

    def net() -> torch.nn.Module:
        return torch.nn.Sequential(torch.nn.Linear(64, 8), torch.nn.ReLU(), torch.nn.Linear(8, 10))

    problem = problems.from_module(net(), DIGITS.data.train.X, DIGITS.data.train.y)
    *_, last = run([0.5], 12, problem, bits={"0.weight": 3, "2.weight": 2}, seed=(0, 1))
    assert last.labels == ("50 %, 3/2 bits",) * 2
    last.write(tmp_path / "net", 1)
    found = recipes.read_compressed(tmp_path / "net")
    assert {n: bits(p) for n, p in found.items()} == {n: bits(p) for n, p in last.network(1).items()}
    assert len(found["0.weight"].unique()) <= 9
    fresh = net()
    fresh.load_state_dict(found)
    X, y = problem._validation
    accuracy = float((fresh(X).argmax(1) == y).double().mean())
    assert accuracy == pytest.approx(float(last.metrics[ACCURACY][1]))


def test_given_weights_starts_and_no_training() -> None:
    start = DIGITS.init(np.random.default_rng(0))
    found = run([0.6], 5, params=start, tune_steps=0, init=quantize.DensityStart())
    assert [now.stage for now in found] == ["dense", "pruned", "shared"]
    book = quantize.share(found[1].network(), 5, quantize.DensityStart())
    assert same(found[2].network(), book(found[1].network()))
    assert same({n: np.asarray(p[0]) for n, p in found[0].params.items()}, start)
    *_, tuned = run([0.6], 5, params=start, tune=Run(optimizers.SGD(), 1e-4))
    assert tuned.loss.shape == (1, 5)


def test_values_are_trained_as_weights_are_and_decay_alike() -> None:
    start = DIGITS.init(np.random.default_rng(0))
    decay = Run(optimizers.SGD(weight_decay=1.0), 0.1)
    *_, plain = run([0.6], 1, params=start, bits=2)
    *_, shared, decayed = run([0.6], 1, params=start, bits=2, retrain=decay, tune=decay)
    *_, again = run([0.6], 1, params=start, bits=2, retrain=decay)
    assert same(again.network(), decayed.network())  # the default is what weights are retrained with
    *_, bare = run([0.6], 1, params=start, bits=2, retrain=decay, tune=Run(optimizers.SGD(), 0.1))
    for name, before in shared.network().items():
        gone = bare.network()[name] - decayed.network()[name]
        np.testing.assert_allclose(gone, 0.1 * before, atol=1e-6)  # lr · decay · c, however many share c
    assert not same(plain.network(), again.network())


def test_two_finals_of_the_same_bits_have_names_of_their_own() -> None:
    *_, shared = run([0.5], 3, bits=[2, 2], tune_steps=0)
    assert shared.labels == ("50 %, 2 bits", "50 %, 2 bits (2)")


@pytest.mark.parametrize(
    ("options", "error", "rule"),
    [
        ({"bits": 0}, ValueError, r"in \[1, 16\], got 0"),
        ({"bits": []}, ValueError, "bits must be"),
        ({"bits": [4, 17]}, ValueError, r"in \[1, 16\], got 17"),
        ({"bits": {"weight1": 3}}, ValueError, "given for 'weight2' too"),
        ({"bits": {"weight1": 3, "weight2": 3, "bias1": 1}}, ValueError, "for names among"),
        ({"tune_steps": -1}, ValueError, "tune_steps must be a whole number of at least 0, got -1"),
        ({"tune": 0.1}, TypeError, "tune must be a Run"),
        ({"rounds": [1.0]}, ValueError, "sparsities in"),
    ],
)
def test_bad_input_is_refused_before_training(options: dict, error: type[Exception], rule: str) -> None:
    rounds = options.pop("rounds", [0.5])
    with pytest.raises(error, match=rule):
        recipes.deep_compression(DIGITS, RUN, rounds, 10**9, **options)


def test_rows_that_are_not_there() -> None:
    *_, last = run([0.5], 2, tune_steps=0)
    with pytest.raises(ValueError, match=r"row must be in \[0, 0\], got 1"):
        last.network(1)
    with pytest.raises(ValueError, match="label must be one of"):
        last.rows("9 bits")
