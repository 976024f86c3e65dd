"""From states to results: every number in its slice, and a reason where there is none."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from heads.metrics.core.context import MAX_MATRIX_CLASSES
from heads.statistics import Scored, Segments
from heads.statistics.measure import measure_state
from pipeline.evaluate import evaluate
from pipeline.evaluation.state_key import StateKey
from pipeline.results import details
from pipeline.results.compute import compute
from pipeline.slicing.table import SliceTable
from tests.pipeline.tables import plan_of, reason_of, slices_of, values_of

BINARY = "slices: [c]\nheads: {h: {type: binary, logits: s, label: y, weight: w}}"
NO_SLICES = SliceTable((), frozenset())
A, B = (("c", "string", name) for name in "ab")


def table_of(
    scores: list[float], labels: list[float], weights: list[float], groups: str
) -> pa.Table:
    return pa.table({"s": scores, "y": labels, "w": weights, "c": list(groups)})


def test_every_metric_is_computed_in_every_slice() -> None:
    plan = plan_of(BINARY)
    table = table_of([1, -1, 2, -3], [1, 0, 1, 0], [1, 2, 3, 4], "aabb")
    evaluation = evaluate(table, plan)
    found = {key: values_of(evaluation, key=key) for key in (A, B)}
    assert set(found[A]) == set(found[B]) == set(plan.heads["h"].models[0].metrics)
    assert found[A]["label/mean"] == pytest.approx(1 / 3, rel=1e-15)
    assert found[B]["label/mean"] == pytest.approx(3 / 7, rel=1e-15)
    assert found[A]["accuracy"] == found[B]["roc_auc"] == 1.0
    # Plain floats, which JSON can write.
    kinds = {type(value) for metrics in found.values() for value in metrics.values()}
    assert kinds == {float, type(None)}


def test_examples_are_rows_whatever_they_weigh() -> None:
    found = slices_of(evaluate(table_of([1, 1, 1], [1, 0, 1], [0, 0, 5], "aab"), plan_of(BINARY)))
    assert {key: entry["examples"] for key, entry in found.items()} == {None: 3, A: 2, B: 1}


def test_undefined_values_have_reasons() -> None:
    found = evaluate(table_of([1, -1, 1], [1, 1, 0], [2, 2, 0], "aab"), plan_of(BINARY))
    assert reason_of(found, "roc_auc", key=A) == "no label is zero"
    assert values_of(found, key=A)["recall"] == 0.5
    assert reason_of(found, "average_loss", key=B) == "the weights sum to zero"
    assert reason_of(found, "accuracy", key=B) == "the weights sum to zero"
    assert reason_of(found, "precision", key=B) == "nothing is predicted positive"
    assert reason_of(found, "recall", key=B) == "no label is positive"
    # Rows without their weights have values there.
    metrics = slices_of(found)[B]["metrics"]
    assert metrics["accuracy"]["unweighted"]["value"] == 0.0
    assert metrics["recall"]["unweighted"]["reason"] == "no label is positive"


@pytest.mark.parametrize(
    ("losses", "reason"),
    [
        ([math.inf, 1.0], "the value is infinite"),
        ([-math.inf], "the value is infinite"),
        ([math.inf, -math.inf], "the value is not a number"),
        ([math.nan], "the value is not a number"),
    ],
)
def test_values_that_json_cannot_write_have_reasons(losses: list[float], reason: str) -> None:
    plan = plan_of(
        "heads: {h: {type: binary, logits: s, label: y, metrics: [average_loss]}}\n"
        "confidence: {folds: 0}"
    )
    ones = np.ones((len(losses), 1))
    (measured,) = plan.heads["h"].measured
    scored = Scored(ones, ones, ones, np.array(losses))
    state = measure_state(measured.statistic, scored, Segments.overall(len(losses)))
    (metrics,) = compute(plan, NO_SLICES, "h", {StateKey.of("h", measured): state}).models
    assert metrics["average_loss"].reasons.tolist() == [reason]


def test_details_are_shown_of_overall_and_of_slices_that_are_listed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(details, "MAX_DETAILED", 0)
    plan = plan_of(
        "slices: [c, {column: d, values: [1]}]\n"
        "heads: {h: {type: multi_class, n_classes: 3, logits: s, label: y}}"
    )
    scores = pa.array(np.eye(3)[[0, 1, 1, 2]].tolist())
    table = pa.table({"s": scores, "y": [0, 1, 2, 2], "c": list("aabb"), "d": [1, 2, 1, 1]})
    found = slices_of(evaluate(table, plan))
    assert found[None]["confusion_matrix"] == [[1, 0, 0], [0, 1, 0], [0, 1, 1]]
    assert found["d", "int", 1]["confusion_matrix"] == [[1, 0, 0], [0, 0, 0], [0, 1, 1]]
    for key in (A, B):
        assert "confusion_matrix" not in found[key]


def test_a_confusion_matrix_of_weights_is_beside_that_of_rows() -> None:
    text = "heads: {h: {type: multi_class, n_classes: 3, logits: s, label: y, weight: w}}"
    label, predicted = [0, 0, 1, 1, 2, 2, 2], [0, 1, 1, 1, 0, 2, 2]
    weight = [10.0, 0.5, 1.0, 2.5, 7.0, 1.0, 1.0]
    table = pa.table({"s": np.eye(3)[predicted].tolist(), "y": label, "w": weight})
    entry = slices_of(evaluate(table, plan_of(text)))[None]
    assert entry["confusion_matrix"] == [[1, 1, 0], [0, 2, 0], [1, 0, 2]]
    assert entry["weighted_confusion_matrix"] == [[10, 0.5, 0], [0, 3.5, 0], [7, 0, 2]]
    assert entry["metrics"]["weight"]["value"] == 23
    assert entry["metrics"]["weight"]["unweighted"]["value"] == 7
    plain = slices_of(evaluate(table, plan_of(text.replace(", weight: w", ""))))[None]
    assert "weighted_confusion_matrix" not in plain


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        (100, {"confusion_matrix", "most_confused"}),
        (101, {"most_confused"}),
        (MAX_MATRIX_CLASSES, {"most_confused"}),
        (MAX_MATRIX_CLASSES + 1, set()),
    ],
)
def test_a_confusion_matrix_has_an_end(classes: int, expected: set[str]) -> None:
    text = (
        f"heads: {{h: {{type: multi_class, n_classes: {classes}, logits: s, label: y,"
        " metrics: [accuracy, average_loss]}}\nconfidence: {folds: 0}"
    )
    found = evaluate(pa.table({"s": [[0.0] * classes], "y": [3]}), plan_of(text))
    assert set(values_of(found)) == {"accuracy", "average_loss"}
    entry = slices_of(found)[None]
    assert entry.keys() & {"confusion_matrix", "most_confused"} == expected
    if expected:
        (pair,) = entry["most_confused"]
        assert (pair["label"], pair["predicted"], pair["rows"]) == ("class3", "class0", 1)


def test_a_state_that_was_lost_is_told() -> None:
    plan = plan_of("heads: {h: {type: binary, logits: s, label: y}}")
    states = evaluate(pa.table({"s": [0.5, -0.5], "y": [1, 0]}), plan).states
    for key in states:
        left = {other: state for other, state in states.items() if other != key}
        measured = next(m for m in plan.heads["h"].measured if StateKey.of("h", m) == key)
        if measured == plan.heads["h"].counting:
            with pytest.raises(KeyError):
                compute(plan, NO_SLICES, "h", left)
        elif measured.statistic.coverage != "overall":
            with pytest.raises(RuntimeError, match="lost states"):
                compute(plan, NO_SLICES, "h", left)


def test_a_state_under_another_key_is_refused() -> None:
    plan = plan_of("heads: {h: {type: binary, logits: s, label: y}}")
    states = evaluate(pa.table({"s": [0.5, -0.5], "y": [1, 0]}), plan).states
    first, second, *_ = states
    with pytest.raises(ValueError, match="of another statistic"):
        compute(plan, NO_SLICES, "h", {**states, first: states[second]})
