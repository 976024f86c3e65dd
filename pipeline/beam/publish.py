"""The last step on Beam: it publishes the files that a run leaves."""

from __future__ import annotations

from collections.abc import Sequence

import apache_beam as beam
from apache_beam.pvalue import AsList, AsSingleton

from pipeline.beam.store import BeamStore
from pipeline.beam.transforms import Evaluated
from pipeline.beam.work_directory import WorkDirectory, kept_other, load
from pipeline.evaluation.input_files import InputVerdict
from pipeline.evaluation.plan import Plan
from pipeline.report.data_json import Files
from pipeline.results.partition import Partition
from pipeline.runs import publish
from pipeline.runs.file_names import REPORT
from pipeline.runs.outputs import run_files
from pipeline.runs.stage import Stage
from pipeline.slicing.table import SliceTable
from pipeline.validation.findings import Findings


class Publish(beam.PTransform):
    """Publishes a run, or the data report alone if the data must not be reported on.

    A second attempt at the step does nothing if the first has published the run.

    Args:
        plan: the plan of the run.
        stage: the stage of the run, or a side input that has it.
        job: what tells equal jobs.
        notes: what is known of all files together, one line per note.
        compares: whether the stage holds another run that gates compare with, see `keep_other`.
    """

    def __init__(
        self,
        plan: Plan,
        stage: Stage | AsSingleton,
        job: str,
        notes: Sequence[str],
        *,
        compares: bool = False,
    ) -> None:
        super().__init__()
        self._plan = plan
        self._stage = stage
        self._job = job
        self._notes = tuple(notes)
        self._compares = compares

    def expand(self, evaluated: Evaluated) -> beam.PCollection[bool]:
        stage = self._stage
        partitions = evaluated.partitions | "KeepPartitions" >> beam.Map(_keep_partition, stage)
        files = evaluated.findings | "KeepFiles" >> beam.Map(_keep_files, stage)
        return (
            evaluated.slices.pipeline
            | "Once" >> beam.Impulse()
            | "Publish"
            >> beam.Map(
                _publish,
                self._plan,
                stage,
                self._job,
                self._notes,
                self._compares,
                AsList(partitions),
                AsList(files),
                AsSingleton(evaluated.slices),
                AsSingleton(evaluated.verdict),
            )
        )


def _keep_partition(partition: Partition, stage: Stage) -> str:
    head, number = partition.key
    return WorkDirectory(stage).keep(f"{head}-{number}.partition", partition)


def _keep_files(part: tuple[int, dict[str, Findings]], stage: Stage) -> str:
    return WorkDirectory(stage).keep(f"{part[0]}.files", Files.of(part[1]))


def _publish(
    _: bytes,
    plan: Plan,
    stage: Stage,
    job: str,
    notes: Sequence[str],
    compares: bool,
    partitions: list[str],
    files: list[str],
    table: SliceTable,
    verdict: InputVerdict,
) -> bool:
    store = BeamStore()
    if publish.has_committed(store, stage):
        return True
    parts: list[Files] = list(load(files))
    all_notes = (*notes, *verdict.notes)
    other = kept_other(stage) if compares else None
    written = run_files(plan, all_notes, table, load(partitions), parts, stage.id, other)
    if REPORT in written:
        publish.publish(store, stage, job, written, plan.plugin_hashes)
    else:
        publish.publish_failure(store, stage, written)
    return REPORT in written
