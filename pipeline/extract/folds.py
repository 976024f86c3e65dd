"""Assigns rows to folds with a stable hash of the row's place in the data, or of its key.

The hashes are the outputs of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom
number generators", OOPSLA 2014). They may never change: runs are compared fold by fold, and a run
of today is compared with a run of last year.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.errors.faults import ColumnError
from pipeline.readers.arrow_types import is_text, is_whole

Hashes = npt.NDArray[np.uint64]
Integers = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

NULL = 0
"""The hash of a null key; all null keys together are a single cluster."""

# The number of rows that are hashed at a time, so that intermediate arrays stay in the cache.
_BLOCK = 16384

_GAMMA, _FIRST_FACTOR, _SECOND_FACTOR = (
    np.uint64(constant) for constant in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
)
_SHIFTS = tuple(np.uint64(shift) for shift in (30, 27, 31))
_HALF = np.uint64(32)

# The bits to keep of a word, by the number of its bytes that belong to the text.
_MASKS = np.array([(1 << 8 * size) - 1 for size in range(9)], np.uint64)


def folds_by_row(path: str, numbers: Integers, folds: int) -> Integers:
    """Returns the fold of each row, from the base name of its file and its number in the file.

    Neither the directory of the file nor the order of files, batches or shards matters.

    Args:
        path: the path of the file; only the text after its last `/` counts.
        numbers: int64 `[n]`, the numbers of the rows within the file.
        folds: the number of folds, 1 to 2**32.

    Returns:
        int64 `[n]`, 0 to `folds` - 1.

    >>> folds_by_row("days/1/part-0.parquet", np.arange(6), 20)
    array([18,  1, 12,  0, 14, 18])
    """
    return folds_of(row_identity(path, numbers), folds)


def folds_by_key(array: pa.Array, folds: int) -> Integers:
    """Returns the fold of each row from its key, so that rows with the same key share a fold.

    The text of a key is hashed, byte by byte. So a key has the same fold whether it is stored as an
    integer of any width, as text or as bytes, coded in a dictionary or not. The text of a boolean
    is `true` or `false`; the text of a date is as in ISO 8601. All null keys count as the same key.

    Args:
        array: the keys `[n]`: text, bytes, integers, booleans or dates.
        folds: the number of folds, 1 to 2**32.

    Returns:
        int64 `[n]`, 0 to `folds` - 1.

    Raises:
        ColumnError: if the keys are of another type.

    >>> folds_by_key(pa.array([42, 7, None]), 20)
    array([8, 2, 0])
    >>> folds_by_key(pa.array(["42", "7", None]), 20)
    array([8, 2, 0])
    """
    return folds_of(key_hashes(array), folds)


def row_identity(path: str, numbers: Integers) -> Hashes:
    """Returns a hash of each row, uint64 `[n]`; `folds_of` makes a fold of it.

    The hashes also tell which rows a run saw. The hash of a row is the output, at the row's number,
    of the SplitMix64 sequence that starts from the hash of the base name.

    Args:
        path: the path of the file; only the text after its last `/` counts.
        numbers: int64 `[n]`, the numbers of the rows within the file.
    """
    name = path.rsplit("/", 1)[-1].encode("utf-8", "surrogateescape")
    return mix(text_hashes(pa.array([name]), pa.binary()), numbers.view(np.uint64))


def folds_of(hashes: Hashes, folds: int) -> Integers:
    """Returns the fold of each hash, int64 `[n]`.

    The fold is `floor(u / 2**32 * folds)`, where `u` is the upper half of the hash.

    Args:
        hashes: uint64 `[n]`, the hashes.
        folds: the number of folds, 1 to 2**32.
    """
    upper = hashes >> _HALF
    upper *= np.uint64(folds)
    upper >>= _HALF
    return upper.view(np.int64)


def mix(hashes: Hashes, values: Hashes) -> Hashes:
    """Returns the hash of each pair of a hash and a value, uint64 `[n]`.

    The result is output number `values[i]` of the SplitMix64 sequence with the seed `hashes[i]`.
    With the same hash, different values give different results; with the same value, different
    hashes do so too.

    Args:
        hashes: uint64 `[n]`, or `[1]` for a hash that all values share.
        values: uint64 `[n]`, the values.

    >>> hex(mix(np.zeros(1, np.uint64), np.zeros(1, np.uint64))[0])
    '0xe220a8397b1dcdaf'
    """
    mixed = np.empty(len(values), np.uint64)
    for first in range(0, len(values), _BLOCK):
        block = slice(first, first + _BLOCK)
        _mix(hashes if len(hashes) == 1 else hashes[block], values[block], mixed[block])
    return mixed


def _mix(hashes: Hashes, values: Hashes, out: Hashes | None = None) -> Hashes:
    state = values + np.uint64(1)
    state *= _GAMMA
    out = np.add(state, hashes, out=out)
    shifted = np.right_shift(out, _SHIFTS[0], out=state)
    out ^= shifted
    out *= _FIRST_FACTOR
    np.right_shift(out, _SHIFTS[1], out=shifted)
    out ^= shifted
    out *= _SECOND_FACTOR
    np.right_shift(out, _SHIFTS[2], out=shifted)
    out ^= shifted
    return out


def key_hashes(array: pa.Array) -> Hashes:
    """Returns the hash of each key, uint64 `[n]`; `folds_by_key` says which keys there are.

    Raises:
        ColumnError: if the keys are of another type.
    """
    type_ = array.type
    if pa.types.is_dictionary(type_):
        # A last entry is for the rows that have no place in the dictionary.
        hashes: Hashes = np.append(key_hashes(array.dictionary), np.uint64(NULL))
        indices = array.indices.cast(pa.int64()).fill_null(len(array.dictionary))
        places: Integers = indices.to_numpy(zero_copy_only=False)
        return hashes[places]
    if pa.types.is_null(type_):
        return np.full(len(array), NULL, np.uint64)
    if is_whole(type_) or pa.types.is_boolean(type_) or pa.types.is_date(type_):
        return text_hashes(array, pa.string())
    if pa.types.is_fixed_size_binary(type_):
        return text_hashes(array, pa.binary())
    if is_text(type_):
        return text_hashes(array, type_)
    raise ColumnError(
        f"values of type {type_} cannot be a key: use text, bytes, integers, booleans or dates"
    )


def text_hashes(array: pa.Array, text: pa.DataType) -> Hashes:
    """Returns the hash of each value as text: of its length and its 8-byte little-endian words."""
    hashes = np.empty(len(array), np.uint64)
    for first in range(0, len(array), _BLOCK):
        part = array.slice(first, _BLOCK)
        if text != array.type:
            part = part.cast(text)
        hashes[first : first + _BLOCK] = _hash_texts(*_layout(part))
    if array.null_count:
        hashes[array.is_null().to_numpy(zero_copy_only=False)] = NULL
    return hashes


def _layout(array: pa.Array) -> tuple[Words, Integers, Integers]:
    """Returns the word at each byte position, the position of each text, and its size in bytes."""
    large = pa.types.is_large_string(array.type) or pa.types.is_large_binary(array.type)
    type_ = np.dtype(np.int64 if large else np.int32)
    _, offsets, content = array.buffers()
    ends = np.frombuffer(offsets, type_, len(array) + 1, array.offset * type_.itemsize)
    first, last = int(ends[0]), int(ends[-1])
    # The last word is read whole, so there must be bytes behind it.
    data = np.zeros(last - first + 8, np.uint8)
    if last > first:
        data[:-8] = np.frombuffer(content, np.uint8, last - first, first)
    words: Words = np.ndarray((len(data) - 7,), "<u8", data, strides=(1,))
    starts = np.subtract(ends, first, dtype=np.int64)
    return words, starts[:-1], np.diff(starts)


def _hash_texts(words: Words, starts: Integers, lengths: Integers) -> Hashes:
    counts = (lengths + 7) >> 3
    most_words = int(counts.max())
    order = None
    if int(counts.min()) < most_words:
        # Sorted by the number of words: texts with words left to hash are then at the end. NumPy
        # sorts small integer types with a radix sort.
        order = np.argsort(counts.astype(np.min_scalar_type(most_words)), kind="stable")
        counts, starts, lengths = counts[order], starts[order], lengths[order]
    # The length is hashed first, so that zero bytes at the end of a text make a difference.
    hashes = _mix(np.zeros(1, np.uint64), lengths.view(np.uint64))
    ended = np.searchsorted(counts, np.arange(most_words + 1), side="right")
    for word, (first, last) in enumerate(pairwise(ended.tolist())):
        contents = words[starts[first:] + 8 * word]
        contents[: last - first] &= _MASKS.take(lengths[first:last] - 8 * word)
        _mix(hashes[first:], contents, hashes[first:])
    if order is None:
        return hashes
    restored = np.empty_like(hashes)
    restored[order] = hashes
    return restored
