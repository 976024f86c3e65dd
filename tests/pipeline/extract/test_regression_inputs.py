"""Predictions, labels and intervals of regression heads, and which rows are bad."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipeline.errors.faults import ColumnError
from pipeline.extract.head_inputs import extract, first_faults, type_problems
from tests.pipeline.tables import head_of, rows_of

INTERVALS = "lower: l, upper: u, baseline: {prediction: b, lower: l2, upper: u}"


def reasons(keys: str, columns: dict[str, Any]) -> list[str | None]:
    """Returns the first reason for which each row is bad; None for a good one."""
    rows = rows_of(columns)
    found: list[str | None] = [None] * len(rows)
    _, faults = first_faults(extract(head_of(keys), rows).faults, len(rows))
    for reason, mask in faults:
        for place in np.flatnonzero(mask):
            found[place] = reason
    return found


def test_numbers_are_taken_as_they_are() -> None:
    columns = {
        "p": [[1, -2.5], [3, 4.0]],
        "y": [7, -3],
        "w": [0.5, 2.0],
        "l": [0.0, 1.0],
        "u": [1.0, 1.0],
        "b": [5.0, 6.0],
        "l2": [-1.0, -2.0],
    }
    keys = (
        f"type: regression, prediction: {{column: p, index: 1}}, label: y, weight: w, {INTERVALS}"
    )
    found = extract(head_of(keys), rows_of(columns))
    assert found.faults == []
    assert found.scores.tolist() == [[-2.5], [4.0]]
    assert found.labels.tolist() == [[7.0], [-3.0]]
    assert found.baseline is not None
    assert found.baseline.tolist() == [[5.0], [6.0]]
    candidate, baseline = found.intervals
    assert candidate is not None
    assert baseline is not None
    assert candidate.tolist() == [[0.0, 1.0], [1.0, 1.0]]
    assert baseline.tolist() == [[-1.0, 1.0], [-2.0, 1.0]]
    kept = found.without(np.array([True, False]))
    assert kept.intervals[0] is not None
    assert kept.intervals[0].tolist() == [[1.0, 1.0]]
    assert head_of(keys).columns() == {"p", "y", "w", "l", "u", "b", "l2"}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("regression", [None, None, None, "null:y", "not_finite:y", "not_finite:p"]),
        ("poisson", ["negative:y", None, None, "null:y", "not_finite:y", "not_finite:p"]),
        (
            "logistic_regression",
            ["out_of_range:y", "out_of_range:y", None, "null:y", "not_finite:y", "not_finite:p"],
        ),
    ],
)
def test_labels_are_in_the_range_of_the_head(kind: str, expected: list[str | None]) -> None:
    columns = {
        "p": [0.5] * 5 + [math.nan],
        "y": [-1.0, 2.0, 0.5, None, math.inf, 0.5],
    }
    assert reasons(f"type: {kind}, prediction: p, label: y", columns) == expected


def test_predictions_are_in_the_range_of_the_head() -> None:
    columns = {"p": [-0.5, 0.0, 1.0, 1.5, 709.0, 710.0], "y": [1.0] * 6}

    def of(kind: str, score: str) -> list[str | None]:
        return reasons(f"type: {kind}, {score}: p, label: y", columns)

    outside = "not_a_probability:p"
    assert of("regression", "prediction") == of("regression", "logits") == [None] * 6
    assert of("poisson", "prediction") == ["negative:p", *[None] * 5]
    assert of("poisson", "logits") == [*[None] * 5, "too_large:p"]
    assert of("logistic_regression", "prediction") == [outside, None, None, *[outside] * 3]
    assert of("logistic_regression", "logits") == [None] * 6


def test_ends_of_an_interval_are_in_order() -> None:
    columns = {
        "p": [0.0] * 5,
        "y": [0.0] * 5,
        "b": [0.0] * 5,
        "l": [0.0, 1.0, 2.0, None, math.inf],
        "u": [1.0, 1.0, 1.0, 1.0, 1.0],
        "l2": [2.0, 0.0, 0.0, 0.0, 0.0],
    }
    assert reasons(f"type: regression, prediction: p, label: y, {INTERVALS}", columns) == [
        "above_upper:l2",
        None,
        "above_upper:l",
        "null:l",
        "not_finite:l",
    ]


def test_columns_of_words_are_refused() -> None:
    words = pa.array(["a", "b"])
    rows = rows_of({"p": words, "y": words, "l": words, "u": words, "b": words, "l2": words})
    head = head_of(f"type: regression, prediction: p, label: y, {INTERVALS}")
    with pytest.raises(ColumnError, match="column 'p' is string, and numbers are needed"):
        extract(head, rows)
    assert len(type_problems(head, rows)) == 5
