"""Reads Parquet shards: their footers, their work items, and batches of their rows."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import BinaryIO

import pyarrow as pa

from pipeline.errors.faults import DataFault
from pipeline.readers.batches import batch_without_columns, even
from pipeline.readers.footer_cache import FooterCache
from pipeline.readers.parquet_footer import Column, Group, ParquetFooter, read_parquet_footer
from pipeline.readers.parquet_part import column_types
from pipeline.readers.parquet_rows import GroupReader
from pipeline.readers.shards import Shard, WorkItem
from pipeline.readers.storage import OpenFile
from pipeline.readers.thrift import INT32, Malformed, skip

# The approximate size of a work item: enough rows that its overhead does not matter, but few enough
# that a large file is spread over several workers.
ITEM_ROWS = 1 << 20
ITEM_BYTES = 64 << 20

# Three fields of at most 6 bytes, and the first byte of the next field.
_PAGE_HEADER_BYTES = 19


@dataclass(frozen=True)
class Footer:
    """The footer of a Parquet shard: what is known of the shard without its rows.

    Attributes:
        schema: the columns of the shard; `UnknownType` stands for a type that Arrow does not read.
        rows: the number of rows of the shard.
        items: the work items of the shard: runs of adjacent row groups, in order.
        page_checksums: whether its pages have checksums, judged by the first page; True if there
            are no rows.
    """

    schema: pa.Schema
    rows: int
    items: tuple[WorkItem, ...]
    page_checksums: bool


def read_footer(
    shard: Shard,
    open_file: OpenFile,
    footers: FooterCache | None = None,
    names: Collection[str] = (),
) -> Footer:
    """Reads the footer of a shard.

    Args:
        shard: the shard.
        open_file: opens the shard.
        footers: gets the footer, for those who read the rows.
        names: the names of columns that will be read; the shard may have others.

    Raises:
        DataFault: if the footer cannot be read or contradicts itself, or if one of the named
            columns is there twice or encrypted.
    """
    with open_file(shard.path) as stream:
        footer = read_parquet_footer(stream, shard.path)
        _named(footer, names, shard)
        if footers is not None:
            footers.put(shard, footer)
        return Footer(
            pa.schema(column_types(footer)),
            footer.rows,
            tuple(_items(shard, footer.groups)),
            _has_page_checksums(stream, footer),
        )


def _items(shard: Shard, groups: Sequence[Group]) -> list[WorkItem]:
    costs = [max(group.rows / ITEM_ROWS, group.bytes / ITEM_BYTES) for group in groups]
    items = []
    first = row = 0
    for _, part in itertools.groupby(zip(_even_parts(costs), groups, strict=True), itemgetter(0)):
        rows = [group.rows for _, group in part]
        items.append(WorkItem(shard, row, (first, first + len(rows))))
        first, row = first + len(rows), row + sum(rows)
    return items


def _even_parts(costs: Sequence[float]) -> list[int]:
    """Returns the number of the part that each cost belongs to; there are `ceil(sum(costs))` parts.

    The parts have about equal costs. If instead every file gave full parts and then a small rest,
    half of the workers would be idle on runners that assign parts to workers in turn.

    >>> _even_parts([0.2] * 6), _even_parts([3, 0.5, 0.5])
    ([0, 0, 0, 1, 1, 1], [1, 3, 3])
    """
    total = math.fsum(costs)
    parts = math.ceil(total)
    ends = itertools.accumulate(costs)
    # A cost belongs to the part that its middle is in. A zero cost at the end has its middle at the
    # very end, behind the last part.
    return [
        min(parts - 1, int(parts * (end - cost / 2) / total)) if total else 0
        for end, cost in zip(ends, costs, strict=True)
    ]


def _has_page_checksums(stream: BinaryIO, footer: ParquetFooter) -> bool:
    chunks = (chunk for group in footer.groups for chunk in group.chunks)
    first = next((chunk for chunk in chunks if chunk is not None and chunk.values), None)
    if first is None:
        return True
    # A page begins with its header (`PageHeader` of parquet.thrift): type, sizes before and after
    # compression, and then, if the page has a checksum, field 4 with it.
    stream.seek(first.first)
    header = stream.read(_PAGE_HEADER_BYTES)
    at = 0
    try:
        for _ in range(3):
            at = skip(header, at + 1, header[at] & 15)
        return header[at] == 1 << 4 | INT32
    except (IndexError, Malformed):
        # The page is damaged, which is told when it is read.
        return False


def read_batches(
    item: WorkItem,
    columns: Sequence[str],
    batch_rows: int,
    open_file: OpenFile,
    footers: FooterCache | None = None,
) -> Iterator[pa.RecordBatch]:
    """Yields the rows of a work item in batches, with some of the columns.

    Args:
        item: the work item to read.
        columns: the wanted columns; a column that the file lacks is left out. Text columns may be
            dictionary-encoded in some batches.
        batch_rows: the largest number of rows of a batch. Batches are cut by bytes, too.
        open_file: opens the shard.
        footers: the footers that are known, which gets that of the shard.

    Raises:
        DataFault: if the file is damaged or contradicts itself, or has one of the columns twice or
            encrypted. Page checksums are verified if the file has them. Rows before the fault are
            yielded first.
    """
    with open_file(item.shard.path) as stream:
        footer = None if footers is None else footers.get(item.shard)
        if footer is None:
            footer = read_parquet_footer(stream, item.shard.path)
        if footers is not None:
            footers.put(item.shard, footer)
        wanted = _named(footer, columns, item.shard)
        groups = range(*(item.row_groups or (0, len(footer.groups))))
        if not wanted:
            yield from _without_columns((footer.groups[group].rows for group in groups), batch_rows)
            return
        if groups:
            reader = GroupReader(stream, item.shard.path, footer, wanted, groups)
            parts = itertools.chain.from_iterable(reader.read(g, batch_rows) for g in groups)
            yield from even(parts, batch_rows)


def _named(footer: ParquetFooter, names: Collection[str], shard: Shard) -> list[Column]:
    """Returns the columns of some names that there are.

    Raises:
        DataFault: if two columns have the same of these names, or if one of them is encrypted.
    """
    wanted = frozenset(names)
    columns = [column for column in footer.columns if column.name in wanted]
    name, count = max(
        Counter(column.name for column in columns).items(), key=itemgetter(1), default=("", 0)
    )
    if count > 1:
        detail = f"the file has {count:,} columns '{name}': write it again with a single one"
        raise DataFault(shard.path, "repeated_column", detail)
    for group in footer.groups:
        for column in columns:
            if any(group.chunks[leaf] is None for leaf in column.leaves):
                detail = f"column '{column.name}' is encrypted, and no keys can be given"
                raise DataFault(shard.path, "encrypted", f"{detail}: write it without encryption")
    return columns


def _without_columns(groups: Iterable[int], batch_rows: int) -> Iterator[pa.RecordBatch]:
    """Yields batches that have rows and no columns.

    Args:
        groups: how many rows there are, row group by row group.
        batch_rows: the largest number of rows of a batch.
    """
    for rows in groups:
        for first in range(0, rows, batch_rows):
            yield batch_without_columns(min(batch_rows, rows - first))
