"""Runs on a Flink cluster: the bytes of the local runner, spread, and with workers that die."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.engines import generated, installing
from tests.engines.conftest import cluster_program
from tests.engines.flink_cluster import Cluster
from tests.engines.flink_jobs import Job, jobs
from tests.engines.runs import Expected, Inputs, told_options

pytestmark = pytest.mark.engines

MEASURE = "Measure"
"""The step that reads rows, and part of the name of its stage."""

PIECE_LIMIT = 8 << 20

Seen = TypeVar("Seen")


def test_shipped_configurations(shipped: Expected, cluster: Cluster, tmp_path: Path) -> None:
    shipped.inputs.run(tmp_path / "out", cluster.options())
    shipped.assert_same(tmp_path / "out")


def test_the_program_tells_what_runs_and_starts_no_second_cluster(cluster: Cluster) -> None:
    told = cluster_program("status", cluster.directory)
    assert all(f"{process.name}: runs, pid {process.pid}" in told for process in cluster.processes)
    assert f"http://localhost:{cluster.rest}" in told
    assert "has a cluster" in cluster_program("start", cluster.directory, code=1)


def test_work_spreads(few_slices: Expected, cluster: Cluster, tmp_path: Path) -> None:
    few_slices.inputs.run(tmp_path / "out", cluster.options())
    few_slices.assert_same(tmp_path / "out")
    job = jobs(cluster)[-1]
    groups = {task.task_manager: task.records for task in job.tasks(MEASURE)}
    assert groups.keys() == {manager.name for manager in cluster.task_managers}
    assert sum(groups.values()) == 20
    # Dealt out in turn by each of two senders.
    assert max(groups.values()) - min(groups.values()) <= 2
    assert job.attempts() == 0


def test_bad_rows_end_the_run_and_are_not_tried_again(
    few_slices: Expected, cluster: Cluster, tmp_path: Path
) -> None:
    source = Path(few_slices.inputs.files).parent / "part-00003-of-00020.parquet"
    rows = pq.read_table(source).slice(0, 1000)
    weights = rows["weight"].to_numpy().copy()
    weights[7] = -1
    place = rows.column_names.index("weight")
    pq.write_table(rows.set_column(place, "weight", [weights]), tmp_path / "bad.parquet")
    inputs = Inputs(few_slices.inputs.config, str(tmp_path / "bad.parquet"))
    told = inputs.run(tmp_path / "out", cluster.options(), code=4)
    assert "bad.parquet" in told
    assert json.loads((tmp_path / "out" / "data.json").read_text())["problems"]
    assert not (tmp_path / "out" / "report.json").exists()
    job = jobs(cluster)[-1]
    assert (job.attempts(), job.failures()) == (0, [])


def test_the_command_for_a_cluster_of_ones_own(
    few_slices: Expected, cluster: Cluster, tmp_path: Path
) -> None:
    """The page's, with the places of this cluster; the last of an option counts."""
    here = [
        f"--flink_master=localhost:{cluster.rest}",
        f"--flink_job_server_jar={installing.job_server()}",
        *(
            option
            for option in cluster.options()
            if option.startswith(("--environment_c", "--parallelism"))
        ),
    ]
    few_slices.inputs.run(tmp_path / "out", [*told_options("FlinkRunner"), *here])
    few_slices.assert_same(tmp_path / "out")


def test_two_thousand_slices_in_small_pieces(
    many_slices: Expected, cluster: Cluster, tmp_path: Path
) -> None:
    many_slices.inputs.run(tmp_path / "out", cluster.options())
    many_slices.assert_same(tmp_path / "out")
    slices = pq.read_table(tmp_path / "out" / "metrics.parquet", columns=["slice"])["slice"]
    assert len(slices.unique()) == 1 + generated.SEGMENTS
    with zipfile.ZipFile(tmp_path / "out" / "states.zip") as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
    assert sum(sizes.values()) > 4 * PIECE_LIMIT
    assert max(sizes.values()) < PIECE_LIMIT
    assert jobs(cluster)[-1].attempts() == 0


def test_a_task_manager_dies(many_slices: Expected, cluster: Cluster, tmp_path: Path) -> None:
    cluster.add_task_manager()
    predictions = tmp_path / "predictions"
    before = {job.id for job in jobs(cluster)}
    options = [*cluster.options(), f"--write_predictions={predictions}"]
    command = many_slices.inputs.command(tmp_path / "out", options)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as run:
        try:
            job = _wait("the job", run, lambda: _new(cluster, before))
            # The stage runs, has read, and some of its files are written.
            _wait("a file of predictions", run, lambda: any(predictions.rglob("part-*.parquet")))
            victim = _wait("a task that runs", run, lambda: _working(job))
            (process,) = [manager for manager in cluster.task_managers if manager.name == victim]
            process.kill()
            told, _ = run.communicate(timeout=300)
        finally:
            run.kill()
    assert not process.runs()
    assert run.returncode == 0, told
    many_slices.assert_same(tmp_path / "out")
    assert job.failures(), "nothing failed: the TaskManager died too late"
    tasks = job.tasks(MEASURE)
    assert min(task.attempt for task in tasks) > 0
    assert victim not in {task.task_manager for task in tasks}
    # Each row once, in files that are whole, and nothing beside them.
    files = [path for path in predictions.rglob("*") if path.is_file()]
    assert len(files) == 20
    assert all(path.name.startswith("part-") for path in files)
    (prefix,) = predictions.iterdir()
    rows = pq.read_table(prefix / "click", columns=["file", "row"])
    assert len(rows) == 20 * 100_000
    named = rows.set_column(0, "file", rows["file"].cast(pa.string()))
    assert len(named.group_by(["file", "row"]).aggregate([])) == len(rows)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_run_cancels_its_job(
    many_slices: Expected, cluster: Cluster, tmp_path: Path, number: signal.Signals
) -> None:
    before = {job.id for job in jobs(cluster)}
    command = many_slices.inputs.command(tmp_path / "out", cluster.options())
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as run:
        try:
            job = _wait("the job", run, lambda: _new(cluster, before))
            _wait("a job that runs", run, lambda: job.state() == "RUNNING")
            run.send_signal(number)
            told, _ = run.communicate(timeout=300)
        finally:
            run.kill()
    assert run.returncode == 128 + number
    assert re.fullmatch(rf"interrupted \({number.name}\); job BeamApp\S+ was cancelled\n", told)
    # On the cluster, and not only for the job server, which lets it run.
    assert job.state() == "CANCELED"
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []


def _new(cluster: Cluster, before: set[str]) -> Job | None:
    return next((job for job in jobs(cluster) if job.id not in before), None)


def _working(job: Job) -> str | None:
    """A TaskManager that measures and has read."""
    running = (task for task in job.tasks(MEASURE) if task.status == "RUNNING" and task.records)
    return next((task.task_manager for task in running), None)


def _wait(what: str, run: subprocess.Popen[str], look: Callable[[], Seen | None]) -> Seen:
    """What is seen at last; fails if the run ends before, or takes too long."""
    last = time.monotonic() + 600
    while not (seen := look()):
        assert run.poll() is None, f"the run ended before there was {what}: {run.communicate()[0]}"
        assert time.monotonic() < last, f"there was no {what} in 600 s"
        time.sleep(0.1)
    return seen
