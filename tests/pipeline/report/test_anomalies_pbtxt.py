"""Bad rows and bad files as `Anomalies`: everything is there, in one order, and parses back."""

from __future__ import annotations

import random

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2

from pipeline.report.anomalies_pbtxt import (
    ANOMALY_TYPES,
    ColumnAnomaly,
    anomalies_text,
    column_anomalies,
)
from pipeline.validation.bad_rows import BadRows, Place
from pipeline.validation.findings import Findings
from pipeline.validation.reasons import REASONS, SCHEMA_REASONS

INFO = anomalies_pb2.AnomalyInfo


def parsed(text: str) -> anomalies_pb2.Anomalies:
    return text_format.Parse(text, anomalies_pb2.Anomalies())


BAD = Findings(
    rows=1010,
    kept=1000,
    bad={
        ("h", "not_finite:score"): BadRows(30, (Place("b.parquet", 3), Place("c.parquet", 1))),
        ("g", "null:score"): BadRows(1, (Place("a.parquet", 7),)),
        ("h", "negative:w"): BadRows(2),
        ("h", "null:score"): BadRows(1, (Place("c.parquet", 1),)),
    },
)


def test_bad_rows_are_told_by_column_and_reason() -> None:
    text = anomalies_text(column_anomalies(BAD, "ERROR"), {}, rows=BAD.rows)
    found = parsed(text)
    assert set(found.anomaly_info) == {"score", "w"}
    score = found.anomaly_info["score"]
    assert list(score.path.step) == ["score"]
    assert score.severity == INFO.ERROR
    assert [(reason.type, reason.description) for reason in score.reason] == [
        (
            INFO.FLOAT_TYPE_HAS_NAN,
            "'score' is NaN or infinite in 30 rows (a share of 0.03) of head 'h':"
            " b.parquet: row 3, c.parquet: row 1, and 28 more",
        ),
        (
            INFO.FEATURE_TYPE_LOW_FRACTION_PRESENT,
            "'score' has no value in 1 row (a share of 0.001) of head 'g': a.parquet: row 7",
        ),
        (
            INFO.FEATURE_TYPE_LOW_FRACTION_PRESENT,
            "'score' has no value in 1 row (a share of 0.001) of head 'h': c.parquet: row 1",
        ),
    ]
    assert score.short_description == "2 things are wrong"
    assert score.description == "; ".join(reason.description for reason in score.reason)
    weight = found.anomaly_info["w"]
    (reason,) = weight.reason
    assert reason.type == INFO.FLOAT_TYPE_SMALL_FLOAT
    assert weight.short_description == reason.short_description == "'w' is negative"
    assert reason.description == "'w' is negative in 2 rows (a share of 0.002) of head 'h'"
    assert not found.HasField("dataset_anomaly_info")
    assert not found.data_missing


def test_one_error_makes_a_column_an_error() -> None:
    def severity(*kinds: str) -> int:
        columns = [
            ColumnAnomaly("c", "null", h, 1, 0.5, (), k) for h, k in zip("gh", kinds, strict=False)
        ]
        return parsed(anomalies_text(columns, {}, rows=2)).anomaly_info["c"].severity

    assert severity("WARNING", "WARNING") == INFO.WARNING
    assert severity("WARNING", "ERROR") == INFO.ERROR
    assert {anomaly.severity for anomaly in column_anomalies(BAD, "WARNING")} == {"WARNING"}


def test_bad_files_are_of_the_dataset() -> None:
    failures = {"b.rio": "b.rio: is cut short", "a\udcff.rio": 'a\udcff.rio: is "empty"\n'}
    text = anomalies_text([], failures, rows=0, problems=["there are no rows"])
    found = parsed(text)
    assert found.data_missing
    info = found.dataset_anomaly_info
    assert info.severity == INFO.ERROR
    assert not info.HasField("path")
    assert [
        (reason.type, reason.short_description, reason.description) for reason in info.reason
    ] == [
        (INFO.STATS_NOT_AVAILABLE, "a\\udcff.rio cannot be read", 'a\\udcff.rio: is "empty"\n'),
        (INFO.STATS_NOT_AVAILABLE, "b.rio cannot be read", "b.rio: is cut short"),
        (INFO.CUSTOM_VALIDATION, "there are no rows", "there are no rows"),
    ]


def test_many_bad_files_are_counted_past_the_first() -> None:
    failures = {f"{i:03}": f"message {i}" for i in range(50)}
    info = parsed(anomalies_text([], failures, rows=1)).dataset_anomaly_info
    assert len(info.reason) == 21
    assert info.reason[19].description == "message 19"
    assert info.reason[20].description == "30 more files cannot be read"


def test_nothing_wrong_is_an_empty_message() -> None:
    assert anomalies_text([], {}, rows=5) == ""


def test_every_reason_has_a_type_that_there_is_and_its_own_text() -> None:
    assert set(ANOMALY_TYPES) >= set(REASONS) | set(SCHEMA_REASONS)
    for reason, type_ in ANOMALY_TYPES.items():
        anomaly = ColumnAnomaly("c", reason, "h", 1, 1.0)
        (found,) = parsed(anomalies_text([anomaly], {}, rows=1)).anomaly_info["c"].reason
        assert INFO.Type.Name(found.type) == type_
        text = {**SCHEMA_REASONS, **REASONS}[reason]
        assert found.short_description == f"'c' {text}"


def test_a_reason_without_a_type_is_told_all_the_same() -> None:
    anomaly = ColumnAnomaly("c", "made of cheese", "h", 1, 1.0)
    (found,) = parsed(anomalies_text([anomaly], {}, rows=1)).anomaly_info["c"].reason
    assert found.type == INFO.CUSTOM_VALIDATION
    assert found.short_description == "'c' made of cheese"


@pytest.mark.parametrize("seed", range(5))
def test_the_text_does_not_depend_on_the_order(seed: int) -> None:
    columns = column_anomalies(BAD, "ERROR")
    failures = {f"f{i}": f"m{i}" for i in range(30)}
    problems = ["p", "q"]
    expected = anomalies_text(columns, failures, rows=1, problems=problems)
    shuffle = random.Random(seed).shuffle
    items = list(failures.items())
    for sequence in (columns, items, problems):
        shuffle(sequence)
    assert anomalies_text(columns, dict(items), rows=1, problems=problems) == expected
