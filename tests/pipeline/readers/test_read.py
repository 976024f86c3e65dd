"""Tests reading rows: columns of files and directories, row numbers, and missing columns."""

from __future__ import annotations

import gzip
import threading
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.errors.faults import DataFault
from pipeline.readers.file_list import list_local
from pipeline.readers.read import read_columns, read_rows
from pipeline.readers.shards import WorkItem, make_shard
from pipeline.readers.storage import open_local
from pipeline.readers.tfrecord.blocks import write_records
from pipeline.readers.tfrecord.examples import encode_example
from pipeline.readers.tfrecord.options import Lost, ReadOptions
from tests.pipeline.tables import plan_items, write


def test_columns_are_those_of_the_file_and_of_its_directories(tmp_path: Path) -> None:
    rows = pa.table({"x": [1.5], "site": [7], "word": ["a"], "list": [[1]]})
    shard = write(tmp_path / "site=A%2FB" / "day=1" / "a.parquet", rows)
    columns = read_columns(shard, open_local)
    assert {name: str(columns[name]) for name in ("x", "word", "list", "day")} == {
        "x": "double",
        "word": "string",
        "list": "list<element: int64>",
        "day": "string",
    }
    # A column of the file has priority over a column of a directory.
    assert columns["site"] == pa.int64()
    (rows,) = read_rows(WorkItem(shard), ["site", "day", "x"], 9, open_local)
    assert rows.column("site").to_pylist() == [7]
    assert rows.column("day").to_pylist() == [b"1"]


def test_values_of_directories_are_unquoted(tmp_path: Path) -> None:
    write(tmp_path / "site=A%2FB" / "a.parquet", pa.table({"x": [1, 2]}))
    write(tmp_path / "site=%C3%A9" / "a.parquet", pa.table({"x": [3]}))
    cells = [
        (value, x)
        for shard in list_local([str(tmp_path / "*" / "*.parquet")])
        for rows in read_rows(WorkItem(shard), ["x", "site"], 9, open_local)
        for value, x in zip(
            rows.column("site").to_pylist(), rows.column("x").to_pylist(), strict=True
        )
    ]
    assert sorted(cells) == [(b"A/B", 1), (b"A/B", 2), ("é".encode(), 3)]


def test_columns_of_directories_alone(tmp_path: Path) -> None:
    shard = write(tmp_path / "a=1" / "b=2" / "x.parquet", pa.table({"x": [1, 2, 3]}))
    batches = list(read_rows(WorkItem(shard), ["a", "b"], 2, open_local))
    assert [rows.numbers.tolist() for rows in batches] == [[0, 1], [2]]
    assert [rows.column("b").to_pylist() for rows in batches] == [[b"2", b"2"], [b"2"]]


def test_numbers_go_on_over_batches_from_the_first_row_of_the_item(tmp_path: Path) -> None:
    shard = write(tmp_path / "a.parquet", pa.table({"x": range(10)}), row_group_size=3)
    item = WorkItem(shard, 3, (1, 4))
    batches = list(read_rows(item, ["x"], 4, open_local))
    assert [n for rows in batches for n in rows.numbers.tolist()] == list(range(3, 10))
    for rows in batches:
        assert rows.numbers.tolist() == rows.column("x").to_pylist()
        assert rows.path == shard.path


@pytest.mark.parametrize("wanted", [["x", "lable"], ["lable"], ["z", "lable"]])
def test_a_missing_column_is_named_with_what_there_is(tmp_path: Path, wanted: list[str]) -> None:
    rows = pa.table({"x": [1, 2], "label": [0, 1]})
    shard = write(tmp_path / "site=A" / "a.parquet", rows)
    with pytest.raises(DataFault) as caught:
        list(read_rows(WorkItem(shard), wanted, 9, open_local))
    fault = caught.value
    assert (fault.path, fault.reason) == (shard.path, "missing_column")
    assert "no column 'lable'" in fault.detail
    assert fault.detail.endswith("it has: label, site, x")


@pytest.mark.parametrize("name", ["a.parquet", "a.tfrecord", "a.tfrecord.gz"])
def test_items_of_a_shard(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith("parquet"):
        shard = write(path, pa.table({"x": [1, 2]}), row_group_size=1)
        assert plan_items(shard, open_local) == [WorkItem(shard, 0, (0, 2))]
        return
    path.write_bytes(b"never opened here")
    (shard,) = list_local([str(path)])
    assert plan_items(shard, open_local) == [WorkItem(shard)]


def test_tfrecord_rows_whose_columns_are_all_directories(tmp_path: Path) -> None:
    path = tmp_path / "site=A" / "a.tfrecord"
    path.parent.mkdir()
    write_records(str(path), [encode_example({"x": [1.0]}), encode_example({})])
    (shard,) = list_local([str(path)])
    (rows,) = read_rows(WorkItem(shard), ["site"], 9, open_local)
    assert len(rows) == 2
    assert rows.column("site").to_pylist() == [b"A", b"A"]


def test_an_absent_feature_is_an_empty_list(tmp_path: Path) -> None:
    records = [{"x": [1.0, 2.0]}, {}, {"x": [3.0]}]
    write_records(str(tmp_path / "a.tfrecord"), [encode_example(r) for r in records])
    (shard,) = list_local([str(tmp_path / "a.tfrecord")])
    (rows,) = read_rows(WorkItem(shard), ["x", "y"], 9, open_local)
    assert rows.column("x").to_pylist() == [[1.0, 2.0], [], [3.0]]
    assert rows.column("y").to_pylist() == [[], [], []]


@pytest.mark.parametrize("name", ["a.parquet", "a.tfrecord"])
def test_a_file_that_is_gone_is_a_fault(tmp_path: Path, name: str) -> None:
    shard = make_shard(str(tmp_path / name), 3)

    def read() -> None:
        for item in plan_items(shard, open_local):
            list(read_rows(item, ["x"], 9, open_local))

    with pytest.raises(DataFault, match=rf"{name}: missing_file: .* run again"):
        read()


RECORDS = [encode_example({"x": [number]}) for number in range(9)]
SIZE = 16 + len(RECORDS[0])


def write_damaged(path: Path, *places: int) -> WorkItem:
    """Writes nine records of the same size, and flips a bit in some of them."""
    plain = path.parent / "plain"
    write_records(plain, RECORDS)
    content = bytearray(plain.read_bytes())
    for place in places:
        content[place] ^= 1
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    (shard,) = list_local([str(path)])
    return WorkItem(shard)


@pytest.mark.parametrize("columns", [["x"], ["site"]])
@pytest.mark.parametrize("batch_rows", [1, 2, 99])
@pytest.mark.parametrize("name", ["a.tfrecord", "a.tfrecord.gz"])
def test_rows_keep_their_numbers_and_losses_are_told_in_order(
    tmp_path: Path, name: str, batch_rows: int, columns: list[str]
) -> None:
    folder = tmp_path / "site=A"
    folder.mkdir()
    item = write_damaged(folder / name, SIZE + 12, 4 * SIZE - 1, 5 * SIZE - 1, 7 * SIZE)
    path = item.shard.path
    told: list[Lost] = []

    def lost(loss: Lost) -> None:
        assert threading.current_thread() is threading.main_thread()
        told.append(loss)

    numbers = []
    for rows in read_rows(item, columns, batch_rows, open_local, ReadOptions("skip_rest"), lost):
        numbers += rows.numbers.tolist()
        assert len(rows) == rows.batch.num_rows <= batch_rows
        assert {loss.row for loss in told} >= {row for row in (1, 3, 4) if row < numbers[-1]}
        if "x" in columns:
            assert rows.scalars("x")[0].to_pylist() == rows.numbers.tolist()
    assert numbers == [0, 2, 5, 6]
    records = [Lost(path, row, row * SIZE, SIZE, 1, "corrupt_record") for row in (1, 3, 4)]
    assert told == [*records, Lost(path, 7, 7 * SIZE, 2 * SIZE, None, "corrupt_record")]


def test_losses_before_a_fault_are_told(tmp_path: Path) -> None:
    item = write_damaged(tmp_path / "a.tfrecord", 12, 4 * SIZE + 12, 5 * SIZE)
    told: list[Lost] = []
    rows = read_rows(item, ["x"], 99, open_local, ReadOptions("skip_record"), told.append)
    assert next(rows).numbers.tolist() == [1, 2, 3]
    with pytest.raises(DataFault, match="row 5"):
        next(rows)
    assert [loss.row for loss in told] == [0, 4]


def test_losses_behind_the_last_row_are_told_before_a_fault(tmp_path: Path) -> None:
    item = write_damaged(tmp_path / "a.tfrecord", 12, SIZE + 12, 2 * SIZE)
    told: list[Lost] = []
    with pytest.raises(DataFault, match="row 2"):
        list(read_rows(item, ["x"], 9, open_local, ReadOptions("skip_record"), told.append))
    assert [loss.row for loss in told] == [0, 1]


def test_nothing_is_left_out_unless_it_is_asked_for(tmp_path: Path) -> None:
    item = write_damaged(tmp_path / "a.tfrecord", 2 * SIZE + 12)
    with pytest.raises(DataFault, match=r"row 2.*corrupt_record"):
        list(read_rows(item, ["x"], 99, open_local))
    with pytest.raises(DataFault, match=r"row 2.*corrupt_record"):
        list(read_columns(item.shard, open_local))
    assert read_columns(item.shard, open_local, ReadOptions("skip_record"))["x"].value_type == (
        pa.int64()
    )
