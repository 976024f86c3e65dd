"""Tests that reading ahead changes only when items are made."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from pipeline.readers.prefetch import read_ahead


def readers() -> int:
    return sum(thread.name == "read-ahead" for thread in threading.enumerate())


@pytest.mark.parametrize("count", [0, 1, 2, 3, 100])
def test_all_items_in_order(count: int) -> None:
    assert list(read_ahead(iter(range(count)))) == list(range(count))
    assert readers() == 0


def test_an_error_comes_after_the_items_before_it() -> None:
    def source() -> Iterator[int]:
        yield from range(5)
        raise ValueError("the sixth")

    seen: list[int] = []
    with pytest.raises(ValueError, match="the sixth"):
        seen.extend(read_ahead(source()))
    assert seen == list(range(5))
    assert readers() == 0


@pytest.mark.parametrize("taken", [0, 1, 3])
def test_a_consumer_that_stops_closes_the_source(taken: int) -> None:
    closed = threading.Event()

    def source() -> Iterator[int]:
        try:
            yield from range(1000)
        finally:
            closed.set()

    items = read_ahead(source())
    for _ in range(taken):
        next(items)
    items.close()
    assert closed.is_set() or not taken
    assert readers() == 0


def test_it_does_not_run_away() -> None:
    made = []

    def source() -> Iterator[int]:
        for item in range(1000):
            made.append(item)
            yield item

    items = read_ahead(source(), most=2)
    next(items)
    assert len(made) <= 5
    items.close()
