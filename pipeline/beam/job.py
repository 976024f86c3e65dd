"""What a run is asked for, and what it ends with."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

from pipeline.beam.files import absolute
from pipeline.beam.store import BeamStore
from pipeline.errors.faults import BadData, OutputTaken, RunnerError
from pipeline.evaluation.plan import Plan
from pipeline.readers.file_list import Listing
from pipeline.readers.shard_list import write_shards
from pipeline.runs.file_names import DATA, GATES, REPORT
from pipeline.runs.gates import NO_RUN
from pipeline.runs.manifest import read_files, read_manifest, sha256
from pipeline.runs.publish import holds_a_run, read_failure, read_published
from pipeline.runs.stage import Stage

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """A job: what to evaluate, and where to write.

    Attributes:
        plan: the plan of the run.
        source: the name of the configuration file, for messages.
        inputs: globs of the files.
        output: the directory to write.
        predictions: a directory in which the run makes one for the predictions of every row, or
            None.
        overwrite: whether to replace an older run.
        against: the directory of the run that gates compare with; `NO_RUN` to skip those that
            compare with one; None if there are none.
    """

    plan: Plan
    source: str
    inputs: Sequence[str]
    output: str
    predictions: str | None = None
    overwrite: bool = False
    against: str | None = None

    @property
    def other(self) -> str | None:
        """The directory of the run that gates compare with; None if they compare with none."""
        return None if self.against == NO_RUN else self.against


@dataclass(frozen=True)
class Finished:
    """A run that is published.

    Attributes:
        report: the report of the run.
        predictions: the directory of its predictions, or None.
        gates: the verdict of its gates, with the content of `gates.json`; None if it has no gates.
        notes: what is known of all files together, one line per note.
    """

    report: dict[str, Any]
    predictions: str | None
    gates: dict[str, Any] | None
    notes: Sequence[str]


@dataclass(frozen=True)
class Submitted:
    """A result without a report: Beam's options ask for no run, or not to wait for its end.

    Attributes:
        message: what there is instead, and where.
    """

    message: str


def from_the_root(job: Job) -> Job:
    """Returns the job with absolute paths: workers may start in another directory."""
    predictions = job.predictions
    return replace(
        job,
        inputs=[absolute(path) for path in job.inputs],
        output=absolute(job.output),
        against=job.against if job.other is None else absolute(job.other),
        predictions=None if predictions is None else absolute(predictions),
    )


def result(job: Job, store: BeamStore, stage: Stage) -> Finished:
    """Returns the report of a job that has ended.

    Raises:
        BadData: if the data must not be reported on.
        OutputTaken: if another run has replaced this one already.
        RunnerError: if the job left nothing.
    """
    failure = read_failure(store, stage)
    if failure is not None:
        data = json.loads(failure[1])
        _warn(data["notes"])
        error = BadData(data["problems"])
        error.data_report = failure[0]
        raise error
    published = read_published(store, stage, _files_read(job))
    if published is None:
        message = f"the job left no {DATA} in {stage.output}; do workers know it by that path?"
        raise RunnerError(message)
    finished = _finished(published, stage.predictions)
    _warn(finished.notes)
    return finished


def _files_read(job: Job) -> tuple[str, ...]:
    """Returns the names of the files of a job that `_finished` reads."""
    return (DATA, REPORT, *([GATES] if job.plan.config.gates else ()))


def _finished(files: Mapping[str, bytes], predictions: str | None) -> Finished:
    gates = json.loads(files[GATES]) if GATES in files else None
    notes = json.loads(files[DATA])["notes"]
    return Finished(json.loads(files[REPORT]), predictions, gates, notes)


def _warn(notes: Sequence[str]) -> None:
    """Logs the notes of a data report."""
    for note in notes:
        _LOGGER.warning("%s", note)


def rolled_forward(job: Job, store: BeamStore, stage: Stage, rolled: str, digest: str) -> Finished:
    """Returns the report of a run that was whole when it was interrupted, if it is of this job.

    Raises:
        OutputTaken: if it is of another job.
    """
    manifest = read_manifest(store, stage.output)
    same = manifest is not None and manifest.job == digest
    files = read_files(store, stage.output, rolled, _files_read(job)) if same else None
    if manifest is None or files is None:
        raise OutputTaken(holds_a_run(stage.output))
    _LOGGER.warning(
        "an earlier run of this job (%s) was whole and not published; it is now, and was not"
        " repeated",
        rolled,
    )
    return _finished(files, manifest.predictions)


def job_digest(job: Job, listing: Listing, other: str | None) -> str:
    """Returns a checksum that equal jobs have: of configuration, gates, inputs and release.

    Args:
        job: the job.
        listing: the files.
        other: the identity of the run that gates compare with, or None.
    """
    schema = job.plan.schema
    parts = [
        version("headcount").encode(),
        job.plan.config.model_dump_json().encode(),
        b"" if schema is None else schema.SerializeToString(deterministic=True),
        (job.predictions or "").encode(),
        json.dumps(job.plan.plugin_hashes).encode(),
        (other or "").encode(),
        write_shards(listing.shards),
    ]
    return sha256(b"".join(sha256(part).encode() for part in parts))
