"""Work on many files at once, most of which is waiting for them."""

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
    """The results of some work on each item, in the order of the items.

    Args:
        work: what to do; its first exception, in the order of the items, is raised.
        items: what to do it with. Only some of them wait at a time, so there may be many.
        threads: how many are worked on at once.
    """
    with ThreadPoolExecutor(threads, "files") as pool:
        for start in range(0, len(items), _WINDOW):
            yield from pool.map(work, items[start : start + _WINDOW])
