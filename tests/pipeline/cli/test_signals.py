"""What the signals that end a command leave: an exit code, one line, and no process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

PROGRAM = """
import atexit, ctypes, os, signal, subprocess, sys, threading, time
from pipeline.cli import signals
from pipeline.errors.interrupted import Interrupted, allow, interruptible, uninterrupted

# A machine may be busy; tests of what takes too long say when that is.
signals.SECONDS = 60

def say(*words):
    print(*words, flush=True)

def wait():
    say("ready")
    time.sleep(60)

def command():
{body}
    return 3

sys.exit(signals.end_on_signals(command))
"""

all_signals = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])


@contextmanager
def started(body: str, ready: str = "ready") -> Iterator[subprocess.Popen[str]]:
    """A program with this command, once it has said that it is ready."""
    lines = [f"    {line}" for line in body.strip("\n").split("\n")]
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(body="\n".join(lines))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    ) as child:
        try:
            assert child.stdout is not None
            said = child.stdout.readline()
            assert said.strip() == ready, said + child.communicate()[1]
            yield child
        finally:
            child.kill()


def ends(pid: int) -> bool:
    """Whether a process ends, which takes a moment from when its files are closed."""
    last = time.monotonic() + 60
    while not has_ended(pid) and time.monotonic() < last:
        time.sleep(0.01)
    return has_ended(pid)


def has_ended(pid: int) -> bool:
    """Whether a process has ended; if nobody has waited for it, it is still in the list."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state in "ZX"


def after(body: str, number: int, ready: str = "ready") -> tuple[int, str, str]:
    """The exit code after a signal, and what is printed from then on."""
    with started(body, ready) as child:
        child.send_signal(number)
        printed, errors = child.communicate(timeout=60)
    return child.returncode, printed, errors


@all_signals
def test_a_signal_ends_the_command(number: signal.Signals) -> None:
    line = f"interrupted ({number.name})\n"
    assert after("wait()", number) == (128 + number, "", line)


@all_signals
def test_what_must_be_cleaned_up_is(number: signal.Signals) -> None:
    body = """
with interruptible():
    try:
        wait()
    finally:
        # A second signal changes nothing, and what fails from now on prints nothing.
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        failing = threading.Thread(target=lambda: 1 / 0)
        failing.start()
        failing.join()
        say("cleaned up")
"""
    line = f"interrupted ({number.name})\n"
    assert after(body, number) == (128 + number, "cleaned up\n", line)


def test_the_line_tells_what_else_there_is_to_know() -> None:
    body = """
with interruptible():
    try:
        wait()
    except Interrupted as interrupted:
        interrupted.note = "job 7 may still run"
        raise
"""
    told = after(body, signal.SIGINT)
    assert told == (130, "", "interrupted (SIGINT); job 7 may still run\n")


@pytest.mark.parametrize("then", ["pass", "raise ValueError('of a library')", "sys.exit(0)"])
def test_an_exception_that_is_lost_or_becomes_another(then: str) -> None:
    body = f"""
with interruptible():
    try:
        wait()
    except BaseException:
        {then}
"""
    assert after(body, signal.SIGTERM) == (143, "", "interrupted (SIGTERM)\n")


def test_what_must_not_be_cut_short_is_not() -> None:
    body = """
with uninterrupted():
    say("ready")
    sys.stdin.readline()
    say("written")
wait()
"""
    with started(body) as child:
        child.send_signal(signal.SIGINT)
        # Python handles it when the line has been read, or before: in the block in any case.
        printed, errors = child.communicate("go on\n", timeout=60)
    assert (child.returncode, printed, errors) == (130, "written\n", "interrupted (SIGINT)\n")


def test_a_command_in_a_c_function_is_ended_with_its_children(tmp_path: Path) -> None:
    # Python cannot run the handler before the function returns. The shell is the child.
    body = f"""
signals.SECONDS = 0.1
say("ready")
ctypes.CDLL(None).system(b"echo $$ > {tmp_path}/child; kill -TERM $PPID; exec sleep 60")
"""
    with started(body) as child:
        # Nothing holds the other ends of the pipes any more.
        _, errors = child.communicate(timeout=60)
    assert child.returncode == 143
    assert errors == "interrupted (SIGTERM); what it had begun to clean up may be left\n"
    assert ends(int((tmp_path / "child").read_text()))


def test_a_command_that_cleans_up_for_too_long_is_ended() -> None:
    body = """
signals.SECONDS = 0.1
with interruptible():
    try:
        wait()
    finally:
        time.sleep(60)
"""
    line = "interrupted (SIGINT); what it had begun to clean up may be left\n"
    assert after(body, signal.SIGINT) == (130, "", line)


def test_more_time_may_be_allowed() -> None:
    body = """
signals.SECONDS = 0
allow(60)
with interruptible():
    try:
        wait()
    finally:
        sys.stdin.readline()
        say("cleaned up")
"""
    with started(body) as child:
        child.send_signal(signal.SIGINT)
        printed, errors = child.communicate("go on\n", timeout=60)
    assert (child.returncode, printed) == (130, "cleaned up\n")
    assert errors == "interrupted (SIGINT)\n"


def test_what_libraries_have_to_end_they_end_and_threads_are_not_waited_for() -> None:
    body = """
def last():
    say("library")
    # Without this, Python would wait for the thread.
    threading.Thread(target=time.sleep, args=(60,)).start()
atexit.register(last)
with interruptible():
    wait()
"""
    assert after(body, signal.SIGINT) == (130, "library\n", "interrupted (SIGINT)\n")


def test_a_signal_after_the_result_only_ends_the_process() -> None:
    body = """
def outlive():
    threading.main_thread().join()
    say("returned")
    time.sleep(60)
threading.Thread(target=outlive).start()
"""
    assert after(body, signal.SIGTERM, ready="returned") == (3, "", "")


def test_signals_that_are_ignored_from_the_start_stay_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with started('say("ready")\nsys.stdin.readline()') as child:
            child.send_signal(signal.SIGHUP)
            printed, errors = child.communicate("go on\n", timeout=60)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert (child.returncode, printed, errors) == (3, "", "")


def test_little_is_imported_before_signals_are_handled() -> None:
    code = "import sys; was = {*sys.modules}; import pipeline.cli; print(*{*sys.modules} - was)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    heavy = {"argparse", "logging", "pathlib", "re", "dataclasses", "pydantic", "yaml"}
    assert not heavy & set(done.stdout.split())


def test_a_caller_in_this_process_keeps_its_signals(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pipeline import cli
    from pipeline.cli import show

    def interrupt(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(show, "execute", interrupt)
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    for _ in range(2):
        assert cli.main(["show", "out"]) == 130
        assert capsys.readouterr().err == "interrupted\n"
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
