"""Tests columns: names in file and directories, lists of a single value, and all types."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from pipeline.readers.rows import (
    Rows,
    flat_values,
    is_list,
    is_number,
    is_text,
    list_lengths,
    numbers,
    words,
)
from pipeline.validation.contents import RowHasher
from tests.pipeline.tables import rows_of

INTEGERS = [getattr(pa, f"{sign}int{bits}")() for sign in ("", "u") for bits in (8, 16, 32, 64)]
FLOATS = [pa.float16(), pa.float32(), pa.float64()]
TEXTS = [pa.string(), pa.large_string(), pa.binary(), pa.large_binary()]
LISTS: list[Callable[[pa.DataType], pa.DataType]] = [pa.list_, pa.large_list]


def test_a_column_of_the_file_goes_before_one_of_its_directories() -> None:
    rows = rows_of({"day": ["file", "file"], "x": [1, 2]}, day="directory", site="A/B")
    assert rows.column("day").to_pylist() == ["file", "file"]
    assert rows.column("site").to_pylist() == [b"A/B", b"A/B"]
    with pytest.raises(KeyError):
        rows.column("y")


class NoNames:
    """A batch or a schema whose columns may be looked up, and not listed."""

    def __init__(self, content: pa.RecordBatch | pa.Schema) -> None:
        self._content = content

    def __getattr__(self, name: str) -> object:
        assert name != "names"
        value = getattr(self._content, name)
        return NoNames(value) if name == "schema" else value


def test_a_column_is_found_without_a_list_of_all() -> None:
    # With thousands of columns, a list of them for each would take minutes a batch.
    rows = rows_of({"x": [1, 2], "d": [3, 4]}, d="A", e="B")
    object.__setattr__(rows, "batch", NoNames(rows.batch))
    assert [rows.has(name) for name in "xdey"] == [True, True, False, False]
    assert rows.column("d").to_pylist() == [3, 4]
    assert rows.column("e").to_pylist() == [b"B", b"B"]
    assert RowHasher().contents(rows, ["x", "e"]) == RowHasher().contents(rows, ["x"])


def test_what_a_directory_states_is_text_bytes_or_null() -> None:
    batch = pa.record_batch({"x": [1]})
    for value, expected in (("é", "é".encode()), ("", b""), ("\udcff", b"\xff"), (None, None)):
        column = Rows(batch, np.zeros(1, np.int64), "a.parquet", {"d": value}).column("d")
        assert is_text(column.type)
        assert column.to_pylist() == [expected]


def test_where_keeps_values_numbers_path_and_directory() -> None:
    rows = rows_of({"x": [1, 2, 3]}, site="A")
    kept = rows.where(np.array([True, False, True]))
    assert len(kept) == 2
    assert kept.batch.column("x").to_pylist() == [1, 3]
    assert kept.numbers.tolist() == [100, 102]
    assert (kept.path, kept.directory) == ("a.parquet", {"site": "A"})
    assert kept.column("site").to_pylist() == [b"A", b"A"]
    assert rows.where(np.ones(3, bool)) is rows
    none = rows.where(np.zeros(3, bool))
    assert len(none) == none.batch.num_rows == 0
    assert none.column("site").to_pylist() == []


@pytest.mark.parametrize("make", [*LISTS, lambda item: pa.list_(item, 1)])
@pytest.mark.parametrize("cut", [(0, 4), (1, 2), (3, 1), (2, 0)])
def test_a_list_of_one_is_its_value(
    make: Callable[[pa.DataType], pa.DataType], cut: tuple[int, int]
) -> None:
    array = pa.array([[1.5], [None], None, [2.5]], make(pa.float64())).slice(*cut)
    values, several = rows_of({"x": array}).scalars("x")
    first, length = cut
    assert values.to_pylist() == [1.5, None, None, 2.5][first : first + length]
    assert several is None


@pytest.mark.parametrize("make", LISTS)
@pytest.mark.parametrize("first", range(7))
def test_several_values_are_null_and_told(
    make: Callable[[pa.DataType], pa.DataType], first: int
) -> None:
    lists = [["a"], [], ["b", "c"], None, [None], ["d"], [None, None], []]
    array = pa.array(lists, make(pa.string())).slice(first)
    values, several = rows_of({"x": array}).scalars("x")
    expected = ["a", None, None, None, None, "d", None, None]
    assert values.to_pylist() == expected[first:]
    told = [False, False, True, False, False, False, True, False][first:]
    assert (several.tolist() if several is not None else [False] * len(told)) == told
    assert (several is None) == (not any(told))


def test_as_many_values_as_rows_are_not_one_each() -> None:
    values, several = rows_of({"x": [[1, 2], [], [3]]}).scalars("x")
    assert values.to_pylist() == [None, None, 3]
    assert several is not None
    assert several.tolist() == [True, False, False]


def test_all_lists_are_empty() -> None:
    array = pa.array([[], None, []], pa.list_(pa.int64()))
    values, several = rows_of({"x": array}).scalars("x")
    assert values.to_pylist() == [None] * 3
    assert several is None


def test_a_plain_column_is_given_as_it_is() -> None:
    values, several = rows_of({"x": [1, None]}).scalars("x")
    assert values.to_pylist() == [1, None]
    assert several is None


@pytest.mark.parametrize(
    "type_", [*LISTS, lambda item: pa.list_(item, 2)], ids=["list", "large", "fixed"]
)
def test_lengths_and_values_of_lists(type_: Callable[[pa.DataType], pa.DataType]) -> None:
    array = pa.array([[9, 9], [1, 2], None, [3, None]], type_(pa.int32())).slice(1)
    assert is_list(array.type)
    lengths = list_lengths(array)
    assert (lengths.dtype, lengths.tolist()) == (np.int64, [2, 0, 2])
    assert flat_values(array).to_pylist() == [1, 2, 3, None]


def test_kinds_of_types() -> None:
    for type_ in [*INTEGERS, *FLOATS, pa.bool_()]:
        assert is_number(type_)
        assert not is_text(type_)
        assert not is_list(type_)
    for type_ in TEXTS:
        for coded in (type_, pa.dictionary(pa.int8(), type_)):
            assert is_text(coded)
            assert not is_number(coded)
    for type_ in (
        pa.null(),
        pa.decimal128(5, 2),
        pa.date32(),
        pa.timestamp("us"),
        pa.struct([("a", pa.int64())]),
        pa.map_(pa.string(), pa.int64()),
        pa.binary(3),
    ):
        assert not is_number(type_)
        assert not is_text(type_)
        assert not is_list(type_)


@pytest.mark.parametrize("type_", [*INTEGERS, *FLOATS], ids=str)
@pytest.mark.parametrize("hole", [False, True])
def test_numbers_of_every_type(type_: pa.DataType, hole: bool) -> None:
    array = pa.array([7, None if hole else 2, 0, 100], pa.float64()).cast(type_).slice(1)
    values, null = numbers(array)
    assert values.dtype == np.float64
    assert np.array_equal(values, [math.nan if hole else 2, 0, 100], equal_nan=True)
    assert (null.tolist() if null is not None else None) == ([True, False, False] if hole else None)


@pytest.mark.parametrize("type_", FLOATS, ids=str)
def test_nan_is_not_null(type_: pa.DataType) -> None:
    values, null = numbers(pa.array([math.nan, None, math.inf, 0.1], pa.float64()).cast(type_))
    assert null is not None
    assert null.tolist() == [False, True, False, False]
    assert np.isnan(values[:2]).all()
    assert values[2] == math.inf
    assert values[3] == {16: np.float16, 32: np.float32, 64: np.float64}[type_.bit_width](0.1)


def test_extremes_of_integers() -> None:
    assert numbers(pa.array([2**64 - 1], pa.uint64()))[0].tolist() == [2.0**64]
    assert numbers(pa.array([-(2**63), None], pa.int64()))[0][0] == -(2.0**63)


def test_booleans_and_nothing_as_numbers() -> None:
    values, null = numbers(pa.array([True, None, False]))
    assert values.tolist()[::2] == [1.0, 0.0]
    assert null is not None
    assert null.tolist() == [False, True, False]
    values, null = numbers(pa.nulls(2))
    assert np.isnan(values).all()
    assert null is not None
    assert null.all()
    assert numbers(pa.nulls(0))[0].shape == (0,)


@pytest.mark.parametrize("type_", TEXTS, ids=str)
@pytest.mark.parametrize("coded", [False, True])
def test_words_of_every_type(type_: pa.DataType, coded: bool) -> None:
    texts = ["?", "yes", None, "no", "Yes", "größe", ""]
    array = pa.array([None if t is None else t.encode() for t in texts], pa.binary()).cast(type_)
    array = (array.dictionary_encode() if coded else array).slice(1)
    position, null, unknown = words(array, ("no", "yes", "größe"))
    assert np.array_equal(position, [1, math.nan, 0, math.nan, 2, math.nan], equal_nan=True)
    assert null is not None
    assert null.tolist() == [False, True, False, False, False, False]
    assert unknown is not None
    assert unknown.tolist() == [False, False, False, True, False, True]


def test_words_that_are_all_known() -> None:
    position, null, unknown = words(pa.array(["b", "a", "b"]), ("a", "b"))
    assert (position.tolist(), null, unknown) == ([1, 0, 1], None, None)


def test_no_words() -> None:
    for array in (pa.array([], pa.string()), pa.array([], pa.string()).dictionary_encode()):
        position, null, unknown = words(array, ("a", "b"))
        assert (len(position), null, unknown) == (0, None, None)
    position, null, unknown = words(pa.nulls(2), ("a", "b"))
    assert null is not None
    assert (null.tolist(), unknown) == ([True, True], None)


@pytest.mark.parametrize("index", [pa.int8(), pa.uint8(), pa.int64(), pa.uint64()], ids=str)
def test_words_of_a_dictionary_with_unused_and_repeated_values(index: pa.DataType) -> None:
    codes = pa.array([2, 0, None, 1], index)
    array = pa.DictionaryArray.from_arrays(codes, pa.array(["a", "b", "a", "unused"]))
    position, null, unknown = words(array, ("a", "b"))
    assert np.array_equal(position, [0, 0, math.nan, 1], equal_nan=True)
    assert null is not None
    assert null.tolist() == [False, False, True, False]
    assert unknown is None


def test_a_null_among_the_values_of_a_dictionary_is_null() -> None:
    codes = pa.array([0, 1, 0])
    array = pa.DictionaryArray.from_arrays(codes, pa.array(["a", None]))
    _, null, unknown = words(array, ("a", "b"))
    assert null is not None
    assert null.tolist() == [False, True, False]
    assert unknown is None


def test_as_many_words_as_the_index_can_count() -> None:
    codes = pa.array([0, None, 127], pa.int8())
    array = pa.DictionaryArray.from_arrays(codes, pa.array([f"w{i}" for i in range(128)]))
    position, null, _ = words(array, ("w0", "w127"))
    assert np.array_equal(position, [0, math.nan, 1], equal_nan=True)
    assert null is not None
    assert null.tolist() == [False, True, False]


@pytest.mark.parametrize("coded", [False, True])
@pytest.mark.parametrize("type_", [pa.binary(), pa.string()], ids=str)
def test_words_that_are_not_utf8_are_unknown(type_: pa.DataType, coded: bool) -> None:
    # Parquet does not check that a string column holds UTF-8.
    array = pa.array([b"a", b"\xff"]).view(type_)
    _, null, unknown = words(array.dictionary_encode() if coded else array, ("a", "b"))
    assert null is None
    assert unknown is not None
    assert unknown.tolist() == [False, True]
