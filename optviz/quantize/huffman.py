"""Huffman codes: few bits for what is frequent. Lengths from counts, canonical words, streams of bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from optviz._knobs import require

__all__ = ["code_lengths", "codewords", "decode", "encode", "entropy"]

LONGEST = 57  # bits of a word: with up to 7 bits before it in its first byte it fits into 64
# A word of L bits needs counts whose sum is at least the Fibonacci number F(L + 2): each step towards the
# root at least adds the sum before. F(60) is the first sum that could need 58 bits.
MOST = 1_548_008_755_920
PIECE = 1 << 16  # bits that are decoded at a time; a multiple of 8


def entropy(counts: Any) -> float:
    """Shannon's lower bound for the mean length of a code: H = −Σ p log₂ p, p = counts / Σ counts.

    Huffman's code has a mean length in [H, H + 1).

    Args:
        counts: (n,) how often each of n symbols occurs; whole numbers of at least 0.

    Returns:
        Bits a symbol; 0 where nothing occurs.

    Raises:
        TypeError, ValueError: as :func:`code_lengths`.

    Example:
        >>> entropy([4, 2, 1, 1])
        1.75

    Reference: Shannon, A mathematical theory of communication, 1948, doi:10.1002/j.1538-7305.1948.tb01338.x.
    """
    used = _counted(counts, "entropy.counts")
    used = used[used > 0]
    total = used.sum() if len(used) else 1
    return float(used @ (np.log2(total) - np.log2(used)) / total)


def code_lengths(counts: Any) -> np.ndarray:
    """Lengths of the words of a Huffman code: no code of whole bits for each symbol is shorter in total.

    The two lightest trees are joined until one is left; a word has a bit for each join above its symbol. Of
    equally heavy trees a single symbol goes first, which keeps the longest word short. Two sorted queues
    hold all trees: joins come in order of their weight.

    Args:
        counts: (n,) how often each of n symbols occurs; whole numbers of at least 0, together below
            1.5·10¹² (F(60), so that no word has more than 57 bits and no limit has to be set).

    Returns:
        (n,) int8, bits of each word; −1 for a symbol that never occurs. A symbol that is alone has a word
        of 0 bits: how often it stands there is all there is to say.

    Raises:
        TypeError: if counts are not whole numbers.
        ValueError: if one is negative, or they are too many.

    Example:
        >>> code_lengths([5, 0, 1, 1, 2]).tolist()
        [1, -1, 3, 3, 2]

    Reference: Huffman, A method for the construction of minimum-redundancy codes, 1952,
    doi:10.1109/JRPROC.1952.273898; two queues: van Leeuwen, On the construction of Huffman trees, ICALP 1976.
    """
    counts = _counted(counts, "code_lengths.counts")
    lengths = np.full(len(counts), -1, np.int8)
    used = np.flatnonzero(counts)
    order = used[np.argsort(counts[used], kind="stable")]
    lengths[order] = _depths(counts[order].tolist())
    return lengths


def codewords(lengths: Any) -> np.ndarray:
    """The canonical code: words in numerical order for symbols in order of length, then of number.

    So the lengths are all that a file has to hold. The first word is 0…0; each next one is the word before
    plus 1, with zeros behind it where words get longer.

    Args:
        lengths: (n,) bits of each word, −1 for none, of a complete code: Σ 2^−length = 1.

    Returns:
        (n,) uint64 words, the last bit lowest; 0 for symbols without a word.

    Raises:
        TypeError: if lengths are not whole numbers.
        ValueError: if they are no lengths of a complete code, or above 57.

    Example:
        >>> lengths = [2, 1, -1, 3, 3]
        >>> [f"{word:0{n}b}" for word, n in zip(codewords(lengths), lengths) if n >= 0]
        ['10', '0', '110', '111']

    Reference: Schwartz and Kallick, Generating a canonical prefix encoding, Communications of
    the ACM 7, 166–169, 1964.
    """
    lengths = _complete(lengths, "codewords.lengths")
    order, starts = _starts(lengths)
    words = np.zeros(len(lengths), np.uint64)
    words[order] = starts >> (LONGEST - lengths[order]).astype(np.uint64)
    return words


def encode(symbols: Any, lengths: Any) -> bytes:
    """Symbols as one stream of bits, the first bit highest; zeros fill the last byte.

    Args:
        symbols: (N,) whole numbers in [0, n), each with a word.
        lengths: (n,) bits of each word, as :func:`code_lengths` gives them.

    Returns:
        ⌈Σ bits / 8⌉ bytes.

    Raises:
        TypeError: if symbols or lengths are not whole numbers.
        ValueError: if a symbol has no word, or the code isn't complete.

    Example:
        >>> encode([1, 0, 1, 3], [2, 1, -1, 3, 3]).hex()  # 0 10 0 110 0
        '4c'

    Reference: Huffman, 1952, doi:10.1109/JRPROC.1952.273898.
    """
    lengths = _complete(lengths, "encode.lengths")
    symbols = _whole(symbols, "encode.symbols")
    known = symbols[(symbols >= 0) & (symbols < len(lengths))]
    ok = len(known) == len(symbols) and bool((lengths[symbols] >= 0).all())
    require(ok, "encode.symbols", "symbols that have a word", np.unique(symbols)[:9].tolist())
    words = codewords(lengths)
    parts = [symbols[i : i + PIECE] for i in range(0, len(symbols), PIECE)]
    bits = [_bits(words[part], lengths[part].astype(np.int64)) for part in parts]
    return np.packbits(np.concatenate(bits)).tobytes() if bits else b""


def decode(data: bytes, lengths: Any, count: int) -> np.ndarray:
    """The symbols of a stream of bits.

    Where a word starts is known only once all words before it are read. Here every bit is taken as a start:
    the word there says where a next one would start, jump(bit). The true starts follow from the first by
    doubling: when 2^i of them are known, the next 2^i are jump^(2^i) of these.

    Args:
        data: bytes from :func:`encode`.
        lengths: (n,) bits of each word.
        count: N, number of symbols.

    Returns:
        (N,) int64 symbols in [0, n).

    Raises:
        TypeError: if lengths are not whole numbers.
        ValueError: if the code isn't complete, or ``data`` hasn't the length and the filling zeros of a
            stream of ``count`` symbols.

    Example:
        >>> decode(bytes.fromhex("4c"), [2, 1, -1, 3, 3], 4).tolist()
        [1, 0, 1, 3]

    Reference: canonical decoding by comparison: Moffat and Turpin, On the implementation of
    minimum-redundancy prefix codes, IEEE Data Compression Conference, 1996; doubling: Hillis and Steele, Data
    parallel algorithms, Communications of the ACM 29, 1986.
    """
    lengths = _complete(lengths, "decode.lengths")
    order, starts = _starts(lengths)
    rule = f"a stream of {count} symbols"
    require(count >= 0 and (len(order) > 0 or count == 0), "decode.count", "as many as the stream has", count)
    if len(order) < 2 or count == 0:
        require(len(data) == 0, "decode.data", rule, f"{len(data)} bytes")
        return np.full(count, order[0] if count else 0, np.int64)
    require(len(data) <= count * LONGEST // 8 + 1, "decode.data", rule, f"{len(data)} bytes")
    ranks = _ranks(data, starts, lengths[order].astype(np.int64))[:count]
    used = int(lengths[order[ranks]].sum(dtype=np.int64))
    filled = len(ranks) == count and len(data) == -(-used // 8)
    whole = filled and data[-1] & ((1 << (-used % 8)) - 1) == 0
    require(whole, "decode.data", rule, f"{len(data)} bytes that are none")
    return order[ranks]


def _depths(weights: list[int]) -> list[int]:
    """Joins above each of n leaves, whose weights are in rising order."""
    leaves, above = len(weights), [0] * max(0, 2 * len(weights) - 1)
    weights, leaf, tree = list(weights), 0, leaves
    for new in range(leaves, len(above)):
        total = 0
        for _ in range(2):
            if leaf < leaves and (tree == new or weights[leaf] <= weights[tree]):
                light, leaf = leaf, leaf + 1
            else:
                light, tree = tree, tree + 1
            above[light], total = new, total + weights[light]
        weights.append(total)
    depths = [0] * len(above)
    for node in range(len(above) - 2, -1, -1):
        depths[node] = depths[above[node]] + 1
    return depths[:leaves]


def _starts(lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Symbols in the order of their words, and these words with zeros behind them to 57 bits."""
    order = np.argsort(lengths, kind="stable")[int((lengths < 0).sum()) :]
    widths = np.uint64(1) << (LONGEST - lengths[order].astype(np.int64)).astype(np.uint64)
    return order, np.cumsum(widths, dtype=np.uint64) - widths


def _bits(words: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The bits of words one after the other, (Σ lengths,) of 0 and 1."""
    ends = np.cumsum(lengths)
    behind = np.repeat(ends, lengths) - np.arange(1, ends[-1] + 1)  # bits of the word after this one
    return (np.repeat(words, lengths) >> behind.astype(np.uint64)).astype(np.uint8) & 1


def _ranks(data: bytes, starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Places of the words of a stream in the order of words, piece by piece; the filling may add some."""
    padded = np.frombuffer(data + bytes(PIECE // 8 + 7), np.uint8)
    found, first = [], 0
    for begin in range(0, len(data), PIECE // 8):
        size = min(PIECE // 8, len(data) - begin)
        eights = np.lib.stride_tricks.sliding_window_view(padded[begin : begin + size + 7], 8)
        windows = np.ascontiguousarray(eights).view(">u8").astype(np.uint64) << np.arange(8, dtype=np.uint64)
        ranks = np.searchsorted(starts, (windows >> np.uint64(64 - LONGEST)).ravel(), "right") - 1
        at = _followed(np.arange(8 * size) + lengths[ranks], first)
        found.append(ranks[at])
        first = max(first, int(at[-1] + lengths[ranks[at[-1]]]) if len(at) else 0) - 8 * size
    return np.concatenate(found) if found else np.zeros(0, np.int64)


def _followed(jump: np.ndarray, first: int) -> np.ndarray:
    """``first``, jump[first], jump[jump[first]], … as long as they are below len(jump)."""
    end = len(jump)
    at, jump = np.array([min(first, end)]), np.append(np.minimum(jump, end), end)
    while at[-1] < end:
        at, jump = np.concatenate([at, jump[at]]), jump[jump]
    return at[at < end]


def _complete(lengths: Any, name: str) -> np.ndarray:
    """Lengths of a complete code, or of none at all."""
    found = _whole(lengths, name)
    ok = bool(((found >= -1) & (found <= LONGEST)).all())
    require(ok, name, f"in [-1, {LONGEST}]", found[(found < -1) | (found > LONGEST)][:9].tolist())
    each = np.bincount(found[found >= 0], minlength=1).tolist()
    room = sum(many << (LONGEST - length) for length, many in enumerate(each))
    complete = room in (0, 1 << LONGEST)
    require(complete, name, "of a complete code (the sum of 2^-length is 1)", room / 2**LONGEST)
    return found


def _counted(counts: Any, name: str) -> np.ndarray:
    found = _whole(counts, name)
    require(bool((found >= 0).all()), name, "at least 0", found[found < 0][:9].tolist())
    total = sum(found.tolist())  # of Python's numbers, which don't overflow
    require(total < MOST, name, f"below {MOST} together", total)
    return found


def _whole(values: Any, name: str) -> np.ndarray:
    """Whole numbers (n,) as int64."""
    found = np.asarray(values)
    if found.dtype.kind not in "iu" and found.size:
        raise TypeError(f"{name} must be whole numbers, got {found.dtype}")
    require(found.ndim == 1, name, "of one axis", found.shape)
    return found.astype(np.int64)
