"""The names of modes, predictions and metrics, as tf.estimator spells them."""

from __future__ import annotations


class ModeKeys:
    """The modes of `create_estimator_spec`."""

    TRAIN = "train"
    EVAL = "eval"
    PREDICT = "infer"


class PredictionKeys:
    """The keys of the dict that `predictions` returns."""

    LOGITS = "logits"
    PREDICTIONS = "predictions"
    LOGISTIC = "logistic"
    PROBABILITIES = "probabilities"
    CLASS_IDS = "class_ids"
    CLASSES = "classes"
    ALL_CLASS_IDS = "all_class_ids"
    ALL_CLASSES = "all_classes"


class MetricKeys:
    """The keys of the dict that `metrics` returns; a head with a name appends `/name` to each.

    The `_AT_THRESHOLD` keys are formats for a threshold, the `_AT_NAME` keys for a vocabulary word,
    and the `_AT_CLASS` keys for a class id.

    >>> MetricKeys.ACCURACY_AT_THRESHOLD % 0.5
    'accuracy/positive_threshold_0.5'
    """

    LOSS = "loss"
    LOSS_MEAN = "average_loss"
    LOSS_REGULARIZATION = "regularization_loss"

    ACCURACY = "accuracy"
    PRECISION = "precision"
    RECALL = "recall"
    ACCURACY_BASELINE = "accuracy_baseline"
    AUC = "auc"
    AUC_PR = "auc_precision_recall"
    LABEL_MEAN = "label/mean"
    PREDICTION_MEAN = "prediction/mean"

    ACCURACY_AT_THRESHOLD = "accuracy/positive_threshold_%g"
    PRECISION_AT_THRESHOLD = "precision/positive_threshold_%g"
    RECALL_AT_THRESHOLD = "recall/positive_threshold_%g"

    PROBABILITY_MEAN_AT_CLASS = "probability_mean/class%d"
    AUC_AT_CLASS = "auc/class%d"
    AUC_PR_AT_CLASS = "auc_precision_recall/class%d"

    PROBABILITY_MEAN_AT_NAME = "probability_mean/%s"
    AUC_AT_NAME = "auc/%s"
    AUC_PR_AT_NAME = "auc_precision_recall/%s"
