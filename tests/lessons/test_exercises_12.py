"""Answers to the exercises of lesson 12, and what is particular about them."""

import math

import numpy as np
import pytest
import torch

from optviz import quantize as qz
from optviz.lessons import check
from optviz.lessons.exercises import exercise
from optviz.quantize.integer_layers import IntegerLinear


def torch_qparams(low, high, bits):
    ends = torch.tensor([low, high, 0.0], dtype=torch.float64)
    s = (ends.max() - ends.min()) / (2**bits - 1)
    return s, (-ends.min() / s).round().clamp(0, 2**bits - 1)


def own_qparams(low, high, bits):
    q = qz.from_range(low, high, bits)
    return q.scale, q.zero_point


def laid_out_qparams(low, high, bits):
    """All levels of the widened range; the one nearest to 0 gives the zero point."""
    levels = np.linspace(min(0, low), max(0, high), 2**bits)
    return levels[1] - levels[0], int(abs(levels).argmin())


def line_qparams(low, high, bits, most=0, ends=lambda a, b: (a, b), near=lambda v: v):
    low, high = ends(low, high)
    scale = np.float64(high - low) / (2**bits - most)
    with np.errstate(all="ignore"):
        return scale, near(-low / scale)


def widened(low, high):
    return sorted([low, high, 0.0])[0], sorted([low, high, 0.0])[-1]


def clamped(bits_of_near=255):
    """Z of a range that was not widened, clamped to where the code of each case ends."""

    def near(low, high, bits):
        if low == high:
            return 1.0, 0  # a learner's own way out of 0/0
        s = (high - low) / (2**bits - 1)
        return s, np.clip(np.round(-low / s), 0, 2**bits - 1)

    return near


def torch_quantize(x, scale, zero, low, high):
    t = torch.as_tensor(x.copy())
    return torch.clamp(torch.round(t / scale) + zero, low, high).to(torch.int8)


def looped_quantize(x, scale, zero, low, high):
    codes = [max(low, min(high, round(v / scale) + zero)) for v in x.ravel().tolist()]
    return np.array(codes, np.int8).reshape(x.shape)


def own_quantize(x, scale, zero, low, high):
    return qz.quantize(x, qz.QParams(scale, zero, low, high)).astype(np.int8)


def wide_quantize(x, scale, zero, low, high):
    return np.minimum(np.maximum(np.rint(x / scale).astype(np.int64) + zero, low), high).astype("int8")


def shifted_quantize(x, scale, zero, low, high):
    """Halves are rounded after the shift, as PyTorch's own quantizer does."""
    return np.rint(np.clip(x / scale + zero, low, high)).astype(np.int8)


def torch_channels(q, s, transposed):
    w = s * torch.from_numpy(q).double()
    rows = (w.transpose(0, 1) if transposed else w).flatten(1)
    scales = rows.abs().amax(1) / 7
    view = (1, -1, 1, 1) if transposed else (-1, 1, 1, 1)
    return scales, (w / scales.view(view)).round().to(torch.int8)


def looped_channels(q, s, transposed):
    axis, codes, scales = int(transposed), np.zeros(q.shape, np.int8), []
    for c in range(q.shape[axis]):
        place = (slice(None), c) if transposed else c
        part = q[place].astype(float)
        most = max(part.max(), -part.min())
        scales.append(s * most / 7)
        codes[place] = np.round(7 * part / most)
    return scales, codes


def own_channels(q, s, transposed):
    w = s * q.astype(float)
    found = qz.choose_qparams(w, 4, qz.PerChannel(1 if transposed else 0), symmetric=True)
    return found.scale, qz.quantize(w, found)


def numpy_channels(axes, dtype=int, top=7):
    def stored(q, s, transposed):
        most = np.max(np.abs(q.astype(dtype)), axis=axes(transposed), keepdims=True)
        scales = s * most / top
        return scales.reshape(-1), np.clip(np.round(q * s / scales), -top, top)

    return stored


def outputs(transposed):
    return (0, 2, 3) if transposed else (1, 2, 3)


def torch_layer(xq, zero, s_in, wq, s_w, bias):
    """In real numbers, and divided by the unit at the end."""
    x, w = s_in * (torch.tensor(xq).double() - zero), torch.tensor(s_w)[:, None] * torch.tensor(wq)
    unit = s_in * torch.tensor(s_w)
    return (torch.nn.functional.linear(x, w) / unit).round() + (torch.tensor(bias) / unit).round()


def corrected_layer(xq, zero, s_in, wq, s_w, bias):
    b = np.round(bias / s_w / s_in).astype(np.int32)
    sums = xq.astype(np.int32) @ wq.T.astype(np.int32)
    return sums - zero * wq.sum(axis=1, dtype=np.int32) + b


def looped_layer(xq, zero, s_in, wq, s_w, bias):
    return [
        [
            sum(int(w) * (int(x) - zero) for w, x in zip(row, xs, strict=True)) + round(b / (s_in * s))
            for row, s, b in zip(wq, s_w, bias, strict=True)
        ]
        for xs in xq
    ]


def own_layer(xq, zero, s_in, wq, s_w, bias):
    return IntegerLinear(wq, np.round(bias / (s_in * s_w)).astype(np.int32), zero, None).sums(xq)


def biased(of):
    """The layer with another bias: of(bias, s_in, s_w)."""
    return lambda xq, zero, s_in, wq, s_w, bias: (
        corrected_layer(xq, zero, s_in, wq, s_w, 0 * bias) + of(bias, s_in, s_w)
    )


def in_bytes(xq, zero, s_in, wq, s_w, bias):
    return (xq - zero) @ wq.T + np.round(bias / (s_in * s_w))


def written_size(rows, columns, bits, group, counts, lengths):
    """Really written down: bits as text, numbers as arrays."""
    codes = "0" * (rows * columns * bits)
    groups = -(-rows * columns // group)
    biases = np.zeros(rows, np.float32)
    words = "".join("1" * length * count for count, length in zip(counts, lengths, strict=True))
    in_a = [np.zeros(groups, np.float32), np.zeros(groups, np.uint8), biases]
    in_b = [np.zeros(len(counts), np.float32), np.zeros(len(lengths), np.uint8), biases]
    pack = [len(np.packbits([int(c) for c in bits])) for bits in (codes, words)]
    return [pack[0] + sum(v.nbytes for v in in_a), pack[1] + sum(v.nbytes for v in in_b)]


def integer_size(rows, columns, bits, group, counts, lengths):
    a = (rows * columns * bits + 7) // 8 + 5 * (rows * columns // group)
    b = (int(np.dot(counts, lengths)) + 7) // 8 + 5 * len(counts)
    return np.array([a, b]) + 4 * rows


def torch_size(rows, columns, bits, group, counts, lengths):
    packed = torch.tensor([rows * columns * bits, (torch.tensor(counts) * torch.tensor(lengths)).sum()])
    more = torch.tensor([rows * columns // group, len(counts)]) * 5 + 4 * rows
    return (packed / 8).ceil() + more


def cheap_size(a=0, b=0, of=lambda bits: math.ceil(bits / 8)):
    """A count that forgets ``a`` bytes a group, ``b`` bytes a value, or takes bits another way."""

    def count(rows, columns, bits, group, counts, lengths):
        first = of(rows * columns * bits) + (5 - a) * rows * columns / group + 4 * rows
        return first, of(sum(counts * lengths)) + (5 - b) * len(counts) + 4 * rows

    return count


RIGHT = {
    "12.qparams": [torch_qparams, own_qparams, laid_out_qparams],
    "12.quantize": [torch_quantize, looped_quantize, own_quantize, wide_quantize, shifted_quantize],
    "12.per_channel": [
        torch_channels,
        looped_channels,
        own_channels,
        numpy_channels(outputs, np.int16),
        numpy_channels(outputs, np.float32),
    ],
    "12.integer_layer": [torch_layer, corrected_layer, looped_layer, own_layer],
    "12.size": [written_size, integer_size, torch_size],
}

# Wrong answers written apart from the tables, as a learner would write them, and the mistake that each is.
WRONG = {
    "12.qparams": [
        (clamped(), "0 has no integer"),
        (lambda a, b, n: line_qparams(a, b, n, 1, near=np.round), "the zero point is outside the code"),
        (lambda a, b, n: line_qparams(a, b, n, 1), "a line through low and high, and no more"),
        (lambda a, b, n: line_qparams(a, b, n, 1, widened), "the zero point is not rounded"),
        (lambda a, b, n: line_qparams(a, b, n, 1, widened, np.floor), "the zero point is cut off"),
        (lambda a, b, n: line_qparams(a, b, n, 0, widened, round), "counts integers instead of steps"),
        (
            lambda a, b, n: line_qparams(a, b, n, 1, widened, lambda v: -np.rint(v)),
            "the zero point with the wrong sign",
        ),
        (
            lambda a, b, n: qz.from_range(a, b, n, symmetric=True).scale * np.array([1, 0]),
            "a symmetric code",
        ),
    ],
    "12.quantize": [
        (
            lambda x, s, z, low, high: np.clip(np.round(x / s).astype(np.int8) + np.int8(z), low, high),
            "casts before it clamps",
        ),
        (
            lambda x, s, z, low, high: np.clip(np.round(x / s).astype(np.int8).astype(int) + z, low, high),
            "casts before the shift",
        ),
        (
            lambda x, s, z, low, high: torch.round(torch.tensor(x.copy()) / s + 0).add(z).to(torch.int8),
            "casts without a clamp",
        ),
        (
            lambda x, s, z, low, high: torch_quantize(x, s, 0, low, high) + z,
            "clamps before the shift",
        ),
        (
            lambda x, s, z, low, high: np.clip(np.round(x / s), low, high) + z,
            "clamps before the shift, and never casts",
        ),
        (lambda x, s, z, low, high: np.clip(np.round(x / s) + z, low, high), "8 bytes for each integer"),
        (
            lambda x, s, z, low, high: torch_quantize(x, s, z, low, high).int(),
            "4 bytes for each integer",
        ),
        (
            lambda x, s, z, low, high: np.clip((x / s).astype(int) + z, low, high).astype(np.int8),
            "cuts off instead of rounding",
        ),
        (
            lambda x, s, z, low, high: np.clip((x / s + 0.5) // 1 + z, low, high).astype(np.int8),
            "rounds halves up",
        ),
        (lambda x, s, z, low, high: torch_quantize(x, s, 0, low, high), "forgets the zero point"),
        (
            lambda x, s, z, low, high: np.clip(np.round(x / s + z).astype(np.int8), low, high),
            "casts before it clamps",
        ),
        (lambda x, s, z, low, high: wide_quantize(x, s, z, low, high).view(np.uint8), "casts to uint8"),
        (lambda x, s, z, low, high: np.clip(z + x / s, low, high), "never rounds"),
        (
            lambda x, s, z, low, high: (np.round(np.clip(x, low, high) / s) + z).astype(np.int8),
            "clamps x itself",
        ),
        (
            lambda x, s, z, low, high: qz.fake_quantize(x, qz.QParams(s, z, low, high)),
            "gives the numbers back",
        ),
    ],
    "12.per_channel": [
        (
            lambda q, s, transposed: torch_channels(q, s, False),
            "the wrong axis for a transposed convolution",
        ),
        (lambda q, s, transposed: looped_channels(q, s, not transposed), "one scale for each input channel"),
        (numpy_channels(lambda transposed: None), "one scale for all"),
        (numpy_channels(outputs, np.int8), "|−128| in int8"),
        (
            lambda q, s, transposed: (
                lambda top: (
                    s * top.flatten() / 7,
                    torch.round(torch.tensor(q) * 7.0 / top),
                )
            )(torch.tensor(q).amax(outputs(transposed), keepdim=True)),
            "the largest instead of the largest size",
        ),
        (
            lambda q, s, transposed: (
                numpy_channels(outputs)(q, 1.0, transposed)[0],
                looped_channels(q, s, transposed)[1],
            ),
            "the scale of the file is lost",
        ),
        (
            lambda q, s, transposed: (
                torch_channels(q, s, transposed)[0],
                np.round(7 * q / abs(q.astype(int)).max(outputs(transposed), keepdims=True)),
            ),
            "7 · q in int8",
        ),
        (numpy_channels(outputs, top=8), "eight steps instead of seven"),
    ],
    "12.integer_layer": [
        (
            lambda xq, zero, s_in, wq, s_w, b: looped_layer(xq, 0, s_in, wq, s_w, b),
            "forgets the zero point of the inputs",
        ),
        (
            lambda xq, zero, s_in, wq, s_w, b: looped_layer(xq, -zero, s_in, wq, s_w, b),
            "adds the zero point",
        ),
        (
            lambda xq, zero, s_in, wq, s_w, b: torch_layer(xq, 0, s_in, wq, s_w, b) - zero,
            "subtracts the zero point once",
        ),
        (
            lambda xq, zero, s_in, wq, s_w, b: (
                (xq - np.uint8(zero)).astype(np.int32) @ wq.T.astype(np.int32) + np.round(b / (s_in * s_w))
            ),
            "subtracts in uint8",
        ),
        (in_bytes, "computes in the types that came in"),
        (
            lambda xq, zero, s_in, wq, s_w, b: (
                np.matmul(xq, wq.T) - zero * wq.sum(1) + np.round(b / s_in / s_w)
            ),
            "sums in 16 bits",
        ),
        (
            lambda xq, zero, s_in, wq, s_w, b: looped_layer(xq.view(np.int8), zero, s_in, wq, s_w, b),
            "reads the inputs as int8",
        ),
        (
            lambda xq, zero, s_in, wq, s_w, b: xq @ wq.T + np.round(b / s_in / s_w),
            "no zero point, and sums in 16 bits",
        ),
        (
            lambda xq, zero, s_in, wq, s_w, b: (
                (xq.astype(np.int16) - np.int16(zero)) @ wq.T + np.round(b / s_in / s_w)
            ),
            "sums in 16 bits",
        ),
        (biased(lambda b, s_in, s_w: b), "the bias as it is"),
        (biased(lambda b, s_in, s_w: np.round(b / s_w)), "the bias in units of the weights"),
        (biased(lambda b, s_in, s_w: np.round(b / s_in)), "the bias in units of the inputs"),
        (biased(lambda b, s_in, s_w: b * s_in * s_w), "the bias is lost"),
        (biased(lambda b, s_in, s_w: (b / (s_in * s_w)).astype(np.int32)), "the bias is cut off"),
        (biased(lambda b, s_in, s_w: b / (s_in * s_w)), "the bias is not rounded"),
        (
            lambda xq, zero, s_in, wq, s_w, b: (
                torch_layer(xq, zero, s_in, wq, s_w, b) * s_in * torch.tensor(s_w)
            ),
            "gives floats back",
        ),
    ],
    "12.size": [
        (cheap_size(a=4), "scales for free"),
        (cheap_size(a=1), "zero points for free"),
        (cheap_size(a=5), "scales and zero points for free"),
        (cheap_size(b=4), "the codebook for free"),
        (cheap_size(b=1), "the table of the code for free"),
        (cheap_size(a=5, b=5), "the integers alone"),
        (cheap_size(of=lambda bits: bits / 8), "part of a byte"),
        (cheap_size(of=lambda bits: bits // 8), "the last bits are lost"),
        (cheap_size(of=lambda bits: bits), "bits taken for bytes"),
        (
            lambda rows, columns, bits, group, counts, lengths: (
                torch_size(rows, columns, bits, group, counts, lengths) - 4 * rows
            ),
            "biases for free",
        ),
        (
            lambda rows, columns, bits, group, counts, lengths: (
                written_size(rows, columns, bits, group, counts, lengths)[0],
                integer_size(0, columns, bits, group, counts, lengths)[1],
            ),
            "the biases in (a) alone",
        ),
        (
            lambda rows, columns, bits, group, counts, lengths: (
                rows * (math.ceil(columns * bits / 8) + 4) + 5 * rows * columns // group,
                torch_size(rows, columns, bits, group, counts, lengths)[1],
            ),
            "each row ends at a whole byte",
        ),
        (
            lambda rows, columns, bits, group, counts, lengths: written_size(
                rows, columns, 8, group, counts, lengths
            ),
            "a byte for each integer",
        ),
        (
            lambda rows, columns, bits, group, counts, lengths: integer_size(
                rows, columns, bits, group, counts, 0 * lengths + len(f"{len(counts) - 1:b}")
            ),
            "all labels of one length",
        ),
    ],
}


@pytest.mark.parametrize("case", exercise("12.qparams").cases)
def test_the_right_code_has_a_0(case):
    s, zero = exercise("12.qparams").answer(*case)
    assert zero == int(zero)
    assert 0 <= zero <= 2 ** case[2] - 1
    assert s * (0 - zero) <= min(case[0], 0) + s / 2
    assert s * (2 ** case[2] - 1 - zero) >= max(case[1], 0) - s / 2


def test_the_verdict_says_what_becomes_of_0():
    verdict = check("12.qparams", clamped())
    assert "0.0 becomes the integer 0, which is read as 0" in verdict.detail
    verdict = check("12.qparams", lambda low, high, bits: (np.nan, 1))
    assert "0.0 becomes" not in verdict.detail


def test_no_case_hangs_on_how_halves_are_rounded_but_those_of_the_rounding():
    """Who rounds halves up gets the zero point, the codes of channels and the biases right all the same."""

    def half(values):
        return (abs(values - np.floor(values) - 0.5) < 1e-3).any()

    for low, high, bits in exercise("12.qparams").cases:
        s, _ = exercise("12.qparams").answer(low, high, bits)
        assert not half(np.array(-min(low, 0) / s))
    for q, _, transposed in exercise("12.per_channel").cases:
        most = abs(q.astype(int)).max(outputs(transposed), keepdims=True)
        assert not half(7.0 * q / most)
        assert (q == -128).any()
    for _, _, s_in, _, s_w, bias in exercise("12.integer_layer").cases:
        assert not half(bias / (s_in * s_w))
    assert half(exercise("12.quantize").cases[0][0] / 0.5)


def test_the_sums_of_one_layer_need_more_than_16_bits():
    sums = [exercise("12.integer_layer").answer(*case) for case in exercise("12.integer_layer").cases]
    assert max(abs(s).max() for s in sums) > 32767


def test_the_lengths_are_those_of_a_code():
    """The codewords of each case can be told apart, and are the shortest for these counts."""
    for *_, counts, lengths in exercise("12.size").cases:
        assert sum(2.0 ** -int(n) for n in lengths) == 1
        best = qz.code_lengths(counts)
        assert (counts * best).sum() == (counts * lengths).sum()


def test_both_ways_hold_the_same_weights():
    assert all(case[0] * case[1] == sum(case[4]) for case in exercise("12.size").cases)


def test_integers_in_a_list_are_too_wide():
    verdict = check("12.quantize", lambda *case: looped_quantize(*case).ravel().tolist())
    assert verdict.mistake == "8 bytes for each integer"


@pytest.mark.parametrize(
    ("id", "fn", "words"),
    [
        ("12.quantize", WRONG["12.quantize"][1][0], "There x is 100: 200 steps, before the zero point 4"),
        ("12.quantize", lambda *case: own_quantize(*case).astype(int), "All integers are right."),
        ("12.quantize", lambda *case: own_quantize(*case)[:-1], "There are 9 numbers in x."),
        ("12.per_channel", WRONG["12.per_channel"][0][0], "Right are 3 scales, one for each output channel"),
        ("12.per_channel", numpy_channels(outputs, np.int8), "the scale of output channel 0 of 3"),
        (
            "12.per_channel",
            lambda q, s, transposed: (torch_channels(q, s, transposed)[0], 0 * q),
            "the new integer of a weight with q = 25",
        ),
        ("12.integer_layer", biased(lambda b, s_in, s_w: 7 - 7 * (b < 0)), "That is output 0 of example 0."),
        ("12.integer_layer", lambda *case: looped_layer(*case)[0], "2 × 3 values"),
        ("12.size", cheap_size(b=1), "That is (b), whose packed part has 102 bits."),
        ("12.size", lambda *case: written_size(*case)[:1], "the bytes of (a), then those of (b)"),
    ],
)
def test_the_verdict_says_which_value_is_wrong(id, fn, words):
    assert words in check(id, fn).detail
