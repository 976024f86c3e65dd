"""Tests that a file is held against the stamp of its listing whenever it is opened."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from pipeline.errors.faults import DataFault, ReadError
from pipeline.readers.stamps import Stamp, held, stamp_of
from pipeline.readers.storage import open_local

Change = Callable[[Path], object]


def again(path: Path) -> None:
    """Writes a file anew, with the same size and at the same moment, as far as that is told."""
    status = path.stat()
    other = path.with_name("other")
    other.write_bytes(b"new")
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    os.replace(other, path)


def later(path: Path) -> None:
    path.write_bytes(b"new")
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


CHANGES: dict[str, tuple[Change, str]] = {
    "shorter": (lambda path: path.write_bytes(b"o"), "changed_file.*had 3 bytes, and has 1 now"),
    "longer": (lambda path: path.write_bytes(b"older"), "changed_file.*and has 5 now"),
    "written": (later, "changed_file.*written again"),
    "replaced": (again, "changed_file.*written again"),
    "deleted": (lambda path: path.unlink(), "missing_file: .*restore it"),
    "a pipe": (pipe, "changed_file.*no file any more"),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.pq"
    path.write_bytes(b"old")
    return path


def opener(path: Path) -> Callable[[str], BinaryIO]:
    return held(str(path), stamp_of(path.stat()), open_local)


@pytest.mark.parametrize("name", CHANGES)
def test_a_file_that_changed_is_not_opened(path: Path, name: str) -> None:
    change, told = CHANGES[name]
    open_ = opener(path)
    change(path)
    with pytest.raises(DataFault, match=f"^{path}: {told}"):
        open_(str(path))


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("error", [None, OSError(errno.EIO, "x"), DataFault("p", "corrupt", "x")])
def test_a_file_that_changes_while_it_is_read(
    path: Path, name: str, error: Exception | None
) -> None:
    change, told = CHANGES[name]
    open_ = opener(path)

    def read() -> None:
        with open_(str(path)) as stream:
            assert stream.read(1) == b"o"
            change(path)
            if error is not None:
                raise error

    with pytest.raises(DataFault, match=f"^{path}: {told}"):
        read()


def test_a_file_that_stays_is_read(path: Path) -> None:
    open_ = opener(path)
    for _ in range(2):
        with open_(str(path)) as stream:
            assert stream.read() == b"old"
        assert stream.closed

    def stop() -> None:
        with open_(str(path)):
            path.unlink()
            raise KeyError

    # Who stops reading for another reason is told that reason.
    with pytest.raises(KeyError):
        stop()


def test_without_a_stamp_nothing_is_compared(path: Path) -> None:
    open_ = held(str(path), None, open_local)
    with open_(str(path)) as stream:
        path.write_bytes(b"another")
        assert stream.read() == b"another"
    path.unlink()
    with pytest.raises(DataFault, match="missing_file"):
        open_(str(path))


def test_streams_without_a_file_are_taken_as_they_are(path: Path) -> None:
    with held(str(path), stamp_of(path.stat()), lambda _: io.BytesIO(b"x"))("") as stream:
        assert stream.read() == b"x"


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (errno.EACCES, "unreadable_file: the file cannot be opened: Permission denied"),
        (errno.EISDIR, "unreadable_file: the file cannot be opened: Is a directory"),
        (errno.ELOOP, "unreadable_file"),
        (errno.ENOTDIR, "missing_file"),
    ],
)
def test_a_file_that_cannot_be_opened(path: Path, code: int, told: str) -> None:
    def refuse(path: str) -> BinaryIO:
        raise OSError(code, os.strerror(code), path)

    with pytest.raises(DataFault, match=told):
        held(str(path), None, refuse)(str(path))


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE])
def test_an_error_of_the_storage_may_pass(path: Path, code: int) -> None:
    def refuse(path: str) -> BinaryIO:
        raise OSError(code, os.strerror(code), path)

    with pytest.raises(ReadError, match=os.strerror(code)):
        held(str(path), None, refuse)(str(path))


def test_a_link_to_another_file_is_another_file(path: Path) -> None:
    other = path.with_name("b.pq")
    other.write_bytes(b"new")
    os.utime(other, ns=(0, path.stat().st_mtime_ns))
    link = path.with_name("link.pq")
    link.symlink_to(path)
    open_ = held(str(link), stamp_of(link.stat()), open_local)
    link.unlink()
    link.symlink_to(other)
    with pytest.raises(DataFault, match="changed_file"):
        open_(str(link))


def test_stamps_are_compared_by_what_both_know() -> None:
    stamp = Stamp(7, 5, "tag")
    for other, fits in [
        (stamp, True),
        (Stamp(7), True),
        (Stamp(8, 5, "tag"), False),
        (Stamp(7, 6, "tag"), False),
        (Stamp(7, 5, "other"), False),
        (Stamp(7, 0, "other"), False),
        (Stamp(7, 5), True),
        # The inode of another machine means nothing here.
        (Stamp(7, 5, "other", "there"), True),
        (Stamp(7, 6, "tag", "there"), False),
    ]:
        assert stamp.fits(other) == other.fits(stamp) == fits, other
