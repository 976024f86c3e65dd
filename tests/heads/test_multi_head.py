"""The head of several heads: the estimator's figures, its checks, and metrics over batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from heads import (
    BinaryClassHead,
    MultiClassHead,
    MultiHead,
    MultiLabelHead,
    PredictOutput,
    RegressionHead,
)

LOGITS = {
    "head1": np.array([[-10.0, 10], [-15, 10]], np.float32),
    "head2": np.array([[20.0, -20, 20], [-30, 20, -20]], np.float32),
}
LABELS = {"head1": [[1, 0], [1, 1]], "head2": [[0, 1, 0], [1, 1, 0]]}
BOTH = np.hstack(list(LOGITS.values()))


def multi(weights: Any = None) -> MultiHead:
    heads = [MultiLabelHead(2, name="head1"), MultiLabelHead(3, name="head2")]
    return MultiHead(heads, weights)


def results(metrics: dict[str, Any]) -> dict[str, float]:
    return {key: float(metric.result()) for key, metric in metrics.items()}


@pytest.mark.parametrize("logits", [LOGITS, BOTH], ids=["dict", "array"])
def test_the_example_of_the_estimator(logits: Any) -> None:
    head = multi()
    assert head.name == "head1_head2"
    assert head.logits_dimension == 5
    assert head.loss_reduction == "sum_over_batch_size"
    assert float(head.loss(LABELS, logits, {})) == pytest.approx(23.75, abs=1e-4)
    weighted = multi([1.0, 2.0])
    loss = weighted.loss(LABELS, logits, {}, regularization_losses=[0.25])
    assert float(loss) == pytest.approx(39.0, abs=1e-4)
    metrics = head.update_metrics(head.metrics(), {}, logits, LABELS)
    assert results(metrics) == pytest.approx(
        {
            "auc/head1": 0.17,
            "auc/head2": 0.33,
            "auc_precision_recall/head1": 0.60,
            "auc_precision_recall/head2": 0.40,
            "average_loss/head1": 8.75,
            "average_loss/head2": 15.0,
            "loss/head1": 8.75,
            "loss/head2": 15.0,
        },
        abs=0.005,
    )
    predictions = head.predictions(logits)
    assert predictions["head1", "logits"].tolist() == LOGITS["head1"].tolist()
    alone = MultiLabelHead(3).predictions(LOGITS["head2"])
    assert predictions["head2", "probabilities"].tolist() == alone["probabilities"].tolist()
    assert set(head.predictions(logits, ["logits"])) == {("head1", "logits"), ("head2", "logits")}
    assert set(head.predictions(logits, [("head1", "logits")])) == {("head1", "logits")}


def test_metrics_add_up_over_batches() -> None:
    heads = [RegressionHead(name="price"), BinaryClassHead(weight_column="w", name="sold")]
    head, alone = MultiHead(heads), heads[1]
    metrics, expected = head.metrics(regularization_losses=[]), alone.metrics()
    losses = []
    for logits, labels, weight in (([[1.0], [2.0]], [0, 1], [1, 3]), ([[0.5]], [1], [9])):
        features = {"w": np.array(weight, np.float32)}
        both = {"price": labels, "sold": labels}
        of_heads = {"price": logits, "sold": logits}
        head.update_metrics(metrics, features, of_heads, both, regularization_losses=[2.0])
        alone.update_metrics(expected, features, logits, labels)
        losses.append(float(alone.loss(labels, logits, features)))
    found = results(metrics)
    assert {key: found[key] for key in expected} == results(expected)
    assert found["loss/sold"] == pytest.approx(np.mean(losses))
    assert found["label/mean/price"] == pytest.approx(2 / 3)
    assert found["regularization_loss/price_sold"] == 2.0


def test_specs() -> None:
    head = MultiHead([MultiClassHead(3, name="kind"), RegressionHead(name="price")])
    logits, labels = np.array([[1.0, 0, 0, 5]]), {"kind": [[1]], "price": [[4.0]]}
    spec = head.create_estimator_spec({}, "infer", logits)
    exports = spec.export_outputs
    assert set(exports) == {
        *("serving_default", "predict", "kind", "price"),
        *("kind/classification", "kind/predict", "price/regression", "price/predict"),
    }
    assert exports["serving_default"] is exports["kind"]
    merged = exports["predict"]
    assert isinstance(merged, PredictOutput)
    assert merged.outputs["price/predictions"].tolist() == [[5.0]]
    spec = head.create_estimator_spec({}, "eval", logits, labels)
    assert float(spec.loss) == float(head.loss(labels, logits))
    assert float(spec.eval_metric_ops["loss/price"].result()) == 1.0
    spec = head.create_estimator_spec({}, "train", logits, labels, train_op_fn=lambda loss: loss)
    assert spec.train_op == spec.loss
    with pytest.raises(ValueError, match="mode must be one of"):
        head.create_estimator_spec({}, "other", logits, labels)


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: MultiHead([]), "Must specify heads"),
        (lambda: multi([1.0]), "must have the same size"),
        (lambda: MultiHead([BinaryClassHead()]), "must have name specified"),
        (lambda: MultiHead([BinaryClassHead(name="a")] * 2), "different names"),
        (lambda: multi().loss([1], LOGITS), "labels must be a dict"),
        (lambda: multi().loss({"head1": 1}, LOGITS), r"labels has missing values.*\['head2'\]"),
        (lambda: multi().loss(LABELS, {"head2": 1}), r"logits has missing values.*\['head1'\]"),
        (lambda: multi().predictions(BOTH[:, 1:]), r"Could not split logits of shape \[2, 4\]"),
        (lambda: multi().predictions(LOGITS, ["class_ids"]), "given: class_ids"),
        (
            lambda: (
                MultiHead(
                    [
                        BinaryClassHead(name="a"),
                        BinaryClassHead(name="b", loss_reduction="sum"),
                    ]
                ).loss_reduction
            ),
            "must be the same for different heads",
        ),
    ],
)
def test_errors(act: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        act()


def test_metrics_of_another_head_are_refused() -> None:
    head = multi()
    with pytest.raises(KeyError, match="loss/head1"):
        head.update_metrics({}, {}, LOGITS, LABELS)
