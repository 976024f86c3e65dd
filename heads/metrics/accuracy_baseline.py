"""The accuracy of always predicting the commoner class."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from heads.metrics.core.context import MetricContext
from heads.metrics.core.metric import Metric, Values, divide, ratio, total_mass
from heads.metrics.core.registry import offers
from heads.metrics.weighted_means import label_sum
from heads.statistics import State


class AccuracyBaseline(Metric):
    """max(sum(w * y), sum(w) - sum(w * y)) / sum(w), the label `y` in [0, 1]."""

    low, high = 0.5, 1.0

    def compute(self, state: State) -> Values:
        positive = label_sum(state, None)
        total = total_mass(state)
        return ratio(np.maximum(positive, total - positive), total, "the weights sum to zero")


class ContribAccuracyBaseline(Metric):
    """max(m, 1 - m) for the label mean m of TensorFlow 1.x; hence 1 where that is undefined."""

    def compute(self, state: State) -> Values:
        total = total_mass(state)
        mean = divide(label_sum(state, None), np.maximum(total, 0))
        return Values(
            np.maximum(mean, 1 - mean),
            {"the weights sum to zero": total == 0, "the weights sum to less": total < 0},
        )


@offers("binary")
def accuracy_baseline(context: MetricContext) -> Iterator[Metric]:
    """Offers the accuracy baseline of the estimator."""
    yield AccuracyBaseline("accuracy_baseline", context.threshold_counts)


@offers("contrib_binary")
def contrib_accuracy_baseline(context: MetricContext) -> Iterator[Metric]:
    """Offers the accuracy baseline of TensorFlow 1.x."""
    yield ContribAccuracyBaseline("accuracy_baseline", context.threshold_counts)
