"""Which slices are kept, when too many are refused, and which are measured together."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from heads.statistics import OVERALL
from pipeline.errors.faults import ColumnError
from pipeline.slicing import grouping
from pipeline.slicing.counting import SliceCounts, merge_counts
from pipeline.slicing.slicer import Slicer
from pipeline.slicing.table import SliceTable, decide, fixed_table
from tests.pipeline.slicing.by_row import (
    count,
    expected_slices,
    found_slices,
    merged,
    rows_of,
    specs_of,
    table_of,
)


def words(text: str) -> dict[str, Any]:
    return {"c": list(text)}


def kept_values(table: SliceTable, spec: int = 0) -> list[Any]:
    return [key[0][1:] for key in table.specs[spec].keys]


def test_ties_go_by_name_and_the_rest_is_other() -> None:
    specs = specs_of("[{column: c, max_slices: 2}]")
    table = table_of(specs, [rows_of(words("zzzdbca"))])
    assert kept_values(table) == [("string", "a"), ("string", "z"), ("other", None)]
    assert table.specs[0].examples == (1, 3, 3)
    assert table.specs[0].merged_into_other == 3


def test_the_rows_of_other_are_not_known_where_rows_have_several_values() -> None:
    specs = specs_of("[{column: c, max_slices: 1}]")
    rows = rows_of({"c": [["a", "b", "x"], ["a", "x"], ["a"]]})
    table = table_of(specs, [rows])
    assert table.specs[0].examples == (3, None)
    assert found_slices(Slicer(specs, table), [rows]) == expected_slices(specs, [rows])


def test_more_distinct_values_than_may_be_counted() -> None:
    specs = specs_of("[{columns: [a, b]}, c, a]")
    rows = rows_of({"a": pa.array(range(9)), "b": pa.array(range(9)), "c": ["x"] * 9})
    for limit, over in ((8, True), (9, False)):
        halves = [count(specs, [half], limit) for half in (rows, rows)]
        table = decide(specs, merged(halves, limit), limit, 9)
        assert bool(table.problems) == over
        assert [len(slices.keys) for slices in table.specs] == ([0, 1, 0] if over else [9, 1, 9])
    table = decide(specs, merged([count(specs, [rows], 8)], 8), 8, 9)
    assert table.problems == (
        "slices[0]: the cross of 'a' and 'b' has more than 8 distinct combinations of values"
        " ('max_distinct'); slice by buckets of numbers ('edges'), by the 'values' that matter, or"
        " by a coarser column",
        "slices[2]: column 'a' has more than 8 distinct values ('max_distinct'); slice by buckets"
        " of numbers ('edges'), by the 'values' that matter, or by a coarser column",
    )


class CountedLooks(dict[tuple[int, int], SliceCounts]):
    """Counts that count how often all of them are looked at."""

    looks = 0

    def items(self) -> Any:
        self.looks += 1
        return super().items()


def test_counts_are_gone_through_once_however_many_entries_there_are() -> None:
    specs = specs_of(f"[{', '.join(f'c{number}' for number in range(100))}]")
    rows = rows_of({f"c{number}": [number, number] for number in range(100)})
    counts = CountedLooks(count(specs, [rows]).counts())
    table = decide(specs, counts, 9, 9)
    assert [slices.examples for slices in table.specs] == [(2,)] * 100
    assert counts.looks == 1


def test_too_many_values_are_found_though_no_counter_saw_them_all() -> None:
    specs = specs_of("[c]")
    counters = [count(specs, [rows_of({"c": pa.array(range(i, i + 5))})], 8) for i in (0, 4)]
    assert decide(specs, merged(counters, 8), 8, 9).problems
    assert not decide(specs, merged(counters, 9), 9, 9).problems


def test_a_counter_of_too_many_values_forgets_them() -> None:
    specs = specs_of("[c, {columns: [c, d]}]")
    counter = count(specs, [], 100)
    sizes = []
    for i in range(6):
        columns = {"c": pa.array(range(i * 90, i * 90 + 90)), "d": ["x"] * 90}
        counter.add(rows_of(columns))
        sizes.append(len(pickle.dumps(counter.counts())))
    assert sizes[0] > 1000 > sizes[1] == sizes[-1]
    assert counter.counts() == {(0, 0): SliceCounts(over=True), (1, 0): SliceCounts(over=True)}


def test_counts_merge_in_any_order() -> None:
    counts = [SliceCounts({"a": 1}), SliceCounts({"b": 2, "a": 3}, several=True), SliceCounts()]
    assert merge_counts(counts, 2) == merge_counts(counts[::-1], 2)
    assert merge_counts(counts, 2) == SliceCounts({"a": 4, "b": 2}, several=True)
    over = SliceCounts(over=True, several=True)
    assert merge_counts(counts, 1) == merge_counts(counts[::-1], 1) == over
    assert merge_counts([merge_counts(counts[:2], 1), counts[0]], 1) == over
    assert merge_counts([], 1) == SliceCounts()


def test_counts_are_cut_last() -> None:
    cut = SliceCounts({"a": 1, "b": 2, "c": 1}).keep(2)
    assert cut == SliceCounts({"b": 2, "a": 1}, more=1, more_rows=1)
    with pytest.raises(ValueError, match=r"call keep\(\) last"):
        merge_counts([cut], 9)


def test_two_others_of_the_same_columns_are_not_the_same_rows() -> None:
    specs = specs_of("[{column: c, max_slices: 1}, {column: c, edges: [1, 2], max_slices: 1}]")
    table = table_of(specs, [rows_of({"c": pa.array([0, 1, 2, 2])})])
    assert table.problems == (
        "slices[0] and slices[1] both put their rarest slices together as 'other' of column 'c'"
        " with these edges, which are not the same rows; raise 'max_slices' of one",
    )


def test_one_slice_of_two_specs_is_the_same_rows_or_refused() -> None:
    specs = specs_of("[c, {column: c, values: [1]}]")
    ints, floats = rows_of({"c": pa.array([1, 2])}), rows_of({"c": pa.array([1.0])})
    table = table_of(specs, [ints])
    assert not table.problems
    assert found_slices(Slicer(specs, table), [ints]) == expected_slices(specs, [ints])
    (problem,) = table_of(specs, [ints, floats]).problems
    assert problem.startswith('slices[0] and slices[1] find other rows in the slice [["c", "int"')


@pytest.mark.parametrize("text", ["[c]", "[{columns: [c, d]}]", "[c, d]"])
@pytest.mark.parametrize("largest", [0, 200])
@pytest.mark.parametrize("lists", [False, True])
def test_a_value_that_was_not_counted_is_an_error(text: str, largest: int, lists: bool) -> None:
    specs = specs_of(text)
    before = rows_of({"c": ["a", "b"], "d": ["x", "y"]})
    slicer = Slicer(specs, table_of(specs, [before], largest))
    values: Any = [["a"], ["b", "new"]] if lists else ["a", "new"]
    after = rows_of({"c": values, "d": ["x", "y"]}, 70)
    with pytest.raises(ColumnError, match=r"^row 71 has .*changed while it was read; run again"):
        slicer.segments(after)


def test_a_combination_that_was_not_counted_is_an_error() -> None:
    specs = specs_of("[{columns: [c, d]}]")
    before = rows_of({"c": ["a", "b"], "d": ["x", "y"]})
    for largest in (0, 200):
        slicer = Slicer(specs, table_of(specs, [before], largest))
        with pytest.raises(ColumnError, match="row 1 has a value of the cross of 'c' and 'd' that"):
            slicer.segments(rows_of({"c": ["a", "a"], "d": ["x", "y"]}))


def test_fixed_tables() -> None:
    assert fixed_table((), 200) == SliceTable((), frozenset())
    specs = specs_of("[{columns: [{column: a, values: [x, null]}, {column: b, edges: [1, 2]}]}]")
    table = fixed_table(specs, 10)
    assert table is not None
    assert len(table.specs[0].keys) == len(table.largest) == 2 * 5
    assert table.specs[0].examples == (None,) * 10
    assert fixed_table(specs, 9) is None
    assert fixed_table(specs_of("[{column: a, values: [1, 2, 3], max_slices: 2}]"), 9) is None
    assert fixed_table(specs_of("[{column: a, values: [1]}, b]"), 9) is None
    both = specs_of("[{column: a, values: [1, 2]}, {column: a, values: [2, 3]}]")
    assert fixed_table(both, 3) is not None
    assert fixed_table(both, 2) is None


def columns(names: str, values: int, rows: int = 500) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {name: pa.array(rng.integers(0, values, rows)) for name in names}


def passes(text: str, data: dict[str, Any], largest: int = 10_000) -> list[Any]:
    specs = specs_of(text)
    rows = rows_of(data)
    slicer = Slicer(specs, table_of(specs, [rows], largest))
    assert found_slices(slicer, [rows]) == expected_slices(specs, [rows])
    measured = slicer.segments(rows)
    for before, after in zip(measured, slicer.segments(rows), strict=True):
        # Accumulators know by the object that the keys have not changed.
        assert before.segments.keys is after.segments.keys
    return measured


def test_without_specs_there_is_one_segment() -> None:
    (joint,) = passes("[]", {"a": [1, 2, 3]})
    assert joint.segments.index.tolist() == [0, 0, 0]
    assert joint.slices == [(OVERALL,)]
    assert joint.top_slice.tolist() == [True]


def test_specs_of_few_slices_are_measured_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouping, "MAX_CROSS", 4096)
    pairs = ", ".join(f"{{columns: [{x}, {y}]}}" for x, y in ("ab", "ac", "ad", "bc", "bd", "cd"))
    (joint,) = passes(f"[a, b, c, d, {pairs}]", columns("abcd", 4))
    assert len(joint.segments.keys) <= 4**4
    assert joint.segments.rows is None
    assert joint.top_slice.all()


def test_specs_of_too_many_combinations_are_measured_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouping, "MAX_CROSS", 4096)
    first, second = passes("[a, b, {column: c, edges: [30]}]", columns("abc", 65))
    assert 65 < len(first.segments.keys) <= 130
    assert len(second.segments.keys) == 65


def test_a_coarser_spec_costs_nothing_beside_a_finer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouping, "MAX_CROSS", 4096)
    data = columns("a", 9000, 9000) | columns("b", 3, 9000)
    data["c"] = data["a"]
    (joint,) = passes("[a, {columns: [a, b, c]}, b]", data, 100_000)
    assert len(joint.segments.keys) > 4096


def test_specs_with_small_slices_are_measured_alone_and_say_which_are_large() -> None:
    data = {"a": pa.array([0, 0, 0, 1, 1, 2]), "b": ["x"] * 6}
    first, second = passes("[a, b]", data, 3)
    assert len(first.segments.keys) == 1
    assert first.top_slice.all()
    large = dict(
        zip([slices[0][0][2] for slices in second.slices], second.top_slice.tolist(), strict=True)
    )
    assert large == {0: True, 1: True, 2: False}


def test_rows_in_no_slice_are_left_out_where_a_spec_is_measured_alone() -> None:
    first, second = passes("[{column: a, values: [1, 2]}]", {"a": pa.array([0, 1, 2, 0])}, 1)
    assert len(first.segments) == 4
    assert second.segments.rows is not None
    assert second.segments.rows.tolist() == [1, 2]


def test_lists_of_one_are_measured_with_the_others() -> None:
    lists = {"a": [[1], [2], [], None], "b": ["x", "x", "y", "y"]}
    (joint,) = passes("[a, b]", lists)
    assert joint.segments.rows is None
    first, second = passes("[a, b]", lists | {"a": [[1, 2], [2], [], None]})
    assert len(first.segments.keys) == 2
    assert second.segments.rows is not None
    assert second.segments.rows.tolist() == [0, 0, 1, 2, 3]


@pytest.mark.parametrize("largest", [0, 200])
def test_combinations_of_one_row_are_other_once(largest: int) -> None:
    specs = specs_of("[{columns: [a, b], max_slices: 1}]")
    rows = rows_of({"a": [["p"], ["p"], ["p", "q"]], "b": [["r"], ["r"], ["r", "s"]]})
    table = table_of(specs, [rows], largest)
    assert found_slices(Slicer(specs, table), [rows]) == expected_slices(specs, [rows])


@pytest.mark.parametrize("largest", [0, 1, 200])
@pytest.mark.parametrize("lists", [False, True])
def test_a_slice_of_two_specs_is_measured_once(largest: int, lists: bool) -> None:
    specs = specs_of("[c, {column: c, values: [1]}, {column: c, values: [1, 2]}]")
    values = [[1], [2, 3], [3]] if lists else [1, 2, 3]
    rows = rows_of({"c": pa.array(values)})
    table = table_of(specs, [rows], largest)
    assert found_slices(Slicer(specs, table), [rows]) == expected_slices(specs, [rows])


@pytest.mark.parametrize("a", ["a", "{column: a, values: [0]}"])
@pytest.mark.parametrize("max_slices", [1, 9])
def test_slices_tell_those_of_other_specs_only_where_nothing_is_lost(
    a: str, max_slices: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Too narrow for a cross of columns, so that slices are crossed.
    monkeypatch.setattr(grouping, "MAX_GRID", 5)
    part = a if a == "a" else "{column: b, values: [1]}"
    other_part = "b" if a == "a" else "a"
    specs = specs_of(f"[{{columns: [{part}, {other_part}], max_slices: {max_slices}}}, a, b]")
    rows = rows_of({"a": pa.array([0, 0, 1, 1, 0]), "b": pa.array([0, 1, 0, 1, 0])})
    table = table_of(specs, [rows])
    assert found_slices(Slicer(specs, table), [rows]) == expected_slices(specs, [rows])


def test_there_are_never_fewer_passes_than_before() -> None:
    specs = specs_of("[a]")
    several, single = rows_of({"a": [[1, 2], [2]]}), rows_of({"a": [[2], [1]]})
    slicer = Slicer(specs, table_of(specs, [several]))
    assert [len(pass_.segments) for pass_ in slicer.segments(single)] == [2]
    assert [len(pass_.segments) for pass_ in slicer.segments(several)] == [2, 3]
    overall, none = slicer.segments(single)
    assert len(overall.segments) == 2
    assert none.segments.rows is not None
    assert len(none.segments) == len(none.segments.rows) == 0
    assert sorted(none.slices) == [((("a", "int", value),),) for value in (1, 2)]
