"""The files of a run wherever Beam's filesystems reach, for publishing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from apache_beam.io.filesystems import FileSystems

from pipeline.beam.files import (
    delete_files,
    exists,
    explained,
    read_file,
    write_file,
)
from pipeline.readers.storage import is_local
from pipeline.runs.store import LocalStore

_LOCAL = LocalStore()


class BeamStore:
    """The files of this machine and, through Beam's filesystems, those elsewhere.

    Object stores have no directories and no locks. They show a file when it is whole, and keep it.
    """

    def read(self, path: str) -> bytes:
        return _LOCAL.read(path) if is_local(path) else read_file(path)

    def write(self, path: str, content: bytes) -> None:
        if is_local(path):
            _LOCAL.write(path, content)
        else:
            write_file(path, content)

    def prepare(self, staged: str) -> str:
        return _LOCAL.prepare(staged) if is_local(staged) else staged

    def move(self, prepared: str, path: str) -> None:
        if is_local(path):
            _LOCAL.move(prepared, path)
        else:
            write_file(path, read_file(prepared))

    def exists(self, path: str) -> bool:
        return _LOCAL.exists(path) if is_local(path) else exists(path)

    def children(self, directory: str) -> list[str]:
        if is_local(directory):
            return _LOCAL.children(directory)
        prefix = f"{directory.rstrip('/')}/"
        return sorted({path[len(prefix) :].partition("/")[0] for path in _below(prefix)} - {""})

    def make_directory(self, path: str) -> None:
        if is_local(path):
            _LOCAL.make_directory(path)

    def delete(self, paths: Sequence[str]) -> None:
        _LOCAL.delete([path for path in paths if is_local(path)])
        delete_files([path for path in paths if not is_local(path)])

    def delete_directory(self, path: str) -> None:
        if is_local(path):
            _LOCAL.delete_directory(path)
        else:
            delete_files(_below(f"{path.rstrip('/')}/"))

    def delete_if_empty(self, path: str) -> None:
        if is_local(path):
            _LOCAL.delete_if_empty(path)

    def sync(self, directory: str) -> None:
        if is_local(directory):
            _LOCAL.sync(directory)

    @contextmanager
    def lock(self, directory: str, seconds: float) -> Iterator[bool]:
        if is_local(directory):
            with _LOCAL.lock(directory, seconds) as has_locks:
                yield has_locks
        else:
            yield False


def _below(prefix: str) -> list[str]:
    """Returns the paths of the files elsewhere that begin with a prefix, which is no glob."""
    with explained(prefix):
        found = FileSystems.get_filesystem(prefix)._list(prefix)
        return [metadata.path for metadata in found if metadata.path.startswith(prefix)]
