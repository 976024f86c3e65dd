"""The table of predictions against the rows it was made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from heads.statistics import Scored
from pipeline.evaluate import evaluate
from pipeline.evaluation.head_plan import HeadPlan
from pipeline.evaluation.plan import Plan
from pipeline.evaluation.predictions import predictions_table
from pipeline.readers.rows import Rows
from tests.pipeline.tables import evaluator_of, plan_of, rows_of, values_of

N = 50


def columns(seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, N)
    three = rng.normal(0, 2, (N, 3))
    share = np.exp(three) / np.exp(three).sum(axis=1, keepdims=True)
    return {
        "s": logits,
        "p": 1 / (1 + np.exp(-logits)),
        "y": rng.integers(0, 2, N),
        "word": rng.choice(["cat", "dog"], N),
        "w": rng.uniform(0, 3, N),
        "t": list(three),
        "q": list(share),
        "z": rng.integers(0, 3, N),
        "many": [[c for c in range(3) if rng.random() < 0.5] for _ in range(N)],
    }


def losses(plan: Plan, rows: Rows) -> pa.Table:
    tables: list[pa.Table] = []

    def sink(head: HeadPlan, good: Rows, scored: Scored) -> None:
        tables.append(predictions_table(head, good, scored))

    evaluator = evaluator_of(plan)
    evaluator.add(rows, sink)
    (table,) = tables
    return table


HEADS = {
    "logits": "type: binary, logits: s, label: y, weight: w",
    "words": "type: binary, probability: p, weight: w,"
    " label: {column: word, vocabulary: [cat, dog], positive: cat}",
    "contrib": "type: contrib_binary, logits: s, label: y",
    "classes": "type: multi_class, n_classes: 3, logits: t, label: z, weight: w,"
    " class_names: [a, b, c]",
    "class probabilities": "type: multi_class, n_classes: 3, probability: q, label: z",
    "many": "type: multi_label, n_classes: 3, logits: t, label: {column: many, form: ids}",
    "many probabilities": "type: multi_label, n_classes: 3, probability: q, weight: w,"
    " label: {column: many, form: ids}",
}


@pytest.mark.parametrize("keys", HEADS.values(), ids=list(HEADS))
def test_the_weighted_mean_is_the_average_loss(keys: str) -> None:
    plan = plan_of(f"heads: {{h: {{{keys}}}}}")
    table = losses(plan, rows_of(columns()))
    loss = table["loss"].to_numpy()
    assert loss.dtype == np.float64
    weight = table["weight"].to_numpy() if "weight" in table.column_names else None
    expected = values_of(evaluate(pa.table(columns()), plan))["average_loss"]
    assert np.average(loss, weights=weight) == pytest.approx(expected, rel=1e-12)
    assert ("weight" in table.column_names) == ("weight: w" in keys)


@pytest.mark.parametrize("keys", HEADS.values(), ids=list(HEADS))
def test_predictions_of_every_row(keys: str) -> None:
    plan = plan_of(f"heads: {{h: {{{keys}}}}}")
    head = plan.heads["h"]
    given = columns()
    table = losses(plan, rows_of(given))
    row = table.to_pylist()
    assert [r["row"] for r in row] == list(range(100, 100 + N))
    assert {r["file"] for r in row} == {"a.parquet"}
    wide = head.context.columns > 1
    stored = head.config.logits or head.config.probability
    kind = "logits" if head.config.logits else "probabilities"
    assert ("logits" in table.column_names) == (kind == "logits")
    expected = [list(v) if wide else v for v in given[stored.column]]
    assert table[kind].to_pylist() == expected
    if kind == "logits":
        other = np.array(given["p"] if not wide else 1 / (1 + np.exp(-np.array(given["t"]))))
        if head.context.head == "multi_class":
            other = np.array(given["q"])
        np.testing.assert_allclose(np.array(table["probabilities"].to_pylist()), other, rtol=1e-13)
    if wide:
        assert table["probabilities"].type == pa.list_(pa.float64(), 3)
    if head.context.head == "multi_label":
        assert "class" not in table.column_names
        return
    score = np.array(given[stored.column].tolist() if not wide else given[stored.column])
    ids = score.argmax(axis=1) if wide else (score > (0 if kind == "logits" else 0.5)).astype(int)
    assert table["class_id"].to_pylist() == ids.tolist()
    names = head.context.class_names
    assert table["class"].to_pylist() == [names[i] for i in ids]


def test_names_of_classes_follow_the_positive_word() -> None:
    plan = plan_of(f"heads: {{h: {{{HEADS['words']}}}}}")
    rows = rows_of({"p": [0.9, 0.1], "word": ["cat", "dog"], "w": [1.0, 1.0]})
    table = losses(plan, rows)
    assert table["class"].to_pylist() == ["cat", "dog"]
    assert table["class_id"].to_pylist() == [1, 0]
    np.testing.assert_allclose(table["loss"].to_numpy(), -np.log([0.9, 0.9]), rtol=1e-15)


def test_a_tie_is_the_first_class() -> None:
    for keys, tie in (("logits: s", 0.0), ("probability: s", 0.5)):
        plan = plan_of(f"heads: {{h: {{type: binary, {keys}, label: y}}}}")
        table = losses(plan, rows_of({"s": [tie, np.nextafter(tie, 1)], "y": [0, 1]}))
        assert table["class_id"].to_pylist() == [0, 1]


def test_rows_that_where_leaves_out_or_that_are_bad_are_not_in_it() -> None:
    text = "heads: {h: {type: binary, logits: s, label: y}}\nwhere: [{column: k, values: [1]}]"
    rows = rows_of({"s": [1.0, None, 2.0, 3.0], "y": [1, 1, 0, 1], "k": [1, 1, 0, 1]})
    table = losses(plan_of(text), rows)
    assert table["row"].to_pylist() == [100, 103]
    assert table["logits"].to_pylist() == [1.0, 3.0]


@pytest.mark.parametrize("keys", HEADS.values(), ids=list(HEADS))
def test_no_rows_have_the_same_columns(keys: str) -> None:
    plan = plan_of(f"heads: {{h: {{{keys}}}}}")
    rows = rows_of(columns())
    none = losses(plan, rows.where(np.zeros(N, bool)))
    assert none.num_rows == 0
    assert none.schema == losses(plan, rows).schema


def test_a_loss_that_counts_for_nothing_is_still_told() -> None:
    plan = plan_of("heads: {h: {type: binary, probability: p, label: y, weight: w}}")
    table = losses(plan, rows_of({"p": [0.0, 0.5], "y": [1, 1], "w": [0.0, 1.0]}))
    assert table["loss"].to_pylist() == [np.inf, np.log(2)]
