"""What is wrong with data comes with what to do, and what is to be done mends it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipeline.errors.faults import BadData
from pipeline.errors.problems import ConfigError
from pipeline.evaluate import evaluate
from tests.pipeline.tables import plan_of, write

BINARY = "{type: binary, probability: s, label: y}"
LOGITS = "{type: binary, logits: s, label: y}"
CLASSES = "{type: multi_class, n_classes: 4, probability: s, label: y}"
LABELS = "{type: multi_label, n_classes: 4, probability: s, label: {column: y, form: FORM}}"
POISSON = "{type: poisson, prediction: s, label: y}"
QUARTERS = [0.25] * 4


def told(head: str, columns: dict[str, Any], *, shown: bool = False) -> str:
    plan = replace(plan_of(f"heads: {{h: {head}}}"), debug_samples=shown)
    with pytest.raises((BadData, ConfigError)) as caught:
        evaluate(pa.table(columns), plan)
    return str(caught.value)


@pytest.mark.parametrize(
    ("head", "columns", "advice", "mended"),
    [
        (
            BINARY,
            {"s": [0.5, 0.5], "y": ["no", "yes"]},
            "label: {column: y, vocabulary: [NEGATIVE, POSITIVE]}",
            BINARY.replace("label: y", "label: {column: y, vocabulary: ['no', 'yes']}"),
        ),
        (
            CLASSES,
            {"s": [QUARTERS], "y": ["a"]},
            "label: {column: y, vocabulary: [CLASS_0, CLASS_1, ...]}",
            CLASSES.replace("label: y", "label: {column: y, vocabulary: [a, b, c, d]}"),
        ),
        (
            LABELS.replace("FORM", "ids"),
            {"s": [QUARTERS], "y": [["a", "c"]]},
            "label: {column: y, form: names, vocabulary: [CLASS_0, CLASS_1, ...]}",
            LABELS.replace("FORM", "names, vocabulary: [a, b, c, d]"),
        ),
        (
            BINARY.replace("label: y", "label: {column: y, vocabulary: [a, b]}"),
            {"s": [0.5, 0.5], "y": [True, False]},
            "write label: y",
            BINARY,
        ),
        (
            CLASSES.replace("label: y", "label: {column: y, vocabulary: [a, b, c, d]}"),
            {"s": [QUARTERS], "y": [3]},
            "write label: y, and the names of the classes as class_names",
            CLASSES.replace("label: y", "label: y, class_names: [a, b, c, d]"),
        ),
        (
            LABELS.replace("FORM", "names, vocabulary: [a, b, c, d]"),
            {"s": [QUARTERS], "y": [[3]]},
            "write label: {column: y, form: ids}",
            LABELS.replace("FORM", "ids"),
        ),
        (BINARY, {"s": [3.5, -1.0], "y": [0, 1]}, "write logits: s", LOGITS),
        (
            CLASSES,
            {"s": [[3.0, 0.0, 0.0, -1.0]], "y": [0]},
            "write logits: s",
            CLASSES.replace("probability", "logits"),
        ),
        (
            BINARY,
            {"s": [[0.75, 0.25]], "y": [0]},
            "write probability: {column: s, index: 1}",
            BINARY.replace("probability: s", "probability: {column: s, index: 1}"),
        ),
        (
            BINARY.replace("probability: s", "probability: {column: s, index: 1}"),
            {"s": [0.25], "y": [0]},
            "for one of numbers write s alone",
            BINARY,
        ),
        (
            CLASSES,
            {"s": [[0.2] * 5], "y": [0]},
            "(5 values) in 1 row: table: row 0\n  what to do: n_classes is 4, and a list has a"
            " number for each class; if there are so many classes, write n_classes: 5",
            CLASSES.replace("4", "5"),
        ),
        (
            CLASSES,
            {"s": [QUARTERS], "y": [[0, 1, 0, 1]]},
            "type: multi_label with label: {column: y, form: multi_hot}",
            LABELS.replace("FORM", "multi_hot"),
        ),
        (
            LABELS.replace("FORM", "multi_hot"),
            {"s": [QUARTERS], "y": [[0, 3]]},
            "label: {column: y, form: ids}",
            LABELS.replace("FORM", "ids"),
        ),
        (
            LABELS.replace("FORM", "multi_hot"),
            {"s": [QUARTERS], "y": [[0, 1, 2, 3]]},
            "label: {column: y, form: ids}",
            LABELS.replace("FORM", "ids"),
        ),
        (
            LABELS.replace("FORM", "ids"),
            {"s": [QUARTERS], "y": [[0.5, 0.0, 0.0, 1.0]]},
            "label: {column: y, form: multi_hot}",
            LABELS.replace("FORM", "multi_hot"),
        ),
        (
            POISSON,
            {"s": [-0.5], "y": [2]},
            "write logits: s",
            POISSON.replace("prediction", "logits"),
        ),
        (
            POISSON.replace("prediction", "logits"),
            {"s": [1000.0], "y": [2]},
            "write prediction: s",
            POISSON,
        ),
        (
            POISSON,
            {"s": [1.0], "y": [-1]},
            "type: regression",
            POISSON.replace("poisson", "regression"),
        ),
        (
            "{type: regression, prediction: s, label: y, lower: high, upper: low}",
            {"s": [1.0], "y": [1.0], "low": [0.0], "high": [2.0]},
            "write lower: low and upper: high",
            "{type: regression, prediction: s, label: y, lower: low, upper: high}",
        ),
        (
            "{type: logistic_regression, logits: s, label: y}",
            {"s": [1.0], "y": [7.0]},
            "type: regression",
            "{type: regression, logits: s, label: y}",
        ),
    ],
)
def test_what_is_to_be_done_mends_it(
    head: str, columns: dict[str, Any], advice: str, mended: str
) -> None:
    assert advice in told(head, columns)
    assert evaluate(pa.table(columns), plan_of(f"heads: {{h: {mended}}}")).report


@pytest.mark.parametrize(
    ("head", "columns", "advice"),
    [
        (BINARY, {"s": ["0.5"], "y": [0]}, "store it as numbers"),
        (BINARY, {"s": [{"a": 1.0}], "y": [0]}, "store the field that you mean as a column"),
        (BINARY, {"s": [0.5], "y": [datetime(2026, 1, 1)]}, "dates and times are for slices"),
        (BINARY, {"s": [[[0.5]]], "y": [0]}, "no lists in lists"),
        (BINARY, {"s": [0.5], "y": [-1]}, "store -1 and 1, or 1 and 2, as 0 and 1"),
        (BINARY, {"s": [50.0], "y": [1]}, "if it holds percentages, divide them by 100"),
        (BINARY, {"s": [0.5], "y": [None]}, "write a value"),
        (BINARY, {"s": [float("nan")], "y": [1]}, "store a finite number"),
        (BINARY, {"s": [0.5], "y": [float("nan")]}, "'y' is NaN or infinite in 1 row"),
        (CLASSES, {"s": [QUARTERS], "y": [float("nan")]}, "'y' is NaN or infinite in 1 row"),
        (CLASSES, {"s": [QUARTERS], "y": [4]}, "ids that begin with 1 must be stored less 1"),
        (CLASSES, {"s": [QUARTERS], "y": [0.5]}, "class ids are whole numbers from 0 to 3"),
        (CLASSES, {"s": [0.5], "y": [0]}, "one for each of the 4 classes, as one list"),
        (LABELS.replace("FORM", "ids"), {"s": [QUARTERS], "y": [0]}, "as one list"),
        (
            BINARY.replace("probability: s", "probability: {column: s, index: 2}"),
            {"s": [[0.5, 0.5]], "y": [0]},
            "'index' is 2, counted from 0, and needs a list of 3 values or more",
        ),
        (
            LOGITS.replace("label: y", "label: y, weight: s"),
            {"s": [5.0, -0.5], "y": [0, 1]},
            "a weight is 0 or more",
        ),
    ],
)
def test_what_the_data_have_to_be_is_said(head: str, columns: dict[str, Any], advice: str) -> None:
    assert advice in told(head, columns)


def test_words_and_numbers_of_rows_are_shown_on_demand_alone() -> None:
    head = BINARY.replace("label: y", "label: {column: y, vocabulary: ['no', 'yes']}")
    words = {"s": [0.5, 0.5, 0.5], "y": ["no", "Yes", "yse"]}
    assert told(head, words, shown=True).startswith(
        "head 'h': 2 of 3 rows are bad, more than max_bad_fraction (0)\n"
        "head 'h': 'y' is not in the vocabulary ('Yes', 'yse') in 2 rows: table: rows 1, 2\n"
    )
    assert "'Yes' is near 'yes', 'yse' is near 'yes'" in told(head, words, shown=True)
    assert "Yes" not in told(head, words)
    numbers = {"s": [0.5, 0.5], "y": [-8, 9]}
    assert "(from -8 to 9) in 2 rows" in told(BINARY, numbers, shown=True)
    assert "-8" not in told(BINARY, numbers)
    # Of words that are no text, nothing is shown but the words.
    lists = {"s": [[0.5, 0.5, 77.0, 0.25]], "y": [0]}
    assert "(from 0.25 to 77) in 1 row" in told(CLASSES, lists, shown=True)


def test_names_of_columns_are_quoted_where_yaml_needs_it() -> None:
    head = "{type: binary, probability: s, label: 'my label'}"
    text = told(head, {"s": [0.5], "my label": ["a"]})
    assert 'label: {column: "my label", vocabulary: [NEGATIVE, POSITIVE]}' in text


def test_words_of_labels_are_shown_on_demand_alone(tmp_path: Path) -> None:
    rows: dict[str, Any] = {
        "s": [0.5] * 4,
        "y": ["no", "yes", None, "not yet"],
        "t": [["b"], [], ["a"], None],
    }
    write(tmp_path / "a.parquet", pa.table(rows))
    text = f"heads: {{h: {BINARY}, k: {BINARY.replace('label: y', 'label: t')}}}"
    for shown in (False, True):
        with pytest.raises(ConfigError) as caught:
            evaluate(str(tmp_path / "*"), replace(plan_of(text), debug_samples=shown))
        told = str(caught.value)
        for column, words in (("y", '[no, "not yet", yes]'), ("t", "[a, b]")):
            line = f"the first rows of '{column}' in {tmp_path}/a.parquet have the words {words}"
            assert (line in told) == shown
        assert ("yes" in told) == shown
    # Of many words a vocabulary would be no vocabulary.
    write(tmp_path / "a.parquet", pa.table({"s": [0.5] * 30, "y": [f"w{i}" for i in range(30)]}))
    with pytest.raises(ConfigError) as caught:
        evaluate(
            str(tmp_path / "*"), replace(plan_of(f"heads: {{h: {BINARY}}}"), debug_samples=True)
        )
    assert "w7" not in str(caught.value)
