"""Evaluation against scikit-learn, and what it says where a value is not defined."""

from __future__ import annotations

import gc
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics as sk

from heads.statistics import State, merge, same
from heads.statistics.codec import encode
from pipeline.errors.faults import BadData
from pipeline.evaluate import TABLE, Evaluation, evaluate
from pipeline.evaluation.plan import Plan
from pipeline.report.report_json import report_bytes
from tests.pipeline.tables import (
    PLAIN,
    binary_table,
    evaluator_of,
    plan_of,
    reason_of,
    rows_of,
    slices_of,
    values_of,
)

WEIGHTED = "heads: {h: {type: binary, probability: s, label: y, weight: w}}"
BINARY = """
confidence: {folds: 0}
slices: [{column: g}]
heads:
  logit: {type: binary, logits: s, label: y, weight: w, thresholds: [0.3]}
  share: {type: binary, probability: p, label: y, weight: w, thresholds: [0.3]}
  plain: {type: binary, logits: s, label: y}
  contrib: {type: contrib_binary, probability: p, label: y, weight: w}
"""


def check_binary(
    evaluation: Evaluation, head: str, table: pa.Table, *, exact: bool, key: Any = None
) -> None:
    """The metrics of a head with two classes against scikit-learn."""
    metrics, found = slices_of(evaluation, head)[key]["metrics"], values_of(evaluation, head, key)
    weighted = head != "plain"
    y, p, s = (table[name].to_numpy() for name in ("y", "p", "s"))
    w = table["w"].to_numpy() if weighted else None

    def equal(name: str, expected: float, rel: float = 1e-12) -> None:
        assert found[name] == pytest.approx(expected, rel=rel), name

    equal("average_loss", sk.log_loss(y, p, sample_weight=w))
    equal("brier_score", sk.brier_score_loss(y, p, sample_weight=w))
    equal("prediction/mean", np.average(p, weights=w))
    equal("label/mean", np.average(y, weights=w))
    rate = np.average(y, weights=w)
    equal("accuracy_baseline", max(rate, 1 - rate))
    if "accuracy" in found:
        thresholds = [("", 0.5)]
        if "accuracy/positive_threshold_0.3" in found:
            thresholds.append(("/positive_threshold_0.3", 0.3))
        for suffix, threshold in thresholds:
            called = p > threshold
            equal(f"accuracy{suffix}", sk.accuracy_score(y, called, sample_weight=w))
            equal(f"precision{suffix}", sk.precision_score(y, called, sample_weight=w))
            equal(f"recall{suffix}", sk.recall_score(y, called, sample_weight=w))
    for name, expected in (
        ("roc_auc", sk.roc_auc_score(y, s, sample_weight=w)),
        ("average_precision", sk.average_precision_score(y, s, sample_weight=w)),
    ):
        value = metrics[name]["value"]
        if exact:
            assert "rounded" not in metrics[name]
            equal(name, expected)
        else:
            low, high = metrics[name]["rounded"]
            assert low <= expected <= high
            assert low < value < high
            assert value == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_two_classes_equal_scikit_learn(seed: int) -> None:
    table = binary_table(500, seed)
    found = evaluate(table, plan_of(BINARY))
    assert found.report["rows"] == {"read": 500, "evaluated": 500}
    assert found.findings.keys() == {TABLE}
    key_of = {None: ("g", "missing", None), "a": ("g", "string", "a"), "b": ("g", "string", "b")}
    for head in ("logit", "share", "plain", "contrib"):
        assert set(slices_of(found, head)) == {None, *key_of.values()}
        check_binary(found, head, table, exact=True)
        for value, key in key_of.items():
            in_slice = np.array([g == value for g in table["g"].to_pylist()])
            assert slices_of(found, head)[key]["examples"] == in_slice.sum()
            slice_rows = table.filter(pa.array(in_slice))
            check_binary(found, head, slice_rows, exact=True, key=key)


def test_more_scores_than_cells_are_bounded() -> None:
    table = binary_table(20_000, 0, digits=9)
    assert len(set(table["s"].to_pylist())) > 8192
    found = evaluate(table, plan_of(BINARY.replace("slices: [{column: g}]", "")))
    for head in ("logit", "share", "plain"):
        check_binary(found, head, table, exact=False)


CLASSES = """
heads:
  logit: {type: multi_class, n_classes: 4, logits: t, label: z, weight: w}
  share: {type: multi_class, n_classes: 4, probability: q, label: word}
"""


def test_exclusive_classes_equal_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    rows = 300
    t = rng.normal(0, 2, (rows, 4))
    q = np.exp(t) / np.exp(t).sum(axis=1, keepdims=True)
    z, w = rng.integers(0, 4, rows), rng.gamma(0.5, 10, rows)
    names = ["cat", "dog", "cow", "größe"]
    words = [names[i] for i in z]
    table = pa.table({"t": list(t), "q": list(q), "z": z, "w": w, "word": words})
    label = f"label: {{column: word, vocabulary: [{', '.join(names)}]}}"
    found = evaluate(table, plan_of(CLASSES.replace("label: word", label)))
    for head, weight in (("logit", w), ("share", None)):
        values = values_of(found, head)
        assert set(values) >= {"average_loss", "accuracy"}
        loss = sk.log_loss(z, q, sample_weight=weight, labels=range(4))
        assert values["average_loss"] == pytest.approx(loss, rel=1e-12)
        accuracy = sk.accuracy_score(z, t.argmax(axis=1), sample_weight=weight)
        assert values["accuracy"] == pytest.approx(accuracy, rel=1e-12)
        matrix = slices_of(found, head)[None]["confusion_matrix"]
        assert matrix == sk.confusion_matrix(z, t.argmax(axis=1)).tolist()
    assert found.report["heads"]["share"]["classes"] == names


@pytest.mark.parametrize("form", ["multi_hot", "ids", "names"])
@pytest.mark.parametrize("weighted", [False, True])
def test_independent_classes_equal_scikit_learn(form: str, weighted: bool) -> None:
    rng = np.random.default_rng(0)
    rows, names = 200, np.array(["r", "g", "b"])
    t = rng.normal(0, 2, (rows, 3)).round(2)
    p = 1 / (1 + np.exp(-t))
    y = (rng.random((rows, 3)) < p).astype(int)
    w = rng.gamma(0.5, 10, rows) if weighted else None
    lists = {
        "multi_hot": list(y),
        "ids": [np.flatnonzero(row) for row in y],
        "names": [names[row.astype(bool)].tolist() for row in y],
    }[form]
    columns = {"t": list(t), "y": lists} | ({"w": w} if weighted else {})
    label = "form: names, vocabulary: [r, g, b]" if form == "names" else f"form: {form}"
    text = (
        "heads: {h: {type: multi_label, n_classes: 3, logits: t, thresholds: [0.3, 0.5],"
        f" label: {{column: y, {label}}}{', weight: w' if weighted else ''}}}}}"
    )
    found = values_of(evaluate(pa.table(columns), plan_of(text)))
    repeated = None if w is None else np.repeat(w, 3)
    micro = {"sample_weight": repeated}

    def equal(name: str, expected: float) -> None:
        assert found[name] == pytest.approx(expected, rel=1e-12), name

    equal("average_loss", sk.log_loss(y.ravel(), p.ravel(), **micro))
    for threshold in (0.3, 0.5):
        called = (p > threshold).ravel()
        suffix = f"/positive_threshold_{threshold}"
        equal(f"accuracy{suffix}", sk.accuracy_score(y.ravel(), called, **micro))
        equal(f"precision{suffix}", sk.precision_score(y.ravel(), called, **micro))
        equal(f"recall{suffix}", sk.recall_score(y.ravel(), called, **micro))
    equal("roc_auc", sk.roc_auc_score(y.ravel(), t.ravel(), **micro))
    equal("average_precision", sk.average_precision_score(y.ravel(), t.ravel(), **micro))
    for i in range(3):
        suffix = f"/{names[i]}" if form == "names" else f"/class{i}"
        equal(f"probability_mean{suffix}", np.average(p[:, i], weights=w))
        equal(f"roc_auc{suffix}", sk.roc_auc_score(y[:, i], t[:, i], sample_weight=w))
        expected = sk.average_precision_score(y[:, i], t[:, i], sample_weight=w)
        equal(f"average_precision{suffix}", expected)


# Values that are not defined.


def test_an_infinite_loss_is_null_with_a_reason() -> None:
    table = pa.table({"s": [0.0, 0.5, 1.0], "y": [1, 0, 1], "w": [1.0, 1.0, 1.0]})
    found = evaluate(table, plan_of(WEIGHTED))
    assert reason_of(found, "average_loss") == "the value is infinite"
    assert values_of(found)["accuracy"] == pytest.approx(2 / 3)
    report_bytes(found.report)
    # A probability of 0 or 1 that was right costs nothing.
    table = pa.table({"s": [0.0, 0.5, 1.0], "y": [0, 0, 1], "w": [1.0, 1.0, 1.0]})
    assert values_of(evaluate(table, plan_of(WEIGHTED)))["average_loss"] == math.log(2) / 3


def test_an_infinite_loss_without_weight_counts_for_nothing() -> None:
    table = pa.table({"s": [0.0, 0.5], "y": [1, 1], "w": [0.0, 1.0]})
    assert values_of(evaluate(table, plan_of(WEIGHTED)))["average_loss"] == math.log(2)


@pytest.mark.parametrize(("label", "missing"), [(1, "zero"), (0, "positive")])
def test_one_class_only(label: int, missing: str) -> None:
    table = pa.table({"s": [1.0, -1.0], "y": [label, label]})
    found = evaluate(table, plan_of(PLAIN))
    assert reason_of(found, "roc_auc") == f"no label is {missing}"
    values = values_of(found)
    if label:
        assert (values["average_precision"], values["recall"]) == (1.0, 0.5)
    else:
        assert reason_of(found, "average_precision") == "no label is positive"
        assert reason_of(found, "recall") == "no label is positive"
    assert values["accuracy"] == 0.5


def test_nothing_predicted_positive() -> None:
    found = evaluate(pa.table({"s": [-1.0, -2.0], "y": [1, 0]}), plan_of(PLAIN))
    assert reason_of(found, "precision") == "nothing is predicted positive"
    assert values_of(found)["recall"] == 0.0


def test_weights_that_are_all_zero() -> None:
    table = pa.table({"s": [0.2, 0.9], "y": [1, 0], "w": [0.0, 0.0]})
    found = evaluate(table, plan_of(WEIGHTED))
    assert slices_of(found)[None]["examples"] == 2
    undefined = {name for name, value in values_of(found).items() if value is None}
    assert undefined >= {"average_loss", "accuracy", "recall", "roc_auc", "label/mean"}
    assert reason_of(found, "average_loss") == "the weights sum to zero"
    # A slice of weightless rows leaves the others alone.
    table = pa.table({"s": [0.2, 0.9], "y": [1, 0], "w": [0.0, 2.0], "g": ["a", "b"]})
    found = evaluate(table, plan_of(WEIGHTED + "\nslices: [{column: g}]"))
    key = ("g", "string", "a")
    assert reason_of(found, "average_loss", key=key) == "the weights sum to zero"
    overall, other = values_of(found), values_of(found, key=("g", "string", "b"))
    assert overall == other


def test_extreme_weights_and_scores_are_summed_exactly() -> None:
    table = pa.table(
        {
            "s": [1.7e308, -1.7e308, 5e-324, -5e-324],
            "y": [1, 0, 1, 0],
            "w": [1e300, 5e-324, 1e-300, 1.0],
        }
    )
    plan = plan_of(PLAIN.replace("label: y", "label: y, weight: w"))
    assert values_of(evaluate(table, plan))["label/mean"] == 1.0
    reference = report_bytes(evaluate(table, plan).report)
    assert report_bytes(evaluate(table.take([3, 1, 0, 2]), plan).report) == reference


# Small things.


def test_where_is_applied_before_anything_is_read() -> None:
    table = pa.table({"s": [None, 1.0], "y": [None, 1], "k": ["train", "test"]})
    text = PLAIN + "\nwhere: [{column: k, values: [test]}]"
    found = evaluate(table, plan_of(text))
    assert found.report["rows"] == {"read": 2, "evaluated": 1}
    nothing = PLAIN + "\nwhere: [{column: k, values: [Test]}]"
    with pytest.raises(BadData, match=r"^none of 2 rows matches 'where'$"):
        evaluate(table, plan_of(nothing))


def test_chosen_metrics_are_all_there_is() -> None:
    text = PLAIN.replace("label: y", "label: y, metrics: [roc_auc, accuracy]")
    found = evaluate(pa.table({"s": [1.0, 2.0], "y": [0, 1]}), plan_of(text))
    assert values_of(found) == {"accuracy": 0.5, "roc_auc": 1.0}
    assert slices_of(found)[None]["examples"] == 2


def test_states_may_be_asked_for_again_while_rows_are_added() -> None:
    table = binary_table(40, 0)
    plan: Plan = plan_of(BINARY)
    batches = [rows_of(part.to_batches()[0]) for part in (table.slice(0, 15), table.slice(15))]
    evaluator = evaluator_of(plan, *batches)
    assert evaluator.states() == {}
    evaluator.add(batches[0])
    first = evaluator.states()
    assert all(same(state, first[key]) for key, state in evaluator.states().items())
    evaluator.add(batches[1])
    whole = evaluator.states()
    alone = evaluator_of(plan, *batches)
    alone.add(batches[1])
    rest = alone.states()
    assert first.keys() == rest.keys() == whole.keys()
    for key, state in whole.items():
        assert same(merge([first[key], rest[key]]), state)
    assert {key: encode(state) for key, state in evaluate(table, plan).states.items()} == {
        key: encode(state) for key, state in whole.items()
    }


def test_nothing_keeps_states_when_an_evaluation_is_gone() -> None:
    """Metrics of all kinds keep what they compute of a state with the state."""

    def states_alive() -> set[int]:
        gc.collect()
        return {id(kept) for kept in gc.get_objects() if isinstance(kept, State)}

    # Caches that are full may let go of others.
    before = states_alive()
    found = evaluate(binary_table(40, 0), plan_of(BINARY))
    assert len(states_alive() - before) > 3
    del found
    assert states_alive() <= before
