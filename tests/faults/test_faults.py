"""Every kind of broken input is told with file and row, and nothing is published of it."""

from __future__ import annotations

import errno
import json
import os
import re
import resource
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import cli
from pipeline.beam import files
from pipeline.beam import run as beam_run
from tests.faults.corpus import DATA, OK, Fault
from tests.faults.listed import FAULTS
from tests.pipeline.beam.without_beam import run_without_beam

# Runs commands with so many bytes more of memory than importing takes, each in a process that
# begins where all is imported.
_LIMITED = """
import json, os, resource, sys
from pipeline import cli
import pipeline.beam.run, pipeline.evaluate, scipy.special
for line in sys.stdin:
    more, messages, arguments = json.loads(line)
    child = os.fork()
    if not child:
        file = os.open(messages, os.O_WRONLY | os.O_CREAT)
        os.dup2(file, 1)
        os.dup2(file, 2)
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + more, used + more))
        sys.exit(cli.main(arguments))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""

RunLimited = Callable[[int, list[str], Path], tuple[int, str]]


@pytest.fixture(scope="module")
def run_limited() -> Iterator[RunLimited]:
    """Runs a command in so many bytes of memory, and returns its exit code and its messages."""
    # Each thread reserves memory that it may never use.
    few = {"MALLOC_ARENA_MAX": "2", "OMP_NUM_THREADS": "1", "ARROW_IO_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", _LIMITED],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | few,
    ) as process:

        def run(more: int, arguments: list[str], messages: Path) -> tuple[int, str]:
            assert process.stdin is not None
            assert process.stdout is not None
            print(json.dumps([more, str(messages), arguments]), file=process.stdin, flush=True)
            code = int(process.stdout.readline())
            return code, messages.read_text()

        yield run


def run(
    fault: Fault,
    place: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> tuple[int, str]:
    """The exit code of a run, and its messages."""
    (place / "in").mkdir()
    fault.make(place / "in", np.random.default_rng(zlib.crc32(fault.name.encode())))
    if fault.refused:
        # For root, who may be who runs the tests, all is open.
        for module, name in ((os, "scandir"), (files, "open_local")):
            monkeypatch.setattr(module, name, refusing(getattr(module, name), fault.refused))
    if not fault.beam:
        run_without_beam(monkeypatch)
    if fault.meanwhile:
        meanwhile, build = fault.meanwhile, beam_run.build

        def change(*job: Any) -> Any:
            meanwhile(place / "in")
            return build(*job)

        monkeypatch.setattr(beam_run, "build", change)
    config = place / "config.yaml"
    config.write_text(fault.config.replace("{place}", str(place / "in")))
    arguments = ["run", "--config", str(config), "--output", str(place / "out")]
    for pattern in fault.inputs or formats_in(place / "in"):
        arguments += ["--input", str(place / "in" / pattern)]
    if fault.limit_mb is None:
        code = cli.main(arguments)
        return code, capfd.readouterr().err
    run_limited: RunLimited = request.getfixturevalue("run_limited")
    return run_limited(fault.limit_mb << 20, arguments, place / "messages.txt")


def refusing(function: Callable[..., Any], names: tuple[str, ...]) -> Callable[..., Any]:
    """A function that refuses paths that end in one of some names."""

    def refuse(path: str | int) -> Any:
        if isinstance(path, str) and os.path.basename(path) in names:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return function(path)

    return refuse


def formats_in(place: Path) -> list[str]:
    """Globs of the formats that there are files of: a glob must match something."""
    globs = ["*.parquet", "*.tfrecord*"]
    return [pattern for pattern in globs if any(place.glob(pattern))] or globs[:1]


def at(data: Any, path: str) -> Any:
    for step in path.split("."):
        data = data[int(step) if step.isdigit() else step]
    return data


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_what_is_wrong_is_said(
    fault: Fault,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    code, messages = run(fault, tmp_path, capfd, monkeypatch, request)
    assert code == fault.exit, messages
    for expected in fault.said:
        assert re.search(expected, messages), messages
    assert "Traceback" not in messages
    left = {path.name for path in (tmp_path / "out").glob("*")}
    if fault.exit == OK:
        assert "_SUCCESS" in left
        data = json.loads((tmp_path / "out" / "data.json").read_text())
        for path, value in fault.report.items():
            found = at(data, path)
            assert re.search(value, found) if isinstance(value, str) else found == value
        lost = any(shard["lost"] for shard in data["shards"])
        bad = any(shard["bad_rows"] for shard in data["shards"])
        assert bool((tmp_path / "out" / "anomalies.pbtxt").read_text().strip()) == (lost or bad)
    elif fault.exit == DATA:
        assert left == {"data.json", "anomalies.pbtxt"}
        problems = json.loads((tmp_path / "out" / "data.json").read_text())["problems"]
        assert all(problem in messages for problem in problems)
        assert problems
        anomalies = (tmp_path / "out" / "anomalies.pbtxt").read_text()
        assert "severity: ERROR" in anomalies
    else:
        assert not left


def test_there_are_faults_enough() -> None:
    assert len(FAULTS) >= 30
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    # Runs of Beam that end well and that do not, and those in processes of their own.
    of_beam = [fault for fault in FAULTS if fault.beam]
    assert len(of_beam) >= 14
    assert {fault.exit for fault in of_beam} == {OK, DATA}
    assert len([fault for fault in FAULTS if fault.limit_mb]) >= 4
    assert resource.RLIMIT_AS
