"""Reads the value lists of many `Feature` messages at once, as Arrow arrays.

A list that is not in the plainest encoding is reported as not recognised, as in `wire`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from pipeline.readers.crc32c import Int64, UInt8
from pipeline.readers.tfrecord.wire import (
    FIELD_1_BYTES,
    Bool,
    gather,
    gather_bytes,
    load_words,
    read_varints,
    too_few,
)

# Field numbers of the kinds in `Feature`; 0 stands for no kind.
BYTES, FLOAT, INT64 = 1, 2, 3

LIST_TYPES = {
    BYTES: pa.list_(pa.binary()),
    FLOAT: pa.list_(pa.float32()),
    INT64: pa.list_(pa.int64()),
}

_FLOAT_TAG = 0x0D  # field 1, 4 bytes
_INT64_TAG = 0x08  # field 1, varint
_LONGEST_VARINT = 10

Lists = tuple[Int64, pa.Array, Bool]


def read_kinds(buffer: UInt8, starts: Int64, sizes: Int64) -> tuple[UInt8, Int64, Int64, Bool]:
    """Returns where the lists of `Feature` messages are, and of which kind.

    Args:
        buffer: uint8 `[size]`, the bytes that hold the messages.
        starts: int64 `[n]`, the position of each message in `buffer`.
        sizes: int64 `[n]`, the size of each message in bytes.

    Returns:
        The kind of each message, uint8 `[n]`; the position of its list in `buffer`, int64 `[n]`;
        the size of its list in bytes, int64 `[n]`; and whether it was recognised, bool `[n]`.
    """
    words = load_words(buffer, starts)
    tags = words & np.uint64(0xFF)
    list_sizes, widths = read_varints(words >> np.uint64(8))
    recognised = (tags & np.uint64(7) == 2) & (1 + widths + list_sizes == sizes)
    kinds = (tags >> np.uint64(3)).astype(np.uint8)
    recognised &= (kinds >= BYTES) & (kinds <= INT64)
    unset = sizes == 0
    kinds[unset] = 0
    return kinds, starts + 1 + widths, list_sizes, recognised | unset


def read_lists(kind: int, buffer: UInt8, starts: Int64, sizes: Int64) -> Lists:
    """Reads list messages that are all of the same kind.

    Args:
        kind: the kind of the lists: `BYTES`, `FLOAT` or `INT64`.
        buffer: uint8 `[size]`, the bytes that hold the messages.
        starts: int64 `[n]`, the position of each message in `buffer`.
        sizes: int64 `[n]`, the size of each message in bytes.

    Returns:
        The number of values of each list, int64 `[n]`; the values of all lists; and whether each
        list was recognised, bool `[n]`. A list that was not recognised has no values here.
    """
    return _READERS[kind](buffer, starts, sizes)


def _read_floats(buffer: UInt8, starts: Int64, sizes: Int64) -> Lists:
    begins, lengths, recognised, packed = _contents(buffer, starts, sizes)
    stride = 4 if packed else 5
    recognised &= lengths % stride == 0
    lengths = np.where(recognised, lengths, 0)
    content = gather_bytes(buffer, begins, lengths).reshape(-1, stride)
    if not packed:
        lists = np.repeat(np.arange(len(lengths)), lengths // stride)
        recognised[lists[content[:, 0] != _FLOAT_TAG]] = False
        content = content[recognised[lists]]
    values = np.ascontiguousarray(content[:, -4:]).view("<f4").ravel()
    return np.where(recognised, lengths // stride, 0), pa.array(values), recognised


def _read_integers(buffer: UInt8, starts: Int64, sizes: Int64) -> Lists:
    begins, lengths, recognised, packed = _contents(buffer, starts, sizes)
    recognised &= (lengths == 0) | (buffer[begins + lengths - 1] < 0x80)
    lengths = np.where(recognised, lengths, 0)
    content = gather_bytes(buffer, begins, lengths)
    is_last = content < 0x80
    lasts = np.flatnonzero(is_last)
    widths = np.diff(lasts, prepend=-1)
    ends = np.append(0, np.cumsum(is_last))[np.append(0, np.cumsum(lengths))]
    counts = np.diff(ends)
    lists = np.repeat(np.arange(len(counts)), counts)
    wrong = (widths > _LONGEST_VARINT) | (widths == _LONGEST_VARINT) & (content[lasts] > 1)
    is_value = np.ones(len(lasts), np.bool_)
    if not packed:
        is_value = (np.arange(len(lasts)) - ends[lists]) % 2 == 1
        wrong |= ~is_value & ((widths > 1) | (content[lasts] != _INT64_TAG))
        recognised &= counts % 2 == 0
        counts = counts // 2
    recognised[lists[wrong]] = False
    kept = recognised[lists] & is_value
    values = _varint_values(content, lasts[kept], widths[kept])
    return np.where(recognised, counts, 0), pa.array(values), recognised


def _varint_values(content: UInt8, lasts: Int64, widths: Int64) -> Int64:
    values = content[lasts].astype(np.uint64)
    longest = int(widths.max(initial=1))
    for back in range(1, longest):
        longer = np.flatnonzero(widths > back)
        digits = content[lasts[longer] - back] & np.uint8(0x7F)
        values[longer] = values[longer] << np.uint64(7) | digits
    return values.view(np.int64)


def _read_bytes(buffer: UInt8, starts: Int64, sizes: Int64) -> Lists:
    recognised = np.ones(len(starts), np.bool_)
    counts = np.zeros(len(starts), np.int64)
    cursors = starts.copy()
    ends = starts + sizes
    elements: list[tuple[Int64, Int64, Int64]] = []
    rows = np.flatnonzero(sizes)
    while len(rows):
        words = load_words(buffer, cursors[rows])
        lengths, widths = read_varints(words >> np.uint64(8))
        begins = cursors[rows] + 1 + widths
        after = begins + lengths
        plain = (words & np.uint64(0xFF) == FIELD_1_BYTES) & (after <= ends[rows])
        plain &= not too_few(len(rows), len(elements))
        recognised[rows[~plain]] = False
        counts[rows] += 1
        cursors[rows] = after
        elements.append((rows, begins, lengths))
        rows = rows[plain & (after < ends[rows])]
    counts[~recognised] = 0
    firsts = np.cumsum(counts) - counts
    value_starts = np.empty(counts.sum(), np.int64)
    value_sizes = np.empty_like(value_starts)
    for number, (rows, begins, lengths) in enumerate(elements):
        kept = recognised[rows]
        slots = firsts[rows[kept]] + number
        value_starts[slots] = begins[kept]
        value_sizes[slots] = lengths[kept]
    return counts, gather(buffer, value_starts, value_sizes), recognised


def _contents(buffer: UInt8, starts: Int64, sizes: Int64) -> tuple[Int64, Int64, Bool, bool]:
    """Returns where the numbers of list messages are.

    All lists are read in the form, packed or not, of the first list that is not empty.

    Returns:
        The position of the numbers of each list in `buffer`, int64 `[n]`; their size in bytes,
        int64 `[n]`; whether each list is recognised, bool `[n]`; and whether the lists are packed.
    """
    words = load_words(buffer, starts)
    tags = words & np.uint64(0xFF)
    empty = sizes == 0
    packed = bool(empty.all()) or int(tags[np.argmin(empty)]) == FIELD_1_BYTES
    if not packed:
        return starts, sizes, np.ones(len(starts), np.bool_), False
    lengths, widths = read_varints(words >> np.uint64(8))
    recognised = empty | (tags == FIELD_1_BYTES) & (1 + widths + lengths == sizes)
    begins = np.where(recognised, starts + 1 + widths, starts)
    return begins, np.where(recognised & ~empty, lengths, 0), recognised, True


_READERS: dict[int, Callable[[UInt8, Int64, Int64], Lists]] = {
    BYTES: _read_bytes,
    FLOAT: _read_floats,
    INT64: _read_integers,
}
