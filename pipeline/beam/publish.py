"""The last step: everything a run leaves, `_SUCCESS` last."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.pvalue import AsList, AsSingleton

from pipeline.beam.files import delete_files, exists, write_file
from pipeline.beam.transforms import Evaluated, Piece
from pipeline.beam.work import Work, load
from pipeline.evaluation.input_files import InputVerdict
from pipeline.evaluation.plan import Plan, StateKey
from pipeline.report.data_json import Files, data_bytes, row_problems
from pipeline.report.metrics_parquet import metrics_table, parquet_bytes
from pipeline.report.report_json import build_report, report_bytes
from pipeline.slicing.table import SliceTable
from pipeline.states import zip_states
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
"""What a run leaves, in the order in which an older run is taken away."""
FAILED = (ANOMALIES, DATA)
"""What a run leaves whose data must not be reported on."""


class Publish(beam.PTransform):
    """Writes the outputs of a run, or the data report alone if the data must not be reported on.

    Args:
        plan: the plan of the run.
        output: the directory.
        notes: what is known of all files together, a line each.
    """

    def __init__(self, plan: Plan, output: str, notes: Sequence[str]) -> None:
        super().__init__()
        self._plan = plan
        self._output = output
        self._notes = tuple(notes)

    def expand(self, evaluated: Evaluated) -> beam.PCollection[bool]:
        work = Work(self._output)
        pieces = evaluated.pieces | "KeepPieces" >> beam.Map(_keep_piece, work)
        files = evaluated.findings | "KeepFiles" >> beam.Map(_keep_files, work)
        return (
            evaluated.slices.pipeline
            | "Once" >> beam.Create([self._output])
            | "Publish"
            >> beam.Map(
                _publish,
                self._plan,
                self._notes,
                AsList(pieces),
                AsList(files),
                AsSingleton(evaluated.slices),
                AsSingleton(evaluated.verdict),
            )
        )


def _keep_piece(piece: Piece, work: Work) -> str:
    return work.keep(f"{piece.head}-{piece.partition}.piece", piece)


def _keep_files(part: tuple[int, dict[str, Findings]], work: Work) -> str:
    return work.keep(f"{part[0]}.files", Files.of(part[1]))


def _publish(
    output: str,
    plan: Plan,
    notes: Sequence[str],
    pieces: list[str],
    files: list[str],
    table: SliceTable,
    verdict: InputVerdict,
) -> bool:
    from pipeline.report.statistics_pb import statistics_bytes

    parts: list[Files] = list(load(files))
    total = Findings.total(part.total for part in parts)
    # Where no row was measured, it is no wonder that there are none.
    missing = list(table.problems) or row_problems(parts)
    of_run = [] if table.problems else total.run_problems()
    problems = missing + total.data_problems(plan.tolerance) + of_run
    written = {
        DATA: data_bytes(parts, total, problems, (*notes, *verdict.notes)),
        ANOMALIES: _anomalies(total, plan.tolerance, [*missing, *of_run]),
    }
    if not problems:
        kept: list[Piece] = list(load(pieces))
        results = [piece.results for piece in kept]
        states = (
            (StateKey(piece.head, number, piece.partition), state)
            for piece in kept
            for number, state in piece.states.items()
        )
        written[STATISTICS] = statistics_bytes([own for each in results for own in each.statistics])
        written[REPORT] = report_bytes(build_report(plan, table, results, total))
        written[METRICS] = parquet_bytes(metrics_table(plan, results))
        written[STATES] = zip_states(table, states)
        written[MANIFEST] = _json(_manifest(written))
        # Not empty: S3 takes no upload in parts that is.
        written[SUCCESS] = b"\n"
    _replace(output, written)
    return not problems


def publish_problems(output: str, problems: Sequence[str]) -> None:
    """Writes the data report of a run that ends before a row is read."""
    nothing = Findings()
    files = {
        DATA: data_bytes([], nothing, problems, ()),
        ANOMALIES: _anomalies(nothing, Tolerance(), problems),
    }
    _replace(output, files)


def _replace(output: str, files: Mapping[str, bytes]) -> None:
    """Writes files in place of what an older run left."""
    # An older run goes whole, its mark of success first, so that no reader takes a mixture for a
    # run.
    for name in FILES:
        path = FileSystems.join(output, name)
        if exists(path):
            delete_files([path])
    for name, content in files.items():
        write_file(FileSystems.join(output, name), content)


def _anomalies(total: Findings, tolerance: Tolerance, problems: Sequence[str]) -> bytes:
    """What was wrong; of files and rows the findings tell, of the run as a whole the problems."""
    from pipeline.report.anomalies_pbtxt import anomalies_text, column_anomalies

    failing = total.failing(tolerance)
    columns = [
        replace(each, severity="ERROR") if each.head in failing else each
        for each in column_anomalies(total, "WARNING")
    ]
    warnings = [
        f"{path}: {losses.bytes:,} bytes are left out from row {losses.first.row} on,"
        f" {losses.first.reason}"
        for path, losses in sorted(total.lost.items())
    ]
    text = anomalies_text(
        columns, total.failures, rows=total.rows, problems=problems, warnings=warnings
    )
    return text.encode() or b"\n"


def _manifest(files: dict[str, bytes]) -> dict[str, Any]:
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
