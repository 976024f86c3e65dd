"""The files that a run leaves: the bytes of all but the manifest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pipeline.evaluation.plan import Plan
from pipeline.report.data_json import Files, copies_in, data_bytes, row_problems
from pipeline.report.metrics_parquet import metrics_table, parquet_bytes
from pipeline.report.report_json import build_report, report_bytes
from pipeline.results.partition import Partition
from pipeline.runs.file_names import ANOMALIES, DATA, METRICS, REPORT, STATES, STATISTICS
from pipeline.runs.gates import OtherRun, gates_files, judge_run
from pipeline.runs.states_zip import zip_states
from pipeline.slicing.table import SliceTable
from pipeline.validation.findings import Findings, Tolerance


def run_files(
    plan: Plan,
    notes: Sequence[str],
    table: SliceTable,
    partitions: Iterable[Partition],
    parts: Sequence[Files],
    identity: str,
    other: OtherRun | None = None,
) -> dict[str, bytes]:
    """Returns the content of the files of a run by name, without the manifest and `_SUCCESS`.

    If the data are bad, there are only the files of `FAILED_FILES`; if the configuration has gates,
    there are those of their verdict.

    Args:
        plan: the plan of the run.
        notes: what is known of all files together, one line per note.
        table: the slices; its problems say why no row was measured.
        partitions: the results and states, in any order; they are not read if the data are bad.
        parts: what is known of the files.
        identity: the identity of the run.
        other: the run that gates compare with; None if no gate does, or to skip those that do.
    """
    from pipeline.report.statistics_pb import statistics_bytes  # its protobufs take long to import

    total = Findings.total(part.total for part in parts)
    judged = judge(plan, table, parts, total)
    problems = judged.problems
    failed_run = identity if problems else None
    notes = [*notes, *judged.notes]
    files = _data_files(parts, total, problems, notes, plan.tolerance, judged.of_run, failed_run)
    if problems:
        return files
    kept = list(partitions)
    results = [partition.results for partition in kept]
    states = [pair for partition in kept for pair in partition.states.items()]
    distributions = (part for partition in kept for part in partition.distributions)
    files[STATISTICS] = statistics_bytes(list(distributions))
    files[REPORT] = report_bytes(build_report(plan, table, results, total))
    files[METRICS] = parquet_bytes(metrics_table(plan, results))
    files[STATES] = zip_states(table, states)
    if plan.config.gates:
        files |= gates_files(judge_run(plan, table, states, other))
    return files


class Judgement(NamedTuple):
    """What is wrong with the data of a run, once all rows were read.

    Attributes:
        problems: why there must be no report, one line per reason; empty if there may be one.
        of_run: those of them that do not belong to single files or rows.
        notes: what users should know, one line per note.
    """

    problems: list[str]
    of_run: list[str]
    notes: list[str]


def judge(plan: Plan, table: SliceTable, parts: Sequence[Files], total: Findings) -> Judgement:
    """Judges the data of a run.

    Args:
        plan: the plan of the run.
        table: the slices; its problems say why no row was measured.
        parts: what is known of the files.
        total: the findings of all files together.
    """
    # If the table says why no row was measured, it is no further problem that there are no rows.
    copies, notes = copies_in(parts, allow=plan.config.allow_duplicate_files)
    missing = list(table.problems) or row_problems(parts) + copies
    of_run = [] if table.problems else total.run_problems()
    problems = missing + total.data_problems(plan.tolerance, plan.config.heads) + of_run
    return Judgement(problems, [*missing, *of_run], notes)


def problem_files(problems: Sequence[str], identity: str) -> dict[str, bytes]:
    """Returns the content of the files, by name, of a run that ends before a row is read."""
    return _data_files([], Findings(), problems, (), Tolerance(), problems, identity)


def _data_files(
    parts: Sequence[Files],
    total: Findings,
    problems: Sequence[str],
    notes: Sequence[str],
    tolerance: Tolerance,
    run_problems: Sequence[str],
    failed_run: str | None,
) -> dict[str, bytes]:
    from pipeline.report.anomalies_pbtxt import anomalies_bytes  # as statistics_bytes

    return {
        DATA: data_bytes(parts, total, problems, notes, failed_run),
        ANOMALIES: anomalies_bytes(total, tolerance, run_problems),
    }
