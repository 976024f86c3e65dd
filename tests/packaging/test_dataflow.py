"""The job that Dataflow is handed, made by Beam's own runner and sent by Google's own clients."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from apache_beam.portability.api import beam_runner_api_pb2

from pipeline import cli
from tests.packaging.google_services import google_services
from tests.packaging.programs import ROOT

pytestmark = pytest.mark.packaging

SHARD = ROOT / "configs" / "data" / "breast_cancer" / "parquet" / "part-00000-of-00004.parquet"
FILES = SHARD.with_name("*.parquet")
# Runs a job by what was stored, in workers that know nothing else; in this process, for want of the
# image that the job names.
WORKERS = """
import sys
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.portability.python_urns import EMBEDDED_PYTHON
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
job = beam_runner_api_pb2.Pipeline.FromString(open(sys.argv[1], "rb").read())
for environment in job.components.environments.values():
    environment.urn, environment.payload = EMBEDDED_PYTHON, b""
    environment.ClearField("dependencies")
FnApiRunner().run_via_runner_api(job, PipelineOptions()).wait_until_finish()
"""


@dataclass
class Submission:
    """A run of the command, and what reached Google's services.

    Attributes:
        directory: where it ran; its output is `out`.
    """

    directory: Path
    status: int
    printed: str
    errors: str
    objects: dict[str, bytes]
    jobs: list[dict[str, Any]]

    def stored(self, name: str) -> bytes:
        (content,) = [self.objects[path] for path in self.objects if path.endswith(f"/{name}")]
        return content

    def graph(self) -> beam_runner_api_pb2.Pipeline:
        return beam_runner_api_pb2.Pipeline.FromString(self.stored("pipeline.pb"))

    def work(self) -> list[str]:
        """What is left for a job that may still run."""
        stages = (self.directory / "out" / ".headcount").glob("*")
        return sorted(path.name for stage in stages for path in stage.glob("work/*"))


def submit(
    directory: Path,
    *options: str,
    end: str = "JOB_STATE_RUNNING",
    pattern: Path = FILES,
) -> Submission:
    """Runs the command; a job that was submitted is in the state `end` ever after."""
    with google_services() as services:
        services.end = end
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pipeline.cli", "run", "--runner=DataflowRunner"),
                *("--config", str(ROOT / "configs" / "binary.yaml"), "--input", str(pattern)),
                *("--output=out", "--project=project", "--region=region", "--job_name=job"),
                *("--temp_location=gs://bucket/temp", "--staging_location=gs://bucket/staging"),
                *(f"--dataflow_endpoint={services.url}", *options),
            ],
            cwd=directory,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | services.environment(directory),
            capture_output=True,
            text=True,
        )
    objects, jobs = services.objects, services.jobs
    return Submission(directory, done.returncode, done.stdout, done.stderr, objects, jobs)


def evaluate(submission: Submission) -> bytes:
    """The report of the graph that was stored."""
    graph = submission.directory / "graph.pb"
    graph.write_bytes(submission.stored("pipeline.pb"))
    away = submission.directory / "worker"
    away.mkdir()
    workers = [sys.executable, "-c", WORKERS, str(graph)]
    subprocess.run(workers, cwd=away, check=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    return (submission.directory / "out" / "report.json").read_bytes()


@pytest.fixture(scope="module")
def submission(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Submission:
    directory = tmp_path_factory.mktemp("submission")
    options = (f"--extra_package={wheel}", "--sdk_container_image=image")
    return submit(directory, *options, "--no_wait_until_finish")


def test_job_is_submitted(submission: Submission, wheel: Path) -> None:
    assert submission.status == 0, submission.errors
    assert submission.printed == f"submitted; the report will be in {submission.directory}/out\n"
    (job,) = submission.jobs
    assert (job["name"], job["type"]) == ("job", 1)
    (pool,) = job["environment"]["workerPools"]
    assert [image["containerImage"] for image in pool["sdkHarnessContainerImages"]] == ["image"]
    staged = {package["name"]: package["location"] for package in pool["packages"]}
    assert {wheel.name, "extra_packages.txt"} <= staged.keys()
    for location in staged.values():
        assert location.removeprefix("storage.googleapis.com/") in submission.objects
    assert submission.stored(wheel.name) == wheel.read_bytes()


def test_job_that_is_submitted_keeps_its_list_of_shards(submission: Submission) -> None:
    assert submission.work() == ["shards.jsonl"]


def test_job_that_is_submitted_evaluates(submission: Submission, tmp_path: Path) -> None:
    here = ["--input", str(FILES), "--output", str(tmp_path / "here")]
    assert cli.main(["run", "--config", str(ROOT / "configs" / "binary.yaml"), *here]) == 0
    assert evaluate(submission) == (tmp_path / "here" / "report.json").read_bytes()
    # What the job no longer needs, the job takes away itself: its driver is gone.
    assert submission.work() == []
    assert not (submission.directory / "out" / ".headcount").exists()


def test_classic_template_is_refused(tmp_path: Path) -> None:
    refused = submit(tmp_path, "--template_location=gs://bucket/templates/click")
    assert refused.status == 2, refused.errors
    assert "--template_location is not supported" in refused.errors
    assert (refused.jobs, refused.objects, refused.work()) == ([], {}, [])


def test_dry_run_leaves_nothing(tmp_path: Path) -> None:
    dry = submit(tmp_path, "--dry_run=True")
    assert dry.status == 0, dry.errors
    assert dry.printed.startswith("the job is valid; this was a dry run")
    assert (dry.jobs, dry.objects, dry.work()) == ([], {}, [])


@pytest.mark.parametrize(
    ("end", "error"),
    [
        ("JOB_STATE_FAILED", "Traceback: no disk"),
        ("JOB_STATE_DONE", "left no data.json"),
    ],
)
def test_failure_of_the_service_is_told(end: str, error: str, tmp_path: Path) -> None:
    failed = submit(tmp_path, end=end)
    assert failed.status == 5, failed.errors
    assert error in failed.errors
    assert failed.work() == []


def test_graph_does_not_grow_with_the_shards(submission: Submission, tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    for number in range(1000):
        # Links to a file are read once.
        shutil.copy(SHARD, files / f"{number}.parquet")
    many = submit(tmp_path, "--no_wait_until_finish", pattern=files / "*.parquet")
    (shards,) = (tmp_path / "out" / ".headcount").glob("*/work/shards.jsonl")
    assert shards.read_text().count(".parquet") == 1000
    texts, sizes = [], []
    for job in (submission, many):
        graph = job.graph()
        # What is staged, which is not the same for both.
        graph.components.environments.clear()
        texts.append(re.sub(r'payload: ".*"', "", str(graph)))
        sizes.append(graph.ByteSize())
    assert texts[0] == texts[1]
    # Paths differ, and how well they can be compressed: 1,000 of them would be seen.
    assert abs(sizes[0] - sizes[1]) < 1000


def test_parameters_are_as_google_defines_them() -> None:
    from google.cloud.dataflow_v1beta3.types import TemplateMetadata

    text = (ROOT / "configs" / "dataflow" / "metadata.json").read_text()
    # A name or a type that is not of the definition raises.
    known = json.loads(TemplateMetadata.to_json(TemplateMetadata.from_json(text)))
    assert [parameter["name"] for parameter in known["parameters"]] == [
        parameter["name"] for parameter in json.loads(text)["parameters"]
    ]
