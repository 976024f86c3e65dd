"""The walk through `docs/python.md`, line by line, and what it needs of files."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import fastavro
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "python.md"
AVRO = {
    "type": "record",
    "name": "prediction",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "size", "type": "string"},
        {"name": "logit", "type": "double"},
        {"name": "label", "type": "long"},
    ],
}


def test_the_page_is_what_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    columns = [field["name"] for field in AVRO["fields"]]
    rows = pq.read_table(ROOT / "configs/data/breast_cancer/parquet").select(columns)
    rows = rows.set_column(2, "logit", rows["logit"].cast(pa.float64()))
    pyarrow.csv.write_csv(rows, tmp_path / "predictions.csv")
    with (tmp_path / "predictions.avro").open("wb") as stream:
        fastavro.writer(stream, AVRO, rows.to_pylist())
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text()
    shown = "\n".join(re.findall(r"^```pycon\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
    page = doctest.DocTestParser().get_doctest(shown, {}, PAGE.name, str(PAGE), 0)
    told: list[str] = []
    found = doctest.DocTestRunner().run(page, out=told.append)
    assert found.attempted > 20
    assert not found.failed, "".join(told)
