"""Reads the work items, the columns and the rows of a shard, whatever its format."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.errors.faults import DataFault
from pipeline.errors.wording import first_names
from pipeline.readers import parquet
from pipeline.readers.batches import cut
from pipeline.readers.crc32c import Int64
from pipeline.readers.footer_cache import FooterCache
from pipeline.readers.formats import compression_of
from pipeline.readers.prefetch import read_ahead
from pipeline.readers.rows import Rows, list_lengths
from pipeline.readers.shards import Shard, WorkItem
from pipeline.readers.stamps import held
from pipeline.readers.storage import OpenFile
from pipeline.readers.tfrecord.blocks import OnLost, read_blocks
from pipeline.readers.tfrecord.examples import example_columns, read_examples
from pipeline.readers.tfrecord.options import DEFAULT_OPTIONS, Lost, ReadOptions

BATCH_ROWS = 1 << 17
"""The number of rows of a batch: enough that the fixed cost of a batch does not matter."""

RECORDS = 1000
"""The number of records of a TFRecord file that are searched for columns, if files are few."""


# Many files are read to their ends at once.
_END_BLOCK_BYTES = 1 << 20


class Inspected(NamedTuple):
    """The result of `inspect`: what is known of a shard before its rows are read.

    Attributes:
        items: the work items of the shard, in order; a TFRecord file is a single item.
        columns: the types of the columns by name, with the columns of the directories. For TFRecord
            these are the columns of the first records; None if they have no features, or damage.
        rows: the number of rows of the shard; None for TFRecord.
        page_checksums: whether the pages of a Parquet file have checksums; None for TFRecord.
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
    footers: FooterCache | None = None,
    names: Collection[str] = (),
) -> Inspected:
    """Reads the footer of a Parquet file, or the first records of a TFRecord file.

    Args:
        shard: the shard.
        open_file: opens the shard.
        options: how TFRecord files are read; records that they leave out are not looked at.
        records: the number of records of a TFRecord file to look at.
        footers: gets the footer of a Parquet file, for those who read its rows.
        names: the names of columns that will be read.

    Raises:
        DataFault: if the footer of a Parquet file cannot be read, or contradicts itself, or if one
            of the named columns is there twice or encrypted.
        ReadError: if the file cannot be read now.
    """
    directory = {name: pa.string() for name in shard.directory_columns()}
    open_file = held(shard.path, shard.stamp, open_file)
    if shard.format == "parquet":
        footer = parquet.read_footer(shard, open_file, footers, names)
        columns = directory | {field.name: field.type for field in footer.schema}
        return Inspected(footer.items, columns, footer.rows, footer.page_checksums)
    try:
        features = _features(shard, open_file, options, records)
    except DataFault:
        # The damage is reported, or left out, when the rows are read.
        features = {}
    return Inspected((WorkItem(shard),), directory | features if features else None, None, None)


def read_columns(
    shard: Shard, open_file: OpenFile, options: ReadOptions = DEFAULT_OPTIONS
) -> dict[str, pa.DataType]:
    """Returns the columns of a shard as `inspect` does, but raises a fault instead of hiding it.

    Raises:
        DataFault: if the footer of a Parquet file, or the first records of a TFRecord file, cannot
            be read.
    """
    open_file = held(shard.path, shard.stamp, open_file)
    columns = {name: pa.string() for name in shard.directory_columns()}
    if shard.format == "parquet":
        schema = parquet.read_footer(shard, open_file).schema
        return columns | {field.name: field.type for field in schema}
    return columns | _features(shard, open_file, options, RECORDS)


def read_to_end(shard: Shard, open_file: OpenFile, options: ReadOptions = DEFAULT_OPTIONS) -> None:
    """Reads a TFRecord file to its end, for no part of it tells whether the rest is there.

    Raises:
        DataFault: if the file has damage that `options` do not leave out.
        ReadError: if the file cannot be read now.
    """
    if shard.format == "tfrecord":
        with held(shard.path, shard.stamp, open_file)(shard.path) as stream:
            for _ in read_blocks(
                stream,
                shard.path,
                compression=compression_of(stream, shard.path),
                block_bytes=_END_BLOCK_BYTES,
                options=options,
            ):
                pass


def _features(
    shard: Shard, open_file: OpenFile, options: ReadOptions, records: int
) -> dict[str, pa.DataType]:
    with open_file(shard.path) as stream:
        return example_columns(
            stream,
            shard.path,
            compression=compression_of(stream, shard.path),
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
    footers: FooterCache | None = None,
) -> Iterator[Rows]:
    """Yields the rows of a work item, with the wanted columns, in batches.

    Args:
        item: the work item to read.
        columns: the wanted columns, without repetition.
        batch_rows: the largest number of rows of a batch, at least 1. A batch of several rows also
            has at most `BATCH_BYTES`.
        open_file: opens the shard.
        options: how TFRecord files are read, and what is left out; rows keep their numbers.
        lost: a function that is called with everything that is left out, in the order of the file,
            before later rows are yielded or a fault is raised. It is called in the thread that
            takes the rows.
        footers: the footers of Parquet files that are known already.

    Raises:
        DataFault: if a column is missing or repeated, or if the file has damage that `options` do
            not leave out.
        ReadError: if the file cannot be read now.
    """
    directory = item.shard.directory_columns()
    open_file = held(item.shard.path, item.shard.stamp, open_file)
    parts = _read_batches(item, columns, batch_rows, open_file, options, footers)
    for part in read_ahead(parts):
        if isinstance(part, Lost):
            if lost:
                lost(part)
            continue
        batch, numbers = part
        missing = sorted(set(columns) - set(batch.schema.names) - set(directory))
        if missing:
            has = first_names(sorted({*read_columns(item.shard, open_file, options)}), 100)
            raise DataFault(
                item.shard.path,
                "missing_column",
                f"the file has no column '{missing[0]}'; it has: {has}",
            )
        yield Rows(batch, numbers, item.shard.path, directory)


class _Numbered(NamedTuple):
    """A batch of rows, and their numbers in the file, int64 `[n]`."""

    batch: pa.RecordBatch
    numbers: Int64


def _read_batches(
    item: WorkItem,
    columns: Sequence[str],
    batch_rows: int,
    open_file: OpenFile,
    options: ReadOptions,
    footers: FooterCache | None,
) -> Iterator[_Numbered | Lost]:
    if item.shard.format == "tfrecord":
        yield from _read_tfrecord(item.shard, columns, batch_rows, open_file, options)
        return
    first = item.first_row
    for batch in parquet.read_batches(item, columns, batch_rows, open_file, footers):
        yield _Numbered(batch, np.arange(first, first + batch.num_rows))
        first += batch.num_rows


def _read_tfrecord(
    shard: Shard,
    columns: Sequence[str],
    batch_rows: int,
    open_file: OpenFile,
    options: ReadOptions,
) -> Iterator[_Numbered | Lost]:
    """Yields batches and losses in file order, so that losses survive reading ahead in a thread."""
    directory = shard.directory_columns()
    wanted = [name for name in columns if name not in directory]
    losses: list[Lost] = []
    with open_file(shard.path) as stream:
        try:
            for batch, numbers in read_examples(
                stream,
                shard.path,
                wanted,
                compression=compression_of(stream, shard.path),
                batch_rows=batch_rows,
                options=options,
                lost=losses.append,
            ):
                yield from losses
                losses.clear()
                # A batch without columns would lose its number of rows if it were built again.
                batch = _absent_as_empty(batch) if wanted else batch
                for part, _ in cut(batch, batch_rows):
                    yield _Numbered(part, numbers[: len(part)])
                    numbers = numbers[len(part) :]
        except DataFault:
            yield from losses
            raise
        yield from losses


def _absent_as_empty(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Returns the same columns with an absent feature as an empty list: the two mean the same."""
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
