"""Walks the files of this machine that a glob matches, and names what it cannot look into.

The language of globs is that of Python's `glob`: `*`, `?` and `[...]` match within a name, and a
part `**` matches directories of any depth; none of them matches a name that begins with a dot. A
directory that a glob matches is walked as well: all files below it match. `glob` itself passes over
what it may not read, so the walk is here.
"""

from __future__ import annotations

import os
import re
import stat
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache
from heapq import heappop, heappush
from typing import Literal, NamedTuple

WILDCARD = re.compile(r"[*?\[]")

_ANY_DEPTH = "**"
_TWICE_ANY_DEPTH = (_ANY_DEPTH, _ANY_DEPTH)

_KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "folder",
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "named pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}


class Item(NamedTuple):
    """An entry of a directory.

    Attributes:
        name: its name.
        kind: "file", "folder" or "link"; "" for everything else.
    """

    name: str
    kind: str


class Tree:
    """The directories of this machine."""

    def scan(self, path: str, real: str) -> list[Item]:  # noqa: ARG002
        """Returns the entries of a directory.

        Args:
            path: the path of the directory.
            real: its path without links.

        Raises:
            OSError: if the directory cannot be read.
        """
        with os.scandir(path or ".") as entries:
            return [Item(entry.name, _kind_of(entry)) for entry in entries]

    def kind(self, path: str) -> str:
        """Returns what a path leads to, in a word, such as "file", "folder" or "named pipe".

        Raises:
            OSError: if it leads to nothing, or nobody may know.
        """
        return _KINDS.get(stat.S_IFMT(os.stat(path).st_mode), "thing of an unknown kind")


def _kind_of(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink():
        return "link"
    if entry.is_dir(follow_symlinks=False):
        return "folder"
    return "file" if entry.is_file(follow_symlinks=False) else ""


@dataclass(frozen=True)
class Found:
    """What a walk came upon.

    Attributes:
        path: the path, in the spelling of the glob.
        real: the path without links; empty for what cannot be read.
        what: "file"; "folder", a folder of which all files below are walked; "passed", a file or
            folder that is not data; "again", a link to a folder that was walked already; or
            "unreadable".
        detail: the path under which the folder was walked, or why the path cannot be read.
        whole: whether the glob is the name of the file.
    """

    path: str
    real: str
    what: Literal["file", "folder", "passed", "again", "unreadable"]
    detail: str = ""
    whole: bool = False


@dataclass(frozen=True, order=True)
class _Place:
    """A directory, and the parts of the glob that may match what is in it.

    Attributes:
        path: the path of the directory, in the spelling of the glob.
        real: the path without links.
        parts: the numbers of the parts, ascending; the number of all parts stands for "everything".
        data: whether files in it are data.
    """

    path: str
    real: str
    parts: tuple[int, ...]
    data: bool


def is_data_name(name: str) -> bool:
    """Returns whether a file or a directory of a name may be data.

    Hidden names, names that begin with `_`, and the directories in which Beam writes are not.

    >>> is_data_name("day=1"), is_data_name("_SUCCESS"), is_data_name("beam-temp-x")
    (True, False, False)
    """
    return name in (".", "..") or not name.startswith((".", "_", "beam-temp-"))


def is_data_file(name: str) -> bool:
    """Returns whether a file of a name is data, and not hidden or still being written.

    >>> is_data_file("part-0.parquet"), is_data_file("part-0.parquet.tmp")
    (True, False)
    """
    return is_data_name(name) and not name.lower().endswith((".tmp", ".temp", ".part", "~"))


def fixed_part(pattern: str) -> str:
    """Returns the directories that a glob names before its first wildcard.

    >>> fixed_part("out/day=*/*.parquet"), fixed_part("out/a.parquet")
    ('out', 'out')
    """
    return WILDCARD.split(pattern, maxsplit=1)[0].rpartition("/")[0]


def walk(pattern: str, tree: Tree | None = None) -> Iterator[Found]:
    """Yields what a glob matches on this machine.

    Directories that are reached without a link are walked first. A directory is walked once,
    however many links lead to it, so that links in a circle end.

    Args:
        pattern: the glob.
        tree: the directories; those of this machine if it is None.
    """
    return _Walk(pattern, tree or Tree()).run()


class _Walk:
    def __init__(self, pattern: str, tree: Tree) -> None:
        self._tree = tree
        # No name holds NUL, and the system is not to be asked for such a name.
        parts = [part for part in pattern.split("/") if part] if "\0" not in pattern else []
        self._parts = [
            part for n, part in enumerate(parts) if (part, *parts[n - 1 : n]) != _TWICE_ANY_DEPTH
        ]
        self._end = len(self._parts)
        self._start = "/" if pattern.startswith("/") else ""
        # All directories of any depth are the same as all files.
        self._only_folders = pattern.endswith("/") and self._parts[-1:] != [_ANY_DEPTH]
        wild = [n for n, part in enumerate(self._parts) if WILDCARD.search(part)]
        self._first_wild = wild[0] if wild else self._end
        self._places: deque[_Place] = deque()
        self._linked: list[_Place] = []
        self._walked: dict[tuple[str, tuple[int, ...], bool], str] = {}

    def run(self) -> Iterator[Found]:
        if not self._parts:
            return
        real = os.path.realpath(self._start or ".")
        self._places.append(_Place(self._start, real, self._from(0), data=True))
        while self._places or self._linked:
            place = self._places.popleft() if self._places else heappop(self._linked)
            key = place.real, place.parts, place.data
            if key not in self._walked:
                self._walked[key] = place.path
                yield from self._look(place)
            elif place.path != self._walked[key]:
                yield Found(place.path, place.real, "again", self._walked[key])

    def _from(self, part: int) -> tuple[int, ...]:
        """Returns the parts that may match what is in a directory, the first of which is given."""
        more = part + 1
        any_depth = part < self._end and self._parts[part] == _ANY_DEPTH
        return (part, more) if any_depth and more < self._end else (part,)

    def _look(self, place: _Place) -> Iterator[Found]:
        """Goes to all that is in a directory and that a part may match."""
        wild = []
        for part in place.parts:
            if part == self._end or WILDCARD.search(self._parts[part]):
                wild.append(part)
            else:
                yield from self._named(place, part)
        if not wild:
            return
        try:
            items = self._tree.scan(place.path, place.real)
        except OSError as error:
            yield from self._unreadable(place.path or ".", error, place.data)
            return
        for item in items:
            yield from self._item(place, wild, item)

    def _named(self, place: _Place, part: int) -> Iterator[Found]:
        """Goes to what a part without a wildcard names."""
        name = self._parts[part]
        path = os.path.join(place.path, name)
        last, fixed = part == self._end - 1, part < self._first_wild
        data = place.data and (fixed or is_data_name(name))
        try:
            kind = self._tree.kind(path)
        except OSError as error:
            missing = isinstance(error, FileNotFoundError | NotADirectoryError)
            if not missing or os.path.islink(path):
                yield from self._unreadable(path, error, data)
            return
        real = os.path.realpath(path)
        if kind != "folder":
            if last and not self._only_folders:
                yield from self._file(path, real, kind, place.data, whole=fixed)
        elif last and not data:
            yield Found(f"{path}/", real, "passed")
        else:
            if last:
                yield Found(path, real, "folder")
            self._places.append(_Place(path, real, self._from(part + 1), data))

    def _item(self, place: _Place, wild: list[int], item: Item) -> Iterator[Found]:
        """Goes to an entry of a directory, if a part with a wildcard matches it."""
        inside: set[int] = set()
        matched = below = everything = False
        for part in wild:
            if part == self._end:
                matched = below = everything = True
            elif not _matches(self._parts[part], item.name):
                continue
            elif self._parts[part] == _ANY_DEPTH:
                inside.update(self._from(part))
                matched |= part == self._end - 1
            elif part == self._end - 1:
                matched = below = True
            else:
                inside.update(self._from(part + 1))
        if not (matched or inside):
            return
        path = os.path.join(place.path, item.name)
        real = os.path.join(place.real, item.name)
        data = place.data and is_data_name(item.name)
        kind = item.kind
        if kind in ("link", ""):
            try:
                kind = self._tree.kind(path)
            except OSError as error:
                if matched and not data:
                    yield Found(path, "", "passed")
                else:
                    yield from self._unreadable(path, error, data)
                return
            real = os.path.realpath(path)
        if kind != "folder":
            if matched and (everything or not self._only_folders):
                yield from self._file(path, real, kind, place.data)
            return
        if below and not data:
            yield Found(f"{path}/", real, "passed")
        elif below:
            inside.add(self._end)
            if not everything:
                yield Found(path, real, "folder")
        if inside:
            inner = _Place(path, real, tuple(sorted(inside)), data)
            if item.kind == "link":
                heappush(self._linked, inner)
            else:
                self._places.append(inner)

    def _file(
        self, path: str, real: str, kind: str, data: bool, *, whole: bool = False
    ) -> Iterator[Found]:
        """Yields what a glob matches that is no folder."""
        if not (data and is_data_file(os.path.basename(path))):
            yield Found(path, real, "passed")
        elif kind == "file":
            yield Found(path, real, "file", whole=whole)
        else:
            yield Found(path, "", "unreadable", f"is a {kind}, not a file")

    def _unreadable(self, path: str, error: OSError, data: bool) -> Iterator[Found]:
        if data:
            dangling = isinstance(error, FileNotFoundError) and os.path.islink(path)
            why = f"cannot be read: {error.strerror or error}"
            yield Found(path, "", "unreadable", "is a link to nothing" if dangling else why)


def _matches(part: str, name: str) -> bool:
    if name.startswith(".") and not part.startswith("."):
        return False
    return part == _ANY_DEPTH or _expression(part).match(name) is not None


@lru_cache(maxsize=256)
def _expression(part: str) -> re.Pattern[str]:
    return re.compile(translate(part))
