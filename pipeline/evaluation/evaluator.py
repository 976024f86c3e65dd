"""Adding rows to states, in place."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from heads.statistics import OVERALL, Key, Scored, State
from heads.statistics.accumulator import Accumulator
from heads.statistics.measure import make_accumulator
from pipeline.errors.faults import ColumnError, DataFault
from pipeline.evaluation.head_plan import HeadPlan
from pipeline.evaluation.measurement import PassBatch, measured_models, score_rows
from pipeline.evaluation.plan import Plan
from pipeline.evaluation.state_key import StateKey, split
from pipeline.extract.filter import keep_mask
from pipeline.extract.folds import Hashes, folds_by_key, folds_of, row_identity
from pipeline.extract.head_inputs import Fault, element_lengths, extract, first_faults
from pipeline.readers import read
from pipeline.readers.rows import Rows, shown
from pipeline.readers.shards import WorkItem
from pipeline.readers.storage import OpenFile
from pipeline.readers.tfrecord.options import Lost
from pipeline.slicing.slicer import Pass, Slicer
from pipeline.slicing.table import SliceTable
from pipeline.validation.findings import FIRST, BadRow, Findings, Losses

Ints = npt.NDArray[np.int64]

Sink = Callable[[HeadPlan, Rows, Scored], None]
"""Takes the rows that a head scored, for writing them out."""


class Evaluator:
    """Adds rows to states, in place.

    Args:
        plan: what to measure.
        table: the slices.
        open_file: opens a shard.
    """

    def __init__(self, plan: Plan, table: SliceTable, open_file: OpenFile) -> None:
        self.table = table
        self._plan = plan
        self._open_file = open_file
        self._slicer = Slicer(plan.config.slices, table)
        self._partitions = plan.partitions(table)
        self._running: dict[tuple[str, int], Accumulator] = {}
        self._passes: list[Pass] = []

    def add_item(self, item: WorkItem, sink: Sink | None = None) -> Findings:
        """Adds the rows of a work item; what is wrong with it is in the findings."""
        findings = Findings()
        lost: list[Lost] = []
        plan = self._plan
        try:
            for rows in read.read_rows(
                item, plan.columns, read.BATCH_ROWS, self._open_file, plan.reading, lost.append
            ):
                findings += self.add(rows, sink)
        except DataFault as fault:
            findings += Findings(failures={item.shard.path: str(fault)})
        for each in lost:
            findings += Findings(lost={each.path: Losses.of(each)})
        return findings

    def add(self, rows: Rows, sink: Sink | None = None) -> Findings:
        """Adds some rows.

        Args:
            rows: the rows.
            sink: also gets every scored batch.

        Raises:
            DataFault: if a column cannot be read as what the configuration says it is.
        """
        rows_read = len(rows)
        try:
            rows = rows.where(keep_mask(self._plan.config.where, rows))
            findings = Findings(rows=rows_read, kept=len(rows))
            hashes = row_identity(rows.path, rows.numbers) if self._plan.folds > 1 else None
            fold = None if hashes is None else self._fold(rows, hashes)
            self._passes = self._slicer.segments(rows)
            faults = self._schema_faults(rows)
            for head in self._plan.heads.values():
                findings += self._add_head(head, rows, faults, fold, hashes, sink)
        except ColumnError as error:
            raise DataFault(rows.path, "wrong_type", str(error)) from error
        return findings

    def states(self) -> dict[StateKey, State]:
        """The states of all rows added, by head, statistic and partition."""
        slices: dict[Key, Sequence[Key]] = {OVERALL: (OVERALL,)}
        for own in self._passes:
            slices.update(zip(own.segments.keys, own.slices, strict=True))
        found: dict[StateKey, State] = {}
        for running in list(self._running):
            # Popped, so that what is frozen does not stay beside its state.
            state = self._running.pop(running).freeze()
            state = state.regroup([slices[key] for key in state.keys])
            found.update(split(StateKey(*running), state, self._partitions))
        return found

    def _fold(self, rows: Rows, hashes: Hashes) -> Ints:
        """The fold of each row `[n]`."""
        folds, key = self._plan.folds, self._plan.config.confidence.key
        if key is None:
            return folds_of(hashes, folds)
        values, several = rows.scalars(key)
        if several is not None:
            row = rows.numbers[np.flatnonzero(several)[0]]
            raise ColumnError(f"column '{key}' has a list of several values in row {row}")
        try:
            return folds_by_key(values, folds)
        except ColumnError as error:
            raise ColumnError(f"column '{key}': {error}") from error

    def _schema_faults(self, rows: Rows) -> list[Fault]:
        """What rows break of the schema; they are bad for every head."""
        found = [
            (f"{check.reason}:{check.column}", check.mask(rows.column(check.column)))
            for check in self._plan.checks
        ]
        return [(reason, mask) for reason, mask in found if mask.any()]

    def _bad_row(self, head: HeadPlan, rows: Rows, at: int, reason: str) -> BadRow:
        sample = ""
        if self._plan.debug_samples:
            names = sorted(head.config.columns())
            sample = ", ".join(f"{name}={shown(rows.column(name)[at])}" for name in names)
        return BadRow(rows.path, int(rows.numbers[at]), head.name, reason, sample)

    def _add_head(
        self,
        head: HeadPlan,
        rows: Rows,
        faults: Sequence[Fault],
        fold: Ints | None,
        hashes: Hashes | None,
        sink: Sink | None,
    ) -> Findings:
        columns = extract(head.config, rows)
        findings = Findings(lengths=element_lengths(head.config, rows))
        good: Ints | None = None
        if every := [*columns.faults, *faults]:
            bad, each = first_faults(every, len(rows))
            for reason, mask in each:
                places = np.flatnonzero(mask)
                first = [self._bad_row(head, rows, int(at), reason) for at in places[:FIRST]]
                findings += Findings(bad={(head.name, reason): len(places)}, examples=tuple(first))
            columns, rows = columns.without(bad), rows.where(~bad)
            good = np.flatnonzero(~bad)
            fold = None if fold is None else fold[good]
            hashes = None if hashes is None else hashes[good]
        scored = score_rows(head, columns, hashes)
        models = measured_models(scored, len(self._passes))
        for place, own in enumerate(self._passes):
            measurement = PassBatch(models, own, good, fold)
            for number, (model, statistic) in enumerate(head.measured):
                if statistic.coverage == "overall" and place:
                    continue
                found = measurement.of(statistic.coverage, model)
                if found is not None:
                    key = (head.name, number)
                    if key not in self._running:
                        self._running[key] = make_accumulator(statistic)
                    self._running[key].add(*found)
        if sink is not None:
            sink(head, rows, scored)
        return findings
