"""What makes a slice: values of every type, buckets, listed values, lists."""

from __future__ import annotations

import datetime
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from heads.statistics import Key
from heads.statistics.keys import parse_key
from pipeline.config.slices import SliceColumn
from pipeline.errors.faults import ColumnError
from pipeline.readers.rows import Rows
from pipeline.slicing.codes import check_slice_type
from pipeline.slicing.conditions import key_order
from pipeline.slicing.counting import SliceCounter
from pipeline.slicing.slicer import Slicer
from pipeline.slicing.table import fixed_table
from tests.pipeline.slicing.by_row import VALUES, count, rows_of, specs_of, table_of


def counts_of(text: str, *files: dict[str, Any] | Rows, max_distinct: int = 99) -> Counter[Key]:
    """The rows of the slices of one spec."""
    rows = [file if isinstance(file, Rows) else rows_of(file) for file in files]
    counts: Counter[Key] = Counter()
    for part in count(specs_of(text), rows, max_distinct).counts().values():
        counts.update({parse_key(text): n for text, n in part.counts.items()})
    return counts


def values_of(text: str, *files: dict[str, Any] | Rows) -> dict[Any, int]:
    """The rows by value of a spec of one column."""
    return {key[0][2]: n for key, n in counts_of(text, *files).items()}


def test_every_kind_of_value_has_a_key_of_its_own() -> None:
    counts = counts_of("[c]", *({"c": pa.array(values, type_)} for type_, values in VALUES.items()))
    kinds = Counter(key[0][1] for key in counts)
    expected = {"missing": 1, "int": 11, "float": 9, "bool": 2, "string": 9, "bytes": 1, "date": 2}
    assert kinds == expected
    assert counts[(("c", "missing", None),)] == len(VALUES)
    # A slice of the same words, whether they came as strings or as bytes; never of other types.
    assert counts[(("c", "string", "é"),)] == 1
    assert counts[(("c", "string", "a"),)] == 4
    assert counts[(("c", "float", "nan"),)] == 2
    assert counts[(("c", "int", 18),)] == 3
    assert counts[(("c", "int", 2**63),)] == counts[(("c", "int", -(2**63)),)] == 1


def test_nan_of_any_bits_is_one_slice() -> None:
    bits = np.array([0x7FF8000000000000, 0xFFF8000000000001, 0x7FF0000000000001], np.uint64)
    assert values_of("[c]", {"c": pa.array(bits.view(np.float64))}) == {"nan": 3}
    edges = "[{column: c, edges: [0]}]"
    assert values_of(edges, {"c": pa.array(bits.view(np.float64))}) == {"nan": 3}


@pytest.mark.parametrize("coded", [False, True])
def test_strings_that_are_not_utf8_are_bytes(coded: bool) -> None:
    # Parquet does not check that a string column holds UTF-8.
    array = pa.array([b"\xff", b"a"]).view(pa.string())
    counts = counts_of("[c]", {"c": array.dictionary_encode() if coded else array})
    assert counts == {(("c", "bytes", "ff"),): 1, (("c", "string", "a"),): 1}


def test_float16_is_a_float() -> None:
    file = {"c": pa.array([1.0, 0.5, None], pa.float32()).cast(pa.float16())}
    assert values_of("[c]", file) == {"1.0": 1, "0.5": 1, None: 1}
    counts = values_of("[{column: c, edges: [0.7, 1e9]}]", file)
    assert counts == {"[0.7, 1000000000.0)": 1, "(-inf, 0.7)": 1, None: 1}


def test_dates_beyond_the_calendar_are_dates_too() -> None:
    # Parquet counts days in 32 bits; Python's calendar has the years 1 to 9999.
    days = pa.array([2**31 - 1, -(2**31), 0, None], pa.int32()).cast(pa.date32())
    counts = counts_of("[c]", {"c": days})
    assert counts[(("c", "date", "1970-01-01"),)] == 1
    assert len(counts) == 4
    late = pa.array([datetime.date(2026, 11, 1), None], pa.date64())
    assert values_of("[c]", {"c": late}) == {"2026-11-01": 1, None: 1}


@pytest.mark.parametrize(("index", "values"), [(pa.int8(), 128), (pa.uint8(), 256)], ids=str)
def test_a_null_beside_as_many_values_as_the_index_can_count(
    index: pa.DataType, values: int
) -> None:
    codes = pa.array([0, None, values - 1], index)
    array = pa.DictionaryArray.from_arrays(codes, pa.array(range(values)))
    assert values_of("[c]", {"c": array}) == {0: 1, values - 1: 1, None: 1}


def test_values_of_a_dictionary_that_no_row_has_do_not_count() -> None:
    words = pa.array([f"v{i}" for i in range(1000)])
    array = pa.DictionaryArray.from_arrays(pa.array([3, 3, 7]), words)
    assert counts_of("[c]", {"c": array}, max_distinct=2) == {
        (("c", "string", "v3"),): 2,
        (("c", "string", "v7"),): 1,
    }


def test_a_column_of_the_directories() -> None:
    rows = Rows(pa.record_batch({"x": [1, 2]}), np.arange(2), "site=A/a", {"site": "A"})
    assert values_of("[site]", rows) == {"A": 2}
    assert values_of("[{column: site, values: [B]}]", rows) == {}


def test_buckets_hold_their_lower_edge_and_the_infinities() -> None:
    values = [-np.inf, 17.999, 18.0, 29.0, 30.5, np.inf, np.nan, None]
    counts = values_of("[{column: c, edges: [18, 30.5]}]", {"c": pa.array(values)})
    assert counts == {"(-inf, 18)": 2, "[18, 30.5)": 2, "[30.5, inf)": 2, "nan": 1, None: 1}


def test_whole_numbers_are_held_against_edges_exactly() -> None:
    file = {"c": pa.array([2**53, 2**53 + 1, -(2**63)])}
    counts = values_of(f"[{{column: c, edges: [-1.0e+300, {2**53 + 1}, 1.0e+300]}}]", file)
    assert counts == {f"[-1e+300, {2**53 + 1})": 2, f"[{2**53 + 1}, 1e+300)": 1}


def test_an_edge_is_what_a_column_of_float32_has_for_it() -> None:
    tenths = pa.array([0.7, -3e38, -np.inf], pa.float32())
    counts = values_of("[{column: c, edges: [-1.0e+300, 0.7]}]", {"c": tenths})
    assert counts == {"[0.7, inf)": 1, "[-1e+300, 0.7)": 1, "(-inf, -1e+300)": 1}


def test_listed_values_are_named_as_they_are_listed() -> None:
    text = "[{column: c, values: [1, 0.1, null]}]"
    halves = {"c": pa.array([1.0, 0.1, None, 2.0], pa.float32())}
    assert values_of(text, halves, {"c": pa.array([1, 2])}) == {1: 2, "0.1": 1, None: 1}
    assert values_of("[{column: c, values: ['1', x]}]", {"c": pa.array([b"1", b"y"])}) == {"1": 1}


@pytest.mark.parametrize("type_", [pa.int8(), pa.int64(), pa.uint64(), pa.float32(), pa.float64()])
def test_a_listed_value_that_a_column_cannot_hold_is_never_met(type_: pa.DataType) -> None:
    text = "[{column: c, values: [1, 1.0e+300, -1.0e+300, 1.5, 18446744073709551615, -7]}]"
    cells = pa.array([1, 2, None, 7], type_)
    for array in (cells, cells.dictionary_encode(), pa.array([[1, 2], [2], []], pa.list_(type_))):
        assert values_of(text, {"c": array}) == {1: 1}
    assert values_of(text.replace("[1, 1.0", "[1.0"), {"c": cells}) == {}


@pytest.mark.parametrize(
    ("cell", "value"),
    [(2**63 - 1, 2**63 - 1), (2**63, 2**63), (2**64 - 1, 2**64 - 1), (2**53 + 1, 2**53 + 1)],
)
def test_the_largest_whole_numbers_are_told_apart(cell: int, value: int) -> None:
    cells = pa.array([cell - 1, cell], pa.uint64())
    assert values_of(f"[{{column: c, values: [{value}]}}]", {"c": cells}) == {value: 1}


def test_two_listed_values_that_a_column_cannot_tell_apart() -> None:
    text = "[{column: c, values: [0.1, 0.10000000149011612]}]"
    with pytest.raises(ColumnError, match=r"^the values 0.1 and 0.10000000149011612 are the same"):
        counts_of(text, {"c": pa.array([1.0], pa.float32())})
    assert values_of(text, {"c": pa.array([0.1, 1.0])}) == {"0.1": 1}


def test_a_row_counts_once_in_each_of_its_values() -> None:
    lists = [["a", "b", "a"], ["b"], [], None, [None, "a", None]]
    counts = values_of("[c]", {"c": pa.array(lists)})
    assert counts == {"a": 2, "b": 2, None: 3}
    ages = {"c": pa.array([[17, 3, 40], [18, 40, None]])}
    counts = values_of("[{column: c, edges: [18]}]", ages)
    assert counts == {"(-inf, 18)": 1, "[18, inf)": 2, None: 1}
    assert values_of("[{column: c, values: [17, 40]}]", ages) == {17: 1, 40: 2}


def test_rows_that_a_listed_value_leaves_out_do_not_count_for_other_columns() -> None:
    spec = "[{columns: [{column: a, values: [x]}, b]}]"
    file = {"a": ["x", *"y" * 50], "b": pa.array(range(51))}
    assert sum(counts_of(spec, file, max_distinct=1).values()) == 1
    lists = {"a": [["x", "y"], *[["y", "z"]] * 50], "b": pa.array(range(51))}
    assert sum(counts_of(spec, lists, max_distinct=1).values()) == 1


def test_too_many_combinations_in_a_row() -> None:
    spec = "[{columns: [a, b, c]}]"
    lists = {"a": [[0], list(range(32))], "b": [[0], list(range(32))], "c": ["x", "x"]}
    rows = rows_of(lists, 40)
    message = (
        r"^row 41 has 1,024 combinations of values of 'a' and 'b' and 'c', and a row may be in at"
        r" most 1,000 slices of one entry of 'slices'; list the 'values' to slice by, or"
    )
    with pytest.raises(ColumnError, match=message):
        SliceCounter(specs_of(spec), 99).add(rows)
    fixed = specs_of("[{columns: [{column: a, edges: [16]}, {column: b, values: [1, 2]}]}]")
    table = fixed_table(fixed, 200)
    assert table is not None
    first = Slicer(fixed, table).segments(rows)
    assert [len(pass_.segments) for pass_ in first] == [2, 4]
    wide = rows_of({"a": [list(range(10**5))] * 2, "b": [list(range(10**5))] * 2, "c": ["x"] * 2})
    with pytest.raises(ColumnError, match=r"^row 0 has 10,000,000,000 combinations"):
        SliceCounter(specs_of(spec), 99).add(wide)
    most = rows_of({"a": [list(range(25))], "b": [list(range(40))], "c": ["x"]})
    assert len(table_of(specs_of(spec), [most]).specs[0].keys) == 1000


REFUSED = [
    pa.timestamp("us"),
    pa.duration("s"),
    pa.struct([("a", pa.int64())]),
    pa.list_(pa.list_(pa.int64())),
]


@pytest.mark.parametrize("type_", REFUSED, ids=str)
def test_other_types_are_refused(type_: pa.DataType) -> None:
    message = r"^column 'c' is .*, and rows are sliced by text, numbers, booleans or dates$"
    for refused in (type_, pa.list_(type_)):
        with pytest.raises(ColumnError, match=message):
            check_slice_type(SliceColumn(column="c"), refused)
    with pytest.raises(ColumnError, match=message):
        counts_of("[c]", {"c": pa.nulls(1, type_)})


@pytest.mark.parametrize(
    ("part", "type_", "message"),
    [
        ({"edges": [1]}, pa.string(), "column 'c' is string, and 'edges' are for numbers; slice"),
        ({"edges": [1]}, pa.bool_(), "column 'c' is bool, and 'edges' are for numbers; slice"),
        ({"values": [1, 2]}, pa.string(), "column 'c' is string, and 'slices' lists 1, 2 for it"),
        ({"values": ["1"]}, pa.int8(), "column 'c' is int8, and 'slices' lists '1' for it; write"),
        ({"values": [True]}, pa.int8(), "column 'c' is int8, and 'slices' lists True for it"),
        ({"values": [1]}, pa.bool_(), "column 'c' is bool, and 'slices' lists 1 for it"),
        ({"values": ["2026-11-01"]}, pa.date32(), "column 'c' is date32[day], and 'slices' lists"),
    ],
)
def test_what_a_column_cannot_have_is_a_mistake(part: Any, type_: Any, message: str) -> None:
    column = SliceColumn.model_validate({"column": "c", **part})
    coded = [] if pa.types.is_date(type_) else [pa.dictionary(pa.int8(), type_)]
    for column_type in (type_, pa.list_(type_), *coded):
        with pytest.raises(ColumnError) as caught:
            check_slice_type(column, column_type)
        assert str(caught.value).startswith(message)
    for column_type in (pa.null(), pa.list_(pa.null())):
        check_slice_type(column, column_type)


@pytest.mark.parametrize("values", [[1, "a"], [None], ["a", None], [1e300]])
def test_what_one_of_the_values_can_be_in_is_no_mistake(values: list[Any]) -> None:
    type_ = pa.float32() if 1e300 in values else pa.string()
    check_slice_type(SliceColumn(column="c", values=tuple(values)), type_)


def test_slices_are_in_the_order_of_numbers_and_buckets() -> None:
    keys = [
        *(("c", "bucket", text) for text in ("(-inf, -2)", "[-2, 5)", "[5, 18)", "[18, inf)")),
        *(("c", "float", text) for text in ("-inf", "9.0", "10.0", "nan")),
        *(("c", "int", number) for number in (-1, 9, 10)),
        ("c", "missing", None),
        *(("c", "string", text) for text in ("10", "9")),
    ]
    backwards = keys[::-1]
    assert sorted(backwards, key=lambda condition: key_order((condition,))) == keys
