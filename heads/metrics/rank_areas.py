"""Areas under curves over every score: ROC AUC and average precision, with certain bounds.

They are read from the adaptive score histogram. Within a cell the order of scores is not known, so
the value takes the scores of a cell as ties, and the bounds take the worst and the best order. A
histogram with shift 0 has one score a cell: value and bounds are then the same and exact, ties
included, and equal scikit-learn's `roc_auc_score` and `average_precision_score`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Literal

import numpy as np

from heads.metrics.base import Floats, Metric, Scope, Values
from heads.metrics.registry import offers
from heads.statistics import ScoreHistogram, State

Bound = Literal["value", "lower", "upper"]
# What a pair within one cell counts.
TIES: dict[Bound, float] = {"value": 0.5, "lower": 0.0, "upper": 1.0}


@dataclass(frozen=True, eq=False)
class CellCurve:
    """The weights of labels by cell of the score, cells ascending.

    Attributes:
        positive: `[c]`, labels that are not 0.
        negative: `[c]`, labels that are 0.
        exact: whether every cell is one score.
    """

    positive: Floats
    negative: Floats
    exact: bool


@dataclass(frozen=True)
class RankMetric(Metric):
    """An area, or a certain bound of it.

    Attributes:
        bound: which.
        group: the class it is of; None for all row-class pairs together (micro average).
    """

    bound: Bound = "value"
    group: int | None = None

    @property
    def definition(self) -> str:
        whole = super().definition
        return whole if self.bound == "value" else f"A certain {self.bound} bound. {whole}"


class RocAuc(RankMetric):
    """The share of (positive, zero) pairs of labels in which the positive one has the higher score.

    A tie counts half. With the worst order all pairs within a cell are wrong, with the best right.
    """

    def compute(self, state: State) -> Values:
        curves = _curves(state, self.group)
        positive = np.array([curve.positive.sum() for curve in curves])
        negative = np.array([curve.negative.sum() for curve in curves])
        value = np.zeros(len(curves))
        for index, curve in enumerate(curves):
            if positive[index] and negative[index]:
                reached = np.cumsum(curve.negative)
                ties = 0.5 if curve.exact else TIES[self.bound]
                # Shares of what is summed up here, so that rounding takes none beyond 1.
                share = (reached - (1 - ties) * curve.negative) / reached[-1]
                value[index] = (curve.positive * share).sum() / positive[index]
        return Values(
            value, {"no label is positive": positive == 0, "no label is zero": negative == 0}
        )


class AveragePrecision(RankMetric):
    """The mean over positive labels of the precision at their score, ties at one precision.

    Let a cell hold `a` of the positive weight and `b` of the negative, with TP and FP above it. No
    order gives a positive of the cell more than `(TP + a) / (TP + a + FP)`, the precision of all
    its positives ranked first and tied. None gives the one that brings the positive weight of the
    cell to `u` less than `(TP + u) / (TP + u + FP + b)`; that grows with u, so its integral over
    the weight, `a - F * log((TP + a + F) / (TP + F))` with `F = FP + b`, is a bound for any
    weights.
    """

    def compute(self, state: State) -> Values:
        curves = _curves(state, self.group)
        positive = np.array([curve.positive.sum() for curve in curves])
        value = np.zeros(len(curves))
        for index, curve in enumerate(curves):
            if positive[index]:
                value[index] = _mean_precision(curve, self.bound)
        return Values(value, {"no label is positive": positive == 0})


def _mean_precision(curve: CellCurve, bound: Bound) -> float:
    has = curve.positive > 0
    own = curve.positive[has][::-1]
    others = np.cumsum(curve.negative[::-1])[has[::-1]]
    reached = np.cumsum(own)
    if bound == "value" or curve.exact:
        return float((own * (reached / (reached + others))).sum() / own.sum())
    if bound == "upper":
        above = others - curve.negative[has][::-1]
        return float((own * (reached / (reached + above))).sum() / own.sum())
    start = reached - own + others
    growth = np.zeros_like(own)
    np.divide(own, start, out=growth, where=others > 0)
    return float((own - others * np.log1p(growth)).sum() / own.sum())


@lru_cache(maxsize=4)
def _curves(state: State, group: int | None) -> list[CellCurve]:
    """The curve of each segment; kept, since value and bounds are read from the same ones."""
    counts = state.statistic
    assert isinstance(counts, ScoreHistogram)
    weight = state["weight" if "weight" in state.sums else "rows"]
    bounds = np.searchsorted(state.segment, np.arange(len(state.keys) + 1))
    curves = []
    for first, last in pairwise(bounds):
        rows = np.arange(first, last)
        if group is not None:
            rows = rows[state.group[rows] // 2 == group]
        cells, cell = np.unique(state.cell[rows], return_inverse=True)
        positive = state.group[rows] % 2 == 1
        by_label = [
            np.bincount(cell[own], weight[rows[own]], len(cells)).astype(np.float64)
            for own in (positive, ~positive)
        ]
        curves.append(CellCurve(by_label[0], by_label[1], exact=state.shift == 0))
    return curves


@offers("binary", "contrib_binary", "multi_label", report_only=True)
def rank_areas(scope: Scope) -> Iterator[Metric]:
    yield from _with_bounds(scope, "", None)


@offers("multi_label", report_only=True)
def rank_areas_by_class(scope: Scope) -> Iterator[Metric]:
    for group, suffix in zip(scope.named_classes, scope.class_suffixes, strict=True):
        yield from _with_bounds(scope, f"/{suffix}", group)


def _with_bounds(scope: Scope, suffix: str, group: int | None) -> Iterator[Metric]:
    for bound in TIES:
        ending = suffix if bound == "value" else f"_{bound}{suffix}"
        yield RocAuc(f"roc_auc{ending}", scope.score_histogram, bound, group)
        yield AveragePrecision(f"average_precision{ending}", scope.score_histogram, bound, group)
