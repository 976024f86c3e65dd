"""Evaluation without Beam: from rows to states, and from states to the report.

The Beam pipeline runs the same code, and must give the same states and the same report.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from heads.statistics import State
from heads.statistics.codec import encode
from pipeline.errors.faults import BadData, DataFault
from pipeline.errors.problems import ConfigError, Problem
from pipeline.errors.wording import counted, first_names
from pipeline.evaluation.evaluator import Evaluator
from pipeline.evaluation.input_files import (
    ListShards,
    check_columns,
    check_inputs,
    list_files,
    names_looked_for,
)
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
from pipeline.readers.storage import OpenFile, open_local
from pipeline.report.data_json import Files, copies_in, row_problems
from pipeline.report.report_json import build_report
from pipeline.results.compute import compute, compute_distributions, compute_overall
from pipeline.results.partition import (
    Partition,
    PartitionKey,
    overall_shift,
    partition_of,
    shift_to_align,
)
from pipeline.results.results import Results
from pipeline.slicing.table import SliceTable
from pipeline.validation.examine import examine
from pipeline.validation.findings import Findings

TABLE = "table"
"""The name of a table in memory, in the places where a file has its path."""

_READ_TWICE = (
    "the rows of each slice are counted before they are evaluated, and a reader gives its rows"
    " once: give a table (reader.read_all()), files, or every entry its 'values' or 'edges'"
)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A finished evaluation.

    Attributes:
        plan: the plan that was followed.
        table: the slices.
        report: the report, as it is written to report.json.
        results: the results of all slices, including those that the report leaves out.
        states: the merged states.
        findings: what was found in each file, by path.
        notes: what is known of all files together, one line per note.
        inputs: the globs of the files.
    """

    plan: Plan
    table: SliceTable
    report: dict[str, Any]
    results: list[Results]
    states: dict[StateKey, State]
    findings: dict[str, Findings]
    notes: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()

    def __repr__(self) -> str:
        rows = self.report["rows"]["evaluated"]
        return f"<Evaluation of {counted(rows, 'row')}: {first_names(list(self.plan.heads))}>"

    def partitions(self) -> Iterator[Partition]:
        """Yields the results and the encoded states of each partition of the slices."""
        parts = _by_partition(self.states)
        for (key, states), results in zip(parts.items(), self.results, strict=True):
            encoded = {name: encode(state) for name, state in states.items()}
            found = compute_distributions(self.plan, self.table, key[0], states)
            yield Partition(key, results, encoded, found)


def evaluate(
    source: pa.Table | pa.RecordBatchReader | str | Sequence[str],
    plan: Plan,
    name: str = "plan",
    list_shards: ListShards = list_local,
    open_file: OpenFile = open_local,
) -> Evaluation:
    """Evaluates rows in memory, or files, in this process and without Beam.

    Args:
        source: a table, a reader of record batches, or globs of Parquet and TFRecord files.
        plan: what to evaluate.
        name: the name of the configuration, for messages.
        list_shards: lists the files that globs match.
        open_file: opens a file; several threads call it.

    Raises:
        BadData: if rows or files are bad, or if there are none.
        ConfigError: if the rows do not have the columns that the plan reads, or have one of them
            twice, or if a reader would have to be read twice.
    """
    if isinstance(source, pa.Table | pa.RecordBatchReader):
        return _evaluate_batches(source, plan, name)
    patterns = [source] if isinstance(source, str) else source
    listing = list_files(plan, patterns, name, list_shards, open_file)
    names, records = names_looked_for(plan), records_looked_at(listing)
    items: list[WorkItem] = []
    findings: dict[str, Findings] = {}
    summaries: list[InputSummary] = []
    footers = FooterCache()
    for shard in listing:
        shard_items, findings[shard.path], summary = examine(
            shard, names, open_file, plan.reading, records, footers
        )
        items += shard_items
        summaries.append(summary)
    notes = check_inputs(plan, merge_summaries(summaries), name, open_file)
    evaluation = evaluate_items(items, plan, findings, footers, open_file)
    return replace(evaluation, notes=(*listing.notes, *notes), inputs=tuple(patterns))


def _evaluate_batches(source: pa.Table | pa.RecordBatchReader, plan: Plan, name: str) -> Evaluation:
    """Evaluates rows in memory, batch by batch; arguments as in `evaluate`."""
    check_columns(plan, source.schema, "the table", name)
    counting = CountingPass(plan, open_local)
    table = known_slices(plan)
    if table is None:
        if isinstance(source, pa.RecordBatchReader):
            raise ConfigError([Problem(name, ("slices",), _READ_TWICE)])
        for rows in _batches(source, plan):
            counting.add(rows)
        table = decide_slices(plan, counting.counts())
    evaluator = Evaluator(plan, _without_problems(table), open_local)
    findings = _add_batches(plan, evaluator, _batches(source, plan))
    return finish(plan, table, evaluator.states(), {TABLE: findings})


def evaluate_items(
    items: Sequence[WorkItem],
    plan: Plan,
    findings: Mapping[str, Findings] | None = None,
    footers: FooterCache | None = None,
    open_file: OpenFile = open_local,
) -> Evaluation:
    """Evaluates work items in the given order.

    Args:
        items: the work items to evaluate.
        plan: the plan of the run.
        findings: what is known of the files already, by path.
        footers: the footers that are known already; new ones are added.
        open_file: opens a file.

    Raises:
        BadData: if rows or files are bad.
    """
    footers = FooterCache() if footers is None else footers
    table = known_slices(plan)
    if table is None:
        counting = CountingPass(plan, open_file, footers)
        for item in items:
            counting.add_item(item)
        table = decide_slices(plan, counting.counts())
    evaluator = Evaluator(plan, _without_problems(table), open_file, footers)
    known = dict(findings or {})
    for item in items:
        path = item.shard.path
        known[path] = known.get(path, Findings()) + evaluator.add_item(item)
    return finish(plan, table, evaluator.states(), known)


def _without_problems(table: SliceTable) -> SliceTable:
    """Returns the slices of a run.

    Raises:
        BadData: if the run cannot go on with them.
    """
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
    files = [Files.of(findings)]
    total = files[0].total
    copies, _ = copies_in(files, allow=plan.config.allow_duplicate_files)
    problems = row_problems(files) + copies + total.problems(plan.tolerance, plan.config.heads)
    if problems:
        raise BadData(problems)
    shifts = dict(pair for key, state in merged.items() for pair in overall_shift(key, state.shift))
    states = {key: state.coarsened(shift_to_align(key, shifts)) for key, state in merged.items()}
    partitions = _by_partition(states)
    overall = {
        head: compute_overall(plan, table, head, part)
        for (head, number), part in partitions.items()
        if number == 0 and plan.config.against_overall
    }
    results = [
        compute(plan, table, head, part, overall.get(head, ()))
        for (head, _), part in partitions.items()
    ]
    report = build_report(plan, table, results, total)
    return Evaluation(plan, table, report, results, states, findings)


def _by_partition(
    states: Mapping[StateKey, State],
) -> dict[PartitionKey, dict[StateKey, State]]:
    """Returns the states of each partition of the slices."""
    partitions: dict[PartitionKey, dict[StateKey, State]] = {}
    for key, state in states.items():
        partitions.setdefault(partition_of(key), {})[key] = state
    return partitions


def _batches(source: pa.Table | pa.RecordBatchReader, plan: Plan) -> Iterator[Rows]:
    """Yields the rows of a table or reader, with the columns that the plan reads."""
    names = list(plan.columns)
    row = 0
    for batch in source.to_batches() if isinstance(source, pa.Table) else source:
        for part, _ in cut(batch.select(names), read.BATCH_ROWS):
            yield Rows(part, np.arange(row, row + len(part)), TABLE, {})
            row += len(part)


def _add_batches(plan: Plan, evaluator: Evaluator, batches: Iterable[Rows]) -> Findings:
    findings = Findings()
    for rows in batches:
        try:
            findings += evaluator.add(rows)
        except DataFault as fault:
            true_fault = CountingPass(plan, open_local).true_fault(fault, [rows])
            raise BadData([str(true_fault)]) from fault
    return findings
