"""Works on many files at once; most of the time of such work is spent waiting for storage."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_WINDOW = 1024


def in_threads(
    work: Callable[[Item], Result], items: Sequence[Item], threads: int
) -> Iterator[Result]:
    """Yields the result of a function for each item, in the order of the items.

    Args:
        work: the function; its first exception, in the order of the items, is raised.
        items: the items. Only some of them are queued at a time, so there may be many.
        threads: the number of items that are worked on at once.
    """
    with ThreadPoolExecutor(threads, "files") as pool:
        for start in range(0, len(items), _WINDOW):
            yield from pool.map(work, items[start : start + _WINDOW])
