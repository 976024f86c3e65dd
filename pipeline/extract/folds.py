"""Folds: a stable hash puts each row into one, by its place in the data or by its key.

The hashes are the outputs of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom
number generators", OOPSLA 2014). They may never change: runs are compared fold by fold, and those
of today with those of last year.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.errors.faults import ColumnError
from pipeline.readers.rows import is_text

Hashes = npt.NDArray[np.uint64]
Integers = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

NULL = 0
"""The hash of a null key, so that all nulls are one cluster."""

# Rows that are hashed at a time: what is computed on the way stays in the cache.
_BLOCK = 16384

_GAMMA, _FIRST, _SECOND = (
    np.uint64(constant) for constant in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
)
_SHIFTS = tuple(np.uint64(shift) for shift in (30, 27, 31))
_HALF = np.uint64(32)

# What to keep of a word of which so many bytes belong to the text.
_MASKS = np.array([(1 << 8 * size) - 1 for size in range(9)], np.uint64)


def folds_by_row(path: str, numbers: Integers, folds: int) -> Integers:
    """The fold of each row by the base name of its file and its number in it.

    Neither the directory of the file nor the order of files, batches or shards matters.

    Args:
        path: the file; the text after its last `/` counts.
        numbers: int64 `[n]`, row numbers within the file.
        folds: how many folds there are, 1 to 2**32.

    Returns:
        int64 `[n]`, 0 to `folds` - 1.

    >>> folds_by_row("days/1/part-0.parquet", np.arange(6), 20)
    array([18,  1, 12,  0, 14, 18])
    """
    return folds_of(row_identity(path, numbers), folds)


def folds_by_key(array: pa.Array, folds: int) -> Integers:
    """The fold of each row by its key, so that rows of one key are together.

    The bytes of the text of a key are hashed: a key has one fold whether it is stored as an
    integer of any width, as text or as bytes, coded in a dictionary or not. Booleans are `true`
    and `false`, dates are as in ISO 8601. All null keys are one key.

    Args:
        array: the keys `[n]`: text, bytes, integers, booleans or dates.
        folds: how many folds there are, 1 to 2**32.

    Returns:
        int64 `[n]`, 0 to `folds` - 1.

    Raises:
        ColumnError: if the keys are of another type.

    >>> folds_by_key(pa.array([42, 7, None]), 20)
    array([8, 2, 0])
    >>> folds_by_key(pa.array(["42", "7", None]), 20)
    array([8, 2, 0])
    """
    return folds_of(_key_hashes(array), folds)


def row_identity(path: str, numbers: Integers) -> Hashes:
    """The hash of each row before it becomes a fold: which rows a run saw.

    It is the SplitMix64 sequence that starts from the hash of the base name, at the row's number.

    Args:
        path: the file; the text after its last `/` counts.
        numbers: int64 `[n]`, row numbers within the file.
    """
    name = path.rsplit("/", 1)[-1].encode("utf-8", "surrogateescape")
    return mix(_text_hashes(pa.array([name]), pa.binary()), numbers.view(np.uint64))


def folds_of(hashes: Hashes, folds: int) -> Integers:
    """The fold of each hash: its upper half as a fraction of 2**32, times the number of folds.

    Args:
        hashes: uint64 `[n]`.
        folds: how many folds there are, 1 to 2**32.
    """
    upper = hashes >> _HALF
    upper *= np.uint64(folds)
    upper >>= _HALF
    return upper.view(np.int64)


def mix(hashes: Hashes, values: Hashes) -> Hashes:
    """Hashes of pairs: output number `values` of the SplitMix64 sequence seeded with `hashes`.

    For one hash different values give different results, and so do different hashes for one value.

    Args:
        hashes: uint64 `[n]`, or `[1]` for all values.
        values: uint64 `[n]`.

    >>> hex(mix(np.zeros(1, np.uint64), np.zeros(1, np.uint64))[0])
    '0xe220a8397b1dcdaf'
    """
    out = np.empty(len(values), np.uint64)
    for first in range(0, len(values), _BLOCK):
        block = slice(first, first + _BLOCK)
        _mix(hashes if len(hashes) == 1 else hashes[block], values[block], out[block])
    return out


def _mix(hashes: Hashes, values: Hashes, out: Hashes | None = None) -> Hashes:
    state = values + np.uint64(1)
    state *= _GAMMA
    out = np.add(state, hashes, out=out)
    shifted = np.right_shift(out, _SHIFTS[0], out=state)
    out ^= shifted
    out *= _FIRST
    np.right_shift(out, _SHIFTS[1], out=shifted)
    out ^= shifted
    out *= _SECOND
    np.right_shift(out, _SHIFTS[2], out=shifted)
    out ^= shifted
    return out


def _key_hashes(array: pa.Array) -> Hashes:
    type_ = array.type
    if pa.types.is_dictionary(type_):
        # One entry more for rows that have no place in the dictionary.
        hashes: Hashes = np.append(_key_hashes(array.dictionary), np.uint64(NULL))
        indices = array.indices.cast(pa.int64()).fill_null(len(array.dictionary))
        places: Integers = indices.to_numpy(zero_copy_only=False)
        return hashes[places]
    if pa.types.is_null(type_):
        return np.full(len(array), NULL, np.uint64)
    if pa.types.is_integer(type_) or pa.types.is_boolean(type_) or pa.types.is_date(type_):
        return _text_hashes(array, pa.string())
    if pa.types.is_fixed_size_binary(type_):
        return _text_hashes(array, pa.binary())
    if is_text(type_):
        return _text_hashes(array, type_)
    raise ColumnError(
        f"values of type {type_} cannot be a key: use text, bytes, integers, booleans or dates"
    )


def _text_hashes(array: pa.Array, text: pa.DataType) -> Hashes:
    """The hash of each value, as text, by its length and its words of 8 bytes, little-endian."""
    out = np.empty(len(array), np.uint64)
    for first in range(0, len(array), _BLOCK):
        part = array.slice(first, _BLOCK)
        if text != array.type:
            part = part.cast(text)
        out[first : first + _BLOCK] = _hash_texts(*_layout(part))
    if array.null_count:
        out[array.is_null().to_numpy(zero_copy_only=False)] = NULL
    return out


def _layout(array: pa.Array) -> tuple[Words, Integers, Integers]:
    """The word that starts at each byte, where each text starts, and how many bytes it has."""
    large = pa.types.is_large_string(array.type) or pa.types.is_large_binary(array.type)
    type_ = np.dtype(np.int64 if large else np.int32)
    _, offsets, content = array.buffers()
    ends = np.frombuffer(offsets, type_, len(array) + 1, array.offset * type_.itemsize)
    first, last = int(ends[0]), int(ends[-1])
    # Room for the last word to be read whole.
    data = np.zeros(last - first + 8, np.uint8)
    if last > first:
        data[:-8] = np.frombuffer(content, np.uint8, last - first, first)
    words: Words = np.ndarray((len(data) - 7,), "<u8", data, strides=(1,))
    starts = np.subtract(ends, first, dtype=np.int64)
    return words, starts[:-1], np.diff(starts)


def _hash_texts(words: Words, starts: Integers, lengths: Integers) -> Hashes:
    counts = (lengths + 7) >> 3
    most = int(counts.max())
    order = None
    if int(counts.min()) < most:
        # By the number of words, so that those with more to come are always the last ones. A sort
        # of small types is a radix sort.
        order = np.argsort(counts.astype(np.min_scalar_type(most)), kind="stable")
        counts, starts, lengths = counts[order], starts[order], lengths[order]
    # The length comes first: a text is not the same as one with zero bytes after it.
    hashes = _mix(np.zeros(1, np.uint64), lengths.view(np.uint64))
    over = np.searchsorted(counts, np.arange(most + 1), side="right")
    for word, (first, last) in enumerate(pairwise(over.tolist())):
        found = words[starts[first:] + 8 * word]
        found[: last - first] &= _MASKS.take(lengths[first:last] - 8 * word)
        _mix(hashes[first:], found, hashes[first:])
    if order is None:
        return hashes
    out = np.empty_like(hashes)
    out[order] = hashes
    return out
