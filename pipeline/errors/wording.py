"""Lines about many files: bounded, however many files there are."""

from __future__ import annotations

from collections.abc import Sequence

MOST = 20
"""How many names, or lines, are shown of more."""


def named(names: Sequence[str], most: int = MOST, of: int = 0) -> str:
    """The first names, and how many more there are, of so many or of those given.

    >>> named(["a", "b", "c"], 2)
    'a, b, ... and 1 more'
    """
    shown = ", ".join(names[:most])
    more = max(of, len(names)) - len(names[:most])
    return f"{shown}, ... and {more:,} more" if more else shown


def first_lines(lines: Sequence[str]) -> list[str]:
    """The first lines, and one that says how many more there are."""
    more = len(lines) - MOST
    return [*lines[:MOST], *([f"... and {more:,} more"] if more > 0 else [])]


def have(count: int) -> str:
    """So many files, as the beginning of a sentence.

    >>> have(1), have(1200)
    ('1 file has', '1,200 files have')
    """
    return "1 file has" if count == 1 else f"{count:,} files have"
