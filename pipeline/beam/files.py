"""Files wherever Beam's filesystems reach: this machine, object stores, HDFS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO, cast

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from pipeline.readers.shards import Shard, is_data, list_local, make_shard, open_local


def is_local(path: str) -> bool:
    """Whether a path is on this machine."""
    return "://" not in path


def open_file(path: str) -> BinaryIO:
    """Opens a file for reading, as it is stored."""
    if is_local(path):
        return open_local(path)
    stream = FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)
    return cast(BinaryIO, stream)


def list_shards(patterns: Sequence[str]) -> list[Shard]:
    """The shards that match any of the globs, each once, sorted by path.

    Raises:
        ValueError: if the name of a file tells no format.
    """
    shards = set(list_local([pattern for pattern in patterns if is_local(pattern)]))
    remote = [pattern for pattern in patterns if not is_local(pattern)]
    matches = FileSystems.match(remote) if remote else ()
    for pattern, match in zip(remote, matches, strict=bool(remote)):
        for found in match.metadata_list:
            if is_data(found.path, pattern):
                shards.add(make_shard(found.path, found.size_in_bytes))
    return sorted(shards)


def create_file(path: str) -> BinaryIO:
    """Creates a file, and on this machine the directories above it; it is written as given."""
    stream = FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED)
    return cast(BinaryIO, stream)


def read_file(path: str) -> bytes:
    """The whole content of a file."""
    with open_file(path) as stream:
        return stream.read()


def write_file(path: str, content: bytes) -> None:
    """Writes a file in one go."""
    with create_file(path) as stream:
        stream.write(content)


def exists(path: str) -> bool:
    """Whether there is a file of this path."""
    return bool(FileSystems.exists(path))
