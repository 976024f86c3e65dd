"""Tests of create_estimator_spec: the spec of each mode, and the arguments of train ops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from heads import (
    BinaryClassHead,
    ClassificationOutput,
    ModeKeys,
    MultiClassHead,
    MultiLabelHead,
    PredictOutput,
    RegressionOutput,
)

BATCH: dict[str, Any] = {"features": {}, "logits": [[0.0], [3.0]], "labels": [1, 0]}
TRAIN = {**BATCH, "mode": ModeKeys.TRAIN}


class Optimizer:
    def get_updates(self, loss: Any, params: Any) -> Any:
        return ("updated", loss, params)


def test_predict_holds_exports_only() -> None:
    head = BinaryClassHead()
    spec = head.create_estimator_spec(mode=ModeKeys.PREDICT, **{**BATCH, "labels": "not read"})
    assert spec.loss is None
    assert spec.train_op is None
    assert not spec.eval_metric_ops
    exports = spec.export_outputs
    assert exports["serving_default"] is exports["classification"]
    classify, regress, predict = map(exports.get, ("classification", "regression", "predict"))
    assert isinstance(classify, ClassificationOutput)
    assert isinstance(regress, RegressionOutput)
    assert isinstance(predict, PredictOutput)
    assert classify.classes.tolist() == [["0", "1"]] * 2
    assert np.array_equal(classify.scores, spec.predictions["probabilities"])
    assert np.array_equal(regress.value, spec.predictions["logistic"])
    assert predict.outputs is spec.predictions


@pytest.mark.parametrize("head", [MultiClassHead(3), MultiLabelHead(3)])
def test_only_a_binary_head_exports_a_regression(head: Any) -> None:
    spec = head.create_estimator_spec({}, ModeKeys.PREDICT, np.zeros((2, 3)))
    assert set(spec.export_outputs) == {"serving_default", "classification", "predict"}


def test_eval_holds_metrics_of_the_batch() -> None:
    head = BinaryClassHead(name="n")
    spec = head.create_estimator_spec(mode="eval", **BATCH, regularization_losses=[2.0])
    metrics = head.update_metrics(head.metrics([2.0]), **BATCH, regularization_losses=[2.0])
    assert set(spec.eval_metric_ops) == set(metrics)
    for key, metric in spec.eval_metric_ops.items():
        assert metric.result() == metrics[key].result()
    assert spec.loss == head.loss(**BATCH, regularization_losses=[2.0])
    assert not spec.export_outputs


def test_a_spec_is_changed_as_a_named_tuple() -> None:
    spec = BinaryClassHead().create_estimator_spec(mode=ModeKeys.EVAL, **BATCH)
    changed = spec._replace(eval_metric_ops={"mine": 1})
    assert (changed.eval_metric_ops, changed.loss) == ({"mine": 1}, spec.loss)


def test_train_ops() -> None:
    head = BinaryClassHead()
    spec = head.create_estimator_spec(**TRAIN, optimizer=Optimizer(), trainable_variables=["v"])
    assert spec.train_op == ("updated", spec.loss, ["v"])
    spec = head.create_estimator_spec(**TRAIN, train_op_fn=lambda loss: loss, update_ops=["u"])
    assert spec.train_op == (spec.loss, "u")
    assert not spec.eval_metric_ops


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        # In the order in which they are checked.
        ({"update_ops": "u", "train_op_fn": repr, "optimizer": 1}, "update_ops should be a list"),
        ({"train_op_fn": repr, "optimizer": 1}, "cannot both be set"),
        ({"optimizer": object()}, "not a tf.keras.optimizers.Optimizer instance"),
        ({"optimizer": Optimizer()}, "trainable_variables cannot be None"),
        (
            {"optimizer": Optimizer(), "trainable_variables": {"v"}},
            "trainable_variables should be a list",
        ),
        ({}, "cannot both be None"),
        ({"train_op_fn": lambda loss: None}, "Missing train_op"),
    ],
)
def test_bad_train_ops(arguments: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        BinaryClassHead().create_estimator_spec(**TRAIN, **arguments)


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_labels_are_needed(mode: str) -> None:
    with pytest.raises(ValueError, match="You must provide a labels Tensor"):
        BinaryClassHead().create_estimator_spec({}, mode, [[0.0]], train_op_fn=repr)
    with pytest.raises(ValueError, match="logits must have rank"):
        BinaryClassHead().create_estimator_spec({}, mode, [0.0])
