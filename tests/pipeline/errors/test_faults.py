"""What is told of data and of storage stays the same on its way between processes."""

from __future__ import annotations

import pickle

import pytest

from pipeline.errors.faults import BadData, DataFault, Misread, OutputTaken, ReadError
from pipeline.errors.problems import ConfigError, Problem

BAD = BadData(["a.parquet: row 7 is bad", "the rest\x1b"])
BAD.data_report = "out/data.json"
ERRORS = [
    BAD,
    DataFault("a.tfrecord", "truncated", "copy it again", offset=96, row=7),
    Misread("a.parquet", "wrong_format", "set 'format'", row_group=1),
    ReadError("a.parquet: cannot be read"),
    OutputTaken("out holds a run"),
    ConfigError([Problem("c.yaml", ("heads",), "is missing", 1, 2)], more=3),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_exceptions_can_be_pickled(error: Exception) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


def test_bad_data_has_a_line_for_each_reason() -> None:
    assert str(BAD) == "a.parquet: row 7 is bad\nthe rest\\x1b"
