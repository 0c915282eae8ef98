"""Huffman codes against a tree built with a heap, Shannon's bounds, and streams read back bit for bit."""

from __future__ import annotations

import heapq
import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optviz.quantize import code_lengths, codewords, decode, encode, entropy, huffman

COUNTS = st.lists(st.one_of(st.integers(0, 9), st.integers(0, 10**9)), max_size=40)


def by_heap(counts: list[int]) -> int:
    """Bits of all symbols together: the sum of the weights of all joins."""
    heap, total = [c for c in counts if c], 0
    heapq.heapify(heap)
    while len(heap) > 1:
        joined = heapq.heappop(heap) + heapq.heappop(heap)
        total += joined
        heapq.heappush(heap, joined)
    return total


def spent(counts: list[int], lengths: np.ndarray) -> int:
    return sum(c * int(n) for c, n in zip(counts, lengths, strict=True) if c)


def kraft(lengths: np.ndarray) -> Fraction:
    return sum((Fraction(1, 2 ** int(n)) for n in lengths if n >= 0), Fraction(0))


@settings(max_examples=200, deadline=None)
@given(COUNTS)
def test_as_short_as_any_code_complete_and_within_shannons_bounds(counts: list[int]) -> None:
    lengths, total = code_lengths(counts), sum(counts)
    assert ((lengths == -1) == (np.array(counts, int) == 0)).all()
    assert spent(counts, lengths) == by_heap(counts)
    assert kraft(lengths) == (1 if total else 0)
    if total:
        bound, mean = entropy(counts), spent(counts, lengths) / total
        assert bound - 1e-9 <= mean < bound + 1


def test_entropy_is_shannons() -> None:
    p = np.array([5, 3, 2]) / 10
    assert entropy([5, 0, 3, 2]) == pytest.approx(-(p * np.log2(p)).sum(), abs=1e-12)
    assert entropy([7]) == entropy([0, 0]) == entropy([]) == 0


@settings(max_examples=100, deadline=None)
@given(COUNTS)
def test_words_are_canonical_and_none_begins_another(counts: list[int]) -> None:
    lengths = code_lengths(counts)
    used = sorted((int(n), i) for i, n in enumerate(lengths) if n >= 0)
    words = [format(int(codewords(lengths)[i]), f"0{n}b") if n else "" for n, i in used]
    assert words == sorted(words)
    assert [len(w) for w in words] == [n for n, _ in used]
    assert not any(b.startswith(a) for a, b in itertools.pairwise(words))  # in sorted order that is enough


@settings(max_examples=100, deadline=None)
@given(COUNTS, st.integers(0, 300), st.integers(0, 2**32 - 1))
def test_streams_come_back(counts: list[int], size: int, seed: int) -> None:
    lengths, known = code_lengths(counts), np.flatnonzero(counts)
    symbols = np.random.default_rng(seed).choice(known, size) if len(known) else np.zeros(0, int)
    data = encode(symbols, lengths)
    assert len(data) == -(-int(lengths[symbols].sum(dtype=int)) // 8)
    assert np.array_equal(decode(data, lengths, len(symbols)), symbols)


def test_a_stream_is_its_words_one_after_the_other() -> None:
    counts = [50, 3, 1, 1, 20]
    lengths = code_lengths(counts)
    symbols = [0, 4, 2, 0, 3, 1, 1]
    bits = "".join(format(int(codewords(lengths)[s]), f"0{lengths[s]}b") for s in symbols)
    assert encode(symbols, lengths) == int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(
        -(-len(bits) // 8), "big"
    )


def test_long_streams_and_words_cross_the_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huffman, "PIECE", 64)
    fibonacci = [1, 1]
    while len(fibonacci) < 58:
        fibonacci.append(sum(fibonacci[-2:]))
    assert sum(fibonacci) == huffman.MOST - 1  # the most lopsided counts that are allowed
    lengths = code_lengths(fibonacci)
    assert lengths.max() == huffman.LONGEST == 57
    symbols = np.random.default_rng(0).permutation(np.repeat(np.arange(58), 5))
    assert np.array_equal(decode(encode(symbols, lengths), lengths, len(symbols)), symbols)


def test_ties_keep_the_longest_word_short() -> None:
    assert code_lengths([1, 1, 1, 1]).tolist() == [2, 2, 2, 2]
    assert code_lengths([2, 1, 1, 2, 2]).max() == 3


def test_one_symbol_and_none_need_no_bits() -> None:
    assert code_lengths([0, 9, 0]).tolist() == [-1, 0, -1]
    assert encode([1] * 9, [-1, 0, -1]) == b""
    assert decode(b"", [-1, 0, -1], 9).tolist() == [1] * 9
    assert code_lengths([]).shape == code_lengths(np.zeros(0)).shape == (0,)
    assert encode([], []) == b""
    assert decode(b"", [], 0).tolist() == decode(b"", [-1, -1], 0).tolist() == []


@pytest.mark.parametrize("change", ["cut", "longer", "filling", "count", "fewer"])
def test_a_stream_that_is_not_whole_is_refused(change: str) -> None:
    lengths = code_lengths([8, 4, 2, 1, 1])
    symbols = [0, 1, 2, 3, 4, 0]
    data, count = encode(symbols, lengths), len(symbols)
    assert lengths[symbols].sum() % 8  # there is filling
    data = {"cut": data[:-1], "longer": data + b"\0", "filling": data[:-1] + bytes([data[-1] | 1])}.get(
        change, data
    )
    count = {"count": count + 20, "fewer": 2}.get(change, count)
    with pytest.raises(ValueError, match=r"decode\.data must be a stream of"):
        decode(data, lengths, count)


@pytest.mark.parametrize(
    ("call", "error", "rule"),
    [
        (lambda: code_lengths([1.5]), TypeError, "whole numbers"),
        (lambda: code_lengths([-1, 2]), ValueError, "at least 0"),
        (lambda: code_lengths([[1, 2]]), ValueError, "of one axis"),
        (lambda: code_lengths([huffman.MOST]), ValueError, "below"),
        (lambda: code_lengths([2**62, 2**62]), ValueError, "below"),
        (lambda: codewords([1, 2]), ValueError, "complete"),
        (lambda: codewords([1, 1, 1]), ValueError, "complete"),
        (lambda: codewords([0, 0]), ValueError, "complete"),
        (lambda: codewords([58, 1]), ValueError, r"in \[-1, 57\]"),
        (lambda: encode([0, 2], [1, 1, -1]), ValueError, "that have a word"),
        (lambda: encode([3], [1, 1]), ValueError, "that have a word"),
        (lambda: encode([-1], [1, 1]), ValueError, "that have a word"),
        (lambda: encode([0.5], [1, 1]), TypeError, "whole numbers"),
        (lambda: decode(b"", [], 1), ValueError, "count"),
        (lambda: decode(b"", [1, 1], -1), ValueError, "count"),
        (lambda: decode(b"a", [0], 3), ValueError, "a stream of 3 symbols"),
    ],
)
def test_bad_input(call: object, error: type[Exception], rule: str) -> None:
    with pytest.raises(error, match=rule):
        call()
