"""Tests of metrics: names, update_state, reset_state, and weights that are not finite."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from heads import (
    BinaryClassHead,
    MultiClassHead,
    MultiLabelHead,
    PredictionKeys,
    binary_classification_head,
)

THRESHOLDS = (0.01, 0.5, 0.9)
# Probabilities that equal a threshold, of the head and of the AUC, and some beside it.
EDGES = [0.01, 0.5, 0.9, 1 / 199, 198 / 199, 0.0, 1.0]
LOGITS = np.array([-6.0, -4.595, -0.3, 0.0, 1e-9, 0.7, 2.2, 6.0], np.float32)[:, np.newaxis]
LABELS = np.array([0, 1, 0, 0.25, 1, 0, 1, 1], np.float32)
WEIGHTS = np.array([1, 2, 0.5, 0, 3, 1, 1, 0.25], np.float32)


def results(metrics: dict[str, Any]) -> dict[str, float]:
    return {key: metric.result() for key, metric in metrics.items()}


def states(head: Any, logits: Any, labels: Any, weights: Any) -> dict[str, Any]:
    """Adds a batch to each metric by its update_state, with what tf.estimator passes to it."""
    metrics = head.metrics(regularization_losses=[1.0])
    predictions = head.predictions(logits)
    ids = predictions.get(PredictionKeys.CLASS_IDS)
    binary = head.logits_dimension == 1
    p = predictions[PredictionKeys.LOGISTIC if binary else PredictionKeys.PROBABILITIES]
    given = {
        "average_loss": (head.example_loss(labels, logits),),
        "prediction/mean": (p,),
        "label/mean": (labels,),
        "accuracy_baseline": (labels,),
        "accuracy": (labels, ids),
        "precision": (labels, ids),
        "recall": (labels, ids),
        "regularization_loss": (3.0,),
    }
    for key, metric in metrics.items():
        kind, _, suffix = key.partition("/")
        arguments: Any = given.get(key, (labels, p))
        if suffix.startswith("class"):
            column = int(suffix.removeprefix("class"))
            arguments = (np.asarray(labels)[:, [column]], p[:, [column]])
            arguments = arguments[1:] if kind == "probability_mean" else arguments
        if key == "regularization_loss":
            metric.update_state(3.0)
        else:
            metric.update_state(*arguments, sample_weight=weights)
    return metrics


HEADS = [
    (BinaryClassHead("w", thresholds=THRESHOLDS), LOGITS, LABELS),
    (BinaryClassHead(thresholds=THRESHOLDS), LOGITS, LABELS),
    (binary_classification_head("w", thresholds=THRESHOLDS), LOGITS, LABELS),
    (MultiClassHead(3, "w"), np.hstack([LOGITS, -LOGITS, LOGITS / 2]), np.arange(8) % 3),
    (
        MultiLabelHead(2, "w", THRESHOLDS, classes_for_class_based_metrics=[1]),
        np.hstack([LOGITS, 0.5 - LOGITS]),
        np.stack([LABELS, 1 - LABELS], axis=1),
    ),
]


@pytest.mark.parametrize(("head", "logits", "labels"), HEADS)
def test_update_state_equals_update_metrics(head: Any, logits: Any, labels: Any) -> None:
    weighted = head.context.weighted
    features = {"w": WEIGHTS} if weighted else {}
    metrics = head.metrics([1.0])
    head.update_metrics(metrics, features, logits, labels, [3.0])
    wanted = results(metrics)
    added = states(head, logits, labels, WEIGHTS if weighted else None)
    assert results(added) == wanted
    # Both add to the same sums.
    for each in (metrics, added):
        head.update_metrics(each, features, logits, labels, [3.0])
    assert results(added) == results(metrics)


def test_weights_count_without_a_weight_column() -> None:
    metrics = states(BinaryClassHead(thresholds=THRESHOLDS), LOGITS, LABELS, WEIGHTS)
    wanted = states(BinaryClassHead("w", thresholds=THRESHOLDS), LOGITS, LABELS, WEIGHTS)
    assert results(metrics) == results(wanted)


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_a_probability_is_compared_as_float32(threshold: float) -> None:
    # Also beside the threshold, where float32 has no logit between two probabilities.
    near = np.float32(threshold) + np.arange(-3, 4) * np.spacing(np.float32(threshold))
    p = np.append(np.float32(EDGES), near)
    head = BinaryClassHead(thresholds=[threshold])
    metric = head.metrics()[f"accuracy/positive_threshold_{threshold:g}"]
    metric.update_state(np.ones(len(p)), p)
    assert metric.result() == np.mean(p > np.float32(threshold))
    auc = head.metrics()["auc"]
    labels = np.arange(len(p)) % 2
    auc.update_state(labels, p)
    assert auc.result() == pytest.approx(bucket_auc(p, labels), abs=1e-12)


def test_one_half_is_not_predicted_positive() -> None:
    metric = BinaryClassHead().metrics()["precision"]
    metric.update_state([0, 1], [0.5, np.nextafter(np.float32(0.5), np.float32(1))])
    assert metric.result() == 1


def bucket_auc(p: np.ndarray, labels: np.ndarray) -> float:
    """The area that Keras computes, from its buckets."""
    bucket = np.maximum(np.ceil(p.astype(np.float32) * np.float32(199)) - 1, 0)
    above = bucket[:, np.newaxis] >= np.arange(200)
    recall, fall_out = (above[labels == y].mean(axis=0) for y in (1, 0))
    return float(((fall_out[:-1] - fall_out[1:]) * (recall[:-1] + recall[1:]) / 2).sum())


def test_a_name_is_the_key() -> None:
    for head in (BinaryClassHead(thresholds=[0.5], name="click"), MultiLabelHead(2)):
        metrics = head.metrics([1.0])
        assert {key: metric.name for key, metric in metrics.items()} == {k: k for k in metrics}


@pytest.mark.parametrize("reset", ["reset_state", "reset_states"])
def test_a_metric_is_reset_alone(reset: str) -> None:
    head = BinaryClassHead()
    metrics = head.update_metrics(head.metrics(), {}, LOGITS, LABELS)
    before = results(metrics)
    # Accuracy and recall are computed from the same counts.
    getattr(metrics["accuracy"], reset)()
    assert results(metrics) == {**before, "accuracy": 0.0}
    head.update_metrics(metrics, {}, [[1.0]], [1])
    assert metrics["accuracy"].result() == 1.0
    both = head.update_metrics(head.metrics(), {}, LOGITS, LABELS)
    head.update_metrics(both, {}, [[1.0]], [1])
    assert metrics["recall"].result() == both["recall"].result()
    for metric in metrics.values():
        getattr(metric, reset)()
    assert set(results(metrics).values()) == {0.0}
    # What is reset together is counted together again.
    assert metrics["accuracy"].tally is metrics["recall"].tally
    head.update_metrics(metrics, {}, LOGITS, LABELS)
    assert results(metrics) == before


def test_a_reset_forgets_what_update_state_added() -> None:
    metric = BinaryClassHead().metrics()["average_loss"]
    metric.update_state([1.0, 3.0], sample_weight=[3, 1])
    assert metric.result() == 1.5
    metric.reset_state()
    assert metric.result() == 0.0
    metric.update_state([[2.0]], 5)
    assert metric.result() == 2.0


@pytest.mark.parametrize("weight", [np.nan, np.inf])
@pytest.mark.parametrize(("head", "logits", "labels"), [HEADS[0], *HEADS[2:]])
def test_a_weight_that_is_no_number_leaves_none(
    head: Any, logits: Any, labels: Any, weight: float
) -> None:
    # In TensorFlow every row adds its weight times 0 or 1 to every sum, and NaN times 0 is NaN.
    for row in range(len(labels)):
        weights = WEIGHTS.copy()
        weights[row] = weight
        metrics = head.update_metrics(head.metrics(), {"w": weights}, logits, labels)
        assert all(np.isnan(value) for value in results(metrics).values())


@pytest.mark.parametrize(
    ("key", "arguments", "error", "match"),
    [
        ("auc", ([0, 1], [0.5, 1.5]), ValueError, r"probabilities in \[0, 1\]"),
        ("auc", ([0, 1], [0.5]), ValueError, "the same shape"),
        ("auc", (["a", "b"], [0.5, 1]), TypeError, "y_true must be numbers"),
        ("accuracy", ([0, 1], [0, 1], [1, 2, 3]), ValueError, "sample_weight must fit"),
        ("label/mean", (None,), TypeError, "values must be numbers"),
    ],
)
def test_bad_updates(key: str, arguments: Any, error: type[Exception], match: str) -> None:
    metric = BinaryClassHead().metrics()[key]
    with pytest.raises(error, match=match):
        metric.update_state(*arguments)
    assert metric.result() == 0


def test_all_classes_together_need_their_axis() -> None:
    metrics = MultiLabelHead(3).metrics()
    with pytest.raises(ValueError, match="3 classes in their last dimension"):
        metrics["auc"].update_state([[0], [1]], [[0.5], [0.5]])


def test_metrics_can_be_pickled() -> None:
    head = BinaryClassHead()
    metrics = head.update_metrics(head.metrics(), {}, LOGITS, LABELS)
    copies = pickle.loads(pickle.dumps(metrics))
    assert results(copies) == results(metrics)
