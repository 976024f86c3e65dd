"""Runs the pipeline on the runner that Beam's options name."""

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
from pipeline.beam.transforms import Evaluate, items_per_batch
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
# The number of bundles to expect of a cluster whose size is not known.
_MANY = 1000


@dataclass(frozen=True)
class Job:
    """A job: what to evaluate, and where to write.

    Attributes:
        plan: the plan of the run.
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
    """The runner failed, and nothing says that the data or the configuration is the reason."""


@dataclass(frozen=True)
class Submitted:
    """A result without a report: Beam's options ask for no run, or not to wait for its end.

    Attributes:
        message: what there is instead, and where.
        later: whether the job may still run later, and then needs the work directory.
    """

    message: str
    later: bool = True


def run(job: Job, options: PipelineOptions) -> dict[str, Any] | Submitted:
    """Runs a job to its end and returns its report, or what Beam's options ask for instead.

    Raises:
        ConfigError: if the configuration does not fit the files, or the output must not be written.
        StorageError: if files elsewhere cannot be reached.
        BadData: if rows or files are bad, or there are none; the data report is in the output.
        RunnerError: if the runner failed.
    """
    # A pipeline would set these options, but files are looked for before there is a pipeline.
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
    """Builds the pipeline of a job; its size does not depend on the number of shards.

    The list of shards is written below the output, where a worker reads it.
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
            items_per_batch(listing),
        )
    )
    _ = evaluated | "Report" >> Publish(job.plan, job.output, listing.notes)
    return pipeline


class _LocalRunner(FnApiRunner):
    """The in-process runner, whose worker processes run `pipeline.beam.worker`."""

    def run_via_runner_api(
        self, pipeline_proto: beam_runner_api_pb2.Pipeline, options: PipelineOptions
    ) -> PipelineResult:
        for environment in pipeline_proto.components.environments.values():
            if environment.urn == python_urns.SUBPROCESS_SDK:
                command = f"{shlex.quote(sys.executable)} -m pipeline.beam.worker"
                environment.payload = command.encode()
        return super().run_via_runner_api(pipeline_proto, options)


def _runner(options: PipelineOptions) -> PipelineRunner | None:
    """Returns the in-process runner, if the options name it, and None if not.

    It passes the options on to its worker processes. If Beam made the runner by its name, the
    worker processes would get no options, and so no credentials and endpoints.
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
    """Returns what the runner leaves if the options ask it for no run, and None if it will run.

    The options are checked only for the runners that do not ignore them.
    """
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
    """Returns whether a job is known to have ended."""
    try:
        return bool(PipelineState.is_terminal(result.state))
    except Exception:
        # The runner cannot be reached; the job may still run.
        return False


def _from_the_root(job: Job) -> Job:
    """Returns the job with absolute paths: workers may start in another directory."""
    predictions = job.predictions
    return replace(
        job,
        inputs=[absolute(path) for path in job.inputs],
        output=absolute(job.output),
        predictions=None if predictions is None else absolute(predictions),
    )


def _bundles(options: PipelineOptions) -> int:
    """Returns from how many bundles states may come.

    It is the number of workers or slots, if that is known.
    """
    if options.view_as(StandardOptions).runner in _IN_PROCESS:
        return int(options.view_as(DirectOptions).direct_num_workers) or os.cpu_count() or 1
    return max(0, int(options.view_as(FlinkRunnerOptions).parallelism)) or _MANY


def _lines(path: str) -> list[bytes]:
    return read_file(path).splitlines()


def check_output(job: Job) -> None:
    """Checks that a job overwrites no older run and no older predictions, unless it may.

    If it may, this deletes the older predictions.

    Raises:
        ConfigError: if `job.output` holds files of a run, or `job.predictions` files of
            predictions, and the job may not overwrite them.
    """
    # The files of a failed run may be overwritten: nothing of value is lost.
    run_files = [
        name for name in FILES if name not in FAILED and exists(FileSystems.join(job.output, name))
    ]
    predictions = [] if job.predictions is None else list_predictions(job.predictions)
    problems = [
        Problem(
            job.source, (name,), f"{place} holds {held} ({file}); give --overwrite to replace it"
        )
        for name, place, held, files in (
            ("output", job.output, "a run", run_files),
            ("write_predictions", job.predictions, "predictions", predictions),
        )
        for file in files[:1]
    ]
    if problems and not job.overwrite:
        raise ConfigError(problems)
    delete_files(predictions)
