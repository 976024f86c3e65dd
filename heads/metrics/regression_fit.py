"""How well predictions follow the labels: explained variance and correlation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from heads.metrics.core.context import MetricContext
from heads.metrics.core.methods import FEW_ERRORS, FEW_FOR_ERRORS, Requirement
from heads.metrics.core.metric import Metric, Values
from heads.metrics.core.moments import moments
from heads.metrics.core.registry import offers
from heads.metrics.core.wide import Wide
from heads.statistics import State

NO_SPREAD = "all labels are the same"
NO_WEIGHT = "the weights sum to zero"


class Fit(Metric):
    """The base class of metrics of how well predictions follow the labels."""

    @property
    def requirement(self) -> Requirement:
        return Requirement(self.support, 1.0, FEW_FOR_ERRORS, FEW_ERRORS)


class R2(Fit):
    """1 - sum(w * (label - prediction)^2) / sum(w * (label - mean label)^2).

    The mean label is weighted; scikit-learn's `r2_score`. It is 0 for a model that predicts the
    mean label, and below 0 for a worse one. The sums of labels and of their squares are exact.
    """

    higher_is_better = True
    high = 1.0
    headline = True

    @property
    def definition(self) -> str:
        return (
            "`1 - sum(w * (label - prediction)^2) / sum(w * (label - mean label)^2)`;"
            " scikit-learn's `r2_score`, 0 for a model that predicts the mean label."
        )

    def compute(self, state: State) -> Values:
        found = moments(state)
        errors = Wide(*state.wide_by_segment("squared_error"))
        value = 1 - errors.times(found.weight).over(found.label).to_float()
        same = found.label.factor == 0
        return Values(
            np.where(same, 0.0, value), {NO_WEIGHT: found.weight.factor == 0, NO_SPREAD: same}
        )


class PearsonCorrelation(Fit):
    """The weighted correlation of prediction and label (K. Pearson, 1895).

    It is cov(prediction, label) / (sd(prediction) * sd(label)), as `scipy.stats.pearsonr`. The sums
    of predictions, labels and their products are exact.
    """

    higher_is_better = True
    low, high = -1.0, 1.0

    @property
    def definition(self) -> str:
        return (
            "The weighted correlation of prediction and label,"
            " `cov(prediction, label) / (sd(prediction) * sd(label))`, as `scipy.stats.pearsonr`."
        )

    def compute(self, state: State) -> Values:
        found = moments(state)
        spread = found.prediction.times(found.label).root()
        value = np.clip(found.both.over(spread).to_float(), -1.0, 1.0)
        reasons = {
            NO_WEIGHT: found.weight.factor == 0,
            NO_SPREAD: found.label.factor == 0,
            "all predictions are the same": found.prediction.factor == 0,
        }
        return Values(value, reasons)


@offers("regression", "poisson", "logistic_regression", kind="report")
def fit(context: MetricContext) -> Iterator[Metric]:
    yield R2("r2", context.moment_sums)
    yield PearsonCorrelation("pearson", context.moment_sums)
