"""A runner that is not there, and values that make no sense, are told before anything is read."""

from __future__ import annotations

import sys

import pytest
from apache_beam.options.pipeline_options import StandardOptions
from apache_beam.runners.runner import PipelineRunner

from pipeline.beam.local_runner import LocalRunner, make_runner
from pipeline.beam.options import beam_options, check_runner
from pipeline.errors.problems import ConfigError


class DirectRunner(PipelineRunner):
    """A user's runner, which happens to have a name of Beam's."""


def problems_of(*arguments: str) -> list[str]:
    """What is wrong with the options of a run."""
    try:
        check_runner(beam_options(arguments))
    except ConfigError as error:
        return [problem.message for problem in error.problems]
    return []


GCP = ["--project=p1-2-3", "--region=r", "--temp_location=gs://bucket/t"]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--runner=FnApiRunner"],
        ["--runner=fnapi"],
        ["--runner=DirectRunner"],
        ["--runner=FlinkRunner", "--parallelism=4", "--max_parallelism=-1"],
        ["--runner=PortableRunner", "--job_endpoint=localhost:1", "--environment_type=LOOPBACK"],
        ["--runner=PrismRunner"],
        ["--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner"],
        ["--direct_num_workers=0"],
        ["--direct_num_workers=2", "--direct_running_mode=multi_processing"],
        ["--parallelism=-1"],
        ["--job_port=0", "--direct_runner_bundle_repeat=0", "--profile_sample_rate=0.5"],
        ["--num_workers=3", "--disk_size_gb=0"],
    ],
    ids=" ".join,
)
def test_what_makes_sense_is_taken(arguments: list[str]) -> None:
    assert problems_of(*arguments) == []


@pytest.mark.parametrize(
    ("name", "runner"),
    [
        ("directrunner", "FnApiRunner"),
        ("direct", "FnApiRunner"),
        ("SwitchingDirectRunner", "FnApiRunner"),
        ("apache_beam.runners.direct.direct_runner.DirectRunner", "FnApiRunner"),
        ("fnapi", "FnApiRunner"),
        ("apache_beam.runners.portability.fn_api_runner.FnApiRunner", "FnApiRunner"),
        ("bundlebaseddirect", "BundleBasedDirectRunner"),
        ("flink", "FlinkRunner"),
        (f"{__name__}.DirectRunner", f"{__name__}.DirectRunner"),
    ],
)
def test_a_runner_of_beam_has_one_name(name: str, runner: str) -> None:
    options = beam_options([f"--runner={name}"])
    check_runner(options)
    assert options.view_as(StandardOptions).runner == runner
    assert isinstance(make_runner(options), LocalRunner) == (runner == "FnApiRunner")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--runner=Nope"], "--runner: there is no runner 'Nope'; there are DataflowRunner, "),
        (["--runner="], "--runner: there is no runner ''; there are "),
        (
            ["--runner=FlinkRuner"],
            "--runner: there is no runner 'FlinkRuner'; did you mean 'FlinkR",
        ),
        (["--runner=a\x1b[31m"], r"--runner: there is no runner 'a\x1b[31m'"),
        (["--runner=no_such.Runner"], "--runner: 'no_such' cannot be imported: No module named"),
        (["--runner=.Runner"], "--runner: there is no runner '.Runner'"),
        (["--runner=os.abort"], "--runner: there is no runner 'abort' in 'os'"),
        (["--runner=os.path.nothing"], "--runner: there is no runner 'nothing' in 'os.path'"),
        (["--direct_num_workers=-1"], "--direct_num_workers: must be from 0 to 1000, not -1"),
        (["--direct_num_workers=99999"], "--direct_num_workers: must be from 0 to 1000, not 99999"),
        (["--parallelism=0"], "--parallelism: must be at least 1, not 0"),
        (["--parallelism=-2"], "--parallelism: must be at least 1, not -2"),
        (["--max_parallelism=-3"], "--max_parallelism: must be at least 1, not -3"),
        (
            ["--number_of_worker_harness_threads=0"],
            "--number_of_worker_harness_threads: must be at",
        ),
        (["--job_port=65536"], "--job_port: must be from 0 to 65535, not 65536"),
        (["--profile_sample_rate=nan"], "--profile_sample_rate: must be from 0 to 1, not nan"),
        (["--max_num_workers=-1"], "--max_num_workers: must be at least 0, not -1"),
        (["--wait_until_finish_duration=-1"], "--wait_until_finish_duration: must be at least 0"),
    ],
)
def test_what_makes_no_sense_is_told(arguments: list[str], problem: str) -> None:
    (found,) = problems_of(*arguments)
    assert found.startswith(problem)


def test_a_runner_that_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.cloud.dataflow", None)
    monkeypatch.setitem(sys.modules, "apache_beam.runners.portability.flink_runner", None)
    for name in ("DataflowRunner", "dataflow", "FlinkRunner"):
        (problem,) = problems_of(f"--runner={name}", *GCP)
        assert problem.startswith(f"--runner: '{name}' is not installed (")


def test_options_that_a_runner_lacks_are_told() -> None:
    pytest.importorskip("google.cloud.dataflow")
    problems = problems_of("--runner=DataflowRunner")
    assert "Missing required option: project." in problems
    assert "Missing required option: region." in problems


def test_all_is_told_at_once() -> None:
    problems = problems_of("--runner=Nope", "--parallelism=-2", "--direct_num_workers=-1")
    assert sorted(problem.split(":")[0] for problem in problems) == [
        "--direct_num_workers",
        "--parallelism",
        "--runner",
    ]
