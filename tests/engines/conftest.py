"""The cluster, and the made up rows, that the tests of this directory share."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.engines import generated, processes, runs
from tests.engines.flink_cluster import Cluster, load
from tests.engines.installing import ROOT
from tests.engines.runs import Expected, Inputs


@pytest.fixture(scope="session", autouse=True)
def guard() -> Iterator[None]:
    """Ends what the tests of this directory have started, whatever ends the test program."""
    with processes.guarded():
        yield


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with two TaskManagers of one slot each, started and stopped as a user does."""
    directory = tmp_path_factory.mktemp("flink") / "cluster"
    cluster_program("start", directory, "--task-managers=2")
    try:
        yield load(directory)
    finally:
        cluster_program("stop", directory)
    # Also the workers of a TaskManager that died have ended.
    assert [process for process in Path("/proc").iterdir() if _names(process, directory)] == []


def cluster_program(command: str, directory: Path, *options: str, code: int = 0) -> str:
    """Runs the program of the cluster, and returns what it prints."""
    program = [sys.executable, "-m", "tests.engines.flink_cluster", command]
    done = subprocess.run(
        [*program, f"--directory={directory}", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def _names(process: Path, directory: Path) -> bool:
    """Whether a process that runs was told of a directory."""
    with suppress(OSError):
        told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        return str(directory).encode() in told
    return False


@pytest.fixture(scope="session")
def few_slices(tmp_path_factory: pytest.TempPathFactory) -> Expected:
    """Some 170 slices with intervals, of 20 files of 50,000 rows each."""
    return _generate(generated.FEW_SLICES, 50_000, tmp_path_factory.mktemp("few"))


@pytest.fixture(scope="session")
def many_slices(tmp_path_factory: pytest.TempPathFactory) -> Expected:
    """2,000 slices with intervals, of 20 files of 100,000 rows each."""
    return _generate(generated.MANY_SLICES, 100_000, tmp_path_factory.mktemp("many"))


@pytest.fixture(scope="session", params=["binary", "binary_tfrecord", "multi_class", "multi_label"])
def shipped(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Expected:
    """A configuration that ships with headcount, and its data."""
    inputs = runs.shipped(request.param)
    output = tmp_path_factory.mktemp(request.param) / "here"
    inputs.run(output)
    return Expected(inputs, output)


def _generate(config: str, rows: int, directory: Path) -> Expected:
    path = directory / "config.yaml"
    path.write_text(config)
    inputs = Inputs(path, generated.write_shards(directory / "data", 20, rows))
    inputs.run(directory / "here")
    return Expected(inputs, directory / "here")
