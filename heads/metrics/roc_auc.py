"""Areas under curves over every score: ROC AUC and average precision, with certain bounds.

They are read from the adaptive score histogram. Within a cell the order of scores is not known, so
the value takes the scores of a cell as ties, and the bounds take the worst and the best order. A
histogram with shift 0 has one score a cell: value and bounds are then the same and exact, ties
included, and equal scikit-learn's `roc_auc_score` and `average_precision_score`.
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
# What a pair within one cell counts.
ROUNDING = 1e-12
"""More than sums over the cells of a histogram can be off by."""
TIES: dict[Bound, float] = {"value": 0.5, "lower": 0.0, "upper": 1.0}


@dataclass(frozen=True)
class RankMetric(CurveMetric):
    """An area, or a certain bound of it.

    Attributes:
        bound: which.
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

    A tie counts half. With the worst order all pairs within a cell are wrong, with the best right.
    """

    def of_curve(self, curve: ScoreCurve) -> tuple[Floats, Reasons]:
        positive, negative = curve.positives, curve.negatives
        reached = np.cumsum(curve.negative, axis=1)
        ties = 0.5 if curve.exact else TIES[self.bound]
        # Shares of what is summed up here, so that rounding takes none beyond 1.
        share = divide(reached - (1 - ties) * curve.negative, reached[:, -1:])
        value = divide(ordered_sum(curve.positive * share), positive)
        value = _outwards(value, self.bound, curve)
        return value, {"no label is positive": positive == 0, "no label is zero": negative == 0}


class AveragePrecision(RankMetric):
    """The mean over positive labels of the precision at their score, ties at one precision.

    Let a cell hold `a` of the positive weight and `b` of the negative, with TP and FP above it. No
    order gives a positive of the cell more than `(TP + a) / (TP + a + FP)`, the precision of all
    its positives ranked first and tied. None gives the one that brings the positive weight of the
    cell to `u` less than `(TP + u) / (TP + u + FP + b)`; that grows with u, so its integral over
    the weight, `a - F * log((TP + a + F) / (TP + F))` with `F = FP + b`, is a bound for any
    weights.
    """

    def of_curve(self, curve: ScoreCurve) -> tuple[Floats, Reasons]:
        own = curve.positive[:, ::-1]
        reached, others = curve.from_above
        if self.bound == "value" or curve.exact:
            gained = own * divide(reached, reached + others)
        elif self.bound == "upper":
            above = others - curve.negative[:, ::-1]
            gained = own * divide(reached, reached + above)
        else:
            start = reached - own + others
            gained = own - others * np.log1p(np.where(others > 0, divide(own, start), 0.0))
        positive = ordered_sum(own)
        value = _outwards(divide(ordered_sum(gained), positive), self.bound, curve)
        return value, {"no label is positive": positive == 0}


def _outwards(value: Floats, bound: Bound, curve: ScoreCurve) -> Floats:
    """A bound with the rounding of its sums taken for the worst; it stays within [0, 1]."""
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
