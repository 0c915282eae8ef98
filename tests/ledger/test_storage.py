"""Weights in files: bit for bit, as large as the formulas say, and never read when damaged."""

import json
import os
import tracemalloc

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from optviz import ledger
from optviz.ledger import CSR, FORMS, Bitmap, Coded, Dense, storage
from optviz.ledger import forms as layouts

each = pytest.mark.parametrize("form", FORMS, ids=str)
SPARSE = (Bitmap(), CSR(), Coded())
DTYPES = ("bool", "int8", "uint8", "int16", "int32", "int64", "uint32", "float16", "float32", "float64")


def same_bits(a, b):
    assert a.dtype == b.dtype
    assert a.shape == b.shape
    assert np.ascontiguousarray(a).tobytes() == np.ascontiguousarray(b).tobytes()


def thinned(shape, density, dtype="float32", seed=0):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=shape) * 50 + 60
    return np.where(rng.random(shape) < density, values, 0).astype(dtype)


@st.composite
def networks(draw):
    """One to three arrays of any type and shape, many of their numbers zero, special ones among the rest."""
    arrays = {}
    for name in draw(st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=3, unique=True)):
        dtype = np.dtype(draw(st.sampled_from(DTYPES)))
        shape = draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=7))
        raw = draw(hnp.arrays(f"u{dtype.itemsize}", shape, fill=st.just(0)))
        arrays[name] = np.asarray((raw & 1 if dtype.kind == "b" else raw).view(dtype))
    return arrays


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(networks(), st.sampled_from(FORMS))
def test_what_comes_back_is_the_same_to_the_bit(tmp_path, network, form):
    size = ledger.write(tmp_path / "net", network, form)
    back = ledger.read(tmp_path / "net")
    assert size == os.path.getsize(tmp_path / "net")
    assert list(back) == list(network)
    for name, array in network.items():
        same_bits(back[name], array)


@each
def test_negative_zero_and_nan_with_a_payload_survive(tmp_path, form):
    odd = np.array([[0.0, -0.0, np.inf, np.nan]], np.float32)
    odd.view(np.uint32)[0, 3] = 0x7FC12345
    ledger.write(tmp_path / "net", {"w": odd}, form)
    same_bits(ledger.read(tmp_path / "net")["w"], odd)


@each
@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.bfloat16, torch.float16, torch.int8, torch.bool, torch.float8_e4m3fn]
)
def test_tensors_come_back_as_tensors(tmp_path, form, dtype):
    w = torch.tensor(thinned((9, 5), 0.3) - 60).clamp(-100, 100).to(dtype)
    ledger.write(tmp_path / "net", {"w": w, "n": torch.tensor(3)}, form)
    back = ledger.read(tmp_path / "net")
    assert back["w"].dtype == dtype
    assert torch.equal(back["w"].view(torch.uint8), w.view(torch.uint8))
    assert back["n"].item() == 3
    back["n"] += 1  # what was read may be written to


@each
def test_a_module_comes_back_whole(tmp_path, form):
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Linear(5, 5))
    ledger.write(tmp_path / "net", net, form)
    other = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Linear(5, 5))
    other.load_state_dict(ledger.read(tmp_path / "net"))
    assert all(
        torch.equal(a, b) for a, b in zip(net.state_dict().values(), other.state_dict().values(), strict=True)
    )


@each
def test_a_shared_array_is_stored_once_and_shared_again(tmp_path, form):
    w = np.random.default_rng(0).normal(size=(100, 100))
    once = ledger.write(tmp_path / "once", {"a": w}, form)
    twice = ledger.write(tmp_path / "twice", {"a": w, "b": w, "c": w.copy(), "d": w.T}, form)
    back = ledger.read(tmp_path / "twice")
    assert 2.9 < twice / once < 3.1
    assert back["a"] is back["b"]
    assert back["a"] is not back["c"]
    np.testing.assert_array_equal(back["d"], w.T)


# Sizes


def overhead(form, network):
    """Bytes of a file beside its arrays: the same arrays without a single number would take as many."""
    names = [[name, a.dtype.name, a.shape] for name, a in network.items()]
    header = json.dumps({"form": str(form), "kind": "numpy", "arrays": names}, separators=(",", ":"))
    return len(b"optviz-1") + 4 + len(header) + 4


@pytest.mark.parametrize("dtype", ["float32", "int8", "float64"])
@pytest.mark.parametrize("density", [0.0, 0.1, 0.5, 1.0])
def test_sizes_are_those_of_the_formulas(dtype, density):
    w, bias = thinned((37, 53), density, dtype), np.zeros(37, dtype)
    nonzero, b = np.count_nonzero(w), w.itemsize
    network = {"w": w, "bias": bias}
    found = ledger.sizes(network)
    dense_bias = 37 * b  # zeros of a bias are stored as they are
    bitmap = -(-37 * 53 // 8) + nonzero * b
    csr = 4 * (37 + 1) + nonzero * (4 + b)
    assert found[Bitmap()] == overhead(Bitmap(), network) + dense_bias + bitmap
    assert found[CSR()] == overhead(CSR(), network) + dense_bias + csr
    assert 0 <= found[Dense()] - (37 * 53 * b + dense_bias) < 250


def test_csr_pays_only_below_half_density():
    for density, smaller in ((0.45, True), (0.55, False)):
        found = ledger.sizes({"w": thinned((200, 200), density)})
        assert (found[CSR()] < found[Dense()]) == smaller


def test_coded_comes_near_the_entropy_of_the_places():
    """Of equal values at random places only the places carry information: n · H(density) bits."""
    n, density = 400_000, 0.05
    w = np.where(np.random.default_rng(0).random((400, n // 400)) < density, 1, 0).astype(np.int8)
    places = -n * (density * np.log2(density) + (1 - density) * np.log2(1 - density)) / 8
    size = ledger.sizes({"w": w}, [Coded()])[Coded()]
    assert places < size < 1.08 * places


def test_coded_crosses_gaps_and_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr(layouts, "CHUNK", 1024)
    w = np.zeros((7, 900), np.float32)
    w.flat[[0, 254, 255, 256, 511, 1023, 1024, 2048 + 300, 6299]] = np.arange(1, 10)
    for form in SPARSE:
        ledger.write(tmp_path / "net", {"w": w, "empty": np.zeros((3, 0))}, form)
        same_bits(ledger.read(tmp_path / "net")["w"], w)


def test_others_can_read_the_dense_form(tmp_path):
    network = {"w": thinned((3, 4), 0.5), "bias": np.ones(3, np.float16)}
    ledger.write(tmp_path / "net.safetensors", network)
    back = safetensors.numpy.load_file(tmp_path / "net.safetensors")
    for name, array in network.items():
        same_bits(back[name], array)


def test_files_of_others_are_read(tmp_path):
    network = {"w": thinned((3, 4), 0.5), "b": np.arange(3)}
    safetensors.numpy.save_file(network, tmp_path / "a", {"made": "elsewhere"})
    for name, array in ledger.read(tmp_path / "a").items():
        same_bits(array, network[name])
    safetensors.torch.save_file({"w": torch.ones(2, 2, dtype=torch.bfloat16)}, tmp_path / "b")
    assert ledger.read(tmp_path / "b")["w"].dtype == torch.bfloat16


# Damage


@each
def test_no_damaged_byte_goes_unnoticed(tmp_path, form):
    network = {"w": thinned((6, 8), 0.4), "bias": np.arange(3, dtype=np.int8)}
    path = tmp_path / "net"
    ledger.write(path, network, form)
    whole = path.read_bytes()
    for at in range(len(whole)):
        for flip in (0x01, 0x80):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ flip]) + whole[at + 1 :])
            try:
                back = ledger.read(path)
            except ValueError:
                continue
            # Only the name of the checksum and blanks behind the header of a dense file are not covered.
            assert isinstance(form, Dense)
            for name, array in network.items():
                same_bits(back[name], array)


@each
def test_a_file_cut_off_or_grown_is_refused(tmp_path, form):
    path = tmp_path / "net"
    ledger.write(path, {"w": thinned((6, 8), 0.4)}, form)
    whole = path.read_bytes()
    for content in (*(whole[:n] for n in range(0, len(whole), 7)), whole + b"\0"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="path must be a whole file"):
            ledger.read(path)


def test_a_file_that_lies_about_its_size_allocates_nothing(tmp_path):
    text = b'{"w":{"dtype":"F32","shape":[1000000,1000000,1000],"data_offsets":[0,4000000000000000]}}'
    (tmp_path / "net").write_bytes(len(text).to_bytes(8, "little") + text)
    with pytest.raises(ValueError, match="path must be a whole file"):
        ledger.read(tmp_path / "net")


def test_the_old_file_stays_when_writing_fails(tmp_path):
    path = tmp_path / "net"
    ledger.write(path, {"w": np.ones((2, 2))})
    before = path.read_bytes()
    with pytest.raises(ValueError, match="dtype must be one of"):
        ledger.write(path, {"w": np.ones((2, 2), complex)})
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["net"]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda p: ledger.write(p, {}), ValueError, "tensors must be at least one array"),
        (lambda p: ledger.write(p, [1, 2]), TypeError, "tensors must be a module or a mapping"),
        (lambda p: ledger.write(p, {"w": [1, 2]}), TypeError, r"tensors\['w'\] must be an array or a tensor"),
        (
            lambda p: ledger.write(p, {"a": np.ones(2), "b": torch.ones(2)}),
            TypeError,
            "all arrays or all tensors",
        ),
        (lambda p: ledger.write(p, {"w": np.ones(2)}, "dense"), TypeError, r"form must be Dense\(\)"),
        (lambda p: ledger.write(p, {"w": np.ones(2, ">f4")}), ValueError, "dtype must be one of"),
        (lambda p: ledger.read(p / "none"), FileNotFoundError, "none"),
    ],
)
def test_errors_say_what_is_wrong(tmp_path, call, error, message):
    with pytest.raises(error, match=message):
        call(tmp_path / "net")


def test_memory_stays_bounded(tmp_path, monkeypatch):
    """Writing takes a few chunks; reading takes the weights, and the indices in the case of CSR."""
    for module in (layouts, storage):
        monkeypatch.setattr(module, "CHUNK", 1 << 14)
    w = thinned((1000, 400), 0.5)
    for form in FORMS:
        tracemalloc.start()
        ledger.write(tmp_path / "net", {"w": w}, form)
        writing = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        ledger.read(tmp_path / "net")
        reading = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert writing < 0.6 * w.nbytes, str(form)
        assert reading < (3.2 if form == CSR() else 1.6) * w.nbytes, str(form)
