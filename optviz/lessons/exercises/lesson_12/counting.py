"""The exercise of lesson 12 on what a compressed layer takes, with nothing for free.

**Every byte.** ``my_size(rows, columns, bits, group, counts, lengths)``: a layer of `rows` × `columns`
weights and `rows` float32 biases is stored in two ways. (a) Integers of `bits` bits, packed without gaps;
each `group` weights share a float32 scale and a zero point of one byte. (b) A codebook of float32 values:
`counts[i]` weights have value i, and its codeword has `lengths[i]` bits; to decode, the file also holds each
length, in one byte. Packed bits end at a whole byte. Return the bytes of (a) and of (b).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from optviz.lessons.exercises.lesson_06.shrinking import flat
from optviz.lessons.exercises.lesson_12.wording import explained
from optviz.lessons.material import Exercise, Mistake

__all__ = ["SIZE"]

Code = Callable[[Any, Any], float]  # (counts, lengths) -> bits
FLOAT = 4


def _whole(bits: float) -> int:
    return math.ceil(bits / 8)


def _huffman(counts: Any, lengths: Any) -> float:
    return float((counts * lengths).sum())


def _size(
    *,
    scale: float = FLOAT,
    zero: float = 1,
    value: float = FLOAT,
    length: float = 1,
    bias: float = FLOAT,
    groups: Callable[[int, int, int], float] = lambda rows, columns, group: rows * columns / group,
    width: Callable[[int], float] = lambda bits: bits,
    code: Code = _huffman,
    packed: Callable[[float], float] = _whole,
) -> Callable[..., Any]:
    """Both counts, from bytes of each kind of number, how many groups there are, and bits of the integers."""

    def count(rows: int, columns: int, bits: int, group: int, counts: Any, lengths: Any) -> Any:
        own = bias * rows
        a = packed(rows * columns * width(bits)) + groups(rows, columns, group) * (scale + zero) + own
        b = packed(code(counts, lengths)) + len(counts) * (value + length) + own
        return a, b

    return count


def _log2(counts: Any, lengths: Any) -> float:
    return float(counts.sum() * math.ceil(math.log2(len(counts))))


def _entropy(counts: Any, lengths: Any) -> float:
    share = counts / counts.sum()
    return float(-(counts * np.log2(share)).sum())


def _of_a_file(at: int, rows: int, columns: int, bits: int, group: int, counts: Any, lengths: Any) -> str:
    if at < 0:
        return "Right are two numbers: the bytes of (a), then those of (b)."
    total = rows * columns * bits if at == 0 else int((counts * lengths).sum())
    return f"That is {'(a)' if at == 0 else '(b)'}, whose packed part has {total:,} bits."


def _once(rows: int, *rest: Any) -> Any:
    a, b = _size()(rows, *rest)
    return a, b - FLOAT * rows


def _by_rows(rows: int, columns: int, bits: int, *rest: Any) -> Any:
    a, b = _size()(rows, columns, bits, *rest)
    return a - _whole(rows * columns * bits) + rows * _whole(columns * bits), b


SIZE = Exercise(
    id="12.size",
    arguments=("rows", "columns", "bits", "group", "counts", "lengths"),
    answer=_size(),
    cases=(
        (6, 10, 4, 5, np.array([33, 12, 10, 5]), np.array([1, 2, 3, 3])),
        (5, 9, 3, 9, np.array([20, 15, 10]), np.array([1, 2, 2])),
        (300, 100, 8, 50, np.array([21000, 4000, 3000, 1500, 500]), np.array([1, 2, 3, 4, 4])),
        (7, 3, 5, 3, np.array([6, 9, 4, 2]), np.array([2, 1, 3, 3])),
    ),
    measure=flat,
    explain=explained(flat, _size(), _of_a_file),
    praise="Scales, zero points, codebook, lengths and biases: now the number is that of a file.",
    hints=(
        "What does the reader of the file need, besides the packed bits?",
        "(a) scales, zero points, biases. (b) values, lengths, biases. Bits are divided by 8, rounded up.",
        "a = ceil(rows*columns*bits/8) + rows*columns//group*(4 + 1) + 4*rows; "
        "b = ceil(sum(counts*lengths)/8) + len(counts)*(4 + 1) + 4*rows.",
    ),
    mistakes=(
        Mistake(
            "scales for free",
            _size(scale=0),
            (
                "What does the reader of the integers need, to get numbers?",
                "One float32 scale for each group: with groups of 16 that is 2 bits more a weight.",
                "Each of the rows*columns/group groups takes 4 + 1 bytes.",
            ),
        ),
        Mistake(
            "zero points for free",
            _size(zero=0),
            (
                "Which integer stands for 0, and where in the file does it say so?",
                "Each group has a zero point beside its scale, one byte.",
                "Each of the rows*columns/group groups takes 4 + 1 bytes.",
            ),
        ),
        Mistake(
            "scales and zero points for free",
            _size(scale=0, zero=0),
            (
                "What does the reader of the integers need, to get numbers?",
                "A scale and a zero point for each group.",
                "Each of the rows*columns/group groups takes 4 + 1 bytes.",
            ),
        ),
        Mistake(
            "the codebook for free",
            _size(value=0),
            (
                "Label 3 is read. Which weight is it?",
                "The values themselves must be in the file, 4 bytes each.",
                "+ 4 * len(counts).",
            ),
        ),
        Mistake(
            "the table of the code for free",
            _size(length=0),
            (
                "Where does a codeword end?",
                "A reader needs the length of each codeword, one byte each.",
                "+ len(counts) bytes.",
            ),
        ),
        Mistake(
            "codebook and table for free",
            _size(value=0, length=0),
            (
                "Could you decode (b) from the packed bits alone?",
                "The values and the lengths of the codewords must be in the file.",
                "+ len(counts) * (4 + 1).",
            ),
        ),
        Mistake(
            "zero points and table for free",
            _size(zero=0, length=0),
            (
                "What is one byte each, in (a) and in (b)?",
                "Each group has a zero point beside its scale, each codeword a length beside its value.",
                "4 + 1 bytes, for each group and for each value.",
            ),
        ),
        Mistake(
            "the integers alone",
            _size(scale=0, zero=0, value=0, length=0),
            (
                "Could you get the weights back from your two files?",
                "Scales and zero points are missing in (a), values and lengths in (b).",
                "+ rows*columns//group * (4 + 1), and + len(counts) * (4 + 1).",
            ),
        ),
        Mistake(
            "the packed bits alone",
            _size(scale=0, zero=0, value=0, length=0, bias=0),
            (
                "Could you get the layer back from your two files?",
                "Scales and zero points are missing in (a), values and lengths in (b), biases in both.",
                "+ rows*columns//group * (4 + 1) + 4*rows, and + len(counts) * (4 + 1) + 4*rows.",
            ),
        ),
        Mistake(
            "biases for free",
            _size(bias=0),
            (
                "Which numbers of the layer are in neither of your files?",
                "The biases are stored as they are, 4 bytes each.",
                "+ 4 * rows, twice.",
            ),
        ),
        Mistake(
            "the biases in (a) alone",
            _once,
            (
                "Where are the biases in your second file?",
                "Both files hold the whole layer.",
                "+ 4 * rows in (b) as well.",
            ),
        ),
        Mistake(
            "each row ends at a whole byte",
            _by_rows,
            (
                "Nine 3-bit integers: where does the next row begin?",
                "Right behind, in the same byte: they are packed without gaps.",
                "ceil(rows * columns * bits / 8), rounded up once.",
            ),
        ),
        Mistake(
            "one scale for each row",
            _size(groups=lambda rows, columns, group: rows),
            (
                "How many groups are there in a row?",
                "columns / group of them, each with its own scale.",
                "rows * columns // group groups in all.",
            ),
        ),
        Mistake(
            "one scale for the layer",
            _size(groups=lambda rows, columns, group: 1),
            (
                "How many groups of weights are there?",
                "Each has a scale and a zero point of its own.",
                "rows * columns // group groups.",
            ),
        ),
        Mistake(
            "one scale for each weight of a group",
            _size(groups=lambda rows, columns, group: group),
            (
                "Is `group` the number of groups, or of weights in one?",
                "It is the size of one.",
                "rows * columns // group groups.",
            ),
        ),
        Mistake(
            "a byte for each integer",
            _size(width=lambda bits: 8),
            (
                "How many 4-bit integers fit into a byte?",
                "They are packed without gaps.",
                "ceil(rows * columns * bits / 8).",
            ),
        ),
        Mistake(
            "bits taken for bytes",
            _size(packed=lambda bits: bits),
            (
                "Is a compressed layer of yours larger than 4 bytes a weight?",
                "Eight bits are one byte.",
                "math.ceil(… / 8).",
            ),
        ),
        Mistake(
            "part of a byte",
            _size(packed=lambda bits: bits / 8),
            (
                "Can a file have half a byte?",
                "The last byte is there as a whole.",
                "math.ceil(… / 8).",
            ),
        ),
        Mistake(
            "the last bits are lost",
            _size(packed=lambda bits: bits // 8),
            (
                "17 bits: how many bytes?",
                "// cuts the last, unfinished byte off.",
                "math.ceil(… / 8).",
            ),
        ),
        Mistake(
            "all labels of one length",
            _size(code=_log2),
            (
                "What are the lengths good for?",
                "Frequent values have short codewords: count each weight's own.",
                "sum(counts * lengths) bits.",
            ),
        ),
        Mistake(
            "each codeword once",
            _size(code=lambda counts, lengths: float(lengths.sum())),
            (
                "How often does the first codeword stand in the file?",
                "Once for each weight that has this value.",
                "sum(counts * lengths) bits.",
            ),
        ),
        Mistake(
            "the entropy instead of the codewords",
            _size(code=_entropy),
            (
                "Can a codeword have 1.3 bits?",
                "The entropy is what no code can beat; the file holds whole codewords.",
                "sum(counts * lengths) bits.",
            ),
        ),
        Mistake(
            "a byte for each value",
            _size(value=1),
            (
                "What are the values of the codebook?",
                "float32: 4 bytes each.",
                "+ len(counts) * (4 + 1).",
            ),
        ),
    ),
)
