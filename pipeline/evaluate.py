"""Evaluation without Beam: from rows to states, and from states to the report.

The Beam pipeline runs the same code, and must give the same states and the same report.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from heads.statistics import State
from pipeline.errors.faults import BadData, DataFault
from pipeline.errors.problems import ConfigError, Problem
from pipeline.evaluation.evaluator import Evaluator
from pipeline.evaluation.input_files import check_inputs, check_types, list_files, names_looked_for
from pipeline.evaluation.plan import Plan
from pipeline.evaluation.slice_counting import CountingPass, decide_slices, known_slices
from pipeline.evaluation.state_key import StateKey
from pipeline.readers import read
from pipeline.readers.batches import cut
from pipeline.readers.file_list import list_local
from pipeline.readers.footer_cache import FooterCache
from pipeline.readers.input_summary import InputSummary, merge_summaries, records_looked_at
from pipeline.readers.rows import Rows
from pipeline.readers.shards import WorkItem
from pipeline.readers.storage import open_local
from pipeline.report.data_json import Files, copies_in, row_problems
from pipeline.report.report_json import build_report
from pipeline.results.compute import compute, compute_overall
from pipeline.results.partition import (
    PartitionKey,
    overall_shift,
    partition_of,
    shift_to_align,
)
from pipeline.results.results import Results
from pipeline.slicing.table import SliceTable
from pipeline.validation.examine import examine
from pipeline.validation.findings import Findings

Part = TypeVar("Part")

TABLE = "table"
"""The name of a table in memory, in the places where a file has its path."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A finished evaluation.

    Attributes:
        report: the report, as it is written to report.json.
        results: the results of all slices, including those that the report leaves out.
        states: the merged states.
        findings: what was found in each file, by path.
    """

    report: dict[str, Any]
    results: list[Results]
    states: dict[StateKey, State]
    findings: dict[str, Findings]


def evaluate(source: pa.Table | str | Sequence[str], plan: Plan) -> Evaluation:
    """Evaluates a table, or files on this machine, in this process and without Beam.

    Args:
        source: a table, or globs of Parquet and TFRecord files.
        plan: what to evaluate.

    Raises:
        BadData: if rows or files are bad, or if there are none.
        ConfigError: if the table or the files do not have the columns that the plan reads, or if
            the table has one of them twice.
    """
    if isinstance(source, pa.Table):
        types = {field.name: field.type for field in source.schema}
        check_types(plan, types, "the table", "plan")
        counts = Counter(source.schema.names)
        if repeated := [name for name in plan.columns if counts[name] > 1]:
            what = (
                f"the table has {counts[repeated[0]]} columns '{repeated[0]}'; rename all but one"
            )
            raise ConfigError([Problem("plan", (), what)])
        batches = list(_batches(source.select(list(plan.columns))))
        counting = CountingPass(plan, open_local)
        evaluator = Evaluator(plan, _slices(plan, counting, batches, counting.add), open_local)
        found = {TABLE: _add_table(plan, evaluator, batches)}
        return finish(plan, evaluator.table, evaluator.states(), found)
    patterns = [source] if isinstance(source, str) else source
    listing = list_files(plan, patterns, "plan", list_local, open_local)
    names, records = names_looked_for(plan), records_looked_at(listing)
    items: list[WorkItem] = []
    findings: dict[str, Findings] = {}
    summaries: list[InputSummary] = []
    footers = FooterCache()
    for shard in listing:
        shard_items, findings[shard.path], summary = examine(
            shard, names, open_local, plan.reading, records, footers
        )
        items += shard_items
        summaries.append(summary)
    check_inputs(plan, merge_summaries(summaries), "plan", open_local)
    return evaluate_items(items, plan, findings, footers)


def evaluate_items(
    items: Sequence[WorkItem],
    plan: Plan,
    findings: Mapping[str, Findings] | None = None,
    footers: FooterCache | None = None,
) -> Evaluation:
    """Evaluates work items of files on this machine, in the given order.

    Args:
        items: the work items to evaluate.
        plan: the plan of the run.
        findings: what is known of the files already, by path.
        footers: the footers that are known already; new ones are added.

    Raises:
        BadData: if rows or files are bad.
    """
    footers = FooterCache() if footers is None else footers
    counting = CountingPass(plan, open_local, footers)
    table = _slices(plan, counting, items, counting.add_item)
    evaluator = Evaluator(plan, table, open_local, footers)
    known = dict(findings or {})
    for item in items:
        path = item.shard.path
        known[path] = known.get(path, Findings()) + evaluator.add_item(item)
    return finish(plan, table, evaluator.states(), known)


def _slices(
    plan: Plan, counting: CountingPass, parts: Sequence[Part], add: Callable[[Part], None]
) -> SliceTable:
    """Returns the slices of a run, and counts their rows if that is needed.

    Args:
        plan: the plan of the run.
        counting: the pass that counts rows.
        parts: all batches of rows, or all work items.
        add: adds a part to the counting pass.

    Raises:
        BadData: if the run cannot go on with these slices.
    """
    table = known_slices(plan)
    if table is None:
        for part in parts:
            add(part)
        table = decide_slices(plan, counting.counts())
    if table.problems:
        raise BadData(list(table.problems))
    return table


def finish(
    plan: Plan,
    table: SliceTable,
    merged: Mapping[StateKey, State],
    findings: dict[str, Findings],
) -> Evaluation:
    """Computes the results and the report from the merged states of all rows.

    Args:
        plan: the plan of the run.
        table: the slices of the run.
        merged: the states of all rows.
        findings: what was found in each file, by path.

    Raises:
        BadData: if rows or files are bad.
    """
    total = Findings.total(findings.values())
    files = [Files.of(findings)]
    copies, _ = copies_in(files, allow=plan.config.allow_duplicate_files)
    problems = row_problems(files) + copies + total.problems(plan.tolerance)
    if problems:
        raise BadData(problems)
    shifts = dict(pair for key, state in merged.items() for pair in overall_shift(key, state.shift))
    states = {key: state.coarsened(shift_to_align(key, shifts)) for key, state in merged.items()}
    partitions: dict[PartitionKey, dict[StateKey, State]] = {}
    for key, state in states.items():
        partitions.setdefault(partition_of(key), {})[key] = state
    overall = {
        head: compute_overall(plan, table, head, part)
        for (head, number), part in partitions.items()
        if number == 0 and plan.config.against_overall
    }
    results = [
        compute(plan, table, head, part, overall.get(head, ()))
        for (head, _), part in partitions.items()
    ]
    return Evaluation(build_report(plan, table, results, total), results, states, findings)


def _batches(table: pa.Table) -> Iterator[Rows]:
    row = 0
    for batch in table.to_batches(read.BATCH_ROWS):
        for part, _ in cut(batch, read.BATCH_ROWS):
            yield Rows(part, np.arange(row, row + len(part)), TABLE, {})
            row += len(part)


def _add_table(plan: Plan, evaluator: Evaluator, batches: Sequence[Rows]) -> Findings:
    findings = Findings()
    for rows in batches:
        try:
            findings += evaluator.add(rows)
        except DataFault as fault:
            true_fault = CountingPass(plan, open_local).true_fault(fault, [rows])
            raise BadData([str(true_fault)]) from fault
    return findings
