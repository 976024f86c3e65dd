"""The estimator's areas under the ROC and precision-recall curves, over 200 thresholds.

The thresholds are those of `tf.keras.metrics.AUC`: -1e-7, 1/199, ..., 198/199, 1 + 1e-7. A curve
goes from the lowest threshold, where all is predicted positive, to the highest, where nothing is.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from heads.metrics.core.context import MetricContext
from heads.metrics.core.methods import (
    FEW,
    FEW_FOR_RATIOS,
    FEW_LABELS,
    FEW_OF_A_CLASS,
    Requirement,
)
from heads.metrics.core.metric import (
    OF_PAIRS,
    OF_PRECISION,
    Floats,
    Metric,
    Values,
    divide,
    in_unit,
    mass,
)
from heads.metrics.core.registry import offers
from heads.metrics.core.support import BothLabels, Positives, Support
from heads.statistics import State, Statistic, ThresholdCounts
from heads.statistics.threshold_counts import LABEL_KINDS, ONE, ZERO

# What tf.metrics.auc adds to numerators and denominators.
EPSILON = 1e-6


@dataclass(frozen=True, eq=False)
class Curve:
    """The weights of the labels at each threshold; a label that is not 0 is positive.

    Attributes:
        true_positive: `[s, 200]`, positive labels whose score is above the threshold.
        false_positive: `[s, 200]`, zero labels whose score is above the threshold.
        positive: `[s, 1]`, all positive labels, including those with a NaN score.
        negative: `[s, 1]`, all zero labels, including those with a NaN score.
        epsilon: `[s, 1]`, what TensorFlow 1.x adds to the weights.
    """

    true_positive: Floats
    false_positive: Floats
    positive: Floats
    negative: Floats
    epsilon: Floats


@dataclass(frozen=True)
class AreaMetric(Metric):
    """An area under a curve over the 200 thresholds.

    Attributes:
        cuts: the cuts of the thresholds 1 to 198, which are among those of its `ThresholdCounts`.
        group: the id of the class it describes; None for all row-class pairs together (micro
            average).
        labels: the statistic that counts the labels by fold.
    """

    cuts: tuple[float, ...]
    group: int | None = None
    labels: Statistic = field(kw_only=True)

    higher_is_better = True
    low, high = 0.0, 1.0

    @abstractmethod
    def area(self, curve: Curve) -> Floats:
        """Returns the area under the curve `[s]`; where undefined, the value the estimator has."""

    def curve(self, state: State) -> Curve:
        """Returns the curve of each segment."""
        counts = self.statistic
        assert isinstance(counts, ThresholdCounts)
        weight = mass(state, counts.groups, counts.cells)
        classes = counts.groups // LABEL_KINDS
        weight = weight.reshape(len(weight), classes, LABEL_KINDS, counts.cells)
        by_label = weight.sum(axis=1) if self.group is None else weight[:, self.group]
        position = {cut: index for index, cut in enumerate(counts.cuts)}
        # Cell 0 holds NaN. Every other score is above threshold 0, and none is above threshold 199.
        first = [1, *(position[cut] + 2 for cut in self.cuts)]
        true_positive, positive = _above(by_label[:, ONE:].sum(axis=1), first)
        false_positive, negative = _above(by_label[:, ZERO], first)
        epsilon = in_unit(state, EPSILON)[:, np.newaxis]
        return Curve(true_positive, false_positive, positive, negative, epsilon)


def _above(weight: Floats, first: list[int]) -> tuple[Floats, Floats]:
    """Returns sums of the weights over cells.

    Args:
        weight: the weights `[s, cells]`.
        first: `m` first cells.

    Returns:
        The sums from each first cell to the last cell, followed by a 0, `[s, m + 1]`; and the sum
        over all cells, `[s, 1]`.
    """
    total = np.cumsum(weight[:, ::-1], axis=1)[:, ::-1]
    # Indexing may put the axis of segments innermost, and then the digits of sums would depend on
    # how many segments there are.
    above = np.ascontiguousarray(total[:, first])
    return np.concatenate([above, np.zeros((len(above), 1))], axis=1), total[:, :1]


def _trapezoids(x: Floats, y: Floats) -> Floats:
    """Returns the area under y over falling x, both `[s, m]`, by the trapezoidal rule."""
    area: Floats = ((x[:, :-1] - x[:, 1:]) * ((y[:, :-1] + y[:, 1:]) / 2)).sum(axis=1)
    return area


class RocArea(AreaMetric):
    """Area under recall over false positive rate, by trapezoids over the 200 thresholds.

    With labels of one kind only it is undefined, 0 in the estimator.
    """

    area_factor = OF_PAIRS

    @property
    def support(self) -> Support:
        return BothLabels(self.labels, self.group)

    @property
    def requirement(self) -> Requirement:
        return Requirement(self.support, 1.0, FEW, FEW_OF_A_CLASS)

    def area(self, curve: Curve) -> Floats:
        recall = divide(curve.true_positive, curve.positive)
        return _trapezoids(divide(curve.false_positive, curve.negative), recall)

    def compute(self, state: State) -> Values:
        curve = self.curve(state)
        return Values(
            self.area(curve),
            {
                "no label is positive": curve.positive[:, 0] == 0,
                "no label is zero": curve.negative[:, 0] == 0,
            },
        )


class PrecisionRecallArea(AreaMetric):
    """Area under precision over recall, interpolated between the 200 thresholds.

    Without positive labels it is undefined, 0 in the estimator. Between two thresholds, true
    positives grow linearly with all predicted positives, so precision
    is a hyperbola (Davis and Goadrich, "The relationship between precision-recall and ROC curves",
    ICML 2006). With TP and P = TP + FP at two neighbours and slope = dTP / dP, a step adds
    `slope * (dTP + (TP' - slope * P') * ln(P / P')) / positives`, primes for the higher threshold.
    """

    area_factor = OF_PRECISION

    @property
    def support(self) -> Support:
        return Positives(self.labels, self.group)

    @property
    def requirement(self) -> Requirement:
        return Requirement(self.support, 1.0, FEW_FOR_RATIOS, FEW_LABELS)

    def area(self, curve: Curve) -> Floats:
        hits, predicted = curve.true_positive, curve.true_positive + curve.false_positive
        gained = hits[:, :-1] - hits[:, 1:]
        slope = divide(gained, np.maximum(predicted[:, :-1] - predicted[:, 1:], 0))
        intercept = hits[:, 1:] - slope * predicted[:, 1:]
        both = (predicted[:, :-1] > 0) & (predicted[:, 1:] > 0)
        ratio = np.ones_like(slope)
        np.divide(predicted[:, :-1], predicted[:, 1:], out=ratio, where=both)
        log = np.log(ratio)
        far = np.isinf(ratio)
        if far.any():
            log[far] = (np.log(predicted[:, :-1]) - np.log(predicted[:, 1:]))[far]
        steps = slope * (gained + intercept * log)
        area: Floats = divide(steps, np.maximum(curve.positive, 0)).sum(axis=1)
        return area

    def compute(self, state: State) -> Values:
        curve = self.curve(state)
        return Values(self.area(curve), {"no label is positive": curve.positive[:, 0] == 0})


class ContribRocArea(RocArea):
    """The ROC area of TensorFlow 1.x: 1e-6 is added, so labels of one kind give 0 or 1."""

    def area(self, curve: Curve) -> Floats:
        recall = (curve.true_positive + curve.epsilon) / (curve.positive + curve.epsilon)
        return _trapezoids(curve.false_positive / (curve.negative + curve.epsilon), recall)


class ContribPrecisionRecallArea(PrecisionRecallArea):
    """The precision-recall area of TensorFlow 1.x: 1e-6 is added; trapezoids, not hyperbolas."""

    def area(self, curve: Curve) -> Floats:
        predicted = curve.true_positive + curve.false_positive
        recall = (curve.true_positive + curve.epsilon) / (curve.positive + curve.epsilon)
        precision = (curve.true_positive + curve.epsilon) / (predicted + curve.epsilon)
        return _trapezoids(recall, precision)


@offers("binary", "multi_label")
def areas(context: MetricContext) -> Iterator[Metric]:
    """Offers the areas of all row-class pairs together."""
    counts, cuts, labels = context.auc_counts, context.auc_cuts, context.label_counts
    yield RocArea("auc", counts, cuts, labels=labels)
    yield PrecisionRecallArea("auc_precision_recall", counts, cuts, labels=labels)


@offers("multi_label")
def areas_by_class(context: MetricContext) -> Iterator[Metric]:
    """Offers the areas of the named classes."""
    counts, cuts, labels = context.auc_counts, context.auc_cuts, context.label_counts
    for group, suffix in zip(context.named_classes, context.class_suffixes, strict=True):
        yield RocArea(f"auc/{suffix}", counts, cuts, group, labels=labels)
        name = f"auc_precision_recall/{suffix}"
        yield PrecisionRecallArea(name, counts, cuts, group, labels=labels)


@offers("contrib_binary")
def contrib_areas(context: MetricContext) -> Iterator[Metric]:
    """Offers the areas of TensorFlow 1.x."""
    counts, cuts, labels = context.auc_counts, context.auc_cuts, context.label_counts
    yield ContribRocArea("auc", counts, cuts, labels=labels)
    yield ContribPrecisionRecallArea("auc_precision_recall", counts, cuts, labels=labels)
