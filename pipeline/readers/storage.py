"""Opens files, local or remote. No Beam here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from pipeline.errors.faults import DataFault, ReadError, StorageError

OpenFile = Callable[[str], BinaryIO]
"""A function that opens a file for reading; the stream can seek."""


def is_local(path: str) -> bool:
    """Returns whether a path is on this machine.

    >>> is_local("out/day=1"), is_local("s3://bucket/out")
    (True, False)
    """
    return "://" not in path


def open_local(path: str) -> BinaryIO:
    """Opens a file of this machine for reading."""
    return open(path, "rb")


def open_listed(open_file: OpenFile) -> OpenFile:
    """Returns a function that opens files that were listed, and whose errors name the file.

    What storage cannot read now says nothing about the data, and may be read at another time: an
    `OSError`, as of a network that is gone, becomes a `ReadError`. A file that is no longer there,
    which a store may tell only when it is read, is a fault.

    The function raises a `DataFault`, "missing_file", or a `ReadError`; so does the stream.

    Args:
        open_file: opens a file.
    """

    def open_(path: str) -> BinaryIO:
        with _named(path):
            return cast(BinaryIO, _Stream(open_file(path), path))

    return open_


def missing_file(path: str) -> DataFault:
    """Returns the fault of a file that is no longer there."""
    detail = "the file was there when files were listed; restore it, or run again"
    return DataFault(path, "missing_file", detail)


@contextmanager
def _named(path: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise missing_file(path) from error
    except OSError as error:
        why = error.strerror or str(error)
        raise ReadError(f"{path}: cannot be read: {why}; run again when it can") from error
    except StorageError as error:
        raise ReadError(str(error)) from error


class _Stream:
    """A stream for reading whose errors name the file."""

    def __init__(self, stream: BinaryIO, path: str) -> None:
        self._stream = stream
        self._path = path

    def read(self, size: int = -1) -> bytes:
        with _named(self._path):
            return self._stream.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        with _named(self._path):
            return self._stream.seek(offset, whence)

    def __enter__(self) -> _Stream:
        self._stream.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        with _named(self._path):
            self._stream.__exit__(*exception)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
