"""Takes Parquet files apart and puts them together again, with other counts, places and pages.

The structs of Thrift's compact protocol are dicts here: by number of the field, its kind and its
value. The value of a list is the kind of its elements, and a list of them.
"""

from __future__ import annotations

import copy
from typing import Any

BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(3, 13)

Struct = dict[int, tuple[int, Any]]
Pages = list[tuple[Struct, bytes]]


def read_struct(data: bytes, at: int = 0) -> tuple[Struct, int]:
    """The struct at a position, and the position behind it."""
    found: Struct = {}
    number = 0
    while head := data[at]:
        at += 1
        if head >> 4:
            number += head >> 4
        else:
            number, at = _integer(data, at)
        value, at = _value(data, at, head & 15)
        found[number] = (head & 15, value)
    return found, at + 1


def write_struct(struct: Struct) -> bytes:
    out = bytearray()
    before = 0
    for number in sorted(struct):
        kind, value = struct[number]
        if 0 < number - before < 16:
            out.append((number - before) << 4 | kind)
        else:
            out.append(kind)
            out += _zigzag(number)
        before = number
        out += _written(kind, value)
    return bytes([*out, 0])


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def _zigzag(number: int) -> bytes:
    return varint(number * 2 if number >= 0 else -number * 2 - 1)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        number |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 128:
            return number, at


def _integer(data: bytes, at: int) -> tuple[int, int]:
    number, at = _varint(data, at)
    return number >> 1 ^ -(number & 1), at


def _value(data: bytes, at: int, kind: int) -> tuple[Any, int]:
    if kind < BYTE:  # a boolean, which is in the head of its field
        return None, at
    if kind in (I16, I32, I64):
        return _integer(data, at)
    if kind == STRUCT:
        return read_struct(data, at)
    if kind == LIST:
        count, inner, at = data[at] >> 4, data[at] & 15, at + 1
        if count == 15:
            count, at = _varint(data, at)
        values = []
        for _ in range(count):
            value, at = _value(data, at, inner)
            values.append(value)
        return (inner, values), at
    assert kind == BINARY
    size, at = _varint(data, at)
    return data[at : at + size], at + size


def _written(kind: int, value: Any) -> bytes:
    if kind < BYTE:
        return b""
    if kind in (I16, I32, I64):
        return _zigzag(value)
    if kind == STRUCT:
        return write_struct(value)
    if kind == LIST:
        inner, values = value
        few = len(values) < 15
        head = [len(values) << 4 | inner] if few else [0xF0 | inner, *varint(len(values))]
        return bytes(head) + b"".join(_written(inner, value) for value in values)
    return varint(len(value)) + value


class ParquetFile:
    """A file whose footer and pages can be changed.

    Attributes:
        body: the bytes before the footer.
        footer: the footer.
    """

    def __init__(self, content: bytes) -> None:
        size = int.from_bytes(content[-8:-4], "little")
        self.body = content[: -8 - size]
        self.footer, _ = read_struct(content, len(self.body))

    def copy(self) -> ParquetFile:
        return copy.deepcopy(self)

    def content(self) -> bytes:
        footer = write_struct(self.footer)
        return self.body + footer + len(footer).to_bytes(4, "little") + b"PAR1"

    @property
    def schema(self) -> list[Struct]:
        elements: list[Struct] = self.footer[2][1][1]
        return elements

    @property
    def groups(self) -> list[Struct]:
        groups: list[Struct] = self.footer[4][1][1]
        return groups

    def chunks(self, group: int) -> list[Struct]:
        chunks: list[Struct] = self.groups[group][1][1][1]
        return chunks

    def meta(self, group: int, column: int) -> Struct:
        """What the footer says of a chunk; fields: 1 type, 3 path, 4 codec, 5 values, 6 and 7 bytes
        before and after compression, 9 first page of values, 11 dictionary."""
        meta: Struct = self.chunks(group)[column][3][1]
        return meta

    def place(self, group: int, column: int) -> tuple[int, int]:
        """Where a chunk begins and ends."""
        meta = self.meta(group, column)
        first = min(meta[9][1], meta[11][1] if 11 in meta else meta[9][1])
        return first, first + meta[7][1]

    def pages(self, group: int, column: int) -> Pages:
        """The headers and the contents of the pages of a chunk; fields of a header: 1 kind, 2 and 3
        bytes before and after compression, and a struct: 5 values, 7 dictionary, 8 values of
        version 2."""
        at, end = self.place(group, column)
        found = []
        while at < end:
            header, at = read_struct(self.body, at)
            found.append((header, self.body[at : at + header[3][1]]))
            at += header[3][1]
        return found

    def put_pages(self, group: int, column: int, pages: Pages) -> None:
        """Puts pages in the place of those of a chunk, and what the footer says of it right but for
        the number of values; all are uncompressed."""
        meta = self.meta(group, column)
        first, end = self.place(group, column)
        written = [write_struct(header) + content for header, content in pages]
        places = [first + sum(map(len, written[:i])) for i in range(len(written))]
        new = b"".join(written)
        self.body = self.body[:first] + new + self.body[end:]
        set_(meta, 7, len(new))
        set_(meta, 6, len(new))
        kinds = [header[1][1] for header, _ in pages]
        set_(meta, 9, next(place for place, kind in zip(places, kinds, strict=True) if kind != 2))
        for each_group in range(len(self.groups)):
            for other in range(len(self.chunks(each_group))):
                if (each_group, other) != (group, column):
                    for field in {9, 11} & {*self.meta(each_group, other)}:
                        place = self.meta(each_group, other)[field][1]
                        if place >= end:
                            set_(
                                self.meta(each_group, other),
                                field,
                                place + len(new) - (end - first),
                            )


def set_(struct: Struct, field: int, value: Any) -> None:
    """Sets the value of a field that is there, and leaves its kind."""
    struct[field] = (struct[field][0], value)


def add(struct: Struct, field: int, number: int) -> None:
    """Adds to the value of a field."""
    set_(struct, field, struct[field][1] + number)


def with_content(page: tuple[Struct, bytes], content: bytes) -> tuple[Struct, bytes]:
    """An uncompressed page with another content, and its sizes right."""
    header = copy.deepcopy(page[0])
    set_(header, 2, len(content))
    set_(header, 3, len(content))
    return header, content
