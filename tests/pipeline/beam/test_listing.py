"""Listings of files elsewhere, and that what is read is what was listed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.beam import stores
from pipeline.beam.files import BUFFER_BYTES, open_file
from pipeline.beam.listing import list_shards
from pipeline.errors.faults import DataFault, StorageError
from pipeline.readers.file_list import list_local
from pipeline.readers.stamps import Stamp, held

DATA = ("in/a.pq", "in/day=1/b.pq", "in/day=1/_c.pq", "in/_t/d.pq", "in/.h/e.pq", "in/f.pq.tmp")


def put(memory: dict[str, bytes], *names: str) -> None:
    for number, name in enumerate(names):
        memory[f"mem://b/{name}"] = b"PAR1" + bytes(number)


def listed(*patterns: str) -> list[str]:
    shards = list_shards([f"mem://b/{pattern}" for pattern in patterns])
    return [shard.path.removeprefix("mem://b/") for shard in shards]


def problems(*patterns: str) -> list[str]:
    lines = list_shards([f"mem://b/{pattern}" for pattern in patterns]).problems
    return [line.replace("mem://b", "") for line in lines]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("in/a.pq", ["in/a.pq"]),
        ("in/*.pq", ["in/a.pq"]),
        ("in/*", ["in/a.pq", "in/day=1/b.pq"]),
        ("in/**", ["in/a.pq", "in/day=1/b.pq"]),
        ("in/day=*", ["in/day=1/b.pq"]),
        ("in", ["in/a.pq", "in/day=1/b.pq"]),
        ("in/", ["in/a.pq", "in/day=1/b.pq"]),
        ("in/_t/", ["in/_t/d.pq"]),
        ("in/_t", ["in/_t/d.pq"]),
        ("", ["in/a.pq", "in/day=1/b.pq"]),
    ],
)
def test_folders_are_prefixes(memory: dict[str, bytes], pattern: str, expected: list[str]) -> None:
    put(memory, *DATA)
    # Some tools leave objects that stand for folders; others begin like a folder and are none.
    memory["mem://b/in/"] = memory["mem://b/in/day=1_$folder$"] = b""
    put(memory, "input/x.pq")
    if pattern == "":
        del memory["mem://b/input/x.pq"]
    assert listed(pattern) == expected
    assert problems(pattern) == []


def test_a_bucket_is_a_folder(memory: dict[str, bytes]) -> None:
    put(memory, "a.pq", "x/b.pq")
    assert [shard.path for shard in list_shards(["mem://b"])] == ["mem://b/a.pq", "mem://b/x/b.pq"]


def test_notes(memory: dict[str, bytes]) -> None:
    put(memory, *DATA)
    listing = list_shards(["mem://b/in", "mem://b/in/a*"])
    assert listing.notes == (
        "mem://b/in is a folder: all files below it are read",
        "mem://b/in/a.pq is matched by 2 globs and read once",
        "passed over, as hidden, temporary or beginning with '_': 4 files (mem://b/in/.h/e.pq,"
        " mem://b/in/_t/d.pq, mem://b/in/day=1/_c.pq, mem://b/in/f.pq.tmp)",
    )


def test_files_here_and_elsewhere(tmp_path: Path, memory: dict[str, bytes]) -> None:
    (tmp_path / "x.pq").write_bytes(b"xy")
    put(memory, "a.pq")
    here = f"{tmp_path}/*"
    assert [(shard.path, shard.bytes) for shard in list_shards(["mem://b/*", here])] == [
        (str(tmp_path / "x.pq"), 2),
        ("mem://b/a.pq", 4),
    ]
    assert list_shards([here]) == list_local([here])


def test_every_glob_must_match(memory: dict[str, bytes]) -> None:
    put(memory, "a.pq", "_b.pq", "x/c.pq")
    assert problems("a*", "none*", "none", "_b.pq", "{a,x}*") == [
        "no file matches /_b.pq: all are passed over (/_b.pq)",
        "no file matches /none",
        "no file matches /none*",
        "no file matches /{a,x}*; braces are not expanded: give --input twice",
    ]


def test_first_bytes_tell_the_format(memory: dict[str, bytes]) -> None:
    put(memory, "000000_0", "x")
    assert [shard.format for shard in list_shards(["mem://b/*"])] == ["parquet", "parquet"]
    memory["mem://b/z"] = b"rubbish"
    with pytest.raises(ValueError, match=r"^mem://b/z: cannot tell the format from the name, nor"):
        list_shards(["mem://b/*"])
    assert len(list_shards(["mem://b/*"], "tfrecord")) == 3


def test_what_the_store_refuses_is_told(memory: dict[str, bytes]) -> None:
    for pattern in ("*.pq", "a.pq", "in/"):
        with pytest.raises(StorageError, match="is not yours"):
            list_shards([f"mem://closed/{pattern}"])
    with pytest.raises(ValueError, match="malformed"):
        list_shards(["mem://b/[b-a]"])


@pytest.mark.parametrize(
    ("mark", "told"),
    [
        ("t/_delta_log/0.json", "/t is a Delta Lake table"),
        ("t/.hoodie/x", "/t is a Hudi table"),
        ("t/metadata/1.metadata.json", "/t is an Iceberg table"),
        ("t/_temporary/0/x", "/t has _temporary/"),
    ],
)
@pytest.mark.parametrize("pattern", ["t", "t/", "t/*", "t/a*", "*", "t/day=1/*", "t/*/*.pq", "**"])
def test_tables_are_refused(memory: dict[str, bytes], mark: str, told: str, pattern: str) -> None:
    put(memory, "t/a.pq", "t/day=1/b.pq", "u/c.pq", mark)
    (problem,) = problems(pattern)
    assert problem.startswith(told)
    # Their files may be listed one by one.
    assert problems("t/a.pq", "u/*") == []


def test_other_folders_are_no_tables(memory: dict[str, bytes]) -> None:
    put(memory, "t/a.pq", "t/metadata/1.json", "t/x/metadata.json", "v/_temporary/x", "t/_deltas/x")
    assert problems("t/*.pq") == []


@pytest.mark.parametrize("size", [9, BUFFER_BYTES + 1])
def test_a_file_that_changes_is_told(memory: dict[str, bytes], size: int) -> None:
    path = "mem://b/a.pq"
    memory[path] = bytes(size)
    (shard,) = list_shards([path])
    open_ = held(path, shard.stamp, open_file)
    with open_(path) as stream:
        assert len(stream.read()) == size
    memory[path] = b"x" * size
    with pytest.raises(DataFault, match=f"^{path}: changed_file: .*it was written again"):
        open_(path)
    memory[path] = b"x"
    with pytest.raises(DataFault, match=f"{path}: changed_file: .*had {size:,} bytes, and has 1"):
        open_(path)
    del memory[path]
    with pytest.raises(DataFault, match=f"{path}: missing_file"):
        open_(path)


def test_a_large_file_that_changes_while_it_is_read(memory: dict[str, bytes]) -> None:
    path = "mem://b/a.pq"
    memory[path] = bytes(2 * BUFFER_BYTES)
    (shard,) = list_shards([path])

    def read() -> None:
        with held(path, shard.stamp, open_file)(path) as stream:
            stream.read(9)
            memory[path] = b"x" * (2 * BUFFER_BYTES)

    with pytest.raises(DataFault, match="changed_file"):
        read()


class _Blob:
    def __init__(self, name: str, size: int, generation: int) -> None:
        self.name, self.size, self.generation = name, size, generation


class _Google:
    """What is asked of Beam's access to Google Cloud Storage."""

    _storage_client_retry = None

    def __init__(self) -> None:
        self.blobs = {"in/a.pq": _Blob("in/a.pq", 3, 17), "in/b.pq": _Blob("in/b.pq", 4, 18)}
        self.client = self

    def list_blobs(self, bucket: str, prefix: str, retry: object) -> Iterator[_Blob]:
        assert bucket == "b"
        yield from (blob for name, blob in self.blobs.items() if name.startswith(prefix))

    def bucket(self, name: str) -> _Google:
        assert name == "b"
        return self

    def get_blob(self, name: str, retry: object) -> _Blob | None:
        return self.blobs.get(name)

    def open(self, path: str, mode: str) -> Any:
        return SimpleNamespace(_blob=self.blobs[path.removeprefix("gs://b/")])


def test_generations_of_google_cloud_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    google = _Google()
    system = SimpleNamespace(scheme=lambda: "gs", _gcsIO=lambda: google)
    monkeypatch.setattr(stores.FileSystems, "get_filesystem", lambda path: system)
    store = stores.store_of("gs://b/in/a.pq")
    stamps = {"gs://b/in/a.pq": Stamp(3, tag="17"), "gs://b/in/b.pq": Stamp(4, tag="18")}
    assert dict(store.files("gs://b/in/")) == stamps
    assert store.file("gs://b/in/a.pq") == stamps["gs://b/in/a.pq"]
    assert store.file("gs://b/in/none") is None
    assert store.open("gs://b/in/b.pq")[1] == stamps["gs://b/in/b.pq"]
