"""The pipeline of a job: how large it is, and what reaches the workers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import PipelineOptions, SetupOptions

from pipeline.beam.job import Job, from_the_root
from pipeline.beam.options import expected_bundles
from pipeline.beam.run import build, run
from pipeline.beam.work_directory import WorkDirectory
from pipeline.errors.problems import ConfigError
from pipeline.readers.file_list import Listing
from pipeline.readers.shard_list import parse_shards
from pipeline.readers.shards import make_shard
from tests.e2e.conftest import open_stage
from tests.pipeline.tables import PLAIN, plan_of


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(plan_of(PLAIN), "c.yaml", ["in/*"], str(tmp_path / "out"))


def listing_of(count: int) -> Listing:
    paths = (
        f"in/{number:06}.{'parquet' if number % 3 else 'tfrecord.gz'}" for number in range(count)
    )
    return Listing(tuple(make_shard(path, 7, rows=number) for number, path in enumerate(paths)))


def test_the_graph_does_not_grow_with_the_shards(job: Job, tmp_path: Path) -> None:
    options = PipelineOptions(["--runner=FnApiRunner"])
    graphs = []
    for count in (3, 70_000):
        listing = listing_of(count)
        stage = open_stage(tmp_path / "out")
        graph = build(job, stage, "job", listing, options).to_runner_api().SerializeToString()
        graphs.append(len(graph))
        # They are in the list, a few in each line.
        lines = Path(WorkDirectory(stage).path("shards.jsonl")).read_bytes().splitlines()
        found = [parse_shards(line) for line in lines]
        assert tuple(shard for part in found for shard in part) == listing.shards
        assert max(map(len, found)) <= max(32, count / 4096 + 1)
        assert min(count, 64) <= len(found) <= 4096
    # Workers import headcount before they unpickle what refers to its packages.
    assert options.view_as(SetupOptions).beam_plugins == ["headcount"]
    # What is pickled is compressed: a number more or less in it moves some bytes.
    assert max(graphs) - min(graphs) < 1000


def test_paths_are_told_from_the_root(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    relative = replace(
        job, inputs=["a/*", "s3://b/*"], output="out", predictions="gs://b/predictions"
    )
    found = from_the_root(relative)
    assert found.inputs == [f"{tmp_path}/a/*", "s3://b/*"]
    assert (found.output, found.predictions) == (f"{tmp_path}/out", "gs://b/predictions")
    assert from_the_root(replace(relative, predictions=None)).predictions is None


@pytest.mark.parametrize(
    ("options", "bundles"),
    [
        (["--runner=FnApiRunner"], 1),
        (["--runner=FnApiRunner", "--direct_num_workers=3"], 3),
        (["--runner=FlinkRunner", "--parallelism=8"], 8),
        (["--runner=FlinkRunner"], 1000),
        (["--runner=DataflowRunner"], 1000),
    ],
)
def test_states_come_from_so_many_bundles(options: list[str], bundles: int) -> None:
    assert expected_bundles(PipelineOptions(options)) == bundles


@pytest.mark.parametrize("option", ["template_location", "output_executable_path"])
def test_what_would_be_launched_twice_is_refused(job: Job, option: str, tmp_path: Path) -> None:
    options = PipelineOptions(["--runner=FnApiRunner", f"--{option}={tmp_path / 'there'}"])
    with pytest.raises(ConfigError, match=f"--{option} is not supported"):
        run(job, options)
    assert list(tmp_path.iterdir()) == []
