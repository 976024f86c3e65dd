"""Classes have one name, whether the configuration gives them names or not, wherever it is seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from heads.statistics import Scored
from pipeline.evaluate import evaluate
from pipeline.evaluation.head_plan import HeadPlan
from pipeline.evaluation.predictions import predictions_table
from pipeline.readers.rows import Rows
from tests.pipeline.tables import evaluator_of, plan_of, rows_of

NAMED = "heads: {h: {type: TYPE, n_classes: 3, logits: s, label: LABEL, KEYS}}"
LABELS = {"multi_class": "y", "multi_label": "{column: hot, form: multi_hot}"}
RNG = np.random.default_rng(5)
Y = RNG.integers(0, 3, 60)
COLUMNS = {
    "s": list(RNG.normal(size=(60, 3))),
    "p": RNG.random(60),
    "y": Y,
    "two": Y % 2,
    "word": [("no", "yes")[y % 2] for y in Y],
    "hot": list(np.eye(3, dtype=int)[Y]),
}


def names_seen(text: str) -> tuple[list[str], set[str]]:
    """The names of the classes of a head, and all that are seen in its report and predictions."""
    table = pa.table(COLUMNS)
    plan = plan_of(text)
    report = evaluate(table, plan).report
    head = report["heads"]["h"]
    entry = head["slices"][0]
    seen = {
        metric.rpartition("/")[2]
        for metric in entry["metrics"]
        if metric.startswith(("weight/", "recall/", "probability_mean/"))
    }
    seen -= {"macro", "weighted", "positive", "negative", *(f"top_{k}" for k in (1, 2))}
    seen |= entry.get("class_curves", {}).keys()
    seen |= {pair[key] for pair in entry.get("most_confused", ()) for key in ("label", "predicted")}
    seen |= set(report["config"]["heads"]["h"].get("class_names", ()))

    def sink(head: HeadPlan, rows: Rows, scored: Scored) -> None:
        written = predictions_table(head, rows, scored)
        if "classes" in written.column_names:
            seen.update(written["classes"].to_pylist())

    (batch,) = table.to_batches()
    evaluator_of(plan).add(rows_of(batch), sink)
    return head["classes"], seen


@pytest.mark.parametrize("type_", list(LABELS))
@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("weight: null", ["class0", "class1", "class2"]),
        ("class_names: [ape, bee, cat]", ["ape", "bee", "cat"]),
        # Names are as they are given, also where they are numbers.
        ("class_names: ['0', '1', '2']", ["0", "1", "2"]),
    ],
)
def test_of_several_classes(type_: str, keys: str, expected: list[str]) -> None:
    text = NAMED.replace("TYPE", type_).replace("LABEL", LABELS[type_]).replace("KEYS", keys)
    classes, seen = names_seen(text)
    assert classes == expected
    assert seen == set(expected)


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("two", ["class0", "class1"]),
        ("{column: word, vocabulary: ['no', 'yes']}", ["no", "yes"]),
        ("{column: word, vocabulary: ['no', 'yes'], positive: 'no'}", ["yes", "no"]),
    ],
)
@pytest.mark.parametrize("type_", ["binary", "contrib_binary"])
def test_of_two_classes(type_: str, label: str, expected: list[str]) -> None:
    classes, seen = names_seen(f"heads: {{h: {{type: {type_}, probability: p, label: {label}}}}}")
    assert classes == expected
    assert seen == set(expected)


def test_a_class_without_a_name_goes_by_its_id_and_by_what_the_report_calls_it() -> None:
    text = NAMED.replace("TYPE", "multi_class").replace("LABEL", "y")
    for given in ("[1]", "[class1]"):
        config: Any = plan_of(text.replace("KEYS", f"class_metrics: {given}")).config.heads["h"]
        assert config.class_metrics == (1,)
