"""ROC AUC and average precision over every score, with bounds that are certain.

They are computed from the adaptive score histogram. The order of the scores within a cell is not
known, so the value treats the scores of a cell as ties, and the bounds assume the worst and the
best order. With shift 0 a cell of the histogram has a single score: value and bounds are then equal
and exact, with ties too, and equal scikit-learn's `roc_auc_score` and `average_precision_score`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from heads.metrics.core.context import MetricContext
from heads.metrics.core.metric import Floats, Metric, divide
from heads.metrics.core.registry import offers
from heads.metrics.core.score_curve import CurveMetric, Reasons, ScoreCurve, ordered_sum

Bound = Literal["value", "lower", "upper"]
ROUNDING = 1e-12
"""The rounding of sums over the cells of a histogram is smaller than this."""
TIES: dict[Bound, float] = {"value": 0.5, "lower": 0.0, "upper": 1.0}
"""How much a pair of scores within a cell counts, as a share of a pair in the right order."""


@dataclass(frozen=True)
class RankMetric(CurveMetric):
    """An area under a curve, or a bound of it that is certain.

    Attributes:
        bound: whether this is the value of the area, its lower or its upper bound.
    """

    bound: Bound = "value"

    higher_is_better = True
    low, high = 0.0, 1.0
    headline = True

    @property
    def definition(self) -> str:
        whole = super().definition
        return whole if self.bound == "value" else f"A certain {self.bound} bound. {whole}"

    @property
    def comparable(self) -> bool:
        return self.bound == "value"


class RocAuc(RankMetric):
    """The share of (positive, zero) pairs of labels in which the positive one has the higher score.

    A tie counts half. In the worst order all pairs within a cell are wrong, in the best all are
    right.
    """

    def of_curve(self, curve: ScoreCurve) -> tuple[Floats, Reasons]:
        positive, negative = curve.positives, curve.negatives
        reached = np.cumsum(curve.negative, axis=1)
        ties = 0.5 if curve.exact else TIES[self.bound]
        # The denominator is a sum that is computed here, so that rounding takes no share beyond 1.
        share = divide(reached - (1 - ties) * curve.negative, reached[:, -1:])
        value = divide(ordered_sum(curve.positive * share), positive)
        value = _outwards(value, self.bound, curve)
        return value, {"no label is positive": positive == 0, "no label is zero": negative == 0}


class AveragePrecision(RankMetric):
    """The mean over positive labels of the precision at their score, ties at one precision.

    Let a cell hold `a` of the positive weight and `b` of the negative, with TP and FP above it. In
    no order has a positive label of the cell a precision above `(TP + a) / (TP + a + FP)`, which
    all its positive labels have if they rank first and are tied. In no order has the positive label
    that brings the positive weight of the cell to `u` a precision below
    `(TP + u) / (TP + u + FP + b)`. The latter grows with u, so its integral over the weight,
    `a - F * log((TP + a + F) / (TP + F))` with `F = FP + b`, is a lower bound for any weights.
    """

    def of_curve(self, curve: ScoreCurve) -> tuple[Floats, Reasons]:
        positives = curve.positive[:, ::-1]
        reached, others = curve.from_above
        if self.bound == "value" or curve.exact:
            gained = positives * divide(reached, reached + others)
        elif self.bound == "upper":
            above = others - curve.negative[:, ::-1]
            gained = positives * divide(reached, reached + above)
        else:
            start = reached - positives + others
            growth = np.where(others > 0, divide(positives, start), 0.0)
            gained = positives - others * np.log1p(growth)
        positive = ordered_sum(positives)
        value = _outwards(divide(ordered_sum(gained), positive), self.bound, curve)
        return value, {"no label is positive": positive == 0}


def _outwards(value: Floats, bound: Bound, curve: ScoreCurve) -> Floats:
    """Returns a bound moved outwards by the largest rounding of its sums, but within [0, 1]."""
    if bound == "value" or curve.exact:
        return value
    slack = -ROUNDING if bound == "lower" else ROUNDING
    return np.clip(value + slack, 0.0, 1.0)


@offers("binary", "contrib_binary", "multi_label", kind="report")
def rank_areas(context: MetricContext) -> Iterator[Metric]:
    yield from _with_bounds(context, "", None)


@offers("multi_class", "multi_label", kind="report")
def rank_areas_by_class(context: MetricContext) -> Iterator[Metric]:
    for group, suffix in zip(context.named_classes, context.class_suffixes, strict=True):
        yield from _with_bounds(context, f"/{suffix}", group)


def _with_bounds(context: MetricContext, suffix: str, group: int | None) -> Iterator[Metric]:
    fine, coarse = context.score_histogram, context.coarse_histogram
    for bound in TIES:
        ending = suffix if bound == "value" else f"_{bound}{suffix}"
        yield RocAuc(f"roc_auc{ending}", fine, coarse, group, bound)
        yield AveragePrecision(f"average_precision{ending}", fine, coarse, group, bound)
