"""Reads the footers of Parquet files, and holds their counts and places against each other.

Arrow believes a footer. A row group that counts fewer rows than its columns hold loses some, one
that is listed twice doubles them, and some contradictions end the process.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO, NamedTuple

from pipeline.errors.faults import DataFault
from pipeline.readers.thrift import (
    BINARY,
    INT32,
    INT64,
    LIST,
    Fields,
    Malformed,
    read_field,
    read_list_header,
    read_struct,
    read_value,
    skip,
)

MAGIC, _ENCRYPTED_MAGIC = b"PAR1", b"PARE"
# Behind a footer there are its size, in 4 bytes, and the magic bytes.
_END_BYTES = 8
# So many bytes at the end of a file are read at first; most footers have fewer.
_LOOK_BYTES = 64 << 10
_DEEPEST = 64

# The numbers of the fields in parquet.thrift of the Parquet format: of `FileMetaData`,
_SCHEMA, _ROWS, _GROUPS, _WRITER = 2, 3, 4, 6
# of `SchemaElement`,
_TYPE, _WIDTH, _REPETITION, _NAME, _CHILDREN = 1, 2, 3, 4, 5
# of `RowGroup`,
_CHUNKS, _GROUP_BYTES, _GROUP_ROWS = 1, 2, 3
# of `ColumnChunk`,
_OTHER_FILE, _META, _CRYPTO = 1, 3, 8
# and of `ColumnMetaData`, whose first is a type as well.
_ENCODINGS, _PATH, _CODEC, _VALUES, _UNPACKED, _PACKED = 2, 3, 4, 5, 6, 7
_PAGES, _DICTIONARY, _ENCODING_STATS = 9, 11, 13

_ELEMENT: Fields = {
    **dict.fromkeys((_TYPE, _WIDTH, _REPETITION, _CHILDREN), INT32),
    _NAME: BINARY,
}
_CHUNK: Fields = {
    _OTHER_FILE: BINARY,
    _META: {
        **dict.fromkeys((_TYPE, _CODEC), INT32),
        _PATH: (BINARY,),
        **dict.fromkeys((_VALUES, _UNPACKED, _PACKED, _PAGES, _DICTIONARY), INT64),
    },
    _CRYPTO: {},
}
_CHUNK_ENCODINGS: Fields = {
    _META: {_ENCODINGS: (INT32,), _ENCODING_STATS: ({1: INT32, 2: INT32},)},
}

_REPEATED = 2
DATA_PAGE, DICTIONARY_PAGE, DATA_PAGE_2 = 0, 2, 3
"""The kinds of pages, as Parquet numbers them."""

CODE_ENCODINGS = frozenset((2, 8))
"""The encodings of pages whose values are codes of a dictionary, as Parquet numbers them."""

WHOLE_TEXT_ENCODINGS = frozenset((0, 6))
"""The encodings of pages that hold every text in full, as Parquet numbers them."""

BYTE_ARRAY = 6
"""The physical type of values of any length, as Parquet numbers it."""

_LEVEL_ENCODINGS = frozenset((3, 4))


class Leaf(NamedTuple):
    """A column of single values as Parquet stores it; a column of lists has a leaf for its values.

    Attributes:
        path: the names that lead to it, from that of the column on.
        type: the number of its physical type.
        width: the bytes of its values, if they are of a fixed length.
        nested: whether a row may have several values.
    """

    path: list[bytes]
    type: int
    width: int
    nested: bool

    @property
    def name(self) -> str:
        """The names with dots between them."""
        return b".".join(self.path).decode(errors="backslashreplace")


class Column(NamedTuple):
    """A column.

    Attributes:
        name: its name.
        elements: where its elements of the schema are in the footer.
        leaves: the positions of its leaves.
    """

    name: str
    elements: list[slice]
    leaves: list[int]


class Chunk(NamedTuple):
    """The values of a leaf in a row group.

    Attributes:
        values: how many values there are; null and an empty list count, too.
        first: the position of its first page in the file, in bytes.
        last: the position behind its last page.
        unpacked: the bytes of its pages, decompressed.
        codec: the number of the way in which its pages are compressed, 0 for none.
        place: where it is in the footer.
    """

    values: int
    first: int
    last: int
    unpacked: int
    codec: int
    place: slice


class Group(NamedTuple):
    """A row group.

    Attributes:
        rows: how many rows it has.
        bytes: the bytes of all of its pages, decompressed.
        chunks: the chunk of each leaf; None for an encrypted one.
    """

    rows: int
    bytes: int
    chunks: list[Chunk | None]


@dataclass(frozen=True, eq=False)
class ParquetFooter:
    """The footer of a Parquet file, whose counts and places fit together.

    Attributes:
        data: its bytes.
        columns: the columns of the file.
        leaves: the leaves of the columns.
        groups: the row groups.
        rows: how many rows there are.
        writer: what wrote the file, in its words.
    """

    data: bytes
    columns: list[Column]
    leaves: list[Leaf]
    groups: list[Group]
    rows: int
    writer: bytes

    def encodings(self, group: int, leaf: int) -> set[int]:
        """Returns the encodings that the pages of values of a chunk may have.

        The footer need not say which pages have them: those of a dictionary may be among them.
        """
        chunk = self.groups[group].chunks[leaf]
        assert chunk is not None
        found, _ = read_struct(self.data, chunk.place.start, _CHUNK_ENCODINGS)
        stats = found[_META].get(_ENCODING_STATS)
        if stats:
            return {stat.get(2, -1) for stat in stats if stat.get(1) in (DATA_PAGE, DATA_PAGE_2)}
        return {*found[_META].get(_ENCODINGS, ())} - _LEVEL_ENCODINGS


def read_parquet_footer(stream: BinaryIO, path: str) -> ParquetFooter:
    """Reads and checks the footer of a file.

    Args:
        stream: the file.
        path: its path, for messages.

    Raises:
        DataFault: "encrypted", if nothing can be read without a key; "corrupt_parquet" if it is no
            Parquet file, was cut short, or has a footer that contradicts itself. The fault names
            the row group and the column, if there is a single one.
    """
    data, end = _footer_bytes(stream, path)
    try:
        footer = _parse(data, path)
    except (IndexError, Malformed, UnicodeDecodeError) as error:
        raise contradiction(
            path, f"the footer is damaged: {error or 'it ends too early'}"
        ) from error
    _check_places(footer, path, end)
    return footer


def _footer_bytes(stream: BinaryIO, path: str) -> tuple[bytes, int]:
    """Returns the bytes of the footer, and their position in the file."""
    size = stream.seek(0, io.SEEK_END)
    start = max(0, size - _LOOK_BYTES)
    stream.seek(start)
    tail = stream.read(size - start)
    if tail[-4:] == _ENCRYPTED_MAGIC:
        detail = "the file is encrypted, and no keys can be given: write it without encryption"
        raise DataFault(path, "encrypted", detail)
    length = int.from_bytes(tail[-_END_BYTES:-4], "little")
    first = size - _END_BYTES - length
    if tail[-4:] != MAGIC or first < len(MAGIC):
        raise contradiction(path, "the file does not end as a Parquet file does; was it cut short?")
    if first < start:
        stream.seek(first)
        tail = stream.read(size - first)
    stream.seek(0)
    if stream.read(len(MAGIC)) != MAGIC:
        raise contradiction(path, "the file does not begin as a Parquet file does")
    return tail[-_END_BYTES - length : -_END_BYTES], first


def _parse(data: bytes, path: str) -> ParquetFooter:
    columns: list[Column] = []
    leaves: list[Leaf] = []
    groups: list[Group] | None = None
    rows, writer, number, at = -1, b"", 0, 0
    while data[at]:
        number, kind, at = read_field(data, at, number)
        if number == _SCHEMA and kind == LIST:
            columns, leaves, at = _read_schema(data, at)
        elif number == _GROUPS and kind == LIST:
            groups, at = _read_groups(data, at, leaves, path)
        elif number == _ROWS and kind == INT64:
            rows, at = read_value(data, at, kind, kind)
        elif number == _WRITER and kind == BINARY:
            writer, at = read_value(data, at, kind, kind)
        else:
            at = skip(data, at, kind)
    if groups is None:
        raise Malformed("it lists no row groups")
    counted = sum(group.rows for group in groups)
    if rows != counted:
        what = f"the footer counts {rows:,} rows, and its row groups have {counted:,}"
        raise contradiction(path, what)
    return ParquetFooter(data, columns, leaves, groups, rows, writer)


def _read_schema(data: bytes, at: int) -> tuple[list[Column], list[Leaf], int]:
    """Reads the schema, which is a tree whose nodes are listed before their children."""
    count, _, at = read_list_header(data, at)
    columns: list[Column] = []
    leaves: list[Leaf] = []
    # The nodes above the next one: how many children are to come, the path, whether it repeats.
    above: list[tuple[int, list[bytes], bool]] = [(1, [], False)]
    for _ in range(count):
        start = at
        element, at = read_struct(data, at, _ELEMENT)
        while above and not above[-1][0]:
            above.pop()
        name, children = element.get(_NAME), element.get(_CHILDREN, 0)
        if not above or not isinstance(name, bytes) or children < 0 or len(above) > _DEEPEST:
            raise Malformed("its schema is no tree of columns")
        left, names, nested = above[-1]
        above[-1] = left - 1, names, nested
        if len(above) > 1:
            names = [*names, name]
            nested = nested or element.get(_REPETITION) == _REPEATED
        if len(above) == 2:
            columns.append(Column(name.decode(), [], []))
        if columns:
            columns[-1].elements.append(slice(start, at))
        if _TYPE not in element or not columns:
            above.append((children, names, nested))
        else:
            columns[-1].leaves.append(len(leaves))
            leaves.append(Leaf(names, element[_TYPE], element.get(_WIDTH, 0), nested))
    if any(left for left, _, _ in above):
        raise Malformed("its schema is no tree of columns")
    return columns, leaves, at


def _read_groups(
    data: bytes, at: int, leaves: Sequence[Leaf], path: str
) -> tuple[list[Group], int]:
    count, _, at = read_list_header(data, at)
    groups = []
    for group in range(count):
        chunks: list[Chunk | None] = []
        rows = unpacked = number = 0
        while data[at]:
            number, kind, at = read_field(data, at, number)
            if number == _CHUNKS and kind == LIST:
                chunks, at = _read_chunks(data, at, leaves, path, group)
            elif number == _GROUP_ROWS and kind == INT64:
                rows, at = read_value(data, at, kind, kind)
            elif number == _GROUP_BYTES and kind == INT64:
                unpacked, at = read_value(data, at, kind, kind)
            else:
                at = skip(data, at, kind)
        at += 1
        if rows < 0 or len(chunks) != len(leaves):
            what = f"it has {len(chunks):,} columns of {rows:,} rows, and the schema has"
            raise contradiction(path, f"{what} {len(leaves):,} columns", group)
        for leaf, chunk in zip(leaves, chunks, strict=True):
            if chunk is None or chunk.values == rows or (leaf.nested and chunk.values > rows > 0):
                continue
            what = f"the footer counts {chunk.values:,} values in {rows:,} rows"
            raise contradiction(path, what, group, leaf)
        groups.append(Group(rows, max(0, unpacked), chunks))
    return groups, at


def _read_chunks(
    data: bytes, at: int, leaves: Sequence[Leaf], path: str, group: int
) -> tuple[list[Chunk | None], int]:
    count, _, at = read_list_header(data, at)
    if count != len(leaves):
        what = f"it has {count:,} columns, and the schema has {len(leaves):,}"
        raise contradiction(path, what, group)
    chunks: list[Chunk | None] = []
    for leaf in leaves:
        start = at
        found, at = read_struct(data, at, _CHUNK)
        if _CRYPTO in found:
            chunks.append(None)
            continue
        if found.get(_OTHER_FILE):
            name = found[_OTHER_FILE].decode(errors="backslashreplace")
            raise contradiction(path, f"its values are in another file, '{name}'", group, leaf)
        meta = found.get(_META, {})
        if meta.get(_PATH) != leaf.path or meta.get(_TYPE) != leaf.type:
            names = [name.decode(errors="backslashreplace") for name in meta.get(_PATH, ())]
            what = f"in its place there is the column '{'.'.join(names)}' of type {meta.get(_TYPE)}"
            raise contradiction(path, what, group, leaf)
        try:
            first, size = meta[_PAGES], meta[_PACKED]
            values, unpacked, codec = meta[_VALUES], meta[_UNPACKED], meta[_CODEC]
        except KeyError:
            raise contradiction(
                path, "the footer does not say where its values are", group, leaf
            ) from None
        if 0 < meta.get(_DICTIONARY, 0) < first:
            first = meta[_DICTIONARY]
        chunks.append(Chunk(values, first, first + size, unpacked, codec, slice(start, at)))
    return chunks, at


def _check_places(footer: ParquetFooter, path: str, end: int) -> None:
    """Checks that all chunks are in the file, before its footer, and that no two share a byte."""
    places = []
    for group, (_, _, chunks) in enumerate(footer.groups):
        for leaf, chunk in enumerate(chunks):
            if chunk is None or not chunk.values:
                continue
            if not len(MAGIC) <= chunk.first < chunk.last <= end:
                where = f"bytes {chunk.first:,} to {chunk.last:,}"
                what = f"its values are at {where}, and the footer begins at byte {end:,}"
                raise contradiction(path, what, group, footer.leaves[leaf])
            places.append((chunk.first, chunk.last, group, leaf))
    places.sort()
    for (_, last, group, leaf), (first, _, next_group, next_leaf) in pairwise(places):
        if first < last:
            other = f"those of column '{footer.leaves[leaf].name}' of row group {group}"
            what = f"at byte {first:,} its values begin within {other}"
            raise contradiction(path, what, next_group, footer.leaves[next_leaf])


def contradiction(
    path: str, what: str, group: int | None = None, leaf: Leaf | None = None
) -> DataFault:
    """Returns the fault of a file that contradicts itself.

    Args:
        path: the path of the file.
        what: what is wrong, in words.
        group: the number of the row group.
        leaf: what of the row group it is about.
    """
    column = "" if leaf is None else f"column '{leaf.name}': "
    detail = f"{column}{what}; restore the file from its source, or write it anew"
    return DataFault(path, "corrupt_parquet", detail, row_group=group)
