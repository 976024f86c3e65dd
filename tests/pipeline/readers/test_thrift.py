"""Thrift's compact protocol, against a writer and a reader of the tests."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.readers.thrift import (
    BINARY,
    BYTE,
    DOUBLE,
    INT16,
    INT32,
    INT64,
    LIST,
    MAP,
    SET,
    STRUCT,
    Fields,
    Malformed,
    read_field,
    read_struct,
    skip,
    struct_list,
    varint,
    zigzag,
)
from tests.faults.parquet_files import Struct, write_struct
from tests.pipeline.tables import law

few = settings(law, max_examples=15)

INTEGERS = st.sampled_from([INT16, INT32, INT64]).flatmap(
    lambda kind: st.tuples(st.just(kind), st.integers(-(2**63), 2**63 - 1))
)
TEXTS = st.tuples(st.just(BINARY), st.binary(max_size=200))
SMALL = st.dictionaries(st.integers(1, 40), INTEGERS | TEXTS, max_size=3)
LISTS = st.one_of(
    st.lists(st.integers(-9, 9), max_size=20).map(lambda values: (LIST, (INT32, values))),
    st.lists(st.binary(max_size=5), max_size=20).map(lambda values: (LIST, (BINARY, values))),
    st.lists(SMALL, max_size=20).map(lambda values: (LIST, (STRUCT, values))),
)
STRUCTS = st.dictionaries(
    st.integers(1, 300), INTEGERS | TEXTS | LISTS | st.tuples(st.just(STRUCT), SMALL), max_size=8
)


def wanted(struct: Struct) -> Fields:
    """All fields of a struct, as it has them."""
    return {number: kind_of(kind, value) for number, (kind, value) in struct.items()}


def kind_of(kind: int, value: Any) -> Any:
    if kind == STRUCT:
        return wanted(value)
    if kind == LIST:
        inner, values = value
        fields: dict[int, Any] = {}
        for struct in values if inner == STRUCT else ():
            fields |= wanted(struct)
        return (fields if inner == STRUCT else inner,)
    return kind


def plain(struct: Struct, fields: Fields) -> dict[int, Any]:
    """The values of a struct without their kinds, as far as they are of the kinds wanted."""
    found: dict[int, Any] = {}
    for number, (kind, value) in struct.items():
        want = fields.get(number)
        if kind == STRUCT and isinstance(want, dict):
            found[number] = plain(value, want)
        elif kind == LIST and isinstance(want, tuple):
            inner, values = value
            if inner == STRUCT and isinstance(want[0], dict):
                found[number] = [plain(struct, want[0]) for struct in values]
            elif inner == want[0]:
                found[number] = values
        elif kind == want:
            found[number] = value
    return found


@few
@given(STRUCTS, STRUCTS, st.binary(max_size=9))
def test_wanted_fields_are_read_and_others_passed_over(
    struct: Struct, other: Struct, behind: bytes
) -> None:
    data = write_struct(struct)
    for fields in (wanted(struct), wanted(other), {}):
        found, end = read_struct(b"??" + data + behind, 2, fields)
        assert found == plain(struct, fields)
        assert end == 2 + len(data)
    assert skip(data, 0, STRUCT) == len(data)
    if struct:
        first = min(struct)
        number, kind, _ = read_field(data, 0, 0)
        assert (number, kind) == (first, struct[first][0])


@few
@given(STRUCTS, st.data())
def test_a_part_of_a_struct_is_told_as_such(struct: Struct, data: st.DataObject) -> None:
    content = write_struct(struct)
    cut = content[: data.draw(st.integers(0, len(content) - 1))]
    for fields in (wanted(struct), {}):
        with pytest.raises(IndexError):
            read_struct(cut, 0, fields)


@law
@given(st.binary(max_size=60))
def test_any_bytes_are_a_struct_or_are_not(content: bytes) -> None:
    try:
        _, end = read_struct(content, 0, dict.fromkeys(range(20), INT32))
    except (IndexError, Malformed):
        return
    assert 0 < end <= len(content)


@few
@given(st.lists(SMALL, max_size=30), st.integers(-(2**63), 2**63 - 1))
def test_what_is_written_is_read(structs: list[Struct], number: int) -> None:
    fields: dict[int, Any] = {}
    for struct in structs:
        fields |= wanted(struct)
    # Fields 1 and 2: a list of structs, and an integer.
    content = (
        b"\x19" + struct_list([*map(write_struct, structs)]) + b"\x16" + zigzag(number) + b"\x00"
    )
    found, end = read_struct(content, 0, {1: (fields,), 2: INT64})
    assert found == {1: [plain(struct, fields) for struct in structs], 2: number}
    assert end == len(content)


def test_kinds_that_are_only_passed_over() -> None:
    pairs = bytes([2, BYTE << 4 | DOUBLE]) + b"k" + bytes(8) + b"l" + bytes(8)
    for kind, value in (
        (BYTE, b"x"),
        (DOUBLE, bytes(8)),
        (MAP, b"\x00"),
        (MAP, pairs),
        (SET, bytes([3 << 4 | BYTE]) + b"abc"),
        (LIST, bytes([2 << 4 | 1]) + b"\x01\x02"),
        (1, b""),
        (2, b""),
    ):
        content = bytes([1 << 4 | kind]) + value + bytes([1 << 4 | INT32]) + zigzag(-7) + b"\x00"
        assert read_struct(content, 0, {2: INT32}) == ({2: -7}, len(content))
        # A field of another kind than is wanted is passed over, too.
        assert read_struct(content, 0, {1: INT64, 2: INT32}) == ({2: -7}, len(content))


def test_what_no_writer_writes() -> None:
    deep = bytes([1 << 4 | STRUCT]) * 100_000
    lists = bytes([1 << 4 | LIST]) + bytes([1 << 4 | LIST]) * 100_000
    many = bytes([1 << 4 | LIST, 0xF0 | BYTE]) + varint(2**62)
    for content in (bytes([1 << 4 | 14]), deep, lists, bytes([1 << 4 | INT64]) + b"\xff" * 11):
        with pytest.raises(Malformed):
            read_struct(content, 0, {1: INT64} if content[0] == 1 << 4 | INT64 else {})
    with pytest.raises(IndexError):
        read_struct(many, 0, {})
