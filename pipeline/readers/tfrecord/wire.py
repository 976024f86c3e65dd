"""Reads protobuf wire bytes in lock step: a NumPy step moves the cursors of all records.

Only the plainest encodings are recognised, which are those that writers produce. Any other record
is reported as not recognised and is left to the protobuf runtime. So an encoding that was not
thought of here costs time, but never gives a wrong value.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.readers.crc32c import Int64, UInt8

UInt64 = npt.NDArray[np.uint64]
Bool = npt.NDArray[np.bool_]

FIELD_1_BYTES = 0x0A  # tag: field 1, length-delimited
FEW = 8  # the runtime reads fewer records faster than a lock step does

_NOT_A_LENGTH = 1 << 40  # any position plus this length is outside of a buffer
_MAX_HEAD = 512  # bytes of an entry up to its value; longer names are not recognised
_MAX_HEADS = 64  # the number of different heads that are tried in a step
_MANY_STEPS = 64
_VARINT = rb"([\x80-\xff]{0,4}[\x00-\x7f])"
_ENTRY_AND_KEY = re.compile(rb"\n" + _VARINT + rb"\n" + _VARINT)
_VALUE = re.compile(rb"\x12" + _VARINT)


def too_few(records: int, step: int) -> bool:
    """Returns whether the protobuf runtime would read the records faster than a further step.

    The more steps there were, the more records a step must serve: a few records with a million
    features must not take a million steps.

    Args:
        records: the number of records that a further step would serve.
        step: the number of the further step, from 0.
    """
    return records < (FEW if step < _MANY_STEPS else 32 * FEW)


def load_words(buffer: UInt8, positions: Int64) -> UInt64:
    """Returns the 8 bytes at each position as a little-endian number."""
    return load_ranges(buffer, positions, 8).view("<u8")


def load_ranges(buffer: UInt8, positions: Int64, size: int) -> npt.NDArray[np.void]:
    """Returns the `size` bytes (at least 1) at each position as an item of dtype void."""
    windows: npt.NDArray[np.void] = np.ndarray(
        len(buffer) - size + 1, f"V{size}", buffer, strides=(1,)
    )
    return windows[positions]


def read_varints(words: UInt64) -> tuple[Int64, Int64]:
    """Returns the value and width of the varint, of up to 5 bytes, at the low end of each word.

    The value of a longer varint is returned as a number that is larger than any buffer.
    """
    if not (words & np.uint64(0x80)).any():
        return (words & np.uint64(0x7F)).view(np.int64), np.ones(len(words), np.int64)
    ends = ~words & np.uint64(0x80_8080_8080)
    end = ends & (~ends + np.uint64(1))  # the lowest bit that is set marks the last byte
    bits = words & (end - np.uint64(1))
    values = _join_sevens(bits, 5)
    values[end == 0] = _NOT_A_LENGTH
    widths = np.ones(len(words), np.int64)
    for width in range(1, 5):
        widths += end > np.uint64(1 << 8 * width)
    return values, widths


def _join_sevens(words: UInt64, width: int) -> Int64:
    """Returns the number in the low 7 bits of each of the low `width` bytes of each word."""
    values = words & np.uint64(0x7F)
    for k in range(1, width):
        values |= words >> np.uint64(k) & np.uint64(0x7F << 7 * k)
    return values.view(np.int64)


def gather(buffer: UInt8, starts: Int64, sizes: Int64) -> pa.Array:
    """Returns a copy of ascending byte ranges of a buffer, below 2^31 bytes, as a binary array."""
    edges = np.empty(2 * len(starts), np.int32)
    edges[0::2] = starts
    edges[1::2] = starts + sizes
    ranges_and_gaps = pa.BinaryArray.from_buffers(
        pa.binary(),
        max(len(edges) - 1, 0),
        [None, pa.py_buffer(edges), pa.py_buffer(buffer)],
    )
    return ranges_and_gaps.take(pa.array(np.arange(0, len(edges), 2)))


def gather_bytes(buffer: UInt8, starts: Int64, sizes: Int64) -> UInt8:
    """Returns a copy of ascending byte ranges of a buffer, joined, as uint8."""
    if not sizes.any():
        return np.empty(0, np.uint8)
    size = int(sizes[0])
    if (sizes == size).all():
        return load_ranges(buffer, starts, size).view(np.uint8)
    data = gather(buffer, starts, sizes).buffers()[2]
    return np.frombuffer(data, np.uint8, int(sizes.sum()))


@dataclass(frozen=True)
class _Head:
    """The head of a map entry, which is its bytes up to the value.

    A head consists of: tag, entry size, tag, key, tag, value size. Both sizes are masked out of the
    pattern, except for the bits that tell how wide they are.
    """

    column: int  # the position of the key among the wanted names; -1 if it is not wanted
    size: int  # of the head, in bytes
    entry_width: int  # of the entry size, in bytes
    value_width: int  # of the value size, in bytes
    words: list[tuple[int, np.uint64, np.uint64]]  # offset, pattern, mask


class FeatureScan:
    """A scan of serialized `tf.train.Example` records: the positions of the wanted features.

    Features that are not wanted are skipped, and their values are not read.

    Args:
        buffer: uint8 `[size]`, with at least 8 bytes behind every record.
        starts: int64 `[n]`, the position of each record in `buffer`.
        lengths: int64 `[n]`, the size of each record in bytes.
        names: the names of the `c` wanted features, in UTF-8.

    Attributes:
        starts: int64 `[c, n]`, the position of each `Feature` message in `buffer`; -1 if the record
            lacks the feature.
        sizes: int64 `[c, n]`, the size of each `Feature` message in bytes.
        recognised: bool `[n]`; if a record is not recognised, the other attributes have no meaning
            for it.
    """

    def __init__(
        self, buffer: UInt8, starts: Int64, lengths: Int64, names: Sequence[bytes]
    ) -> None:
        self.starts = np.full((len(names), len(starts)), -1, np.int64)
        self.sizes = np.zeros_like(self.starts)
        self._buffer = buffer
        self._columns = {name: column for column, name in enumerate(names)}
        self._ends = starts + lengths
        words = load_words(buffer, starts)
        size, width = read_varints(words >> np.uint64(8))
        self._cursors = starts + 1 + width
        self.recognised = (words & np.uint64(0xFF) == FIELD_1_BYTES) & (
            self._cursors + size == self._ends
        )
        rows = self._unfinished(np.arange(len(starts)))
        step = 0
        while len(rows):
            self._read_entries(rows, step)
            rows = self._unfinished(rows)
            step += 1

    def _unfinished(self, rows: Int64) -> Int64:
        return np.compress(self.recognised[rows] & (self._cursors[rows] < self._ends[rows]), rows)

    def _read_entries(self, rows: Int64, step: int) -> None:
        """Reads the next entry of each record; entries with the same head are read together."""
        cursors = self._cursors[rows]
        words = load_words(self._buffer, cursors)
        for _ in range(_MAX_HEADS):
            if too_few(len(rows), step):
                break
            head = self._read_head(int(cursors[0]), int(self._ends[rows[0]]))
            if head is None:
                self.recognised[rows[0]] = False
                hits = np.zeros(1, np.int64)
            else:
                hits = self._match(head, rows, cursors, words)
                if len(hits) == len(rows):
                    self._advance(head, rows, cursors, words)
                    return
                self._advance(head, rows[hits], cursors[hits], words[hits])
            unmatched = np.ones(len(rows), np.bool_)
            unmatched[hits] = False
            rows, cursors, words = rows[unmatched], cursors[unmatched], words[unmatched]
        self.recognised[rows] = False

    def _match(self, head: _Head, rows: Int64, cursors: Int64, words: UInt64) -> Int64:
        """Returns which of the entries at `cursors` have the head, as positions in `rows`."""
        _, pattern, mask = head.words[0]
        hits = np.flatnonzero((words ^ pattern) & mask == 0)
        cursors = cursors[hits]
        same = cursors + head.size <= self._ends[rows[hits]]
        for offset, pattern, mask in head.words[1:]:
            if not same.all():
                hits, cursors = hits[same], cursors[same]
            same = (load_words(self._buffer, cursors + offset) ^ pattern) & mask == 0
        return hits[same]

    def _advance(self, head: _Head, rows: Int64, cursors: Int64, words: UInt64) -> None:
        """Moves the cursors behind entries with this head, and stores where their values are."""
        value = cursors + head.size
        entry_size = _join_sevens(words >> np.uint64(8), head.entry_width)
        digits = load_words(self._buffer, value - head.value_width)
        value_size = _join_sevens(digits, head.value_width)
        after = cursors + 1 + head.entry_width + entry_size
        plain = (value + value_size == after) & (after <= self._ends[rows])
        self._cursors[rows] = after
        if head.column >= 0:
            plain &= self.starts[head.column, rows] < 0  # a repeated key is left to the runtime
            self.starts[head.column, rows] = value
            self.sizes[head.column, rows] = value_size
        self.recognised[rows] &= plain

    def _read_head(self, cursor: int, end: int) -> _Head | None:
        content = self._buffer[cursor : min(end, cursor + _MAX_HEAD)].tobytes()
        front = _ENTRY_AND_KEY.match(content)
        if not front:
            return None
        key_end = front.end() + _number(front[2])
        tail = _VALUE.match(content, key_end)
        key = content[front.end() : key_end]
        if not tail or not _is_utf8(key):
            return None
        pattern = content[: tail.end()]
        mask = bytearray(b"\xff" * len(pattern))
        for begin, stop in (front.span(1), tail.span(1)):
            mask[begin:stop] = b"\x80" * (stop - begin)
        offsets = [*range(0, len(pattern) - 8, 8), max(0, len(pattern) - 8)]
        return _Head(
            self._columns.get(key, -1),
            len(pattern),
            len(front[1]),
            len(tail[1]),
            [(offset, _word(pattern, offset), _word(mask, offset)) for offset in offsets],
        )


def _is_utf8(key: bytes) -> bool:
    try:
        key.decode()
    except UnicodeDecodeError:
        return False
    return True


def _number(varint: bytes) -> int:
    return sum((byte & 0x7F) << 7 * k for k, byte in enumerate(varint))


def _word(content: bytes | bytearray, offset: int) -> np.uint64:
    return np.uint64(int.from_bytes(content[offset : offset + 8], "little"))
