"""Tests Parquet: work items of row groups, batches with the right rows, and all kinds of damage."""

from __future__ import annotations

import io
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors.faults import DataFault
from pipeline.readers import batches, parquet, parquet_rows
from pipeline.readers.batches import bytes_of
from pipeline.readers.footer_cache import FooterCache
from pipeline.readers.parquet import _even_parts, read_batches, read_footer
from pipeline.readers.read import inspect, read_columns, read_rows
from pipeline.readers.rows import Rows
from pipeline.readers.shards import Shard, WorkItem, make_shard
from pipeline.readers.storage import open_local
from tests.faults.parquet_files import ParquetFile
from tests.pipeline.tables import law, write


def table(rows: int) -> pa.Table:
    return pa.table(
        {
            "n": np.arange(rows),
            "word": [f"w{i % 3}" for i in range(rows)],
            "list": [[float(i)] * (i % 3) for i in range(rows)],
        }
    )


def numbers_of(item: WorkItem, batch_rows: int = 1000) -> list[int]:
    batches = read_batches(item, ["n"], batch_rows, open_local)
    return [n for batch in batches for n in batch.column("n").to_pylist()]


def groups_of(items: list[WorkItem]) -> list[tuple[int, int] | None]:
    return [item.row_groups for item in items]


@pytest.mark.parametrize(
    ("item_rows", "expected"),
    [
        (1, [(0, 1), (1, 2), (2, 3), (3, 4)]),
        # The last row group has one row.
        (3, [(0, 1), (1, 2), (2, 4)]),
        (6, [(0, 2), (2, 4)]),
        (8, [(0, 2), (2, 4)]),
        (9, [(0, 2), (2, 4)]),
        (10, [(0, 4)]),
    ],
)
def test_row_groups_run_together_by_rows(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    item_rows: int,
    expected: list[tuple[int, int]],
) -> None:
    shard = write(tmp_path / "a.parquet", table(10), row_group_size=3)
    monkeypatch.setattr(parquet, "ITEM_ROWS", item_rows)
    items = read_footer(shard, open_local).items
    assert groups_of(items) == expected
    assert [item.first_row for item in items] == [3 * first for first, _ in expected]
    assert {item.shard for item in items} == {shard}


def test_row_groups_run_together_by_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shard = write(tmp_path / "a.parquet", table(12), row_group_size=3)
    footer = pq.read_metadata(shard.path)
    sizes = [footer.row_group(i).total_byte_size for i in range(4)]
    monkeypatch.setattr(parquet, "ITEM_BYTES", sum(sizes))
    assert groups_of(read_footer(shard, open_local).items) == [(0, 4)]
    monkeypatch.setattr(parquet, "ITEM_BYTES", sum(sizes) - 1)
    assert groups_of(read_footer(shard, open_local).items) == [(0, 2), (2, 4)]
    monkeypatch.setattr(parquet, "ITEM_BYTES", 1)
    assert groups_of(read_footer(shard, open_local).items) == [(i, i + 1) for i in range(4)]


def test_what_is_left_of_a_file_is_no_small_item(tmp_path: Path) -> None:
    # These 10 row groups would be uneven as an item of eight groups and a remainder of two.
    rows = pa.table({"n": np.zeros(1_250_000, np.int8)})
    shard = write(tmp_path / "a.parquet", rows, row_group_size=1 << 17)
    assert groups_of(read_footer(shard, open_local).items) == [(0, 5), (5, 10)]


@law
@given(st.lists(st.floats(0, 3), max_size=50))
def test_parts_are_even(costs: list[float]) -> None:
    parts = _even_parts(costs)
    assert parts == sorted(parts)
    assert len(parts) == len(costs)
    sizes = [
        sum(cost for cost, p in zip(costs, parts, strict=True) if p == part) for part in {*parts}
    ]
    # A cost cannot be split, so parts are even up to the largest cost.
    count = max(1, math.ceil(math.fsum(costs)))
    assert {*parts} <= {*range(count)}
    even = sum(costs) / count
    assert all(abs(size - even) <= max(costs) + 1e-9 for size in sizes)


def test_small_row_groups_are_one_item(tmp_path: Path) -> None:
    shard = write(tmp_path / "a.parquet", table(500), row_group_size=5)
    assert read_footer(shard, open_local).items == (WorkItem(shard, 0, (0, 100)),)


@law
@given(
    st.lists(st.integers(0, 7), max_size=8),
    st.integers(1, 12),
    st.integers(1, 4000),
    st.integers(1, 9),
)
def test_every_row_is_read_once_with_its_number(
    groups: list[int], item_rows: int, item_bytes: int, batch_rows: int
) -> None:
    stream = io.BytesIO()
    rows = table(sum(groups))
    with pq.ParquetWriter(stream, rows.schema) as writer:
        for first, size in zip(np.cumsum([0, *groups]), groups, strict=False):
            writer.write_table(rows.slice(int(first), size), row_group_size=max(size, 1))
    content = stream.getvalue()
    shard = make_shard("a.parquet", len(content))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "ITEM_ROWS", item_rows)
        patch.setattr(parquet, "ITEM_BYTES", item_bytes)
        items = read_footer(shard, lambda path: io.BytesIO(content)).items
    batches: list[Rows] = []
    for item in items:
        batches += read_rows(item, ["n"], batch_rows, lambda path: io.BytesIO(content))
    expected = list(range(len(rows)))
    assert [n for batch in batches for n in batch.numbers.tolist()] == expected
    assert [n for batch in batches for n in batch.column("n").to_pylist()] == expected
    assert all(len(batch) <= batch_rows for batch in batches)
    # Items are runs of all row groups in order.
    ends = [item.row_groups for item in items if item.row_groups]
    assert [first for first, _ in ends] == [0, *(last for _, last in ends)][: len(ends)]


def test_a_whole_file_is_an_item_too(tmp_path: Path) -> None:
    shard = write(tmp_path / "a.parquet", table(10), row_group_size=3)
    assert numbers_of(WorkItem(shard)) == list(range(10))
    assert numbers_of(WorkItem(shard, 3, (1, 3))) == list(range(3, 9))


def test_a_file_without_rows(tmp_path: Path) -> None:
    shard = write(tmp_path / "a.parquet", table(0))
    items = read_footer(shard, open_local).items
    assert [n for item in items for n in numbers_of(item)] == []
    assert read_footer(shard, open_local).schema.names == ["n", "word", "list"]


def test_only_the_columns_asked_for_are_read_and_text_stays_coded(tmp_path: Path) -> None:
    rows = table(10).append_column("raw", pa.array([b"a"] * 10))
    rows = rows.append_column("large", pa.array(["a"] * 10, pa.large_string()))
    shard = write(tmp_path / "a.parquet", rows)
    (batch,) = read_batches(WorkItem(shard), ["word", "n", "raw", "large", "?"], 99, open_local)
    assert sorted(batch.schema.names) == ["large", "n", "raw", "word"]
    assert batch.column("word").to_pylist() == rows["word"].to_pylist()
    for name in ("word", "raw", "large"):
        assert pa.types.is_dictionary(batch.schema.field(name).type)


def test_names_with_dots_and_nested_columns(tmp_path: Path) -> None:
    rows = pa.table({"a": [{"b": 1}], "a.b": [2], "c.d": [3], "c": [4]})
    shard = write(tmp_path / "a.parquet", rows)
    (batch,) = read_batches(WorkItem(shard), ["a.b", "c"], 9, open_local)
    assert batch.column("a.b").to_pylist() == [2]
    assert batch.column("c").to_pylist() == [4]


def mixed(rows: int) -> pa.Table:
    """Wide lists of several lengths, words that repeat, long texts and numbers."""
    return pa.table(
        {
            "list": [[i + j / 128 for j in range(i * 7 % 90)] for i in range(rows)],
            "word": [None if i % 5 == 0 else f"w{i % 9}" for i in range(rows)],
            "text": ["x" * (i * 31 % 200) for i in range(rows)],
            "n": range(rows),
        }
    )


class Watched(io.BytesIO):
    """A file that knows the largest piece that was read of it."""

    largest = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        type(self).largest = max(self.largest, len(data))
        return data


@pytest.mark.parametrize("encoding", [None, "PLAIN", "DELTA_BYTE_ARRAY"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_rows_are_the_same_in_small_pieces(
    monkeypatch: pytest.MonkeyPatch, encoding: str | None, version: str
) -> None:
    stream = io.BytesIO()
    pq.write_table(
        mixed(1500),
        stream,
        row_group_size=1000,
        use_dictionary=["word"] if encoding else True,
        column_encoding={"text": encoding} if encoding else None,
        dictionary_pagesize_limit=4000,
        data_page_version=version,
        data_page_size=2000,
        write_batch_size=64,
        compression="none",
    )
    content = stream.getvalue()
    monkeypatch.setattr(parquet_rows, "_READ_BYTES", 20_000)
    monkeypatch.setattr(parquet_rows, "_LEAST_PIECE_BYTES", 4_000)
    monkeypatch.setattr(parquet_rows, "_DECODE_BYTES", 30_000)
    monkeypatch.setattr(parquet_rows, "_UNEVEN_ROWS", 50)
    monkeypatch.setattr(batches, "BATCH_BYTES", 9_000)
    shard, footers = make_shard("a.parquet", len(content)), FooterCache()
    (item,) = read_footer(shard, lambda path: io.BytesIO(content), footers).items
    Watched.largest = 0
    columns = mixed(0).column_names
    found = list(read_batches(item, columns, 1000, lambda path: Watched(content), footers))
    assert (
        pa.concat_tables(
            [pa.Table.from_batches([plain_words(batch)]) for batch in found]
        ).to_pydict()
        == mixed(1500).to_pydict()
    )
    assert max(bytes_of(batch.columns) for batch in found) <= 9_000
    # Arrow looks for the header of a page in so many bytes.
    assert 0 < Watched.largest <= 1 << 14 < len(content) // 4


def plain_words(batch: pa.RecordBatch) -> pa.RecordBatch:
    """A batch with its text not coded, for in some row groups it need not be."""
    columns = [
        column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("stats", [False, True])
def test_text_whose_footer_tells_no_encodings_or_wrong_ones(
    monkeypatch: pytest.MonkeyPatch, stats: bool, streamed: bool
) -> None:
    words = [f"word {i % 50}" if i < 300 else f"other {i}" for i in range(900)]
    stream = io.BytesIO()
    pq.write_table(
        pa.table({"w": words}),
        stream,
        dictionary_pagesize_limit=900,
        data_page_size=300,
        write_batch_size=32,
    )
    file = ParquetFile(stream.getvalue())
    meta = file.meta(0, 0)
    kinds = [stat[2][1] for stat in meta[13][1][1] if stat[1][1] == 0]
    assert len(set(kinds)) == 2
    if stats:
        # The footer tells of the pages of codes alone.
        meta[13][1][1][:] = [stat for stat in meta[13][1][1] if stat[2][1] == 8]
    else:
        del meta[13]
        meta[2][1][1][:] = [8, 3]
    content = file.content()
    if streamed:
        monkeypatch.setattr(parquet_rows, "_READ_BYTES", 100)
        monkeypatch.setattr(parquet_rows, "_LEAST_PIECE_BYTES", 100)
    item = WorkItem(make_shard("a.parquet", 1))
    for batch_rows in (70, 1000):
        rows = read_batches(item, ["w"], batch_rows, lambda path: io.BytesIO(content))
        assert [word for batch in rows for word in batch.column("w").to_pylist()] == words


# Damage.


@pytest.fixture(scope="module")
def content() -> bytes:
    stream = io.BytesIO()
    pq.write_table(table(300), stream, row_group_size=100, write_page_checksum=True)
    return stream.getvalue()


def read(content: bytes, columns: list[str]) -> Iterator[pa.RecordBatch]:
    shard = make_shard("d/a.parquet", len(content))
    read_columns(shard, lambda path: io.BytesIO(content))
    for item in read_footer(shard, lambda path: io.BytesIO(content)).items:
        for rows in read_rows(item, columns, 50, lambda path: io.BytesIO(content)):
            yield rows.batch


def assert_fault(content: bytes) -> DataFault:
    with pytest.raises(DataFault) as caught:
        list(read(content, ["n", "word", "list"]))
    fault = caught.value
    assert (fault.path, fault.reason) == ("d/a.parquet", "corrupt_parquet")
    assert str(fault).startswith("d/a.parquet: ")
    assert fault.detail
    return fault


def test_a_file_that_was_cut_short(content: bytes) -> None:
    for size in [*range(20), *range(20, len(content), 97), len(content) - 1]:
        assert_fault(content[:size])


def test_a_file_of_something_else() -> None:
    for junk in (b"PAR1", b"PAR1PAR1", b"PAR1\xff\xff\xff\x7fPAR1", b"\x00" * 100, b"text" * 50):
        assert_fault(junk)


def test_a_changed_page_is_found_by_its_checksum(content: bytes) -> None:
    footer = pq.read_metadata(io.BytesIO(content))
    for group in range(3):
        for column in range(footer.num_columns):
            chunk = footer.row_group(group).column(column)
            # The last byte of the last page.
            at = (
                chunk.total_compressed_size
                - 1
                + (chunk.dictionary_page_offset or chunk.data_page_offset)
            )
            changed = bytearray(content)
            changed[at] ^= 1
            assert_fault(bytes(changed))


def test_damage_names_its_row_group_and_its_column(
    content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    chunk = pq.read_metadata(io.BytesIO(content)).row_group(1).column(0)
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    changed = bytearray(content)
    changed[start + chunk.total_compressed_size - 1] ^= 1
    for item_rows in (1000, 100):
        monkeypatch.setattr(parquet, "ITEM_ROWS", item_rows)
        fault = assert_fault(bytes(changed))
        assert fault.row_group == 1
        assert "row group 1: corrupt_parquet: column 'n': " in str(fault)


def test_rows_before_the_damage_are_given_first(
    content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "ITEM_ROWS", 100)
    chunk = pq.read_metadata(io.BytesIO(content)).row_group(2).column(0)
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    changed = bytearray(content)
    changed[start + chunk.total_compressed_size - 1] ^= 1
    batches = read(bytes(changed), ["n"])
    assert [len(next(batches)) for _ in range(4)] == [50] * 4
    with pytest.raises(DataFault):
        next(batches)


def test_any_changed_byte_is_a_fault_or_harmless(content: bytes) -> None:
    rng = random.Random(0)
    whole = [batch.column("n").to_pylist() for batch in read(content, ["n"])]
    faults = 0
    for _ in range(150):
        changed = bytearray(content)
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
        try:
            values: list[Any] = [b.column("n").to_pylist() for b in read(bytes(changed), ["n"])]
            assert sum(map(len, values)) <= sum(map(len, whole))
        except DataFault:
            faults += 1
    assert faults


def test_a_column_name_that_is_no_longer_text_is_a_fault() -> None:
    stream = io.BytesIO()
    pq.write_table(pa.table({"column": [1]}), stream, store_schema=False)
    content = stream.getvalue()
    assert b"column" in content
    assert_fault(content.replace(b"column", b"colu\xffn"))


def test_a_column_given_twice_is_a_fault_of_the_data(tmp_path: Path) -> None:
    rows = pa.table([pa.array([1]), pa.array([2]), pa.array([3])], names=["n", "n", "m"])
    shard = write(tmp_path / "a.parquet", rows)
    with pytest.raises(DataFault, match=r"repeated_column: .* 2 columns 'n': write"):
        list(read_rows(WorkItem(shard), ["n"], 9, open_local))
    # `headcount validate` reads the footer alone.
    with pytest.raises(DataFault, match="repeated_column"):
        inspect(shard, open_local, names=["m", "n"])
    assert inspect(shard, open_local, names=["m"]).rows == 1
    (rows_read,) = read_rows(WorkItem(shard), ["m"], 9, open_local)
    assert rows_read.column("m").to_pylist() == [3]


def test_a_shard_is_read_as_what_its_name_says(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"no Parquet at all")
    with pytest.raises(DataFault, match="corrupt_parquet"):
        read_footer(Shard(str(path), 17, "parquet"), open_local)


@pytest.mark.parametrize("checksums", [False, True])
@pytest.mark.parametrize("dictionary", [False, True])
@pytest.mark.parametrize("rows", [1, 300, 200_000])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_whether_pages_carry_checksums_is_told(
    tmp_path: Path, checksums: bool, dictionary: bool, rows: int, version: str
) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(
        table(rows),
        path,
        write_page_checksum=checksums,
        use_dictionary=dictionary,
        data_page_version=version,
        compression="zstd" if rows == 300 else "none",
    )
    footer = read_footer(make_shard(str(path), 1), open_local)
    assert (footer.page_checksums, footer.rows) == (checksums, rows)


def test_a_file_without_rows_lacks_no_checksum(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(table(0).slice(0, 0), path)
    assert read_footer(make_shard(str(path), 1), open_local).page_checksums
