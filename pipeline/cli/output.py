"""What the command prints: every text passes here, is escaped, and may fail to be written.

Names of files and columns can hold characters that a terminal obeys, a terminal may know ASCII
alone, a reader such as `head` may have gone, and a disk may be full. None of that must undo a run
that has published its report.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipeline.errors.printable import printable

if TYPE_CHECKING:
    from pipeline.report.text.screen import Screen

_COLOUR = re.compile(r"(\x1b\[[0-9;]*m)")


def say(*lines: str) -> None:
    """Prints each text as one line on stdout."""
    for line in lines:
        print(printable(line))


def warn(*lines: str) -> None:
    """Prints each text as one line on stderr."""
    for line in lines:
        print(printable(line), file=sys.stderr)


_KEPT: list[Any] = []
"""The stdout of a command with `--json`, while all else that is printed goes to stderr."""


@contextmanager
def kept_stdout() -> Iterator[None]:
    """Keeps stdout for `answer`: what others print there meanwhile goes to stderr."""
    _KEPT.append(sys.stdout)
    sys.stdout = sys.stderr
    try:
        yield
    finally:
        sys.stdout = _KEPT.pop()


def answer(data: Mapping[str, Any]) -> None:
    """Prints data on stdout as one line of JSON, in ASCII."""
    stream = _KEPT[-1] if _KEPT else sys.stdout
    print(json.dumps(data, allow_nan=False), file=stream)


def encoding() -> str:
    """Returns the encoding of stdout, for what must be as wide as it looks."""
    return getattr(sys.stdout, "encoding", None) or "utf-8"


def screen() -> Screen:
    """Returns what texts of `pipeline.report.text` are drawn for, to be shown on stdout."""
    from pipeline.report.text.screen import screen_of

    return screen_of(sys.stdout, encoding())


def show(text: str) -> None:
    """Prints a text that was drawn for `screen()`; all but its colours is escaped."""
    write = getattr(sys.stdout, "write_coloured", sys.stdout.write)
    write(text)


def unwritten() -> str | None:
    """Returns why stdout could not be written while `Output` is open; None if it could."""
    stream = _KEPT[-1] if _KEPT else sys.stdout
    stream.flush()
    return getattr(stream, "failure", None)


class LogFormatter(logging.Formatter):
    """A formatter of log records, in which no text looks like the beginning of a record."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """Returns the line of a record; the lines that follow in its message are indented."""
        return super().formatMessage(record).replace("\n", "\n    ")


class Output:
    """The output of a command: while it is open, it stands before `sys.stdout` and `sys.stderr`.

    What libraries print, and tracebacks, are escaped line by line as well. A text that cannot be
    written is dropped without an exception; `unwritten` says why, unless its reader has gone.
    """

    def __enter__(self) -> Output:
        _take_standard_descriptors()
        self._streams = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = map(_Escaping, self._streams)
        return self

    def __exit__(self, *_: object) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = self._streams


class _Escaping:
    """A stream that escapes what is written, and drops all from the first failure on.

    Args:
        stream: where the text goes; None, as Python has it, if the command started without it.

    Attributes:
        failure: why a text could not be written; None if all could, or if nobody reads on.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.encoding: str = getattr(stream, "encoding", None) or "utf-8"
        self.failure: str | None = None
        self._is_dropping = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        if self._stream is None and text:
            self.failure = "it is closed"
        lines = (printable(line, self.encoding) for line in text.split("\n"))
        self._try("write", "\n".join(lines))
        return len(text)

    def isatty(self) -> bool:
        """Returns whether the stream leads to a terminal; one that is closed does not."""
        try:
            return bool(self._stream.isatty())
        except (AttributeError, ValueError):
            return False

    def write_coloured(self, text: str) -> None:
        """Writes a text whose colours a terminal obeys, and nothing else in it."""
        if not self.isatty():
            self.write(text)
            return
        # A split by a group keeps what it splits at: every other piece is a colour.
        for position, piece in enumerate(_COLOUR.split(text)):
            if position % 2:
                self._try("write", piece)
            else:
                self.write(piece)

    def flush(self) -> None:
        self._try("flush")

    def _try(self, action: str, *arguments: str) -> None:
        if self._stream is None or self._is_dropping:
            return
        try:
            getattr(self._stream, action)(*arguments)
        except (OSError, ValueError) as error:
            self._is_dropping = True
            _let_go(self._stream)
            # A reader that has gone, such as `head`, has what it wanted.
            if not isinstance(error, BrokenPipeError):
                self.failure = getattr(error, "strerror", None) or str(error)


def _let_go(stream: Any) -> None:
    """Lets what a stream still buffers go nowhere; Python would try again, and fail, at its end."""
    try:
        descriptor = stream.fileno()
    except (AttributeError, OSError, ValueError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _take_standard_descriptors() -> None:
    """Opens those of the first three descriptors that are closed, so that no file gets them.

    What a worker process or a library prints would else be written into that file.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
