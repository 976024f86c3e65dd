"""Lock-step reading of protobuf wire bytes: one NumPy step moves a cursor in every record.

Only the plainest encodings are recognised, those that writers produce. Any other record is reported
as not recognised and is left to the protobuf runtime, so that a shape not thought of here costs
time and never a wrong value.
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
FEW = 8  # records

_NOT_A_LENGTH = 1 << 40  # no sum with it is within a buffer
_MAX_HEAD = 512  # bytes of an entry up to its value; longer names are not recognised
_MAX_HEADS = 64  # kinds of heads tried in one step
_MANY_STEPS = 64
_VARINT = rb"([\x80-\xff]{0,4}[\x00-\x7f])"
_ENTRY_AND_KEY = re.compile(rb"\n" + _VARINT + rb"\n" + _VARINT)
_VALUE = re.compile(rb"\x12" + _VARINT)


def too_few(records: int, step: int) -> bool:
    """Tell whether the runtime reads these records faster than a further step (from 0) does.

    What takes many steps must be shared by more records: few records of a million features each
    must not take a million steps.
    """
    return records < (FEW if step < _MANY_STEPS else 32 * FEW)


def load_words(buffer: UInt8, positions: Int64) -> UInt64:
    """Return the 8 bytes at each position as one little-endian number."""
    return load_ranges(buffer, positions, 8).view("<u8")


def load_ranges(buffer: UInt8, positions: Int64, size: int) -> npt.NDArray[np.void]:
    """Return the `size` bytes (at least 1) at each position, one item each."""
    windows: npt.NDArray[np.void] = np.ndarray(
        len(buffer) - size + 1, f"V{size}", buffer, strides=(1,)
    )
    return windows[positions]


def read_varints(words: UInt64) -> tuple[Int64, Int64]:
    """Return the values and widths of varints of up to 5 bytes at the low end of each word.

    A longer one gives a value larger than any buffer.
    """
    if not (words & np.uint64(0x80)).any():
        return (words & np.uint64(0x7F)).view(np.int64), np.ones(len(words), np.int64)
    ends = ~words & np.uint64(0x80_8080_8080)
    end = ends & (~ends + np.uint64(1))  # the lowest bit set: the last byte's
    bits = words & (end - np.uint64(1))
    values = _join_sevens(bits, 5)
    values[end == 0] = _NOT_A_LENGTH
    widths = np.ones(len(words), np.int64)
    for width in range(1, 5):
        widths += end > np.uint64(1 << 8 * width)
    return values, widths


def _join_sevens(words: UInt64, width: int) -> Int64:
    """Return the number in the low 7 bits of each of the low `width` bytes."""
    values = words & np.uint64(0x7F)
    for k in range(1, width):
        values |= words >> np.uint64(k) & np.uint64(0x7F << 7 * k)
    return values.view(np.int64)


def gather(buffer: UInt8, starts: Int64, sizes: Int64) -> pa.Array:
    """Copy ascending byte ranges of a buffer (below 2^31 bytes) into an Arrow binary array."""
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
    """Copy ascending byte ranges of a buffer, one behind the other."""
    if not sizes.any():
        return np.empty(0, np.uint8)
    size = int(sizes[0])
    if (sizes == size).all():
        return load_ranges(buffer, starts, size).view(np.uint8)
    data = gather(buffer, starts, sizes).buffers()[2]
    return np.frombuffer(data, np.uint8, int(sizes.sum()))


@dataclass(frozen=True)
class _Head:
    """The bytes of a map entry up to its value: tag, entry size, tag, key, tag, value size.

    Both sizes are masked out of the pattern, but for the bits that tell how wide they are.
    """

    column: int  # of the key among the names asked for, or -1
    size: int
    entry_width: int
    value_width: int
    words: list[tuple[int, np.uint64, np.uint64]]  # offset, pattern, mask


class FeatureScan:
    """Where the features asked for are in serialized `tf.train.Example` records.

    Features of other names are passed over, their bodies unread.

    Args:
        buffer: uint8, with at least 8 bytes behind every record.
        starts: int64 `[n]`, where each record starts in `buffer`.
        lengths: int64 `[n]`, record sizes in bytes.
        names: the features asked for, `c` of them, in UTF-8.

    Attributes:
        starts: int64 `[c, n]`, where the `Feature` message is in `buffer`; -1 where there is none.
        sizes: int64 `[c, n]`, the size of that message in bytes.
        recognised: bool `[n]`; of a record not recognised, the other attributes tell nothing.
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
            self._pass_entry(rows, step)
            rows = self._unfinished(rows)
            step += 1

    def _unfinished(self, rows: Int64) -> Int64:
        return np.compress(self.recognised[rows] & (self._cursors[rows] < self._ends[rows]), rows)

    def _pass_entry(self, rows: Int64, step: int) -> None:
        """Pass the next entry of each record: all that begin like the first, then of the others."""
        at = self._cursors[rows]
        words = load_words(self._buffer, at)
        for _ in range(_MAX_HEADS):
            if too_few(len(rows), step):
                break
            head = self._read_head(int(at[0]), int(self._ends[rows[0]]))
            if head is None:
                self.recognised[rows[0]] = False
                hits = np.zeros(1, np.int64)
            else:
                hits = self._match(head, rows, at, words)
                if len(hits) == len(rows):
                    self._pass(head, rows, at, words)
                    return
                self._pass(head, rows[hits], at[hits], words[hits])
            others = np.ones(len(rows), np.bool_)
            others[hits] = False
            rows, at, words = rows[others], at[others], words[others]
        self.recognised[rows] = False

    def _match(self, head: _Head, rows: Int64, at: Int64, words: UInt64) -> Int64:
        """Return which of the records, their next entries starting at `at`, have this head."""
        _, pattern, mask = head.words[0]
        hits = np.flatnonzero((words ^ pattern) & mask == 0)
        at = at[hits]
        same = at + head.size <= self._ends[rows[hits]]
        for offset, pattern, mask in head.words[1:]:
            if not same.all():
                hits, at = hits[same], at[same]
            same = (load_words(self._buffer, at + offset) ^ pattern) & mask == 0
        return hits[same]

    def _pass(self, head: _Head, rows: Int64, at: Int64, words: UInt64) -> None:
        """Move behind entries with this head, and note where their values are."""
        value = at + head.size
        entry_size = _join_sevens(words >> np.uint64(8), head.entry_width)
        digits = load_words(self._buffer, value - head.value_width)
        value_size = _join_sevens(digits, head.value_width)
        after = at + 1 + head.entry_width + entry_size
        plain = (value + value_size == after) & (after <= self._ends[rows])
        self._cursors[rows] = after
        if head.column >= 0:
            plain &= self.starts[head.column, rows] < 0  # of a repeated key the last one counts
            self.starts[head.column, rows] = value
            self.sizes[head.column, rows] = value_size
        self.recognised[rows] &= plain

    def _read_head(self, at: int, end: int) -> _Head | None:
        content = self._buffer[at : min(end, at + _MAX_HEAD)].tobytes()
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
