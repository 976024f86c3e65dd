"""The files that a run leaves: their names, and their bytes."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from pipeline.evaluation.plan import Plan
from pipeline.report.data_json import Files, data_bytes, row_problems
from pipeline.report.metrics_parquet import metrics_table, parquet_bytes
from pipeline.report.report_json import build_report, report_bytes
from pipeline.results.partition import Partition
from pipeline.runs.states_zip import zip_states
from pipeline.slicing.table import SliceTable
from pipeline.validation.findings import Findings, Tolerance

REPORT = "report.json"
METRICS = "metrics.parquet"
STATES = "states.zip"
DATA = "data.json"
ANOMALIES = "anomalies.pbtxt"
STATISTICS = "statistics.pb"
MANIFEST = "manifest.json"
SUCCESS = "_SUCCESS"
FILES = (SUCCESS, REPORT, METRICS, STATES, STATISTICS, MANIFEST, ANOMALIES, DATA)
"""The files that a run leaves, in the order in which those of an older run are removed."""
FAILED = (ANOMALIES, DATA)
"""The files that a run leaves if its data must not be reported on."""


def run_files(
    plan: Plan,
    notes: Sequence[str],
    table: SliceTable,
    partitions: Iterable[Partition],
    parts: Sequence[Files],
) -> dict[str, bytes]:
    """Returns the content of the files of a run by name, `_SUCCESS` last.

    If the data are bad, there are only the files of `FAILED`.

    Args:
        plan: the plan of the run.
        notes: what is known of all files together, one line per note.
        table: the slices; its problems say why no row was measured.
        partitions: the results and states, in any order; they are not read if the data are bad.
        parts: what is known of the files.
    """
    from pipeline.report.statistics_pb import statistics_bytes  # its protobufs take long to import

    total = Findings.total(part.total for part in parts)
    # If the table says why no row was measured, it is no further problem that there are no rows.
    missing = list(table.problems) or row_problems(parts)
    run_problems = [] if table.problems else total.run_problems()
    problems = missing + total.data_problems(plan.tolerance) + run_problems
    files = _data_files(parts, total, problems, notes, plan.tolerance, [*missing, *run_problems])
    if problems:
        return files
    kept = list(partitions)
    results = [partition.results for partition in kept]
    states = (pair for partition in kept for pair in partition.states.items())
    distributions = [distribution for result in results for distribution in result.statistics]
    files[STATISTICS] = statistics_bytes(distributions)
    files[REPORT] = report_bytes(build_report(plan, table, results, total))
    files[METRICS] = parquet_bytes(metrics_table(plan, results))
    files[STATES] = zip_states(table, states)
    files[MANIFEST] = _json(_manifest(files))
    # Not empty: S3 refuses an upload in parts that is empty.
    files[SUCCESS] = b"\n"
    return files


def problem_files(problems: Sequence[str]) -> dict[str, bytes]:
    """Returns the content of the files, by name, of a run that ends before a row is read."""
    return _data_files([], Findings(), problems, (), Tolerance(), problems)


def _data_files(
    parts: Sequence[Files],
    total: Findings,
    problems: Sequence[str],
    notes: Sequence[str],
    tolerance: Tolerance,
    run_problems: Sequence[str],
) -> dict[str, bytes]:
    from pipeline.report.anomalies_pbtxt import anomalies_bytes  # as statistics_bytes

    return {
        DATA: data_bytes(parts, total, problems, notes),
        ANOMALIES: anomalies_bytes(total, tolerance, run_problems),
    }


def _manifest(files: Mapping[str, bytes]) -> dict[str, Any]:
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "files": {
            name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in sorted(files.items())
        },
        "versions": {
            "python": platform.python_version(),
            "machine": platform.machine(),
            **{name: version(name) for name in ("headcount", "apache-beam", "numpy", "pyarrow")},
        },
    }


def _json(data: dict[str, Any]) -> bytes:
    return json.dumps(data, indent=1, ensure_ascii=False).encode() + b"\n"
