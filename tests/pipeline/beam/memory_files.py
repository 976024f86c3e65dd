"""A filesystem of Beam that keeps files in memory, under mem://, as object stores keep theirs."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import BinaryIO

from apache_beam.io.filesystem import (
    BeamIOError,
    CompressionTypes,
    FileMetadata,
    FileSystem,
)


class _Files(dict[str, bytes]):
    """Files by path.

    Attributes:
        changed: when a file was written, in seconds, of those of which it is known.
    """

    def __init__(self) -> None:
        super().__init__()
        self.changed: dict[str, float] = {}

    def __setitem__(self, path: str, content: bytes) -> None:
        super().__setitem__(path, content)
        self.changed[path] = max(self.changed.values(), default=1e9) + 1


FILES = _Files()


class Refused(Exception):
    """What the client of a store raises."""


class _Upload(io.BytesIO):
    """A file that is there when it is closed."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def close(self) -> None:
        if not self.closed:
            FILES[self._path] = self.getvalue()
        super().close()


class MemoryFiles(FileSystem):
    """Files in memory; those of the bucket `closed` are refused.

    `on_exists` is called with every path that is asked for.
    """

    on_exists: Callable[[str], object] = staticmethod(lambda path: None)

    @classmethod
    def scheme(cls) -> str:
        return "mem"

    def join(self, basepath: str, *paths: str) -> str:
        return "/".join([basepath.rstrip("/"), *paths])

    def split(self, path: str) -> tuple[str, str]:
        head, _, tail = path.rpartition("/")
        return head, tail

    def mkdirs(self, path: str) -> None:
        raise NotImplementedError

    def has_dirs(self) -> bool:
        return False

    def _list(self, dir_or_prefix: str) -> Iterator[FileMetadata]:
        _check(dir_or_prefix)
        for path in sorted(FILES):
            if path.startswith(dir_or_prefix):
                yield self.metadata(path)

    def create(
        self,
        path: str,
        mime_type: str = "",
        compression_type: str = CompressionTypes.AUTO,
    ) -> BinaryIO:
        _check(path)
        assert compression_type == CompressionTypes.UNCOMPRESSED
        return _Upload(path)

    def open(
        self,
        path: str,
        mime_type: str = "",
        compression_type: str = CompressionTypes.AUTO,
    ) -> BinaryIO:
        _check(path)
        assert compression_type == CompressionTypes.UNCOMPRESSED
        if path not in FILES:
            raise FileNotFoundError(2, f"Not found: {path}")
        return io.BytesIO(FILES[path])

    def copy(self, source_file_names: list[str], destination_file_names: list[str]) -> None:
        raise NotImplementedError

    def rename(self, source_file_names: list[str], destination_file_names: list[str]) -> None:
        for source, destination in zip(source_file_names, destination_file_names, strict=True):
            FILES[destination] = FILES.pop(source)

    def exists(self, path: str) -> bool:
        _check(path)
        self.on_exists(path)
        return path in FILES

    def size(self, path: str) -> int:
        return len(FILES[path])

    def last_updated(self, path: str) -> float:
        raise NotImplementedError

    def metadata(self, path: str) -> FileMetadata:
        return FileMetadata(path, len(FILES[path]), FILES.changed.get(path, 0.0))

    def checksum(self, path: str) -> str:
        raise NotImplementedError

    def delete(self, paths: list[str]) -> None:
        for path in paths:
            _check(path)
            # As with most stores, it is a mistake to delete what is not there.
            del FILES[path]


def _check(path: str) -> None:
    if path.startswith("mem://closed/"):
        raise BeamIOError("Operation failed", {path: Refused(f"{path} is not yours")})
