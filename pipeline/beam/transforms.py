"""The pipeline: shards -> work items -> rows -> states -> results of the report."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import apache_beam as beam
from apache_beam.pvalue import AsDict, AsIter, AsList, AsSingleton, TaggedOutput
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

from heads.statistics.codec import decode, encode, encoded_shift
from pipeline.beam.combine import MergeInTree, MergeStates, tree_widths
from pipeline.beam.files import open_file
from pipeline.beam.prediction_writer import PredictionWriter
from pipeline.evaluation.evaluator import Evaluator
from pipeline.evaluation.input_files import InputVerdict, names_looked_for, validate_inputs
from pipeline.evaluation.plan import Plan
from pipeline.evaluation.slice_counting import CountingPass, decide_slices, known_slices
from pipeline.evaluation.state_key import Series, StateKey
from pipeline.readers.input_summary import InputSummary, merge_summaries
from pipeline.readers.parquet import ITEM_BYTES
from pipeline.readers.read import RECORDS
from pipeline.readers.shard_list import parse_shards
from pipeline.readers.shards import Shard, WorkItem
from pipeline.readers.threads import in_threads
from pipeline.results.compute import compute
from pipeline.results.partition import (
    Partition,
    PartitionKey,
    overall_shift,
    partition_of,
    shift_to_align,
)
from pipeline.slicing.counting import PARTS, SliceCounts, merge_counts
from pipeline.slicing.table import SliceTable
from pipeline.validation.examine import examine
from pipeline.validation.findings import Findings, findings_by_path

Key = tuple[str, int, str, int]
"""A `StateKey` as a plain tuple, for which every runner has a deterministic coder."""

WorkBatch = Sequence[WorkItem]
"""Work items that are measured one after the other, by one worker."""

GROUPS = 4096
"""In about so many groups work items are, if there are more of them: no more states are shuffled,
however many items there are, for a bundle has a group at least."""

# Parquet files hold some times their own size.
_UNPACKED = 4

FINDING_PARTS = 256
"""In so many parts findings of files are, lest one grow too large."""

# Roughly: of one distinct value that is counted, and of a part of the findings of a million files.
_COUNT_BYTES, _FINDING_BYTES = 64, 2 << 20

FINDINGS, SUMMARIES, STATES = "findings", "summaries", "states"

_THREADS = 16


class PlanItems(beam.DoFn):
    """Looks at shards, and cuts them into work items.

    A shard that cannot be read is a fact, not an exception.

    Args:
        plan: what to evaluate.
        records: how many records of a TFRecord file to look at.
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
        # Looking at a file is waiting for it, most of all in an object store.
        for shard, (items, findings, summaries) in zip(
            shards, in_threads(look, shards, min(_THREADS, len(shards))), strict=True
        ):
            yield from items
            yield TaggedOutput(FINDINGS, (shard.path, findings))
            known.append(summaries)
        yield TaggedOutput(SUMMARIES, merge_summaries(known))


@beam.typehints.with_output_types(WorkBatch)
class TakeTogether(beam.DoFn):
    """Makes groups of so many work items; the last of a bundle has what is left.

    Args:
        count: how many.
    """

    def __init__(self, count: int) -> None:
        self._count = count

    def start_bundle(self) -> None:
        self._items: list[WorkItem] = []

    def process(self, item: WorkItem) -> Iterator[WorkBatch]:
        self._items.append(item)
        if len(self._items) == self._count:
            yield self._items
            self._items = []

    def finish_bundle(self) -> Iterator[WindowedValue]:
        if self._items:
            yield _in_global_window(self._items)


@beam.typehints.with_output_types(tuple[tuple[int, int], SliceCounts])
class CountSlices(beam.DoFn):
    """Counts the rows of every slice in work items, and emits the counts when a bundle ends."""

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
            yield _in_global_window((key, counts))


@beam.typehints.with_output_types(
    tuple[Key, bytes], states=tuple[Key, bytes], findings=tuple[str, Findings]
)
class Measure(beam.DoFn):
    """Adds the rows of work items to states in place, and emits them encoded when a bundle ends."""

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
                yield _in_global_window((tuple(key), encode(state)))
            self._evaluator = None


def _in_global_window(element: object) -> WindowedValue:
    window = GlobalWindow()
    return WindowedValue(element, window.max_timestamp(), (window,))


class Slices(beam.PTransform):
    """From work items to the one `SliceTable` of the run, counted only where it must be.

    Args:
        plan: what to evaluate.
        bundles: how many bundles there may be.
    """

    def __init__(self, plan: Plan, bundles: int = 1) -> None:
        super().__init__()
        self._plan = plan
        self._bundles = bundles

    def expand(
        self, parts: tuple[beam.PCollection[WorkBatch], beam.PCollection[InputVerdict]]
    ) -> beam.PCollection[SliceTable]:
        plan = self._plan
        groups, verdict = parts
        if (known := known_slices(plan)) is not None:
            return verdict | "KnownSlices" >> beam.Map(_unless_problems, known)
        widths = tree_widths(self._bundles, plan.config.max_distinct * _COUNT_BYTES // PARTS)
        counts = (
            groups
            | "CountSlices" >> beam.ParDo(CountSlices(plan), AsSingleton(verdict))
            | "AddCounts" >> MergeInTree(partial(_add_counts, plan=plan), widths)
            | "KeepCounts" >> beam.Map(_keep, plan)
        )
        return verdict | "DecideSlices" >> beam.Map(_decide, plan, AsList(counts))


class Evaluated(NamedTuple):
    """What becomes of shards.

    Attributes:
        partitions: the results of the report and the merged states, by head and partition.
        findings: what was found in each file, by path, in several parts.
        slices: the one table of slices; its problems say why no row was measured.
        verdict: the one verdict on all files.
    """

    partitions: beam.PCollection[Partition]
    findings: beam.PCollection[tuple[int, dict[str, Findings]]]
    slices: beam.PCollection[SliceTable]
    verdict: beam.PCollection[InputVerdict]


class Evaluate(beam.PTransform):
    """From lines of a list of shards to all that a run leaves.

    No row is read before all shards have been looked at and found to agree.

    Args:
        plan: what to evaluate.
        source: the name of the configuration file, for messages.
        records: how many records of a TFRecord file are looked at for its columns.
        predictions: a directory for the predictions of every row, or None.
        bundles: how many bundles of rows there may be; states of more are merged step by step.
        together: how many work items are measured one after the other.
    """

    def __init__(
        self,
        plan: Plan,
        source: str = "config",
        records: int = RECORDS,
        predictions: str | None = None,
        bundles: int = 1,
        together: int = 1,
    ) -> None:
        super().__init__()
        self._plan = plan
        self._source = source
        self._records = records
        self._predictions = predictions
        self._bundles = bundles
        self._together = together

    def expand(self, lines: beam.PCollection[bytes]) -> Evaluated:
        plan = self._plan
        planned = lines | "PlanWorkItems" >> beam.ParDo(
            PlanItems(plan, self._records)
        ).with_outputs(FINDINGS, SUMMARIES, main="items")
        summaries = (
            planned[SUMMARIES]
            | "AllSummaries" >> beam.CombineGlobally(merge_summaries).without_defaults()
        )
        verdict = (
            lines.pipeline
            | "Source" >> beam.Create([self._source])
            | "ValidateInputs" >> beam.Map(_validate_inputs, plan, AsIter(summaries))
        )
        groups = (
            planned["items"]
            | "Groups" >> beam.ParDo(TakeTogether(self._together))
            # Dealt out in turn. Keys would fall to workers at random, and leave some without.
            | "SpreadGroups" >> beam.Reshuffle()
        )
        slices = (groups, verdict) | "Slices" >> Slices(plan, self._bundles)
        table = AsSingleton(slices)
        measured = groups | "Measure" >> beam.ParDo(
            Measure(plan, self._predictions), table
        ).with_outputs(FINDINGS, main=STATES)
        merged = measured[STATES] | "MergeStates" >> MergeInTree(
            MergeStates(), tree_widths(self._bundles, plan.partition_bytes)
        )
        shifts = merged | "HistogramShifts" >> beam.FlatMap(_overall_shift)
        states = merged | "AlignShifts" >> beam.Map(
            _align_shifts, AsDict(shifts)
        ).with_output_types(tuple[Key, bytes])
        partitions = (
            states
            | "ByPartition"
            >> beam.Map(_by_partition).with_output_types(tuple[PartitionKey, tuple[Key, bytes]])
            | "Partitions" >> beam.GroupByKey()
            | "ComputeMetrics" >> beam.Map(_compute, plan, table)
        )
        findings = (
            (planned[FINDINGS], measured[FINDINGS])
            | "AllFindings" >> beam.Flatten()
            | "InParts" >> beam.Map(_in_part).with_output_types(tuple[int, dict[str, Findings]])
            | "FindingsOfFiles"
            >> MergeInTree(findings_by_path, tree_widths(self._bundles, _FINDING_BYTES))
        )
        return Evaluated(partitions, findings, slices, verdict)


def items_together(shards: Iterable[Shard]) -> int:
    """How many work items to measure one after the other, lest there be more than `GROUPS` groups.

    Roughly: how large a Parquet file is when it is decoded, only its footer tells.

    >>> items_together([Shard("a.tfrecord", 9 << 40, "tfrecord")] * 10_000)
    3
    """
    items = 0
    for shard in shards:
        unpacked = _UNPACKED * shard.bytes if shard.format == "parquet" else 0
        items += max(1, unpacked // ITEM_BYTES)
    return -(-items // GROUPS) or 1


def _validate_inputs(source: str, plan: Plan, summaries: Iterable[InputSummary]) -> InputVerdict:
    return validate_inputs(plan, merge_summaries(summaries), source, open_file)


def _in_part(element: tuple[str, Findings]) -> tuple[int, dict[str, Findings]]:
    number = zlib.crc32(element[0].encode())
    return number % FINDING_PARTS, dict([element])


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


def _overall_shift(element: tuple[Key, bytes]) -> Iterator[tuple[Series, int]]:
    key, state = element
    return overall_shift(StateKey(*key), encoded_shift(state))


def _align_shifts(element: tuple[Key, bytes], shifts: Mapping[Series, int]) -> tuple[Key, bytes]:
    key, state = element
    shift = shift_to_align(StateKey(*key), shifts)
    if encoded_shift(state) >= shift:
        return element
    return key, encode(decode(state, trusted=True).coarsened(shift))


def _by_partition(element: tuple[Key, bytes]) -> tuple[PartitionKey, tuple[Key, bytes]]:
    return partition_of(StateKey(*element[0])), element


def _compute(
    element: tuple[PartitionKey, Iterable[tuple[Key, bytes]]], plan: Plan, table: SliceTable
) -> Partition:
    partition, states = element
    encoded = {StateKey(*key): state for key, state in states}
    decoded = {key: decode(state, trusted=True) for key, state in encoded.items()}
    return Partition(partition, compute(plan, table, partition[0], decoded), encoded)
