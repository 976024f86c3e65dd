"""Access to files from a program; Beam is imported only for files that are not on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import BinaryIO

from pipeline.readers.file_list import Listing, list_local
from pipeline.readers.formats import Format
from pipeline.readers.storage import is_local, open_local
from pipeline.runs.store import LocalStore, Store


def open_anywhere(path: str) -> BinaryIO:
    """Opens a file for reading, on this machine or elsewhere; raises `StorageError` or OSError."""
    if is_local(path):
        return open_local(path)
    _connect(_bucket(path))
    from pipeline.beam.files import open_file

    return open_file(path)


def list_anywhere(patterns: Sequence[str], format_: Format | None = None) -> Listing:
    """Returns the shards that match any of the globs; see `make_listing`."""
    remote = [pattern for pattern in patterns if not is_local(pattern)]
    if not remote:
        return list_local(patterns, format_)
    for pattern in remote:
        _connect(_bucket(pattern))
    from pipeline.beam.listing import list_shards

    return list_shards(patterns, format_)


def store_of(directory: str) -> Store:
    """Returns the store of a directory of a run."""
    if is_local(directory):
        return LocalStore()
    _connect(_bucket(directory))
    from pipeline.beam.store import BeamStore

    return BeamStore()


def _bucket(path: str) -> str:
    return "/".join(path.split("/")[:3])


@cache
def _connect(bucket: str) -> None:
    """Gives Beam's filesystems their options, and checks that they reach a bucket.

    Raises:
        StorageError: if they do not.
    """
    from pipeline.beam.access import connect
    from pipeline.beam.options import beam_options

    connect([f"{bucket}/_SUCCESS"], beam_options([]))
