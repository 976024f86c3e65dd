"""Processes of ours are found and ended, and no other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engines import processes
from tests.engines.installing import ROOT
from tests.engines.processes import Process, start, stop

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
WITH_CHILD = f"""
import subprocess, time
subprocess.Popen({SLEEP!r}, process_group=0)
time.sleep(60)
"""
LEAVES_CHILD = f"import subprocess; subprocess.Popen({SLEEP!r})"
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
    last = time.monotonic() + 120
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


def test_a_process_that_has_just_been_started_is_found() -> None:
    """For a moment, while it turns into its program, it has no environment."""
    environment = {**os.environ, processes.MARK: "mark"}
    for _ in range(200):
        with subprocess.Popen(["sleep", "60"], env=environment) as child:
            found = processes._environment(child.pid)
            child.kill()
        assert found == environment


def test_environments_that_are_empty_or_of_nobody() -> None:
    with subprocess.Popen(["sleep", "60"], env={}) as child:
        try:
            assert processes._environment(child.pid).get(processes.MARK) is None
        finally:
            child.kill()
    # It has been waited for, and then there is none; the second thread of the kernel has none.
    assert processes._environment(child.pid) == processes._environment(2) == {}


GUARDED = f"""
import subprocess, sys, time
from tests.engines import processes
from tests.engines.installing import ROOT
processes.raise_on_signals() if sys.argv[1] == "clean" else None
with processes.guarded():
    # One in a session of its own, one whose parent has ended, one that does not end when asked.
    subprocess.Popen({SLEEP!r}, start_new_session=True)
    subprocess.Popen([sys.executable, "-c", {LEAVES_CHILD!r}]).wait()
    subprocess.Popen([sys.executable, "-c", {STUBBORN!r}])
    print("started", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL, signal.SIGHUP])
@pytest.mark.parametrize("cleans", ["clean", "plain"])
def test_nothing_outlives_a_guarded_program(number: signal.Signals, cleans: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", GUARDED, cleans],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
    ) as program:
        assert program.stdout is not None
        said = {program.stdout.readline(), program.stdout.readline()}
        assert said == {b"started\n", b"ready\n"}
        program.send_signal(number)
        # Everything that was started holds the other end, the guard as well.
        assert program.stdout.read() == b""
        code = program.wait()
    expected = {-number} if cleans == "plain" or number == signal.SIGKILL else {128 + number}
    assert code in expected


def test_guards_of_guarded_programs() -> None:
    before = os.environ.get(processes.GUARDS)
    with processes.guarded():
        outer = os.environ[processes.GUARDS]
        with processes.guarded():
            inner = os.environ[processes.GUARDS]
            left = subprocess.Popen(SLEEP)
        # What the inner one started has ended; the mark of the outer one is there again.
        assert left.wait() == -signal.SIGKILL
        assert os.environ[processes.GUARDS] == outer
        assert inner.startswith(f"{outer}:")
        left = subprocess.Popen(SLEEP)
    assert left.wait() == -signal.SIGKILL
    assert os.environ.get(processes.GUARDS) == before
