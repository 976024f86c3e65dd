"""Copies of files are found by what was read of them, however that was cut and stored."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import pytest

from pipeline.errors.faults import BadData
from pipeline.evaluate import evaluate
from pipeline.readers import parquet, read
from pipeline.readers.tfrecord.blocks import write_records
from pipeline.readers.tfrecord.examples import encode_example
from pipeline.validation.contents import Contents
from tests.pipeline.tables import PLAIN, binary_table, plan_of, write

SLICED = "slices: [g]\n" + PLAIN


def content(path: Path, text: str = SLICED) -> Contents:
    (findings,) = evaluate(str(path), plan_of(text)).findings.values()
    return findings.contents


def test_the_content_of_a_file_does_not_depend_on_how_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = binary_table(200, 1)
    write(tmp_path / "a.parquet", table)
    expected = content(tmp_path / "a.parquet")
    write(tmp_path / "b.parquet", table.take(list(range(199, -1, -1))), row_group_size=7)
    # What is left out counts as well.
    where = "where: [{column: g, values: [a]}]\n" + SLICED
    monkeypatch.setattr(parquet, "ITEM_ROWS", 20)
    monkeypatch.setattr(read, "BATCH_ROWS", 3)
    for name in ("a", "b"):
        for text in (SLICED, where):
            assert content(tmp_path / f"{name}.parquet", text) == expected
    assert content(tmp_path / "a.parquet", PLAIN) != expected


def test_copies_are_found_in_every_storage(tmp_path: Path) -> None:
    table = binary_table(100, 1)
    write(tmp_path / "a.parquet", table)
    shutil.copy(tmp_path / "a.parquet", tmp_path / "b.parquet")
    rows = table.to_pylist()
    records = [encode_example({"s": [row["s"]], "y": [row["y"]]}) for row in rows]
    write_records(tmp_path / "c.tfrecord", records)
    (tmp_path / "d.tfrecord.gz").write_bytes(gzip.compress((tmp_path / "c.tfrecord").read_bytes()))
    for pattern, names in (("*.parquet", "a.parquet, .*b.parquet"), ("*.tf*", "c.tf.*, .*d.tf")):
        with pytest.raises(BadData, match=rf"{names}.* hold the same 100 rows .*allow_dup"):
            evaluate(f"{tmp_path}/{pattern}", plan_of(PLAIN))
        allowed = plan_of(f"allow_duplicate_files: true\n{PLAIN}")
        assert evaluate(f"{tmp_path}/{pattern}", allowed).report["rows"]["read"] == 200
    write(tmp_path / "b.parquet", binary_table(100, 2))
    assert evaluate(f"{tmp_path}/*.parquet", plan_of(PLAIN)).report["rows"]["read"] == 200
