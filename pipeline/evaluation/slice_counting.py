"""The counting pass: which slices there are, read from their columns alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pipeline.config.slices import slice_columns
from pipeline.errors.faults import ColumnError, DataFault
from pipeline.evaluation.plan import Plan
from pipeline.extract.filter import keep_mask
from pipeline.readers import read
from pipeline.readers.footer_cache import FooterCache
from pipeline.readers.rows import Rows
from pipeline.readers.shards import WorkItem
from pipeline.readers.storage import OpenFile
from pipeline.slicing.counting import SliceCounter, SliceCounts
from pipeline.slicing.resolving import NotCounted
from pipeline.slicing.table import SliceTable, decide, fixed_table
from pipeline.slicing.text import text_problems

_MB = 1_000_000


class CountingPass:
    """Counts the rows of every slice.

    It skips a file or a column that cannot be read: the measuring pass reports it later, if need be
    with the help of `true_fault`.

    Args:
        plan: what is evaluated.
        open_file: opens a shard.
        footers: the footers that are known already; the pass adds new ones.
    """

    def __init__(self, plan: Plan, open_file: OpenFile, footers: FooterCache | None = None) -> None:
        self._plan = plan
        self._footers = FooterCache() if footers is None else footers
        self._open_file = open_file
        self._counter = SliceCounter(plan.config.slices, plan.config.max_distinct)
        names = slice_columns(plan.config.slices) | {w.column for w in plan.config.where}
        self._columns = sorted(names)

    def add_item(self, item: WorkItem) -> None:
        """Adds the rows of a work item."""
        try:
            for rows in self.read(item):
                self.add(rows)
        except DataFault:
            return

    def add(self, rows: Rows) -> None:
        """Adds some rows."""
        try:
            self._count(rows)
        except ColumnError:
            return

    def read(self, item: WorkItem) -> Iterator[Rows]:
        """Yields the rows of a work item, with only the columns that are needed to count them.

        Raises:
            DataFault: if they cannot be read.
        """
        yield from read.read_rows(
            item,
            self._columns,
            read.BATCH_ROWS,
            self._open_file,
            self._plan.reading,
            footers=self._footers,
        )

    def true_fault(self, fault: DataFault, batches: Iterable[Rows]) -> DataFault:
        """Returns why rows were not counted, if a fault says no more than that they were not.

        A batch that cannot be counted is skipped as a whole, so that the measuring pass may meet
        values that nobody counted before it meets what is wrong. It is the fault itself if the rows
        can be counted now, for then the file has changed.

        Args:
            fault: the fault that the measuring pass found.
            batches: the rows in which it was found; a pass that asks must not have counted others.
        """
        if not isinstance(fault.__cause__, NotCounted):
            return fault
        try:
            for rows in batches:
                self._count(rows)
        except DataFault as true_fault:
            return true_fault
        except ColumnError as error:
            return DataFault(fault.path, "wrong_type", str(error))
        return fault

    def counts(self) -> dict[tuple[int, int], SliceCounts]:
        """Returns the counts of all rows added, by the number of the spec and its part."""
        return self._counter.counts()

    def _count(self, rows: Rows) -> None:
        self._counter.add(rows.where(keep_mask(self._plan.config.where, rows)))


def known_slices(plan: Plan) -> SliceTable | None:
    """Returns the slices if they are known without counting, and None if not."""
    table = fixed_table(plan.config.slices, plan.config.confidence.max_slices)
    return None if table is None else _checked(plan, table)


def decide_slices(plan: Plan, counts: Mapping[tuple[int, int], SliceCounts]) -> SliceTable:
    """Returns the slices that follow from merged counts.

    The `problems` of the table say why the run cannot go on.
    """
    config = plan.config
    table = decide(config.slices, counts, config.max_distinct, config.confidence.max_slices)
    return _checked(plan, table)


def _checked(plan: Plan, table: SliceTable) -> SliceTable:
    """Returns the table; if there is a problem with its slices, only the problems, for the slices
    may be too large to be sent.
    """
    config = plan.config
    largest = max(max(head.slice_bytes(top_slice=True)) for head in plan.heads.values())
    problems = list(table.problems) or text_problems(table.specs, largest)
    need, most = plan.state_bytes(table), config.max_state_mb * _MB
    if not problems and need > most:
        slices = sum(len(spec.keys) for spec in table.specs)
        problems.append(
            f"the states of {slices:,} slices take about {need // _MB + 1:,} MB, and"
            f" 'max_state_mb' is {config.max_state_mb:,}; lower 'max_slices' of an entry of"
            " 'slices', the number of 'thresholds' or 'class_metrics', or 'confidence.max_slices',"
            " or raise 'max_state_mb'"
        )
    return SliceTable((), frozenset(), tuple(problems)) if problems else table
