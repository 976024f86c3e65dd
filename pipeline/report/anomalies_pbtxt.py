"""Writes what was wrong with the data as tensorflow-metadata `Anomalies` (`anomalies.pbtxt`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2

from pipeline.report.protobuf_text import protobuf_text
from pipeline.validation.bad_rows import FIRST, BadRow
from pipeline.validation.findings import Findings, Tolerance
from pipeline.validation.reasons import REASONS, SCHEMA_REASONS

Severity = Literal["WARNING", "ERROR"]

ANOMALY_TYPES = {
    "null": "FEATURE_TYPE_LOW_FRACTION_PRESENT",
    "wrong_length": "INVALID_FEATURE_SHAPE",
    "not_finite": "FLOAT_TYPE_HAS_NAN",
    "not_a_probability": "FLOAT_TYPE_BIG_FLOAT",
    "out_of_range": "INT_TYPE_BIG_INT",
    "not_a_class_id": "INT_TYPE_INT_EXPECTED",
    "not_in_vocabulary": "ENUM_TYPE_UNEXPECTED_STRING_VALUES",
    "negative": "FLOAT_TYPE_SMALL_FLOAT",
    "too_large": "FLOAT_TYPE_BIG_FLOAT",
    "above_upper": "FLOAT_TYPE_BIG_FLOAT",
    "below_domain": "FLOAT_TYPE_SMALL_FLOAT",
    "above_domain": "FLOAT_TYPE_BIG_FLOAT",
    "not_in_domain": "ENUM_TYPE_UNEXPECTED_STRING_VALUES",
}
"""For each reason, the anomaly type of tensorflow-metadata that comes nearest to it.

These types tell NaN from infinity and too high from too low; the reasons do not. The type is then
that of the more common case, and the description says what the reason says. A reason that is not in
this table gets the type `CUSTOM_VALIDATION`.
"""

_TEXTS = SCHEMA_REASONS | REASONS


@dataclass(frozen=True, order=True)
class ColumnAnomaly:
    """The rows that a head left out for one reason, which lies in one column.

    Attributes:
        column: the column that is at fault.
        reason: the reason, a key of `ANOMALY_TYPES`.
        head: the name of the head that left the rows out.
        rows: the number of these rows.
        share: their share of the rows that were to be evaluated.
        first: the first of these rows, each as `file: row N`.
        severity: `ERROR` if the run fails because of them.
    """

    column: str
    reason: str
    head: str
    rows: int
    share: float
    first: tuple[str, ...] = ()
    severity: Severity = "ERROR"

    @property
    def text(self) -> str:
        """Says in words what is wrong with the column."""
        return f"'{self.column}' {_TEXTS.get(self.reason, self.reason)}"


def column_anomalies(findings: Findings, severity: Severity) -> list[ColumnAnomaly]:
    """Returns the anomalies of a run: one for each head, reason and column with bad rows.

    Args:
        findings: the findings of the whole run.
        severity: the severity of all of them: `WARNING` if the run allows so many bad rows, else
            `ERROR`.
    """
    anomalies = []
    for head, code in sorted(findings.bad):
        bad = findings.bad[head, code]
        reason, _, column = code.partition(":")
        first = tuple(BadRow(place.path, place.row, head, code).place for place in bad.first)
        share = bad.rows / findings.kept if findings.kept else 0.0
        anomalies.append(ColumnAnomaly(column, reason, head, bad.rows, share, first, severity))
    return anomalies


def anomalies_text(
    columns: Sequence[ColumnAnomaly],
    failures: Mapping[str, str],
    *,
    rows: int,
    problems: Sequence[str] = (),
    warnings: Sequence[str] = (),
) -> str:
    """Returns the text of `Anomalies`; the order of the arguments' items does not change it.

    Args:
        columns: what is wrong with rows. Each column has an entry in `anomaly_info`, and the entry
            lists a reason for each item of that column.
        failures: for the path of each file that could not be read, what stopped that. The first 20
            become reasons of the type `STATS_NOT_AVAILABLE` in `dataset_anomaly_info`.
        rows: the number of rows read; if it is 0, `data_missing` is set.
        problems: what else is wrong with the data as a whole, a line for each problem.
        warnings: what users should know of the data although the run does not fail because of it.
    """
    anomalies = anomalies_pb2.Anomalies()
    if not rows:
        anomalies.data_missing = True
    for column, group in groupby(sorted(columns), key=lambda anomaly: anomaly.column):
        of_column = list(group)
        info = anomalies.anomaly_info[protobuf_text(column)]
        info.path.step.append(protobuf_text(column))
        for anomaly in of_column:
            type_ = ANOMALY_TYPES.get(anomaly.reason, "CUSTOM_VALIDATION")
            _add_reason(info, type_, anomaly.text, _description(anomaly))
        errors = any(anomaly.severity == "ERROR" for anomaly in of_column)
        info.severity = anomalies_pb2.AnomalyInfo.Severity.Value("ERROR" if errors else "WARNING")
        _describe_all(info)
    if failures or problems or warnings:
        info = anomalies.dataset_anomaly_info
        _fill_dataset_info(info, failures, [*problems, *warnings])
        fails = "ERROR" if failures or problems else "WARNING"
        info.severity = anomalies_pb2.AnomalyInfo.Severity.Value(fails)
    text: str = text_format.MessageToString(anomalies, as_utf8=True)
    return text


def _fill_dataset_info(
    info: anomalies_pb2.AnomalyInfo, failures: Mapping[str, str], problems: Sequence[str]
) -> None:
    """Adds the files that could not be read, then the problems of the data as a whole."""
    for path in sorted(failures)[:FIRST]:
        _add_reason(info, "STATS_NOT_AVAILABLE", f"{path} cannot be read", failures[path])
    if len(failures) > FIRST:
        more = f"{len(failures) - FIRST:,} more files cannot be read"
        _add_reason(info, "STATS_NOT_AVAILABLE", more, more)
    for problem in sorted(problems):
        _add_reason(info, "CUSTOM_VALIDATION", problem, problem)
    _describe_all(info)


def _add_reason(info: anomalies_pb2.AnomalyInfo, type_: str, short: str, description: str) -> None:
    info.reason.add(
        type=anomalies_pb2.AnomalyInfo.Type.Value(type_),
        short_description=protobuf_text(short),
        description=protobuf_text(description),
    )


def _describe_all(info: anomalies_pb2.AnomalyInfo) -> None:
    """Fills in the descriptions of an entry from those of its reasons."""
    short = list(dict.fromkeys(reason.short_description for reason in info.reason))
    info.short_description = short[0] if len(short) == 1 else f"{len(short)} things are wrong"
    info.description = "; ".join(reason.description for reason in info.reason)


def _description(anomaly: ColumnAnomaly) -> str:
    """Returns what is wrong, in how many rows of which head, and the first of these rows."""
    rows = "1 row" if anomaly.rows == 1 else f"{anomaly.rows:,} rows"
    summary = f"{anomaly.text} in {rows} (a share of {anomaly.share:.4g}) of head '{anomaly.head}'"
    if not anomaly.first:
        return summary
    more = anomaly.rows - len(anomaly.first)
    rest = f", and {more:,} more" if more > 0 else ""
    return f"{summary}: {', '.join(anomaly.first)}{rest}"


def anomalies_bytes(total: Findings, tolerance: Tolerance, problems: Sequence[str]) -> bytes:
    """Returns the bytes of `anomalies.pbtxt`.

    There is always at least one byte, because S3 refuses an upload in parts that is empty.

    Args:
        total: the findings of a run, from all its files and rows.
        tolerance: how many bad rows may be left out.
        problems: what is wrong with the run as a whole.
    """
    failing = total.failing(tolerance)
    columns = [
        replace(anomaly, severity="ERROR") if anomaly.head in failing else anomaly
        for anomaly in column_anomalies(total, "WARNING")
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
