"""The last step on Beam: it writes all files that a run leaves, `_SUCCESS` last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.pvalue import AsList, AsSingleton

from pipeline.beam.files import delete_files, exists, write_file
from pipeline.beam.transforms import Evaluated
from pipeline.beam.work_directory import WorkDirectory, load
from pipeline.evaluation.input_files import InputVerdict
from pipeline.evaluation.plan import Plan
from pipeline.report.data_json import Files
from pipeline.results.partition import Partition
from pipeline.runs.publish import FILES, SUCCESS, problem_files, run_files
from pipeline.slicing.table import SliceTable
from pipeline.validation.findings import Findings


class Publish(beam.PTransform):
    """Writes the outputs of a run, or the data report alone if the data must not be reported on.

    Args:
        plan: the plan of the run.
        output: the directory to write.
        notes: what is known of all files together, one line per note.
    """

    def __init__(self, plan: Plan, output: str, notes: Sequence[str]) -> None:
        super().__init__()
        self._plan = plan
        self._output = output
        self._notes = tuple(notes)

    def expand(self, evaluated: Evaluated) -> beam.PCollection[bool]:
        work = WorkDirectory(self._output)
        partitions = evaluated.partitions | "KeepPartitions" >> beam.Map(_keep_partition, work)
        files = evaluated.findings | "KeepFiles" >> beam.Map(_keep_files, work)
        return (
            evaluated.slices.pipeline
            | "Once" >> beam.Create([self._output])
            | "Publish"
            >> beam.Map(
                _publish,
                self._plan,
                self._notes,
                AsList(partitions),
                AsList(files),
                AsSingleton(evaluated.slices),
                AsSingleton(evaluated.verdict),
            )
        )


def _keep_partition(partition: Partition, work: WorkDirectory) -> str:
    head, number = partition.key
    return work.keep(f"{head}-{number}.partition", partition)


def _keep_files(part: tuple[int, dict[str, Findings]], work: WorkDirectory) -> str:
    return work.keep(f"{part[0]}.files", Files.of(part[1]))


def _publish(
    output: str,
    plan: Plan,
    notes: Sequence[str],
    partitions: list[str],
    files: list[str],
    table: SliceTable,
    verdict: InputVerdict,
) -> bool:
    parts: list[Files] = list(load(files))
    written = run_files(plan, (*notes, *verdict.notes), table, load(partitions), parts)
    _replace(output, written)
    return SUCCESS in written


def publish_problems(output: str, problems: Sequence[str]) -> None:
    """Writes the data report of a run that ends before a row is read."""
    _replace(output, problem_files(problems))


def _replace(output: str, files: Mapping[str, bytes]) -> None:
    """Writes files in place of those that an older run left."""
    # All files of the older run are deleted first, `_SUCCESS` before the others, so that no reader
    # takes a mixture of two runs for a run.
    for name in FILES:
        path = FileSystems.join(output, name)
        if exists(path):
            delete_files([path])
    for name, content in files.items():
        write_file(FileSystems.join(output, name), content)
