"""Tests that work on many files at once keeps its order and its bounds."""

from __future__ import annotations

import threading

import pytest

from pipeline.errors.wording import first_lines, first_names
from pipeline.readers.threads import in_threads


def test_results_are_in_order_whichever_is_ready_first() -> None:
    # The first item waits for the second, so that they end in reverse order.
    second = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            assert second.wait(60)
        if item == 1:
            second.set()
        return item * item

    assert list(in_threads(work, range(5000), 2)) == [i * i for i in range(5000)]
    assert list(in_threads(work, [], 2)) == []


def test_the_first_exception_in_order_is_raised() -> None:
    def work(item: int) -> int:
        if item in (3, 7):
            raise ValueError(item)
        return item

    before = set(threading.enumerate())
    with pytest.raises(ValueError, match="3"):
        list(in_threads(work, range(10), 4))
    started = set(threading.enumerate()) - before
    assert not any(thread.name.startswith("files") for thread in started)


def test_only_some_wait_at_a_time() -> None:
    started: list[int] = []
    results = in_threads(lambda item: started.append(item), range(100_000), 2)
    next(results)
    results.close()
    assert len(started) < 5000


def test_lists_of_names_and_lines_are_bounded() -> None:
    names = [f"n{i}" for i in range(1021)]
    assert first_names(names[:20]) == ", ".join(names[:20])
    assert first_names(names) == ", ".join(names[:20]) + ", ... and 1,001 more"
    assert first_lines(names[:20]) == names[:20]
    assert first_lines(names) == [*names[:20], "... and 1,001 more"]
