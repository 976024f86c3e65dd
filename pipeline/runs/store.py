"""The operations on files that publishing a run needs, and those of this machine."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Protocol

from pipeline.errors.faults import OutputTaken, StorageError

_POLL_SECONDS = 0.02


class Store(Protocol):
    """A store holds the directory of a run: this machine, or an object store.

    Paths are taken as they are: no operation reads one as a glob. An operation raises
    `StorageError`, with the path, if the store refuses it.
    """

    def read(self, path: str) -> bytes:
        """Returns the content of a file; raises `FileNotFoundError` if there is none."""

    def write(self, path: str, content: bytes) -> None:
        """Writes a file that appears whole or not at all, and lasts through a loss of power.

        Raises:
            FileNotFoundError: if the store has directories, and that of the file is missing.
        """

    def prepare(self, staged: str) -> str:
        """Does all of moving a staged file that may need space, and keeps the staged file.

        Returns:
            The path to hand to `move`.
        """

    def move(self, prepared: str, path: str) -> None:
        """Puts a prepared file under a path, in place of what is there, at once."""

    def exists(self, path: str) -> bool:
        """Returns whether there is a file, a link or a directory."""

    def children(self, directory: str) -> list[str]:
        """Returns the sorted names of files and directories right below a directory.

        It returns none if there is no such directory.
        """

    def make_directory(self, path: str) -> None:
        """Makes a new directory, where a store has directories, with those above it."""

    def delete(self, paths: Sequence[str]) -> None:
        """Deletes files; those that are missing are passed over."""

    def delete_directory(self, path: str) -> None:
        """Deletes a directory with everything in it, if it exists."""

    def delete_if_empty(self, path: str) -> None:
        """Deletes a directory if there is nothing in it."""

    def sync(self, directory: str) -> None:
        """Makes the names of a directory last through a loss of power."""

    def lock(self, directory: str, seconds: float) -> AbstractContextManager[bool]:
        """Holds the lock of a directory, which is made if it is missing.

        Args:
            directory: the directory.
            seconds: how long to wait for whoever holds the lock.

        Returns:
            A context whose value is whether the store has locks.

        Raises:
            OutputTaken: if another holds it for longer.
        """


class LocalStore:
    """The files of this machine."""

    def read(self, path: str) -> bytes:
        if os.path.exists(path) and not os.path.isfile(path):
            # Opening a pipe would wait for a writer.
            raise StorageError(f"{path}: this is no regular file; move it away")
        with _explained(path), open(path, "rb") as stream:
            return stream.read()

    def write(self, path: str, content: bytes) -> None:
        directory = os.path.dirname(path)
        unfinished = f"{path}.{uuid.uuid4().hex}"
        with _explained(path):
            try:
                with open(unfinished, "wb") as stream:
                    stream.write(content)
                    stream.flush()
                    os.fsync(stream.fileno())
                os.replace(unfinished, path)
            except BaseException:
                with suppress(OSError):
                    os.unlink(unfinished)
                raise
        self.sync(directory)

    def prepare(self, staged: str) -> str:
        link = f"{staged}.link"
        self.delete([link])
        try:
            os.link(staged, link)
        except OSError:
            # Not every file system has hard links.
            self.write(link, self.read(staged))
        return link

    def move(self, prepared: str, path: str) -> None:
        with _explained(path):
            _make_directories(os.path.dirname(path))
            os.replace(prepared, path)
        # Nothing is moved where both were links to the same file already.
        self.delete([prepared])

    def exists(self, path: str) -> bool:
        return os.path.lexists(path)

    def children(self, directory: str) -> list[str]:
        with _explained(directory):
            try:
                return sorted(os.listdir(directory))
            except (FileNotFoundError, NotADirectoryError):
                return []

    def make_directory(self, path: str) -> None:
        with _explained(path):
            _make_directories(os.path.dirname(path))
            os.mkdir(path)

    def delete(self, paths: Sequence[str]) -> None:
        for path in paths:
            with _explained(path), suppress(FileNotFoundError, NotADirectoryError):
                os.unlink(path)

    def delete_directory(self, path: str) -> None:
        with _explained(path), suppress(FileNotFoundError):
            shutil.rmtree(path)

    def delete_if_empty(self, path: str) -> None:
        with suppress(OSError):
            os.rmdir(path)

    def sync(self, directory: str) -> None:
        with _explained(directory):
            descriptor = os.open(directory or ".", os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    @contextmanager
    def lock(self, directory: str, seconds: float) -> Iterator[bool]:
        until = time.monotonic() + seconds
        while (found := _try_to_lock(directory)) is None:
            if time.monotonic() > until:
                raise OutputTaken(f"{directory}: another run is at work there; wait for its end")
            time.sleep(_POLL_SECONDS)
        descriptor, has_locks = found
        try:
            yield has_locks
        finally:
            os.close(descriptor)


def _try_to_lock(directory: str) -> tuple[int, bool] | None:
    """Returns a descriptor that holds the lock of a directory, and whether there are locks.

    It returns None if another process holds the lock.
    """
    with _explained(directory):
        _make_directories(directory)
        try:
            descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:
        # Some network file systems lock no directories.
        return descriptor, False
    try:
        found = os.stat(directory)
    except FileNotFoundError:
        found = None
    # Whoever held the lock before may have deleted the directory.
    if found is None or not os.path.samestat(found, os.fstat(descriptor)):
        os.close(descriptor)
        return None
    return descriptor, True


def _make_directories(path: str) -> None:
    """Makes a directory where it is missing, and those above it."""
    try:
        os.makedirs(path, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise StorageError(f"{path}: it cannot be made; a file is in its place") from error
    except FileNotFoundError as error:
        # It was to be made: that it is missing says nothing.
        message = f"{path}: it cannot be made; a link above it leads to nothing"
        raise StorageError(message) from error


@contextmanager
def _explained(path: str) -> Iterator[None]:
    """Turns an error of the system into `StorageError`, unless it says that a file is missing."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror or error}") from error
