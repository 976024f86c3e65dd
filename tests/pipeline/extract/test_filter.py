"""Tests which rows `where` keeps: values match by type, and impossible values are an error."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.load import parse_config
from pipeline.config.model import Where
from pipeline.extract.filter import keep_mask
from tests.pipeline.tables import law, rows_of

TEXTS = [
    pa.string(),
    pa.large_string(),
    pa.binary(),
    pa.large_binary(),
    pa.dictionary(pa.int16(), pa.string()),
    pa.dictionary(pa.int8(), pa.binary()),
]
NUMBERS = [
    *(getattr(pa, f"{sign}int{bits}")() for sign in ("", "u") for bits in (8, 16, 32, 64)),
    pa.float32(),
    pa.float64(),
]


def kept(array: Any, *values: Any) -> list[bool]:
    entry = Where(column="x", values=values)
    mask = keep_mask([entry], rows_of({"x": array})).tolist()
    # The mask is the same for a part of a longer array, and for a dictionary-encoded array.
    array = pa.array(array) if isinstance(array, list) else array
    part = pa.concat_arrays([array] * 3).slice(len(array), len(array))
    assert keep_mask([entry], rows_of({"x": part})).tolist() == mask
    if not pa.types.is_dictionary(array.type) and not pa.types.is_null(array.type):
        coded = part.dictionary_encode() if not pa.types.is_list(array.type) else part
        assert keep_mask([entry], rows_of({"x": coded})).tolist() == mask
    return mask


@pytest.mark.parametrize("type_", NUMBERS, ids=str)
def test_numbers(type_: pa.DataType) -> None:
    array = pa.array([1, 0, None, 2, 100], pa.float64()).cast(type_)
    for value in (1, 1.0):
        assert kept(array, value) == [True, False, False, False, False]
    assert kept(array, 2, 0) == [False, True, False, True, False]
    assert kept(array, None) == [False, False, True, False, False]
    assert kept(array, 100, None) == [False, False, True, False, True]
    # Beside a value that can match, values of other types are allowed; they match nothing.
    assert kept(array, True, "1", 0) == [False, True, False, False, False]
    for never in (True, False, "1", ""):
        with pytest.raises(TypeError, match=r"column 'x' is .*, and 'where' looks for"):
            kept(array, never)


def test_numbers_are_compared_exactly() -> None:
    assert kept([2**53, 2**53 + 1], 2**53 + 1) == [False, True]
    assert kept(pa.array([2**64 - 1, 2**63], pa.uint64()), 2**64 - 1) == [True, False]
    assert kept([0.1, 0.1 + 1e-16, math.nan, math.inf], 0.1) == [True, False, False, False]
    assert kept([0.0, -0.0, 1.5], 0) == [True, True, False]
    assert kept([1, 2], 1.5) == [False, False]


def test_a_number_as_it_is_written_is_found_in_single_precision() -> None:
    assert kept(pa.array([0.1, 0.2, None], pa.float32()), 0.1) == [True, False, False]


def test_a_number_beyond_single_precision_is_not_infinity() -> None:
    for value in (1e300, 2**200):
        assert kept(pa.array([1.0, math.inf, -math.inf], pa.float32()), value) == [False] * 3


BEYOND = (1e300, -1e300, 2**63, 2**64, -(2**63) - 1, 10**400, 1.5, 2**200)
"""Numbers that none of the columns below holds."""


@pytest.mark.parametrize("type_", NUMBERS, ids=str)
def test_a_number_that_a_column_cannot_hold_is_never_met(type_: pa.DataType) -> None:
    array = pa.array([1, 0, None, 2], type_)
    for value in BEYOND:
        assert kept(array, value) == [False] * 4
        assert kept(array, 1, value) == [True, False, False, False]
        assert kept(array, value, None) == [False, False, True, False]
    assert kept(array, *BEYOND) == [False] * 4
    # Beside a value that other types hold, numbers are no mistake either.
    for other in (pa.array([True, False]), pa.array(["1", "x"]), pa.array([0, 1], pa.date32())):
        assert kept(other, None, *BEYOND) == [False, False]


@pytest.mark.parametrize("type_", NUMBERS, ids=str)
def test_the_ends_of_the_range_of_whole_numbers(type_: pa.DataType) -> None:
    if pa.types.is_floating(type_):
        array = pa.array([0.0, -0.0, 5e-324, math.inf, -math.inf, math.nan]).cast(type_)
        assert kept(array, 0) == kept(array, -0.0) == kept(array, 0.0)
        assert kept(array, 0)[:2] == [True, True]
        assert kept(array, 1e300, -1e300)[2:] == [False] * 4
        return
    bits = type_.bit_width
    signed = pa.types.is_signed_integer(type_)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    array = pa.array([low, high, 1], type_)
    assert kept(array, low) == [True, False, False]
    assert kept(array, high) == [False, True, False]
    assert kept(array, low - 1, high + 1) == [False] * 3
    assert kept(array, 1.0, float(2**64)) == [False, False, True]


@pytest.mark.parametrize("type_", [*NUMBERS, *TEXTS], ids=str)
def test_many_values(type_: pa.DataType) -> None:
    numbers = pa.array([*range(100), None, 7])
    text = pa.types.is_dictionary(type_) or pa.types.is_large_string(type_) or type_ == pa.string()
    if text or pa.types.is_binary(type_) or pa.types.is_large_binary(type_):
        array = numbers.cast(pa.string()).cast(pa.binary()).cast(type_)
        values = [str(number) for number in range(0, 3000, 3)]
    else:
        array, values = numbers.cast(type_), list(range(0, 3000, 3))
    expected = [number % 3 == 0 for number in range(100)]
    assert kept(array, *values) == [*expected, False, False]
    assert kept(array, *values, None) == [*expected, True, False]


def test_equal_values_of_other_types_are_other_values() -> None:
    entries = [Where(column="x", values=values) for values in ((1,), (1.0,), (True,))]
    numbers, flags = rows_of({"x": pa.array([1, 0])}), rows_of({"x": pa.array([True, False])})
    for entry in entries[:2]:
        assert keep_mask([entry], numbers).tolist() == [True, False]
        with pytest.raises(TypeError, match="column 'x' is bool"):
            keep_mask([entry], flags)
    assert keep_mask(entries[2:], flags).tolist() == [True, False]
    with pytest.raises(TypeError, match="column 'x' is int64"):
        keep_mask(entries[2:], numbers)


@pytest.mark.parametrize("type_", TEXTS, ids=str)
def test_text(type_: pa.DataType) -> None:
    words = ["1", "größe", None, "", "A", "true"]
    array = pa.array([None if w is None else w.encode() for w in words], pa.binary()).cast(type_)
    assert kept(array, "1") == [True, False, False, False, False, False]
    assert kept(array, "größe", "") == [False, True, False, True, False, False]
    assert kept(array, "a") == [False] * 6
    assert kept(array, None, "A") == [False, False, True, False, True, False]
    assert kept(array, 1, "true") == [False] * 5 + [True]
    for never in (1, 1.0, True):
        with pytest.raises(TypeError, match="quote text, do not quote numbers"):
            kept(array, never)


@pytest.mark.parametrize("type_", [pa.binary(), pa.string()], ids=str)
def test_text_that_is_not_utf8_is_no_text(type_: pa.DataType) -> None:
    # Parquet does not check that a string column holds UTF-8.
    array = pa.array([b"\xff", b"a", None]).view(type_)
    assert kept(array, "a") == [False, True, False]
    assert kept(array, "\udcff", "ÿ") == [False, False, False]


def test_booleans() -> None:
    assert kept([True, False, None], True) == [True, False, False]
    assert kept([True, False, None], False, None) == [False, True, True]
    assert kept([True, False, None], 1, False) == [False, True, False]
    for never in (1, 0, 1.0, "true"):
        with pytest.raises(TypeError, match="column 'x' is bool"):
            kept([True, False], never)


def test_nulls_alone() -> None:
    assert kept(pa.nulls(2), None) == [True, True]
    for value in ("a", 1, True):
        assert kept(pa.nulls(2), value) == [False, False]


def test_nulls_among_the_values_of_a_dictionary() -> None:
    array = pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 2]), pa.array(["a", None, "a"]))
    assert kept(array, None) == [False, True, True, False]
    assert kept(array, "a") == [True, False, False, True]


@pytest.mark.parametrize(("index", "values"), [(pa.int8(), 128), (pa.uint8(), 256)], ids=str)
def test_a_null_beside_as_many_values_as_the_index_can_count(
    index: pa.DataType, values: int
) -> None:
    codes = pa.array([0, None, values - 1], index)
    array = pa.DictionaryArray.from_arrays(codes, pa.array(range(values)))
    assert kept(array, 0) == [True, False, False]
    assert kept(array, None) == [False, True, False]


def test_lists_of_one() -> None:
    assert kept([["a"], [], None, ["b"], [None]], "a") == [True, False, False, False, False]
    assert kept([["a"], [], None, ["b"], [None]], None) == [False, True, True, False, True]
    with pytest.raises(
        TypeError, match=r"'x' of 'where' has a list of .* in row 101; keep rows by"
    ):
        kept([["a"], ["a", "b"]], "a")


@pytest.mark.parametrize(
    "array",
    [
        pa.array([1], pa.date32()),
        pa.array([1], pa.duration("s")),
        pa.array([{"a": 1}]),
        pa.array([[[1]]]),
    ],
    ids=lambda array: str(array.type),
)
def test_values_of_other_types_cannot_be_looked_for(array: pa.Array) -> None:
    for value in (1, "1970-01-02"):
        with pytest.raises(TypeError, match="column 'x'"):
            keep_mask([Where(column="x", values=(value,))], rows_of({"x": array}))


def test_float16() -> None:
    array = pa.array([1.0, 0.5, None], pa.float32()).cast(pa.float16())
    entry = Where(column="x", values=(0.5,))
    assert keep_mask([entry], rows_of({"x": array})).tolist() == [False, True, False]


def test_impossible_values_are_a_mistake_even_without_rows() -> None:
    for array in (pa.array([], pa.int64()), pa.array([], pa.string()).dictionary_encode()):
        assert kept(array, None) == []
        with pytest.raises(TypeError, match="'where' looks for True in it"):
            kept(array, True)


def test_every_entry_must_match() -> None:
    rows = rows_of({"x": [1, 1, 2, None], "y": ["a", "b", "a", "a"]}, day="2")
    entries = [Where(column="x", values=(1, None)), Where(column="y", values=("a",))]
    assert keep_mask(entries, rows).tolist() == [True, False, False, True]
    assert keep_mask([], rows).tolist() == [True] * 4
    # Columns of directories are text.
    assert keep_mask([Where(column="day", values=("2",))], rows).tolist() == [True] * 4
    with pytest.raises(TypeError, match="column 'day'"):
        keep_mask([Where(column="day", values=(2,))], rows)


def test_yaml_says_the_type() -> None:
    text = "heads: {h: {type: binary, logits: s, label: y}}\nwhere: [{column: x, values: [%s]}]"
    for written, array, expected in [
        ("1", pa.array([1, 2]), [True, False]),
        ('"1"', pa.array(["1", "2"]), [True, False]),
        ("true", pa.array([True, False]), [True, False]),
        ("null", pa.array([None, 2]), [True, False]),
    ]:
        entries = parse_config(text % written, "c.yaml").where
        assert keep_mask(entries, rows_of({"x": array})).tolist() == expected


@law
@given(
    st.lists(st.sampled_from([0, 1, 2, None]), max_size=8),
    st.sampled_from([pa.int8(), pa.float64(), pa.string(), pa.bool_()]),
    st.lists(
        st.sampled_from([0, 1, 2, 0.0, 1.0, "0", "1", "2", "0.0", True, False, None]),
        min_size=1,
        max_size=3,
    ),
)
def test_against_equality_of_values_of_like_kind(
    cells: list[int | None], type_: pa.DataType, values: list[Any]
) -> None:
    def kind(value: Any) -> type:
        return float if type(value) is int else type(value)

    make = {pa.string(): str, pa.bool_(): bool, pa.float64(): float}.get(type_, int)
    cell_values = [None if cell is None else make(cell) for cell in cells]
    array = pa.array(cell_values, type_)
    possible = [v for v in values if v is None or kind(v) is kind(make(1))]
    if not possible:
        with pytest.raises(TypeError, match="'where' looks for"):
            kept(array, *values)
        return
    assert kept(array, *values) == [
        any(kind(v) is kind(cell) and v == cell for v in values) for cell in cell_values
    ]
