"""Shards and the work items they are cut into."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Literal
from urllib.parse import unquote

OpenFile = Callable[[str], BinaryIO]
"""Opens a file for reading; the stream can seek."""


def open_local(path: str) -> BinaryIO:
    """Opens a file of this machine."""
    return open(path, "rb")


Format = Literal["parquet", "tfrecord"]
Compression = Literal["gzip"]

_SUFFIXES: dict[str, tuple[Format, Compression | None]] = {
    ".parquet": ("parquet", None),
    ".pq": ("parquet", None),
    ".tfrecord": ("tfrecord", None),
    ".tfrecords": ("tfrecord", None),
    ".tfrecord.gz": ("tfrecord", "gzip"),
    ".tfrecords.gz": ("tfrecord", "gzip"),
}
_WILDCARD = re.compile(r"[*?\[]")
_HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"
_SHARD_NUMBER = re.compile(r"-\d+-of-\d+")


@dataclass(frozen=True, order=True)
class Shard:
    """One file of predictions.

    Attributes:
        path: where it is.
        bytes: its size.
        format: what it holds.
        compression: "gzip" for a compressed TFRecord file, else None.
    """

    path: str
    bytes: int
    format: Format
    compression: Compression | None = None

    def directory_columns(self) -> dict[str, str | None]:
        """The columns that directories of its path state, as in `day=2026-11-01/part-0.parquet`.

        The value that Hive writes for null is None.

        >>> Shard("out/day=2026-11-01/part-0.parquet", 1, "parquet").directory_columns()
        {'day': '2026-11-01'}
        """
        named = (part.partition("=") for part in self.path.split("/")[:-1] if "=" in part)
        return {
            unquote(column, errors="surrogateescape"): None
            if value == _HIVE_NULL
            else unquote(value, errors="surrogateescape")
            for column, _, value in named
        }


@dataclass(frozen=True, order=True)
class WorkItem:
    """Rows of one shard that are read in one go.

    Attributes:
        shard: the file.
        first_row: row number, within the file, of the first row.
        row_groups: for Parquet, the row groups `[first, last)`; None for the whole file.
    """

    shard: Shard
    first_row: int = 0
    row_groups: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        """A text that tells the item from all others and is the same in every run."""
        first, last = self.row_groups or (0, 0)
        return f"{self.shard.path}#{first}-{last}"


def file_format(path: str) -> tuple[Format, Compression | None]:
    """Format and compression of a file by its name.

    >>> file_format("eval/part-00003-of-00010.tfrecord.gz")
    ('tfrecord', 'gzip')
    >>> file_format("eval/predictions.tfrecord-00003-of-00010")
    ('tfrecord', None)

    Raises:
        ValueError: if the name says neither Parquet nor TFRecord.
    """
    name = _SHARD_NUMBER.sub("", path.rsplit("/", 1)[-1].lower())
    for suffix, format_ in _SUFFIXES.items():
        if name.endswith(suffix):
            return format_
    raise ValueError(
        f"{path}: cannot tell the format from the name. Name Parquet files .parquet and TFRecord"
        " files .tfrecord or .tfrecord.gz, or narrow --input to such files."
    )


def is_data(path: str, pattern: str) -> bool:
    """Whether a file that matches a glob is data.

    What is hidden or begins with `_` is not, be it the file, as `_SUCCESS`, or a directory that the
    glob did not name, as `_temporary`.

    >>> is_data("out/_temporary/part-0.parquet", "out/**/*.parquet")
    False
    """
    named = _WILDCARD.split(pattern)[0].rpartition("/")[0]
    found = path[len(named) :] if path.startswith(named) else path
    return not any(
        part.startswith((".", "_")) for part in found.split("/") if part not in (".", "..")
    )


def list_local(patterns: Sequence[str]) -> list[Shard]:
    """The shards of this machine that match any of the globs, each once, sorted by path.

    `**` matches directories of any depth. Hidden files and those that begin with `_` are passed
    over.

    Raises:
        ValueError: if the name of a file tells no format.
    """
    paths = {
        os.path.normpath(path)
        for pattern in patterns
        for path in glob.glob(pattern, recursive=True)
        if is_data(path, pattern) and os.path.isfile(path)
    }
    return [make_shard(path, os.path.getsize(path)) for path in sorted(paths)]


def make_shard(path: str, size: int) -> Shard:
    """The shard of a path and its size; ValueError if the name tells no format."""
    format_, compression = file_format(path)
    return Shard(path, size, format_, compression)
