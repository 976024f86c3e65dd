"""Words for messages about many files; the messages stay short, however many files there are."""

from __future__ import annotations

import re
from collections.abc import Sequence

MOST = 20
"""The largest number of names, or of lines, that a message shows."""

_OF_A_KIND = 3
_NUMBER = re.compile(r"\b[0-9a-f]{8,}\b|\d[\d,]*")


def first_names(names: Sequence[str], most: int = MOST, total: int = 0) -> str:
    """Returns the first names as a list in words, and the number of the names that are not shown.

    Args:
        names: the names, or the first of them.
        most: the largest number of names to show.
        total: the number of all names, if `names` holds only the first of them.

    >>> first_names(["a", "b", "c"], 2)
    'a, b, ... and 1 more'
    """
    shown = ", ".join(names[:most])
    more = max(total, len(names)) - len(names[:most])
    return f"{shown}, ... and {more:,} more" if more else shown


def first_lines(lines: Sequence[object], more: int = 0) -> list[str]:
    """Returns the first lines, and then a line that says how many more lines there are.

    Args:
        lines: the lines.
        more: the number of further lines that `lines` does not hold.
    """
    more += len(lines[MOST:])
    return [*map(str, lines[:MOST]), *([f"... and {more:,} more"] if more else [])]


def first_of_kinds(lines: Sequence[str], more: int = 0) -> list[str]:
    """Returns the first lines about files, three of each kind, and how many more there are.

    Lines that differ in numbers and in what stands before the first colon, the name of the file,
    are of one kind.

    Args:
        lines: the lines.
        more: the number of further lines that `lines` does not hold.

    >>> for line in first_of_kinds([f"{path}: ends at byte {ord(path)}" for path in "abcde"]):
    ...     print(line)
    a: ends at byte 97
    b: ends at byte 98
    c: ends at byte 99
    ... and 2 more files like these
    """
    kinds: dict[str, list[str]] = {}
    for line in lines:
        kinds.setdefault(_NUMBER.sub("#", line.partition(": ")[2] or line), []).append(line)
    told: list[str] = []
    left = MOST
    for kind in kinds.values():
        # A line about one more takes as much room as the line itself.
        most = _OF_A_KIND if len(kind) > _OF_A_KIND + 1 else len(kind)
        first = kind[: min(most, left)]
        left -= len(first)
        like = len(kind) - len(first)
        if len(first) < most:
            more += like
            like = 0
        told += first
        told += [f"... and {counted(like, 'more file')} like these"] if like else []
    return [*told, *([f"... and {counted(more, 'more file')}"] if more else [])]


def have(count: int) -> str:
    """Returns the beginning of a sentence about a number of files.

    >>> have(1), have(1200)
    ('1 file has', '1,200 files have')
    """
    return "1 file has" if count == 1 else f"{count:,} files have"


def counted(count: int, thing: str) -> str:
    """Returns a number of things in words.

    >>> counted(1, "row"), counted(1200, "row")
    ('1 row', '1,200 rows')
    """
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
