"""Stamps of files: what tells whether a file is still the one that was listed.

A run opens a file several times: for its footer, to count slices, for the rows of its parts. If
someone writes to it meanwhile, rows of two files would be mixed. So every opening is held against
the stamp of the listing, and the open file once more when it has been read.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from dataclasses import dataclass
from types import TracebackType
from typing import Any, BinaryIO, cast

import pyarrow as pa

from pipeline.errors.faults import DataFault, StorageError
from pipeline.readers.storage import OpenFile, is_local, missing_file, open_listed

# Errors that say that a file cannot be had. Others, such as that a server of files does not answer,
# are of the storage and may pass.
_UNREADABLE = (
    errno.EACCES,
    errno.EPERM,
    errno.ELOOP,
    errno.EISDIR,
    errno.ENXIO,
    errno.ENAMETOOLONG,
)

# Errors that a change of the file may be the reason of.
_OF_CONTENT = (DataFault, OSError, StorageError, pa.ArrowException)


@dataclass(frozen=True, order=True)
class Stamp:
    """The stamp of a file.

    Attributes:
        bytes: the size of the file.
        modified: when the file was changed last, in nanoseconds since 1970; 0 if that is not known.
        tag: what else tells this version of the file from others: the ETag of an object, the number
            of the inode of a file; empty if it is not known.
        scope: where the tag means something: the name of the machine, as inodes may have other
            numbers on another; empty if it does so everywhere.
    """

    bytes: int
    modified: int = 0
    tag: str = ""
    scope: str = ""

    def fits(self, other: Stamp) -> bool:
        """Returns whether two stamps may be of the same file, by all that both of them know."""
        return (
            self.bytes == other.bytes
            and (not (self.modified and other.modified) or self.modified == other.modified)
            and (not (self.tag and other.tag) or self.scope != other.scope or self.tag == other.tag)
        )


def stamp_of(status: os.stat_result) -> Stamp:
    """Returns the stamp of a file of this machine."""
    return Stamp(status.st_size, status.st_mtime_ns, str(status.st_ino), os.uname().nodename)


def held(path: str, stamp: Stamp | None, open_file: OpenFile) -> OpenFile:
    """Returns a function that opens a file and holds it against its stamp.

    The stream that it returns is for a `with` statement. The stamp is compared when the file has
    been opened, and again when the statement ends.

    The function raises a `DataFault` if the file is not there or cannot be read, or is another than
    the one that was listed, and a `ReadError` if it cannot be read now.

    Args:
        path: the path of the file.
        stamp: the stamp that the file had when files were listed; None to compare nothing.
        open_file: opens the file.
    """

    def open_(_: str) -> BinaryIO:
        if stamp is not None:
            # Whoever opens a pipe waits until someone writes to it.
            _check_path(path, stamp)
        try:
            stream = open_file(path)
        except OSError as error:
            raise _fault(path, error) from error
        return cast(BinaryIO, _Held(stream, path, stamp))

    return open_listed(open_)


class _Held:
    """An open file and its stamp.

    Args:
        stream: the file.
        path: its path.
        stamp: the stamp that the file must have, or None.
    """

    def __init__(self, stream: BinaryIO, path: str, stamp: Stamp | None) -> None:
        self._stream = stream
        self._path = path
        self._stamp = stamp
        try:
            self._check()
        except BaseException:
            stream.close()
            raise

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __enter__(self) -> BinaryIO:
        return self._stream

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._stream:
            # What was read of a changed file may look damaged, or be missing.
            if error is None or isinstance(error, _OF_CONTENT):
                self._check()
                if self._stamp is not None:
                    _check_path(self._path, self._stamp)

    def _check(self) -> None:
        if self._stamp is None:
            return
        if hasattr(self._stream, "stamp"):
            found = self._stream.stamp()
        else:
            try:
                found = stamp_of(os.fstat(self._stream.fileno()))
            except io.UnsupportedOperation:
                return
        _check_stamp(self._path, self._stamp, found)


def _check_path(path: str, stamp: Stamp) -> None:
    """Raises a fault if the path of a file of this machine now leads to something else."""
    if not is_local(path):
        return
    try:
        status = os.stat(path)
    except OSError as error:
        raise _fault(path, error) from error
    if not stat.S_ISREG(status.st_mode):
        raise changed_file(path, "it is no file any more")
    _check_stamp(path, stamp, stamp_of(status))


def _check_stamp(path: str, listed: Stamp, found: Stamp) -> None:
    if listed.fits(found):
        return
    if listed.bytes != found.bytes:
        raise changed_file(path, f"it had {listed.bytes:,} bytes, and has {found.bytes:,} now")
    raise changed_file(path, "it was written again")


def changed_file(path: str, how: str) -> DataFault:
    """Returns the fault of a file that is not as it was listed; `how` says in which way."""
    detail = f"the file changed while the run read it: {how}; run again when no one writes to it"
    return DataFault(path, "changed_file", detail)


def _fault(path: str, error: OSError) -> Exception:
    """Returns the fault that an error at opening stands for, or the error if it may pass."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return missing_file(path)
    if error.errno in _UNREADABLE:
        return DataFault(path, "unreadable_file", f"the file cannot be opened: {error.strerror}")
    return error
