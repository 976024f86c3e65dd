"""Running the pipeline, on the runner that Beam's options name."""

from __future__ import annotations

import json
import logging
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import (
    DirectOptions,
    FlinkRunnerOptions,
    GoogleCloudOptions,
    PipelineOptions,
    PortableOptions,
    StandardOptions,
    TestOptions,
)
from apache_beam.portability import python_urns
from apache_beam.portability.api import beam_provision_api_pb2, beam_runner_api_pb2
from apache_beam.runners.portability.fn_api_runner.fn_runner import (
    ExtendedProvisionInfo,
    FnApiRunner,
)
from apache_beam.runners.portability.portable_runner import JobServiceHandle
from apache_beam.runners.runner import PipelineResult, PipelineRunner, PipelineState

from pipeline.beam.files import (
    absolute,
    delete_files,
    exists,
    list_shards,
    open_file,
    read_file,
    write_file,
)
from pipeline.beam.prediction_writer import list_predictions, remove_unfinished
from pipeline.beam.publish import Publish, publish_problems
from pipeline.beam.transforms import Evaluate, items_together
from pipeline.beam.work_directory import WorkDirectory
from pipeline.errors.faults import BadData, StorageError
from pipeline.errors.problems import ConfigError, Problem
from pipeline.evaluation.input_files import check_some, list_files
from pipeline.evaluation.plan import Plan
from pipeline.readers.input_summary import records_looked_at
from pipeline.readers.shard_list import write_shards
from pipeline.readers.shards import Listing
from pipeline.runs.publish import DATA, FAILED, FILES, REPORT

_LOGGER = logging.getLogger(__name__)

_JOB_SERVERS = ("PortableRunner", "FlinkRunner", "SparkRunner")
_IN_PROCESS = ("FnApiRunner", "DirectRunner", "BundleBasedDirectRunner")
# Bundles of a cluster whose size is not known.
_MANY = 1000


@dataclass(frozen=True)
class Job:
    """What to run.

    Attributes:
        plan: what to evaluate.
        source: the name of the configuration file, for messages.
        inputs: globs of the files.
        output: the directory to write.
        predictions: a directory for the predictions of every row, or None.
        overwrite: whether to replace an older run.
    """

    plan: Plan
    source: str
    inputs: Sequence[str]
    output: str
    predictions: str | None = None
    overwrite: bool = False


class RunnerError(Exception):
    """The runner failed; the data and the configuration are not known to be at fault."""


@dataclass(frozen=True)
class Submitted:
    """What there is in place of a report, where Beam's options ask for no run, or not to wait.

    Attributes:
        message: what that is, and where.
        later: whether there may be a run yet, which needs the work directory.
    """

    message: str
    later: bool = True


def run(job: Job, options: PipelineOptions) -> dict[str, Any] | Submitted:
    """Runs a job to its end and returns its report, or what there is instead.

    Raises:
        ConfigError: if the configuration does not fit the files, or the output must not be written.
        BadData: if rows or files are bad, or there are none; the data report is in the output.
        RunnerError: if the runner failed.
    """
    # Files are looked for before there is a pipeline, which would do this.
    FileSystems.set_options(options)
    if options.view_as(StandardOptions).runner not in _IN_PROCESS:
        job = _from_the_root(job)
    check_output(job)
    try:
        listing = list_files(job.plan, job.inputs, job.source, list_shards, open_file)
        check_some(job.plan, listing.shards, job.source, open_file)
    except BadData as error:
        publish_problems(job.output, error.problems)
        raise
    instead = result = None
    try:
        pipeline = build(job, listing, options)
        instead = _instead_of_a_run(pipeline, options)
        result = pipeline.run()
        if instead is not None:
            return instead
        if options.view_as(StandardOptions).no_wait_until_finish and not _ended(result):
            return Submitted(f"submitted; the report will be in {job.output}")
        result.wait_until_finish()
    except StorageError:
        raise
    except Exception as error:
        raise RunnerError(f"the runner failed: {error}") from error
    finally:
        # A job that still runs, or is launched later, needs its work directory.
        later = instead is not None and instead.later
        if result is None or (not later and _ended(result)):
            WorkDirectory(job.output).remove()
            if job.predictions is not None:
                remove_unfinished(job.predictions)
    try:
        data = json.loads(read_file(FileSystems.join(job.output, DATA)))
    except FileNotFoundError as error:
        message = f"the job left no {DATA} in {job.output}; do workers know it by that path?"
        raise RunnerError(message) from error
    for note in data["notes"]:
        _LOGGER.warning("%s", note)
    if data["problems"]:
        raise BadData(data["problems"])
    report: dict[str, Any] = json.loads(read_file(FileSystems.join(job.output, REPORT)))
    return report


def build(job: Job, listing: Listing, options: PipelineOptions) -> beam.Pipeline:
    """The pipeline of a job; its size does not depend on how many shards there are.

    The list of shards is written below the output, for a worker to read it.
    """
    shards = WorkDirectory(job.output).path("shards.jsonl")
    write_file(shards, write_shards(listing.shards))
    pipeline = beam.Pipeline(_runner(options), options)
    evaluated = (
        pipeline
        | "ShardList" >> beam.Create([shards])
        | "ReadShardList" >> beam.FlatMap(_lines).with_output_types(bytes)
        | "SpreadShards" >> beam.Reshuffle()
        | "Evaluate"
        >> Evaluate(
            job.plan,
            job.source,
            records_looked_at(listing),
            job.predictions,
            _bundles(options),
            items_together(listing),
        )
    )
    _ = evaluated | "Report" >> Publish(job.plan, job.output, listing.notes)
    return pipeline


class _LocalRunner(FnApiRunner):
    """The in-process runner, with worker processes of ours."""

    def run_via_runner_api(
        self, pipeline_proto: beam_runner_api_pb2.Pipeline, options: PipelineOptions
    ) -> PipelineResult:
        for environment in pipeline_proto.components.environments.values():
            if environment.urn == python_urns.SUBPROCESS_SDK:
                command = f"{shlex.quote(sys.executable)} -m pipeline.beam.worker"
                environment.payload = command.encode()
        return super().run_via_runner_api(pipeline_proto, options)


def _runner(options: PipelineOptions) -> PipelineRunner | None:
    """The in-process runner, with the options that its worker processes need; None for others.

    Made by name, it gives them none, so that they would not find credentials or endpoints.
    """
    if options.view_as(StandardOptions).runner != "FnApiRunner":
        return None
    encoded = JobServiceHandle.encode_pipeline_options(options.get_all_options())
    return _LocalRunner(
        provision_info=ExtendedProvisionInfo(
            beam_provision_api_pb2.ProvisionInfo(pipeline_options=encoded)
        )
    )


def _instead_of_a_run(pipeline: beam.Pipeline, options: PipelineOptions) -> Submitted | None:
    """What the runner leaves where the options ask for no run; other runners do not heed them."""
    runner = type(pipeline.runner).__name__
    template = options.view_as(GoogleCloudOptions).template_location
    program = options.view_as(PortableOptions).output_executable_path
    later = "nothing is evaluated before it is launched"
    if runner == "DataflowRunner" and options.view_as(TestOptions).dry_run:
        message = "the job is valid; this was a dry run, and nothing was submitted"
        return Submitted(message, later=False)
    if runner == "DataflowRunner" and template:
        return Submitted(f"template written to {template}; {later}")
    if runner in _JOB_SERVERS and program:
        return Submitted(f"program written to {program}; {later}")
    return None


def _ended(result: PipelineResult) -> bool:
    """Whether a job is known to have ended."""
    try:
        return bool(PipelineState.is_terminal(result.state))
    except Exception:
        # The runner cannot be reached; the job may run on.
        return False


def _from_the_root(job: Job) -> Job:
    """The job with paths that mean the same to workers, which start in directories of their own."""
    predictions = job.predictions
    return replace(
        job,
        inputs=[absolute(path) for path in job.inputs],
        output=absolute(job.output),
        predictions=None if predictions is None else absolute(predictions),
    )


def _bundles(options: PipelineOptions) -> int:
    """From how many bundles states may come: as many as slots or workers, where that is known."""
    if options.view_as(StandardOptions).runner in _IN_PROCESS:
        return int(options.view_as(DirectOptions).direct_num_workers) or os.cpu_count() or 1
    return max(0, int(options.view_as(FlinkRunnerOptions).parallelism)) or _MANY


def _lines(path: str) -> list[bytes]:
    return read_file(path).splitlines()


def check_output(job: Job) -> None:
    """Refuses to write over an older run, or among its predictions, unless that was asked for.

    Raises:
        ConfigError: if the output holds files of a run, or the other directory predictions of one.
    """
    # Nothing is lost with what a failed run left.
    found = [
        name for name in FILES if name not in FAILED and exists(FileSystems.join(job.output, name))
    ]
    predictions = [] if job.predictions is None else list_predictions(job.predictions)
    problems = [
        Problem(
            job.source, (name,), f"{place} holds a run ({file}); give --overwrite to replace it"
        )
        for name, place, files in (
            ("output", job.output, found),
            ("write_predictions", job.predictions, predictions),
        )
        for file in files[:1]
    ]
    if problems and not job.overwrite:
        raise ConfigError(problems)
    delete_files(predictions)
