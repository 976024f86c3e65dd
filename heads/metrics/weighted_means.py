"""Weighted means of the loss, of the probability and of the label."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heads.metrics.core.context import MetricContext
from heads.metrics.core.metric import (
    Floats,
    Metric,
    Values,
    divide,
    weight_column,
)
from heads.metrics.core.registry import offers
from heads.metrics.core.support import EveryRow, Support
from heads.metrics.core.wide import Wide
from heads.statistics import State
from heads.statistics.threshold_counts import LABEL_KINDS, ONE, SOFT, ZERO


@dataclass(frozen=True)
class WeightedMean(Metric):
    """sum(w * v) / sum(w); 0 and undefined where the weights sum to zero.

    Attributes:
        column: the name of the values `v` of which its statistic has a sum; or `label`.
        group: the id of the class it describes; None for all rows or all row-class pairs.
    """

    column: str
    group: int | None = None

    @property
    def definition(self) -> str:
        name = self.column.replace("_", " ")
        return f"The weighted mean of the {name}, `sum(w * v) / sum(w)`."

    @property
    def support(self) -> Support:
        return EveryRow(self.statistic, self.group)

    def mean(self, state: State) -> tuple[Floats, Floats]:
        """Returns sum(w * v) / sum(w), which is 0 where that is undefined, and sum(w), both `[s]`.

        The mean is right even where float64 cannot hold the sums.
        """
        weight = class_sum(state, None, self.group)
        if self.column == "label" and "label" not in state.sums:
            return divide(label_sum(state, self.group), weight), weight
        rows = _of_class(state, self.group)
        columns = (self.column, weight_column(state))
        total, divisor = (Wide(*state.wide_by_segment(column, rows)) for column in columns)
        return total.over(divisor).to_float(), weight

    def compute(self, state: State) -> Values:
        mean, weight = self.mean(state)
        return Values(mean, {"the weights sum to zero": weight == 0})


@dataclass(frozen=True)
class MeanLoss(WeightedMean):
    """The weighted mean of the loss."""

    higher_is_better = False
    low = 0.0


@dataclass(frozen=True)
class MeanShare(WeightedMean):
    """A weighted mean of values from 0 to 1."""

    low, high = 0.0, 1.0


class ContribMean(WeightedMean):
    """The mean of TensorFlow 1.x, which is 0 for a negative sum of weights too."""

    def compute(self, state: State) -> Values:
        mean, weight = self.mean(state)
        return Values(
            np.where(weight < 0, 0.0, mean),
            {"the weights sum to zero": weight == 0, "the weights sum to less": weight < 0},
        )


class ContribMeanLoss(ContribMean):
    """The mean loss of TensorFlow 1.x."""

    higher_is_better = False
    low = 0.0


class ContribMeanShare(ContribMean):
    """The mean of TensorFlow 1.x of values from 0 to 1."""

    low, high = 0.0, 1.0


def class_sum(state: State, column: str | None, group: int | None) -> Floats:
    """Returns the sum `[s]` of a column over a class, or over everything.

    Args:
        state: the state.
        column: the column; None for the weights, or for the rows where there are no weights.
        group: the id of the class; None for everything.
    """
    return state.by_segment(column or weight_column(state), _of_class(state, group))


def _of_class(state: State, group: int | None) -> npt.NDArray[np.bool_] | None:
    """Returns which rows of the state are of a class; None for all where `group` is None."""
    return None if group is None else state.group // LABEL_KINDS == group


def label_sum(state: State, group: int | None) -> Floats:
    """Returns sum(w * y) `[s]` over a class, or over everything where `group` is None.

    Labels of 1 are in the counts of the state, and labels between 0 and 1 in a sum.
    """
    ones = state.group % LABEL_KINDS == ONE
    if group is not None:
        ones &= state.group // LABEL_KINDS == group
    return state.by_segment(weight_column(state), ones) + class_sum(state, "soft_label", group)


def label_sums(state: State) -> tuple[Floats, Floats]:
    """Returns sum(w * y) and sum(w * (1 - y)) over everything, both `[s]`."""
    kind = state.group % LABEL_KINDS
    zeros, soft = (state.by_segment(weight_column(state), kind == k) for k in (ZERO, SOFT))
    return label_sum(state, None), zeros + (soft - class_sum(state, "soft_label", None))


@offers("binary")
def binary_means(context: MetricContext) -> Iterator[Metric]:
    """Offers the means of loss, probability and label."""
    yield MeanLoss("average_loss", context.threshold_counts, "loss")
    yield MeanShare("prediction/mean", context.threshold_counts, "probability")
    yield MeanShare("label/mean", context.threshold_counts, "label")


@offers("multi_class", "multi_label")
def average_loss(context: MetricContext) -> Iterator[Metric]:
    """Offers the mean loss."""
    yield MeanLoss("average_loss", context.row_sums, "loss")


@offers("multi_label")
def probability_means(context: MetricContext) -> Iterator[Metric]:
    """Offers the mean probability of the named classes."""
    for group, suffix in zip(context.named_classes, context.class_suffixes, strict=True):
        name = f"probability_mean/{suffix}"
        yield MeanShare(name, context.threshold_counts, "probability", group)


@offers("contrib_binary")
def contrib_means(context: MetricContext) -> Iterator[Metric]:
    """Offers the means of TensorFlow 1.x."""
    yield ContribMeanLoss("average_loss", context.threshold_counts, "loss")
    yield ContribMeanShare("prediction/mean", context.threshold_counts, "probability")
    yield ContribMeanShare("label/mean", context.threshold_counts, "label")
