"""Runs that read tensorflow-metadata, and what they write of it."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2

from pipeline.report.statistics_pb import ALL_EXAMPLES
from pipeline.runs.file_names import ANOMALIES, STATISTICS
from tests.e2e.conftest import Run, make_rows
from tests.pipeline.tables import write

CONFIG = """
slices: [{column: day, values: [0, 2]}]
heads: {click: {type: binary, logits: logit, label: label, weight: weight}}
"""
SCHEMA = """
feature { name: "logit" type: FLOAT presence { min_fraction: 1 } }
feature { name: "day" type: INT int_domain { min: 0 max: %d } }
feature { name: "country" type: BYTES }
feature { name: "label" type: INT not_in_environment: "SERVING" }
default_environment: "TRAINING"
default_environment: "SERVING"
"""
STATEMENT = """
tasks {
  name: "click"
  type { binary_classification { label: "label" example_weight: "weight" } }
}
"""


@pytest.fixture
def files(tmp_path: Path) -> str:
    (tmp_path / "data").mkdir()
    rows = make_rows(600)
    write(tmp_path / "data" / "a.parquet", rows.slice(0, 400))
    write(tmp_path / "data" / "b.parquet", rows.slice(400))
    return str(tmp_path / "data" / "*.parquet")


def anomalies(output: Path) -> anomalies_pb2.Anomalies:
    text = (output / ANOMALIES).read_text(encoding="utf-8")
    return text_format.Parse(text, anomalies_pb2.Anomalies())


@pytest.mark.usefixtures("without_beam")
def test_distributions_of_slices_are_written(files: str, tmp_path: Path, run: Run) -> None:
    assert run(files, tmp_path / "out", config=CONFIG) == 0
    content = (tmp_path / "out" / STATISTICS).read_bytes()
    found = statistics_pb2.DatasetFeatureStatisticsList.FromString(content)
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    slices = report["heads"]["click"]["slices"]
    assert {dataset.num_examples for dataset in found.datasets} == {
        entry["examples"] for entry in slices
    }
    overall = next(dataset for dataset in found.datasets if dataset.name == ALL_EXAMPLES)
    label = next(feature for feature in overall.features if list(feature.path.step) == ["label"])
    mean = slices[0]["metrics"]["label/mean"]["unweighted"]["value"]
    assert label.num_stats.mean == pytest.approx(mean, rel=1e-12)
    assert not anomalies(tmp_path / "out").anomaly_info


@pytest.mark.usefixtures("without_beam")
def test_rows_that_break_the_schema_are_bad(
    files: str, tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "schema.pbtxt").write_text(SCHEMA % 1)
    config = f"schema_file: {tmp_path}/schema.pbtxt\nenvironment: TRAINING\n{CONFIG}"
    assert run(files, tmp_path / "out", config=config) == 4
    assert "'day'" in capsys.readouterr().err
    (info,) = anomalies(tmp_path / "out").anomaly_info.values()
    assert list(info.path.step) == ["day"]
    assert info.severity == anomalies_pb2.AnomalyInfo.ERROR
    assert run(files, tmp_path / "some", config=f"max_bad_fraction: 0.9\n{config}") == 0
    days = make_rows(600)["day"].to_pylist()
    report = json.loads((tmp_path / "some" / "report.json").read_text())
    assert report["heads"]["click"]["bad_rows"] == {"above_domain:day": days.count(2)}
    assert report["heads"]["click"]["slices"][0]["examples"] == 600 - days.count(2)
    (info,) = anomalies(tmp_path / "some").anomaly_info.values()
    assert info.severity == anomalies_pb2.AnomalyInfo.WARNING


def test_files_that_break_the_schema_are_all_named(
    files: str, tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "schema.pbtxt").write_text(SCHEMA % 2)
    for name in ("c", "d"):
        rows = make_rows(20).drop(["country"]).append_column("country", pa.array(range(20)))
        write(tmp_path / "data" / f"{name}.parquet", rows)
    config = f"schema_file: {tmp_path}/schema.pbtxt\nenvironment: TRAINING\n{CONFIG}"
    assert run(files, tmp_path / "out", config=config) == 4
    said = capsys.readouterr().err
    assert "'country'" in said
    assert "c.parquet" in said
    assert "d.parquet" in said
    assert "a.parquet" not in said


@pytest.mark.parametrize(
    ("schema", "environment", "said"),
    [
        ("feature {", "TRAINING", "line 1"),
        (SCHEMA % 2, "TRAINNG", "TRAINING"),
        (None, "TRAINING", "No such file"),
    ],
)
def test_a_schema_that_cannot_be_used_is_a_mistake_of_the_configuration(
    files: str,
    tmp_path: Path,
    run: Run,
    capsys: pytest.CaptureFixture[str],
    schema: str | None,
    environment: str,
    said: str,
) -> None:
    if schema is not None:
        (tmp_path / "schema.pbtxt").write_text(schema)
    config = f"schema_file: {tmp_path}/schema.pbtxt\nenvironment: {environment}\n{CONFIG}"
    assert run(files, tmp_path / "out", config=config) == 2
    message = capsys.readouterr().err
    assert "schema_file" in message
    assert said in message


@pytest.mark.usefixtures("without_beam")
def test_a_problem_statement_stands_for_settings_of_heads(
    files: str, tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "problem.pbtxt").write_text(STATEMENT)
    stated = f"problem_statement: {tmp_path}/problem.pbtxt\n"
    slices, _, _ = CONFIG.partition("heads:")
    config = f"{stated}{slices}heads: {{click: {{logits: logit}}}}"
    assert run(files, tmp_path / "out", config=config) == 0
    assert run(files, tmp_path / "same", config=CONFIG) == 0
    reports = [(tmp_path / name / "report.json").read_bytes() for name in ("out", "same")]
    assert reports[0] == reports[1]
    other = config.replace("logits: logit", "logits: logit, label: outcome")
    assert run(files, tmp_path / "out", "--overwrite", config=other) == 2
    assert "heads.click.label" in capsys.readouterr().err
