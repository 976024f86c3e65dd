"""Metrics of how far predicted and labelled classes agree, which allow for rarity and chance."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from heads.metrics.core.class_counts import class_counts, others_of
from heads.metrics.core.class_support import ClassMargins, ClassMeanSupport
from heads.metrics.core.context import MetricContext
from heads.metrics.core.methods import FEW_FOR_RATIOS, FEW_LABELS, Requirement
from heads.metrics.core.metric import Floats, Metric, Values, divide
from heads.metrics.core.registry import offers
from heads.metrics.core.support import Support
from heads.metrics.core.wide import Ints, Wide
from heads.statistics import State


class Agreement(Metric):
    """A metric that is computed from the counts by class of a head of exclusive classes."""

    higher_is_better = True
    low, high = -1.0, 1.0

    def shares(self, state: State) -> tuple[Floats, Floats, Floats, Ints]:
        """Returns shares of rows by class, each `[s, k]`, times a power of two.

        Returns:
            The shares of rows that have the class wrongly as prediction, that have it as
            prediction, and that have it as label; and the exponent of the power, `[s]`.
        """
        counts = class_counts(state)
        # Shares themselves may be too small for float64 where counts are not.
        total, exponent = np.frexp(counts.labelled.sum(axis=1)[:, np.newaxis])
        wrong, right = divide(counts.false_positive, total), divide(counts.true_positive, total)
        return wrong, right + wrong, divide(counts.labelled, total), exponent[:, 0]


class BalancedAccuracy(Agreement):
    """The mean over classes that are labels of the recall of the class, TP / (TP + FN).

    It equals scikit-learn's `balanced_accuracy_score`.
    """

    low = 0.0

    @property
    def support(self) -> Support:
        return ClassMeanSupport(self.statistic, "recall", 0.0)

    @property
    def requirement(self) -> Requirement:
        rows = ClassMargins(self.statistic, 0.0, predictions=False)
        return Requirement(rows, 1.0, FEW_FOR_RATIOS, FEW_LABELS)

    def compute(self, state: State) -> Values:
        counts = class_counts(state)
        recalls = divide(counts.true_positive, counts.labelled).sum(axis=1)
        classes = np.count_nonzero(counts.labelled, axis=1).astype(np.float64)
        return Values(divide(recalls, classes), {"the weights sum to zero": classes == 0})


class CohenKappa(Agreement):
    """(po - pe) / (1 - pe), where po is the share of rows predicted right and pe the chance of it.

    With t_k the share of rows labelled k and p_k that of rows predicted k, `pe = sum(t_k * p_k)`.
    J. Cohen, "A coefficient of agreement for nominal scales", 1960; scikit-learn's
    `cohen_kappa_score`.
    """

    def compute(self, state: State) -> Values:
        wrong, predicted, labelled, power = self.shares(state)
        chance = _product(labelled, others_of(predicted))
        ratio = Wide.of(wrong.sum(axis=1)).over(chance).scaled(power)
        return Values(
            np.where(chance.factor > 0, 1 - ratio.to_float(), 0.0),
            {
                "the weights sum to zero": labelled.sum(axis=1) == 0,
                "all labels and predictions are of one class": chance.factor == 0,
            },
        )


class MatthewsCorrelation(Agreement):
    """(po - sum(t_k * p_k)) / sqrt((1 - sum(t_k * t_k)) * (1 - sum(p_k * p_k))).

    Here po is the share of rows predicted right, t_k that of rows labelled k, and p_k that of rows
    predicted k. J. Gorodkin, "Comparing two K-category assignments by a K-category correlation
    coefficient", 2004; scikit-learn's `matthews_corrcoef`, which gives 0 where it is undefined.
    """

    def compute(self, state: State) -> Values:
        wrong, predicted, labelled, power = self.shares(state)
        chance = _product(labelled, others_of(predicted))
        covariance = chance.minus(Wide.of(wrong.sum(axis=1)).scaled(power))
        label_variance = _product(labelled, others_of(labelled))
        prediction_variance = _product(predicted, others_of(predicted))
        # This equals covariance / sqrt(label_variance * prediction_variance), but it is exactly 1
        # where every prediction is right.
        spread = label_variance.over(prediction_variance).root()
        return Values(
            covariance.over(label_variance).times(spread).to_float(),
            {
                "the weights sum to zero": labelled.sum(axis=1) == 0,
                "all labels are of one class": label_variance.factor == 0,
                "all predictions are of one class": prediction_variance.factor == 0,
            },
        )


def _product(first: Floats, second: Floats) -> Wide:
    """Returns the sums `[s]` over classes of the products of two numbers `[s, k]`."""
    return Wide.of(first).times(Wide.of(second)).summed()


@offers("multi_class", kind="report")
def agreement(context: MetricContext) -> Iterator[Metric]:
    yield BalancedAccuracy("balanced_accuracy", context.class_outcomes)
    yield CohenKappa("cohen_kappa", context.class_outcomes)
    yield MatthewsCorrelation("matthews_correlation", context.class_outcomes)
