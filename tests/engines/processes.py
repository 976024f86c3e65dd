"""Processes that are started, found again and ended; never another than one of ours.

Every process leads a session of its own, and all it starts inherit the session and a mark in the
environment. A process is ours if both are those of a process that we started. It is signalled
through a file descriptor of the process, opened before it is looked at: a number that is given to
another process in between does no harm.

A program that is `guarded` has another mark, which all that it starts inherits. A guard, a process
of its own, ends them when the program has ended, whatever ended it:

    python -m tests.engines.processes MARK < PIPE
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

MARK = "HEADCOUNT_ENGINE"
"""The environment variable that marks what was started together."""

GUARDS = "HEADCOUNT_GUARDS"
"""The environment variable with the marks of the guarded programs that a process descends from."""

GRACE = 10.0
"""Seconds between asking processes to end and ending them."""

_KERNEL = 0x00200000
"""The flag of a thread of the kernel, which has no environment."""

_CHILDREN: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class Process:
    """A process that we started, the leader of its session.

    Attributes:
        name: what it is.
        pid: its number, and that of its session.
        started: clock ticks between the start of the machine and its own.
        mark: the value of `MARK` that it was started with.
        log: the file of what it prints.
    """

    name: str
    pid: int
    started: int
    mark: str
    log: str

    def runs(self) -> bool:
        """Whether this very process still runs."""
        found = _look(self.pid)
        return found is not None and found.started == self.started and self.has(self.pid)

    def members(self) -> list[int]:
        """What runs of its session: itself, and what it started, which may outlive it."""
        return [pid for pid in _all() if self.has(pid)]

    def has(self, pid: int) -> bool:
        """Whether a process that runs belongs to its session, and was started by it."""
        found = _look(pid)
        if found is None or not found.runs:
            return False
        if found.session != self.pid or found.started < self.started:
            return False
        return _environment(pid).get(MARK) == self.mark

    def kill(self) -> None:
        """Ends the process itself at once, and nothing that it started."""
        self.send(self.pid, signal.SIGKILL)

    def send(self, pid: int, number: signal.Signals) -> None:
        """Sends a signal to a process of its session; to no other, and to none if it has ended."""
        _send(pid, number, self.has)


def start(
    name: str,
    command: Sequence[str | Path],
    mark: str,
    log: Path,
    environment: Mapping[str, str] | None = None,
) -> Process:
    """Starts a process in a session of its own, with its output in a file."""
    with log.open("ab") as output:
        child = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {}), MARK: mark},
            cwd=log.parent,
            start_new_session=True,
        )
    _CHILDREN[child.pid] = child
    # A child that has ended keeps its number until it is waited for.
    found = _look(child.pid)
    assert found is not None
    return Process(name, child.pid, found.started, mark, str(log))


def stop(processes: Sequence[Process]) -> None:
    """Ends their sessions: asks, waits, ends what is left; returns when nothing of them runs."""
    asked: set[int] = set()
    last = time.monotonic() + GRACE
    while running := [(process, pid) for process in processes for pid in process.members()]:
        late = time.monotonic() > last
        for process, pid in running:
            if late:
                process.send(pid, signal.SIGKILL)
            elif pid not in asked:
                process.send(pid, signal.SIGTERM)
        asked.update(pid for _, pid in running)
        time.sleep(0.1)
    for process in processes:
        if process.pid in _CHILDREN and _CHILDREN[process.pid].poll() is not None:
            del _CHILDREN[process.pid]


@contextmanager
def guarded() -> Iterator[None]:
    """Ends what this process starts meanwhile, when the block ends or the process does."""
    mark = uuid.uuid4().hex
    before = os.environ.get(GUARDS)
    with subprocess.Popen(
        [sys.executable, "-m", __name__, mark],
        stdin=subprocess.PIPE,
        cwd=Path(__file__).resolve().parents[2],
        # A signal for the group of this process must not end it.
        start_new_session=True,
    ):
        os.environ[GUARDS] = f"{before}:{mark}" if before else mark
        try:
            yield
        finally:
            if before is None:
                del os.environ[GUARDS]
            else:
                os.environ[GUARDS] = before


def end_marked(mark: str) -> None:
    """Ends, at once, what was started with a mark, and what a program with this mark started."""

    def has_mark(pid: int) -> bool:
        environment = _environment(pid)
        return mark in (environment.get(MARK), *environment.get(GUARDS, "").split(":"))

    # One that starts another and ends, while the list is read, is found the next time.
    looks = 3
    while looks:
        running = [pid for pid in _all() if has_mark(pid)]
        for pid in running:
            _send(pid, signal.SIGKILL, has_mark)
        looks = 3 if running else looks - 1
        time.sleep(0.05)


def raise_on_signals() -> None:
    """Lets this program clean up what it has begun when it is asked to end."""

    def leave(number: int, _: object) -> None:
        for other in numbers:
            signal.signal(other, signal.SIG_IGN)
        raise SystemExit(128 + number)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in numbers:
        signal.signal(number, leave)


def _send(pid: int, number: signal.Signals, ours: Callable[[int], bool]) -> None:
    """Sends a signal to a process, if it is ours."""
    with suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        try:
            if ours(pid):
                signal.pidfd_send_signal(descriptor, number)
        finally:
            os.close(descriptor)


def _all() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


class _Found(NamedTuple):
    runs: bool
    session: int
    started: int
    environment: int
    """The address of the environment, or 0 while the process turns into another program."""


def _look(pid: int) -> _Found | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The name that comes before may hold spaces and brackets.
    fields = text.rpartition(")")[2].split()
    runs = fields[0] not in "ZX" and not int(fields[6]) & _KERNEL
    return _Found(runs, int(fields[3]), int(fields[19]), int(fields[47]))


def _environment(pid: int) -> dict[str, str]:
    """The environment that a process was started with; nothing if it has ended or is another's.

    A process that has just been started has none for a moment, which this waits for.
    """
    while (found := _look(pid)) is not None and found.runs:
        try:
            content = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            return {}
        if content or (found.environment and found == _look(pid)):
            pairs = (entry.partition(b"=") for entry in content.split(b"\0") if entry)
            return {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}
        time.sleep(0.001)
    return {}


if __name__ == "__main__":
    # The other end is closed when the guarded program ends.
    sys.stdin.buffer.read()
    end_marked(sys.argv[1])
