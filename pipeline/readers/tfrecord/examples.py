"""Reads serialized `tf.train.Example` records as Arrow columns.

Records are read in lock step (`wire`, `feature_lists`). A record that is not fully recognised there
goes to the protobuf runtime, and a record that the runtime refuses is a fault.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from numbers import Integral, Real
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.errors.faults import DataFault
from pipeline.readers.batches import BATCH_BYTES, batch_without_columns, bytes_of
from pipeline.readers.crc32c import Int64, UInt8
from pipeline.readers.tfrecord.blocks import (
    BLOCK_BYTES,
    Block,
    Compression,
    OnLost,
    read_blocks,
)
from pipeline.readers.tfrecord.feature_lists import (
    BYTES,
    FLOAT,
    INT64,
    LIST_TYPES,
    read_kinds,
    read_lists,
)
from pipeline.readers.tfrecord.message import example_class, parse_features
from pipeline.readers.tfrecord.options import DEFAULT_OPTIONS, ReadOptions
from pipeline.readers.tfrecord.wire import FeatureScan

BATCH_ROWS = 131_072

_STEP_ROWS = 16_384  # the number of records in lock step: their cursors stay in cache
_STEP_BYTES = 2 << 20  # of their bytes: an integer of a byte takes some 80 on the way
# The block size for looking at records: the bytes per record, and the limit for all of them.
_LOOK_BYTES, _MOST_LOOK_BYTES = 1 << 11, 1 << 20

_FIELDS = {BYTES: "bytes_list", FLOAT: "float_list", INT64: "int64_list"}
_KINDS = {field: kind for kind, field in _FIELDS.items()} | {None: 0}


def read_examples(
    stream: BinaryIO,
    path: str,
    columns: Sequence[str],
    *,
    compression: Compression = None,
    batch_rows: int = BATCH_ROWS,
    block_bytes: int = BLOCK_BYTES,
    options: ReadOptions = DEFAULT_OPTIONS,
    lost: OnLost | None = None,
) -> Iterator[tuple[pa.RecordBatch, Int64]]:
    """Yields features of the `tf.train.Example` records of a TFRecord file as Arrow columns.

    Each batch comes with the numbers of its rows in the file, int64 `[n]`.

    A column is a `list<float>`, `list<int64>` or `list<binary>`, with a list per row. The list is
    null if the record lacks the feature, or has the feature without a kind; it is empty if the
    record has an empty list. A column without any list in the batch has the type null. If a record
    repeats a feature, the last value counts, as in protobuf maps.

    The values of features that are not wanted are not read; their names are, and must be UTF-8.

    Args:
        stream: the bytes as stored, see `read_blocks`.
        path: the path of the file, for errors.
        columns: the names of the wanted features, without repetition.
        compression: None or "gzip".
        batch_rows: the largest number of rows of a batch, at least 1; a batch also ends at the end
            of a block of the file, and before it gets much larger than `BATCH_BYTES`.
        block_bytes: see `read_blocks`.
        options: see `read_blocks`.
        lost: see `read_blocks`.

    Raises:
        DataFault: as `read_blocks`; also "not_an_example" (the protobuf runtime refuses the record)
            and "mixed_feature_kinds" (a feature has, say, floats in some records of the file and
            integers in others).
        ValueError: if a column is named twice, or `batch_rows` is below 1.

    >>> import io, tempfile
    >>> from pipeline.readers.tfrecord.blocks import write_records
    >>> records = [encode_example({"logit": [0.5]}), encode_example({"id": [7], "logit": [-2.0]})]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_records(f"{folder}/a.tfrecord", records)
    ...     with open(f"{folder}/a.tfrecord", "rb") as stream:
    ...         [(batch, rows)] = read_examples(stream, "a.tfrecord", ["id", "logit"])
    >>> batch.to_pydict()
    {'id': [None, [7]], 'logit': [[0.5], [-2.0]]}
    """
    if len(set(columns)) < len(columns) or batch_rows < 1:
        raise ValueError("name each column once, and let batch_rows be at least 1")
    reader = _Reader(path, columns)
    for block in read_blocks(
        stream, path, compression=compression, block_bytes=block_bytes, options=options, lost=lost
    ):
        for first in range(0, len(block), batch_rows):
            rows = range(first, min(first + batch_rows, len(block)))
            numbers = block.rows[rows.start : rows.stop]
            for batch in reader.read(block, rows):
                yield batch, numbers[: len(batch)]
                numbers = numbers[len(batch) :]


def example_columns(
    stream: BinaryIO,
    path: str,
    *,
    compression: Compression = None,
    max_records: int = 1000,
    options: ReadOptions = DEFAULT_OPTIONS,
) -> dict[str, pa.DataType]:
    """Returns the types of the features of the first records of a file, by name, sorted by name.

    The types are as in `read_examples`; a feature that never has a kind has the type null.

    Args:
        stream: the bytes as stored, see `read_blocks`.
        path: the path of the file, for errors.
        compression: None or "gzip".
        max_records: the number of records to look at.
        options: see `read_blocks`; records left out are not looked at, and not reported.

    Raises:
        DataFault: as `read_examples`.
    """
    names: set[str] = set()
    seen: dict[str, _Seen] = {}
    size = min(max(1, max_records) * _LOOK_BYTES, _MOST_LOOK_BYTES)
    blocks = read_blocks(stream, path, compression=compression, block_bytes=size, options=options)
    records = ((block, index) for block in blocks for index in range(len(block)))
    for block, index in islice(records, max_records):
        features = parse_features(block.payload(index))
        if features is None:
            raise _not_an_example(path, block, index)
        names.update(features)
        for name in sorted(features):
            kind, _ = _values(features[name])
            if kind:
                first_seen = seen.setdefault(name, _Seen(kind, int(block.rows[index])))
                if first_seen.kind != kind:
                    raise _mixed_kinds(path, name, first_seen, kind, block, index)
    return {
        name: LIST_TYPES[seen[name].kind] if name in seen else pa.null() for name in sorted(names)
    }


def encode_example(
    features: Mapping[str, Sequence[float] | Sequence[int] | Sequence[bytes | str]],
) -> bytes:
    r"""Returns a serialized `tf.train.Example`; equal features give equal bytes.

    Integers, also those of NumPy, become an int64_list. Numbers that are not all integers become a
    float_list. Bytes and strings (in UTF-8) become a bytes_list. A feature without values has no
    kind.

    Raises:
        TypeError: if values are neither all numbers nor all text, or are not in a sequence.
        ValueError: if an integer does not fit int64, or a finite number does not fit float32.

    >>> encode_example({"label": [1]})
    b'\n\x10\n\x0e\n\x05label\x12\x05\x1a\x03\n\x01\x01'
    """
    example = example_class()()
    for name, values in features.items():
        feature = example.features.feature[name]
        if isinstance(values, str | bytes):
            raise TypeError(f"feature '{name}': put the text in a list")
        if not len(values):
            continue
        if all(isinstance(value, str | bytes) for value in values):
            texts = (value.encode() if isinstance(value, str) else value for value in values)
            feature.bytes_list.value.extend(texts)
        elif all(isinstance(value, Integral) for value in values):
            feature.int64_list.value.extend(int(value) for value in values)
        elif all(isinstance(value, Real) for value in values):
            numbers = [float(value) for value in values]
            feature.float_list.value.extend(numbers)
            if list(map(math.isinf, feature.float_list.value)) != list(map(math.isinf, numbers)):
                raise ValueError(f"feature '{name}': a number does not fit float32")
        else:
            raise TypeError(f"feature '{name}': give all numbers, or all bytes and strings")
    serialized: bytes = example.SerializeToString(deterministic=True)
    return serialized


class _Seen(NamedTuple):
    """The kind that a feature has, and the row where this kind was seen first."""

    kind: int
    row: int


class _Reader:
    """A reader of the blocks of a file as batches; it remembers the kind of each column."""

    def __init__(self, path: str, columns: Sequence[str]) -> None:
        self._path = path
        self._columns = columns
        self._names = [column.encode() for column in columns]
        self._seen: dict[str, _Seen] = {}

    def read(self, block: Block, rows: range) -> Iterator[pa.RecordBatch]:
        if not self._columns:
            for step in _steps(block, rows):
                self._read_step(block, step)
            yield batch_without_columns(len(rows))
            return
        steps: list[list[pa.Array]] = []
        size = 0
        for step in _steps(block, rows):
            steps.append(self._read_step(block, step))
            size += bytes_of(steps[-1])
            if size > BATCH_BYTES:
                yield self._batch(steps)
                steps, size = [], 0
        if steps:
            yield self._batch(steps)

    def _batch(self, steps: Sequence[Sequence[pa.Array]]) -> pa.RecordBatch:
        arrays = [_join(parts) for parts in zip(*steps, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, names=self._columns)

    def _read_step(self, block: Block, rows: range) -> list[pa.Array]:
        step = slice(rows.start, rows.stop)
        scan = FeatureScan(block.buffer, block.starts[step], block.lengths[step], self._names)
        kinds = np.zeros((len(self._columns), len(rows)), np.uint8)
        lock_step = [
            _decode(block.buffer, scan, column, kinds[column])
            for column in range(len(self._columns))
        ]
        unrecognised = np.flatnonzero(~scan.recognised)
        runtime_lists: list[list[Any]] = [[] for _ in self._columns]
        fault = None
        for row in unrecognised.tolist():
            features = parse_features(block.payload(rows[row]))
            if features is None:
                fault = _not_an_example(self._path, block, rows[row])
                kinds[:, row:] = 0
                break
            for column, name in enumerate(self._columns):
                kind, values = _values(features.get(name))
                kinds[column, row] = kind
                runtime_lists[column].append(values)
        self._compare_kinds(kinds, block, rows)
        if fault:
            raise fault
        return [
            _replace(array, unrecognised, lists, int(row_kinds.max(initial=0)))
            for array, lists, row_kinds in zip(lock_step, runtime_lists, kinds, strict=True)
        ]

    def _compare_kinds(self, kinds: UInt8, block: Block, rows: range) -> None:
        """Raises the fault of the first row where a feature differs in kind from earlier rows."""
        mixed = []
        for name, row_kinds in zip(self._columns, kinds, strict=True):
            with_kind = np.flatnonzero(row_kinds)
            if not len(with_kind):
                continue
            first = _Seen(int(row_kinds[with_kind[0]]), int(block.rows[rows[int(with_kind[0])]]))
            seen = self._seen.setdefault(name, first)
            differing = with_kind[row_kinds[with_kind] != seen.kind]
            if len(differing):
                index = rows[int(differing[0])]
                mixed.append((index, name, int(row_kinds[differing[0]])))
        if mixed:
            index, name, kind = min(mixed)
            raise _mixed_kinds(self._path, name, self._seen[name], kind, block, index)


def _steps(block: Block, rows: range) -> Iterator[range]:
    """Yields the rows of a block in steps."""
    ends = np.cumsum(block.lengths[rows.start : rows.stop])
    first = 0
    while first < len(rows):
        room = _STEP_BYTES + (ends[first - 1] if first else 0)
        last = max(first + 1, int(np.searchsorted(ends, room, "right")))
        yield rows[first : min(last, first + _STEP_ROWS)]
        first = min(last, first + _STEP_ROWS)


def _decode(buffer: UInt8, scan: FeatureScan, column: int, kinds: UInt8) -> pa.Array:
    """Returns the lists of a column in the recognised records, and fills `kinds` in place.

    A record whose kind is not the first kind in the column is left to the protobuf runtime: most
    often this is a fault.
    """
    rows = np.flatnonzero(scan.recognised & (scan.starts[column] >= 0))
    found_kinds, starts, sizes, recognised = read_kinds(
        buffer, scan.starts[column].take(rows), scan.sizes[column].take(rows)
    )
    kinds[rows] = found_kinds
    has_first_kind = recognised & (found_kinds > 0)
    kind = int(found_kinds[np.argmax(has_first_kind)]) if has_first_kind.any() else 0
    has_first_kind &= found_kinds == kind
    if not has_first_kind.all():
        scan.recognised[rows[~has_first_kind & ((found_kinds > 0) | ~recognised)]] = False
        rows, starts, sizes = rows[has_first_kind], starts[has_first_kind], sizes[has_first_kind]
    if not kind:
        return pa.nulls(len(kinds))
    counts, values, recognised = read_lists(kind, buffer, starts, sizes)
    scan.recognised[rows[~recognised]] = False
    lengths = np.zeros(len(kinds), np.int64)
    lengths[rows] = counts
    absent = np.ones(len(kinds), np.bool_)
    absent[rows] = False
    offsets = np.append(0, np.cumsum(lengths)).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values, mask=pa.array(absent))


def _replace(
    array: pa.Array, rows: Int64, lists: Sequence[list[Any] | None], kind: int
) -> pa.Array:
    """Returns the array with some rows replaced by the given lists."""
    if not len(rows) or not kind:
        return array
    if pa.types.is_null(array.type):
        array = pa.nulls(len(array), LIST_TYPES[kind])
    order = np.arange(len(array))
    order[rows] = len(array) + np.arange(len(rows))
    return pa.concat_arrays([array, pa.array(lists, LIST_TYPES[kind])]).take(pa.array(order))


def _join(parts: Sequence[pa.Array]) -> pa.Array:
    """Returns adjacent pieces of a column as one array; a piece without lists takes its type."""
    list_type = next((part.type for part in parts if not pa.types.is_null(part.type)), pa.null())
    typed = [part if part.type == list_type else pa.nulls(len(part), list_type) for part in parts]
    return pa.concat_arrays(typed)


def _values(feature: Any) -> tuple[int, list[Any] | None]:
    field = feature.WhichOneof("kind") if feature is not None else None
    return _KINDS[field], None if field is None else list(getattr(feature, field).value)


def _not_an_example(path: str, block: Block, index: int) -> DataFault:
    return DataFault(
        path,
        "not_an_example",
        "the record is no serialized tf.train.Example: check what wrote the file",
        offset=int(block.offsets[index]),
        row=int(block.rows[index]),
    )


def _mixed_kinds(
    path: str, name: str, seen: _Seen, kind: int, block: Block, index: int
) -> DataFault:
    return DataFault(
        path,
        "mixed_feature_kinds",
        f"feature '{name}' is {_FIELDS[kind]} here and {_FIELDS[seen.kind]} in row {seen.row}: "
        "write it with one kind in all records",
        offset=int(block.offsets[index]),
        row=int(block.rows[index]),
    )
