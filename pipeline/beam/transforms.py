"""The pipeline: shards -> work items -> rows -> states -> cells of the report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import apache_beam as beam
from apache_beam.pvalue import AsDict, TaggedOutput
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

from heads.statistics import State
from pipeline.beam.combine import MergeStates
from pipeline.beam.files import open_file
from pipeline.beam.losses import LossWriter
from pipeline.evaluate import Evaluator
from pipeline.facts import Facts
from pipeline.plan import Plan, StateKey
from pipeline.readers import Shard, WorkItem, plan_items
from pipeline.readers.faults import DataFault
from pipeline.results import Cell, compute, histogram_shifts, level

Key = tuple[str, int, int]
"""A `StateKey` as a plain tuple, for which every runner has a deterministic coder."""

FACTS = "facts"


class PlanItems(beam.DoFn):
    """Cuts a shard into work items. A shard that cannot be read is a fact, not an exception."""

    def process(self, shard: Shard) -> Iterator[WorkItem | TaggedOutput]:
        try:
            yield from plan_items(shard, open_file)
        except DataFault as fault:
            yield TaggedOutput(FACTS, (shard.path, Facts(failures={shard.path: str(fault)})))
        yield TaggedOutput(FACTS, (shard.path, Facts(frozenset([shard]))))


@beam.typehints.with_output_types(tuple[Key, State])
class Measure(beam.DoFn):
    """Adds the rows of work items to states in place, and emits the states when a bundle ends."""

    def __init__(self, plan: Plan, example_losses: str | None) -> None:
        self._plan = plan
        self._example_losses = example_losses

    def start_bundle(self) -> None:
        self._evaluator = Evaluator(self._plan, open_file)

    def process(self, item: WorkItem) -> Iterator[TaggedOutput]:
        if self._example_losses is None:
            facts = self._evaluator.add_item(item)
        else:
            with LossWriter(self._example_losses, item) as writer:
                facts = self._evaluator.add_item(item, writer.write)
        yield TaggedOutput(FACTS, (item.shard.path, facts))

    def finish_bundle(self) -> Iterator[WindowedValue]:
        window = GlobalWindow()
        for key, state in self._evaluator.states().items():
            yield WindowedValue((tuple(key), state), window.max_timestamp(), (window,))


class Evaluate(beam.PTransform):
    """From shards to the cells of the report, the merged states, and the facts of each file.

    Args:
        plan: what to evaluate.
        example_losses: a directory for the loss of every row, or None.
    """

    def __init__(self, plan: Plan, example_losses: str | None = None) -> None:
        super().__init__()
        self._plan = plan
        self._example_losses = example_losses

    def expand(
        self, shards: beam.PCollection[Shard]
    ) -> tuple[
        beam.PCollection[Cell],
        beam.PCollection[tuple[Key, State]],
        beam.PCollection[tuple[str, Facts]],
    ]:
        plan = self._plan
        items = shards | "PlanWorkItems" >> beam.ParDo(PlanItems()).with_outputs(
            FACTS, main="items"
        )
        measured = (
            items["items"]
            | "SpreadWorkItems" >> beam.Reshuffle()
            | "Measure"
            >> beam.ParDo(Measure(plan, self._example_losses)).with_outputs(FACTS, main="states")
        )
        merged = measured["states"] | "MergeStates" >> beam.CombinePerKey(MergeStates())
        shifts = merged | "HistogramShifts" >> beam.FlatMap(_shift)
        states = merged | "LevelHistograms" >> beam.Map(_level, AsDict(shifts)).with_output_types(
            tuple[Key, State]
        )
        cells = states | "ComputeMetrics" >> beam.FlatMap(_compute, plan)
        facts = (
            (items[FACTS], measured[FACTS])
            | "AllFacts" >> beam.Flatten()
            | "FactsOfFiles" >> beam.CombinePerKey(_add_facts)
        )
        return cells, states, facts


def _shift(element: tuple[Key, State]) -> Iterable[tuple[tuple[str, int], int]]:
    key, state = element
    return histogram_shifts([(StateKey(*key), state)]).items()


def _level(element: tuple[Key, State], shifts: Mapping[tuple[str, int], int]) -> tuple[Key, State]:
    key, state = element
    return key, level(StateKey(*key), state, shifts)


def _compute(element: tuple[Key, State], plan: Plan) -> list[Cell]:
    key, state = element
    return compute(plan, StateKey(*key), state)


def _add_facts(facts: Iterable[Facts]) -> Facts:
    return sum(facts, Facts())
