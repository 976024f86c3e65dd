"""The accuracy of always predicting the commoner class."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from heads.metrics.base import Metric, Scope, Values, divide, mass, ratio
from heads.metrics.registry import offers
from heads.statistics import State


class AccuracyBaseline(Metric):
    """max(sum(w * y), sum(w) - sum(w * y)) / sum(w), the label `y` in [0, 1]."""

    def compute(self, state: State) -> Values:
        positive = state.dense("label", 1)[:, 0, 0]
        total = mass(state, 1)[:, 0, 0]
        return ratio(np.maximum(positive, total - positive), total, "the weights sum to zero")


class ContribAccuracyBaseline(Metric):
    """max(m, 1 - m) for the label mean m of TensorFlow 1.x; hence 1 where that is undefined."""

    def compute(self, state: State) -> Values:
        total = mass(state, 1)[:, 0, 0]
        mean = divide(state.dense("label", 1)[:, 0, 0], np.maximum(total, 0))
        return Values(
            np.maximum(mean, 1 - mean),
            {"the weights sum to zero": total == 0, "the weights sum to less": total < 0},
        )


@offers("binary")
def accuracy_baseline(scope: Scope) -> Iterator[Metric]:
    """Offers the baseline."""
    yield AccuracyBaseline("accuracy_baseline", scope.class_sums)


@offers("contrib_binary")
def contrib_accuracy_baseline(scope: Scope) -> Iterator[Metric]:
    """Offers the baseline of TensorFlow 1.x."""
    yield ContribAccuracyBaseline("accuracy_baseline", scope.class_sums)
