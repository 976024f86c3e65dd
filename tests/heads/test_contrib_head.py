"""Tests of the binary head of TensorFlow 1.x, and how it differs from BinaryClassHead."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heads import BinaryClassHead, binary_classification_head
from tests.heads.oracles import contrib_areas
from tests.heads.streams import Rows, bounds, law, results, rows, slow_law


@slow_law
@given(rows("binary"))
def test_areas_equal_brute_force(data: Rows) -> None:
    head = binary_classification_head("w")
    actual = results(head, data)
    p = head.predictions(data.logits)["logistic"].ravel()
    wanted = contrib_areas(p, data.labels.ravel(), data.weights)
    assert (actual["auc"], actual["auc_precision_recall"]) == pytest.approx(wanted, rel=1e-9)


@law
@given(st.data(), rows("binary"))
def test_batches_change_no_digit(data: st.DataObject, stream: Rows) -> None:
    head = binary_classification_head("w", thresholds=[0.1, 0.5])
    assert results(head, stream, data.draw(bounds(len(stream)))) == results(head, stream)


@pytest.mark.parametrize(
    ("reduction", "divisor", "plain"),
    [
        ("weighted_sum", 1, 6),
        ("weighted_mean", 5, 2),
        ("weighted_sum_over_batch_size", 3, 2),
        ("weighted_sum_by_nonzero_weights", 2, 2),
    ],
)
def test_reductions(reduction: str, divisor: int, plain: float) -> None:
    def loss_fn(labels, logits):
        return np.array([[1.0], [2.0], [3.0]], np.float32)

    logits, labels = np.zeros((3, 1)), np.zeros(3)
    head = binary_classification_head("w", loss_reduction=reduction, loss_fn=loss_fn)
    assert head.loss(labels, logits, {"w": [0, 1, 4]}) == pytest.approx(14 / divisor)
    assert head.loss(labels, logits, {"w": [0, 0, 0]}) == 0
    balanced = head.loss(labels, logits, {"w": [-1, 0, 1]})
    assert balanced == (0 if reduction == "weighted_mean" else pytest.approx(2 / divisor))
    head = binary_classification_head(loss_reduction=reduction, loss_fn=loss_fn)
    assert head.loss(labels, logits) == pytest.approx(plain)


def test_create_loss() -> None:
    head = binary_classification_head("w")
    logits, labels = [[1.0], [-2.0]], [[1], [0]]
    spec = head.create_loss({"w": [1, 3]}, "eval", logits, labels)
    assert spec.training_loss == head.loss(labels, logits, {"w": [1, 3]})
    unreduced = BinaryClassHead().example_loss(labels, logits)
    assert spec.unreduced_loss[:, 0].tolist() == unreduced.tolist()
    assert spec.weights.tolist() == [[1], [3]]
    assert spec.processed_labels.dtype == np.float32
    assert binary_classification_head().create_loss({}, "eval", logits, labels).weights == 1
    training_loss, *_ = spec
    assert training_loss == spec.training_loss


def test_only_accuracy_counts_a_tie_as_positive() -> None:
    stream = Rows(np.zeros((4, 1)), np.ones(4), np.ones(4, np.float32))
    actual = results(binary_classification_head("w", thresholds=[0.5]), stream)
    assert actual["accuracy/positive_threshold_0.5"] == 1
    assert actual["recall/positive_threshold_0.5"] == 0
    assert actual["accuracy"] == 0


def test_denominators_at_a_threshold_are_raised() -> None:
    stream = Rows(np.ones((1, 1)), np.ones(1), np.ones(1, np.float32))
    actual = results(binary_classification_head("w", thresholds=[0.5]), stream)
    for key in ("precision", "recall"):
        assert actual[key] == 1
        assert actual[f"{key}/positive_threshold_0.5"] == 1 / (1 + 1e-7)


def test_a_negative_sum_of_weights() -> None:
    stream = Rows(np.array([[1.0], [2.0]]), np.ones(2), np.array([1.0, -3.0], np.float32))
    old = results(binary_classification_head("w"), stream)
    for key in ("average_loss", "accuracy", "prediction/mean", "label/mean", "precision", "recall"):
        assert old[key] == 0
    assert old["accuracy_baseline"] == 1
    assert results(BinaryClassHead("w"), stream)["label/mean"] == 1


def test_nan_cannot_be_added() -> None:
    head = binary_classification_head()
    metrics = head.metrics()
    with pytest.raises(ValueError, match=r"the logit at \[1, 0\] is NaN"):
        head.update_metrics(metrics, {}, [[0.0], [np.nan]], [0, 1])
    assert metrics["average_loss"].result() == 0


def test_no_regularization_losses_are_none() -> None:
    head = binary_classification_head()
    metrics = head.metrics(regularization_losses=[])
    assert "regularization_loss" not in metrics
    head.update_metrics(metrics, {}, [[0.0]], [1], regularization_losses=[])
    losses = np.array([0.5, 1.0])
    metrics = head.update_metrics(head.metrics(losses), {}, [[0.0]], [1], losses)
    assert metrics["regularization_loss"].result() == 1.5


def test_predictions_have_no_tables() -> None:
    assert list(binary_classification_head().predictions([[0.0]])) == [
        "logits",
        "logistic",
        "probabilities",
        "class_ids",
        "classes",
    ]


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"label_vocabulary": "ab", "thresholds": [2]}, TypeError, "label_vocabulary should be"),
        ({"thresholds": [2], "loss_reduction": "sum"}, ValueError, "thresholds not in"),
        ({"loss_reduction": "sum", "loss_fn": abs}, ValueError, "Invalid loss_reduction: sum"),
        (
            {"loss_fn": lambda labels, logits, loss_reduction: 0},
            ValueError,
            r"unexpected args: \['loss_reduction'\]",
        ),
    ],
)
def test_bad_arguments(arguments: dict, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        binary_classification_head(**arguments)


def test_train_op() -> None:
    class Optimizer:
        def minimize(self, loss):
            return ("minimized", loss)

    head = binary_classification_head()
    batch = {"features": {}, "mode": "train", "logits": [[0.0]], "labels": [1]}
    spec = head.create_estimator_spec(**batch, optimizer=Optimizer())
    assert spec.train_op == ("minimized", spec.loss)
    assert head.create_estimator_spec(**batch, train_op_fn=lambda _: "op").train_op == "op"
    with pytest.raises(ValueError, match="cannot both be set"):
        head.create_estimator_spec(**batch, optimizer=Optimizer(), train_op_fn=repr)
    with pytest.raises(ValueError, match="cannot both be None"):
        head.create_estimator_spec(**batch)
