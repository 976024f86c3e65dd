"""Counting the rows of slices before anything is measured, against counting them one by one."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heads.statistics import OVERALL
from heads.statistics.keys import key_text
from pipeline.errors.faults import BadData, DataFault
from pipeline.evaluate import evaluate
from pipeline.evaluation.plan import Plan
from pipeline.evaluation.slice_counting import CountingPass, decide_slices, known_slices
from pipeline.readers import read
from pipeline.readers.rows import Rows
from pipeline.readers.shards import WorkItem
from pipeline.readers.storage import open_local
from pipeline.report.report_json import report_bytes
from pipeline.slicing.resolving import NotCounted
from pipeline.slicing.table import SliceTable
from tests.pipeline.tables import (
    PLAIN,
    add_counts,
    evaluator_of,
    law,
    plan_of,
    rows_of,
    slices_of,
    write,
)

SLICES = """
where: [{column: keep, values: [true]}]
slices:
  - {column: g, max_slices: 2}
  - {column: age, edges: [20, 40]}
  - {column: t, max_slices: 3}
  - {columns: [g, {column: age, edges: [30]}], max_slices: 3}
  - {columns: [g, t], max_slices: 4}
confidence: {max_slices: 5}
"""
EMPTY: dict[str, pa.DataType] = {"s": pa.float64(), "y": pa.int64()}


def columns_of(rows: int, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    g = rng.choice(["a", "b", "c", "d"], rows, p=[0.5, 0.2, 0.2, 0.1])
    return {
        "s": rng.normal(size=rows),
        "y": rng.integers(0, 2, rows),
        "g": pa.array(g, mask=rng.random(rows) < 0.2),
        "age": pa.array(rng.integers(10, 50, rows), mask=rng.random(rows) < 0.1),
        "t": pa.array(
            [rng.choice(["x", "y", "z", "u"], n).tolist() for n in rng.integers(0, 4, rows)],
            pa.list_(pa.string()),
        ),
        "keep": rng.random(rows) < 0.9,
    }


def bucket(age: int | None, edges: list[int]) -> tuple[str, Any]:
    if age is None:
        return "missing", None
    ends = ["(-inf", *(f"[{edge}" for edge in edges)], [*(f"{edge})" for edge in edges), "inf)"]
    place = sum(age >= edge for edge in edges)
    return "bucket", f"{ends[0][place]}, {ends[1][place]}"


def keys_of(row: dict[str, Any]) -> list[set[Any]]:
    """The slices that a row is in, by entry of `SLICES`."""
    g = [("g", "missing", None) if row["g"] is None else ("g", "string", row["g"])]
    t = [("t", "string", value) for value in set(row["t"])] or [("t", "missing", None)]
    age, half = (("age", *bucket(row["age"], edges)) for edges in ([20, 40], [30]))
    crosses = [[g], [[age]], [t], [[half], g], [g, t]]
    return [set(itertools.product(*cross)) for cross in crosses]


def by_hand(columns: dict[str, Any]) -> list[Counter[Any]]:
    rows = [row for row in pa.table(columns).to_pylist() if row["keep"]]
    found: list[Counter[Any]] = [Counter() for _ in range(5)]
    for row in rows:
        for counter, keys in zip(found, keys_of(row), strict=True):
            counter.update(keys)
    return found


def count(plan: Plan, *parts: dict[str, Any]) -> SliceTable:
    """The slices of rows that are counted in several bundles."""
    bundles = []
    for part in parts:
        bundle = CountingPass(plan, open_local)
        bundle.add(rows_of(part))
        bundles.append(bundle.counts())
    return decide_slices(plan, add_counts(plan, bundles))


@settings(law, max_examples=15)
@given(st.integers(0, 999), st.integers(1, 60), st.data())
def test_slices_are_those_of_most_rows(seed: int, rows: int, data: st.DataObject) -> None:
    columns = columns_of(rows, seed)
    plan = plan_of(SLICES + PLAIN)
    cut = data.draw(st.integers(0, rows))
    table = pa.table(columns)
    parts = [table.slice(0, cut), table.slice(cut)]
    bundles = [{name: part[name].combine_chunks() for name in columns} for part in parts]
    found = count(plan, *data.draw(st.permutations(bundles)))
    assert found.problems == ()
    assert found == count(plan, columns)
    rank: dict[Any, int] = {}
    for spec, slices, counted in zip(
        plan.config.slices, found.specs, by_hand(columns), strict=True
    ):
        order = sorted(counted, key=lambda key: (-counted[key], key_text(key)))
        kept, rest = order[: spec.max_slices], order[spec.max_slices :]
        assert slices.merged_into_other == len(rest)
        examples = dict(zip(slices.keys, slices.examples, strict=True))
        rank |= {key: counted[key] for key in kept}
        if rest:
            other = tuple((part.column, "other", None) for part in spec.parts)
            assert slices.keys[-1] == other
            rank[other] = sum(counted[key] for key in rest)
            # Rows that are in several of them are not counted apart.
            assert examples.pop(other) in (None, rank[other])
        assert examples == {key: counted[key] for key in kept}
    largest = sorted(rank, key=lambda key: (-rank[key], key_text(key)))[:5]
    assert found.largest == set(largest)


def test_what_is_counted_is_what_is_measured() -> None:
    columns = columns_of(400, 1)
    text = SLICES + PLAIN.replace("label: y", "label: y, metrics: [accuracy]")
    entries = slices_of(evaluate(pa.table(columns), plan_of(text)))
    counted = [key for spec in by_hand(columns) for key in spec.items()]
    named = {key[0] if len(key) == 1 else key: rows for key, rows in counted}
    rest = {key: entry["examples"] for key, entry in entries.items() if key not in named}
    for key in entries.keys() - rest.keys():
        assert entries[key]["examples"] == named[key]
    kept = [row for row in pa.table(columns).to_pylist() if row["keep"]]
    assert rest.pop(None) == len(kept)
    # A row is once in `other`, however many of its slices were folded.
    assert len(rest) == 4
    assert len(entries) - len(rest) > 10
    for key, examples in rest.items():
        names = [c[0] for c in key] if isinstance(key[0], tuple) else [key[0]]
        place = [["g"], ["age"], ["t"], ["age", "g"], ["g", "t"]].index(names)
        folded = [
            row
            for row in kept
            if any(
                (cross[0] if len(cross) == 1 else cross) not in entries
                for cross in keys_of(row)[place]
            )
        ]
        assert examples == len(folded)


def test_too_many_distinct_values_say_what_to_slice_by() -> None:
    rows = 30
    table = pa.table({"s": np.ones(rows), "y": np.ones(rows, int), "g": range(rows)})
    text = PLAIN + "\nslices: [g]\nmax_distinct: %d"
    assert len(slices_of(evaluate(table, plan_of(text % 30)))) == 31
    with pytest.raises(BadData) as caught:
        evaluate(table, plan_of(text % 29))
    (problem,) = caught.value.problems
    assert problem.startswith("slices[0]: column 'g' has more than 29 distinct values ('max_dist")
    for advice in ("'edges'", "'values'", "coarser column"):
        assert advice in problem
    crossed = table.append_column("k", pa.array([1, 2] * 15))
    both = text.replace("[g]", "[k, {columns: [k, g]}]") % 29
    with pytest.raises(BadData, match=r"^slices\[1\]: the cross of 'g' and 'k' has more than 29"):
        evaluate(crossed, plan_of(both))


def test_states_that_need_too_much_memory_say_what_to_lower() -> None:
    rows = 10_000
    columns = {"s": np.ones(rows), "y": np.ones(rows, int), "g": np.arange(rows) % 300}
    text = PLAIN + "\nslices: [g]\nmax_state_mb: %d"
    with pytest.raises(BadData) as caught:
        evaluate(pa.table(columns), plan_of(text % 1))
    (problem,) = caught.value.problems
    assert problem.startswith("the states of 300 slices take about ")
    assert "'max_state_mb' is 1;" in problem
    for advice in ("'max_slices'", "'thresholds'", "'confidence.max_slices'", "raise"):
        assert advice in problem
    # What is told suffices, and one less does not.
    need = int(problem.split(" about ")[1].split(" MB")[0].replace(",", ""))
    plan = plan_of(text % need)
    assert count(plan, columns).problems == ()
    assert count(plan_of(text % (need - 1)), columns).problems
    # Without the intervals of 200 slices it is much less.
    lean = text % (need - 1) + "\nconfidence: {folds: 0}"
    assert count(plan_of(lean), columns).problems == ()


def test_known_slices_that_need_too_much_memory_are_refused_before_a_row_is_read() -> None:
    values = list(range(200))
    text = PLAIN + f"\nslices: [{{column: g, values: {values}}}]\nmax_state_mb: 1"
    table = known_slices(plan_of(text))
    assert table is not None
    assert "the states of 200 slices" in table.problems[0]
    nothing = pa.table({name: pa.array([], type_) for name, type_ in EMPTY.items()})
    with pytest.raises(BadData, match="the states of 200 slices"):
        evaluate(nothing.append_column("g", pa.array([], pa.int64())), plan_of(text))


@pytest.mark.parametrize("values", ["[a, b, c, d, null]", "[c, a]"])
def test_a_counting_pass_that_is_not_needed_changes_nothing(
    values: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = columns_of(200, 4)
    text = (
        f"slices: [{{column: g, values: {values}}}, {{column: age, edges: [20, 40]}},"
        f" {{columns: [{{column: g, values: {values}}}, {{column: age, edges: [30]}}]}}]\n"
        "heads: {h: {type: binary, logits: s, label: y, metrics: [accuracy, roc_auc, auc]}}"
    )
    plan = plan_of(text)
    assert known_slices(plan) is not None
    found = evaluate(pa.table(columns), plan)
    assert known_slices(plan_of(text + "\nconfidence: {max_slices: 3}")) is None
    monkeypatch.setattr("pipeline.evaluate.known_slices", lambda plan: None)
    again = evaluate(pa.table(columns), plan)
    assert report_bytes(again.report) == report_bytes(found.report)
    assert len(found.report["heads"]["h"]["slices"]) > 9


def test_no_slices_need_no_counting() -> None:
    table = known_slices(plan_of(PLAIN))
    assert table == SliceTable((), frozenset())
    assert plan_of(PLAIN).partitions(table) == {OVERALL: 0}
    assert known_slices(plan_of(PLAIN + "\nslices: [g]")) is None


def test_a_listed_value_that_no_row_has_is_no_slice() -> None:
    table = pa.table({"s": [1.0, 2.0], "y": [0, 1], "g": ["a", "a"]})
    text = PLAIN + "\nslices: [{column: g, values: [a, b]}]"
    assert set(slices_of(evaluate(table, plan_of(text)))) == {None, ("g", "string", "a")}


def test_only_the_columns_of_slices_are_counted_and_faults_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "BATCH_ROWS", 2)
    plan = plan_of(SLICES + PLAIN)
    columns = columns_of(40, 2)
    # Neither scores nor labels are read.
    table = pa.table(columns).drop(["s", "y"])
    shard = write(tmp_path / "a.parquet", table)
    counted = CountingPass(plan, open_local)
    counted.add_item(WorkItem(shard))
    assert decide_slices(plan, counted.counts()) == count(plan, columns)
    before = counted.counts()
    broken = write(tmp_path / "b.parquet", table)
    Path(broken.path).write_bytes(Path(broken.path).read_bytes()[:-9])
    counted.add_item(WorkItem(broken))
    lacking = write(tmp_path / "c.parquet", table.drop(["g"]))
    counted.add_item(WorkItem(lacking))
    counted.add(rows_of(columns | {"g": pa.array([{"a": 1}] * 40)}))
    assert counted.counts() == before


FEW_TAGS, MANY_TAGS = ["a", "b"], [f"tag {i}" for i in range(1001)]
TOO_MANY = "row 4 has 1,001 combinations of values of 't', and a row may be in at most 1,000 slices"


@pytest.mark.parametrize("entries", ["[t]", "[g, t]", "[t, g]", "[t, {columns: [g, t]}]"])
@pytest.mark.parametrize("in_memory", [True, False])
def test_what_keeps_rows_from_being_counted_is_told(
    tmp_path: Path, entries: str, in_memory: bool
) -> None:
    tags = pa.array([MANY_TAGS if row == 4 else FEW_TAGS for row in range(6)])
    table = pa.table({"s": np.arange(6.0), "y": [0, 1] * 3, "g": list("abcabc"), "t": tags})
    shard = write(tmp_path / "a.parquet", table, row_group_size=2)
    with pytest.raises(BadData) as caught:
        evaluate(table if in_memory else shard.path, plan_of(f"{PLAIN}\nslices: {entries}"))
    (problem,) = caught.value.problems
    assert problem.startswith(f"{'table' if in_memory else shard.path}: wrong_type: {TOO_MANY}")


def test_rows_that_were_not_there_are_told_as_a_change() -> None:
    plan = plan_of(f"{PLAIN}\nslices: [g]")
    rows = rows_of({"s": [1.0, 2.0], "y": [0, 1], "g": ["a", "b"]})
    evaluator = evaluator_of(plan, rows.where(np.array([True, False])))
    with pytest.raises(DataFault) as caught:
        evaluator.add(rows)
    assert caught.value.reason == "changed_file"
    fault = CountingPass(plan, open_local).true_fault(caught.value, [rows])
    assert fault is caught.value
    assert "that was not there when the slices were counted" in str(fault)


def test_a_fault_of_reading_is_told_before_a_change() -> None:
    plan = plan_of(f"{PLAIN}\nslices: [g]")

    def batches() -> Iterator[Rows]:
        yield rows_of({"s": [1.0], "y": [0], "g": ["a"]})
        raise DataFault("a.parquet", "corrupt", "copy it again")

    changed = DataFault("a.parquet", "changed_file", "row 0 was not there")
    changed.__cause__ = NotCounted("row 0 was not there")
    fault = CountingPass(plan, open_local).true_fault(changed, batches())
    assert str(fault) == "a.parquet: corrupt: copy it again"
    # Other faults are what they are, and nothing is read again.
    other = DataFault("a.parquet", "wrong_type", "why")
    assert CountingPass(plan, open_local).true_fault(other, batches()) is other
