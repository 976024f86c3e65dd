"""Files on everything that Beam's filesystems reach: this machine, object stores, HDFS."""

from __future__ import annotations

import io
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from errno import ENOENT
from http import HTTPStatus
from os import strerror
from typing import Any, BinaryIO, cast

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from pipeline.beam.stores import s3_access, store_of
from pipeline.errors.faults import DataFault, StorageError
from pipeline.readers.stamps import Stamp, changed_file
from pipeline.readers.storage import is_local, open_local

# This many bytes are read at a time from an object store; a file that is no larger is read at once.
# Beam's buffer would fetch 16 MB even for the few bytes of a page's header.
BUFFER_BYTES = 1 << 20


def open_file(path: str) -> BinaryIO:
    """Opens a file for reading its bytes as they are stored.

    If the file is not on this machine, a small file is read at once, and a large one through a
    buffer.

    Raises:
        FileNotFoundError: if there is no such file.
        StorageError: if the file cannot be reached; reading may raise it, too.
    """
    if is_local(path):
        return open_local(path)
    with explained(path, reading=True):
        raw = _Raw(path)
        stream = _Stream(raw)
        size = stream.seek(0, io.SEEK_END)
        stream.seek(0)
        if size > BUFFER_BYTES:
            return stream
        with stream:
            return _Content(stream.read(size), raw)


def create_file(path: str) -> BinaryIO:
    """Opens a new file for writing bytes as they are; on this machine, creates its directories."""
    with explained(path):
        s3 = s3_access(path)
        if s3 is not None:
            return cast(BinaryIO, s3.open(path, "wb"))
        stream = FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED)
        return cast(BinaryIO, stream)


def read_file(path: str) -> bytes:
    """Returns the whole content of a file; raises the errors of `open_file`."""
    with open_file(path) as stream:
        return stream.read()


def write_file(path: str, content: bytes) -> None:
    """Writes a whole file.

    Raises:
        ValueError: if the content is empty: S3 refuses an upload in parts that is empty.
        StorageError: if the file cannot be written.
    """
    if not content:
        raise ValueError(f"{path}: a file of no bytes cannot be written everywhere")
    with explained(path), create_file(path) as stream:
        stream.write(content)


def replace_file(path: str, content: bytes) -> None:
    """Writes a file that appears whole or not at all, even if several workers write it at once.

    On this machine its directory must exist: a late worker does not make that of an ended run.
    """
    if not is_local(path):
        # Object stores show a file only when it is whole.
        write_file(path, content)
        return
    unfinished = f"{path}.{uuid.uuid4().hex}"
    try:
        with open(unfinished, "wb") as stream:
            stream.write(content)
        os.replace(unfinished, path)
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}") from error


def absolute(path: str) -> str:
    """Returns a path from the root of this machine; a path elsewhere stays as it is."""
    return os.path.abspath(path) if is_local(path) else path


def delete_files(paths: Sequence[str]) -> None:
    """Deletes files elsewhere; those that are missing are passed over, and no path is a glob.

    Raises:
        StorageError: if a file cannot be deleted.
    """
    if not paths:
        return
    with explained(paths[0]):
        system = FileSystems.get_filesystem(paths[0])
        if system.scheme() == "gs":
            # What Beam's filesystem calls delete takes a path as a glob.
            for path, refused in system._gcsIO().delete_batch(list(paths)):
                if refused:
                    raise StorageError(f"{path}: cannot be deleted: {refused}")
        elif system.scheme() == "s3":
            system.delete(list(paths))
        elif there := [path for path in paths if system.exists(path)]:
            system.delete(there)


def exists(path: str) -> bool:
    """Returns whether a file exists.

    Raises:
        StorageError: if its storage cannot be reached.
    """
    with explained(path):
        s3 = s3_access(path)
        return bool(FileSystems.exists(path) if s3 is None else s3.exists(path))


@contextmanager
def explained(path: str, *, reading: bool = False) -> Iterator[None]:
    """Turns an error of a file into `StorageError`, with the path and the cause.

    Args:
        path: the path of the file.
        reading: whether an error that says "not found" becomes `FileNotFoundError`. Without it, the
            error means that the bucket is missing, and becomes `StorageError`.

    Raises:
        FileNotFoundError: if `reading`, and the file is missing.
        DataFault: if `reading`, and the file is not the version any more that was opened.
        StorageError: for every other error.
    """
    try:
        yield
    except (StorageError, DataFault):
        raise
    except Exception as error:
        cause = _cause(error)
        code = getattr(cause, "code", 0)
        if reading and (isinstance(cause, FileNotFoundError) or code == HTTPStatus.NOT_FOUND):
            raise FileNotFoundError(ENOENT, strerror(ENOENT), path) from error
        if reading and code == HTTPStatus.PRECONDITION_FAILED:
            raise changed_file(path, "it was written again") from error
        message = getattr(cause, "message", None) or str(cause) or repr(cause)
        raise StorageError(f"{path}: {message}") from error


def _cause(error: Exception) -> Exception:
    """Returns the error of the storage client that Beam wraps in its errors."""
    details = getattr(error, "exception_details", None)
    return _cause(next(iter(details.values()))) if details else error


class _Stream(io.BufferedReader):
    """A large file, read through a buffer."""

    def __init__(self, raw: _Raw) -> None:
        super().__init__(raw, BUFFER_BYTES)
        self.stamp = raw.stamp


class _Content(io.BytesIO):
    """The content of a small file."""

    def __init__(self, content: bytes, raw: _Raw) -> None:
        super().__init__(content)
        self.stamp = raw.stamp


class _Raw(io.RawIOBase):
    """A stream of one of Beam's filesystems whose errors are `StorageError`.

    Several storage clients raise an `OSError` if they fail, which for a file on this machine means
    that the file is damaged.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._store = store_of(path)
        stream, self._version = self._store.open(path)
        # Beam's buffer is left out.
        self._stream: Any = stream.detach() if isinstance(stream, io.BufferedReader) else stream

    def stamp(self) -> Stamp:
        """Returns the stamp of the version that is read, or of the file as it is now."""
        if self._version is not None:
            return self._version
        with explained(self._path, reading=True):
            stamp = self._store.file(self._path)
        if stamp is None:
            raise FileNotFoundError(ENOENT, strerror(ENOENT), self._path)
        return stamp

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with explained(self._path, reading=True):
            size: int = self._stream.readinto(buffer)
        return size

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return int(self._stream.seek(offset, whence))

    def tell(self) -> int:
        return int(self._stream.tell())

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()
