"""`headcount.Evaluate`: what it refuses, and what becomes of rows that must not be reported on."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.options.pipeline_options import PipelineOptions, SetupOptions
from apache_beam.testing.util import assert_that
from apache_beam.transforms.window import FixedWindows, TimestampedValue

import headcount
from pipeline.beam.row_batches import NO_PLACE
from pipeline.beam.row_evaluation import _judge
from pipeline.config.load import as_config
from pipeline.evaluation.input_files import InputVerdict
from pipeline.evaluation.plan import make_plan
from pipeline.runs.file_names import FAILED_FILES
from pipeline.slicing.table import SliceTable
from pipeline.validation.findings import Findings
from tests.pipeline.whole_runs import table

HEAD = {"type": "binary", "logits": "s", "label": "y", "metrics": ["average_loss", "roc_auc"]}
PLAIN: dict[str, Any] = {"confidence": {"folds": 0}, "slices": ["g"], "heads": {"h": HEAD}}
KEYED = {**PLAIN, "confidence": {"key": "id"}}


def options() -> PipelineOptions:
    return PipelineOptions(["--runner=FnApiRunner"])


def plain(table: pa.Table) -> pa.Table:
    """A table of metrics without codes, in one order."""
    fields = [
        pa.field(field.name, pa.string() if pa.types.is_dictionary(field.type) else field.type)
        for field in table.schema
    ]
    order = ["head", "of", "weighted", "slice", "metric"]
    return table.cast(pa.schema(fields)).sort_by([(name, "ascending") for name in order])


def test_windows_and_dicts_without_folds() -> None:
    expected = headcount.evaluate(table(), PLAIN).to_arrow()

    def check(batches: Iterable[pa.RecordBatch]) -> None:
        found = pa.concat_tables([pa.Table.from_batches([batch]) for batch in batches])
        assert plain(found).equals(plain(expected))

    with beam.Pipeline(options=options()) as pipeline:
        rows = (
            pipeline
            | beam.Create(table().to_pylist())
            | beam.Map(lambda row: TimestampedValue(row, row["id"]))
            | beam.WindowInto(FixedWindows(10))
        )
        assert_that(rows | headcount.Evaluate(PLAIN, schema=table().schema), check)
        # Workers import headcount before they unpickle what refers to its packages.
        assert pipeline._options.view_as(SetupOptions).beam_plugins == ["headcount"]


def test_bad_rows_fail_the_pipeline_and_leave_the_data_report(tmp_path: Path) -> None:
    labels = pa.array([7, None, 1, 0])
    batch = pa.record_batch({"s": [0.5] * 4, "y": labels, "g": ["a"] * 4})
    with (
        pytest.raises(Exception, match="head 'h': 'y' is outside the range of labels in 1 row"),
        beam.Pipeline(options=options()) as pipeline,
    ):
        _ = pipeline | beam.Create([batch]) | headcount.Evaluate(PLAIN, output=tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(FAILED_FILES)
    data = json.loads((tmp_path / "out" / "data.json").read_text())
    assert data["rows"] == {"read": 4, "evaluated": 4}
    assert data["problems"][0] == "head 'h': 2 of 4 rows are bad, more than max_bad_fraction (0)"
    places = [(row["path"], row["row"], row["reason"]) for row in data["first_bad_rows"]]
    assert places == [(None, None, "null:y"), (None, None, "out_of_range:y")]


def test_states_that_the_runner_lost_are_missed() -> None:
    plan = make_plan(as_config(PLAIN)[0])
    table, found = SliceTable((), frozenset()), [(0, {NO_PLACE: Findings(rows=5, kept=4)})]
    assert _judge(InputVerdict(), plan, table, found, [("h", 4)]) == []
    for overall in ([("h", 3)], []):
        with pytest.raises(RuntimeError, match=r"evaluated 4 rows, .* the runner lost states"):
            _judge(InputVerdict(), plan, table, found, overall)


def test_it_needs_a_key_or_no_folds() -> None:
    with pytest.raises(headcount.ConfigError) as error:
        headcount.Evaluate({"heads": {"h": HEAD}})
    assert "config: confidence: rows of a PCollection have no place" in str(error.value)
    assert "'confidence.key'" in str(error.value)
    assert "'folds: 0'" in str(error.value)


GATE = {"metric": "roc_auc", "max_drop": 0.1, "against": "run"}


@pytest.mark.parametrize(
    ("gates", "against", "told"),
    [
        ([GATE], None, r"gates: gates\[0\]: compares with another run: give --against DIR"),
        ([{"metric": "roc_auk", "at_least": 0.5}], None, r"gates\[0\].metric: .* 'roc_auc'"),
        ([{"metric": "roc_auc", "at_least": 0.5}], "there", "no gate compares with there"),
    ],
)
def test_gates_fit_the_configuration(gates: Any, against: str | None, told: str) -> None:
    with pytest.raises(headcount.ConfigError, match=told):
        headcount.Evaluate(KEYED, output="out", gates=gates, against=against)
    # Without an output there is no run that is judged.
    if gates == [GATE]:
        headcount.Evaluate(KEYED, gates=gates)
    headcount.Evaluate(KEYED, output="out", gates=[GATE], against="none")


@pytest.mark.parametrize(
    ("schema", "error", "told"),
    [
        (
            {"s": pa.float64(), "g": pa.string()},
            headcount.ConfigError,
            "no column 'y' in the schema",
        ),
        ({"s": pa.string(), "y": pa.int64(), "g": pa.string()}, headcount.ConfigError, "heads.h: "),
        (["s", "y"], TypeError, "schema is an Arrow schema, or a dict of Arrow types, not a list"),
    ],
)
def test_the_schema_fits_the_configuration(schema: Any, error: type[Exception], told: str) -> None:
    with pytest.raises(error) as raised:
        headcount.Evaluate(PLAIN, schema=schema)
    assert told in str(raised.value)


def test_an_output_that_holds_a_run_is_refused_before_rows_are_read(tmp_path: Path) -> None:
    headcount.evaluate(table(), PLAIN).save(tmp_path)
    rows = beam.Pipeline(options=options()) | beam.Create([1])
    with pytest.raises(headcount.OutputTaken, match="holds a run"):
        _ = rows | headcount.Evaluate(PLAIN, output=tmp_path)
    rows.is_bounded = False
    with pytest.raises(ValueError, match="takes a bounded PCollection"):
        _ = rows | "Again" >> headcount.Evaluate(PLAIN)
