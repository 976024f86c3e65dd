"""The signals that ask a command to end, and the exception that they raise.

`pipeline.cli.signals` handles them. Where nothing has to be cleaned up, they end the process at
once; this is what the other rooms say of themselves.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Interrupted(KeyboardInterrupt):
    """An exception for a signal that asks the command to end; it is raised in the main thread.

    Attributes:
        number: the signal.
        note: what the user should know besides, such as the name of a job that may still run; or
            an empty text.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = signal.Signals(number)
        self.note = ""


class Request:
    """What the signals of this process ask for, and when it can be done.

    Attributes:
        number: the first signal that asks the command to end, or None.
        until: when the process must have ended, on the clock `time.monotonic`.
        interruptible: how many blocks of `interruptible` are entered.
        uninterrupted: how many blocks of `uninterrupted` are entered.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self.until = 0.0
        self.interruptible = 0
        self.uninterrupted = 0


REQUEST = Request()
"""What the signals of this process ask for; there is one set of handlers in a process."""


def check() -> None:
    """Raises `Interrupted` if a signal has come.

    What calls this is about to do something long. The exception that the signal raised may be lost:
    Python prints exceptions of some functions that it calls itself, and goes on.
    """
    if REQUEST.number is not None:
        raise Interrupted(REQUEST.number)


@contextmanager
def interruptible() -> Iterator[None]:
    """Encloses what is cleaned up after an exception: there, a signal raises `Interrupted`."""
    REQUEST.interruptible += 1
    try:
        yield
    finally:
        REQUEST.interruptible -= 1


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Encloses what a signal must not cut short; it raises `Interrupted` at the end of the block.

    After the signal, nothing is raised any more.
    """
    before = REQUEST.number
    REQUEST.uninterrupted += 1
    try:
        yield
    finally:
        REQUEST.uninterrupted -= 1
    if before is None and not REQUEST.uninterrupted:
        check()


def allow(seconds: float) -> None:
    """Gives the command time to end after a signal, if less is left to it.

    Args:
        seconds: how long it may take from now.
    """
    REQUEST.until = max(REQUEST.until, time.monotonic() + seconds)
