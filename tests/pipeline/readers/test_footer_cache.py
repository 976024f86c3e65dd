"""A footer is read once in an evaluation, however many parts and passes read the file."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors.faults import DataFault
from pipeline.evaluate import evaluate
from pipeline.readers import footer_cache, parquet
from pipeline.readers.file_list import list_local
from pipeline.readers.footer_cache import FooterCache
from pipeline.readers.parquet_footer import ParquetFooter, read_parquet_footer
from pipeline.readers.read import inspect, read_rows
from pipeline.readers.shards import make_shard
from pipeline.readers.storage import open_local
from tests.pipeline.tables import plan_of

SLICED = "slices: [g]\nheads: {h: {type: binary, logits: s, label: y}}"
TWICE = f"allow_duplicate_files: true\n{SLICED}"


def write(path: Path, rows: int = 400, groups: int = 4) -> None:
    rng = np.random.default_rng(rows)
    columns = {"s": rng.normal(size=rows), "y": rng.integers(0, 2, rows), "g": rng.choice(9, rows)}
    pq.write_table(pa.table(columns), path, row_group_size=rows // groups)


@pytest.fixture
def footers_read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The path of every footer that is read."""
    paths: list[str] = []

    def reading(stream: BinaryIO, path: str) -> ParquetFooter:
        paths.append(path)
        return read_parquet_footer(stream, path)

    monkeypatch.setattr(parquet, "read_parquet_footer", reading)
    return paths


def test_an_evaluation_reads_a_footer_once(
    tmp_path: Path, footers_read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "ITEM_ROWS", 100)
    for name in ("a", "b"):
        write(tmp_path / f"{name}.parquet")
    report = evaluate(str(tmp_path / "*.parquet"), plan_of(TWICE)).report
    assert report["rows"]["read"] == 800
    # Two files of four parts, which are counted, then measured.
    assert footers_read == [str(tmp_path / "a.parquet"), str(tmp_path / "b.parquet")]


def test_without_room_only_the_last_footer_is_kept(
    tmp_path: Path, footers_read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(footer_cache, "MAX_BYTES", 1)
    cache = FooterCache()
    shards = []
    for name in ("a", "b"):
        write(path := tmp_path / f"{name}.parquet")
        shards.append(make_shard(str(path), path.stat().st_size))
    items = [inspect(shard, open_local, footers=cache).items[0] for shard in shards]
    assert [cache.get(shard) is None for shard in shards] == [True, False]
    for item, number in zip(reversed(items), (2, 3), strict=True):
        assert sum(map(len, read_rows(item, ["s"], 50, open_local, footers=cache))) == 400
        assert len(footers_read) == number


def test_a_file_that_changes_its_size_while_it_is_read_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write(path)
    cache = FooterCache()
    (shard,) = list_local([str(path)])
    (item,) = inspect(shard, open_local, footers=cache).items
    write(path, 600)
    with pytest.raises(DataFault, match=r"changed_file: .* it had .* run again"):
        list(read_rows(item, ["s"], 50, open_local, footers=cache))
