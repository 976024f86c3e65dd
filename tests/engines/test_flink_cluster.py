"""The program that starts a cluster leaves no process of it when it is stopped meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.engines import processes
from tests.engines.flink_cluster import STATE
from tests.engines.installing import BEAM, FLINK, JOB_SERVER, ROOT

JAVA = """#!/bin/sh
case "$*" in
*BashJavaUtils*) echo BASH_JAVA_UTILS_EXEC_RESULT:; echo BASH_JAVA_UTILS_EXEC_RESULT: ;;
*) exec sleep 60 ;;
esac
"""
PROGRAM = """
import sys
from pathlib import Path
from tests.engines import flink_cluster, installing

installing.INSTALLED = Path(sys.argv.pop(1))
sys.exit(flink_cluster.main())
"""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A directory with what looks like Flink, and a Java whose servers never answer."""
    for name in (f"flink-{FLINK}/pyflink/lib", f"flink-runner-{JOB_SERVER}"):
        (tmp_path / name).mkdir(parents=True)
    for name in (f"job-server-{JOB_SERVER}", f"container-{BEAM}"):
        (tmp_path / name).mkdir()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").write_text(JAVA)
    (tmp_path / "bin" / "java").chmod(0o755)
    return tmp_path


def start(installed: Path, directory: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(installed), "start", f"--directory={directory}"],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{installed / 'bin'}{os.pathsep}{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_start_that_is_interrupted(number: signal.Signals, installed: Path) -> None:
    directory = installed / "cluster"
    with start(installed, directory) as program:
        started: list[dict[str, Any]] = []
        while len(started) < 2:
            assert program.poll() is None, program.communicate()[0]
            time.sleep(0.02)
            if (directory / STATE).exists():
                started = json.loads((directory / STATE).read_text())["processes"]
        program.send_signal(number)
        told, _ = program.communicate(timeout=120)
    assert (program.returncode, told) == (128 + number, "")
    assert not (directory / STATE).exists()
    assert [processes.Process(**values).members() for values in started] == [[], []]
