"""Accuracy, precision and recall as TensorFlow 1.x computes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from heads.metrics.accuracy_precision_recall import Share
from heads.metrics.core.confusion_formulas import positive, predicted_positive
from heads.metrics.core.context import MetricContext
from heads.metrics.core.cut_counts import CutSupport
from heads.metrics.core.metric import BinomialCounts, Floats, Metric, Values, divide, in_unit
from heads.metrics.core.registry import offers
from heads.metrics.core.support import Support
from heads.statistics import State
from heads.statistics.threshold_counts import ONE, ZERO

# What tf.metrics.precision_at_thresholds and recall_at_thresholds add to the denominator.
EPSILON = 1e-7


class ContribAccuracy(Share):
    """The weighted share of labels that equal the prediction; 0 for a negative sum of weights."""

    def compute(self, state: State) -> Values:
        counts = self.counts(state)
        total = counts.above.sum(axis=1) + counts.below.sum(axis=1)
        value = divide(counts.above[:, ONE] + counts.below[:, ZERO], np.maximum(total, 0))
        reasons = {"the weights sum to zero": total == 0, "the weights sum to less": total < 0}
        trials = self.trials(
            state, lambda counts: counts.above.sum(axis=1) + counts.below.sum(axis=1)
        )
        return Values(value, reasons, trials)


@dataclass(frozen=True)
class ContribPrecision(Share):
    """TP / (epsilon + TP + FP), and 0 where TP + FP is not above 0 and epsilon is 0.

    Attributes:
        epsilon: what is added to the denominator: 1e-7 at a threshold, 0 at the likelier class.
    """

    epsilon: float = 0.0

    @property
    def support(self) -> Support:
        return CutSupport(self.statistic, self.cut, self.group, (predicted_positive,))

    def compute(self, state: State) -> Values:
        counts = self.counts(state)
        predicted = counts.above.sum(axis=1)
        trials = self.trials(state, lambda counts: counts.above.sum(axis=1))
        reason = "nothing is predicted positive"
        added = in_unit(state, self.epsilon)
        return _rate(counts.true_positive, predicted, added, reason, trials)


@dataclass(frozen=True)
class ContribRecall(Share):
    """TP / (epsilon + TP + FN), and 0 where TP + FN is not above 0 and epsilon is 0.

    Attributes:
        epsilon: what is added to the denominator: 1e-7 at a threshold, 0 at the likelier class.
    """

    epsilon: float = 0.0

    @property
    def support(self) -> Support:
        return CutSupport(self.statistic, self.cut, self.group, (positive,))

    def compute(self, state: State) -> Values:
        counts = self.counts(state)
        positive = counts.true_positive + counts.false_negative
        trials = self.trials(state, lambda counts: counts.true_positive + counts.false_negative)
        added = in_unit(state, self.epsilon)
        return _rate(counts.true_positive, positive, added, "no label is positive", trials)


def _rate(
    numerator: Floats,
    denominator: Floats,
    epsilon: Floats,
    reason: str,
    trials: BinomialCounts | None,
) -> Values:
    """Returns a quotient whose denominator is raised by epsilon, or is at least 0 without it."""
    raised = np.where(epsilon > 0, denominator + epsilon, np.maximum(denominator, 0))
    return Values(divide(numerator, raised), {reason: denominator == 0}, trials)


@offers("contrib_binary")
def at_the_likelier_class(context: MetricContext) -> Iterator[Metric]:
    """Offers accuracy, precision and recall where the likelier class is predicted."""
    cut = context.space.class_one()
    yield ContribAccuracy("accuracy", context.threshold_counts, cut)
    yield ContribPrecision("precision", context.threshold_counts, cut)
    yield ContribRecall("recall", context.threshold_counts, cut)


@offers("contrib_binary")
def at_thresholds(context: MetricContext) -> Iterator[Metric]:
    """Offers accuracy, precision and recall at the configured thresholds."""
    counts = context.threshold_counts
    for threshold in context.all_thresholds:
        above, at_least = threshold.above(context.space), threshold.at_least(context.space)
        suffix = threshold.name
        # Accuracy alone counts what equals the threshold as positive.
        yield ContribAccuracy(f"accuracy/{suffix}", counts, at_least)
        yield ContribPrecision(f"precision/{suffix}", counts, above, epsilon=EPSILON)
        yield ContribRecall(f"recall/{suffix}", counts, above, epsilon=EPSILON)
