"""Reads Parquet shards: their footers, their work items, and batches of their rows."""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors.faults import DataFault
from pipeline.readers.footer_cache import FooterCache
from pipeline.readers.rows import is_text
from pipeline.readers.shards import Shard, WorkItem
from pipeline.readers.storage import OpenFile

# The approximate size of a work item: enough rows that its overhead does not matter, but few enough
# that a large file is spread over several workers.
ITEM_ROWS = 1 << 20
ITEM_BYTES = 64 << 20

# Three fields of at most 6 bytes, and the first byte of the next field.
_PAGE_HEADER_BYTES = 19
# In Thrift's compact protocol: the field with the next number, of type int32.
_NEXT_INT32 = b"\x15"


@dataclass(frozen=True)
class Footer:
    """The footer of a Parquet shard: what is known of the shard without its rows.

    Attributes:
        schema: the columns of the shard.
        rows: the number of rows of the shard.
        items: the work items of the shard: runs of adjacent row groups, in order.
        page_checksums: whether its pages have checksums, judged by the first page; True if there
            are no rows.
    """

    schema: pa.Schema
    rows: int
    items: tuple[WorkItem, ...]
    page_checksums: bool


def read_footer(shard: Shard, open_file: OpenFile, footers: FooterCache | None = None) -> Footer:
    """Reads the footer of a shard.

    Args:
        shard: the shard.
        open_file: opens the shard.
        footers: gets the footer, for those who read the rows.

    Raises:
        DataFault: if the footer cannot be read.
    """
    with open_file(shard.path) as stream:
        file = _open(stream, shard)
        footer = file.metadata
        if footers is not None:
            footers.put(shard, footer)
        return Footer(
            file.schema_arrow,
            footer.num_rows,
            tuple(_items(shard, footer)),
            _has_page_checksums(stream, footer),
        )


def _items(shard: Shard, footer: pq.FileMetaData) -> list[WorkItem]:
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
    costs = [max(g.num_rows / ITEM_ROWS, g.total_byte_size / ITEM_BYTES) for g in groups]
    items = []
    first = row = 0
    for _, part in itertools.groupby(zip(_even_parts(costs), groups, strict=True), itemgetter(0)):
        rows = [group.num_rows for _, group in part]
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


def _has_page_checksums(stream: BinaryIO, footer: pq.FileMetaData) -> bool:
    # A page begins with its header in Thrift's compact form (`PageHeader` of parquet.thrift): type,
    # sizes before and after compression, and then, if the page has a checksum, field 4 with it.
    if not footer.num_rows or not footer.num_columns:
        return True
    groups = (footer.row_group(i) for i in range(footer.num_row_groups))
    column = next(group for group in groups if group.num_rows).column(0)
    first = column.dictionary_page_offset
    # A damaged footer may give any number.
    stream.seek(max(0, column.data_page_offset if first is None else first))
    header = stream.read(_PAGE_HEADER_BYTES)
    position = 0
    for _ in range(3):
        # A byte names the field. In the number behind it, all bytes but the last have the high bit.
        position += 1
        while position < len(header) and header[position] >= 0x80:
            position += 1
        position += 1
    return header[position : position + 1] == _NEXT_INT32


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
        columns: the wanted columns; a column that the file lacks is left out. Text columns are
            dictionary-encoded.
        batch_rows: the number of rows of a batch; the last batch may have fewer.
        open_file: opens the shard.
        footers: the footers that are known, which gets that of the shard.

    Raises:
        DataFault: if the file is damaged, or is not the one that was listed. Page checksums are
            verified if the file has them.
    """
    with open_file(item.shard.path) as stream:
        known = None if footers is None else footers.get(item.shard)
        if known is not None:
            _check_size(stream, item.shard)
        plain = _open(stream, item.shard, footer=known)
        if footers is not None:
            footers.put(item.shard, plain.metadata)
        schema = plain.schema_arrow
        text = [field.name for field in schema if is_text(field.type)]
        file = _open(stream, item.shard, text, plain.metadata)
        present = [name for name in columns if name in schema.names]
        groups = range(*(item.row_groups or (0, file.metadata.num_row_groups)))
        batches = file.iter_batches(batch_rows, row_groups=list(groups), columns=present)
        while True:
            try:
                batch = next(batches, None)
            except (pa.ArrowException, OSError) as error:
                raise DataFault(
                    item.shard.path,
                    "corrupt_parquet",
                    str(error),
                    row_group=groups.start if len(groups) == 1 else None,
                ) from error
            if batch is None:
                return
            yield batch


def _check_size(stream: BinaryIO, shard: Shard) -> None:
    """Raises a fault if a file has another size than when its footer was read."""
    size = stream.seek(0, io.SEEK_END)
    if size != shard.bytes:
        detail = (
            f"the file had {shard.bytes:,} bytes when files were listed, and has {size:,} now; run"
            " again when no one writes to it"
        )
        raise DataFault(shard.path, "changed_file", detail)


def _open(
    stream: BinaryIO,
    shard: Shard,
    coded: Sequence[str] = (),
    footer: pq.FileMetaData | None = None,
) -> pq.ParquetFile:
    try:
        file = pq.ParquetFile(
            stream,
            metadata=footer,
            read_dictionary=list(coded),
            page_checksum_verification=True,
        )
        # PyArrow decodes the schema only when asked for it, and column names may be damaged.
        _ = file.schema_arrow
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataFault(shard.path, "corrupt_parquet", str(error)) from error
    return file
