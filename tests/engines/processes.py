"""Processes that are started, found again and ended; never another than one of ours.

Every process leads a session of its own, and all it starts inherit the session and a mark in the
environment. A process is ours if both are those of a process that we started. It is signalled
through a file descriptor of the process, opened before it is looked at: a number that is given to
another process in between does no harm.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

MARK = "HEADCOUNT_ENGINE"
"""The environment variable that marks what was started together."""

GRACE = 10.0
"""Seconds between asking processes to end and ending them."""

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
        return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if self.has(pid)]

    def has(self, pid: int) -> bool:
        """Whether a process that runs belongs to its session, and was started by it."""
        found = _look(pid)
        if found is None or not found.runs:
            return False
        if found.session != self.pid or found.started < self.started:
            return False
        with suppress(OSError):
            environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            return f"{MARK}={self.mark}".encode() in environment
        return False

    def kill(self) -> None:
        """Ends the process itself at once, and nothing that it started."""
        self.send(self.pid, signal.SIGKILL)

    def send(self, pid: int, number: signal.Signals) -> None:
        """Sends a signal to a process of its session; to no other, and to none if it has ended."""
        with suppress(ProcessLookupError):
            descriptor = os.pidfd_open(pid)
            try:
                if self.has(pid):
                    signal.pidfd_send_signal(descriptor, number)
            finally:
                os.close(descriptor)


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


class _Found(NamedTuple):
    runs: bool
    session: int
    started: int


def _look(pid: int) -> _Found | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The name that comes before may hold spaces and brackets.
    fields = text.rpartition(")")[2].split()
    return _Found(fields[0] not in "ZX", int(fields[3]), int(fields[19]))
