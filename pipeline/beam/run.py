"""Runs the pipeline on the runner that Beam's options name."""

from __future__ import annotations

import logging
import re

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import (
    GoogleCloudOptions,
    PipelineOptions,
    PortableOptions,
    StandardOptions,
    TestOptions,
)

from heads.metrics.core.contract import MetricError
from heads.metrics.core.plugins import PluginError
from pipeline.beam.files import absolute, open_file, read_file, replace_file
from pipeline.beam.job import (
    Finished,
    Job,
    Submitted,
    from_the_root,
    job_digest,
    result,
    rolled_forward,
)
from pipeline.beam.listing import list_shards
from pipeline.beam.local_runner import make_runner
from pipeline.beam.options import IN_PROCESS, expected_bundles, import_in_workers
from pipeline.beam.publish import Publish
from pipeline.beam.store import BeamStore
from pipeline.beam.transforms import Evaluate, items_per_batch
from pipeline.beam.waiting import Execution
from pipeline.beam.work_directory import WorkDirectory, keep_other
from pipeline.errors.faults import BadData, OutputTaken, ReadError, RunnerError
from pipeline.errors.interrupted import Interrupted, interruptible, uninterrupted
from pipeline.errors.problems import ConfigError, Problem
from pipeline.evaluation.input_files import check_some, list_files
from pipeline.readers.file_list import Listing
from pipeline.readers.input_summary import records_looked_at
from pipeline.readers.shard_list import write_shards
from pipeline.runs.gates import load_other
from pipeline.runs.outputs import problem_files
from pipeline.runs.publish import (
    check_output,
    publish_failure,
    read_failure,
    recover,
)
from pipeline.runs.stage import Stage, new_stage
from pipeline.runs.staging import Running, held_output, opened
from pipeline.runs.written import check_not_read

_LOGGER = logging.getLogger(__name__)
# What workers in other processes raise comes as the text of a traceback.
_OF_PLUGINS = re.compile(r"^[\w.]*\.(?:PluginError|MetricError): (.+)$", re.MULTILINE)


@interruptible()
def run(job: Job, options: PipelineOptions) -> Finished | Submitted:
    """Runs a job to its end and returns its report, or what Beam's options ask for instead.

    If an earlier run of the same job was interrupted when it was whole, its report is returned.

    Raises:
        ConfigError: if the configuration or the options do not fit the files or each other.
        OutputTaken: if the output must not be written.
        StorageError: if files elsewhere cannot be reached.
        BadData: if rows or files are bad, or there are none; the data report is written.
        RunnerError: if the runner failed, or files that were listed cannot be read now.
    """
    # A pipeline would set these options, but files are looked for before there is a pipeline.
    FileSystems.set_options(options)
    _refuse_templates(options)
    local = options.view_as(StandardOptions).runner in IN_PROCESS
    if not local:
        job = from_the_root(job)
    store = BeamStore()
    with held_output(store, job.output, job.predictions) as has_locks:
        stage = new_stage(
            job.output,
            overwrite=job.overwrite,
            predictions=None if job.predictions is None else absolute(job.predictions),
            local=local,
        )
        check_not_read(stage, list(job.plan.heads), job.inputs, job.source)
        rolled, lines = recover(store, job.output, is_alone=has_locks)
        for line in lines:
            _LOGGER.warning("%s", line)
        # What was rolled forward may be what this job asks for.
        if rolled is None or job.overwrite:
            check_output(store, stage)
        with opened(store, stage) as running:
            WorkDirectory(stage).open(store)
            other = _keep_other(job, stage)
            listing = _list_inputs(job, store, stage)
            digest = job_digest(job, listing, other)
            if rolled is not None and not job.overwrite:
                return rolled_forward(job, store, stage, rolled, digest)
            pipeline = build(job, stage, digest, listing, options)
            try:
                instead = _evaluate(pipeline, job, options, running)
            except Interrupted as interrupted:
                with uninterrupted():
                    if not stage.is_open(store):
                        interrupted.note = f"the run was published before, in {stage.output}"
                raise
            return instead or result(job, store, stage)


def _keep_other(job: Job, stage: Stage) -> str | None:
    """Verifies the run that gates compare with, copies it into the stage, and returns its identity.

    It may be the run in the output of the job, which the job replaces.

    Raises:
        ConfigError: if there is no finished run, or if it is damaged.
    """
    plan = job.plan
    other = load_other(job.other, plan.config.gates, open_file, plan.plugins)
    if other is None:
        return None
    if other.blessed is False:
        _LOGGER.warning(
            "gates compare with run %s in %s, which its own gates did not let through",
            other.id,
            other.directory,
        )
    keep_other(stage, other)
    return other.id


def _list_inputs(job: Job, store: BeamStore, stage: Stage) -> Listing:
    """Returns the files of a job, after looking into some of them.

    Raises:
        ConfigError: if the configuration does not fit the files.
        BadData: if files are bad, or there are none; the data report is written.
    """
    try:
        listing = list_files(job.plan, job.inputs, job.source, list_shards, open_file)
        check_some(job.plan, listing.shards, job.source, open_file)
    except BadData as error:
        publish_failure(store, stage, problem_files(error.problems, stage.id))
        failure = read_failure(store, stage)
        error.data_report = None if failure is None else failure[0]
        raise
    except ReadError as error:
        raise RunnerError(str(error)) from error
    return listing


def _evaluate(
    pipeline: beam.Pipeline, job: Job, options: PipelineOptions, running: Running
) -> Submitted | None:
    """Runs a pipeline to its end; returns what Beam's options ask for instead, or None.

    Raises:
        OutputTaken: if the output must not be written.
        RunnerError: if the runner failed.
    """
    dry_run = type(pipeline.runner).__name__ == "DataflowRunner" and bool(
        options.view_as(TestOptions).dry_run
    )
    execution = Execution(pipeline)
    try:
        execution.start()
        if dry_run:
            return Submitted("the job is valid; this was a dry run, and nothing was submitted")
        if options.view_as(StandardOptions).no_wait_until_finish and not execution.ended():
            return Submitted(f"submitted; the report will be in {job.output}")
        execution.wait()
    except ReadError as error:
        raise RunnerError(str(error)) from error
    except OutputTaken:
        raise
    except Exception as error:
        raise RunnerError(_reason(error)) from error
    finally:
        running.ended = dry_run or execution.ended()
    return None


def _reason(error: Exception) -> str:
    """Returns why a runner failed; of a plugin that fails, what it says without a traceback."""
    if isinstance(error, PluginError | MetricError):
        return str(error)
    told = _OF_PLUGINS.search(str(error))
    return f"the runner failed: {error}" if told is None else told[1]


def build(
    job: Job, stage: Stage, digest: str, listing: Listing, options: PipelineOptions
) -> beam.Pipeline:
    """Builds the pipeline of a job; its size does not depend on the number of shards.

    The list of shards is written to the stage, where a worker reads it.

    Args:
        job: what to evaluate.
        stage: the stage of the run, which is open.
        digest: what tells equal jobs.
        listing: the files.
        options: the options of Beam.
    """
    shards = WorkDirectory(stage).path("shards.jsonl")
    replace_file(shards, write_shards(listing.shards))
    import_in_workers(options)
    pipeline = beam.Pipeline(make_runner(options), options)
    evaluated = (
        pipeline
        | "Once" >> beam.Impulse()
        | "ReadShardList" >> beam.FlatMap(_lines, shards).with_output_types(bytes)
        | "SpreadShards" >> beam.Reshuffle()
        | "Evaluate"
        >> Evaluate(
            job.plan,
            job.source,
            records_looked_at(listing),
            stage.predictions,
            expected_bundles(options),
            items_per_batch(listing),
        )
    )
    _ = evaluated | "Report" >> Publish(
        job.plan, stage, digest, listing.notes, compares=job.other is not None
    )
    return pipeline


def _refuse_templates(options: PipelineOptions) -> None:
    """Refuses what is launched more than once: all launches would be the same run.

    Raises:
        ConfigError: if the options ask for a classic template or for a program.
    """
    for option, value in (
        ("template_location", options.view_as(GoogleCloudOptions).template_location),
        ("output_executable_path", options.view_as(PortableOptions).output_executable_path),
    ):
        if value:
            message = (
                f"--{option} is not supported, for every launch would be the same run; a Flex"
                " Template starts a new one each time"
            )
            raise ConfigError([Problem("command line", (), message)])


def _lines(_: bytes, path: str) -> list[bytes]:
    return read_file(path).splitlines()
