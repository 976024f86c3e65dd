"""Tests of the interface of heads: arguments by position, modes, and heads of one's own."""

from __future__ import annotations

import inspect
import re
from typing import Any

import numpy as np
import pytest

import heads
from heads import (
    BinaryClassHead,
    EstimatorSpec,
    Head,
    MetricKeys,
    ModeKeys,
    MultiClassHead,
    MultiLabelHead,
    PredictionKeys,
    PredictOutput,
    Reduction,
    binary_classification_head,
)

LOGITS, LABELS = [[0.0], [3.0]], [1, 0]

# The parameters of tf.estimator 2.15, in order; those after `*` are only passed by name.
SPEC = (
    "features mode logits labels optimizer trainable_variables train_op_fn update_ops"
    " regularization_losses"
)
METHODS = {
    "loss": "labels logits features mode regularization_losses",
    "predictions": "logits keys",
    "metrics": "regularization_losses",
    "update_metrics": "eval_metrics features logits labels regularization_losses",
    "create_estimator_spec": SPEC,
}
BINARY = "weight_column thresholds label_vocabulary loss_reduction loss_fn name"
CONSTRUCTORS = {
    BinaryClassHead: BINARY,
    binary_classification_head: BINARY,
    MultiClassHead: "n_classes weight_column label_vocabulary loss_reduction loss_fn name",
    MultiLabelHead: (
        "n_classes weight_column thresholds label_vocabulary loss_reduction loss_fn"
        " classes_for_class_based_metrics name"
    ),
}


def by_position(function: Any) -> str:
    parameters = inspect.signature(function).parameters.values()
    return " ".join(
        p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD and p.name != "self"
    )


@pytest.mark.parametrize("kind", [Head, BinaryClassHead, MultiClassHead, MultiLabelHead])
def test_methods_have_the_order_of_tf_estimator(kind: type[Head]) -> None:
    for name, wanted in METHODS.items():
        assert by_position(getattr(kind, name)) == wanted


def test_constructors_have_the_order_of_tf_estimator() -> None:
    for make, wanted in CONSTRUCTORS.items():
        assert by_position(make) == wanted
    contrib = binary_classification_head()
    assert by_position(contrib.create_loss) == "features mode logits labels"
    assert by_position(contrib.create_estimator_spec) == (
        "features mode logits labels optimizer train_op_fn regularization_losses"
    )


def test_regularization_losses_are_fifth() -> None:
    head = BinaryClassHead()
    metrics = head.update_metrics(head.metrics([0.5]), {}, LOGITS, LABELS, [0.5, 1.0])
    assert metrics["regularization_loss"].result().numpy() == 1.5
    head.update_metrics(metrics, {}, LOGITS, LABELS, [0.5], mode=ModeKeys.EVAL)
    assert metrics["regularization_loss"].result() == 1.0
    # The loss of the same batch has them fifth too, after the mode.
    assert head.loss(LABELS, LOGITS, {}, "eval", [0.5]) > head.loss(LABELS, LOGITS)


@pytest.mark.parametrize("losses", ["eval", 0.5, {"l2": 0.5}, [[0.5]], ["0.5"], [1j], b"eval"])
def test_what_is_no_list_of_losses_is_refused(losses: Any) -> None:
    head = BinaryClassHead()
    metrics = head.metrics([])
    with pytest.raises(TypeError, match="regularization_losses must be a list of numbers"):
        head.update_metrics(metrics, {}, LOGITS, LABELS, losses)
    with pytest.raises(TypeError, match="regularization_losses must be a list of numbers"):
        head.loss(LABELS, LOGITS, regularization_losses=losses)
    assert metrics["average_loss"].result() == 0


def test_a_mode_in_the_place_of_another_argument_is_refused() -> None:
    head = BinaryClassHead()
    with pytest.raises(TypeError, match="mode must be a value of ModeKeys"):
        head.loss(LABELS, LOGITS, {}, [0.5])
    with pytest.raises(TypeError, match="mode must be a value of ModeKeys"):
        binary_classification_head().create_loss({}, LOGITS, "eval", LABELS)  # type: ignore[arg-type]
    for make in (BinaryClassHead, binary_classification_head):
        with pytest.raises(ValueError, match=r"mode must be one of .*'infer'.* Given: 'predict'"):
            make().create_estimator_spec({}, "predict", LOGITS)


def test_metrics_of_another_head_are_refused() -> None:
    head = BinaryClassHead()
    others = (MultiLabelHead(2).metrics() | head.metrics(), MultiLabelHead(2).metrics())
    mixed = {**others[0], "auc": others[1]["auc"]}
    for metrics in (mixed, {**head.metrics(), "auc": 0.5}):
        with pytest.raises(TypeError, match="'auc' of another head"):
            head.update_metrics(metrics, {}, LOGITS, LABELS)


class Quantile(Head):
    """A head as users of tf.estimator write it: the mode stands before the losses."""

    name = "q"
    logits_dimension = 1
    loss_reduction = Reduction.SUM

    def loss(self, labels, logits, features=None, mode=None, regularization_losses=None):
        loss = np.abs(np.asarray(labels) - np.asarray(logits)).sum()
        return loss + sum(regularization_losses or ())

    def predictions(self, logits, keys=None):
        return {PredictionKeys.PREDICTIONS: np.asarray(logits)}

    def metrics(self, regularization_losses=None):
        return {self._summary_key(MetricKeys.LOSS): []}

    def update_metrics(
        self, eval_metrics, features, logits, labels, mode=None, regularization_losses=None
    ):
        assert mode is None
        for metric in eval_metrics.values():
            metric.append(self.loss(labels, logits, regularization_losses=regularization_losses))
        return eval_metrics


def test_a_head_of_ones_own_has_specs() -> None:
    head: Head = Quantile()
    batch: dict[str, Any] = {"features": {}, "logits": [[1.0], [3.0]]}
    spec = head.create_estimator_spec(mode=ModeKeys.PREDICT, **batch)
    assert isinstance(spec, EstimatorSpec)
    exported = spec.export_outputs["serving_default"]
    assert isinstance(exported, PredictOutput)
    assert exported.outputs is spec.predictions
    assert set(spec.export_outputs) == {"serving_default", "predict"}
    batch |= {"labels": [[0.0], [5.0]], "regularization_losses": [0.25]}
    spec = head.create_estimator_spec(mode=ModeKeys.EVAL, **batch)
    assert spec.loss == 3.25
    assert spec.eval_metric_ops == {"loss/q": [3.25]}
    spec = head.create_estimator_spec(mode=ModeKeys.TRAIN, train_op_fn=lambda x: -x, **batch)
    assert spec.train_op == -3.25
    with pytest.raises(ValueError, match="cannot both be None"):
        head.create_estimator_spec(mode=ModeKeys.TRAIN, **batch)


def test_an_incomplete_head_is_abstract() -> None:
    class Incomplete(Head):
        name = None

    with pytest.raises(TypeError, match="abstract"):
        Incomplete()  # type: ignore[abstract]


def test_all_heads_are_heads() -> None:
    made = (
        BinaryClassHead(),
        MultiClassHead(3),
        MultiLabelHead(2),
        binary_classification_head(),
    )
    assert all(isinstance(head, heads.Head) for head in made)


def test_keys_are_those_of_tf_estimator() -> None:
    def values(kind: type) -> set[str]:
        return {value for name, value in vars(kind).items() if name.isupper()}

    assert values(ModeKeys) == {"train", "eval", "infer"}
    assert values(Reduction) == {*Reduction.all()} == {
        "auto", "none", "sum", "sum_over_batch_size"
    }  # fmt: skip
    assert values(PredictionKeys) == {
        "classes", "class_ids", "all_classes", "all_class_ids", "logistic", "logits",
        "predictions", "probabilities", "top_k",
    }  # fmt: skip
    assert values(MetricKeys) == {
        "loss", "average_loss", "regularization_loss", "accuracy", "precision", "recall",
        "accuracy_baseline", "auc", "auc_precision_recall", "label/mean", "prediction/mean",
        "accuracy/positive_threshold_%g", "precision/positive_threshold_%g",
        "recall/positive_threshold_%g", "precision_at_recall_%g", "recall_at_precision_%g",
        "sensitivity_at_specificity_%g", "specificity_at_sensitivity_%g",
        "probability_mean/class%d", "auc/class%d", "auc_precision_recall/class%d",
        "probability_mean/%s", "auc/%s", "auc_precision_recall/%s",
    }  # fmt: skip
    for reduction in (Reduction.AUTO, Reduction.SUM, Reduction.SUM_OVER_BATCH_SIZE):
        assert BinaryClassHead(loss_reduction=reduction).loss_reduction == reduction


@pytest.mark.parametrize(
    ("make", "arguments", "error", "match"),
    [
        (MultiClassHead, {"n_classes": 3.0}, TypeError, r"must be an int. Given: 3.0"),
        (MultiLabelHead, {"n_classes": "3"}, TypeError, "must be an int. Given: '3'"),
        (MultiLabelHead, {"n_classes": True}, ValueError, "n_classes must be > 1"),
        (MultiClassHead, {"n_classes": None}, ValueError, "cannot be None"),
        (BinaryClassHead, {"label_vocabulary": []}, ValueError, "label_vocabulary is empty"),
        (
            binary_classification_head,
            {"label_vocabulary": ()},
            ValueError,
            "label_vocabulary is empty",
        ),
        (
            MultiClassHead,
            {"n_classes": 3, "label_vocabulary": []},
            ValueError,
            r"does not have \"n_classes\" items",
        ),
        (BinaryClassHead, {"thresholds": 0.5}, TypeError, "thresholds must be a list of numbers"),
        (BinaryClassHead, {"thresholds": "0.5"}, TypeError, "must be a list of numbers"),
        (BinaryClassHead, {"thresholds": np.array(0.5)}, TypeError, "must be a list of numbers"),
        (
            MultiLabelHead,
            {"n_classes": 2, "label_vocabulary": "ab", "classes_for_class_based_metrics": "ab"},
            ValueError,
            "label_vocabulary must be a list or tuple",
        ),
        (
            MultiLabelHead,
            {
                "n_classes": 2,
                "label_vocabulary": list("ab"),
                "classes_for_class_based_metrics": "ab",
            },
            TypeError,
            "must be a list of ids or words",
        ),
        (
            # A mask of classes is no list of ids.
            MultiLabelHead,
            {"n_classes": 2, "classes_for_class_based_metrics": [True, False]},
            TypeError,
            "all ids or all words",
        ),
        (BinaryClassHead, {"name": 1}, TypeError, "name must be a str"),
        (BinaryClassHead, {"loss_reduction": np.array(["sum"])}, ValueError, "Invalid loss_red"),
    ],
)
def test_bad_arguments(make: Any, arguments: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        make(**arguments)


def test_a_number_of_classes_may_be_one_of_numpy() -> None:
    assert MultiClassHead(np.int64(3)).logits_dimension == 3  # type: ignore[arg-type]


def test_unknown_keys() -> None:
    head = BinaryClassHead()
    for key in ("top_k", ["logits"]):
        with pytest.raises(
            ValueError, match=re.escape(f"PredictionKeys, given: {key}. Use one of")
        ):
            head.predictions(LOGITS, [key])  # type: ignore[list-item]
    with pytest.raises(ValueError, match=r"keys must be a list of PredictionKeys. Given: 'logits'"):
        head.predictions(LOGITS, "logits")
    keys = np.array(["logits", "logistic"])
    assert list(head.predictions(LOGITS, keys)) == keys.tolist()
