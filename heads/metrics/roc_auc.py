"""ROC AUC and average precision over every score, with bounds that are certain.

They are computed from the adaptive score histogram. The order of the scores within a cell is not
known, so the value treats the scores of a cell as ties, and the bounds assume the worst and the
best order. Where every cell has a single score, value and bounds are equal and exact, with ties
too, and equal scikit-learn's `roc_auc_score` and `average_precision_score`.
"""

from __future__ import annotations

from collections.abc import Iterator

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
    Bounds,
    Floats,
    Metric,
    Values,
    divide,
)
from heads.metrics.core.registry import offers
from heads.metrics.core.score_curve import CurveMetric, Reasons, ScoreCurve, ordered_sum
from heads.metrics.core.support import BothLabels, EveryRow, Positives, Support
from heads.statistics import State
from heads.statistics.kept import kept_with_state


class RankMetric(CurveMetric):
    """An area under a curve."""

    higher_is_better = True
    low, high = 0.0, 1.0
    headline = True

    def compute(self, state: State) -> Values:
        return _values(state, self)

    def bounds(self, state: State, _: Floats) -> Bounds:
        return _bounds(state, self)


# Those of classes are also read by the averages over classes.
@kept_with_state(last=128)
def _values(state: State, area: RankMetric) -> Values:
    return CurveMetric.compute(area, state)


@kept_with_state(last=128)
def _bounds(state: State, area: RankMetric) -> Bounds:
    return CurveMetric.bounds(area, state, _values(state, area).value)


class RocAuc(RankMetric):
    """The share of (positive, zero) pairs of labels in which the positive one has the higher score.

    A tie counts half. In the worst order all pairs within a cell are wrong, in the best all are
    right.
    """

    area_factor = OF_PAIRS

    @property
    def support(self) -> Support:
        return BothLabels(self.labels, self.group)

    @property
    def requirement(self) -> Requirement:
        return Requirement(self.support, 1.0, FEW, FEW_OF_A_CLASS)

    def of_curve(self, curve: ScoreCurve) -> tuple[Floats, Reasons]:
        positive, negative = curve.positives, curve.negatives
        reasons = {"no label is positive": positive == 0, "no label is zero": negative == 0}
        return _area(curve, np.float64(0.5)), reasons

    def bounds_of_curve(self, curve: ScoreCurve) -> Bounds:
        return (
            _area(curve, np.where(curve.rounded, 0.0, 0.5)),
            _area(curve, np.where(curve.rounded, 1.0, 0.5)),
        )


def _area(curve: ScoreCurve, within: Floats | np.float64) -> Floats:
    """Returns the area `[r]` under the ROC curve.

    Args:
        curve: the curve.
        within: how much a pair of scores within a cell counts, as a share of a pair in the right
            order; for all cells, or by cell `[r, c]`.
    """
    reached = np.cumsum(curve.negative, axis=1)
    # The denominator is a sum that is computed here, so that rounding takes no share beyond 1.
    share = divide(reached - (1 - within) * curve.negative, reached[:, -1:])
    return divide(ordered_sum(curve.positive * share), curve.positives)


class AveragePrecision(RankMetric):
    """The mean over positive labels of the precision at their score, ties at one precision.

    Let a cell hold `a` of the positive weight and `b` of the negative, with TP and FP above it. In
    no order has a positive label of the cell a precision above `(TP + a) / (TP + a + FP)`, which
    all its positive labels have if they rank first and are tied. In no order has the positive label
    that brings the positive weight of the cell to `u` a precision below
    `(TP + u) / (TP + u + FP + b)`. The latter grows with u, so its integral over the weight,
    `a - F * log((TP + a + F) / (TP + F))` with `F = FP + b`, is a lower bound for any weights.
    """

    area_factor = OF_PRECISION

    @property
    def support(self) -> Support:
        return Positives(self.labels, self.group)

    @property
    def requirement(self) -> Requirement:
        return Requirement(self.support, 1.0, FEW_FOR_RATIOS, FEW_LABELS)

    def of_curve(self, curve: ScoreCurve) -> tuple[Floats, Reasons]:
        positives = curve.positive[:, ::-1]
        return _mean_over(positives, _tied(curve)), {"no label is positive": curve.positives == 0}

    def bounds_of_curve(self, curve: ScoreCurve) -> Bounds:
        positives, rounded = curve.positive[:, ::-1], curve.rounded[:, ::-1]
        reached, others = curve.from_above
        tied = _tied(curve)
        above = others - curve.negative[:, ::-1]
        most = positives * divide(reached, reached + above)
        start = reached - positives + others
        growth = np.where(others > 0, divide(positives, start), 0.0)
        least = positives - others * np.log1p(growth)
        return (
            _mean_over(positives, np.where(rounded, least, tied)),
            _mean_over(positives, np.where(rounded, most, tied)),
        )


def _tied(curve: ScoreCurve) -> Floats:
    """Returns the precision of every cell times its positive weight, `[r, c]`, from above."""
    reached, others = curve.from_above
    return curve.positive[:, ::-1] * divide(reached, reached + others)


def _mean_over(positives: Floats, gained: Floats) -> Floats:
    """Returns the mean `[r]` of what cells have gained, over their positive weight `[r, c]`."""
    return divide(ordered_sum(gained), ordered_sum(positives))


class PairRocAuc(RocAuc):
    """The ROC area of all pairs of a row and a class together, positive if the class is the label.

    It equals scikit-learn's `roc_auc_score` with `average="micro"`.
    """

    @property
    def support(self) -> Support:
        return EveryRow(self.labels)


class PairAveragePrecision(AveragePrecision):
    """The average precision of all pairs of a row and a class, positive if the class is the label.

    It equals scikit-learn's `average_precision_score` with `average="micro"`.
    """

    @property
    def support(self) -> Support:
        return EveryRow(self.labels)


@offers("binary", "contrib_binary", "multi_label", kind="report")
def rank_areas(context: MetricContext) -> Iterator[Metric]:
    yield from _areas(context, "", None)


@offers("multi_class", "multi_label", kind="report")
def rank_areas_by_class(context: MetricContext) -> Iterator[Metric]:
    for group, suffix in zip(context.named_classes, context.class_suffixes, strict=True):
        yield from _areas(context, f"/{suffix}", group)


@offers("multi_class", kind="report")
def rank_areas_of_pairs(context: MetricContext) -> Iterator[Metric]:
    """Offers areas of pairs of rows and classes, if there are histograms to read them from."""
    if context.named_classes:
        fine, coarse = context.score_histogram, context.coarse_histogram
        yield PairRocAuc("roc_auc", fine, coarse, labels=context.row_sums)
        yield PairAveragePrecision("average_precision", fine, coarse, labels=context.row_sums)


def _areas(context: MetricContext, suffix: str, group: int | None) -> Iterator[RankMetric]:
    yield area_of(context, RocAuc, f"roc_auc{suffix}", group)
    yield area_of(context, AveragePrecision, f"average_precision{suffix}", group)


def area_of(
    context: MetricContext, area: type[RankMetric], name: str, group: int | None
) -> RankMetric:
    """Returns an area of a class against all others, or of all pairs if `group` is None."""
    fine, coarse, labels = context.score_histogram, context.coarse_histogram, context.label_counts
    return area(name, fine, coarse, group, labels=labels)
