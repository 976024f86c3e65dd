"""Words for messages about many files; the messages stay short, however many files there are."""

from __future__ import annotations

from collections.abc import Sequence

MOST = 20
"""The largest number of names, or of lines, that a message shows."""


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
