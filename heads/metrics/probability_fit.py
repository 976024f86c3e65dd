"""How well probabilities follow labels of two kinds: errors, correlation and discrimination."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from heads.metrics.core.context import MetricContext
from heads.metrics.core.methods import (
    FEW_FOR_MEANS,
    FEW_FOR_RATIOS,
    FEW_LABELS,
    FEW_OF_A_CLASS_FOR_MEANS,
    Requirement,
)
from heads.metrics.core.metric import Floats, Metric, Values, divide, weight_column
from heads.metrics.core.registry import offers
from heads.metrics.core.score_curve import Reasons
from heads.metrics.core.support import BothLabels, Support
from heads.metrics.weighted_means import MeanShare, label_sums
from heads.statistics import State
from heads.statistics.threshold_counts import LABEL_KINDS, ONE, SOFT, ZERO

# A variance of so small a part of a mean square is rounding.
_ROUNDING = 2.0**-46


class MeanAbsoluteError(MeanShare):
    """The weighted mean of |probability - label|."""

    higher_is_better = False

    @property
    def definition(self) -> str:
        return "The weighted mean of |probability - label|; scikit-learn's `mean_absolute_error`."


class LabelFit(Metric):
    """A figure of probabilities by label, which the scarcer label makes unsure."""

    higher_is_better = True

    @property
    def support(self) -> Support:
        return BothLabels(self.statistic)

    @property
    def requirement(self) -> Requirement:
        return Requirement(BothLabels(self.statistic), 1.0, FEW_FOR_RATIOS, FEW_LABELS)


@dataclass(frozen=True, eq=False)
class Moments:
    """The variances and the covariance of probability and label, `[s]` each.

    Attributes:
        probability: the variance of the probability; 0 where it is rounding alone.
        label: the variance of the label.
        both: their covariance.
        weight: the sum of the weights.
    """

    probability: Floats
    label: Floats
    both: Floats
    weight: Floats


class SquaredCorrelation(LabelFit):
    """The square of the weighted correlation of probability and label (K. Pearson, 1895).

    It equals `SquaredPearsonCorrelation` of TensorFlow Model Analysis.
    """

    low, high = 0.0, 1.0

    @property
    def definition(self) -> str:
        return (
            "The square of the weighted correlation of probability and label,"
            " `cov(p, y)^2 / (var(p) * var(y))`; that of `scipy.stats.pearsonr`."
        )

    def compute(self, state: State) -> Values:
        found = moments(state)
        square = divide(found.both, found.probability) * divide(found.both, found.label)
        reasons = {
            "the weights sum to zero": found.weight == 0,
            "all labels are the same": found.label == 0,
            "the probabilities are all nearly the same": found.probability == 0,
        }
        return Values(np.minimum(square, 1.0), reasons)


def moments(state: State) -> Moments:
    """Returns the moments of a state of `ThresholdCounts` of a binary head.

    They are those within labels of one kind and those between the kinds. Within the labels 0 and 1
    the variance of the probability is that of the absolute error, so that nothing cancels where
    probabilities are near to the labels.
    """
    columns = (weight_column(state), "absolute_error", "squared_error")
    weight, error, square = (_by_kind(state, column) for column in columns)
    mean, mean_square = divide(error, weight), divide(square, weight)
    variance = mean_square - mean**2
    mean[:, ONE] = np.where(weight[:, ONE] > 0, 1 - mean[:, ONE], 0.0)
    label = np.tile([0.0, 1.0, 0.0], (len(weight), 1))
    label_variance, covariance = np.zeros(label.shape), np.zeros(label.shape)
    # Soft labels have sums of their own, which are mostly 0.
    mean[:, SOFT], label[:, SOFT], both, label_square = (
        divide(_by_kind(state, column)[:, SOFT], weight[:, SOFT])
        for column in ("probability", "soft_label", "soft_product", "soft_square")
    )
    mean_square[:, SOFT] += 2 * both - label_square
    variance[:, SOFT] = mean_square[:, SOFT] - mean[:, SOFT] ** 2
    label_variance[:, SOFT] = label_square - label[:, SOFT] ** 2
    covariance[:, SOFT] = both - mean[:, SOFT] * label[:, SOFT]

    share = divide(weight, weight.sum(axis=1, keepdims=True))

    def from_mean(means: Floats) -> Floats:
        """Returns how far the means of the kinds are from that of all rows `[s, 3]`."""
        difference: Floats = means - (share * means).sum(axis=1, keepdims=True)
        return difference

    def total(within: Floats, between: Floats) -> Floats:
        moment: Floats = (share * (within + between)).sum(axis=1)
        return moment

    off, off_label = from_mean(mean), from_mean(label)
    of_probability = total(variance, off**2)
    rounding = _ROUNDING * total(mean_square, off**2)
    return Moments(
        np.where(of_probability > rounding, of_probability, 0.0),
        total(label_variance, off_label**2),
        total(covariance, off * off_label),
        weight.sum(axis=1),
    )


def _by_kind(state: State, column: str) -> Floats:
    """Returns the sums of a column by kind of label, `[s, 3]`."""
    kind = state.group % LABEL_KINDS
    return np.stack([state.by_segment(column, kind == k) for k in range(LABEL_KINDS)], axis=1)


class MeansByLabel(LabelFit):
    """A figure of the mean probabilities of positive and of zero labels."""

    @property
    def requirement(self) -> Requirement:
        rows = BothLabels(self.statistic)
        return Requirement(rows, 1.0, FEW_FOR_MEANS, FEW_OF_A_CLASS_FOR_MEANS)


class CoefficientOfDiscrimination(MeansByLabel):
    """The mean probability of positive labels less that of zero labels.

    T. Tjur, "Coefficients of determination in logistic regression models", 2009. A label y between
    0 and 1 counts as y positive and 1 - y zero labels.
    """

    low, high = -1.0, 1.0

    @property
    def definition(self) -> str:
        return (
            "The mean probability of positive labels less that of zero labels (Tjur, 2009),"
            " `sum(w * y * p) / sum(w * y) - sum(w * (1 - y) * p) / sum(w * (1 - y))`."
        )

    def compute(self, state: State) -> Values:
        of_positive, of_zero, reasons = _means_by_label(state)
        return Values(of_positive - of_zero, reasons)


class RelativeCoefficientOfDiscrimination(MeansByLabel):
    """The mean probability of positive labels over that of zero labels.

    It equals `RelativeCoefficientOfDiscrimination` of TensorFlow Model Analysis.
    """

    low = 0.0

    @property
    def definition(self) -> str:
        return (
            "The mean probability of positive labels over that of zero labels,"
            " `(sum(w * y * p) / sum(w * y)) / (sum(w * (1 - y) * p) / sum(w * (1 - y)))`."
        )

    def compute(self, state: State) -> Values:
        of_positive, of_zero, reasons = _means_by_label(state)
        with np.errstate(over="ignore"):
            value = divide(of_positive, of_zero)
        nothing = "the probabilities of zero labels sum to zero"
        return Values(value, {**reasons, nothing: of_zero == 0})


def _means_by_label(state: State) -> tuple[Floats, Floats, Reasons]:
    """Returns the mean probability of positive and of zero labels, and where there are none."""
    zeros, ones, soft = (_by_kind(state, "probability")[:, kind] for kind in (ZERO, ONE, SOFT))
    product = _by_kind(state, "soft_product")[:, SOFT]
    positive, zero = label_sums(state)
    reasons = {"no label is positive": positive == 0, "no label is zero": zero == 0}
    return divide(ones + product, positive), divide(zeros + (soft - product), zero), reasons


@offers("binary", "contrib_binary", kind="report")
def probability_fit(context: MetricContext) -> Iterator[Metric]:
    counts = context.threshold_counts
    yield MeanAbsoluteError("mean_absolute_error", counts, "absolute_error")
    yield SquaredCorrelation("squared_correlation", counts)
    yield CoefficientOfDiscrimination("coefficient_of_discrimination", counts)
    yield RelativeCoefficientOfDiscrimination("relative_coefficient_of_discrimination", counts)
