"""The table of predictions against the heads, the report, and formulas of NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy.special import expit, softmax

from heads import BinaryClassHead, MultiClassHead, MultiLabelHead, binary_classification_head
from heads.base import BaseHead
from heads.statistics import Scored
from heads.statistics.cuts import ScoreKind
from pipeline.config.fields import default_names
from pipeline.evaluate import evaluate
from pipeline.evaluation.head_plan import HeadPlan
from pipeline.evaluation.plan import Plan
from pipeline.evaluation.predictions import predictions_table
from pipeline.readers.rows import Rows
from tests.pipeline.tables import evaluator_of, plan_of, rows_of, slices_of, values_of

N = 50
COLORS = ["red", "green", "blue"]
RNG = np.random.default_rng(0)
LOGITS = RNG.normal(0, 2, (N, 1))
CLASS_LOGITS = RNG.normal(0, 2, (N, 3))
IDS = RNG.integers(0, 3, (N, 1))
ANIMALS = RNG.choice(["cat", "dog"], N)
SOFT = RNG.uniform(0, 1, (N, 1)).round(2)
HARD = RNG.integers(0, 2, (N, 1))
SHARES = RNG.uniform(0, 1, (N, 3)).round(2)
PRESENT = RNG.random((N, 3)) < 0.5
WEIGHTS = RNG.uniform(0, 3, N)
COLUMNS: dict[str, Any] = {
    "logit": LOGITS.ravel(),
    "p": expit(LOGITS).ravel(),
    "class_logits": list(CLASS_LOGITS),
    "softmax": list(softmax(CLASS_LOGITS, axis=1)),
    "sigmoid": list(expit(CLASS_LOGITS)),
    "hard": HARD.ravel(),
    "soft": SOFT.ravel(),
    "animal": ANIMALS,
    "id": IDS.ravel(),
    "color": [COLORS[i] for i in IDS.ravel()],
    "shares": list(SHARES),
    "ids": [np.flatnonzero(row) for row in PRESENT],
    "colors": [[COLORS[i] for i in np.flatnonzero(row)] for row in PRESENT],
    "w": WEIGHTS,
}

NUMBER, THREE = pa.float64(), pa.list_(pa.float64(), 3)
PREDICTED = {"class_ids": pa.int64(), "classes": pa.dictionary(pa.int32(), pa.string())}
BINARY = {
    "label": NUMBER,
    "logits": NUMBER,
    "logistic": NUMBER,
    "probabilities": pa.list_(pa.float64(), 2),
    **PREDICTED,
}
TYPES: dict[str, dict[str, pa.DataType]] = {
    "binary": BINARY,
    "contrib_binary": BINARY,
    "multi_class": {"label": pa.int64(), "logits": THREE, "probabilities": THREE, **PREDICTED},
    "multi_label": {"label": THREE, "logits": THREE, "probabilities": THREE},
}
"""The label and the predictions of each type of head; `logits` only where they are stored."""


@dataclass(frozen=True)
class Case:
    """A head as the configuration says it, and the same head with its inputs as arrays.

    Attributes:
        keys: the configuration of the head.
        head: the head.
        scores: `[n, k]`.
        labels: `[n, 1]`, or `[n, k]` for several labels.
        weights: `[n]`, or None.
    """

    keys: str
    head: BaseHead
    scores: np.ndarray[Any, Any]
    labels: np.ndarray[Any, Any]
    weights: np.ndarray[Any, Any] | None = None

    @property
    def plan(self) -> Plan:
        return plan_of(f"heads: {{h: {{{self.keys}}}}}")

    @property
    def kind(self) -> ScoreKind:
        return "logits" if "logits: " in self.keys else "probabilities"


CASES = {
    "binary logits, weighted": Case(
        "type: binary, logits: logit, label: hard, weight: w",
        BinaryClassHead(label_vocabulary=default_names(2)),
        LOGITS,
        HARD,
        WEIGHTS,
    ),
    "binary logits, soft labels": Case(
        "type: binary, logits: logit, label: soft",
        BinaryClassHead(label_vocabulary=default_names(2)),
        LOGITS,
        SOFT,
    ),
    "binary probability, words, weighted": Case(
        "type: binary, probability: p, weight: w,"
        " label: {column: animal, vocabulary: [cat, dog], positive: cat}",
        BinaryClassHead(label_vocabulary=["dog", "cat"]),
        expit(LOGITS),
        (ANIMALS == "cat")[:, np.newaxis],
        WEIGHTS,
    ),
    "binary probability, soft labels, weighted": Case(
        "type: binary, probability: p, label: soft, weight: w",
        BinaryClassHead(label_vocabulary=default_names(2)),
        expit(LOGITS),
        SOFT,
        WEIGHTS,
    ),
    "contrib logits": Case(
        "type: contrib_binary, logits: logit, label: hard",
        binary_classification_head(label_vocabulary=default_names(2)),
        LOGITS,
        HARD,
    ),
    "contrib probability, words, weighted": Case(
        "type: contrib_binary, probability: p, weight: w,"
        " label: {column: animal, vocabulary: [cat, dog]}",
        binary_classification_head(label_vocabulary=["cat", "dog"]),
        expit(LOGITS),
        (ANIMALS == "dog")[:, np.newaxis],
        WEIGHTS,
    ),
    "class logits, names, weighted": Case(
        "type: multi_class, n_classes: 3, logits: class_logits, label: id, weight: w,"
        " class_names: [a, b, c]",
        MultiClassHead(3, label_vocabulary=["a", "b", "c"]),
        CLASS_LOGITS,
        IDS,
        WEIGHTS,
    ),
    "class logits, words": Case(
        "type: multi_class, n_classes: 3, logits: class_logits,"
        " label: {column: color, vocabulary: [red, green, blue]}",
        MultiClassHead(3, label_vocabulary=COLORS),
        CLASS_LOGITS,
        IDS,
    ),
    "class probabilities": Case(
        "type: multi_class, n_classes: 3, probability: softmax, label: id",
        MultiClassHead(3, label_vocabulary=default_names(3)),
        softmax(CLASS_LOGITS, axis=1),
        IDS,
    ),
    "label logits, ids": Case(
        "type: multi_label, n_classes: 3, logits: class_logits, label: {column: ids, form: ids}",
        MultiLabelHead(3),
        CLASS_LOGITS,
        PRESENT,
    ),
    "label logits, soft labels, weighted": Case(
        "type: multi_label, n_classes: 3, logits: class_logits, weight: w,"
        " label: {column: shares, form: multi_hot}",
        MultiLabelHead(3),
        CLASS_LOGITS,
        SHARES,
        WEIGHTS,
    ),
    "label probabilities, names, weighted": Case(
        "type: multi_label, n_classes: 3, probability: sigmoid, weight: w,"
        " label: {column: colors, form: names, vocabulary: [red, green, blue]}",
        MultiLabelHead(3, label_vocabulary=COLORS),
        expit(CLASS_LOGITS),
        PRESENT,
        WEIGHTS,
    ),
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))


def table_of(plan: Plan, rows: Rows) -> pa.Table:
    tables: list[pa.Table] = []

    def sink(head: HeadPlan, good: Rows, scored: Scored) -> None:
        tables.append(predictions_table(head, good, scored))

    evaluator_of(plan).add(rows, sink)
    (table,) = tables
    return table


def plain(values: np.ndarray[Any, Any]) -> list[Any]:
    """Values `[n, width]` as a column has them: a list a row, or what is in lists of one."""
    listed: list[Any] = values.tolist()
    return [row[0] for row in listed] if values.shape[1] == 1 else listed


@every_case
def test_columns_and_their_types(case: Case) -> None:
    rows = rows_of(COLUMNS)
    schema = table_of(case.plan, rows).schema
    types = {name: schema.field(name).type for name in schema.names}
    expected = {"row": pa.int64(), **TYPES[case.head.context.head], "loss": NUMBER}
    if case.kind == "probabilities":
        del expected["logits"]
    if case.weights is not None:
        expected["weight"] = NUMBER
    assert list(types) == ["file", *expected]
    assert types.pop("file") == pa.dictionary(pa.int64(), pa.string())
    assert types == expected
    # Another batch has the same columns, one without rows too.
    none = table_of(case.plan, rows.where(np.zeros(N, bool)))
    assert none.num_rows == 0
    assert none.schema == schema


@every_case
def test_values_are_those_of_the_head(case: Case) -> None:
    table = table_of(case.plan, rows_of(COLUMNS))
    assert table["file"].to_pylist() == ["a.parquet"] * N
    assert table["row"].to_pylist() == list(range(100, 100 + N))
    assert table["label"].to_pylist() == plain(case.labels)
    scored = case.head.score(case.scores, case.labels.astype(float), case.weights, case.kind)
    for name, values in case.head.row_predictions(scored).items():
        assert table[name].to_pylist() == plain(values), name
    assert table["loss"].to_pylist() == scored.loss.tolist()
    if case.weights is not None:
        assert table["weight"].to_pylist() == case.weights.tolist()


@pytest.mark.parametrize("name", [name for name in CASES if "logits" in name])
def test_stored_logits_give_what_the_estimator_gives(name: str) -> None:
    case = CASES[name]
    table = table_of(case.plan, rows_of(COLUMNS))
    predictions = case.head.predictions(case.scores)
    for key in TYPES[case.head.context.head].keys() - {"label"}:
        values = predictions[key]
        # But for its float32.
        if values.dtype.kind == "f":
            found = np.array(table[key].to_pylist()).reshape(values.shape)
            np.testing.assert_allclose(found, values, rtol=1e-5, err_msg=key)
        else:
            assert table[key].to_pylist() == plain(values), key


@pytest.mark.parametrize(
    ("name", "probabilities"),
    [
        ("binary logits, soft labels", expit(np.hstack([-LOGITS, LOGITS]))),
        ("binary probability, words, weighted", expit(np.hstack([-LOGITS, LOGITS]))),
        ("contrib logits", expit(np.hstack([-LOGITS, LOGITS]))),
        ("class logits, words", softmax(CLASS_LOGITS, axis=1)),
        ("class probabilities", softmax(CLASS_LOGITS, axis=1)),
        ("label logits, ids", expit(CLASS_LOGITS)),
        ("label probabilities, names, weighted", expit(CLASS_LOGITS)),
    ],
)
def test_probabilities_are_those_of_scipy(name: str, probabilities: np.ndarray[Any, Any]) -> None:
    table = table_of(CASES[name].plan, rows_of(COLUMNS))
    found = np.array(table["probabilities"].to_pylist())
    np.testing.assert_allclose(found, probabilities, rtol=1e-13)
    if "class_ids" in table.column_names:
        assert table["class_ids"].to_pylist() == probabilities.argmax(axis=1).tolist()
    if "logistic" in table.column_names:
        assert table["logistic"].to_pylist() == found[:, 1].tolist()


@every_case
def test_the_weighted_mean_of_the_loss_is_the_average_loss(case: Case) -> None:
    table = table_of(case.plan, rows_of(COLUMNS))
    weight = table["weight"].to_numpy() if "weight" in table.column_names else None
    expected = values_of(evaluate(pa.table(COLUMNS), case.plan))["average_loss"]
    mean = np.average(table["loss"].to_numpy(), weights=weight)
    assert mean == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", ["class logits, words", "class probabilities"])
def test_classes_are_those_of_the_confusion_matrix(name: str) -> None:
    plan = CASES[name].plan
    table = table_of(plan, rows_of(COLUMNS))
    counts = np.zeros((3, 3), int)
    np.add.at(counts, (table["label"].to_numpy(), table["class_ids"].to_numpy()), 1)
    overall = slices_of(evaluate(pa.table(COLUMNS), plan))[None]
    assert overall["confusion_matrix"] == counts.tolist()


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith(("binary", "contrib"))])
def test_classes_of_a_binary_head_are_those_of_its_counts(name: str) -> None:
    plan = CASES[name].plan
    table = table_of(plan, rows_of(COLUMNS))
    label, called = table["label"].to_numpy(), table["class_ids"].to_numpy()
    weight = table["weight"].to_numpy() if "weight" in table.column_names else np.ones(N)
    # A label between 0 and 1 counts as positive where the estimator does: it is not 0.
    positive = label != 0
    true_positives = (weight * positive * called).sum()
    found = values_of(evaluate(pa.table(COLUMNS), plan))
    assert found["precision"] == pytest.approx(true_positives / (weight * called).sum(), rel=1e-6)
    assert found["recall"] == pytest.approx(true_positives / (weight * positive).sum(), rel=1e-6)
    assert found["accuracy"] == pytest.approx(np.average(label == called, weights=weight), rel=1e-6)


@pytest.mark.parametrize(
    ("positive", "classes", "labels", "losses"),
    [("cat", ["cat", "dog"], [1, 0], [0.9, 0.9]), ("dog", ["dog", "cat"], [0, 1], [0.1, 0.1])],
)
def test_names_of_classes_follow_the_positive_word(
    positive: str, classes: Sequence[str], labels: Sequence[int], losses: Sequence[float]
) -> None:
    label = f"label: {{column: word, vocabulary: [cat, dog], positive: {positive}}}"
    plan = plan_of(f"heads: {{h: {{type: binary, probability: p, {label}}}}}")
    table = table_of(plan, rows_of({"p": [0.9, 0.1], "word": ["cat", "dog"]}))
    assert table["class_ids"].to_pylist() == [1, 0]
    assert table["classes"].to_pylist() == classes
    assert table["label"].to_pylist() == labels
    np.testing.assert_allclose(table["loss"].to_numpy(), -np.log(losses), rtol=1e-15)


def test_predictions_of_two_models_are_those_of_the_candidate() -> None:
    keys = "type: binary, logits: logit, label: hard"
    alone = table_of(plan_of(f"heads: {{h: {{{keys}}}}}"), rows_of(COLUMNS))
    beside = f"heads: {{h: {{{keys}, baseline: {{probability: soft}}}}}}"
    assert table_of(plan_of(beside), rows_of(COLUMNS)).equals(alone)


def test_a_tie_is_the_first_class() -> None:
    for keys, tie in (("logits: s", 0.0), ("probability: s", 0.5)):
        plan = plan_of(f"heads: {{h: {{type: binary, {keys}, label: y}}}}")
        table = table_of(plan, rows_of({"s": [tie, np.nextafter(tie, 1)], "y": [0, 1]}))
        assert table["class_ids"].to_pylist() == [0, 1]


def test_rows_that_where_leaves_out_or_that_are_bad_are_not_in_it() -> None:
    text = "heads: {h: {type: binary, logits: s, label: y}}\nwhere: [{column: k, values: [1]}]"
    rows = rows_of({"s": [1.0, None, 2.0, 3.0], "y": [1, 1, 0, 1], "k": [1, 1, 0, 1]})
    table = table_of(plan_of(text), rows)
    assert table["row"].to_pylist() == [100, 103]
    assert table["logits"].to_pylist() == [1.0, 3.0]


def test_a_loss_that_counts_for_nothing_is_still_told() -> None:
    plan = plan_of("heads: {h: {type: binary, probability: p, label: y, weight: w}}")
    table = table_of(plan, rows_of({"p": [0.0, 0.5], "y": [1, 1], "w": [0.0, 1.0]}))
    assert table["loss"].to_pylist() == [np.inf, np.log(2)]
