"""Lists the files that globs match, each file once, and tells what cannot be listed as it is."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from glob import escape

from pipeline.errors.faults import DataFault, StorageError
from pipeline.errors.wording import first_names, first_of_kinds
from pipeline.readers.formats import (
    HEAD_BYTES,
    Format,
    describe_head,
    format_by_bytes,
    format_by_name,
)
from pipeline.readers.shards import Shard, repeated_directory_columns
from pipeline.readers.stamps import Stamp, held, stamp_of
from pipeline.readers.storage import OpenFile, is_local, open_local
from pipeline.readers.tables import Refusals, local_marks
from pipeline.readers.threads import in_threads
from pipeline.readers.walk import WILDCARD, fixed_part, walk

# Formats that people have, and that are not read.
_OF_TEXT = (".csv", ".tsv", ".json", ".jsonl", ".ndjson")
_MAX_SHOWN = 5
_THREADS = 16


@dataclass(frozen=True)
class Match:
    """A match: a file that a glob matches.

    Attributes:
        glob: the glob.
        path: the path of the file, in the spelling of the glob.
        stamp: the size of the file, and when it was changed.
        real: the path without links.
        name: what all paths of the file have in common; `real` if it has no other.
    """

    glob: str
    path: str
    stamp: Stamp
    real: str
    name: str


@dataclass
class Matches:
    """What globs match.

    Attributes:
        files: the files that are data.
        passed: the paths that are not data, and the glob of each.
        folders: the folders that globs match, of which all files below are matched.
        again: links to folders that are walked under another name: path, that name, and the path
            without links.
        problems: what a glob matches and nobody can read, one line each.
    """

    files: list[Match] = field(default_factory=list)
    passed: list[tuple[str, str]] = field(default_factory=list)
    folders: set[str] = field(default_factory=set)
    again: set[tuple[str, str, str]] = field(default_factory=set)
    problems: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Listing:
    """A listing: the files of a run, each file once.

    Attributes:
        shards: the files, sorted by path.
        notes: lines about the listing that the user should know.
        problems: the reasons why the files must not be read, one line per reason.
    """

    shards: tuple[Shard, ...]
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Shard]:
        return iter(self.shards)

    def __len__(self) -> int:
        return len(self.shards)


def list_local(patterns: Sequence[str], format_: Format | None = None) -> Listing:
    """Returns the shards of this machine that match any of the globs; see `make_listing`."""
    matches = Matches()
    for pattern in dict.fromkeys(patterns):
        match_local(pattern, matches)
    return make_listing(patterns, matches, open_local, format_)


def match_local(pattern: str, matches: Matches) -> None:
    """Adds what a glob matches on this machine; see `walk`."""
    refusals = Refusals(local_marks)
    folders: set[str] = set()
    for found in walk(pattern):
        path = _normal_path(found.path)
        match found.what:
            case "file":
                _add_file(pattern, path, found.real, matches)
                if not found.whole:
                    folders.add(os.path.dirname(path))
            case "folder":
                matches.folders.add(path)
            case "passed":
                matches.passed.append((pattern, found.path))
            case "again":
                matches.again.add((path, _normal_path(found.detail), found.real))
            case "unreadable":
                matches.problems.add(f"{path} {found.detail}")
    fixed = fixed_part(pattern) if WILDCARD.search(pattern) else pattern
    above = os.path.realpath(fixed or ("/" if pattern.startswith("/") else "."))
    reasons = (refusals.reason(os.path.realpath(folder), above) for folder in folders)
    matches.problems.update(filter(None, reasons))


def _add_file(pattern: str, path: str, real: str, matches: Matches) -> None:
    try:
        status = os.stat(path)
    except OSError as error:
        matches.problems.add(f"{path} cannot be read: {error.strerror or error}")
        return
    # Names of an inode are the same file. Filesystems that make up inodes count a single name.
    inode = f"inode {status.st_dev}:{status.st_ino}"
    name = inode if status.st_nlink > 1 else real
    matches.files.append(Match(pattern, path, stamp_of(status), real, name))


def make_listing(
    patterns: Sequence[str], matches: Matches, open_file: OpenFile, format_: Format | None = None
) -> Listing:
    """Returns the shards among the files that globs match, each file once.

    A file that several globs match, or that has several names, is a single shard; a name that is
    not a link has priority. The notes of the listing say so, and which files were left out because
    they are not data. It is a problem of the listing if a glob matches no data, something cannot be
    read, or the directories of a path state a column twice.

    The first bytes of a file tell its format where its name does not.

    Args:
        patterns: the globs.
        matches: what the globs match.
        open_file: opens a file; several threads call it.
        format_: the format of all files; None to tell it for each.

    Raises:
        ValueError: if neither the name nor the first bytes of a file tell its format, or its name
            is not UTF-8. Its arguments are lines about such files.
    """
    by_name: dict[str, dict[str, Match]] = {}
    globs: dict[str, set[str]] = {}
    for match in matches.files:
        by_name.setdefault(match.name, {})[match.path] = match
        globs.setdefault(match.path, set()).add(match.glob)
    chosen, linked = [], []
    for by_path in by_name.values():
        first = min(by_path.values(), key=lambda match: (_is_link(match), match.path))
        chosen.append(first)
        linked += [(alias, first.path) for alias in by_path if alias != first.path]
    chosen.sort(key=lambda match: match.path)
    several = [(path, len(found)) for path, found in globs.items() if len(found) > 1]
    shards, unreadable, wrong = _shards(chosen, open_file, format_)
    unmatched = sorted(set(patterns).difference(*globs.values()))
    problems = [
        *sorted(matches.problems),
        *unreadable,
        *_nothing(unmatched, matches),
        *_repeated_columns(shards),
    ]
    if wrong and not problems:
        raise ValueError(*first_of_kinds(_as_text(wrong)))
    passed = sorted({path for _, path in matches.passed} - globs.keys())
    notes = [
        *_folder_notes(sorted(matches.folders)),
        *_several_notes(sorted(several)),
        *_linked_notes("file", sorted(linked)),
        *_linked_notes("folder", sorted(_linked_folders(matches))),
        *_passed_notes(passed),
    ]
    return Listing(tuple(sorted(shards)), tuple(_as_text(notes)), tuple(_as_text(problems)))


def _shards(
    matches: Sequence[Match], open_file: OpenFile, format_: Format | None
) -> tuple[list[Shard], list[str], list[str]]:
    """Returns the shards of files.

    Returns:
        The shards; a line for each file that cannot be opened; and a line for each file of which
        neither the name nor the content tells the format, or whose name is no text.
    """
    told = {match.path: format_ or format_by_name(match.path) for match in matches}
    untold = [match for match in matches if told[match.path] is None]
    heads = in_threads(lambda match: _head(match, open_file), untold, _THREADS)
    shards, unreadable, wrong = [], [], []
    for match, head in zip(untold, heads, strict=True):
        if isinstance(head, str):
            unreadable.append(head)
            del told[match.path]
        elif (format_of_bytes := format_by_bytes(head)) is not None:
            told[match.path] = format_of_bytes
        else:
            ending = os.path.splitext(match.path)[1].lower()
            wrong.append(
                f"{match.path}: cannot tell the format from the name, nor from the content:"
                f" {describe_head(head)}. "
                + (
                    f"Write {ending} files anew as Parquet"
                    if ending in _OF_TEXT
                    else "Name Parquet files .parquet and TFRecord files .tfrecord, set 'format',"
                    " or narrow --input to files of data"
                )
            )
    for match in matches:
        try:
            match.path.encode()
        except UnicodeEncodeError:
            # Reports and messages are UTF-8, so they could not name the file.
            wrong.append(f"{match.path!a}: the name is not UTF-8; rename it, or narrow --input")
            continue
        format_of_file = told.get(match.path)
        if format_of_file is not None:
            shards.append(Shard(match.path, match.stamp.bytes, format_of_file, stamp=match.stamp))
    return shards, unreadable, wrong


def _head(match: Match, open_file: OpenFile) -> bytes | str:
    """Returns the first bytes of a file, or a line that says why they cannot be read."""
    if not match.stamp.bytes:
        return b""
    try:
        with held(match.path, match.stamp, open_file)(match.path) as stream:
            return stream.read(HEAD_BYTES)
    except (DataFault, StorageError) as fault:
        return str(fault)


def _as_text(lines: Sequence[str]) -> list[str]:
    """Returns lines that can be printed; the bytes of a name that is not UTF-8 are escaped."""
    return [
        line.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        for line in lines
    ]


def _nothing(patterns: Sequence[str], matches: Matches) -> Iterator[str]:
    """Yields the line about each glob that matches no data."""
    passed: dict[str, set[str]] = {}
    for glob, path in matches.passed:
        passed.setdefault(glob, set()).add(path)
    for pattern in patterns:
        line = f"no file matches {pattern or repr(pattern)}"
        if pattern in passed:
            names = first_names(sorted(passed[pattern]), _MAX_SHOWN)
            line += f": all are passed over ({names})"
        elif _normal_path(pattern) in matches.folders:
            line += ": the folder is empty"
        if is_local(pattern) and WILDCARD.search(pattern) and os.path.lexists(pattern):
            line += f"; '[', '*' and '?' are of globs: give what has this name as {escape(pattern)}"
        if "{" in pattern:
            line += "; braces are not expanded: give --input twice"
        if pattern.startswith("~"):
            line += "; in quotes the shell leaves '~' as it is: write $HOME or the whole path"
        yield line


def _repeated_columns(shards: Sequence[Shard]) -> Iterator[str]:
    by_column: dict[str, list[str]] = {}
    for shard in shards:
        for column in repeated_directory_columns(shard.path):
            by_column.setdefault(column, []).append(shard.path)
    for column, paths in sorted(by_column.items()):
        yield (
            f"directories state the column '{column}' more than once, and which value counts no one"
            f" can tell: {first_names(paths, _MAX_SHOWN)}"
        )


def _linked_folders(matches: Matches) -> list[tuple[str, str]]:
    """Returns the links to folders that files were found in, and the other names of these."""
    if not matches.again:
        return []
    found: set[str] = set()
    for match in matches.files:
        folder = os.path.dirname(match.real)
        while folder not in found:
            found.add(folder)
            folder = os.path.dirname(folder)
    return [(path, other) for path, other, real in matches.again if real in found]


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


def _normal_path(path: str) -> str:
    # The meaning of `..` depends on links, so it is kept. Paths of remote files are kept as well.
    if not is_local(path) or ".." in path.split("/"):
        return path
    return os.path.normpath(path)


def _is_link(match: Match) -> bool:
    return is_local(match.path) and os.path.abspath(match.path) != match.real


def _folder_notes(folders: Sequence[str]) -> Iterator[str]:
    if len(folders) == 1:
        yield f"{folders[0]} is a folder: all files below it are read"
    elif folders:
        shown = first_names(folders, _MAX_SHOWN)
        yield f"{len(folders):,} matches are folders, of which all files below are read: {shown}"


def _passed_notes(passed: Sequence[str]) -> Iterator[str]:
    if passed:
        folders = any(path.endswith("/") for path in passed)
        what = (
            ("file or folder" if folders else "file")
            if len(passed) == 1
            else ("files and folders" if folders else "files")
        )
        shown = first_names(passed, _MAX_SHOWN)
        yield (
            "passed over, as hidden, temporary or beginning with '_':"
            f" {len(passed):,} {what} ({shown})"
        )


def _several_notes(several: Sequence[tuple[str, int]]) -> Iterator[str]:
    if len(several) == 1:
        path, count = several[0]
        yield f"{path} is matched by {count} globs and read once"
    elif several:
        paths = first_names([path for path, _ in several], _MAX_SHOWN)
        yield f"{len(several):,} files are matched by several globs and read once: {paths}"


def _linked_notes(what: str, linked: Sequence[tuple[str, str]]) -> Iterator[str]:
    if len(linked) == 1:
        alias, path = linked[0]
        yield f"{alias} is the same {what} as {path} and read once"
    elif linked:
        pairs = first_names([f"{alias} is {path}" for alias, path in linked], _MAX_SHOWN)
        yield f"{len(linked):,} names are of {what}s read under another name: {pairs}"
