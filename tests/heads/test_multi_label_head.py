"""Tests of MultiLabelHead against scikit-learn and brute force, and of its laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as oracle

from heads import BinaryClassHead, MultiLabelHead, SparseLabels
from tests.heads.oracles import areas
from tests.heads.streams import Rows, bounds, law, results, rows, slow_law


def test_loss_is_the_mean_log_loss_of_the_classes() -> None:
    rng = np.random.default_rng(5)
    data = Rows(
        rng.normal(0, 2, (300, 3)).astype(np.float32),
        rng.integers(0, 2, (300, 3)),
        rng.uniform(0, 3, 300).astype(np.float32),
    )
    p, w = 1 / (1 + np.exp(-data.logits.astype(np.float64))), data.weights.astype(np.float64)
    loss = np.mean([oracle.log_loss(data.labels[:, c], p[:, c], sample_weight=w) for c in range(3)])
    assert results(MultiLabelHead(3, "w"), data)["average_loss"] == pytest.approx(loss, rel=1e-6)
    total = MultiLabelHead(3, "w", loss_reduction="sum").loss(**data.batch())
    assert total == pytest.approx(loss * w.sum())


@slow_law
@given(rows("multi_label", 3))
def test_areas_equal_brute_force(data: Rows) -> None:
    head = MultiLabelHead(3, "w", thresholds=[0.5], classes_for_class_based_metrics=[2, 0, 2])
    actual = results(head, data)
    p, y = head.predictions(data.logits)["probabilities"], data.labels
    micro = areas(p.ravel(), y.ravel(), np.repeat(data.weights, 3))
    close = {"rel": 1e-9, "abs": 1e-9}
    assert (actual["auc"], actual["auc_precision_recall"]) == pytest.approx(micro, **close)
    for c in (0, 2):
        expected = areas(p[:, c], y[:, c], data.weights)
        values = actual[f"auc/class{c}"], actual[f"auc_precision_recall/class{c}"]
        assert values == pytest.approx(expected, **close)


@law
@given(rows("multi_label", 2))
def test_pairs_are_rows_of_a_binary_head(data: Rows) -> None:
    pairs = Rows(data.logits.reshape(-1, 1), data.labels.ravel(), np.repeat(data.weights, 2))
    binary = results(BinaryClassHead("w", thresholds=[0.3, 0.7]), pairs)
    actual = results(MultiLabelHead(2, "w", thresholds=[0.3, 0.7]), data)
    for key in set(actual) - {"average_loss"}:
        assert actual[key] == pytest.approx(binary[key], rel=1e-12), key


@law
@given(st.data(), rows("multi_label", 3))
def test_batches_change_no_digit(data: st.DataObject, stream: Rows) -> None:
    head = MultiLabelHead(
        3,
        "w",
        thresholds=[0.5],
        label_vocabulary=["a", "b", "c"],
        classes_for_class_based_metrics=["b"],
    )
    assert results(head, stream, data.draw(bounds(len(stream)))) == results(head, stream)


@law
@given(st.data(), rows("multi_label", 3, least=1))
def test_sparse_labels_are_indicators(data: st.DataObject, stream: Rows) -> None:
    dense = (stream.labels > 0.5).astype(np.int64)
    words = np.array(["a", "b", "c"])
    row, ids = np.nonzero(dense)
    # Entries may repeat and come in any order, with any column index.
    order = np.array([*data.draw(st.permutations(range(len(ids)))), *range(len(ids))], np.intp)
    indices = np.stack([row, np.arange(len(ids))], axis=1).reshape(-1, 2)[order]
    shape = [len(stream), 1]
    named = MultiLabelHead(3, label_vocabulary=words.tolist())
    wanted = MultiLabelHead(3).loss(dense, stream.logits)
    for values in (ids[order], ids[order].astype(np.int8)):
        sparse = SparseLabels(indices, values, shape)
        assert MultiLabelHead(3).loss(sparse, stream.logits) == wanted
        assert named.loss(sparse, stream.logits) == wanted
    for spelled in (words[ids[order]], np.char.encode(words[ids[order]])):
        assert named.loss(SparseLabels(indices, spelled, shape), stream.logits) == wanted


def test_bool_indicators() -> None:
    logits = [[0.0, 1.0], [2.0, -1.0]]
    labels = np.array([[True, False], [True, True]])
    assert MultiLabelHead(2).loss(labels, logits) == MultiLabelHead(2).loss(labels * 1, logits)
    # NumPy does not negate bools.
    head = MultiLabelHead(2, loss_fn=lambda labels, logits: -labels[:, :1])
    assert head.loss(labels, logits) == -1


def test_a_label_that_float32_rounds_to_zero_is_zero() -> None:
    labels = np.array([[1e-50, 1.0]])
    actual = results(MultiLabelHead(2, "w"), Rows(np.array([[1.0, 2.0]]), labels, np.ones(1)))
    assert actual["auc"] == 1


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        # The loss function is checked before the reduction, unlike in the other heads.
        ({"loss_fn": abs, "loss_reduction": "none"}, ValueError, "loss_fn"),
        ({"classes_for_class_based_metrics": [0, "a"]}, TypeError, "all ids or all words"),
        ({"classes_for_class_based_metrics": [1.0]}, TypeError, "all ids or all words"),
        ({"classes_for_class_based_metrics": [2]}, ValueError, r"range \[0, 1\]. Given: 2"),
        (
            {"classes_for_class_based_metrics": ["a", 0], "label_vocabulary": ["a", "b"]},
            ValueError,
            "0 is not in list",
        ),
        ({"label_vocabulary": ["a", 1]}, TypeError, "must hold strings"),
    ],
)
def test_bad_arguments(arguments: dict, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        MultiLabelHead(2, **arguments)


def test_class_metrics_are_named_by_words() -> None:
    head = MultiLabelHead(
        3, label_vocabulary=["a", "b", "c"], classes_for_class_based_metrics=(1, 1), name="n"
    )
    assert {key for key in head.metrics() if "/b/" in key} == {
        "probability_mean/b/n",
        "auc/b/n",
        "auc_precision_recall/b/n",
    }
