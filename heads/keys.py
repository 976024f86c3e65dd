"""The names of modes, reductions, predictions and metrics, as tf.estimator spells them."""

from __future__ import annotations

from typing import Any


class ModeKeys:
    """The modes of `create_estimator_spec`."""

    TRAIN = "train"
    EVAL = "eval"
    PREDICT = "infer"


def check_mode(mode: Any) -> None:
    """Checks a mode that decides what is returned.

    Raises:
        ValueError: if it is no value of `ModeKeys`.
    """
    modes = (ModeKeys.TRAIN, ModeKeys.EVAL, ModeKeys.PREDICT)
    if not isinstance(mode, str) or mode not in modes:
        raise ValueError(f"mode must be one of {modes}, the values of ModeKeys. Given: {mode!r}.")


def check_unused_mode(mode: Any) -> None:
    """Checks a mode that decides nothing, as another argument may have taken its place.

    Raises:
        TypeError: if it is neither None nor a str.
    """
    if mode is not None and not isinstance(mode, str):
        raise TypeError(
            f"mode must be a value of ModeKeys or None. Given: {mode!r}. Check the order of the "
            "arguments, or pass them by name."
        )


class Reduction:
    """The names of loss reductions, as `tf.losses.Reduction`; no head takes `NONE`.

    The older contrib head has other names, see `binary_classification_head`.
    """

    AUTO = "auto"
    NONE = "none"
    SUM = "sum"
    SUM_OVER_BATCH_SIZE = "sum_over_batch_size"

    @classmethod
    def all(cls) -> tuple[str, ...]:
        """Returns all names."""
        return (cls.AUTO, cls.NONE, cls.SUM, cls.SUM_OVER_BATCH_SIZE)


class PredictionKeys:
    """The keys of the dicts that `predictions` of all heads return.

    `PREDICTIONS` are the values that a regression predicts. No head has `TOP_K`.
    """

    LOGITS = "logits"
    LOGISTIC = "logistic"
    PROBABILITIES = "probabilities"
    CLASS_IDS = "class_ids"
    CLASSES = "classes"
    ALL_CLASS_IDS = "all_class_ids"
    ALL_CLASSES = "all_classes"
    PREDICTIONS = "predictions"
    TOP_K = "top_k"


class MetricKeys:
    """The keys of the dict that `metrics` returns; a head with a name appends `/name` to each.

    The `_AT_THRESHOLD` keys are formats for a threshold, the `_AT_NAME` keys for a vocabulary word,
    the `_AT_CLASS` keys for a class id, and those at another rate for that rate. No head has the
    last. `LOSS` is what `Estimator.evaluate` calls the mean of `head.loss`; a `MultiHead` has it of
    each of its heads.

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

    PRECISION_AT_RECALL = "precision_at_recall_%g"
    RECALL_AT_PRECISION = "recall_at_precision_%g"
    SENSITIVITY_AT_SPECIFICITY = "sensitivity_at_specificity_%g"
    SPECIFICITY_AT_SENSITIVITY = "specificity_at_sensitivity_%g"

    PROBABILITY_MEAN_AT_CLASS = "probability_mean/class%d"
    AUC_AT_CLASS = "auc/class%d"
    AUC_PR_AT_CLASS = "auc_precision_recall/class%d"

    PROBABILITY_MEAN_AT_NAME = "probability_mean/%s"
    AUC_AT_NAME = "auc/%s"
    AUC_PR_AT_NAME = "auc_precision_recall/%s"
