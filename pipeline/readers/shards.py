"""Defines shards and work items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote

from pipeline.readers.formats import Format, format_by_name
from pipeline.readers.stamps import Stamp

_HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True, order=True)
class Shard:
    """A file of predictions.

    Attributes:
        path: the path of the file.
        bytes: the size of the file.
        format: the format of the file.
        rows: the number of rows that a manifest lists, or None.
        crc32c: the CRC32C of the stored bytes that a manifest lists, or None.
        stamp: what the file is held against whenever it is opened, or None. Shards that differ in
            it alone are equal.
    """

    path: str
    bytes: int
    format: Format
    rows: int | None = None
    crc32c: int | None = None
    stamp: Stamp | None = field(default=None, compare=False)

    def directory_columns(self) -> dict[str, str | None]:
        """Returns the columns in directory names of the path, as in `day=2026-11-01/part-0.pq`.

        A value is None if it is the text that Hive writes for null.

        >>> Shard("out/day=2026-11-01/part-0.parquet", 1, "parquet").directory_columns()
        {'day': '2026-11-01'}
        """
        return dict(_directory_columns(self.path))


def _directory_columns(path: str) -> Iterator[tuple[str, str | None]]:
    for part in path.split("/")[:-1]:
        column, equals, value = part.partition("=")
        if equals:
            yield (
                unquote(column, errors="surrogateescape"),
                None if value == _HIVE_NULL else unquote(value, errors="surrogateescape"),
            )


def repeated_directory_columns(path: str) -> list[str]:
    """Returns the columns that the directory names of a path state more than once.

    >>> repeated_directory_columns("country=A/day=1/country=B/part-0.parquet")
    ['country']
    """
    counts = Counter(column for column, _ in _directory_columns(path))
    return [column for column, count in counts.items() if count > 1]


@dataclass(frozen=True, order=True)
class WorkItem:
    """A work item: rows of a shard that are read together by the same worker.

    Attributes:
        shard: the shard.
        first_row: the number, within the file, of the first row.
        row_groups: for Parquet, the row groups `[first, last)`; None for the whole file.
    """

    shard: Shard
    first_row: int = 0
    row_groups: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        """The unique name of the item, which is the same in every run."""
        first, last = self.row_groups or (0, 0)
        return f"{self.shard.path}#{first}-{last}"


def make_shard(path: str, size: int, rows: int | None = None, crc32c: int | None = None) -> Shard:
    """Returns the shard of a file whose name tells its format.

    Args:
        path: the path of the file.
        size: the size of the file in bytes.
        rows: the number of rows that a manifest lists, or None.
        crc32c: the CRC32C that a manifest lists, or None.

    Raises:
        ValueError: if the name tells no format.
    """
    told = format_by_name(path)
    if told is None:
        raise ValueError(f"{path}: the name tells no format")
    return Shard(path, size, told, rows, crc32c)
