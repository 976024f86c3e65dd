"""The arguments of `update_state` as scored batches, which statistics measure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from heads.inputs import Float32, as_float32
from heads.keys import MetricKeys
from heads.metrics.core.context import MetricContext
from heads.metrics.core.metric import Metric
from heads.statistics import Scored
from heads.statistics.cuts import ScoreSpace

Floats = npt.NDArray[np.float64]

_MEANS = (
    MetricKeys.LOSS_MEAN,
    MetricKeys.PREDICTION_MEAN,
    MetricKeys.LABEL_MEAN,
    MetricKeys.ACCURACY_BASELINE,
    MetricKeys.LOSS_REGULARIZATION,
)


def is_mean(metric: Metric) -> bool:
    """Returns whether a metric is a mean of values, and does not compare labels and predictions."""
    return metric.name in _MEANS or metric.name.startswith(MetricKeys.PROBABILITY_MEAN_AT_NAME % "")


def scored_values(context: MetricContext, values: Any, sample_weight: Any) -> Scored:
    """Returns a batch with a row for each value, whichever mean reads it.

    Args:
        context: the settings of the head.
        values: numbers of any shape, rounded to float32.
        sample_weight: weights that can be broadcast to the values, or None.
    """
    array = as_float32(values, "values")
    row = _flat(array)
    columns = np.repeat(row[:, np.newaxis], context.columns, axis=1)
    classes = context.head == "multi_class"
    return Scored(
        score=np.zeros_like(columns),
        probability=columns,
        label=np.zeros((len(row), 1)) if classes else columns,
        loss=row,
        weight=_flat(_weights(sample_weight, array.shape)),
        predicted=np.zeros(len(row), np.int64) if classes else None,
    )


def scored_pairs(
    context: MetricContext, metric: Metric, y_true: Any, y_pred: Any, sample_weight: Any
) -> Scored:
    """Returns a batch of labels and predictions.

    Args:
        context: the settings of the head.
        metric: the metric that will read the batch.
        y_true: labels, as `processed` by the head.
        y_pred: class ids for `accuracy`, else probabilities, in the shape of the labels. A
            multi-label metric of all classes needs `[..., n_classes]`.
        sample_weight: weights that can be broadcast to the labels, or None.
    """
    labels, predictions = _of_equal_shape(
        as_float32(y_true, "y_true"), as_float32(y_pred, "y_pred")
    )
    by_row = context.head == "multi_label" and getattr(metric, "group", None) is None
    if by_row and labels.shape[-1:] != (context.columns,):
        raise ValueError(
            f"y_true and y_pred must have {context.columns} classes in their last dimension. "
            f"Given shape: {labels.shape}."
        )
    weight = _weights(sample_weight, (*labels.shape[:-1], 1) if by_row else labels.shape)
    if metric.name == MetricKeys.ACCURACY:
        return _scored_hits(context, _flat(labels) == _flat(predictions), _flat(weight))
    if np.any((predictions < 0) | (predictions > 1)):
        raise ValueError("y_pred must be probabilities in [0, 1]. Pass the sigmoid of the logits.")
    label, probability = (
        _flat(array).reshape(-1, context.columns)
        if by_row
        else np.repeat(_flat(array)[:, np.newaxis], context.columns, axis=1)
        for array in (labels, predictions)
    )
    return Scored(
        score=_logits_beside_cuts(context, metric, probability),
        probability=probability,
        label=label,
        loss=np.zeros(len(label)),
        weight=_flat(weight),
    )


def _scored_hits(context: MetricContext, hit: npt.NDArray[np.bool_], weight: Floats) -> Scored:
    """Returns a batch in which the predicted class is right where `hit` is true."""
    classes = context.head == "multi_class"
    label = np.zeros((len(hit), 1)) if classes else np.ones((len(hit), 1))
    return Scored(
        score=np.where(hit, 1.0, -1.0)[:, np.newaxis],
        probability=np.zeros((len(hit), 1)),
        label=label,
        loss=np.zeros(len(hit)),
        weight=weight,
        predicted=np.where(hit, 0, 1) if classes else None,
    )


def _logits_beside_cuts(context: MetricContext, metric: Metric, probability: Floats) -> Floats:
    """Returns logits that are above the same thresholds as float32 probabilities are.

    The logit of a probability would not do: float32 has fewer logits than probabilities near 0.
    """
    space = ScoreSpace("probabilities", float32=True)
    stored = replace(context, space=space)
    if metric.statistic == context.auc_counts:
        pairs = set(zip(context.auc_cuts, stored.auc_cuts, strict=True))
    else:
        pairs = {(context.space.class_one(), space.class_one())}
        for threshold in context.all_thresholds:
            pairs.add((threshold.above(context.space), threshold.above(space)))
            pairs.add((threshold.at_least(context.space), threshold.at_least(space)))
    cuts, of_probability = np.array(sorted(pairs)).T
    above = np.searchsorted(of_probability, probability, side="left")
    logits: Floats = np.append(cuts, np.inf)[above]
    logits[np.isnan(probability)] = np.nan
    return logits


def _of_equal_shape(labels: Float32, predictions: Float32) -> tuple[Float32, Float32]:
    if labels.ndim == predictions.ndim - 1:
        labels = labels[..., np.newaxis]
    elif predictions.ndim == labels.ndim - 1:
        predictions = predictions[..., np.newaxis]
    if labels.shape != predictions.shape:
        raise ValueError(
            f"y_true and y_pred must have the same shape. Given: {labels.shape} and "
            f"{predictions.shape}."
        )
    return labels, predictions


def _weights(sample_weight: Any, shape: tuple[int, ...]) -> Float32:
    if sample_weight is None:
        return np.ones(shape, np.float32)
    weight = as_float32(sample_weight, "sample_weight")
    if weight.ndim == len(shape) - 1:
        weight = weight[..., np.newaxis]
    elif weight.ndim == len(shape) + 1 and weight.shape[-1] == 1:
        weight = weight[..., 0]
    try:
        return np.broadcast_to(weight, shape)
    except ValueError:
        raise ValueError(
            f"sample_weight must fit {list(shape)}. Given shape: {weight.shape}. Give one weight "
            "for each value."
        ) from None


def _flat(array: npt.NDArray[Any]) -> Floats:
    return array.astype(np.float64).ravel()
