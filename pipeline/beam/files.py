"""Files wherever Beam's filesystems reach: this machine, object stores, HDFS."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Sequence
from typing import BinaryIO, cast

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from pipeline.readers.shards import (
    Listing,
    Match,
    is_local,
    make_listing,
    match_local,
    open_local,
)


def open_file(path: str) -> BinaryIO:
    """Opens a file for reading, as it is stored."""
    if is_local(path):
        return open_local(path)
    stream = FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)
    return cast(BinaryIO, stream)


def list_shards(patterns: Sequence[str]) -> Listing:
    """The shards that match any of the globs; see `make_listing`.

    Raises:
        ValueError: if the name of a file tells no format.
    """
    matches = list(match_local([pattern for pattern in patterns if is_local(pattern)]))
    remote = [pattern for pattern in patterns if not is_local(pattern)]
    results = FileSystems.match(remote) if remote else ()
    for pattern, result in zip(remote, results, strict=bool(remote)):
        for found in result.metadata_list:
            # Object stores have empty objects in place of directories.
            if not found.path.endswith("/"):
                matches.append(Match(pattern, found.path, found.size_in_bytes))
    return make_listing(patterns, matches)


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


def replace_file(path: str, content: bytes) -> None:
    """Writes a file that is there whole or not at all, whoever else writes it."""
    if not is_local(path):
        # Object stores show what is written when it is whole.
        write_file(path, content)
        return
    unfinished = f"{path}.{uuid.uuid4().hex}"
    write_file(unfinished, content)
    os.replace(unfinished, path)


def delete_directory(path: str) -> None:
    """Deletes a directory with all that is in it, if there is one."""
    if is_local(path):
        shutil.rmtree(path, ignore_errors=True)
        return
    (match,) = FileSystems.match([FileSystems.join(path, "**")])
    if match.metadata_list:
        FileSystems.delete([found.path for found in match.metadata_list])


def exists(path: str) -> bool:
    """Whether there is a file of this path."""
    return bool(FileSystems.exists(path))
