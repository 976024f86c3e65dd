"""A slice is found by what a report calls it, and by its values."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heads.statistics import Key
from pipeline.slicing.conditions import (
    MISSING,
    OTHER,
    ColumnCondition,
    bucket_conditions,
    value_condition,
)
from pipeline.slicing.named import named_keys
from pipeline.slicing.names import slice_data, slice_name
from tests.pipeline.tables import law

numbers = st.floats() | st.integers(-(2**70), 2**70)
edges = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, unique=True)
conditions: st.SearchStrategy[ColumnCondition] = (
    (st.none() | st.booleans() | numbers | st.text() | st.binary(min_size=1)).map(value_condition)
    | st.dates(datetime.date(1, 1, 1)).map(lambda day: ("date", day.isoformat()))
    | edges.map(lambda found: bucket_conditions(sorted(found))[-1])
    | st.just((OTHER, None))
)


@law
@given(st.dictionaries(st.text(min_size=1), conditions, min_size=1, max_size=8))
def test_a_slice_is_found_by_what_a_report_calls_it(by_column: dict[str, ColumnCondition]) -> None:
    key: Key = tuple((column, *condition) for column, condition in sorted(by_column.items()))
    asked = {}
    for column, (kind, value) in by_column.items():
        # Whole numbers and booleans are no texts, in a gate as in Python.
        name = slice_name(slice_data(((column, kind, value),))).removeprefix(f"{column}=")
        asked[column] = value if kind in ("int", "bool") else name
    found = list(named_keys(asked))
    assert key in found
    assert len(found) <= 3**8


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (None, [MISSING]),
        (1, [("int", 1), ("float", "1.0")]),
        (1.0, [("float", "1.0"), ("int", 1)]),
        (True, [("bool", True)]),
        ("DE", [("string", "DE")]),
        ("nan", [("string", "nan"), ("float", "nan")]),
        ("2026-01-31", [("string", "2026-01-31"), ("date", "2026-01-31")]),
        ("[18, 30)", [("string", "[18, 30)"), ("bucket", "[18, 30)")]),
        ("(missing)", [("string", "(missing)"), MISSING]),
    ],
)
def test_the_most_literal_slice_comes_first(
    value: str | int | float | None, named: list[ColumnCondition]
) -> None:
    assert list(named_keys({"c": value})) == [(("c", *condition),) for condition in named]
