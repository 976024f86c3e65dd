"""Bad rows and bad files: told with file and row, and never reported on."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from heads.statistics import same
from pipeline.errors.faults import BadData
from pipeline.errors.problems import ConfigError
from pipeline.evaluate import evaluate, evaluate_items
from pipeline.evaluation.state_key import StateKey
from pipeline.readers import parquet, read
from pipeline.readers.shards import WorkItem
from tests.pipeline.tables import (
    PLAIN,
    binary_table,
    evaluator_of,
    plan_of,
    rows_of,
    write,
)


def problems_of(source: Any, text: str) -> list[str]:
    with pytest.raises(BadData) as caught:
        evaluate(source, plan_of(text))
    return caught.value.problems


def bad_rows_of(source: Any, text: str) -> list[str]:
    summary, *rows = problems_of(source, text)
    assert "more than max_bad_fraction (0)" in summary
    return [row for row in rows if not row.startswith("  what to do: ")]


def test_bad_rows_of_a_table_are_numbered() -> None:
    table = pa.table({"s": [1.0, None, 2.0, math.inf], "y": [0, 1, 2, 1]})
    assert bad_rows_of(table, PLAIN) == [
        "head 'h': 's' is NaN or infinite in 1 row: table: row 3",
        "head 'h': 's' has no value in 1 row: table: row 1",
        "head 'h': 'y' is outside the range of labels in 1 row: table: row 2",
    ]


def test_numbers_go_on_over_the_batches_of_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "BATCH_ROWS", 4)
    labels = np.zeros(20, np.int64)
    labels[[3, 4, 17, 19]] = 9
    table = pa.table({"s": np.ones(20), "y": labels})
    for whole in (table, pa.concat_tables([table.slice(0, 6), table.slice(6)])):
        (line,) = bad_rows_of(whole, PLAIN)
        assert line.endswith("in 4 rows from 3 to 19: table: rows 3, 4, 17")


def test_good_rows_are_measured_in_their_slices_beside_bad_ones() -> None:
    table = binary_table(60, 0)
    y = table["y"].to_pylist()
    y[::7] = [2] * len(y[::7])
    spoilt = table.set_column(table.schema.get_field_index("y"), "y", pa.array(y))
    # Folds depend on the number of a row, which leaving others out changes.
    plan = plan_of(PLAIN + "\nslices: [g]\nconfidence: {folds: 0}")
    rows = rows_of(spoilt.to_batches()[0])
    evaluator = evaluator_of(plan, rows)
    findings = evaluator.add(rows)
    assert {kind: bad.rows for kind, bad in findings.bad.items()} == {("h", "out_of_range:y"): 9}
    good = evaluate(table.filter(pa.array([v != 2 for v in y])), plan).states
    found = evaluator.states()
    assert found.keys() == good.keys()
    assert all(same(state, found[key]) for key, state in good.items())


@pytest.mark.parametrize("batch_rows", [1, 3, 1 << 17])
def test_bad_rows_of_files_are_named_by_file_and_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch_rows: int
) -> None:
    monkeypatch.setattr(read, "BATCH_ROWS", batch_rows)
    monkeypatch.setattr(parquet, "ITEM_ROWS", 4)
    labels = np.zeros(20, np.int64)
    labels[[3, 4, 17]] = 9
    table = pa.table({"s": np.ones(20), "y": labels, "k": np.arange(20) % 3 == 0})
    for name in ("a", "b"):
        write(tmp_path / f"{name}.parquet", table, row_group_size=2)
    what = "head 'h': 'y' is outside the range of labels in"
    places = f"{tmp_path}/a.parquet: rows 3, 4, 17"
    assert bad_rows_of(str(tmp_path / "*"), PLAIN) == [f"{what} 6 rows of 2 files: {places}"]
    # Rows that `where` leaves out are not looked at, and do not move the numbers of others.
    only = PLAIN + "\nwhere: [{column: k, values: [true]}]"
    places = f"{tmp_path}/a.parquet: row 3; {tmp_path}/b.parquet: row 3"
    assert bad_rows_of(str(tmp_path / "*"), only) == [f"{what} 2 rows of 2 files: {places}"]


def test_only_the_first_bad_rows_are_named_and_all_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "BATCH_ROWS", 7)
    table = pa.table({"s": np.ones(1500), "y": np.full(1500, 2)})
    write(tmp_path / "b.parquet", table)
    write(tmp_path / "a.parquet", table.slice(0, 5))
    (line,) = bad_rows_of([str(tmp_path / name) for name in ("b.parquet", "a.parquet")], PLAIN)
    assert line.endswith(f"in 1,505 rows of 2 files: {tmp_path}/a.parquet: rows 0, 1, 2")


def test_a_row_may_be_bad_for_one_head_and_good_for_another() -> None:
    text = """
heads:
  h: {type: binary, logits: s, label: y}
  k: {type: binary, logits: t, label: y}
"""
    table = pa.table({"s": [1.0, None], "t": [None, 1.0], "y": [0, 1]})
    plan = plan_of(text)
    evaluator = evaluator_of(plan)
    findings = evaluator.add(rows_of(table.to_batches()[0]))
    assert {kind: bad.rows for kind, bad in findings.bad.items()} == {
        ("h", "null:s"): 1,
        ("k", "null:t"): 1,
    }
    assert [(row.row, row.head) for row in findings.examples] == [(100, "k"), (101, "h")]
    counting = {name: head.counting for name, head in plan.heads.items()}
    states = evaluator.states()
    for name, measured in counting.items():
        assert int(states[StateKey.of(name, measured)].counts["rows"].sum()) == 1


def test_lists_of_several_lengths_over_files(tmp_path: Path) -> None:
    text = PLAIN.replace("logits: s", "logits: {column: s, index: 1}")
    for name, row in (("a", [0.1, 0.2]), ("b", [0.1, 0.2, 0.3])):
        write(tmp_path / f"{name}.parquet", pa.table({"s": [row, row], "y": [0, 1]}))
    assert problems_of(str(tmp_path / "*"), text) == [
        "column 's': lists have from 2 to 3 values, and one length is needed"
    ]
    assert evaluate(str(tmp_path / "a*"), plan_of(text)).report["rows"]["read"] == 2


def test_no_rows(tmp_path: Path) -> None:
    empty = pa.table({"s": pa.array([], pa.float64()), "y": pa.array([], pa.int64())})
    assert problems_of(empty, PLAIN) == ["there are no rows"]
    write(tmp_path / "a.parquet", empty)
    assert problems_of(str(tmp_path / "a.parquet"), PLAIN) == ["there are no rows"]
    missing = str(tmp_path / "b.parquet")
    assert problems_of(missing, PLAIN) == [f"no file matches {missing}"]
    with pytest.raises(BadData, match="there are no rows"):
        evaluate_items([], plan_of(PLAIN))
    # Beside rows, a file without any is no fault.
    write(tmp_path / "c.parquet", pa.table({"s": [1.0], "y": [1]}))
    assert evaluate(str(tmp_path / "*"), plan_of(PLAIN)).report["rows"]["read"] == 1


def test_a_file_unlike_the_first_is_named(tmp_path: Path) -> None:
    good = pa.table({"s": [1.0, 2.0], "y": [1, 0]})
    write(tmp_path / "a.parquet", good)
    write(tmp_path / "b.parquet", good.drop(["y"]).append_column("z", pa.array([1, 1])))
    write(tmp_path / "c.parquet", pa.table({"s": ["x"], "y": [1]}))
    assert problems_of(str(tmp_path / "*"), PLAIN) == [
        f"1 file has no column 'y': {tmp_path}/b.parquet",
        "1 file has another type: heads.h: column 's' is string, and numbers are needed; store it"
        f" as numbers, as text is not converted: {tmp_path}/c.parquet",
    ]


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    good = pa.table({"s": np.arange(1000.0), "y": np.arange(1000) % 2})
    write(tmp_path / "a.parquet", good)
    shard = write(tmp_path / "b.parquet", good, write_page_checksum=True)
    content = bytearray(Path(shard.path).read_bytes())
    content[600] ^= 1
    Path(shard.path).write_bytes(content)
    (problem,) = problems_of(str(tmp_path / "*"), PLAIN)
    assert problem.startswith(f"{tmp_path}/b.parquet: row group 0: corrupt_parquet: ")
    Path(shard.path).write_bytes(content[:-1])
    (problem,) = problems_of(str(tmp_path / "*"), PLAIN)
    assert problem.startswith(f"{tmp_path}/b.parquet: corrupt_parquet: ")


def test_every_damaged_file_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", pa.table({"s": [1.0], "y": [1]}))
    for name in "bc":
        (tmp_path / f"{name}.parquet").write_bytes(b"broken")
    problems = problems_of(str(tmp_path / "*"), PLAIN)
    assert [problem.split(":")[0] for problem in problems] == [
        f"{tmp_path}/{name}.parquet" for name in "bc"
    ]


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("g", pa.array([1, 2], pa.timestamp("us"))),
        ("g", pa.array([{"a": 1}] * 2)),
        ("id", pa.array([["a", "b"], ["a"]])),
        ("id", pa.array([0.5, 1.5])),
        ("s", pa.array(["a", "b"])),
    ],
    ids=str,
)
def test_a_column_that_cannot_be_read_is_the_fault_of_the_data_or_the_plan(
    tmp_path: Path, column: str, values: pa.Array
) -> None:
    columns = {"s": [1.0, 2.0], "y": [0, 1], "g": ["a", "b"], "id": [1, 2]} | {column: values}
    shard = write(tmp_path / "a.parquet", pa.table(columns))
    plan = plan_of(PLAIN + "\nslices: [{column: g}]\nconfidence: {key: id}")
    for source in (shard.path, pa.table(columns)):
        with pytest.raises((BadData, ConfigError)) as caught:
            evaluate(source, plan)
        named = (f"'{column}'", "slice", "confidence.key")
        assert any(name in str(caught.value) for name in named)


def test_a_table_that_lacks_a_column() -> None:
    with pytest.raises(ConfigError, match="no column 'y' in the table; it has: s"):
        evaluate(pa.table({"s": [1.0]}), plan_of(PLAIN))


def test_a_table_that_has_a_column_twice() -> None:
    columns = [pa.array([1.0]), pa.array([1]), pa.array([2.0])]
    with pytest.raises(ConfigError, match="the table has 2 columns 's'; rename all but one"):
        evaluate(pa.table(columns, names=["s", "y", "s"]), plan_of(PLAIN))
    assert evaluate(pa.table(columns, names=["s", "y", "z"]), plan_of(PLAIN)).report


def test_a_work_item_that_fails_half_way_says_what_it_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "BATCH_ROWS", 2)
    table = pa.table({"s": [1.0] * 6, "y": [1] * 6, "id": [["a"]] * 4 + [["a", "b"], ["a"]]})
    shard = write(tmp_path / "a.parquet", table)
    plan = plan_of(PLAIN + "\nconfidence: {key: id}")
    findings = evaluator_of(plan).add_item(WorkItem(shard))
    assert findings.rows == 4
    (failure,) = findings.failures.values()
    assert failure.startswith(f"{shard.path}: ")
    assert "column 'id' has a list of several values in row 4; 'confidence.key' is" in failure


def spoilt(rows: int, bad: list[int]) -> pa.Table:
    table = binary_table(rows, 3)
    labels = np.array(table["y"].to_pylist())
    labels[bad] = 2
    return table.set_column(table.schema.get_field_index("y"), "y", pa.array(labels))


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        ("max_bad_rows: 2", "more than max_bad_rows (2)"),
        ("max_bad_fraction: 0.049", "more than max_bad_fraction (0.049)"),
        ("max_bad_rows: 3\nmax_bad_fraction: 0.01", "more than max_bad_fraction (0.01)"),
        ("max_bad_rows: 0\nmax_bad_fraction: 1", "more than max_bad_rows (0)"),
        ("max_bad_rows: 3", None),
        ("max_bad_fraction: 0.05", None),
        ("max_bad_rows: 3\nmax_bad_fraction: 0.05", None),
    ],
)
def test_so_many_bad_rows_may_be_left_out(limits: str, why: str | None) -> None:
    table = spoilt(60, [5, 17, 40])
    text = f"{PLAIN}\n{limits}\nslices: [g]"
    if why is not None:
        summary, *rows = problems_of(table, text)
        assert summary == f"head 'h': 3 of 60 rows are bad, {why}"
        assert "in 3 rows: table: rows 5, 17, 40" in rows[0]
        return
    found = evaluate(table, plan_of(text))
    head = found.report["heads"]["h"]
    assert head["bad_rows"] == {"out_of_range:y": 3}
    assert found.report["rows"] == {"read": 60, "evaluated": 60}
    assert head["slices"][0]["examples"] == 57
    good = evaluate(table.filter(pa.array(np.array(table["y"]) != 2)), plan_of(text))
    value = head["slices"][0]["metrics"]["average_loss"]["value"]
    assert value == good.report["heads"]["h"]["slices"][0]["metrics"]["average_loss"]["value"]


def test_a_head_needs_a_row_that_is_good() -> None:
    table = spoilt(4, [0, 1, 2, 3])
    problems = problems_of(table, f"{PLAIN}\nmax_bad_fraction: 1")
    assert problems[0] == "head 'h': 4 of 4 rows are bad, and none is left"


def test_what_a_bad_row_holds_is_shown_on_demand_alone() -> None:
    table = pa.table({"s": [1.0, 0.5], "y": [0, 7], "secret": ["a", "b"]})
    plan = plan_of(PLAIN)
    for shown in (False, True):
        with pytest.raises(BadData) as caught:
            evaluate(table, replace(plan, debug_samples=shown))
        text = str(caught.value)
        assert ("y=7" in text) == shown
        assert "secret" not in text


def test_what_cannot_be_shown_of_a_bad_row_is_said() -> None:
    broken = pa.array([b"\xff", b"\xff" * 2]).view(pa.string())
    table = pa.table({"s": [1.0, 0.5], "y": broken})
    text = "heads: {h: {type: binary, logits: s, label: {column: y, vocabulary: [a, b]}}}"
    with pytest.raises(BadData, match=r"y=text that is not UTF-8"):
        evaluate(table, replace(plan_of(text), debug_samples=True))
