"""Metrics of the set of labels of a row, for heads of independent classes."""

from __future__ import annotations

from collections.abc import Iterator

from heads.metrics.core.context import MetricContext
from heads.metrics.core.cut_counts import CutMetric
from heads.metrics.core.metric import Metric, Values, ratio, total_mass
from heads.metrics.core.registry import offers
from heads.metrics.multi_class_accuracy import RowShare
from heads.metrics.weighted_means import WeightedMean, label_sum
from heads.statistics import State, ThresholdCounts
from heads.statistics.threshold_counts import ONE, SOFT, ZERO

NOTHING = "the weights sum to zero"


class ExactMatch(RowShare):
    """The weighted share of rows whose labels are all predicted right.

    It equals scikit-learn's `accuracy_score` of indicator matrices. A label between 0 and 1 is
    never predicted right.
    """

    higher_is_better = True

    @property
    def definition(self) -> str:
        return "The weighted share of rows whose labels are all predicted right."


class CoverageError(WeightedMean):
    """The weighted mean of the classes to go down the ranking by score until all labels are met.

    It equals scikit-learn's `coverage_error`. Classes of equal scores are met together, and a row
    without labels needs 0 classes. A class is a label of the row where its value is not 0.
    """

    higher_is_better = False
    low = 0.0

    @property
    def definition(self) -> str:
        return (
            "The weighted mean of how many classes, ranked by score, one must take to have all"
            " labels of the row; 0 for a row without labels."
        )


class HammingLoss(CutMetric):
    """The weighted share of row-class pairs whose label is not the prediction, 1 - accuracy.

    It equals scikit-learn's `hamming_loss`. A label between 0 and 1 never equals the prediction.
    """

    higher_is_better = False
    low, high = 0.0, 1.0

    def compute(self, state: State) -> Values:
        counts = self.counts(state)
        wrong = counts.above[:, ZERO] + counts.below[:, ONE]
        wrong = wrong + counts.above[:, SOFT] + counts.below[:, SOFT]
        total = counts.above.sum(axis=1) + counts.below.sum(axis=1)
        trials = self.trials(
            state, lambda counts: counts.above.sum(axis=1) + counts.below.sum(axis=1)
        )
        return ratio(wrong, total, NOTHING, trials)


class LabelCardinality(Metric):
    """The weighted mean of the labels that a row has: sum(w * sum over classes of y) / sum(w).

    G. Tsoumakas and I. Katakis, "Multi-label classification: an overview", 2007.
    """

    low = 0.0

    def compute(self, state: State) -> Values:
        statistic = state.statistic
        assert isinstance(statistic, ThresholdCounts)
        # Each row is counted once for every class.
        pairs = total_mass(state)
        return ratio(label_sum(state, None) * statistic.classes, pairs, NOTHING)


@offers("multi_label", kind="report")
def label_sets(context: MetricContext) -> Iterator[Metric]:
    yield ExactMatch("exact_match", context.row_sums, "exact_match")
    yield CoverageError("coverage_error", context.row_sums, "coverage")
    yield HammingLoss("hamming_loss", context.threshold_counts, context.space.class_one())
    yield LabelCardinality("label_cardinality", context.threshold_counts)
