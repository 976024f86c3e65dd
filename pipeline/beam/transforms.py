"""The pipeline: shards -> work items -> rows -> states -> results of the report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import apache_beam as beam
from apache_beam.pvalue import AsDict, AsList, AsSingleton, TaggedOutput
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

from heads.statistics.codec import decode, encode, encoded_shift
from pipeline.beam.combine import MergeStates
from pipeline.beam.files import open_file
from pipeline.beam.losses import LossWriter
from pipeline.counting import CountingPass, decide_slices, known_slices
from pipeline.evaluate import Evaluator
from pipeline.facts import Facts, examine
from pipeline.plan import Plan, StateKey
from pipeline.readers import Shard, WorkItem
from pipeline.results import Results, compute, level
from pipeline.slicing import SliceCounts, SliceTable, merge_counts

Key = tuple[str, int, int]
"""A `StateKey` as a plain tuple, for which every runner has a deterministic coder."""

FACTS, STATES = "facts", "states"


class PlanItems(beam.DoFn):
    """Cuts a shard into work items. A shard that cannot be read is a fact, not an exception."""

    def process(self, shard: Shard) -> Iterator[WorkItem | TaggedOutput]:
        items, facts = examine(shard, open_file)
        yield from items
        yield TaggedOutput(FACTS, (shard.path, facts))


class CountSlices(beam.DoFn):
    """Counts the rows of every slice in work items, and emits the counts when a bundle ends."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def start_bundle(self) -> None:
        self._counting = CountingPass(self._plan, open_file)

    def process(self, item: WorkItem) -> None:
        self._counting.add_item(item)

    def finish_bundle(self) -> Iterator[WindowedValue]:
        for key, counts in self._counting.counts().items():
            yield _in_global_window((key, counts))


@beam.typehints.with_output_types(
    tuple[Key, bytes], states=tuple[Key, bytes], facts=tuple[str, Facts]
)
class Measure(beam.DoFn):
    """Adds the rows of work items to states in place, and emits them encoded when a bundle ends."""

    def __init__(self, plan: Plan, example_losses: str | None) -> None:
        self._plan = plan
        self._example_losses = example_losses

    def start_bundle(self) -> None:
        self._evaluator: Evaluator | None = None

    def process(self, item: WorkItem, table: SliceTable) -> Iterator[TaggedOutput]:
        if table.problems:
            yield TaggedOutput(FACTS, (item.shard.path, Facts(slices=table.problems)))
            return
        if self._evaluator is None:
            self._evaluator = Evaluator(self._plan, table, open_file)
        if self._example_losses is None:
            facts = self._evaluator.add_item(item)
        else:
            with LossWriter(self._example_losses, item) as writer:
                facts = self._evaluator.add_item(item, writer.write)
        yield TaggedOutput(FACTS, (item.shard.path, facts))

    def finish_bundle(self) -> Iterator[WindowedValue]:
        if self._evaluator is not None:
            for key, state in self._evaluator.states().items():
                yield _in_global_window((tuple(key), encode(state)))


def _in_global_window(element: object) -> WindowedValue:
    window = GlobalWindow()
    return WindowedValue(element, window.max_timestamp(), (window,))


class Slices(beam.PTransform):
    """From work items to the one `SliceTable` of the run, counted only where it must be.

    Args:
        plan: what to evaluate.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self._plan = plan

    def expand(self, items: beam.PCollection[WorkItem]) -> beam.PCollection[SliceTable]:
        plan = self._plan
        known = known_slices(plan)
        if known is not None:
            return items.pipeline | "KnownSlices" >> beam.Create([known])
        counts = (
            items
            | "CountSlices" >> beam.ParDo(CountSlices(plan))
            | "AddCounts" >> beam.CombinePerKey(_add_counts, plan)
        )
        return (
            items.pipeline
            | "OnceForSlices" >> beam.Create([plan])
            | "DecideSlices" >> beam.Map(_decide, AsList(counts))
        )


class Evaluate(beam.PTransform):
    """From shards to the results of the report, the merged states, the facts of each file, and
    the slices.

    Args:
        plan: what to evaluate.
        example_losses: a directory for the loss of every row, or None.
    """

    def __init__(self, plan: Plan, example_losses: str | None) -> None:
        super().__init__()
        self._plan = plan
        self._example_losses = example_losses

    def expand(
        self, shards: beam.PCollection[Shard]
    ) -> tuple[
        beam.PCollection[Results],
        beam.PCollection[tuple[Key, bytes]],
        beam.PCollection[tuple[str, Facts]],
        beam.PCollection[SliceTable],
    ]:
        plan = self._plan
        planned = shards | "PlanWorkItems" >> beam.ParDo(PlanItems()).with_outputs(
            FACTS, main="items"
        )
        items = planned["items"] | "SpreadWorkItems" >> beam.Reshuffle()
        slices = items | "Slices" >> Slices(plan)
        table = AsSingleton(slices)
        measured = items | "Measure" >> beam.ParDo(
            Measure(plan, self._example_losses), table
        ).with_outputs(FACTS, main=STATES)
        merged = measured[STATES] | "MergeStates" >> beam.CombinePerKey(MergeStates())
        shifts = merged | "HistogramShifts" >> beam.FlatMap(_shift)
        states = merged | "LevelHistograms" >> beam.Map(_level, AsDict(shifts)).with_output_types(
            tuple[Key, bytes]
        )
        results = (
            states
            | "ByPiece"
            >> beam.Map(_by_piece).with_output_types(tuple[tuple[str, int], tuple[int, bytes]])
            | "Pieces" >> beam.GroupByKey()
            | "ComputeMetrics" >> beam.Map(_compute, plan, table)
        )
        facts = (
            (planned[FACTS], measured[FACTS])
            | "AllFacts" >> beam.Flatten()
            | "FactsOfFiles" >> beam.CombinePerKey(_add_facts)
        )
        return results, states, facts, slices


def _add_counts(counts: Iterable[SliceCounts], plan: Plan) -> SliceCounts:
    return merge_counts(counts, plan.config.max_distinct)


def _decide(plan: Plan, counts: list[tuple[tuple[int, int], SliceCounts]]) -> SliceTable:
    return decide_slices(plan, dict(counts))


def _shift(element: tuple[Key, bytes]) -> Iterable[tuple[tuple[str, int], int]]:
    key, state = StateKey(*element[0]), element[1]
    if key.partition == 0:
        yield (key.head, key.statistic), encoded_shift(state)


def _level(element: tuple[Key, bytes], shifts: Mapping[tuple[str, int], int]) -> tuple[Key, bytes]:
    key, state = StateKey(*element[0]), element[1]
    if encoded_shift(state) >= shifts.get((key.head, key.statistic), 0):
        return element
    return element[0], encode(level(key, decode(state), shifts))


def _by_piece(element: tuple[Key, bytes]) -> tuple[tuple[str, int], tuple[int, bytes]]:
    (head, statistic, partition), state = element
    return (head, partition), (statistic, state)


def _compute(
    element: tuple[tuple[str, int], Iterable[tuple[int, bytes]]], plan: Plan, table: SliceTable
) -> Results:
    (head, _), states = element
    decoded = {statistic: decode(state) for statistic, state in states}
    return compute(plan, table, head, decoded)


def _add_facts(facts: Iterable[Facts]) -> Facts:
    return sum(facts, Facts())
