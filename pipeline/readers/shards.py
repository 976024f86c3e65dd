"""Defines shards and work items, and lists the files that globs match, each file once."""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

from pipeline.errors.wording import first_names
from pipeline.readers.storage import is_local

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
_TEMPORARY = (".tmp", ".temp", ".part", "~")
_MAX_SHOWN = 5


@dataclass(frozen=True, order=True)
class Shard:
    """A file of predictions.

    Attributes:
        path: the path of the file.
        bytes: the size of the file.
        format: the format of the file.
        compression: "gzip" for a compressed TFRecord file, else None.
        rows: the number of rows that a manifest lists, or None.
        crc32c: the CRC32C of the stored bytes that a manifest lists, or None.
    """

    path: str
    bytes: int
    format: Format
    compression: Compression | None = None
    rows: int | None = None
    crc32c: int | None = None

    def directory_columns(self) -> dict[str, str | None]:
        """Returns the columns in directory names of the path, as in `day=2026-11-01/part-0.pq`.

        A value is None if it is the text that Hive writes for null.

        >>> Shard("out/day=2026-11-01/part-0.parquet", 1, "parquet").directory_columns()
        {'day': '2026-11-01'}
        """
        parts = (part.partition("=") for part in self.path.split("/")[:-1] if "=" in part)
        return {
            unquote(column, errors="surrogateescape"): None
            if value == _HIVE_NULL
            else unquote(value, errors="surrogateescape")
            for column, _, value in parts
        }


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


def file_format(path: str) -> tuple[Format, Compression | None]:
    """Returns the format and the compression of a file, as its name says them.

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


@dataclass(frozen=True)
class Match:
    """A match: a file that a glob matches.

    Attributes:
        glob: the glob.
        path: the path of the file, in the spelling of the glob.
        bytes: the size of the file.
    """

    glob: str
    path: str
    bytes: int


@dataclass(frozen=True)
class Listing:
    """A listing: the files of a run, each file once.

    Attributes:
        shards: the files, sorted by path.
        notes: lines about the listing that the user should know.
    """

    shards: tuple[Shard, ...]
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Shard]:
        return iter(self.shards)

    def __len__(self) -> int:
        return len(self.shards)


def is_data(path: str, pattern: str) -> bool:
    """Returns whether a file that matches a glob is data.

    Hidden files and files that begin with `_`, such as `_SUCCESS`, are not data. Nor are files in
    directories with such names, such as `_temporary`, unless the glob names the directory. Nor are
    files whose name says that they are still being written.

    >>> is_data("out/_temporary/part-0.parquet", "out/**/*.parquet")
    False
    >>> is_data("out/part-0.parquet.tmp", "out/*")
    False
    """
    fixed = _WILDCARD.split(pattern)[0].rpartition("/")[0]
    matched = path[len(fixed) :] if path.startswith(fixed) else path
    parts = [part for part in matched.split("/") if part not in (".", "..")]
    return not (
        any(part.startswith((".", "_", "beam-temp-")) for part in parts)
        or path.lower().endswith(_TEMPORARY)
    )


def list_local(patterns: Sequence[str]) -> Listing:
    """Returns the shards of this machine that match any of the globs; see `make_listing`.

    `**` matches directories of any depth. A `*` does not match hidden files.

    Raises:
        ValueError: if the name of a file does not tell the format, or is not UTF-8.
    """
    return make_listing(patterns, match_local(patterns))


def match_local(patterns: Sequence[str]) -> Iterator[Match]:
    """Yields the files of this machine that match globs, under every name and for every glob.

    A link to a missing file counts as a file: reading it then fails, so it is not lost silently.
    """
    for pattern in patterns:
        for path in glob.glob(pattern, recursive=True):
            try:
                status = os.stat(path)
            except FileNotFoundError:
                status = os.lstat(path)
            if stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
                yield Match(pattern, path, status.st_size)


def make_listing(patterns: Sequence[str], matches: Iterable[Match]) -> Listing:
    """Returns the shards among the files that globs match, each file once.

    Files that are not data (`is_data`) are left out. A file that several globs match, or that has
    several names, is a single shard; a name that is not a link has priority. The notes of the
    listing say so.

    Args:
        patterns: the globs.
        matches: the files that the globs match.

    Raises:
        ValueError: if the name of a file does not tell the format, or is not UTF-8.
    """
    names = CanonicalNames()
    files: dict[str, dict[str, int]] = {}
    globs: dict[str, set[str]] = {}
    passed: set[str] = set()
    for match in matches:
        if is_data(match.path, match.glob):
            path = _normal_path(match.path)
            name = names.of(path)
            files.setdefault(name, {})[path] = match.bytes
            globs.setdefault(name, set()).add(match.glob)
        else:
            passed.add(_normal_path(match.path))
    shards, several, linked = [], [], []
    for name, sizes in files.items():
        path = min(sizes, key=lambda path: (len(sizes) > 1 and _is_link(path, name), path))
        shards.append(make_shard(path, sizes[path]))
        if len(globs[name]) > 1:
            several.append((path, len(globs[name])))
        elif len(sizes) > 1:
            linked += [(alias, path) for alias in sizes if alias != path]
    unmatched = sorted(set(patterns).difference(*globs.values())) if shards else []
    notes = [
        *(f"no file matches {pattern}" for pattern in unmatched),
        *_read_once_notes(sorted(several), sorted(linked)),
    ]
    if passed:
        shown = first_names(sorted(passed), _MAX_SHOWN)
        notes.append(
            f"passed over, as hidden, temporary or beginning with '_': {len(passed):,}"
            f" {'file' if len(passed) == 1 else 'files'} ({shown})"
        )
    return Listing(tuple(sorted(shards)), tuple(notes))


class CanonicalNames:
    """Gives each file of this machine a single name, whatever links and spellings lead to it."""

    def __init__(self) -> None:
        self._directories: dict[str, str] = {}

    def of(self, path: str) -> str:
        """Returns the canonical name of a file; for a remote file this is its path."""
        if not is_local(path):
            return path
        if os.path.islink(path):
            return os.path.realpath(path)
        directory, base = os.path.split(path)
        if directory not in self._directories:
            self._directories[directory] = os.path.realpath(directory)
        return os.path.join(self._directories[directory], base)


def make_shard(path: str, size: int, rows: int | None = None, crc32c: int | None = None) -> Shard:
    """Returns the shard of a path and a size.

    Args:
        path: the path of the file.
        size: the size of the file in bytes.
        rows: the number of rows that a manifest lists, or None.
        crc32c: the CRC32C that a manifest lists, or None.

    Raises:
        ValueError: if the name does not tell the format, or is not UTF-8.
    """
    try:
        path.encode()
    except UnicodeEncodeError as error:
        # Reports and messages are UTF-8, so they could not name the file.
        message = f"{path!a}: the name is not UTF-8; rename the file, or narrow --input"
        raise ValueError(message) from error
    format_, compression = file_format(path)
    return Shard(path, size, format_, compression, rows, crc32c)


def _normal_path(path: str) -> str:
    # The meaning of `..` depends on links, so it is kept. Paths of remote files are kept as well.
    if not is_local(path) or ".." in path.split("/"):
        return path
    return os.path.normpath(path)


def _is_link(path: str, canonical: str) -> bool:
    return is_local(path) and os.path.abspath(path) != canonical


def _read_once_notes(
    several: list[tuple[str, int]], linked: list[tuple[str, str]]
) -> Iterator[str]:
    match several:
        case []:
            pass
        case [(path, count)]:
            yield f"{path} is matched by {count} globs and read once"
        case _:
            paths = first_names([path for path, _ in several], _MAX_SHOWN)
            yield f"{len(several):,} files are matched by several globs and read once: {paths}"
    match linked:
        case []:
            pass
        case [(alias, path)]:
            yield f"{alias} is the same file as {path} and read once"
        case _:
            pairs = first_names([f"{alias} is {path}" for alias, path in linked], _MAX_SHOWN)
            yield f"{len(linked):,} names are of files read under another name: {pairs}"
