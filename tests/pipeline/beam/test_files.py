"""Files wherever they are: listed, read, written and deleted."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from apache_beam.io.filesystems import FileSystems

from pipeline.beam import files
from pipeline.beam.files import (
    BUFFER_BYTES,
    absolute,
    create_file,
    delete_files,
    exists,
    explained,
    open_file,
    read_file,
    replace_file,
    write_file,
)
from pipeline.beam.store import BeamStore
from pipeline.errors.faults import StorageError


@pytest.fixture(params=["here", "elsewhere"])
def place(request: pytest.FixtureRequest, tmp_path: Path, memory: dict[str, bytes]) -> str:
    """A directory of this machine, and one elsewhere."""
    return str(tmp_path) if request.param == "here" else "mem://b"


@pytest.mark.parametrize("size", [1, BUFFER_BYTES, BUFFER_BYTES + 1, 3 * BUFFER_BYTES])
def test_what_is_written_is_read_from_anywhere_in_it(place: str, size: int) -> None:
    content = os.urandom(size)
    path = f"{place}/deep/file"
    assert not exists(path)
    write_file(path, content)
    assert exists(path)
    assert read_file(path) == content
    with open_file(path) as stream:
        for start in (size // 2, 0, size - 1):
            stream.seek(start)
            assert stream.read(100) == content[start : start + 100]
        assert stream.seek(0, io.SEEK_END) == size
        assert stream.read(1) == b""


def test_a_large_file_is_not_read_whole(
    memory: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []

    class Raw(files._Raw):
        def readinto(self, buffer: memoryview) -> int:
            read.append(len(buffer))
            return super().readinto(buffer)

    monkeypatch.setattr(files, "_Raw", Raw)
    memory["mem://b/file"] = bytes(4 * BUFFER_BYTES)
    with open_file("mem://b/file") as stream:
        for start in (0, 10, 1000):
            stream.seek(start)
            stream.read(10)
    assert read == [BUFFER_BYTES]


def test_no_such_file(place: str) -> None:
    with pytest.raises(FileNotFoundError, match="No such file or directory") as caught:
        open_file(f"{place}/none")
    assert caught.value.filename == f"{place}/none"


def test_what_the_store_refuses_is_told_with_the_path(memory: dict[str, bytes]) -> None:
    path = "mem://closed/file"
    for step in (open_file, exists, create_file):
        with pytest.raises(StorageError, match=r"mem://closed/file: mem://.* is not yours$"):
            step(path)
    with pytest.raises(StorageError, match="is not yours"):
        write_file(path, b"x")
    with pytest.raises(StorageError, match=r"^mem://closed/file: mem://closed/file is not yours$"):
        delete_files([path])
    for directory in (BeamStore().children, BeamStore().delete_directory):
        with pytest.raises(StorageError, match=r"mem://closed/file/: mem://.* is not yours$"):
            directory(path)


class Missing(Exception):
    code = 404


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(5, "the disk is gone"), "the disk is gone"),
        (KeyError(), "KeyError"),
        (Missing("no such bucket"), "no such bucket"),
    ],
)
def test_what_clients_raise(error: Exception, told: str) -> None:
    with pytest.raises(StorageError, match=rf"^mem://b/x: .*{told}"), explained("mem://b/x"):
        raise error


def test_a_client_that_says_404_of_a_file_that_is_read() -> None:
    with pytest.raises(FileNotFoundError), explained("mem://b/x", reading=True):
        raise Missing("no such key")


def test_nothing_to_write(place: str) -> None:
    with pytest.raises(ValueError, match="a file of no bytes"):
        write_file(f"{place}/file", b"")
    assert not exists(f"{place}/file")


def test_a_file_is_replaced_whole(place: str) -> None:
    for content in (b"old", b"newer"):
        replace_file(f"{place}/file", content)
        assert read_file(f"{place}/file") == content
    (found,) = FileSystems.match([f"{place}/*"])
    assert [metadata.path for metadata in found.metadata_list] == [f"{place}/file"]


def test_a_file_that_cannot_be_replaced_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail(*paths: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(StorageError, match="file: Permission denied"):
        replace_file(str(path), b"new")
    assert path.read_bytes() == b"old"


def test_a_late_worker_makes_no_directory_of_an_ended_run(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="gone/file: No such file or directory"):
        replace_file(str(tmp_path / "gone" / "file"), b"x")
    assert list(tmp_path.iterdir()) == []


NAMES = ("[12]/a", "[12]/deep/b", "[12]/c*", "1/a", "12", "[12]x", "report.json")


@pytest.fixture
def tree(place: str) -> str:
    """A directory with names that a glob would read otherwise."""
    for name in NAMES:
        write_file(f"{place}/{name}", name.encode())
    return place


def names_in(place: str) -> set[str]:
    return {name for name in NAMES if exists(f"{place}/{name}")}


def test_a_directory_is_deleted_with_what_is_in_it(tree: str) -> None:
    for _ in range(2):
        BeamStore().delete_directory(f"{tree}/[12]")
        assert names_in(tree) == {"1/a", "12", "[12]x", "report.json"}


def test_no_path_is_a_glob(tree: str) -> None:
    store = BeamStore()
    assert store.children(f"{tree}/[12]") == ["a", "c*", "deep"]
    assert store.children(f"{tree}/*") == []
    assert store.children(f"{tree}/none") == []
    store.delete([f"{tree}/[12]/c*", f"{tree}/[12]/*", f"{tree}/?/a"])
    assert names_in(tree) == set(NAMES) - {"[12]/c*"}


def test_a_store_moves_files_and_keeps_them(place: str) -> None:
    store = BeamStore()
    store.make_directory(f"{place}/stage")
    for content in (b"old", b"new", b"new"):
        store.write(f"{place}/stage/file", content)
        store.move(store.prepare(f"{place}/stage/file"), f"{place}/out/file")
        store.sync(f"{place}/out")
        assert store.read(f"{place}/out/file") == store.read(f"{place}/stage/file") == content
        assert store.children(f"{place}/stage") == ["file"]
    with store.lock(f"{place}/out", 0) as has_locks:
        assert has_locks == (place != "mem://b")
    with pytest.raises(FileNotFoundError):
        store.read(f"{place}/none")


def test_paths_from_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute("a/../*.parquet") == str(tmp_path / "*.parquet")
    for path in (str(tmp_path), "gs://b/*", "s3://b/a/../b"):
        assert absolute(path) == path
