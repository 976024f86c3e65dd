"""Reads ahead: decodes the next batch while the last batch is evaluated."""

from __future__ import annotations

from collections.abc import Iterator
from queue import Queue
from threading import Event, Thread
from typing import TypeVar

T = TypeVar("T")


def read_ahead(source: Iterator[T], most: int = 2) -> Iterator[T]:
    """Yields the items of an iterator that runs in a separate thread, up to `most` items ahead.

    An exception of the source is raised in place of its item. If the consumer stops early, the
    source is closed in its thread before this generator ends.
    """
    queue: Queue[tuple[T | None, BaseException | None]] = Queue(most)
    stopped = Event()

    def produce() -> None:
        failure: BaseException | None = None
        try:
            for item in source:
                queue.put((item, None))
                if stopped.is_set():
                    break
        except BaseException as error:
            failure = error
        try:
            close = getattr(source, "close", None)
            if close is not None:
                close()
        except BaseException as error:
            failure = failure or error
        queue.put((None, failure))

    thread = Thread(target=produce, name="read-ahead", daemon=True)
    thread.start()
    try:
        while True:
            item, failure = queue.get()
            if failure is not None:
                raise failure
            if item is None:
                return
            yield item
    finally:
        stopped.set()
        while thread.is_alive():
            # The producer may be waiting for room in the queue: for its item, or for the end mark.
            if not queue.empty():
                queue.get()
            thread.join(0.001)
