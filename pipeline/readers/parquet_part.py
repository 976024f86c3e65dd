"""Hands Arrow the part of a Parquet footer that it needs: some columns of some row groups.

What is left out cannot keep Arrow from reading the rest: columns of types that it does not know,
and the Arrow schema that a writer may have added, whose types the stored values need not fit.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.readers.arrow_types import UnknownType
from pipeline.readers.parquet_footer import MAGIC, Column, ParquetFooter
from pipeline.readers.thrift import struct_list, varint, zigzag

ARROW_FAULTS = (pa.ArrowException, OSError, UnicodeDecodeError)
"""What Arrow raises for content that is damaged, or that it does not know."""


def part_of(
    footer: ParquetFooter, columns: Sequence[Column], groups: Sequence[int]
) -> pq.FileMetaData:
    """Returns the footer of a file that has some columns and some row groups alone.

    Args:
        footer: the footer of the whole file.
        columns: the columns, of which none is encrypted.
        groups: the numbers of the row groups.
    """
    leaves = [leaf for column in columns for leaf in column.leaves]
    structs = []
    for number in groups:
        group = footer.groups[number]
        chunks = [footer.data[chunk.place] for leaf in leaves if (chunk := group.chunks[leaf])]
        # Fields 1 to 3: the chunks, their bytes, and the rows.
        fields = [b"\x19", struct_list(chunks), b"\x16", zigzag(group.bytes)]
        structs.append(b"".join([*fields, b"\x16", zigzag(group.rows), b"\x00"]))
    rows = sum(footer.groups[number].rows for number in groups)
    return pq.read_metadata(_file(footer, columns, structs, rows))


def column_types(footer: ParquetFooter) -> dict[str, pa.DataType]:
    """Returns the Arrow types of all columns by name; `UnknownType` for a column without."""
    try:
        return _types(footer, footer.columns)
    except ARROW_FAULTS:
        types: dict[str, pa.DataType] = {}
        for column in footer.columns:
            try:
                types |= _types(footer, [column])
            except ARROW_FAULTS as error:
                types[column.name] = UnknownType(str(error))
        return types


def _types(footer: ParquetFooter, columns: Sequence[Column]) -> dict[str, pa.DataType]:
    return {field.name: field.type for field in pq.read_schema(_file(footer, columns))}


def _file(
    footer: ParquetFooter,
    columns: Sequence[Column],
    groups: Sequence[bytes] = (),
    rows: int = 0,
) -> pa.BufferReader:
    """Returns a file that consists of a footer, with some columns and with row groups as given."""
    # Fields 4 and 5: the name and the number of columns.
    root = b"\x48\x06schema\x15%b\x00" % zigzag(len(columns))
    elements = [footer.data[place] for column in columns for place in column.elements]
    fields = [
        b"\x15\x04",  # field 1: the version
        b"\x19" + struct_list([root, *elements]),
        b"\x16" + zigzag(rows),
        b"\x19" + struct_list(groups),
        b"\x28" + varint(len(footer.writer)) + footer.writer,  # field 6
    ]
    content = b"".join([*fields, b"\x00"])
    return pa.BufferReader(b"".join([MAGIC, content, len(content).to_bytes(4, "little"), MAGIC]))
