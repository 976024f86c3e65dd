"""Finds folders of which the files must not be read as they are: tables, and unfinished outputs.

The folder of a table of Delta Lake, Hudi or Iceberg also holds files of rows that were replaced or
deleted; only its log knows which count. A folder with `_temporary/` is still being written.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator

TEMPORARY = "_temporary"
METADATA = "metadata"
METADATA_SUFFIX = ".metadata.json"

MARKS = {
    "_delta_log": "a Delta Lake table (_delta_log/)",
    ".hoodie": "a Hudi table (.hoodie/)",
    METADATA: f"an Iceberg table (metadata/*{METADATA_SUFFIX})",
}
"""What a folder is, by the name of a folder in it. That of Iceberg must hold a file of metadata."""

_MARK = re.compile(
    r"(?P<folder>.*?)/(?P<mark>_delta_log|\.hoodie|_temporary|metadata(?=/[^/]*\.metadata\.json$))/",
    re.DOTALL,
)


class Refusals:
    """Tells why files may not be read because of the folders that they are in.

    Args:
        mark_of: returns the names among `MARKS`, and `TEMPORARY`, that are in a folder.
    """

    def __init__(self, mark_of: Callable[[str], Iterable[str]]) -> None:
        self._mark_of = mark_of
        self._marks: dict[str, frozenset[str]] = {}
        self._reasons: dict[tuple[str, str], str | None] = {}

    def reason(self, folder: str, fixed: str) -> str | None:
        """Returns why the files of a folder may not be read, or None.

        A table may be any of the folders above. An unfinished output is at most as far up as the
        glob names no folder, and further as long as folders are parts of a partition, `day=1`.

        Args:
            folder: the folder of the files.
            fixed: the part of the glob before its wildcards: a folder above.
        """
        key = folder, fixed
        if key not in self._reasons:
            self._reasons[key] = self._find(folder, fixed)
        return self._reasons[key]

    def _find(self, folder: str, fixed: str) -> str | None:
        fixed = fixed.rstrip("/")
        near = True
        for above in _upwards(folder):
            if above not in self._marks:
                self._marks[above] = frozenset(self._mark_of(above))
            marks = self._marks[above]
            for mark, what in MARKS.items():
                if mark in marks:
                    return (
                        f"{above or '/'} is {what}: its files also hold rows that were replaced or"
                        " deleted. Give an --input for each file of its current version, or write"
                        " that version as plain Parquet"
                    )
            if near and TEMPORARY in marks:
                return (
                    f"{above or '/'} has {TEMPORARY}/: it is still being written, or its job has"
                    " died. Run again when it is whole and the job has removed that"
                )
            inside = above.startswith(f"{fixed}/")
            near = near and (inside or "=" in above.rpartition("/")[2])
        return None


def _upwards(folder: str) -> Iterator[str]:
    """Yields a folder and those above it, the root of this machine as an empty text."""
    folder = folder.rstrip("/")
    while True:
        yield folder
        above, slash, _ = folder.rpartition("/")
        if not slash or above.endswith((":/", ":")):
            return
        folder = above


def local_marks(folder: str) -> Iterator[str]:
    """Yields the marks that are in a folder of this machine."""
    for mark in (*MARKS, TEMPORARY):
        path = f"{folder}/{mark}"
        if os.path.isdir(path) and (mark != METADATA or _has_metadata(path)):
            yield mark


def _has_metadata(path: str) -> bool:
    try:
        return any(name.endswith(METADATA_SUFFIX) for name in os.listdir(path))
    except OSError:
        return False


def mark_in(path: str) -> tuple[str, str] | None:
    """Returns the folder and the mark in it that the path of a file shows, or None.

    >>> mark_in("gs://b/t/_delta_log/0.json")
    ('gs://b/t', '_delta_log')
    """
    found = _MARK.match(path)
    return None if found is None else (found["folder"], found["mark"])
