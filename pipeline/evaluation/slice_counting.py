"""The counting pass: which slices there are, read from their columns alone."""

from __future__ import annotations

from collections.abc import Mapping

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
from pipeline.slicing.table import SliceTable, decide, fixed_table

_MB = 1_000_000


class CountingPass:
    """Counts the rows of every slice.

    It skips a file or a column that cannot be read: the measuring pass reports it later.

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
            for rows in read.read_rows(
                item,
                self._columns,
                read.BATCH_ROWS,
                self._open_file,
                self._plan.reading,
                footers=self._footers,
            ):
                self.add(rows)
        except DataFault:
            return

    def add(self, rows: Rows) -> None:
        """Adds some rows."""
        try:
            self._counter.add(rows.where(keep_mask(self._plan.config.where, rows)))
        except ColumnError:
            return

    def counts(self) -> dict[tuple[int, int], SliceCounts]:
        """Returns the counts of all rows added, by the number of the spec and its part."""
        return self._counter.counts()


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
    """Returns the table, with a problem if the states of its slices take more than is allowed."""
    need, most = plan.state_bytes(table), plan.config.max_state_mb * _MB
    if table.problems or need <= most:
        return table
    slices = sum(len(spec.keys) for spec in table.specs)
    problem = (
        f"the states of {slices:,} slices take about {need // _MB + 1:,} MB, and 'max_state_mb' is"
        f" {plan.config.max_state_mb:,}; lower 'max_slices' of an entry of 'slices', the number of"
        " 'thresholds' or 'class_metrics', or 'confidence.max_slices', or raise 'max_state_mb'"
    )
    return SliceTable(table.specs, table.largest, (problem,))
