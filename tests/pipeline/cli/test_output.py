"""What the command prints reaches a terminal as text alone, or is dropped without a traceback."""

from __future__ import annotations

import ast
import io
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import cli
from pipeline.cli import output
from pipeline.cli.command import make_parser
from pipeline.cli.output import LogFormatter, Output, say, unwritten, warn
from pipeline.errors.printable import printable
from tests.pipeline.tables import law

ROOT = Path(__file__).resolve().parents[3]
HOSTILE = ["a\x1b[31mb", "a\nERROR b", "a\u202eb", "a\u2066b", "a\u200bb", "a\x9bb", "a\udcffb"]
no_descriptors = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


def text_stream(encoding: str = "utf-8") -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="")


def written_to(stream: io.TextIOWrapper) -> str:
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode(stream.encoding)


@law
@given(st.text(st.characters()), st.sampled_from(["utf-8", "ascii", "latin-1"]))
def test_a_text_is_one_line_of_what_the_encoding_has(text: str, encoding: str) -> None:
    out, err = text_stream(encoding), text_stream(encoding)
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = out, err
    try:
        with Output():
            say(text)
            warn(text)
            # What is printed in another way keeps its lines alone.
            print(text)
            assert unwritten() is None
    finally:
        sys.stdout, sys.stderr = before
    shown = printable(text, encoding)
    lines = [printable(line, encoding) for line in text.split("\n")]
    assert written_to(out).split("\n") == [shown, *lines, ""]
    assert written_to(err) == f"{shown}\n"


def test_streams_are_put_back() -> None:
    before = sys.stdout, sys.stderr
    with Output():
        assert sys.stdout is not before[0]
        assert sys.stderr is not before[1]
    assert (sys.stdout, sys.stderr) == before


def test_no_log_message_looks_like_another_record(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("pipeline").warning("%s", "a file\nERROR forged")
    (record,) = caplog.records
    text = LogFormatter("%(levelname)s %(message)s").format(record)
    assert text.split("\n") == ["WARNING a file", "    ERROR forged"]


class Failing(io.StringIO):
    """A stream that fails at the second write, as a disk that is full then does."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0

    def write(self, text: str) -> int:
        self.writes += 1
        if self.writes == 2:
            raise OSError(28, "No space left on device")
        return super().write(text)


def test_a_stream_that_fails_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = Failing(), Failing()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    with Output():
        say("a", "b", "c")
        warn("a", "b", "c")
        assert unwritten() == "No space left on device"
    assert (out.getvalue(), out.writes) == (err.getvalue(), err.writes) == ("a", 2)


@pytest.mark.parametrize("stream", ["closed", "none"])
def test_a_closed_stream_is_told(monkeypatch: pytest.MonkeyPatch, stream: str) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed if stream == "closed" else None)
    monkeypatch.setattr(sys, "stderr", None)
    with Output():
        assert unwritten() is None
        say("a")
        warn("nobody hears this")
        assert "closed" in str(unwritten())


def command(*arguments: str, shell: str = "", **streams: Any) -> subprocess.CompletedProcess[bytes]:
    """Runs the command in a process, as a shell does with redirections after it."""
    program = [sys.executable, "-m", "pipeline.cli", *arguments]
    if shell:
        program = ["/bin/sh", "-c", f'exec "$@" {shell}', "sh", *program]
    # With a buffer, Python writes what is left in it once more when it ends.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    streams |= {"stderr": subprocess.PIPE, "env": env}
    return subprocess.run(program, cwd=ROOT, check=False, **streams)


@no_descriptors
@pytest.mark.parametrize("arguments", [["schema"], ["run", "--help"]], ids=" ".join)
@pytest.mark.parametrize("shell", [">/dev/full", ">&-"])
def test_a_command_that_only_prints_is_exit_2_if_it_cannot(
    arguments: list[str], shell: str
) -> None:
    done = command(*arguments, shell=shell)
    assert done.returncode == 2
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("stdout cannot be written: ")


def test_a_reader_that_has_gone_has_what_it_wanted() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as stdout:
        done = command("schema", stdout=stdout)
    assert (done.returncode, done.stderr) == (0, b"")


@no_descriptors
def test_nothing_is_left_to_say_if_stderr_is_full() -> None:
    done = command("show", "/nowhere", shell="2>/dev/full", stdout=subprocess.PIPE)
    assert (done.returncode, done.stdout) == (2, b"")


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_arguments_are_told_in_a_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    validate = ["validate", "--config", name]
    for arguments in (["show", name], ["show", ".", f"--{name}"], validate, [name]):
        assert cli.main(arguments) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.isprintable()
    with pytest.raises(SystemExit) as ended:
        make_parser().error(f"invalid choice: {name}")
    assert ended.value.code == 2
    usage, error = capsys.readouterr().err.splitlines()
    assert usage.startswith("usage: ")
    assert error.isprintable()


def test_a_crash_is_told_in_letters_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def crash(*_: object) -> int:
        raise RuntimeError("a\x1b[31m")

    monkeypatch.setattr("pipeline.cli.schema.execute", crash)
    assert cli.main(["schema"]) == 1
    assert capsys.readouterr().err.endswith("RuntimeError: a\\x1b[31m\n")


def test_one_module_prints_what_is_no_constant() -> None:
    def printing(path: Path) -> bool:
        nodes = ast.walk(ast.parse(path.read_text()))
        calls = [node for node in nodes if isinstance(node, ast.Call)]
        prints = [
            call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"
        ]
        return any(not isinstance(shown, ast.Constant) for call in prints for shown in call.args)

    files = (ROOT / "pipeline").rglob("*.py")
    assert [path for path in files if printing(path)] == [Path(output.__file__)]
