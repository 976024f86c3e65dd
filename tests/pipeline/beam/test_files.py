"""Listing files wherever they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from apache_beam.io.filesystem import FileMetadata, MatchResult
from apache_beam.io.filesystems import FileSystems

from pipeline.beam.files import list_shards
from pipeline.readers.shards import list_local

REMOTE = {
    "gs://b/*": {"gs://b/a.pq": 1, "gs://b/_SUCCESS": 0, "gs://b/dir/": 0, "gs://b/c.pq.tmp": 1},
    "gs://b/a*": {"gs://b/a.pq": 1},
    "gs://b/none*": {},
}


def match(patterns: list[str]) -> list[MatchResult]:
    return [
        MatchResult(pattern, [FileMetadata(path, size) for path, size in REMOTE[pattern].items()])
        for pattern in patterns
    ]


def test_files_here_and_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FileSystems, "match", match)
    (tmp_path / "x.pq").write_bytes(b"xy")
    here = str(tmp_path / "*")
    listing = list_shards(["gs://b/*", here, "gs://b/a*", "gs://b/none*"])
    assert [(shard.path, shard.bytes) for shard in listing] == [
        (str(tmp_path / "x.pq"), 2),
        ("gs://b/a.pq", 1),
    ]
    assert listing.notes == (
        "no file matches gs://b/none*",
        "gs://b/a.pq is matched by 2 globs and read once",
        "passed over, as hidden, temporary or beginning with '_': 2 files (gs://b/_SUCCESS,"
        " gs://b/c.pq.tmp)",
    )
    assert list_shards([here]) == list_local([here])
