"""The values of rows of a regression head that sums are kept of."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from heads.statistics.exact import Floats

OfPrediction = Callable[[Floats, Floats], Floats]
"""A function of the predictions and the labels `[n]` that returns a value of each row, `[n]`."""


def _error(prediction: Floats, label: Floats) -> Floats:
    return prediction - label


def _absolute_error(prediction: Floats, label: Floats) -> Floats:
    return np.abs(prediction - label)


def _relative_error(prediction: Floats, label: Floats) -> Floats:
    """Returns |prediction - label| / |label|; 0 where the label is 0."""
    size = np.abs(label)
    return np.where(label == 0, 0.0, np.abs(prediction - label) / np.where(label == 0, 1.0, size))


def _poisson_deviance(prediction: Floats, label: Floats) -> Floats:
    """Returns 2 (y ln(y / m) - y + m), which is at least 0 and 2 m for a label y of 0."""
    ratio = np.where(label == 0, 1.0, label / prediction)
    deviance: Floats = 2 * (label * np.log(ratio) - label + prediction)
    return np.maximum(deviance, 0.0)


def pinball_loss(prediction: Floats, label: Floats, quantile: float) -> Floats:
    """Returns quantile * (label - prediction), or (1 - quantile) * (prediction - label) if above.

    R. Koenker and G. Bassett, "Regression quantiles", 1978.
    """
    error = label - prediction
    return np.maximum(quantile * error, (quantile - 1) * error)


OF_PREDICTION: Mapping[str, OfPrediction] = {
    "prediction": lambda prediction, _: prediction,
    "label": lambda _, label: label,
    "error": _error,
    "absolute_error": _absolute_error,
    "relative_error": _relative_error,
    "poisson_deviance": _poisson_deviance,
}
"""The values of a row that follow from its prediction and its label, by name."""

EXACT_FACTORS: Mapping[str, tuple[str, ...]] = {
    "exact_prediction": ("prediction",),
    "exact_label": ("label",),
    "prediction_squared": ("prediction", "prediction"),
    "label_squared": ("label", "label"),
    "prediction_label": ("prediction", "label"),
}
"""The values that are products of others, by name, whose sums are exact: neither the product, nor
that with the weight, is rounded."""
