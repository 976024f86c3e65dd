"""The steps of a run one after the other, in one bundle and without a runner of Beam.

The command lists, refuses, publishes, prints and exits as with Beam, and the steps are those of the
pipeline. A run costs a fifth of what it costs with Beam, which most tests of the command have no
need of: how steps hang together on Beam is for the tests of this directory and for `e2e/`.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from apache_beam.pvalue import TaggedOutput
from apache_beam.runners.runner import PipelineState

from pipeline.beam import partitions as beam_partitions
from pipeline.beam import publish, run, transforms
from pipeline.beam.files import replace_file
from pipeline.beam.job import Job
from pipeline.beam.work_directory import WorkDirectory
from pipeline.evaluation.slice_counting import known_slices
from pipeline.readers.file_list import Listing
from pipeline.readers.input_summary import records_looked_at
from pipeline.readers.shard_list import write_shards
from pipeline.runs.stage import Stage
from pipeline.slicing.table import SliceTable
from pipeline.validation.findings import findings_by_path


class Steps:
    """What `pipeline.beam.run.build` returns, as far as the command looks at it."""

    runner = None

    def __init__(self, job: Job, stage: Stage, digest: str, listing: Listing, *_: Any) -> None:
        self._job, self._stage, self._digest, self._listing = job, stage, digest, listing
        self._shards = WorkDirectory(stage).path("shards.jsonl")
        replace_file(self._shards, write_shards(listing.shards))

    def run(self) -> SimpleNamespace:
        plan = self._job.plan
        planned = transforms.PlanItems(plan, records_looked_at(self._listing))
        items, found = [], []
        for line in run._lines(b"", self._shards):
            outputs = list(planned.process(line))
            items += [output for output in outputs if not isinstance(output, TaggedOutput)]
            found += tagged(outputs)
        summaries = [value for tag, value in found if tag == transforms.SUMMARIES]
        verdict = transforms._validate_inputs(b"", plan, self._job.source, summaries)
        table = self._table(items, verdict)
        measure = transforms.Measure(plan, self._stage.predictions)
        measure.start_bundle()
        found += tagged(measure.process(items, table))
        merged = [window.value for window in measure.finish_bundle()]
        shifts = dict(
            pair for element in merged for pair in beam_partitions._overall_shift(element)
        )
        parts: dict[Any, list[Any]] = {}
        for element in merged:
            partition, state = beam_partitions._align_shifts(element, shifts)
            parts.setdefault(partition, []).append(state)
        partitions = [
            publish._keep_partition(beam_partitions._compute(part, plan, table), self._stage)
            for part in parts.items()
        ]
        files: dict[int, list[Any]] = {}
        for part, findings in (
            transforms._in_part(value) for tag, value in found if tag == transforms.FINDINGS
        ):
            files.setdefault(part, []).append(findings)
        kept = [
            publish._keep_files((part, findings_by_path(findings)), self._stage)
            for part, findings in files.items()
        ]
        publish._publish(
            b"",
            plan,
            self._stage,
            self._digest,
            self._listing.notes,
            self._job.other is not None,
            partitions,
            kept,
            table,
            verdict,
        )
        return SimpleNamespace(state=PipelineState.DONE, wait_until_finish=lambda: None)

    def _table(self, items: list[Any], verdict: Any) -> SliceTable:
        plan = self._job.plan
        known = known_slices(plan)
        if known is not None:
            return transforms._unless_problems(verdict, known)
        counting = transforms.CountSlices(plan)
        counting.start_bundle()
        counting.process(items, verdict)
        counts = [transforms._keep(window.value, plan) for window in counting.finish_bundle()]
        return transforms._decide(verdict, plan, counts)


def tagged(outputs: Any) -> Iterator[tuple[str, Any]]:
    for output in outputs:
        if isinstance(output, TaggedOutput):
            yield output.tag, output.value


def run_without_beam(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has the command do its steps in this process until the patch is undone."""
    monkeypatch.setattr(run, "build", Steps)
