"""The steps of the pipeline: shards -> work items -> rows -> states -> results of the report."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam.pvalue import AsIter, AsList, AsSingleton, TaggedOutput
from apache_beam.utils.windowed_value import WindowedValue

from heads.statistics.codec import encode
from pipeline.beam.combine import MergeInTree, tree_widths
from pipeline.beam.files import open_file
from pipeline.beam.partitions import Key, compute_partitions, in_global_window
from pipeline.beam.prediction_writer import PredictionWriter
from pipeline.evaluation.evaluator import Evaluator
from pipeline.evaluation.input_files import InputVerdict, names_looked_for, validate_inputs
from pipeline.evaluation.plan import Plan
from pipeline.evaluation.slice_counting import CountingPass, decide_slices, known_slices
from pipeline.readers.input_summary import InputSummary, merge_summaries
from pipeline.readers.parquet import ITEM_BYTES
from pipeline.readers.read import RECORDS
from pipeline.readers.shard_list import parse_shards
from pipeline.readers.shards import Shard, WorkItem
from pipeline.readers.threads import in_threads
from pipeline.results.partition import (
    Partition,
)
from pipeline.slicing.counting import PARTS, SliceCounts, merge_counts
from pipeline.slicing.table import SliceTable
from pipeline.validation.examine import examine
from pipeline.validation.findings import Findings, findings_by_path

WorkBatch = Sequence[WorkItem]
"""Work items that one worker measures, one after the other."""

WORK_BATCHES = 4096
"""About the largest number of work batches. A bundle has at least one, so that this also bounds the
number of states that are shuffled, however many work items there are."""

# A decoded Parquet file is about this many times as large as the file.
_UNPACKED = 4

FINDING_PARTS = 256
"""The number of parts that the findings of files are divided into, so that no part is too large."""

# The rough sizes of the count of one distinct value, and of one part of the findings of a million
# files.
_COUNT_BYTES, _FINDING_BYTES = 64, 2 << 20

FINDINGS, SUMMARIES, STATES = "findings", "summaries", "states"

_THREADS = 16


@beam.typehints.with_output_types(
    WorkItem, findings=tuple[str, Findings], summaries=tuple[int, InputSummary]
)
class PlanItems(beam.DoFn):
    """Examines shards, and cuts them into work items.

    A shard that cannot be read is a finding, not an exception. All summaries have one key, 0.

    Args:
        plan: the plan of the run.
        records: how many records of a TFRecord file to look at for its columns.
    """

    def __init__(self, plan: Plan, records: int) -> None:
        self._plan = plan
        self._records = records

    def process(self, line: bytes) -> Iterator[WorkItem | TaggedOutput]:
        shards = parse_shards(line)
        names, options = names_looked_for(self._plan), self._plan.reading
        look = partial(
            examine, names=names, open_file=open_file, options=options, records=self._records
        )
        known = []
        # Threads help because most of the time is spent waiting for storage.
        for shard, (items, findings, summaries) in zip(
            shards, in_threads(look, shards, min(_THREADS, len(shards))), strict=True
        ):
            yield from items
            yield TaggedOutput(FINDINGS, (shard.path, findings))
            known.append(summaries)
        yield TaggedOutput(SUMMARIES, (0, merge_summaries(known)))


@beam.typehints.with_output_types(WorkBatch)
class MakeWorkBatches(beam.DoFn):
    """Puts work items into batches of a fixed size; the last batch of a bundle may be smaller.

    Args:
        items_per_batch: the number of work items of a batch.
    """

    def __init__(self, items_per_batch: int) -> None:
        self._items_per_batch = items_per_batch

    def start_bundle(self) -> None:
        self._items: list[WorkItem] = []

    def process(self, item: WorkItem) -> Iterator[WorkBatch]:
        self._items.append(item)
        if len(self._items) == self._items_per_batch:
            yield self._items
            self._items = []

    def finish_bundle(self) -> Iterator[WindowedValue]:
        if self._items:
            yield in_global_window(self._items)


@beam.typehints.with_output_types(tuple[tuple[int, int], SliceCounts])
class CountSlices(beam.DoFn):
    """Counts the rows of every slice in work items, and emits the counts when a bundle ends.

    Args:
        plan: the plan of the run.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def start_bundle(self) -> None:
        self._counting = CountingPass(self._plan, open_file)

    def process(self, work_batch: WorkBatch, verdict: InputVerdict) -> None:
        if not verdict.problems:
            for item in work_batch:
                self._counting.add_item(item)

    def finish_bundle(self) -> Iterator[WindowedValue]:
        for key, counts in self._counting.counts().items():
            yield in_global_window((key, counts))
        del self._counting


@beam.typehints.with_output_types(
    tuple[Key, bytes], states=tuple[Key, bytes], findings=tuple[str, Findings]
)
class Measure(beam.DoFn):
    """Adds the rows of work items to states, and emits the encoded states when a bundle ends.

    Args:
        plan: the plan of the run.
        predictions: a directory for the predictions of every row, or None.
    """

    def __init__(self, plan: Plan, predictions: str | None) -> None:
        self._plan = plan
        self._predictions = predictions

    def start_bundle(self) -> None:
        self._evaluator: Evaluator | None = None

    def process(self, work_batch: WorkBatch, table: SliceTable) -> Iterator[TaggedOutput]:
        if table.problems:
            return
        if self._evaluator is None:
            self._evaluator = Evaluator(self._plan, table, open_file)
        for item in work_batch:
            if self._predictions is None:
                findings = self._evaluator.add_item(item)
            else:
                with PredictionWriter(self._predictions, item) as writer:
                    findings = self._evaluator.add_item(item, writer.write)
            yield TaggedOutput(FINDINGS, (item.shard.path, findings))

    def finish_bundle(self) -> Iterator[WindowedValue]:
        if self._evaluator is not None:
            for key, state in self._evaluator.iter_states():
                yield in_global_window((tuple(key), encode(state)))
            self._evaluator = None


class Slices(beam.PTransform):
    """Turns rows into the `SliceTable` of the run, counting rows only if that is needed.

    Args:
        plan: the plan of the run.
        bundles: how many bundles of rows there may be.
        count: counts the rows; without it, those of batches of work items are counted.
    """

    def __init__(self, plan: Plan, bundles: int = 1, count: beam.DoFn | None = None) -> None:
        super().__init__()
        self._plan = plan
        self._bundles = bundles
        self._count = count or CountSlices(plan)

    def expand(
        self, parts: tuple[beam.PCollection[Any], beam.PCollection[InputVerdict]]
    ) -> beam.PCollection[SliceTable]:
        plan = self._plan
        rows, verdict = parts
        if (known := known_slices(plan)) is not None:
            return verdict | "KnownSlices" >> beam.Map(_unless_problems, known)
        widths = tree_widths(self._bundles, plan.config.max_distinct * _COUNT_BYTES // PARTS)
        counts = (
            rows
            | "CountSlices" >> beam.ParDo(self._count, AsSingleton(verdict))
            | "AddCounts" >> MergeInTree(partial(_add_counts, plan=plan), widths)
            | "KeepCounts" >> beam.Map(_keep, plan)
        )
        return verdict | "DecideSlices" >> beam.Map(_decide, plan, AsList(counts))


class Evaluated(NamedTuple):
    """The outputs of `Evaluate`.

    Attributes:
        partitions: the results of the report and the merged states, by head and partition.
        findings: what was found in each file, by path, in several parts.
        slices: one element, the table of slices; its problems say why no row was measured.
        verdict: one element, the verdict on all files.
    """

    partitions: beam.PCollection[Partition]
    findings: beam.PCollection[tuple[int, dict[str, Findings]]]
    slices: beam.PCollection[SliceTable]
    verdict: beam.PCollection[InputVerdict]


class Evaluate(beam.PTransform):
    """Turns the lines of a list of shards into the results of a run.

    No row is read before all shards have been examined and fit together.

    Args:
        plan: the plan of the run.
        source: the name of the configuration file, for messages.
        records: how many records of a TFRecord file to look at for its columns.
        predictions: a directory for the predictions of every row, or None.
        bundles: how many bundles of rows there may be; with many, states are merged in steps.
        items_per_batch: how many work items a worker measures one after the other.
    """

    def __init__(
        self,
        plan: Plan,
        source: str = "config",
        records: int = RECORDS,
        predictions: str | None = None,
        bundles: int = 1,
        items_per_batch: int = 1,
    ) -> None:
        super().__init__()
        self._plan = plan
        self._source = source
        self._records = records
        self._predictions = predictions
        self._bundles = bundles
        self._items_per_batch = items_per_batch

    def expand(self, lines: beam.PCollection[bytes]) -> Evaluated:
        plan = self._plan
        planned = lines | "PlanWorkItems" >> beam.ParDo(
            PlanItems(plan, self._records)
        ).with_outputs(FINDINGS, SUMMARIES, main="items")
        summaries = planned[SUMMARIES] | "AllSummaries" >> beam.CombinePerKey(
            merge_summaries
        ).with_output_types(tuple[int, InputSummary])
        verdict = (
            lines.pipeline
            | "Once" >> beam.Impulse()
            | "ValidateInputs" >> beam.Map(_validate_inputs, plan, self._source, AsIter(summaries))
        )
        work_batches = (
            planned["items"]
            | "WorkBatches" >> beam.ParDo(MakeWorkBatches(self._items_per_batch))
            # A reshuffle hands out batches in turn. Grouping by key would spread them at random and
            # leave some workers without work.
            | "SpreadWorkBatches" >> beam.Reshuffle()
        )
        slices = (work_batches, verdict) | "Slices" >> Slices(plan, self._bundles)
        table = AsSingleton(slices)
        measured = work_batches | "Measure" >> beam.ParDo(
            Measure(plan, self._predictions), table
        ).with_outputs(FINDINGS, main=STATES)
        partitions = compute_partitions(measured[STATES], plan, table, self._bundles)
        findings = (
            (planned[FINDINGS], measured[FINDINGS])
            | "AllFindings" >> beam.Flatten()
            | "InParts" >> beam.Map(_in_part).with_output_types(tuple[int, dict[str, Findings]])
            | "FindingsOfFiles"
            >> MergeInTree(findings_by_path, tree_widths(self._bundles, _FINDING_BYTES))
        )
        return Evaluated(partitions, findings, slices, verdict)


def items_per_batch(shards: Iterable[Shard]) -> int:
    """Returns how many work items a batch has, for at most about `WORK_BATCHES` batches.

    The number is rough, because only the footer of a Parquet file tells how large it is decoded.

    >>> items_per_batch([Shard("a.tfrecord", 9 << 40, "tfrecord")] * 10_000)
    3
    """
    items = 0
    for shard in shards:
        unpacked = _UNPACKED * shard.bytes if shard.format == "parquet" else 0
        items += max(1, unpacked // ITEM_BYTES)
    return -(-items // WORK_BATCHES) or 1


def _validate_inputs(
    _: bytes, plan: Plan, source: str, summaries: Iterable[tuple[int, InputSummary]]
) -> InputVerdict:
    merged = merge_summaries(summary for _, summary in summaries)
    return validate_inputs(plan, merged, source, open_file)


def _in_part(element: tuple[str, Findings]) -> tuple[int, dict[str, Findings]]:
    path_hash = zlib.crc32(element[0].encode())
    return path_hash % FINDING_PARTS, dict([element])


def _keep(
    element: tuple[tuple[int, int], SliceCounts], plan: Plan
) -> tuple[tuple[int, int], SliceCounts]:
    (spec, part), counts = element
    return (spec, part), counts.keep(plan.config.slices[spec].max_slices)


def _add_counts(counts: Iterable[SliceCounts], plan: Plan) -> SliceCounts:
    return merge_counts(counts, plan.config.max_distinct)


def _unless_problems(verdict: InputVerdict, table: SliceTable) -> SliceTable:
    return SliceTable((), frozenset(), verdict.problems) if verdict.problems else table


def _decide(
    verdict: InputVerdict, plan: Plan, counts: list[tuple[tuple[int, int], SliceCounts]]
) -> SliceTable:
    table = SliceTable((), frozenset()) if verdict.problems else decide_slices(plan, dict(counts))
    return _unless_problems(verdict, table)
