"""Globs of files that are not on this machine, as Beam's filesystems match them.

`*` matches within a name, `**` everything, `?` any character, and `[...]` a character of a set.
Paths of object stores have no directories; whatever lies below a path that a glob matches is read
as the files of a folder.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.readers.walk import WILDCARD, fixed_part, is_data_file, is_data_name

_FOLDER_OBJECT = "_$folder$"


@dataclass(frozen=True)
class RemoteMatch:
    """A match of a path.

    Attributes:
        data: whether the file is data.
        folder: the folder that the glob matches and that the file is below; empty if the glob
            matches the file itself.
    """

    data: bool
    folder: str = ""


class RemoteGlob:
    """A glob of files elsewhere.

    Args:
        pattern: the glob, with its scheme.

    Raises:
        ValueError: if the glob has a set of characters that is none, such as `[b-a]`.
    """

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        place = pattern.rstrip("/")
        self.prefix = WILDCARD.split(place, maxsplit=1)[0]
        self.is_name = self.prefix == place
        self._fixed = fixed_part(place)
        expression = translate(place)
        try:
            self._file = None if place != pattern else re.compile(f"(?s:{expression})")
            self._folder = re.compile(f"(?s:({expression})/.+)")
        except re.error as error:
            raise ValueError(f"{pattern}: a set in brackets is malformed: {error.msg}") from error

    def match(self, path: str) -> RemoteMatch | None:
        """Returns how the glob matches the path of a file; None if it does not."""
        if self._file is not None and self._file.fullmatch(path):
            return RemoteMatch(_is_data(path, self._fixed))
        below = self._folder.fullmatch(path)
        if below is None:
            return None
        folder = below[1]
        return RemoteMatch(_is_data(path, folder if self.is_name else self._fixed), folder)


def is_folder_object(path: str, size: int) -> bool:
    """Returns whether a file stands for a folder: some tools leave such objects, of no bytes."""
    return path.endswith("/") or (not size and path.endswith(_FOLDER_OBJECT))


def _is_data(path: str, fixed: str) -> bool:
    *directories, name = path.removeprefix(fixed).split("/")
    return is_data_file(name) and all(map(is_data_name, filter(None, directories)))


def translate(pattern: str) -> str:
    r"""Returns the regular expression of a glob; Beam's filesystems translate it the same way.

    >>> translate("b/day=*/**.parquet")
    'b/day=[^/\\\\]*/.*\\.parquet'
    """
    pieces = []
    for token in re.findall(r"\*\*|\[!?+\]?+[^\]]*+\]|.", pattern, re.DOTALL):
        if token == "**":
            pieces.append(".*")
        elif token == "*":
            pieces.append(r"[^/\\]*")
        elif token == "?":
            pieces.append(".")
        elif token.startswith("[") and token.endswith("]") and len(token) > 2:
            inside = token[1:-1].replace("\\", "\\\\")
            inside = f"^{inside[1:]}" if inside[0] == "!" else re.sub(r"^\^", r"\\^", inside)
            pieces.append(f"[{inside}]")
        else:
            pieces.append(re.escape(token))
    return "".join(pieces)
