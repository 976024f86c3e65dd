"""Slices against a count row by row, and one cross of all columns against a cross for each."""

from __future__ import annotations

import datetime
import math
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heads.statistics import OVERALL, Condition, Key, same
from pipeline import evaluate as evaluation
from pipeline import slicing
from pipeline.evaluate import Evaluator, evaluate
from pipeline.report.model import report_bytes
from pipeline.slicing import Slicer
from tests.pipeline.tables import law, plan_of, slices_of

Batch = dict[str, pa.Array]


def count(slicer: Slicer, batches: list[Batch]) -> tuple[Counter[Key], int]:
    """The rows of every slice, rolled up from the crosses; and how often they were taken apart."""
    rows: Counter[Key] = Counter()
    apart = 0
    running: list[tuple[Key, int]] = []

    def put_away() -> None:
        for key, cross in running:
            rows.update(slicer.slices_of(key, cross))
        running.clear()

    for batch in batches:
        n = len(next(iter(batch.values()), []))
        segments = slicer.segments(batch.__getitem__, n)
        if segments is None:
            put_away()
            apart += 1
            segments = slicer.segments(batch.__getitem__, n)
        assert segments is not None
        for cross, one in enumerate(segments):
            assert one.index.dtype == np.int64
            assert len(one.index) == n
            assert len(set(one.keys)) == len(one.keys)
            running += [(one.keys[i], cross) for i in one.index.tolist()]
    put_away()
    return rows, apart


def expected(batches: list[Batch]) -> Counter[Key]:
    rows: Counter[Key] = Counter()
    for batch in batches:
        for row in zip(*(column.to_pylist() for column in batch.values()), strict=True):
            rows[OVERALL] += 1
            rows.update((condition(c, v),) for c, v in zip(batch, row, strict=True))
    return rows


def condition(column: str, value: Any) -> Condition:
    """Without a word of the implementation: the documented form of one value."""
    match value:
        case None:
            return column, "missing", None
        case bool():
            return column, "bool", value
        case int():
            return column, "int", value
        case float():
            return column, "float", repr(value + 0.0)
        case str():
            return column, "string", value
    text = value.decode("utf-8", "ignore")
    is_text = text.encode() == value
    return column, "string" if is_text else "bytes", text if is_text else value.hex()


def hidden(array: pa.Array) -> pa.Array:
    """The array as a part of a longer one."""
    return pa.concat_arrays([array, array, array]).slice(len(array), len(array))


VALUES: dict[pa.DataType, list[Any]] = {
    pa.int8(): [-128, 0, 1, None],
    pa.int64(): [-(2**63), 2**63 - 1, 2**53 + 1, 2**53, None],
    pa.uint64(): [2**64 - 1, 0, None],
    pa.float32(): [0.1, 1.0, math.nan, None],
    pa.float64(): [math.nan, math.inf, -math.inf, 0.0, -0.0, 0.1, 1.0, 5e-324, None],
    pa.bool_(): [True, False, None],
    pa.string(): ["", "missing", "nan", "1", "é\n", "\u2028", None],
    pa.large_string(): ["a", "A", None],
    pa.binary(): [b"", b"\xff", b"a", "é".encode(), b"\xc3", None],
    pa.large_binary(): [b"\x00", None],
    pa.null(): [None],
}


def a_column(draw: st.DrawFn, n: int, type_: pa.DataType) -> pa.Array:
    values = draw(st.lists(st.sampled_from(VALUES[type_]), min_size=n, max_size=n))
    array = pa.array(values, type_)
    match draw(st.sampled_from(["plain", "hidden", "coded", "odd"])):
        case "hidden":
            return hidden(array)
        case "coded" if not pa.types.is_null(type_):
            return hidden(array.dictionary_encode())
        case "odd" if not pa.types.is_null(type_):
            # Unused, repeated and null values in the dictionary, and nulls in the codes.
            words = [*VALUES[type_], *VALUES[type_]]
            code = st.integers(0, len(words) - 1) | st.none()
            codes = draw(st.lists(code, min_size=n, max_size=n))
            return pa.DictionaryArray.from_arrays(
                pa.array(codes, pa.int8()), pa.array(words, type_)
            )
    return array


@st.composite
def some_batches(draw: st.DrawFn) -> list[Batch]:
    """Batches of a few columns; a column may be of another type in every file."""
    names = [f"c{i}" for i in range(draw(st.integers(1, 3)))]
    types = {
        name: draw(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=2))
        for name in names
    }
    batches = []
    for _ in range(draw(st.integers(1, 4))):
        n = draw(st.integers(0, 6))
        batches.append({c: a_column(draw, n, draw(st.sampled_from(types[c]))) for c in names})
    return batches


@law
@given(some_batches())
def test_rows_of_every_slice(batches: list[Batch]) -> None:
    found, apart = count(Slicer(list(batches[0])), batches)
    assert found == expected(batches)
    assert apart == 0


@law
@given(some_batches(), st.integers(0, 8), st.sampled_from([1, 4, 1 << 40]))
def test_rows_of_every_slice_however_narrow(
    batches: list[Batch], max_cross: int, max_mixed: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slicing, "MAX_CROSS", max_cross)
        patch.setattr(slicing, "MAX_MIXED", max_mixed)
        found, apart = count(Slicer(list(batches[0])), batches)
    assert found == expected(batches)
    assert apart <= 1


def test_every_kind_of_value_has_a_key_of_its_own() -> None:
    batches = [{"c": pa.array(values, type_)} for type_, values in VALUES.items()]
    found, _ = count(Slicer(["c"]), batches)
    kinds = Counter(key[0][1] for key in found if key)
    assert kinds == {"missing": 1, "int": 8, "float": 8, "bool": 2, "string": 10, "bytes": 2}
    assert found[(("c", "missing", None),)] == len(VALUES)
    assert found[(("c", "string", "é"),)] == 1
    assert found[(("c", "float", "nan"),)] == 2
    # A slice of the same words, whether they came as strings or as bytes; never of other types.
    assert found[(("c", "string", "a"),)] == 2
    assert found[(("c", "float", "1.0"),)] == 2
    assert found[(("c", "string", "1"),)] == found[(("c", "int", 1),)] == 1


def test_nan_of_any_bits_is_one_slice() -> None:
    bits = np.array([0x7FF8000000000000, 0xFFF8000000000001, 0x7FF0000000000001], np.uint64)
    found, _ = count(Slicer(["c"]), [{"c": pa.array(bits.view(np.float64))}])
    assert found == {OVERALL: 3, (("c", "float", "nan"),): 3}


@pytest.mark.parametrize("coded", [False, True])
def test_strings_that_are_not_utf8_are_bytes(coded: bool) -> None:
    # Parquet does not check that a string column holds UTF-8.
    array = pa.array([b"\xff", b"a"]).view(pa.string())
    found, _ = count(Slicer(["c"]), [{"c": array.dictionary_encode() if coded else array}])
    assert found == {OVERALL: 2, (("c", "bytes", "ff"),): 1, (("c", "string", "a"),): 1}


def test_float16_is_a_float() -> None:
    array = pa.array([1.0, 0.5, None], pa.float32()).cast(pa.float16())
    found, _ = count(Slicer(["c"]), [{"c": array}])
    assert found[(("c", "float", "0.5"),)] == 1


@pytest.mark.parametrize(("index", "values"), [(pa.int8(), 128), (pa.uint8(), 256)], ids=str)
def test_a_null_beside_as_many_values_as_the_index_can_count(
    index: pa.DataType, values: int
) -> None:
    codes = pa.array([0, None, values - 1], index)
    array = pa.DictionaryArray.from_arrays(codes, pa.array(range(values)))
    found, _ = count(Slicer(["c"]), [{"c": array}])
    last = (("c", "int", values - 1),)
    assert found == {OVERALL: 3, (("c", "int", 0),): 1, last: 1, (("c", "missing", None),): 1}


@pytest.mark.parametrize(
    "array",
    [
        pa.array([1], pa.timestamp("us")),
        pa.array([1]).cast(pa.decimal128(20, 0)),
        pa.array([{"a": 1}]),
        pa.array([[1]]),
    ],
    ids=lambda array: str(array.type),
)
def test_other_types_are_refused(array: pa.Array) -> None:
    with pytest.raises(
        TypeError,
        match=r"^column 'c' is .*, and rows are sliced by text, numbers, booleans or dates$",
    ):
        Slicer(["c"]).segments({"c": array}.__getitem__, 1)


@pytest.mark.parametrize("type_", [pa.date32(), pa.date64()])
def test_dates(type_: pa.DataType) -> None:
    days = pa.array([datetime.date(2026, 11, 1), None, datetime.date(2026, 11, 1)], type_)
    found, _ = count(Slicer(["c"]), [{"c": days}])
    day, missing = (("c", "date", "2026-11-01"),), (("c", "missing", None),)
    assert found == {OVERALL: 3, day: 2, missing: 1}


def test_dates_beyond_the_calendar_are_dates_too() -> None:
    # Parquet counts days in 32 bits; Python's calendar has the years 1 to 9999.
    days = pa.array([2**31 - 1, -(2**31), 0], pa.int32()).cast(pa.date32())
    found, _ = count(Slicer(["c"]), [{"c": days}])
    assert found[(("c", "date", "1970-01-01"),)] == 1
    assert len(found) == 4


def test_without_columns_there_is_overall_alone() -> None:
    slicer = Slicer([])
    for rows in (0, 3):
        segments = slicer.segments(lambda name: pytest.fail(name), rows)
        assert segments is not None
        assert [(one.index.tolist(), list(one.keys)) for one in segments] == [([0] * rows, [()])]
    assert slicer.slices_of(OVERALL, 0) == [OVERALL]


def test_a_cross_grows_over_batches_and_never_renumbers() -> None:
    slicer = Slicer(["a", "b"])
    seen: dict[int, Key] = {}
    rng = np.random.default_rng(0)
    for size in range(1, 30):
        batch = {c: pa.array(rng.integers(0, size, 10)) for c in "ab"}
        segments = slicer.segments(batch.__getitem__, 10)
        assert segments is not None
        (one,) = segments
        for i in one.index.tolist():
            assert seen.setdefault(i, one.keys[i]) == one.keys[i]
        again = slicer.segments(batch.__getitem__, 10)
        assert again is not None
        # Accumulators know by the object that the keys have not changed.
        assert again[0].keys is one.keys


def test_a_cross_of_more_combinations_than_a_table_holds() -> None:
    rng = np.random.default_rng(0)
    columns = {
        "a": pa.array(rng.integers(0, 1500, 3000)),
        "b": pa.array(rng.permutation(3000) % 1500),
    }
    batches = [{c: v.slice(i, 700) for c, v in columns.items()} for i in range(0, 3000, 700)]
    found, apart = count(Slicer(["a", "b"]), batches)
    assert found == expected(batches)
    assert apart == 0
    many = {c: pa.concat_arrays([v, pa.array(range(5000, 7200))]) for c, v in columns.items()}
    found, apart = count(Slicer(["a", "b"]), [*batches, many, many])
    assert found == expected([*batches, many, many])
    assert apart == 1


def test_combinations_beyond_any_integer_are_never_numbered() -> None:
    # Eight columns of 1,000 values have 1e24 combinations.
    names = [f"c{i}" for i in range(8)]
    batch = {name: pa.array(np.roll(np.arange(1000), i)) for i, name in enumerate(names)}
    found, apart = count(Slicer(names), [batch, batch])
    assert apart == 1
    assert len(found) == 1 + 8 * 1000
    assert set(found.values()) == {2, 2000}


CONFIG = """
slices: [{column: a}, {column: b}, {column: c}]
heads:
  h: {type: binary, logits: s, label: y, weight: w}
  k: {type: multi_class, n_classes: 3, logits: t, label: z}
"""


def table(rows: int, seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "s": rng.normal(0, 3, rows),
            "y": rng.integers(0, 2, rows),
            "w": rng.gamma(0.3, 1e3, rows),
            "t": list(rng.normal(size=(rows, 3))),
            "z": rng.integers(0, 3, rows),
            "a": pa.array(rng.choice([0.5, 1.0, 2.0], rows), mask=rng.random(rows) < 0.2),
            # Values come late, so that the cross grows; a rare one comes only in the beginning.
            "b": [f"b{i // 3000}" if i else "first" for i in range(rows)],
            "c": rng.integers(0, 3, rows),
        }
    )


@pytest.mark.parametrize(("rows", "max_cross"), [(300, 0), (9000, 16)])
def test_both_ways_give_the_same_states(
    rows: int, max_cross: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 9,000 distinct scores are more than a histogram keeps apart; "first" is seen before that.
    plan = plan_of(CONFIG)
    monkeypatch.setattr(evaluation, "BATCH_ROWS", rows // 4)
    whole = evaluate(table(rows, 1), plan)
    taken_apart = []
    put_away = Evaluator._put_away
    monkeypatch.setattr(
        Evaluator, "_put_away", lambda self: taken_apart.append(True) or put_away(self)
    )
    monkeypatch.setattr(slicing, "MAX_CROSS", max_cross)
    apart = evaluate(table(rows, 1), plan)
    assert len(taken_apart) == 2
    assert report_bytes(apart.report) == report_bytes(whole.report)
    assert apart.states.keys() == whole.states.keys()
    assert all(same(state, apart.states[key]) for key, state in whole.states.items())
    assert slices_of(whole)[None]["examples"] == rows
    assert slices_of(whole)["b", "string", "first"]["examples"] == 1
