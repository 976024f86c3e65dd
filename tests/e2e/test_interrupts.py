"""A run that is interrupted at a known moment leaves its exit code, one line, and no file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.e2e.conftest import make_rows

CONFIG = "heads: {click: {type: binary, logits: logit, label: label, weight: weight}}"

HOOK = """
import os, signal, sys, threading, time

seen = []

def at(event, arguments):
    if event == "open" and str(arguments[0]).endswith(os.environ["AT_FILE"]):
        seen.append(event)
        if len(seen) == int(os.environ["AT_TIME"]):
            # A machine may be busy; tests of signals say what happens when it takes too long.
            sys.modules["pipeline.cli.signals"].SECONDS = 60
            os.kill(os.getpid(), int(os.environ["SIGNAL"]))
            if threading.current_thread() is not threading.main_thread():
                while sys.modules["pipeline.errors.interrupted"].REQUEST.number is None:
                    time.sleep(0.01)
                # Meanwhile the main thread ends the work in other threads.
                time.sleep(1)

sys.addaudithook(at)
"""
"""Sends a signal to the process when a file is opened, after it was so often.

Another thread than the main one goes on when that has noticed the signal.
"""


@pytest.fixture(scope="module")
def rows() -> pa.Table:
    return make_rows(300)


@pytest.mark.parametrize(
    ("number", "time"),
    [
        # While the main thread looks at the files, and while another one reads them.
        (signal.SIGINT, 1),
        (signal.SIGTERM, 3),
    ],
)
def test_an_interrupted_run(
    rows: pa.Table, tmp_path: Path, number: signal.Signals, time: int
) -> None:
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "sitecustomize.py").write_text(HOOK)
    (tmp_path / "config.yaml").write_text(CONFIG)
    pq.write_table(rows, tmp_path / "rows.parquet")
    path = os.pathsep.join([str(tmp_path / "hook"), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("headcount")),
            *("run", "--config=config.yaml", "--input=rows.parquet", "--output=out"),
        ],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": path,
            "AT_FILE": "rows.parquet",
            "AT_TIME": str(time),
            "SIGNAL": str(+number),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert (done.returncode, done.stdout) == (128 + number, "")
    assert done.stderr == f"interrupted ({number.name})\n"
    assert [found for found in (tmp_path / "out").rglob("*") if found.is_file()] == []
