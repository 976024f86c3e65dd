"""Weighted means of the loss, of the probability and of the label."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from heads.metrics.base import Metric, Scope, Values, divide, mass, ratio
from heads.metrics.registry import offers
from heads.statistics import State


@dataclass(frozen=True)
class WeightedMean(Metric):
    """sum(w * v) / sum(w); 0 and undefined where the weights sum to zero.

    Attributes:
        column: the sum in its statistic of what is averaged, `v`.
        group: the class that is averaged over.
    """

    column: str
    group: int = 0

    @property
    def definition(self) -> str:
        what = self.column.replace("_", " ")
        return f"The weighted mean of the {what}, `sum(w * v) / sum(w)`."

    def compute(self, state: State) -> Values:
        groups = self.statistic.groups
        total = state.dense(self.column, groups)[:, self.group, 0]
        weight = mass(state, groups)[:, self.group, 0]
        return ratio(total, weight, "the weights sum to zero")


class ContribMean(WeightedMean):
    """The mean of TensorFlow 1.x, which is 0 for a negative sum of weights too."""

    def compute(self, state: State) -> Values:
        groups = self.statistic.groups
        total = state.dense(self.column, groups)[:, self.group, 0]
        weight = mass(state, groups)[:, self.group, 0]
        value = divide(total, np.maximum(weight, 0))
        return Values(
            value, {"the weights sum to zero": weight == 0, "the weights sum to less": weight < 0}
        )


@offers("binary", "multi_class", "multi_label")
def average_loss(scope: Scope) -> Iterator[Metric]:
    """Offers the mean loss."""
    yield WeightedMean("average_loss", scope.loss_sums, "loss")


@offers("binary")
def binary_means(scope: Scope) -> Iterator[Metric]:
    """Offers the means of probability and label."""
    yield WeightedMean("prediction/mean", scope.class_sums, "probability")
    yield WeightedMean("label/mean", scope.class_sums, "label")


@offers("multi_label")
def probability_means(scope: Scope) -> Iterator[Metric]:
    """Offers the mean probability of the named classes."""
    for group, suffix in zip(scope.named_classes, scope.class_suffixes, strict=True):
        yield WeightedMean(f"probability_mean/{suffix}", scope.class_sums, "probability", group)


@offers("contrib_binary")
def contrib_means(scope: Scope) -> Iterator[Metric]:
    """Offers the means of TensorFlow 1.x."""
    yield ContribMean("average_loss", scope.loss_sums, "loss")
    yield ContribMean("prediction/mean", scope.class_sums, "probability")
    yield ContribMean("label/mean", scope.class_sums, "label")
