"""Cuts and joins batches of rows, by rows and by bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Ints = npt.NDArray[np.int64]

BATCH_BYTES = 32 << 20
"""The bytes of the values of a batch, all numbers taken as float64. There are several batches at
once, and an evaluation makes several arrays of the size of a batch."""

NUMBER_BYTES = 8
"""The bytes of a number, as it is evaluated, and of the code of a text."""

_OFFSETS = {
    **dict.fromkeys((pa.string(), pa.binary()), np.int32),
    **dict.fromkeys((pa.large_string(), pa.large_binary()), np.int64),
}


def cut(batch: pa.RecordBatch, rows: int) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yields a batch in parts that share its memory, and the bytes of the values of each.

    Args:
        batch: the batch.
        rows: the largest number of rows of a part, which has at most `BATCH_BYTES` or one row.
    """
    row_bytes, ends = _row_bytes(batch.columns)
    total = row_bytes * len(batch) + int(ends[-1] - ends[0] if len(ends) else 0)
    if len(batch) <= rows and total <= BATCH_BYTES:
        yield batch, total
        return
    positions = row_bytes * np.arange(len(batch) + 1)
    if len(ends):
        positions += ends
    first = 0
    while first < len(batch):
        fitting = int(np.searchsorted(positions, positions[first] + BATCH_BYTES, "right")) - 1
        last = max(first + 1, min(first + rows, fitting))
        yield batch.slice(first, last - first), int(positions[last] - positions[first])
        first = last


def even(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """Yields the rows of batches cut as `cut` does, and small neighbours joined.

    If the source fails, what it gave before is yielded first.
    """
    held: list[pa.RecordBatch] = []
    held_rows = held_bytes = 0
    try:
        for batch in batches:
            for part, size in cut(batch, rows):
                full = held_rows + len(part) > rows or held_bytes + size > BATCH_BYTES
                if held and (full or part.schema != held[0].schema):
                    yield from _joined(held)
                    held, held_rows, held_bytes = [], 0, 0
                held.append(part)
                held_rows, held_bytes = held_rows + len(part), held_bytes + size
    except Exception:
        yield from _joined(held)
        raise
    yield from _joined(held)


def batch_without_columns(rows: int) -> pa.RecordBatch:
    """Returns a batch that has rows and no columns."""
    nothing = pa.StructArray.from_buffers(pa.struct([]), rows, [None], children=[])
    return pa.RecordBatch.from_struct_array(nothing)


def bytes_of(columns: Sequence[pa.Array]) -> int:
    """Returns the bytes of the values of columns of the same rows."""
    row_bytes, ends = _row_bytes(columns)
    return row_bytes * len(columns[0]) + int(ends[-1] - ends[0] if len(ends) else 0)


def _joined(batches: list[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    if len(batches) < 2:
        yield from batches
    else:
        yield from pa.Table.from_batches(batches).combine_chunks().to_batches()


def _row_bytes(columns: Sequence[pa.Array]) -> tuple[int, Ints]:
    """Returns the bytes that all rows have alike, and where those of each begin beyond that.

    The positions are int64 `[n + 1]` with the end of the last row, or empty if all rows are alike.
    """
    alike, ends = 0, np.zeros(0, np.int64)
    for column in columns:
        sizes = _sizes(column)
        if isinstance(sizes, int):
            alike += sizes
        else:
            alike += NUMBER_BYTES
            ends = ends + sizes if len(ends) else sizes
    return alike, ends


def _sizes(array: pa.Array) -> int | Ints:
    """Returns the bytes of every value, or where the values begin, int64 `[n + 1]`."""
    type_ = array.type
    if not len(array) or pa.types.is_primitive(type_) or pa.types.is_dictionary(type_):
        return NUMBER_BYTES
    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        ends: Ints = array.offsets.to_numpy().astype(np.int64)
        sizes = _sizes(array.values)
        return ends * sizes if isinstance(sizes, int) else sizes[ends]
    if pa.types.is_fixed_size_list(type_) and isinstance(sizes := _sizes(array.values), int):
        return int(type_.list_size) * sizes
    if type_ in _OFFSETS:
        offsets = np.frombuffer(array.buffers()[1], _OFFSETS[type_])
        return offsets[array.offset : array.offset + len(array) + 1].astype(np.int64)
    return -(-int(array.nbytes) // len(array))
