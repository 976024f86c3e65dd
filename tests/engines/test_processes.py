"""Processes of ours are found and ended, and no other."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engines import processes
from tests.engines.processes import Process, start, stop

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
WITH_CHILD = f"""
import subprocess, time
subprocess.Popen({SLEEP!r}, process_group=0)
time.sleep(60)
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    """A process that leads a session of its own and is not ours."""
    with subprocess.Popen(SLEEP, start_new_session=True) as child:
        yield child
        child.kill()


def wait_for(process: Process, members: int) -> None:
    last = time.monotonic() + 20
    while len(process.members()) != members:
        assert time.monotonic() < last
        time.sleep(0.02)


def test_what_outlives_its_parent_is_found_and_ended(tmp_path: Path) -> None:
    process = start("parent", [sys.executable, "-c", WITH_CHILD], "mark", tmp_path / "log")
    try:
        # The child has a process group of its own, as Beam's workers do.
        wait_for(process, 2)
        process.kill()
        wait_for(process, 1)
        assert not process.runs()
    finally:
        stop([process])
    assert process.members() == []


def test_one_that_does_not_end_when_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "GRACE", 0.3)
    process = start("stubborn", [sys.executable, "-c", STUBBORN], "mark", tmp_path / "log")
    while not (tmp_path / "log").read_text():
        time.sleep(0.02)
    stop([process])
    assert process.members() == []


def test_one_that_has_ended(tmp_path: Path) -> None:
    process = start("short", [sys.executable, "-c", "print(1)"], "mark", tmp_path / "log")
    wait_for(process, 0)
    assert not process.runs()
    stop([process])
    assert (tmp_path / "log").read_text() == "1\n"


def test_a_number_given_to_another_process(other: subprocess.Popen[bytes], tmp_path: Path) -> None:
    process = start("ours", SLEEP, "mark", tmp_path / "log")
    stop([process])
    later = replace(process, pid=other.pid)
    assert not later.runs()
    later.kill()
    stop([later])
    assert other.poll() is None


def test_another_process_of_a_session_that_we_started(tmp_path: Path) -> None:
    process = start("ours", SLEEP, "mark", tmp_path / "log")
    try:
        foreign, earlier = (
            replace(process, mark="other"),
            replace(process, started=process.started + 1),
        )
        assert (foreign.members(), earlier.members()) == ([], [])
        stop([foreign, earlier])
        assert process.runs()
    finally:
        stop([process])
