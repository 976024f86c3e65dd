"""Reads and writes Thrift's compact protocol, that of Parquet's footers and page headers.

Where bytes end within a value, `IndexError` is raised: there may be more of them elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

BYTE, INT16, INT32, INT64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(3, 13)
"""The kinds of values, as the protocol numbers them."""

Wanted: TypeAlias = "int | Fields | tuple[Wanted]"
"""What is read: a value of a kind, fields of a struct, or in a tuple the elements of a list."""

Fields: TypeAlias = "Mapping[int, Wanted]"
"""The fields of a struct that are read, by their numbers."""

_TRUE, _FALSE = 1, 2
_DEEPEST = 64


class Malformed(ValueError):
    """An exception for bytes that no writer of the protocol leaves."""


def read_struct(data: bytes, at: int, fields: Fields) -> tuple[dict[int, Any], int]:
    """Reads a struct.

    Args:
        data: the bytes that hold the struct.
        at: the position of the struct.
        fields: the fields to read; others, and fields of another kind, are passed over.

    Returns:
        The values of the fields that are there, by number: integers, bytes, dicts and lists. And
        the position behind the struct.

    Raises:
        IndexError: if the bytes end within the struct.
        Malformed: if it is no struct.

    >>> read_struct(bytes([0x15, 0x06, 0x18, 0x02, 0x61, 0x62, 0x00]), 0, {1: INT32, 2: BINARY})
    ({1: 3, 2: b'ab'}, 7)
    """
    found: dict[int, Any] = {}
    number = 0
    while head := data[at]:
        kind = head & 15
        if head >= 16:
            number += head >> 4
            at += 1
        else:
            number, at = read_integer(data, at + 1)
        wanted = fields.get(number)
        if INT16 <= kind <= INT64:
            # Most fields are integers: a call for each would take twice as long.
            value = data[at]
            if value < 0x80:
                at += 1
            else:
                value, at = read_varint(data, at)
            if wanted == kind:
                found[number] = (value >> 1) ^ -(value & 1)
        elif wanted is None:
            at = skip(data, at, kind)
        else:
            content, at = read_value(data, at, kind, wanted)
            if content is not None:
                found[number] = content
    return found, at + 1


def read_field(data: bytes, at: int, number: int) -> tuple[int, int, int]:
    """Returns the number and the kind of the next field of a struct, and where its value is.

    Args:
        data: the bytes that hold the struct.
        at: the position of the field; there is no further one if the byte there is 0.
        number: the number of the field before, 0 for none.
    """
    head = data[at]
    if head >= 16:
        return number + (head >> 4), head & 15, at + 1
    number, at = read_integer(data, at + 1)
    return number, head, at


def read_value(data: bytes, at: int, kind: int, wanted: Wanted) -> tuple[Any, int]:
    """Returns a value, None if it is not what is wanted, and the position behind it."""
    if kind == STRUCT and isinstance(wanted, Mapping):
        return read_struct(data, at, wanted)
    if kind == LIST and isinstance(wanted, tuple):
        (inner,) = wanted
        count, element, first = read_list_header(data, at)
        if element == (STRUCT if isinstance(inner, Mapping) else inner):
            values, at = [], first
            for _ in range(count):
                value, at = read_value(data, at, element, inner)
                values.append(value)
            return values, at
    elif kind == wanted == BINARY:
        size, at = read_varint(data, at)
        if at + size > len(data):
            raise IndexError
        return data[at : at + size], at + size
    elif kind == wanted and INT16 <= kind <= INT64:
        return read_integer(data, at)
    return None, skip(data, at, kind)


def read_list_header(data: bytes, at: int) -> tuple[int, int, int]:
    """Returns the number and the kind of the elements of a list, and the position of the first."""
    head = data[at]
    if head < 0xF0:
        return head >> 4, head & 15, at + 1
    count, at = read_varint(data, at + 1)
    return count, head & 15, at


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Returns an unsigned integer of up to 64 bits, and the position behind it."""
    value = data[at]
    if value < 0x80:
        return value, at + 1
    value &= 0x7F
    for shift in range(7, 70, 7):
        at += 1
        byte = data[at]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at + 1
    raise Malformed("an integer has more than 64 bits")


def read_integer(data: bytes, at: int) -> tuple[int, int]:
    """Returns a signed integer, and the position behind it."""
    value, at = read_varint(data, at)
    return (value >> 1) ^ -(value & 1), at


def skip(data: bytes, at: int, kind: int, depth: int = 0) -> int:
    """Returns the position behind a value of a kind, which may be behind the end of the bytes."""
    if INT16 <= kind <= INT64:
        while data[at] >= 0x80:
            at += 1
        return at + 1
    if kind == BINARY:
        size, at = read_varint(data, at)
        return at + size
    if kind in (_TRUE, _FALSE):
        return at
    if kind in (BYTE, DOUBLE):
        return at + (1 if kind == BYTE else 8)
    if depth == _DEEPEST:
        raise Malformed("structs are nested deeper than any writer does")
    if kind == STRUCT:
        while head := data[at]:
            at += 1
            if head < 16:
                at = skip(data, at, INT16)
            kind = head & 15
            if INT16 <= kind <= INT64:
                while data[at] >= 0x80:
                    at += 1
                at += 1
            else:
                at = skip(data, at, kind, depth + 1)
        return at + 1
    if kind in (LIST, SET):
        count, kind, at = read_list_header(data, at)
        return _skip_many(data, at, (kind,), count, depth)
    if kind == MAP:
        count, at = read_varint(data, at)
        return _skip_many(data, at + 1, divmod(data[at], 16), count, depth) if count else at
    raise Malformed(f"there are no values of kind {kind}")


def _skip_many(data: bytes, at: int, kinds: Sequence[int], count: int, depth: int) -> int:
    """Returns the position behind elements of a list, or pairs of a map."""
    # In lists and maps, unlike in structs, a boolean takes a byte.
    kinds = [BYTE if kind in (_TRUE, _FALSE) else kind for kind in kinds]
    for _ in range(count):
        for kind in kinds:
            at = skip(data, at, kind, depth + 1)
        if at > len(data):
            raise IndexError
    return at


def varint(number: int) -> bytes:
    """Returns the bytes of an unsigned integer.

    >>> varint(300).hex()
    'ac02'
    """
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def zigzag(number: int) -> bytes:
    """Returns the bytes of a signed integer, of any of the three kinds.

    >>> zigzag(-3).hex(), zigzag(150).hex()
    ('05', 'ac02')
    """
    return varint(2 * number if number >= 0 else -2 * number - 1)


def struct_list(structs: Sequence[bytes]) -> bytes:
    """Returns the bytes of a list of structs."""
    return b"".join([bytes([0xF0 | STRUCT]), varint(len(structs)), *structs])
