"""Tells whether globs would read files that need not exist yet, such as the outputs of a run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress

from pipeline.readers.remote_globs import RemoteGlob
from pipeline.readers.storage import is_local
from pipeline.readers.walk import Item, Tree, walk


def would_read(patterns: Sequence[str], paths: Sequence[str]) -> str | None:
    """Returns the first of some files that a listing of globs would read if the files existed.

    It holds for files of every name and format: of a name that tells no format the first bytes
    would be looked at. Directories are walked as in a listing, through links as well; what cannot
    be read is passed over.

    Args:
        patterns: the globs of the listing.
        paths: the paths of the files; neither the files nor their directories need exist.
    """
    globs = []
    for pattern in patterns:
        if not is_local(pattern):
            # The listing tells that a glob is malformed.
            with suppress(ValueError):
                globs.append(RemoteGlob(pattern))
    tree = _TreeWith([path for path in paths if is_local(path)])
    read = {
        found.real
        for pattern in patterns
        if is_local(pattern) and tree.targets
        for found in walk(pattern, tree)
        if found.what == "file" and found.real in tree.targets
    }
    for path in paths:
        if is_local(path):
            if os.path.realpath(path) in read:
                return path
            continue
        matches = (glob.match(path) for glob in globs)
        if any(match is not None and match.data for match in matches):
            return path
    return None


class _TreeWith(Tree):
    """The directories of this machine, as they would be with some more files.

    Args:
        paths: the paths of the files.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self.targets = {os.path.realpath(path) for path in paths}
        self._directories: dict[str, dict[str, str]] = {}
        for target in self.targets:
            what = "file"
            while (directory := os.path.dirname(target)) != target:
                self._directories.setdefault(directory, {})[os.path.basename(target)] = what
                target, what = directory, "folder"

    def scan(self, path: str, real: str) -> list[Item]:
        more = self._directories.get(real)
        if more is None:
            return super().scan(path, real)
        try:
            items = super().scan(path, real)
        except FileNotFoundError:
            items = []
        there = {item.name for item in items}
        return [*items, *(Item(name, what) for name, what in more.items() if name not in there)]

    def kind(self, path: str) -> str:
        try:
            return super().kind(path)
        except FileNotFoundError:
            real = os.path.realpath(path)
            if real in self.targets:
                return "file"
            if real in self._directories:
                return "folder"
            raise
