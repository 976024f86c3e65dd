"""Runs of the real command, in a process of their own, and what they must have in common."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.engines import processes
from tests.engines.installing import ROOT
from tests.engines.processes import Process

SAME = ("report.json", "metrics.parquet", "states.zip", "statistics.pb", "anomalies.pbtxt")
"""The files of a run that hold facts of rows only."""

TIMEOUT = 1200.0
"""Seconds after which a run hangs."""

ENDS = 10.0
"""Seconds that a server takes to end that was told to when the run had ended."""


@dataclass(frozen=True)
class Inputs:
    """What is evaluated: a configuration, and the files of rows."""

    config: Path
    files: str

    def command(self, output: Path, options: Sequence[str] = ()) -> list[str]:
        program = str(Path(sys.executable).with_name("headcount"))
        arguments = [f"--config={self.config}", f"--input={self.files}", f"--output={output}"]
        return [program, "run", *arguments, *options]

    def run(
        self,
        output: Path,
        options: Sequence[str] = (),
        code: int = 0,
        environment: Mapping[str, str] | None = None,
    ) -> str:
        """Runs it on the engine that the options name, and returns what is printed.

        No process that it started may outlive it.
        """
        mark = uuid.uuid4().hex
        with subprocess.Popen(
            self.command(output, options),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **(environment or {}), processes.MARK: mark},
            start_new_session=True,
        ) as child:
            session = Process("headcount", child.pid, 0, mark, "")
            try:
                told, _ = child.communicate(timeout=TIMEOUT)
                last = time.monotonic() + ENDS
                while (left := session.members()) and time.monotonic() < last:
                    time.sleep(0.1)
            finally:
                processes.stop([session])
        assert child.returncode == code, told
        assert left == []
        return told


def shipped(name: str) -> Inputs:
    """A configuration that ships with headcount, and its data.

    The path is absolute: workers do not start in the directory of the command.
    """
    config = ROOT / "configs" / f"{name}.yaml"
    (line,) = [
        setting for setting in config.read_text().splitlines() if setting.startswith("input: ")
    ]
    return Inputs(config, str(ROOT / line.removeprefix("input: ")))


@dataclass(frozen=True)
class Expected:
    """What is evaluated, and the output that the local runner wrote of it."""

    inputs: Inputs
    here: Path

    def assert_same(self, output: Path) -> None:
        """The same bytes of everything that rows decide, and the same files beside it."""
        assert sorted(map(_name, output.iterdir())) == sorted(map(_name, self.here.iterdir()))
        for name in SAME:
            assert (output / name).read_bytes() == (self.here / name).read_bytes(), name


def told_options(runner: str) -> list[str]:
    """The options that `docs/engines.md` gives for a runner."""
    text = (ROOT / "docs" / "engines.md").read_text().replace("\\\n", "")
    commands = re.findall(r"^    headcount run (.+)$", text, re.MULTILINE)
    (command,) = [line for line in commands if f"--runner={runner}" in line]
    words = shlex.split(command)
    return words[words.index(f"--runner={runner}") :]


def _name(path: Path) -> str:
    return path.name
