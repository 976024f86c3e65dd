"""Tells whether globs would read a file that need not exist yet, such as an output of a run."""

from __future__ import annotations

import os
from collections.abc import Sequence

from pipeline.readers.remote_globs import RemoteGlob
from pipeline.readers.storage import is_local
from pipeline.readers.walk import Item, Tree, walk


def would_read(patterns: Sequence[str], path: str) -> bool:
    """Returns whether a listing of globs would have a file among its data, if the file existed.

    It holds for files of every name and format: of a name that tells no format the first bytes
    would be looked at. Directories are walked as in a listing, through links as well; what cannot
    be read is passed over.

    Args:
        patterns: the globs of the listing.
        path: the path of the file; neither the file nor its directory need exist.
    """
    if not is_local(path):
        return any(_matches(pattern, path) for pattern in patterns if not is_local(pattern))
    tree = _TreeWith(path)
    return any(
        found.what == "file" and found.real == tree.target
        for pattern in patterns
        if is_local(pattern)
        for found in walk(pattern, tree)
    )


def _matches(pattern: str, path: str) -> bool:
    try:
        match = RemoteGlob(pattern).match(path)
    except ValueError:
        # The listing tells that the glob is malformed.
        return False
    return match is not None and match.data


class _TreeWith(Tree):
    """The directories of this machine, as they would be with one more file.

    Args:
        path: the path of the file.
    """

    def __init__(self, path: str) -> None:
        self.target = os.path.realpath(path)

    def scan(self, path: str, real: str) -> list[Item]:
        beyond = self.target.removeprefix(real.rstrip("/") + "/")
        if beyond == self.target:
            return super().scan(path, real)
        try:
            items = super().scan(path, real)
        except FileNotFoundError:
            items = []
        name, slash, _ = beyond.partition("/")
        if all(item.name != name for item in items):
            items.append(Item(name, "folder" if slash else "file"))
        return items

    def kind(self, path: str) -> str:
        try:
            return super().kind(path)
        except FileNotFoundError:
            real = os.path.realpath(path)
            if real == self.target:
                return "file"
            if self.target.startswith(real.rstrip("/") + "/"):
                return "folder"
            raise
