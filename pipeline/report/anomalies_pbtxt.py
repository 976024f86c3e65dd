"""What was wrong with the data, as tensorflow-metadata `Anomalies`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2

from pipeline.validation.findings import FIRST, Findings, Tolerance
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
    "below_domain": "FLOAT_TYPE_SMALL_FLOAT",
    "above_domain": "FLOAT_TYPE_BIG_FLOAT",
    "not_in_domain": "ENUM_TYPE_UNEXPECTED_STRING_VALUES",
}
"""The nearest type of tensorflow-metadata to each reason.

It tells NaN from infinity and too high from too low, and reasons do not: the type is that of the
commoner case, and the description says what the reason does. A reason that is not here has
`CUSTOM_VALIDATION`.
"""

_TEXTS = SCHEMA_REASONS | REASONS


@dataclass(frozen=True, order=True)
class ColumnAnomaly:
    """Rows that one reason left out.

    Attributes:
        column: the column that is at fault.
        reason: the reason, a key of `ANOMALY_TYPES`.
        head: the head they were left out of.
        rows: how many.
        share: of the rows that were to be evaluated.
        first: the first of them, each as `file: row N`.
        severity: `ERROR` if the run fails for them.
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
        """What is wrong, in words."""
        return f"'{self.column}' {_TEXTS.get(self.reason, self.reason)}"


def column_anomalies(findings: Findings, severity: Severity) -> list[ColumnAnomaly]:
    """The bad rows of a run, by column, reason and head.

    Args:
        findings: of the whole run.
        severity: `WARNING` where so many bad rows are allowed, else `ERROR`.
    """
    found = []
    for (head, code), rows in sorted(findings.bad.items()):
        reason, _, column = code.partition(":")
        first = tuple(
            f"{row.path}: row {row.row}"
            for row in findings.examples
            if row.head == head and row.reason == code
        )
        share = rows / findings.kept if findings.kept else 0.0
        found.append(ColumnAnomaly(column, reason, head, rows, share, first, severity))
    return found


def anomalies_text(
    columns: Sequence[ColumnAnomaly],
    failures: Mapping[str, str],
    *,
    rows: int,
    problems: Sequence[str] = (),
    warnings: Sequence[str] = (),
) -> str:
    """The text of `Anomalies` (`anomalies.pbtxt`), the same bytes in whatever order things come.

    Args:
        columns: what is wrong with rows, by column in `anomaly_info`: a reason for each reason and
            head.
        failures: by path, what stopped a file from being read: reasons of type
            `STATS_NOT_AVAILABLE` in `dataset_anomaly_info`, of which the first 20 are listed.
        rows: rows read; `data_missing` is set where there are none.
        problems: what else is wrong with the data as a whole, a line each.
        warnings: what is to be known of it, though the run does not fail for that.
    """
    anomalies = anomalies_pb2.Anomalies()
    if not rows:
        anomalies.data_missing = True
    for column, group in groupby(sorted(columns), key=lambda each: each.column):
        own = list(group)
        info = anomalies.anomaly_info[_utf8(column)]
        info.path.step.append(_utf8(column))
        for each in own:
            type_ = ANOMALY_TYPES.get(each.reason, "CUSTOM_VALIDATION")
            _add(info, type_, each.text, _describe(each))
        errors = any(each.severity == "ERROR" for each in own)
        info.severity = anomalies_pb2.AnomalyInfo.Severity.Value("ERROR" if errors else "WARNING")
        _sum_up(info)
    if failures or problems or warnings:
        info = anomalies.dataset_anomaly_info
        _dataset(info, failures, [*problems, *warnings])
        fails = "ERROR" if failures or problems else "WARNING"
        info.severity = anomalies_pb2.AnomalyInfo.Severity.Value(fails)
    text: str = text_format.MessageToString(anomalies, as_utf8=True)
    return text


def _dataset(
    info: anomalies_pb2.AnomalyInfo, failures: Mapping[str, str], problems: Sequence[str]
) -> None:
    for path in sorted(failures)[:FIRST]:
        _add(info, "STATS_NOT_AVAILABLE", f"{path} cannot be read", failures[path])
    if len(failures) > FIRST:
        more = f"{len(failures) - FIRST:,} more files cannot be read"
        _add(info, "STATS_NOT_AVAILABLE", more, more)
    for problem in sorted(problems):
        _add(info, "CUSTOM_VALIDATION", problem, problem)
    _sum_up(info)


def _add(info: anomalies_pb2.AnomalyInfo, type_: str, short: str, description: str) -> None:
    info.reason.add(
        type=anomalies_pb2.AnomalyInfo.Type.Value(type_),
        short_description=_utf8(short),
        description=_utf8(description),
    )


def _sum_up(info: anomalies_pb2.AnomalyInfo) -> None:
    """The descriptions of the whole from those of the reasons."""
    short = list(dict.fromkeys(reason.short_description for reason in info.reason))
    info.short_description = short[0] if len(short) == 1 else f"{len(short)} things are wrong"
    info.description = "; ".join(reason.description for reason in info.reason)


def _describe(each: ColumnAnomaly) -> str:
    rows = "1 row" if each.rows == 1 else f"{each.rows:,} rows"
    said = f"{each.text} in {rows} (a share of {each.share:.4g}) of head '{each.head}'"
    if not each.first:
        return said
    more = each.rows - len(each.first)
    rest = f", and {more:,} more" if more > 0 else ""
    return f"{said}: {', '.join(each.first)}{rest}"


def _utf8(text: str) -> str:
    """A text that protobuf takes; the names of files need not be UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()


def anomalies_bytes(total: Findings, tolerance: Tolerance, problems: Sequence[str]) -> bytes:
    """The bytes of `anomalies.pbtxt`, never none: S3 takes no upload in parts that has none.

    Args:
        total: the findings of a run, of its files and rows.
        tolerance: how many bad rows may be left out.
        problems: what is wrong with the run as a whole.
    """
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
