"""Accuracy, precision and recall as TensorFlow 1.x computes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from heads.metrics.base import Floats, Metric, Scope, Values, divide
from heads.metrics.registry import offers
from heads.metrics.threshold_rates import CutMetric
from heads.statistics import State
from heads.statistics.threshold_counts import ONE, ZERO

# What tf.metrics.precision_at_thresholds and recall_at_thresholds add to the denominator.
EPSILON = 1e-7


class ContribAccuracy(CutMetric):
    """The weighted share of labels that equal the prediction; 0 for a negative sum of weights."""

    def compute(self, state: State) -> Values:
        above, below = self.above_and_below(state)
        total = above.sum(axis=1) + below.sum(axis=1)
        value = divide(above[:, ONE] + below[:, ZERO], np.maximum(total, 0))
        return Values(
            value, {"the weights sum to zero": total == 0, "the weights sum to less": total < 0}
        )


@dataclass(frozen=True)
class ContribPrecision(CutMetric):
    """TP / (epsilon + TP + FP), and 0 where TP + FP is not above 0 and epsilon is 0.

    Attributes:
        epsilon: 1e-7 at a threshold, 0 without.
    """

    epsilon: float = 0.0

    def compute(self, state: State) -> Values:
        above, _ = self.above_and_below(state)
        return _rate(
            above[:, ONE:].sum(axis=1),
            above.sum(axis=1),
            self.epsilon,
            "nothing is predicted positive",
        )


@dataclass(frozen=True)
class ContribRecall(CutMetric):
    """TP / (epsilon + TP + FN), and 0 where TP + FN is not above 0 and epsilon is 0.

    Attributes:
        epsilon: 1e-7 at a threshold, 0 without.
    """

    epsilon: float = 0.0

    def compute(self, state: State) -> Values:
        above, below = self.above_and_below(state)
        positive = above[:, ONE:].sum(axis=1)
        return _rate(
            positive, positive + below[:, ONE:].sum(axis=1), self.epsilon, "no label is positive"
        )


def _rate(numerator: Floats, denominator: Floats, epsilon: float, reason: str) -> Values:
    raised = denominator + epsilon if epsilon else np.maximum(denominator, 0)
    return Values(divide(numerator, raised), {reason: denominator == 0})


@offers("contrib_binary")
def at_the_likelier_class(scope: Scope) -> Iterator[Metric]:
    """Offers accuracy, precision and recall of the likelier class."""
    cut = scope.space.class_one()
    yield ContribAccuracy("accuracy", scope.threshold_counts, cut)
    yield ContribPrecision("precision", scope.threshold_counts, cut)
    yield ContribRecall("recall", scope.threshold_counts, cut)


@offers("contrib_binary")
def at_thresholds(scope: Scope) -> Iterator[Metric]:
    """Offers accuracy, precision and recall at the configured thresholds."""
    for threshold in scope.thresholds:
        counts, above = scope.threshold_counts, scope.space.above(threshold)
        suffix = f"positive_threshold_{threshold:g}"
        # Accuracy alone counts a probability that equals the threshold as positive.
        yield ContribAccuracy(f"accuracy/{suffix}", counts, scope.space.at_least(threshold))
        yield ContribPrecision(f"precision/{suffix}", counts, above, EPSILON)
        yield ContribRecall(f"recall/{suffix}", counts, above, EPSILON)
