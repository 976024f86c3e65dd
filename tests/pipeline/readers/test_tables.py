"""Tests which folders must not be read file by file."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.readers.file_list import list_local
from pipeline.readers.tables import mark_in
from tests.pipeline.readers.planted import plant

TABLE = "files also hold rows that were replaced or deleted. Give an --input for each"
WRITTEN = "it is still being written"
MARKS = {
    "_delta_log/00000.json": f"t is a Delta Lake table (_delta_log/): its {TABLE}",
    ".hoodie/hoodie.properties": f"t is a Hudi table (.hoodie/): its {TABLE}",
    "metadata/v1.metadata.json": f"t is an Iceberg table (metadata/*.metadata.json): its {TABLE}",
    "_temporary/0/x": f"t has _temporary/: {WRITTEN}",
}


def problems(root: Path, *patterns: str) -> list[str]:
    listing = list_local([str(root / pattern) for pattern in patterns])
    return [problem.replace(f"{root}/", "") for problem in listing.problems]


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize(
    "pattern",
    [
        "t",
        "t/",
        "t/*.parquet",
        "t/**/*.parquet",
        "*",
        "**/*.parquet",
        "t/day=1/*",
        "t/day=*/*.parquet",
    ],
)
def test_tables_and_unfinished_folders_are_refused(tmp_path: Path, mark: str, pattern: str) -> None:
    plant(tmp_path, "t/a.parquet", "t/day=1/b.parquet", f"t/{mark}", "u/c.parquet")
    (problem,) = problems(tmp_path, pattern)
    assert problem.startswith(MARKS[mark])


@pytest.mark.parametrize("mark", MARKS)
def test_files_of_a_table_may_be_listed_by_name(tmp_path: Path, mark: str) -> None:
    plant(tmp_path, "t/a.parquet", "t/b.parquet", f"t/{mark}", "u/c.parquet")
    assert problems(tmp_path, "t/a.parquet", "u/*") == []
    assert len(list_local([str(tmp_path / "t/a.parquet")])) == 1


def test_links_to_the_current_files_of_a_table_are_a_list(tmp_path: Path) -> None:
    plant(tmp_path, "t/a.parquet", "t/_delta_log/0.json")
    (tmp_path / "current").mkdir()
    (tmp_path / "current/a.parquet").symlink_to(tmp_path / "t/a.parquet")
    (tmp_path / "other").symlink_to("t")
    assert problems(tmp_path, "current/*") == []
    assert len(problems(tmp_path, "other/*")) == 1


def test_a_table_may_be_any_folder_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(tmp_path, "t/2026/11/a.parquet", "t/.hoodie/x", "job/_temporary/x", "job/done/b.parquet")
    assert len(problems(tmp_path, "t/2026/11/*")) == 1
    monkeypatch.chdir(tmp_path / "t/2026/11")
    assert len(list_local(["*.parquet"]).problems) == 1
    # A job that writes elsewhere in a folder above is no matter, if the folder is no partition.
    plant(tmp_path, "up/_temporary/x", "up/k=1/job/done/b.parquet")
    assert problems(tmp_path, "job/done/*", "up/k=1/job/done/*") == []
    assert len(problems(tmp_path, "job/**")) == 1


def test_folders_that_look_alike(tmp_path: Path) -> None:
    plant(tmp_path, "t/a.parquet", "t/metadata/notes.json", "t/_delta_logs/x")
    (tmp_path / "t/_delta_log").touch()
    assert problems(tmp_path, "t/*.parquet") == []
    assert problems(tmp_path, "t/a*") == []


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("gs://b/t/_delta_log/0.json", ("gs://b/t", "_delta_log")),
        ("gs://b/_delta_log/_temporary/0", ("gs://b", "_delta_log")),
        ("gs://b/t/.hoodie/", ("gs://b/t", ".hoodie")),
        ("gs://b/t/metadata/v1.metadata.json", ("gs://b/t", "metadata")),
        ("gs://b/t/metadata/x/v1.metadata.json", None),
        ("gs://b/t/metadata/v1.json", None),
        ("gs://b/t/_temporary/0/a", ("gs://b/t", "_temporary")),
        ("gs://b/t/a.parquet", None),
        ("gs://b/t/x_temporary/a", None),
    ],
)
def test_marks_in_paths(path: str, expected: tuple[str, str] | None) -> None:
    assert mark_in(path) == expected
