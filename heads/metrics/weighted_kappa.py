"""Weighted kappa, for exclusive classes that are in an order."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

import numpy as np

from heads.metrics.core.class_counts import class_counts
from heads.metrics.core.context import MetricContext
from heads.metrics.core.metric import Floats, Metric, Values, divide, weight_column
from heads.metrics.core.registry import offers
from heads.statistics import State
from heads.statistics.confusion import APART


class WeightedKappa(Metric):
    """1 less the mean distance of label and prediction over that of chance.

    By chance, labels and predictions have the shares that they have, and do not depend on each
    other. J. Cohen, "Weighted kappa: nominal scale agreement with provision for scaled disagreement
    or partial credit", 1968. It equals scikit-learn's `cohen_kappa_score` with all classes as
    `labels`.
    """

    higher_is_better = True
    low, high = -1.0, 1.0

    @abstractmethod
    def distance(self, classes: Floats) -> Floats:
        """Returns the distance of label and prediction that are so many classes apart."""

    @abstractmethod
    def chance(self, labelled: Floats, predicted: Floats) -> Floats:
        """Returns the mean distance `[s]` by chance of the shares `[s, k]` of the classes."""

    def compute(self, state: State) -> Values:
        statistic, counts = state.statistic, class_counts(state)
        total = counts.labelled.sum(axis=1)
        shares = (
            divide(part, total[:, np.newaxis]) for part in (counts.labelled, counts.predicted)
        )
        chance = self.chance(*shares)
        table = state.dense(weight_column(state), statistic.groups, statistic.cells)
        apart = np.ascontiguousarray(table[:, :, APART])
        distances = self.distance(np.arange(statistic.groups, dtype=np.float64))
        mean = divide((divide(apart, total[:, np.newaxis]) * distances).sum(axis=1), chance)
        return Values(
            np.where(chance > 0, 1 - mean, 0.0),
            {
                "the weights sum to zero": total == 0,
                "all labels and predictions are of one class": chance == 0,
            },
        )


class LinearKappa(WeightedKappa):
    """Agreement beyond chance, errors counting by how many classes they are off.

    Its value is 1 - D / E, where D is the mean of `|label - prediction|` and E that by chance.
    """

    def distance(self, classes: Floats) -> Floats:
        return classes

    def chance(self, labelled: Floats, predicted: Floats) -> Floats:
        # A distance is the number of places between classes that have a class on each side.
        below = [np.cumsum(part, axis=1)[:, :-1] for part in (labelled, predicted)]
        above = [np.cumsum(part[:, ::-1], axis=1)[:, -2::-1] for part in (labelled, predicted)]
        apart = np.ascontiguousarray(below[0] * above[1] + above[0] * below[1])
        mean: Floats = apart.sum(axis=1)
        return mean


class QuadraticKappa(WeightedKappa):
    """Agreement beyond chance, errors counting by the square of how many classes they are off.

    Its value is 1 - D / E, where D is the mean of `(label - prediction)^2` and E that by chance.
    """

    def distance(self, classes: Floats) -> Floats:
        return np.square(classes)

    def chance(self, labelled: Floats, predicted: Floats) -> Floats:
        # The variances and the squared difference of the means: no digits cancel.
        classes = np.arange(labelled.shape[1], dtype=np.float64)
        means, variances = [], []
        for share in (labelled, predicted):
            mean = (share * classes).sum(axis=1)
            means.append(mean)
            variances.append((share * np.square(classes - mean[:, np.newaxis])).sum(axis=1))
        total: Floats = variances[0] + variances[1] + np.square(means[0] - means[1])
        return total


@offers("multi_class", kind="report")
def weighted_kappa(context: MetricContext) -> Iterator[Metric]:
    yield LinearKappa("cohen_kappa/linear", context.class_outcomes)
    yield QuadraticKappa("cohen_kappa/quadratic", context.class_outcomes)
