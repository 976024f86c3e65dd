"""The heads of regression: the estimator's figures, shapes, checks, and any cut of a stream."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heads import LogisticRegressionHead, PoissonRegressionHead, RegressionHead
from heads.base import BaseHead
from tests.heads.streams import Rows, bounds, law, results

LOGITS, LABELS = [[1.0, 2.0], [3.0, -1.0]], [[1.0, 0.0], [5.0, 1.0]]
WEIGHTS = {"w": [[1.0], [3.0]]}


def values(head: Any, features: Any, logits: Any, labels: Any) -> dict[str, float]:
    metrics = head.update_metrics(head.metrics(), features, logits, labels)
    return {name: float(metric.result()) for name, metric in metrics.items()}


def test_squared_loss_of_several_labels() -> None:
    head = RegressionHead(2, weight_column="w")
    assert float(head.loss(LABELS, LOGITS, WEIGHTS)) == 7.0
    assert values(head, WEIGHTS, LOGITS, LABELS) == {
        "average_loss": 3.5,
        "prediction/mean": 1.125,
        "label/mean": 2.375,
    }
    assert head.logits_dimension == 2
    assert head.example_loss(LABELS, LOGITS).tolist() == [2.0, 4.0]
    assert list(head.predictions(LOGITS)) == ["predictions"]
    summed = RegressionHead(2, "w", "sum", name="price")
    assert float(summed.loss(LABELS, LOGITS, WEIGHTS, regularization_losses=[0.5])) == 28.5
    assert set(summed.metrics()) == {
        f"{name}/price" for name in ("average_loss", "prediction/mean", "label/mean")
    }


@pytest.mark.parametrize("weights", [[1.0, 3.0], [[1.0], [3.0]], [[1.0, 1.0], [3.0, 3.0]]])
def test_weights_of_rows_and_of_labels(weights: Any) -> None:
    head = RegressionHead(2, weight_column="w")
    assert float(head.loss(LABELS, LOGITS, {"w": weights})) == 7.0
    assert values(head, {"w": weights}, LOGITS, LABELS)["average_loss"] == 3.5


def test_a_weight_for_each_label_counts_there_alone() -> None:
    features = {"w": [[1.0, 0.0], [0.0, 2.0]]}
    found = values(RegressionHead(2, weight_column="w"), features, LOGITS, LABELS)
    assert found == pytest.approx(
        {"average_loss": 8 / 3, "prediction/mean": -1 / 3, "label/mean": 1.0}
    )


@pytest.mark.parametrize(("full", "loss"), [(True, 5.78733), (False, 3.40191)])
def test_poisson_loss(full: bool, loss: float) -> None:
    head = PoissonRegressionHead(compute_full_loss=full)
    assert float(head.loss([[1], [5]], [[1], [3]])) == pytest.approx(loss, abs=5e-6)
    found = values(head, {}, [[1], [3]], [1, 5])
    assert found["average_loss"] == pytest.approx(loss, abs=5e-6)
    assert found["prediction/mean"] == pytest.approx((math.e + math.exp(3)) / 2)
    predictions = head.predictions([[1], [3]])
    assert predictions["predictions"].dtype == np.float32
    np.testing.assert_allclose(predictions["predictions"], np.exp([[1], [3]]), rtol=1e-7)
    assert predictions["logits"].tolist() == [[1], [3]]


def test_the_full_loss_adds_nothing_up_to_a_label_of_one() -> None:
    labels, logits = [[0.0], [0.5], [1.0]], [[0.0], [1.0], [2.0]]
    full, plain = (PoissonRegressionHead(compute_full_loss=full) for full in (True, False))
    assert full.example_loss(labels, logits).tolist() == plain.example_loss(labels, logits).tolist()


def test_logistic_loss_is_that_of_two_classes() -> None:
    head = LogisticRegressionHead(weight_column="w")
    labels, logits, features = [0.5, 1.0], [[0.0], [-41.0]], {"w": [3.0, 1.0]}
    expected = [math.log(2), 41.0]
    np.testing.assert_allclose(head.example_loss(labels, logits), expected, rtol=1e-6)
    assert float(head.loss(labels, logits, features)) == pytest.approx(
        (3 * expected[0] + expected[1]) / 2
    )
    found = values(head, features, logits, labels)
    assert found == pytest.approx(
        {
            "average_loss": (3 * expected[0] + expected[1]) / 4,
            "prediction/mean": 0.375,
            "label/mean": 0.625,
        }
    )


def test_functions_of_the_caller() -> None:
    def absolute(labels: Any, logits: Any) -> Any:
        return np.abs(labels - logits)

    head = RegressionHead(2, loss_fn=absolute, inverse_link_fn=np.exp)
    assert float(head.loss(LABELS, LOGITS)) == 1.5
    assert head.example_loss(LABELS, LOGITS).tolist() == [1.0, 2.0]
    predictions = head.predictions(LOGITS)
    np.testing.assert_allclose(predictions["predictions"], np.exp(LOGITS), rtol=1e-6)
    assert predictions["logits"].tolist() == LOGITS
    found = values(head, None, LOGITS, LABELS)
    assert found["prediction/mean"] == pytest.approx(np.exp(LOGITS).mean())
    assert found["average_loss"] == 1.5
    with pytest.raises(ValueError, match=r"loss_fn must return.* 2\], here \(2, 2\)"):
        RegressionHead(2, loss_fn=lambda labels, logits: logits[:, :1]).loss(LABELS, LOGITS)
    with pytest.raises(ValueError, match="inverse_link_fn must return predictions of the shape"):
        RegressionHead(2, inverse_link_fn=lambda logits: logits[:1]).predictions(LOGITS)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: RegressionHead(0), ValueError, "Invalid label_dimension 0"),
        (lambda: RegressionHead(1.5), ValueError, "Invalid label_dimension"),
        (lambda: RegressionHead(loss_reduction="none"), ValueError, "Invalid loss_reduction"),
        (lambda: RegressionHead(loss_fn=lambda x: x), ValueError, "must contain argument: labels"),
        (lambda: RegressionHead(inverse_link_fn=2), TypeError, "inverse_link_fn must be callable"),
        (lambda: RegressionHead().loss([1], [1.0]), ValueError, "rank at least 2"),
        (lambda: RegressionHead().loss([1, 2], [[1.0]]), ValueError, "labels shape must be"),
        (lambda: RegressionHead(2).loss([[1], [2]], LOGITS), ValueError, "Mismatched label shape"),
        (lambda: RegressionHead().loss(["a"], [[1.0]]), TypeError, "Labels must be numbers"),
        (lambda: RegressionHead().loss(None, [[1.0]]), ValueError, "must provide a labels"),
        (
            lambda: RegressionHead(2, "w").loss(LABELS, LOGITS, {"w": [[1.0] * 3] * 2}),
            ValueError,
            r"or \[D0, D1, ... DN, logits_dimension\]",
        ),
        (lambda: PoissonRegressionHead().loss([-1.0], [[1.0]]), ValueError, r">= 0. Given: -1.0"),
        (lambda: PoissonRegressionHead().loss([math.nan], [[1.0]]), ValueError, "Given: nan"),
        (lambda: LogisticRegressionHead().loss([1.5], [[1.0]]), ValueError, r"range \[0, 1\]"),
        (lambda: RegressionHead().predictions([[1.0]], ["logits"]), ValueError, "given: logits"),
    ],
)
def test_errors(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


def test_a_bad_batch_changes_no_metric() -> None:
    head = PoissonRegressionHead()
    metrics = head.update_metrics(head.metrics(), {}, [[1], [3]], [1, 5])
    before = {name: float(metric.result()) for name, metric in metrics.items()}
    with pytest.raises(ValueError, match="Labels must be >= 0"):
        head.update_metrics(metrics, {}, [[1], [3]], [1, -5])
    assert {name: float(metric.result()) for name, metric in metrics.items()} == before


HEADS: dict[str, BaseHead] = {
    "regression": RegressionHead(weight_column="w"),
    "poisson": PoissonRegressionHead(weight_column="w"),
    "logistic": LogisticRegressionHead(weight_column="w"),
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
@law
@given(seed=st.integers(0, 99), data=st.data())
def test_metrics_do_not_depend_on_batches(head: BaseHead, seed: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(seed)
    rows = Rows(rng.normal(size=(30, 1)), rng.random(30), rng.random(30).astype(np.float32))
    assert results(head, rows) == results(head, rows, data.draw(bounds(30)))


def test_specs() -> None:
    head = PoissonRegressionHead()
    spec = head.create_estimator_spec({}, "infer", [[1.0]])
    assert set(spec.export_outputs) == {"serving_default", "regression", "predict"}
    value = spec.predictions["predictions"]
    assert spec.export_outputs["serving_default"].value is value
    assert spec.export_outputs["predict"].outputs == spec.predictions
    spec = head.create_estimator_spec({}, "eval", [[1.0], [3.0]], [1, 5])
    assert float(spec.loss) == pytest.approx(5.78733, abs=5e-6)
    assert float(spec.eval_metric_ops["label/mean"].result()) == 3.0
    spec = head.create_estimator_spec({}, "train", [[1.0]], [1], train_op_fn=lambda loss: loss)
    assert spec.train_op == spec.loss
