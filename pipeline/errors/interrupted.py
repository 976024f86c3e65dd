"""The signals that ask a command to end, and the exception that they raise.

The handlers, `pipeline.cli.signals`, write down here what the other rooms need to know.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


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


@dataclass
class _Request:
    """What the signals of this process ask for.

    Attributes:
        number: the first signal that asks the command to end, or None.
        until: when the process must have ended, on the clock `time.monotonic`.
        held: how many blocks are entered that `uninterrupted` encloses.
    """

    number: int | None = None
    until: float = 0.0
    held: int = 0


REQUEST = _Request()
"""What the signals of this process ask for; there is one set of handlers in a process."""


def receive(number: int) -> None:
    """Raises `Interrupted` for a signal, unless it is not the first.

    Inside of `uninterrupted`, the exception is raised at the end of the block.
    """
    if REQUEST.number is None:
        REQUEST.number = number
        if not REQUEST.held:
            raise Interrupted(number)


def check() -> None:
    """Raises `Interrupted` if a signal has come.

    What calls this is about to do something long. The exception that the signal raised may be lost:
    Python prints exceptions of some functions that it calls itself, and goes on.
    """
    if REQUEST.number is not None:
        raise Interrupted(REQUEST.number)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Encloses what a signal must not cut short; the exception is raised when it has ended."""
    before = REQUEST.number
    REQUEST.held += 1
    try:
        yield
    finally:
        REQUEST.held -= 1
    if before is None and not REQUEST.held:
        check()


def allow(seconds: float) -> None:
    """Gives the command time to end, if less is left to it.

    Args:
        seconds: how long it may take from now.
    """
    REQUEST.until = max(REQUEST.until, time.monotonic() + seconds)
