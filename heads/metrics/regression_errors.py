"""Weighted means of the errors of a regression head."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from heads.metrics.core.class_counts import trials
from heads.metrics.core.context import MetricContext
from heads.metrics.core.methods import FEW_ERRORS, FEW_FOR_ERRORS, Requirement
from heads.metrics.core.metric import Floats, Metric, Values, ratio, weight_column
from heads.metrics.core.number_names import distinct_names
from heads.metrics.core.registry import offers
from heads.metrics.core.support import Support
from heads.metrics.weighted_means import MeanLoss, MeanShare, WeightedMean
from heads.statistics import State
from heads.statistics.label_sums import OTHER_LABEL


class MeanError(WeightedMean):
    """The weighted mean of a value of the rows, which its subclass describes."""

    definition = Metric.definition


class SkewedMean(MeanError):
    """The weighted mean of a value that may be skewed, so that it takes many rows."""

    @property
    def requirement(self) -> Requirement:
        return Requirement(self.support, 1.0, FEW_FOR_ERRORS, FEW_ERRORS)


class RegressionLoss(SkewedMean, MeanLoss):
    """The weighted mean of the loss, `sum(w * v) / sum(w)`."""


class MeanSquaredError(SkewedMean):
    """The weighted mean of (prediction - label)^2; scikit-learn's `mean_squared_error`."""

    higher_is_better = False
    low = 0.0


class RootMeanSquaredError(MeanSquaredError):
    """The root of `mse`; scikit-learn's `root_mean_squared_error`."""

    headline = True

    def compute(self, state: State) -> Values:
        mean, weight = self.mean(state)
        return Values(np.sqrt(mean), {"the weights sum to zero": weight == 0})


class MeanAbsoluteError(MeanError):
    """The weighted mean of |prediction - label|; scikit-learn's `mean_absolute_error`."""

    higher_is_better = False
    low = 0.0
    headline = True


class Bias(MeanError):
    """The weighted mean of prediction - label: above 0 the model predicts too much."""

    headline = True


class MeanAbsolutePercentageError(SkewedMean):
    """The weighted mean of |prediction - label| / |label| over rows whose label is not 0.

    It is a share, not a percentage; where no label is 0 it is scikit-learn's
    `mean_absolute_percentage_error`.
    """

    higher_is_better = False
    low = 0.0

    @property
    def definition(self) -> str:
        return (
            "The weighted mean of |prediction - label| / |label| over rows whose label is not 0, as"
            " a share; where no label is 0, scikit-learn's `mean_absolute_percentage_error`."
        )

    @property
    def support(self) -> Support:
        return OtherLabels(self.statistic)

    def compute(self, state: State) -> Values:
        total = state.by_segment(self.column)
        weight = _of_other_labels(state, weight_column(state))
        return ratio(total, weight, "every label is 0")


class PinballLoss(SkewedMean):
    """The weighted mean of Q (label - prediction), or of (1 - Q) (prediction - label) above it.

    R. Koenker and G. Bassett, "Regression quantiles", 1978; scikit-learn's `mean_pinball_loss`. It
    is least where the prediction is the quantile Q of the label.
    """

    higher_is_better = False
    low = 0.0

    @property
    def definition(self) -> str:
        quantile = self.name.rpartition("_")[2]
        return (
            f"The weighted mean of {quantile} (label - prediction), or of (1 - {quantile})"
            " (prediction - label) where the prediction is above the label; scikit-learn's"
            f" `mean_pinball_loss`, which is least for predictions of the quantile {quantile}."
        )


class PoissonDeviance(SkewedMean):
    """The weighted mean of 2 (y ln(y / m) - y + m), for labels y and predictions m.

    P. McCullagh and J. A. Nelder, "Generalized Linear Models", 1989; scikit-learn's
    `mean_poisson_deviance`.
    """

    higher_is_better = False
    low = 0.0
    headline = True

    @property
    def definition(self) -> str:
        return (
            "The weighted mean of 2 (y ln(y / m) - y + m), for labels y and predictions m;"
            " scikit-learn's `mean_poisson_deviance`."
        )


class IntervalCoverage(MeanError):
    """The weighted share of rows whose label is between `lower` and `upper`, ends included."""

    low, high = 0.0, 1.0
    headline = True

    def compute(self, state: State) -> Values:
        mean, weight = self.mean(state)
        return Values(
            mean, {"the weights sum to zero": weight == 0}, trials(state, state.by_segment)
        )


class IntervalWidth(SkewedMean):
    """The weighted mean of `upper` - `lower`."""

    low = 0.0


@dataclass(frozen=True)
class OtherLabels(Support):
    """The rows whose label is not 0."""

    def parts(self, state: State, column: str) -> Floats:
        return _of_other_labels(state, column)[:, np.newaxis]


def _of_other_labels(state: State, column: str) -> Floats:
    return state.by_segment(column, state.group % state.statistic.groups == OTHER_LABEL)


class Mean(WeightedMean):
    """The weighted mean of numbers that are at least 0."""

    low = 0.0


@offers("regression", "poisson", "logistic_regression")
def means(context: MetricContext) -> Iterator[Metric]:
    """Offers the means of loss, prediction and label."""
    sums = context.label_sums
    mean = {"poisson": Mean, "logistic_regression": MeanShare}.get(context.head, WeightedMean)
    yield RegressionLoss("average_loss", sums, "loss")
    yield mean("prediction/mean", sums, "prediction")
    yield mean("label/mean", sums, "label")


@offers("regression", "poisson", "logistic_regression", kind="report")
def errors(context: MetricContext) -> Iterator[Metric]:
    """Offers the means of errors."""
    sums = context.label_sums
    yield MeanSquaredError("mse", sums, "squared_error")
    yield RootMeanSquaredError("rmse", sums, "squared_error")
    yield MeanAbsoluteError("mae", sums, "absolute_error")
    yield Bias("bias", sums, "error")
    yield MeanAbsolutePercentageError("mape", sums, "relative_error")
    for quantile, name in zip(context.pinball, distinct_names(context.pinball), strict=True):
        yield PinballLoss(f"pinball_loss_{name}", sums, f"pinball_{quantile!r}")


@offers("poisson", kind="report")
def poisson_deviance(context: MetricContext) -> Iterator[Metric]:
    yield PoissonDeviance("poisson_deviance", context.label_sums, "poisson_deviance")


@offers("regression", "poisson", "logistic_regression", kind="report")
def predicted_interval(context: MetricContext) -> Iterator[Metric]:
    """Offers what is known of predicted intervals, if the model has any."""
    if context.interval:
        yield IntervalCoverage("interval_coverage", context.label_sums, "covered")
        yield IntervalWidth("interval_width", context.label_sums, "interval_width")
