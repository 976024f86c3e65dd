"""What workers get: nothing of the program that started the run, and nothing that is open."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
# What a worker may be asked to look up. Options, locks, files and loggers are not among it.
ALLOWED = (
    "apache_beam.coders.",
    "apache_beam.internal.cloudpickle.cloudpickle.",
    "apache_beam.internal.util.ArgumentPlaceholder",
    "apache_beam.pvalue.",
    "apache_beam.transforms.",
    "apache_beam.typehints.",
    "apache_beam.utils.timestamp.Timestamp",
    "builtins.",
    "collections.",
    "functools.partial",
    "heads.",
    "numpy.",
    "pipeline.",
)


def call(*command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The graph of a run of the command, as a program: its `__main__` is the command's module."""
    directory = tmp_path_factory.mktemp("graph")
    path = directory / "graph.pb"
    done = call(
        *("-m", "pipeline.cli", "run", "--config", str(ROOT / "configs" / "binary.yaml")),
        *("--input", str(ROOT / "configs/data/breast_cancer/parquet/*.parquet")),
        *("--output", str(directory / "out"), "--write_predictions", str(directory / "rows")),
        "--runner=tests.packaging.graph_writer.GraphWriter",
        cwd=directory,
        GRAPH=str(path),
    )
    assert done.returncode == 5, done.stderr
    assert "the graph is written" in done.stderr
    return path


@pytest.fixture(scope="module")
def worker(graph: Path) -> dict[str, Any]:
    """What a process that has only imported Beam finds in the graph."""
    done = call(str(HERE / "payloads.py"), str(graph), cwd=graph.parent)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_every_payload_is_looked_into(worker: dict[str, Any]) -> None:
    kinds = {payload["urn"] for payload in worker["payloads"] if "pickled" in payload["urn"]}
    assert {urn.split(":")[1] for urn in kinds} >= {"dofn", "combinefn", "coder"}
    for payload in worker["payloads"]:
        assert payload["pickled"] == ("pickled" in payload["urn"]), payload
    names = {name for payload in worker["payloads"] for name in payload["names"]}
    assert {"pipeline.evaluation.plan.Plan", "pipeline.beam.combine.MergeStates"} <= names


def test_nothing_is_of_the_program(worker: dict[str, Any]) -> None:
    assert [payload["place"] for payload in worker["payloads"] if payload["of_main"]] == []
    assert "pipeline.beam.transforms" in worker["loaded"]
    assert "pipeline.cli" not in worker["loaded"]


def test_nothing_is_open_and_no_options_travel(worker: dict[str, Any]) -> None:
    strange = {
        (payload["place"], name)
        for payload in worker["payloads"]
        for name in payload["names"]
        if not name.startswith(ALLOWED)
    }
    assert strange == set()


def test_the_command_imports_no_beam() -> None:
    code = "import sys, pipeline.cli; sys.exit('apache_beam' in sys.modules)"
    assert call("-c", code, cwd=ROOT).returncode == 0


def test_the_session_is_not_saved() -> None:
    from pipeline.beam.options import beam_options

    assert not beam_options([]).get_all_options()["save_main_session"]
