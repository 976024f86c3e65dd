"""Adding rows to states, in place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from heads.statistics import OVERALL, Key, Scored, State
from heads.statistics.accumulator import Accumulator
from heads.statistics.measure import make_accumulator
from pipeline.errors.faults import ColumnError, DataFault
from pipeline.evaluation.head_plan import HeadPlan, ModelStatistic
from pipeline.evaluation.measurement import PassBatch, measured_models, score_rows
from pipeline.evaluation.plan import Plan
from pipeline.evaluation.slice_counting import CountingPass
from pipeline.evaluation.state_key import StateKey, split
from pipeline.extract.filter import keep_mask
from pipeline.extract.folds import Hashes, folds_of, key_hashes, row_identity
from pipeline.extract.head_inputs import Extracted, Fault, element_lengths, extract, first_faults
from pipeline.readers import read
from pipeline.readers.footer_cache import FooterCache
from pipeline.readers.rows import Rows, shown
from pipeline.readers.shards import WorkItem
from pipeline.readers.storage import OpenFile
from pipeline.readers.tfrecord.options import Lost
from pipeline.slicing.resolving import NotCounted
from pipeline.slicing.slicer import Pass, Slicer
from pipeline.slicing.table import SliceTable
from pipeline.validation.bad_rows import FIRST, BadRows, Place, seen_in
from pipeline.validation.contents import RowHasher
from pipeline.validation.findings import Findings, Losses

Ints = npt.NDArray[np.int64]

Sink = Callable[[HeadPlan, Rows, Scored], None]
"""A function that takes the rows that a head scored, and writes them out."""


class Evaluator:
    """Adds rows to states, in place.

    Args:
        plan: what to measure.
        table: the slices.
        open_file: opens a shard.
        footers: the footers that are known already; the evaluator adds new ones.
    """

    def __init__(
        self,
        plan: Plan,
        table: SliceTable,
        open_file: OpenFile,
        footers: FooterCache | None = None,
    ) -> None:
        self.table = table
        self._footers = FooterCache() if footers is None else footers
        self._plan = plan
        self._open_file = open_file
        self._slicer = Slicer(plan.config.slices, table)
        self._partitions = plan.partitions(table)
        self._accumulators: dict[tuple[str, ModelStatistic], Accumulator] = {}
        self._passes: list[Pass] = []
        self._hasher = RowHasher()

    def add_item(self, item: WorkItem, sink: Sink | None = None) -> Findings:
        """Adds the rows of a work item, and returns findings that say what is wrong with it.

        Args:
            item: the work item.
            sink: it also gets every batch of scored rows.
        """
        findings = Findings()
        lost: list[Lost] = []
        plan = self._plan
        try:
            for rows in read.read_rows(
                item,
                plan.columns,
                read.BATCH_ROWS,
                self._open_file,
                plan.reading,
                lost.append,
                self._footers,
            ):
                findings += self.add(rows, sink)
                findings += Findings(contents=self._hasher.contents(rows, plan.columns))
        except DataFault as fault:
            counting = CountingPass(plan, self._open_file, self._footers)
            true_fault = counting.true_fault(fault, counting.read(item))
            findings += Findings(failures={item.shard.path: str(true_fault)})
        for damage in lost:
            findings += Findings(lost={damage.path: Losses.of(damage)})
        return findings

    def add(self, rows: Rows, sink: Sink | None = None) -> Findings:
        """Adds some rows, and returns what was found in them.

        Bad rows are found first, so that only good rows get folds, segments and scores.

        Args:
            rows: the rows.
            sink: it also gets every batch of scored rows.

        Raises:
            DataFault: if a column cannot be read as what the configuration says it is.
        """
        placed: dict[bytes, _PlacedRows] = {}
        try:
            kept = rows.where(keep_mask(self._plan.config.where, rows))
            findings = Findings(rows=len(rows), kept=len(kept))
            schema_faults = self._schema_faults(kept)
            for head in self._plan.heads.values():
                columns = extract(head.config, kept)
                bad, faults = first_faults([*columns.faults, *schema_faults], len(kept))
                findings += Findings(lengths=element_lengths(head.config, kept)) + self._bad_rows(
                    head, kept, faults
                )
                # Most heads have the same bad rows, mostly none: those heads share the placed rows.
                bad_bytes = bad.tobytes()
                if bad_bytes not in placed:
                    placed[bad_bytes] = self._place(kept.where(~bad))
                self._add_head(head, columns.without(bad), placed[bad_bytes], sink)
        except NotCounted as error:
            raise DataFault(rows.path, "changed_file", str(error)) from error
        except ColumnError as error:
            raise DataFault(rows.path, "wrong_type", str(error)) from error
        return findings

    def states(self) -> dict[StateKey, State]:
        """Returns the states of all rows added so far; more rows may be added afterwards."""
        return dict(self.iter_states())

    def iter_states(self) -> Iterator[tuple[StateKey, State]]:
        """Yields what `states` returns, but holds only the states of one statistic at a time."""
        slices: dict[Key, Sequence[Key]] = {OVERALL: (OVERALL,)}
        for segments_of_pass in self._passes:
            keys = segments_of_pass.segments.keys
            slices.update(zip(keys, segments_of_pass.slices, strict=True))
        for (head, measured), accumulator in self._accumulators.items():
            state = accumulator.freeze()
            state = state.regroup([slices[key] for key in state.keys])
            yield from split(head, measured, state, self._partitions)

    def _place(self, rows: Rows) -> _PlacedRows:
        """Returns rows with the folds and the segments that they belong to."""
        identity = fold = None
        if self._plan.folds > 1:
            keys = self._keys(rows)
            # What tells a row without a place from others is its key.
            identity = row_identity(rows.path, rows.numbers) if rows.path or keys is None else keys
            fold = folds_of(identity if keys is None else keys, self._plan.folds)
        self._passes = self._slicer.segments(rows)
        return _PlacedRows(rows, identity, fold, self._passes)

    def _keys(self, rows: Rows) -> Hashes | None:
        """Returns the hash of the key of each row, uint64 `[n]`; None without a key.

        Raises:
            ColumnError: if the key column cannot be read, or has several values in a row.
        """
        key = self._plan.config.confidence.key
        if key is None:
            return None
        values, several = rows.scalars(key)
        if several is not None:
            row = rows.numbers[np.flatnonzero(several)[0]]
            raise ColumnError(
                f"column '{key}' has a list of several values in row {row}; 'confidence.key' is a"
                " column of single values"
            )
        try:
            return key_hashes(values)
        except ColumnError as error:
            raise ColumnError(f"column '{key}': {error}") from error

    def _schema_faults(self, rows: Rows) -> list[Fault]:
        """Returns the faults of rows that break the schema; such rows are bad for every head."""
        faults = [
            (f"{check.reason}:{check.column}", check.mask(rows.column(check.column)))
            for check in self._plan.checks
        ]
        return [(reason, mask) for reason, mask in faults if mask.any()]

    def _bad_rows(self, head: HeadPlan, rows: Rows, faults: Iterable[Fault]) -> Findings:
        """Returns the findings about the rows that are bad for a head."""
        bad = {}
        for reason, mask in faults:
            at = np.flatnonzero(mask)
            column = rows.column(reason.partition(":")[2]).take(pa.array(at))
            seen = seen_in(column, reason, shown=self._plan.debug_samples)
            first = [self._place_of(head, rows, int(place)) for place in at[:FIRST]]
            last = rows.path, int(rows.numbers[at[-1]])
            bad[head.name, reason] = BadRows(len(at), tuple(first), last, seen)
        return Findings(bad=bad)

    def _place_of(self, head: HeadPlan, rows: Rows, at: int) -> Place:
        sample = ""
        if self._plan.debug_samples:
            names = sorted(head.config.columns())
            sample = ", ".join(f"{name}={shown(rows.column(name)[at])}" for name in names)
        return Place(rows.path, int(rows.numbers[at]), sample)

    def _add_head(
        self, head: HeadPlan, columns: Extracted, placed: _PlacedRows, sink: Sink | None
    ) -> None:
        """Adds the good rows of a head to every statistic that is measured for it."""
        scored = score_rows(head, columns, placed.identity)
        models = measured_models(scored, len(placed.passes))
        for number, segments_of_pass in enumerate(placed.passes):
            batch = PassBatch(models, segments_of_pass, placed.fold)
            for measured in head.measured:
                coverage = measured.statistic.coverage
                if coverage == "overall" and number:
                    continue
                if coverage == "small_only" and not number and self.table.has_small:
                    # All segments of the first pass are in overall.
                    coverage = "overall"
                part = batch.of(coverage, measured.model)
                if part is not None:
                    self._accumulator(head, measured).add(*part)
        if sink is not None:
            sink(head, placed.rows, scored)

    def _accumulator(self, head: HeadPlan, measured: ModelStatistic) -> Accumulator:
        key = (head.name, measured)
        if key not in self._accumulators:
            self._accumulators[key] = make_accumulator(measured.statistic)
        return self._accumulators[key]


@dataclass(frozen=True, eq=False)
class _PlacedRows:
    """The good rows of a batch, with the folds and the segments that they belong to.

    Attributes:
        rows: the rows.
        identity: uint64 `[n]`, the hash of the file and the number of each row; None without
            intervals.
        fold: int64 `[n]`, the fold of each row; None without intervals.
        passes: the segments of each row, pass by pass.
    """

    rows: Rows
    identity: Hashes | None
    fold: Ints | None
    passes: list[Pass]
