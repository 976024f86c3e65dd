"""Rows of a pipeline as record batches, and what is wrong with those that are none."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
from apache_beam.pvalue import TaggedOutput

from heads.statistics import State, same
from pipeline.beam import row_batches
from pipeline.beam.row_batches import NO_PLACE, RowReader, ToBatches
from pipeline.errors.problems import ConfigError
from pipeline.evaluation.head_plan import identity_statistic
from pipeline.evaluation.state_key import StateKey
from pipeline.extract.folds import folds_by_key
from tests.pipeline.tables import PLAIN, evaluator_of, plan_of

SCHEMA = pa.schema({"s": pa.float64(), "y": pa.int8()})
BATCH = pa.record_batch({"s": [0.5, 1.5], "y": pa.array([0, 1], pa.int8())})
Row = namedtuple("Row", ["s", "y"])


def outputs(elements: list[Any], schema: pa.Schema | None = SCHEMA) -> tuple[list[Any], list[str]]:
    """The record batches of a bundle, and why others are none."""
    to_batches = ToBatches(schema)
    to_batches.start_bundle()
    found = [output for element in elements for output in to_batches.process(element)]
    for output in to_batches.finish_bundle():
        tagged = isinstance(output, TaggedOutput)
        value = (output.value if tagged else output).value
        found.append(TaggedOutput(output.tag, value) if tagged else value)
    failed = [output.value[1].failures for output in found if isinstance(output, TaggedOutput)]
    batches = [output for output in found if not isinstance(output, TaggedOutput)]
    return batches, [failures[NO_PLACE] for failures in failed]


@pytest.mark.parametrize(
    "rows",
    [
        [{"s": 0.5, "y": 0, "more": object()}, {"y": 1, "s": 1.5}],
        [Row(0.5, 0), Row(1.5, 1)],
        [beam.Row(s=0.5, y=0), beam.Row(s=1.5, y=1)],
    ],
    ids=["dict", "named tuple", "Beam's row"],
)
def test_rows_become_a_batch(rows: list[Any]) -> None:
    assert outputs(rows) == ([BATCH], [])


def test_batches_stay_and_rows_are_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_batches, "_TOGETHER", 2)
    rows = BATCH.to_pylist()
    found, failed = outputs([rows[0], BATCH, rows[1], rows[0]])
    assert found == [BATCH, BATCH, BATCH.slice(0, 1)]
    assert failed == []
    # What a dict lacks is missing, as in a file.
    assert outputs([{"s": 0.5}])[0][0]["y"].to_pylist() == [None]


@pytest.mark.parametrize(
    ("element", "schema", "told"),
    [
        ({"s": 1.0, "y": 0}, None, "an element is a dict: give Evaluate a 'schema'"),
        (Row(1.0, 0), None, "an element is a Row: give Evaluate a 'schema'"),
        ("1,0", SCHEMA, "an element is a str: give record batches of Arrow, or dicts and their"),
        (pa.table({"s": [1.0]}), SCHEMA, "an element is a Table: give record batches"),
        (
            {"s": "secret", "y": 0},
            SCHEMA,
            "column 's': a row has a value of the type str that does",
        ),
        ({"s": 1.0, "y": 300}, SCHEMA, "column 'y': a row has a value of the type int that does"),
    ],
)
def test_what_is_no_row_is_a_finding(element: Any, schema: pa.Schema | None, told: str) -> None:
    found, (failed,) = outputs([element], schema)
    assert found == []
    assert failed.startswith(told)
    assert "secret" not in failed


def test_batches_need_the_columns_of_the_plan() -> None:
    reader = RowReader(plan_of(PLAIN), "c.yaml")
    (rows,) = reader.rows(BATCH.append_column("more", pa.array([1, 2])))
    assert rows.batch == BATCH
    assert rows.path == NO_PLACE
    for _ in range(2):
        with pytest.raises(ConfigError, match="no column 'y' in a record batch; it has: s"):
            list(reader.rows(BATCH.select(["s"])))
        assert list(reader.rows_if_readable(BATCH.select(["s"]))) == []


def test_rows_without_a_place_are_told_apart_by_their_keys() -> None:
    """Runs are paired if they saw the same keys with the same labels, in whatever order."""
    plan = plan_of(f"confidence: {{folds: 12, key: id}}\n{PLAIN}")
    rows = pa.table({"s": np.zeros(40), "y": [0, 1] * 20, "id": np.arange(40)})
    # Other keys in the same folds.
    pool = np.arange(1000, 2000)
    folds = folds_by_key(pa.array(pool), 12)
    keys = [pool[folds == fold][0] for fold in folds_by_key(rows["id"].combine_chunks(), 12)]
    others = rows.set_column(2, "id", pa.array(keys))

    def identity(table: pa.Table) -> State:
        evaluator = evaluator_of(plan)
        for batch in table.to_batches(max_chunksize=7):
            for part in RowReader(plan, "c.yaml").rows(batch):
                evaluator.add(part)
        return evaluator.states()[StateKey("h", 0, identity_statistic(12).digest)]

    assert same(identity(rows), identity(rows.take(np.arange(40)[::-1])))
    assert not same(identity(rows), identity(others))
