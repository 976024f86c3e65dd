"""Shards: what globs match, each file once, and the work items they are cut into."""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

from pipeline.errors.wording import named
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
_FEW = 5


@dataclass(frozen=True, order=True)
class Shard:
    """One file of predictions.

    Attributes:
        path: where it is.
        bytes: its size.
        format: what it holds.
        compression: "gzip" for a compressed TFRecord file, else None.
        rows: how many rows a manifest says it has; None where none does.
        crc32c: the CRC32C that a manifest says its stored bytes have; None where none does.
    """

    path: str
    bytes: int
    format: Format
    compression: Compression | None = None
    rows: int | None = None
    crc32c: int | None = None

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


@dataclass(frozen=True)
class Match:
    """A file that a glob matches.

    Attributes:
        glob: the glob.
        path: the file, as the glob spells it.
        bytes: its size.
    """

    glob: str
    path: str
    bytes: int


@dataclass(frozen=True)
class Listing:
    """The files of a run, each once.

    Attributes:
        shards: the files, sorted by path.
        notes: what should be known of them, a line each.
    """

    shards: tuple[Shard, ...]
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Shard]:
        return iter(self.shards)

    def __len__(self) -> int:
        return len(self.shards)


def is_data(path: str, pattern: str) -> bool:
    """Whether a file that matches a glob is data.

    What is hidden or begins with `_` is not, be it the file, as `_SUCCESS`, or a directory that the
    glob did not name, as `_temporary`; nor is what somebody is still writing, by its name.

    >>> is_data("out/_temporary/part-0.parquet", "out/**/*.parquet")
    False
    >>> is_data("out/part-0.parquet.tmp", "out/*")
    False
    """
    named_part = _WILDCARD.split(pattern)[0].rpartition("/")[0]
    found = path[len(named_part) :] if path.startswith(named_part) else path
    parts = [part for part in found.split("/") if part not in (".", "..")]
    return not (
        any(part.startswith((".", "_", "beam-temp-")) for part in parts)
        or path.lower().endswith(_TEMPORARY)
    )


def list_local(patterns: Sequence[str]) -> Listing:
    """The shards of this machine that match any of the globs; see `make_listing`.

    `**` matches directories of any depth. A `*` does not match hidden files.

    Raises:
        ValueError: if the name of a file tells no format, or is not UTF-8.
    """
    return make_listing(patterns, match_local(patterns))


def match_local(patterns: Sequence[str]) -> Iterator[Match]:
    """The files of this machine that match globs, under every name and for every glob.

    A link to nothing is a file: whoever reads it finds that it is missing, and nothing is lost.
    """
    for pattern in patterns:
        for path in glob.glob(pattern, recursive=True):
            try:
                found = os.stat(path)
            except FileNotFoundError:
                found = os.lstat(path)
            if stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode):
                yield Match(pattern, path, found.st_size)


def make_listing(patterns: Sequence[str], matches: Iterable[Match]) -> Listing:
    """The shards among the files that globs match, each once.

    Files that are not data (`is_data`) are passed over. A file that several globs match, or one
    under several names, is one shard; of the names, one that is no link goes first. The notes of
    the listing say so.

    Args:
        patterns: the globs.
        matches: the files that they match.

    Raises:
        ValueError: if the name of a file tells no format, or is not UTF-8.
    """
    names = CanonicalNames()
    files: dict[str, dict[str, int]] = {}
    globs: dict[str, set[str]] = {}
    passed: set[str] = set()
    for match in matches:
        if is_data(match.path, match.glob):
            path = _plain(match.path)
            name = names.of(path)
            files.setdefault(name, {})[path] = match.bytes
            globs.setdefault(name, set()).add(match.glob)
        else:
            passed.add(_plain(match.path))
    shards, several, linked = [], [], []
    for name, sizes in files.items():
        path = min(sizes, key=lambda path: (len(sizes) > 1 and _is_link(path, name), path))
        shards.append(make_shard(path, sizes[path]))
        if len(globs[name]) > 1:
            several.append((path, len(globs[name])))
        elif len(sizes) > 1:
            linked += [(other, path) for other in sizes if other != path]
    barren = sorted(set(patterns).difference(*globs.values())) if shards else []
    notes = [
        *(f"no file matches {pattern}" for pattern in barren),
        *_once_notes(sorted(several), sorted(linked)),
    ]
    if passed:
        notes.append(
            f"passed over, as hidden, temporary or beginning with '_': {len(passed):,}"
            f" {'file' if len(passed) == 1 else 'files'} ({named(sorted(passed), _FEW)})"
        )
    return Listing(tuple(sorted(shards)), tuple(notes))


class CanonicalNames:
    """One name for each file of this machine, whatever links and spellings lead to it."""

    def __init__(self) -> None:
        self._directories: dict[str, str] = {}

    def of(self, path: str) -> str:
        """The name of a file; that of a file elsewhere is its path."""
        if not is_local(path):
            return path
        if os.path.islink(path):
            return os.path.realpath(path)
        directory, base = os.path.split(path)
        if directory not in self._directories:
            self._directories[directory] = os.path.realpath(directory)
        return os.path.join(self._directories[directory], base)


def make_shard(path: str, size: int, rows: int | None = None, crc32c: int | None = None) -> Shard:
    """The shard of a path and its size; ValueError if the name tells no format, or is no text."""
    try:
        path.encode()
    except UnicodeEncodeError as error:
        # Neither reports nor messages could name it.
        message = f"{path!a}: the name is not UTF-8; rename the file, or narrow --input"
        raise ValueError(message) from error
    format_, compression = file_format(path)
    return Shard(path, size, format_, compression, rows, crc32c)


def _plain(path: str) -> str:
    # What `..` means depends on links, so that it stays; names elsewhere are taken as they are.
    if not is_local(path) or ".." in path.split("/"):
        return path
    return os.path.normpath(path)


def _is_link(path: str, canonical: str) -> bool:
    return is_local(path) and os.path.abspath(path) != canonical


def _once_notes(several: list[tuple[str, int]], linked: list[tuple[str, str]]) -> Iterator[str]:
    match several:
        case []:
            pass
        case [(path, count)]:
            yield f"{path} is matched by {count} globs and read once"
        case _:
            paths = named([path for path, _ in several], _FEW)
            yield f"{len(several):,} files are matched by several globs and read once: {paths}"
    match linked:
        case []:
            pass
        case [(other, path)]:
            yield f"{other} is the same file as {path} and read once"
        case _:
            pairs = named([f"{other} is {path}" for other, path in linked], _FEW)
            yield f"{len(linked):,} names are of files read under another name: {pairs}"
