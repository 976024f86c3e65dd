"""Work items and rows of a shard, whatever its format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.errors.faults import DataFault
from pipeline.readers import parquet
from pipeline.readers.crc32c import Int64
from pipeline.readers.prefetch import read_ahead
from pipeline.readers.rows import Rows, list_lengths
from pipeline.readers.shards import Shard, WorkItem
from pipeline.readers.storage import OpenFile
from pipeline.readers.tfrecord.blocks import OnLost
from pipeline.readers.tfrecord.examples import example_columns, read_examples
from pipeline.readers.tfrecord.options import DEFAULT_OPTIONS, Lost, ReadOptions

BATCH_ROWS = 1 << 17
"""So many rows are read at a time: enough that the cost of a batch does not show."""

RECORDS = 1000
"""So many records of a TFRecord file are looked at for its columns, where there are few files."""


class Inspected(NamedTuple):
    """What is known of a shard before its rows are read.

    Attributes:
        items: its work items, in order; a TFRecord file is one.
        columns: its columns, those of its directories included; of TFRecord, its first records'.
            None for a TFRecord file without features there, or with damage.
        rows: how many rows it has; None for TFRecord.
        page_checksums: whether the pages of a Parquet file carry checksums; None for TFRecord.
    """

    items: tuple[WorkItem, ...]
    columns: dict[str, pa.DataType] | None
    rows: int | None
    page_checksums: bool | None


def inspect(
    shard: Shard,
    open_file: OpenFile,
    options: ReadOptions = DEFAULT_OPTIONS,
    records: int = RECORDS,
) -> Inspected:
    """Looks at the footer of a Parquet file, or at the first records of a TFRecord file.

    Args:
        shard: the file.
        open_file: opens it.
        options: what is accepted of TFRecord; records left out are not looked at.
        records: how many records are.

    Raises:
        DataFault: if the footer of a Parquet file cannot be read.
    """
    directory = {name: pa.string() for name in shard.directory_columns()}
    open_file = _naming_what_is_gone(open_file)
    if shard.format == "parquet":
        footer = parquet.read_footer(shard, open_file)
        columns = directory | {field.name: field.type for field in footer.schema}
        return Inspected(footer.items, columns, footer.rows, footer.page_checksums)
    try:
        features = _features(shard, open_file, options, records)
    except DataFault:
        # Whoever reads its rows will say so, or be allowed to leave them out.
        features = {}
    return Inspected((WorkItem(shard),), directory | features if features else None, None, None)


def read_columns(
    shard: Shard, open_file: OpenFile, options: ReadOptions = DEFAULT_OPTIONS
) -> dict[str, pa.DataType]:
    """The columns of a shard, as `inspect` finds them, but that a fault is raised."""
    open_file = _naming_what_is_gone(open_file)
    columns = {name: pa.string() for name in shard.directory_columns()}
    if shard.format == "parquet":
        schema = parquet.read_footer(shard, open_file).schema
        return columns | {field.name: field.type for field in schema}
    return columns | _features(shard, open_file, options, RECORDS)


def plan_items(shard: Shard, open_file: OpenFile) -> list[WorkItem]:
    """The work items of a shard; raises `DataFault`, see `inspect`."""
    return list(inspect(shard, open_file, records=0).items)


def _features(
    shard: Shard, open_file: OpenFile, options: ReadOptions, records: int
) -> dict[str, pa.DataType]:
    with open_file(shard.path) as stream:
        return example_columns(
            stream,
            shard.path,
            compression=shard.compression,
            max_records=records,
            options=options,
        )


def read_rows(
    item: WorkItem,
    columns: Sequence[str],
    batch_rows: int,
    open_file: OpenFile,
    options: ReadOptions = DEFAULT_OPTIONS,
    lost: OnLost | None = None,
) -> Iterator[Rows]:
    """The rows of a work item with the columns asked for, in batches.

    Args:
        item: what to read.
        columns: the columns, each once.
        batch_rows: the most rows of a batch, at least 1.
        open_file: opens the file.
        options: what is accepted of TFRecord, and what is left out; rows keep their numbers.
        lost: is told what is left out, in the order of the file and in the thread that takes the
            rows: before later rows come or a fault is raised.

    Raises:
        DataFault: if the file is damaged and `options` do not leave that out, or lacks a column.
    """
    directory = item.shard.directory_columns()
    open_file = _naming_what_is_gone(open_file)
    for read in read_ahead(_read_batches(item, columns, batch_rows, open_file, options)):
        if isinstance(read, Lost):
            if lost:
                lost(read)
            continue
        batch, numbers = read
        names = batch.schema.names
        twice = [name for name in columns if names.count(name) > 1]
        if twice:
            detail = f"the file has the column '{twice[0]}' more than once"
            raise DataFault(item.shard.path, "repeated_column", detail)
        missing = sorted(set(columns) - set(names) - set(directory))
        if missing:
            has = ", ".join(sorted({*read_columns(item.shard, open_file, options)}))
            raise DataFault(
                item.shard.path,
                "missing_column",
                f"the file has no column '{missing[0]}'; it has: {has}",
            )
        yield Rows(batch, numbers, item.shard.path, directory)


class _Numbered(NamedTuple):
    """Rows, and their numbers in the file."""

    batch: pa.RecordBatch
    numbers: Int64


def _read_batches(
    item: WorkItem,
    columns: Sequence[str],
    batch_rows: int,
    open_file: OpenFile,
    options: ReadOptions,
) -> Iterator[_Numbered | Lost]:
    if item.shard.format == "tfrecord":
        yield from _read_tfrecord(item.shard, columns, batch_rows, open_file, options)
        return
    first = item.first_row
    for batch in parquet.read_batches(item, columns, batch_rows, open_file):
        yield _Numbered(batch, np.arange(first, first + batch.num_rows))
        first += batch.num_rows


def _read_tfrecord(
    shard: Shard,
    columns: Sequence[str],
    batch_rows: int,
    open_file: OpenFile,
    options: ReadOptions,
) -> Iterator[_Numbered | Lost]:
    """Batches and what is left out, in one line: it may be read ahead, and be told later."""
    directory = shard.directory_columns()
    wanted = [name for name in columns if name not in directory]
    losses: list[Lost] = []
    with open_file(shard.path) as stream:
        try:
            for batch, numbers in read_examples(
                stream,
                shard.path,
                wanted,
                compression=shard.compression,
                batch_rows=batch_rows,
                options=options,
                lost=losses.append,
            ):
                yield from losses
                losses.clear()
                # A batch without columns keeps its rows only as long as it is not built anew.
                yield _Numbered(_without_absence(batch) if wanted else batch, numbers)
        except DataFault:
            yield from losses
            raise
        yield from losses


def _naming_what_is_gone(open_file: OpenFile) -> OpenFile:
    """Opens files; one that is gone since they were listed is a fault."""

    def open_(path: str) -> BinaryIO:
        try:
            return open_file(path)
        except FileNotFoundError as error:
            detail = "the file was there when files were listed; restore it, or run again"
            raise DataFault(path, "missing_file", detail) from error

    return open_


def _without_absence(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The same columns with an absent feature as an empty list, which it cannot be told from."""
    columns = []
    for column in batch.columns:
        if pa.types.is_null(column.type):
            offsets = pa.array(np.zeros(len(column) + 1, np.int32))
            column = pa.ListArray.from_arrays(offsets, pa.nulls(0))
        elif column.null_count:
            column = pa.ListArray.from_arrays(
                pa.array(np.append(0, np.cumsum(list_lengths(column))), pa.int32()),
                column.flatten(),
            )
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
