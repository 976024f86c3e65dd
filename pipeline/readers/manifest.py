"""Reads the manifest of an input, a CSV file of the files that should be there, and checks it."""

from __future__ import annotations

import csv
import os
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np

from pipeline.errors.faults import DataFault
from pipeline.errors.problems import ConfigError, Problem, quote
from pipeline.errors.suggest import did_you_mean
from pipeline.errors.wording import counted, first_names
from pipeline.readers.crc32c import crc32c_many
from pipeline.readers.file_list import CanonicalNames
from pipeline.readers.shards import Shard
from pipeline.readers.stamps import held
from pipeline.readers.storage import OpenFile, is_local

COLUMNS = ("path", "bytes", "rows", "crc32c")
_LONGEST_LINE = 1 << 16
_NUMBER = re.compile(r"[0-9]{1,18}")
_CRC = re.compile(r"[0-9a-fA-F]{8}")
_BLOCK = 4 << 20


@dataclass(frozen=True)
class Entry:
    """A line of a manifest: what it says about a file; None where it says nothing.

    Attributes:
        line: the number of the line, from 1.
        path: the path of the file; a relative path is joined to the directory of the manifest.
        bytes: the size of the file.
        rows: the number of rows of the file.
        crc32c: the CRC32C of the stored bytes of the file.
    """

    line: int
    path: str
    bytes: int | None = None
    rows: int | None = None
    crc32c: int | None = None


@dataclass(frozen=True)
class Manifest:
    """A manifest: the files that should be there.

    Attributes:
        source: the path of the manifest.
        entries: the entry of each file, by the canonical name of the file.
    """

    source: str
    entries: Mapping[str, Entry]


def read_manifest(source: str, open_file: OpenFile) -> Manifest:
    """Reads a manifest: a CSV file in UTF-8, with a header and one line per file.

    The columns are `path`, and any of `bytes`, `rows` and `crc32c` (8 hexadecimal digits). A path
    is absolute, a URL, or relative to the directory of the manifest.

    Args:
        source: the path of the manifest.
        open_file: opens a file.

    Raises:
        ConfigError: if the manifest cannot be read; the error names the file and the line.
    """
    try:
        with open_file(source) as stream:
            return Manifest(source, _entries(source, stream))
    except OSError as error:
        message = f"the manifest cannot be read: {error.strerror or error}"
        raise ConfigError([Problem(source, (), message)]) from error


def check_manifest(
    manifest: Manifest, shards: Sequence[Shard]
) -> tuple[list[str], tuple[Shard, ...]]:
    """Compares the names and sizes of files with a manifest.

    Args:
        manifest: the files that should be there.
        shards: the files that are there, also the empty ones.

    Returns:
        A line for each difference; and the shards, with the row counts and checksums that the
        manifest lists.
    """
    source, names = manifest.source, CanonicalNames()
    present = {names.of(shard.path): shard for shard in shards}
    missing = sorted(entry.path for name, entry in manifest.entries.items() if name not in present)
    extra = sorted(shard.path for name, shard in present.items() if name not in manifest.entries)
    problems = []
    if missing:
        are = _files_are(len(missing))
        problems.append(
            f"{are} in the manifest {source} and not in the input: {first_names(missing)}"
        )
    if extra:
        are = _files_are(len(extra))
        problems.append(
            f"{are} in the input and not in the manifest {source}: {first_names(extra)}"
        )
    listed = []
    for shard in shards:
        entry = manifest.entries.get(names.of(shard.path))
        if entry is None:
            listed.append(shard)
            continue
        if entry.bytes is not None and entry.bytes != shard.bytes:
            problems.append(
                f"{shard.path}: has {counted(shard.bytes, 'byte')}, and the manifest lists"
                f" {entry.bytes:,}"
            )
        shard = replace(shard, rows=entry.rows, crc32c=entry.crc32c)
        if not shard.bytes:
            problems += _listed_differences(shard, rows=0, crc=0)
        listed.append(shard)
    return problems, tuple(listed)


def manifest_differences(shard: Shard, rows: int | None, open_file: OpenFile) -> list[str]:
    """Returns a line for each difference between a shard and what the manifest lists of it.

    For a checksum the whole file is read, in blocks. A file that is no longer there gives no line
    here: the data report names it.

    Args:
        shard: the shard, with the row count and checksum that the manifest lists.
        rows: the number of rows of the shard; None if it is not known yet.
        open_file: opens the shard.

    Raises:
        ReadError: if the file cannot be read.
    """
    crc = None
    if shard.crc32c is not None:
        try:
            with held(shard.path, shard.stamp, open_file)(shard.path) as stream:
                crc = crc32c_of(stream)
        except DataFault:
            pass
    return _listed_differences(shard, rows, crc)


def _listed_differences(shard: Shard, rows: int | None, crc: int | None) -> list[str]:
    lines = []
    if rows is not None and shard.rows is not None and rows != shard.rows:
        lines.append(wrong_rows(shard, rows))
    if crc is not None and shard.crc32c is not None and crc != shard.crc32c:
        has = f"has the CRC32C {crc:08x}"
        lines.append(f"{shard.path}: {has}, and the manifest lists {shard.crc32c:08x}")
    return lines


def wrong_rows(shard: Shard, rows: int) -> str:
    """Returns the line for a shard whose number of rows is not the one that the manifest lists."""
    return f"{shard.path}: has {counted(rows, 'row')}, and the manifest lists {shard.rows:,}"


def crc32c_of(stream: BinaryIO, block_bytes: int = _BLOCK) -> int:
    """Returns the CRC32C of the rest of a stream, which is read in blocks of at least 4 bytes.

    >>> import io
    >>> hex(crc32c_of(io.BytesIO(b"123456789"), 4))
    '0xe3069283'
    """
    crc = 0
    block = stream.read(block_bytes)
    while block:
        next_block = stream.read(block_bytes)
        while next_block and len(next_block) < 4:
            block += next_block
            next_block = stream.read(block_bytes)
        data = np.frombuffer(block, np.uint8)
        if crc:
            # A CRC register is XORed with the next 4 bytes, so the CRC so far can be put into them.
            data = data.copy()
            data[:4] ^= np.frombuffer(crc.to_bytes(4, "little"), np.uint8)
        crc = int(crc32c_many(data, np.array([0]), np.array([len(data)]))[0])
        block = next_block
    return crc


def _entries(source: str, stream: BinaryIO) -> dict[str, Entry]:
    rows = _csv_records(source, stream)
    line, header = next(rows, (1, []))
    for column in header:
        if column not in COLUMNS:
            hint = did_you_mean(column, COLUMNS)
            raise _error_at(source, line, f"unknown column {quote(column)}{hint}")
        if header.count(column) > 1:
            raise _error_at(source, line, f"the column '{column}' comes twice")
    if "path" not in header:
        message = "there is no column 'path'; begin with a header such as path,bytes,rows,crc32c"
        raise _error_at(source, line, message)
    names = CanonicalNames()
    entries: dict[str, Entry] = {}
    for line, cells in rows:
        if len(cells) != len(header):
            message = f"there must be {len(header)} values, as in the header, not {len(cells)}"
            raise _error_at(source, line, message)
        entry = _entry(source, line, dict(zip(header, cells, strict=True)))
        name = names.of(entry.path)
        if name in entries:
            message = f"{entry.path} is the file of line {entries[name].line} again; list it once"
            raise _error_at(source, line, message)
        entries[name] = entry
    return entries


def _entry(source: str, line: int, cells: dict[str, str]) -> Entry:
    path = cells["path"]
    if not path or "\0" in path:
        raise _error_at(source, line, "a path is missing")
    numbers: dict[str, int | None] = dict.fromkeys(COLUMNS[1:])
    for column, form, base, kind in (
        ("bytes", _NUMBER, 10, "a whole number"),
        ("rows", _NUMBER, 10, "a whole number"),
        ("crc32c", _CRC, 16, "8 hexadecimal digits"),
    ):
        cell = cells.get(column)
        if cell is not None:
            if not form.fullmatch(cell):
                message = f"'{column}' must be {kind}, not {quote(cell)}"
                raise _error_at(source, line, message)
            numbers[column] = int(cell, base)
    return Entry(line, _full_path(source, path), **numbers)


def _full_path(source: str, path: str) -> str:
    """Returns a path of a manifest; a relative path is joined to the directory of the manifest."""
    if not is_local(path) or os.path.isabs(path):
        return path
    scheme, separator, place = source.rpartition("://")
    directory = posixpath.dirname(place)
    joined = posixpath.join(directory, path)
    return scheme + separator + (posixpath.normpath(joined) if separator else joined)


def _csv_records(source: str, stream: BinaryIO) -> Iterator[tuple[int, list[str]]]:
    """Yields the records of a CSV file and the number of the first line of each; no blank lines."""
    lines = _Lines(source, stream)
    reader = csv.reader(lines, strict=True)
    while True:
        line = lines.number + 1
        try:
            record = next(reader, None)
        except csv.Error as error:
            raise _error_at(source, line, f"this is no CSV: {error}") from error
        if record is None:
            return
        if record:
            yield line, record


class _Lines:
    """An iterable over the lines of a manifest as text; it holds a single line at a time.

    Attributes:
        number: the number of the last line that was read, from 1; 0 at the beginning.
    """

    def __init__(self, source: str, stream: BinaryIO) -> None:
        self.number = 0
        self._source = source
        self._stream = stream

    def __iter__(self) -> Iterator[str]:
        while line := self._stream.readline(_LONGEST_LINE):
            self.number += 1
            if len(line) == _LONGEST_LINE:
                raise _error_at(self._source, self.number, "the line is too long for a manifest")
            try:
                # Spreadsheets write a byte order mark at the beginning of UTF-8.
                text = line.decode("utf-8-sig" if self.number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                message = "this is not UTF-8; write the manifest as CSV in UTF-8"
                raise _error_at(self._source, self.number, message) from error
            yield text


def _error_at(source: str, line: int, message: str) -> ConfigError:
    return ConfigError([Problem(source, (), message, line)])


def _files_are(count: int) -> str:
    return "1 file is" if count == 1 else f"{count:,} files are"
