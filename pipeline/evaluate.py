"""Evaluation without Beam: rows to states, states to the report.

This is the reference that the pipeline must equal, states and report, and the code that it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from heads.scoring import score, without_weightless_losses
from heads.statistics import Scored, Segments, State, merge
from heads.statistics.accumulator import Accumulator
from pipeline.check import check_types, find_shards
from pipeline.columns import ColumnError, Rows
from pipeline.extract import element_lengths, extract, first_faults
from pipeline.facts import FIRST, BadData, BadRow, Facts
from pipeline.plan import HeadPlan, Plan, StateKey, split
from pipeline.readers import WorkItem, plan_items, read_rows
from pipeline.readers.faults import DataFault
from pipeline.readers.shards import OpenFile, list_local, open_local
from pipeline.report.model import build_report
from pipeline.results import compute, histogram_shifts, level
from pipeline.slicing import Slicer
from pipeline.where import keep_mask

BATCH_ROWS = 1 << 17
TABLE = "table"
"""What a table in memory is called where files have paths."""

Sink = Callable[[HeadPlan, Rows, Scored], None]
"""Takes the rows that a head scored, for writing them out."""


class Evaluator:
    """Adds rows to states, in place.

    Args:
        plan: what to measure.
        open_file: opens a shard.
    """

    def __init__(self, plan: Plan, open_file: OpenFile) -> None:
        self._plan = plan
        self._open_file = open_file
        self._slicer = Slicer(plan.slice_columns)
        self._running: dict[tuple[str, int, int], Accumulator] = {}
        self._finished: dict[StateKey, list[State]] = {}

    def add_item(self, item: WorkItem, sink: Sink | None = None) -> Facts:
        """Adds the rows of a work item; what is wrong with it is in the facts."""
        facts = Facts()
        try:
            for rows in read_rows(item, self._plan.columns, BATCH_ROWS, self._open_file):
                facts += self.add(rows, sink)
        except DataFault as fault:
            facts += Facts(failures={item.shard.path: str(fault)})
        return facts

    def add(self, rows: Rows, sink: Sink | None = None) -> Facts:
        """Adds some rows.

        Args:
            rows: the rows.
            sink: also gets every scored batch.

        Raises:
            DataFault: if a column cannot be read as what the configuration says it is.
        """
        read = len(rows)
        try:
            rows = rows.where(keep_mask(self._plan.config.where, rows))
            facts = Facts(rows=read, kept=len(rows))
            segments = self._segments(rows)
            for head in self._plan.heads.values():
                facts += self._add_head(head, rows, segments, sink)
        except ColumnError as error:
            raise DataFault(rows.path, "wrong_type", str(error)) from error
        return facts

    def states(self) -> dict[StateKey, State]:
        """The states of all rows added, by head, statistic and partition."""
        self._put_away()
        return {key: merge(states) for key, states in self._finished.items()}

    def _segments(self, rows: Rows) -> list[Segments]:
        def column(name: str) -> pa.Array:
            values, several = rows.scalars(name)
            if several is not None:
                row = rows.numbers[np.flatnonzero(several)[0]]
                raise ColumnError(f"column '{name}' has a list of several values in row {row}")
            return values

        segments = self._slicer.segments(column, len(rows))
        if segments is None:
            self._put_away()
            segments = self._slicer.segments(column, len(rows))
            assert segments is not None
        return segments

    def _add_head(
        self, head: HeadPlan, rows: Rows, segments: list[Segments], sink: Sink | None
    ) -> Facts:
        columns = extract(head.config, rows)
        lengths = element_lengths(head.config, rows)
        facts = Facts(lengths={lengths[0]: lengths[1:]} if lengths else {})
        good = np.ones(len(rows), bool)
        if columns.faults:
            bad, faults = first_faults(columns.faults, len(rows))
            for reason, mask in faults:
                numbers = rows.numbers[mask]
                first = (BadRow(rows.path, int(i), head.name, reason) for i in numbers[:FIRST])
                facts += Facts(bad={(head.name, reason): len(numbers)}, examples=tuple(first))
            good = ~bad
            columns, rows = columns.without(bad), rows.where(good)
        scored = score(
            head.scope.head, head.scope.space.kind, columns.scores, columns.labels, columns.weights
        )
        measured = without_weightless_losses(scored)
        for cross, segment in enumerate(segments):
            if not good.all():
                segment = Segments(segment.index[good], segment.keys)
            for number, statistic in enumerate(head.statistics):
                place = (head.name, number, cross)
                if place not in self._running:
                    self._running[place] = statistic.accumulator()
                self._running[place].add(measured, segment)
        if sink is not None:
            sink(head, rows, scored)
        return facts

    def _put_away(self) -> None:
        """Rolls the states of the crosses up into slices."""
        for (head, number, cross), accumulator in self._running.items():
            state = accumulator.freeze()
            state = state.regroup([self._slicer.slices_of(key, cross) for key in state.keys])
            for key, part in split(StateKey(head, number), state):
                self._finished.setdefault(key, []).append(part)
        self._running.clear()


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A finished evaluation.

    Attributes:
        report: the report, as written to report.json.
        states: the merged states.
        facts: what was found in each file, by path.
    """

    report: dict[str, Any]
    states: dict[StateKey, State]
    facts: dict[str, Facts]


def evaluate(source: pa.Table | str | Sequence[str], plan: Plan) -> Evaluation:
    """Evaluates a table, or files of this machine, in this process and without Beam.

    Args:
        source: a table, or globs of Parquet and TFRecord files.
        plan: what to evaluate.

    Raises:
        BadData: if rows or files are bad, or if there are none.
        ConfigError: if the table or the first file does not have what the plan reads.
    """
    if isinstance(source, pa.Table):
        types = {field.name: field.type for field in source.schema}
        check_types(plan, types, "the table", "plan")
        evaluator = Evaluator(plan, open_local)
        return _finish(plan, evaluator, {TABLE: _add_table(evaluator, source)})
    patterns = [source] if isinstance(source, str) else source
    shards = find_shards(plan, patterns, "plan", list_local, open_local)
    items: list[WorkItem] = []
    facts: dict[str, Facts] = {}
    for shard in shards:
        found = Facts(frozenset([shard]))
        try:
            items += plan_items(shard, open_local)
        except DataFault as fault:
            found += Facts(failures={shard.path: str(fault)})
        facts[shard.path] = found
    return evaluate_items(items, plan, facts)


def evaluate_items(
    items: Iterable[WorkItem], plan: Plan, facts: Mapping[str, Facts] | None = None
) -> Evaluation:
    """Evaluates work items of files of this machine, in the order given; raises `BadData`.

    Args:
        items: what to evaluate.
        plan: how.
        facts: what is known of the files already, by path.
    """
    evaluator = Evaluator(plan, open_local)
    known = dict(facts or {})
    for item in items:
        path = item.shard.path
        known[path] = known.get(path, Facts()) + evaluator.add_item(item)
    return _finish(plan, evaluator, known)


def _finish(plan: Plan, evaluator: Evaluator, facts: dict[str, Facts]) -> Evaluation:
    total = sum(facts.values(), Facts())
    if problems := total.problems():
        raise BadData(problems)
    merged = evaluator.states()
    shifts = histogram_shifts(merged.items())
    states = {key: level(key, state, shifts) for key, state in merged.items()}
    cells = [cell for key, state in states.items() for cell in compute(plan, key, state)]
    return Evaluation(build_report(plan, cells, total), states, facts)


def _add_table(evaluator: Evaluator, table: pa.Table) -> Facts:
    facts = Facts()
    row = 0
    for batch in table.to_batches(BATCH_ROWS):
        numbers = np.arange(row, row + len(batch))
        try:
            facts += evaluator.add(Rows(batch, numbers, TABLE, {}))
        except DataFault as fault:
            raise BadData([str(fault)]) from fault
        row += len(batch)
    return facts
