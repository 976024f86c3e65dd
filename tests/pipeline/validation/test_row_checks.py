"""Rows against a schema: every mask is what a loop over the rows finds."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors.faults import ColumnError
from pipeline.validation.reasons import SCHEMA_REASONS
from pipeline.validation.row_checks import RowCheck, row_checks
from pipeline.validation.schema import parse_schema
from tests.pipeline.tables import law


def checks_of(settings: str, environment: str | None = None) -> list[RowCheck]:
    text = f"feature {{ name: 'a' {settings} }}"
    return row_checks(parse_schema(text), environment, {"a": pa.int64(), "b": pa.int64()})


def masks_of(settings: str, array: pa.Array) -> dict[str, list[bool]]:
    """The masks by reason."""
    masks = {}
    for check in checks_of(settings):
        assert check.column == "a"
        mask = check.mask(array)
        assert mask.dtype == bool
        assert mask.shape == (len(array),)
        masks[check.reason] = mask.tolist()
    return masks


def by_row(rows: list[Any], is_bad: Callable[[Any], bool]) -> list[bool]:
    """The rows of which a value is bad, one after another; null is not."""
    out = []
    for row in rows:
        values = row if isinstance(row, list) else [row]
        out.append(any(is_bad(value) for value in values if value is not None))
    return out


def columns(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """Rows of single values, or of lists, with nulls."""
    cells = st.none() | values
    return st.lists(cells, max_size=12) | st.lists(st.none() | st.lists(cells, max_size=4))


def narrow(value: float | None) -> float | None:
    return None if value is None else float(np.float32(value))


def as_array(rows: list[Any], type_: pa.DataType, *, coded: bool = False) -> pa.Array:
    lists = any(isinstance(row, list) for row in rows)
    array = pa.array(rows, pa.list_(type_) if lists else type_)
    if coded and not lists:
        array = array.dictionary_encode()
    # A slice has an offset, which a mask must heed.
    return pa.concat_arrays([array[:1], array])[min(1, len(array)) :]


@law
@given(columns(st.integers(-(2**63), 2**63 - 1) | st.integers(-9, 9)), st.booleans())
def test_integers_against_their_domain(rows: list[Any], coded: bool) -> None:
    masks = masks_of(
        "type: INT int_domain { min: -3 max: 9007199254740993 }", as_array(rows, pa.int64())
    )
    assert masks == {
        "below_domain": by_row(rows, lambda value: value < -3),
        "above_domain": by_row(rows, lambda value: value > 9007199254740993),
    }


def test_integers_of_any_width_against_limits_beyond_it() -> None:
    settings = "type: INT int_domain { min: -1 max: 9223372036854775807 }"
    big = pa.array([0, 2**63, None, 2**63 - 1], pa.uint64())
    assert masks_of(settings, big)["above_domain"] == [False, True, False, False]
    assert masks_of(settings, big)["below_domain"] == [False] * 4
    small = pa.array([-2, 127], pa.int8())
    assert masks_of(settings, small)["below_domain"] == [True, False]
    assert masks_of(settings, small)["above_domain"] == [False, False]


@law
@given(
    columns(st.floats() | st.sampled_from([0.1, 0.9])),
    st.sampled_from([pa.float64(), pa.float32()]),
)
def test_floats_against_their_domain(rows: list[Any], type_: pa.DataType) -> None:
    if type_ == pa.float32():
        with np.errstate(over="ignore"):
            rows = [[*map(narrow, r)] if isinstance(r, list) else narrow(r) for r in rows]
    low, high = (float(np.float32(x)) if type_ == pa.float32() else x for x in (0.1, 0.9))
    settings = "float_domain { min: 0.1 max: 0.9 disallow_nan: true disallow_inf: true }"
    assert masks_of(f"type: FLOAT {settings}", as_array(rows, type_)) == {
        "not_finite": by_row(rows, lambda value: not math.isfinite(value)),
        "below_domain": by_row(rows, lambda value: value < low),
        "above_domain": by_row(rows, lambda value: value > high),
    }


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("disallow_nan: true", [True, False, False]),
        ("disallow_inf: true", [False, True, False]),
    ],
)
def test_nan_and_infinity_are_refused_apart(settings: str, expected: list[bool]) -> None:
    masks = masks_of(
        f"type: FLOAT float_domain {{ {settings} }}", pa.array([math.nan, math.inf, 1.0])
    )
    assert masks == {"not_finite": expected}


def test_a_limit_beyond_half_floats_holds_for_them() -> None:
    halves = pa.array(np.array([1, 60000], np.float16))
    assert masks_of("type: FLOAT float_domain { max: 100000 }", halves) == {
        "above_domain": [False] * 2
    }


@law
@given(columns(st.sampled_from(["S", "M", "L", "xl", ""])), st.booleans())
def test_words_against_their_domain(rows: list[Any], coded: bool) -> None:
    array = as_array(rows, pa.string(), coded=coded)
    expected = {"not_in_domain": by_row(rows, lambda word: word not in "SML" or not word)}
    domain = "string_domain { value: 'S' value: 'M' value: 'L' }"
    assert masks_of(f"type: BYTES {domain}", array) == expected
    named = "string_domain { name: 'sizes' value: 'S' value: 'M' value: 'L' }"
    schema = parse_schema(f"{named} feature {{ name: 'a' domain: 'sizes' }}")
    (check,) = row_checks(schema, None, ["a"])
    assert check.mask(array).tolist() == expected["not_in_domain"]
    raw = [
        r and ([v and v.encode() for v in r] if isinstance(r, list) else r.encode()) for r in rows
    ]
    assert check.mask(as_array(raw, pa.binary())).tolist() == expected["not_in_domain"]


def test_words_that_are_not_utf8_are_in_no_domain() -> None:
    masks = masks_of("string_domain { value: 'S' }", pa.array([b"S", b"\xff", None], pa.binary()))
    assert masks == {"not_in_domain": [False, True, False]}


@pytest.mark.parametrize(
    "settings",
    [
        "string_domain { value: 'S' } distribution_constraints { min_domain_mass: 0.9 }",
        "string_domain {}",
        "type: BYTES",
        "presence { min_fraction: 0.5 }",
        "value_count {}",
        "shape { dim { name: 'any' } }",
        "value_counts { value_count { min: 1 } value_count { min: 2 } }",
    ],
)
def test_what_no_single_row_can_break_is_not_checked(settings: str) -> None:
    assert checks_of(settings) == []


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([0, 1, 2, -1, None]), [False, False, True, True, False]),
        (pa.array([0.0, 1.0, 0.5, math.nan]), [False, False, True, True]),
        (pa.array([True, False, None]), [False, False, False]),
        (pa.array(["yes", "no", "1"]), [False, False, True]),
        (pa.array([[0, 1], [2], [], None]), [False, True, False, False]),
    ],
)
def test_booleans(array: pa.Array, expected: list[bool]) -> None:
    settings = "bool_domain { true_value: 'yes' false_value: 'no' }"
    assert masks_of(settings, array) == {"not_in_domain": expected}


def test_text_of_numbers() -> None:
    words = pa.array(["7", "-1", "12", "x", "1_0", "", None, "+3", "99999999999999999999"])
    assert masks_of("type: BYTES int_domain { min: 0 max: 10 }", words) == {
        "below_domain": [False, True] + [False] * 7,
        "above_domain": [False, False, True, *[False] * 5, True],
        "not_in_domain": [False] * 3 + [True] * 3 + [False] * 3,
    }
    endless = masks_of("type: BYTES int_domain { max: 10 }", pa.array(["9" * 5000]))
    assert endless == {"above_domain": [False], "not_in_domain": [True]}
    words = pa.array(["nan", "inf", "-0.5", "1e-3", "one", "1_0"])
    settings = "type: BYTES float_domain { min: 0 disallow_nan: true }"
    assert masks_of(settings, words) == {
        "not_finite": [True] + [False] * 5,
        "below_domain": [False, False, True, False, False, False],
        "not_in_domain": [False] * 4 + [True, True],
    }


@law
@given(st.lists(st.none() | st.lists(st.none() | st.integers(0, 5), max_size=4)))
def test_presence_and_lengths(rows: list[Any]) -> None:
    array = as_array(rows, pa.int64()) if rows else pa.array([], pa.list_(pa.int64()))
    settings = "presence { min_fraction: 1 } value_count { min: 1 max: 2 }"
    assert masks_of(settings, array) == {
        "null": [row is None for row in rows],
        "wrong_length": [row is not None and not 1 <= len(row) <= 2 for row in rows],
    }
    shaped = masks_of("shape { dim { size: 3 } dim { size: 1 } }", array)
    assert shaped == {"wrong_length": [row is not None and len(row) != 3 for row in rows]}
    nested = masks_of("value_counts { value_count { min: 2 } }", array)
    assert nested == {"wrong_length": [row is not None and len(row) < 2 for row in rows]}


@pytest.mark.parametrize(
    ("array", "null"),
    [
        (pa.array([1, None]), [False, True]),
        (pa.array(["x", None]).dictionary_encode(), [False, True]),
        (
            pa.DictionaryArray.from_arrays(pa.array([0, 1, None]), pa.array(["x", None])),
            [False, True, True],
        ),
        (pa.nulls(2), [True, True]),
        (pa.array([[1, 2], None], pa.list_(pa.int64(), 2)), [False, True]),
    ],
)
def test_null_in_columns_of_any_layout(array: pa.Array, null: list[bool]) -> None:
    assert masks_of("presence { min_fraction: 1 }", array)["null"] == null
    length = 2 if pa.types.is_fixed_size_list(array.type) else 1
    masks = masks_of(f"shape {{ dim {{ size: {length} }} }} int_domain {{ min: 0 }}", array[:0])
    assert masks == {"wrong_length": [], "below_domain": []}
    wrong = masks_of(f"shape {{ dim {{ size: {length + 1} }} }}", array)["wrong_length"]
    assert wrong == [not is_null for is_null in null]


def test_values_of_fixed_size_lists_are_in_their_rows() -> None:
    array = pa.array([[1, 2], None, [3, None], [9, 1]], pa.list_(pa.int64(), 2))
    assert masks_of("int_domain { max: 2 }", array) == {"above_domain": [False, False, True, True]}
    assert masks_of("int_domain { max: 2 }", array[1:]) == {"above_domain": [False, True, True]}


def test_a_column_without_values_breaks_no_domain() -> None:
    for array in (pa.nulls(3), pa.array([[], None, [None]], pa.list_(pa.null()))):
        assert masks_of("string_domain { value: 'a' }", array) == {"not_in_domain": [False] * 3}


def test_a_domain_of_neither_numbers_nor_text_names_the_column() -> None:
    (check,) = checks_of("int_domain { min: 0 }")
    with pytest.raises(ColumnError, match="'a' holds date32"):
        check.mask(pa.array([0], pa.date32()))


def test_only_columns_that_are_read_and_features_that_count_are_checked() -> None:
    schema = parse_schema("""
        default_environment: "TRAINING" default_environment: "SERVING"
        feature { name: "b" presence { min_fraction: 1 } int_domain { min: 0 } }
        feature { name: "a" int_domain { max: 0 } not_in_environment: "SERVING" }
        feature { name: "c" int_domain { max: 0 } lifecycle_stage: DEBUG_ONLY }
        feature { name: "d" int_domain { max: 0 } }
    """)

    def listed(environment: str | None) -> list[tuple[str, str]]:
        checks = row_checks(schema, environment, ["a", "b", "c"])
        return [(check.column, check.reason) for check in checks]

    checks_of_b = [("b", "null"), ("b", "below_domain")]
    assert listed(None) == listed("TRAINING") == [*checks_of_b, ("a", "above_domain")]
    assert listed("SERVING") == checks_of_b


def test_checks_travel_and_their_reasons_have_texts() -> None:
    checks = checks_of(
        "type: BYTES presence { min_fraction: 1 } value_count { min: 1 }"
        " float_domain { min: 0 max: 1 disallow_nan: true }"
    )
    assert pickle.loads(pickle.dumps(checks)) == checks
    reasons = [check.reason for check in checks]
    assert reasons == list(SCHEMA_REASONS)
